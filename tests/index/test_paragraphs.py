"""From lines to paragraphs to passages: nothing torn stays torn, nothing is lost, every position holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chinese import sentences, squeeze
from index.labels import fields_of
from index.model_cards import COMPACT
from index.paragraphs import Layout, Lengths, cut
from index.wordtable import WordTable

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SAMPLE = ROOT / "index" / "sample"
LENGTHS = Lengths(target=260, maximum=400)
SHORT = Lengths(target=40, maximum=60)
HEALED: dict[str, list[str]] = json.loads((DATA / "sample_healed.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def table() -> WordTable:
    return WordTable.load(COMPACT)


def texts(layout: Layout) -> list[str]:
    return [passage.text for passage in layout.passages]


def paragraphs(layout: Layout) -> list[str]:
    return [line for passage in layout.passages for line in passage.text.split("\n")]


def assert_positions_hold(layout: Layout, text: str, lengths: Lengths) -> None:
    for passage in layout.passages:
        assert 0 <= passage.start < passage.end <= len(text)
        assert passage.text == passage.text.strip()
        assert 0 < len(passage.text) <= lengths.maximum
        assert squeeze(passage.text) in squeeze(text[passage.start : passage.end])
    starts = [passage.start for passage in layout.passages]
    assert starts == sorted(starts)


# Torn lines


@pytest.mark.parametrize(
    ("name", "sentence"),
    [pytest.param(name, each, id=f"{name}-{each[:8]}") for name, whole in HEALED.items() for each in whole],
)
def test_a_sentence_torn_on_the_page_is_whole_in_a_passage(table: WordTable, name: str, sentence: str) -> None:
    text = (SAMPLE / name).read_text(encoding="utf-8")
    found = texts(cut(text, LENGTHS, seam=table.crosses))
    assert any(sentence in passage for passage in found)


def test_a_column_break_in_a_sentence_is_healed() -> None:
    text = "入冬以来，市区连日笼罩在灰霾之中。为减少汽车尾气，市政府决定从下月\n\n起限制老旧柴油车进入二环。"
    assert texts(cut(text, LENGTHS)) == [text.replace("\n", "")]


def test_a_text_wrapped_at_a_fixed_width_is_unwrapped() -> None:
    text = (
        "我们村的小学在山坡上，一共只有三间教室，十九\n个学生。下雨的时候，屋顶漏水，老师就把桌子搬\n"
        "到走廊里上课。去年秋天，镇上拨款把屋顶修好了\n，还添了一间图书室，孩子们放学以后都不肯回家。\n"
    )
    assert texts(cut(text, LENGTHS)) == [text.replace("\n", "")]


def test_wrapped_english_words_are_joined_by_a_space() -> None:
    text = (
        "The committee met on Monday and agreed that the old\nbridge should be closed to lorries until the spring,\n"
        "when a new deck will be laid. Residents had asked for\nthis since the floods of last year, said the mayor.\n"
    )
    assert texts(cut(text, LENGTHS)) == [" ".join(text.split("\n")).strip()]


def test_finished_paragraphs_stay_apart() -> None:
    text = "雨下了三天三夜，河水漫过了石桥。\n\n村里的人都搬到了祠堂里，没有一个人受伤。\n"
    assert paragraphs(cut(text, LENGTHS)) == [line for line in text.split("\n") if line]


# What is on a page beside its paragraphs


def test_a_repeated_paragraph_comes_once() -> None:
    repeated = "服务站每天早上八点开门，居民可以在这里打印材料、缴费和预约挂号，不收任何费用。"
    text = f"{repeated}\n\n站长说，最忙的是星期一，排队的人一直站到门外的马路边上。\n\n{repeated}\n"
    assert sum(passage.count(repeated) for passage in texts(cut(text, LENGTHS))) == 1


def test_short_lines_may_repeat() -> None:
    text = "第一个人站起来说了很久，没有人打断他。\n\n大家鼓掌。\n\n第二个人只说了两句话就坐下了。\n\n大家鼓掌。\n"
    assert "".join(texts(cut(text, LENGTHS))).count("大家鼓掌。") == 2


@pytest.mark.parametrize(
    "furniture", ["（下转第4版）", "(下转 B2 版)", "— 12 —", "第3版", "责任编辑：王小明", "17", "主要内容"]
)
def test_page_furniture_is_dropped(furniture: str) -> None:
    text = f"河水在夜里涨了两米，冲走了三座木桥。\n\n{furniture}\n\n天亮的时候，雨停了，人们开始清理淤泥。\n"
    assert furniture not in "\n".join(texts(cut(text, LENGTHS)))


MASTHEADS = [
    "江岸日报 2021年6月1日 星期二 第3版",
    "《江岸晚报》2021年6月1日　[第1版]-[要闻]",
    "2021年6月1日 星期二 A3 城事",
]
PROSE = [
    "河水在夜里涨了两米，冲走了三座木桥。",
    "天亮的时候，雨停了，人们开始清理淤泥。",
    "镇上的小学停了三天课，礼堂里住满了人。",
]


@pytest.mark.parametrize("furniture", MASTHEADS)
def test_the_head_of_a_page_is_dropped(furniture: str) -> None:
    assert texts(cut(f"{furniture}\n\n{PROSE[0]}\n", LENGTHS)) == [PROSE[0]]


@pytest.mark.parametrize("pages", [("9", "10"), ("998", "999"), ("999", "1000")])
def test_numbers_that_grow_by_one_between_paragraphs_are_pages(pages: tuple[str, str]) -> None:
    text = f"{PROSE[0]}\n{pages[0]}\n{PROSE[1]}\n{pages[1]}\n{PROSE[2]}"
    assert paragraphs(cut(text, LENGTHS)) == PROSE


@pytest.mark.parametrize("place", [0, 3])
def test_one_number_at_the_start_or_end_is_a_page(place: int) -> None:
    assert paragraphs(cut("\n".join([*PROSE[:place], "17", *PROSE[place:]]), LENGTHS)) == PROSE


@pytest.mark.parametrize(
    "lines",
    [
        ["江岸大事记", "1949", PROSE[0], "1950", PROSE[1]],
        ["江岸大事记", PROSE[0], "江岸青年报1951年4月27日创刊", PROSE[1]],
        [PROSE[0], "出版日期：2001年2月25日"],
        [PROSE[0], "上海《江岸报》1972年4月30日在石桥复刊", PROSE[1]],
        ["各镇鱼产量", "2700", "3240", "180", "7"],
        ["镇名", "鱼产量", "石桥", "380", "柳渡", "381", "青檀", "7"],
        [PROSE[0], "27", PROSE[1], "31", PROSE[2]],
        [PROSE[0], "—9", PROSE[1]],
        [PROSE[0], "— 1949 —", PROSE[1]],
    ],
    ids=[
        "years",
        "founded",
        "published",
        "sentence",
        "column",
        "cells",
        "not in sequence",
        "negative",
        "year between dashes",
    ],
)
def test_what_only_resembles_page_furniture_is_text(lines: list[str]) -> None:
    layout = cut("\n".join(lines), LENGTHS)
    kept = "\n".join([layout.title, *texts(layout)])
    assert all(line in kept for line in lines)


def test_the_year_below_the_headline_of_a_chronicle_is_no_part_of_it() -> None:
    layout = cut(f"江岸大事记\n1949\n{PROSE[0]}\n1950\n{PROSE[1]}", LENGTHS)
    assert layout.title == "江岸大事记"
    assert paragraphs(layout)[0] == "1949"


def test_the_headline_is_the_title_and_the_author_the_byline() -> None:
    text = "老桥重新开放\n\n本报记者 李明\n\n经过两年修缮，城南的老石桥昨天重新开放。每天有上千人从桥上走过。\n"
    layout = cut(text, LENGTHS)
    assert layout.title == "老桥重新开放"
    assert layout.byline == "本报记者 李明"
    assert layout.passages[0].title == "老桥重新开放"
    assert "老桥重新开放" not in layout.passages[0].text


EXPORT = (
    "【 文献号 】1-77\n【原文出处】江岸学刊\n【原刊期号】199602\n"
    "【 标  题 】老桥的石料\n    ——兼谈采石场\n【 作  者 】李明/王小芳\n"
    f"【作者简介】李明，江岸大学。\n【 正  文 】\n    {PROSE[0]}\n"
)
COLONS = f"标 题: 老桥的石料\n作 者: 李明/王小芳\n来 源: 江岸学刊\n\n{PROSE[0]}\n"


@pytest.mark.parametrize("text", [EXPORT, COLONS])
def test_labelled_fields_at_the_start_give_title_and_byline_and_stay_in_the_text(text: str) -> None:
    layout = cut(text, LENGTHS)
    assert (layout.title, layout.byline) == ("老桥的石料", "李明/王小芳")
    kept = squeeze("".join(passage.title + passage.text for passage in layout.passages))
    assert all(squeeze(value) in kept for value in ("江岸学刊", "老桥的石料", "李明/王小芳", PROSE[0]))


@pytest.mark.parametrize(
    "text",
    [
        f"【标题】甲\n【标题】乙\n【作者】李明\n{PROSE[0]}",
        f"记者：老桥何时修好？\n站长：明年。\n{PROSE[0]}",
        f"【本报讯】{PROSE[0]}\n【作者】的话",
        f"{PROSE[0]}\n【标题】甲\n【日期】20210601",
    ],
    ids=["two titles", "dialogue", "one label", "not at the start"],
)
def test_what_is_not_plainly_a_labelled_title_is_none(text: str) -> None:
    assert fields_of(text).title == ""


def test_each_article_of_a_page_has_its_own_headline() -> None:
    text = (
        "老桥重新开放\n\n本报记者 李明\n\n经过两年修缮，城南的老石桥昨天重新开放。每天有上千人从桥上走过。\n\n"
        "渔港今起休渔\n\n本报讯（记者 王芳）今天中午十二点起，渔港的六百条渔船全部回港，休渔期三个半月。\n"
    )
    layout = cut(text, LENGTHS)
    assert [passage.title for passage in layout.passages] == ["老桥重新开放", "渔港今起休渔"]
    assert layout.title == ""  # a page of several articles has no headline of its own


def test_a_known_title_is_kept() -> None:
    layout = cut("经过两年修缮，城南的老石桥昨天重新开放。\n", LENGTHS, title="地方新闻")
    assert layout.title == layout.passages[0].title == "地方新闻"


# The length of passages


def test_sentences_stay_whole_in_a_paragraph_that_is_too_long() -> None:
    whole = [f"第{number}个村子离县城有{number * 7}里路，要翻过两座山。" for number in range(10, 60)]
    layout = cut("".join(whole), LENGTHS)
    assert len(layout.passages) > 2
    for sentence in whole:
        assert any(sentence in passage for passage in texts(layout))
    assert_positions_hold(layout, "".join(whole), LENGTHS)


def test_a_sentence_over_the_maximum_is_cut_after_a_comma() -> None:
    text = "，".join(f"第{number}户人家种了{number}亩茶" for number in range(10, 80)) + "。"
    found = texts(cut(text, LENGTHS))
    assert all(len(passage) <= LENGTHS.maximum for passage in found)
    assert all(passage[-1] in "，。" for passage in found)
    assert "".join(found) == text


def test_an_unspaced_paragraph_without_a_stop_is_kept() -> None:
    text = "城里的老人在社区食堂吃饭每天中午都有热汤" * 30
    layout = cut(text, LENGTHS)
    assert "".join(texts(layout)) == text
    assert_positions_hold(layout, text, LENGTHS)


@pytest.mark.parametrize("text", ["", "\n\n\n", " \u3000\ufeff\n", "\r\n\r\n"])
def test_a_text_that_says_nothing_has_no_passage(text: str) -> None:
    assert cut(text, LENGTHS) == Layout("", "", ())


# Positions, and that nothing is lost


def test_positions_hold_in_the_sample(table: WordTable) -> None:
    for file in sorted(SAMPLE.glob("*.txt")):
        text = file.read_text(encoding="utf-8")
        assert_positions_hold(cut(text, LENGTHS, seam=table.crosses), text, LENGTHS)


def test_no_sentence_of_the_sample_is_lost(table: WordTable) -> None:
    for file in sorted(SAMPLE.glob("*.txt")):
        text = file.read_text(encoding="utf-8")
        layout = cut(text, LENGTHS, seam=table.crosses)
        kept = squeeze("".join([*(p.title + p.text for p in layout.passages), layout.title, layout.byline]))
        for line in text.split("\n"):
            for start, end in sentences(line):
                sentence = squeeze(line[start:end]).removeprefix("（上接第1版）")
                if len(sentence) > 20 and sentence[-1] in "。！？”":  # surely text
                    assert sentence in kept, f"{file.name}: {sentence}"


def letters(text: str) -> str:
    """What tells a paragraph from a repeat of it."""
    return "".join(filter(str.isalnum, text))


WORDS = st.text("水山田火木日月老人车船，、", min_size=1, max_size=30)
SENTENCE = st.builds("{}{}".format, WORDS, st.sampled_from("。！？"))
BODY = st.builds("".join, st.lists(SENTENCE, min_size=1, max_size=6))
GAP = st.sampled_from(["\n", "\n\n", "\r\n", " \n"])
TORN = st.builds(lambda text, at, gap: text[:at] + gap + text[at:], BODY, st.integers(1, 40), GAP)
PLAIN = st.lists(BODY | TORN, max_size=6, unique_by=squeeze).map("\n\n".join)
OTHER = st.sampled_from(["标题", "本报记者 李明", "（下转第4版）", "", "12"])
PAGE = st.lists(BODY | TORN | OTHER, max_size=8).map("\n\n".join)


@given(PLAIN, st.sampled_from([SHORT, LENGTHS]))
def test_positions_hold_in_a_text_of_torn_paragraphs(text: str, lengths: Lengths) -> None:
    assert_positions_hold(cut(text, lengths), text, lengths)


@given(PAGE, st.sampled_from([SHORT, LENGTHS]))
def test_positions_hold_where_furniture_and_repeats_were_dropped(text: str, lengths: Lengths) -> None:
    """What was dropped between two kept pieces is still in the original, so only the order can be asked for."""
    for passage in cut(text, lengths).passages:
        rest = iter(text[passage.start : passage.end])
        assert all(char in rest for char in squeeze(passage.text))
        assert text[passage.start] == passage.text[0]
        assert text[passage.end - 1] == passage.text[-1]


@given(st.text(max_size=300), st.sampled_from([SHORT, LENGTHS]))
def test_any_text_at_all_can_be_cut(text: str, lengths: Lengths) -> None:
    for passage in cut(text, lengths).passages:
        assert 0 <= passage.start < passage.end <= len(text)
        assert 0 < len(passage.text) <= lengths.maximum


@given(st.lists(BODY.filter(lambda text: len(text) > 20), min_size=1, max_size=6, unique_by=letters))
def test_no_paragraph_is_lost(bodies: list[str]) -> None:
    kept = [text for passage in cut("\n\n".join(bodies), LENGTHS).passages for text in (passage.title, passage.text)]
    for body in bodies:
        assert squeeze(body) in squeeze("".join(kept))


@given(st.lists(BODY, min_size=1, max_size=6))
def test_sentences_that_fit_are_never_cut(bodies: list[str]) -> None:
    found = texts(cut("".join(bodies), SHORT))
    whole = "".join(bodies)
    for start, end in sentences(whole):
        if end - start <= SHORT.maximum:
            assert any(whole[start:end] in passage for passage in found)
