"""Transactions on Milvus, which has none: one row says what is safe, and everything else is written around it.

A transaction writes its new documents under numbers nobody has used, originals and passages first; then it rewrites
the row ``safe`` in a single request, which is the moment of acknowledgement: the next free number, the documents
that are gone, the settings. Only then the documents that are gone are marked. The next writer, who may follow a
crash at any step, removes whatever lies beyond the next free number and marks what the row says is gone: the
archive is what the acknowledged transactions made it, no more and no less.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar
from zlib import compress, decompress

import numpy as np

from index.engine.milvus.client import Client, Fields, listed
from index.engine.milvus.layout import DOCUMENTS, LONGEST, META, NOTHING, PARTS, POSITIONS, TEXTS
from index.engine.milvus.lease import Lease
from index.errors import DataError

T = TypeVar("T")

ALIVE = -1  # ``gone`` of a document that is there
# Added to ``gone`` of one that is there under another number, cut otherwise, which is not published yet.
RECUT = 1 << 40
DOCUMENT_FIELDS = (
    "number", "passages", "gone", "id", "source", "title", "byline", "date", "url", "path", "hash", "tags", "vector",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Safe:
    """What the row says.

    Attributes:
        revision: Counts the transactions.
        next: The lowest document number not used yet.
        gone: Documents that the last transaction removed; below 0 those that it only cut anew.
        settings: Of the archive.
    """

    revision: int = 0
    next: int = 1
    gone: tuple[int, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is published.

    Attributes:
        revision, next: Of ``Safe``, when it was published.
        edition: Number of the derived collections.
        fingerprint, dimension: Of the embedding model.
        table: Fingerprint of the word table.
        documents, passages, tokens: How many there are.
        average: Tokens of a passage, as they were counted when the edition was begun.
        buckets: Rows over which the document frequencies are spread.
        waiting: Whether some passages have no embedding yet.
        phrases: Number and parts of the list of phrases, and for how many passages it was made.
    """

    generation: int
    revision: int
    next: int
    edition: int
    fingerprint: str
    dimension: int
    table: str
    documents: int
    passages: int
    tokens: int
    average: float
    buckets: int
    waiting: bool
    phrases: tuple[int, int, int] = (0, 0, 0)


@dataclass(slots=True)
class Change:
    """What a transaction will write.

    Attributes:
        documents: New ones by id, with their passages' rows and the parts of their originals.
        gone: Numbers of those that will be no more.
        recut: Which of them are only cut anew.
        settings: Those that become others.
        forgotten: Paths of files that must not stay recorded.
        after: What has to be written once the rest is safe; if a crash prevents it, nothing is lost.
    """

    documents: dict[str, tuple[Fields, list[Fields], list[Fields]]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    recut: set[int] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    after: list[Callable[[], None]] = field(default_factory=list)


class Journal:
    """Reads and writes the rows ``safe`` and ``published``."""

    def __init__(self, client: Client, lease: Lease) -> None:
        self._client = client
        self._lease = lease
        self._whole = False  # whether what an earlier writer may have left is put right
        self._next = 1  # below it documents are known to be safe

    def safe(self) -> Safe:
        """What is safe."""
        row = self._row("safe")
        if row is None:
            return Safe()
        facts = json.loads(row)
        safe = read_as(Safe, {**facts, "gone": _unpacked(facts["gone"])})
        self._next = safe.next
        return safe

    def acknowledged(self, documents: list[Fields]) -> list[Fields]:
        """Those of some rows of documents that a transaction made safe: a writer that is at it, or was killed, may
        have left others, which are nobody's yet. What is safe is asked only of numbers that were not seen before."""
        end = self._next
        if any(int(row["number"]) >= end for row in documents):
            with self._client.strict():  # an older state would hide the new version of a document that is gone already
                end = self.safe().next
        return [row for row in documents if int(row["number"]) < end]

    def published(self) -> Manifest | None:
        """What is published, ``None`` before the first time."""
        row = self._row("published")
        if row is None:
            return None
        facts = json.loads(row)
        return read_as(Manifest, {**facts, "phrases": tuple(facts["phrases"])})

    def publish(self, manifest: Manifest) -> None:
        """Make a generation the one that is searched."""
        self._lease.check()
        self._write("published", json.dumps(asdict(manifest)))

    def begin(self) -> None:
        """Put right what a crash of another writer may have left. Call when one has become the writer."""
        self._whole = False
        self._recover()

    def commit(self, change: Change) -> None:
        """Write a transaction."""
        self._lease.check()
        self._recover()
        safe = self.safe()
        documents = list(change.documents.values())
        gone = tuple(sorted(-number if number in change.recut else number for number in change.gone))
        after = Safe(safe.revision + 1, safe.next + len(documents), gone, safe.settings | change.settings)
        written = json.dumps({**asdict(after), "gone": _packed(after.gone)})
        if len(written) > LONGEST:
            raise DataError(
                f"{len(after.gone)} documents are too many for Milvus to remove at once; remove fewer at a time.",
                f"{len(after.gone)} 篇文档太多，Milvus 无法一次删除；请分批删除。",
            )
        self._whole = False
        for number, (document, texts, parts) in enumerate(documents, safe.next):
            document["number"] = number
            for row in texts:
                row["number"] |= number << POSITIONS
                row["document"] = number
            for row in parts:
                row["number"] |= number << POSITIONS
        self._client.upsert(PARTS, (row for _, _, parts in documents for row in parts))
        self._client.upsert(TEXTS, (row for _, texts, _ in documents for row in texts))
        self._client.upsert(DOCUMENTS, (document for document, _, _ in documents))
        self._lease.check()
        self._write("safe", written)
        self._mark(after.gone)
        self._whole = True
        for work in change.after:
            work()

    def _recover(self) -> None:
        if self._whole:
            return
        with self._client.strict():
            safe = self.safe()
            # Beyond the next number there is only what was never acknowledged.
            self._client.delete(DOCUMENTS, f"number >= {safe.next}")
            for name in (TEXTS, PARTS):
                self._client.delete(name, f"number >= {safe.next << POSITIONS}")
            self._mark(safe.gone)
        self._whole = True

    def _mark(self, numbers: Sequence[int]) -> None:
        """Mark documents, given as ``Safe.gone`` has them, as gone since the generation that is published now."""
        if not numbers:
            return
        manifest = self.published()
        generation = 0 if manifest is None else manifest.generation
        for start in range(0, len(numbers), 1_000):
            some = numbers[start : start + 1_000]
            where = f"number in {listed([abs(number) for number in some])} and gone == {ALIVE}"
            recut = {-number for number in some if number < 0}
            rows = self._client.query(DOCUMENTS, where, DOCUMENT_FIELDS)
            self._client.upsert(
                DOCUMENTS, ({**row, "gone": generation + RECUT * (row["number"] in recut)} for row in rows)
            )

    def _row(self, name: str) -> str | None:
        rows = self._client.query(META, f'name == "{name}"', ["value"])
        return str(rows[0]["value"]) if rows else None

    def _write(self, name: str, value: str) -> None:
        self._client.upsert(META, [{"name": name, "value": value, "vector": NOTHING}])


def read_as(kind: Callable[..., T], facts: Fields) -> T:
    """A row of facts as what it was written from.

    Raises:
        DataError: It has other facts than this version knows.
    """
    try:
        return kind(**facts)
    except TypeError as error:
        raise DataError(
            "The archive in Milvus was written by a newer version of this program; use that version.",
            "Milvus 中的档案由本程序的更新版本写入；请使用该版本。",
        ) from error


def _packed(numbers: Sequence[int]) -> str:
    """Ascending numbers as text: their differences, most of which are small, compressed."""
    return b64encode(compress(np.diff(numbers, prepend=0).astype("<i8").tobytes())).decode("ascii")


def _unpacked(text: str) -> tuple[int, ...]:
    return tuple(np.cumsum(np.frombuffer(decompress(b64decode(text)), "<i8")).tolist())
