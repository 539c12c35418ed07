"""Measure speed and size side by side with what they could be: ``python -m scripts.benchmark [PART ...] [--json]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scripts.common import parser, run

PARTS = ("answers", "indexing", "growth")  # by default
PEERS = "peers"  # only when asked for: it installs them
BACKENDS = "backends"  # only when asked for: it needs a model that is not bundled


def main(arguments: argparse.Namespace) -> int:
    """Measure the parts that were asked for, and print them."""
    from index.errors import SettingError
    from index.suite import EvaluationSet
    from scripts.benchmarking.material import Material
    from scripts.benchmarking.peers.catalogue import peers_named
    from scripts.benchmarking.report import report
    from scripts.benchmarking.results import write
    from scripts.benchmarking.run import Plan, measure, size_of

    every = (*PARTS, PEERS, BACKENDS)
    for part in set(arguments.parts) - set(every):
        raise SettingError(
            f"There is no part {part!r} to measure; choose of {', '.join(every)}.",
            f"没有 {part!r} 这一项；可选：{'、'.join(every)}。",
        )
    if BACKENDS in arguments.parts and not arguments.model:
        raise SettingError(
            f"Name the model that {BACKENDS} are measured with: --model FOLDER.",
            f"请指明用哪个模型测量 {BACKENDS}：--model 文件夹。",
        )
    judged = (arguments.corpus, arguments.queries, arguments.qrels)
    if PEERS in arguments.parts and any(judged) and not all(judged):
        raise SettingError(
            "Peers are compared on judged queries: give --corpus, --queries and --qrels, or none for the sample.",
            "与同类比较需要有评判的查询：请同时给出 --corpus、--queries 和 --qrels，或都不给而使用示例。",
        )
    sizes = sorted(map(size_of, arguments.passages.split(",")), key=lambda size: size or sys.maxsize)
    plan = Plan(
        frozenset(arguments.parts or PARTS),
        tuple(sizes),
        arguments.asked,
        arguments.indexed,
        arguments.rounds,
        EvaluationSet("", *judged) if all(judged) else None,
        peers_named(arguments.peer),
        arguments.tools,
        arguments.model or "",
    )
    material = Material(arguments.corpus, arguments.queries)
    result = measure(plan, material, lambda what: print(what, file=sys.stderr, flush=True))
    if arguments.write is not None:
        write(result, arguments.write, arguments.tools)
    print(json.dumps(result, ensure_ascii=False) if arguments.json else report(result))
    return 0


def positive(written: str) -> int:
    """A count of at least 1."""
    number = int(written)
    if number < 1:
        raise ValueError
    return number


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("benchmark", "Measure an answer and indexing beside their bare parts, and archives as they grow.")
    made.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"what to measure: {', '.join(PARTS)} "
        f"(default: these), or {PEERS}, which installs other search systems in a folder of their own, or {BACKENDS}",
    )
    made.add_argument(
        "--model", metavar="MODEL", help=f"{BACKENDS}: what is computed by torch and by ONNX Runtime in turn"
    )
    made.add_argument(
        "--corpus", type=Path, metavar="C.jsonl",
        help='documents, lines {"_id", "text"}, also .gz and .xz (default: the sample); where there are too few, '
        "more are put together from their sentences",
    )  # fmt: skip
    made.add_argument(
        "--queries", type=Path, metavar="Q.jsonl", help='lines {"_id", "text"} (default: clauses of the documents)'
    )
    made.add_argument(
        "--qrels", type=Path, metavar="R.tsv",
        help=f"{PEERS}: query-id, corpus-id, score; right answers are among the documents whatever --passages says "
        "(default: the sample with the queries of its tests)",
    )  # fmt: skip
    made.add_argument(
        "--peer", action="append", default=[], metavar="NAME", help=f"{PEERS}: only this one, may be repeated"
    )
    made.add_argument(
        "--tools", type=Path, metavar="DIR",
        help="install peers, and what draws, here, and find them here the next time (default: a temporary folder)",
    )  # fmt: skip
    made.add_argument(
        "--passages", default="10k,30k", metavar="N,...",
        help="sizes of the archives, such as 10k,100k,1M, or all for the corpus as it is (default: 10k,30k)",
    )  # fmt: skip
    made.add_argument("--asked", type=positive, default=200, metavar="N", help="queries at each size (default: 200)")
    made.add_argument(
        "--indexed", type=positive, default=3_000, metavar="N",
        help=f"passages that are indexed whole and in bare parts, or embedded by {BACKENDS}, in turn (default: 3000)",
    )  # fmt: skip
    made.add_argument("--rounds", type=positive, default=3, metavar="N", help="how often (default: 3)")
    made.add_argument(
        "--write", type=Path, metavar="DIR",
        help="also write result.json and result.md into this folder, and growth.png where archives were measured as "
        "they grow (installs matplotlib among the tools)",
    )  # fmt: skip
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


if __name__ == "__main__":
    run(main, arguments())
