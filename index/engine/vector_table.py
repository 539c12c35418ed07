"""The embeddings in the SQLite file, one for each different passage, with its word-table token ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
import numpy.typing as npt

from index.engine.schema import batches

Ids = npt.NDArray[np.uint32]
# From two indexes alone. Left to itself, SQLite reads every passage with its text for it where they are to be in order:
# of 1.16 million 2.4 s, where this takes 0.3.
_WAITING = "SELECT number FROM passages INDEXED BY passages_by_key WHERE key NOT IN (SELECT key FROM vectors)"
_MARK = "embedded_to"  # a setting: every passage up to this number has a vector
_WAITING_AFTER = (
    "SELECT number FROM passages WHERE key NOT IN (SELECT key FROM vectors)"
    " AND number > ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'embedded_to'), 0)"
)
_STEP = 1_000  # passages from one mark to the next, as each is a transaction
_FEW = 10 * _STEP  # beyond the mark, which are read in less time than an index of all


class VectorTable:
    """Reads and writes the table ``vectors``.

    Args:
        connection: Gives the calling thread's connection.
        transaction: Begins a write transaction; see ``Store.transaction``.
    """

    def __init__(
        self,
        connection: Callable[[], sqlite3.Connection],
        transaction: Callable[..., AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._connection = connection
        self._transaction = transaction

    def waiting(self, limit: int | None = None, *, newest: bool = False) -> list[tuple[bytes, str, str]]:
        """``(key, title, text)`` of what still has to be embedded, once for each key; see ``truth.Vectors``."""
        order = "DESC" if newest else "ASC"
        query = f"SELECT key, title, text FROM passages WHERE number IN ({self.select_waiting()})"  # noqa: S608
        query += f" ORDER BY number {order} LIMIT ?"
        rows = self._connection().execute(query, (-1 if limit is None else limit,))  # -1: all
        return [(key, title, text) for key, (title, text) in {key: rest for key, *rest in rows}.items()]

    def pending(self) -> int:
        """How many different passages still have to be embedded."""
        query = "SELECT count(DISTINCT key) FROM passages WHERE key NOT IN (SELECT key FROM vectors)"
        return int(self._connection().execute(query).fetchone()[0])

    def dimension(self) -> int:
        """Of the stored vectors, 0 where there are none."""
        row = self._connection().execute("SELECT length(vector) / 2 FROM vectors LIMIT 1").fetchone()
        return 0 if row is None else int(row[0])

    def put(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float16], tokens: Sequence[Ids]) -> None:
        """Store vectors, shape ``(len(keys), dimension)``, and word-table token ids, in one transaction."""
        rows = zip(keys, vectors, tokens, strict=True)
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                ((key, vector.tobytes(), ids.astype("<u4").tobytes()) for key, vector, ids in rows),
            )

    def of(self, keys: Sequence[bytes]) -> dict[bytes, tuple[npt.NDArray[np.float16], Ids]]:
        """The stored vectors and token ids of these keys, those that wait left out."""
        found: dict[bytes, tuple[npt.NDArray[np.float16], Ids]] = {}
        for batch in batches(keys):
            query = f"SELECT key, vector, tokens FROM vectors WHERE key IN ({','.join('?' * len(batch))})"  # noqa: S608
            for key, vector, tokens in self._connection().execute(query, batch):
                found[key] = np.frombuffer(vector, "<f2"), np.frombuffer(tokens, "<u4")
        return found

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of the keys that have a vector."""
        found: set[bytes] = set()
        for batch in batches(keys):
            query = f"SELECT key FROM vectors WHERE key IN ({','.join('?' * len(batch))})"  # noqa: S608
            found.update(key for (key,) in self._connection().execute(query, batch))
        return found

    def after(self, number: int) -> Iterator[tuple[int, int, bytes, bytes, bytes]]:
        """``(passage, document, key, vector, tokens)`` of all embedded passages above ``number``, ascending."""
        query = (
            "SELECT passages.number, document, passages.key, vector, tokens FROM passages"
            " JOIN vectors ON vectors.key = passages.key WHERE passages.number > ? ORDER BY passages.number"
        )
        yield from self._connection().execute(query, (number,))

    def tokens_of(self, numbers: Sequence[int]) -> dict[int, Ids]:
        """The token ids of these passages, those that wait left out."""
        found: dict[int, Ids] = {}
        for batch in batches(numbers):
            query = (
                "SELECT number, tokens FROM passages JOIN vectors ON vectors.key = passages.key"  # noqa: S608
                f" WHERE number IN ({','.join('?' * len(batch))})"
            )
            for number, tokens in self._connection().execute(query, batch):
                found[number] = np.frombuffer(tokens, "<u4")
        return found

    def texts_of(self, numbers: Sequence[int]) -> tuple[list[str], list[Ids]]:
        """Texts, as they were cut into tokens, and token ids of these passages, those that wait left out."""
        texts: list[str] = []
        ids: list[Ids] = []
        for batch in batches(numbers):
            query = (
                "SELECT title, text, tokens FROM passages JOIN vectors ON vectors.key = passages.key"  # noqa: S608
                f" WHERE passages.number IN ({','.join('?' * len(batch))})"
            )
            for title, text, tokens in self._connection().execute(query, batch):
                texts.append(f"{title}\n{text}" if title else text)
                ids.append(np.frombuffer(tokens, "<u4"))
        return texts, ids

    def retokenise(self, tokenise: Callable[[Sequence[str]], list[Ids]]) -> None:
        """Replace the token ids of everything embedded, as when the word table changes. Inside ``transaction()``."""
        connection = self._connection()
        query = "SELECT vectors.key, title, text FROM vectors JOIN passages ON passages.key = vectors.key GROUP BY 1"
        rows = connection.execute(query).fetchall()
        for batch in batches(rows):
            ids = tokenise([f"{title}\n{text}" if title else text for _, title, text in batch])
            connection.executemany(
                "UPDATE vectors SET tokens = ? WHERE key = ?",
                [(each.astype("<u4").tobytes(), key) for each, (key, _, _) in zip(ids, batch, strict=True)],
            )

    def first_waiting(self) -> int | None:
        """The lowest number of a passage that still has to be embedded."""
        query = f"SELECT min(number) FROM ({self.select_waiting()})"  # noqa: S608
        number = self._connection().execute(query).fetchone()[0]
        return None if number is None else int(number)

    def select_waiting(self) -> str:
        """SQL for the numbers of the passages that still have to be embedded."""
        return _WAITING_AFTER if self._last() - self._mark() <= _FEW else _WAITING

    def mark(self) -> None:
        """Write down up to which passage all are embedded, for ``waiting`` to look beyond it only; where there are so
        many since that it pays."""
        if self._last() - self._mark() > _STEP:
            with self._transaction(counted=False) as connection:
                waiting = self.first_waiting()
                mark = self._last() if waiting is None else waiting - 1
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_MARK, str(mark)))

    def _mark(self) -> int:
        row = self._connection().execute("SELECT value FROM meta WHERE key = ?", (_MARK,)).fetchone()
        return 0 if row is None else int(row[0])

    def _last(self) -> int:
        return int(self._connection().execute("SELECT ifnull(max(number), 0) FROM passages").fetchone()[0])

    def drop_all(self) -> None:
        """Forget every vector, as when the model changes. Call inside ``transaction()``."""
        connection = self._connection()
        connection.execute("DELETE FROM vectors")
        connection.execute("DELETE FROM meta WHERE key = ?", (_MARK,))

    def drop_unused(self) -> int:
        """Forget vectors that no passage uses any more; returns how many."""
        with self._transaction() as connection:
            return connection.execute("DELETE FROM vectors WHERE key NOT IN (SELECT key FROM passages)").rowcount
