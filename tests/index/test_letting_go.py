"""Generations that were replaced let go of their files at once, not when the garbage collector comes by."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path
from threading import Thread

import pytest

from index.corpus import Corpus
from index.document import Document, SearchRequest
from index.ingest import Source
from index.readers import Page


def open_files(folder: Path) -> int:
    """How many files below a folder this process has open."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(link.readlink()).startswith(str(folder)) for link in links if link.exists() or link.is_symlink())


def test_replaced_generations_let_go_of_their_files(tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path, create=True)
    held = []
    gc.disable()
    try:
        for number in range(6):
            text = f"第{number}号渡轮恢复夜间航班。"
            corpus.add([Source(Document(f"n{number}", "晚报"), (Page(text),))])
            assert corpus.search(SearchRequest(text, sources=("晚报",))).hits
            held.append(open_files(tmp_path / "generations"))
    finally:
        gc.enable()
        corpus.close()
    assert max(held[2:]) <= held[1] + 8, held


def test_a_thread_that_has_ended_holds_no_connection(tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path, create=True)
    corpus.add([Source(Document("n", "晚报"), (Page("渡轮恢复夜间航班。"),))])
    held = []
    for _ in range(6):
        thread = Thread(target=corpus.status)
        thread.start()
        thread.join()
        held.append(open_files(tmp_path / "xunzhang.sqlite3"))
    assert held[0] > 0
    assert held[-1] == held[0]  # SQLite keeps one of a connection that was closed for the next
    corpus.close()
    assert open_files(tmp_path / "xunzhang.sqlite3") == 0


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV])
def test_where_a_file_has_one_name_only_generations_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def link(*_: object) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", link)
    corpus = Corpus.open(tmp_path, create=True)
    for number, text in enumerate(("渡轮恢复夜间航班。", "茶园清明前采茶。", "学堂的钟挂在槐树上。")):
        summary = corpus.add([Source(Document(f"n{number}", "晚报"), (Page(text),))])
        assert summary.trouble is None
        assert corpus.search(SearchRequest(text)).hits[0].document.id == f"n{number}"
    assert corpus.verify() == []
    corpus.close()
