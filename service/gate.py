"""How many may work at once, how many may wait, and for how long; everybody else is told to come back.

Unbounded waiting is a dead service: a queue that only grows answers nobody in time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from index.errors import BusyError


class OverloadedError(BusyError):
    """Too many requests are already running and waiting; a client should retry after a second."""

    def __init__(self) -> None:
        super().__init__(
            "The service is answering as many requests as it can: try again in a moment.",
            "同时进行的请求太多，服务一时忙不过来：请稍后再试。",
        )


class Gate:
    """A room with places and a bounded queue before it.

    :param places: How many may be inside at once.
    :param waiting: How many may wait for a place.
    :param patience: Seconds one waits before giving up.
    """

    def __init__(self, places: int, waiting: int, patience: float) -> None:
        self._places = threading.Semaphore(places)
        self._queue = threading.Semaphore(places + waiting)
        self._patience = patience

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place while the block runs.

        :raises OverloadedError: The queue is full, or no place became free in time.
        """
        if not self._queue.acquire(blocking=False):
            raise OverloadedError
        try:
            if not self._places.acquire(timeout=self._patience):
                raise OverloadedError
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._queue.release()
