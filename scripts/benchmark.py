"""Measure speed and size side by side with what they could be: ``python -m scripts.benchmark [PART ...] [--json]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scripts.common import parser, run

PARTS = ("answers", "indexing", "growth")


def main(arguments: argparse.Namespace) -> int:
    """Measure the parts that were asked for, and print them."""
    from index.errors import SettingError
    from scripts.benchmarking.material import Material
    from scripts.benchmarking.report import report
    from scripts.benchmarking.run import Plan, measure, size_of

    for part in set(arguments.parts) - set(PARTS):
        raise SettingError(
            f"There is no part {part!r} to measure; choose of {', '.join(PARTS)}.",
            f"没有 {part!r} 这一项；可选：{'、'.join(PARTS)}。",
        )
    sizes = sorted(map(size_of, arguments.passages.split(",")), key=lambda size: size or sys.maxsize)
    plan = Plan(
        frozenset(arguments.parts or PARTS), tuple(sizes), arguments.asked, arguments.indexed, arguments.rounds
    )
    material = Material(arguments.corpus, arguments.queries)
    result = measure(plan, material, lambda what: print(what, file=sys.stderr, flush=True))
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
    made.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)} (default: all)")
    made.add_argument(
        "--corpus", type=Path, metavar="C.jsonl",
        help='documents, lines {"_id", "text"}, also .gz and .xz (default: the sample); where there are too few, '
        "more are put together from their sentences",
    )  # fmt: skip
    made.add_argument(
        "--queries", type=Path, metavar="Q.jsonl", help='lines {"_id", "text"} (default: clauses of the documents)'
    )
    made.add_argument(
        "--passages", default="10k,30k", metavar="N,...",
        help="sizes of the archives, such as 10k,100k,1M, or all for the corpus as it is (default: 10k,30k)",
    )  # fmt: skip
    made.add_argument("--asked", type=positive, default=200, metavar="N", help="queries at each size (default: 200)")
    made.add_argument(
        "--indexed", type=positive, default=3_000, metavar="N",
        help="passages that are indexed whole and in bare parts, in turn (default: 3000)",
    )  # fmt: skip
    made.add_argument("--rounds", type=positive, default=3, metavar="N", help="how often (default: 3)")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


if __name__ == "__main__":
    run(main, arguments())
