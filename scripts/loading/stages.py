"""Arrivals at a fixed rate, and beside them one who adds and removes documents and looks whether that has happened."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from scripts.benchmarking.server import times_of
from scripts.loading.oracle import Oracle, marker, path_of, record

_TIMEOUT = 20.0  # seconds after which a client has given up
_SEED = 11


@dataclass(slots=True)
class Stage:
    """What came of one rate.

    Attributes:
        factor: Of the capacity.
        before, after: Searches a second the server could do right before and right after: others who use the machine
            change what it can.
        rate: Arrivals a second.
        asked, answered, refused: Searches sent, answered with 200, with 503 or 429.
        other: Anything else: another status, a broken connection, no answer in time.
        wrong: Answers that are not what they must be.
        p50, p99: Milliseconds of those answered.
        refused_p99: Milliseconds of those refused.
        late: Milliseconds after its time at which a search was sent, 99 of 100 sooner: what the asking program itself
            was behind, as it shares the machine. A row in which this is much says little about the server.
        changes: Documents added and removed meanwhile, each looked for afterwards.
        memory: MB of the server, every two seconds.
        kinds: What the others were.
    """

    factor: float
    rate: float
    before: float
    after: float = 0.0
    asked: int = 0
    answered: int = 0
    refused: int = 0
    other: int = 0
    wrong: int = 0
    p50: float = 0.0
    p99: float = 0.0
    refused_p99: float = 0.0
    late: float = 0.0
    changes: int = 0
    memory: list[float] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)

    def row(self) -> str:
        """A row of the table."""
        counts = f"{self.asked} | {self.answered} | {self.refused} | {self.other} | {self.wrong}"
        times = f"{self.p50:.0f} | {self.p99:.0f} | {self.refused_p99:.0f} | {self.late:.0f}"
        quarter = max(1, len(self.memory) // 4)
        most = " ".join(
            f"{max(self.memory[at : at + quarter], default=0.0):.0f}" for at in range(0, 4 * quarter, quarter)
        )
        return (
            f"| {self.factor:g}x | {self.before:.0f}, {self.after:.0f} | {self.rate:.0f} | {counts} | {times} | "
            f"{self.changes} | {most} |"
        )


def capacity_of(address: str, oracle: Oracle) -> float:
    """Searches a second that four clients get answered who each wait for their answer."""
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    times_of(address, [oracle.some_query(chance) for _ in range(100)], 4)
    return times_of(address, [oracle.some_query(chance) for _ in range(1_000)], 4)[1]


def run_stages(
    address: str,
    oracle: Oracle,
    factors: Sequence[float],
    seconds: float,
    tell: Callable[[str], None],
) -> list[Stage]:
    """Load the server at each factor of what it can do just then, in turn."""
    stages = []
    before = capacity_of(address, oracle)
    for factor in factors:
        stage = asyncio.run(_Load(address, oracle, Stage(factor, factor * before, before), seconds).run())
        stage.after = before = capacity_of(address, oracle)
        tell(stage.row() + f" {stage.kinds or ''}")
        stages.append(stage)
    return stages


class _Load:
    def __init__(self, address: str, oracle: Oracle, stage: Stage, seconds: float) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._oracle = oracle
        self._stage = stage
        self._seconds = seconds
        self._times: list[float] = []
        self._refusals: list[float] = []
        self._kinds: Counter[str] = Counter()
        self._over = False

    async def run(self) -> Stage:
        """Ask at the rate, whether answers come or not, change documents meanwhile, and count."""
        beside = [asyncio.create_task(self._change()), asyncio.create_task(self._watch())]
        chance = random.Random(_SEED)  # noqa: S311 - no secret
        asked: set[asyncio.Task[None]] = set()
        late: list[float] = []
        began = due = perf_counter()
        while due - began < self._seconds:
            due += chance.expovariate(self._stage.rate)
            await asyncio.sleep(max(0.0, due - perf_counter()))
            late.append((perf_counter() - due) * 1000)
            task = asyncio.create_task(self._ask(self._oracle.some_query(chance)))
            asked.add(task)
            task.add_done_callback(asked.discard)
            self._stage.asked += 1
        await asyncio.gather(*asked)
        self._over = True
        await asyncio.gather(*beside)
        self._stage.p50, self._stage.p99 = _share(self._times, 0.5), _share(self._times, 0.99)
        self._stage.refused_p99, self._stage.late = _share(self._refusals, 0.99), _share(late, 0.99)
        self._stage.kinds = dict(self._kinds)
        return self._stage

    async def _ask(self, query: str) -> None:
        began = perf_counter()
        status, body = await self._request("GET", path_of(query))
        took = (perf_counter() - began) * 1000
        if status == 200:
            self._times.append(took)
            self._stage.answered += 1
            self._stage.wrong += not self._oracle.is_right(query, body)
        elif status in (429, 503):
            self._stage.refused += 1
            self._refusals.append(took)
        else:
            self._stage.other += 1
            self._kinds[str(status) if status else body.decode()] += 1

    async def _change(self) -> None:
        """Add a document, look for it, remove it, look that it is gone; what is acknowledged must have happened."""
        number = 1_000_000
        while not self._over:
            number += 1
            body = json.dumps(record(number, "渡口的灯塔今晚亮了，等船的人都回头去看。")).encode()
            if (await self._insist("POST", "/api/v1/documents", body))[0] == 201:
                self._stage.changes += 1
                self._stage.wrong += not self._oracle.is_right(
                    f'"{marker(number)}"', (await self._insist("GET", self._marked(number)))[1]
                )
            if (await self._insist("DELETE", f"/api/v1/documents/n{number}"))[0] == 204:
                self._stage.changes += 1
                found = json.loads((await self._insist("GET", self._marked(number)))[1])
                self._stage.wrong += bool(found["hits"])
            await asyncio.sleep(0.5)

    def _marked(self, number: int) -> str:
        return path_of(f'"{marker(number)}"')

    async def _insist(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Ask again for as long as the server says that it has too much to do, as its Retry-After asks."""
        while True:
            status, answer = await self._request(method, path, body)
            if status in (200, 201, 204, 404):
                return status, answer
            if status not in (429, 503):
                self._stage.other += 1
                self._kinds[f"{method} {status or answer.decode()}"] += 1
            await asyncio.sleep(0.2)

    async def _watch(self) -> None:
        while True:
            status, body = await self._request("GET", "/metrics")
            for line in body.decode("utf-8", "replace").splitlines() if status == 200 else ():
                if line.startswith("process_resident_memory_bytes "):
                    self._stage.memory.append(float(line.split()[1]) / 1e6)
            if self._over:
                return
            await asyncio.sleep(2)

    async def _request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """One request on a connection of its own; status 0 and the reason where there is no answer."""
        try:
            async with asyncio.timeout(_TIMEOUT):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n"
                    if body:
                        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                    writer.write(head.encode() + b"\r\n" + body)
                    await writer.drain()
                    answer = await reader.read()
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
            first, _, rest = answer.partition(b"\r\n")
            return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]
        except (OSError, TimeoutError, ValueError, IndexError) as error:
            return 0, type(error).__name__.encode()


def _share(times: list[float], share: float) -> float:
    """What that share of the times does not exceed; 0 where there are none."""
    return sorted(times)[int(len(times) * share)] if times else 0.0
