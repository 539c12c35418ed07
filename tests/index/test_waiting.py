"""What waits for its vector is found without looking at what has long been embedded."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.document import Document, Passage
from index.engine import vector_table
from index.engine.schema import passage_key
from index.engine.store import Store

IDS = ["ferry", "kiln", "lamp", "bridge"]
DOCUMENTS = st.tuples(st.just("put"), st.sampled_from(IDS), st.lists(st.sampled_from("甲乙丙丁戊己"), max_size=4))
REMOVALS = st.tuples(st.just("delete"), st.sampled_from(IDS), st.just(()))
EMBEDDINGS = st.tuples(st.just("embed"), st.integers(1, 4), st.just(()))
CHANGES = st.tuples(st.sampled_from(["mark", "drop_all"]), st.just(0), st.just(()))


def put(store: Store, id_: str, texts: list[str]) -> None:
    with store.transaction():
        store.put(Document(id_), b"", "", [Passage(text, 0, len(text)) for text in texts])


def embed(store: Store, keys: list[bytes]) -> None:
    store.vectors.put(keys, np.zeros((len(keys), 2), np.float16), [np.zeros(1, np.uint32)] * len(keys))


@example([("put", "ferry", ["甲", "乙"]), ("embed", 4, []), ("mark", 0, []), ("drop_all", 0, [])])
@given(st.lists(st.one_of(DOCUMENTS, REMOVALS, EMBEDDINGS, CHANGES), max_size=20))
def test_all_that_waits_is_found_whatever_came_before(changes: list[tuple[str, str | int, list[str]]]) -> None:
    with (
        TemporaryDirectory() as folder,
        mock.patch.multiple(vector_table, _STEP=0, _FEW=3),  # so that both queries are asked
    ):
        store = Store(Path(folder, "archive.sqlite3"))
        embedded: set[bytes] = set()
        for change, what, texts in changes:
            if change == "put":
                put(store, str(what), texts)
            elif change == "delete":
                with store.transaction():
                    store.delete([str(what)])
            elif change == "embed":
                embed(store, keys := [key for key, _, _ in store.vectors.waiting(int(what))])
                embedded.update(keys)
            elif change == "drop_all":
                with store.transaction():
                    store.vectors.drop_all()
                embedded = set()
            else:
                store.vectors.mark()
            wait = [row for row in store.rows_after(0) if row.key not in embedded]
            assert [text for _, _, text in store.vectors.waiting()] == list(dict.fromkeys(r.passage.text for r in wait))
            assert store.vectors.first_waiting() == (wait[0].number if wait else None)
            assert list(store.rows_waiting()) == wait
        store.close()


def test_what_lies_before_the_mark_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_table, "_STEP", 2)
    store = Store(tmp_path / "archive.sqlite3")
    put(store, "long ago", [f"第{number}天" for number in range(4)])
    embed(store, [passage_key(f"第{number}天", "") for number in range(4)])
    store.vectors.mark()
    put(store, "today", ["今天"])
    with store.transaction() as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {store.vectors.select_waiting()}").fetchall()
    assert "SEARCH passages USING INTEGER PRIMARY KEY (rowid>?)" in {step[-1] for step in plan}
    assert [text for _, _, text in store.vectors.waiting()] == ["今天"]
    store.close()
