"""Keys, and who may do what with and without them."""

from __future__ import annotations

import ast
import json
import re
import shlex
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.errors import DataError, InputError, NotFoundError, SettingError
from service.app import create_app
from service.keys import FILE, create_key, find_key, list_keys, revoke_key
from service.server import Server
from service.settings import Settings, is_loopback

ROOT = Path(__file__).parents[2]
NOTE = {"text": "渡轮恢复夜航。"}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


# Keys


def test_a_key_is_shown_once_and_only_its_digest_kept(tmp_path: Path) -> None:
    key, secret = create_key(tmp_path, "search", "网站")
    text = (tmp_path / FILE).read_text("utf-8")
    assert secret not in text
    assert key.sha256 in text
    assert len(secret) >= 43
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert list_keys(tmp_path) == [key]
    assert find_key(tmp_path, secret) == key
    assert find_key(tmp_path, secret + "x") is None
    assert find_key(tmp_path, "\ud800") is None


def test_a_revoked_key_is_unknown_and_the_others_stay(tmp_path: Path) -> None:
    first, secret = create_key(tmp_path, "admin")
    second, _ = create_key(tmp_path, "search")
    assert revoke_key(tmp_path, first.id) == first
    assert find_key(tmp_path, secret) is None
    assert list_keys(tmp_path) == [second]
    with pytest.raises(NotFoundError):
        revoke_key(tmp_path, first.id)


def test_an_unknown_scope_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="search, admin"):
        create_key(tmp_path, "root")


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    threads = [threading.Thread(target=create_key, args=(tmp_path, "search")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key.id for key in list_keys(tmp_path)}) == 8
    assert {path.name for path in tmp_path.iterdir()} <= {FILE, f"{FILE}.lock"}


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"keys": [{}]}', b"\xff", b'{"keys": [{"id": "a", "scope": "root", "note": "", '
     b'"created": "", "sha256": ""}]}', json.dumps({"keys": 3}).encode()],
)  # fmt: skip
def test_nobody_is_let_in_on_a_damaged_file(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(DataError, match="restore it"):
        find_key(tmp_path, "x")


# On a loopback address


def test_writes_are_open_until_there_is_a_key(own_corpus: Corpus, own_client: FlaskClient) -> None:
    assert own_client.post("/api/v1/documents", json=NOTE).status_code == 201
    _, reader = create_key(own_corpus.data, "search")
    assert own_client.post("/api/v1/documents", json=NOTE).status_code == 401
    assert own_client.post("/api/v1/documents", json=NOTE, headers=bearer(reader)).status_code == 403
    _, admin = create_key(own_corpus.data, "admin")
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Basic {admin}"}, bearer("wrong")):
        for method, path in (("POST", "documents"), ("PUT", "documents/a"), ("DELETE", "documents/paper-1")):
            answer = own_client.open(f"/api/v1/{path}", method=method, json=NOTE, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert own_client.post("/api/v1/documents", json=NOTE, headers=bearer(reader)).status_code == 403
    assert own_client.post("/api/v1/documents", json=NOTE, headers=bearer(admin)).status_code == 200
    assert own_client.get("/api/v1/documents").status_code == 200


def test_a_revoked_key_is_refused_at_once(own_corpus: Corpus, own_client: FlaskClient) -> None:
    create_key(own_corpus.data, "admin")
    key, secret = create_key(own_corpus.data, "admin")
    assert own_client.post("/api/v1/documents", json=NOTE, headers=bearer(secret)).status_code == 201
    revoke_key(own_corpus.data, key.id)
    assert own_client.post("/api/v1/documents", json=NOTE, headers=bearer(secret)).status_code == 401


def test_a_damaged_key_file_closes_writing(own_corpus: Corpus, own_client: FlaskClient) -> None:
    (own_corpus.data / FILE).write_text("{")
    assert own_client.post("/api/v1/documents", json=NOTE).status_code == 409


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.7", ""])
def test_another_sites_name_for_this_machine_is_refused(own_client: FlaskClient, host: str) -> None:
    headers = {"Host": host}
    assert own_client.post("/api/v1/documents", json=NOTE, headers=headers).status_code == 403
    assert own_client.get("/api/v1/search?q=x", headers=headers).status_code == 403
    assert own_client.get("/?q=x", headers=headers).status_code == 403
    assert own_client.get("/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000", "127.8.9.1", "box.example"]
)
def test_this_machines_own_names_are_taken(
    own_corpus: Corpus, make_client: Callable[..., FlaskClient], host: str
) -> None:
    client = make_client(own_corpus, allowed_hosts=("box.example",))
    assert client.post("/api/v1/documents", json=NOTE, headers={"Host": host}).status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_a_form_of_another_site_cannot_write(own_client: FlaskClient, content_type: str) -> None:
    answer = own_client.post("/api/v1/documents", data=json.dumps(NOTE), content_type=content_type)
    assert answer.status_code == 415
    preflight = own_client.options("/api/v1/documents", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in preflight.headers


# On any other address


def test_reads_need_a_key_of_either_scope(own_corpus: Corpus, make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(own_corpus, host="0.0.0.0")
    _, reader = create_key(own_corpus.data, "search")
    _, admin = create_key(own_corpus.data, "admin")
    paths = ["/api/v1/search?q=x", "/api/v1/documents", "/api/v1/documents/paper-1", "/api/v1/passages/paper-1:0", "/"]
    for path in [*paths, "/?q=x", "/documents/paper-1", "/metrics"]:
        assert client.get(path).status_code == 401
        assert client.get(path, headers=bearer("wrong")).status_code == 401
        assert client.get(path, headers=bearer(reader)).status_code == 200
        assert client.get(path, headers={**bearer(admin), "Host": "archive.example"}).status_code == 200
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs", "/static/page.css"):
        assert client.get(path).status_code == 200
    assert "密钥" in client.get("/", headers={"Accept": "text/html"}).text


def test_open_reads_open_reads_only(own_corpus: Corpus, make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(own_corpus, host="0.0.0.0", open_reads=True)
    assert client.get("/api/v1/search?q=x").status_code == 200
    assert client.post("/api/v1/documents", json=NOTE).status_code == 401


@pytest.mark.parametrize("open_reads", [False, True])
def test_listening_without_a_key_is_refused_with_the_command_to_run(own_corpus: Corpus, open_reads: bool) -> None:
    app = create_app(own_corpus, settings=Settings(host="0.0.0.0", port=0, open_reads=open_reads))
    with pytest.raises(SettingError, match="no key exists yet") as refused:
        Server(app)
    # The sentence names a command: it is run, and helps.
    named = [
        re.search(r"python( -m scripts\.manage [\x21-\x7e ]+admin)", text)
        for text in (*refused.value.args, refused.value.chinese)
    ]
    assert all(named)
    assert len({match[1] for match in named if match}) == 1
    command = [sys.executable, *shlex.split(named[0][1] if named[0] else "")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    Server(app).close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.0.2", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_how_long_a_comparison_takes_tells_nothing_of_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is done, not by a stopwatch: whatever is sent, every key is compared, whole, by a function that does not
    stop at the first difference; and what is compared are digests, of which nobody can choose the beginning."""
    secrets_ = [create_key(tmp_path, "search")[1] for _ in range(5)]
    compared: list[tuple[str, str]] = []

    def noted(kept: str, sent: str) -> bool:
        compared.append((kept, sent))
        return compare_digest(kept, sent)

    monkeypatch.setattr("service.keys.hmac.compare_digest", noted)
    digests = [key.sha256 for key in list_keys(tmp_path)]
    for secret in (secrets_[0], secrets_[2], secrets_[4], secrets_[0][:-1], secrets_[4] + "x", "", "x" * 10_000):
        compared.clear()
        found = find_key(tmp_path, secret)
        assert (found is not None) == (secret in secrets_)
        assert [kept for kept, _ in compared] == digests
        assert {sent for _, sent in compared} == {sha256(secret.encode()).hexdigest()}


def test_digests_are_compared_nowhere_else() -> None:
    """An ``==`` beside the comparison in constant time would undo it."""
    for file in (ROOT / "service").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Compare):
                text = ast.unparse(node)
                assert not re.search(r"sha256|digest|secret\b(?!\.)", text), f"{file.name}:{node.lineno}: {text}"
