"""Word's old DOC (97 to 2003): the main text, by its piece table.

The layout is that of [MS-DOC], 2.4.1 Retrieving Text; olefile opens the container.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from index.errors import SourceError
from index.readers.content import Content
from index.readers.pages import Page, Reading
from index.readers.zipped import damaged

MAXIMUM = 128 << 20  # bytes
_TABLE_ONE, _ENCRYPTED = 0x0200, 0x0100  # bits of the flags at 0x0A
_COMPRESSED = 0x40000000  # bit of a piece's place: one byte a character
_FIELD = re.compile(r"\x13[^\x13\x14\x15]*\x14?([^\x13\x14\x15]*)\x15")
_MARKS = str.maketrans({"\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x07": "\t", "\x1e": "-", "\x1f": None, "\xa0": " "})
_OTHER = re.compile("[\x00-\x08\x0e-\x1f]")


def read_doc(content: Content) -> Iterator[Reading]:
    """The file as one document.

    Raises:
        SourceError: It is locked, damaged, of Word 95 or older, or no Word document.
    """
    import olefile  # noqa: PLC0415 - rarely needed

    raw = content.read(MAXIMUM)
    try:
        with olefile.OleFileIO(BytesIO(raw)) as container:
            if not container.exists("WordDocument"):
                raise _foreign(content.name, container)
            text = _text(container, content.name)
    except SourceError:
        raise
    except (OSError, ValueError, struct.error, IndexError, KeyError, TypeError, RecursionError) as error:
        raise damaged(content.name, error) from error
    yield Reading(content.name, (Page(text),))


def _text(container: Any, name: str) -> str:
    stream = container.openstream("WordDocument").read()
    magic, version, flags = struct.unpack_from("<HH6xH", stream)
    if magic != 0xA5EC or version < 0xC1:
        raise SourceError(
            f"{name} was written by a Word older than 97; open it in a newer one and save it as .docx.",
            f"{name} 由 Word 97 之前的版本写成；请用新版 Word 打开并另存为 .docx。",
        )
    if flags & _ENCRYPTED:
        raise SourceError(
            f"{name} is locked with a password; save it without one.", f"{name} 有密码保护；请另存为无密码的文件。"
        )
    length = struct.unpack_from("<i", stream, 0x4C)[0]
    start, size = struct.unpack_from("<II", stream, 0x01A2)
    table = container.openstream("1Table" if flags & _TABLE_ONE else "0Table").read()
    text = "".join(_pieces(stream, table[start : start + size]))[:length]
    for _ in range(8):  # fields inside fields
        text, found = _FIELD.subn(r"\1", text)
        if not found:
            break
    return _OTHER.sub("", text.replace("\x07\x07", "\n").translate(_MARKS))


def _pieces(stream: bytes, clx: bytes) -> Iterator[str]:
    place = 0
    while clx[place] == 1:  # formatting that comes before the piece table
        place += 3 + struct.unpack_from("<H", clx, place + 1)[0]
    if clx[place] != 2:
        raise ValueError("it has no piece table")
    size = struct.unpack_from("<I", clx, place + 1)[0]
    plc = clx[place + 5 : place + 5 + size]
    count = (len(plc) - 4) // 12
    bounds = struct.unpack_from(f"<{count + 1}I", plc)
    for number in range(count):
        start = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * number + 2)[0]
        characters = max(0, bounds[number + 1] - bounds[number])
        if start & _COMPRESSED:
            start = (start & ~_COMPRESSED) // 2
            yield stream[start : start + characters].decode("cp1252", "replace")
        else:
            yield stream[start : start + 2 * characters].decode("utf-16-le", "replace")


def _foreign(name: str, container: Any) -> SourceError:
    for stream, english, chinese, target in (
        ("Workbook", "an old Excel file (.xls)", "旧版 Excel 文件（.xls）", ".xlsx"),
        ("Book", "an old Excel file (.xls)", "旧版 Excel 文件（.xls）", ".xlsx"),
        ("PowerPoint Document", "an old PowerPoint file (.ppt)", "旧版 PowerPoint 文件（.ppt）", ".pdf"),
    ):
        if container.exists(stream):
            return SourceError(
                f"{name} is {english}, which is not read; save it as {target}.",
                f"{name} 是{chinese}，不能读取；请另存为 {target}。",
            )
    if container.exists("EncryptedPackage"):
        return SourceError(
            f"{name} is locked with a password; save it without one.", f"{name} 有密码保护；请另存为无密码的文件。"
        )
    return SourceError(f"{name} is no Word document.", f"{name} 不是 Word 文档。")
