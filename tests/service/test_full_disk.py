"""What those who write are told where the disk is full or can only be read, and that all else goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus

Client = Callable[..., FlaskClient]
FERRY = "第{0}号渡轮第{1}次靠岸，运来{2}箱橘子，船上有{1}名水手。"


@pytest.fixture
def on_disk(corpus: Corpus, disk_of: Callable[[str], Path]) -> Iterator[Corpus]:
    """An archive on a disk of 3 MB."""
    data = Path(shutil.copytree(corpus.data, disk_of("3m") / "data", copy_function=shutil.copy))
    with closing(Corpus.open(data)) as opened:
        yield opened


def log_of(number: int) -> dict[str, str]:
    return {"id": f"log-{number}", "text": "\n".join(FERRY.format(number, trip, number * trip) for trip in range(300))}


def test_a_write_that_is_refused_for_want_of_room_has_left_nothing(
    on_disk: Corpus, make_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(on_disk)
    before = client.get("/api/v1/documents").json["total"]
    taken = 0
    for number in range(100):
        answer = client.post("/api/v1/documents", json=log_of(number))
        there = client.get(f"/api/v1/documents/log-{number}")
        if answer.status_code == 507:
            break
        assert answer.status_code == 201, answer.json["detail"]
        assert answer.json["degraded"] in ([], ["indexes"])  # the last room may go between storing and publishing
        assert there.status_code == 200
        taken += 1
    assert answer.status_code == 507
    assert answer.json["type"] == "/docs#problem-no-storage"
    assert "磁盘" in answer.json["detail"]
    assert there.status_code == 404
    assert "answered with 507" in caplog.text
    assert client.get("/api/v1/documents").json["total"] == before + taken
    assert client.get("/api/v1/search?q=渡轮").json["hits"]
    assert 'status="507"' in client.get("/metrics").text
    removed = client.delete("/api/v1/documents/log-0")
    assert (removed.status_code, client.get("/api/v1/documents/log-0").status_code) in ((507, 200), (204, 404))


def test_on_a_disk_that_can_only_be_read_searches_go_on_and_writes_are_refused(
    on_disk: Corpus, make_client: Client
) -> None:
    disk = on_disk.data.parent
    on_disk.close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with closing(Corpus.open(on_disk.data)) as corpus:
        client = make_client(corpus)
        assert client.get("/readyz").status_code == 200
        assert client.get("/api/v1/search?q=植树").json["degraded"] == []
        assert client.get("/api/v1/search?q=植树").json["hits"]
        document = client.get("/api/v1/documents").json["documents"][0]["id"]
        for answer in (
            client.post("/api/v1/documents", json=log_of(1)),
            client.post("/api/v1/documents?wait=0", json=log_of(1)),
            client.delete(f"/api/v1/documents/{document}"),
        ):
            assert answer.status_code == 507
            assert "Read-only file system" in answer.json["detail"]
        assert client.get(f"/api/v1/documents/{document}").status_code == 200
