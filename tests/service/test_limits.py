"""How often one may ask, who is behind a proxy, how long a request may take, and what slow clients get."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from html import escape
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import g
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.errors import SettingError
from service import access, connections
from service.app import create_app
from service.gate import Gate, OverloadedError
from service.keys import create_key, revoke_key
from service.proxies import Proxies
from service.rates import MOST_BUCKETS, Rates, neighbourhood
from service.server import Server
from service.settings import Network, Settings

SEARCH = "/api/v1/search?q=植树"
Client = Callable[..., FlaskClient]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# Buckets


def test_a_bucket_empties_and_fills_steadily() -> None:
    clock = Clock()
    rates = Rates(30, clock)
    assert [rates.wait("a") for _ in range(30)] == [0.0] * 30
    assert rates.wait("a") == pytest.approx(2.0)
    assert rates.wait("b") == 0.0
    clock.now += 1.9
    assert rates.wait("a") == pytest.approx(0.1)
    clock.now += 0.2
    assert rates.wait("a", take=False) == 0.0
    assert rates.wait("a") == 0.0
    assert rates.wait("a") > 1.8
    clock.now += 3600
    assert [rates.wait("a") for _ in range(31)][29:] == [0.0, pytest.approx(2.0)]
    assert [Rates(0).wait("a") for _ in range(1000)] == [0.0] * 1000


def test_any_number_of_strangers_fits_into_bounded_memory() -> None:
    rates = Rates(1)
    assert not rates.wait("first")
    assert rates.wait("first")
    for number in range(MOST_BUCKETS + 500):
        rates.wait(f"stranger {number}")
        if number % 100 == 0:
            assert rates.wait("first")  # who goes on asking is not forgotten
    assert len(rates) == MOST_BUCKETS


def test_a_customers_whole_network_is_one_address() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == neighbourhood("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert neighbourhood("2001:db8:1:3::4") != neighbourhood("2001:db8:1:2::4")
    assert neighbourhood("::ffff:192.0.2.7") == neighbourhood("192.0.2.7") == "192.0.2.7"
    assert neighbourhood("") == ""


# Requests


def test_too_many_requests_of_one_address_get_429_and_when_to_come_back(corpus: Corpus, make_client: Client) -> None:
    client = make_client(corpus, rate=3)
    here, there = {"REMOTE_ADDR": "127.0.0.1"}, {"REMOTE_ADDR": "127.0.0.2"}
    assert [client.get(SEARCH, environ_base=here).status_code for _ in range(3)] == [200] * 3
    refused = client.get(SEARCH, environ_base=here)
    assert refused.status_code == 429
    assert refused.mimetype == "application/problem+json"
    assert 1 <= int(refused.headers["Retry-After"]) <= 20
    assert "请求过于频繁" in refused.json["detail"]
    assert client.get(SEARCH, environ_base=there).status_code == 200
    assert client.get("/healthz", environ_base=here).status_code == 200  # a supervisor is never sent away
    for path in ("/", "/?q=x", "/documents/paper-1?q=x&lang=zh"):
        page = client.get(path, environ_base=here, headers={"Accept": "text/html"})
        assert (page.status_code, page.mimetype) == (429, "text/html")
        assert "<h1>您的请求有点频繁</h1>" in page.text
        assert re.search(rf'href="{re.escape(escape(path))}">再试一次</a>', page.text)


def test_a_batch_counts_as_its_queries(corpus: Corpus, make_client: Client) -> None:
    """What is missing for it is waited for afterwards, so that a batch larger than the limit can be sent at all."""
    client = make_client(corpus, rate=3)
    batch = {"queries": [{"query": f"植树 {number}"} for number in range(5)]}
    assert client.post("/api/v1/search/batch", json=batch).status_code == 200
    refused = client.get(SEARCH)
    assert refused.status_code == 429
    # One for each, and three were there: two are owed and one is needed, at one in twenty seconds.
    assert 40 < int(refused.headers["Retry-After"]) <= 60
    unlimited = make_client(corpus)
    for _ in range(3):
        assert unlimited.post("/api/v1/search/batch", json=batch).status_code == 200


def test_a_key_has_its_own_allowance_wherever_it_is_used(own_corpus: Corpus, make_client: Client) -> None:
    _, one = create_key(own_corpus.data, "search")
    _, two = create_key(own_corpus.data, "search")
    client = make_client(own_corpus, rate=2, host="0.0.0.0")

    def asked(secret: str, address: str) -> int:
        return client.get(SEARCH, headers=bearer(secret), environ_base={"REMOTE_ADDR": address}).status_code

    assert [asked(one, f"192.0.2.{number}") for number in range(3)] == [200, 200, 429]
    assert asked(two, "192.0.2.1") == 200


def test_a_key_counts_as_itself_where_none_is_needed(own_corpus: Corpus, make_client: Client) -> None:
    key, secret = create_key(own_corpus.data, "search")
    client = make_client(own_corpus, rate=2, host="0.0.0.0", open_reads=True)

    def asked(headers: dict[str, str]) -> int:
        return client.get(SEARCH, headers=headers).status_code

    assert [asked({}) for _ in range(3)] == [200, 200, 429]
    assert asked(bearer("unknown")) == 429  # which is nobody in particular
    with client:
        assert asked(bearer(secret)) == 200
        assert g.key == key.id  # as the log has it
    assert [asked(bearer(secret)) for _ in range(2)] == [200, 429]


def test_guessing_keys_is_limited_and_a_right_guess_is_not_told(own_corpus: Corpus, make_client: Client) -> None:
    key, secret = create_key(own_corpus.data, "search")
    client = make_client(own_corpus, host="0.0.0.0")

    def asked(secret: str, address: str = "192.0.2.9") -> int:
        return client.get(SEARCH, headers=bearer(secret), environ_base={"REMOTE_ADDR": address}).status_code

    assert [asked(secret) for _ in range(access.GUESSES + 5)] == [200] * (access.GUESSES + 5)  # no guesses
    assert [asked(f"wrong {number}") for number in range(access.GUESSES)] == [401] * access.GUESSES
    assert asked("wrong") == 429
    assert asked(secret) == 429
    assert asked(secret, "192.0.2.10") == 200
    revoke_key(own_corpus.data, key.id)


# Proxies


OURS = (ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16"))


def address_of(chain: str | None, peer: str, trusted: Sequence[Network] = OURS) -> str:
    """Which address an application sees."""
    seen: list[str] = []

    def look(environ: dict[str, Any], start: object) -> list[bytes]:
        seen.append(environ["REMOTE_ADDR"])
        assert not [name for name in environ if "FORWARDED" in name]
        return []

    environ = {"REMOTE_ADDR": peer, "HTTP_FORWARDED": "for=6.6.6.6"}
    Proxies(look, trusted)(environ if chain is None else {**environ, "HTTP_X_FORWARDED_FOR": chain}, None)
    return seen[0]


@pytest.mark.parametrize(
    ("chain", "peer", "expected"),
    [
        ("203.0.113.5", "127.0.0.1", "203.0.113.5"),
        ("6.6.6.6, 203.0.113.5", "127.0.0.1", "203.0.113.5"),  # what a client wrote itself
        ("203.0.113.5, 10.1.2.3", "127.0.0.1", "203.0.113.5"),  # two proxies of ours
        ("203.0.113.5:4711", "127.0.0.1", "203.0.113.5"),
        ("[2001:db8::1]:4711", "127.0.0.1", "2001:db8::1"),
        ("2001:db8::1", "127.0.0.1", "2001:db8::1"),
        ("<script>, nonsense", "127.0.0.1", "127.0.0.1"),
        ("", "127.0.0.1", "127.0.0.1"),
        (None, "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),  # not from a proxy: a claim
        ("203.0.113.5", "10.2.0.1", "10.2.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(chain: str | None, peer: str, expected: str) -> None:
    assert address_of(chain, peer) == expected


def test_nobody_is_believed_unless_named() -> None:
    assert address_of("203.0.113.5", "127.0.0.1", ()) == "127.0.0.1"


def test_behind_a_proxy_on_this_machine_keys_are_asked_for(own_corpus: Corpus, make_client: Client) -> None:
    """The service listens on a loopback address, but the world comes in through the proxy."""
    client = make_client(own_corpus, trusted_proxies=(ip_network("127.0.0.1"),))
    note = {"text": "渡轮恢复夜航。"}
    outside = {"X-Forwarded-For": "203.0.113.5"}
    assert client.post("/api/v1/documents", json=note, headers=outside).status_code == 401
    assert client.get(SEARCH, headers=outside).status_code == 401
    here = {"X-Forwarded-For": "127.0.0.1"}
    assert client.post("/api/v1/documents", json=note, headers=here).status_code == 201  # whom the proxy says is here
    _, secret = create_key(own_corpus.data, "search")
    assert client.get(SEARCH, headers={**outside, **bearer(secret)}).status_code == 200
    opened = make_client(own_corpus, trusted_proxies=(ip_network("127.0.0.1"),), open_reads=True)
    assert opened.get(SEARCH, headers=outside).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {},  # a proxy that was not told to say, or a program here that asks past it: nobody can tell which
        {"X-Forwarded-For": ""},
        {"X-Forwarded-For": "unknown"},
        {"X-Forwarded-For": "203.0.113.5, unix:"},
        {"X-Forwarded-For": "unix:, 127.0.0.1"},
        {"X-Forwarded-For": "127.0.0.1, unix:"},
        {"X-Forwarded-For": "127.0.0.1, 10.1.2.3"},  # that other machine's own
        {"X-Forwarded-Proto": "https"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
    ],
    ids=str,
)
def test_nobody_is_taken_to_be_here_for_want_of_an_address(
    own_corpus: Corpus, make_client: Client, claims: dict[str, str]
) -> None:
    client = make_client(own_corpus, trusted_proxies=OURS)
    assert client.post("/api/v1/documents", json={"text": "渡轮恢复夜航。"}, headers=claims).status_code == 401
    assert client.get("/api/v1/status", headers=claims).status_code == 401
    assert client.get(SEARCH, headers=claims).status_code == 401
    _, secret = create_key(own_corpus.data, "admin")
    written = client.post("/api/v1/documents", json={"text": "渡轮恢复夜航。"}, headers={**claims, **bearer(secret)})
    assert written.status_code == 201


def test_supervisors_here_that_ask_past_the_proxy_need_no_key(own_corpus: Corpus, make_client: Client) -> None:
    client = make_client(own_corpus, trusted_proxies=OURS)
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
    outside = {"X-Forwarded-For": "203.0.113.5, unix:"}
    assert [client.get(path, headers=outside).status_code for path in ("/readyz", "/metrics")] == [200, 401]


def test_a_server_behind_no_proxy_of_this_machine_is_as_open_as_ever(own_corpus: Corpus, make_client: Client) -> None:
    client = make_client(own_corpus, trusted_proxies=(ip_network("10.1.0.0/16"),))
    claim = {"X-Forwarded-For": "203.0.113.5"}  # by whoever is here, and believed by nobody
    for headers in ({}, claim):
        assert client.get(SEARCH, headers=headers).status_code == 200
    assert client.post("/api/v1/documents", json={"text": "渡轮恢复夜航。"}, headers=claim).status_code == 201


def test_proxies_rates_and_logs_are_read_from_the_environment() -> None:
    environment = {"XUNZHANG_TRUSTED_PROXIES": "10.0.0.0/8, ::1", "XUNZHANG_RATE": "60", "XUNZHANG_LOG": "json"}
    settings = Settings.from_environment(environment)
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert (settings.rate, settings.log) == (60, "json")
    unusable = {"XUNZHANG_TRUSTED_PROXIES": "proxy.local", "XUNZHANG_RATE": "-1", "XUNZHANG_LOG": "xml"}
    for name, value in unusable.items():
        with pytest.raises(SettingError, match=name):
            Settings.from_environment({name: value})


# Time


def test_who_has_waited_long_enough_elsewhere_is_sent_away() -> None:
    gate = Gate(2, 0, 2.0)
    with gate.enter(1.5):
        pass
    with pytest.raises(OverloadedError), gate.enter(2.1):
        pass
    assert gate.crowd().refused == 1
    with Gate(1, 0, 0.0).enter(0.5):  # no patience at all is no reason to refuse whoever was slow to be read
        pass


def test_a_batch_stops_at_its_deadline(corpus: Corpus, make_client: Client) -> None:
    client = make_client(corpus, deadline=1)
    body = {"queries": [{"query": f"植树 {number}"} for number in range(3)]}
    assert client.post("/api/v1/search/batch", json=body).status_code == 200
    begun = time.perf_counter() - 1.5  # as if it had come in that long ago
    late = client.post("/api/v1/search/batch", json=body, environ_overrides={"xunzhang.arrived": begun})
    assert late.status_code == 503
    assert "超过 1 秒" in late.json["detail"]


@pytest.fixture
def hasty(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A real server that gives a request's head half a second."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.5)
    made = Server(create_app(corpus, settings=Settings(port=0)))
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    parts = urlsplit(made.url)
    assert parts.hostname is not None
    assert parts.port is not None
    yield parts.hostname, parts.port
    made.stop()
    thread.join(10)


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a"),
        (b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
         b"Content-Length: 5000\r\n\r\n", b" "),
    ],
    ids=["head", "body"],
)  # fmt: skip
def test_a_client_that_sends_drop_by_drop_is_cut_off(hasty: tuple[str, int], first: bytes, drop: bytes) -> None:
    with socket.create_connection(hasty, timeout=10) as slow:
        slow.sendall(first)
        started = time.monotonic()
        cut = False
        while not cut and time.monotonic() - started < 10:
            try:
                slow.sendall(drop)
                slow.settimeout(0.05)
                cut = slow.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                cut = True
        assert cut
    with socket.create_connection(hasty, timeout=10) as quick:
        quick.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert quick.recv(64).startswith(b"HTTP/1.1 200")
