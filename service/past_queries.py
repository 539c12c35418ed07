"""Queries that several visitors asked, offered to whoever begins to type one, where XUNZHANG_PAST_QUERIES asks for it.

Nothing of it is written to a disk, and none of it survives the process. Who asked is kept only as a digest with a key
of this process's own, so that two of them can be told apart, and only while a query is kept.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from time import monotonic

from index.chinese import fold
from index.suggest import Entry, Suggester, Suggestion

MOST_KEPT = 5_000  # queries; the one longest not asked makes room. With all their askers 25 MB
_MOST_ASKERS = 64  # told apart of one query; what more there are makes it no more popular
_MOST_OFFERED = 1_000  # queries of the list that is searched
_LONGEST = 40  # characters: what is longer is somebody's own sentence
_SECONDS = 30.0  # the list is made anew at most so often
# What may be about a person: addresses of mail, numbers of telephones, passports and accounts, links.
_PRIVATE = re.compile(r"@|\d{5}|://|\bwww\.")


@dataclass(slots=True)
class _Asked:
    text: str
    askers: set[bytes] = field(default_factory=set)


class PastQueries:
    """Counts who asked what; safe to share between threads.

    :param askers: How many different visitors must have asked a query before it is offered.
    :param clock: Seconds, for whoever wants other ones.
    """

    def __init__(self, askers: int, clock: Callable[[], float] = monotonic) -> None:
        self._needed = askers
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._offered: list[str] = []
        self._suggester = Suggester(())
        self._made = -_SECONDS

    def __len__(self) -> int:
        return len(self._asked)

    def note(self, query: str, visitor: str) -> None:
        """Count a query that was answered.

        :param visitor: Who asked, such as an address.
        """
        text = " ".join(query.split())
        name = fold(text)
        if not name or len(text) > _LONGEST or _PRIVATE.search(name):
            return
        asker = blake2b(visitor.encode(), key=self._key, digest_size=8).digest()
        with self._lock:
            asked = self._asked.setdefault(name, _Asked(text))
            self._asked.move_to_end(name)
            if len(asked.askers) < _MOST_ASKERS:
                asked.askers.add(asker)
            if len(self._asked) > MOST_KEPT:
                self._asked.popitem(last=False)

    def suggest(self, typed: str, limit: int) -> list[Suggestion]:
        """The queries that go with what was typed, the most popular first; what was typed whole is none."""
        with self._lock:
            now = self._clock()
            if now - self._made >= _SECONDS:
                self._made = now
                known = [one for one in self._asked.values() if len(one.askers) >= self._needed]
                known.sort(key=lambda one: -len(one.askers))
                offered = [one.text for one in known[:_MOST_OFFERED]]
                if offered != self._offered:  # a new list costs a tenth of a second, for the sounds
                    weights = (len(one.askers) for one in known)
                    entries = (Entry(text, "query", weight) for text, weight in zip(offered, weights, strict=False))
                    self._offered, self._suggester = offered, Suggester(entries)
            suggester = self._suggester
        return suggester.suggest(typed, limit)
