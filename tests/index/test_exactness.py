"""What is exact: a filter in every mode, and dense search, which finds what comparing with every vector finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from index.corpus import Corpus
from index.document import MODES, SearchRequest
from index.engine import Filter
from index.engine.local import LocalEngine
from index.ingest import record_source
from tests.conftest import engine_at
from tests.index.texts import BRIDGE, HARBOUR, SCHOOL

# Filters


FILTERED = [
    {"id": "a", "source": "晚报", "tags": ["桥", "城南"], "date": "2021-05-06", "text": f"{BRIDGE}门票1元。"},
    {"id": "b", "source": "日报", "tags": ["桥"], "date": "2021-05-07T09:30", "text": f"{BRIDGE}门票2元。"},
    {"id": "c", "source": "日报", "tags": [], "date": "2022-12-31", "text": f"{BRIDGE}门票3元。"},
    {"id": "d", "source": "公报", "tags": ["城南"], "date": "2022", "text": f"{BRIDGE}门票4元。"},
    {"id": "e", "source": "公报", "tags": ["a b"], "date": "", "text": f"{BRIDGE}门票5元。"},
]


@pytest.fixture(scope="module")
def filtered(tmp_path_factory: pytest.TempPathFactory, engine_name: str) -> Iterator[Corpus]:
    data = tmp_path_factory.mktemp("filtered") / "data"
    corpus = Corpus.open(data, create=True, engine=engine_at(engine_name, data))
    corpus.add([record_source(record, source="") for record in FILTERED])
    yield corpus
    corpus.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "abcde"),
        ({"sources": ("日报",)}, "bc"),
        ({"sources": ("日报", "公报")}, "bcde"),
        ({"sources": ("报",)}, ""),
        ({"tags": ("桥",)}, "ab"),
        ({"tags": ("桥", "城南")}, "abd"),
        ({"tags": ("a b",)}, "e"),
        ({"tags": ("a",)}, ""),
        ({"date_from": "2021-05-07"}, "bcd"),
        ({"date_to": "2021-05-07"}, "ab"),
        ({"date_from": "2021-05-07", "date_to": "2021-05-07"}, "b"),
        ({"date_from": "2021-05", "date_to": "2021-05"}, "ab"),
        ({"date_from": "2022", "date_to": "2022"}, "cd"),
        ({"date_to": "2021"}, "ab"),
        ({"date_from": "2022-12-31"}, "c"),
        ({"date_from": "2023"}, ""),
        ({"sources": ("日报",), "tags": ("桥",), "date_from": "2021"}, "b"),
    ],
)
def test_a_filter_is_exact_in_every_mode(filtered: Corpus, settings: dict[str, object], expected: str) -> None:
    for mode in MODES:
        request = SearchRequest("老石桥重新开放", mode, min_score=0.0, **settings)  # type: ignore[arg-type]
        assert "".join(sorted(hit.document.id for hit in filtered.search(request).hits)) == expected, mode


# Brute force


def vectors(data: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Passage numbers and their vectors, read from the SQLite file with nothing of ours in between."""
    connection = sqlite3.connect(data / "xunzhang.sqlite3")
    try:
        query = "SELECT number, vector FROM passages JOIN vectors USING (key) ORDER BY number"
        rows = connection.execute(query).fetchall()
    finally:
        connection.close()
    matrix = np.stack([np.frombuffer(vector, "<f2").astype(np.float32) for _, vector in rows])
    return np.array([number for number, _ in rows]), matrix


def assert_exact(corpus: Corpus, engine: LocalEngine, query: str, only: Filter, allowed: set[int] | None) -> None:
    """Dense search gives what comparing with every stored vector gives."""
    view = engine.view()
    assert view is not None
    vector = corpus.encoder().queries([query])[0]
    numbers, matrix = vectors(corpus.data)
    keep = np.array([allowed is None or int(number) in allowed for number in numbers])
    truth = np.sort(matrix[keep] @ vector)[::-1][:20]
    answer = view.dense(vector, 20, only)
    np.testing.assert_allclose(answer.scores, truth, atol=1e-5)
    by_number = dict(zip(numbers.tolist(), matrix @ vector, strict=True))
    np.testing.assert_allclose(answer.scores, [by_number[number] for number in answer.numbers.tolist()], atol=1e-5)


@pytest.fixture(scope="module")
def engine(sample: Corpus) -> Iterator[LocalEngine]:
    opened = LocalEngine(sample.data, create=False)
    yield opened
    opened.close()


QUERIES = ("社区食堂的老人", "公交车的电池", "how do people get home at night", "！？")


@pytest.mark.local
@pytest.mark.parametrize("query", QUERIES)
def test_dense_search_equals_brute_force(sample: Corpus, engine: LocalEngine, query: str) -> None:
    assert_exact(sample, engine, query, Filter(), None)


@pytest.mark.local
@pytest.mark.parametrize("query", QUERIES[:2])
def test_dense_search_equals_brute_force_under_a_filter(sample: Corpus, engine: LocalEngine, query: str) -> None:
    connection = sqlite3.connect(sample.data / "xunzhang.sqlite3")
    rows = connection.execute(
        "SELECT p.number FROM passages p JOIN documents d ON d.number = p.document"
        " WHERE d.date BETWEEN '2023' AND '2024'"
    ).fetchall()
    connection.close()
    assert rows
    assert_exact(sample, engine, query, Filter(date_from="2023", date_to="2023"), {number for (number,) in rows})


@pytest.mark.local
def test_dense_search_equals_brute_force_after_removals_and_additions(archive: Corpus, put) -> None:
    texts = {f"d{number}": f"第{number}条：{text}" for number, text in enumerate([BRIDGE, HARBOUR, SCHOOL] * 10)}
    put(**texts)
    archive.remove(["d3", "d17"])  # few enough to be masked
    put(late=BRIDGE + "后来补记。")
    engine = LocalEngine(archive.data, create=False)
    assert_exact(archive, engine, "老石桥", Filter(), None)
    view = engine.view()
    assert view is not None
    assert len(view.dense(archive.encoder().queries(["渔船"])[0], 100, Filter()).numbers) == 29
    engine.close()
    assert archive.verify() == []
