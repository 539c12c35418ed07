"""How the SQLite file is opened, for writing or where it can only be read, and what its refusals mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import finalize

from index.errors import DataError, StorageError

# What a disk that is full, or cannot be written, makes of a statement.
OF_THE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


class Held:
    """A thread's connection, which is closed with the thread: else a service that starts one for each job would run out
    of files."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        finalize(self, connection.close)


def connected(path: Path, *, cache: int = 16) -> sqlite3.Connection:
    """A connection to the file, in autocommit mode; only for reading where its file system is read-only.

    Args:
        cache: MB that it may keep of the file.

    Raises:
        sqlite3.DatabaseError: SQLite refused.
    """
    if is_on_read_only_disk(path):
        return _reading(path)
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # While somebody reads for long the log grows; it is cut back once it has been written into the file.
    connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = {-1024 * cache}")
    return connection


def is_on_read_only_disk(path: Path) -> bool:
    """Whether the file is there, on a file system that nobody can write through this mount."""
    try:
        return path.is_file() and bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


# The last is what Tantivy says where one of its threads met the error.
_OF_THE_DISK = ("no space left", "quota exceeded", "read-only file system", "os error", "io::error most likely")


def is_of_the_disk(error: Exception) -> bool:
    """Whether an error that Tantivy or FAISS tells in words is of a disk that is full or cannot be written."""
    said = str(error).lower()
    return any(words in said for words in _OF_THE_DISK)


def _reading(path: Path) -> sqlite3.Connection:
    # SQLite reads the log of a file in WAL mode with the help of a second file, which it would have to make. Without a
    # log nobody writes just now, not by another mount either, and the file is read as one that does not change: whoever
    # begins to write by another mount later makes these answers wrong (OPERATIONS.md says so).
    unchanging = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro{unchanging}", uri=True, isolation_level=None, check_same_thread=False
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's refusals into a sentence.

    Raises:
        StorageError: The disk is full, or cannot be written.
        DataError: Anything else, such as a damaged file.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)  # sqlite3's own errors have none
        if code is not None and code & 0xFF in OF_THE_DISK:
            raise StorageError(
                f"{path} cannot be used: {error}; what was stored before stays. Make room on the disk, or see that "
                "this user may write the file and its folder, then try again.",
                f"无法使用 {path}：{error}；此前存入的内容完好。请腾出磁盘空间，或确认当前用户可写该文件及其文件夹，"
                "然后重试。",
            ) from error
        raise DataError(
            f"{path} cannot be used: {error}; check the disk and the file's permissions, or restore a backup.",
            f"无法使用 {path}：{error}；请检查磁盘和文件权限，或恢复备份。",
        ) from error
