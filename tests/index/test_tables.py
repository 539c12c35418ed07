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
