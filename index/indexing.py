"""Writing a corpus: storing documents, embedding what is new, publishing, and doing it all again.

The one writer's side of ``corpus.py``. Every step can be interrupted: what a transaction has stored is there,
and ``catch_up`` finishes the rest.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, islice
from time import perf_counter

import numpy as np

from index.dates import date_in_text
from index.document import Document, Passage
from index.embedding import Encoder
from index.engine import Engine
from index.errors import ModelError, ModelMismatchError, StorageError
from index.ingest import Source, Sources, Unreadable
from index.model_cards import ModelCard
from index.outcomes import Action, Each, Outcome, Summary
from index.paragraphs import Layout, cut
from index.walk import FileDone
from index.wordtable import WordTable

# Called with the stage ("read", "encode", "publish"), how much is done and how much there is in all (0: unknown).
Progress = Callable[[str, int, int], None]

_log = logging.getLogger(__name__)
_BATCH = 256  # documents stored in one transaction


class Indexer:
    """Writes through an engine with one model; every method that writes holds the engine's lock.

    Args:
        encoder: Gives the embedding model, loading it when it is first needed.
        table: The bundled word table.
    """

    def __init__(
        self, engine: Engine, card: ModelCard, encoder: Callable[[], Encoder], table: Callable[[], WordTable]
    ) -> None:
        self._engine = engine
        self._store = engine.store
        self._card = card
        self._encoder = encoder
        self._table = table

    def add(self, sources: Iterable[Source | Unreadable | FileDone], tell: Progress, each: Each) -> Summary:
        """See ``Corpus.add``."""
        started = perf_counter()
        summary = Summary()
        with self._engine.writing():
            self._claim()
            iterator = iter(sources)
            while batch := list(islice(iterator, _BATCH)):
                self._put(batch, summary, each)
                if isinstance(sources, Sources) and sources.total > 1:
                    tell("read", sources.done, sources.total)
                else:
                    tell("read", summary.documents + len(summary.skipped), 0)
            summary.encoded, summary.trouble = self._finish(tell)
        summary.seconds = perf_counter() - started
        return summary

    def remove(self, document_ids: Sequence[str]) -> int:
        """See ``Corpus.remove``."""
        with self._engine.writing():
            with self._store.transaction():
                removed = self._store.delete(document_ids)
            if removed:
                _, trouble = self._finish(silent)
                if isinstance(trouble, StorageError):
                    # What is no longer stored is in no answer, whatever the indexes still say.
                    _log.warning("Removed %d documents, but: %s", removed, trouble)
        return removed

    def catch_up(self, tell: Progress) -> bool:
        """See ``Corpus.catch_up``."""
        if self.in_step():
            return False
        with self._engine.writing(timeout=0.2):
            self._claim()
            _, trouble = self._finish(tell)
        if trouble is not None:
            raise trouble
        return True

    def rebuild(self, encoder: Encoder, tell: Progress) -> None:
        """See ``Corpus.rebuild``; the encoder is the new model's."""
        with self._engine.writing():
            with self._store.transaction():
                if self._store.meta("fingerprint") != encoder.fingerprint:
                    self._store.vectors.drop_all()
                self._store.families.drop_all()
                self._store.keep(
                    model=encoder.card.name, fingerprint=encoder.fingerprint, commit=encoder.commit, recut="1"
                )
            self._claim(tell)
            self._store.vectors.drop_unused()
            _, trouble = self._finish(tell, anew=True)
        if trouble is not None:
            raise trouble

    def compact(self, tell: Progress) -> None:
        """See ``Corpus.compact``."""
        with self._engine.writing():
            self._claim(tell)
            self._store.vectors.drop_unused()
            with self._store.transaction():
                self._store.families.drop_all()  # where removed texts met is kept until it is made anew
            _, trouble = self._finish(tell, anew=True)
            if isinstance(trouble, StorageError):
                raise trouble
            self._engine.tidy()

    def _claim(self, tell: Progress | None = None) -> None:
        """Write down with which models a new corpus is made; bring one in step that was made with another table,
        or whose rebuilding was interrupted."""
        if self._store.meta("model") is None:
            self._store.set_meta(model=self._card.name)
        table = self._table().fingerprint
        if self._store.meta("table") != table:
            with self._store.transaction():
                self._store.vectors.retokenise(self._table().ids)
                self._store.keep(table=table)
        if self._store.meta("recut") == "1":
            self._recut(tell or silent)

    def _recut(self, tell: Progress) -> None:
        """Cut every stored original anew, with the passage lengths of the present model."""
        numbers = self._store.document_numbers()
        for start in range(0, len(numbers), _BATCH):
            with self._store.transaction():
                for number, document in self._store.documents(numbers[start : start + _BATCH]).items():
                    original = self._store.original(number)
                    digest = self._store.hashes([document.id])[document.id]
                    pages = [(row.passage.start, row.passage.page) for row in self._store.rows_of(number)]
                    passages = _paged(self._cut(original, document.title).passages, pages)
                    self._store.put(document, digest, original, passages)
            tell("read", min(start + _BATCH, len(numbers)), len(numbers))
        self._store.set_meta(recut="0")

    def _put(self, batch: Sequence[Source | Unreadable | FileDone], summary: Summary, each: Each) -> None:
        """Store what is new or changed in one transaction, and tell of it once it has committed."""
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
        summary.seen.update(hashes, *(one.ids for one in done))
        told = iter(outcomes)
        for one in batch:
            for outcome in [next(told)] if isinstance(one, Source) else _rest(one, dropped):
                summary.count(outcome)
                each(outcome)

    def _settle(self, done: Iterable[FileDone]) -> dict[str, int]:
        """Record files whose documents are all stored; returns how many documents each holds no longer."""
        removed = {}
        for one in done:
            removed[one.state.path] = self._store.delete(self._store.files.dropped(one.state.path, one.ids))
            self._store.files.put([one.state])
        return removed

    def _cut(self, text: str, title: str) -> Layout:
        return cut(text, self._card.lengths, seam=self._table().crosses, title=title)

    def _finish(self, tell: Progress, *, anew: bool = False) -> tuple[int, ModelError | StorageError | None]:
        """Embed what has no vector yet and publish.

        Where the model cannot be had, everything is published all the same, to be found by words. Where the disk is
        full, what was published before stays: an error would say that nothing was done, and the documents are stored.

        Returns:
            How many passages were embedded, and what is wrong with the model or the disk.

        Raises:
            ModelMismatchError: The model's files are others than those the vectors were made with.
        """
        try:
            return self._embedded_and_published(tell, anew=anew)
        except StorageError as error:
            return 0, error

    def _embedded_and_published(self, tell: Progress, *, anew: bool) -> tuple[int, ModelError | None]:
        encoded, trouble = 0, None
        with self._store.families.updated():
            try:
                encoded = self._encode(tell)
            except (ModelError, ModelMismatchError) as error:
                trouble = error
        if (trouble is not None) != self._waiting:
            self._store.set_meta(waiting="1" if trouble else "0")
        if anew or not self._published():
            tell("publish", 0, 1)
            dimension = self._store.vectors.dimension() or self._card.dimension
            self._engine.publish(self._fingerprint, dimension, self._table(), anew=anew, waiting=self._waiting)
            tell("publish", 1, 1)
        if isinstance(trouble, ModelMismatchError):
            raise trouble
        return encoded, trouble

    def _encode(self, tell: Progress) -> int:
        """Embed what has no vector yet; what was stored before an interruption or error stays."""
        waiting = self._store.vectors.waiting()
        if not waiting and self._fingerprint:
            return 0
        if waiting:  # loading the model is of this stage
            tell("encode", 0, len(waiting))
        encoder, table = self._encoder(), self._table()
        if not self._fingerprint:
            self._store.set_meta(fingerprint=encoder.fingerprint, commit=encoder.commit)
        for start in range(0, len(waiting), encoder.stride):
            batch = waiting[start : start + encoder.stride]
            texts = [f"{title}\n{text}" if title else text for _, title, text in batch]
            ids = table.ids(texts)
            vectors = encoder.documents(texts, ids).astype(np.float16)
            self._store.vectors.put([key for key, _, _ in batch], vectors, ids)
            tell("encode", start + len(batch), len(waiting))
        return len(waiting)

    def in_step(self) -> bool:
        """Whether all that is stored is published, with its vectors and the models at hand."""
        return bool(self._fingerprint) and not self._waiting and self._published()

    def _published(self) -> bool:
        """Whether all that is stored is published, with the vectors there are."""
        if self._store.meta("recut") == "1" or self._store.families.pending():
            return False
        return self._engine.is_current(self._fingerprint, self._table().fingerprint)

    @property
    def _fingerprint(self) -> str:
        """Of the model whose vectors are stored; empty while there was none."""
        return self._store.meta("fingerprint") or ""

    @property
    def _waiting(self) -> bool:
        return self._store.meta("waiting") == "1"


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


def _rest(one: Source | Unreadable | FileDone, dropped: dict[str, int]) -> Iterator[Outcome]:
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


def silent(stage: str, done: int, total: int) -> None:
    """No progress wanted."""
