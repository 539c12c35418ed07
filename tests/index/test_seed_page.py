"""The newspaper page this project began with, as it came, and the queries it must answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.chinese import squeeze
from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import sources_of

SEEDS = Path(__file__).parents[3] / "shared" / "seeds"
PAGE = SEEDS / "workers-daily-page.txt"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PAGE.is_file(), reason="../shared/seeds is not beside this checkout"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    corpus = Corpus.open(tmp_path_factory.mktemp("page"), create=True)
    corpus.add(sources_of([PAGE]))
    yield corpus
    corpus.close()


def missed(page: Corpus, kinds: set[str], depth: int) -> tuple[list[str], int]:
    """Ids of the queries of these kinds without an answer among the first hits, and how many there are in all."""
    queries = [json.loads(line) for line in (SEEDS / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [query for query in queries if query["kind"] in kinds]
    without = []
    for query in queries:
        hits = page.search(SearchRequest(query["query"], limit=depth)).hits
        wanted = [squeeze(text) for text in query["relevant"]]
        if not any(text in squeeze(hit.text) for hit in hits for text in wanted):
            without.append(query["id"])
    return without, len(queries)


def test_the_page_answers_its_queries(page: Corpus) -> None:
    without, of = missed(page, {"question", "paraphrase", "keyword", "traditional"}, 3)
    assert of == 13
    assert len(without) <= 2, without


def test_the_page_answers_english(page: Corpus) -> None:
    without, of = missed(page, {"english"}, 5)
    assert of
    assert not without


def test_the_repeated_paragraph_comes_once(page: Corpus) -> None:
    start = "服务部根据工作需要"
    assert squeeze(PAGE.read_text(encoding="utf-8")).count(start) > 1
    (document,) = page.documents().documents
    whole = squeeze("".join(passage.text for passage in page.document(document.id).passages))
    assert whole.count(start) == 1


def test_positions_hold_on_the_page(page: Corpus) -> None:
    original = PAGE.read_text(encoding="utf-8")
    (document,) = page.documents().documents
    for passage in page.document(document.id).passages:
        rest = iter(original[passage.position.start : passage.position.end])
        assert all(char in rest for char in squeeze(passage.text))
