"""The process that parses risky formats: what kills it costs one document, and the next one is read."""

from __future__ import annotations

import os
import signal

import pytest

from index.errors import SourceError
from index.readers import Columns, Content, Reading
from index.readers.worker import Worker
from tests.index.documents import SENTENCE, docx, pdf, zipped


@pytest.fixture
def worker() -> Worker:
    worker = Worker()
    yield worker
    worker.close()


def read(worker: Worker, kind: str, raw: bytes) -> str:
    (found,) = worker.read(kind, Content.of_bytes("a.file", raw), Columns())
    assert isinstance(found, Reading)
    return "".join(page.text for page in found.pages)


def test_one_process_reads_one_document_after_the_other(worker: Worker) -> None:
    assert read(worker, "docx", docx(SENTENCE)) == SENTENCE
    process = worker._process
    assert read(worker, "pdf", pdf([SENTENCE])).strip() == SENTENCE
    assert worker._process is process


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGXCPU])
def test_a_dead_process_is_replaced(worker: Worker, how: signal.Signals) -> None:
    read(worker, "docx", docx(SENTENCE))
    assert worker._process is not None
    os.kill(worker._process.pid, how)
    worker._process.wait()
    assert read(worker, "docx", docx(SENTENCE)) == SENTENCE


def test_a_document_that_takes_too_much_memory_is_refused(worker: Worker) -> None:
    bomb = zipped({"word/document.xml": b"<r>" + b"<a>x</a>" * (20 << 20) + b"</r>"})
    with pytest.raises(SourceError, match=r"^a[.]file"):
        worker.read("docx", Content.of_bytes("a.file", bomb), Columns())
    assert read(worker, "docx", docx(SENTENCE)) == SENTENCE
