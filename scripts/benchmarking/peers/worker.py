"""One library among the peers, in a process of its own: ``worker.py NAME FOLDER MODEL``.

Reads a command a line from standard input, answers with a line of JSON:

    {"do": "build"}                                       {"seconds"}
    {"do": "ask", "queries", "clients", "limit"}          {"ms": [...], "seconds"}
    {"do": "rank", "queries", "limit"}                    {"ranked": [[place, ...], ...]}
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from embedded import LIBRARIES, Peer


def answer(peer: Peer, folder: Path, command: dict[str, Any]) -> dict[str, Any]:
    """Do as told."""
    if command["do"] == "build":
        texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        vectors = np.load(folder / "vectors.npy")
        began = perf_counter()
        peer.build(texts, vectors)
        return {"seconds": perf_counter() - began}
    queries, limit = command["queries"], command["limit"]
    if command["do"] == "rank":
        return {"ranked": [[place for place, _ in peer.search(query, limit)] for query in queries]}
    shares = [queries[place :: command["clients"]] for place in range(command["clients"])]
    with ThreadPoolExecutor(command["clients"]) as pool:
        began = perf_counter()
        times = list(pool.map(lambda share: [_timed(peer, query, limit) for query in share], shares))
        seconds = perf_counter() - began
    return {"ms": [time for share in times for time in share], "seconds": seconds}


def _timed(peer: Peer, query: str, limit: int) -> float:
    began = perf_counter()
    peer.search(query, limit)
    return (perf_counter() - began) * 1000


def main() -> None:
    """Answer commands until there are no more."""
    name, folder, model = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    own = folder / name.replace(" ", "-")
    own.mkdir()
    peer = LIBRARIES[name](own, model)
    for line in sys.stdin:
        print(json.dumps(answer(peer, folder, json.loads(line))), file=told, flush=True)


if __name__ == "__main__":
    main()
