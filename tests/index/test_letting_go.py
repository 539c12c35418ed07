"""Generations that were replaced let go of their files at once, not when the garbage collector comes by."""

from __future__ import annotations

import gc
from pathlib import Path

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
