"""Opening files as bytes, compressed or not, with a limit on what comes out."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from index.errors import SourceError


@contextmanager
def opened(file: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where its name ends in .gz or .xz.

    Raises:
        SourceError: The file is damaged or not what its name says.
    """
    try:
        with file.open("rb") as raw, _unpacked(raw, file.suffix.lower()) as stream:
            yield stream
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"{file} cannot be unpacked: {error}; it is damaged or not what its name says.",
            f"无法解压 {file}：{error}；文件已损坏，或与扩展名不符。",
        ) from error


def _unpacked(raw: IO[bytes], suffix: str) -> IO[bytes]:
    if suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    return lzma.LZMAFile(raw) if suffix == ".xz" else raw
