"""One at a time, and some before others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock


class Turns:
    """A lock that some get before others, however often those ask for it anew.

    Whoever holds it is waited for. Of those that are not first one stands at the door and the rest queue behind it, so
    that whoever is first has to let no more than that one pass.
    """

    def __init__(self) -> None:
        self._inside, self._door, self._queue = Lock(), Lock(), Lock()

    @contextmanager
    def __call__(self, *, first: bool) -> Iterator[None]:
        """Hold it while the block runs; ``first`` goes before those that are not."""
        with nullcontext() if first else self._queue:
            with self._door:
                self._inside.acquire()
            try:
                yield
            finally:
                self._inside.release()
