"""How often one key or address may ask: a bucket of tokens for each, and no more buckets than fit.

A bucket holds what may come at once and fills steadily. The libraries that do this bring more than is needed here, and
not what is: buckets in this process, in bounded memory, without a thread of their own.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from service import sentences
from service.problems import Problem

# Buckets kept, about 200 bytes each; the one longest unused makes room, and its owner begins with a full one.
MOST_BUCKETS = 10_000


class Rates:
    """Counts what each one does.

    :param per_minute: How much each may do in a minute, and at once; 0 for as much as they like.
    :param clock: Seconds, for whoever wants other ones.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, who: str, *, take: bool = True) -> float:
        """Take a token of somebody's.

        :param take: ``False`` only looks.
        :returns: Seconds until there is one; 0 where there was.
        """
        if not self._most:
            return 0.0
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.pop(who, (self._most, now))
            tokens = min(self._most, tokens + (now - then) * self._per_second)
            enough = tokens >= 1
            self._buckets[who] = (tokens - 1 if enough and take else tokens, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return 0.0 if enough else (1 - tokens) / self._per_second

    def spend(self, who: str, tokens: int) -> None:
        """Take more tokens of somebody who was let in, as for the further queries of a batch.

        There may be too few; then what is missing has to fill up before the next request.
        """
        if not self._most or tokens < 1:
            return
        with self._lock:
            left, then = self._buckets.pop(who, (self._most, self._clock()))
            self._buckets[who] = (left - tokens, then)

    def check(self, who: str, *, take: bool = True) -> None:
        """Let somebody go on, or not.

        :raises Problem: 429 with ``Retry-After``.
        """
        if seconds := self.wait(who, take=take):
            after = math.ceil(seconds)
            english, chinese = (sentence.format(seconds=after) for sentence in sentences.TOO_OFTEN)
            raise Problem(429, "too-often", english, chinese, headers={"Retry-After": str(after)})


def neighbourhood(address: str) -> str:
    """What is counted as one address: of IPv6 the /64 that a single customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6:
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
