"""The truth: one SQLite file with documents, their passages and the passages' vectors.

Everything else in the data directory is derived from it and can be made again. This file owns the schema,
the transactions and nothing but: it knows no FAISS, no Tantivy, no model.

A write is acknowledged when its transaction has committed (WAL, ``synchronous=FULL``). Passage numbers are
never used twice, so a derived index that lags behind can be wrong only by missing rows or by rows that are gone.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from index.document import Document, Passage
from index.engine.connecting import Held, connected, explained
from index.engine.family_table import FamilyTable
from index.engine.file_table import FileTable
from index.engine.migrations import bring_up
from index.engine.passage_table import PassageTable
from index.engine.schema import (
    DOCUMENT_COLUMNS,
    ROW_COLUMNS,
    Row,
    batches,
    conditions_on,
    to_document,
    to_row,
)
from index.engine.vector_table import VectorTable

Numbers = npt.NDArray[np.int64]


class Store:
    """The SQLite file of one data directory. Safe to share between threads: each has a connection of its own.

    Args:
        cache: MB that each connection may keep of the file.

    Attributes:
        vectors: The embeddings of the passages.
        files: What is known of the files that documents were read from.
        families: Which texts are repeats of each other.
    """

    def __init__(self, path: Path, *, cache: int = 16) -> None:
        self.path = path
        self._cache = cache
        self._local = threading.local()
        self._held: WeakSet[Held] = WeakSet()
        self._lock = threading.Lock()
        self.files = FileTable(self._connection)
        self.vectors = VectorTable(self._connection, self.transaction)
        self.families = FamilyTable(self._connection, self.transaction, path)
        self._passages = PassageTable(self._connection, partial(self.transaction, counted=False))
        with explained(self.path):
            bring_up(self._connection(), path)

    def _connection(self) -> sqlite3.Connection:
        held: Held | None = getattr(self._local, "held", None)
        if held is None:
            self._local.held = held = Held(connected(self.path, cache=self._cache))
            with self._lock:
                self._held.add(held)
        return held.connection

    @contextmanager
    def transaction(self, *, counted: bool = True) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed (and on disk) when the block ends without an exception.

        Args:
            counted: It changes what derived indexes are made from, see ``revision``.

        Raises:
            StorageError: The disk is full or cannot be written; nothing of the block is kept.
            DataError: SQLite refused for another reason; nothing of the block is kept.
        """
        connection = self._connection()
        with explained(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                if counted:
                    connection.execute(
                        "INSERT INTO meta VALUES ('revision', '1')"
                        " ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
                    )
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # on a full disk SQLite may have ended it
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Reads of this thread inside the block all see one moment of the database."""
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connections of every thread."""
        with self._lock:
            for held in self._held:
                held.connection.close()
            self._held.clear()
        self._local = threading.local()

    def vacuum(self) -> None:
        """Write the file anew without the room of what was removed; takes twice its size for that time.

        Raises:
            StorageError: The disk is full; the file is as it was.
        """
        with explained(self.path):
            connection = self._connection()
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # What is known about the index as a whole

    def meta(self, key: str) -> str | None:
        """A setting of the index, ``None`` where it was never set."""
        with explained(self.path):
            row = self._connection().execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, **values: str) -> None:
        """Store settings of the index in one transaction."""
        with self.transaction():
            self.keep(**values)

    def keep(self, **values: str) -> None:
        """Store settings of the index. Call inside ``transaction()``."""
        self._connection().executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def counts(self) -> tuple[int, int]:
        """How many documents and passages there are."""
        connection = self._connection()
        documents = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
        passages = connection.execute("SELECT count(*) FROM passages").fetchone()[0]
        return int(documents), int(passages)

    # Documents

    def hashes(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Content hash of each of these documents that is stored."""
        found: dict[str, bytes] = {}
        for batch in batches(ids):
            marks = ",".join("?" * len(batch))
            found.update(
                self._connection().execute(f"SELECT id, hash FROM documents WHERE id IN ({marks})", batch)  # noqa: S608
            )
        return found

    def put(self, document: Document, digest: bytes, original: str, passages: Sequence[Passage]) -> None:
        """Add a document, or replace the one with its id. Call inside ``transaction()``."""
        connection = self._connection()
        connection.execute("DELETE FROM documents WHERE id = ?", (document.id,))
        cursor = connection.execute(
            "INSERT INTO documents (id, source, title, byline, date, url, tags, path, hash, original)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(document.id, document.source, document.title, document.byline, document.date, document.url),
                *(json.dumps(document.tags, ensure_ascii=False), document.path, digest),
                zlib.compress(original.encode("utf-8", "surrogatepass"), 6),
            ),
        )
        self._passages.put(int(cursor.lastrowid or 0), enumerate(passages))

    def recut(self, number: int, passages: Sequence[Passage]) -> None:
        """Give a document the passages of another cut of its text; see ``truth.Store``."""
        self._passages.recut(number, passages)

    def forget_retired(self) -> None:
        """Forget the passages of earlier cuts. Call once nothing is published that finds them."""
        self._passages.forget_retired()

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents with their passages; returns how many there were. Call inside ``transaction()``."""
        removed = 0
        for batch in batches(ids):
            marks = ",".join("?" * len(batch))
            removed += self._connection().execute(f"DELETE FROM documents WHERE id IN ({marks})", batch).rowcount  # noqa: S608
        return removed

    def documents(self, numbers: Iterable[int]) -> dict[int, Document]:
        """Documents by number; numbers that are gone are left out."""
        found: dict[int, Document] = {}
        for batch in batches(list(numbers)):
            marks = ",".join("?" * len(batch))
            query = (
                f"SELECT number, {DOCUMENT_COLUMNS} FROM documents INDEXED BY documents_told WHERE number IN ({marks})"  # noqa: S608
            )
            found.update((row[0], to_document(row[1:])) for row in self._connection().execute(query, batch))
        return found

    published_documents = documents  # their numbers stay

    def find(self, document_id: str) -> tuple[int, Document] | None:
        """A document and its number by its id."""
        query = f"SELECT number, {DOCUMENT_COLUMNS} FROM documents WHERE id = ?"  # noqa: S608
        row = self._connection().execute(query, (document_id,)).fetchone()
        return None if row is None else (int(row[0]), to_document(row[1:]))

    def original(self, number: int) -> str:
        """The decoded original text of a document, to which positions refer."""
        row = self._connection().execute("SELECT original FROM documents WHERE number = ?", (number,)).fetchone()
        return "" if row is None else zlib.decompress(row[0]).decode("utf-8", "surrogatepass")

    def document_numbers(self) -> list[int]:
        """The numbers of all documents, ascending."""
        return [number for (number,) in self._connection().execute("SELECT number FROM documents ORDER BY number")]

    def articles(self) -> Iterator[list[tuple[str, str]]]:
        """The passages of each document, as ``(title, text)`` in order."""
        rows = self._connection().execute("SELECT document, title, text FROM passages ORDER BY document, position")
        for _, passages in groupby(rows, key=itemgetter(0)):
            yield [(title, text) for _, title, text in passages]

    def page(
        self, *, limit: int, offset: int, source: str, text: str, date_from: str, date_to: str
    ) -> tuple[list[Document], int]:
        """A page of the documents ordered by id, with how many match in all. Empty conditions match everything;
        ``text`` must occur in the id, the title or the path."""
        conditions, values = conditions_on((source,) if source else (), (), date_from, date_to)
        if text:
            conditions.append("instr(lower(id || char(10) || title || char(10) || path), lower(?)) > 0")
            values.append(text)
        where = " AND ".join(conditions) or "1"
        connection = self._connection()
        total = connection.execute(f"SELECT count(*) FROM documents WHERE {where}", values).fetchone()[0]  # noqa: S608
        query = f"SELECT {DOCUMENT_COLUMNS} FROM documents WHERE {where} ORDER BY id LIMIT ? OFFSET ?"  # noqa: S608
        return [to_document(row) for row in connection.execute(query, (*values, limit, offset))], int(total)

    def ids_under(self, paths: Sequence[str]) -> dict[str, str]:
        """``{id: path}`` of the documents read from these files or from anywhere below these folders."""
        found: dict[str, str] = {}
        for path in paths:
            bare = path.rstrip("/")  # "0" follows "/": this way the index by path serves
            query = "SELECT id, path FROM documents WHERE path = ? OR (path > ? AND path < ?)"
            found.update(self._connection().execute(query, (path, f"{bare}/", f"{bare}0")))
        return found

    # Passages

    def rows(self, numbers: Iterable[int]) -> dict[int, Row]:
        """Passages by number, those of an earlier cut too while they are published; others are left out."""
        return self._passages.rows([int(number) for number in numbers])

    def rows_of(self, document: int, first: int = 0, last: int | None = None) -> list[Row]:
        """The passages of a document at positions ``first`` to ``last`` (inclusive), in order."""
        query = f"SELECT {ROW_COLUMNS} FROM passages WHERE document = ? AND position BETWEEN ? AND ? ORDER BY position"  # noqa: S608
        values = (document, first, last if last is not None else 2**62)
        return [to_row(row) for row in self._connection().execute(query, values)]

    def rows_after(self, number: int) -> Iterator[Row]:
        """All passages numbered above ``number``, ascending."""
        query = f"SELECT {ROW_COLUMNS} FROM passages WHERE number > ? ORDER BY number"  # noqa: S608
        yield from map(to_row, self._connection().execute(query, (number,)))

    def rows_waiting(self) -> Iterator[Row]:
        """The passages that have no vector yet, ascending by number."""
        query = f"SELECT {ROW_COLUMNS} FROM passages WHERE number IN ({self.vectors.select_waiting()}) ORDER BY number"  # noqa: S608
        yield from map(to_row, self._connection().execute(query))

    def headlines(self, limit: int) -> list[tuple[str, str, int]]:
        """Different headlines, the latest first, each with the id and position of a passage under it."""
        query = (
            "SELECT title, id, position FROM (SELECT title, document, min(position) AS position, max(number) AS latest"
            " FROM passages WHERE title <> '' GROUP BY title ORDER BY latest DESC LIMIT ?)"
            " JOIN (SELECT number, id FROM documents) ON document = number"
        )
        return [(str(title), str(id_), int(place)) for title, id_, place in self._connection().execute(query, (limit,))]

    def numbers(self) -> Numbers:
        """The numbers of all passages, ascending."""
        # As one text, and from an index instead of the rows: a fifth of the time at each write.
        (listed,) = self._connection().execute("SELECT group_concat(number) FROM passages").fetchone()
        return np.sort(np.fromstring(listed or "", np.int64, sep=","))

    def neighbours(self, rows: Sequence[Row]) -> dict[int, tuple[str, str]]:
        """By number of each passage the texts before and after it, empty where there is none."""
        found = {}
        for row in rows:
            near = self.rows_of(row.document, row.position - 1, row.position + 1)
            texts = {other.position: other.passage.text for other in near}
            found[row.number] = texts.get(row.position - 1, ""), texts.get(row.position + 1, "")
        return found

    def repeats(self, rows: Sequence[Row], limit: int) -> dict[int, list[Row]]:
        """By number of each passage those with its text or a repeat of it, itself among them, first come first."""
        return {row.number: self._repeats_of(row.key, limit) for row in rows}

    def _repeats_of(self, key: bytes, limit: int) -> list[Row]:
        query = f"SELECT {ROW_COLUMNS} FROM passages WHERE key BETWEEN ? AND ? ORDER BY number LIMIT ?"  # noqa: S608
        rows = [
            to_row(row)
            for text in self.families.texts_like(key[:8])
            for row in self._connection().execute(query, (text + bytes(8), text + b"\xff" * 8, limit))
        ]
        return sorted(rows, key=lambda row: row.number)[:limit]

    def matching(
        self, sources: Sequence[str], tags: Sequence[str], date_from: str, date_to: str, bylines: Sequence[str]
    ) -> Numbers:
        """Numbers of the passages whose document meets all conditions, ascending."""
        conditions, values = conditions_on(sources, tags, date_from, date_to, bylines)
        where = " AND ".join(conditions) or "1"
        query = (
            "SELECT passages.number FROM documents JOIN passages ON passages.document = documents.number"  # noqa: S608
            f" WHERE {where} ORDER BY passages.number"
        )
        return np.fromiter((row[0] for row in self._connection().execute(query, values)), dtype=np.int64)

    def revision(self) -> int:
        """Counts the write transactions; what derived indexes are compared with."""
        return int(self.meta("revision") or 0)

    def problems(self) -> list[str]:
        """What SQLite's own check finds wrong, empty when nothing is."""
        try:
            rows = self._connection().execute("PRAGMA integrity_check").fetchall()
            rows += self._connection().execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [str(row[0]) for row in rows if row[0] != "ok"]
