"""Tables as people and programs leave them: wrong sizes, stray quotes, rows too long; no row loses its text unsaid."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from index.ingest import Source
from tests.index.documents import SENTENCE, read, source, xlsx, zipped


def sized(workbook: bytes, dimension: str, more: str = "") -> bytes:
    """The workbook whose first sheet says that it has this size, and has more rows."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    before, _, rest = sheet.partition('<dimension ref="')
    rest = rest.partition('"')[2].replace("</sheetData>", f"{more}</sheetData>")
    parts["xl/worksheets/sheet1.xml"] = f'{before}<dimension ref="{dimension}"{rest}'.encode()
    return zipped(parts)


def test_a_workbook_is_read_whole_whatever_size_it_says_it_has(tmp_path: Path) -> None:
    rows = [["标题", "正文"], ["桥", SENTENCE], ["路", "新路通车。"]]
    found = read(tmp_path, "a.xlsx", sized(xlsx({"一": rows}), "A1"))
    assert [one.text for one in found if isinstance(one, Source)] == [SENTENCE, "新路通车。"]


@pytest.mark.parametrize(
    "more",
    [
        '<row r="1048576"><c r="B1048576" s="0"/></row>',  # formatted to the last row there can be
        '<row r="99999999999"><c r="B99999999999"><v>1</v></c></row>',  # and beyond
    ],
)
def test_a_workbook_that_is_formatted_a_million_rows_deep_is_read(tmp_path: Path, more: str) -> None:
    raw = sized(xlsx({"一": [["标题", "正文"], ["桥", SENTENCE]]}), "A1", more)
    assert source(tmp_path, "a.xlsx", raw).text == SENTENCE


def texts(tmp_path: Path, name: str, table: str) -> list[tuple[str, str]]:
    found = [one for one in read(tmp_path, name, table.encode()) if isinstance(one, Source)]
    return [(one.document.title, one.text) for one in found]


def test_a_quotation_at_the_start_of_a_tabbed_cell_takes_up_no_other_row(tmp_path: Path) -> None:
    table = 'title\ttext\n甲\t"桥上不许停车。\n乙\t"慢"字写在桥头。\n丙\t"两行的\n""正文""。"\n丁\t桥长七"丈。\n'
    assert texts(tmp_path, "a.tsv", table) == [
        ("甲", '"桥上不许停车。'),
        ("乙", '"慢"字写在桥头。'),
        ("丙", '两行的\n"正文"。'),
        ("丁", '桥长七"丈。'),
    ]


def test_a_text_in_the_last_column_may_hold_separators(tmp_path: Path) -> None:
    table = "标题,正文\n桥,他说,桥很老,要修了\n路,新路通车。,\n"
    assert texts(tmp_path, "a.csv", table) == [("桥", "他说,桥很老,要修了"), ("路", "新路通车。")]


def test_cells_beyond_the_heads_are_told_where_the_text_is_not_last(tmp_path: Path) -> None:
    raw = "正文,标题\n桥很老,要修了,桥\n新路通车。,路,\n".encode()
    first, second = [one for one in read(tmp_path, "a.csv", raw) if isinstance(one, Source)]
    assert [note.english.partition(" ")[2] for note in first.notes] == [
        "has more cells than the table has heads; the last ones were left out."
    ]
    assert not second.notes


def test_columns_of_text_with_one_head_are_joined(tmp_path: Path) -> None:
    table = "标题,正文,正文\n桥,桥很老。,要修了。\n路,新路通车。,\n河,,河清了。\n"
    assert texts(tmp_path, "a.csv", table) == [("桥", "桥很老。\n要修了。"), ("路", "新路通车。"), ("河", "河清了。")]
