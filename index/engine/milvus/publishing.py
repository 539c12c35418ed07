"""Bringing an edition in step with the truth, and making it the one that is searched.

Every step can be interrupted. Rows are written and removed first, then the row ``published`` changes in one request,
then what is no longer needed is thrown away. What a step counts is counted once: the document frequencies know which
generation they are of, and a removed document when it was removed.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zlib import compress, decompress

from index.chinese import tokens
from index.document import Document
from index.engine.milvus.client import Client, Fields, listed
from index.engine.milvus.documents import Documents
from index.engine.milvus.editions import Edition, Editions, searched_text
from index.engine.milvus.journal import ALIVE, RECUT, Journal, Manifest
from index.engine.milvus.layout import DOCUMENTS, NOTHING, PARTS, POSITIONS, PREFIX, TEXTS, passages_of
from index.engine.milvus.terms import Terms
from index.engine.milvus.weights import dimension_of
from index.engine.schema import Row
from index.phrases import SAMPLE, Phrase, find_phrases
from index.wordtable import WordTable

_DRIFT = 0.1  # the mean length may move so far before all weights are written anew
_CROWDED = 64  # passages for each row of document frequencies, from which on they are spread over more rows
_RECOUNT = 0.1  # phrases are counted anew when the archive has grown or shrunk by this share
_AT_ONCE = 500
_PART = 60_000
_DERIVED = re.compile(rf"{PREFIX}(?:passages|terms)_(\d+)")


@dataclass(slots=True)
class _Count:
    """What some documents add up to."""

    documents: int = 0
    passages: int = 0
    tokens: int = 0
    terms: Counter[int] = field(default_factory=Counter)

    def add(self, rows: Sequence[Row], documents: dict[int, Document], sign: int) -> None:
        """Count passages whose documents are given; ``sign`` -1 takes them away."""
        for row in rows:
            if row.document in documents:
                found = tokens(searched_text(row, documents[row.document]))
                self.passages += sign
                self.tokens += sign * len(found)
                for dimension in set(map(dimension_of, found)):
                    self.terms[dimension] += sign


class Publisher:
    """Publishes; called by the one writer."""

    def __init__(self, client: Client, journal: Journal, documents: Documents, editions: Editions) -> None:
        self._client = client
        self._journal = journal
        self._documents = documents
        self._editions = editions

    def publish(self, fingerprint: str, dimension: int, table: WordTable, *, anew: bool, waiting: bool) -> None:
        """See ``index.engine.Engine.publish``."""
        old = before = self._journal.published()
        # Another edition than the published one is new already, and may hold the vectors of a new model.
        published = before is not None and before.edition == self._editions.current().number
        if published and (anew or (before is not None and before.passages > _CROWDED * before.buckets)):
            with self._documents.transaction():
                self._editions.renew()
        edition = self._editions.begin(dimension)
        if before is not None and before.edition != edition.number:
            before = None  # nothing is taken over but vectors
        generation = 1 if old is None else old.generation + 1
        terms = Terms(self._client, edition.number, edition.buckets)
        terms.take_back(generation - 1)
        gone = self._gone()
        count = self._counted(before, gone)
        average = count.tokens / count.passages if count.passages else edition.average
        if abs(average - edition.average) > _DRIFT * edition.average:
            edition = self._editions.weigh(edition, average)
        heavy = before is not None and before.average != edition.average
        self._write(edition, table, 1 if before is None or heavy else before.next, heavy=heavy)
        terms.add(count.terms, generation)
        self._editions.remove(edition, [int(row["number"]) for row in gone])
        safe = self._journal.safe()
        manifest = Manifest(
            generation=generation,
            revision=safe.revision,
            next=safe.next,
            edition=edition.number,
            fingerprint=fingerprint,
            dimension=edition.dimension,
            table=table.fingerprint,
            documents=count.documents,
            passages=count.passages,
            tokens=count.tokens,
            average=edition.average,
            buckets=edition.buckets,
            waiting=waiting,
            phrases=self._phrases(old, generation, count.passages, table, waiting=waiting),
        )
        self._client.settle(passages_of(edition.number))
        self._journal.publish(manifest)
        self._clean(manifest, old, [int(row["number"]) for row in gone])

    # Counting

    def _counted(self, before: Manifest | None, gone: Sequence[Fields]) -> _Count:
        """What there is: what was published, with what came since and without what went."""
        count = _Count()
        if before is not None:
            count = _Count(before.documents, before.passages, before.tokens)
        first = 1 if before is None else before.next
        for some, documents in self._new(first):
            count.documents += len(documents)
            for rows in self._documents.texts_of(some):
                count.add(rows, documents, 1)
        for row in gone if before is not None else ():
            if (
                before is not None
                and int(row["gone"]) % RECUT == before.generation
                and int(row["number"]) < before.next
            ):
                document = Document("", byline=str(row["byline"]))
                count.documents -= 1
                for rows in self._documents.texts_of([row]):
                    count.add(rows, {int(row["number"]): document}, -1)
        return count

    def _new(self, first: int) -> Iterator[tuple[list[Fields], dict[int, Document]]]:
        for some in self._documents.ranges(("passages",), first=first):
            yield some, self._documents.documents(int(row["number"]) for row in some)

    def _gone(self) -> list[Fields]:
        # All at once, and however many: one that is counted and not removed, or removed and not counted, stays wrong.
        return list(self._client.every(DOCUMENTS, ("number", "passages", "gone", "byline"), f"gone > {ALIVE}"))

    # Writing

    def _write(self, edition: Edition, table: WordTable, first: int, *, heavy: bool) -> None:
        """Write the passages an edition lacks, of documents from a number on.

        Args:
            heavy: Those it has are written too, for their weights are to be others.
        """
        for some in self._documents.ranges(("passages",), first=first):
            for texts in self._documents.texts_of(some):
                for start in range(0, len(texts), _AT_ONCE):
                    self._write_chunk(edition, table, texts[start : start + _AT_ONCE], heavy=heavy)

    def _write_chunk(self, edition: Edition, table: WordTable, rows: Sequence[Row], *, heavy: bool) -> None:
        there: set[int] = set()
        if heavy:
            present = self._editions.present(edition, rows)
            there = set(present)
            self._editions.write(edition, ((row, *present[row.number]) for row in rows if row.number in present))
        else:
            there = self._editions.numbers(edition, rows)
        missing = [row for row in rows if row.number not in there]
        if not missing:
            return
        known = self._editions.of([row.key for row in missing])
        ids = table.ids([_whole(row) for row in missing])
        nothing = None, None
        self._editions.write(
            edition, ((row, known.get(row.key, nothing)[0], each) for row, each in zip(missing, ids, strict=True))
        )

    # Phrases

    def _phrases(
        self, old: Manifest | None, generation: int, passages: int, table: WordTable, *, waiting: bool
    ) -> tuple[int, int, int]:
        """Count the phrases of passages spread evenly over the archive, or keep those of a little while ago."""
        if old is not None and not waiting and not old.waiting and old.table == table.fingerprint:
            counted = old.phrases[2]
            # A list that is not there any more, as earlier versions removed those of several parts, is made anew.
            if abs(passages - counted) <= _RECOUNT * counted and _parts(self._client, old) is not None:
                return old.phrases
        step = max(1, -(-passages // SAMPLE))
        rows: list[Row] = []
        seen = 0
        for some in self._documents.ranges(("passages",)):
            for texts in self._documents.texts_of(some):
                rows += texts[-seen % step :: step]
                seen += len(texts)
        texts_of = [_whole(row) for row in rows]
        found = find_phrases(texts_of, table.ids(texts_of), table.tokens()) if rows else []
        packed = b64encode(compress("\n".join(f"{each.count}\t{each.text}" for each in found).encode())).decode("ascii")
        parts = [packed[start : start + _PART] for start in range(0, len(packed), _PART)]
        self._client.upsert(
            PARTS,
            (
                {"number": _phrase_part(generation, place), "part": part, "vector": NOTHING}
                for place, part in enumerate(parts)
            ),
        )
        return generation, len(parts), passages

    # Afterwards

    def _clean(self, manifest: Manifest, old: Manifest | None, gone: Sequence[int]) -> None:
        """Throw away what nobody reads any more; readers of the last generation may still be about."""
        for start in range(0, len(gone), _AT_ONCE):
            some = gone[start : start + _AT_ONCE]
            self._client.delete(TEXTS, f"document in {listed(some)}")
            for number in some:
                first = number << POSITIONS
                self._client.delete(PARTS, f"number >= {first} and number < {first + (1 << POSITIONS)}")
            self._client.delete(DOCUMENTS, f"number in {listed(some)}")
        last = _phrase_part(manifest.phrases[0], (1 << POSITIONS) - 1)  # a list's later parts have higher numbers
        self._client.delete(PARTS, f"number < 0 and number > {last}")
        kept = {manifest.edition, manifest.edition if old is None else old.edition}
        for name in self._client.collections():
            derived = _DERIVED.fullmatch(name)
            if derived is not None and int(derived[1]) not in kept:
                self._client.drop(name)


def read_phrases(client: Client, manifest: Manifest) -> list[Phrase]:
    """The phrases of a generation, most frequent first; none where a later one has replaced them."""
    packed = _parts(client, manifest)
    if not packed:
        return []
    lines = decompress(b64decode(packed)).decode().splitlines()
    return [Phrase(text, int(count)) for count, _, text in (line.partition("\t") for line in lines)]


def _parts(client: Client, manifest: Manifest) -> str | None:
    """The list of phrases as it is kept, ``None`` where some of it is not there."""
    number, parts, _ = manifest.phrases
    wanted = [_phrase_part(number, place) for place in range(parts)]
    found = client.query(PARTS, f"number in {listed(wanted)}", ("number", "part")) if wanted else []
    rows = {int(row["number"]): str(row["part"]) for row in found}
    return "".join(rows[part] for part in wanted) if len(rows) == parts else None


def _phrase_part(generation: int, place: int) -> int:
    """Phrases lie with the originals, under numbers below 0; those of later generations under lower ones."""
    return -((generation << POSITIONS) + (1 << POSITIONS) - 1 - place)


def _whole(row: Row) -> str:
    return f"{row.passage.title}\n{row.passage.text}" if row.passage.title else row.passage.text
