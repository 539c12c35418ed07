"""A whole folder of evaluation sets measured in one go, with each stage of the search on and off.

A set is a folder with ``queries.jsonl``, ``qrels.tsv`` and a ``corpus.jsonl`` (each also .gz or .xz); one without a
corpus asks a common archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from index.corpus import Corpus
from index.document import Mode, SearchRequest
from index.errors import SourceError
from index.evaluation import Figures, Judgements, Query, measure, read_judgements, read_queries

DEPTH = 100  # hits asked for a query: recall@100 needs them


@dataclass(frozen=True)
class EvaluationSet:
    """The files of a set; ``corpus`` may be the archive that several share."""

    name: str
    corpus: Path
    queries: Path
    qrels: Path


@dataclass(frozen=True)
class Variant:
    """A way to search: a mode, less some of its stages (see ``SearchRequest.without``)."""

    name: str
    mode: Mode
    without: frozenset[str] = frozenset()


VARIANTS = (
    Variant("lexical", "lexical"),
    Variant("dense", "dense"),
    Variant("fused", "hybrid", frozenset({"expansion", "interaction"})),
    Variant("+ interaction", "hybrid", frozenset({"expansion"})),
    Variant("+ expansion", "hybrid", frozenset({"interaction"})),
    Variant("hybrid", "hybrid"),
)
_RERANKED = Variant("+ reranker", "hybrid")


def variants(*, reranked: bool) -> tuple[Variant, ...]:
    """The ways to search; all but the last without the reranker, if there is one."""
    if not reranked:
        return VARIANTS
    without = (replace(variant, without=variant.without | {"rerank"}) for variant in VARIANTS)
    return (*without, _RERANKED)


def sets_in(folder: Path, archive: Path | None) -> list[EvaluationSet]:
    """The sets in a folder, in order of name.

    Raises:
        SourceError: There are none, or one has no corpus and no archive was given.
    """
    found = []
    for below in sorted(path for path in folder.glob("*") if path.is_dir()):
        queries, qrels = _file(below, "queries.jsonl"), _file(below, "qrels.tsv")
        if queries is None or qrels is None:
            continue
        corpus = _file(below, "corpus.jsonl") or archive
        if corpus is None:
            raise SourceError(
                f"{below} has no corpus.jsonl; name the archive its queries ask with --corpus.",
                f"{below} 中没有 corpus.jsonl；请用 --corpus 指定其查询所针对的档案。",
            )
        found.append(EvaluationSet(below.name, corpus, queries, qrels))
    if not found:
        raise SourceError(
            f"There is no evaluation set in {folder}: no folder with queries.jsonl and qrels.tsv.",
            f"{folder} 中没有评测集：没有含 queries.jsonl 和 qrels.tsv 的文件夹。",
        )
    return found


def _file(folder: Path, name: str) -> Path | None:
    return next((folder / f"{name}{end}" for end in ("", ".xz", ".gz") if (folder / f"{name}{end}").is_file()), None)


def read_set(chosen: EvaluationSet) -> tuple[list[Query], Judgements]:
    """The judged queries of a set.

    Raises:
        SourceError: The files do not belong together, or cannot be read.
    """
    queries, judgements = read_queries(chosen.queries), read_judgements(chosen.qrels)
    judged = [query for query in queries if query.id in judgements]
    if not judged:
        raise SourceError(
            f"{chosen.qrels} judges none of the queries in {chosen.queries}; do they belong together?",
            f"{chosen.qrels} 没有评判 {chosen.queries} 中的任何查询；这两个文件是一套吗？",
        )
    return judged, judgements


def figures_of(corpus: Corpus, queries: list[Query], judgements: Judgements, variant: Variant) -> dict[str, Figures]:
    """What one way to search finds: figures under ``""`` for all queries and under each kind."""

    def request(text: str) -> SearchRequest:
        return SearchRequest(
            text, variant.mode, limit=DEPTH, group=True, min_score=0.0, marks=False, without=variant.without
        )

    corpus.search(request(queries[0].text))  # what is loaded on first use should not count as latency
    return measure(queries, judgements, lambda text: corpus.search(request(text)))


def all_figures(
    corpus: Corpus, queries: list[Query], judgements: Judgements
) -> Iterator[tuple[Variant, dict[str, Figures]]]:
    """Each variant with its figures, as they come."""
    for variant in variants(reranked=corpus.reranking is not None):
        yield variant, figures_of(corpus, queries, judgements, variant)
