"""The tables of the SQLite file, and how rows become the library's nouns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

from index.document import Document, Passage

T = TypeVar("T")
_BATCH = 500  # SQLite's own limit is far higher; plans stay small

# Format 1, which stays as it is: what comes later is in ``migrations``.
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL, title TEXT NOT NULL, byline TEXT NOT NULL, date TEXT NOT NULL,
    url TEXT NOT NULL, tags TEXT NOT NULL, path TEXT NOT NULL,
    hash BLOB NOT NULL,
    original BLOB NOT NULL
);
CREATE INDEX documents_by_source ON documents (source, date);
CREATE INDEX documents_by_date ON documents (date);
CREATE INDEX documents_by_path ON documents (path);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    title TEXT NOT NULL, text TEXT NOT NULL,
    page INTEGER, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    key BLOB NOT NULL,
    UNIQUE (document, position)
);
CREATE INDEX passages_by_key ON passages (key);
CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, tokens BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A stored passage with its number, its document's number and its place in the document."""

    number: int
    document: int
    position: int
    passage: Passage
    key: bytes


def passage_key(text: str, title: str) -> bytes:
    """16 bytes that name what is embedded; passages with the same key share one vector.

    The first 8 depend on the text alone: they are equal for repeats under another headline.
    """
    raw = text.encode("utf-8", "surrogatepass")
    whole = blake2b(title.encode("utf-8", "surrogatepass") + b"\x00" + raw, digest_size=8)
    return blake2b(raw, digest_size=8).digest() + whole.digest()


DOCUMENT_COLUMNS = "id, source, title, byline, date, url, tags, path"
ROW_COLUMNS = 'number, document, position, title, text, page, start, "end", key'


def to_document(row: tuple[str, ...]) -> Document:
    """A row of ``DOCUMENT_COLUMNS`` as a document."""
    id_, source, title, byline, date, url, tags, path = row
    return Document(id_, source, title, byline, date, url, _tags(tags), path)


@lru_cache(maxsize=1_024)  # an archive has few different lists of tags, and a search reads hundreds of documents
def _tags(written: str) -> tuple[str, ...]:
    return tuple(json.loads(written))


def to_row(row: tuple[int, int, int, str, str, int | None, int, int, bytes]) -> Row:
    """A row of ``ROW_COLUMNS`` as a passage with its place."""
    number, document, position, title, text, page, start, end, key = row
    return Row(number, document, position, Passage(text, start, end, title, page), key)


def conditions_on(
    sources: Sequence[str], tags: Sequence[str], date_from: str, date_to: str, bylines: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """SQL conditions on ``documents`` and their values. A day given as the last one counts to its end."""
    conditions: list[str] = []
    values: list[str] = []
    if sources:
        conditions.append(f"source IN ({','.join('?' * len(sources))})")
        values.extend(sources)
    if tags:
        marks = ",".join("?" * len(tags))
        conditions.append(f"EXISTS (SELECT 1 FROM json_each(tags) WHERE value IN ({marks}))")  # noqa: S608
        values.extend(tags)
    if bylines:
        conditions.append(f"({' OR '.join(['instr(byline, ?) > 0'] * len(bylines))})")
        values.extend(bylines)
    if date_from:
        conditions.append("date >= ?")
        values.append(date_from)
    if date_to:
        conditions.append("date <> '' AND substr(date, 1, ?) <= ?")
        values.extend((str(len(date_to)), date_to))
    return conditions, values


def batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in lists short enough for one ``IN (...)``."""
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
