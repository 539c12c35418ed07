"""An archive as it grows: building, adding, starting, memory, searching, and what the dense index misses.

The servers keep no answers, as the same queries are asked by one client and by several.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import Filter, Numbers
from index.engine.local import LocalEngine
from index.errors import DataError
from index.ingest import record_source, sources_of
from scripts.benchmarking.material import Material, sources, write_records
from scripts.benchmarking.server import serving, times_of
from scripts.benchmarking.spread import Goal, Spread, resident_memory, timed

CLIENTS = (1, 8)
DEPTH = 10  # of the recall
_MEETING = 10.0  # seconds; the processes start within four
LARGE = 50_000  # passages from which building and memory are counted for each
_STARTS = 3
_AGAIN = 5  # times one document is added and removed
_BLOCK = 20_000  # vectors compared at once
ARCHIVE = 209_000  # passages that are to be built within a minute
FEW = 200  # passages of the archive that others are compared with
_ALL = Filter()


@dataclass(frozen=True, slots=True)
class Growth:
    """What was measured at one size.

    Attributes:
        seconds: Of building from a file of records (``build``), and of adding a hundredth of it later and removing
            that again (``added``, ``removed``).
        one: Milliseconds until one added document is found, and until a removed one is not, each several times.
        start: Seconds from starting the server until it is ready, beyond what that takes over a few documents; of
            several starts the quickest, for imports take seconds and more on a busy machine.
        memory: Bytes of the server's processes for each passage, own and mapped, beyond those over a few documents.
        search: Milliseconds over HTTP by number of clients.
        a_second: Searches a second by number of clients.
        recall: Share of the 10 nearest vectors that the dense index finds.
    """

    documents: int
    passages: int
    vector_index: str
    seconds: dict[str, float]
    one: dict[str, Spread]
    start: float
    memory: dict[str, float]
    search: dict[int, Spread]
    a_second: dict[int, float]
    recall: float

    def row(self) -> dict[str, object]:
        """The figures as they go into the JSON report."""
        return {
            "documents": self.documents,
            "passages": self.passages,
            "vector_index": self.vector_index,
            "build_s": round(self.seconds["build"], 2),
            "passages_a_second": round(self.passages / self.seconds["build"]),
            "add_1_percent_s": round(self.seconds["added"], 3),
            "add_1_percent_of_build": round(self.seconds["added"] / self.seconds["build"], 4),
            "remove_1_percent_s": round(self.seconds["removed"], 3),
            "remove_1_percent_of_build": round(self.seconds["removed"] / self.seconds["build"], 4),
            "add_one_ms": self.one["add"].row(),
            "remove_one_ms": self.one["remove"].row(),
            "start_s": round(self.start, 2),
            "bytes_a_passage": {name: round(value) for name, value in self.memory.items()},
            "http_ms": {str(clients): spread.row() for clients, spread in self.search.items()},
            "searches_a_second": {str(clients): round(value, 1) for clients, value in self.a_second.items()},
            "recall_at_10": round(self.recall, 4),
        }

    def goals(self) -> list[Goal]:
        """What is wanted at any size, and of a million passages."""
        build = self.seconds["build"]
        found = [
            Goal("adding 1 % of the documents, of a full build", 3, 100 * self.seconds["added"] / build, "%"),
            Goal("removing 1 % of the documents, of a full build", 3, 100 * self.seconds["removed"] / build, "%"),
            Goal("one added document found", 1000, self.one["add"].median, "ms"),
            Goal("one removed document gone", 1000, self.one["remove"].median, "ms"),
            Goal("ready, beyond the start over a few documents", 2, self.start, "s"),
            Goal("recall@10 of the dense index", 0.99, self.recall, most=False),
            Goal("p95 of a search over HTTP, one client", 10, self.search[1].p95, "ms"),
        ]
        if self.passages >= LARGE:
            found.append(Goal(f"building, for {ARCHIVE:,} passages", 60, build * ARCHIVE / self.passages, "s"))
        if self.memory and self.passages >= LARGE:  # of a small archive it is what every process holds
            found.append(Goal("memory for each passage", 1500, sum(self.memory.values()), "bytes"))
        return found


@dataclass(frozen=True, slots=True)
class Base:
    """What every start and every process costs, whatever the archive: a server over a few documents."""

    started: float
    memory: dict[str, int] | None


def smallest_server(material: Material, queries: Sequence[str]) -> Base:
    """Measure a server over the first documents, after the same searches."""
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), material, FEW)
        with serving(Path(folder), cache=False) as server:
            for clients in CLIENTS:
                if clients > 1:
                    _meet(server.address, queries, clients)
                times_of(server.address, queries, clients)
            memory = resident_memory(server.process)
        return Base(_quickest_start(Path(folder), server.started), memory)


def _quickest_start(data: Path, first: float) -> float:
    """Seconds, of a server's first start and others."""
    started = [first]
    for _ in range(_STARTS - 1):
        with serving(data, cache=False) as server:
            started.append(server.started)
    return min(started)


def build(data: Path, material: Material, passages: int | None) -> tuple[int, float]:
    """Make an archive of about so many passages from a file of records; documents, and seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        documents = write_records(material.passages(passages), file)
        corpus = Corpus.open(data, create=True)
        corpus.encoder().documents(["热身"], corpus.table.ids(["热身"]))  # torch is imported once, whatever the size
        summary = corpus.add(sources_of([file]))
        corpus.close()
    if summary.trouble is not None:
        raise summary.trouble
    return documents, summary.seconds


def growth(data: Path, material: Material, built: tuple[int, float], queries: Sequence[str], base: Base) -> Growth:
    """Measure an archive that ``build`` has made; it is as it was afterwards."""
    documents, seconds = built
    corpus = Corpus.open(data)
    passages, kind = corpus.status().passages, corpus.status().vector_index
    recall = recall_of(data, corpus, queries)
    search, a_second = {}, {}
    with serving(data, cache=False) as server:
        for clients in CLIENTS:
            if clients > 1:
                _meet(server.address, queries, clients)
            times, a_second[clients] = times_of(server.address, queries, clients)
            search[clients] = Spread.of(times)
        memory = resident_memory(server.process)
    started = _quickest_start(data, server.started) - base.started
    each = {name: (memory[name] - base.memory[name]) / passages for name in memory} if memory and base.memory else {}
    one = _one_document(corpus)
    spent = {"build": seconds, **_hundredth(corpus, material, documents)}
    corpus.close()
    return Growth(documents, passages, kind, spent, one, started, each, search, a_second, recall)


def _meet(address: str, queries: Sequence[str], clients: int) -> None:
    """Ask until other processes answer too, which they do once people keep meeting; their memory is counted then."""
    began = perf_counter()
    while perf_counter() - began < _MEETING:
        times_of(address, queries, clients)


def _one_document(corpus: Corpus) -> dict[str, Spread]:
    """Add a document and remove it, until the search says so, several times."""
    times: dict[str, list[float]] = {"add": [], "remove": []}
    for number in range(_AGAIN):
        phrase = f"第{number}号测量文件"
        source = record_source({"id": f"one{number}", "text": f"{phrase}今天放进了档案，马上就要找得到。"}, source="")
        request = SearchRequest(f'"{phrase}"', limit=1)
        for name, work, wanted in (
            ("add", lambda source=source: corpus.add([source]), 1),
            ("remove", lambda source=source: corpus.remove([source.document.id]), 0),
        ):
            began = perf_counter()
            work()
            found = len(corpus.search(request).hits)
            times[name].append((perf_counter() - began) * 1000)
            if found != wanted:
                raise DataError(
                    f"{phrase} has {found} hits instead of {wanted}.", f"{phrase} 有 {found} 条结果，应为 {wanted} 条。"
                )
    return {name: Spread.of(values) for name, values in times.items()}


def _hundredth(corpus: Corpus, material: Material, documents: int) -> dict[str, float]:
    """Seconds that adding 1 % of new documents takes, and removing them again."""
    added = list(sources(list(islice(material.new(seed=1), max(1, documents // 100))), prefix="new"))
    adding, _ = timed(lambda: corpus.add(added))
    removing, _ = timed(lambda: corpus.remove([source.document.id for source in added]))
    return {"added": adding / 1000, "removed": removing / 1000}


def recall_of(data: Path, corpus: Corpus, queries: Sequence[str]) -> float:
    """Share of the nearest vectors, by comparing with every one of them, that the dense index finds."""
    vectors = corpus.encoder().queries(queries)
    engine = LocalEngine(data, create=False)
    try:
        view = engine.view()
        assert view is not None
        best = np.full((len(queries), DEPTH), -1.0, np.float32)
        block: list[bytes] = []
        for _, _, _, vector, _ in engine.store.vectors.after(0):
            block.append(vector)
            if len(block) == _BLOCK:
                best = _best(best, vectors, block)
                block = []
        best = _best(best, vectors, block) if block else best
        # By their cosines, not by number: several passages may have the same vector. The index rounds vectors, so that
        # its own cosines say little of who is nearer.
        found = [
            int((_cosines(engine, view.dense(vector, DEPTH, _ALL).numbers, vector) >= best[place, -1] - 1e-5).sum())
            for place, vector in enumerate(vectors)
        ]
    finally:
        engine.close()
    return float(np.mean(found)) / min(DEPTH, view.passages)


def _cosines(engine: LocalEngine, numbers: Numbers, query: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Of stored passages with a query, by their vectors as the database has them."""
    keys = [row.key for row in engine.store.rows(numbers.tolist()).values()]
    stored = engine.store.vectors.of(keys)
    return np.array([stored[key][0].astype(np.float32) @ query for key in keys], np.float32)


def _best(
    best: npt.NDArray[np.float32], queries: npt.NDArray[np.float32], block: list[bytes]
) -> npt.NDArray[np.float32]:
    matrix = np.frombuffer(b"".join(block), "<f2").reshape(len(block), -1).astype(np.float32)
    scores = np.concatenate([best, queries @ matrix.T], axis=1)
    return np.sort(np.partition(scores, -DEPTH, axis=1)[:, -DEPTH:], axis=1)[:, ::-1]
