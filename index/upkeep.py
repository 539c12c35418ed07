"""What a running service mends by itself: damaged indexes, and passages that wait for a model until it is back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Self

from index.corpus import Corpus
from index.errors import BusyError, XunzhangError
from index.telling import Progress

EVERY = 60.0  # seconds
_log = logging.getLogger(__name__)


class Upkeep:
    """A thread that brings a corpus in step from time to time, while the block it is entered for runs.

    Args:
        every: Seconds between two looks.
        first: What is to be done at once, as where a service began to answer before its indexes were whole.
    """

    def __init__(self, corpus: Corpus, every: float = EVERY, first: Callable[[Progress], None] | None = None) -> None:
        self._corpus = corpus
        self._every = every
        self._first = first
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
        if self._first is not None:
            try:
                self._first(self._tell)
            except (XunzhangError, InterruptedError):  # the next look tries again
                pass
            except Exception:
                _log.exception("What the service should have mended at its start is tried again in a minute")
        said = ""
        while not self._end.wait(self._every):
            try:
                self._corpus.catch_up(progress=self._tell)
            except (BusyError, InterruptedError):  # another process writes, or the service ends
                continue
            except XunzhangError as error:  # the model is still away, or the disk full
                if str(error) != said:  # once, not every minute
                    _log.warning("%s", error)
                said = str(error)
            except Exception as error:  # such as a disk that fails for a moment
                if str(error) != said:
                    _log.exception("What the service mends by itself is tried again in a minute")
                said = str(error)
            else:
                said = ""

    def _tell(self, _stage: str, _done: int, _total: int) -> None:
        """Stop between two batches when the service ends; what was embedded stays."""
        if self._end.is_set():
            raise InterruptedError
