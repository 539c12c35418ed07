"""What an engine is: where documents are kept and candidates come from, behind one protocol.

An engine keeps documents and passages, answers two questions (which passages hold these words, which are
nearest to this vector) and hands out what it keeps. It does not know what a query is, how lists are fused
or what a hit looks like.

    Engine    one archive in one place: may write once at a time, publishes, hands out the two below
    Store     the truth (``truth.py``): documents, passages, vectors, files, families; changed in transactions
    View      one published generation, to search

``local.py`` keeps everything in the data directory of one machine, ``milvus.py`` in Milvus; ``opening.py`` chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.engine.schema import Row
from index.engine.truth import Store
from index.phrases import Phrase
from index.wordtable import Ids, WordTable

__all__ = ["Engine", "Filter", "Found", "Known", "Numbers", "Scores", "Store", "View"]

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
        cosines: Of each passage with the vector that was given; NaN where a passage has no embedding yet, and
            where no vector was given.
        tokens: The word-table tokens of each passage, in any order, repeated or not, empty where unknown.
    """

    documents: Numbers
    keys: npt.NDArray[np.uint64]
    cosines: Scores
    tokens: Sequence[Ids]

    def followed_by(self, other: Known) -> Known:
        """What is known of these candidates and then of others."""
        return Known(
            np.concatenate([self.documents, other.documents]),
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.cosines, other.cosines]),
            [*self.tokens, *other.tokens],
        )


class View(Protocol):
    """One generation of an engine's indexes.

    Raises:
        EngineError: From any method, where the engine is elsewhere and cannot be reached.
    """

    @property
    def generation(self) -> int:
        """Number of this generation; grows with every publication."""
        ...

    @property
    def passages(self) -> int:
        """How many passages the word index holds."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of the embedding model that the vectors are from."""
        ...

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        ...

    @property
    def kind(self) -> str:
        """How vectors are searched, in words."""
        ...

    @property
    def reason(self) -> tuple[str, str]:
        """Why they are searched like that, in English and in Chinese."""
        ...

    @property
    def missing(self) -> tuple[str, ...]:
        """What takes no part in its answers, as ``Answer.degraded`` names it; empty when all is well."""
        ...

    def phrases(self) -> list[Phrase]:
        """The archive's frequent phrases, most frequent first."""
        ...

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many passages each token occurs."""
        ...

    def lexical(self, weights: dict[str, float], required: Sequence[str], limit: int, only: Filter) -> Found:
        """Best passages by BM25 over weighted tokens; every token of ``required`` must occur."""
        ...

    def dense(self, vector: npt.NDArray[np.float32], limit: int, only: Filter) -> Found:
        """Nearest passages to a unit vector, scores are cosines."""
        ...

    def known(self, numbers: Numbers, vector: npt.NDArray[np.float32] | None = None) -> Known:
        """What is at hand about these passages.

        Args:
            vector: A unit vector, of which ``Known.cosines`` are wanted.
        """
        ...

    def cut(self, numbers: Sequence[int]) -> list[Ids]:
        """The word-table tokens of these passages as they were cut, empty where unknown."""
        ...

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """The stored passages; numbers that are gone are left out."""
        ...


class Engine(Protocol):
    """One archive in one place.

    Attributes:
        data: The data directory: of ``local`` all of it, of others what belongs to this machine, such as keys.
    """

    data: Path

    @property
    def name(self) -> str:
        """``local``, or the address as the user gave it."""
        ...

    @property
    def store(self) -> Store:
        """The truth."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

    def writing(self, timeout: float = 10.0) -> AbstractContextManager[None]:
        """Be the one writer.

        Raises:
            BusyError: Another process is writing and went on for ``timeout`` seconds.
        """
        ...

    def view(self) -> View | None:
        """The current generation, ``None`` before the first and while it is damaged."""
        ...

    def salvage(self) -> bool:
        """Where what is published is damaged or gone, have ``view`` answer by what is whole, until it is made anew.

        Returns whether that is so now.
        """
        ...

    def is_current(self, fingerprint: str, table: str) -> bool:
        """Whether the published generation covers all of the store, with these models."""
        ...

    def publish(
        self, fingerprint: str, dimension: int, table: WordTable, *, anew: bool = False, waiting: bool = False
    ) -> None:
        """Bring the derived indexes in step with the store. Call inside ``writing()``.

        Args:
            fingerprint, dimension: Of the embedding model whose vectors the store holds.
            table: The word table whose token ids the store holds.
            anew: Take nothing over from the last generation.
            waiting: Some passages have no vectors yet, and are to be found by words.
        """
        ...

    def copy_to(self, file: Path) -> None:
        """Write the truth, as it is at one moment, into the new SQLite file ``file``, while others read and write.

        Whatever the engine, the file is of the format in ``schema``, so that a backup of one is restored in another.

        Raises:
            DataError: There is no room for it, or the truth is damaged.
        """
        ...

    def tidy(self) -> None:
        """Give back the room of what was removed, where that is not another machine's affair. Inside ``writing()``.

        Raises:
            DataError: There is no room for the copy that this takes; nothing is lost.
        """
        ...

    def damage(self) -> list[str]:
        """What is damaged, in English sentences; reads every byte, where that is not another machine's affair."""
        ...

    def problems(self) -> list[str]:
        """What is published otherwise than stored, in English sentences; reads everything. Outside ``writing()`` some
        of it may be what is just about to be published."""
        ...

    def options(self) -> str:
        """What a command needs to find this archive: ``--data DIR``, and ``--engine`` where it is not ``local``."""
        ...

    def size(self) -> int:
        """Bytes on disk, 0 where that is for another machine to know."""
        ...
