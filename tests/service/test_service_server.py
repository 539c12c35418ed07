"""Settings, the gate, health, and the server as a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import queue
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.errors import SettingError
from service.app import create_app
from service.gate import Gate, OverloadedError
from service.keys import create_key
from service.parts import parts_of
from service.server import Server
from service.settings import Settings

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from index.corpus import Corpus
from service.app import create_app
from service.server import serve
from service.settings import Settings
corpus = Corpus.open(Path(sys.argv[1]), create=True)
serve(create_app(corpus, settings=Settings(port=0)), ready=lambda url: print(url, flush=True))
corpus.close()
print("closed", flush=True)
"""


# Settings


def test_the_environment_sets_what_the_command_line_does_not() -> None:
    environ = {"XUNZHANG_PORT": "9000", "XUNZHANG_OPEN_READS": "1", "XUNZHANG_ALLOWED_HOSTS": "a.example, B.example,"}
    settings = Settings.from_environment(environ, port=9001, host=None)
    assert settings.port == 9001
    assert settings.host == "127.0.0.1"
    assert settings.open_reads
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert Settings.from_environment({"XUNZHANG_PATIENCE": "0.5", "XUNZHANG_HOST": "::1"}).patience == 0.5


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("XUNZHANG_PORT", "http"),
        ("XUNZHANG_PORT", "70000"),
        ("XUNZHANG_THREADS", "1"),
        ("XUNZHANG_PROCESSES", "0"),
        ("XUNZHANG_PATIENCE", "long"),
        ("XUNZHANG_PATIENCE", "nan"),
        ("XUNZHANG_OPEN_READS", "perhaps"),
        ("XUNZHANG_MAX_BODY", "0"),
    ],
)
def test_an_unusable_setting_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=variable.removeprefix("XUNZHANG_")) as refused:
        Settings.from_environment({variable: value})
    assert "设置项" in refused.value.chinese


@pytest.mark.parametrize("threads", [8, 16, 512])
def test_threads_are_left_for_writes_and_health_whatever_searches_do(threads: int) -> None:
    settings = Settings(threads=threads)
    assert settings.searches >= 1
    assert settings.searches <= threads // 2
    assert settings.waiting > settings.searches


def test_every_process_may_be_at_a_search_while_half_the_threads_are_left() -> None:
    assert Settings(threads=16, processes=1).searches == 4
    assert Settings(threads=16, processes=6).searches == 6
    assert Settings(threads=16, processes=64).searches == 8


@pytest.mark.parametrize("processes", [1, 4, 64])
@pytest.mark.parametrize("threads", [8, 16, 512])
def test_writes_take_no_more_than_half_of_the_threads_that_do_not_search(threads: int, processes: int) -> None:
    settings = Settings(threads=threads, processes=processes)
    assert 1 <= settings.writes_waiting < (threads - settings.searches) / 2


# The gate


def test_the_gate_lets_so_many_in_so_many_wait_and_no_more() -> None:
    gate = Gate(1, 2, patience=30)
    leave, outcomes = threading.Event(), queue.SimpleQueue[str]()

    def visit() -> None:
        try:
            with gate.enter():
                leave.wait(10)
            outcomes.put("came in")
        except OverloadedError:
            outcomes.put("refused")

    visitors = [threading.Thread(target=visit) for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    # Nobody leaves before the event, so these are all that are refused.
    assert [outcomes.get(timeout=10) for _ in range(5)] == ["refused"] * 5
    leave.set()
    assert [outcomes.get(timeout=10) for _ in range(3)] == ["came in"] * 3
    for visitor in visitors:
        visitor.join(10)


def test_several_may_write_at_once_and_each_is_done(
    make_client: Callable[..., FlaskClient], own_corpus: Corpus
) -> None:
    app = make_client(own_corpus, threads=16).application
    writers = parts_of(app).settings.writes_waiting
    assert writers == 4
    with ThreadPoolExecutor(writers + 1) as pool, parts_of(app).writes.enter():
        texts = [f"第{number}号仓库今天收到一批货物。" for number in range(writers + 1)]
        sent = [pool.submit(app.test_client().post, "/api/v1/documents", json={"text": text}) for text in texts]
        refused = next(as_completed(sent)).result()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert app.test_client().get("/api/v1/documents").status_code == 200
    assert sorted(one.result().status_code for one in sent) == [201] * writers + [503]


def test_the_gate_gives_up_after_its_patience() -> None:
    gate = Gate(1, 5, patience=0.01)
    with gate.enter(), pytest.raises(OverloadedError), gate.enter():
        pass
    with gate.enter():
        pass


def test_a_full_house_is_answered_with_503_and_retry_after(
    make_client: Callable[..., FlaskClient], corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(corpus, threads=8, patience=0)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(parts_of(client.application).searches.enter())
        answer = client.get("/api/v1/search?q=x")
        page = client.get("/?q=植树", headers={"Accept": "text/html"})
        assert client.get("/healthz").status_code == 200
        assert client.get("/").status_code == 200
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert page.status_code == 503
    assert "现在人有点多" in page.text
    assert 'value="植树"' in page.text
    assert client.get("/api/v1/search?q=x").status_code == 200


# Health


def test_health_and_readiness(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz").json
    assert ready["status"] == "ready"
    assert ready["documents"] == 17
    assert ready["passages"] >= 17


def test_an_empty_data_directory_is_alive_but_not_ready(
    tmp_path: Path, make_client: Callable[..., FlaskClient]
) -> None:
    with contextlib.closing(Corpus.open(tmp_path, create=True)) as empty:
        client = make_client(empty)
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        assert client.get("/api/v1/search?q=x").status_code == 409
        home = client.get("/")
        assert home.status_code == 200
        assert "scripts.build_index" in home.text


# The server


def ask(url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=10)
    try:
        connection.request(method, "/healthz" if body is None else "/api/v1/search", body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def test_the_server_says_nothing_about_itself(live_url: str) -> None:
    status, headers, _ = ask(live_url)
    assert status == 200
    assert "Server" not in headers


def test_the_server_answers_problems_to_what_it_cannot_read(corpus: Corpus, live_url: str) -> None:
    status, headers, body = ask(live_url, "POST", b"x" * 10, {"Content-Length": str(17 * 1024 * 1024)})
    assert status == 413
    assert headers["Content-Type"] == "application/problem+json"
    assert b"/docs#problem-too-large" in body
    host, port = live_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.0 400") or answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer


def test_a_query_typed_into_curl_without_encoding_is_understood(live_url: str) -> None:
    host, port = live_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as raw:
        raw.sendall("GET /api/v1/search?q=植树活动 HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = raw.makefile("rb").read()
    assert b" 200 " in answer.splitlines()[0]
    assert '"query":"植树活动"'.encode() in answer


def test_a_taken_port_is_refused_with_a_sentence(corpus: Corpus) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"Port {port} on 127.0.0.1 is already in use") as refused:
            Server(create_app(corpus, settings=Settings(port=port)))
    assert "已被占用" in refused.value.chinese


@pytest.mark.parametrize("host", ["203.0.113.9", "no such host"])
def test_an_address_that_is_not_ours_is_refused_with_a_sentence(own_corpus: Corpus, host: str) -> None:
    create_key(own_corpus.data, "search")
    with pytest.raises(SettingError, match="cannot listen"):
        Server(create_app(own_corpus, settings=Settings(host=host)))


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_the_process_is_ready_when_it_says_so_and_leaves_in_order(
    process: subprocess.Popen[str], name: signal.Signals
) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url, process.stderr.read() if process.stderr else ""
    assert not url.endswith(":0/")
    with urllib.request.urlopen(f"{url}healthz", timeout=10) as answer:
        assert answer.status == 200
    process.send_signal(name)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert rest == "closed\n"
    assert errors == ""
