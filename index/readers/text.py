"""Plain text and Markdown in UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from index.errors import SourceError
from index.readers.opening import opened
from index.readers.pages import Page

MAXIMUM = 64 << 20  # bytes; a larger "text" is a dump, and would be one document


def read_text(file: Path) -> Iterator[Page]:
    """The whole file as one page.

    Raises:
        SourceError: It is not UTF-8, is binary, or is larger than 64 MiB.
    """
    with opened(file) as stream:
        raw = stream.read(MAXIMUM + 1)
    if len(raw) > MAXIMUM:
        raise SourceError(
            f"{file} is larger than 64 MiB; split it, or turn it into records (.jsonl).",
            f"{file} 超过 64 MiB；请拆分，或改成每行一条记录的 .jsonl。",
        )
    if b"\x00" in raw:
        raise SourceError(f"{file} is not a text file.", f"{file} 不是文本文件。")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file} is not UTF-8 (byte {error.start}); convert it, for example: iconv -f GB18030 -t UTF-8.",
            f"{file} 不是 UTF-8 编码（第 {error.start} 字节）；请先转换，例如：iconv -f GB18030 -t UTF-8。",
        ) from error
    yield Page(text)
