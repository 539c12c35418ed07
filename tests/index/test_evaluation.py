"""The metrics against values worked out by hand, and the reading of BEIR files."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from index.document import Answer, Document, Hit, Place, Position, Scores
from index.errors import SourceError
from index.evaluation import (
    Query,
    corpus_sources,
    document_id,
    measure,
    ndcg,
    read_judgements,
    read_queries,
    recall,
    reciprocal_rank,
)

LOG3 = math.log2(3)


@pytest.mark.parametrize(
    ("gains", "wanted", "depth", "value"),
    [
        ([1], [1], 10, 1.0),
        ([0, 1], [1], 10, 1 / LOG3),
        ([0, 0, 0, 1], [1], 3, 0.0),
        ([1, 2], [2, 1], 10, (1 + 2 / LOG3) / (2 + 1 / LOG3)),
        ([1], [1, 1], 10, 1 / (1 + 1 / LOG3)),
        ([1, 1, 1], [1, 1, 1], 2, 1.0),
        ([], [1], 10, 0.0),
        ([], [], 10, 0.0),
    ],
)
def test_ndcg(gains: list[int], wanted: list[int], depth: int, value: float) -> None:
    assert ndcg(gains, wanted, depth) == pytest.approx(value)


def test_recall_counts_relevant_hits_whatever_their_grade() -> None:
    assert recall([0, 2, 1, 0], 4, 10) == 0.5
    assert recall([0, 2, 1, 0], 4, 2) == 0.25
    assert recall([], 0, 10) == 0


def test_the_reciprocal_rank_is_that_of_the_first_relevant_hit() -> None:
    assert reciprocal_rank([0, 0, 3, 1], 10) == pytest.approx(1 / 3)
    assert reciprocal_rank([0, 0, 3], 2) == 0
    assert reciprocal_rank([], 10) == 0


def answered(query: str, *ids: str, took: float = 1.0) -> Answer:
    hits = tuple(
        Hit(f"{id_}:0", 0.5, Scores(), "", "", (), "", "", Document(document_id(id_)), Position(0, None, 0, 1))
        for id_ in ids
    )
    return Answer(query, "hybrid", took, len(hits), True, "compact", 1, hits)


def test_figures_are_means_over_the_judged_queries_and_over_each_kind() -> None:
    answers = {"甲": answered("甲", "a", "b", took=1), "乙": answered("乙", "c", "b", took=3)}
    queries = [Query("1", "甲", "short"), Query("2", "乙", "long"), Query("3", "丙", "long")]  # nobody judged 3
    judgements = {"1": {document_id("a"): 1}, "2": {document_id("b"): 1, document_id("z"): 1}}
    figures = measure(queries, judgements, answers.__getitem__)
    assert set(figures) == {"", "short", "long"}
    whole = figures[""]
    assert whole.queries == 2
    assert whole.mrr_at_10 == pytest.approx((1 + 1 / 2) / 2)
    assert whole.recall_at_10 == whole.recall_at_100 == pytest.approx((1 + 1 / 2) / 2)
    assert whole.ndcg_at_10 == pytest.approx((1 + (1 / LOG3) / (1 + 1 / LOG3)) / 2)
    assert whole.p50_ms == 2
    assert figures["short"].row()["ndcg@10"] == 1.0


def test_the_other_places_of_a_hit_come_right_after_it() -> None:
    answer = answered("q", "a", "b")
    reprints = tuple(Place(f"{document_id(id_)}:0", document_id(id_), "") for id_ in ("c", "b"))
    answer = replace(answer, hits=(replace(answer.hits[0], also_in=reprints), answer.hits[1]))
    judgements = {"1": {document_id("c"): 1, document_id("b"): 1}}
    figures = measure([Query("1", "q")], judgements, {"q": answer}.__getitem__)[""]
    assert figures.recall_at_10 == 1
    assert figures.ndcg_at_10 == pytest.approx((1 / LOG3 + 1 / 2) / (1 + 1 / LOG3))


def test_files_are_read_packed_or_not(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl.gz"
    lines = [{"_id": "文/1", "title": "老桥", "text": "老石桥重新开放。"}, {"_id": 2, "text": "渔船回港。"}]
    corpus.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    one, other = corpus_sources(corpus)
    assert (one.document.id, one.document.title, one.text) == (document_id("文/1"), "老桥", "老石桥重新开放。")
    assert other.document.id == document_id("2")

    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "桥", "kind": "word"}\n\n', encoding="utf-8")
    assert read_queries(tmp_path / "queries.jsonl") == [Query("q", "桥", "word")]

    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nq\t文/1\t2\nq\t2\t0\n", encoding="utf-8")
    assert read_judgements(qrels) == {"q": {document_id("文/1"): 2}}
    qrels.write_text("q\t文/1\t1\n", encoding="utf-8")  # without a header
    assert read_judgements(qrels) == {"q": {document_id("文/1"): 1}}


def test_different_documents_keep_different_ids_however_long() -> None:
    long = "新闻档案/2021/" * 20
    assert document_id(long + "a") != document_id(long + "b")
    assert len(document_id(long)) <= 128


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("qrels.tsv", "q\td\n", "qrels.tsv:1 must be query-id, corpus-id and a whole number"),
        ("qrels.tsv", "q\td\tgood\n", "whole number"),
        ("queries.jsonl", '{"text": "桥"}\n', "a record has no '_id'"),
        ("queries.jsonl", "not json\n", "is not JSON"),
        ("absent.tsv", None, "does not exist"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_a_sentence(
    tmp_path: Path, name: str, content: str | None, sentence: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=sentence):
        read_judgements(file) if name.endswith("tsv") else read_queries(file)
