"""Measuring search quality on BEIR files, through the same code that answers users.

Owns the reading of corpus, queries and judgements, and the metrics. See Thakur et al. 2021, "BEIR".
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from statistics import fmean, median

from index.document import Answer, Document
from index.errors import SourceError
from index.ingest import Source
from index.readers import Page, Row
from index.readers.jsonl import read_jsonl
from index.readers.packed import file_content

Judgements = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Query:
    """A query to be measured; ``kind`` groups queries in the report, empty where the file has none."""

    id: str
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over queries, each 0..1; latency in milliseconds."""

    queries: int
    ndcg_at_10: float
    recall_at_10: float
    recall_at_100: float
    mrr_at_10: float
    p50_ms: float
    p95_ms: float

    def row(self) -> dict[str, float]:
        """The figures under their usual names."""
        return {
            "queries": self.queries,
            "ndcg@10": round(self.ndcg_at_10, 4),
            "recall@10": round(self.recall_at_10, 4),
            "recall@100": round(self.recall_at_100, 4),
            "mrr@10": round(self.mrr_at_10, 4),
            "p50_ms": round(self.p50_ms, 2),
            "p95_ms": round(self.p95_ms, 2),
        }


def _records(file: Path) -> Iterator[dict[str, object]]:
    if not file.is_file():
        raise SourceError(f"{file} does not exist; check the spelling.", f"{file} 不存在；请检查拼写。")
    for found in read_jsonl(file_content(file)):
        if not isinstance(found, Row):
            raise found.reason
        yield found.record


def _string(record: Mapping[str, object], name: str, file: Path) -> str:
    value = record.get(name)
    if value is None:
        raise SourceError(f"{file}: a record has no {name!r}.", f"{file}：有记录缺少 {name!r}。")
    return str(value)


def corpus_sources(file: Path) -> Iterator[Source]:
    """The documents of ``corpus.jsonl`` as sources. BEIR ids may hold any character, so they travel hex-coded."""
    for record in _records(file):
        document = Document(document_id(_string(record, "_id", file)), file.parent.name, str(record.get("title") or ""))
        yield Source(document, (Page(_string(record, "text", file)),))


def document_id(beir_id: str) -> str:
    """The document id under which a BEIR document is indexed; long ids, such as addresses, become a digest."""
    raw = beir_id.encode()
    return "b" + (raw.hex() if len(raw) <= 60 else blake2b(raw, digest_size=62).hexdigest())


def read_queries(file: Path) -> list[Query]:
    """The queries of ``queries.jsonl``."""
    return [
        Query(_string(record, "_id", file), _string(record, "text", file), str(record.get("kind") or ""))
        for record in _records(file)
    ]


def read_judgements(file: Path) -> Judgements:
    """``{query: {document id as indexed: grade}}`` of ``qrels.tsv``; grades of 0 are left out.

    Raises:
        SourceError: A line has not three columns, or a grade is no whole number.
    """
    if not file.is_file():
        raise SourceError(f"{file} does not exist; check the spelling.", f"{file} 不存在；请检查拼写。")
    judgements: Judgements = defaultdict(dict)
    with file_content(file).stream() as stream:
        rows = csv.reader(io.TextIOWrapper(stream, "utf-8"), delimiter="\t")
        for number, row in enumerate(rows, 1):
            if number == 1 and row and row[-1].strip() == "score":
                continue
            try:
                query, document, grade = row
                if int(grade) > 0:
                    judgements[query][document_id(document)] = int(grade)
            except ValueError as error:
                raise SourceError(
                    f"{file}:{number} must be query-id, corpus-id and a whole number, parted by tabs.",
                    f"{file}:{number} 应为用制表符分隔的 query-id、corpus-id 和整数分数。",
                ) from error
    return dict(judgements)


def measure(queries: Iterable[Query], judgements: Judgements, search: Callable[[str], Answer]) -> dict[str, Figures]:
    """Run the judged queries.

    Args:
        search: Answers one query with at most one hit for each document, best first.

    Returns:
        Figures under ``""`` for all queries, and under each kind where queries have kinds.
    """
    results: dict[str, list[tuple[list[int], dict[str, int], float]]] = defaultdict(list)
    for query in queries:
        wanted = judgements.get(query.id)
        if not wanted:
            continue
        answer = search(query.text)
        # A passage that is reprinted is one hit, which names its other places: they follow it, as a reader meets them.
        named = [id_ for hit in answer.hits for id_ in (hit.document.id, *(place.document_id for place in hit.also_in))]
        gains = [wanted.get(name, 0) for name in dict.fromkeys(named)]
        for kind in {"", query.kind}:
            results[kind].append((gains, wanted, answer.took_ms))
    return {kind: _figures(rows) for kind, rows in sorted(results.items())}


def _figures(rows: Sequence[tuple[list[int], dict[str, int], float]]) -> Figures:
    times = sorted(took for *_, took in rows)
    return Figures(
        queries=len(rows),
        ndcg_at_10=fmean(ndcg(gains, list(wanted.values()), 10) for gains, wanted, _ in rows),
        recall_at_10=fmean(recall(gains, len(wanted), 10) for gains, wanted, _ in rows),
        recall_at_100=fmean(recall(gains, len(wanted), 100) for gains, wanted, _ in rows),
        mrr_at_10=fmean(reciprocal_rank(gains, 10) for gains, _, _ in rows),
        p50_ms=median(times),
        p95_ms=times[min(len(times) - 1, int(len(times) * 0.95))],
    )


def ndcg(gains: Sequence[int], wanted: Sequence[int], depth: int) -> float:
    """Normalised discounted cumulative gain with linear gains, as trec_eval counts it."""

    def discounted(values: Sequence[int]) -> float:
        return sum(value / math.log2(place + 2) for place, value in enumerate(values[:depth]))

    best = discounted(sorted(wanted, reverse=True))
    return discounted(gains) / best if best else 0.0


def recall(gains: Sequence[int], wanted: int, depth: int) -> float:
    """Share of the relevant documents among the first ``depth`` hits."""
    return sum(1 for gain in gains[:depth] if gain) / wanted if wanted else 0.0


def reciprocal_rank(gains: Sequence[int], depth: int) -> float:
    """One over the place of the first relevant hit, 0 where there is none."""
    return next((1 / (place + 1) for place, gain in enumerate(gains[:depth]) if gain), 0.0)
