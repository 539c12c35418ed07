"""``scripts.server``: what a start records of files it reads, and how it goes on with indexes that are damaged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from index.corpus import Corpus
from index.ingest import sources_of
from scripts.benchmarking.server import Client, serving
from tests.conftest import SAMPLE, Run
from tests.index.tiny_models import bert_embedder

ROOT = Path(__file__).parents[2]
QUESTION = "社区食堂的老人吃饭多少钱"


def start(*arguments: object) -> str:
    """Start a server, end it once it is ready, and give what it wrote on stderr."""
    command = [sys.executable, "-m", "scripts.server", *map(str, arguments), "--port", "0", "--lang", "en"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
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
    start(papers, "--data", data)
    corpus = Corpus.open(data)
    first = corpus.known_file(str(paper))
    corpus.close()
    assert first is not None, "a file of which nothing is recorded is read anew at each start"
    start(papers, "--data", data)
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
    errors = start(papers, "--data", data)
    assert errors.count("Skipped: ") == 20
    assert "... and 3 more." in errors


def test_a_start_that_names_the_archives_lost_model_answers_by_words_and_says_why(tmp_path: Path, command: Run) -> None:
    """As without the name; a new archive, though, is not made for a model that is nowhere."""
    model, data, papers = bert_embedder(tmp_path, "渔船今天回港"), tmp_path / "data", tmp_path / "papers"
    papers.mkdir()
    (papers / "harbour.txt").write_text("渔船今天回港，船工上岸。\n", encoding="utf-8")
    with closing(Corpus.open(data, model=str(model), create=True)) as corpus:
        corpus.add(sources_of([papers]))
    shutil.rmtree(model)
    errors = start("--data", data, "--model", model)
    (line,) = [line for line in errors.splitlines() if "xunzhang.index" in line]
    assert f"Searches go by words alone: The model {model} cannot be loaded: the folder {model} is gone" in line

    refused = command("server", papers, "--data", tmp_path / "new", "--model", model, "--port", "0")
    assert refused.returncode == 2
    assert f"There is no model '{model}'" in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a_start_over_damaged_indexes_answers_at_once_and_makes_them_anew(sample_copy: Path) -> None:
    before = asked(sample_copy)
    shutil.rmtree(sample_copy / "generations")
    with serving(sample_copy) as server:
        first = answer_of(server.address)
        assert first["hits"][0]["passage_id"] == before["hits"][0]["passage_id"]
        ends = time.monotonic() + 60
        while (answer := answer_of(server.address))["degraded"]:
            assert time.monotonic() < ends
        assert [hit["passage_id"] for hit in answer["hits"]] == [hit["passage_id"] for hit in before["hits"]]
    corpus = Corpus.open(sample_copy)
    assert corpus.verify() == []
    corpus.close()


def answer_of(address: str) -> dict[str, Any]:
    with closing(Client(address)) as client:
        answer: dict[str, Any] = json.loads(client.ask(QUESTION))
        return answer


def asked(data: Path) -> dict[str, Any]:
    with serving(data) as server:
        return answer_of(server.address)


def test_a_file_cut_short_under_a_running_server_ends_it_and_the_next_start_mends_all(sample_copy: Path) -> None:
    """Mapped memory whose file is gone from under it cannot be read: the kernel ends the process (SIGBUS). A
    supervisor starts it again, and it answers as before; nothing that was stored is touched."""
    before = asked(sample_copy)
    with serving(sample_copy) as server, closing(Client(server.address)) as client:
        assert json.loads(client.ask(QUESTION))["hits"]
        for file in sample_copy.rglob("base/*"):  # in place, as no program of ours ever does
            os.truncate(file, 0)
        with pytest.raises((OSError, HTTPException)):
            for number in range(100):
                client.ask(f"{QUESTION}{number}")
        assert server.ended() == -signal.SIGBUS
    assert [hit["passage_id"] for hit in asked(sample_copy)["hits"]] == [hit["passage_id"] for hit in before["hits"]]
    corpus = Corpus.open(sample_copy)
    corpus.catch_up()
    assert corpus.verify() == []
    assert corpus.status().documents == len(list(SAMPLE.glob("*.txt")))
    corpus.close()
