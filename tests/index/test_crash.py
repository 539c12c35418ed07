"""Killed at any moment, an archive keeps every acknowledged document and stays whole.

A process adds documents one by one and says when each was acknowledged. It is killed with SIGKILL; the next
process opens what is left, catches up, checks everything, reports, and goes on adding until it is killed too.
``XUNZHANG_TEST_KILLS`` sets how often (default 12).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from index.corpus import Corpus
from index.document import SearchRequest

KILLS = int(os.environ.get("XUNZHANG_TEST_KILLS", "12"))

# The libraries are imported once, before any of them is used; each writer is then a process forked from that state.
WRITERS = """
import json, os, sys
from pathlib import Path
import sentence_transformers, torch
from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import record_source

def say(**facts):
    os.write(1, (json.dumps(facts) + "\\n").encode())  # one write: a line is whole or not there

def text(number):
    return f"编号{number:05}的渔船今天回港。船上有{number % 7}名渔民，打到了{number * 3}斤鱼。" * (1 + number % 4)

def write(data):
    corpus = Corpus.open(data, create=True)
    corpus.catch_up()
    there = sorted(document.id for document in corpus.documents(limit=100_000).documents)
    lost = []
    for id_ in there:
        answer = corpus.search(SearchRequest(f'"编号{id_[1:]}"'))
        if [hit.document.id for hit in answer.hits] != [id_]:
            lost.append(id_)
    say(there=there, lost=lost, problems=corpus.verify())
    number = len(there)
    while True:
        id_ = f"d{number:05}"
        source = record_source({"id": id_, "text": text(number)}, source="")
        corpus.add([source], progress=lambda stage, done, total: say(stage=stage, id=id_))
        if number % 5 == 4:  # and sometimes one is written again
            changed = record_source({"id": id_, "text": text(number), "title": "改"}, source="")
            corpus.add([changed], progress=lambda stage, done, total: say(stage=stage, id=id_))
        number += 1

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        write(Path(sys.argv[1]))
    say(child=child)
    os.waitpid(child, 0)
    say(ended=child)
"""


class Writers:
    """The process from which writers are forked, and what they say."""

    def __init__(self, data: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITERS, data],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        return int(self.next("child")["child"])

    def next(self, key: str) -> dict[str, object]:
        """The next thing said that has this key."""
        return self.until(lambda facts: key in facts)[-1]

    def until(self, wanted) -> list[dict[str, object]]:
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(json.loads(line))
            if wanted(said[-1]):
                return said
        raise AssertionError(f"the writer ended by itself after {said[-3:]}")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert self._process.wait(60) == 0


def test_acknowledged_documents_survive_being_killed(tmp_path: Path) -> None:
    seeded = random.Random(20260101)
    writers = Writers(tmp_path / "data")
    acknowledged: set[str] = set()
    moments = set()
    for kill in range(KILLS):
        child = writers.start()
        report = writers.next("there")
        there = report["there"]
        assert isinstance(there, list)
        assert report["problems"] == [], f"before kill {kill}"
        assert report["lost"] == []
        assert acknowledged <= set(there)
        # A prefix of what was added: everything acknowledged, and at most the one that was under way.
        assert there == [f"d{number:05}" for number in range(len(there))]
        assert len(there) <= len(acknowledged) + 1
        acknowledged = set(there)

        stage = seeded.choice(["read", "encode", "publish", "publish"])
        steps = seeded.randrange(1, 4)
        said = []
        for _ in range(steps):
            said += writers.until(lambda facts, stage=stage: facts.get("stage") == stage)
        time.sleep(seeded.choice([0, seeded.uniform(0, 0.02), seeded.uniform(0, 0.15)]))  # the moment of the kill
        os.kill(child, signal.SIGKILL)
        said += writers.until(lambda facts: "ended" in facts)
        acknowledged |= {str(fact["id"]) for fact in said if fact.get("stage") == "read"}
        moments.add([fact["stage"] for fact in said if "stage" in fact][-1])
    writers.close()
    assert KILLS < 12 or len(moments) > 1  # they did not all die in the same stage

    corpus = Corpus.open(tmp_path / "data")
    corpus.catch_up()
    assert corpus.verify() == []
    assert acknowledged <= {document.id for document in corpus.documents(limit=100_000).documents}
    last = max(acknowledged)
    (hit,) = corpus.search(SearchRequest(f'"编号{last[1:]}"')).hits
    assert hit.document.id == last
    corpus.close()
