"""Characters that look alike, for mistakes of eyes, strokes and optical character recognition.

The file was made by ``index/training/shapes.py``; folded (simplified) characters only.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "models" / "look-alikes.txt"


@cache
def _table() -> dict[str, str]:
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return {line[0]: line[1:] for line in lines}


def look_alikes(char: str) -> str:
    """The characters that look most like one, the most alike first; empty where none does."""
    return _table().get(char, "")
