"""The benchmark, run small, over real archives and servers. Nothing here depends on how fast they are."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from scripts.benchmarking.answers import PARTS, WHOLES, AnswerTimes
from scripts.benchmarking.material import Material
from scripts.benchmarking.report import report
from scripts.benchmarking.run import size_of
from scripts.benchmarking.spread import Goal, Spread
from tests.index.tiny_models import bert_embedder


def test_every_part_is_measured(command, tmp_path: Path) -> None:
    corpus = tmp_path / "C.jsonl"
    texts = list(islice(Material().texts(), 20))
    corpus.write_text("".join(json.dumps({"_id": str(n), "text": text}) + "\n" for n, text in enumerate(texts)))

    done = command("benchmark", "--corpus", corpus, "--passages", "all", "--asked", 12, "--indexed", 150,
                   "--rounds", 1, "--json")  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    result = json.loads(done.stdout)

    answers = result["answers"]
    assert answers["queries"] == 12
    assert set(answers["ms"]) == {*PARTS, *WHOLES, "bare", "again"}
    assert all(0 < row["p25"] <= row["median"] <= row["p75"] for row in answers["ms"].values())

    indexing = result["indexing"]
    assert 0 < indexing["passages"] < 300
    assert set(indexing["ms"]) == {"decode", "tokenise", "encode", "words", "add"}

    (growth,) = result["growth"]
    assert growth["documents"] == len(texts)
    assert growth["recall_at_10"] == 1.0  # small archives are searched exactly
    assert set(growth["http_ms"]) == {"1", "8"}
    assert all(row["n"] == 12 for row in growth["http_ms"].values())

    assert {goal["met"] for goal in result["goals"]} <= {True, False}
    shown = report(result)
    for title in ("An answer,", "Indexing", "Growth:", "Goals:"):
        assert title in shown


def test_backends_are_measured_on_the_same_texts(command, tmp_path: Path) -> None:
    model = bert_embedder(tmp_path, "".join(islice(Material().texts(), 20)))
    done = command("benchmark", "backends", "--model", model, "--indexed", 20, "--asked", 4, "--rounds", 2, "--json")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    result = json.loads(done.stdout)
    assert (result["backends"]["passages"], result["backends"]["rounds"]) == (20, 2)
    of = result["backends"]["of"]
    assert list(of) == ["torch", "onnx", "int8"]
    assert of["onnx"]["cosine"]["least"] > 0.9999
    assert of["torch"]["times_as_fast"] == {"median": 1, "p25": 1, "p75": 1, "p95": 1, "p99": 1, "n": 2}
    assert [goal["what"] for goal in result["goals"]] == [
        f"{name}: least cosine with torch" for name in ("onnx", "int8")
    ]
    assert "Backends of" in report(result)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backends"], "Name the model that backends are measured with: --model FOLDER."),
        (["speed"], "There is no part 'speed' to measure"),
        (["growth", "--passages", "many"], "'many' is no number of passages; write 10k, 100k, 1M or all."),
        (["growth", "--corpus", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(command, arguments: list[str], said: str) -> None:
    done = command("benchmark", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# What is measured on


def test_the_documents_and_queries_are_the_same_every_time() -> None:
    def drawn() -> tuple[list[str], list[str]]:
        material = Material()
        return list(islice(material.texts(), 200)), material.queries(30)

    texts, queries = drawn()
    assert (texts, queries) == drawn()
    assert len(set(texts)) == 200  # 53 are real, the others no copies of them
    assert len(set(queries)) == 30
    assert all(any(query in text for text in texts) for query in queries)


def test_new_documents_are_not_those_of_the_archive() -> None:
    material = Material()
    there = set(islice(material.texts(), 300))
    assert not there & set(islice(material.new(seed=1), 50))


def test_sizes_are_written_as_people_write_them() -> None:
    assert [size_of(written) for written in ("300", "10k", "1M", " 2K", "all")] == [300, 10_000, 1_000_000, 2_000, None]


# What is kept


def test_what_was_measured_is_kept_in_a_folder(command, tmp_path: Path) -> None:
    done = command("benchmark", "growth", "--passages", "250,500", "--asked", 8, "--write", tmp_path / "kept",
                   "--tools", tmp_path / "tools", PIP_NO_INDEX="1")  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "growth.png cannot be drawn: ERROR: No matching distribution found for matplotlib" in done.stderr

    result = json.loads((tmp_path / "kept/result.json").read_text(encoding="utf-8"))
    assert [250 * 0.6 < row["passages"] < 2 * 250 * 1.4 for row in result["growth"]] == [True, True]
    assert (tmp_path / "kept/result.md").read_text(encoding="utf-8") == report(result) + "\n"


# What is made of the times


def test_a_ratio_is_taken_query_by_query() -> None:
    times = {**{name: [1.0, 2.0] for name in PARTS}, "search": [12.0, 12.0], "http": [18.0, 36.0]}
    answers = AnswerTimes(100, times)
    assert answers.bare == [6.0, 12.0]
    assert answers.ratios("http").median == 3.0
    assert answers.ratios("search").low == 1.25


def test_a_spread_and_a_goal() -> None:
    spread = Spread.of(range(101))
    assert (spread.low, spread.median, spread.high, spread.p95, spread.p99, spread.count) == (25, 50, 75, 95, 99, 101)
    assert Goal("time", 1.5, 1.4).met
    assert not Goal("recall", 0.99, 0.98, most=False).met
    assert Goal("recall", 0.99, 0.98, most=False).row()["goal"] == "at least 0.99"
