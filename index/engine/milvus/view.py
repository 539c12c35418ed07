"""Searching a published generation in Milvus; see ``index.engine.View``.

Milvus keeps no old states: rows written since are found already, and those of removed documents for a moment still,
until hits look for their documents. Frequencies and scores are those of the generation.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from index.engine import Filter, Found, Known, Numbers
from index.engine.milvus.client import Client, Fields, listed, quoted
from index.engine.milvus.documents import Documents
from index.engine.milvus.editions import unpacked
from index.engine.milvus.families import FamilyRows
from index.engine.milvus.filters import byline_condition, condition_of, is_loose
from index.engine.milvus.journal import ALIVE, Manifest
from index.engine.milvus.layout import DOCUMENTS, passages_of
from index.engine.milvus.publishing import read_phrases
from index.engine.milvus.terms import Terms
from index.engine.milvus.weights import dimension_of
from index.engine.schema import Row
from index.phrases import Phrase
from index.wordtable import Ids

_CACHED = 50_000  # document frequencies kept
_AT_ONCE = 1_000  # passages looked up at once
_FEWEST = 200  # candidates an HNSW index looks at


class MilvusView:
    """One generation; safe to share between threads."""

    def __init__(self, client: Client, manifest: Manifest, documents: Documents, families: FamilyRows) -> None:
        self.manifest = manifest
        self._client = client
        self._documents = documents
        self._families = families
        self._passages = passages_of(manifest.edition)
        self._terms = Terms(client, manifest.edition, manifest.buckets)
        self._frequencies: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    @property
    def generation(self) -> int:
        """Number of this generation."""
        return self.manifest.generation

    @property
    def passages(self) -> int:
        """How many passages the word index holds."""
        return self.manifest.passages

    @property
    def fingerprint(self) -> str:
        """Of the embedding model that the vectors are from."""
        return self.manifest.fingerprint

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return self.manifest.dimension

    @property
    def kind(self) -> str:
        """How vectors are searched, in words."""
        return "exact, in Milvus Lite" if self._client.lite else "HNSW, in Milvus"

    @property
    def reason(self) -> tuple[str, str]:
        """Why they are searched like that, in English and in Chinese."""
        if self._client.lite:
            return (
                "Milvus Lite is for small archives, where comparing with every vector misses nothing",
                "Milvus Lite 用于小档案，逐一比较不会漏掉任何一个",
            )
        return (
            "of an archive that outgrew one machine only a part can be compared",
            "档案大到一台机器放不下，只能比较其中一部分",
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """What takes no part in its answers, as ``Answer.degraded`` names it."""
        return ("dense-partial",) if self.manifest.waiting else ()

    def phrases(self) -> list[Phrase]:
        """The archive's frequent phrases, most frequent first; none where a later generation has replaced them."""
        return read_phrases(self._client, self.manifest)

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many passages each token occurs."""
        with self._lock:
            known = {term: self._frequencies[term] for term in terms if term in self._frequencies}
        new = [term for term in dict.fromkeys(terms) if term not in known]
        if new:
            found = self._terms.frequencies(new, self.generation)
            known.update(zip(new, found, strict=True))
            with self._lock:
                self._frequencies.update(zip(new, found, strict=True))
                while len(self._frequencies) > _CACHED:
                    self._frequencies.popitem(last=False)
        return [known[term] for term in terms]

    def lexical(self, weights: dict[str, float], required: Sequence[str], limit: int, only: Filter) -> Found:
        """Best passages by BM25 over weighted tokens; every token of ``required`` must occur."""
        factors = dict(weights)
        for term in required:
            factors[term] = factors.get(term, 0.0) + 1.0
        asked = self._asked(factors)
        if not asked or limit < 1:
            return Found.nothing()
        # That a token stands in the text is asked of the text: its weight alone tells only that some do.
        parts = [self._condition(only), *(f"folded like {quoted(f'%{term}%')}" for term in required)]
        hits = self._client.search(
            self._passages, "weights", asked, limit, metric="IP", where=" and ".join(filter(None, parts))
        )
        return _found(hits)

    def dense(self, vector: npt.NDArray[np.float32], limit: int, only: Filter) -> Found:
        """Nearest passages to a unit vector, scores are exact cosines."""
        if limit < 1 or not self.passages:
            return Found.nothing()
        parts = [self._condition(only), "embedded == 1" if self.manifest.waiting else ""]
        hits = self._client.search(
            self._passages,
            "vector",
            vector.tolist(),
            limit,
            metric="COSINE",
            where=" and ".join(filter(None, parts)),
            effort=None if self._client.lite else max(_FEWEST, 2 * limit),
        )
        return _found(hits)

    def known(self, numbers: Numbers, vector: npt.NDArray[np.float32] | None = None) -> Known:
        """What is at hand about these passages, with their cosines to ``vector``."""
        places = {number: place for place, number in enumerate(numbers.tolist())}
        documents = np.zeros(len(numbers), np.int64)
        keys = np.zeros(len(numbers), np.int64)
        cosines = np.full(len(numbers), np.nan, np.float32)
        tokens: list[npt.NDArray[np.uint32]] = [np.empty(0, np.uint32)] * len(numbers)
        for number, cosine, row in self._at_hand(list(places), vector):
            place = places[number]
            documents[place], keys[place] = row["document"], row["said"]
            if vector is not None and row["embedded"]:
                cosines[place] = cosine
            tokens[place] = unpacked(row["words"])
        return Known(documents, self._families.keys(keys.view(np.uint64)), cosines, tokens)

    def _at_hand(
        self, numbers: Sequence[int], vector: npt.NDArray[np.float32] | None
    ) -> list[tuple[int, float, Fields]]:
        """Number, cosine and fields of passages; Milvus computes the cosines, so that no vector has to be sent."""
        fields = ("number", "document", "said", "embedded", "words")
        found: list[tuple[int, float, Fields]] = []
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            where = f"number in {listed(some)}"
            if vector is None:
                rows = self._client.query(self._passages, where, fields)
                found += [(int(row["number"]), 0.0, row) for row in rows]
            else:
                found += self._client.search(
                    self._passages, "vector", vector.tolist(), len(some), metric="COSINE", where=where, fields=fields,
                    effort=None if self._client.lite else max(_FEWEST, 2 * len(some)),
                )  # fmt: skip
        return found

    def cut(self, numbers: Sequence[int]) -> list[Ids]:
        """The word-table tokens of these passages as they were cut, empty where unknown."""
        if not numbers:
            return []
        rows = self._client.query(self._passages, f"number in {listed(numbers)}", ("number", "words"))
        found = {int(row["number"]): unpacked(row["words"]) for row in rows}
        return [found.get(number, np.empty(0, np.uint32)) for number in numbers]

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """The stored passages; numbers that are gone are left out."""
        return self._documents.rows(numbers)

    def _asked(self, factors: Mapping[str, float]) -> dict[int, float]:
        """The query's part of BM25: factors times inverse document frequencies, as Tantivy counts them."""
        asked: dict[int, float] = {}
        for (term, factor), frequency in zip(factors.items(), self.frequencies(list(factors)), strict=True):
            if frequency and factor > 0:
                rarity = math.log(1 + (max(self.passages - frequency, 0) + 0.5) / (frequency + 0.5))
                dimension = dimension_of(term)
                asked[dimension] = asked.get(dimension, 0.0) + factor * rarity
        return asked

    def _condition(self, only: Filter) -> str:
        if not is_loose(only.bylines):
            return condition_of(only)
        # ``like`` takes % and _ as wild; so the bylines that it may mean are looked up and compared here.
        rows = self._client.query(DOCUMENTS, f"{byline_condition(only.bylines)} and gone == {ALIVE}", ("byline",))
        there = {str(row["byline"]) for row in rows}
        return condition_of(only, sorted(one for one in there if any(part in one for part in only.bylines)))


def _found(hits: Sequence[tuple[int, float, Fields]]) -> Found:
    numbers = np.array([number for number, _, _ in hits], np.int64)
    return Found(numbers, np.array([score for _, score, _ in hits], np.float32))
