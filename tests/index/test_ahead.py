"""Passages are embedded by another process while documents are still being read, and nothing depends on it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from index import ahead, companion, storing
from index.ahead import Ahead
from index.companion import Companion, GoneError
from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import _StaticEncoder
from index.engine.vector_table import VectorTable
from index.errors import StorageError
from index.ingest import record_source
from tests.index.texts import piece
from tests.index.tiny_models import bert_embedder, texts_given_to

PIECES = [piece(number) for number in range(1, 13)]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few passages are enough, and are handed over four by four."""
    monkeypatch.setattr(ahead, "ENOUGH", 8)
    monkeypatch.setattr(ahead, "_STRIDE", 4)
    monkeypatch.setattr(ahead, "processors", lambda: 2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started."""
    processes: list[subprocess.Popen[bytes]] = []
    really = subprocess.Popen

    def start(*command: Any, **settings: Any) -> subprocess.Popen[bytes]:
        processes.append(really(*command, **settings))
        return processes[-1]

    monkeypatch.setattr(companion.subprocess, "Popen", start)
    return processes


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passages that this process embeds."""
    return texts_given_to(_StaticEncoder, monkeypatch)


def vectors(corpus: Corpus) -> dict[bytes, tuple[bytes, bytes]]:
    keys = [row.key for row in corpus._engine.store.rows_after(0)]  # type: ignore[attr-defined]
    of = corpus._engine.store.vectors.of(keys)
    return {key: (vector.tobytes(), ids.tobytes()) for key, (vector, ids) in of.items()}


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    with closing(Corpus.open(tmp_path / "data", create=True)) as opened:
        yield opened


def test_another_process_embeds_what_this_one_would(
    corpus: Corpus, tmp_path: Path, here: list[str], started: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    summary = corpus.add(PIECES)
    assert len(started) == 1
    assert started[0].returncode is not None  # it has ended
    assert here == []
    assert summary.encoded == summary.passages == corpus.status().passages
    assert corpus.verify() == []
    hits = corpus.search(SearchRequest("渔船回港打到了鱼", mode="dense", limit=50)).hits
    assert {hit.document.id for hit in hits} == {source.document.id for source in PIECES}

    monkeypatch.setattr(ahead, "processors", lambda: 1)
    with closing(Corpus.open(tmp_path / "alone", create=True)) as alone:
        alone.add(PIECES)
        assert len(started) == 1
        assert len(here) == summary.passages
        assert vectors(alone) == vectors(corpus)


def test_milvus_too(tmp_path: Path, here: list[str]) -> None:
    with closing(Corpus.open(tmp_path / "data", engine=f"milvus:{tmp_path / 'archive.db'}", create=True)) as corpus:
        summary = corpus.add(PIECES)
        assert here == []
        assert summary.encoded == summary.passages
        assert corpus.verify() == []


def test_few_passages_are_embedded_here(corpus: Corpus, started: list[subprocess.Popen[bytes]]) -> None:
    corpus.add([record_source({"id": "bridge", "text": "城南的老石桥昨天重新开放。"}, source="")])
    assert started == []
    assert corpus.verify() == []


@pytest.mark.parametrize("trouble", ["no process", "other files", "no answer"])
def test_what_it_does_not_do_this_process_does(
    corpus: Corpus, here: list[str], trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable") if trouble == "no process" else GoneError("status -9")

    if trouble == "no process":
        monkeypatch.setattr(companion.subprocess, "Popen", refuse)
    elif trouble == "no answer":
        monkeypatch.setattr(Companion, "ask", refuse)
    else:
        monkeypatch.setattr(corpus.table, "fingerprint", "another")
    summary = corpus.add(PIECES)
    assert len(here) == summary.encoded == summary.passages
    assert corpus.verify() == []


def test_what_is_known_or_stands_twice_is_embedded_once(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    really = Ahead._ask

    def ask(ahead: Ahead, texts: list[str]) -> object:
        asked.extend(texts)
        return really(ahead, texts)

    monkeypatch.setattr(Ahead, "_ask", ask)
    twice = [record_source({"id": f"again-{one.document.id}", "text": one.text}, source="") for one in PIECES]
    summary = corpus.add([*PIECES, *twice])
    assert len(asked) == len({*asked}) == summary.encoded == summary.passages // 2
    third = [record_source({"id": f"third-{one.document.id}", "text": one.text}, source="") for one in PIECES]
    assert corpus.add(third).encoded == 0
    assert len(asked) == summary.encoded
    assert corpus.verify() == []


def test_a_transformer_has_all_processors_here(
    tmp_path: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    model = str(bert_embedder(tmp_path / "model", "".join(one.text for one in PIECES)))
    with closing(Corpus.open(tmp_path / "data", model=model, create=True)) as corpus:
        corpus.add(PIECES)
        assert started == []
        assert corpus.verify() == []


def test_it_ends_with_what_is_interrupted(
    corpus: Corpus, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_BATCH", 2)
    begun = Event()
    really = Companion.__init__

    def begin(process: Companion[Any, Any], *settings: Any, **more: Any) -> None:
        begun.set()
        really(process, *settings, **more)

    monkeypatch.setattr(Companion, "__init__", begin)

    def interrupt(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("read", 10):
            assert begun.wait(60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        corpus.add(PIECES, progress=interrupt)
    assert [process.returncode is not None for process in started] == [True]
    assert corpus.catch_up()
    assert corpus.verify() == []
    assert corpus.status().documents == 10


def test_a_disk_that_is_full_by_then_is_told_once_the_documents_are_stored(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StorageError("no room.", "没有空间。")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(VectorTable, "put", full)
        summary = corpus.add(PIECES)
    assert isinstance(summary.trouble, StorageError)
    assert corpus.status().documents == len(PIECES)
    assert corpus.catch_up()
    assert corpus.verify() == []
