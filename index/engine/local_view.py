"""What is searched on one machine: a published generation, or what can be salvaged of a damaged one.

Brings the word index, the segments of vectors and the store together behind ``index.engine.View``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.engine import Filter, Found, Known, Numbers
from index.engine.columns import Columns, VectorRow
from index.engine.generation import Generations, Manifest
from index.engine.publishing import PHRASES, late_of
from index.engine.schema import Row
from index.engine.store import Store
from index.engine.vectors import Segment, merge
from index.engine.words import WordIndex
from index.phrases import Phrase, read_phrases
from index.wordtable import Ids

_NO_TOKENS = np.empty(0, np.uint32)
_SALVAGED = (
    "the index of them is damaged or gone, and is being made anew from the database",
    "向量索引损坏或缺失，正在从数据库重建",
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a view is made of.

    Attributes:
        segments: The first of them the large one; those without vectors are found by words alone.
        words: ``None`` where there is no word index.
        phrases: The file of frequent phrases.
        families: Two rows: keys of repeated texts, ascending, and of the family of each.
    """

    generation: int
    fingerprint: str
    dimension: int
    segments: tuple[Segment, ...]
    words: WordIndex | None
    phrases: Path
    families: npt.NDArray[np.uint64]


def published_view(store: Store, generations: Generations, manifest: Manifest) -> LocalView:
    """A generation as it was published; raises anything where it is damaged."""
    folder = generations.path(manifest.generation)
    alive = np.load(folder / "alive.npy") if (folder / "alive.npy").exists() else None
    base = Segment.open(folder / "base", manifest.dimension, alive)
    recent = Segment.open(folder / "recent", manifest.dimension, None)
    late = late_of(folder)
    families = folder / "families.npy"  # generations of earlier versions have none
    parts = Parts(
        generation=manifest.generation,
        fingerprint=manifest.fingerprint,
        dimension=manifest.dimension,
        segments=(base, recent) if late is None else (base, recent, late),
        words=WordIndex(folder / "words"),
        phrases=folder / PHRASES,
        families=np.load(families) if families.exists() else np.empty((2, 0), np.uint64),
    )
    return LocalView(store, parts, manifest)


def salvaged_view(store: Store, generations: Generations) -> LocalView | None:
    """What can be searched where the published generation is damaged or gone: the vectors as the store holds them, each
    compared, and the word index if that is whole; ``None`` where there are no vectors either.

    Reads all vectors into memory.
    """
    dimension = store.vectors.dimension()
    if not dimension:
        return None
    with store.snapshot():
        rows = (VectorRow(*row) for row in store.vectors.after(0))
        segment = Segment(Columns.of_rows(rows, dimension), dimension, None, None)
        families = store.families.all()
    words = generations.whole_folder("words")
    generation = generations.published() or 0
    parts = Parts(
        generation=generation,
        fingerprint=store.meta("fingerprint") or "",
        dimension=dimension,
        segments=(segment,),
        words=None if words is None else WordIndex(words),
        phrases=generations.path(generation) / PHRASES,
        families=families,
    )
    return LocalView(store, parts, None)


class LocalView:
    """One generation, opened for reading, or what could be salvaged of one.

    Args:
        manifest: Of the generation; ``None`` where it is salvaged.

    Attributes:
        harmed: Whether files of it were overwritten since they were opened.
    """

    def __init__(self, store: Store, parts: Parts, manifest: Manifest | None) -> None:
        self.manifest = manifest
        self.harmed = False
        self._store = store
        self._parts = parts
        self._repeated, self._family = parts.families
        # A function of the store, not a bound method: a view that is its own cache's argument would be a cycle,
        # and keep its files open until the garbage collector comes by.
        self._allowed = lru_cache(maxsize=32)(partial(_matching, store))

    @property
    def generation(self) -> int:
        """Number of this generation."""
        return self._parts.generation

    @property
    def passages(self) -> int:
        """How many passages the word index holds."""
        return 0 if self._parts.words is None else len(self._parts.words)

    @property
    def fingerprint(self) -> str:
        """Of the embedding model that the vectors are from."""
        return self._parts.fingerprint

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return self._parts.dimension

    @property
    def kind(self) -> str:
        """How vectors are searched, in words."""
        return self._parts.segments[0].kind

    @property
    def reason(self) -> tuple[str, str]:
        """Why they are searched like that, in English and in Chinese."""
        return self._parts.segments[0].reason if self.manifest is not None else _SALVAGED

    @property
    def missing(self) -> tuple[str, ...]:
        """What takes no part in its answers, as ``Answer.degraded`` names it."""
        if self.manifest is not None:
            partial = any(not segment.dimension and len(segment) for segment in self._parts.segments)
            return (*(["indexes"] if self.harmed else []), *(["dense-partial"] if partial else []))
        return ("indexes",) if self._parts.words is not None else ("indexes", "lexical")

    def phrases(self) -> list[Phrase]:
        """The archive's frequent phrases, most frequent first; none where the generation is gone already."""
        return read_phrases(self._parts.phrases)

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many passages each token occurs."""
        return [0] * len(terms) if self._parts.words is None else self._parts.words.frequencies(terms)

    def lexical(self, weights: dict[str, float], required: Sequence[str], limit: int, only: Filter) -> Found:
        """Best passages by BM25 over weighted tokens; every token of ``required`` must occur."""
        if self._parts.words is None:
            return Found.nothing()
        # The word index keeps no bylines: the numbers of their passages stand for them.
        allowed = self._allowed(Filter(bylines=only.bylines)) if only.bylines else None
        return self._parts.words.search(weights, required, limit, only, allowed)

    def dense(self, vector: npt.NDArray[np.float32], limit: int, only: Filter) -> Found:
        """Nearest passages to a unit vector, scores are cosines."""
        allowed = self._allowed(only) if only else None
        return merge([segment.search(vector, limit, allowed) for segment in self._parts.segments], limit)

    def known(self, numbers: Numbers, vector: npt.NDArray[np.float32] | None = None) -> Known:
        """What is at hand about these passages, with their cosines to ``vector``."""
        documents = np.zeros(len(numbers), np.int64)
        keys = np.zeros(len(numbers), np.uint64)
        cosines = np.full(len(numbers), np.nan, np.float32)
        tokens: list[Ids] = [_NO_TOKENS] * len(numbers)
        for segment in self._parts.segments:
            rows, present = segment.places(numbers)
            where = np.flatnonzero(present)
            rows = rows[where]
            documents[where] = segment.documents[rows] if len(rows) else 0
            keys[where] = segment.keys[rows] if len(rows) else 0
            if segment.dimension and vector is not None:
                # Row by row: a product with all of them would give equal rows values that differ in the last digit.
                cosines[where] = np.vecdot(segment.vectors(rows), vector)
            for place, ids in zip(where, segment.tokens(rows), strict=True):
                tokens[place] = ids
        if len(self._repeated):
            places = np.minimum(np.searchsorted(self._repeated, keys), len(self._repeated) - 1)
            keys = np.where(self._repeated[places] == keys, self._family[places], keys)
        return Known(documents, keys, cosines, tokens)

    def cut(self, numbers: Sequence[int]) -> list[Ids]:
        """The word-table tokens of these passages as they were cut, empty where unknown."""
        found = self._store.vectors.tokens_of(numbers)
        return [found.get(number, _NO_TOKENS) for number in numbers]

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """The stored passages; numbers that are gone are left out."""
        return self._store.rows(numbers)


def _matching(store: Store, only: Filter) -> Numbers:
    return store.matching(only.sources, only.tags, only.date_from, only.date_to, only.bylines)
