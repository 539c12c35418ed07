"""Us beside our peers: one archive's passages and vectors, the same queries, in turn within the same minutes.

The timed queries are judged ones and clauses of the documents, each asked once of everyone, so that no cache answers.
Afterwards the judged ones are asked again for what they find: 100 passages, of which each document keeps its best.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from index.corpus import Corpus
from index.document import SearchRequest
from index.engine.local import LocalEngine
from index.errors import DataError
from index.evaluation import Judgements, Query, ndcg, recall
from index.model_cards import model_card
from scripts.benchmarking.judged import Judged
from scripts.benchmarking.material import clauses
from scripts.benchmarking.peers.catalogue import PEERS, PeerKind
from scripts.benchmarking.peers.running import DEPTH, HITS, running
from scripts.benchmarking.place import install, python_in
from scripts.benchmarking.server import Client, serving, times_of
from scripts.benchmarking.spread import Goal, Spread, timed

CLIENTS = (1, 8)
_WARM = 8  # queries that are not counted
_SEED = 20260101

Times = Callable[[Sequence[str], int], tuple[list[float], float]]
Ranking = Callable[[str], list[str]]


@dataclass(slots=True)
class System:
    """One of those compared, and what was measured of it.

    Attributes:
        built: Seconds.
        times: Asks some queries by so many clients: milliseconds of each, and searches a second.
        ranking: The ids of the best documents for a query.
        ms: Milliseconds of all queries, by clients.
        a_second: Searches a second in each round, by clients.
        quality: nDCG@10 and recall@10.
    """

    name: str
    does: str
    served: bool
    how: str
    built: float
    times: Times
    ranking: Ranking
    ms: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})
    a_second: dict[int, list[float]] = field(default_factory=lambda: {clients: [] for clients in CLIENTS})
    quality: tuple[float, float] = (0.0, 0.0)

    def row(self) -> dict[str, Any]:
        """The figures as they go into the JSON report."""
        return {
            "name": self.name,
            "does": self.does,
            "over": "HTTP" if self.served else "calls",
            "how": self.how,
            "build_s": round(self.built, 1),
            "ms": {str(clients): Spread.of(values).row() for clients, values in self.ms.items()},
            "a_second": {str(clients): Spread.of(values).row() for clients, values in self.a_second.items()},
            "ndcg@10": round(self.quality[0], 4),
            "recall@10": round(self.quality[1], 4),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that were compared: ours first, as a library and as a service, then the peers that could be had."""

    passages: int
    judged: int
    ours: dict[bool, System]
    peers: list[System]
    skipped: dict[str, str]

    def ratios(self, peer: System, clients: int) -> Spread:
        """How many times as many searches a second we answer, asked in the same way; round by round."""
        ours = self.ours[peer.served].a_second[clients]
        return Spread.of([mine / theirs for mine, theirs in zip(ours, peer.a_second[clients], strict=True)])

    def row(self) -> dict[str, Any]:
        """The figures as they go into the JSON report."""
        return {
            "passages": self.passages,
            "judged_queries": self.judged,
            "systems": [system.row() for system in (*self.ours.values(), *self.peers)],
            "times_as_fast": {
                peer.name: {str(clients): self.ratios(peer, clients).row() for clients in CLIENTS}
                for peer in self.peers
            },
            "skipped": self.skipped,
        }

    def goals(self) -> list[Goal]:
        """What is wanted beside each peer. Of one client and of several, the lesser ratio counts."""
        factors = {kind.name: kind.factor for kind in PEERS}
        found = []
        for peer in self.peers:
            least = min(self.ratios(peer, clients).median for clients in CLIENTS)
            what = f"hybrid searches a second, times the {peer.does} ones of {peer.name}"
            found.append(Goal(what, factors[peer.name], least, most=False))
            quality = self.ours[peer.served].quality[0]
            found.append(Goal(f"nDCG@10 beside {peer.name}", round(peer.quality[0], 4), quality, most=False))
        return found


@dataclass(frozen=True, slots=True)
class Passages:
    """What peers are given: texts and vectors in a folder; ``documents`` has the document's id of each passage."""

    folder: Path
    documents: list[str]


def compare(
    judged: Judged,
    kinds: Sequence[PeerKind],
    asked: int,
    rounds: int,
    place: Path | None,
    tell: Callable[[str], None],
) -> Comparison:
    """Compare with those of the peers that can be installed.

    Args:
        asked: Timed queries, for one client and again for several.
        place: Where peers are installed and stay, ``None`` for a folder that is thrown away.
        tell: Called with what is being done.
    """
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tell("peers: building ours")
        corpus, built = _built(folder / "data", judged)
        stack.callback(corpus.close)
        passages = _handed_out(folder / "data", folder / "peers")
        server = stack.enter_context(serving(folder / "data"))
        client = Client(server.address, f"/api/v1/search?limit={DEPTH}&group=document&min_score=0&q=")
        stack.callback(client.close)
        ours = {
            False: System("Corpus.search", "hybrid", False, "", built, _calls(corpus), _our_ranking(corpus)),
            True: System(
                "scripts/serve", "hybrid", True, "", built,
                lambda queries, clients: times_of(server.address, queries, clients), _served_ranking(client),
            ),
        }  # fmt: skip
        tell("peers: installing")
        python = python_in(place or folder / "place")
        peers = []
        for kind in kinds:
            tell(f"peers: {kind.name}")
            skipped[kind.name] = install(python, kind.packages)
            if not skipped[kind.name]:
                with _noted(skipped, kind.name):
                    peers.append(_peer(stack, kind, python, passages))
        systems = [*ours.values(), *peers]
        tell("peers: asking")
        _time(systems, _rounds(judged, asked, rounds), skipped)
        for system in (system for system in systems if not skipped.get(system.name)):
            tell(f"peers: what {system.name} finds")
            with _noted(skipped, system.name):
                system.quality = _quality(system.ranking, judged.queries, judged.judgements)
    left = {name: why for name, why in skipped.items() if why}
    peers = [peer for peer in peers if peer.name not in left]
    return Comparison(len(passages.documents), len(judged.queries), ours, peers, left)


@contextmanager
def _noted(skipped: dict[str, str], name: str) -> Iterator[None]:
    """Leave a peer out that fails, and say why; where we fail ourselves, nothing is compared."""
    try:
        yield
    except (DataError, OSError, HTTPException) as error:
        if name not in skipped:
            raise
        skipped[name] = str(error)


def _built(data: Path, judged: Judged) -> tuple[Corpus, float]:
    corpus = Corpus.open(data, create=True)
    corpus.encoder().documents(["热身"], corpus.table.ids(["热身"]))  # torch is imported
    summary = corpus.add(judged.documents)
    if summary.trouble is not None:
        raise summary.trouble
    return corpus, summary.seconds


def _handed_out(data: Path, folder: Path) -> Passages:
    """Write the archive's passages, as they were embedded, and their vectors."""
    folder.mkdir()
    engine = LocalEngine(data, create=False)
    try:
        rows = list(engine.store.rows_after(0))
        vectors = np.frombuffer(b"".join(vector for _, _, _, vector, _ in engine.store.vectors.after(0)), "<f2")
        documents = engine.store.documents({row.document for row in rows})
    finally:
        engine.close()
    found = [row.passage for row in rows]
    texts = [f"{passage.title}\n{passage.text}" if passage.title else passage.text for passage in found]
    (folder / "texts.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    np.save(folder / "vectors.npy", vectors.reshape(len(rows), -1).astype(np.float32))
    return Passages(folder, [documents[row.document].id for row in rows])


def _peer(stack: ExitStack, kind: PeerKind, python: Path, passages: Passages) -> System:
    asked = stack.enter_context(running(kind.name, python, passages.folder, model_card("compact").location))

    def ranking(query: str) -> list[str]:
        (places,) = asked.ranked([query])
        return list(dict.fromkeys(passages.documents[place] for place in places))

    return System(kind.name, kind.does, kind.served, kind.how, asked.built, asked.times, ranking)


def _calls(corpus: Corpus) -> Times:
    def times(queries: Sequence[str], clients: int) -> tuple[list[float], float]:
        def one(query: str) -> float:
            return timed(lambda: corpus.search(SearchRequest(query, limit=HITS)))[0]

        with ThreadPoolExecutor(clients) as pool:
            elapsed, found = timed(lambda: list(pool.map(one, queries)))
        return found, len(found) / (elapsed / 1000)

    return times


def _our_ranking(corpus: Corpus) -> Ranking:
    def ranking(query: str) -> list[str]:
        request = SearchRequest(query, limit=DEPTH, group=True, min_score=0.0, marks=False)
        return [hit.document.id for hit in corpus.search(request).hits]

    return ranking


def _served_ranking(client: Client) -> Ranking:
    return lambda query: [hit["document"]["id"] for hit in json.loads(client.ask(query))["hits"]]


def _rounds(judged: Judged, asked: int, rounds: int) -> list[list[str]]:
    """The queries that warm up, then those of one client and those of several, in turn."""
    each = max(1, asked // rounds)
    wanted = _WARM + 2 * rounds * each
    texts = [source.text for source in judged.documents]
    known = [query.text for query in judged.queries][: wanted // 2]
    queries = list(dict.fromkeys([*known, *clauses(texts, wanted)]))[:wanted]
    random.Random(_SEED).shuffle(queries)  # noqa: S311 - for measuring
    parts = [queries[:_WARM]]
    return parts + [queries[start : start + each] for start in range(_WARM, len(queries) - each + 1, each)]


def _time(systems: Sequence[System], rounds: Sequence[Sequence[str]], skipped: dict[str, str]) -> None:
    chosen = random.Random(_SEED)  # noqa: S311 - for measuring
    for number, queries in enumerate(rounds):
        order = [system for system in systems if not skipped.get(system.name)]
        chosen.shuffle(order)
        clients = CLIENTS[(number + 1) % len(CLIENTS)]
        for system in order:
            with _noted(skipped, system.name):
                times, a_second = system.times(queries, clients)
                if number:  # the first warms up
                    system.ms[clients] += times
                    system.a_second[clients].append(a_second)


def _quality(ranking: Ranking, queries: Sequence[Query], judgements: Judgements) -> tuple[float, float]:
    """nDCG@10 and recall@10."""
    found = []
    for query in queries:
        wanted = judgements[query.id]
        gains = [wanted.get(id_, 0) for id_ in ranking(query.text)]
        found.append((ndcg(gains, list(wanted.values()), 10), recall(gains, len(wanted), 10)))
    return fmean(gain for gain, _ in found), fmean(share for _, share in found)
