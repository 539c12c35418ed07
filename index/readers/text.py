"""Plain text and Markdown in UTF-8."""

from __future__ import annotations

from collections.abc import Iterator

from index.errors import SourceError
from index.readers.content import Content
from index.readers.pages import Page, Reading

MAXIMUM = 64 << 20  # bytes; a larger "text" is a dump, and would be one document


def read_text(content: Content) -> Iterator[Reading]:
    """The whole file as one document of one page.

    Raises:
        SourceError: It is not UTF-8, is binary, or is larger than 64 MiB.
    """
    raw = content.read(MAXIMUM)
    if b"\x00" in raw:
        raise SourceError(f"{content.name} is not a text file.", f"{content.name} 不是文本文件。")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{content.name} is not UTF-8 (byte {error.start}); convert it, for example: iconv -f GB18030 -t UTF-8.",
            f"{content.name} 不是 UTF-8 编码（第 {error.start} 字节）；请先转换，例如：iconv -f GB18030 -t UTF-8。",
        ) from error
    yield Reading(content.name, (Page(text),))
