"""What readers give: documents as pages of text, or records; what was amiss in them; what could not be read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from index.errors import SourceError

Record = dict[str, Any]

_PROGRAM = re.compile(
    r"microsoft|untitled|powerpoint|演示文稿|文档\s*\d|无标题|未命名|\.(?:docx?|dvi|indd|pptx?|tex|qxd|pdf|wps|rtf)\b"
    r"|^(?:document|slide|title|normal)\s*\d*$|^[\W\d_]*$",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Page:
    """Decoded text of one page; ``number`` is 1-based, ``None`` for formats without pages."""

    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person should know of what was read all the same: one sentence in each language."""

    english: str
    chinese: str

    def sentence(self, language: str) -> str:
        """The sentence in ``"zh"`` or, for anything else, in English."""
        return self.chinese if language == "zh" else self.english


@dataclass(frozen=True, slots=True)
class Facts:
    """What a format's own metadata says of a document, as written there; empty where it says nothing."""

    title: str = ""
    byline: str = ""
    date: str = ""
    url: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One document as it was read.

    Attributes:
        name: The file's path; for a member of an archive its path below the archive, as if that were a folder.
        pages: Its text, one entry a page.
        facts: What the format's own metadata says.
        notes: What was amiss, such as damaged bytes.
    """

    name: str
    pages: tuple[Page, ...]
    facts: Facts = field(default_factory=Facts)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file that holds many.

    Attributes:
        name: The file's path.
        number: 1-based line or row in it.
        record: Its fields.
        notes: What was amiss.
    """

    name: str
    number: int
    record: Record
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A file, member or record that cannot be read, and why."""

    name: str
    reason: SourceError


Found = Reading | Row | Fault


def sane_title(title: str) -> str:
    """The title of a document's properties, or nothing where a program wrote it there."""
    title = " ".join(title.split())
    return "" if len(title) < 3 or _PROGRAM.search(title) else title[:300]
