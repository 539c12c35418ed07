"""Where candidates come from, behind one small protocol.

An engine keeps documents and passages, answers two questions (which passages hold these words, which are
nearest to this vector) and hands out what it keeps. It does not know what a query is, how lists are fused
or what a hit looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.engine.schema import Row

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on the document of a passage; empty ones match everything, values of one field are alternatives.

    A byline matches where it holds the text given; the others are compared whole.
    """

    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    date_from: str = ""
    date_to: str = ""
    bylines: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sources or self.tags or self.date_from or self.date_to or self.bylines)


@dataclass(frozen=True, slots=True)
class Found:
    """A ranked list: passage numbers, best first, and their scores, of equal length."""

    numbers: Numbers
    scores: Scores

    @classmethod
    def nothing(cls) -> Found:
        """The empty list."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Known:
    """What an engine keeps at hand about candidates, aligned with the numbers that were asked.

    Attributes:
        documents: Number of each passage's document.
        keys: Equal where the text is the same or a repeat: the first 8 bytes of one of these passages' key.
        vectors: Embeddings, shape ``(n, dimension)``; rows of zeros where a passage has none yet.
        tokens: Word-table token ids of each passage, empty where unknown.
    """

    documents: Numbers
    keys: npt.NDArray[np.uint64]
    vectors: npt.NDArray[np.float32]
    tokens: Sequence[npt.NDArray[np.uint32]]


class View(Protocol):
    """One generation of an engine's indexes; stays as it is while writers go on."""

    @property
    def generation(self) -> int:
        """Number of this generation; grows with every publication."""
        ...

    @property
    def passages(self) -> int:
        """How many passages the word index holds."""
        ...

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many passages each token occurs."""
        ...

    def lexical(self, weights: dict[str, float], required: Sequence[str], limit: int, only: Filter) -> Found:
        """Best passages by BM25 over weighted tokens; every token of ``required`` must occur."""
        ...

    def dense(self, vector: npt.NDArray[np.float32], limit: int, only: Filter) -> Found:
        """Nearest passages to a unit vector, scores are exact cosines."""
        ...

    def known(self, numbers: Numbers) -> Known:
        """What is at hand about these passages."""
        ...

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """The stored passages; numbers that are gone are left out."""
        ...
