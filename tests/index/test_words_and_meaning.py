"""The word table, late interaction, fusing and marking, each against a plain way to say the same."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import fusion
from index.chinese import fold
from index.document import MODES, Mode, Segment
from index.embedding import open_encoder
from index.expansion import expanded
from index.fusion import Signals
from index.highlight import highlight
from index.interaction import nearest, query_words, scores, scores_with_documents
from index.model_cards import COMPACT, model_card
from index.wordtable import WordTable

TABLE = WordTable.load(COMPACT)
TEXTS = [
    "入冬以来，市区连日笼罩在灰霾之中。",
    "為減少汽車尾氣，市政府決定限行。",
    "The night bus leaves the depot at 23:10.",
    "Ｆ－３５ 與 C++",
    "桥",
    "？！",
    " ",
    "",
    "鱻𠀀🌉",
    "城里的老人在社区食堂吃饭每天中午都有热汤" * 30,
]


def evenly(words: Sequence[str]) -> list[float]:
    return [1.0] * len(words)


def words_of(text: str, rarity=evenly):
    return query_words(TABLE, text, rarity)


def marked(
    query: str, text: str, phrases: Sequence[str] = (), common: frozenset[str] = frozenset()
) -> tuple[Segment, ...]:
    return highlight(TABLE, words_of(query), fold(query), [text], TABLE.ids([text]), phrases=phrases, common=common)[0]


# The word table and the encoder


def test_queries_and_passages_get_the_same_vectors() -> None:
    """Queries come straight from the table, passages through sentence-transformers."""
    encoder = open_encoder(model_card("compact"))
    said = [text for text in TEXTS if TABLE.words(text)]
    queries = encoder.queries(said)
    passages = encoder.documents(said, TABLE.ids(said))
    assert queries.shape == passages.shape == (len(said), encoder.dimension)
    assert queries.dtype == passages.dtype == np.float32
    np.testing.assert_allclose(queries, passages, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)


def test_the_encoder_gives_what_sentence_transformers_gives_for_the_text() -> None:
    from sentence_transformers import SentenceTransformer

    said = [text for text in TEXTS if TABLE.words(text)]
    model = SentenceTransformer(str(COMPACT), device="cpu")
    expected = model.encode(said, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(TABLE.pooled(said), expected, atol=1e-5)


def test_nothing_gives_no_vectors() -> None:
    encoder = open_encoder(model_card("compact"))
    assert encoder.documents([], []).shape[0] == 0
    assert encoder.queries([]).shape == (0, encoder.dimension)
    assert not encoder.queries([""]).any()  # no words point nowhere, and nobody compares with that


@pytest.mark.parametrize("text", TEXTS)
def test_words_stand_where_they_say(text: str) -> None:
    words = TABLE.words(text)
    assert [word.id for word in words] == TABLE.ids([text])[0].tolist()
    assert all(0 <= word.start < word.end <= len(text) for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_a_word_runs_across_a_torn_line_and_not_across_a_stop() -> None:
    assert TABLE.crosses("这里的人们都在等火车", "站的大门打开") or TABLE.crosses("大家都去图书", "馆看书")
    assert not TABLE.crosses("他说完了。", "第二天下雨。")
    assert not TABLE.crosses("", "")


# Asking for neighbours


def test_a_query_in_english_asks_for_the_chinese_words_too() -> None:
    asked = expanded(TABLE, words_of("unemployment"), {"unemployment": 1.0})
    assert {"失业", "业率"} <= asked.keys()
    assert "unemployment" not in asked
    assert all(0 < factor < 0.3 for factor in asked.values())


def test_half_of_a_neighbour_never_counts_as_the_whole() -> None:
    """失业率 comes as two pairs, each with half its factor; 失业 alone with all of its own."""
    asked = expanded(TABLE, words_of("unemployment"), {})
    assert asked["业率"] == pytest.approx(0.3 * TABLE.neighbours(TABLE.ids(["unemployment"])[0])[0][0][1] ** 2 / 2)
    assert asked["失业"] > asked["业率"]


@given(st.text(max_size=60))
def test_any_query_can_be_expanded(query: str) -> None:
    asked = expanded(TABLE, words_of(query), {})
    assert len(asked) <= 48
    assert all(0 < factor <= 0.3 for factor in asked.values())


def test_a_table_without_neighbours_asks_for_nothing_more(tmp_path: Path) -> None:
    for name in ("tokenizer.json", "model.safetensors"):
        shutil.copy(COMPACT / name, tmp_path)
    plain = WordTable.read(tmp_path)
    assert expanded(plain, query_words(plain, "unemployment", evenly), {}) == {}


# Late interaction


def maxsim(query, passage) -> float:
    """The score as its paper puts it: for each query word its nearest word, weighted; but near enough is said."""
    total = 0.0
    for weight, vector in zip(query.weights, query.near.vectors, strict=True):
        best = 0.0
        for row in TABLE.vectors(passage):
            best = max(best, float(vector @ row) / max(float(np.linalg.norm(row)), 1e-6))
        nothing = 1 / (1 + math.exp(16 * 0.3))
        said = (1 / (1 + math.exp(16 * (0.3 - best))) - nothing) / (1 - nothing)
        total += float(weight) * said
    return total


@pytest.mark.parametrize("query", ["灰霾 限行", "how do night buses run", "老人吃饭", "桥"])
def test_scores_equal_a_plain_double_loop(query: str) -> None:
    words = words_of(query, lambda each: [1.0 + len(word) for word in each])
    passages = TABLE.ids(TEXTS)
    np.testing.assert_allclose(scores(words, passages), [maxsim(words, passage) for passage in passages], atol=1e-4)


@given(st.lists(st.integers(0, 4), min_size=len(TEXTS), max_size=len(TEXTS)))
def test_a_document_says_what_its_passages_say_together(owners: list[int]) -> None:
    words, passages = words_of("社区食堂 night bus 汽车"), TABLE.ids(TEXTS)
    own, more = scores_with_documents(words, passages, np.array(owners, np.int64))
    np.testing.assert_array_equal(own, scores(words, passages))
    for place, owner in enumerate(owners):
        those = [other for other in range(len(passages)) if owners[other] == owner]
        together = scores(words, [np.concatenate([passages[other] for other in those])])[0]
        np.testing.assert_allclose(own[those].max() + more[place], together, atol=1e-5)


def test_few_and_many_tokens_take_the_same_way() -> None:
    passages = TABLE.ids(TEXTS) * 400  # so many that the table is marked instead of sorted
    words = words_of("社区食堂")
    np.testing.assert_allclose(scores(words, passages)[: len(TEXTS)], scores(words, passages[: len(TEXTS)]), atol=1e-5)


@given(st.text(max_size=60), st.floats(0, 20))
def test_the_weights_of_a_query_sum_to_one(text: str, idf: float) -> None:
    if not (words := query_words(TABLE, text, lambda each: [idf * len(word) for word in each])):
        return
    assert float(words.weights.sum()) == pytest.approx(1, abs=1e-4)
    assert (words.weights >= 0).all()


def test_rare_words_weigh_more() -> None:
    query = "老人 盾构机"
    words = words_of(query, lambda each: [9.0 if "盾" in word or "构" in word else 1.0 for word in each])
    heaviest = words.words[int(np.argmax(words.weights))]
    assert query[heaviest.start : heaviest.end] != "老人"


def test_empty_queries_and_passages_score_nothing() -> None:
    empty = np.empty(0, np.uint32)
    assert scores(words_of("桥"), []).shape == (0,)
    assert scores(words_of("桥"), [empty, empty]).tolist() == [0, 0]
    assert scores(words_of(""), TABLE.ids(["桥"])).tolist() == [0]
    own, more = scores_with_documents(words_of("桥"), [], np.empty(0, np.int64))
    assert own.shape == more.shape == (0,)
    best = nearest(words_of("桥"), [empty, TABLE.ids(["桥"])[0], empty]).max(axis=0)
    assert best == pytest.approx([0, 1, 0], abs=1e-3)


# Fusing


def array(values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)


def signals(coverage: list[float], meaning: list[float] | None, interaction: list[float]) -> Signals:
    return Signals(
        array(coverage), None if meaning is None else array(meaning), array(interaction), np.zeros(len(interaction))
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_passage_that_leads_in_everything_comes_first(mode: Mode) -> None:
    for meaning in (None, [0.9, 0.4, 0.1]):
        found = signals([0.7, 0.3, 0.0], meaning, [0.8, 0.5, 0.2])
        assert list(np.argsort(-fusion.fused(found, mode))) == [0, 1, 2]


def test_each_mode_looks_at_its_own_signal() -> None:
    found = signals([0.1, 0.9], [0.9, 0.1], [0.5, 0.5])
    assert list(np.argsort(-fusion.fused(found, "dense"))) == [0, 1]
    assert list(np.argsort(-fusion.fused(found, "lexical"))) == [1, 0]


def test_of_two_passages_alike_the_one_whose_document_says_the_rest_comes_first() -> None:
    alike = Signals(array([0.5, 0.5, 0.1]), array([0.6, 0.6, 0.1]), array([0.5, 0.5, 0.1]), array([0.0, 0.4, 0.0]))
    assert list(np.argsort(-fusion.fused(alike, "hybrid"))) == [1, 0, 2]
    assert fusion.absolute(alike)[0] == fusion.absolute(alike)[1]  # what is shown is the passage's own


def test_words_that_do_not_occur_leave_the_order_to_meaning() -> None:
    assert list(np.argsort(-fusion.first_stage(array([0, 0.001, 0]), array([0.8, 0.2, 0.5])))) == [0, 2, 1]
    assert fusion.word_weight(array([0.001])) < fusion.word_weight(array([0.5])) <= 1


def test_nothing_is_fused_to_nothing() -> None:
    for nothing in (signals([], None, []), signals([], [], [])):
        assert fusion.absolute(nothing).shape == (0,)
        for mode in MODES:
            assert fusion.fused(nothing, mode).shape == (0,)
    assert fusion.word_weight(array([])) == 0


UNIT = st.floats(0, 1, width=32)
ROWS = st.lists(st.tuples(st.floats(0, 3, width=32), st.floats(-1, 2, width=32), UNIT), min_size=2, max_size=20)


def test_a_passage_with_every_word_of_the_query_is_sure_whatever_its_meaning() -> None:
    found = signals([0.95, 0.95, 0.5], [-0.3, -0.3, -0.3], [1.0, 0.7, 1.0])
    assert (fusion.absolute(found) >= fusion.SURE).tolist() == [True, False, False]


@given(ROWS)
def test_absolute_scores_lie_between_0_and_1_and_grow_with_each_signal(rows: list[tuple[float, float, float]]) -> None:
    coverage, meaning, interaction = (list(column) for column in zip(*rows, strict=True))
    for found in (signals(coverage, meaning, interaction), signals(coverage, None, interaction)):
        scored = fusion.absolute(found)
        assert ((scored >= 0) & (scored <= 1)).all()
    same = [0.3] * len(rows)
    assert (np.diff(fusion.absolute(signals(same, same, sorted(interaction)))) >= 0).all()
    assert (np.diff(fusion.absolute(signals(same, sorted(meaning), same))) >= 0).all()


# Marking


@given(st.text(max_size=80), st.text("老人食堂吃饭。！\n ABC", max_size=20))
def test_segments_always_make_up_the_text(text: str, query: str) -> None:
    found = marked(query, text)
    assert "".join(segment.text for segment in found) == text
    assert all(segment.text for segment in found)


def test_words_are_marked_in_either_script() -> None:
    found = marked("光明戏院", "七十歲的光明戲院重新開門。")
    assert [segment.text for segment in found if segment.mark == "word"] == ["光明戲院"]


def test_a_phrase_is_marked_wherever_it_stands() -> None:
    text = "老石桥在城南。人们从老石桥上走过。"
    found = marked("老石桥", text, phrases=["老石桥"])
    assert [segment.text for segment in found if segment.mark == "word"].count("老石桥") == 2


def test_an_english_word_is_marked_only_whole() -> None:
    found = marked("bus", "The business of the bus company.")
    assert [segment.text for segment in found if segment.mark == "word"] == ["bus"]


def test_a_frequent_word_is_not_marked() -> None:
    found = marked("市的桥", "全市的人都来看桥。", common=frozenset({"的", "市", "市的"}))
    assert "的" not in [segment.text for segment in found if segment.mark == "word"]


def test_the_answering_sentence_is_found_by_meaning() -> None:
    text = "天气预报说明天有雨。医生提醒大家多喝水。公共汽车夜里十一点停运。"
    found = marked("最后一班巴士是什么时候", text)
    assert "".join(segment.text for segment in found if segment.in_sentence) == "公共汽车夜里十一点停运。"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("菜场里土豆降价了。", ["土豆"]),
        ("豫劇開演前，菜場裏土 豆降價了。", ["土 豆"]),  # another script, and a gap in the word
        ("〇八年①，土豆降价了。", ["土豆"]),  # two characters that the table folds otherwise
        ("天热。\n卖 5㎡ 土豆的人说，土豆降价了。", ["土豆", "土豆"]),
    ],
)
def test_a_word_that_means_the_same_is_marked_where_it_stands(text: str, words: list[str]) -> None:
    found = marked("马铃薯", text)
    assert [segment.text for segment in found if segment.mark == "word"] == words


@pytest.mark.parametrize(("query", "text"), [("", "老石桥。"), ("老石桥", ""), ("", ""), ("？", "老石桥。")])
def test_nothing_asked_or_nothing_written_marks_nothing(query: str, text: str) -> None:
    found = marked(query, text)
    assert "".join(segment.text for segment in found) == text
    assert all(segment.mark is None for segment in found)
