"""Searching: the fields that go in, and the answer the contract promises."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

QUESTION = "怎样减少汽车尾气"
ANSWER_KEYS = {
    "query", "mode", "took_ms", "total", "total_is_exact", "model", "generation", "hits", "facets", "suggestion",
    "weak", "degraded",
}  # fmt: skip
HIT_KEYS = {
    "passage_id", "score", "scores", "title", "text", "segments", "context", "document", "position", "also_in",
}  # fmt: skip


def search(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    answer = client.get("/api/v1/search?" + urlencode(fields, doseq=True))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def sources(answer: dict[str, Any]) -> set[str]:
    return {hit["document"]["source"] for hit in answer["hits"]}


def test_the_answer_has_the_contracts_shape(client: FlaskClient) -> None:
    answer = search(client, q=QUESTION)
    assert set(answer) == ANSWER_KEYS
    assert answer["query"] == QUESTION
    assert answer["mode"] == "hybrid"
    first = answer["hits"][0]
    assert set(first) == HIT_KEYS
    assert first["document"] == {
        "id": "paper-1",
        "title": "市区今冬少见蓝天",
        "source": "晚报",
        "byline": "本报记者 李明",
        "date": "2023-12-05",
        "url": "https://example.org/paper/1",
        "tags": ["环境"],
    }
    assert first["passage_id"].startswith("paper-1:")
    assert set(first["scores"]) == {"dense", "lexical", "interaction", "rerank"}
    assert set(first["context"]) == {"before", "after"}
    assert set(first["position"]) == {"passage", "page", "start", "end"}
    assert set(answer["facets"]) == {"source", "year", "tag", "byline"}
    assert "环境" in {facet["value"] for facet in answer["facets"]["tag"]}
    assert "本报记者 李明" in {facet["value"] for facet in answer["facets"]["byline"]}
    assert {"value": "晚报", "count": 1} in [
        {**facet, "count": min(facet["count"], 1)} for facet in answer["facets"]["source"]
    ]


def test_segments_join_to_the_text_and_mark_the_sentence_that_answers(client: FlaskClient) -> None:
    hit = search(client, q=QUESTION)["hits"][0]
    assert "".join(segment["text"] for segment in hit["segments"]) == hit["text"]
    marked = "".join(segment["text"] for segment in hit["segments"] if segment["mark"])
    assert "限制老旧柴油车" in marked
    assert "热线举报" not in "".join(s["text"] for s in hit["segments"] if s["mark"] == "sentence")


def test_the_text_is_the_original_also_when_the_query_is_simplified(client: FlaskClient) -> None:
    hit = search(client, q="台北捷运延长营运")["hits"][0]
    assert hit["document"]["id"] == "paper-5"
    assert "臺北捷運" in hit["text"]


def test_get_and_post_answer_alike(client: FlaskClient) -> None:
    by_get = search(client, q=QUESTION, limit=3, mode="lexical")
    by_post = client.post("/api/v1/search", json={"query": QUESTION, "limit": 3, "mode": "lexical"}).json
    by_short_name = client.post("/api/v1/search", json={"q": QUESTION, "limit": 3, "mode": "lexical"}).json
    for answer in (by_get, by_post, by_short_name):
        answer.pop("took_ms")
    assert by_get == by_post == by_short_name


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_every_mode_answers(client: FlaskClient, mode: str) -> None:
    assert search(client, q="植树活动", mode=mode)["mode"] == mode


def test_limit_and_offset_cut_one_ranking(client: FlaskClient) -> None:
    whole = [hit["passage_id"] for hit in search(client, q="水库水位公报", limit=10, min_score=0)["hits"]]
    first = [hit["passage_id"] for hit in search(client, q="水库水位公报", limit=4, min_score=0)["hits"]]
    second = search(client, q="水库水位公报", limit=4, offset=4, min_score=0)["hits"]
    assert whole[:8] == first + [hit["passage_id"] for hit in second]


def test_sources_narrow_and_may_be_repeated(client: FlaskClient) -> None:
    assert sources(search(client, q="新规定", source="日报", min_score=0)) == {"日报"}
    assert sources(search(client, q="新规定", source=["日报", "公报"], min_score=0)) == {"日报", "公报"}
    posted = client.post("/api/v1/search", json={"query": "新规定", "source": "日报", "min_score": 0}).json
    assert sources(posted) == {"日报"}
    posted = client.post("/api/v1/search", json={"query": "新规定", "source": ["日报"], "min_score": 0}).json
    assert sources(posted) == {"日报"}


def test_tags_narrow(client: FlaskClient) -> None:
    answer = search(client, q="植树", tag="活动", min_score=0)
    assert {hit["document"]["id"] for hit in answer["hits"]} == {"paper-2"}


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_part_of_the_byline_narrows(client: FlaskClient, mode: str) -> None:
    answer = search(client, q=QUESTION, byline=["李明", "没有这个人"], mode=mode, min_score=0)
    assert {hit["document"]["id"] for hit in answer["hits"]} == {"paper-1"}
    assert not search(client, q=QUESTION, byline="没有这个人", mode=mode, min_score=0)["hits"]


@pytest.mark.parametrize(
    ("earliest", "latest", "expected"),
    [
        ("2024-03-12", "2024-03-12", {"paper-2"}),
        ("2024-03", "2024-03", {"paper-2"}),
        ("2024", "", {"paper-2", "paper-3", "paper-4"}),
        ("2022", "2023", {"paper-1", "paper-5"}),
    ],
)
def test_dates_narrow_inclusively(client: FlaskClient, earliest: str, latest: str, expected: set[str]) -> None:
    answer = search(client, q="市民 学校 植树 捷運", limit=50, min_score=0, **{"from": earliest, "to": latest})
    assert {hit["document"]["id"] for hit in answer["hits"]} <= expected
    assert answer["hits"]


def test_hits_come_in_order_of_date_where_that_is_asked(client: FlaskClient) -> None:
    for sort, newest_first in (("date", False), ("-date", True)):
        answer = search(client, q="水库水位公报", sort=sort, limit=50, min_score=0)
        dates = [hit["document"]["date"] for hit in answer["hits"]]
        assert dates == sorted(dates, reverse=newest_first)
        assert len(set(dates)) > 10
    assert client.get("/api/v1/search?q=x&sort=size").status_code == 400


def test_grouping_keeps_one_passage_of_each_document(client: FlaskClient) -> None:
    answer = search(client, q="午餐", group="document", min_score=0, limit=50)
    documents = [hit["document"]["id"] for hit in answer["hits"]]
    assert len(documents) == len(set(documents))


def test_a_reprint_is_named_with_the_hit(client: FlaskClient) -> None:
    hits = [hit for hit in search(client, q="学校食堂每天公布菜谱")["hits"] if "菜谱" in hit["text"]]
    assert len(hits) == 1
    found = {hits[0]["document"]["id"], *(place["document_id"] for place in hits[0]["also_in"])}
    assert found == {"paper-3", "paper-4"}


def test_min_score_cuts_the_tail(client: FlaskClient) -> None:
    everything = search(client, q=QUESTION, min_score=0, limit=100)["hits"]
    good = search(client, q=QUESTION, min_score=0.5, limit=100)["hits"]
    assert all(hit["score"] >= 0.5 for hit in good)
    assert len(good) < len(everything)


def test_a_quoted_query_that_nothing_holds_has_no_hits(client: FlaskClient) -> None:
    answer = search(client, q='"量子引力波探测卫星"')
    assert answer["hits"] == []
    assert answer["total"] == 0


def test_stages_are_told_only_when_asked_for(client: FlaskClient) -> None:
    assert "stages" not in search(client, q="植树")
    explained = search(client, q="植树", explain=1)
    assert explained["stages"]
    assert all(spent >= 0 for spent in explained["stages"].values())


def test_unknown_parameters_of_the_query_string_are_ignored(client: FlaskClient) -> None:
    assert search(client, q="植树", utm_source="letter", fbclid="x")["hits"]


def test_a_batch_answers_in_order(client: FlaskClient) -> None:
    answers = client.post(
        "/api/v1/search/batch", json={"queries": [{"query": "植树"}, {"q": QUESTION, "limit": 1, "explain": True}]}
    ).json["answers"]
    assert [answer["query"] for answer in answers] == ["植树", QUESTION]
    assert len(answers[1]["hits"]) == 1
    assert "stages" in answers[1]
    assert "stages" not in answers[0]


@pytest.mark.parametrize(
    ("queries", "field"),
    [
        ([{"query": "植树"}, {"query": "植树", "limit": 0}], "queries[1].limit"),
        ([{"query": "植树"}, {"query": "植树"}, {}], "queries[2].query"),
        ([{"query": "植树"}, {"query": " "}], "queries[1].query"),
        ([{"query": "植树", "colour": 1}], "queries[0].colour"),
        ([{"query": "植树", "from": "2024", "to": "2023"}], "queries[0].from"),
        ([], "queries"),
        ([{"query": "植树"}] * 51, "queries"),
    ],
)
def test_an_unusable_query_of_a_batch_is_named_by_its_place(
    client: FlaskClient, queries: list[dict[str, Any]], field: str
) -> None:
    answer = client.post("/api/v1/search/batch", json={"queries": queries})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_similar_passages_leave_out_the_passage_itself(client: FlaskClient) -> None:
    answer = client.get("/api/v1/passages/bulletin-03:0/similar?limit=3")
    assert answer.status_code == 200
    found = [hit["document"]["id"] for hit in answer.json["hits"]]
    assert found
    assert len(found) <= 3
    assert "bulletin-03" not in found


def test_a_passage_is_read_with_its_neighbours_and_document(client: FlaskClient) -> None:
    passage = client.get("/api/v1/passages/paper-1:0").json
    assert passage["passage_id"] == "paper-1:0"
    assert passage["document"]["id"] == "paper-1"
    assert passage["position"]["passage"] == 0
    assert passage["context"]["before"] == ""


@pytest.mark.parametrize(
    "passage_id", ["paper-1:99", "nobody:0", "paper-1", ":0", "paper-1:-1", "a:٣", "a:" + "9" * 40]
)
def test_a_passage_that_is_not_there_is_not_found(client: FlaskClient, passage_id: str) -> None:
    assert client.get(f"/api/v1/passages/{passage_id}").status_code == 404
    assert client.get(f"/api/v1/passages/{passage_id}/similar").status_code == 404
