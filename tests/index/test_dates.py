"""A document's own date, from records, names and texts; and no date where none can be told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.corpus import Corpus
from index.dates import date_in_name, date_in_text, iso_date
from index.ingest import record_source, sources_of

BODY = "河水在夜里涨了两米，冲走了三座木桥，村里的人都搬到了祠堂。\n天亮的时候，雨停了。"


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2021-06-01", "2021-06-01"),
        ("2021/6/1 08:30", "2021-06-01T08:30"),
        ("20210601", "2021-06-01"),
        ("2021年6月", "2021-06"),
        ("２０２１年６月１日", "2021-06-01"),
        ("二〇二一年六月一日", "2021-06-01"),
        ("二○二一年十二月三十一日", "2021-12-31"),
        ("一九九八年十月二十日", "1998-10-20"),
        ("民國110年6月1日", "2021-06-01"),
        ("二O一二年五月一日", "2012-05-01"),
        ("二0一二年五月一日", "2012-05-01"),
        ("民國三十八年五月一日", "1949-05-01"),
        ("中華民國一百一十年六月一日", "2021-06-01"),
        ("民国元年元月一日", "1912-01-01"),
        ("1998年元月", "1998-01"),
        ("一九五〇年元月五日", "1950-01-05"),
        ("May 1, 2012", "2012-05-01"),
        ("1 Sept. 2012", "2012-09-01"),
        ("May 45, 2012", ""),
        ("99-5-1", ""),
        ("D:20210601120000+08'00'", "2021-06-01"),
        ("Tue, 01 Jun 2021 08:00:00 +0800", "2021-06-01T08:00:00"),
        ("2021-06-45", ""),
        ("二〇二一年十三月一日", ""),
        ("去年夏天", ""),
    ],
)
def test_a_written_date_becomes_iso(written: str, iso: str) -> None:
    assert iso_date(written) == iso


@pytest.mark.parametrize(
    ("name", "iso"),
    [
        ("20210601.txt", "2021-06-01"),
        ("会议记录2021-6-1.txt", "2021-06-01"),
        ("某某日报2021年06月01日第01版.txt", "2021-06-01"),
        ("二〇二一年六月一日会议.txt", "2021-06-01"),
        ("某某法_20171104.docx", "2017-11-04"),
        ("简报2021年6月.txt", "2021-06"),
        ("20210601-20210607.txt", ""),  # a week is not a day
        ("120210601.txt", ""),
        ("Sports1866.txt", ""),
        ("20211301.txt", ""),
    ],
)
def test_the_date_in_a_name(name: str, iso: str) -> None:
    assert date_in_name(name) == iso


@pytest.mark.parametrize(
    ("text", "name", "iso"),
    [
        (f"江岸日报 2021年6月1日 星期二 第3版\n\n大水\n{BODY}", "", "2021-06-01"),
        (f"江岸日报 二〇二一年六月一日 第一三〇号 今日八版\n\n大水\n{BODY}", "", "2021-06-01"),
        (f"二〇二一年六月一日　星期二\n大水\n{BODY}", "", "2021-06-01"),
        (f"【 标  题 】大水\n【 日  期 】20210601\n【 正  文 】\n{BODY}", "", "2021-06-01"),
        (f"标题：大水\n日期：2021-06-01\n{BODY}", "", "2021-06-01"),
        (f"大水\nJune 1, 2021\n{BODY}", "", "2021-06-01"),
        (f"大水\n发布时间：2021-06-01 10:00 来源：江岸日报\n{BODY}", "", "2021-06-01"),
        (f"大水\n江岸社石桥2021年6月1日电（记者 王芳）{BODY}", "", "2021-06-01"),
        (f"大水\n江岸社石桥6月1日电（记者 王芳）{BODY}", "2021年通稿", "2021-06-01"),
        (f"关于防汛的通知\n各村：\n{BODY}\n2021年6月1日\n", "", "2021-06-01"),
    ],
    ids=[
        "masthead",
        "edition",
        "numerals",
        "fields",
        "fields with colons",
        "English",
        "label",
        "dateline",
        "year from the name",
        "signature",
    ],
)
def test_the_date_a_text_gives_itself(text: str, name: str, iso: str) -> None:
    assert date_in_text(text, name) == iso


@pytest.mark.parametrize(
    "text",
    [
        f"大水\n{BODY}2021年6月1日，镇上开了会。",
        f"2021年6月1日，镇上开了会。\n{BODY}",
        f"大水\n江岸社石桥6月1日电（记者 王芳）{BODY}",
        f"大水\n江岸社石桥6月1日电 今天是老桥落成纪念日。1921年6月1日，它在这里落成。\n{BODY}",
        f"2021年6月1日\n{BODY}\n2021年6月2日\n{BODY}",
        f"【标题】大水\n【日期】20210601\n【日期】20210602\n{BODY}",
        f"见《江岸日报》2021年6月1日第3版\n{BODY}",
        f"大事记\n江岸青年报1951年4月27日创刊\n{BODY}",
        f"上海《江岸报》1972年4月30日在石桥复刊\n{BODY}",
        "",
    ],
    ids=[
        "mentioned",
        "first words",
        "no year",
        "anniversary",
        "diary",
        "two fields",
        "cited",
        "founded",
        "of a paper",
        "nothing",
    ],
)
def test_a_date_that_cannot_be_told_is_not_guessed(text: str) -> None:
    assert date_in_text(text) == ""


def test_given_goes_before_name_and_name_before_text(archive: Corpus, tmp_path: Path) -> None:
    masthead = f"江岸日报 2021年6月1日 星期二 第3版\n\n大水\n{BODY}"
    (tmp_path / "2022-07-02 大水.txt").write_text(masthead, encoding="utf-8")
    (tmp_path / "大水.txt").write_text(masthead, encoding="utf-8")
    archive.add([record_source({"id": "given", "text": masthead, "date": "2023-08-03"}, source="")])
    archive.add([record_source({"id": "not-given", "text": masthead}, source="")])
    archive.add(sources_of([tmp_path]))
    dates = {document.path[-8:] or document.id: document.date for document in archive.documents().documents}
    assert dates["given"] == "2023-08-03"
    assert dates["not-given"] == "2021-06-01"
    assert sorted(dates.values()) == ["2021-06-01", "2021-06-01", "2022-07-02", "2023-08-03"]


@given(
    st.text(max_size=200) | st.text("〇O一二三十百元民國年月日2016 -/.:电讯报星期", max_size=60), st.text(max_size=30)
)
def test_any_text_can_be_asked_for_its_date(text: str, name: str) -> None:
    for found in (iso_date(text), date_in_name(name), date_in_text(text, name)):
        assert found == "" or found[:4].isdigit()
