"""The clock on the wall is set back and forth by a year while a server runs: nothing is lost, late or forgotten.

The server's clock is really another one, by libfaketime (Debian package libfaketime), which leaves the kernel's steady
clock alone as setting the time does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from scripts.benchmarking.server import serving

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed here")
YEAR = 365 * 86_400


class Shifted:
    """A server whose clock can be set, and a client that keeps its connection."""

    def __init__(self, address: str, clock: Path) -> None:
        self._clock = clock
        self.connection = HTTPConnection(address, timeout=60)

    def set_clock(self, seconds: int) -> None:
        """Set it to so many seconds from now."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._clock)

    def send(self, method: str, path: str, body: Any = None) -> tuple[HTTPResponse, Any]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        raw = answer.read()
        return answer, json.loads(raw) if raw and "json" in answer.headers["Content-Type"] else raw


@pytest.fixture
def shifted(sample_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shifted]:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARIES[0]))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
    for name in ("FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"):
        monkeypatch.setenv(name, "1")
    with serving(sample_copy) as server:
        monkeypatch.delenv("LD_PRELOAD")
        made = Shifted(server.address, clock)
        with closing(made.connection):
            yield made


def test_a_clock_that_is_set_loses_nothing_and_keeps_nobody_waiting(shifted: Shifted, sample_copy: Path) -> None:
    years, jobs = [], []
    for number, seconds in enumerate((0, -YEAR, YEAR, 0, YEAR, -YEAR)):
        shifted.set_clock(seconds)
        began = time.monotonic()
        answer, ready = shifted.send("GET", "/readyz")
        assert answer.status == 200
        years.append(int(str(answer.headers["Date"]).split()[3]))
        assert answer.headers["Connection"] != "close"  # the same connection all the while
        text = f"第{number}次拨钟，渡口的灯塔今晚亮了。"
        answer, _ = shifted.send("POST", "/api/v1/documents", {"id": f"clock-{number}", "text": text})
        assert answer.status == 201
        answer, found = shifted.send("POST", "/api/v1/search", {"query": f'"第{number}次拨钟"'})
        assert [hit["document"]["id"] for hit in found["hits"]] == [f"clock-{number}"]
        assert found["generation"] > ready["generation"]
        answer, job = shifted.send("POST", "/api/v1/documents?wait=0", {"id": "last", "text": f"第{number}号船长。"})
        jobs.append(job["id"])
        while shifted.send("GET", f"/api/v1/jobs/{job['id']}")[1]["state"] != "done":
            assert time.monotonic() - began < 60
        if number:
            answer, _ = shifted.send("DELETE", f"/api/v1/documents/clock-{number - 1}")
            assert answer.status == 204
    assert len(set(years)) > 1  # the clock really was another
    _, listed = shifted.send("GET", "/api/v1/jobs")
    assert [job["id"] for job in listed["jobs"]] == jobs[::-1]  # in the order they came in, whatever the clock said
    with closing(Corpus.open(sample_copy)) as corpus:
        assert corpus.verify() == []
        kept = {document.id for document in corpus.documents(limit=1_000).documents}
        assert {id_ for id_ in kept if id_.startswith("clock-")} == {"clock-5"}
        (hit,) = corpus.search(SearchRequest('"号船长"')).hits
        assert hit.text == "第5号船长。"
