"""What is known of the files that documents were read from, so that unchanged ones need not be read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

from index.walk import FileState, Stamp

# "0" follows "/": the members of an archive have paths below its own. Both halves use the index by path.
_INSIDE = "(path = ? OR (path > ? || '/' AND path < ? || '0'))"


class FileTable:
    """Reads and writes the table ``files``.

    Args:
        connection: Gives the calling thread's connection.
    """

    def __init__(self, connection: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connection

    def known(self, path: str) -> tuple[FileState, frozenset[str]] | None:
        """What was recorded of a file, with the ids of its documents.

        ``None`` where nothing was, or where some of its documents were removed or replaced from elsewhere since:
        such a file has to be read again.
        """
        query = "SELECT size, mtime_ns, ctime_ns, digest, options, documents FROM files WHERE path = ?"
        row = self._connection().execute(query, (path,)).fetchone()
        if row is None:
            return None
        ids = self._ids(path)
        state = FileState(path, Stamp(*row[:3]), row[3], row[4], row[5])
        return (state, ids) if len(ids) == state.documents else None

    def put(self, states: Iterable[FileState]) -> None:
        """Record files. Call inside ``transaction()``."""
        self._connection().executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((state.path, *state.stamp, state.digest, state.options, state.documents) for state in states),
        )

    def forget(self, document_path: str) -> None:
        """Forget the file, or the archives, that a document is being stored from. Call inside ``transaction()``.

        A run that ends before the file does must not leave a record of what the file was before.
        """
        inside = PurePath(document_path)
        paths = [(str(path),) for path in (inside, *inside.parents)]
        self._connection().executemany("DELETE FROM files WHERE path = ?", paths)

    def dropped(self, path: str, keep: frozenset[str]) -> list[str]:
        """Ids of the documents once read from a file that are no longer in it."""
        return sorted(self._ids(path) - keep)

    def all(self) -> Iterator[FileState]:
        """Everything recorded."""
        query = "SELECT path, size, mtime_ns, ctime_ns, digest, options, documents FROM files ORDER BY path"
        for path, size, modified, changed, digest, options, documents in self._connection().execute(query):
            yield FileState(path, Stamp(size, modified, changed), digest, options, documents)

    def _ids(self, path: str) -> frozenset[str]:
        rows = self._connection().execute(f"SELECT id FROM documents WHERE {_INSIDE}", (path,) * 3)  # noqa: S608
        return frozenset(id_ for (id_,) in rows)
