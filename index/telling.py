"""Why answers go without a part, said in the log: once for each reason, not once for each search."""

from __future__ import annotations

import logging
from threading import Lock

LOG = logging.getLogger("xunzhang.index")
# Whoever configures logs gets these lines. A command says what is missing in its own words, and Python, left alone,
# would print the line beside them.
LOG.addHandler(logging.NullHandler())
_MOST = 20  # reasons, as some have numbers in them and never come twice


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
