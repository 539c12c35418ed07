"""Families of repeats in Milvus; see ``index.engine.truth.Families``. One row a text: its bands and its family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import numpy.typing as npt

from index.engine.families import Comparison
from index.engine.milvus.client import Client, Fields, listed
from index.engine.milvus.documents import Documents, halves
from index.engine.milvus.journal import Journal
from index.engine.milvus.layout import NOTHING, TEXTS, create_families, families_of
from index.repeats import BANDS

_BANDS = tuple(f"band{place}" for place in range(BANDS))
_CHUNK = 300  # texts looked up at once
_MASK = (1 << 64) - 1
_NUMBER, _COMPARED = "families", "compared"  # settings: the collection, and the documents below this number are done


class FamilyRows:
    """Reads and writes the collection of families."""

    def __init__(self, client: Client, journal: Journal, documents: Documents) -> None:
        self._client = client
        self._journal = journal
        self._documents = documents
        self._there: set[str] = set()  # collections that were seen; a dropped one is never asked for again

    @property
    def _collection(self) -> str:
        return families_of(int(self._setting(_NUMBER, "1")))

    def _setting(self, name: str, default: str) -> str:
        return self._journal.safe().settings.get(name, default)

    def pending(self) -> int:
        """How many passages still have to be compared with the others."""
        first = int(self._setting(_COMPARED, "1"))
        return sum(int(row["passages"]) for some in self._documents.ranges(("passages",), first=first) for row in some)

    def updating(self) -> AbstractContextManager[None]:
        """Nothing begins before ``finish``."""
        return nullcontext()

    def finish(self) -> None:
        """Compare what is new. Can be interrupted and resumed: to compare again changes nothing."""
        settings = self._journal.safe().settings
        number, first = int(settings.get(_NUMBER, "1")), int(settings.get(_COMPARED, "1"))
        if first >= self._journal.safe().next:
            return
        create_families(self._client, number)
        for some in self._documents.ranges(("passages",), first=first):
            for rows in self._documents.texts_of(some):
                self._compare(families_of(number), {row.key[:8]: row.passage.text for row in rows})
            with self._documents.transaction() as change:
                change.settings[_COMPARED] = str(int(some[-1]["number"]) + 1)
        with self._documents.transaction() as change:
            change.settings[_COMPARED] = str(self._journal.safe().next)

    def drop_all(self) -> None:
        """Begin anew in another collection. Call inside ``transaction()``."""
        change = self._documents.change
        number = int(self._setting(_NUMBER, "1"))
        change.settings |= {_NUMBER: str(number + 1), _COMPARED: "1"}
        change.after.append(lambda: self._client.drop(families_of(number)))

    def keys(self, texts: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """For each text its family, which is the text itself where it has no repeats."""
        if not len(texts):
            return texts
        signed = np.unique(texts).view(np.int64).tolist()
        families = {int(row["text"]): int(row["family"]) for row in self._rows("text", signed, ("text", "family"))}
        found = [families.get(text, text) for text in texts.view(np.int64).tolist()]
        return np.array(found, np.int64).view(np.uint64)

    def like(self, texts: Sequence[int]) -> dict[int, list[int]]:
        """For each text, by the signed first half of its key, the texts of its family, itself among them."""
        families = {int(row["text"]): int(row["family"]) for row in self._rows("text", texts, ("text", "family"))}
        members: dict[int, list[int]] = {}
        for row in self._rows("family", sorted(set(families.values())), ("text", "family")):
            members.setdefault(int(row["family"]), []).append(int(row["text"]))
        return {text: members.get(families.get(text, text), []) or [text] for text in texts}

    def _rows(self, field: str, values: Sequence[int], fields: Sequence[str]) -> list[Fields]:
        collection = self._collection
        if not values:
            return []
        if collection not in self._there:
            if not self._client.has(collection):
                return []
            self._there.add(collection)
        rows: list[Fields] = []
        for start in range(0, len(values), _CHUNK):
            rows += self._client.query(collection, f"{field} in {listed(values[start : start + _CHUNK])}", fields)
        return rows

    def _compare(self, collection: str, texts: dict[bytes, str]) -> None:
        known = {int(row["text"]): row for row in self._rows("text", [_signed(key) for key in texts], _fields())}
        comparison = Comparison(self._meeting, self._members, self._text)
        comparison.compare(texts)
        rows = {
            text: known.get(text)
            or {"text": text, "family": text, **dict(zip(_BANDS, values, strict=True)), "vector": NOTHING}
            for text, values in ((_signed(key), values) for key, values in comparison.bands.items())
        }
        joined = {_signed(text): _signed(family) for text, family in comparison.families.items()}
        missing = [text for text in joined if text not in rows]
        rows |= {int(row["text"]): row for row in self._rows("text", missing, _fields())}
        for text, family in joined.items():
            if text in rows:
                rows[text]["family"] = family
        self._client.upsert(collection, rows.values())

    def _meeting(self, values: Sequence[int]) -> Mapping[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        for start in range(0, len(values), _CHUNK):
            some = values[start : start + _CHUNK]
            where = " or ".join(f"{band} in {listed(some)}" for band in _BANDS)
            wanted = set(some)
            for row in self._client.query(self._collection, where, ("text", *_BANDS)):
                for value in {int(row[band]) for band in _BANDS} & wanted:
                    found.setdefault(value, []).append(_key(int(row["text"])))
        for crowd in found.values():
            crowd.sort()
        return found

    def _members(self, text: bytes) -> list[bytes]:
        return sorted(map(_key, self.like([_signed(text)])[_signed(text)]))

    def _text(self, key: bytes) -> str | None:
        rows = self._client.query(TEXTS, f"said == {_signed(key)}", ("number", "text"), limit=1)
        return str(rows[0]["text"]) if rows else None


def _fields() -> tuple[str, ...]:
    return ("text", "family", *_BANDS, "vector")


def _signed(text: bytes) -> int:
    return halves(text + bytes(8))[0]


def _key(text: int) -> bytes:
    return (text & _MASK).to_bytes(8, "little")
