"""The parts of a zipped document (DOCX, EPUB), with a limit on what comes out of them."""

from __future__ import annotations

import zipfile
import zlib
from io import BytesIO
from typing import Any

from index.errors import SourceError
from index.readers.content import Content

MAXIMUM = 256 << 20  # bytes of the file, and of one part
_BROKEN = (zipfile.BadZipFile, ValueError, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


class Parts:
    """The parts of a document that is a zip.

    Args:
        content: The document.

    Raises:
        SourceError: It is damaged or too large.
    """

    def __init__(self, content: Content) -> None:
        self._name = content.name
        try:
            self._zip = zipfile.ZipFile(BytesIO(content.read(MAXIMUM)))
        except _BROKEN as error:
            raise damaged(content.name, error) from error
        self.names = self._zip.namelist()

    def read(self, name: str) -> bytes:
        """One part's bytes, nothing where there is none.

        Raises:
            SourceError: It is damaged or too large.
        """
        if name not in self.names:
            return b""
        try:
            with self._zip.open(name) as stream:
                raw = stream.read(MAXIMUM + 1)
        except _BROKEN as error:
            raise damaged(self._name, error) from error
        if len(raw) > MAXIMUM:
            raise SourceError(
                f"{self._name} unpacks to more than {MAXIMUM >> 20} MiB; it was not read.",
                f"{self._name} 解压后超过 {MAXIMUM >> 20} MiB，未读入。",
            )
        return raw

    def tree(self, name: str) -> Any:
        """One part's XML as an lxml element, ``None`` where there is none. Entities are not followed.

        Raises:
            SourceError: It is damaged or too large.
        """
        from lxml import etree  # noqa: PLC0415 - heavy

        raw = self.read(name)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            return etree.fromstring(raw, parser) if raw.strip() else None
        except (etree.XMLSyntaxError, ValueError) as error:
            raise damaged(self._name, error) from error


def damaged(name: str, error: Exception) -> SourceError:
    """What is said of a document that cannot be opened."""
    why = " ".join(str(error).split())[:120] or type(error).__name__
    return SourceError(
        f"{name} is damaged, or not what its name says: {why}.", f"{name} 已损坏，或与扩展名不符：{why}。"
    )
