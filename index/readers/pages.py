"""What readers give: pages of text, or records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Decoded text of one page; ``number`` is 1-based, ``None`` for formats without pages."""

    text: str
    number: int | None = None
