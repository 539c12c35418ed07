"""``scripts.server PATH``: what a start records of the files it reads, and what it says of those it cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from index.corpus import Corpus

ROOT = Path(__file__).parents[2]


def start(papers: Path, data: Path) -> str:
    """Start a server, end it once it is ready, and give what it wrote on stderr."""
    command = [sys.executable, "-m", "scripts.server", papers, "--data", data, "--port", "0", "--lang", "en"]
    with subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert "is ready" in ready, errors
    assert process.returncode == 0, errors
    return errors


def test_a_start_records_the_files_it_read_and_the_next_need_not_read_them(tmp_path: Path) -> None:
    papers, data = tmp_path / "papers", tmp_path / "data"
    papers.mkdir()
    paper = papers / "harbour.txt"
    paper.write_text("渔船今天回港，船工上岸。\n", encoding="utf-8")
    start(papers, data)
    corpus = Corpus.open(data)
    first = corpus.known_file(str(paper))
    corpus.close()
    assert first is not None, "a file of which nothing is recorded is read anew at each start"
    start(papers, data)
    corpus = Corpus.open(data)
    again = corpus.known_file(str(paper))
    assert corpus.status().documents == 1
    corpus.close()
    assert again is not None
    assert again[1] == first[1]


def test_a_start_names_twenty_skipped_files_and_counts_the_others(tmp_path: Path) -> None:
    papers, data = tmp_path / "papers", tmp_path / "data"
    papers.mkdir()
    (papers / "harbour.txt").write_text("渔船今天回港，船工上岸。\n", encoding="utf-8")
    for number in range(23):
        (papers / f"{number}.pdf").write_bytes(b"\x00\x01\x02")
    errors = start(papers, data)
    assert errors.count("Skipped: ") == 20
    assert "... and 3 more." in errors
