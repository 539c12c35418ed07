"""An answer against its parts: the libraries' own work, bare, beside ``Corpus.search`` and a search over HTTP.

For each query, in an order drawn anew for each: the query encoded, FAISS and Tantivy asked for 200 candidates each,
200 candidates compared by late interaction, the 10 hits read from SQLite and marked. What the whole takes beyond the
sum is what our own code between the parts costs. Each is asked once, so that no answer was kept; asked again over HTTP
after all of them, each shows what a kept answer takes.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import tantivy

from index.chinese import parse_query, tokens
from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import Filter
from index.engine.local import DATABASE, LocalEngine
from index.engine.vectors import PROBE
from index.errors import NoIndexError
from index.highlight import highlight
from index.interaction import query_words, scores
from index.rarity import Rarity
from scripts.benchmarking.server import Client, serving
from scripts.benchmarking.spread import Goal, Spread, timed

CANDIDATES = 200
HITS = 10
PARTS = ("encode", "vectors", "words", "interaction", "fetch", "highlight")
WHOLES = ("search", "http")
AGAIN = "again"
_ALL = Filter()
_WARM = 8  # queries that are not counted


@dataclass(frozen=True, slots=True)
class AnswerTimes:
    """Milliseconds of every part and whole for each query, in the same order."""

    passages: int
    times: dict[str, list[float]]

    @property
    def bare(self) -> list[float]:
        """The sum of the parts, for each query."""
        return [sum(parts) for parts in zip(*(self.times[name] for name in PARTS), strict=True)]

    def ratios(self, whole: str) -> Spread:
        """How many times the sum of its parts a whole takes, query by query."""
        return Spread.of([all_ / parts for all_, parts in zip(self.times[whole], self.bare, strict=True)])

    def row(self) -> dict[str, object]:
        """The figures as they go into the JSON report."""
        return {
            "passages": self.passages,
            "queries": len(self.bare),
            "ms": {**{name: Spread.of(self.times[name]).row() for name in (*PARTS, *WHOLES, AGAIN)},
                   "bare": Spread.of(self.bare).row()},
            "ratio_to_bare": {name: self.ratios(name).row() for name in WHOLES},
        }  # fmt: skip

    def goals(self) -> list[Goal]:
        """What an answer over HTTP may cost."""
        share = Spread.of(self.times["http"]).median / Spread.of(self.bare).median
        return [Goal("p50 of a search over HTTP, times that of its bare parts", 1.5, share)]


class BareParts:
    """The parts of an answer over the newest generation of an archive, each by the library that does it."""

    def __init__(self, corpus: Corpus, engine: LocalEngine) -> None:
        view = engine.view()
        if view is None:
            raise NoIndexError(f"Nothing is indexed in {engine.data}.", f"{engine.data} 中没有索引。")
        self.passages = view.passages
        self._view = view
        self._encoder = corpus.encoder()
        self._table = corpus.table
        folder = engine.data / "generations" / f"{view.generation:08d}"
        self._vectors = faiss.read_index(str(folder / "base" / "index.faiss"), faiss.IO_FLAG_MMAP_IFC)
        index = tantivy.Index.open(str(folder / "words"))
        self._schema, self._searcher = index.schema, index.searcher()
        self._database = sqlite3.connect(engine.data / DATABASE)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def times(self, text: str, chosen: random.Random) -> dict[str, float]:
        """Milliseconds of each part for one query."""
        vector = self._encoder.queries([text])[0]
        numbers = self._view.dense(vector, CANDIDATES, _ALL).numbers
        known = self._view.known(numbers)
        query = parse_query(text)
        rarity = Rarity(self._view)
        # Words remember what they were compared with: one that has to compare, one that has, as when hits are marked.
        fresh, words = (query_words(self._table, query.text, rarity.of_words, query.sought) for _ in range(2))
        scores(words, known.tokens)
        rows = self._view.rows(numbers[:HITS].tolist())
        texts = [row.passage.text for row in rows.values()]
        ids = self._view.known(np.array(list(rows), np.int64)).tokens
        terms = Counter(tokens(query.sought))
        work: dict[str, Callable[[], object]] = {
            "encode": lambda: self._encoder.queries([text]),
            "vectors": lambda: self._nearest(vector),
            "words": lambda: self._best(terms),
            "interaction": lambda: scores(fresh, known.tokens),
            "fetch": lambda: self._fetched(numbers[:HITS].tolist()),
            "highlight": lambda: highlight(self._table, words, query.sought, texts, ids, question=query.folded),
        }
        order = list(work)
        chosen.shuffle(order)
        return {name: timed(work[name])[0] for name in order}

    def _nearest(self, vector: npt.NDArray[np.float32]) -> object:
        faiss.omp_set_num_threads(1)
        parameters = None
        if isinstance(self._vectors, faiss.IndexIVF):
            parameters = faiss.SearchParametersIVF(nprobe=max(1, round(self._vectors.nlist * PROBE)))
        return self._vectors.search(vector[None, :], CANDIDATES, params=parameters)

    def _best(self, terms: Counter[str]) -> object:
        query = tantivy.Query.boolean_query(
            [(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "body", term, "freq")) for term in terms]
        )
        return self._searcher.search(query, CANDIDATES, count=False).hits

    def _fetched(self, numbers: Sequence[int]) -> object:
        marks = ",".join("?" * len(numbers))
        query = (
            "SELECT text, documents.title, date FROM passages JOIN documents ON documents.number = document"  # noqa: S608
            f" WHERE passages.number IN ({marks})"
        )
        return self._database.execute(query, numbers).fetchall()


def answer_times(data: Path, queries: Sequence[str]) -> AnswerTimes:
    """Measure every query once, bare, whole and over HTTP, in an order drawn anew for each; then over HTTP again."""
    chosen = random.Random(20260101)  # noqa: S311 - for measuring
    corpus = Corpus.open(data)
    engine = LocalEngine(data, create=False)
    parts = BareParts(corpus, engine)
    times: dict[str, list[float]] = {name: [] for name in (*PARTS, *WHOLES)}
    try:
        with serving(data) as server:
            client = Client(server.address)
            warm = [text[::-1] for text in queries[:_WARM]]  # which nobody asks later
            for place, text in enumerate([*warm, *queries]):
                steps: list[Callable[[str], dict[str, float]]] = [
                    lambda text: parts.times(text, chosen),
                    lambda text: {"search": timed(lambda: corpus.search(SearchRequest(text, limit=HITS)))[0]},
                    lambda text: {"http": timed(lambda: client.ask(text))[0]},
                ]
                chosen.shuffle(steps)
                for step in steps:
                    for name, spent in step(text).items():
                        if place >= len(warm):
                            times[name].append(spent)
            times[AGAIN] = [timed(lambda text=text: client.ask(text))[0] for text in queries]  # type: ignore[misc]
            client.close()
    finally:
        parts.close()
        engine.close()
        corpus.close()
    return AnswerTimes(parts.passages, times)
