"""Tables: CSV, TSV and XLSX. A table whose heads name a text column holds a record a row; any other is one document."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from index.errors import SourceError
from index.readers import pulse
from index.readers.content import Content
from index.readers.encoding import decode, lines_in
from index.readers.pages import Fault, Found, Note, Page, Reading, Record, Row
from index.readers.zipped import MAXIMUM, damaged

_FIELD = 16 << 20  # characters
_JUDGED = 1 << 20  # bytes from which encoding and separator are told
_TAG_BREAK = re.compile(r"\s*[;；,，、|]\s*")
_EXCEL_ROWS = 1_048_576  # a sheet has no more; a row that is numbered higher would make as many empty ones before it
_BEAT = 20_000  # rows
_EXCEL_ERRORS = {"#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column or field of records is which; an empty name takes the first of the usual ones that is there.

    Attributes:
        id, title, text, byline, date, url, tags, source: Names of columns, or of fields in JSON records.
    """

    id: str = ""
    title: str = ""
    text: str = ""
    byline: str = ""
    date: str = ""
    url: str = ""
    tags: str = ""
    source: str = ""

    def record(self, row: Record) -> Record:
        """The row under the names a record has: values of empty columns are left out."""
        lowered = {str(key).strip().lower(): value for key, value in row.items()}
        found: Record = {}
        for field in fields(self):
            asked = getattr(self, field.name).strip().lower()
            for name in (asked,) if asked else (field.name, *_USUAL[field.name]):
                if (value := lowered.get(name)) not in (None, ""):
                    found[field.name] = value
                    break
        return found

    def name_text(self, heads: Sequence[str]) -> bool:
        """Whether one of the heads names the column of the text."""
        lowered = {head.strip().lower() for head in heads}
        if self.text:
            return self.text.strip().lower() in lowered
        return bool(lowered & {"text", *_USUAL["text"]})

    @property
    def chosen(self) -> bool:
        """Whether somebody named any column."""
        return any(getattr(self, field.name) for field in fields(self))


_USUAL = {
    "id": ("_id", "编号", "序号id"),
    "title": ("headline", "标题", "题目", "题名", "標題"),
    "text": ("body", "content", "正文", "内容", "文本", "全文", "內容"),
    "byline": ("author", "作者", "记者", "記者"),
    "date": ("published", "pubdate", "日期", "发布日期", "发布时间", "时间", "發布日期"),
    "url": ("link", "链接", "网址", "地址", "連結"),
    "tags": ("keywords", "标签", "关键词", "标记"),
    "source": ("来源", "來源"),
}


def read_csv(content: Content, columns: Columns) -> Iterator[Found]:
    """The rows of a CSV or TSV in any encoding, with any of the usual separators.

    Raises:
        SourceError: It is no table; what came before was given.
    """
    csv.field_size_limit(_FIELD)
    head = content.head(_JUDGED)
    decoded = decode(head)
    line = next((line for line in decoded.text.splitlines() if line.strip()), "")
    separator = max("\t,;|", key=line.count) if not content.name.lower().endswith(".tsv") else "\t"
    with content.stream() as stream:
        lines = _whole(lines_in(stream, decoded.encoding))
        rows = _tabbed(lines) if separator == "\t" else csv.reader(lines, delimiter=separator)
        try:
            yield from _found(content.name, rows, columns, separator)
        except csv.Error as error:
            raise damaged(content.name, error) from error


def _whole(lines: Iterable[str]) -> Iterator[str]:
    return (line.replace("\x00", " ").lstrip("\ufeff") for line in lines)


def _tabbed(lines: Iterator[str]) -> Iterator[list[str]]:
    """The rows of tab-separated lines; a quote is a mark of the table where it opens and closes a whole cell.

    Many programs write cells as they are, and one that begins with a quotation would take up all that follows.
    """
    ahead: deque[str] = deque()
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        if not line.startswith('"') and '\t"' not in line:
            yield _cells(line)
            continue
        held, quotes, size = [line], line.count('"'), len(line)
        while quotes % 2 and size < _FIELD and (more := ahead.popleft() if ahead else next(lines, None)) is not None:
            held.append(more)
            quotes, size = quotes + more.count('"'), size + len(more)
        row = None if quotes % 2 else _quoted(held)
        if row is None:
            ahead.extendleft(reversed(held[1:]))
        yield _cells(line) if row is None else row


def _cells(line: str) -> list[str]:
    return line.rstrip("\r\n").split("\t")


def _quoted(lines: Sequence[str]) -> list[str] | None:
    """The one row in these lines, ``None`` where quotes stand in other places than round cells."""
    try:
        rows = list(csv.reader(lines, delimiter="\t", strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def read_xlsx(content: Content, columns: Columns) -> Iterator[Found]:
    """The rows of all sheets of an Excel workbook.

    Raises:
        SourceError: It is damaged, locked or too large.
    """
    import openpyxl  # noqa: PLC0415 - heavy

    raw = content.read(MAXIMUM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and pictures that it does not know
            with closing(openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)) as workbook:
                several = len(workbook.worksheets) > 1
                for sheet in workbook.worksheets:
                    name = f"{content.name}/{sheet.title}" if several else content.name
                    yield from _found(name, _rows(sheet), columns)
    except SourceError:
        raise
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError,
            EOFError, OverflowError, AssertionError, ArithmeticError, RuntimeError) as error:  # fmt: skip
        raise damaged(content.name, error) from error


def _rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # programs write "A1" for any size, and what lies outside would be lost
    for number, row in enumerate(sheet.iter_rows(values_only=True, max_row=_EXCEL_ROWS)):
        if number % _BEAT == 0:  # some sheets are formatted down to their end, which takes half a minute
            pulse.beat()
        yield [_cell(value) for value in row]


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = "" if value is None else str(value)
    return "" if text in _EXCEL_ERRORS else text


def _found(name: str, rows: Iterable[list[str]], columns: Columns, separator: str = "") -> Iterator[Found]:
    """The documents or records in the rows.

    Args:
        separator: What parts cells and may stand in them unquoted; nothing where no cell can be taken for two.
    """
    iterator = ((number, row) for number, row in enumerate(rows, 1) if any(cell.strip() for cell in row))
    number, heads = next(iterator, (0, []))
    if columns.name_text(heads):
        yield from _records(name, heads, iterator, columns, separator)
        return
    if columns.text:
        there = "、".join(head for head in heads if head.strip())[:200]
        raise SourceError(
            f"{name} has no column {columns.text!r}; it has: {there}.",
            f"{name} 没有列 {columns.text!r}；现有：{there}。",
        )
    lines, size = ["\t".join(heads).rstrip()], 0
    for _, row in iterator:
        lines.append("\t".join(row).rstrip())
        size += len(lines[-1])
        if size > _FIELD:
            raise SourceError(
                f"{name} has no column named text and is too large for one document; name one with --text-column.",
                f"{name} 没有名为 text 的列，作为一篇文档又太大；请用 --text-column 指明正文所在的列。",
            )
    if number:
        yield Reading(name, (Page("\n".join(lines)),))


def _records(
    name: str, heads: Sequence[str], rows: Iterable[tuple[int, list[str]]], columns: Columns, separator: str
) -> Iterator[Row | Fault]:
    width = max(at for at, head in enumerate(heads, 1) if head.strip())
    open_ended = bool(separator) and columns.name_text(heads[width - 1 : width])
    for number, row in rows:
        notes = []
        if any(cell.strip() for cell in row[width:]):
            if open_ended:  # the text is last and holds separators
                row[width - 1 :] = [separator.join(row[width - 1 :])]
            else:
                notes.append(
                    Note(
                        f"{name}:{number} has more cells than the table has heads; the last ones were left out.",
                        f"{name}:{number} 的单元格多于表头，多出的未读入。",
                    )
                )
        record = columns.record(_named(heads[:width], row, columns))
        if isinstance(tags := record.get("tags"), str):
            record["tags"] = [tag for tag in _TAG_BREAK.split(tags) if tag]
        if lost := sum(str(value).count("\ufffd") for value in record.values()):
            notes.append(
                Note(
                    f"{name}:{number} holds {lost} damaged places, now marked \ufffd.",
                    f"{name}:{number} 有 {lost} 处损坏，以 \ufffd 标出。",
                )
            )
        yield Row(name, number, record, tuple(notes))


def _named(heads: Sequence[str], row: Sequence[str], columns: Columns) -> Record:
    """The cells by their heads; those of several columns of text with the same head are joined."""
    named: Record = {}
    for head, cell in zip(heads, row, strict=False):
        key = head.strip().lower()
        parts = [named.get(key, ""), cell] if columns.name_text([head]) else [cell]
        named[key] = "\n".join(part for part in parts if part.strip())
    return named
