"""Files packed as a whole: .gz, .xz and .bz2, unpacked while they are read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from index.errors import SourceError
from index.readers.content import Content

_MAGIC = ((b"\x1f\x8b\x08", "gz"), (b"\xfd7zXZ\x00", "xz"), (b"BZh", "bz2"))
RATIO = 1000  # times that text may grow; the most tedious grows a hundred times
_SMALL = 256 << 20  # unpacked bytes below which nobody asks
SUFFIXES = {".gz", ".xz", ".bz2"}


def file_content(file: Path) -> Content:
    """What is in a file, unpacked where its name says that it is packed."""
    content = Content.of_file(file)
    return unpacked(content) if file.suffix.lower() in SUFFIXES else content


def packing(head: bytes) -> str:
    """``gz``, ``xz``, ``bz2``, or nothing, by the first bytes."""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def unpacked(content: Content) -> Content:
    """The content below the packing; its name loses a packing's suffix for readers, but not for people.

    Raises:
        SourceError: When read, where the bytes are damaged or not packed at all.
    """

    @contextmanager
    def stream() -> Iterator[IO[bytes]]:
        try:
            with content.stream() as raw, _unpacking(raw, content.head(6)) as plain:
                yield cast(IO[bytes], io.BufferedReader(_Counted(content.name, raw, plain)))
        except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
            raise _damaged(content.name, str(error)) from error
        except OSError as error:
            if error.errno is not None:  # the disk's trouble; bz2 and gzip raise theirs without a number
                raise
            raise _damaged(content.name, str(error)) from error

    return Content(content.name, stream)


class _Counted(io.RawIOBase):
    """Unpacked bytes, refused once there are far more of them than packed ones."""

    def __init__(self, name: str, packed: IO[bytes], plain: IO[bytes]) -> None:
        self._name, self._packed, self._plain = name, packed, plain
        self._size = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer.

        Raises:
            SourceError: So many bytes are no document.
        """
        part = self._plain.read(len(buffer))
        buffer[: len(part)] = part
        self._size += len(part)
        if self._size > _SMALL and self._size > RATIO * self._packed.tell():
            raise SourceError(
                f"{self._name} unpacks to more than {RATIO} times its size; unpack it first.",
                f"{self._name} 解压后超过压缩前的 {RATIO} 倍；请先解压。",
            )
        return len(part)


def _unpacking(raw: IO[bytes], head: bytes) -> IO[bytes]:
    kind = packing(head)
    if kind == "gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    return bz2.BZ2File(raw) if kind == "bz2" else lzma.LZMAFile(raw)


def inner_name(name: str) -> str:
    """The name without the packing's suffix: ``news.jsonl`` for ``news.jsonl.xz``."""
    path = Path(name)
    return str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else name


def _damaged(name: str, why: str) -> SourceError:
    return SourceError(
        f"{name} cannot be unpacked: {why}; it is damaged or not what its name says.",
        f"无法解压 {name}：{why}；文件已损坏，或与扩展名不符。",
    )
