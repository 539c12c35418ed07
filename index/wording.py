"""Many texts -> their word-index tokens at once: what ``chinese.tokens`` gives, by arrays instead of small strings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from index.chinese import CJK, WORD, fold, with_parts

_WORDS = re.compile(WORD)
_BLANK = ord(" ")
_PLANES = 0x40000  # the first four: what lies above is neither folded nor Chinese

_Points = npt.NDArray[np.uint32]


@cache
def _tables() -> tuple[_Points, npt.NDArray[np.bool_]]:
    """For each code point of the planes with Chinese characters: its folded one, and whether that is Chinese."""
    every = "".join(map(chr, range(_PLANES)))
    folded = np.frombuffer(fold(every).encode("utf-32-le", "surrogatepass"), "<u4")
    chinese = np.zeros(len(every), np.bool_)
    for first, last in re.findall("(.)-(.)", CJK):
        chinese[ord(first) : ord(last) + 1] = True
    return folded, chinese[folded]


def token_texts(texts: Sequence[str]) -> list[str]:
    """For each text the tokens of ``chinese.tokens(chinese.fold(text))``, in another order, with blanks between."""
    lengths = np.array([len(text) for text in texts], np.int64)
    ends = np.cumsum(lengths)
    table, chinese = _tables()
    written = np.frombuffer("".join(texts).encode("utf-32-le"), "<u4")
    above = written >= _PLANES
    known = np.where(above, 0, written)
    points = np.where(above, written, table[known])
    single = chinese[known]
    double = np.zeros(len(single), np.bool_)
    double[:-1] = single[:-1] & single[1:]
    double[ends[lengths > 0] - 1] = False  # no pair of the last character of one text and the first of the next
    out, starts = _spelled(points, single, double)
    spelled = out.tobytes().decode("utf-32-le")
    folded = points.astype("<u4").tobytes().decode("utf-32-le")
    found = []
    for start, end in zip((ends - lengths).tolist(), ends.tolist(), strict=True):
        words = with_parts(_WORDS.findall(folded, start, end))
        found.append(spelled[starts[start] : starts[end]] + " ".join(words))
    return found


def _spelled(
    points: _Points, single: npt.NDArray[np.bool_], double: npt.NDArray[np.bool_]
) -> tuple[_Points, npt.NDArray[np.int64]]:
    """Every character of ``single`` and, where it begins a pair, that pair, each with a blank behind it; and where
    what each character gives begins, with the whole length last."""
    starts = np.concatenate(([0], np.cumsum(2 * single.astype(np.int64) + 3 * double)))
    out = np.full(int(starts[-1]), _BLANK, np.uint32)
    out[starts[:-1][single]] = points[single]
    pairs = np.flatnonzero(double)
    at = starts[pairs] + 2
    out[at] = points[pairs]
    out[at + 1] = points[pairs + 1]
    return out, starts
