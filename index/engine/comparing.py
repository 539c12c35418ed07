"""A process of its own that looks for repeats while this one embeds and writes indexes.

Both work in Python, so that two threads would take turns: beside each other they took as long as one after the other.
Nothing depends on it: what it did not get done, whoever started it does afterwards.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from index.tuning import processors

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_CACHE = 256  # MB: where texts meet lies all over its table, 180 MB of it for a million passages


@contextmanager
def beside(path: Path) -> Iterator[Callable[[], None]]:
    """Have the texts of a SQLite file compared while the block runs; gives what waits for the end of it.

    Args:
        path: The file; the caller holds the lock for writing.
    """
    process = _started(path) if processors() > 1 else None
    if process is None:
        yield nothing
        return

    def wait() -> None:
        if process.wait():
            _log.warning("The process that looks for repeats ended with status %d", process.returncode)

    try:
        yield wait
    finally:
        process.kill()
        process.communicate()


def nothing() -> None:
    """Wait for nobody."""


def _started(path: Path) -> subprocess.Popen[bytes] | None:
    command = [sys.executable, "-c", "from index.engine.comparing import main; main()", str(path.resolve())]
    try:
        # What goes wrong there goes wrong here too, when it is done again, and is said once and in a sentence.
        return subprocess.Popen(  # noqa: S603
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:  # no memory, no more processes allowed
        _log.warning("No process could be started to look for repeats: %s", error)
        return None


def main() -> None:
    """Be that process, for as long as the one that started it lives."""
    from index.engine.store import Store  # noqa: PLC0415 - which imports this module

    Thread(target=_end_with_parent, daemon=True).start()
    store = Store(Path(sys.argv[1]), cache=_CACHE)
    store.families.finish()
    store.close()


def _end_with_parent() -> None:
    os.read(0, 1)  # returns when the parent is gone, however it ended
    os._exit(1)
