"""Web pages as they are made: what stands in an article stays, what stands around it does not."""

from __future__ import annotations

from pathlib import Path

from index.ingest import Source
from tests.index.documents import SENTENCE, source

FIRST = "经过两年修缮，城南的老石桥昨天重新开放，附近居民纷纷前来参观，桥上从早到晚行人不断。"
SECOND = "修桥的石料取自上游的采石场，每一块都编了号，拆下来以后再按原样一块一块砌回去。"


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
