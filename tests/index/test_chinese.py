"""Folding, tokens, sentences and quoted phrases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chinese import clauses, fold, has_cjk, is_cjk, parse_query, sentences, squeeze, tokens

# Any text at all, and texts of the characters that matter here, which random text would hardly meet.
LIKELY = "臺台灣湾著着ＡａA１1。！？…；，、“”「」『』\"'.!?\n\r\t \u3000老人雨"
ANY_TEXT = st.text(max_size=200) | st.text(LIKELY, max_size=200)

PARAGRAPH = "城里的老人在社区食堂吃饭每天中午都有热汤" * 30  # 600 characters without a space or a stop


# Folding


@given(ANY_TEXT)
def test_folding_keeps_every_character_in_its_place(text: str) -> None:
    folded = fold(text)
    assert len(folded) == len(text)
    assert folded == "".join(fold(char) for char in text)


@given(ANY_TEXT)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("臺灣鐵路開車", "台湾铁路开车"),
        ("讀著書", "读着书"),
        ("Ｃ＋＋　１２３％", "c++ 123%"),
        ("NATO", "nato"),
        ("「上海」『交通』", "\"上海\"'交通'"),
        ("“大学”", '"大学"'),
        ("二〇二一年", "二零二一年"),
        ("ПРАВДА", "правда"),
    ],
)
def test_what_is_written_differently_folds_to_the_same(written: str, folded: str) -> None:
    # Which of the quotation marks ' and " a bracket becomes does not matter, only that it is one of them.
    assert fold(written).replace("'", '"') == folded.replace("'", '"')


def test_a_ligature_that_would_grow_stays_as_it_is() -> None:
    assert fold("ﬁ㎏…") == "ﬁ㎏…"


# Tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("蓝天", ["蓝", "天", "蓝天"]),
        ("天", ["天"]),
        ("F-35", ["f-35", "f", "35"]),
        ("33.5万", ["33.5", "33", "5", "万"]),
        ("C++", ["c++", "c"]),
        ("用C#写", ["用", "c#", "c", "写"]),
        ("v1.2.0", ["v1.2.0", "v1", "2", "0"]),
        ("it's", ["it's", "it", "s"]),
        ("Ｆ－３５", ["f-35", "f", "35"]),
        ("。，！ \n", []),
        ("", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert sorted(tokens(fold(text))) == sorted(expected)


def test_a_long_unspaced_paragraph_gives_every_pair_of_neighbours() -> None:
    found = tokens(PARAGRAPH)
    assert len(found) == 600 + 599
    assert "热汤" in found
    assert max(map(len, found)) == 2


@given(ANY_TEXT)
def test_a_token_has_no_white_space_and_stands_in_the_text(text: str) -> None:
    folded = fold(text)
    for token in tokens(folded):
        assert token
        assert not any(map(str.isspace, token))
        assert token in folded


@given(ANY_TEXT)
def test_every_chinese_character_is_a_token(text: str) -> None:
    folded = fold(text)
    assert {char for char in folded if is_cjk(char)} <= set(tokens(folded))
    assert has_cjk(text) == any(map(is_cjk, text))


# Sentences


@given(ANY_TEXT)
def test_sentences_cover_the_text_without_gaps(text: str) -> None:
    spans = sentences(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)


@pytest.mark.parametrize(
    "expected",
    [
        ["雨停了。", "孩子们跑了出去！", "真的吗？", "……"],
        ["他说：“今天不走。”", "大家都笑了。"],
        ["（见第三版。）", "完"],
        ["第一行\n", "第二行"],
        ["Rain stopped. ", "Dr. Li went home at 3.5 km/h. ", "He slept."],
        ["增长了3.5%，不是4.5%。", "好。"],
        ["「我不去。」", "她說。"],
        [PARAGRAPH],
    ],
)
def test_sentences_end_where_a_reader_ends_them(expected: list[str]) -> None:
    text = "".join(expected)
    found = [text[start:end] for start, end in sentences(text)]
    if expected[-1] == "……":  # marks without words may belong to the sentence before
        assert found[:2] == expected[:2]
    else:
        assert found == expected


def test_an_empty_text_has_no_sentence() -> None:
    assert sentences("") == []


@given(ANY_TEXT.filter(bool), st.integers(2, 50))
def test_clauses_cover_a_sentence_in_pieces_that_fit(text: str, maximum: int) -> None:
    spans = clauses(text, maximum)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(0 < end - start <= maximum for start, end in spans)


def test_clauses_end_after_commas() -> None:
    expected = ["第一件事情已经办完，", "第二件事情还在办，", "第三件事情没人管"]
    text = "".join(expected)
    assert [text[start:end] for start, end in clauses(text, 14)] == expected


# Queries


@pytest.mark.parametrize(
    ("query", "text", "phrases"),
    [
        ("灰霾 限行", "灰霾 限行", ()),
        ('"上海交通大学" 图书馆', "上海交通大学 图书馆", ("上海交通大学",)),
        ("“上海交通大学” 图书馆", "上海交通大学 图书馆", ("上海交通大学",)),
        ("「臺灣大學」", "臺灣大學", ("台湾大学",)),
        ('＂上海＂ "北京"', "上海 北京", ("上海", "北京")),
        ('"一 二\u3000三"', "一 二 三", ("一二三",)),
        ('"two  tall\nships" 船', "two tall ships 船", ("two tall ships",)),
        ('"没有另一半', '"没有另一半', ()),
        ('"" 空的', "空的", ()),
        ('"。，" 标点', "。， 标点", ()),
        ("什么是“新职工”的需求", "什么是“新职工”的需求", ()),  # punctuation inside a sentence, no condition
    ],
)
def test_quoted_parts_of_a_query_become_phrases(query: str, text: str, phrases: tuple[str, ...]) -> None:
    parsed = parse_query(query)
    assert (parsed.text, parsed.phrases) == (text, phrases)
    assert parsed.folded == fold(text)


def test_a_quoted_phrase_of_english_words_keeps_its_words_apart() -> None:
    (phrase,) = parse_query('"one good instrument"').phrases
    assert set(tokens(phrase)) == {"one", "good", "instrument"}


@given(ANY_TEXT)
def test_any_query_can_be_taken_apart(query: str) -> None:
    parsed = parse_query(query)
    assert len(parsed.folded) == len(parsed.text)
    assert all(tokens(phrase) for phrase in parsed.phrases)


@given(ANY_TEXT)
def test_squeezed_text_has_no_white_space(text: str) -> None:
    assert not any(map(str.isspace, squeeze(text)))
