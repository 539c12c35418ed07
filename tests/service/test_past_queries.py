"""Past queries as suggestions: whose count, which are never kept, and that nothing is suggested unless it is wanted."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from service.keys import create_key
from service.past_queries import MOST_KEPT, PastQueries
from service.settings import Settings

HEADERS = {"Accept": "text/html"}


def offered(past: PastQueries, typed: str) -> list[str]:
    return [one.entry.text for one in past.suggest(typed, 5)]


def asked(*queries: str, visitors: int = 2) -> PastQueries:
    past = PastQueries(2)
    for number in range(visitors):
        for query in queries:
            past.note(query, f"192.0.2.{number}")
    return past


def test_a_query_is_offered_once_enough_different_visitors_asked_it() -> None:
    now = 0.0
    past = PastQueries(2, clock=lambda: now)
    for _ in range(5):
        past.note("柴油车限行", "192.0.2.1")
    assert offered(past, "柴油") == []
    past.note(" 柴油車  限行", "192.0.2.2")
    past.note("柴油车限行", "192.0.2.2")  # in the other script it is another query
    assert offered(past, "柴油") == []
    now = 30.0
    assert offered(past, "柴油") == ["柴油车限行"]


@pytest.mark.parametrize("typed", ["限行", "chaiyou", "cycxx", "柴油车x"])
def test_it_is_found_as_every_suggestion_is(typed: str) -> None:
    assert offered(asked("柴油车限行"), typed) == ["柴油车限行"]


def test_what_is_asked_most_comes_first_and_what_was_typed_whole_not_at_all() -> None:
    past = asked("植树造林", "植树节")
    past.note("植树节", "192.0.2.9")
    assert offered(past, "植树") == ["植树节", "植树造林"]
    assert offered(past, "植树节") == []


@pytest.mark.parametrize(
    "query", ["", "  ", "13812345678 是谁", "１３８１２３４ 欠款", "li@example.org", "http://a.example", "植" * 41]
)
def test_what_may_be_about_a_person_is_never_kept(query: str) -> None:
    assert len(asked(query)) == 0


def test_only_so_many_are_kept_those_asked_last() -> None:
    past = asked("台风登陆", "台风转向")
    past.note("台风转向", "192.0.2.9")
    for number in range(MOST_KEPT - 1):
        past.note(f"第{number}号", "192.0.2.9")
    assert len(past) == MOST_KEPT
    assert offered(past, "台风") == ["台风转向"]


@pytest.mark.parametrize("askers", [1, -1, 51])
def test_one_visitor_is_not_enough_for_any_setting(askers: int) -> None:
    with pytest.raises(Exception, match="XUNZHANG_PAST_QUERIES"):
        Settings(past_queries=askers)


def visit(client: FlaskClient, path: str, visitor: int, **headers: str) -> None:
    sent = {**HEADERS, "X-Forwarded-For": f"192.0.2.{visitor}", **headers}
    assert client.get(path, headers=sent).status_code == 200


def test_over_http_only_queries_that_were_meant_and_answered_are_suggested(
    make_client: Callable[..., FlaskClient], own_corpus: Corpus
) -> None:
    _, keeper = create_key(own_corpus.data, "admin")
    proxies = (ipaddress.ip_network("127.0.0.0/8"),)
    client = make_client(own_corpus, past_queries=2, open_reads=True, trusted_proxies=proxies)
    for visitor in (1, 2):
        visit(client, f"/?q={quote('减少汽车尾气')}", visitor)
        visit(client, f"/api/v1/search?q={quote('尾气检测')}", visitor)
        visit(client, f"/documents/paper-1?q={quote('尾气罚单')}&passage=0", visitor)
        visit(client, f"/?q={quote('尾气举报')}", 1)  # twice by one
        visit(client, f"/?q={quote('尾气限制')}&typing=1", visitor)
        visit(client, f"/api/v1/search?q={quote('尾气蓝天')}&typing=1", visitor)
        visit(client, f"/?q={quote('尾气灰霾')}", visitor, Authorization=f"Bearer {keeper}")
        visit(client, f"/?q={quote('尾气')}+{quote('“量子引力波”')}", visitor)  # nothing was found
        visit(client, f"/documents/paper-1?q={quote('尾气热线')}", visitor)  # no hit was opened
        visit(client, f"/passages/paper-1:0/similar?q={quote('尾气标准')}", visitor)
    suggestions = client.get(f"/api/v1/suggest?q={quote('尾气')}&limit=20", headers={"X-Forwarded-For": "192.0.2.9"})
    past = [one for one in suggestions.json["suggestions"] if one["kind"] == "query"]
    assert {one["text"] for one in past} == {"减少汽车尾气", "尾气检测", "尾气罚单"}
    assert past[0]["segments"][0] == {"text": "尾气", "mark": "match"}
    assert past[0]["document_id"] is None


def test_unless_switched_on_nothing_is_counted(make_client: Callable[..., FlaskClient], corpus: Corpus) -> None:
    client = make_client(corpus)
    for _ in range(3):
        visit(client, f"/?q={quote('植树一百万棵')}", 1)
    suggestions = client.get(f"/api/v1/suggest?q={quote('植树')}&limit=20").json["suggestions"]
    assert suggestions
    assert all(one["kind"] != "query" for one in suggestions)
