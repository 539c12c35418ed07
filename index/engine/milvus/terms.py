"""In how many passages each token occurs. Many tokens share a row, so that a search reads a few rows, not dozens.

A row keeps what it says and what it said before: readers of a generation are not disturbed by the publication of the
next, and a publication that was cut short is taken back by the next one.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from index.engine.milvus.client import Client, Fields, listed
from index.engine.milvus.layout import LONGEST, NOTHING, terms_of
from index.engine.milvus.weights import dimension_of
from index.errors import DataError

_AT_ONCE = 500
_FIELDS = ("number", "generation", "counts", "before")

Counts = npt.NDArray[np.uint32]  # shape (tokens, 2): dimension of each and its count, ascending


class Terms:
    """The document frequencies of one edition.

    Args:
        buckets: Rows over which they are spread; a power of two.
    """

    def __init__(self, client: Client, edition: int, buckets: int) -> None:
        self._client = client
        self._collection = terms_of(edition)
        self._buckets = buckets

    def frequencies(self, tokens: Sequence[str], generation: int) -> list[int]:
        """In how many passages each token occurred in a generation."""
        dimensions = [dimension_of(token) for token in tokens]
        buckets = {dimension % self._buckets for dimension in dimensions}
        counts = {int(row["number"]): _as_of(row, generation) for row in self._rows(sorted(buckets))}
        return [_count(counts.get(dimension % self._buckets), dimension) for dimension in dimensions]

    def take_back(self, generation: int) -> None:
        """Undo what was written for generations after this one and never published."""
        while rows := self._client.query(self._collection, f"generation > {generation}", _FIELDS, limit=_AT_ONCE):
            self._client.upsert(
                self._collection,
                (_row(int(row["number"]), generation, _as_of(row, generation), ()) for row in rows),
            )

    def add(self, changes: Mapping[int, int], generation: int) -> None:
        """Count more, or less, passages with some tokens, by dimension; ``generation`` is the next one."""
        of_bucket: dict[int, dict[int, int]] = {}
        for dimension, change in changes.items():
            of_bucket.setdefault(dimension % self._buckets, {})[dimension] = change
        buckets = sorted(of_bucket)
        for start in range(0, len(buckets), _AT_ONCE):
            some = buckets[start : start + _AT_ONCE]
            before = {int(row["number"]): _as_of(row, generation - 1) for row in self._rows(some)}
            self._client.upsert(self._collection, self._changed(some, before, of_bucket, generation))

    def _changed(
        self, buckets: Iterable[int], before: dict[int, Counts], changes: dict[int, dict[int, int]], generation: int
    ) -> Iterator[Fields]:
        for bucket in buckets:
            old = before.get(bucket, np.empty((0, 2), np.uint32))
            counts = Counter(dict(old.tolist()))
            counts.update(changes[bucket])
            left = [(dimension, count) for dimension, count in sorted(counts.items()) if count > 0]
            yield _row(bucket, generation, np.array(left, np.uint32).reshape(-1, 2), old)

    def _rows(self, buckets: Sequence[int]) -> list[Fields]:
        rows: list[Fields] = []
        for start in range(0, len(buckets), _AT_ONCE):
            where = f"number in {listed(buckets[start : start + _AT_ONCE])}"
            rows += self._client.query(self._collection, where, _FIELDS)
        return rows


def _row(bucket: int, generation: int, counts: Counts, before: Counts | tuple[()]) -> Fields:
    texts = [b64encode(np.asarray(each, "<u4").tobytes()).decode("ascii") for each in (counts, before)]
    if max(map(len, texts)) > LONGEST:
        raise DataError(
            "There are more different words than this version can count in Milvus; run: "
            "python -m scripts.manage rebuild",
            "不同的词太多，本版本无法在 Milvus 中计数；请运行：python -m scripts.manage rebuild",
        )
    return {"number": bucket, "generation": generation, "counts": texts[0], "before": texts[1], "vector": NOTHING}


def _as_of(row: Fields, generation: int) -> Counts:
    text = row["counts"] if int(row["generation"]) <= generation else row["before"]
    return np.frombuffer(b64decode(str(text)), "<u4").reshape(-1, 2)


def _count(counts: Counts | None, dimension: int) -> int:
    if counts is None or not len(counts):
        return 0
    place = min(int(np.searchsorted(counts[:, 0], dimension)), len(counts) - 1)
    return int(counts[place, 1]) if counts[place, 0] == dimension else 0
