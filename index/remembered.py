"""What is kept of earlier searches: whole answers while nothing has changed, and the vectors of queries.

Answers belong to one published generation and one state of the truth, and are forgotten with them, so a write is
seen at once. Only whole ones are kept: an answer that a part was missing of is tried anew each time.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Hashable
from dataclasses import replace
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from cachetools import LRUCache, TTLCache

from index.document import Answer, Hit, SearchRequest
from index.embedding import Encoder
from index.engine import View

ANSWER_BYTES = 32 << 20
_ANSWER_SECONDS = 60  # in Milvus a writer's rows can be found before it commits, and be taken back after a crash
_VECTORS = 1_000
_OBJECTS = 3_000  # bytes of a hit beside its texts: dataclasses, dictionaries, short strings; from tracemalloc


class RememberedAnswers:
    """Answers of one state of an archive; safe to share between threads.

    Args:
        size: Bytes they may take, about; 0 keeps none.
    """

    def __init__(self, size: int = ANSWER_BYTES) -> None:
        self._kept: TTLCache[Hashable, Answer] = TTLCache(size, _ANSWER_SECONDS, getsizeof=_size)
        self._view: Callable[[], View | None] = lambda: None
        self._revision = -1
        self._lock = Lock()

    def answer(self, request: SearchRequest, view: View, revision: int, make: Callable[[], Answer]) -> Answer:
        """The answer kept for just this request, or a new one.

        Args:
            view, revision: The state of the archive, read before ``make`` is called.

        Returns:
            An answer; one that was kept says so by ``cache`` as its only stage, and took what looking it up took.
        """
        started = perf_counter()
        with self._lock:
            if self._view() is not view or self._revision != revision:
                self._kept.clear()
                self._view, self._revision = weakref.ref(view), revision
            found = None if view.missing else self._kept.get(request)  # made before something went missing
        if found is not None:
            spent = round((perf_counter() - started) * 1000, 3)
            return _apart(found, took_ms=spent, stages={"cache": spent})
        made = make()
        if not made.degraded:
            with self._lock:
                if self._view() is view and self._revision == revision and _size(made) <= self._kept.maxsize:
                    self._kept[request] = _apart(made)
        return made


class RememberedVectors:
    """Vectors of queries asked lately, whatever became of the archive; safe to share between threads."""

    def __init__(self) -> None:
        self._kept: LRUCache[tuple[str, str], npt.NDArray[np.float32]] = LRUCache(_VECTORS)
        self._lock = Lock()

    def vector(self, encoder_of: Callable[[str], Encoder], fingerprint: str, text: str) -> npt.NDArray[np.float32]:
        """The vector of a query by the model of a fingerprint, which ``encoder_of`` gives; raises what that raises."""
        key = fingerprint, text
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = encoder_of(fingerprint).queries([text])[0]
            found.setflags(write=False)
            with self._lock:
                self._kept[key] = found
        return found


def _apart(answer: Answer, **changes: Any) -> Answer:
    """The same answer, with dictionaries that nobody else holds."""
    return replace(answer, facets=dict(answer.facets), **changes)


def _size(answer: Answer) -> int:
    """Bytes of an answer, about."""
    return _OBJECTS + sys.getsizeof(answer.query) + sum(map(_hit_size, answer.hits))


def _hit_size(hit: Hit) -> int:
    texts = (hit.text, hit.before, hit.after, *(segment.text for segment in hit.segments))
    return _OBJECTS + sum(map(sys.getsizeof, texts)) + _OBJECTS // 10 * (len(hit.also_in) + len(hit.segments))
