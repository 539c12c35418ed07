"""What counts as a repeat, how repeats fold into one hit, and how well that goes on texts labelled by a reader."""

from __future__ import annotations

import csv
import json
import lzma
import sqlite3
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.corpus import Corpus
from index.document import SearchRequest
from index.repeats import BANDS, are_repeats, bands_of

NEWS = Path(__file__).parents[3] / "shared" / "data" / "archive" / "news.jsonl.xz"
PAIRS = Path(__file__).parents[1] / "data" / "repeat_pairs.tsv"

STORY = (
    "城南老石桥经过两年修缮，昨天上午重新开放。这座桥建于明代，桥身由三百多块青石砌成，曾在洪水中受损。"
    "修缮时工匠用糯米灰浆重新勾缝，旧石料几乎全部用回原处。附近居民说，晚饭后又可以到桥上散步了。"
)
REPRINT = "新华社江城6月3日电（记者李华）" + STORY.replace("昨天上午", "日前") + "（完）"
WEATHER = "市气象台今天傍晚发布预报：明天白天多云转晴，偏北风三级左右，最高气温{}度，最低气温{}度，降水概率为{}%。"

PINNED = [
    [
        -7476528996100056861,
        2917531442062518869,
        -4206796709329646519,
        6053434786115621575,
        7330649034727595045,
        7974209201403163165,
        8259018746605631113,
        -6660498022403612923,
    ],
    [0] * BANDS,
]


def places(corpus: Corpus, query: str, **settings: object) -> list[list[str]]:
    """The documents of each hit, its own first."""
    hits = corpus.search(SearchRequest(query, min_score=0.0, **settings)).hits  # type: ignore[arg-type]
    return [[hit.document.id, *(place.document_id for place in hit.also_in)] for hit in hits]


def test_a_reprint_with_another_dateline_and_an_edited_word_is_a_repeat() -> None:
    assert are_repeats(STORY, REPRINT)
    assert are_repeats(REPRINT, STORY)


@pytest.mark.parametrize("other", [(25, 12, 10), (26, 11, 10), (26, 12, 20)])
def test_a_form_filled_with_other_numbers_is_not(other: tuple[int, int, int]) -> None:
    assert not are_repeats(WEATHER.format(26, 12, 10), WEATHER.format(*other))


@pytest.mark.parametrize(
    ("was", "became"), [("可以到桥上", "不可以到桥上"), ("三百多块", ""), ("，曾在洪水中受损", "")]
)
def test_the_contrary_is_not_a_repeat_and_a_cut_is(was: str, became: str) -> None:
    assert are_repeats(STORY, STORY.replace(was, became)) == ("不" not in became)


def test_a_name_exchanged_throughout_makes_another_text() -> None:
    form = "{0}严重违反党的纪律，经研究决定给予{0}开除党籍处分，收缴其违纪违法所得，将其问题移送检察机关审查起诉。"
    assert not are_repeats(form.format("王小明"), form.format("赵立"))


def test_signatures_are_the_same_on_every_machine() -> None:
    assert bands_of([STORY, "短"]).tolist() == PINNED


@given(st.lists(st.text(st.characters(), max_size=60), max_size=4))
def test_any_text_can_be_signed_and_compared(texts: list[str]) -> None:
    assert bands_of(texts).shape == (len(texts), BANDS)
    for one in texts:
        assert all(are_repeats(one, other) == are_repeats(other, one) for other in texts)


@pytest.mark.parametrize("order", list(permutations(["a", "b", "c"])))
def test_repeats_fold_into_one_hit_in_whatever_order_they_come(archive: Corpus, put, order: tuple[str, ...]) -> None:
    texts = {"a": STORY, "b": REPRINT, "c": STORY.replace("两年", "两年多")}
    for id_ in order:
        put({"id": id_, "title": f"题{id_}", "text": texts[id_]})
    (found,) = places(archive, "老石桥修缮")
    assert sorted(found) == ["a", "b", "c"]
    assert archive.verify() == []


def test_the_others_are_found_when_one_is_removed_or_filtered_out(archive: Corpus, put) -> None:
    put({"id": "a", "text": STORY, "date": "2020-01-01"}, {"id": "b", "text": REPRINT, "date": "2021-01-01"})
    for year, id_ in (("2020", "a"), ("2021", "b")):
        (found,) = places(archive, "老石桥修缮", date_from=year, date_to=year)
        assert found[0] == id_
    archive.remove(["a"])
    assert places(archive, "老石桥修缮") == [["b"]]


def test_numbers_left_out_in_one_text_bring_no_other_two_together(archive: Corpus, put) -> None:
    put(one=STORY + "门票10元。", none=STORY, two=STORY + "门票25元。")
    together = places(archive, "老石桥修缮")
    assert not any({"one", "two"} <= set(found) for found in together)


def test_what_is_similar_to_a_passage_is_not_its_reprint(archive: Corpus, put) -> None:
    put(a=STORY, b=REPRINT, c="城北的新铁桥下个月通车，桥上有四条车道，两边各有一条人行道。")
    assert {hit.document.id for hit in archive.similar("a:0").hits} <= {"c"}


@pytest.mark.local
def test_an_archive_of_an_earlier_version_is_compared_when_it_catches_up(archive: Corpus, put) -> None:
    put(a=STORY, b=REPRINT)
    connection = sqlite3.connect(archive.data / "xunzhang.sqlite3")
    connection.executescript("DELETE FROM bands; DELETE FROM families; DELETE FROM meta WHERE key = 'compared'")
    connection.close()
    assert archive.verify() == ["2 passages wait to be compared with the others"]
    assert archive.catch_up()
    assert archive.verify() == []
    assert [sorted(found) for found in places(archive, "老石桥修缮")] == [["a", "b"]]


@pytest.fixture(scope="module")
def labelled() -> Iterator[list[tuple[str, str, bool]]]:
    """Pairs of passages and whether a reader calls them the same text."""
    rows = list(csv.reader(PAIRS.read_text(encoding="ascii").splitlines(), delimiter="\t"))[1:]
    wanted = {row[place] for row in rows for place in (0, 3)}
    with lzma.open(NEWS, "rt", encoding="utf-8") as lines:
        texts = {record["_id"]: record["text"] for record in map(json.loads, lines) if record["_id"] in wanted}
    yield [
        (texts[row[0]][int(row[1]) : int(row[2])], texts[row[3]][int(row[4]) : int(row[5])], row[6] == "1")
        for row in rows
    ]


@pytest.mark.shared
@pytest.mark.skipif(not NEWS.is_file(), reason="../shared/data is not beside this checkout")
def test_precision_and_recall_on_labelled_pairs(labelled: list[tuple[str, str, bool]]) -> None:
    found = [(are_repeats(one, other), same) for one, other, same in labelled]
    right = found.count((True, True))
    assert len(found) >= 200
    assert right / (right + found.count((True, False))) >= 0.98
    assert right / (right + found.count((False, True))) >= 0.80
