"""What the library says of itself: in the log, why answers go without a part, once for each reason; to whoever waits,
what takes long before anything can be seen of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock

LOG = logging.getLogger("xunzhang.index")
# Whoever configures logs gets these lines. A command says what is missing in its own words, and Python, left alone,
# would print the line beside them.
LOG.addHandler(logging.NullHandler())
# For whoever waits; commands print them, see ``scripts.common``. No lines of a log: nothing is wrong.
STEPS = logging.getLogger("xunzhang.index.steps")
STEPS.propagate = False
# Called with the stage ("read", "encode", "publish"), how much is done and how much there is in all (0: unknown).
Progress = Callable[[str, int, int], None]
_MOST = 20  # reasons, as some have numbers in them and never come twice


def tell_step(english: str, chinese: str) -> None:
    """Say what is being done, once it is begun."""
    STEPS.info("%s", english, extra={"chinese": chinese})


def silent(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


class Reasons:
    """What was said of one part already; safe to share between threads.

    Args:
        consequence: What goes on without it, such as ``Searches go by words alone``.
    """

    def __init__(self, consequence: str) -> None:
        self._consequence = consequence
        self._told: set[str] = set()
        self._lock = Lock()

    def tell(self, error: Exception) -> None:
        """Log why the part is missing, unless that was said since it was last loaded."""
        reason = str(error).strip() or type(error).__name__
        with self._lock:
            if reason in self._told or len(self._told) >= _MOST:
                return
            self._told.add(reason)
        LOG.warning("%s: %s", self._consequence, reason)

    def forget(self) -> None:
        """Say everything anew from now on: the part is there."""
        with self._lock:
            self._told.clear()
