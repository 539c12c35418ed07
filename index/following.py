"""Following files and folders: which paths changed, told in batches a moment after they did; and a thread that adds
what is in them to a corpus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Self

from index.corpus import Corpus
from index.errors import BusyError, XunzhangError
from index.ingest import sources_of
from index.outcomes import Summary
from index.walk import absolute

# A batch is told once nothing changed for so long, or once changes went on for so much longer: a large file that is
# being copied in is then read once and not at every megabyte.
_QUIET_MS = 500
_LONGEST_MS = 10_000
_LOOK_UP_MS = 500  # how often the end is looked out for
_POLL_MS = 20_000  # where the system tells of no changes, they are looked for
_log = logging.getLogger(__name__)


def changes(paths: Sequence[Path], end: Event, *, besides: Path) -> Iterator[frozenset[Path]]:
    """The paths of files and folders that were made, changed or removed, batch after batch.

    First comes an empty batch: whatever changes from then on will be told. Further empty ones come while nothing
    changes. A path that goes and comes back, as on a disk that is mounted anew, is told of as a whole. Where the
    system has no room for another watch (on Linux ``fs.inotify.max_user_watches``), the folders are looked through
    every 20 seconds instead.

    Args:
        paths: Files and folders.
        end: Ends the batches soon after it is set.
        besides: A folder whose changes are not told, the data directory.
    """
    watched = [absolute(path) for path in paths]
    aside = absolute(besides)
    poll = False
    before: dict[Path, tuple[int, int] | None] = {}
    untold: frozenset[Path] = frozenset()
    while not end.is_set():
        now = {path: _identity(path) for path in watched}
        returned = frozenset(path for path in watched if before and now[path] and now[path] != before[path]) | untold
        untold = frozenset()
        before = now
        there = [path for path in watched if now[path]]
        if not there:
            yield frozenset()
            end.wait(_LOOK_UP_MS / 1000)
            continue
        try:
            for batch in _changes(there, end, aside, poll=poll):
                yield batch | returned  # with the first, which comes once changes are told of again
                returned = frozenset()
                if any(_identity(path) != now[path] for path in watched):
                    break
        except OSError:
            poll = True
        except RuntimeError:  # a name that is no UTF-8 changed, which watchfiles cannot tell: all is looked through
            untold = frozenset(there) | returned


def _identity(path: Path) -> tuple[int, int] | None:
    """Tells a file or folder from another of the same name; ``None`` where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _changes(paths: Sequence[Path], end: Event, aside: Path, *, poll: bool) -> Iterator[frozenset[Path]]:
    from watchfiles import watch  # noqa: PLC0415 - used only where somebody follows

    batches = watch(
        *paths,
        watch_filter=None,
        debounce=_LONGEST_MS,
        step=_QUIET_MS,
        stop_event=end,
        rust_timeout=_LOOK_UP_MS,
        yield_on_timeout=True,
        force_polling=poll or None,  # None: as WATCHFILES_FORCE_POLLING says, for disks of other machines
        poll_delay_ms=_POLL_MS,
        ignore_permission_denied=True,
        raise_interrupt=True,
    )
    for batch in batches:
        changed = (Path(path) for _, path in batch)
        yield frozenset(path for path in changed if path != aside and aside not in path.parents)


class Following:
    """A thread that adds what changes in files and folders, while the block it is entered for runs.

    What changes after this was made is added, what was there before is not. Nothing is removed: a folder that is not
    mounted for a while would take its documents with it.

    Args:
        tell: Called after each addition with what it came to, or with why it could not be made.
    """

    def __init__(self, corpus: Corpus, paths: Sequence[Path], tell: Callable[[Summary | XunzhangError], None]) -> None:
        self._corpus = corpus
        self._paths = paths
        self._tell = tell
        self._end = Event()
        self._batches = changes(paths, self._end, besides=corpus.data)
        next(self._batches)
        self._thread = Thread(target=self._run, name="following", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; an addition at work is waited for no longer than a few seconds, the next start takes it up."""
        self._end.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        waiting: frozenset[Path] = frozenset()
        for batch in self._batches:
            waiting |= batch
            if not waiting:
                continue
            try:
                sources = sources_of(self._paths, known=self._corpus.known_file, only=waiting)
                if sources.total:
                    self._tell(self._corpus.add(sources, embed="soon"))
                waiting = frozenset()
            except BusyError:  # another process writes: tried again with the next batch, which may be empty
                continue
            except XunzhangError as error:
                waiting = frozenset()
                self._tell(error)
            except Exception:  # such as a disk that fails for a moment: what changes later is added all the same
                _log.exception("What changed could not be added; it is tried again with the next change")
