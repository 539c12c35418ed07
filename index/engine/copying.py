"""Copies of the SQLite file: made while others write, and looked at before one that came from elsewhere is trusted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from index.engine.connecting import OF_THE_DISK, connected
from index.engine.migrations import MIGRATIONS, SCHEMA_VERSION
from index.engine.schema import SCHEMA
from index.errors import DataError, StorageError

# SQLite's own bookkeeping, which VACUUM may add or leave out.
_OWN = "sqlite_%"


def copy_database(source: Path, target: Path) -> None:
    """Write what ``source`` holds at this moment into the new file ``target``, while others read and write it.

    Nothing of removed rows is in the copy, and it is no larger than it has to be.

    Raises:
        StorageError: There is no room for it.
        DataError: ``source`` is damaged.
    """
    try:
        with closing(connected(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in OF_THE_DISK:
            raise damaged(source, str(error)) from error
        raise StorageError(
            f"{target.parent} cannot be written: {error}; nothing was changed. Make room or choose another place.",
            f"无法写入 {target.parent}：{error}；没有改动任何内容。请腾出空间或另选位置。",
        ) from error


def damaged(file: Path, fault: str) -> DataError:
    """That no copy was made of a damaged file."""
    return DataError(
        f"{file} is damaged, and no backup was made of it: {fault}; restore an earlier backup.",
        f"{file} 已损坏，未制作备份：{fault}；请恢复较早的备份。",
    )


def faults_of(file: Path) -> list[str]:
    """What speaks against using a SQLite file that came from elsewhere: another format or other tables than ours, or
    damage. Reads all of it, and runs nothing that is in it."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if not 1 <= version <= SCHEMA_VERSION:
                return [f"its format is {version}, and this version reads 1 to {SCHEMA_VERSION}"]
            # A trigger or view of a stranger's would be run by ours.
            if _schema(connection) != _expected(version):
                return ["its tables are not those of an archive"]
            rows = connection.execute("PRAGMA integrity_check").fetchall()
            rows += connection.execute("PRAGMA foreign_key_check").fetchall()
            return [str(row[0]) for row in rows if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        return [str(error)]


def settle(file: Path) -> bool:
    """Bring everything into the one file, so that it can be moved; ``False`` where somebody else has it open."""
    with closing(sqlite3.connect(file, timeout=1, isolation_level=None)) as connection:
        try:
            # Leaving WAL mode needs the file for oneself, and takes the log's content into it.
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.DatabaseError as error:  # a damaged file is moved as it is
            return error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return True


def _schema(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    query = "SELECT type, name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE ?"
    return {(kind, name, " ".join(sql.split())) for kind, name, sql in connection.execute(query, (_OWN,))}


def _expected(version: int) -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        for step in range(2, version + 1):
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
        return _schema(connection)
