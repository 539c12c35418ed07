"""One file per format, each: content -> documents or records. This file is the door: it picks the reader.

A reader decodes and does nothing else. New formats are added to ``_READERS`` here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from index.errors import SourceError
from index.readers.content import Content
from index.readers.jsonl import read_jsonl
from index.readers.mojibake import mended
from index.readers.packed import SUFFIXES, file_content, inner_name
from index.readers.pages import Facts, Fault, Found, Note, Page, Reading, Record, Row
from index.readers.text import read_text

__all__ = [
    "FORMATS",
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

_READERS: dict[str, Callable[[Content], Iterator[Found]]] = {
    ".txt": read_text,
    ".text": read_text,
    ".md": read_text,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}
FORMATS = frozenset({*_READERS, *SUFFIXES})


def _kind(name: str) -> str:
    """The suffix that tells the format, below a suffix that tells a packing."""
    return Path(inner_name(name)).suffix.lower()


def supported(file: Path) -> bool:
    """Whether there is a reader for a file with this name."""
    return _kind(file.name) in _READERS


def read(file: Path) -> Iterator[Found]:
    """Every document and record in a file, and what in it cannot be read.

    Raises:
        SourceError: The file as a whole, or its rest, cannot be read.
        OSError: It cannot be opened.
    """
    for found in _READERS.get(_kind(file.name), read_text)(file_content(file)):
        yield _checked(found) if isinstance(found, Reading) else found


def _checked(found: Reading) -> Reading | Fault:
    """The reading with text put right that had been decoded wrongly before; a fault where there is no text."""
    if not any(page.text.strip() for page in found.pages):
        return Fault(found.name, SourceError(f"{found.name} is empty.", f"{found.name} 是空文件。"))
    mends = [mended(page.text, found.name) for page in found.pages]
    pages = tuple(replace(page, text=text) for page, (text, _) in zip(found.pages, mends, strict=True))
    notes = dict.fromkeys(note for _, notes in mends for note in notes)
    return replace(found, pages=pages, notes=(*found.notes, *notes))
