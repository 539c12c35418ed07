"""Suggestions over HTTP."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("typed", ["植树", "zhishu", "植s", "植樹"])
def test_a_headline_is_suggested_with_what_matches_marked(client: FlaskClient, typed: str) -> None:
    answer = client.get("/api/v1/suggest", query_string={"q": typed}).json
    assert answer["query"] == typed
    title = next(one for one in answer["suggestions"] if one["kind"] == "title")
    assert (title["text"], title["document_id"]) == ("义务植树活动启动", "paper-2")
    assert client.get(f"/api/v1/passages/{title['passage_id']}").status_code == 200
    assert [part["text"] for part in title["segments"] if part["mark"] == "match"] == ["植树"]


def test_the_limit_holds_and_odd_ones_are_refused(client: FlaskClient) -> None:
    assert len(client.get("/api/v1/suggest?q=水库&limit=3").json["suggestions"]) == 3
    assert client.get("/api/v1/suggest?q=").json["suggestions"] == []
    for refused in ("?q=a&limit=0", "?q=a&limit=21", "?q=" + "水" * 2001):
        assert client.get(f"/api/v1/suggest{refused}").status_code == 400


@given(st.text(max_size=30))
def test_any_text_is_answered_and_segments_make_the_text(client: FlaskClient, typed: str) -> None:
    answer = client.get("/api/v1/suggest", query_string={"q": typed.encode("utf-8", "replace")})
    assert answer.status_code in (200, 400)
    for one in answer.json.get("suggestions", []):
        assert "".join(part["text"] for part in one["segments"]) == one["text"]
