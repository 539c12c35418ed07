"""Further processes that answer searches, where people ask faster than one process answers.

Between what Tantivy, FAISS and NumPy do without it, a search holds Python's lock, so that one process answers hardly
more searches a second for eight people than for one, however many processors there are. Helpers are started when
searches keep meeting each other, one after the other, and end when nobody has needed them for a while; whoever
searches alone pays nothing for them. Nothing depends on them: what they do not answer in time, whole, and from what is
published, is answered by this process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Condition, RLock, Thread
from time import monotonic

from index.companion import Companion, GoneError, attend
from index.document import Answer, SearchRequest
from index.telling import LOG

# Searches that met another, less those that met none, until a helper is started: two people who press a key at the same
# moment are no reason, two who go on asking are.
OFTEN = 16
_READY = 120.0  # seconds a helper may take to open the archive
_PATIENCE = 20.0  # seconds it may take for an answer, which takes milliseconds where the disk has been read
_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0  # seconds before another is started in place of one that died; doubled each time
_SOUND = 600.0  # seconds after which one that dies was no failure from the start, so that the next pause is short again
IDLE = 600.0  # seconds without being asked after which one ends


class Helpers:
    """The helpers of one archive on this machine; safe to share between threads.

    Args:
        data: The data directory.
        most: How many there may be.
        often, idle: When one is started and when it ends, see ``OFTEN`` and ``IDLE``.
    """

    def __init__(self, data: Path, most: int, *, often: int = OFTEN, idle: float = IDLE) -> None:
        self._data = data
        self._most = most
        self._often = often
        self._idle_seconds = idle
        lock = RLock()
        self._changed = Condition(lock)
        self._fewer = Condition(lock)  # what ends the idle waits for; who searches must not wake it instead of a search
        self._watched = False  # whether somebody looks for the idle
        self._here = 0  # searches that this process is at
        self._all: list[_Helper] = []
        self._idle: list[_Helper] = []  # who was at work last comes last
        self._crowded = 0
        self._starting = False
        self._pause, self._not_before = _PAUSE, 0.0
        self._closed = False

    @property
    def process_ids(self) -> list[int]:
        """The system's numbers of those that are ready."""
        return [helper.process_id for helper in self._all]

    def answer(self, request: SearchRequest, generation: int, here: Callable[[], Answer]) -> Answer:
        """Answer a checked request in whichever process has time, when one has.

        Args:
            generation: The newest that was published; an answer from an older one is no answer.
            here: Answers in this process; raises what it raises.
        """
        helper = self._place()
        if helper is None:
            try:
                return here()
            finally:
                with self._changed:
                    self._here -= 1
                    self._changed.notify()
        try:
            answer = helper.ask(request)
        except GoneError as error:
            self._lose(helper, error)
            return here()
        with self._changed:
            self._idle.append(helper)
            self._changed.notify()
        whole = answer is not None and not answer.degraded and answer.generation >= generation
        return answer if answer is not None and whole else here()

    def close(self) -> None:
        """End them all."""
        with self._changed:
            self._closed = True
            gone, self._all, self._idle = self._all, [], []
            self._changed.notify_all()
            self._fewer.notify()
        for helper in gone:
            helper.close()

    def _place(self) -> _Helper | None:
        """Who answers the next search, ``None`` for this process; waits while all are at work."""
        with self._changed:
            self._notice(met_another=self._here > 0 and not self._idle)
            while self._here and self._all and not self._idle:
                self._changed.wait()
            if self._here and self._idle:
                return self._idle.pop()
            self._here += 1
            return None

    def _notice(self, *, met_another: bool) -> None:
        """Keep in mind how often searches meet, and have as many helpers as that asks for."""
        self._crowded = max(0, self._crowded + (1 if met_another else -1))
        wanted = self._crowded >= self._often and len(self._all) < self._most
        if wanted and not self._starting and not self._closed and monotonic() >= self._not_before:
            self._crowded, self._starting = 0, True
            Thread(target=self._start, name="helper", daemon=True).start()

    def _start(self) -> None:
        helper = None
        try:
            helper = _Helper(self._data)
        except (OSError, GoneError) as error:
            LOG.warning("No process could be started to help with searches: %s", error)
        with self._changed:
            self._starting = False
            if helper is None:
                self._wait_longer()
            elif self._closed:
                helper.close()
            else:
                self._all.append(helper)
                self._idle.append(helper)
                if not self._watched:
                    self._watched = True
                    Thread(target=self._end_the_idle, name="helpers", daemon=True).start()
            self._changed.notify_all()

    def _end_the_idle(self) -> None:
        """End those that nobody needs any more; a thread does this, which there is for as long as there are helpers."""
        with self._changed:
            while self._all:
                left = (
                    self._idle[0].asked + self._idle_seconds - monotonic() if self._idle else 1.0 + self._idle_seconds
                )
                if left > 0:
                    self._fewer.wait(left)
                else:
                    helper = self._idle.pop(0)
                    self._forget(helper)
                    helper.close()
            self._watched = False

    def _forget(self, helper: _Helper) -> None:
        self._all.remove(helper)
        if monotonic() - helper.begun >= _SOUND:
            self._pause = _PAUSE
        self._changed.notify_all()

    def _lose(self, helper: _Helper, error: Exception) -> None:
        helper.close()
        with self._changed:
            if self._closed:
                return
            self._forget(helper)
            self._wait_longer()
        LOG.warning("A process that helped with searches is gone (%s); the others answer", error)

    def _wait_longer(self) -> None:
        self._not_before = monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


class _Helper:
    """One of them; ready when it is made.

    Attributes:
        begun: When it was ready, by ``time.monotonic``.
        asked: When it was asked last.

    Raises:
        OSError: The system allows no further process.
        GoneError: It could not open the archive.
    """

    def __init__(self, data: Path) -> None:
        self._process: Companion[SearchRequest, Answer | None] = Companion(__name__, str(data), seconds=_READY)
        self.begun = self.asked = monotonic()

    @property
    def process_id(self) -> int:
        """The system's number of the process."""
        return self._process.process_id

    def ask(self, request: SearchRequest) -> Answer | None:
        """Its answer, ``None`` where it has none.

        Raises:
            GoneError: There is no helper any more; close it.
        """
        self.asked = monotonic()
        return self._process.ask(request, seconds=_PATIENCE)

    def close(self) -> None:
        """End it, whatever it is doing: it only reads."""
        self._process.close()


def main() -> None:
    """Be a helper."""
    attend(_begin)


def _begin(data: str) -> Callable[[SearchRequest], Answer | None]:
    from index.corpus import Corpus  # noqa: PLC0415 - which imports this module
    from index.errors import XunzhangError  # noqa: PLC0415
    from index.tuning import spare_the_collector  # noqa: PLC0415

    try:
        corpus = Corpus.open(Path(data), answer_bytes=0)
        corpus.search(SearchRequest("你好 nihao"))  # reads what the first search would have to wait for
    except XunzhangError as error:
        sys.exit(str(error))
    spare_the_collector()

    def answer(request: SearchRequest) -> Answer | None:
        try:
            return corpus.search(request)
        except Exception:  # whoever asked does it again, and is told or tells
            return None

    return answer
