"""Load a server beyond what it can do, with documents coming and going: ``python -m scripts.load [--json]``.

Starts a server of its own over an archive it makes, on a loopback address, measures what it answers to a few clients
that wait for their answers (its capacity, before and after each stage), and asks at fixed rates, whether answers come
or not. Every answer is held against what must be in it. Sends nothing anywhere else.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from scripts.common import parser, run


def main(arguments: argparse.Namespace) -> int:
    """Make the archive, serve it, load it, print the table; exit code 1 where an answer was wrong."""
    from index.corpus import Corpus
    from scripts.benchmarking.material import Material
    from scripts.benchmarking.server import serving
    from scripts.loading.oracle import Oracle, source
    from scripts.loading.stages import run_stages

    def tell(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="xunzhang-load-") as folder:
        data = Path(folder) / "data"
        tell(f"making an archive of {arguments.documents} documents")
        corpus = Corpus.open(data, create=True)
        texts = islice(Material(arguments.corpus).texts(), arguments.documents)
        corpus.add(source(number, text) for number, text in enumerate(texts))
        corpus.close()
        with serving(data, cache=False) as server:
            oracle = Oracle(server.address, arguments.documents)
            factors = [float(factor) for factor in arguments.factors.split(",")]
            stages = run_stages(server.address, oracle, factors, arguments.seconds, tell)
    if arguments.json:
        print(json.dumps({"stages": [asdict(stage) for stage in stages]}))
    else:
        print(f"{arguments.documents} documents, {arguments.seconds} s each\n")
        names = (
            "load|capacity before, after|asked/s|asked|answered|503|other|wrong|p50 ms|p99 ms|503 p99 ms|sent late ms|"
            "changes|most memory in each quarter, MB"
        )
        print(f"| {names.replace('|', ' | ')} |")
        print("|---" * (names.count("|") + 1) + "|")
        for stage in stages:
            print(stage.row())
    return 1 if any(stage.wrong or stage.other for stage in stages) else 0


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("load", "Load a server beyond what it can do, with documents coming and going.")
    made.add_argument("--corpus", type=Path, metavar="C.jsonl", help="documents (default: made of the sample)")
    made.add_argument("--documents", type=int, default=3_000, metavar="N", help="in the archive (default: 3000)")
    made.add_argument("--factors", default="0.5,1,2,5", metavar="F,...", help="of the capacity (default: 0.5,1,2,5)")
    made.add_argument("--seconds", type=int, default=30, metavar="N", help="at each factor (default: 30)")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


if __name__ == "__main__":
    run(main, arguments())
