"""Killed at any moment, an archive keeps every acknowledged change and stays whole.

A process adds, replaces and removes documents and says what it begins and when each change was acknowledged
(crash_writer.py). It is killed with SIGKILL at a random moment; a fresh process opens what is left, catches up, and
compares it with all that was acknowledged, itself with ``verify``, and its searches with brute force over the SQLite
rows. ``XUNZHANG_TEST_KILLS`` sets how often (default 12).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from index.corpus import Corpus

KILLS = int(os.environ.get("XUNZHANG_TEST_KILLS", "12"))
Facts = dict[str, Any]
State = dict[str, int]


class Writers:
    """The process from which writers are forked, and what they say."""

    def __init__(self, data: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.index.crash_writer", data],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, seed: int) -> int:
        """Have a writer begin; returns its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seed}\n".encode())
        self._process.stdin.flush()
        return int(self.until(lambda facts: "child" in facts)[-1]["child"])

    def until(self, wanted: Callable[[Facts], bool]) -> list[Facts]:
        """All that is said up to the first thing wanted."""
        assert self._process.stdout is not None
        said = []
        while line := self._process.stdout.readline():
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


def after(state: State, begun: Facts) -> State:
    """A state with one change made."""
    if begun["kind"] == "put":
        return {**state, **begun["ids"]}
    return {id_: version for id_, version in state.items() if id_ not in begun["ids"]}


def possible(state: State, said: list[Facts]) -> tuple[list[State], str]:
    """What may be there after a writer was killed, and what it was doing then."""
    begun: Facts | None = None
    doing = "idle"
    for facts in said:
        if "begun" in facts:
            begun, doing = facts, f"{facts['kind']} before it was acknowledged"
        elif "done" in facts or facts.get("stage") == "read":
            if begun is not None:
                state, begun = after(state, begun), None
            doing = "idle" if "done" in facts else "encoding"
        elif facts.get("stage") == "publish":
            doing = "publishing"
    return ([state] if begun is None else [state, after(state, begun)]), doing


def test_acknowledged_changes_survive_being_killed(tmp_path: Path) -> None:
    seeded = random.Random(20260101)
    writers = Writers(tmp_path / "data")
    states: list[State] = [{}]
    moments: Counter[str] = Counter()
    for kill in range(KILLS):
        child = writers.start(seeded.randrange(1 << 30))
        if seeded.random() < 0.15:  # killed while it opens and mends what the last one left
            time.sleep(seeded.uniform(0, 0.6))
            os.kill(child, signal.SIGKILL)
            said = writers.until(lambda facts: "ended" in facts)
            reports = [facts for facts in said if "there" in facts]
            if not reports:
                moments["opening"] += 1
                continue
            # It was quicker than expected, and is one like the others.
            assert reports[0]["wrong"] == []
            assert reports[0]["there"] in states, f"before kill {kill}"
            states, doing = possible(reports[0]["there"], said)
            moments[doing] += 1
            continue
        report = writers.until(lambda facts: "there" in facts)[-1]
        assert report["wrong"] == [], f"before kill {kill}"
        assert report["there"] in states, f"before kill {kill}"

        seen = random.Random(seeded.random())
        steps = seeded.randrange(1, 5)
        said = writers.until(lambda facts, steps=steps: facts.get("begun") == steps)
        time.sleep(seen.choice([0, seen.uniform(0, 0.02), seen.uniform(0, 0.25)]))  # the moment of the kill
        os.kill(child, signal.SIGKILL)
        said += writers.until(lambda facts: "ended" in facts)
        states, doing = possible(report["there"], said)
        moments[doing] += 1
    print(f"{KILLS} kills while: {dict(moments)}")
    assert KILLS < 12 or len(moments) > 2  # they did not all die at the same thing

    last = writers.start(0)
    report = writers.until(lambda facts: "there" in facts)[-1]
    os.kill(last, signal.SIGKILL)
    writers.until(lambda facts: "ended" in facts)
    writers.close()
    assert report["wrong"] == []
    assert report["there"] in states
    corpus = Corpus.open(tmp_path / "data")
    assert corpus.status().documents in {len(state) for state in states}
    corpus.close()
    left = {path.name for path in (tmp_path / "data" / "generations").iterdir()}
    assert len([name for name in left if name.startswith("writing-")]) <= 1  # one kill's leavings, swept by the next
    assert len(left) <= 4
