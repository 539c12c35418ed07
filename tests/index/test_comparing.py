"""Repeats are looked for by a process of its own while this one embeds; whatever becomes of it, all are found."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from index.corpus import Corpus
from index.engine import comparing, family_table
from index.ingest import record_source

DAYS = ["周一", "周二", "周三", "周四"]
STORY = "雨停以后，老街的茶馆把桌椅搬到了巷口，{}来的客人比平日多了一倍，掌柜说茶叶是从山里新收的，泡三遍也不淡。"
REPRINT = STORY + "（本报综合）"


def stories(corpus: Corpus) -> None:
    texts = [template.format(day) for day in DAYS for template in (STORY, REPRINT)]
    corpus.add(record_source({"id": f"d{n}", "text": text}, source="") for n, text in enumerate(texts))


def families(corpus: Corpus) -> set[tuple[bytes, bytes]]:
    with sqlite3.connect(corpus.data / "xunzhang.sqlite3") as connection:
        return set(connection.execute("SELECT text, family FROM families"))


@pytest.fixture
def expected(tmp_path: Path) -> set[tuple[bytes, bytes]]:
    corpus = Corpus.open(tmp_path / "plain", create=True)
    stories(corpus)
    found = families(corpus)
    assert found
    return found


class Watched(subprocess.Popen[bytes]):
    """A process that is remembered, and killed before it is waited for where that is wanted."""

    started: ClassVar[list[Watched]] = []
    killed = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.started.append(self)

    def wait(self, timeout: float | None = None) -> int:
        if self.killed:
            self.kill()
        return super().wait(timeout)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """The processes that were started; with so few passages, or on one core, none would be."""
    monkeypatch.setattr(family_table, "_CHUNK", 3)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(comparing.subprocess, "Popen", Watched)
    monkeypatch.setattr(Watched, "started", [])
    return Watched.started


def test_the_same_families_are_found_beside(
    tmp_path: Path, expected: set[tuple[bytes, bytes]], started: list[Watched]
) -> None:
    corpus = Corpus.open(tmp_path / "beside", create=True)
    stories(corpus)
    assert [process.returncode for process in started] == [0]
    assert families(corpus) == expected


@pytest.mark.parametrize("harm", ["killed", "finds nothing of this project", "cannot start"])
def test_a_process_that_fails_costs_time_and_nothing_else(
    tmp_path: Path,
    expected: set[tuple[bytes, bytes]],
    started: list[Watched],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    harm: str,
) -> None:
    corpus = Corpus.open(tmp_path / "beside", create=True)
    if harm == "killed":
        monkeypatch.setattr(Watched, "killed", True)
    elif harm == "cannot start":
        monkeypatch.setattr(comparing.sys, "executable", str(tmp_path / "no Python"))
    else:
        monkeypatch.setattr(comparing, "_ROOT", tmp_path)
    stories(corpus)
    assert len(started) == (harm != "cannot start")
    assert all(process.returncode != 0 for process in started)
    assert capfd.readouterr() == ("", "")  # no traceback reaches a person
    assert families(corpus) == expected
    assert corpus.verify() == []


def test_it_ends_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", create=True)
    stories(corpus)
    with sqlite3.connect(corpus.data / "xunzhang.sqlite3") as connection:
        connection.execute("DELETE FROM meta WHERE key = 'compared'")
        connection.commit()
        connection.execute("BEGIN IMMEDIATE")  # so that it cannot get done
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(corpus.data / "xunzhang.sqlite3")],
            stdout=subprocess.PIPE,
            cwd=comparing._ROOT,
        )
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.communicate()
        ends = time.monotonic() + 20
        while alive(child):
            assert time.monotonic() < ends
    corpus.close()


PARENT = """
import subprocess, sys, time
from pathlib import Path
from index.engine import comparing

class Told(subprocess.Popen):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        print(self.pid, flush=True)

subprocess.Popen = Told
with comparing.beside(Path(sys.argv[1])):
    time.sleep(60)
"""


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
