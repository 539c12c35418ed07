"""What a running service mends by itself: passages that wait for a model are embedded when it is back."""

from __future__ import annotations

from threading import Event, Thread
from typing import Self

from index.corpus import Corpus
from index.errors import XunzhangError

EVERY = 60.0  # seconds


class Upkeep:
    """A thread that brings a corpus in step from time to time, while the block it is entered for runs.

    Args:
        every: Seconds between two looks.
    """

    def __init__(self, corpus: Corpus, every: float = EVERY) -> None:
        self._corpus = corpus
        self._every = every
        self._end = Event()
        self._thread = Thread(target=self._run, name="upkeep", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; a passage that is being embedded is waited for no longer than a few seconds."""
        self._end.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._end.wait(self._every):
            try:
                self._corpus.catch_up(progress=self._tell)
            except (XunzhangError, InterruptedError):  # the model is still away, or another process writes
                continue

    def _tell(self, _stage: str, _done: int, _total: int) -> None:
        """Stop between two batches when the service ends; what was embedded stays."""
        if self._end.is_set():
            raise InterruptedError
