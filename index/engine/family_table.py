"""Families of repeats in the SQLite file: which texts stand for each other, and where new ones may meet them.

A text is known by the first 8 bytes of its passages' key. ``bands`` keeps where texts meet, ``families`` the texts
that have repeats, under the smallest text of their family. Both are derived from ``passages``; the highest passage
number they cover is in ``meta``, and goes there in the same transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.engine.comparing import beside, nothing
from index.engine.families import Comparison
from index.engine.schema import batches

# Passages compared in one transaction, an eighth of those there are between these: nearly every page of ``bands`` is
# written each time. Over 1.16 million passages committing took 19 s by 20,000, and 6 s by 80,000.
_CHUNK, _LARGEST = 20_000, 80_000


class FamilyTable:
    """Reads and writes the tables ``bands`` and ``families``.

    Args:
        connection: Gives the calling thread's connection.
        transaction: Begins a write transaction.
        path: The file.
    """

    def __init__(
        self,
        connection: Callable[[], sqlite3.Connection],
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        path: Path,
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._path = path
        self._wait: Callable[[], None] = nothing

    def pending(self) -> int:
        """How many passages still have to be compared with the others."""
        query = "SELECT count(*) FROM passages WHERE number > ?"
        return int(self._connection().execute(query, (self._covered(),)).fetchone()[0])

    @contextmanager
    def updating(self) -> Iterator[None]:
        """Compare what is new while the block runs, see ``finish``; where there is much, in a process of its own."""
        with beside(self._path) if self.pending() >= _CHUNK else nullcontext(nothing) as wait:
            self._wait = wait
            try:
                yield
            finally:
                self._wait = nothing

    def finish(self) -> None:
        """Compare what is new; takes time by what is new, not by what there is. Can be interrupted and resumed."""
        self._wait()
        query = "SELECT number, substr(key, 1, 8), text FROM passages WHERE number > ? ORDER BY number LIMIT ?"
        while rows := self._connection().execute(query, _next(self._covered())).fetchall():
            comparison = Comparison(self._meeting, self.texts_like, self._text)
            comparison.compare({key: text for _, key, text in rows})
            with self._transaction() as connection:  # no longer than it takes to write: another process embeds
                _keep(connection, comparison)
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('compared', ?)", (str(rows[-1][0]),))

    def drop_all(self) -> None:
        """Forget everything, so that it is made anew. Call inside ``transaction()``."""
        connection = self._connection()
        connection.execute("DELETE FROM bands")
        connection.execute("DELETE FROM families")
        connection.execute("DELETE FROM meta WHERE key = 'compared'")

    def texts_like(self, text: bytes) -> list[bytes]:
        """The texts of a family, this one among them."""
        query = "SELECT text FROM families WHERE family = (SELECT family FROM families WHERE text = ?) ORDER BY text"
        return [key for (key,) in self._connection().execute(query, (text,))] or [text]

    def all(self) -> npt.NDArray[np.uint64]:
        """Text keys, ascending, and under each its family, shape ``(2, n)``; texts without repeats are left out."""
        rows = self._connection().execute("SELECT text, family FROM families").fetchall()
        pairs = np.frombuffer(b"".join(text + family for text, family in rows), "<u8").reshape(-1, 2)
        return pairs[np.argsort(pairs[:, 0])].T.astype(np.uint64)

    def _covered(self) -> int:
        row = self._connection().execute("SELECT value FROM meta WHERE key = 'compared'").fetchone()
        return 0 if row is None else int(row[0])

    def _meeting(self, values: Sequence[int]) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        for batch in batches(values):
            marks = ",".join("?" * len(batch))
            query = f"SELECT value, text FROM bands WHERE value IN ({marks})"  # noqa: S608
            for value, text in self._connection().execute(query, batch):
                found.setdefault(value, []).append(text)
        return found

    def _text(self, key: bytes) -> str | None:
        query = "SELECT text FROM passages WHERE key BETWEEN ? AND ? LIMIT 1"
        row = self._connection().execute(query, (key + bytes(8), key + b"\xff" * 8)).fetchone()
        return None if row is None else str(row[0])


def _next(covered: int) -> tuple[int, int]:
    """After which passage the next begin, and how many those are."""
    return covered, min(max(_CHUNK, covered // 8), _LARGEST)


def _keep(connection: sqlite3.Connection, comparison: Comparison) -> None:
    fresh = sorted((value, key) for key, values in comparison.bands.items() for value in values if value)
    connection.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", fresh)
    connection.executemany("INSERT OR REPLACE INTO families VALUES (?, ?)", comparison.families.items())
