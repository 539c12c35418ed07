"""Texts that no editor would print: each is cut, marked and placed like any other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chinese import fold, sentences, squeeze
from index.corpus import Corpus
from index.document import SearchRequest
from index.highlight import highlight
from index.ingest import record_source
from index.interaction import query_words
from index.model_cards import COMPACT
from index.paragraphs import Layout, Lengths, cut
from index.wordtable import WordTable

LENGTHS = Lengths(target=260, maximum=400)
UNSPACED = "城里的老人在社区食堂吃饭每天中午都有热汤" * 30

ODD = {
    "600 characters without a stop": UNSPACED,
    "only punctuation": "。，！？……——、；：“”（）《》" * 40,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈👍🏽在河边放风筝🪁。" * 30,
    "rare characters": "𠮷野家在𡈽山上，𪚥𰻝𱁬都有人写。" * 40,
    "NUL": "河水\0在夜里\0涨了两米。\0" * 40,
    "right to left": "النهر يفيض 河水上涨 בלילה。\u202eabc\u202c " * 30,
    "combining marks": "e\u0301a\u0300河\u3099水。" * 80,
    "blanks of all kinds": "河\u2009水\u00a0在\u200b夜\ufeff里\u3000涨。\u2028" * 40,
}

LETTERS = "河水在夜里涨了两米。，！？“”（）\n\r\t \0版上接下转第1记者摄"
ALPHABET = st.sampled_from([*LETTERS, "\u3000", "\u2028", "👩‍👧", "𠮷", "א", "\u202e"])
ANY = st.lists(ALPHABET, max_size=400).map("".join) | st.text(max_size=400)


@pytest.fixture(scope="module")
def table() -> WordTable:
    return WordTable.load(COMPACT)


def assert_in_place(layout: Layout, text: str) -> None:
    for passage in layout.passages:
        assert 0 <= passage.start < passage.end <= len(text)
        assert 0 < len(passage.text) <= LENGTHS.maximum
        assert text[passage.start] == passage.text[0]
        assert text[passage.end - 1] == passage.text[-1]
        rest = iter(text[passage.start : passage.end])
        assert all(char in rest for char in squeeze(passage.text))


@pytest.mark.parametrize("name", ODD)
def test_an_odd_text_is_kept_whole_and_in_place(table: WordTable, name: str) -> None:
    layout = cut(ODD[name], LENGTHS, seam=table.crosses)
    assert_in_place(layout, ODD[name])
    kept = "".join(passage.text for passage in layout.passages)
    strip = str.maketrans("", "", "\u200b\ufeff")
    assert squeeze(kept).translate(strip) == squeeze(ODD[name]).translate(strip)


def test_a_line_of_five_megabytes_is_kept_whole_and_in_place() -> None:
    text = "城里的老人在社区食堂吃饭，每天中午都有热汤" * 80_000
    assert len(text.encode()) > 5_000_000
    layout = cut(text, LENGTHS)
    assert "".join(passage.text for passage in layout.passages) == text
    assert all(text[p.start : p.end] == p.text for p in layout.passages)


def test_a_megabyte_without_a_finished_line_are_kept() -> None:
    text = "城里的老人在社区食堂吃饭，每天中午都有热汤，\n" * 16_000
    layout = cut(text, LENGTHS)
    assert all(0 < len(passage.text) <= LENGTHS.maximum for passage in layout.passages)
    assert layout.passages[-1].end == len(text) - 1


@given(ANY)
def test_any_text_is_cut_in_place(text: str) -> None:
    assert_in_place(cut(text, LENGTHS), text)


@given(ANY, st.text(max_size=20))
@settings(max_examples=60)
def test_segments_join_to_the_text(table: WordTable, text: str, query: str) -> None:
    words = query_words(table, query, lambda words: [0.1] * len(words))
    (segments,) = highlight(table, words, fold(query), [text], table.ids([text]))
    assert "".join(segment.text for segment in segments) == text
    assert "".join(text[start:end] for start, end in sentences(text)) == text


@pytest.mark.parametrize("name", ODD)
def test_an_odd_text_is_indexed_found_and_shown_in_its_place(archive: Corpus, name: str) -> None:
    archive.add([record_source({"id": "odd", "text": ODD[name]}, source="")])
    hits = archive.search(SearchRequest("河水涨了两米" if "河" in ODD[name] else ODD[name][:20], min_score=0.0)).hits
    for hit in hits:
        assert "".join(segment.text for segment in hit.segments) == hit.text
        assert ODD[name][hit.position.start] == hit.text[0]
    archive.remove(["odd"])
