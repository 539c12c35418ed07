"""Typing mistakes: which are put right, and that good queries stay as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chinese import fold, tokens
from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import record_source
from index.model_cards import COMPACT
from index.shapes import look_alikes
from index.spelling import speller_of
from index.training.shapes import look_alikes as look_alikes_among
from index.training.shapes import pictures
from index.wordtable import WordTable

SPELLER = speller_of(WordTable.load(COMPACT))
ARCHIVE = [
    "志愿者教小学生给垃圾分类，可回收的放蓝桶。",
    "退役军人在车站做志愿者，给旅客指路。",
    "公交卡可以在便利店充值，也收硬币。",
    "江汉路步行街的旅游旺季是国庆节。",
    "医生说早睡早起身体好。",
    "江汉路通电车以后，路线改了两次。",
    "旧电池要放进红桶，电池厂会来收。",
    "电池厂招工。",
] * 4


def occurs(archive: list[str]) -> Callable[[str], int]:
    sets = [set(tokens(fold(text))) for text in archive]
    return lambda token: sum(token in each for each in sets)


def meant(query: str) -> str | None:
    correction = SPELLER.corrected(query, occurs(ARCHIVE), len(ARCHIVE))
    return correction.text if correction else None


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("小学生讲垃极分类", "小学生讲垃圾分类"),
        ("支愿者指路", "志愿者指路"),
        ("退役君人", "退役军人"),
        ("收硬必吗", "收硬币吗"),
        ("旅由旺季", "旅游旺季"),
        ("退军役人在车站", "退役军人在车站"),  # two characters exchanged
        ("支願者指路", "志愿者指路"),  # traditional input
        ("拉圾分类", "垃圾分类"),  # characters that look alike
        ("退投军人", "退役军人"),
        ("电沲厂招工", "电池厂招工"),
        ("zhiyuanzhe 指路", "志愿者 指路"),
        ("jianghan路", "江汉路"),
        ("lvyou旺季", "旅游旺季"),
        ("dianche路线", "电车路线"),  # not 电池, which more texts have, and whose second character may be read che
    ],
)
def test_what_sounds_alike_is_put_right(typed: str, right: str) -> None:
    assert meant(typed) == right


@pytest.mark.parametrize(
    "query",
    [
        "志愿者教小学生给垃圾分类",
        "江汉路在哪",  # 路在, 在哪: not in the archive, and no mistake
        "早睡早起",
        "怎么申请专利",  # other words than the archive's
        "hello world",
        "jianghan deputy mayor",  # a name in English is no pinyin to be turned into Chinese
        "shop opening hours",
        "F-35",
        "",
    ],
)
def test_good_queries_stay_as_they_are(query: str) -> None:
    assert meant(query) is None


# In how many of 182,036 passages of news characters, pairs of them and words in Latin letters occur.
NEWS = dict[str, int](
    司=29416, 棋=505, 是=81271, 谁=1369, 棋是=11, 是谁=280, 机=43607, 司机=1693, 机是=203,
    做=19577, 人=102972, 彘=1, 做人=84, 质=20416, 人质=119, 质是=95,
    蛊=636, 娘=681, 姑=536, 姑娘=340,
    还=38987, 薅=33, 到=72859, 了=95576, 钱=5713, 薅到=3, 到了=10398, 了钱=92, 好=37224, 还好=141, 好到=21,
    王=12839, 府=13531, 井=1120, 办=23631, 王府=42, 府井=33, 经=56812, 府经=37, 经办=121,
    修=6791, 复=15570, 源=32408, 修复=1751, 复还=13, 原=42322, 还原=350,
    剂=1233, 发=92411, 展=50454, 剂发=2, 发展=22473, 济=15851, 经济=13834, 济发=1392,
    beijing=10, 北京=12211, 京大=577, 大学=8552, gaokao=2, 高考=526, 分数=248, women=1, 我们=19724, mini=140, 迷你=127,
    xiaomi=6, 小米=763, nike=7, 尼克=182, 大力=2303, 力古=10, 大理=212, 理古=4,
    巴黎=570, 八里=54, 里岛=11, 巴厘=19, 厘岛=19, 王益=17, 与非=169, 军徽=5, 金平=54,
    习近=1740, 近平=1743, 要命=20, 阿坝=102,
)  # fmt: skip


def meant_in_news(query: str) -> str | None:
    correction = SPELLER.corrected(query, lambda token: NEWS.get(token, 0), 182_036)
    return correction.text if correction else None


@pytest.mark.parametrize("query", ["司棋是谁", "做人彘是", "蛊娘", "还薅到了钱", "王府井办"])
def test_names_and_rare_words_that_an_archive_lacks_stay(query: str) -> None:
    assert meant_in_news(query) is None


@pytest.mark.parametrize(("typed", "right"), [("修复还源", "修复还原"), ("经剂发展", "经济发展")])
def test_a_word_that_makes_the_query_much_likelier_is_put_in(typed: str, right: str) -> None:
    assert meant_in_news(typed) == right


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("gaokao fenshu", "高考 分数"),  # gaokao is in two passages, which is no reason to leave it
        ("Beijing Daxue", "北京大学"),
        ("xiaomi su7", "小米 su7"),
        ("Xi Jinping", "习近平"),
        ("beijing", "北京"),  # means the same by the word table
        ("Dali古城", "大理古城"),  # not 大力, which is more frequent
        ("Bali岛", "巴厘岛"),  # not 巴黎岛, which the archive has nowhere
    ],
)
def test_neighbouring_pinyin_becomes_chinese_together(typed: str, right: str) -> None:
    assert meant_in_news(typed) == right


@pytest.mark.parametrize(
    "query",
    [
        "Zhang Yufei",  # not "Zhang 与非"
        "Ding Junhui",
        "zhang gaokao",
        "Bali旅游",  # 黎旅 occurs nowhere
        "Yao Ming",  # no 要命
        "Wang Yi",  # whose namesake is in few passages
        "ABA总冠军",
        "women",
        "mini",  # as frequent as 迷你
        "nike",
        "long men " * 20,
    ],
)
def test_pinyin_that_is_not_surely_meant_stays_whole(query: str) -> None:
    assert meant_in_news(query) is None


FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


@pytest.mark.skipif(not FONT.is_file() and "CI" not in os.environ, reason="Debian's fonts-noto-cjk is not installed")
def test_look_alikes_are_found_by_drawing_them() -> None:
    characters = list("未末己已治冶国中一")
    found = look_alikes_among(characters, pictures(characters, FONT, 2))
    assert (found["未"][0], found["己"][0], found["冶"][0]) == ("末", "已", "治")
    assert "一" not in found
    for char, near in found.items():  # the file was made the same way, among all characters
        assert near[0] in look_alikes(char)


@given(st.text(max_size=40))
def test_any_text_is_taken_and_only_the_mistaken_words_change(text: str) -> None:
    correction = SPELLER.corrected(text, occurs(ARCHIVE), len(ARCHIVE))
    if correction is not None:
        assert correction.words
        assert all(word in correction.text for word in correction.words)


def test_a_search_asks_for_what_was_meant_and_says_so(archive: Corpus) -> None:
    archive.add(record_source({"id": f"d{n}", "text": text * 2}, source="s") for n, text in enumerate(ARCHIVE))
    answer = archive.search(SearchRequest("退役君人在车站", min_score=0.0))
    assert answer.suggestion == "退役军人在车站"
    assert answer.query == "退役君人在车站"
    assert "退役军人" in answer.hits[0].text
    assert archive.search(SearchRequest("退役军人在车站")).suggestion is None
    as_typed = archive.search(SearchRequest("退役君人在车站", min_score=0.0, without=frozenset({"spelling"})))
    assert as_typed.suggestion is None


def test_a_quoted_part_is_asked_for_as_it_stands(archive: Corpus) -> None:
    archive.add(record_source({"id": f"d{n}", "text": text * 2}, source="s") for n, text in enumerate(ARCHIVE))
    answer = archive.search(SearchRequest('"退役君人"'))
    assert (answer.suggestion, answer.hits) == (None, ())
