"""Embedding beside reading: what was just stored is embedded while the documents after it are read.

Reading and cutting are Python's work and keep one processor busy; tokenising and the compact model work outside the
interpreter's lock. What this does not get to, or fails at, is embedded afterwards as if this had never been.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import numpy.typing as npt

from index.errors import XunzhangError
from index.wordtable import Ids

# Texts -> their vectors, shape ``(len(texts), dimension)``, and their word-table token ids.
Embed = Callable[[Sequence[str]], tuple[npt.NDArray[np.float16], list[Ids]]]
Known = Callable[[Sequence[bytes]], Collection[bytes]]
Keep = Callable[[Sequence[bytes], npt.NDArray[np.float16], Sequence[Ids]], None]

_MOST = 4  # batches noted at most: bounds memory where the model is slower than reading


class EncodingAhead:
    """Embeds batches in a thread of its own; everything is stored by the thread that calls. Use it in ``with``.

    Args:
        known: Says which of some keys have vectors.
        embed: Called in the other thread.
        keep: Stores vectors and token ids by key.
        stride: Passages of a batch.

    Attributes:
        stored: How many vectors were stored.
    """

    def __init__(self, known: Known, embed: Embed, keep: Keep, stride: int) -> None:
        self._known = known
        self._embed = embed
        self._keep = keep
        self._stride = stride
        self._noted: dict[bytes, str] = {}
        self._given: tuple[list[bytes], Future[tuple[npt.NDArray[np.float16], list[Ids]]]] | None = None
        self._failed = False
        self._pool = ThreadPoolExecutor(1, "encode-ahead")
        self.stored = 0

    def __enter__(self) -> EncodingAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)  # waits for a batch that has begun
        if kind is None:
            self._store()

    def take(self, texts: Mapping[bytes, str]) -> None:
        """Note passages that were just stored, by key; store what is embedded by now, and give the next batch."""
        if len(self._noted) < _MOST * self._stride:
            self._noted.update(texts)
        if self._given is None or self._given[1].done():
            self._store()
            self._give()

    def _give(self) -> None:
        """Begin with the next batch, of passages that have no vectors."""
        if self._failed or len(self._noted) < self._stride:
            return
        keys = list(self._noted)[: self._stride]
        texts = {key: self._noted.pop(key) for key in keys}
        for key in self._known(keys):
            del texts[key]
        if texts:
            self._given = list(texts), self._pool.submit(self._embed, list(texts.values()))

    def _store(self) -> None:
        """Store what was embedded."""
        if self._given is None:
            return
        (keys, future), self._given = self._given, None
        try:
            vectors, ids = future.result()
        except XunzhangError:  # whoever embeds the rest meets it again, and tells of it
            self._failed = True
            return
        self._keep(keys, vectors, ids)
        self.stored += len(keys)
