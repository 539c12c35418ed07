"""Peers, compared over the sample with those that need no installing, and what is made of the figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index.suite import EvaluationSet
from scripts.benchmarking.judged import judged_files, judged_sample
from scripts.benchmarking.peers.catalogue import PEERS, peers_named
from scripts.benchmarking.peers.comparison import Comparison, System
from scripts.benchmarking.report import report


def test_peers_are_asked_the_same_and_one_that_cannot_be_had_is_left_out(command, tmp_path: Path) -> None:
    chosen = [word for peer in ("plain Flask", "SQLite FTS5", "chromadb") for word in ("--peer", peer)]
    done = command("benchmark", "peers", *chosen, "--asked", 10, "--rounds", 2, "--json",
                   "--tools", tmp_path / "peers", PIP_NO_INDEX="1")  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    result = json.loads(done.stdout)
    peers = result["peers"]

    assert list(peers["skipped"]) == ["chromadb"]
    assert "No matching distribution found for chromadb" in peers["skipped"]["chromadb"]

    systems = {system["name"]: system for system in peers["systems"]}
    assert list(systems) == ["Corpus.search", "scripts/serve", "plain Flask", "SQLite FTS5"]
    for system in systems.values():
        assert {count: row["n"] for count, row in system["ms"].items()} == {"1": 10, "8": 10}
        assert {count: row["n"] for count, row in system["a_second"].items()} == {"1": 2, "8": 2}
        assert 0.5 < system["ndcg@10"] <= 1  # every one of them answers most of these queries
        assert system["ndcg@10"] <= 1.001 * system["recall@10"]  # each query has one right document
    ours = [systems[name]["ndcg@10"] for name in ("Corpus.search", "scripts/serve")]
    assert ours[0] == ours[1] > systems["SQLite FTS5"]["ndcg@10"]

    goals = {goal["what"]: goal["goal"] for goal in result["goals"]}
    assert goals["hybrid searches a second, times the dense ones of plain Flask"] == "at least 5"
    assert goals["nDCG@10 beside SQLite FTS5"] == f"at least {systems['SQLite FTS5']['ndcg@10']:g}"
    shown = report(result)
    assert "- chromadb was left out: ERROR: No matching distribution" in shown
    assert "| plain Flask" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peer", "lucene"], "There is no peer 'lucene'; choose of txtai, plain Flask, chromadb"),
        (["--queries", "Q.jsonl"], "give --corpus, --queries and --qrels, or none for the sample"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(command, arguments: list[str], said: str) -> None:
    done = command("benchmark", "peers", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr


def test_all_peers_are_meant_where_none_is_named() -> None:
    assert peers_named([]) == PEERS
    assert [kind.name for kind in peers_named(["BM25s", "txtai"])] == ["bm25s", "txtai"]


def test_every_query_of_the_sample_is_judged_by_one_of_its_documents() -> None:
    judged = judged_sample()
    ids = {source.document.id for source in judged.documents}
    assert len(judged.queries) == 122  # the others are answered by nothing
    assert all(set(judged.judgements[query.id]) <= ids for query in judged.queries)


def test_right_documents_stay_in_a_part_of_a_corpus(tmp_path: Path) -> None:
    corpus, queries, qrels = (tmp_path / name for name in ("C.jsonl", "Q.jsonl", "R.tsv"))
    lines = [json.dumps({"_id": str(number), "text": f"第{number}号文件说的是桥。"}) for number in range(50)]
    corpus.write_text("\n".join(lines), encoding="utf-8")
    queries.write_text(json.dumps({"_id": "q", "text": "第49号文件"}), encoding="utf-8")
    qrels.write_text("query-id\tcorpus-id\tscore\nq\t49\t1\n", encoding="utf-8")
    chosen = EvaluationSet("", corpus, queries, qrels)

    some = judged_files(chosen, 5)
    assert [source.text[:4] for source in some.documents] == ["第0号文", "第1号文", "第2号文", "第3号文", "第49号"]
    assert [source.document.id for source in some.documents][-1] in some.judgements["q"]
    assert len(judged_files(chosen, None).documents) == 50


def test_the_lesser_ratio_counts_and_is_taken_round_by_round() -> None:
    def system(name: str, one: list[float], several: list[float], ndcg: float, *, served: bool = True) -> System:
        made = System(name, "hybrid", served, "", 1.0, lambda _queries, _clients: ([], 0.0), lambda _query: [])
        made.a_second = {1: one, 8: several}
        made.quality = ndcg, 1.0
        return made

    ours = {served: system("ours", [60, 90, 60], [80, 80, 80], 0.8, served=served) for served in (False, True)}
    compared = Comparison(100, 10, ours, [system("txtai", [5, 9, 6], [20, 10, 16], 0.81)], {})
    ratio = compared.ratios(compared.peers[0], 1)
    assert (ratio.median, ratio.count) == (10, 3)
    speed, quality = compared.goals()
    assert (speed.measured, speed.wanted, speed.met) == (5, 10, False)
    assert (quality.measured, quality.wanted, quality.met) == (0.8, 0.81, False)
