"""Suggestions: what half-typed queries become, and that phrases are well formed and kept with the index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.corpus import Corpus
from index.model_cards import COMPACT
from index.phrases import Phrase, find_phrases
from index.pinyin import reading, typed
from index.suggest import Suggester, entries_of
from index.wordtable import WordTable
from tests.conftest import Put

PHRASES = [
    *[Phrase("志愿者", 9), Phrase("长江大桥", 7), Phrase("江汉路", 5), Phrase("旅游旺季", 4)],
    *[Phrase("大学生志愿者", 3), Phrase("中华文明", 2), Phrase("臺北捷運", 2)],
]
SUGGESTER = Suggester(entries_of(PHRASES, [("志愿者在长江大桥指路", "d1", 0), ("5G 手机怎样省电", "d2", 3)]))


def texts(query: str, limit: int = 8) -> list[str]:
    return [one.entry.text for one in SUGGESTER.suggest(query, limit)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("江汉", "江汉路"),
        ("jianghan", "江汉路"),
        ("jiangh", "江汉路"),  # a syllable only begun
        ("jhl", "江汉路"),
        ("江h", "江汉路"),
        ("江hanl", "江汉路"),
        ("changjiang", "长江大桥"),  # 长 as in 长江, not as in 生长
        ("lvyou", "旅游旺季"),
        ("旅由旺季", "旅游旺季"),
        ("支願者", "志愿者"),
        ("長江", "长江大桥"),
        ("台北", "臺北捷運"),
        ("zhong'hua", "中华文明"),
        ("5g", "5G 手机怎样省电"),
        ("省电", "5G 手机怎样省电"),
    ],
)
def test_what_is_typed_is_completed(query: str, first: str) -> None:
    assert texts(query)[0] == first


def test_beginnings_come_first_and_headlines_keep_their_room() -> None:
    assert texts("志愿") == ["志愿者", "大学生志愿者", "志愿者在长江大桥指路"]
    assert texts("志愿", limit=2) == ["志愿者", "大学生志愿者"]
    title = SUGGESTER.suggest("指路", 3)[0]
    assert (title.entry.kind, title.entry.document_id, title.entry.passage_id) == ("title", "d1", "d1:0")


def test_what_matches_is_marked() -> None:
    (one,) = SUGGESTER.suggest("daqiao", 1)
    assert one.entry.text[one.start : one.end] == "大桥"


@pytest.mark.parametrize("query", ["", "   ", "不存在的词", "qqqqqq", "\n", "'", "?!", "之元哲"])
def test_nothing_goes_with_some_texts(query: str) -> None:
    assert texts(query) == []


def test_what_was_typed_whole_is_no_suggestion() -> None:
    assert "江汉路" not in texts("江汉路")


@given(st.text(max_size=40) | st.text("江汉jianghlu志愿'5 ", max_size=20), st.integers(0, 20))
def test_any_text_is_taken_and_marks_lie_within(query: str, limit: int) -> None:
    found = SUGGESTER.suggest(query, limit)
    assert len(found) <= limit
    assert all(0 <= one.start < one.end <= len(one.entry.text) for one in found)


@given(st.text(max_size=30))
def test_every_character_has_one_reading(text: str) -> None:
    assert len(reading(text)) == len(text)


def test_letters_are_parted_as_they_are_typed() -> None:
    assert typed("jianghan")[0] == ("jiang", "han")
    assert {("xian",), ("xi", "an")} <= set(typed("xian"))
    assert typed("xi'an")[0] == ("xi", "an")
    assert ("xian",) not in typed("xi'an")
    assert ("jiang", "h") in typed("jiangh")


def test_phrases_are_whole_and_never_cross_punctuation() -> None:
    table = WordTable.load(COMPACT)
    around = ["昨天", "今早", "上周", "明年", "去年", "周末"]
    pairs = zip(around, reversed(around), strict=True)
    archive = [f"{when}，环保部门治理汽车尾气，{after}有进展。" for when, after in pairs]
    found = {phrase.text: phrase.count for phrase in find_phrases(archive, table.ids(archive), table.tokens())}
    assert all(text in archive[0] for text in found if text not in around)
    assert not any("，" in text for text in found)
    assert find_phrases([], [], table.tokens()) == []
    assert find_phrases([""], [np.empty(0, np.uint32)], table.tokens()) == []


def test_an_archive_suggests_its_own_words_at_once(archive: Corpus, put: Put) -> None:
    text = "夜市昨晚在江汉路开张，摊主们都说生意不错。"
    put(*({"id": f"d{n}", "title": f"江汉路夜市第{n}期", "text": f"第{n}期{text}"} for n in range(4)))
    assert any(one.entry.kind == "title" for one in archive.suggest("jianghan"))
    put({"id": "new", "title": "渡轮恢复夜航", "text": "停航两个月的渡轮昨晚恢复了夜间航班，乘客不少。"})
    assert [one.entry.text for one in archive.suggest("dulun")][-1] == "渡轮恢复夜航"
    archive.remove(["new"])
    assert "渡轮恢复夜航" not in [one.entry.text for one in archive.suggest("dulun")]


@pytest.mark.local
def test_phrases_are_kept_with_the_index_and_checked(sample: Corpus) -> None:
    files = list(sample.data.glob("generations/*/phrases.tsv"))
    assert len(files) == 1
    assert "phrases.tsv" in (files[0].parent / "manifest.json").read_text("utf-8")
    assert sample.suggest("yougui")[0].entry.text == "有轨电车"
