"""Documents with queries that were judged: whole for the sample, or as many of a corpus as are wanted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from index.evaluation import Judgements, Query, corpus_sources
from index.ingest import Source, sources_of
from index.model_cards import model_card
from index.paragraphs import cut
from index.suite import EvaluationSet, read_set
from scripts.benchmarking.material import SAMPLE
from scripts.common import ROOT

_SAMPLE_QUERIES = ROOT / "tests" / "data" / "sample_queries.jsonl"
_FIRST = 400  # documents that tell how many passages one has


@dataclass(frozen=True, slots=True)
class Judged:
    """What search quality is measured on.

    Attributes:
        documents: In the order of their file.
        queries: Those that some document answers.
        judgements: Of documents by their ids.
    """

    documents: list[Source]
    queries: list[Query]
    judgements: Judgements


def judged_sample() -> Judged:
    """The bundled sample with the queries of the tests; right is the document that a query was made for."""
    documents = [source for source in sources_of([SAMPLE]) if isinstance(source, Source)]
    ids = {Path(source.document.path).name: source.document.id for source in documents}
    rows = [json.loads(line) for line in _SAMPLE_QUERIES.read_text(encoding="utf-8").splitlines()]
    answered = [row for row in rows if row.get("file")]
    queries = [Query(row["id"], row["query"], row["kind"]) for row in answered]
    return Judged(documents, queries, {row["id"]: {ids[row["file"]]: 1} for row in answered})


def judged_files(chosen: EvaluationSet, passages: int | None) -> Judged:
    """The documents of a corpus that give about so many passages, or all; those judged are always among them.

    Raises:
        SourceError: The files do not belong together, or cannot be read.
    """
    queries, judgements = read_set(chosen)
    documents = list(corpus_sources(chosen.corpus))
    if passages is not None:
        lengths = model_card("compact").lengths
        first = documents[:_FIRST]
        each = sum(len(cut(source.text, lengths).passages) for source in first) / len(first)
        wanted = {id_ for grades in judgements.values() for id_ in grades}
        spare = round(passages / each) - sum(source.document.id in wanted for source in documents)
        kept = []
        for source in documents:
            right = source.document.id in wanted
            if right or spare > 0:
                kept.append(source)
                spare -= not right
        documents = kept
    return Judged(documents, queries, judgements)
