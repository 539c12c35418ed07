"""Citations: the forms of GB/T 7714-2015 for what is printed and what is online, and the names in bylines."""

from __future__ import annotations

from datetime import date

import pytest

from index.document import Document
from service.citation import authors_of, cite

TODAY = date(2026, 11, 25)
PAPER = Document("a", source="晚报", title="市区今冬少见蓝天", byline="本报记者 李明", date="2023-12-05T08:00")


def test_a_piece_of_a_newspaper() -> None:
    found = cite(PAPER, "", 3, "zh", TODAY)
    assert found.standard == "李明. 市区今冬少见蓝天[N]. 晚报, 2023-12-05(3)."
    assert found.plain == "李明：《市区今冬少见蓝天》，晚报，2023年12月5日，第3页。"
    assert cite(PAPER, "", 3, "en", TODAY).plain == "李明, “市区今冬少见蓝天”, 晚报, 5 Dec 2023, p. 3."


def test_one_read_online_has_its_address_and_the_day_it_was_read() -> None:
    online = Document("a", source="晚报", title="蓝天", date="2023-12-05", url="https://example.org/1")
    found = cite(online, "灰霾何时散", None, "zh", TODAY)
    assert found.standard == "灰霾何时散[N/OL]. 晚报, 2023-12-05[2026-11-25]. https://example.org/1"
    assert found.plain == "《灰霾何时散》，晚报，2023年12月5日，https://example.org/1"


@pytest.mark.parametrize("url", ["", "/relative.html", "javascript:alert(1)"])
def test_of_a_document_of_which_nothing_is_known(url: str) -> None:
    found = cite(Document("note-1", url=url), "", None, "zh", TODAY)
    assert found.standard == "note-1[Z]."
    assert found.plain == "《note-1》。"


@pytest.mark.parametrize(
    ("byline", "names"),
    [
        ("", []),
        ("李明", ["李明"]),
        ("本报记者 李明 王芳", ["李明", "王芳"]),
        ("江岸日报记者 安然 实习生 骆小夏", ["安然", "骆小夏"]),
        ("江岸日报“算账”专栏 主笔 金钰", ["金钰"]),
        ("记者：顾北辰、通讯员：星野", ["顾北辰", "星野"]),
        ("张文 李图", ["张文", "李图"]),
        ("文/图 王芳", ["王芳"]),
        ("By Jane Smith and John Doe", ["Jane Smith", "John Doe"]),
    ],
)
def test_names_stand_without_what_the_people_do(byline: str, names: list[str]) -> None:
    assert authors_of(byline) == names


def test_more_than_three_authors_are_shortened() -> None:
    four = Document("a", source="晚报", title="题", byline="甲一、乙二、丙三、丁四")
    assert cite(four, "", None, "zh", TODAY).standard == "甲一, 乙二, 丙三, 等. 题[N]. 晚报."
    western = Document("a", source="Post", title="T", byline="A One, B Two, C Three, D Four")
    assert cite(western, "", None, "en", TODAY).standard == "A One, B Two, C Three, et al. T[N]. Post."
