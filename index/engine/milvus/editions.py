"""Editions: the derived rows that are searched, and the vectors in them; see ``index.engine.truth.Vectors``.

An edition is a collection of passages with their embeddings, BM25 weights and filters, and one of document
frequencies. It is filled as passages come, and made anew beside the old one when the model, the word table or the
mean length of passages changes; vectors of the same model are taken over. A passage without an embedding is there too,
to be found by words, with ``embedded`` 0 and a vector that stands for nothing.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from index.chinese import fold, tokens
from index.document import Document
from index.engine.milvus.client import Client, Fields, listed
from index.engine.milvus.documents import Documents, halves
from index.engine.milvus.journal import Journal, read_as
from index.engine.milvus.layout import LONGEST, TEXTS, create_edition, passages_of
from index.engine.milvus.weights import weights_of
from index.engine.schema import Row
from index.wordtable import Ids

_EDITION = "edition"  # the setting
_SAMPLE = 4_000  # passages whose mean length an edition is begun with
_CHUNK = 500  # passages looked up at once
_FEWEST, _MOST_BUCKETS = 256, 1 << 20
_PER_BUCKET = 4  # passages for each row of document frequencies: some hundred tokens in it

Vector = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Edition:
    """A set of derived collections.

    Attributes:
        dimension: Of its vectors; 0 while it is not begun, and its collections are not there.
        average: Tokens of a passage, for BM25.
        buckets: Rows over which the document frequencies are spread.
    """

    number: int
    dimension: int = 0
    average: float = 0.0
    buckets: int = _FEWEST


class Editions:
    """The edition that is written to, and its rows; safe to share between threads, but written to by one."""

    def __init__(self, client: Client, journal: Journal, documents: Documents) -> None:
        self._client = client
        self._journal = journal
        self._documents = documents

    # Which edition

    def current(self) -> Edition:
        """The edition that is written to."""
        written = self._journal.safe().settings.get(_EDITION)
        return Edition(1) if written is None else read_as(Edition, json.loads(written))

    def renew(self) -> None:
        """Write to another edition from now on. Call inside ``transaction()``."""
        edition, manifest = self.current(), self._journal.published()
        if edition.dimension or (manifest is not None and manifest.edition == edition.number):
            self._documents.change.settings[_EDITION] = json.dumps(asdict(Edition(edition.number + 1)))

    def begin(self, dimension: int) -> Edition:
        """The edition that is written to, made if it is not there yet."""
        edition = self.current()
        if edition.dimension:
            return edition
        lengths: list[int] = []
        passages = 0
        for some in self._documents.ranges(("passages",)):
            passages += sum(int(row["passages"]) for row in some)
            if len(lengths) < _SAMPLE:
                documents = self._documents.documents(int(row["number"]) for row in some)
                texts = (row for rows in self._documents.texts_of(some) for row in rows if row.document in documents)
                lengths += [len(tokens(searched_text(row, documents[row.document]))) for row in texts]
        buckets = min(max(_FEWEST, 1 << (passages // _PER_BUCKET).bit_length()), _MOST_BUCKETS)
        average = sum(lengths) / len(lengths) if lengths else 1.0
        edition = Edition(edition.number, dimension, average, buckets)
        create_edition(self._client, edition.number, dimension)
        with self._documents.transaction() as change:
            change.settings[_EDITION] = json.dumps(asdict(edition))
        return edition

    def weigh(self, edition: Edition, average: float) -> Edition:
        """Have an edition's weights count with another mean length; its rows have to be written anew."""
        edition = replace(edition, average=average)
        with self._documents.transaction() as change:
            change.settings[_EDITION] = json.dumps(asdict(edition))
        return edition

    def _with_vectors(self, fingerprint: str) -> list[int]:
        """Numbers of the editions whose vectors are of this model."""
        edition, manifest = self.current(), self._journal.published()
        numbers = [edition.number] if edition.dimension else []
        if manifest is not None and manifest.edition not in numbers and manifest.fingerprint == fingerprint:
            numbers.append(manifest.edition)
        return numbers

    # ``Vectors``

    def waiting(self, limit: int | None = None, *, newest: bool = False) -> list[tuple[bytes, str, str]]:
        """``(key, title, text)`` of what still has to be embedded, once for each key; see ``truth.Vectors``."""
        rows = [row for some in self._waiting_rows(None if newest else limit) for row in some]
        if newest and limit is not None:
            rows = sorted(rows, key=lambda row: -row.number)[:limit]
        found = {row.key: row.passage for row in rows}
        return [(key, passage.title, passage.text) for key, passage in found.items()]

    def pending(self) -> int:
        """How many different passages still have to be embedded."""
        return len(self.waiting())

    def dimension(self) -> int:
        """Of the stored vectors, 0 where there are none."""
        safe, manifest = self._journal.safe(), self._journal.published()
        if (dimension := self.current().dimension) or manifest is None:
            return dimension
        return manifest.dimension if manifest.fingerprint == safe.settings.get("fingerprint") else 0

    def put(self, keys: Sequence[bytes], vectors: Vector, token_ids: Sequence[Ids]) -> None:
        """Store vectors, shape ``(len(keys), dimension)``, and word-table token ids."""
        edition = self.begin(vectors.shape[1])
        given = dict(zip(keys, zip(vectors, token_ids, strict=True), strict=True))
        for rows in self._having(list(given)):
            self.write(edition, ((row, *given[row.key]) for row in rows if row.key in given))
        with self._documents.transaction():
            pass  # so that the revision says that something changed

    def of(self, keys: Sequence[bytes]) -> dict[bytes, tuple[Vector, Ids]]:
        """The stored vectors and token ids of these keys, those that wait left out."""
        return self._known(keys, with_vectors=True)

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of the keys that have a vector."""
        return set(self._known(keys))

    def retokenise(self, _tokenise: Callable[[Sequence[str]], list[Ids]]) -> None:
        """Have the next publication make an edition with other token ids. Call inside ``transaction()``."""
        self.renew()

    def drop_all(self) -> None:
        """Forget every vector, as when the model changes. Call inside ``transaction()``."""
        self.renew()

    def drop_unused(self) -> int:
        """Nothing to do: a vector lives and dies with its passages."""
        return 0

    # Rows

    def write(self, edition: Edition, rows: Iterable[tuple[Row, Vector | None, Ids]]) -> None:
        """Write passages into an edition, ``None`` standing for a vector that is not there yet; those whose document
        is gone are left out."""
        batch = list(rows)
        for start in range(0, len(batch), _CHUNK):
            some = batch[start : start + _CHUNK]
            documents = self._documents.documents({row.document for row, _, _ in some})
            self._client.upsert(
                passages_of(edition.number),
                (
                    _passage_row(edition, row, documents[row.document], vector, ids)
                    for row, vector, ids in some
                    if row.document in documents
                ),
            )

    def present(self, edition: Edition, rows: Sequence[Row]) -> dict[int, tuple[Vector | None, Ids]]:
        """What an edition has of these passages, by number: the vector, if there is one, and the token ids."""
        fields = ("number", "embedded", "vector", "words")
        found = self._find(edition.number, "number", [row.number for row in rows], fields)
        return {int(row["number"]): (_vector(row), unpacked(row["words"])) for row in found}

    def numbers(self, edition: Edition, rows: Sequence[Row]) -> set[int]:
        """Which of these passages an edition has."""
        numbers = [row.number for row in rows]
        return {int(row["number"]) for row in self._find(edition.number, "number", numbers, ("number",))}

    def remove(self, edition: Edition, documents: Sequence[int]) -> None:
        """Take the passages of documents out of an edition."""
        for start in range(0, len(documents), _CHUNK):
            self._client.delete(passages_of(edition.number), f"document in {listed(documents[start : start + _CHUNK])}")

    def _waiting_rows(self, limit: int | None) -> Iterator[list[Row]]:
        """Passages whose text has no embedding in any edition, about so many."""
        there = 0
        for rows in self._unembedded():
            known = self._known([row.key for row in rows])
            yield (waiting := [row for row in rows if row.key not in known])
            there += len(waiting)
            if limit is not None and there >= limit:
                return

    def _unembedded(self) -> Iterator[list[Row]]:
        """The passages without an embedding in the edition that is written to, some at a time."""
        edition, manifest = self.current(), self._journal.published()
        first = manifest.next if manifest is not None and manifest.edition == edition.number else 1
        if first > 1 and edition.dimension:
            rows = self._client.every(passages_of(edition.number), ("number",), "embedded == 0")
            numbers = sorted(int(row["number"]) for row in rows)
            alive = self._documents
            for start in range(0, len(numbers), _CHUNK):
                found = alive.rows(numbers[start : start + _CHUNK])
                there = alive.documents({row.document for row in found.values()})
                yield [row for row in found.values() if row.document in there]
        for some in self._documents.ranges(("passages",), first=first):
            for texts in self._documents.texts_of(some):
                for start in range(0, len(texts), _CHUNK):
                    chunk = texts[start : start + _CHUNK]
                    embedded = self._embedded(edition, chunk)
                    yield [row for row in chunk if row.number not in embedded]

    def _embedded(self, edition: Edition, rows: Sequence[Row]) -> set[int]:
        if not edition.dimension:
            return set()
        numbers = [row.number for row in rows]
        found = self._find(edition.number, "number", numbers, ("number", "embedded"))
        return {int(row["number"]) for row in found if row["embedded"]}

    def _known(self, keys: Sequence[bytes], *, with_vectors: bool = False) -> dict[bytes, tuple[Vector, Ids]]:
        fields = ("said", "whole", "embedded", *(("vector", "words") if with_vectors else ()))
        wanted = {halves(key): key for key in keys}
        known: dict[bytes, tuple[Vector, Ids]] = {}
        nothing = np.empty(0, np.float16), np.empty(0, np.uint32)
        for number in self._with_vectors(self._journal.safe().settings.get("fingerprint", "")):
            missing = [whole for (_, whole), key in wanted.items() if key not in known]
            for row in self._find(number, "whole", missing, fields):
                found = wanted.get((int(row["said"]), int(row["whole"])))
                if found is not None and row["embedded"]:
                    vector = (np.array(row["vector"], np.float16), unpacked(row["words"])) if with_vectors else nothing
                    known[found] = vector
        return known

    def _having(self, keys: Sequence[bytes]) -> Iterator[list[Row]]:
        """The passages with these keys, some at a time."""
        for start in range(0, len(keys), _CHUNK):
            wholes = [halves(key)[1] for key in keys[start : start + _CHUNK]]
            rows = self._client.query(TEXTS, f"whole in {listed(wholes)}", ("number",))
            yield list(self._documents.rows(int(row["number"]) for row in rows).values())

    def _find(self, number: int, field: str, values: Sequence[int], fields: Sequence[str]) -> list[Fields]:
        rows: list[Fields] = []
        for start in range(0, len(values), _CHUNK):
            where = f"{field} in {listed(values[start : start + _CHUNK])}"
            rows += self._client.query(passages_of(number), where, fields)
        return rows


def searched_text(row: Row, document: Document) -> str:
    """What words are looked for in, folded: the author is found where the document begins."""
    text = f"{row.passage.title}\n{row.passage.text}"
    return fold(f"{document.byline}\n{text}" if row.position == 0 else text)


def _passage_row(edition: Edition, row: Row, document: Document, vector: Vector | None, ids: Ids) -> Fields:
    folded = searched_text(row, document)
    said, whole = halves(row.key)
    stands_for_nothing = [1.0, *[0.0] * (edition.dimension - 1)]
    return {
        **{"number": row.number, "document": row.document, "said": said, "whole": whole},
        "embedded": 0 if vector is None else 1,
        "vector": stands_for_nothing if vector is None else vector.astype(np.float32).tolist(),
        "weights": weights_of(tokens(folded), edition.average),
        "words": packed(ids),
        "folded": folded.encode("utf-8")[:LONGEST].decode("utf-8", "ignore"),
        **{"source": document.source, "date": document.date, "byline": document.byline, "tags": list(document.tags)},
    }


def _vector(row: Fields) -> Vector | None:
    return np.array(row["vector"], np.float16) if row["embedded"] else None


def packed(ids: Ids) -> str:
    """Token ids as text; of a passage longer than Milvus keeps, the first ones."""
    return b64encode(ids.astype("<u4").tobytes()[: LONGEST // 16 * 12]).decode("ascii")


def unpacked(text: object) -> Ids:
    """What ``packed`` packed."""
    return np.frombuffer(b64decode(str(text)), "<u4").astype(np.uint32)
