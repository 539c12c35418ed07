"""Bringing an archive that an older version wrote to the present format.

``MIGRATIONS[n]`` are the statements that make format ``n`` out of format ``n - 1``. A new archive takes the same
steps from ``SCHEMA``, which is format 1 and never changes, so that there is one way to every format.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from index.engine.schema import SCHEMA
from index.errors import DataError

MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: (
        "CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
        " ctime_ns INTEGER NOT NULL, digest BLOB NOT NULL, options BLOB NOT NULL, documents INTEGER NOT NULL)"
        " WITHOUT ROWID",
    ),
    3: (
        "CREATE TABLE bands (value INTEGER NOT NULL, text BLOB NOT NULL, PRIMARY KEY (value, text)) WITHOUT ROWID",
        "CREATE TABLE families (text BLOB PRIMARY KEY, family BLOB NOT NULL) WITHOUT ROWID",
        "CREATE INDEX families_by_family ON families (family)",
    ),
    4: (
        "CREATE TABLE retired (number INTEGER PRIMARY KEY,"
        " document INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE, position INTEGER NOT NULL,"
        ' title TEXT NOT NULL, text TEXT NOT NULL, page INTEGER, start INTEGER NOT NULL, "end" INTEGER NOT NULL,'
        " key BLOB NOT NULL)",
        "CREATE INDEX retired_by_document ON retired (document)",
    ),
    # All but the originals, which are twenty times as long: a search reads hundreds of documents, and of 400,000 that
    # are not in memory it reads two thousand pages once here, where each search read hundreds of others.
    5: ("CREATE INDEX documents_told ON documents (number, id, source, title, byline, date, url, tags, path)",),
}
SCHEMA_VERSION = max(MIGRATIONS)


def bring_up(connection: sqlite3.Connection, path: Path) -> None:
    """Make a new file's tables, or bring an older file's to ``SCHEMA_VERSION``: in one transaction, and after
    a copy of it was put beside it.

    Args:
        connection: In autocommit mode, to the file at ``path``.

    Raises:
        DataError: The file is of a newer format, or of an older one and cannot be written.
        sqlite3.DatabaseError: SQLite refused; the file is as it was.
    """
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise DataError(
            f"{path} has format {version}, this version reads format {SCHEMA_VERSION}; "
            "use the version of the program that wrote it, or build the index again.",
            f"{path} 的格式是 {version}，本版本读格式 {SCHEMA_VERSION}；请用写入它的版本，或重新建立索引。",
        )
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrate(connection, path)
    except BaseException as error:
        connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
            raise _read_only(path, version) from error
        raise
    connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)  # another process may have been quicker
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")  # first, so that a read-only file is not copied
    if version == 0:
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement)
        version = 1
    elif version < SCHEMA_VERSION:
        _back_up(path, version)
    for step in range(version + 1, SCHEMA_VERSION + 1):
        for statement in MIGRATIONS[step]:
            connection.execute(statement)


def _read_only(path: Path, version: int) -> DataError:
    command = f"python -m scripts.manage status --data {path.parent}"
    return DataError(
        f"{path} has format {version} and must be brought to format {SCHEMA_VERSION}, but cannot be written; "
        f"run once as its owner: {command}",
        f"{path} 的格式是 {version}，需升级到格式 {SCHEMA_VERSION}，但无法写入；请以其所有者身份运行一次：{command}",
    )


def _back_up(path: Path, version: int) -> None:
    """Copy the file as it is before the migration; the caller's lock keeps other writers out meanwhile."""
    backup = path.with_name(f"{path.name}.format{version}")
    partial = backup.with_name(backup.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("VACUUM INTO ?", (str(partial),))
    partial.replace(backup)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
