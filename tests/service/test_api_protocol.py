"""Whatever bytes arrive, the answer is a proper one: never 5xx, and a problem on every error. CheckedClient
compares each answer with /openapi.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

T = TypeVar("T", bound=Callable[..., None])
quick: Callable[[T], T] = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    [
        *["query", "q", "limit", "offset", "mode", "source", "tag", "byline"],
        *["from", "to", "group", "min_score", "explain", "x"],
    ]
)
POSTED = ["/api/v1/search", "/api/v1/search/batch", "/api/v1/documents"]


def usable(client: FlaskClient, method: str, path: str, **how: Any) -> None:
    answer = client.open(path, method=method, **how)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.mimetype in ("application/problem+json", "text/html")
        assert answer.mimetype == "application/problem+json" or method == "GET"


@quick
@given(path=st.sampled_from(POSTED), body=st.binary(max_size=200))
def test_arbitrary_bytes_as_a_body(client: FlaskClient, path: str, body: bytes) -> None:
    usable(client, "POST", path, data=body, content_type="application/json")


@quick
@given(body=JSON_VALUES)
def test_arbitrary_json_as_a_search(client: FlaskClient, body: Any) -> None:
    usable(client, "POST", "/api/v1/search", data=json.dumps(body), content_type="application/json")


@quick
@given(body=st.dictionaries(FIELDS, JSON_VALUES, max_size=5))
def test_arbitrary_values_of_the_known_fields(client: FlaskClient, body: dict[str, Any]) -> None:
    usable(client, "POST", "/api/v1/search", data=json.dumps(body), content_type="application/json")
    usable(
        client, "POST", "/api/v1/search/batch", data=json.dumps({"queries": [body]}), content_type="application/json"
    )


@quick
@given(pairs=st.lists(st.tuples(FIELDS, st.text(max_size=20) | st.integers().map(str)), max_size=6))
def test_arbitrary_values_in_the_query_string(client: FlaskClient, pairs: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={quote(value, errors='replace')}" for name, value in pairs)
    for path in ("/api/v1/search", "/api/v1/documents", "/", "/docs"):
        usable(client, "GET", f"{path}?{query}")


@quick
@given(raw=st.binary(max_size=60))
def test_arbitrary_bytes_as_a_query_string(client: FlaskClient, raw: bytes) -> None:
    query = quote(raw, safe="&=%+;?/ ").replace(" ", "+")
    for path in ("/api/v1/search", "/"):
        usable(client, "GET", f"{path}?q={query}")
        usable(client, "GET", f"{path}?{query}")


@quick
@given(text=st.text(max_size=200))
def test_any_text_as_a_query_finds_its_way_to_the_page(client: FlaskClient, text: str) -> None:
    encoded = quote(text, errors="replace")
    usable(client, "GET", f"/api/v1/search?q={encoded}")
    usable(client, "GET", f"/?q={encoded}")


@quick
@given(name=st.text(min_size=1, max_size=40))
def test_arbitrary_ids(client: FlaskClient, name: str) -> None:
    encoded = quote(name, safe="", errors="replace")
    for path in (f"/api/v1/documents/{encoded}", f"/api/v1/passages/{encoded}", f"/documents/{encoded}"):
        usable(client, "GET", path)
    usable(client, "DELETE", f"/api/v1/documents/{encoded}-not-there")


@quick
@given(
    language=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
    authorization=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
    accept=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
)
def test_arbitrary_headers(client: FlaskClient, language: str, authorization: str, accept: str) -> None:
    headers = {"Accept-Language": language, "Authorization": authorization, "Accept": accept}
    for path in ("/api/v1/search?limit=x", "/?q=x&limit=x", "/nothing"):
        usable(client, "GET", path, headers=headers)
