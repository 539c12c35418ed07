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

    def join(self) -> bool:
        """Stand in line, for somebody who does so before :meth:`enter`; :meth:`leave` ends it.

        :returns: Whether there was room; whoever is sent away for want of it is counted by :meth:`refuse`.
        """
        with self._counting:
            if self._here >= self._most:
                return False
            self._here += 1
            return True

    def leave(self) -> None:
        """End what :meth:`join` began."""
        with self._counting:
            self._here -= 1

    def is_too_late(self, waited: float) -> bool:
        """Whether somebody has waited longer than anybody should."""
        return waited > max(self._patience, SLACK)

    @contextmanager
    def enter(self, waited: float = 0.0, *, joined: bool = False) -> Iterator[None]:
        """Hold a place while the block runs.

        :param waited: Seconds that have been waited already, as for a thread; they count against the patience.
        :param joined: Whether this one stands in line already.
        :raises OverloadedError: The line is full, or no place became free in time.
        """
        if self.is_too_late(waited) or not (joined or self.join()):
            self.refuse()
            raise OverloadedError
        try:
            if not self._places.acquire(timeout=max(0.0, self._patience - waited)):
                self.refuse()
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
            if not joined:
                self.leave()

    def refuse(self) -> None:
        """Count one who was sent away."""
        with self._counting:
            self._refused += 1

    def crowd(self) -> Crowd:
        """How full it is at this moment."""
        with self._counting:
            return Crowd(self._inside, self._here - self._inside, self._refused)
