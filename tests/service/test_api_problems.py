"""Everything that can go wrong, and the sentence each of it is answered with."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import ImATeapot

from index.corpus import Corpus
from index.errors import BusyError, ModelError
from service.app import create_app
from service.problems import as_problem
from service.sentences import PROBLEM_TITLES
from service.validation import MESSAGES

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "query"),
        ("limit=5", "query"),
        ("q=x&limit=0", "limit"),
        ("q=x&limit=101", "limit"),
        ("q=x&limit=ten", "limit"),
        ("q=x&limit=1.5", "limit"),
        ("q=x&limit=" + "9" * 5000, "limit"),
        ("q=x&offset=-1", "offset"),
        ("q=x&offset=1001", "offset"),
        ("q=x&mode=magic", "mode"),
        ("q=x&from=yesterday", "from"),
        ("q=x&from=2024-02-30", "from"),
        ("q=x&from=2024&to=2023", "from"),
        ("q=x&to=0000", "to"),
        ("q=x&group=source", "group"),
        ("q=x&min_score=2", "min_score"),
        ("q=x&min_score=NaN", "min_score"),
        ("q=x&min_score=high", "min_score"),
        ("q=x&explain=perhaps", "explain"),
        ("q=a%00b", "query"),
        ("q=x&source=" + "长" * 501, "source[0]"),
    ],
)
def test_an_unusable_parameter_is_named(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get("/api/v1/search?" + query)
    assert answer.status_code == 400
    assert answer.mimetype == PROBLEM
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert answer.json["errors"][0]["message"] in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ([], ""),
        (None, ""),
        ("植树", ""),
        ({"query": 1}, "query"),
        ({"query": "x", "q": "x"}, "q"),
        ({"query": "x", "limit": "5"}, "limit"),
        ({"query": "x", "limit": True}, "limit"),
        ({"query": "x", "limit": 10**400}, "limit"),
        ({"query": "x", "colour": "red"}, "colour"),
        ({"query": "x", "source": 1}, "source"),
        ({"query": "x", "source": [1]}, "source[0]"),
        ({"query": "x", "source": ["a"] * 51}, "source"),
        ({"query": "x", "tag": {}}, "tag"),
        ({"query": "x", "explain": 1}, "explain"),
        ({"query": "x", "min_score": "0.5"}, "min_score"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_unusable_field_is_named_in_the_readers_language(
    client: FlaskClient, body: Any, field: str, language: str
) -> None:
    answer = client.post(
        "/api/v1/search",
        data=json.dumps(body),
        content_type="application/json",
        headers={"Accept-Language": language},
    )
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]
    message = answer.json["errors"][0]["message"]
    assert any("一" <= character <= "鿿" for character in message) == (language == "zh")


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("GET", "/api/v1/suggest?q={long}", 2000),
        ("GET", "/documents/paper-1?q={long}", 2000),
        ("GET", "/api/v1/documents?source={long}", 500),
        ("PUT", "title", 1000),
        ("PUT", "url", 2000),
    ],
)
def test_a_text_that_is_too_long_is_called_a_text(client: FlaskClient, method: str, path: str, most: int) -> None:
    headers = {"Accept": PROBLEM, "Accept-Language": "en"}
    if method == "GET":
        answer = client.get(path.format(long="a" * (most + 1)), headers=headers)
    else:
        record = {"text": "x", path: "a" * (most + 1)}
        answer = client.put("/api/v1/documents/note-1", json=record, headers=headers)
    assert answer.json["errors"][0]["message"] == f"This text is too long: at most {most} characters."


def test_of_a_fields_two_names_only_one_may_be_given(client: FlaskClient) -> None:
    both, message = {"q": "植树", "query": "植树"}, "这是 query 的另一个名称：两者只能给一个。"
    for answer, field in (
        (client.get("/api/v1/search", query_string=both), "q"),
        (client.post("/api/v1/search", json=both), "q"),
        (client.post("/api/v1/search/batch", json={"queries": [both]}), "queries[0].q"),
    ):
        assert answer.status_code == 400
        assert answer.json["errors"] == [{"field": field, "message": message}]


@pytest.mark.parametrize(
    ("query", "message"), [("  ", "文本是空的：请填写内容。"), ("长" * 2001, "文本太长：最多 2000 个字符。")]
)
def test_an_unusable_query_is_named_however_it_is_sent(client: FlaskClient, query: str, message: str) -> None:
    told = [
        client.get("/api/v1/search", query_string={"q": query}),
        client.post("/api/v1/search", json={"query": query}),
        client.post("/api/v1/search/batch", json={"queries": [{"query": query}]}),
    ]
    assert [answer.status_code for answer in told] == [400] * 3
    assert [answer.json["errors"] for answer in told] == [
        [{"field": place, "message": message}] for place in ("query", "query", "queries[0].query")
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"   ", "application/json", 400),
        (b"{", "application/json", 400),
        (b"{'query': 'x'}", "application/json", 400),
        (b'{"query": "\xff"}', "application/json", 400),
        (b'{"query": "\\ud800"}', "application/json", 400),
        (b'{"\\ud800": "x"}', "application/json", 400),
        (b'{"query": "x", "min_score": NaN}', "application/json", 400),
        (b'{"query": "x", "min_score": 1e999}', "application/json", 400),
        (b'{"query": "x", "limit": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"query":' * 50_000, "application/json", 400),
        ('{"query": "x"}'.encode("utf-16"), "application/json", 400),
        (b'{"query": "x"}', "text/plain", 415),
        (b"query=x", "application/x-www-form-urlencoded", 415),
        (b'{"query": "x"}', "", 415),
        (b'{"query": "x"}', "application/json; charset=utf-8", 200),
        (b'\xef\xbb\xbf{"query": "x"}', "application/json", 200),
    ],
)
def test_a_body_is_judged_by_type_and_content(client: FlaskClient, body: bytes, content_type: str, status: int) -> None:
    answer = client.post("/api/v1/search", data=body, headers={"Content-Type": content_type} if content_type else {})
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.mimetype == PROBLEM


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_only_python_takes_for_a_number_is_named(client: FlaskClient, name: str) -> None:
    for language, says in (("en", f"holds {name}, which JSON does not have"), ("zh", f"含有 {name}，JSON 中没有")):
        answer = client.post(
            "/api/v1/search",
            data=f'{{"query": {name}}}',
            headers={"Content-Type": "application/json", "Accept-Language": language},
        )
        assert (answer.status_code, answer.mimetype) == (400, PROBLEM)
        assert says in answer.json["detail"]


def test_a_body_over_the_limit_is_too_large(make_client: Callable[..., FlaskClient], corpus: Corpus) -> None:
    client = make_client(corpus, max_body=2048)
    answer = client.post("/api/v1/search", data=b"x" * 3000, content_type="application/json")
    assert answer.status_code == 413


def test_a_query_string_that_is_not_utf8_is_refused(client: FlaskClient) -> None:
    for path in ("/api/v1/search?q=%ff%fe", "/api/v1/documents?q=%80"):
        answer = client.get(path)
        assert answer.status_code == 400
        assert "不是 UTF-8" in answer.json["detail"]


def test_too_many_parameters_are_called_too_many(client: FlaskClient) -> None:
    assert client.get("/api/v1/search?q=x" + "&a=1" * 199).status_code == 200
    answer = client.get("/api/v1/search?q=x" + "&a=1" * 200)
    assert answer.status_code == 400
    assert answer.json["detail"] == "地址中的参数超过 200 个：请减少参数。"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/search", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PUT", "/api/v1/search", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("GET", "/api/v1/search/batch", {"OPTIONS", "POST"}),
        ("POST", "/api/v1/documents/x", {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_another_method_is_refused_with_those_allowed(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert answer.mimetype == PROBLEM
    assert set(answer.headers["Allow"].split(", ")) == allowed
    options = client.options(path)
    assert options.status_code == 200
    assert set(options.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/api", "/api/v1/", "/api/v1/search/", "//api/v1/search", "/nothing", "/static/x.js"])
def test_an_unknown_address_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == PROBLEM


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "....//app.py"])
def test_static_files_are_only_the_static_ones(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_head_answers_like_get_without_a_body(client: FlaskClient) -> None:
    for path in ("/", "/healthz", "/api/v1/search?q=植树", "/api/v1/search", "/nothing", "/docs"):
        head, get = client.head(path), client.get(path)
        assert head.status_code == get.status_code
        assert head.data == b""
        assert head.mimetype == get.mimetype


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "zh"),
        ("", "zh"),
        ("*", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-TW", "zh"),
        ("en-US,en;q=0.9", "en"),
        ("en;q=0.5,zh;q=0.9", "zh"),
        ("de,en;q=0.5", "en"),
        ("fr", "en"),
        ("\x00;;;q=,,", "en"),
    ],
)
def test_the_header_chooses_the_language(client: FlaskClient, header: str | None, language: str) -> None:
    answer = client.get("/api/v1/search", headers={} if header is None else {"Accept-Language": header})
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]


def test_every_message_and_title_exists_in_both_languages() -> None:
    for english, chinese in [*MESSAGES.values(), *PROBLEM_TITLES.values()]:
        assert english.isascii()
        assert any("一" <= character <= "鿿" for character in chinese)


def test_library_errors_keep_their_status_and_sentence() -> None:
    for error in (BusyError("busy.", "忙。"), ModelError("no model.", "没有模型。")):
        problem = as_problem(error)
        assert problem.status == 503
        assert problem.headers["Retry-After"] == "1"
        assert problem.sentence("zh") == error.chinese
        assert problem.sentence("en") == error.english


def test_other_http_errors_keep_their_status() -> None:
    assert as_problem(ImATeapot()).status == 418


def test_the_unexpected_is_logged_with_the_id_it_is_answered_with(
    corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    app: Flask = create_app(corpus)

    @app.get("/api/v1/broken")
    def broken() -> str:
        raise RuntimeError("a secret of the machine room")

    with caplog.at_level(logging.ERROR, "xunzhang.service"):
        answer = app.test_client().get("/api/v1/broken")
    assert answer.status_code == 500
    assert answer.mimetype == PROBLEM
    name = answer.headers["X-Request-Id"]
    assert name in json.loads(answer.data)["detail"]
    assert name in caplog.text
    assert "a secret" in caplog.text
    assert "secret" not in answer.text
