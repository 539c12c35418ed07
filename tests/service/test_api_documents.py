"""Documents over HTTP: listed, read, added, replaced, removed, and searchable at once."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

NOTE = {
    "id": "note-1",
    "title": "夜航",
    "text": "渡轮公司宣布恢复夜间航班，末班船推迟到凌晨一点。",
    "date": "2024-05-01",
}


def found(client: FlaskClient, query: str) -> set[str]:
    hits = client.post("/api/v1/search", json={"query": query, "mode": "lexical"}).json["hits"]
    return {hit["document"]["id"] for hit in hits}


def test_the_list_pages_and_filters(client: FlaskClient) -> None:
    first = client.get("/api/v1/documents?limit=4").json
    assert first["total"] == 17
    assert (first["limit"], first["offset"]) == (4, 0)
    assert [document["id"] for document in first["documents"]] == [f"bulletin-{n:02}" for n in range(1, 5)]
    last = client.get("/api/v1/documents?limit=4&offset=16").json
    assert [document["id"] for document in last["documents"]] == ["paper-5"]
    assert client.get("/api/v1/documents?source=日报").json["total"] == 2
    assert client.get("/api/v1/documents?q=午餐").json["total"] == 2
    assert client.get("/api/v1/documents?from=2024&to=2024-08").json["total"] == 1


def test_a_document_is_read_with_its_passages_in_order(client: FlaskClient) -> None:
    answer = client.get("/api/v1/documents/paper-1").json
    assert answer["document"]["byline"] == "本报记者 李明"
    assert [passage["position"]["passage"] for passage in answer["passages"]] == list(range(len(answer["passages"])))
    assert answer["passages"][0]["passage_id"] == "paper-1:0"
    assert "限制老旧柴油车" in "".join(passage["text"] for passage in answer["passages"])
    assert "path" not in answer["document"]


def test_a_record_is_added_and_found_at_once(own_client: FlaskClient) -> None:
    answer = own_client.post("/api/v1/documents", json=NOTE)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/v1/documents/note-1"
    counts = {"added": 1, "replaced": 0, "unchanged": 0, "removed": 0, "skipped": 0, "passages": 1}
    document = {"id": "note-1", "name": "", "outcome": "added", "problem": None}
    assert answer.json == {"ids": ["note-1"], **counts, "documents": [document], "files": [], "degraded": []}
    assert found(own_client, "夜间航班") == {"note-1"}
    again = own_client.post("/api/v1/documents", json=NOTE)
    assert again.status_code == 200
    assert again.json["unchanged"] == 1


def test_several_records_are_added_and_ids_made_where_missing(own_client: FlaskClient) -> None:
    records = [NOTE, {"text": "灯塔每十秒闪光一次。"}]
    answer = own_client.post("/api/v1/documents", json=records)
    assert answer.status_code == 201
    assert answer.json["added"] == 2
    assert "Location" not in answer.headers
    made = answer.json["ids"][1]
    assert found(own_client, "灯塔闪光") == {made}
    assert own_client.post("/api/v1/documents", json=records).json["ids"] == answer.json["ids"]


def test_put_adds_then_replaces(own_client: FlaskClient) -> None:
    record: dict[str, Any] = {"title": "夜航", "text": "末班船推迟到凌晨一点。"}
    assert own_client.put("/api/v1/documents/note-2", json=record).status_code == 201
    replaced = own_client.put(
        "/api/v1/documents/note-2", json={**record, "text": "码头的长椅全部换新。", "id": "note-2"}
    )
    assert replaced.status_code == 200
    assert replaced.json["replaced"] == 1
    assert found(own_client, "码头长椅") == {"note-2"}
    assert found(own_client, '"末班船"') == set()


def test_delete_removes_once(own_client: FlaskClient) -> None:
    own_client.post("/api/v1/documents", json=NOTE)
    assert own_client.delete("/api/v1/documents/note-1").status_code == 204
    assert found(own_client, '"夜间航班"') == set()
    assert own_client.get("/api/v1/documents/note-1").status_code == 404
    assert own_client.delete("/api/v1/documents/note-1").status_code == 404


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"id": "x"}, "text"),
        ({"text": "  \n"}, "text"),
        ({"text": 3}, "text"),
        ({"text": "好", "id": "../etc"}, "id"),
        ({"text": "好", "id": "好"}, "id"),
        ({"text": "好", "id": "x" * 129}, "id"),
        ({"text": "好", "date": "yesterday"}, "date"),
        ({"text": "好", "date": "20240501"}, "date"),
        ({"text": "好", "date": "2024-13-01"}, "date"),
        ({"text": "好", "url": "javascript:alert(1)"}, "url"),
        ({"text": "好", "url": "//elsewhere.example"}, "url"),
        ({"text": "好", "url": "java\tscript:x"}, "url"),
        ({"text": "好", "tags": "one"}, "tags"),
        ({"text": "好", "tags": ["a", 1]}, "tags[1]"),
        ({"text": "好", "author": "李"}, "author"),
        ({"text": "a\u0000b"}, "text"),
    ],
)
def test_an_unusable_record_is_refused_with_its_field(
    own_client: FlaskClient, record: dict[str, Any], field: str
) -> None:
    answer = own_client.post("/api/v1/documents", json=record)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]
    in_list = own_client.post("/api/v1/documents", json=[NOTE, record])
    assert [error["field"] for error in in_list.json["errors"]] == [f"[1].{field}"]
    assert own_client.get("/api/v1/documents").json["total"] == 1


@pytest.mark.parametrize("steps", [".", ".."])
def test_an_id_that_browsers_take_for_a_step_in_a_path_is_refused(own_client: FlaskClient, steps: str) -> None:
    answer = own_client.post("/api/v1/documents", json={"id": steps, "text": "渡轮恢复夜航。"})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "id")
    assert "只是 . 或 .." in answer.json["errors"][0]["message"]
    assert own_client.post("/api/v1/documents", json={"id": f"{steps}.a", "text": "渡轮恢复夜航。"}).status_code == 201


def test_the_same_id_twice_in_one_list_is_refused(own_client: FlaskClient) -> None:
    answer = own_client.post("/api/v1/documents", json=[NOTE, NOTE])
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == "[1].id"


@pytest.mark.parametrize(
    ("document_id", "record", "field"),
    [
        ("note-1", {"id": "note-2", "text": "好"}, "id"),
        ("no%20good", {"text": "好"}, "document_id"),
        ("note-1", [{"text": "好"}], ""),
    ],
)
def test_put_refuses_what_does_not_fit_its_address(
    own_client: FlaskClient, document_id: str, record: Any, field: str
) -> None:
    answer = own_client.put(f"/api/v1/documents/{document_id}", json=record)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == field


@pytest.mark.parametrize("date", ["2024", "2024-05", "2024-05-01", "2024-05-01T08:30", "2024-05-01T08:30:00+08:00", ""])
def test_the_usual_dates_are_taken(own_client: FlaskClient, date: str) -> None:
    assert own_client.put("/api/v1/documents/dated", json={"text": "好天气。", "date": date}).status_code == 201


@pytest.mark.parametrize("document_id", ["nobody", "%20", "a%00b", "%FF", "x" * 200])
def test_a_document_that_is_not_there_is_not_found(client: FlaskClient, document_id: str) -> None:
    assert client.get(f"/api/v1/documents/{document_id}").status_code == 404
    assert client.delete(f"/api/v1/documents/{document_id}").status_code == 404
