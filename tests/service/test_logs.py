"""What is logged of requests and searches, and what is not."""

from __future__ import annotations

import io
import json
import logging
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import record_source
from service.keys import create_key
from service.logs import ACCESS, configure_logs
from service.query_log import OLD_ONES, QueryLog, report
from tests.index.tiny_models import bert_embedder
from tests.service.conftest import RECORDS, fill

Client = Callable[..., FlaskClient]


@pytest.fixture
def log() -> Iterator[Callable[[str], io.StringIO]]:
    """Configures the process's logs and takes it back."""
    root = logging.getLogger()
    before = list(root.handlers), root.level, ACCESS.level

    def configured(kind: str) -> io.StringIO:
        stream = io.StringIO()
        configure_logs(kind, stream)
        return stream

    yield configured
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ACCESS.setLevel(before[2])


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    every = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in every if line.get("operation") != "openapi"]  # the tests' client asks for it once


def test_a_line_of_json_for_each_request_without_what_was_searched_for(
    own_corpus: Corpus, make_client: Client, log: Callable[[str], io.StringIO]
) -> None:
    stream = log("json")
    key, secret = create_key(own_corpus.data, "search")
    client = make_client(own_corpus, host="0.0.0.0")
    answer = client.get("/api/v1/search?q=秘密的查询", headers={"Authorization": f"Bearer {secret}"})
    refused = client.get("/api/v1/search?q=秘密的查询")
    first, second = lines(stream)
    assert first["request_id"] == answer.headers["X-Request-ID"]
    assert second["request_id"] == refused.headers["X-Request-ID"] == refused.json["request_id"]
    assert first["request_id"] != second["request_id"]
    assert (first["operation"], first["status"], first["key"]) == ("search", 200, key.id)
    assert first["path"] == "/api/v1/search"
    assert second["status"] == 401
    assert float(str(first["ms"])) > 0
    assert "秘密" not in stream.getvalue()
    assert secret not in stream.getvalue()


def test_queries_are_in_the_lines_when_that_is_asked_for(
    corpus: Corpus, make_client: Client, log: Callable[[str], io.StringIO]
) -> None:
    stream = log("json")
    client = make_client(corpus, log_queries=True)
    client.post("/api/v1/search", json={"query": "义务植树"})
    client.get("/healthz")
    assert [line.get("query") for line in lines(stream)] == ["义务植树", None]


def test_nothing_sent_can_forge_a_line(corpus: Corpus, make_client: Client, log: Callable[[str], io.StringIO]) -> None:
    forged = "/x%0A2026-01-01%20ERROR%20forged%0D%1b[31m%E2%80%A8%C2%85"
    client = make_client(corpus)
    client.get("/healthz")
    for kind in ("text", "json"):
        stream = log(kind)
        client.get(forged, headers={"X-Request-ID": "forged\tid"})
        (line,) = stream.getvalue().splitlines()
        assert "\x1b" not in line
        assert "forged\tid" not in line


def test_by_default_only_what_went_wrong_is_written(
    corpus: Corpus, make_client: Client, log: Callable[[str], io.StringIO]
) -> None:
    stream = log("errors")
    client = make_client(corpus)
    client.get("/api/v1/search?q=植树")
    client.get("/nowhere")
    assert stream.getvalue() == ""
    client.application.view_functions["health.health"] = fails
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    answer = FlaskClient(client.application).get("/healthz")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] == answer.json["request_id"]
    assert answer.json["request_id"] in answer.json["detail"]
    assert answer.json["request_id"] in stream.getvalue()
    assert "ZeroDivisionError" in stream.getvalue()


def fails() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(("given", "peer", "taken"), [
    ("proxy-given-0001", "127.0.0.1", True), ("proxy-given-0001", "192.0.2.1", False),
    ("short", "127.0.0.1", False), ("x" * 65, "127.0.0.1", False), ("bad id; with=more", "127.0.0.1", False),
])  # fmt: skip
def test_an_id_is_taken_from_a_trusted_proxy_only(
    corpus: Corpus, make_client: Client, given: str, peer: str, taken: bool
) -> None:
    from ipaddress import ip_network

    client = make_client(corpus, trusted_proxies=(ip_network("127.0.0.1"),))
    answer = client.get("/healthz", headers={"X-Request-ID": given}, environ_base={"REMOTE_ADDR": peer})
    assert (answer.headers["X-Request-ID"] == given) == taken


# What the library is without


@pytest.mark.parametrize("kind", ["errors", "text", "json"])
def test_why_searches_go_by_words_alone_is_said_once_in_each_form(
    tmp_path: Path, make_client: Client, log: Callable[[str], io.StringIO], kind: str
) -> None:
    model = bert_embedder(tmp_path, RECORDS[0]["text"])
    with closing(Corpus.open(tmp_path / "data", model=str(model), create=True)) as corpus:
        corpus.add([record_source(RECORDS[0], source="")])
    shutil.rmtree(model)
    stream = log(kind)
    with closing(Corpus.open(tmp_path / "data")) as corpus:
        client = make_client(corpus)
        for query in ("尾气", "灰霾"):
            assert client.get(f"/api/v1/search?q={query}").json["degraded"] == ["dense"]
    (line,) = [line for line in stream.getvalue().splitlines() if "xunzhang.index" in line]
    if kind == "json":
        told = json.loads(line)
        assert (told["level"], told["logger"]) == ("warning", "xunzhang.index")
        line = told["message"]
    assert "Searches go by words alone: The model" in line
    assert f"the folder {model} is gone" in line


# The query log


def test_searches_are_kept_only_when_asked_and_reported(own_corpus: Corpus, make_client: Client, command) -> None:
    fill(own_corpus)
    make_client(own_corpus).get("/api/v1/search?q=植树")
    assert not (own_corpus.data / "logs").exists()
    empty = command("manage", "queries", "--data", own_corpus.data)
    assert (empty.returncode, empty.stdout[:24]) == (0, "No searches are recorded")

    client = make_client(own_corpus, query_log=True)
    for query in ("植树", "植樹", "水庫", "zzz qqq", "植树"):
        client.get("/api/v1/search", query_string={"q": query})
    client.get("/", query_string={"q": "午餐"})
    client.get("/api/v1/search", query_string={"q": "植树", "offset": 5})  # a further page is the same search
    file = own_corpus.data / "logs" / "queries.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "127.0.0.1" not in file.read_text("utf-8")
    found = report(own_corpus.data)
    assert found.searches == 6
    assert (found.frequent[0].query, found.frequent[0].times) == ("植树", 3)  # both scripts are one query
    assert [one.query for one in found.without_hits] == ["zzz qqq"]
    assert found.slow[0].slowest == max(one.slowest for one in found.slow)

    told = command("manage", "queries", "--data", own_corpus.data, "--limit", "1")
    assert told.stdout.startswith("6 searches\n")
    assert "     3 x" in told.stdout
    for limit in ("0", "-1"):
        refused = command("manage", "queries", "--data", own_corpus.data, "--limit", limit)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"--limit is {limit}, but a list has at least one entry: choose 1 or more.\n"
    as_json = command("manage", "queries", "--data", own_corpus.data, "--json")
    assert json.loads(as_json.stdout)["searches"] == 6
    shutil.rmtree(own_corpus.data / "logs")


def test_the_query_log_is_put_aside_when_full_and_never_grows_beyond(sample: Corpus, tmp_path: Path) -> None:
    log = QueryLog(tmp_path, largest=2_000)
    answer = sample.search(SearchRequest("桥"))
    for number in range(200):
        log.write(f"查询{number}", answer)
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == OLD_ONES + 1
    assert all(file.stat().st_size <= 2_000 for file in files)
    with (tmp_path / "logs" / "queries.jsonl").open("ab") as file:
        file.write(b'{"query": "half a li')  # as when the disk was full
    found = report(tmp_path, limit=500)
    assert found.searches == len(found.frequent) > 60
    assert any(one.query == "查询199" for one in found.frequent)


def test_a_full_disk_keeps_nobody_from_searching(own_corpus: Corpus, make_client: Client) -> None:
    (own_corpus.data / "logs").write_text("a file where the folder should be")
    assert make_client(own_corpus, query_log=True).get("/api/v1/search?q=植树").status_code == 200
    (own_corpus.data / "logs").unlink()
