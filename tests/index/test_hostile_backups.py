"""Backups made to do harm: strange members, members that are not what they seem, and databases that are not ours."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from index.backup import restore
from index.errors import SourceError
from index.walk import DATABASE
from tests.index.backups import listed

Members = list[tuple[tarfile.TarInfo, bytes]]


def members(packed: Path) -> Members:
    with tarfile.open(packed) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def database_in(packed: Path) -> bytes:
    return next(raw for info, raw in members(packed) if info.name == DATABASE)


def sealed(path: Path, inside: dict[str, bytes], change: Callable[[Members], None] = lambda _: None) -> Path:
    """A backup of these files with a manifest and a seal that fit them; ``change`` comes after."""
    marks = {name: {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()} for name, raw in inside.items()}
    manifest = {"format": 1, "created": "x", "model": "compact", "documents": 1, "passages": 1, "files": marks}
    text = json.dumps(manifest).encode()
    seal = hashlib.sha256(text).hexdigest().encode()
    listing: Members = []
    for name, raw in {"manifest.json": text, **inside, "manifest.sha256": seal}.items():
        info = tarfile.TarInfo(name)
        info.size = len(raw)
        listing.append((info, raw))
    change(listing)
    with tarfile.open(path, "w") as tar:
        for info, raw in listing:
            tar.addfile(info, io.BytesIO(raw) if info.isreg() else None)
    return path


@pytest.mark.parametrize(
    "name",
    ["../escaped.json", "/tmp/escaped.json", "adapted-00000000/../../escaped.json", "adapted-00000000/code.py",
     "adapted-00000000/model.bin", "adapted-00000000/pickle.pkl", "generations/CURRENT", "xunzhang.sqlite3-wal",
     "adapted-00000000/.hidden.json", "adapted-00000000/a/b/c/d.json", "adapted-00000000/a.json/", "keys.json\n"],
)  # fmt: skip
def test_a_strange_member_is_refused(packed: Path, tmp_path: Path, name: str) -> None:
    database = database_in(packed)
    hostile = sealed(tmp_path / "hostile.tar", {DATABASE: database, name: b"{}"})
    with pytest.raises(SourceError, match="does not belong there"):
        restore(hostile, tmp_path / "data")
    assert listed(tmp_path) == ["data", "hostile.tar"]
    assert listed(tmp_path / "data") == []


@pytest.mark.parametrize("kind", ["symlink", "link", "device", "fifo", "twice", "unlisted", "bigger", "reordered"])
def test_members_that_are_not_what_the_manifest_says_are_refused(packed: Path, tmp_path: Path, kind: str) -> None:
    database = database_in(packed)

    def change(listing: Members) -> None:
        info, raw = listing[1]
        types = {"symlink": b"2", "link": b"1", "device": b"3", "fifo": b"6"}
        if kind in types:
            info.type, info.linkname, info.size = types[kind], "/etc/passwd", 0
        elif kind == "twice":
            listing.insert(2, (info, raw))
        elif kind == "unlisted":
            listing.insert(1, (tarfile.TarInfo("extra.json"), b""))
        elif kind == "bigger":
            info.size, listing[1] = info.size + 1, (info, raw + b"x")
        else:
            listing.append(listing.pop(0))

    hostile = sealed(tmp_path / "hostile.tar", {DATABASE: database}, change)
    with pytest.raises(SourceError):
        restore(hostile, tmp_path / "data")
    assert listed(tmp_path / "data") == []


@pytest.mark.parametrize(
    "statement",
    ["CREATE TRIGGER evil AFTER INSERT ON documents BEGIN DELETE FROM passages; END",
     "CREATE VIEW evil AS SELECT 1", "CREATE TABLE evil (x)", "PRAGMA user_version = 99",
     "ALTER TABLE documents ADD COLUMN evil TEXT DEFAULT (randomblob(9))"],
)  # fmt: skip
def test_a_database_that_is_not_ours_is_refused(packed: Path, tmp_path: Path, statement: str) -> None:
    file = tmp_path / "evil.sqlite3"
    file.write_bytes(database_in(packed))
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError:  # not every default may be added to a table with rows
            connection.execute("DELETE FROM documents")
            connection.execute(statement)
    with pytest.raises(SourceError, match="The database in the backup"):
        restore(sealed(tmp_path / "evil.tar", {DATABASE: file.read_bytes()}), tmp_path / "data")
    assert listed(tmp_path / "data") == []
