"""Plain text in any of the encodings that ``encoding`` tells apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from index.errors import SourceError
from index.readers.content import Content
from index.readers.encoding import Decoded, decode
from index.readers.pages import Note, Page, Reading

MAXIMUM = 64 << 20  # bytes; a larger "text" is a dump, and would be one document
_JUDGED = 20_000  # characters
_NAMES = {"gb18030": "GB18030", "big5hkscs": "Big5", "utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}


def read_text(content: Content) -> Iterator[Reading]:
    """The whole file as one document of one page.

    Raises:
        SourceError: It is no text, or is larger than 64 MiB.
    """
    text, notes = text_of(content.read(MAXIMUM), content.name)
    yield Reading(content.name, (Page(text),), notes=notes)


def text_of(raw: bytes, name: str, declared: str = "") -> tuple[str, tuple[Note, ...]]:
    """Decode bytes.

    Args:
        name: What the notes call it.
        declared: An encoding the bytes claim.

    Raises:
        SourceError: It is no text.
    """
    decoded = decode(raw, declared)
    if _is_binary(decoded.text):
        raise SourceError(f"{name} is not a text file.", f"{name} 不是文本文件。")
    text = decoded.text.replace("\x00", " ")
    return text, _notes(decoded, name)


def _notes(decoded: Decoded, name: str) -> tuple[Note, ...]:
    known = _NAMES.get(decoded.encoding, decoded.encoding)
    notes = []
    if decoded.damage:
        notes.append(
            Note(
                f"{name} is {known} with {decoded.damage} damaged places, now marked \ufffd; the rest was read.",
                f"{name} 的编码为 {known}，有 {decoded.damage} 处损坏（以 \ufffd 标出），其余已读入。",
            )
        )
    for encoding, lines in decoded.others:
        other = _NAMES.get(encoding, encoding)
        notes.append(
            Note(
                f"{name} is {known}, but for {lines} lines in {other}; all were read.",
                f"{name} 的编码为 {known}，其中 {lines} 行为 {other}，均已读入。",
            )
        )
    if zeros := decoded.text.count("\x00"):
        notes.append(
            Note(f"{name} holds {zeros} zero bytes, read as spaces.", f"{name} 含有 {zeros} 个零字节，已读作空格。")
        )
    return tuple(notes)


def _is_binary(text: str) -> bool:
    """Whether more than a tenth of the characters are of no writing at all, or half of them zero bytes."""
    sample = text[:_JUDGED].replace("\x00", "")
    if text and len(sample) * 2 < len(text[:_JUDGED]):
        return bool(text.strip("\x00 \t\r\n"))
    wild = sum(
        char == "\ufffd" or (unicodedata.category(char) in {"Cc", "Cn", "Co"} and char not in "\t\n\r\f\v\x1a\x1b")
        for char in sample
    )
    return wild * 10 > len(sample)
