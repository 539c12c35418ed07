"""Words that only make a query a question do not decide what is found, nor are they marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chinese import parse_query
from index.corpus import Corpus
from index.document import SearchRequest

HABIT = "老师问大家怎么看，大家都说不知道怎么办，也不知道为什么，谁也没有再问。"
BUSES = "夜班工人下班以后，可以乘坐通宵公交车回家，车票两元。"


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("夜班工人怎么回家", "夜班工人  回家"),
        ("请问图书馆几点开门", "  图书馆  开门"),
        ("船长是哪里人", "船长是  人"),
        ("山洪里救出几个人", "山洪里救出  人"),
        ("县队排第几", "县队排  "),
        ("游泳队拿了几枚奖牌", "游泳队拿了  奖牌"),
        ("渡船什么时候开", "渡船    开"),
        ("行李箱有多重", "行李箱有 重"),
        ("谁修了老石桥", " 修了老石桥"),
        ("水库有多深呢", "水库有 深 "),
        ("how to plant a tree", "       plant   tree"),
    ],
)
def test_the_words_of_the_question_leave_blanks(query: str, rest: str) -> None:
    assert parse_query(query).sought == rest


@pytest.mark.parametrize(
    "query",
    [
        "很多大学生",
        "吗啡的管理",
        "毛呢大衣",
        "几何课本",
        "哪吒的传说",
        "多伦多大学",
        "多重国籍",
        "多高层住宅",
        "吗丁啉说明书",
        "任何时候出发",
        "十几个村子",
        "A 股",
        "IT 行业",
        "isotope",
    ],
)
def test_words_that_only_look_alike_stay(query: str) -> None:
    parsed = parse_query(query)
    assert parsed.sought == parsed.folded


@pytest.mark.parametrize("query", ["为什么", "怎么办呢", "what is this", "谁"])
def test_a_question_that_seeks_nothing_else_is_taken_as_it_is(query: str) -> None:
    parsed = parse_query(query)
    assert parsed.sought == parsed.folded


@given(st.text(alphabet="怎么为什多少几个吗呢啡 hat owe工人桥", max_size=30))
def test_nothing_moves_and_nothing_is_added(query: str) -> None:
    parsed = parse_query(query)
    assert all(after in (before, " ") for before, after in zip(parsed.folded, parsed.sought, strict=True))


def test_a_passage_full_of_questions_does_not_answer_one(archive: Corpus, put) -> None:
    put({"id": "habit", "text": HABIT}, {"id": "buses", "text": BUSES})
    found = archive.search(SearchRequest("夜班工人怎么回家", mode="lexical"))
    assert [hit.document.id for hit in found.hits] == ["buses"]


def test_words_of_the_question_are_not_marked(archive: Corpus, put) -> None:
    put({"id": "both", "text": f"{HABIT}{BUSES}"})
    (hit,) = archive.search(SearchRequest("夜班工人怎么回家")).hits
    marked = [segment.text for segment in hit.segments if segment.mark == "word"]
    assert "夜班工人" in "".join(marked)
    assert "怎么" not in "".join(marked)
