"""Lines of records over HTTP: each is a record like any other, and a bad one stops none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from tests.service.records import FERRY, KILN, LAMP, found, lines, post


def test_every_line_is_a_record_and_a_bad_one_stops_no_other(own_client: FlaskClient) -> None:
    body = lines(
        {"id": "ferry", "text": FERRY}, "", "{not json", {"id": "x", "text": LAMP, "colour": "红"}, {"text": KILN}
    )
    answer = post(own_client, body)
    assert answer.status_code == 207
    assert (answer.json["added"], answer.json["skipped"]) == (2, 2)
    told = [(one["outcome"], one["name"]) for one in answer.json["documents"]]
    assert told == [("added", ""), ("skipped", "body:3"), ("skipped", "body:4"), ("added", "")]
    assert "colour" in answer.json["documents"][2]["problem"]
    assert found(own_client, "夜间航班") == ["ferry"]
    assert found(own_client, "陶艺教室") == [answer.json["ids"][1]]


def test_a_record_has_the_same_id_however_it_is_sent(own_client: FlaskClient) -> None:
    listed = own_client.post("/api/v1/documents", json=[{"text": LAMP}]).json
    assert post(own_client, lines({"text": LAMP})).json["unchanged"] == 1
    assert found(own_client, "守塔人") == listed["ids"]


def test_lines_may_be_more_and_larger_than_a_list(make_client: Callable[..., FlaskClient], own_corpus: Corpus) -> None:
    client = make_client(own_corpus, max_body=4096, max_upload=1 << 20)
    many = lines(*({"id": f"day-{n}", "text": f"第{n}天：{LAMP}"} for n in range(1500)))
    answer = post(client, many)
    assert (answer.status_code, answer.json["added"], len(answer.json["ids"])) == (201, 1500, 1000)
    assert post(client, many * 20).status_code == 413


@pytest.mark.parametrize("body", [b"", b"\n \n", b"[]", lines("{}"), lines({"id": "a"})])
def test_lines_without_a_single_record_are_refused(own_client: FlaskClient, body: bytes) -> None:
    assert post(own_client, body).status_code == 400
    assert own_client.get("/api/v1/documents").json["total"] == 1
