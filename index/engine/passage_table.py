"""The passages in the SQLite file, and those of an earlier cut for as long as what is published still finds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from index.document import Passage
from index.engine.schema import ROW_COLUMNS, Row, batches, passage_key, to_row

Placed = tuple[int, Passage]  # a passage and its position in its document


class PassageTable:
    """Reads and writes the tables ``passages`` and ``retired``.

    Args:
        connection: Gives the calling thread's connection.
        transaction: Begins a write that no index has to follow.
    """

    def __init__(
        self,
        connection: Callable[[], sqlite3.Connection],
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._connection = connection
        self._transaction = transaction

    def put(self, document: int, placed: Iterable[Placed]) -> None:
        """Add passages to a document. Call inside ``transaction()``."""
        self._connection().executemany(
            'INSERT INTO passages (document, position, title, text, page, start, "end", key)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (document, position, p.title, p.text, p.page, p.start, p.end, passage_key(p.text, p.title))
                for position, p in placed
            ),
        )

    def recut(self, document: int, passages: Sequence[Passage]) -> None:
        """Give a document the passages of another cut of its text; see ``truth.Store``. Call inside ``transaction()``.

        A passage that is the same in both keeps its number, and the others are retired.
        """
        connection = self._connection()
        query = f"SELECT {ROW_COLUMNS} FROM passages WHERE document = ? ORDER BY position"  # noqa: S608
        before = {row.passage: row for row in map(to_row, connection.execute(query, (document,)))}
        if list(before) == list(passages):
            return
        kept = before.keys() & set(passages)
        gone = [row.number for passage, row in before.items() if passage not in kept]
        for some in batches(gone):
            these = f"WHERE number IN ({','.join('?' * len(some))})"
            connection.execute(f"INSERT INTO retired SELECT {ROW_COLUMNS} FROM passages {these}", some)  # noqa: S608
            connection.execute(f"DELETE FROM passages {these}", some)  # noqa: S608
        # A position is one passage's: those that stay make room before they move.
        connection.execute("UPDATE passages SET position = -1 - position WHERE document = ?", (document,))
        connection.executemany(
            "UPDATE passages SET position = ? WHERE number = ?",
            [(position, before[passage].number) for position, passage in enumerate(passages) if passage in kept],
        )
        self.put(document, ((position, one) for position, one in enumerate(passages) if one not in kept))

    def rows(self, numbers: Sequence[int]) -> dict[int, Row]:
        """Passages by number, retired ones too; numbers that are gone are left out."""
        found = self._rows("passages", numbers)
        if len(found) < len(numbers):
            found |= self._rows("retired", [number for number in numbers if number not in found])
        return found

    def _rows(self, table: str, numbers: Sequence[int]) -> dict[int, Row]:
        found: dict[int, Row] = {}
        for some in batches(numbers):
            query = f"SELECT {ROW_COLUMNS} FROM {table} WHERE number IN ({','.join('?' * len(some))})"  # noqa: S608
            found.update((row[0], to_row(row)) for row in self._connection().execute(query, some))
        return found

    def forget_retired(self) -> None:
        """Forget the passages of earlier cuts, as nothing that is published finds them any more."""
        if self._connection().execute("SELECT 1 FROM retired LIMIT 1").fetchone():
            with self._transaction() as connection:
                connection.execute("DELETE FROM retired")
