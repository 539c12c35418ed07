"""``--watch``: what changes in a folder is found, and what it leaves alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from queue import Queue
from threading import Event

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.errors import XunzhangError
from index.following import Following, changes
from index.ingest import sources_of
from index.outcomes import Summary

ROOT = Path(__file__).parents[2]
BRIDGE, HARBOUR, LAMP = "石桥经过两年修缮，昨天重新开放。", "渔船今天回港，船工上岸。", "灯塔每十秒闪光一次。"


@contextmanager
def watching(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "scripts.build_index", *map(str, arguments), "--watch", "--lang", "en"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """What the command prints up to a line with these words."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or words not in lines[-1]:
        line = process.stdout.readline()
        assert line, (lines, process.stderr.read() if process.stderr else "")
        lines.append(line)
    return lines


def found(data: Path, query: str) -> int:
    corpus = Corpus.open(data)
    hits = corpus.search(SearchRequest(f'"{query}"', mode="lexical")).hits
    corpus.close()
    return len(hits)


def test_files_are_followed_as_they_come_change_and_go(tmp_path: Path) -> None:
    papers, data = tmp_path / "papers", tmp_path / "papers" / "data"  # its own writes must not wake it
    papers.mkdir()
    (papers / "bridge.txt").write_text(BRIDGE, encoding="utf-8")
    report = tmp_path / "report.jsonl"
    with watching(papers, "--data", data, "--prune", "--force", "--report", report) as process:
        assert any("Added 1," in line for line in until(process, "Watching for changes"))
        (papers / "harbour.txt").write_text(HARBOUR, encoding="utf-8")
        assert "Added 1, replaced 0, unchanged 0" in until(process, "Added")[-1]
        coming = tmp_path / "coming"
        coming.mkdir()
        (coming / "lamp.txt").write_text(LAMP, encoding="utf-8")
        coming.rename(papers / "more")  # the system tells of the folder alone
        assert "Added 1, " in until(process, "Added")[-1]
        (papers / "bridge.txt").write_text(BRIDGE + HARBOUR, encoding="utf-8")
        assert "replaced 1, unchanged 0" in until(process, "Added")[-1]
        (papers / "harbour.txt").unlink()
        assert "removed 1," in until(process, "Added")[-1]
        process.send_signal(signal.SIGTERM)  # a shell may have SIGINT ignored
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert (found(data, LAMP), found(data, BRIDGE)) == (1, 1)
    told = report.read_text(encoding="utf-8")
    assert told.count("harbour.txt") == 2  # added, removed


def test_a_path_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with watching(tmp_path / "nowhere", "--data", tmp_path / "data") as process:
        assert process.wait(30) == 2
        assert process.stderr is not None
        assert "does not exist" in process.stderr.read()


def test_a_served_folder_is_followed_and_nothing_is_removed(archive: Corpus, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "bridge.txt").write_text(BRIDGE, encoding="utf-8")
    archive.add(sources_of([papers], known=archive.known_file))
    told: Queue[Summary | XunzhangError] = Queue()
    with Following(archive, [papers], told.put):
        (papers / ".hidden.txt").write_text(LAMP, encoding="utf-8")
        (papers / "harbour.txt").write_text(HARBOUR, encoding="utf-8")
        summary = told.get(timeout=30)
        assert isinstance(summary, Summary)
        assert (summary.added, summary.unchanged) == (1, 0)
        (papers / "bridge.txt").unlink()
        (papers / "lamp.txt").write_text(LAMP, encoding="utf-8")
        summary = told.get(timeout=30)
        assert isinstance(summary, Summary)
        assert summary.added == 1
    assert archive.status().documents == 3
    assert archive.search(SearchRequest("渔船回港")).hits[0].text == HARBOUR


def test_a_folder_that_goes_and_comes_back_is_told_of_as_a_whole_and_followed_on(tmp_path: Path) -> None:
    papers, aside = tmp_path / "papers", tmp_path / "aside"
    papers.mkdir()
    end = Event()
    batches = changes([papers], end, besides=tmp_path / "data")
    assert next(batches) == frozenset()
    papers.rename(aside)  # as a disk that is unmounted
    (aside / "lamp.txt").write_text(LAMP, encoding="utf-8")
    list(islice(batches, 3))  # after each of them it is looked for
    aside.rename(papers)
    assert any(papers in batch for batch in islice(batches, 60))
    (papers / "harbour.txt").write_text(HARBOUR, encoding="utf-8")
    assert any(papers / "harbour.txt" in batch for batch in islice(batches, 60))
    end.set()


def test_where_the_system_tells_of_no_changes_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.following._POLL_MS", 100)
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1")  # as it is where inotify has no room
    papers, data = tmp_path / "papers", tmp_path / "papers" / "data"
    data.mkdir(parents=True)
    end = Event()
    batches = changes([papers], end, besides=data)
    assert next(batches) == frozenset()
    (data / "own.txt").write_text(LAMP, encoding="utf-8")
    (papers / "lamp.txt").write_text(LAMP, encoding="utf-8")
    batch = next(batch for batch in islice(batches, 60) if batch)
    assert papers / "lamp.txt" in batch
    assert data / "own.txt" not in batch
    end.set()
    assert list(batches) == []


def test_data_directories_below_a_folder_are_no_documents(tmp_path: Path, command) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "bridge.txt").write_text(BRIDGE, encoding="utf-8")
    for _ in range(2):
        built = command("build_index", papers, "--data", papers / "data")
        assert built.returncode == 0, built.stderr
        assert "skipped 0" in built.stdout
