"""Measure search quality on BEIR files: ``python -m scripts.evaluate --corpus C --queries Q --qrels R [--json]``."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from scripts.common import Bars, add_model, parser, run

DEPTH = 100


def main(arguments: argparse.Namespace) -> int:
    """Index the corpus, run the queries, print the figures."""
    from index.corpus import Corpus
    from index.document import SearchRequest
    from index.errors import SourceError
    from index.evaluation import corpus_sources, measure, read_judgements, read_queries

    queries, judgements = read_queries(arguments.queries), read_judgements(arguments.qrels)
    if not any(query.id in judgements for query in queries):
        raise SourceError(
            f"{arguments.qrels} judges none of the queries in {arguments.queries}; do they belong together?",
            f"{arguments.qrels} 没有评判 {arguments.queries} 中的任何查询；这两个文件是一套吗？",
        )
    with tempfile.TemporaryDirectory() as temporary, Bars(arguments.lang) as progress:
        corpus = Corpus.open(arguments.keep or Path(temporary), model=arguments.model, create=True)
        corpus.add(corpus_sources(arguments.corpus), progress=progress)

        def search(text: str):  # type: ignore[no-untyped-def]
            request = SearchRequest(text, arguments.mode, limit=DEPTH, group=True, min_score=0.0, marks=False)
            return corpus.search(request)

        search(queries[0].text)  # what is loaded on first use should not count as latency
        figures = measure(queries, judgements, search)
        status = corpus.status()
        corpus.close()
    whole = {**figures[""].row(), "documents": status.documents, "passages": status.passages}
    if arguments.json:
        kinds = {kind: row.row() for kind, row in figures.items() if kind}
        extra = {"kinds": kinds} if kinds else {}
        print(json.dumps({**whole, "mode": arguments.mode, "model": status.model, **extra}))
        return 0
    print(f"{arguments.mode}, {status.model}: {status.documents} documents, {status.passages} passages")
    print(f"{'kind':<14}{'queries':>8}{'nDCG@10':>9}{'R@10':>7}{'R@100':>7}{'MRR@10':>8}{'p50 ms':>8}{'p95 ms':>8}")
    for kind, row in figures.items():
        quality = f"{row.ndcg_at_10:>9.3f}{row.recall_at_10:>7.3f}{row.recall_at_100:>7.3f}{row.mrr_at_10:>8.3f}"
        print(f"{kind or 'all':<14}{row.queries:>8}{quality}{row.p50_ms:>8.1f}{row.p95_ms:>8.1f}")
    return 0


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("evaluate", "Measure search quality on BEIR files (.jsonl, also .gz and .xz).")
    made.add_argument("--corpus", type=Path, required=True, metavar="C.jsonl", help='lines {"_id", "text"[, "title"]}')
    made.add_argument("--queries", type=Path, required=True, metavar="Q.jsonl", help='lines {"_id", "text"[, "kind"]}')
    made.add_argument("--qrels", type=Path, required=True, metavar="R.tsv", help="query-id, corpus-id, score")
    made.add_argument("--mode", choices=("hybrid", "dense", "lexical"), default="hybrid")
    made.add_argument("--keep", type=Path, metavar="DIR", help="keep the index here and use it again next time")
    add_model(made)
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


if __name__ == "__main__":
    run(main, arguments())
