"""One writer at a time, over all processes and machines of one Milvus.

Milvus has no compare-and-swap on rows, so optimistic writing could lose a document unnoticed; but it makes a name
(an alias) only once, whoever asks at the same time. Who wants to write therefore makes the next name in a numbered
series, and only one can. A row tells that the writer still lives: it changes several times within a lease. Whoever
has watched it stay as it was for a whole lease may make the next name; no two clocks are ever compared. A writer that
was held up for longer than a lease finds that out before its next write, and stops.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from os import getpid
from threading import Event, Lock, Thread
from time import monotonic, sleep
from uuid import uuid4

from index.engine.milvus.client import Client
from index.engine.milvus.layout import LOCK, NOTHING, PREFIX
from index.errors import BusyError, EngineError

SECONDS = 6.0  # of a lease; shorter than the time a writer waits for its turn
_BEATS = 4  # in a lease
_NAME = re.compile(rf"{PREFIX}writer_(\d+)")


@dataclass(frozen=True, slots=True)
class _State:
    """What is seen of the lock: the row and the numbers of the names."""

    row: str
    names: tuple[int, ...]

    @property
    def facts(self) -> dict[str, object]:
        facts: dict[str, object] = json.loads(self.row or "{}")
        return facts


@dataclass(slots=True)
class Lease:
    """The right to write, of one engine."""

    client: Client
    seconds: float = SECONDS
    _owner: str = field(default_factory=lambda: f"{getpid()}-{uuid4()}")
    _thread: Lock = field(default_factory=Lock)  # threads of one engine take turns too
    _seen: tuple[_State, float] | None = None  # and since when
    _number: int = 0
    _beaten: float = 0.0
    _end: Event = field(default_factory=Event)
    _heart: Thread | None = None

    def acquire(self, timeout: float) -> None:
        """Become the writer.

        Raises:
            BusyError: Somebody else was and stayed it for ``timeout`` seconds.
        """
        until = monotonic() + timeout
        if not self._thread.acquire(timeout=timeout):
            raise self._busy()
        try:
            while not self._try():
                if monotonic() >= until:
                    raise self._busy()
                sleep(min(0.1, max(0.01, until - monotonic())))
        except BaseException:
            self._thread.release()
            raise
        self._end = Event()
        self._heart = Thread(target=self._beat, name="lease", daemon=True)
        self._heart.start()

    def release(self) -> None:
        """Let the next one write."""
        self._end.set()
        if self._heart is not None:
            self._heart.join()
        try:
            if not self._lost:
                self._write(free=True)
        except EngineError:
            pass  # then it runs out
        finally:
            self._number = 0
            self._thread.release()

    def check(self) -> None:
        """See that we still are the writer; asks nobody.

        Raises:
            BusyError: We were held up for so long that another one may be.
        """
        if not self._number or self._lost:
            raise self._busy()

    @property
    def _lost(self) -> bool:
        return monotonic() - self._beaten > self.seconds

    def _try(self) -> bool:
        state = self._state()
        if self._seen is None or self._seen[0] != state:
            self._seen = state, monotonic()
        if not (self._free(state) or monotonic() - self._seen[1] > self.seconds):
            return False
        number = max(state.names, default=0) + 1
        if not self.client.name(LOCK, f"{PREFIX}writer_{number}"):
            return False
        self._number = number
        self._write(free=False)
        for older in state.names:
            self.client.unname(f"{PREFIX}writer_{older}")
        return True

    def _free(self, state: _State) -> bool:
        facts = state.facts
        if not state.names or (facts.get("free") and facts.get("number") == max(state.names)):
            return True
        # A file of Milvus Lite belongs to one process: another one that wrote to it is dead.
        owner = str(facts.get("owner", ""))
        return self.client.address.file is not None and owner.partition("-")[0] != str(getpid())

    def _state(self) -> _State:
        with self.client.strict():
            rows = self.client.query(LOCK, 'name == "writer"', ["value"])
        names = sorted(int(found[1]) for alias in self.client.aliases(LOCK) if (found := _NAME.fullmatch(alias)))
        return _State(str(rows[0]["value"]) if rows else "", tuple(names))

    def _write(self, *, free: bool) -> None:
        started = monotonic()
        facts = {"number": self._number, "owner": self._owner, "free": free, "beat": str(uuid4())}
        row = {"name": "writer", "value": json.dumps(facts), "vector": NOTHING}
        self.client.upsert(LOCK, [row], patience=self.seconds / 2)
        self._beaten = started

    def _beat(self) -> None:
        while not self._end.wait(self.seconds / _BEATS):
            if self._lost:
                return
            try:
                self._write(free=False)
            except EngineError:
                continue  # until it is lost

    def _busy(self) -> BusyError:
        where = self.client.address.shown
        return BusyError(
            f"Another process is writing to {where}; wait until it has finished and try again.",
            f"另一个进程正在写入 {where}；请等它结束后再试。",
        )
