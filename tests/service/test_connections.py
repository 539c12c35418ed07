"""How a real server reads requests: who asks leave to send a body, whose length is doubtful, and what is told to whom
cannot be read."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from ipaddress import ip_network
from typing import Any

import pytest

from index.corpus import Corpus
from service import lines
from service.keys import create_key
from service.parts import parts_of
from tests.service.test_door import House, house_of

CONTINUE = (100, "Continue")
OK = (200, "OK")
NO_ROOM = (503, "Service Unavailable")
UNREADABLE = (400, "Bad Request")
HOST = b"Host: localhost\r\n"
EXPECT = b"Expect: 100-continue\r\n"
BODY = json.dumps({"query": "植树"}).encode()
SEARCH = (
    b"POST /api/v1/search HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(BODY)
)
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


@dataclass
class Talk:
    """A connection to a real server."""

    connection: socket.socket
    stream: BufferedReader

    def send(self, *parts: bytes) -> None:
        self.connection.sendall(b"".join(parts))

    def hear(self) -> tuple[int, str]:
        """Status and reason of the next answer, of which nothing is left to read."""
        return self.hear_all()[0]

    def hear_all(self) -> tuple[tuple[int, str], dict[str, str], Any]:
        """The next answer: its status and reason, its headers, and its JSON."""
        _, status, reason = self.stream.readline().decode().strip().split(" ", 2)
        headers: dict[str, str] = {}
        while line := self.stream.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name] = value
        body = self.stream.read(int(headers.get("Content-Length", 0)))
        return (int(status), reason), headers, json.loads(body) if body else None

    def is_over(self) -> bool:
        """Whether the server says no more and has hung up; waits until it does either."""
        return self.stream.read(1) == b""


@contextmanager
def talk_to(house: House) -> Iterator[Talk]:
    with socket.create_connection(house.address, timeout=10) as connection, connection.makefile("rb") as stream:
        yield Talk(connection, stream)


@pytest.fixture
def house(corpus: Corpus) -> Iterator[House]:
    with house_of(corpus) as made:
        yield made


@pytest.fixture
def talk(house: House) -> Iterator[Talk]:
    with talk_to(house) as made:
        yield made


# Who asks leave to send a body (RFC 9110, section 10.1.1)


@pytest.mark.parametrize(
    ("head", "status"),
    [(b"GET /healthz HTTP/1.1\r\n", 200), (b"POST /healthz HTTP/1.1\r\n", 405),
     (b"POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n", 405)],
)  # fmt: skip
def test_who_has_no_body_to_send_is_answered_at_once(talk: Talk, head: bytes, status: int) -> None:
    for _ in range(2):
        talk.send(head, HOST, EXPECT, b"\r\n")
        assert talk.hear()[0] == status
    talk.send(HEALTH)
    assert talk.hear() == OK


def test_a_body_is_sent_for_and_answered(talk: Talk) -> None:
    for _ in range(2):
        talk.send(SEARCH, EXPECT, b"\r\n")
        assert talk.hear() == CONTINUE
        talk.send(BODY)
        assert talk.hear() == OK
    talk.send(HEALTH)
    assert talk.hear() == OK


def test_a_body_is_sent_for_after_what_was_asked_before_it_is_answered(talk: Talk) -> None:
    talk.send(HEALTH, SEARCH, EXPECT, b"\r\n")
    assert [talk.hear(), talk.hear()] == [OK, CONTINUE]
    talk.send(BODY)
    assert talk.hear() == OK


@pytest.mark.parametrize("kind", [b"application/json", b"application/x-ndjson"])
def test_a_body_that_is_too_large_is_not_sent_for(talk: Talk, kind: bytes) -> None:
    talk.send(b"POST /api/v1/documents HTTP/1.1\r\nContent-Length: 99999999999\r\n", HOST)
    talk.send(b"Content-Type: ", kind, b"\r\n", EXPECT, b"\r\n")
    said, headers, problem = talk.hear_all()
    assert (said, headers["Connection"]) == ((413, "Request Entity Too Large"), "close")
    assert problem["type"] == "/docs#problem-too-large"
    assert talk.is_over()


def test_a_body_of_doubtful_length_is_not_sent_for(talk: Talk) -> None:
    talk.send(SEARCH, b"Content-Length: 5\r\n", EXPECT, b"\r\n")
    assert talk.hear() == UNREADABLE
    assert talk.is_over()


def test_who_is_sent_away_is_told_so_instead_of_being_asked_for_the_body(house: House) -> None:
    with house.full():
        for already_sent in (b"", HEALTH):  # what is sent all the same is a body, and no request
            with talk_to(house) as talk:
                talk.send(SEARCH, EXPECT, b"\r\n", already_sent)
                said, headers, problem = talk.hear_all()
                assert (said, headers["Connection"], headers["Retry-After"]) == (NO_ROOM, "close", "1")
                assert problem["instance"] == "/api/v1/search"
                assert talk.is_over()
        assert parts_of(house.app).searches.crowd().refused == 2
    assert house.entered == []
    assert house.answer("/api/v1/search?q=x")[0][0] == 200


def test_who_is_sent_away_after_others_is_told_so_in_turn(house: House) -> None:
    with house.full(), talk_to(house) as talk:
        talk.send(HEALTH, SEARCH, EXPECT, b"\r\n")
        assert [talk.hear(), talk.hear()] == [OK, NO_ROOM]
        assert talk.is_over()
    assert house.entered == ["/healthz"]


def test_who_asks_too_often_is_not_asked_for_the_body(corpus: Corpus) -> None:
    with house_of(corpus, rate=1) as house:
        assert house.answer("/api/v1/search?q=x")[0][0] == 200
        with talk_to(house) as talk:
            talk.send(SEARCH, EXPECT, b"\r\n")
            assert talk.hear() == (429, "Too Many Requests")
            assert talk.is_over()


def test_what_there_is_no_thread_for_is_not_sent_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_WAITING", 0)
    with talk_to(house) as talk:
        talk.send(b"PUT /api/v1/documents/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", HOST, EXPECT, b"\r\n")
        assert talk.hear() == NO_ROOM
        assert talk.is_over()


def test_whose_body_is_waited_for_takes_no_place_from_others(house: House, talk: Talk) -> None:
    talk.send(SEARCH, EXPECT, b"\r\n")
    assert talk.hear() == CONTINUE
    crowd = parts_of(house.app).searches.crowd()
    assert (crowd.inside, crowd.waiting) == (0, 0)
    with house.full():
        talk.send(BODY)
        said, headers, _ = talk.hear_all()
        assert said == NO_ROOM
        assert "Connection" not in headers  # its body was read, so that the next request may follow
    talk.send(HEALTH)
    assert talk.hear() == OK


# Who may not send a body


RECORDS = (
    b"POST /api/v1/documents HTTP/1.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000000\r\n" + HOST
)
CHUNKS = b"PUT /api/v1/documents/a HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + HOST


@pytest.mark.parametrize("head", [RECORDS, CHUNKS])
@pytest.mark.parametrize("expect", [b"", EXPECT])
def test_no_body_is_taken_from_who_has_no_key_for_it(own_corpus: Corpus, head: bytes, expect: bytes) -> None:
    _, reader = create_key(own_corpus.data, "search")
    sent = [
        (b"", 401),
        (b"Authorization: Bearer wrong\r\n", 401),
        (b"Authorization: Bearer %b\r\n" % reader.encode(), 403),
    ]
    with house_of(own_corpus) as house:
        for key, status in sent:
            with talk_to(house) as talk:
                talk.send(head, expect, key, b"\r\n", HEALTH)  # the body begins like a request, and is none
                said, headers, problem = talk.hear_all()
                assert (said[0], headers["Connection"], problem["status"]) == (status, "close", status)
                assert headers["Www-Authenticate"].startswith("Bearer")
                assert talk.is_over()
        assert house.entered == []


def test_a_body_is_taken_from_who_has_the_key_for_it(own_corpus: Corpus) -> None:
    _, secret = create_key(own_corpus.data, "admin")
    body = json.dumps({"text": "渡轮恢复夜航。"}).encode()
    with house_of(own_corpus) as house, talk_to(house) as talk:
        for status in (201, 200):
            talk.send(b"PUT /api/v1/documents/ferry HTTP/1.1\r\nContent-Type: application/json\r\n", HOST)
            talk.send(b"Authorization: Bearer ", secret.encode(), b"\r\nContent-Length: %d\r\n\r\n" % len(body), body)
            assert talk.hear()[0] == status


def test_no_body_is_taken_from_a_page_of_another_site(own_corpus: Corpus) -> None:
    with house_of(own_corpus) as house, talk_to(house) as talk:
        talk.send(RECORDS, b"Origin: https://evil.example\r\n\r\n")
        assert talk.hear() == (403, "Forbidden")
        assert talk.is_over()
        assert house.entered == []


def test_whom_a_proxy_passes_on_from_elsewhere_sends_no_body_without_a_key(own_corpus: Corpus) -> None:
    with house_of(own_corpus, trusted_proxies=(ip_network("127.0.0.0/8"),)) as house, talk_to(house) as talk:
        talk.send(RECORDS, b"X-Forwarded-For: 203.0.113.5\r\n\r\n")
        assert talk.hear() == (401, "Unauthorized")
        assert talk.is_over()


@pytest.mark.parametrize("kind", [b"application/x-ndjson", b"multipart/form-data; boundary=x"])
@pytest.mark.parametrize(
    "line", [b"POST /nowhere", b"POST /healthz", b"POST /api/v1/search", b"PUT /api/v1/documents/a"]
)
def test_only_where_files_are_taken_a_body_may_be_as_large_as_these(talk: Talk, line: bytes, kind: bytes) -> None:
    talk.send(line, b" HTTP/1.1\r\nContent-Length: 100000000\r\nContent-Type: ", kind, b"\r\n", HOST, b"\r\n")
    assert talk.hear() == (413, "Request Entity Too Large")
    assert talk.is_over()


# Whose length, head or host is doubtful (RFC 9112, sections 3.2, 5.2 and 6)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\ntransfer-encoding:chunked\r\nContent-Length: 5\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding:\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n",
        b"POST /healthz HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        b"POST /healthz HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
        b"POST /healthz HTTP/1.2\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: one\r\n two\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: one\r\n\ttwo\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: one\r\n \r\n",
        b"GET /healthz HTTP/1.0\r\nX-Long: one\r\n two\r\n",
        b"GET /healthz HTTP/1.1\r\n",
        b"GET /healthz HTTP/1.1\r\nX-Host: localhost\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: y\r\nhost: evil.example\r\n",
        b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\nHost: localhost\r\nHost:\r\n",
    ],
)
def test_what_others_may_read_otherwise_is_refused_and_so_is_what_follows(talk: Talk, head: bytes) -> None:
    talk.send(head, b"\r\n", b"0\r\n\r\n", HEALTH)
    said, headers, problem = talk.hear_all()
    assert (said, headers["Connection"], headers["Content-Type"]) == (UNREADABLE, "close", "application/problem+json")
    assert (problem["status"], problem["type"]) == (400, "/docs#problem-bad-request")
    assert problem["instance"] == "/healthz"
    assert talk.is_over()


@pytest.mark.parametrize("head", [b"GET /healthz HTTP/1.0\r\n", b"GET /healthz HTTP/1.0\r\nX-Host: a\r\n"])
def test_a_host_is_not_asked_for_in_the_old_version(talk: Talk, head: bytes) -> None:
    talk.send(head, b"\r\n")
    assert talk.hear() == OK


def test_chunks_alone_are_read_to_their_end(talk: Talk) -> None:
    talk.send(b"POST /api/v1/search HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: Chunked\r\n", HOST)
    talk.send(b"\r\n%x\r\n" % len(BODY), BODY, b"\r\n0\r\n\r\n", HEALTH)
    assert [talk.hear(), talk.hear()] == [OK, OK]


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"identity"])
def test_a_coding_that_is_not_understood_is_named_as_the_reason(talk: Talk, coding: bytes) -> None:
    talk.send(b"POST /api/v1/search HTTP/1.1\r\nAccept-Language: en\r\nTransfer-Encoding: ", coding, b"\r\n", HOST)
    talk.send(b"\r\n", HEALTH)
    said, headers, problem = talk.hear_all()
    assert said == (501, "Not Implemented")
    assert (headers["Connection"], headers["Content-Type"]) == ("close", "application/problem+json")
    assert (problem["status"], problem["type"]) == (501, "/docs#problem-bad-request")
    assert "Transfer-Encoding: chunked" in problem["detail"]
    assert talk.is_over()


def test_an_application_that_breaks_down_is_no_fault_of_the_request(
    house: House, talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> Any:
        raise RuntimeError("a secret of the machine room")

    house.app.wsgi_app = broken  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR, "waitress"):
        talk.send(HEALTH)
        said, headers, problem = talk.hear_all()
    assert said == (500, "Internal Server Error")
    assert (problem["status"], problem["type"]) == (500, "/docs#problem-internal-error")
    assert problem["request_id"] == headers["X-Request-Id"]
    assert problem["request_id"] in problem["detail"]
    assert "secret" not in json.dumps(problem)
