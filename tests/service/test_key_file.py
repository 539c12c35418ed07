"""The key file where it cannot be written or read: whose it is, and the sentence for each way it can fail."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from flask.testing import FlaskClient

from index.corpus import Corpus
from index.errors import DataError, InputError, StorageError
from service.app import create_app
from service.keys import FILE, KeysUnreadableError, create_key, list_keys, revoke_key
from service.server import Server
from service.settings import Settings
from tests.conftest import Run

NOBODY = 65534
NOTE = {"text": "渡轮恢复夜航。"}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody")


@contextmanager
def as_a_user() -> Iterator[int]:
    """Be somebody without rights while the block runs; whoever runs the tests, where that is not root."""
    if os.geteuid() != 0:
        yield os.geteuid()
        return
    os.seteuid(NOBODY)
    try:
        yield NOBODY
    finally:
        os.seteuid(0)


@pytest.fixture
def small_disk(disk_of: Callable[[str], Path]) -> Path:
    """A file system of 64 KB."""
    return disk_of("64k")


def sentence(answer: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that could not do what it was asked."""
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    return line


# Where it cannot be written


def test_on_a_full_disk_no_key_is_made_and_none_is_lost(command: Run, small_disk: Path) -> None:
    create_key(small_disk, "search", "before")
    with (small_disk / "full").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    said = sentence(command("manage", "keys", "create", "--data", small_disk))
    assert f"{small_disk / FILE} cannot be written: No space left on device; make room on the disk" in said
    assert [key.note for key in list_keys(small_disk)] == ["before"]


def test_on_a_disk_that_can_only_be_read_it_is_said_in_both_languages(command: Run, small_disk: Path) -> None:
    key, _ = create_key(small_disk, "search")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    said = sentence(command("manage", "keys", "create", "--data", small_disk))
    assert f"{small_disk / FILE} cannot be written: Read-only file system" in said
    said = sentence(command("manage", "keys", "revoke", key.id, "--data", small_disk, "--lang", "zh"))
    assert f"无法写入密钥文件 {small_disk / FILE}" in said
    assert list_keys(small_disk) == [key]


def test_in_a_directory_of_somebody_else_it_is_said_too() -> None:
    with TemporaryDirectory() as name:
        data = Path(name)
        key, _ = create_key(data, "search")
        data.chmod(0o555)
        with as_a_user():
            for change in (lambda: create_key(data, "search"), lambda: revoke_key(data, key.id)):
                with pytest.raises(StorageError, match=r"Permission denied.*may write the directory"):
                    change()
        data.chmod(0o755)
        assert list_keys(data) == [key]


def test_where_a_file_stands_for_the_directory(command: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no directory")
    assert "cannot be written" in sentence(command("manage", "keys", "create", "--data", tmp_path / "data"))


# Whose it is


@AS_ROOT
def test_keys_that_root_makes_belong_to_the_owner_of_the_directory(command: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    assert command("manage", "keys", "create", "--data", data).returncode == 0
    owners = {file.name: (file.stat().st_uid, file.stat().st_gid) for file in data.iterdir()}
    assert owners == dict.fromkeys((FILE, f"{FILE}.lock"), (NOBODY, NOBODY))
    assert (data / FILE).stat().st_mode & 0o077 == 0


def test_a_key_file_the_service_may_not_read_is_no_damage(
    own_corpus: Corpus, make_client: Callable[..., FlaskClient]
) -> None:
    """Who may read it is the keeper's to mend, and nothing is to be restored or deleted."""
    _, secret = create_key(own_corpus.data, "admin")
    (own_corpus.data / FILE).chmod(0)
    client = make_client(own_corpus)
    with as_a_user() as user:
        headers = {"Authorization": f"Bearer {secret}"}
        answers = [
            client.post("/api/v1/documents", json=NOTE, headers=headers),
            client.post("/api/v1/documents", json=NOTE),
            client.get("/api/v1/search?q=x", headers={**headers, "Accept-Language": "en"}),
            client.get("/api/v1/jobs", headers=headers),
        ]
        assert client.get("/healthz").status_code == 200
    assert [answer.status_code for answer in answers] == [503] * 4
    assert f"chown {user} {own_corpus.data / FILE}" in answers[0].json["detail"]
    assert "无权读取密钥文件" in answers[0].json["detail"]
    assert "may not read the key file" in answers[2].json["detail"]
    assert "backup" not in answers[2].json["detail"]


def test_a_service_for_other_machines_does_not_start_without_reading_its_keys(own_corpus: Corpus) -> None:
    create_key(own_corpus.data, "admin")
    (own_corpus.data / FILE).chmod(0)
    app = create_app(own_corpus, settings=Settings(host="0.0.0.0", port=0))
    with as_a_user(), pytest.raises(KeysUnreadableError, match="chown"):
        Server(app)


def test_a_damaged_file_is_still_called_damaged(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(DataError, match="restore it from a backup"):
        list_keys(tmp_path)


# What is said of a key


@pytest.mark.parametrize("note", ["two\nlines", "\x1b[31mred", "bell\x07", "line\u2028separator", "\x85", "\udcff"])
def test_a_note_is_a_line_of_text(tmp_path: Path, note: str) -> None:
    with pytest.raises(InputError, match="in one line") as refused:
        create_key(tmp_path, "search", note)
    assert "一行" in refused.value.chinese
    assert list_keys(tmp_path) == []


def test_what_an_older_file_has_for_a_note_does_nothing_to_a_terminal(command: Run, tmp_path: Path) -> None:
    create_key(tmp_path, "search", "夜间导入")
    kept = json.loads((tmp_path / FILE).read_text("utf-8"))
    kept["keys"][0]["note"] = "desk\n\x1b[2Jforged  admin"
    (tmp_path / FILE).write_text(json.dumps(kept), "utf-8")
    listed = command("manage", "keys", "list", "--data", tmp_path).stdout
    assert len(listed.splitlines()) == 1
    assert r"desk\x0a\x1b[2Jforged" in listed
