"""Embedding beside reading gives what embedding afterwards gives."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index import indexing
from index.ahead import EncodingAhead
from index.corpus import Corpus
from index.engine.local import LocalEngine
from index.errors import ModelError
from index.ingest import record_source
from index.wordtable import Ids

RECORDS = [
    {"id": f"note-{n}", "title": f"第{n}号公告", "text": f"第{n}号：水库今日水位{n}米，比昨日略高。"} for n in range(40)
]


def stored_vectors(data: Path) -> dict[bytes, bytes]:
    engine = LocalEngine(data, create=False)
    try:
        return {key: vector for _, _, key, vector, _ in engine.store.vectors.after(0)}
    finally:
        engine.close()


def indexed(data: Path, records: Sequence[dict[str, str]]) -> int:
    corpus = Corpus.open(data, create=True)
    try:
        return corpus.add([record_source(record, source="公报") for record in records]).encoded
    finally:
        corpus.close()


def test_what_is_embedded_beside_reading_is_what_is_embedded_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    afterwards = indexed(tmp_path / "afterwards", RECORDS)
    monkeypatch.setattr(indexing, "_AHEAD", 8)
    monkeypatch.setattr(indexing, "_BATCH", 8)
    beside = indexed(tmp_path / "beside", [*RECORDS, RECORDS[0] | {"id": "repeat"}])
    assert beside == afterwards == len(RECORDS)
    assert stored_vectors(tmp_path / "beside") == stored_vectors(tmp_path / "afterwards")


def embedded(texts: Sequence[str]) -> tuple[np.ndarray, list[Ids]]:
    return np.ones((len(texts), 4), np.float16), [np.zeros(1, np.uint32)] * len(texts)


def test_batches_are_stored_by_the_thread_that_calls_and_known_passages_are_left_out() -> None:
    kept: list[tuple[list[bytes], str]] = []

    def keep(keys: Sequence[bytes], vectors: np.ndarray, ids: Sequence[Ids]) -> None:
        kept.append((list(keys), threading.current_thread().name))

    with EncodingAhead(lambda keys: {b"b"} & set(keys), embedded, keep, 3) as ahead:
        ahead.take({b"a": "甲", b"b": "乙"})
        ahead.take({b"c": "丙", b"d": "丁"})
    assert kept == [([b"a", b"c"], threading.current_thread().name)]
    assert ahead.stored == 2


def test_a_model_that_fails_leaves_everything_to_whoever_comes_after() -> None:
    def broken(texts: Sequence[str]) -> tuple[np.ndarray, list[Ids]]:
        raise ModelError("It cannot be loaded.", "无法加载。")

    stored: list[object] = []
    with EncodingAhead(lambda keys: set(), broken, lambda *vectors: stored.append(vectors), 1) as ahead:
        ahead.take({b"a": "甲"})
        ahead.take({b"b": "乙"})
    assert (stored, ahead.stored) == ([], 0)


def test_an_interruption_while_reading_stores_nothing_half() -> None:
    stored: list[object] = []
    with (
        pytest.raises(KeyboardInterrupt),
        EncodingAhead(lambda keys: set(), embedded, lambda *vectors: stored.append(vectors), 1) as ahead,
    ):
        ahead.take({b"a": "甲"})
        raise KeyboardInterrupt
    assert stored == []
