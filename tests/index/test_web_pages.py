"""Web pages as they are made: what stands in an article stays, what stands around it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.ingest import Source
from tests.index.documents import SENTENCE, source

FIRST = "经过两年修缮，城南的老石桥昨天重新开放，附近居民纷纷前来参观，桥上从早到晚行人不断。" * 3
SECOND = "修桥的石料取自上游的采石场，每一块都编了号，拆下来以后再按原样一块一块砌回去。" * 3


def page(tmp_path: Path, body: str, head: str = "") -> Source:
    return source(tmp_path, "a.html", f"<html><head>{head}</head><body>{body}</body></html>".encode())


def test_readings_beside_characters_are_left_out(tmp_path: Path) -> None:
    ruby = "<ruby>老<rp>(</rp><rt>lǎo</rt><rp>)</rp>桥<rp>(</rp><rt>qiáo</rt><rp>)</rp></ruby>"
    assert page(tmp_path, f"<p>{ruby}开放了。{FIRST}</p><p>{SECOND}</p>").text.startswith("老桥开放了。")


def test_the_cells_of_a_table_are_parted_by_tabs(tmp_path: Path) -> None:
    rows = "<tr><th>年份</th><th>费用</th></tr><tr><td>2019</td><td>三十|四十万元</td></tr>"
    found = page(tmp_path, f"<article><p>{FIRST}</p><p>{SECOND}</p><table>{rows}</table></article>")
    assert "\n年份\t费用\n2019\t三十|四十万元" in found.text


def test_a_table_that_lays_out_the_page_leaves_no_marks(tmp_path: Path) -> None:
    inner = f"<table><tr><td>老桥重新开放</td></tr><tr><td>{FIRST}<br>{SECOND}{SENTENCE}</td></tr></table>"
    found = page(tmp_path, f"<table><tr><td width=160><a href=x>首页</a></td><td>{inner}</td></tr></table>")
    assert "|" not in found.text
    assert SENTENCE in found.text


@pytest.mark.parametrize("name", ["TRS_Editor", "pages_content", "c"])
def test_lists_headings_and_tables_of_an_article_stay_whatever_its_container_is_called(
    tmp_path: Path, name: str
) -> None:
    body = f"""<div class="top"><h2>江岸网</h2><ul><li>今日要闻</li></ul></div><div class="{name}">
    <h1>老桥重新开放</h1><h2>一、经过</h2><p>{FIRST}</p><h3>（一）石料</h3><p>{SECOND}</p>
    <ul><li>禁止在桥上摆摊。</li><li>违者罚款三百元。</li></ul><dl><dt>桥面</dt><dd>宽七米。</dd></dl>
    <ul><li><a href=x>另一座桥也要修了</a></li><li><a href=y>桥头的茶馆</a></li></ul>
    <ul class="share"><li>微信</li></ul><h3>相关新闻</h3></div><div class="bottom"><ul><li>版权所有</li></ul></div>"""
    assert page(tmp_path, body, "<title>老桥重新开放</title>").text.split("\n") == [
        *["一、经过", FIRST, "（一）石料", SECOND],
        *["禁止在桥上摆摊。", "违者罚款三百元。", "桥面", "宽七米。"],
    ]


def test_where_the_article_has_no_container_only_what_stands_in_its_midst_is_put_back(tmp_path: Path) -> None:
    body = f"<h2>江岸网</h2><p>{FIRST}</p><h2>石料</h2><p>{SECOND}</p><ul><li>版权所有</li></ul>"
    assert page(tmp_path, body).text.split("\n") == [FIRST, "石料", SECOND]


@pytest.mark.parametrize(
    "beside",
    [
        "<h1>老桥重新开放</h1><div><span>来源：江岸网</span><span>2021年06月01日 08:30</span></div>",
        "<div>[视频]老桥重新开放</div><i>更新时间：2021-06-01 08:30</i>",
        "<h1>老桥重新开放</h1><time>2021/06/01 08:30</time>",
        "<p>2021年06月01日 08:30 星期二</p><h1>老桥重新开放</h1><p>本报记者 林汀</p>",
        "<p>2021-06-01 08:30</p>",  # no headline: above the article
    ],
)
def test_the_date_beside_the_headline_is_the_page_s(tmp_path: Path, beside: str) -> None:
    head = '<title>老桥重新开放_江岸网</title><meta name="pubdate" content="发布日期">'
    body = f"<div>{beside}</div><div><p>{FIRST}</p><p>{SECOND}</p></div>"
    assert page(tmp_path, body, head).document.date == "2021-06-01T08:30"


@pytest.mark.parametrize(
    "body",
    [
        f"<h1>老桥重新开放</h1><p>2019年6月1日，老桥封闭。{FIRST}</p><p>{SECOND}</p><p>图为2019年6月1日的桥</p>",
        f"<h1>护桥条例</h1><p>（2019年6月1日市人大通过）</p><p>{FIRST}</p><p>{SECOND}</p>",
        f"<h1>老桥重新开放</h1><a href=x>2019-06-01 老桥封闭</a><p>{FIRST}</p><p>{SECOND}</p>",
        f"<h1>老桥重新开放</h1><p>{FIRST}</p><p>{SECOND}</p><div>2019-06-01 08:30</div>",
    ],
)
def test_another_date_on_a_page_is_not_the_page_s(tmp_path: Path, body: str) -> None:
    assert page(tmp_path, f"<div>{body}</div>").document.date == ""
