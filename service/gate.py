"""How many may work at once, how many may wait, and for how long; everybody else is told to come back.

Unbounded waiting is a dead service: a queue that only grows answers nobody in time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from index.errors import BusyError

# However little patience there is, a request that was slow to be read is not sent away for that.
SLACK = 1.0


class OverloadedError(BusyError):
    """Too many requests are already running and waiting; a client should retry after a second."""

    def __init__(self) -> None:
        super().__init__(
            "The service is answering as many requests as it can: try again in a moment.",
            "同时进行的请求太多，服务一时忙不过来：请稍后再试。",
        )


@dataclass(frozen=True, slots=True)
class Crowd:
    """How full a gate is.

    Attributes:
        inside: How many hold a place.
        waiting: How many wait for one.
        refused: How many were sent away since the start.
    """

    inside: int
    waiting: int
    refused: int


class Gate:
    """A room with places and a bounded queue before it.

    :param places: How many may be inside at once.
    :param waiting: How many may wait for a place.
    :param patience: Seconds one waits before giving up.
    """

    def __init__(self, places: int, waiting: int, patience: float) -> None:
        self._places = threading.Semaphore(places)
        self._patience = patience
        self._most = places + waiting
        self._counting = threading.Lock()
        self._here = 0
        self._inside = 0
        self._refused = 0

    @contextmanager
    def enter(self, waited: float = 0.0) -> Iterator[None]:
        """Hold a place while the block runs.

        :param waited: Seconds that have been waited already, as for a thread; they count against the patience.
        :raises OverloadedError: The queue is full, or no place became free in time.
        """
        with self._counting:
            if self._here >= self._most or waited > max(self._patience, SLACK):
                self._refused += 1
                raise OverloadedError
            self._here += 1
        try:
            if not self._places.acquire(timeout=max(0.0, self._patience - waited)):
                with self._counting:
                    self._refused += 1
                raise OverloadedError
            try:
                with self._counting:
                    self._inside += 1
                yield
            finally:
                with self._counting:
                    self._inside -= 1
                self._places.release()
        finally:
            with self._counting:
                self._here -= 1

    def crowd(self) -> Crowd:
        """How full it is at this moment."""
        with self._counting:
            return Crowd(self._inside, self._here - self._inside, self._refused)
