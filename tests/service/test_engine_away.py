"""A job while its Milvus is being restarted: what was taken is handed over again, and what is stored is told."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pytest

from index.corpus import Corpus
from index.errors import BusyError, EngineError, XunzhangError
from index.ingest import Entry
from index.outcomes import Summary
from service import worker as at_work
from service.gate import Gate
from service.schemas import UploadFields
from service.spool import Job, Spool
from service.worker import Worker
from tests.service.conftest import done
from tests.service.records import LAMP, lines

AWAY = EngineError("Milvus is away.", "Milvus 没有应答。")
LOST = BusyError("Another process is writing.", "另一个进程正在写入。")


class Restarting:
    """An archive whose engine goes away in the middle of the first additions: ten documents were taken, five stored."""

    def __init__(self, corpus: Corpus, *errors: XunzhangError) -> None:
        self._corpus = corpus
        self._errors = list(errors)

    def add(self, sources: Iterable[Entry], **options: Any) -> Summary:
        if not self._errors:
            return self._corpus.add(sources, **options)
        self._corpus.add(list(islice(sources, 10))[:5], **options)
        raise self._errors.pop(0)


def worked_on(corpus: Corpus, *errors: XunzhangError) -> Job:
    """A job of a hundred documents, once nothing more is done for it."""
    spool = Spool(corpus.data / "jobs")
    with spool.receiving() as folder:
        (folder / "0").write_bytes(lines(*({"id": f"day-{n}", "text": f"第{n}天：{LAMP}"} for n in range(100))))
        job = spool.keep(folder, Job(kind="lines", fields=UploadFields(tags=[]), language="zh"))
    worker = Worker(Restarting(corpus, *errors), spool, Gate(1, 1, 1.0))  # type: ignore[arg-type]
    worker.wake()
    done(worker)
    found = spool.find(job.id)
    assert found is not None
    return found


def test_a_job_goes_on_when_the_engine_is_back(own_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "_RETRY_SECONDS", 0.0)
    before = own_corpus.status().documents
    job = worked_on(own_corpus, AWAY, LOST, AWAY)
    assert (job.state, job.documents) == ("done", 100)
    assert job.answer is not None
    assert (job.answer.added, job.answer.unchanged) == (100, 0)
    assert own_corpus.status().documents == before + 100


def test_a_job_whose_engine_stays_away_says_what_is_stored(own_corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "_AWAY_SECONDS", 0.0)
    job = worked_on(own_corpus, AWAY)
    assert (job.state, job.documents) == ("failed", 5)
    assert job.problem is not None
    assert job.problem.status == 503
