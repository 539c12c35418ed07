"""The vector index: what is known of a run of passages, as memory-mapped columns, and FAISS over their vectors.

A segment is a folder of columns with one row a passage, ascending by number, written once. A generation has
one large segment that is rarely rewritten and a small one for what came since; passages removed from a
segment are masked until it is rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.engine import Found, Numbers

# Up to here FAISS compares with every vector (1 ms at 20,000 x 256 on one thread); above, with the
# nearest lists of an inverted file, and the best of them again exactly.
EXACT_UP_TO = 20_000
# Share of the lists that are read. They hold four bits for two numbers each, which FAISS compares in registers ("fast
# scan", after André et al. 2017): 1.0 ms for 0.4 of the news archive's lists, where a byte for each number took 5 ms
# and found the same once the best are compared exactly. The compact model's vectors lie in no clear clusters: of the
# 10 nearest among the news archive's 182,036 passages, 0.2 found 97.4 %, 0.4 99.2 %, 0.6 99.8 %.
PROBE = 0.6
# Candidates of the coarse search that are compared exactly, at least twice as many as are wanted. Of the news archive's
# 10 nearest, 500, 700 and 1,000 find 99.5, 99.6 and 99.5 %, of the 100 nearest 98.7, 99.3 and 99.5 %, in 1.1, 1.3 and
# 1.6 ms; from 1,024 FAISS keeps them in another way, which takes twice the time.
_COARSE = 700
_AT_ONCE = 16_384  # rows that are compared in one step, so that many take no more memory than some
_TRAIN_PER_LIST = 40  # FAISS asks for at least 39


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One passage of a segment: ``vector`` as float16 bytes, ``tokens`` as uint32 bytes."""

    number: int
    document: int
    key: bytes
    vector: bytes
    tokens: bytes


def write_segment(folder: Path, rows: Iterable[VectorRow], dimension: int) -> int:
    """Write a segment into the empty ``folder``; rows come ascending by number. Returns how many there were."""
    count = write_columns(folder, rows)
    write_index(folder, dimension)
    return count


def write_columns(folder: Path, rows: Iterable[VectorRow]) -> int:
    """Write all of a segment but FAISS's index, as ``write_segment`` does."""
    numbers: list[int] = []
    documents: list[int] = []
    keys: list[bytes] = []
    ends: list[int] = [0]
    with (folder / "vectors.f16").open("wb") as vectors, (folder / "tokens.u32").open("wb") as words:
        for row in rows:
            numbers.append(row.number)
            documents.append(row.document)
            keys.append(row.key[:8])
            vectors.write(row.vector)
            words.write(row.tokens)
            ends.append(ends[-1] + len(row.tokens) // 4)
    np.save(folder / "numbers.npy", np.array(numbers, dtype=np.int64))
    np.save(folder / "documents.npy", np.array(documents, dtype=np.int64))
    np.save(folder / "keys.npy", np.frombuffer(b"".join(keys), dtype="<u8"))
    np.save(folder / "ends.npy", np.array(ends, dtype=np.int64))
    return len(numbers)


def write_index(folder: Path, dimension: int) -> None:
    """Build FAISS's index over the columns in ``folder``; nothing where there are no vectors."""
    if dimension and (folder / "vectors.f16").stat().st_size:
        matrix = np.fromfile(folder / "vectors.f16", dtype="<f2").reshape(-1, dimension)
        faiss.write_index(_build(matrix), str(folder / "index.faiss"))


def _build(matrix: npt.NDArray[np.float16]) -> faiss.Index:
    """Choose the kind of FAISS index by size, train it and fill it."""
    count, dimension = matrix.shape
    if count <= EXACT_UP_TO:
        flat = faiss.IndexFlatIP(dimension)
        flat.add(matrix.astype(np.float32))
        return flat
    lists = 1 << int(np.log2(2 * np.sqrt(count)))
    codes = dimension // 2 if dimension % 2 == 0 else dimension
    index = faiss.index_factory(dimension, f"IVF{lists},PQ{codes}x4fs", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = 20260101  # the same rows give the same lists
    sample = np.random.default_rng(0).choice(count, min(count, lists * _TRAIN_PER_LIST), replace=False)
    index.train(matrix[np.sort(sample)].astype(np.float32))
    for start in range(0, count, 16_384):
        index.add(matrix[start : start + 16_384].astype(np.float32))
    return index


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of a run of passages, one row each; ``ends`` has one more, and says where each row's tokens end."""

    numbers: Numbers
    documents: Numbers
    keys: npt.NDArray[np.uint64]
    ends: Numbers
    vectors: npt.NDArray[np.float16]
    tokens: npt.NDArray[np.uint32]

    @classmethod
    def mapped(cls, folder: Path, dimension: int) -> Columns:
        """Those that ``write_segment`` wrote; they stay on disk."""
        numbers = _loaded(folder / "numbers.npy")
        return cls(
            numbers,
            _loaded(folder / "documents.npy"),
            _loaded(folder / "keys.npy"),
            _loaded(folder / "ends.npy"),
            _mapped(folder / "vectors.f16", "<f2").reshape(len(numbers), dimension),
            _mapped(folder / "tokens.u32", "<u4"),
        )

    @classmethod
    def of_rows(cls, rows: Iterable[VectorRow], dimension: int) -> Columns:
        """Those of rows ascending by number, in memory."""
        all_rows = list(rows)
        lengths = [len(row.tokens) // 4 for row in all_rows]
        return cls(
            np.array([row.number for row in all_rows], np.int64),
            np.array([row.document for row in all_rows], np.int64),
            np.frombuffer(b"".join(row.key[:8] for row in all_rows), "<u8"),
            np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
            np.frombuffer(b"".join(row.vector for row in all_rows), "<f2").reshape(len(all_rows), dimension),
            np.frombuffer(b"".join(row.tokens for row in all_rows), "<u4"),
        )


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
        self._ends = columns.ends
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
            return f"IVF{self._index.nlist} with exact re-scoring"
        return "exact"

    @property
    def reason(self) -> tuple[str, str]:
        """Why FAISS was asked to do that, in English and in Chinese."""
        if isinstance(self._index, faiss.IndexIVF):
            return (
                f"of more than {EXACT_UP_TO:,} vectors only those in the nearest {PROBE:.0%} of {self._index.nlist:,} "
                "lists are compared, and the best of them again exactly",
                f"向量多于 {EXACT_UP_TO:,} 个，只比较最近的 {PROBE:.0%} 的列表（共 {self._index.nlist:,} 个）中的向量，"
                "最好的再精确比较一次",
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
        return self._vectors[rows].astype(np.float32)

    def tokens(self, rows: Numbers) -> list[npt.NDArray[np.uint32]]:
        """Word-table token ids of these rows."""
        starts, ends = self._ends[rows].tolist(), self._ends[rows + 1].tolist()
        return [self._tokens[start:end] for start, end in zip(starts, ends, strict=True)]

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


def _loaded(path: Path) -> npt.NDArray[Any]:
    """A .npy file as a read-only array that stays on disk."""
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    return array


def _mapped(path: Path, kind: str) -> npt.NDArray[Any]:
    """A file as a read-only array; NumPy cannot map an empty one."""
    if not path.stat().st_size:
        return np.empty(0, kind)
    return np.memmap(path, dtype=kind, mode="r").view(np.ndarray)  # slices of a memmap object cost ten times more


def merge(lists: Sequence[Found], limit: int) -> Found:
    """The best of several ranked lists."""
    numbers = np.concatenate([found.numbers for found in lists])
    scores = np.concatenate([found.scores for found in lists])
    order = np.argsort(-scores, kind="stable")[:limit]
    return Found(numbers[order], scores[order])
