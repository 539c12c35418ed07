"""Text that was decoded wrongly before it came here: told, and put right where nothing was lost.

Where UTF-8 was once read as GBK (鐨勬槸), or GBK as Latin-1 (ÖÐÎÄ), the characters are valid and the text is nonsense.
Going the same way back gives the original, as long as every byte survived.
"""

from __future__ import annotations

import re

from index.readers.pages import Note
from index.readers.plausible import plausibility

_WRONG = 0.35  # texts at least this plausible are never touched
_RIGHT = 0.5  # what the way back must reach
_CLEAR = 0.8  # plausibility that must be gained; Russian read as Chinese gains 0.7
_ROUTES = (  # (the encoding it was read as, the encoding it is in)
    ("gb18030", "utf-8"),
    ("cp1252", "utf-8"),
    ("cp1252", "gb18030"),
    ("cp1252", "big5hkscs"),
    ("gb18030", "big5hkscs"),
    ("big5hkscs", "gb18030"),
    ("big5hkscs", "utf-8"),
)
_LOST = re.compile("(?:锟斤拷|锟斤|斤拷)+")  # U+FFFD in UTF-8, read as GBK: what it was is gone
_SHORT = 4  # different Chinese characters on the way back; fewer prove nothing
_FEW = 5  # at most one in so many characters may be lost on the way back
_JUDGED = 2000  # characters


def mended(text: str, name: str) -> tuple[str, tuple[Note, ...]]:
    """The text, put right where it can be, and what there is to say of it.

    Args:
        name: What the notes call it.
    """
    notes = []
    text = text.removeprefix("\ufeff").removeprefix("ï»¿")
    if plausibility(text[:_JUDGED]) < _WRONG and (better := _way_back(text)):
        text, (wrong, right) = better
        lost = text.count("\ufffd")
        notes.append(
            Note(
                f"{name} had been read as {wrong} although it is {right}; it was put right, but for {lost} characters.",
                f"{name} 曾被当作 {wrong} 误读（实为 {right}），已还原，另有 {lost} 个字符无法还原。",
            )
        )
    if lost := sum(len(match.group()) for match in _LOST.finditer(text)):
        text = _LOST.sub("\ufffd", text)
        notes.append(
            Note(
                f"{name} holds {lost} characters of 锟斤拷, the trace of text that was lost before; they were marked.",
                f"{name} 含有 {lost} 个“锟斤拷”乱码字符，原文在此前已丢失，已作标记。",
            )
        )
    return text, tuple(notes)


def _way_back(text: str) -> tuple[str, tuple[str, str]] | None:
    found = []
    for wrong, right in _ROUTES:
        try:
            better = _bytes(text, wrong).decode(right, "replace")
        except UnicodeEncodeError:
            continue
        better = re.sub("\ufffd+", "\ufffd", better)
        different = {char for char in better[:_JUDGED] if "\u4e00" <= char <= "\u9fff"}
        if len(different) >= _SHORT and better.count("\ufffd") * _FEW <= len(better):
            found.append((plausibility(better[:_JUDGED].replace("\ufffd", "")), better, (wrong, right)))
    if not found:
        return None
    score, better, route = max(found)
    return (better, route) if score > plausibility(text[:_JUDGED]) + _CLEAR and score > _RIGHT else None


def _bytes(text: str, encoding: str) -> bytes:
    """The bytes that were read as this text; where one was lost there is one that fits no encoding."""
    if encoding == "cp1252":  # bytes that Windows leaves undefined are read as control characters
        text = text.replace("\ufffd", "\xff")
        return b"".join(char.encode("latin-1" if char < "\u0100" else "cp1252") for char in text)
    return b"\xff".join(part.encode(encoding) for part in text.split("\ufffd"))
