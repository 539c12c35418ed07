"""The door: a full house sends away without troubling the application, and those who watch it get in."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from index.corpus import Corpus
from service import connections, gate, lines, server
from service.app import create_app
from service.parts import parts_of
from service.server import Server
from service.settings import Settings

SEARCH = "/api/v1/search?q=x"


@dataclass
class House:
    """A real server, and which paths its application was asked for."""

    app: Flask
    server: Server
    address: tuple[str, int]
    entered: list[str] = field(default_factory=list)

    def answer(self, *paths: str, **headers: str) -> list[tuple[int, dict[str, str], bytes]]:
        """The answers to these paths, all asked at once on one connection."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(self.address, timeout=10) as connection:
            for place, path in enumerate(paths):
                last = "Connection: close\r\n" if place == len(paths) - 1 else ""
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}{last}\r\n".encode())
            raw = connection.makefile("rb").read()
        found = []
        while raw:
            head, _, rest = raw.partition(b"\r\n\r\n")
            status, *fields = head.decode().split("\r\n")
            named = {name: value for name, _, value in (line.partition(": ") for line in fields)}
            length = int(named["Content-Length"])
            found.append((int(status.split()[1]), named, rest[:length]))
            raw = rest[length:]
        return found

    @contextmanager
    def full(self) -> Iterator[None]:
        """As many stand in the line of searches as may."""
        searches = parts_of(self.app).searches
        taken = 0
        while searches.join():
            taken += 1
        yield
        for _ in range(taken):
            searches.leave()


@contextmanager
def house_of(corpus: Corpus, **settings: Any) -> Iterator[House]:
    app = create_app(corpus, settings=Settings(port=0, **settings))
    inner = app.wsgi_app

    def counted(environ: dict[str, Any], start_response: Any) -> Any:
        house.entered.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    app.wsgi_app = counted  # type: ignore[method-assign]
    made = Server(app)
    where = urlsplit(made.url)
    assert where.hostname is not None
    assert where.port is not None
    house = House(app, made, (where.hostname, where.port))
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield house
    made.stop()
    thread.join(10)
    assert not thread.is_alive()
    crowd = parts_of(app).searches.crowd()
    assert (crowd.inside, crowd.waiting) == (0, 0)  # whoever took a place has given it back


@pytest.fixture
def house(corpus: Corpus) -> Iterator[House]:
    with house_of(corpus, allowed_origins=("https://news.example",)) as made:
        yield made


def test_a_full_house_sends_away_without_troubling_the_application(house: House) -> None:
    with house.full():
        for path in [SEARCH, "/api/v1/suggest?q=x", "/api/v1/passages/paper-1:0/similar"] * 30:
            ((status, headers, body),) = house.answer(path)
            problem = json.loads(body)
            assert (status, problem["status"]) == (503, 503)
            assert headers["Content-Type"] == "application/problem+json"
            assert headers["Retry-After"] == "1"
            assert problem["request_id"] == headers["X-Request-Id"]
            assert problem["instance"] == urlsplit(path).path
        assert house.entered == []
        refused = parts_of(house.app).searches.crowd().refused
        assert refused == 90
        told = house.answer("/metrics")[0][2].decode()
        assert 'xunzhang_refused_total{queue="search"} 90.0' in told
        assert 'xunzhang_requests_total{operation="search",status="503"} 30.0' in told
    assert house.answer(SEARCH)[0][0] == 200


def test_an_address_that_asks_too_often_takes_no_place_from_others(corpus: Corpus) -> None:
    with house_of(corpus, rate=2) as house:
        assert [house.answer(SEARCH)[0][0] for _ in range(2)] == [200, 200]
        house.entered.clear()
        for _ in range(20):
            ((status, headers, body),) = house.answer(SEARCH)
            assert (status, json.loads(body)["type"]) == (429, "/docs#problem-too-often")
            assert 1 <= int(headers["Retry-After"]) <= 30
        assert house.entered == []
        assert house.answer("/healthz")[0][0] == 200
        assert parts_of(house.app).searches.crowd().refused == 0
        ((status, headers, _),) = house.answer("/?q=x", Accept="text/html")
        assert (status, headers["Content-Type"].partition(";")[0]) == (429, "text/html")


def test_who_is_sent_away_is_called_as_a_trusted_proxy_calls_it(house: House, corpus: Corpus) -> None:
    with house.full():
        (_, headers, _) = house.answer(SEARCH, X_Request_ID="from-the-proxy")[0]
        assert headers["X-Request-Id"] != "from-the-proxy"  # of a stranger
    here = ipaddress.ip_network("127.0.0.0/8")
    with house_of(corpus, trusted_proxies=(here,)) as behind, behind.full():
        for given in ("from-the-proxy", "not\tan id"):
            (_, headers, body) = behind.answer(SEARCH, X_Request_ID=given, X_Forwarded_For="203.0.113.7")[0]
            assert json.loads(body)["request_id"] == headers["X-Request-Id"]
            assert (headers["X-Request-Id"] == given) == (given == "from-the-proxy")


def test_whoever_is_sent_away_is_told_so_in_the_language_asked_for(house: House) -> None:
    with house.full():
        english = house.answer(SEARCH, Accept_Language="en-GB")[0]
        chinese = house.answer(SEARCH)[0]
    assert (english[1]["Content-Language"], chinese[1]["Content-Language"]) == ("en", "zh")
    assert "try again" in json.loads(english[2])["detail"]
    assert "请稍后再试" in json.loads(chinese[2])["detail"]


def test_a_page_of_another_site_may_read_that_it_was_sent_away(house: House) -> None:
    with house.full():
        allowed = house.answer(SEARCH, Origin="https://news.example")[0][1]
        other = house.answer(SEARCH, Origin="https://evil.example")[0][1]
    assert allowed["Access-Control-Allow-Origin"] == "https://news.example"
    assert "Retry-After" in allowed["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in other


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 200), ("/?q=", 200), ("/api/v1/documents", 200),
     ("/nowhere", 404), ("/?q=x", 503)],
)  # fmt: skip
def test_what_is_no_search_is_answered_in_a_full_house_and_people_get_a_page(
    house: House, path: str, status: int
) -> None:
    with house.full():
        ((answered, headers, _),) = house.answer(path, Accept="text/html")
    assert answered == status
    assert house.entered == [urlsplit(path).path]
    if status == 503:
        assert headers["Content-Type"].startswith("text/html")


def test_requests_sent_ahead_are_answered_in_their_order(house: House) -> None:
    with house.full():
        assert [status for status, *_ in house.answer("/healthz", SEARCH, "/healthz")] == [200, 503, 200]
        assert [status for status, *_ in house.answer(SEARCH, SEARCH, "/readyz")] == [503, 503, 200]
    assert [status for status, *_ in house.answer(SEARCH, "/healthz", SEARCH)] == [200, 200, 200]


def test_whoever_waited_too_long_is_sent_away_without_troubling_the_application(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts_of(house.app).searches._patience = -1.0
    monkeypatch.setattr(gate, "SLACK", -1.0)
    ((status, _, body),) = house.answer(SEARCH)
    assert (status, json.loads(body)["status"]) == (503, 503)
    assert house.entered == []


def test_the_other_lines_are_bounded_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_WAITING", 0)
    ((status, _, body),) = house.answer("/api/v1/documents/%E6%B8%A1%E5%8F%A3")
    assert (status, json.loads(body)["instance"]) == (503, "/api/v1/documents/渡口")
    assert house.answer("/nowhere")[0][0] == 503
    assert house.entered == []


def test_searches_at_work_keep_nobody_from_asking_for_health(corpus: Corpus) -> None:
    with house_of(corpus, threads=8, patience=60) as house, ExitStack() as held:
        searches = parts_of(house.app).searches
        for _ in range(2):
            held.enter_context(searches.enter())
        # Two have a thread each and wait for a place; the third waits for a thread.
        asked = [threading.Thread(target=house.answer, args=(SEARCH,)) for _ in range(3)]
        for thread in asked:
            thread.start()
        ends = time.monotonic() + 10
        while searches.crowd().waiting < 3:
            assert time.monotonic() < ends
        assert house.answer("/healthz")[0][0] == 200
        assert house.answer("/api/v1/documents")[0][0] == 200
        held.close()
        for thread in asked:
            thread.join(10)
        assert house.entered.count("/api/v1/search") == 3


def test_idle_connections_make_room_for_those_who_ask(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 12)
    monkeypatch.setattr(connections, "QUIET_SECONDS", 0.2)
    with house_of(corpus) as house, ExitStack() as held:
        idle = [held.enter_context(socket.create_connection(house.address, timeout=10)) for _ in range(30)]
        assert house.answer("/healthz")[0][0] == 200
        assert idle[0].recv(1) == b""  # who was quiet the longest was sent home


def test_a_search_that_waits_when_the_service_ends_is_answered(corpus: Corpus) -> None:
    answers: list[int] = []
    with house_of(corpus, threads=8, patience=60) as house:
        searches = parts_of(house.app).searches
        with ExitStack() as held:
            for _ in range(2):
                held.enter_context(searches.enter())
            asked = [threading.Thread(target=lambda: answers.append(house.answer(SEARCH)[0][0])) for _ in range(5)]
            for thread in asked:
                thread.start()
            ends = time.monotonic() + 10
            while searches.crowd().waiting < 5:
                assert time.monotonic() < ends
            ending = threading.Thread(target=house.server._server.task_dispatcher.shutdown)
            ending.start()
        ending.join(20)
        for thread in asked:
            thread.join(10)
    assert answers == [200] * 5


@pytest.mark.parametrize(
    ("head", "more", "status"),
    [(b"GET /", b"a" * 4_000_000, 431), (b"GET / HTTP/1.1\r\n", b"A: b\r\n" * 500_000, 431),
     (b"POST /api/v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
      b"a" * 4_000_000, 413)],
)  # fmt: skip
def test_what_is_refused_unread_is_told_so_though_it_is_still_being_sent(
    house: House, head: bytes, more: bytes, status: int
) -> None:
    with socket.create_connection(house.address, timeout=10) as connection:
        connection.sendall(head + more)
        told, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
        assert int(told.split()[1]) == status
        assert json.loads(body)["status"] == status


def test_who_never_stops_sending_is_not_listened_to_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGERS_SECONDS", 0.2)
    with (
        socket.create_connection(house.address, timeout=10) as connection,
        pytest.raises(OSError, match=r"reset|[Bb]roken pipe"),
    ):
        while True:
            connection.sendall(b"GET /" + b"a" * 300_000)
