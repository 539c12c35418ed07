"""The writers that test_crash.py kills: each adds, replaces and removes documents and says what it did.

Run as a program with a data directory, it waits for seeds on its standard input; for each it forks a writer, which
opens the archive, reports what is there and whether it is right, and then writes until it is killed. What is said is
one JSON object a line. The libraries are imported once, before any of them is used, and each writer begins from that.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np

from index.chinese import fold, tokens
from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import Filter
from index.engine.local import LocalEngine
from index.ingest import record_source

MOST = 60  # documents; beyond, more are removed than added
QUESTIONS = ("渔船今天回港", "打到了多少斤鱼", "gang 港口 fish")


def text(number: int, version: int) -> str:
    """The text of a document: passages enough to be torn, each sentence with its number and version."""
    mark = f"编号{number:05}第{version}版"
    return "\n".join(
        f"{mark}的渔船第{line}次回港。船上有{(number + line) % 7}名渔民，打到了{number * 3 + line}斤鱼。" * 3
        for line in range(1 + (number + version) % 5)
    )


def name(number: int) -> str:
    """The id of a document."""
    return f"d{number:05}"


def say(**facts: object) -> None:
    """One line in one write: it is whole or not there."""
    os.write(1, (json.dumps(facts) + "\n").encode())


def next_step(moment: random.Random, there: dict[int, int]) -> tuple[str, dict[int, int]]:
    """What to do next, and the documents (number -> version) it is done with."""
    share = 0.3 if len(there) < MOST else 0.7
    if there and moment.random() < share:
        return "remove", dict.fromkeys(moment.sample(sorted(there), min(len(there), moment.randrange(1, 4))), 0)
    chosen: dict[int, int] = {}
    for _ in range(moment.randrange(1, 4)):
        known = bool(there) and moment.random() < 0.5
        number = moment.choice(sorted(there)) if known else moment.randrange(100_000)
        chosen[number] = there.get(number, 0) + 1
    return "put", chosen


def write(data: Path, seed: int) -> None:
    """Report, then write until killed."""
    corpus = Corpus.open(data, create=True)
    corpus.catch_up()
    there = {int(row[0][1:]): version_of(data, row[0]) for row in rows(data, "SELECT id FROM documents")}
    say(there={name(number): version for number, version in there.items()}, wrong=wrong(corpus, data))
    moment = random.Random(seed)
    step = 0
    while True:
        kind, chosen = next_step(moment, there)
        step += 1
        say(begun=step, kind=kind, ids={name(number): version for number, version in chosen.items()})
        if kind == "put":
            sources = [
                record_source({"id": name(number), "text": text(number, version)}, source="")
                for number, version in chosen.items()
            ]
            # "read" is told once the transaction has committed: the documents are acknowledged.
            corpus.add(sources, progress=lambda stage, done, total, step=step: say(stage=stage, step=step))
            there |= chosen
        else:
            corpus.remove([name(number) for number in chosen])
            for number in chosen:
                del there[number]
        say(done=step)


def rows(data: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What SQLite has, asked on a connection of its own."""
    connection = sqlite3.connect(data / "xunzhang.sqlite3")
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def version_of(data: Path, id_: str) -> int:
    """The version of a stored document if all its passages are of that one and none is missing, else -1."""
    query = (
        "SELECT passages.text FROM passages JOIN documents ON documents.number = document"
        " WHERE id = ? ORDER BY position"
    )
    stored = "".join(passage for (passage,) in rows(data, query, id_))
    version = int(stored.partition("第")[2].partition("版")[0] or -1)
    whole = text(int(id_[1:]), version) if version > 0 else ""
    return version if "".join(stored.split()) == "".join(whole.split()) else -1


def wrong(corpus: Corpus, data: Path) -> list[str]:
    """What is not as it should be: verify's problems, and every difference between a search and brute force."""
    found = corpus.verify()
    stored = rows(
        data,
        "SELECT passages.number, documents.id, passages.title, passages.text, vector FROM passages"
        " JOIN documents ON documents.number = document JOIN vectors ON vectors.key = passages.key",
    )
    if len(stored) != rows(data, "SELECT count(*) FROM passages")[0][0]:
        found.append("passages without vectors")
    if not stored:
        return found
    engine = LocalEngine(data, create=False)
    view = engine.view()
    assert view is not None
    matrix = np.stack([np.frombuffer(row[4], np.float16).astype(np.float32) for row in stored])
    numbers = [row[0] for row in stored]
    for question, vector in zip(QUESTIONS, corpus.encoder().queries(QUESTIONS), strict=True):
        exact = dict(zip(numbers, (matrix @ vector).tolist(), strict=True))
        answer = view.dense(vector, 10, Filter())
        best = sorted(exact.values(), reverse=True)[: len(answer.scores)]
        if len(best) < min(10, len(stored)) or not np.allclose(answer.scores, best, atol=2e-3):
            found.append(f"dense {question}: {answer.scores.tolist()} instead of {best}")
        if any(abs(exact.get(number, 9) - score) > 2e-3 for number, score in zip(*unpacked(answer), strict=True)):
            found.append(f"dense {question}: wrong passages")
    cut = {row[0]: set(tokens(fold(f"{row[2]}\n{row[3]}"))) for row in stored}
    for token in ("渔船", "次回", "5", "编号"):
        expected = {number for number, has in cut.items() if token in has}
        got = set(view.lexical({token: 1.0}, [token], 10_000, Filter()).numbers.tolist())
        if got != expected:
            found.append(f"lexical {token}: {len(got ^ expected)} passages differ")
    engine.close()
    for id_ in {row[1] for row in stored}:
        hits = corpus.search(SearchRequest(f'"编号{id_[1:]}第"', limit=50)).hits
        if {hit.document.id for hit in hits} != {id_}:
            found.append(f"{id_} is not found by its number")
    return found


def unpacked(answer: Any) -> tuple[list[int], list[float]]:
    """Numbers and scores of a ranked list."""
    return answer.numbers.tolist(), answer.scores.tolist()


def main() -> None:
    """Fork a writer for each seed."""
    # Imported before the first fork, and not used before it.
    import sentence_transformers  # noqa: F401
    import torch  # noqa: F401

    data = Path(sys.argv[1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            write(data, int(line))
        say(child=child)
        os.waitpid(child, 0)
        say(ended=child)


if __name__ == "__main__":
    main()
