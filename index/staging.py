"""Vectors of the model that an archive is going over to, computed while it is searched and written to as before.

They lie in a SQLite file of their own in the data directory, whatever the engine, until the archive takes them. An
interruption leaves the archive as it was, and the file, so that the next attempt goes on where this one ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from index.document import NextModel
from index.engine.connecting import connected, explained
from index.errors import BusyError, DataError, StorageError
from index.wordtable import Ids

Text = tuple[bytes, str, str]  # key, title and text of a passage
Batch = tuple[list[bytes], npt.NDArray[np.float16], list[Ids]]

_FILE = "next-model.sqlite3"
_LOCK = "next-model.lock"
_TABLES = (
    "CREATE TABLE IF NOT EXISTS model (fingerprint TEXT NOT NULL, name TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS texts (key BLOB PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, tokens BLOB NOT NULL)",
)


class Staged:
    """The file, open; made by ``staging`` or ``staged``."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def want(self, texts: Iterable[Text]) -> None:
        """Put passages down to be embedded; those that are already stay."""
        with explained(self._path), self._transaction():
            self._connection.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?, ?)", texts)

    def counts(self) -> tuple[int, int]:
        """How many passages have their vectors, and how many there are in all."""
        query = "SELECT (SELECT count(*) FROM vectors), (SELECT count(*) FROM texts)"
        with explained(self._path):
            embedded, wanted = self._connection.execute(query).fetchone()
        return int(embedded), int(wanted)

    def waiting(self, limit: int) -> list[Text]:
        """So many passages without a vector, in the order they were put down."""
        query = "SELECT key, title, text FROM texts WHERE key NOT IN (SELECT key FROM vectors) ORDER BY rowid LIMIT ?"
        with explained(self._path):
            return list(self._connection.execute(query, (limit,)))

    def put(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float16], tokens: Sequence[Ids]) -> None:
        """Store vectors, shape ``(len(keys), dimension)``, and word-table token ids.

        Raises:
            StorageError: The disk is full; what was stored before stays.
        """
        rows = zip(keys, vectors, tokens, strict=True)
        with explained(self._path), self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                ((key, vector.tobytes(), ids.astype("<u4").tobytes()) for key, vector, ids in rows),
            )

    def batches(self, size: int) -> Iterator[Batch]:
        """All vectors, some at a time, as ``truth.Vectors.put`` takes them; of a damaged file what can be read."""
        with suppress(sqlite3.DatabaseError):  # the others are computed again
            rows = self._connection.execute("SELECT key, vector, tokens FROM vectors ORDER BY rowid")
            while some := rows.fetchmany(size):
                vectors = np.stack([np.frombuffer(vector, "<f2") for _, vector, _ in some])
                yield [key for key, _, _ in some], vectors, [np.frombuffer(tokens, "<u4") for _, _, tokens in some]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # on a full disk SQLite may have ended it
                self._connection.execute("ROLLBACK")
            raise


@contextmanager
def staging(data: Path, fingerprint: str, name: str) -> Iterator[Staged]:
    """Compute vectors of a model beside an archive; goes on with what an earlier attempt left of the same model.

    Args:
        name: Of the model, by which it can be asked for again.

    Raises:
        BusyError: Somebody is at it, in this process or another.
        StorageError: The data directory cannot be written.
    """
    path = data / _FILE
    try:
        with FileLock(data / _LOCK, timeout=0):
            with staged(data, fingerprint) as there:
                pass
            if there is None:
                _remove(path)
            with closing(_connected(path)) as connection:
                if there is None:
                    connection.execute("INSERT INTO model VALUES (?, ?)", (fingerprint, name))
                yield Staged(path, connection)
    except Timeout as error:
        raise BusyError(
            f"Another process is embedding the passages in {data} with a new model; wait until it has finished.",
            f"另一个进程正在用新模型为 {data} 中的段落计算向量；请等它结束。",
        ) from error


@contextmanager
def staged(data: Path, fingerprint: str) -> Iterator[Staged | None]:
    """What was computed of a model, ``None`` where nothing was, or the file is damaged: it can be made again."""
    if not (data / _FILE).is_file():
        yield None
        return
    try:
        connection = _connected(data / _FILE)
    except StorageError:
        raise
    except DataError:
        yield None
        return
    with closing(connection):
        try:
            row = connection.execute("SELECT fingerprint FROM model").fetchone()
        except sqlite3.DatabaseError:
            row = None
        yield Staged(data / _FILE, connection) if row == (fingerprint,) else None


def begun(data: Path) -> NextModel | None:
    """What a rebuild has computed so far, which goes on or was interrupted; ``None`` where there is none."""
    if (data / _FILE).is_file():
        with (
            suppress(DataError),
            closing(_connected(data / _FILE)) as connection,
        ):  # it is told, and can be done without
            with explained(data / _FILE):
                row = connection.execute("SELECT name FROM model").fetchone()
            if row:
                return NextModel(row[0], *Staged(data / _FILE, connection).counts())
    return None


def discard(data: Path) -> None:
    """Remove what was computed of any model, unless somebody is at it."""
    if (data / _FILE).is_file():
        with suppress(Timeout), FileLock(data / _LOCK, timeout=0):
            _remove(data / _FILE)


def _remove(path: Path) -> None:
    for suffix in ("-wal", "-shm", ""):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def _connected(path: Path) -> sqlite3.Connection:
    with explained(path):
        connection = connected(path)
        try:
            for statement in _TABLES:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        return connection
