"""The truth in Milvus: documents, their passages and their originals; see ``index.engine.truth.Store``.

What is asked by number is asked at once; lists of documents have no order in Milvus, so they are read by ranges of
numbers, and put in order here.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import local

from index.document import Document, Passage
from index.engine.milvus.client import MOST, Client, Fields, listed, quoted
from index.engine.milvus.filters import condition
from index.engine.milvus.journal import ALIVE, RECUT, Change, Journal
from index.engine.milvus.layout import DOCUMENTS, FILES, NOTHING, PARTS, POSITIONS, TEXTS, check_lengths
from index.engine.schema import Row, passage_key
from index.errors import DataError

_PART = 60_000  # characters of a part
_RANGE = 512  # documents read at once
_ROWS = 4_000  # passages read at once
_MASK = (1 << 64) - 1
TEXT_FIELDS = ("number", "document", "title", "text", "page", "start", "stop", "said", "whole")
_ABOUT = ("number", "gone", "hash", "id", "source", "title", "byline", "date", "url", "tags", "path")


class Documents:
    """Reads and writes documents; safe to share between threads.

    Args:
        journal: Makes a transaction safe.
    """

    def __init__(self, client: Client, journal: Journal) -> None:
        self._client = client
        self._journal = journal
        self._local = local()

    # Transactions

    @contextmanager
    def transaction(self) -> Iterator[Change]:
        """One write; nothing is sent before the block ends without an exception."""
        self._local.change = change = Change()
        try:
            yield change
        finally:
            self._local.change = None
        change.gone.update(self._numbers_of(list(change.documents)))  # what is replaced
        forgotten = sorted(change.forgotten)
        for start in range(0, len(forgotten), _RANGE):
            self._client.delete(FILES, f"path in {listed(forgotten[start : start + _RANGE])}")
        self._journal.commit(change)

    @property
    def change(self) -> Change:
        """What the transaction of this thread will write."""
        change: Change | None = getattr(self._local, "change", None)
        assert change is not None, "outside transaction()"
        return change

    def put(self, document: Document, digest: bytes, original: str, passages: Sequence[Passage]) -> None:
        """Add a document, or replace the one with its id. Call inside ``transaction()``."""
        facts = (document.id, document.source, document.title, document.byline, document.date, document.url)
        texts = [value for passage in passages for value in (passage.title, passage.text)]
        check_lengths(document.id, (*facts, document.path, *texts), document.tags)
        if len(passages) >> POSITIONS:
            raise DataError(f"The document {document.id} is too long.", f"文档 {document.id} 过长。")
        change = self.change
        packed = b64encode(zlib.compress(original.encode("utf-8", "surrogatepass"), 6)).decode("ascii")
        change.documents[document.id] = (
            {
                **dict(zip(("id", "source", "title", "byline", "date", "url"), facts, strict=True)),
                **{"path": document.path, "tags": list(document.tags), "hash": digest.hex()},
                **{"passages": len(passages), "gone": ALIVE, "vector": NOTHING},
            },
            [_text_row(position, passage) for position, passage in enumerate(passages)],
            [
                {"number": place, "part": packed[start : start + _PART], "vector": NOTHING}
                for place, start in enumerate(range(0, len(packed), _PART))
            ],
        )

    def recut(self, number: int, passages: Sequence[Passage]) -> None:
        """Give a document the passages of another cut of its text; see ``truth.Store``. It gets another number, and is
        found under both until what has the old one is no longer published."""
        if [row.passage for row in self.rows_of(number)] != list(passages):
            document = self.documents([number])[number]
            self.put(document, self.hashes([document.id])[document.id], self.original(number), passages)
            self.change.recut.add(number)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents with their passages; returns how many there were. Call inside ``transaction()``."""
        change = self.change
        rows = self._found(list(dict.fromkeys(ids)), ("number", "id"))
        removed = {str(row["id"]) for row in rows} | (change.documents.keys() & set(ids))
        for id_ in ids:
            change.documents.pop(id_, None)
        change.gone.update(int(row["number"]) for row in rows)
        return len(removed)

    def _numbers_of(self, ids: Sequence[str]) -> list[int]:
        return [int(row["number"]) for row in self._found(ids, ("number",))]

    def _found(self, ids: Sequence[str], fields: Sequence[str]) -> list[Fields]:
        rows: list[Fields] = []
        for start in range(0, len(ids), _RANGE):
            where = f"id in {listed(ids[start : start + _RANGE])} and gone == {ALIVE}"
            rows += self._client.query(DOCUMENTS, where, fields)
        return self._journal.acknowledged(rows)

    # By number and by id

    def hashes(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Content hash of each of these documents that is stored."""
        rows = self._found(list(dict.fromkeys(ids)), ("number", "id", "hash"))
        rows.sort(key=lambda row: row["number"])  # of two, one of which is about to be marked as gone, the later counts
        return {str(row["id"]): bytes.fromhex(row["hash"]) for row in rows}

    def documents(self, numbers: Iterable[int]) -> dict[int, Document]:
        """Documents by number; numbers that are gone are left out."""
        return {int(row["number"]): to_document(row) for row in self._numbered(numbers) if row["gone"] == ALIVE}

    def published_documents(self, numbers: Iterable[int]) -> dict[int, Document]:
        """Documents by number, those cut anew also by the number that is published."""
        rows = self._numbered(numbers)
        recut = [row for row in rows if row["gone"] >= RECUT]
        hashes = self.hashes([str(row["id"]) for row in recut])  # it may have been removed or replaced since
        there = {row["number"] for row in recut if hashes.get(str(row["id"])) == bytes.fromhex(row["hash"])}
        return {int(row["number"]): to_document(row) for row in rows if row["gone"] == ALIVE or row["number"] in there}

    def _numbered(self, numbers: Iterable[int]) -> list[Fields]:
        wanted = list(numbers)
        rows: list[Fields] = []
        for start in range(0, len(wanted), _RANGE):
            rows += self._client.query(DOCUMENTS, f"number in {listed(wanted[start : start + _RANGE])}", _ABOUT)
        return self._journal.acknowledged(rows)

    def find(self, document_id: str) -> tuple[int, Document] | None:
        """A document and its number by its id."""
        rows = self._found([document_id], _ABOUT)
        if not rows:
            return None
        row = max(rows, key=lambda row: int(row["number"]))
        return int(row["number"]), to_document(row)

    def original(self, number: int) -> str:
        """The decoded original text of a document, to which positions refer."""
        first = number << POSITIONS
        within = f"number >= {first} and number < {first + (1 << POSITIONS)}"
        rows = self._client.query(PARTS, within, ("number", "part"))
        packed = "".join(str(row["part"]) for row in sorted(rows, key=lambda row: int(row["number"])))
        return zlib.decompress(b64decode(packed)).decode("utf-8", "surrogatepass") if packed else ""

    def rows(self, numbers: Iterable[int]) -> dict[int, Row]:
        """Passages by number; numbers that are gone are left out."""
        wanted = [int(number) for number in numbers]
        found: dict[int, Row] = {}
        for start in range(0, len(wanted), _RANGE):
            where = f"number in {listed(wanted[start : start + _RANGE])}"
            found.update((int(row["number"]), to_row(row)) for row in self._client.query(TEXTS, where, TEXT_FIELDS))
        return found

    def rows_of(self, document: int, first: int = 0, last: int | None = None) -> list[Row]:
        """The passages of a document at positions ``first`` to ``last`` (inclusive), in order."""
        start = document << POSITIONS
        first, stop = start + max(first, 0), start + min((1 << POSITIONS) - 1 if last is None else last, MOST * 64)
        found: list[Row] = []
        while first <= stop:
            end = min(first + _ROWS - 1, stop)
            rows = self._client.query(TEXTS, f"number >= {first} and number <= {end}", TEXT_FIELDS)
            found += sorted(map(to_row, rows), key=lambda row: row.number)
            if not rows:  # positions have no gaps
                break
            first = end + 1
        return found

    def neighbours(self, rows: Sequence[Row]) -> dict[int, tuple[str, str]]:
        """By number of each passage the texts before and after it, empty where there is none."""
        near = self.rows({number for row in rows for number in (row.number - 1, row.number + 1)})
        texts = {(row.document, row.position): row.passage.text for row in near.values()}
        return {
            row.number: (
                texts.get((row.document, row.position - 1), ""),
                texts.get((row.document, row.position + 1), ""),
            )
            for row in rows
        }

    # Lists

    def ranges(self, fields: Sequence[str], where: str = "", first: int = 1) -> Iterator[list[Fields]]:
        """The documents that are there, by ascending numbers from ``first`` on, some at a time."""
        end = self._journal.safe().next
        extra = f" and {where}" if where else ""
        for start in range(first, end, _RANGE):
            last = min(start + _RANGE, end)
            within = f"number >= {start} and number < {last} and gone == {ALIVE}{extra}"
            rows = self._client.query(DOCUMENTS, within, ("number", *fields))
            if rows:
                yield sorted(rows, key=lambda row: int(row["number"]))

    def texts_of(self, documents: Sequence[Fields]) -> Iterator[list[Row]]:
        """The passages of documents with consecutive numbers, given by ``number`` and ``passages``, some at a time."""
        batch: list[int] = []
        size = 0
        for document in documents:
            number, passages = int(document["number"]), int(document["passages"])
            if batch and size + passages > _ROWS:
                yield self._texts(batch)
                batch, size = [], 0
            if passages > _ROWS:
                yield self.rows_of(number)
                continue
            batch.append(number)
            size += passages
        if batch:
            yield self._texts(batch)

    def _texts(self, documents: Sequence[int]) -> list[Row]:
        rows = self._client.query(TEXTS, f"document in {listed(documents)}", TEXT_FIELDS)
        return sorted(map(to_row, rows), key=lambda row: row.number)

    def document_numbers(self) -> list[int]:
        """The numbers of all documents, ascending."""
        return [int(row["number"]) for some in self.ranges(()) for row in some]

    def articles(self) -> Iterator[list[tuple[str, str]]]:
        """The passages of each document, as ``(title, text)`` in order."""
        for some in self.ranges(("passages",)):
            for rows in self.texts_of(some):
                by_document: dict[int, list[tuple[str, str]]] = {}
                for row in rows:
                    by_document.setdefault(row.document, []).append((row.passage.title, row.passage.text))
                yield from by_document.values()

    def page(
        self, *, limit: int, offset: int, source: str, text: str, date_from: str, date_to: str
    ) -> tuple[list[Document], int]:
        """A page of the documents ordered by id, with how many match in all; reads the ids of all that match."""
        where = condition(sources=(source,) if source else (), date_from=date_from, date_to=date_to)
        wanted = text.lower()
        found: list[tuple[str, int]] = []
        for some in self.ranges(("id", "title", "path") if text else ("id",), where):
            for row in some:
                if not text or wanted in f"{row['id']}\n{row['title']}\n{row['path']}".lower():
                    found.append((str(row["id"]), int(row["number"])))
        found.sort()
        documents = self.documents([number for _, number in found[offset : offset + limit]])
        return sorted(documents.values(), key=lambda document: document.id), len(found)

    def below(self, path: str) -> dict[str, str]:
        """``{id: path}`` of the documents read from this file, or from anywhere below this folder or archive."""
        bare = path.rstrip("/")
        # "0" follows "/" in the order of characters.
        where = f"(path == {quoted(path)} or (path > {quoted(bare + '/')} and path < {quoted(bare + '0')}))"
        rows = self._client.query(DOCUMENTS, f"{where} and gone == {ALIVE}", ("number", "id", "path"))
        if len(rows) >= MOST:  # there may be more
            rows = [row for some in self.ranges(("id", "path"), where) for row in some]
        return {str(row["id"]): str(row["path"]) for row in self._journal.acknowledged(rows)}

    def ids_under(self, paths: Sequence[str]) -> dict[str, str]:
        """``{id: path}`` of the documents read from these files or from anywhere below these folders."""
        found: dict[str, str] = {}
        for path in paths:
            found.update(self.below(path))
        return found

    def headlines(self, limit: int) -> list[tuple[str, str, int]]:
        """Different headlines, the latest first, each with the id and position of a passage under it."""
        found: dict[str, tuple[str, int]] = {}
        for first in range(max(1, self._journal.safe().next - _RANGE), -_RANGE, -_RANGE):
            where = f"number >= {first} and number < {first + _RANGE} and gone == {ALIVE}"
            documents = self._journal.acknowledged(self._client.query(DOCUMENTS, where, ("number", "passages", "id")))
            documents.sort(key=lambda row: -int(row["number"]))
            ids = {int(row["number"]): str(row["id"]) for row in documents}
            for rows in self.texts_of(documents):
                under: dict[tuple[int, str], int] = {}
                for row in rows:
                    under.setdefault((row.document, row.passage.title), row.position)
                for (document, title), position in sorted(under.items(), key=lambda item: (-item[0][0], -item[1])):
                    if title and title not in found:
                        found[title] = ids[document], position
            if len(found) >= limit:
                break
        return [(title, *place) for title, place in found.items()][:limit]


def to_document(row: Fields) -> Document:
    """A row of ``documents`` as a document."""
    id_, source, title, byline, date, url, path = (
        str(row[name]) for name in ("id", "source", "title", "byline", "date", "url", "path")
    )
    return Document(id_, source, title, byline, date, url, tuple(map(str, row["tags"])), path)


def to_row(row: Fields) -> Row:
    """A row of ``texts`` as a passage with its place."""
    number, document, page = int(row["number"]), int(row["document"]), int(row["page"])
    passage = Passage(
        str(row["text"]), int(row["start"]), int(row["stop"]), str(row["title"]), page if page >= 0 else None
    )
    key = (int(row["said"]) & _MASK).to_bytes(8, "little") + (int(row["whole"]) & _MASK).to_bytes(8, "little")
    return Row(number, document, number - (document << POSITIONS), passage, key)


def halves(key: bytes) -> tuple[int, int]:
    """A passage's key as two signed numbers: of the text, and of the text with its title."""
    return int.from_bytes(key[:8], "little", signed=True), int.from_bytes(key[8:], "little", signed=True)


def _text_row(position: int, passage: Passage) -> Fields:
    said, whole = halves(passage_key(passage.text, passage.title))
    return {
        **{"number": position, "page": -1 if passage.page is None else passage.page},
        **{"start": passage.start, "stop": passage.end, "said": said, "whole": whole},
        **{"title": passage.title, "text": passage.text, "vector": NOTHING},
    }
