"""What strangers try: header injection, smuggled requests, odd ids, and markup in everything that is stored."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import quote, urlsplit

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.ingest import record_source

SEARCH = "/api/v1/search?q=植树"

# Raw bytes to a real server


def answers(url: str, raw: bytes, *, ends: bool = True) -> bytes:
    """All that a server says to these bytes until it hangs up or has nothing more to say.

    :param ends: Whether it is told that nothing more comes; it may then leave what came last unanswered.
    """
    parts = urlsplit(url)
    said = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        connection.sendall(raw)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        while block := connection.recv(65_536):
            said += block
    return said


def statuses(said: bytes) -> list[int]:
    """Of each answer; all but the first begin where the body before them ends, in the middle of a line."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", said)]


SMUGGLED = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Smuggled: yes\r\nConnection: close\r\n\r\n"
POST = b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 6\r\nContent-Length: 5\r\n",
        b"Content-Length: 6, 5\r\n",
        b"Content-Length: +6\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x6\r\n",
        b"Content-Length: 6_0\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: chunked\x0b\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b"Content-Length\r\n",
    ],
)
def test_a_request_whose_length_can_be_read_in_two_ways_is_refused(live_url: str, head: bytes) -> None:
    said = answers(live_url, POST + head + b"\r\n" + b"0\r\n\r\n" + SMUGGLED, ends=False)
    assert statuses(said)[0] >= 400
    assert b"xunzhang_requests_total" not in said  # what was smuggled is not answered
    assert b"application/problem+json" in said


def test_a_length_beside_chunks_is_refused_and_nothing_is_smuggled_behind_it(live_url: str) -> None:
    for head in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
                 b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"):  # fmt: skip
        for body in (b"0\r\n\r\n", b"zz\r\n"):
            assert statuses(answers(live_url, POST + head + body + SMUGGLED, ends=False)) == [400]


@pytest.mark.parametrize(
    "raw",
    [b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n",
     b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 30_000,
     b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n", b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n", b"\x00" * 1000],
)  # fmt: skip
def test_what_is_no_proper_request_brings_nobody_down(live_url: str, raw: bytes) -> None:
    said = answers(live_url, raw)
    assert not [status for status in statuses(said) if status >= 500 and status != 505]
    assert b"Traceback" not in said
    good = answers(live_url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert statuses(good) == [200]


# Header injection

BREAKS = ["\r\nX-Injected: yes", "\nX-Injected: yes", "\r\n\r\n<script>", "%0d%0aX-Injected: yes",
          "\u560a\u560dX-Injected: yes"]  # fmt: skip


@pytest.mark.parametrize("broken", BREAKS)
def test_nothing_sent_becomes_a_header(live_url: str, broken: str) -> None:
    escaped = quote(broken)
    paths = [f"/api/v1/search?q={escaped}", f"/?q={escaped}&lang={escaped}", f"/documents/{escaped}",
             f"/static/{escaped}", f"/api/v1/documents/{escaped}", f"/api/v1/passages/{escaped}/similar",
             f"/{escaped}"]  # fmt: skip
    for path in paths:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{escaped}\r\nX-Request-ID: {escaped}\r\n"
        said = answers(live_url, (head + "Connection: close\r\n\r\n").encode())
        assert b"\r\nX-Injected" not in said.partition(b"\r\n\r\n")[0]
        assert len(statuses(said)) == 1


# Ids

ODD_IDS = ["../keys.json", "..%2fkeys.json", "%2e%2e/keys.json", "..\\keys.json", "．．／keys", "paper-1\x00",
           "paper-1%00", "ｐａｐｅｒ-1", "paper\u20101", "paper-1\u200b", "\u202epaper-1", "pape\u0301r-1",
           "PAPER-1\u0130", "a" * 129, "", " ", "paper-1 ", "paper-1\n", "C:evil", "con",
           "%c0%ae%c0%ae/keys.json", "\ud800"]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_odd_id_is_no_other_documents_and_no_file(own_client: FlaskClient, odd: str) -> None:
    escaped = quote(odd, safe="%", errors="surrogatepass")
    for path in (f"/api/v1/documents/{escaped}", f"/documents/{escaped}", f"/static/{escaped}",
                 f"/api/v1/jobs/{escaped}", f"/api/v1/passages/{escaped}:0"):  # fmt: skip
        answer = own_client.get(path)
        if path == "/api/v1/documents/":
            continue
        assert answer.status_code in {400, 404}, path
        assert "sha256" not in answer.text
    body = {"id": odd, "text": "渡轮恢复夜航。"}
    written = own_client.post("/api/v1/documents", json=body)
    if written.status_code == 201:  # an id of letters, digits and . _ : - alone
        assert written.json["ids"] == [odd]
        assert own_client.get(f"/api/v1/documents/{escaped}").json["document"]["id"] == odd
    assert own_client.get("/api/v1/documents/paper-1").json["document"]["title"] == "市区今冬少见蓝天"


# Markup in what is stored

EVIL = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'><svg/onload=alert(1)>", "javascript:alert(1)",
    "</textarea><script>alert(1)</script>", "{{7*7}}${7*7}", "<!--<script>alert(1)//-->",
    "\u2028</title><script>alert(1)</script>",
]  # fmt: skip


class Tags(HTMLParser):
    """The tags and attributes a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.fixture
def infested(own_corpus: Corpus, own_client: FlaskClient) -> Iterator[FlaskClient]:
    """An archive in which every field of every document is an attempt."""
    records = [
        {"id": f"evil-{number}", "title": evil, "source": evil, "byline": evil, "tags": [evil], "url": evil,
         "date": "2024-01-01", "text": f"植树节那天{evil}种下两棵树{evil}，名叫{evil}。\n{evil}\n第二段{number}。"}
        for number, evil in enumerate(EVIL)
    ]  # fmt: skip
    own_corpus.add(record_source(record, source="") for record in records)
    yield own_client


def test_markup_in_any_stored_field_stays_text_in_every_view(infested: FlaskClient) -> None:
    clean = infested.get("/?q=", headers={"Accept": "text/html"})
    assert clean.status_code == 200
    views = [f"/?q={quote(query)}" for query in ("植树", "种下两棵树", *EVIL)]
    views += [f"/documents/evil-{number}" for number in range(len(EVIL))]
    views += [f"/?q=植树&source={quote(evil)}&byline={quote(evil)}" for evil in EVIL]
    views += ["/admin", "/docs", "/demo"]
    shown = 0
    for view in views:
        answer = infested.get(view, headers={"Accept": "text/html"})
        if answer.status_code == 404:
            continue
        assert answer.mimetype == "text/html", view
        shown += answer.text.count("alert(1)")
        tags = Tags()
        tags.feed(answer.text)
        for tag, attributes in tags.seen:
            assert not [name for name in attributes if name.startswith("on")], (view, tag, attributes)
            assert tag not in {"iframe", "object", "embed", "base"}, view
            if tag == "script":
                assert (attributes.get("src") or "").startswith("/static/"), (view, attributes)
            for name in ("href", "src", "action", "formaction"):
                target = (attributes.get(name) or "").strip().lower()
                assert not target.startswith(("javascript:", "data:")), (view, attributes)
    assert shown > 20  # it was there, as text


def test_json_answers_are_no_pages_whatever_they_hold(infested: FlaskClient) -> None:
    for path in (SEARCH, "/api/v1/documents", "/api/v1/documents/evil-0", "/api/v1/suggest?q=植树"):
        answer = infested.get(path, headers={"Accept": "text/html"})
        assert answer.mimetype == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
