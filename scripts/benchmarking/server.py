"""The service as its users meet it: a server process of its own, asked over HTTP by one client or several at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from urllib.parse import quote, urlsplit

from index.errors import DataError
from scripts.benchmarking.spread import timed
from scripts.common import ROOT

_READY = re.compile(r"http://\S+")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        process: Its number.
        address: Host and port.
        started: Seconds from the command to the line that says it is ready.
        ended: Waits for its end, where it ends by itself; returns its exit status.
    """

    process: int
    address: str
    started: float
    ended: Callable[[], int]


@contextmanager
def serving(data: Path, *, cache: bool = True) -> Iterator[Server]:
    """A server of an archive, as ``scripts/serve`` starts it, for as long as the block runs.

    Args:
        cache: Whether it may keep answers.

    Raises:
        DataError: It ended before it was ready.
    """
    command = [sys.executable, "-m", "scripts.server", "--data", str(data), "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XUNZHANG_")}
    if not cache:
        environment["XUNZHANG_CACHE_MB"] = "0"
    began = perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=told, encoding="utf-8"
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            seconds = perf_counter() - began
            ready = _READY.search(line)
            if ready is None:
                process.wait()
                told.seek(0)
                why = (told.read().strip().splitlines() or [line.strip()])[-1]
                raise DataError(f"The server did not start: {why}", f"服务没有启动：{why}")
            yield Server(process.pid, urlsplit(ready[0]).netloc, seconds, process.wait)
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


ASKING = "/api/v1/search?q="


class Client:
    """One client that keeps its connection; ``asking`` is the address of a search, less its query."""

    def __init__(self, address: str, asking: str = ASKING) -> None:
        self._connection = HTTPConnection(address, timeout=60)
        self._asking = asking

    def ask(self, query: str) -> bytes:
        """The answer to a search, as it came.

        Raises:
            DataError: It is no answer.
        """
        self._connection.request("GET", self._asking + quote(query))
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise DataError(
                f"The server answered {response.status} to {query!r}.", f"服务对 {query!r} 的回答是 {response.status}。"
            )
        return body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def times_of(address: str, queries: Sequence[str], clients: int, asking: str = ASKING) -> tuple[list[float], float]:
    """Milliseconds of each search by so many clients at once, and searches a second in all."""

    def one(share: Sequence[str]) -> list[float]:
        client = Client(address, asking)
        try:
            return [timed(lambda query=query: client.ask(query))[0] for query in share]  # type: ignore[misc]
        finally:
            client.close()

    shares = [queries[place::clients] for place in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        elapsed, times = timed(lambda: list(pool.map(one, shares)))
    found = [time for share in times for time in share]
    return found, len(found) / (elapsed / 1000)
