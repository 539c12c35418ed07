"""Where indexes are damaged before anybody opened them, what is whole answers until they are made anew."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import record_source
from index.upkeep import Upkeep
from tests.index.harms import HARMS, harm

QUESTION = "社区食堂的老人吃饭多少钱"
QUERY = SearchRequest(QUESTION, limit=5)


def first(corpus: Corpus, **fields: object) -> str:
    found = corpus.search(SearchRequest(QUESTION, **fields)).hits  # type: ignore[arg-type]
    return found[0].passage_id if found else ""


@pytest.mark.parametrize("how", HARMS)
def test_a_damaged_archive_answers_before_it_is_mended_and_mends_itself(
    sample: Corpus, sample_copy: Path, how: str
) -> None:
    harm(sample_copy / "generations", how)
    whole = sample.search(QUERY)
    with closing(Corpus.open(sample_copy)) as corpus:
        assert not corpus.status().ready
        assert corpus.salvage()
        assert corpus.status().ready
        answer = corpus.search(QUERY)
        assert "indexes" in answer.degraded
        assert first(corpus, mode="dense") == first(sample, mode="dense")
        if "lexical" in answer.degraded:
            assert first(corpus, mode="lexical") == ""
            assert answer.hits[0].passage_id in {hit.passage_id for hit in whole.hits}
            named = corpus.search(SearchRequest('"社区食堂"')).hits  # among the nearest, those that say it
            assert named
            assert all("社区食堂" in hit.title + hit.text for hit in named)
        else:
            assert [hit.passage_id for hit in answer.hits] == [hit.passage_id for hit in whole.hits]
            assert first(corpus, mode="lexical") == first(sample, mode="lexical")
        with Upkeep(corpus, first=lambda progress: corpus.catch_up(progress=progress) and None):
            while corpus.search(QUERY).degraded:  # somebody is searching all the while
                assert corpus.status().ready
        assert corpus.verify() == []
        assert [hit.passage_id for hit in corpus.search(QUERY).hits] == [hit.passage_id for hit in whole.hits]
        assert not corpus.salvage()


def test_filters_hold_in_what_is_salvaged(sample: Corpus, sample_copy: Path) -> None:
    shutil.rmtree(sample_copy / "generations")
    year = next(document.date[:4] for document in sample.documents().documents if document.date)
    with closing(Corpus.open(sample_copy)) as corpus:
        corpus.salvage()
        hits = corpus.search(SearchRequest(QUESTION, date_from=year, date_to=year, min_score=0.0)).hits
        assert hits
        assert {hit.document.date[:4] for hit in hits} == {year}


def test_words_alone_are_salvaged_only_if_every_byte_of_them_is_right(sample_copy: Path) -> None:
    """Tantivy may crash over, or answer wrongly from, what it did not write."""
    (store,) = (file for file in sample_copy.rglob("words/*.store") if file.stat().st_size)
    raw = bytearray(store.read_bytes())
    raw[len(raw) // 2] ^= 1
    store.unlink()
    store.write_bytes(raw)
    (faiss,) = sample_copy.rglob("base/index.faiss")
    faiss.unlink()
    with closing(Corpus.open(sample_copy)) as corpus:
        assert corpus.salvage()
        assert corpus.search(QUERY).degraded == ("indexes", "lexical")


def test_nothing_is_salvaged_where_all_is_whole_or_nothing_was_stored(sample_copy: Path, tmp_path: Path) -> None:
    with closing(Corpus.open(sample_copy)) as corpus:
        assert not corpus.salvage()
        assert corpus.search(QUERY).degraded == ()
    with closing(Corpus.open(tmp_path / "new", create=True)) as empty:
        assert not empty.salvage()
        assert not empty.status().ready


def test_a_document_added_while_salvaged_makes_all_whole(sample_copy: Path) -> None:
    shutil.rmtree(sample_copy / "generations")
    with closing(Corpus.open(sample_copy)) as corpus:
        corpus.salvage()
        corpus.add([record_source({"id": "new", "text": "渡口的灯塔今晚亮了。"}, source="")])
        answer = corpus.search(SearchRequest('"渡口的灯塔"'))
        assert answer.degraded == ()
        assert answer.hits[0].document.id == "new"
        assert corpus.verify() == []
