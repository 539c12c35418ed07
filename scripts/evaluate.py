"""Measure search quality on BEIR files.

python -m scripts.evaluate --corpus C.jsonl --queries Q.jsonl --qrels R.tsv [--mode M] [--json]
python -m scripts.evaluate --suite DIR [--corpus ARCHIVE.jsonl] [--adapt] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common import Bars, add_model, add_reranker, parser, run

if TYPE_CHECKING:
    from index.corpus import Corpus
    from index.evaluation import Figures
    from index.suite import EvaluationSet


def main(arguments: argparse.Namespace) -> int:
    """Measure one set or a folder of them."""
    return _suite(arguments) if arguments.suite else _one(arguments)


def _one(arguments: argparse.Namespace) -> int:
    from index.errors import SettingError
    from index.suite import EvaluationSet, Variant, figures_of, read_set

    if not (arguments.corpus and arguments.queries and arguments.qrels):
        raise SettingError(
            "Give --corpus, --queries and --qrels, or --suite with a folder of evaluation sets.",
            "请给出 --corpus、--queries 和 --qrels，或用 --suite 给出一个评测集文件夹。",
        )
    chosen = EvaluationSet("", arguments.corpus, arguments.queries, arguments.qrels)
    queries, judgements = read_set(chosen)
    with _indexed(chosen, arguments.keep, arguments) as corpus:
        figures = figures_of(corpus, queries, judgements, Variant(arguments.mode, arguments.mode))
        status = corpus.status()
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


def _suite(arguments: argparse.Namespace) -> int:
    from index.reranking import RerankSettings
    from index.suite import all_figures, read_set, sets_in, variants

    tried = variants(reranked=RerankSettings.from_environment(os.environ, arguments.reranker) is not None)

    sets = [(chosen, *read_set(chosen)) for chosen in sets_in(arguments.suite, arguments.corpus)]
    if not arguments.json:
        print("nDCG@10 (recall@10), in percent")
        print(f"{'':<30}" + "".join(f"{variant.name:>15}" for variant in tried))
    for chosen, queries, judgements in sets:
        keep = arguments.keep / chosen.name if arguments.keep else None
        with _indexed(chosen, keep, arguments) as corpus:
            _print(chosen.name, {variant.name: row for variant, row in all_figures(corpus, queries, judgements)},
                   arguments.json)  # fmt: skip
            if arguments.adapt and _adapted(corpus):
                adapted = {variant.name: row for variant, row in all_figures(corpus, queries, judgements)}
                _print(f"{chosen.name}, adapted", adapted, arguments.json)
    return 0


def _print(name: str, figures: dict[str, dict[str, Figures]], as_json: bool) -> None:
    kinds = next(iter(figures.values()))
    for kind in kinds:
        if as_json:
            rows = {variant: row[kind].row() for variant, row in figures.items()}
            print(json.dumps({"set": name, "kind": kind, **rows}), flush=True)
        else:
            cells = (f"{100 * row[kind].ndcg_at_10:.1f} ({100 * row[kind].recall_at_10:.1f})"
                     for row in figures.values())  # fmt: skip
            label = f"  {kind}" if kind else name
            print(f"{label:<30}" + "".join(f"{cell:>15}" for cell in cells), flush=True)


def _adapted(corpus: Corpus) -> bool:
    """Adapt the corpus to its own texts; false where it has too little of them."""
    from index.errors import SettingError
    from index.training.adapting import adapt_corpus

    try:
        adapt_corpus(corpus)
    except SettingError:
        return False
    return True


@contextmanager
def _indexed(chosen: EvaluationSet, keep: Path | None, arguments: argparse.Namespace) -> Iterator[Corpus]:
    """The set's corpus, indexed in ``keep`` or a temporary folder."""
    from index.corpus import Corpus
    from index.errors import SettingError
    from index.evaluation import corpus_sources
    from index.reranking import RerankSettings

    with tempfile.TemporaryDirectory() as temporary:
        rerank = RerankSettings.from_environment(os.environ, arguments.reranker)
        place = keep or Path(temporary)
        corpus = Corpus.open(place, engine=arguments.engine, model=arguments.model, create=True, rerank=rerank)
        try:
            if arguments.engine != "local" and not keep and corpus.status().documents:
                raise SettingError(
                    f"There are documents in {arguments.engine}, and what is measured would be put among them: name an "
                    "empty one, or give --keep to use it again.",
                    f"{arguments.engine} 中已有文档，评测数据会混入其中：请另选空的，或用 --keep 再次使用它。",
                )
            if corpus.reranking is not None:
                corpus.reranking.load()  # what is measured is there, or nothing is measured
            with Bars(arguments.lang) as progress:
                trouble = corpus.add(corpus_sources(chosen.corpus), progress=progress).trouble
            if trouble is not None:
                raise trouble
            yield corpus
        finally:
            corpus.close()


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("evaluate", "Measure search quality on BEIR files (.jsonl, also .gz and .xz).")
    made.add_argument("--corpus", type=Path, metavar="C.jsonl", help='lines {"_id", "text"[, "title"]}')
    made.add_argument("--queries", type=Path, metavar="Q.jsonl", help='lines {"_id", "text"[, "kind"]}')
    made.add_argument("--qrels", type=Path, metavar="R.tsv", help="query-id, corpus-id, score")
    made.add_argument("--mode", choices=("hybrid", "dense", "lexical"), default="hybrid")
    made.add_argument(
        "--suite", type=Path, metavar="DIR",
        help="measure every set in this folder, each stage on and off; --corpus is the archive of sets without one",
    )  # fmt: skip
    made.add_argument("--adapt", action="store_true", help="with --suite: also after adapting to each set's texts")
    made.add_argument("--keep", type=Path, metavar="DIR", help="keep the index here and use it again next time")
    add_model(made)
    add_reranker(made)
    made.add_argument("--json", action="store_true", help="print one JSON object, with --suite one a line")
    made.set_defaults(engine="local")  # whatever the environment says: nobody wants a test set among the documents
    return made


if __name__ == "__main__":
    run(main, arguments())
