"""What Prometheus reads at /metrics: parsed by its own client, and compared with what was really asked."""

from __future__ import annotations

import contextlib
import re
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from index.corpus import Corpus
from service.gate import OverloadedError
from service.parts import parts_of

README = Path(__file__).parents[2] / "service" / "README.md"
STAGES = {"encode", "dense", "lexical", "fuse", "interaction", "fetch", "highlight"}
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(text: str) -> Samples:
    """``{(name, values of the labels): value}``."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(client: FlaskClient) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.text)


@pytest.fixture
def fresh(make_client: Callable[..., FlaskClient], corpus: Corpus) -> FlaskClient:
    """A client of an application that has answered nothing yet."""
    return make_client(corpus)


def test_requests_are_counted_by_operation_and_status(fresh: FlaskClient) -> None:
    for path in ("/api/v1/search?q=植树", "/api/v1/search?q=植树&limit=1", "/api/v1/search?q=", "/nowhere", "/healthz"):
        fresh.get(path)
    found = read(fresh)
    assert found["xunzhang_requests_total", ("search", "200")] == 2
    assert found["xunzhang_requests_total", ("search", "400")] == 1
    assert found["xunzhang_requests_total", ("unknown", "404")] == 1
    assert found["xunzhang_request_seconds_count", ("search",)] == 3
    assert found["xunzhang_request_seconds_sum", ("search",)] > 0
    assert read(fresh)["xunzhang_requests_total", ("metrics", "200")] == 1  # the one before


def test_searches_are_counted_and_their_stages_timed(fresh: FlaskClient) -> None:
    fresh.get("/api/v1/search?q=怎样减少汽车尾气")
    fresh.post("/api/v1/search/batch", json={"queries": [{"query": "植树"}, {"query": "zzzz", "mode": "lexical"}]})
    fresh.get("/api/v1/search?q=植树")  # a kept answer: it has no stage but that
    similar = fresh.get("/api/v1/passages/paper-1:0/similar").json
    found = read(fresh)
    assert found["xunzhang_searches_total", ("hybrid",)] == 4
    assert found["xunzhang_searches_total", ("lexical",)] == 1
    assert similar is not None
    assert found["xunzhang_searches_without_hits_total", ()] == 1 + (similar["total"] == 0)
    kept = found["xunzhang_search_stage_seconds_count", ("cache",)]
    assert kept >= 1
    for stage in STAGES:
        assert found["xunzhang_search_stage_seconds_count", (stage,)] == 5 - kept, stage
        assert 0 <= found["xunzhang_search_stage_seconds_sum", (stage,)] < 60


def test_the_queues_show_who_is_inside_and_who_was_sent_away(fresh: FlaskClient) -> None:
    writes = parts_of(fresh.application).writes
    with writes.enter():
        assert read(fresh)["xunzhang_running", ("write",)] == 1
    searches = parts_of(fresh.application).searches
    with contextlib.ExitStack() as stack, pytest.raises(OverloadedError):
        searches._patience = 0
        while True:
            stack.enter_context(searches.enter())
    found = read(fresh)
    assert found["xunzhang_running", ("search",)] == found["xunzhang_running", ("write",)] == 0
    assert found["xunzhang_waiting", ("search",)] == 0
    assert found["xunzhang_refused_total", ("search",)] == 1


def test_the_archive_and_the_process_are_described(fresh: FlaskClient, corpus: Corpus) -> None:
    found, status = read(fresh), corpus.status()
    assert found["xunzhang_ready", ()] == 1
    assert found["xunzhang_documents", ()] == status.documents
    assert found["xunzhang_passages", ()] == status.passages
    assert found["xunzhang_generation", ()] == status.generation
    assert found["xunzhang_passages_pending", ()] == 0
    assert found["xunzhang_search_processes", ()] == 1
    assert found["process_resident_memory_bytes", ()] > 1e7


def test_an_empty_archive_is_not_ready(tmp_path: Path, make_client: Callable[..., FlaskClient]) -> None:
    with contextlib.closing(Corpus.open(tmp_path, create=True)) as empty:
        assert read(make_client(empty))["xunzhang_ready", ()] == 0


def test_an_error_nobody_expected_is_counted(fresh: FlaskClient) -> None:
    def fail() -> None:
        raise ValueError("nobody expected this")

    app = fresh.application
    app.view_functions["health.health"] = fail
    app.test_client_class = FlaskClient  # the checking one would refuse the 500
    assert app.test_client().get("/healthz").status_code == 500
    found = read(fresh)
    assert found["xunzhang_unexpected_errors_total", ()] == 1
    assert found["xunzhang_requests_total", ("health", "500")] == 1


def test_nothing_that_was_asked_is_told(fresh: FlaskClient) -> None:
    fresh.get("/api/v1/search?q=waterlevel", headers={"Authorization": "Bearer xz_secret"})
    fresh.get("/waterlevel/secret")
    text = fresh.get("/metrics").text
    assert "waterlevel" not in text
    assert "secret" not in text


def test_requests_that_could_not_be_read_are_counted_too(live_url: str) -> None:
    def unreadable() -> float:
        with urllib.request.urlopen(f"{live_url}/metrics", timeout=10) as answer:
            return samples(answer.read().decode()).get(("xunzhang_requests_total", ("unreadable", "400")), 0)

    before = unreadable()
    host, port = live_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        assert b" 400 " in raw.makefile("rb").readline()
    assert unreadable() == before + 1


def test_every_metric_of_ours_is_in_the_readme_and_no_other(fresh: FlaskClient) -> None:
    fresh.get("/api/v1/search?q=植树")
    served = set(re.findall(r"^# TYPE (xunzhang_\w+)", fresh.get("/metrics").text, re.M))
    named = set(re.findall(r"`(xunzhang_[a-z_]+)", README.read_text("utf-8")))
    assert served - {name for name in served if name.endswith("_created")} == named
