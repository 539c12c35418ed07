"""Writings nobody waits for: jobs that outlive the process."""

from __future__ import annotations

import errno
import io
import os
import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.errors import BusyError
from index.ingest import record_source
from service.gate import Gate
from service.parts import parts_of
from service.schemas import UploadFields
from service.spool import Job, Spool
from service.worker import Worker
from tests.service.conftest import app_of, done
from tests.service.records import FERRY, KILN, LAMP, found, lines, post


def ended(client: FlaskClient, job_id: str) -> dict[str, Any]:
    """The job, once its worker has nothing left to do."""
    done(parts_of(client.application).worker)
    job: dict[str, Any] = client.get(f"/api/v1/jobs/{job_id}").json
    return job


# Jobs


def test_a_job_is_answered_at_once_and_done_later(own_client: FlaskClient) -> None:
    answer = own_client.post(
        "/api/v1/documents?wait=0",
        data={
            "file": [(io.BytesIO(FERRY.encode("gb18030")), "夜航.txt"), (io.BytesIO(b""), "空.txt")],
            "source": "港口",
        },
    )
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json['id']}"
    job = ended(own_client, answer.json["id"])
    assert (job["state"], job["documents"], job["files"], job["files_done"]) == ("done", 1, 2, 2)
    assert (job["names"], job["cancelling"]) == (["夜航.txt", "空.txt"], False)
    assert [(file["name"], len(file["problems"])) for file in job["answer"]["files"]] == [
        ("夜航.txt", 0),
        ("空.txt", 1),
    ]
    assert found(own_client, "夜间航班") == job["answer"]["ids"]
    assert own_client.get("/api/v1/jobs").json["jobs"] == [{**job, "answer": None}]  # a hundred answers are long
    assert own_client.delete(f"/api/v1/jobs/{job['id']}").status_code == 204
    assert own_client.get(f"/api/v1/jobs/{job['id']}").status_code == 404


@pytest.mark.parametrize("record", [{"id": "kiln", "text": KILN}, [{"id": "kiln", "text": KILN}]])
def test_records_become_jobs_too(own_client: FlaskClient, record: Any) -> None:
    answer = own_client.post("/api/v1/documents?wait=0", json=record)
    assert ended(own_client, answer.json["id"])["answer"]["ids"] == ["kiln"]
    assert found(own_client, "陶艺教室") == ["kiln"]


def test_a_job_of_which_nothing_can_be_read_fails_and_says_why(own_client: FlaskClient) -> None:
    answer = own_client.post("/api/v1/documents?wait=0", data={"file": (io.BytesIO(b""), "空.txt")})
    job = ended(own_client, answer.json["id"])
    assert (job["state"], job["problem"]["status"]) == ("failed", 400)
    assert job["problem"]["errors"][0]["field"] == "空.txt"


@pytest.mark.parametrize("job_id", ["nothing", "%2e%2e", "0" * 12 + "-" + "0" * 8])
def test_a_job_that_is_not_there_is_not_found(own_client: FlaskClient, job_id: str) -> None:
    assert own_client.get(f"/api/v1/jobs/{job_id}").status_code == 404
    assert own_client.delete(f"/api/v1/jobs/{job_id}").status_code == 404


def test_many_parts_become_one_answer_and_others_write_in_between(own_client: FlaskClient) -> None:
    many = lines(*({"id": f"day-{n}", "text": f"第{n}天：{LAMP}"} for n in range(400)))
    job_id = post(own_client, many, "?wait=0").json["id"]
    assert own_client.put("/api/v1/documents/kiln", json={"text": KILN}).status_code == 201
    job = ended(own_client, job_id)
    assert (job["state"], job["answer"]["added"], job["documents"]) == ("done", 400, 400)
    assert own_client.get("/api/v1/documents").json["total"] == 402


# Jobs and processes


@pytest.fixture
def spool(own_corpus: Corpus) -> Spool:
    """The jobs of the corpus, none at the beginning."""
    return Spool(own_corpus.data / "jobs")


def keep(spool: Spool, body: bytes) -> Job:
    with spool.receiving() as folder:
        (folder / "0").write_bytes(body)
        return spool.keep(folder, Job(kind="lines", fields=UploadFields(tags=[]), language="zh"))


def test_a_job_left_by_a_process_is_done_by_the_next(own_corpus: Corpus, spool: Spool) -> None:
    job = keep(spool, lines({"id": "ferry", "text": FERRY}, {"id": "lamp", "text": LAMP}))
    spool.update(job.model_copy(update={"state": "running"}))  # as it stands where the process is killed
    own_corpus.add([record_source({"id": "ferry", "text": FERRY}, source="")])  # what it had done by then
    client = app_of(own_corpus).test_client()
    parts_of(client.application).worker.wake()
    answer = ended(client, job.id)["answer"]
    assert (answer["unchanged"], answer["added"]) == (1, 1)


def test_a_worker_that_ends_leaves_the_rest_for_the_next_start(own_corpus: Corpus, spool: Spool) -> None:
    job = keep(spool, lines(*({"id": f"day-{n}", "text": f"第{n}天：{LAMP}"} for n in range(200))))

    class Ending(Gate):
        """Ends the worker when it comes with its second part."""

        parts = 0

        def enter(self) -> AbstractContextManager[None]:
            self.parts += 1
            if self.parts == 2:
                worker.end()
            return super().enter()

    worker = Worker(own_corpus, spool, Ending(1, 1, 1.0))
    worker.wake()
    done(worker)
    assert 0 < own_corpus.status().documents - 1 < 200
    left = spool.find(job.id)
    assert left is not None
    assert left.state == "queued"
    following = Worker(own_corpus, spool, Gate(1, 1, 1.0))
    following.wake()
    done(following)
    ended_now = spool.find(job.id)
    assert ended_now is not None
    assert ended_now.answer is not None
    assert ended_now.answer.unchanged > 0
    assert ended_now.answer.added + ended_now.answer.unchanged == 200


class Cancelling(Gate):
    """Cancels the one job there is when the worker comes with its second part."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        super().__init__(1, 1, 1.0)
        self._parts = 0
        self._cancel = cancel

    def enter(self, waited: float = 0.0) -> AbstractContextManager[None]:
        self._parts += 1
        if self._parts == 2:
            self._cancel()
        return super().enter(waited)


def test_a_cancelled_job_stops_after_the_part_at_hand_and_keeps_what_it_has_written(
    own_client: FlaskClient, own_corpus: Corpus, spool: Spool
) -> None:
    job = keep(spool, lines(*({"id": f"day-{n}", "text": f"第{n}天：{LAMP}"} for n in range(1_000))))
    seen: list[dict[str, Any]] = []

    def cancel() -> None:
        assert own_client.delete(f"/api/v1/jobs/{job.id}").status_code == 204
        seen.append(own_client.get(f"/api/v1/jobs/{job.id}").json)

    worker = Worker(own_corpus, spool, Cancelling(cancel))
    worker.wake()
    done(worker)
    assert [(one["state"], one["cancelling"]) for one in seen] == [("running", True)]
    told = own_client.get(f"/api/v1/jobs/{job.id}").json
    assert (told["state"], told["cancelling"], told["answer"]) == ("cancelled", False, None)
    assert 64 < told["documents"] == own_corpus.status().documents - 1 < 1_000
    assert not (own_corpus.data / "jobs" / job.id / "0").exists()
    assert own_client.delete(f"/api/v1/jobs/{job.id}").status_code == 204
    assert spool.jobs() == []


@pytest.mark.parametrize("meanwhile", ["running", "cancelled", "forgotten"])
def test_a_job_is_cancelled_though_somebody_writes_or_removes_it_meanwhile(
    own_client: FlaskClient, own_corpus: Corpus, spool: Spool, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    job = keep(spool, lines({"id": "ferry", "text": FERRY}))
    replace = Path.replace

    def replace_later(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        if meanwhile == "running":
            spool.update(job.model_copy(update={"state": "running"}))
        elif meanwhile == "cancelled":
            spool.cancel(job.id)
        else:
            spool.forget(job.id)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replace_later)
    assert own_client.delete(f"/api/v1/jobs/{job.id}").status_code == 204
    assert [(one.id, one.state) for one in spool.jobs()] == (
        [] if meanwhile == "forgotten" else [(job.id, "cancelled")]
    )
    assert not list(own_corpus.data.glob("jobs/*/0"))  # nothing of what was sent is left


def test_a_job_is_cancelled_while_it_waits_for_another_writer(own_corpus: Corpus, spool: Spool) -> None:
    job = keep(spool, lines({"id": "ferry", "text": FERRY}))

    class Busy(Gate):
        """As where another process writes for hours."""

        def enter(self, waited: float = 0.0) -> AbstractContextManager[None]:
            spool.cancel(job.id)
            raise BusyError("another process is writing", "")

    worker = Worker(own_corpus, spool, Busy(1, 1, 1.0))
    worker.wake()
    done(worker)
    assert [one.state for one in spool.jobs()] == ["cancelled"]
    assert own_corpus.status().documents == 1


def test_a_job_that_waits_is_cancelled_at_once_and_the_worker_passes_over_it(
    own_client: FlaskClient, own_corpus: Corpus, spool: Spool
) -> None:
    job, other = (keep(spool, lines({"id": name, "text": FERRY})) for name in ("ferry", "lamp"))
    assert own_client.delete(f"/api/v1/jobs/{job.id}").status_code == 204
    assert own_client.get(f"/api/v1/jobs/{job.id}").json["state"] == "cancelled"
    worker = parts_of(own_client.application).worker
    worker._work(job)  # as it stood before, which a worker may have read just then
    worker.wake()
    assert ended(own_client, job.id)["state"] == "cancelled"
    assert ended(own_client, other.id)["state"] == "done"
    assert own_client.get("/api/v1/documents/ferry").status_code == 404


def test_a_job_cancelled_when_its_process_was_killed_is_not_taken_up_again(own_corpus: Corpus, spool: Spool) -> None:
    job = keep(spool, lines(*({"id": f"day-{n}", "text": f"第{n}天：{LAMP}"} for n in range(200))))
    spool.update(job.model_copy(update={"state": "running", "documents": 64}))  # as it stands where it is killed
    spool.cancel(job.id)
    client = app_of(own_corpus).test_client()
    parts_of(client.application).worker.wake()
    told = ended(client, job.id)
    assert (told["state"], told["documents"]) == ("cancelled", 64)
    assert own_corpus.status().documents == 1


@pytest.mark.parametrize("query", ["", "?wait=0"])
def test_what_the_disk_has_no_room_for_is_refused_in_a_sentence(
    own_client: FlaskClient, spool: Spool, query: str
) -> None:
    large = FERRY * 3_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))  # no file may grow over it
    try:
        form = own_client.post(f"/api/v1/documents{query}", data={"file": (io.BytesIO(large.encode()), "夜航.txt")})
        body = post(own_client, lines({"id": "ferry", "text": large}), query)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for answer in (form, body):
        assert answer.status_code == 507
        assert "File too large" in answer.json["detail"]
    assert spool.jobs() == []
    assert own_client.get("/api/v1/documents").json["total"] == 1


def test_a_disk_that_is_full_costs_the_worker_no_more_than_its_turn(own_corpus: Corpus, spool: Spool) -> None:
    job = keep(spool, lines({"id": "lamp", "text": LAMP}))

    class Full(Spool):
        """As where the disk has no room for job.json."""

        def update(self, _job: Job) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    worker = Worker(own_corpus, Full(own_corpus.data / "jobs"), Gate(1, 1, 1.0))
    worker.wake()
    done(worker)
    left = spool.find(job.id)
    assert left is not None
    assert left.state == "queued"
    worker._spool = spool  # there is room again
    worker.wake()
    done(worker)
    assert spool.find(job.id).state == "done"  # type: ignore[union-attr]


def test_a_job_on_a_disk_that_cannot_be_written_is_not_forgotten(
    own_client: FlaskClient, own_corpus: Corpus, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = keep(spool, lines({"id": "ferry", "text": FERRY}))
    spool.update(job.model_copy(update={"state": "cancelled"}))

    def refuse(*_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "rename", refuse)
    answer = own_client.delete(f"/api/v1/jobs/{job.id}")
    assert (answer.status_code, "Read-only file system" in answer.json["detail"]) == (507, True)
    assert spool.find(job.id) is not None


def test_a_folder_of_jobs_that_cannot_be_read_stops_no_service(
    own_client: FlaskClient, own_corpus: Corpus, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    (own_corpus.data / "jobs").write_text("somebody's notes")
    Worker(own_corpus, spool, Gate(1, 1, 1.0)).wake()
    assert "look at the folder jobs in its data directory" in caplog.text
    answer = own_client.get("/api/v1/jobs")
    assert (answer.status_code, "Not a directory" in answer.json["detail"]) == (507, True)
    assert own_client.get("/api/v1/search?q=渡轮").status_code == 200
    (own_corpus.data / "jobs").unlink()
    assert own_client.get("/api/v1/jobs").json["jobs"] == []


def test_what_was_being_received_when_a_process_ended_is_tidied_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "jobs")
    with spool.receiving() as folder:
        (folder / "0").write_bytes(b"half")
        left, recent = folder.with_name(".receiving-left"), folder.with_name(".receiving-recent")
        left.mkdir()
        recent.mkdir()
        yesterday = time.time() - 25 * 3600
        os.utime(left, (yesterday, yesterday))
    assert not folder.exists()
    spool.tidy()
    assert not left.exists()
    assert recent.exists()


def test_only_so_many_ended_jobs_are_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "jobs")
    for _ in range(103):
        spool.update(keep(spool, b"{}").model_copy(update={"state": "cancelled"}))
    assert len(spool.jobs()) == 100
