"""The vector index: what is known of a run of passages, as columns, and FAISS over their vectors.

A segment is a folder of columns with one row a passage, ascending by number, written once. A generation has
one large segment that is rarely rewritten and a small one for what came since; passages removed from a
segment are masked until it is rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from index.engine import Found, Numbers
from index.engine.columns import HALVES, Columns, VectorRow, round_vectors, write_columns

# Up to here FAISS compares with every vector (1 ms at 20,000 x 256 on one thread); above, with the
# nearest lists of an inverted file, and the best of them again with the vectors themselves.
EXACT_UP_TO = 20_000
# Share of the lists that are read. They hold four bits for several numbers each, which FAISS compares in registers
# ("fast scan", after André et al. 2017). The compact model's vectors lie in no clear clusters: of the 10 nearest among
# the news archive's 182,036 passages, 0.6 finds 99.3 %, 0.8 and all 99.9 %; rounding loses some more.
PROBE = 0.8
# Candidates of the coarse search that are compared again, at least twice as many as are wanted: from 1,024 FAISS keeps
# them in another way, which takes twice the time. 700 find as many of the 10 nearest, of the 100 nearest fewer.
_COARSE = 1_000
# How many numbers of a vector share four bits, the first that divides its dimension. Three, where vectors point every
# way: at 1,155,134 passages under the compact model 5.4 ms for 99.85 % of the 10 nearest (two: 12.6 ms, 99.9 %; four:
# 4.4 ms, 99.0 %). One, where all of them point nearly one way, as the differences are small then: of the 10 nearest
# of the news archive under multilingual-e5-small three find 90.4 %, two 98.6 %, one all.
_SHARED, _SHARED_IF_CROWDED = (3, 2, 1), (1,)
# Length of the mean of all vectors from which they are crowded: 0.08 and 0.27 under the compact model, adapted and not,
# 0.92 under multilingual-e5-small.
_CROWDED = 0.6
_AT_ONCE = 16_384  # rows that are compared in one step, so that many take no more memory than some
_TRAIN_PER_LIST = 40  # FAISS asks for at least 39


def write_segment(folder: Path, rows: Iterable[VectorRow], dimension: int) -> int:
    """Write a segment into the empty ``folder``; rows come ascending by number. Returns how many there were."""
    count = write_columns(folder, rows)
    write_index(folder, dimension)
    return count


def write_index(folder: Path, dimension: int) -> None:
    """Build FAISS's index over the columns that were just written to ``folder``, where there are vectors, and round
    these where they are many."""
    if dimension and (folder / HALVES).stat().st_size:
        matrix = np.fromfile(folder / HALVES, dtype="<f2").reshape(-1, dimension)
        faiss.write_index(_build(matrix), str(folder / "index.faiss"))
        if len(matrix) > EXACT_UP_TO:
            round_vectors(folder, matrix)


def _build(matrix: npt.NDArray[np.float16]) -> faiss.Index:
    """Choose the kind of FAISS index by size, train it and fill it."""
    count, dimension = matrix.shape
    if count <= EXACT_UP_TO:
        flat = faiss.IndexFlatIP(dimension)
        flat.add(matrix.astype(np.float32))
        return flat
    lists = 1 << int(np.log2(np.sqrt(count)))  # twice as many find the same, and take a third longer
    sample = np.random.default_rng(0).choice(count, min(count, lists * _TRAIN_PER_LIST), replace=False)
    learned = matrix[np.sort(sample)].astype(np.float32)
    crowded = np.linalg.norm(learned.mean(axis=0)) > _CROWDED
    shared = next(some for some in (_SHARED_IF_CROWDED if crowded else _SHARED) if dimension % some == 0)
    factory = f"IVF{lists},PQ{dimension // shared}x4fs"
    index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = 20260101  # the same rows give the same lists
    index.train(learned)
    for start in range(0, count, 16_384):
        index.add(matrix[start : start + 16_384].astype(np.float32))
    return index


class Segment:
    """A segment to be read; safe to share between threads.

    Args:
        columns: Of its passages.
        dimension: Of the vectors; 0 where the rows have none, and are found by nobody here.
        alive: Mask over the rows, ``None`` where all are alive.
        index: FAISS over the vectors; without one each is compared.
    """

    def __init__(
        self, columns: Columns, dimension: int, alive: npt.NDArray[np.bool_] | None, index: faiss.Index | None
    ) -> None:
        self.dimension = dimension
        self.numbers = columns.numbers
        self.documents = columns.documents
        self.keys = columns.keys
        self._vectors = columns.vectors
        self._tokens = columns.tokens
        self._alive = alive
        self._count = len(self.numbers)
        self._index = index

    @classmethod
    def open(cls, folder: Path, dimension: int, alive: npt.NDArray[np.bool_] | None) -> Segment:
        """The segment in the folder where ``write_segment`` wrote it."""
        columns = Columns.mapped(folder, dimension)
        index = None
        if len(columns.numbers) and dimension:
            index = faiss.read_index(str(folder / "index.faiss"), faiss.IO_FLAG_MMAP_IFC)
        return cls(columns, dimension, alive, index)

    def __len__(self) -> int:
        return self._count

    @property
    def kind(self) -> str:
        """What FAISS was asked to do, in words."""
        if isinstance(self._index, faiss.IndexIVF):
            return f"IVF{self._index.nlist} with re-scoring"
        return "exact"

    @property
    def reason(self) -> tuple[str, str]:
        """Why FAISS was asked to do that, in English and in Chinese."""
        if isinstance(self._index, faiss.IndexIVF):
            return (
                f"of more than {EXACT_UP_TO:,} vectors only those in the nearest {PROBE:.0%} of {self._index.nlist:,} "
                "lists are compared, and the best of them again in eight bits a number",
                f"向量多于 {EXACT_UP_TO:,} 个，只比较最近的 {PROBE:.0%} 的列表（共 {self._index.nlist:,} 个）中的向量，"
                "最好的再以每个数 8 位比较一次",
            )
        return (
            f"up to {EXACT_UP_TO:,} vectors comparing with every one is fast enough, and misses nothing",
            f"向量不超过 {EXACT_UP_TO:,} 个，逐一比较足够快，也不会漏掉任何一个",
        )

    def places(self, numbers: Numbers) -> tuple[Numbers, npt.NDArray[np.bool_]]:
        """Row of each passage number, and whether the segment has it."""
        if not self._count:
            return np.zeros(len(numbers), np.int64), np.zeros(len(numbers), np.bool_)
        rows = np.minimum(np.searchsorted(self.numbers, numbers), self._count - 1)
        return rows, self.numbers[rows] == numbers

    def vectors(self, rows: Numbers) -> npt.NDArray[np.float32]:
        """Embeddings of these rows."""
        return self._vectors.take(rows)

    def tokens(self, rows: Numbers) -> list[npt.NDArray[np.uint32]]:
        """The different word-table tokens of each of these rows, ascending."""
        return self._tokens.take(rows)

    def search(self, vector: npt.NDArray[np.float32], limit: int, allowed: Numbers | None) -> Found:
        """Nearest rows to a unit vector, of those ``allowed`` (ascending numbers; ``None`` allows all)."""
        if not (self._count and self.dimension) or limit < 1:
            return Found.nothing()
        mask = self._alive
        if allowed is not None:
            rows, present = self.places(allowed)
            chosen = np.zeros(self._count, np.bool_)
            chosen[rows[present]] = True
            mask = chosen if mask is None else chosen & mask
        wanted = self._count if mask is None else int(mask.sum())
        if not wanted:
            return Found.nothing()
        if self._index is None:
            rows = np.arange(self._count) if mask is None else np.flatnonzero(mask)
        else:
            few = mask is not None and wanted <= EXACT_UP_TO
            rows = np.flatnonzero(mask) if mask is not None and few else self._coarse(vector, limit, mask)
        parts = np.split(rows, range(_AT_ONCE, len(rows), _AT_ONCE))
        scores = np.concatenate([self.vectors(part) @ vector for part in parts])
        order = np.argsort(-scores, kind="stable")[:limit]
        return Found(np.asarray(self.numbers[rows[order]], np.int64), scores[order])

    def _coarse(self, vector: npt.NDArray[np.float32], limit: int, mask: npt.NDArray[np.bool_] | None) -> Numbers:
        """Rows that FAISS thinks nearest."""
        # OpenMP keeps this setting a thread; more than one thread makes single queries many times slower.
        faiss.omp_set_num_threads(1)
        selector = None
        if mask is not None:
            bits = np.packbits(mask, bitorder="little")
            selector = faiss.IDSelectorBitmap(self._count, faiss.swig_ptr(bits))
        index = self._index
        assert index is not None
        if isinstance(index, faiss.IndexIVF):
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=max(1, round(index.nlist * PROBE)))
            wanted = max(_COARSE, 2 * limit)
        else:
            parameters = faiss.SearchParameters(sel=selector)
            wanted = limit
        _, rows = index.search(vector[None, :], min(wanted, self._count), params=parameters)
        # -1 where there are fewer; anything, where the file was overwritten while it is mapped.
        found = rows[0]
        return np.asarray(found[(found >= 0) & (found < self._count)], np.int64)


def merge(lists: Sequence[Found], limit: int) -> Found:
    """The best of several ranked lists."""
    numbers = np.concatenate([found.numbers for found in lists])
    scores = np.concatenate([found.scores for found in lists])
    order = np.argsort(-scores, kind="stable")[:limit]
    return Found(numbers[order], scores[order])
