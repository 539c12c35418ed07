"""What is known of the files that documents were read from, in Milvus; see ``index.engine.truth.Files``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import PurePath

from index.engine.milvus.client import Client, quoted
from index.engine.milvus.documents import Documents
from index.engine.milvus.layout import FILES, LONGEST, NOTHING
from index.walk import FileState, Stamp


class FileRows:
    """Reads and writes the collection of files.

    A record that is missing only means that a file is read again. So records are forgotten before a transaction is
    safe, and written afterwards.
    """

    def __init__(self, client: Client, documents: Documents) -> None:
        self._client = client
        self._documents = documents

    def known(self, path: str) -> tuple[FileState, frozenset[str]] | None:
        """What was recorded of a file, with the ids of its documents; ``None`` where it has to be read again."""
        rows = self._client.query(FILES, f"path == {quoted(path)}", ("record",))
        if not rows:
            return None
        state = _state(path, rows[0]["record"])
        ids = frozenset(self._documents.below(path))
        return (state, ids) if len(ids) == state.documents else None

    def put(self, states: Iterable[FileState]) -> None:
        """Record files. Call inside ``transaction()``."""
        rows = [
            {"path": state.path, "record": _record(state), "vector": NOTHING}
            for state in states
            if len(state.path.encode("utf-8", "surrogatepass")) <= LONGEST
        ]
        self._documents.change.after.append(partial(self._client.upsert, FILES, rows))

    def forget(self, document_path: str) -> None:
        """Forget the file, or the archives, that a document is being stored from. Call inside ``transaction()``."""
        inside = PurePath(document_path)
        paths = [str(path) for path in (inside, *inside.parents)]
        self._documents.change.forgotten.update(paths)

    def dropped(self, path: str, keep: frozenset[str]) -> list[str]:
        """Ids of the documents once read from a file that are no longer in it."""
        return sorted(self._documents.below(path).keys() - keep)

    def all(self) -> Iterator[FileState]:
        """Everything recorded."""
        for row in self._client.every(FILES, ("path", "record")):
            yield _state(str(row["path"]), row["record"])


def _record(state: FileState) -> str:
    stamp = list(state.stamp)
    return json.dumps([*stamp, state.digest.hex(), state.options.hex(), state.documents])


def _state(path: str, record: str) -> FileState:
    *stamp, digest, options, documents = json.loads(record)
    return FileState(path, Stamp(*stamp), bytes.fromhex(digest), bytes.fromhex(options), documents)
