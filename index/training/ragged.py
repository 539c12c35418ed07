"""Lists of token ids of different lengths, kept in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """``len(starts) - 1`` rows of token ids; row i is ``ids[starts[i]:starts[i + 1]]``."""

    ids: Ids
    starts: Indices

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | NDArray[Any]]) -> Ragged:
        """The given rows."""
        parts = [np.asarray(row, dtype=np.int32) for row in rows]
        starts = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=starts[1:])
        return cls(np.concatenate(parts) if parts else np.zeros(0, np.int32), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Indices:
        """The length of each row."""
        return np.diff(self.starts)

    @property
    def owners(self) -> Indices:
        """For each id, the row it belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: Indices) -> Ragged:
        """The rows at ``rows``, in that order."""
        return self.slices(rows, self.starts[rows], self.lengths[rows])

    def crop(self, rows: Indices, longest: int, rng: np.random.Generator) -> Ragged:
        """The rows at ``rows``, the longer ones cut to a stretch of ``longest`` ids that begins anywhere."""
        lengths = self.lengths[rows]
        spare = np.maximum(lengths - longest, 0)
        begin = self.starts[rows] + (rng.random(len(rows)) * (spare + 1)).astype(np.int64)
        return self.slices(rows, begin, np.minimum(lengths, longest))

    def slices(self, rows: Indices, begin: Indices, lengths: Indices) -> Ragged:
        """``lengths[i]`` ids from position ``begin[i]`` on, for each of ``rows``."""
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        inside = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
        return Ragged(self.ids[np.repeat(begin, lengths) + inside], starts)

    def replace(self, parts: Ragged, chosen: NDArray[np.bool_]) -> Ragged:
        """The rows with each chosen id replaced by the row of ``parts`` that it numbers."""
        lengths = np.where(chosen, parts.lengths[self.ids], 1)
        begin = np.where(chosen, parts.starts[self.ids], len(parts.ids) + np.arange(len(self.ids)))
        both = Ragged(np.concatenate([parts.ids, self.ids]), self.starts)
        flat = both.slices(np.arange(len(self.ids)), begin, lengths)
        return Ragged(flat.ids, flat.starts[self.starts])

    def keep(self, wanted: NDArray[np.bool_]) -> Ragged:
        """The rows without the ids where ``wanted`` is false."""
        starts = np.zeros(len(self) + 1, np.int64)
        np.cumsum(np.bincount(self.owners[wanted], minlength=len(self)), out=starts[1:])
        return Ragged(self.ids[wanted], starts)
