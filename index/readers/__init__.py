"""One file per format, each: content -> documents or records. This file is the door: it picks the reader.

A reader decodes and does nothing else. What a content is, ``kinds`` tells from its first bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from index.errors import SourceError
from index.readers.archive import read_tar, read_zip
from index.readers.content import Content
from index.readers.jsonl import read_jsonl
from index.readers.kinds import ADVICE, FORMATS, UNREAD, kind_of
from index.readers.mojibake import mended
from index.readers.packed import inner_name, unpacked
from index.readers.pages import Facts, Fault, Found, Note, Page, Reading, Record, Row
from index.readers.tables import Columns, read_csv
from index.readers.text import read_text
from index.readers.worker import KINDS, Worker

__all__ = [
    "FORMATS",
    "Columns",
    "Content",
    "Facts",
    "Fault",
    "Found",
    "Note",
    "Page",
    "Reading",
    "Record",
    "Row",
    "read",
    "supported",
]

_DEPTH = 2  # archives inside archives
_KNOWN_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9_~-]{0,9}")
_worker = Worker()


def supported(file: Path) -> bool:
    """Whether a file of this name in a folder may be a document.

    Programs, pictures and the like are told by their suffix; a file without one, or with one that is none
    (``1998.第一版``), is looked at.
    """
    suffix = Path(inner_name(file.name)).suffix.lower()
    return suffix in FORMATS or suffix in UNREAD or not _KNOWN_SUFFIX.fullmatch(suffix)


def read(content: Content, columns: Columns | None = None) -> Iterator[Found]:
    """Every document and record in a file's content, and what in it cannot be read.

    Args:
        columns: Which columns of tables and fields of records are which.

    Raises:
        SourceError: The file as a whole, or its rest, cannot be read.
        OSError: It cannot be opened.
    """
    nothing = True
    for found in _read(content, columns or Columns(), 0):
        yield _checked(found) if isinstance(found, Reading) else found
        nothing = False
    if nothing:
        name = content.name
        reason = SourceError(f"{name} is empty, or holds no documents.", f"{name} 是空文件，或其中没有文档。")
        yield Fault(name, reason)


def _read(content: Content, columns: Columns, depth: int) -> Iterator[Found]:
    kind = kind_of(content)
    if kind == "packed":
        content = unpacked(content)
        kind = kind_of(content)
    if kind == "packed" or (kind in {"zip", "tar"} and depth >= _DEPTH):
        raise SourceError(
            f"{content.name} lies too deep in archives; unpack them first.", f"{content.name} 压缩层数太多；请先解压。"
        )
    if kind.startswith("!"):
        raise _unread(content.name, kind[1:])
    if kind in {"zip", "tar"}:
        members = read_zip if kind == "zip" else read_tar
        yield from members(
            content, lambda member: _read(member, columns, depth + 1), lambda name: supported(Path(name))
        )
    elif kind in KINDS:
        yield from _worker.read(kind, content, columns)
    elif kind == "csv":
        yield from read_csv(content, columns)
    else:
        yield from read_jsonl(content, columns) if kind == "jsonl" else read_text(content)


def _unread(name: str, kind: str) -> SourceError:
    english, chinese = ADVICE[kind]
    return SourceError(f"{name} is {english}.", f"{name} 是{chinese}。")


def _checked(found: Reading) -> Reading | Fault:
    """The reading with text put right that had been decoded wrongly before; a fault where there is no text."""
    if not any(page.text.strip() for page in found.pages):
        return Fault(found.name, SourceError(f"{found.name} is empty.", f"{found.name} 是空文件。"))
    mends = [mended(page.text, found.name) for page in found.pages]
    pages = tuple(replace(page, text=text) for page, (text, _) in zip(found.pages, mends, strict=True))
    notes = dict.fromkeys(note for _, notes in mends for note in notes)
    return replace(found, pages=pages, notes=(*found.notes, *notes))
