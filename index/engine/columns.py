"""What is known of a run of passages, as columns of one row each, ascending by number; written once, then mapped.

What is large is kept small, as the columns that searches touch are what an archive takes of a machine's memory: of the
word-table tokens each different one, in two bytes, and the vectors of many passages in eight bits a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from index.engine import Numbers
from index.wordtable import Ids

Floats = npt.NDArray[np.float32]

HALVES = "vectors.f16"
_CODES, _SCALES, _MEAN = "vectors.i8", "scales.f16", "mean.f32"
_TOKENS, _CUT = "tokens.u16", "tokens.u32"
# Numbers of a vector that share a scale, as 32 do in llama.cpp's Q8_0. Of the 10 nearest among the 182,036 passages of
# the news archive, vectors so rounded find 99.6 % (99.3 % by 32, 98.9 % with one scale a vector), and take 432 bytes in
# place of 768. What is rounded is what they differ by from the mean of all: under multilingual-e5-small, whose vectors
# all point nearly one way, 99.3 % are found so, and 98.2 % where they are rounded as they are.
_BLOCK = 16
_MOST = 127
_CHUNK = 4_096
_TWO_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class VectorRow:
    """One passage: ``vector`` as float16 bytes, ``tokens`` as uint32 bytes."""

    number: int
    document: int
    key: bytes
    vector: bytes
    tokens: bytes


class Vectors(Protocol):
    """Vectors as they are kept."""

    def take(self, rows: Numbers) -> Floats:
        """Those of some rows, shape ``(len(rows), dimension)``."""
        ...


@dataclass(frozen=True, slots=True)
class Halves:
    """In half precision, as the model's are stored; ``matrix`` has a row a vector."""

    matrix: npt.NDArray[np.float16]

    def take(self, rows: Numbers) -> Floats:
        """Those of some rows."""
        return self.matrix[rows].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Rounded:
    """As differences from one vector, in eight bits a number, ``_BLOCK`` of which share a scale.

    Attributes:
        codes: Shape ``(n, blocks * _BLOCK)``; zeros after the dimension.
        scales: Shape ``(n, blocks)``.
        mean: What they differ from, shape ``(dimension,)``.
    """

    codes: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float16]
    mean: Floats

    @classmethod
    def of(cls, vectors: Floats, mean: Floats) -> Rounded:
        """Vectors rounded, one a row, as differences from ``mean``."""
        count, dimension = vectors.shape
        blocks = -(-dimension // _BLOCK)
        padded = np.zeros((count, blocks * _BLOCK), np.float32)
        padded[:, :dimension] = vectors - mean
        parts = padded.reshape(count, blocks, _BLOCK)
        scales = (np.abs(parts).max(axis=2, initial=0) / _MOST).astype(np.float16)
        steps = np.where(scales > 0, scales, 1).astype(np.float32)[:, :, None]
        codes = np.clip(np.rint(parts / steps), -_MOST, _MOST).astype(np.int8)
        return cls(codes.reshape(padded.shape), scales, mean)

    def take(self, rows: Numbers) -> Floats:
        """Those of some rows, each number within about a 250th of the largest difference beside it."""
        scales = self.scales[rows].astype(np.float32)
        parts = self.codes[rows].astype(np.float32).reshape(*scales.shape, _BLOCK)
        parts *= scales[:, :, None]
        vectors = parts.reshape(len(parts), self.codes.shape[1])[:, : len(self.mean)]
        vectors += self.mean
        return vectors


class Tokens(Protocol):
    """Word-table tokens of all rows."""

    def take(self, rows: Numbers) -> list[Ids]:
        """Those of some rows."""
        ...


@dataclass(frozen=True, slots=True)
class CutTokens:
    """Tokens as they were cut, one row after the other, as generations of the first format have them.

    Attributes:
        ids: In four bytes each.
        ends: Where those of each row end, after a 0.
    """

    ids: Ids
    ends: Numbers

    def take(self, rows: Numbers) -> list[Ids]:
        """Those of some rows."""
        starts, ends = self.ends[rows].tolist(), self.ends[rows + 1].tolist()
        return [self.ids[start:end] for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class DistinctTokens:
    """The different word-table tokens of each row, ascending, one row after the other.

    Attributes:
        low: The lower two bytes of each.
        ends: Where those of each row end, after a 0.
        beyond: How many of each row need more than two bytes; these are its last.
    """

    low: npt.NDArray[np.uint16]
    ends: Numbers
    beyond: npt.NDArray[np.uint16]

    @classmethod
    def of(cls, rows: Sequence[VectorRow]) -> DistinctTokens:
        """Those of some rows; some thousands at a time, or it takes much memory.

        Raises:
            ValueError: A token is beyond what can be kept.
        """
        tokens = np.frombuffer(b"".join(row.tokens for row in rows), "<u4")
        if tokens.max(initial=0) >= 2 * _TWO_BYTES:
            raise ValueError(f"word tables of more than {2 * _TWO_BYTES:,} tokens cannot be kept")
        place = np.repeat(np.arange(len(rows), dtype=np.uint64), [len(row.tokens) // 4 for row in rows])
        both = place * (2 * _TWO_BYTES) + tokens
        if len(rows) <= 2**32 // (2 * _TWO_BYTES):
            both = both.astype(np.uint32)  # sorted in half the time
        both.sort()
        both = both[np.diff(both, prepend=both[:1] + 1) != 0]
        place, tokens = np.divmod(both, 2 * _TWO_BYTES)
        counts = np.bincount(place.astype(np.int64), minlength=len(rows))
        beyond = np.bincount(place[tokens >= _TWO_BYTES].astype(np.int64), minlength=len(rows))
        ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(tokens.astype(np.uint16), ends, beyond.astype(np.uint16))

    @classmethod
    def joined(cls, parts: Sequence[DistinctTokens]) -> DistinctTokens:
        """Those of several runs of rows, one after the other."""
        ends = [np.zeros(1, np.int64)]
        for part in parts:
            ends.append(part.ends[1:] + ends[-1][-1])
        return cls(
            np.concatenate([np.empty(0, np.uint16), *(part.low for part in parts)]),
            np.concatenate(ends),
            np.concatenate([np.empty(0, np.uint16), *(part.beyond for part in parts)]),
        )

    def take(self, rows: Numbers) -> list[Ids]:
        """Those of some rows."""
        if not len(rows):
            return []
        stretches = zip(self.ends[rows].tolist(), self.ends[rows + 1].tolist(), strict=True)
        parts = [self.low[start:end] for start, end in stretches]
        # Counted again, and no more beyond than there are: a file overwritten in place gives wrong tokens for a
        # while, and no error here.
        lengths = np.array([len(part) for part in parts])
        whole = np.concatenate(parts).astype(np.uint32)
        bounds, beyond = np.cumsum(lengths), np.minimum(self.beyond[rows], lengths)
        # The places of all that are beyond two bytes: of each row those before its end.
        within = np.arange(beyond.sum()) - np.repeat(np.cumsum(beyond), beyond)
        whole[np.repeat(bounds, beyond) + within] += _TWO_BYTES
        stops = bounds.tolist()
        return [whole[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns."""

    numbers: Numbers
    documents: Numbers
    keys: npt.NDArray[np.uint64]
    vectors: Vectors
    tokens: Tokens

    @classmethod
    def mapped(cls, folder: Path, dimension: int) -> Columns:
        """Those that were written to a folder; they stay on disk."""
        numbers = _loaded(folder / "numbers.npy")
        vectors: Vectors
        if (folder / HALVES).is_file():
            vectors = Halves(_mapped(folder / HALVES, "<f2").reshape(len(numbers), dimension))
        else:
            scales = _mapped(folder / _SCALES, "<f2").reshape(len(numbers), -1)
            codes = _mapped(folder / _CODES, "i1").reshape(len(numbers), -1)
            # Formats 1 and 2 rounded the vectors themselves.
            means = (folder / _MEAN).is_file()
            mean = np.fromfile(folder / _MEAN, "<f4") if means else np.zeros(dimension, np.float32)
            vectors = Rounded(codes, scales, mean)
        return cls(
            numbers,
            _loaded(folder / "documents.npy"),
            _loaded(folder / "keys.npy"),
            vectors,
            _mapped_tokens(folder),
        )

    @classmethod
    def of_rows(cls, rows: Iterable[VectorRow], dimension: int) -> Columns:
        """Those of rows ascending by number, in memory."""
        all_rows = list(rows)
        return cls(
            np.array([row.number for row in all_rows], np.int64),
            np.array([row.document for row in all_rows], np.int64),
            np.frombuffer(b"".join(row.key[:8] for row in all_rows), "<u8"),
            Halves(np.frombuffer(b"".join(row.vector for row in all_rows), "<f2").reshape(len(all_rows), dimension)),
            DistinctTokens.joined([DistinctTokens.of(chunk) for chunk in _chunks(all_rows)]),
        )


def write_columns(folder: Path, rows: Iterable[VectorRow]) -> int:
    """Write the columns of rows ascending by number into an empty folder, vectors in half precision. Returns how many
    there were."""
    numbers: list[int] = []
    documents: list[int] = []
    keys: list[bytes] = []
    ends, beyond = [np.zeros(1, np.int64)], [np.empty(0, np.uint16)]
    with (folder / HALVES).open("wb") as vectors, (folder / _TOKENS).open("wb") as low:
        for chunk in _chunks(rows):
            for row in chunk:
                numbers.append(row.number)
                documents.append(row.document)
                keys.append(row.key[:8])
            vectors.write(b"".join(row.vector for row in chunk))
            tokens = DistinctTokens.of(chunk)
            low.write(tokens.low.astype("<u2").tobytes())
            ends.append(tokens.ends[1:] + ends[-1][-1])
            beyond.append(tokens.beyond)
    np.save(folder / "numbers.npy", np.array(numbers, dtype=np.int64))
    np.save(folder / "documents.npy", np.array(documents, dtype=np.int64))
    np.save(folder / "keys.npy", np.frombuffer(b"".join(keys), dtype="<u8"))
    np.save(folder / "ends.npy", np.concatenate(ends))
    np.save(folder / "beyond.npy", np.concatenate(beyond))
    return len(numbers)


def round_vectors(folder: Path, matrix: npt.NDArray[np.float16]) -> None:
    """Put rounded vectors in the place of those in half precision, which are ``matrix``."""
    mean = matrix.mean(axis=0, dtype=np.float32)
    mean.astype("<f4").tofile(folder / _MEAN)
    with (folder / _CODES).open("wb") as codes, (folder / _SCALES).open("wb") as scales:
        for start in range(0, len(matrix), _CHUNK):
            rounded = Rounded.of(matrix[start : start + _CHUNK].astype(np.float32), mean)
            codes.write(rounded.codes.tobytes())
            scales.write(rounded.scales.astype("<f2").tobytes())
    (folder / HALVES).unlink()


def _mapped_tokens(folder: Path) -> Tokens:
    ends = _loaded(folder / "ends.npy")
    if (folder / _CUT).is_file():
        return CutTokens(_mapped(folder / _CUT, "<u4"), ends)
    return DistinctTokens(_mapped(folder / _TOKENS, "<u2"), ends, _loaded(folder / "beyond.npy"))


def _chunks(rows: Iterable[VectorRow]) -> Iterator[list[VectorRow]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _loaded(path: Path) -> npt.NDArray[Any]:
    """A .npy file as a read-only array that stays on disk."""
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    return array


def _mapped(path: Path, kind: str) -> npt.NDArray[Any]:
    """A file as a read-only array; NumPy cannot map an empty one."""
    if not path.stat().st_size:
        return np.empty(0, kind)
    return np.memmap(path, dtype=kind, mode="r").view(np.ndarray)  # slices of a memmap object cost ten times more
