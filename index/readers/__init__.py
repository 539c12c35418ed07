"""One file per format, each: a file -> pages of text, or records. This file is the door: it picks the reader.

A reader decodes and does nothing else. New formats are added to ``_PAGES`` or ``_RECORDS`` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from index.errors import SourceError
from index.readers.jsonl import read_jsonl
from index.readers.pages import Page, Record
from index.readers.text import read_text

__all__ = ["Page", "Record", "is_record_file", "read_pages", "read_records", "supported"]

_PAGES: dict[str, Callable[[Path], Iterator[Page]]] = {".txt": read_text, ".text": read_text, ".md": read_text}
_RECORDS: dict[str, Callable[[Path], Iterator[tuple[int, Record | SourceError]]]] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}
_COMPRESSED = {".gz", ".xz"}


def _kind(file: Path) -> str:
    """The suffix that tells the format, below a suffix that tells a compression."""
    suffixes = [suffix.lower() for suffix in file.suffixes[-2:]]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def supported(file: Path) -> bool:
    """Whether there is a reader for a file with this name."""
    return _kind(file) in _PAGES or _kind(file) in _RECORDS


def is_record_file(file: Path) -> bool:
    """Whether the file holds many documents, one record each."""
    return _kind(file) in _RECORDS


def read_pages(file: Path) -> Iterator[Page]:
    """The text of a file that is one document. A file whose name tells nothing is tried as text."""
    return _PAGES.get(_kind(file), read_text)(file)


def read_records(file: Path) -> Iterator[tuple[int, Record | SourceError]]:
    """The records of a file with many documents by line number, and what is wrong with those that cannot be read."""
    return _RECORDS[_kind(file)](file)
