"""Bytes to read, whatever they come from: a file, or a member of an archive."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from index.errors import SourceError
from index.readers.encoding import decode


@dataclass(frozen=True, slots=True)
class Content:
    """Something to read.

    Attributes:
        name: Path shown to people, from which documents get their ids.
        stream: Opens the bytes, to be read from the start; each call opens them anew.
    """

    name: str
    stream: Callable[[], AbstractContextManager[IO[bytes]]]

    @classmethod
    def of_file(cls, file: Path) -> Content:
        """The bytes of a file."""
        return cls(written(file), lambda: file.open("rb"))

    @classmethod
    def of_bytes(cls, name: str, raw: bytes) -> Content:
        """Bytes at hand."""
        return cls(name, lambda: BytesIO(raw))

    def head(self, length: int = 4096) -> bytes:
        """The first bytes."""
        with self.stream() as stream:
            return stream.read(length)

    def read(self, maximum: int) -> bytes:
        """All bytes.

        Raises:
            SourceError: There are more than ``maximum``.
        """
        with self.stream() as stream:
            raw = stream.read(maximum + 1)
        if len(raw) > maximum:
            limit = f"{maximum >> 20} MiB"
            raise SourceError(
                f"{self.name} is larger than {limit}; split it, or turn it into records (.jsonl).",
                f"{self.name} 超过 {limit}；请拆分，或改成每行一条记录的 .jsonl。",
            )
        return raw

    @property
    def suffixes(self) -> list[str]:
        """The name's last suffixes in lower case, the last one last."""
        return [suffix.lower() for suffix in Path(self.name).suffixes[-2:]]


def written(path: Path) -> str:
    """A path as text; names on it that are not UTF-8, as old archives have them, are decoded as texts are."""
    raw = os.fsencode(path)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "/".join(decode(name).text for name in raw.split(b"/"))
