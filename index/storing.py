"""Storing what was read: documents cut into passages, a thousand in one transaction."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from time import perf_counter

from index.dates import date_in_text
from index.document import Document, Passage
from index.engine import Store
from index.engine.schema import passage_key
from index.errors import SourceError
from index.ingest import Entry, Source, Unreadable, file_id
from index.model_choice import ModelChoice
from index.outcomes import Action, Each, Outcome, Summary
from index.paragraphs import Layout, cut
from index.staging import Text
from index.telling import Progress
from index.walk import FileDone

# What is stored in one transaction: of the news archive 256 documents at a time take a tenth longer than so many. Where
# they are long, or take long to be read, fewer, for the memory and for what an interruption costs.
_BATCH, _CHARACTERS, _SECONDS = 1_024, 8_000_000, 2.0


class Storing:
    """Puts documents into the store of an archive.

    Args:
        choice: The model, which says how long passages are, and the word table, which says where words are torn.
    """

    def __init__(self, store: Store, choice: ModelChoice) -> None:
        self._store = store
        self._choice = choice
        self._brought: dict[str, str] = {}  # by id of each record of this run: the file it is in

    def recut(self, tell: Progress) -> None:
        """Cut every stored original anew, with the passage lengths of the present model."""
        numbers = self._store.document_numbers()
        for start in range(0, len(numbers), _BATCH):
            with self._store.transaction():
                for number, document in self._store.documents(numbers[start : start + _BATCH]).items():
                    pages = [(row.passage.start, row.passage.page) for row in self._store.rows_of(number)]
                    layout = self._cut(self._store.original(number), document.title)
                    self._store.recut(number, _paged(layout.passages, pages))
            tell("read", min(start + _BATCH, len(numbers)), len(numbers))
        self._store.set_meta(recut="0")

    def put(self, batch: Sequence[Entry], summary: Summary, each: Each) -> list[Text]:
        """Store what is new or changed in one transaction, and tell of it once it has committed.

        Returns:
            The passages that were stored.
        """
        batch = [self._with_own_id(one) for one in batch]
        hashes = self._store.hashes([one.document.id for one in batch if isinstance(one, Source)])
        outcomes: list[Outcome] = []
        changed: list[tuple[Source, bytes, Layout]] = []
        for source in (one for one in batch if isinstance(one, Source)):
            id_, digest = source.document.id, source.digest
            action: Action = "unchanged" if hashes.get(id_) == digest else "replaced" if id_ in hashes else "added"
            if action != "unchanged":
                changed.append((source, digest, self._cut(source.text, source.document.title)))
                hashes[id_] = digest
            outcomes.append(_told(source, action))
        done = [one for one in batch if isinstance(one, FileDone)]
        dropped: dict[str, int] = {}
        if changed or any(one.stale for one in done):
            with self._store.transaction():
                for source, digest, layout in changed:
                    self._store.files.forget(source.document.path)
                    numbers = [page.number for page in source.pages]
                    starts = accumulate((len(page.text) for page in source.pages), initial=0)
                    passages = _paged(layout.passages, list(zip(starts, numbers, strict=False)))
                    self._store.put(_described(source, layout), digest, source.text, passages)
                dropped = self._settle([one for one in done if one.stale])
        summary.passages += sum(len(layout.passages) for *_, layout in changed)
        # What is there and cannot be read just now has not gone.
        unread = [one.name for one in batch if isinstance(one, Unreadable) and not one.expected]
        summary.seen.update(hashes, *(one.ids for one in done), self._store.ids_under(unread))
        told = iter(outcomes)
        for one in batch:
            for outcome in [next(told)] if isinstance(one, Source) else _rest(one, dropped):
                summary.count(outcome)
                each(outcome)
        stored = (passage for *_, layout in changed for passage in layout.passages)
        return [(passage_key(one.text, one.title), one.title, one.text) for one in stored]

    def _with_own_id(self, one: Entry) -> Entry:
        """The entry, or why it is left out: a record with the id of one in another file would take its place, and
        give it back at the next run."""
        if isinstance(one, FileDone):
            for id_ in one.ids - {file_id(Path(one.state.path))}:
                self._brought.setdefault(id_, one.state.path)
        if not isinstance(one, Source) or not one.file or one.document.id == file_id(Path(one.document.path)):
            return one
        id_, path = one.document.id, one.document.path
        first = self._brought.setdefault(id_, one.file)
        if first == one.file:
            return one
        reason = SourceError(
            f"{path}: the record with the id {id_} was left out, as {first} holds one with this id too; give each "
            "an id of its own, or none.",
            f"{path}：编号为 {id_} 的记录未收入，因为 {first} 中也有这个编号；请让编号各不相同，或不设编号。",
        )
        return Unreadable(path, reason, file=one.file)

    def _settle(self, done: Iterable[FileDone]) -> dict[str, int]:
        """Record files whose documents are all stored; returns how many documents each holds no longer."""
        removed = {}
        for one in done:
            removed[one.state.path] = self._store.delete(self._store.files.dropped(one.state.path, one.ids))
            self._store.files.put([one.state])
        return removed

    def _cut(self, text: str, title: str) -> Layout:
        return cut(text, self._choice.card.lengths, seam=self._choice.table.crosses, title=title)


def next_batch(entries: Iterator[Entry]) -> list[Entry]:
    """The next of them that are stored in one transaction; empty after the last."""
    ends = perf_counter() + _SECONDS
    batch: list[Entry] = []
    characters = 0
    for entry in entries:
        batch.append(entry)
        characters += len(entry.text) if isinstance(entry, Source) else 0
        if len(batch) >= _BATCH or characters >= _CHARACTERS or perf_counter() > ends:
            break
    return batch


def _paged(passages: Sequence[Passage], pages: Sequence[tuple[int, int | None]]) -> list[Passage]:
    """The passages with the number of the page each starts on.

    Args:
        pages: Where in the text each page starts, in order, and its number.
    """
    if all(number is None for _, number in pages):
        return list(passages)
    starts = [start for start, _ in pages]
    return [replace(passage, page=pages[max(0, bisect_right(starts, passage.start) - 1)][1]) for passage in passages]


def _told(source: Source, action: Action) -> Outcome:
    document = source.document
    return Outcome(action, document.path, source.file, document.id, notes=source.notes)


def _rest(one: Entry, dropped: dict[str, int]) -> Iterator[Outcome]:
    """What became of anything but a document."""
    if isinstance(one, Unreadable):
        yield Outcome("skipped", one.name, one.file, count=0, reason=one.reason, expected=one.expected)
    elif isinstance(one, FileDone):
        path = one.state.path
        if one.unchanged:
            yield Outcome("unchanged", path, path, count=len(one.ids))
        if dropped.get(path):
            yield Outcome("removed", path, path, count=dropped[path])


def _described(source: Source, layout: Layout) -> Document:
    """The document with what its text says about it, where nobody said so before."""
    document = source.document
    title = document.title or layout.title or source.name
    date = document.date or date_in_text(source.text, source.name)
    return replace(document, title=title, byline=document.byline or layout.byline, date=date)
