"""What is done to many texts at once, against the plain way to do it to one."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chinese import fold, tokens
from index.model_cards import COMPACT
from index.pieces import Pieces
from index.wording import token_texts
from index.wordtable import WordTable

TABLE = WordTable.load(COMPACT)
PIECES = Pieces.load(COMPACT / "tokenizer.json")
TEXTS = [
    "入冬以来，市区连日笼罩在灰霾之中。",
    "為減少汽車尾氣，\n市政府　決定 限行。",
    "The night bus leaves the depot at 23:10；ＩＴ部门用 C++、C# 与 1.2.0 版。",
    "Ｆ－３５ 與 naïve café ﬁ ㈱ ½",
    "",
    " ",
    "鱻𠀀🌉\x00▁<unk>é",
    "城里的老人在社区食堂吃饭每天中午都有热汤" * 30,
]
known = st.characters(exclude_categories=["Cs", "Cn", "Co"])  # what was added to Unicode later is known to one only


def plainly(texts: list[str]) -> list[list[int]]:
    return [[word.id for word in TABLE.words(text)] for text in texts]


def sorted_tokens(text: str) -> list[str]:
    return sorted(tokens(fold(text)))


def test_many_texts_are_cut_into_the_same_words_as_one() -> None:
    assert PIECES is not None
    assert [ids.tolist() for ids in PIECES.ids(TEXTS)] == plainly(TEXTS)
    assert [ids.tolist() for ids in TABLE.ids(TEXTS * 60)] == plainly(TEXTS) * 60


@given(st.lists(st.text(known, max_size=30) | st.text("市长江大桥车 a1.-\n", max_size=30), max_size=5))
def test_any_texts_are_cut_alike_but_for_what_is_equally_good(texts: list[str]) -> None:
    assert PIECES is not None
    for text, ids, plain in zip(texts, PIECES.ids(texts), plainly(texts), strict=True):
        spelled, expected = ("".join(TABLE.tokens()[id_] for id_ in row) for row in (ids.tolist(), plain))
        assert spelled == expected, text
        assert len(ids) == len(plain), text


def test_every_character_is_cut_alike() -> None:
    assert PIECES is not None
    every = [chr(code) for code in range(0x20, 0x30000) if unicodedata.category(chr(code)) not in {"Cs", "Cn", "Co"}]
    texts = [f"中{character}国{character}1" for character in every]
    differ = [
        character
        for character, ids, plain in zip(every, PIECES.ids(texts), plainly(texts), strict=True)
        if ids.tolist() != plain
    ]
    assert len(differ) <= 2  # ties


def test_a_tokenizer_of_another_kind_is_left_to_its_own_library(tmp_path) -> None:
    written = json.loads((COMPACT / "tokenizer.json").read_text(encoding="utf-8"))
    assert Pieces.can_read(written)
    for other in (
        {"normalizer": None},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"model": {"type": "WordPiece", "vocab": {}}},
        {"post_processor": {"type": "TemplateProcessing"}},
    ):
        assert not Pieces.can_read(written | other)
    (tmp_path / "tokenizer.json").write_text(json.dumps(written | {"normalizer": None}), encoding="utf-8")
    assert Pieces.load(tmp_path / "tokenizer.json") is None


def test_the_word_index_is_given_the_same_tokens_for_many_texts_as_for_one() -> None:
    assert [sorted(text.split(" ")) if text else [] for text in map(str.strip, token_texts(TEXTS))] == [
        sorted_tokens(text) for text in TEXTS
    ]
    assert token_texts([]) == []


@given(st.lists(st.text(max_size=30) | st.text("市长江大橋 a1.-’_+#Ａ\n", max_size=30), max_size=5))
def test_any_texts_give_the_same_tokens_together_as_alone(texts: list[str]) -> None:
    assert [sorted(text.split()) for text in token_texts(texts)] == [sorted_tokens(text) for text in texts]


@pytest.mark.parametrize("text", ["市", "市a", "a市", "𠀀市", "市𠀀", "市\n长", "\U000f0000市"])
def test_no_pair_crosses_from_one_text_to_the_next(text: str) -> None:
    assert [sorted(each.split()) for each in token_texts([text, "长", text])] == [
        sorted_tokens(each) for each in (text, "长", text)
    ]
