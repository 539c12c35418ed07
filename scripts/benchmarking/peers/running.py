"""A peer at work, in a process of its own: libraries are asked over a pipe and time themselves, servers over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol

from index.errors import DataError
from scripts.benchmarking.server import Client, times_of

HERE = Path(__file__).parent
HITS = 10
DEPTH = 100  # passages that documents are ranked by
_PATIENCE = 60  # seconds in which a server listens, once it has built its index
_SERVERS = {"txtai": ("txtai_server.py", "query"), "plain Flask": ("plain_flask.py", "q")}


class Asked(Protocol):
    """Something that answers queries.

    Attributes:
        built: Seconds from the passages to the index.
    """

    built: float

    def times(self, queries: Sequence[str], clients: int) -> tuple[list[float], float]:
        """Milliseconds of each query by so many clients at once, and queries a second in all."""
        ...

    def ranked(self, queries: Sequence[str]) -> list[list[int]]:
        """Places of the best passages for each query."""
        ...


class _Process:
    """A peer's process, which writes answers as lines of JSON to its output and everything else to a log."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self._log = log
        # Its own threads are for each peer to choose; ours are bound for reasons of ours.
        ours = ("XUNZHANG_", "OPENBLAS_", "OMP_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        with log.open("w", encoding="utf-8") as told:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, cwd=HERE, env={**environment, "HF_HUB_OFFLINE": "1"}, encoding="utf-8",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told,
            )  # fmt: skip

    def tell(self, **command: Any) -> None:
        """Give it a command."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self.gone() from error

    def answer(self) -> dict[str, Any]:
        """Its next answer."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # else a library has printed something
                found: dict[str, Any] = json.loads(line)
                return found
        raise self.gone()

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def gone(self) -> DataError:
        """That it does not answer, and the last it wrote."""
        self.end()
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        why = (lines or ["it said nothing"])[-1]
        return DataError(f"{self.name} ended: {why}", f"{self.name} 退出了：{why}")

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Library:
    """A library in a worker process."""

    def __init__(self, process: _Process) -> None:
        self._process = process
        self.built: float = self._asked(do="build")["seconds"]

    def times(self, queries: Sequence[str], clients: int) -> tuple[list[float], float]:
        """See ``Asked``."""
        found = self._asked(do="ask", queries=list(queries), clients=clients, limit=HITS)
        return found["ms"], len(found["ms"]) / found["seconds"]

    def ranked(self, queries: Sequence[str]) -> list[list[int]]:
        """See ``Asked``."""
        found: list[list[int]] = self._asked(do="rank", queries=list(queries), limit=DEPTH)["ranked"]
        return found

    def _asked(self, **command: Any) -> dict[str, Any]:
        self._process.tell(**command)
        return self._process.answer()


class Served:
    """A server.

    Args:
        field: What it calls the query.
    """

    def __init__(self, process: _Process, address: str, field: str) -> None:
        self._address = address
        self._field = field
        self.built: float = process.answer()["seconds"]
        host, _, port = address.partition(":")
        deadline = monotonic() + _PATIENCE
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError as error:
                if monotonic() > deadline or not process.runs():
                    raise process.gone() from error
                sleep(0.05)
            else:
                break

    def times(self, queries: Sequence[str], clients: int) -> tuple[list[float], float]:
        """See ``Asked``."""
        return times_of(self._address, queries, clients, self._asking(HITS))

    def ranked(self, queries: Sequence[str]) -> list[list[int]]:
        """See ``Asked``."""
        client = Client(self._address, self._asking(DEPTH))
        try:
            return [[int(hit["id"]) for hit in json.loads(client.ask(query))] for query in queries]
        finally:
            client.close()

    def _asking(self, limit: int) -> str:
        return f"/search?limit={limit}&{self._field}="


@contextmanager
def running(name: str, python: Path, folder: Path, model: str) -> Iterator[Asked]:
    """A peer over the passages in a folder, for as long as the block runs.

    Raises:
        DataError: It ended early; the reason is the last it wrote.
    """
    script, field = _SERVERS.get(name, ("worker.py", ""))
    port = _free_port()
    program = [python, script, folder, model, str(port)] if field else [python, script, name, folder, model]
    process = _Process(name, program, folder / f"{name.replace(' ', '-')}.log")
    try:
        yield Served(process, f"127.0.0.1:{port}", field) if field else Library(process)
    finally:
        process.end()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
