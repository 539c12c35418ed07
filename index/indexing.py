"""Writing a corpus: storing documents, embedding what is new, publishing, and doing it all again.

The one writer's side of ``corpus.py``. Every step can be interrupted: what a transaction has stored is there,
and ``catch_up`` finishes the rest.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, islice
from time import perf_counter

from index.backlog import PATIENT, Backlog, Embed
from index.dates import date_in_text
from index.document import Document, Passage
from index.embedding import Encoder, is_table
from index.engine import Engine
from index.errors import ModelError, ModelMismatchError, StorageError
from index.ingest import Entry, Source, Sources, Unreadable
from index.model_choice import ModelChoice, table_beside
from index.outcomes import Action, Each, Outcome, Summary
from index.paragraphs import Layout, cut
from index.staging import discard
from index.telling import Progress, silent, tell_step
from index.walk import FileDone

_log = logging.getLogger(__name__)
_BATCH = 256  # documents stored in one transaction


class Indexer:
    """Writes through an engine with the archive's model; what writes holds the engine's lock."""

    def __init__(self, engine: Engine, choice: ModelChoice) -> None:
        self._engine = engine
        self._store = engine.store
        self._choice = choice
        self._backlog = Backlog(engine, choice.encoder, lambda: choice.table)

    def add(self, sources: Iterable[Entry], tell: Progress, each: Each, embed: Embed = "all") -> Summary:
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
            newest = summary.passages if embed == "own" and self._waiting else None
            summary.encoded, summary.trouble = self._finish(tell, newest=newest, later=embed != "own")
        if embed == "all" and self._waiting and summary.trouble is None:
            encoded, summary.trouble = self._work_off(tell, wait=True)
            summary.encoded += encoded
        summary.seconds = perf_counter() - started
        return summary

    def remove(self, document_ids: Sequence[str]) -> int:
        """See ``Corpus.remove``."""
        with self._engine.writing():
            with self._store.transaction():
                removed = self._store.delete(document_ids)
            if removed:
                _, trouble = self._finish(silent, newest=0 if self._waiting else None)
                if isinstance(trouble, StorageError):
                    # What is no longer stored is in no answer, whatever the indexes still say.
                    _log.warning("Removed %d documents, but: %s", removed, trouble)
        return removed

    def catch_up(self, tell: Progress, *, whole: bool = True) -> bool:
        """See ``Corpus.catch_up``."""
        if self.in_step():
            return False
        self._backlog.check_alone()  # who is at it publishes too
        with self._engine.writing(timeout=0.2):
            self._claim()
            _, trouble = self._finish(tell, later=True)
        if trouble is None and whole and self._waiting:
            _, trouble = self._work_off(tell, wait=False)
        if trouble is not None:
            raise trouble
        return True

    def rebuild(self, encoder: Encoder, tell: Progress) -> None:
        """See ``Corpus.rebuild``; the encoder is the new model's."""
        patience = self._work_ahead(encoder, tell)
        with self._engine.writing(timeout=patience):
            self._choice.switch(encoder)
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
        discard(self._engine.data)  # of another model, which somebody began with and left

    def _work_ahead(self, encoder: Encoder, tell: Progress) -> float:
        """Embed what would keep others from writing for long; returns for how many seconds whoever writes is then
        waited for."""
        if is_table(encoder.card) or not self._store.counts()[0]:
            return 10.0
        with self._engine.writing():  # or it is known now that it cannot be
            pass
        lengths, table = encoder.card.lengths, table_beside(encoder.card)

        def cut_anew(number: int, document: Document) -> Sequence[Passage]:
            text = self._store.original(number)
            return cut(text, lengths, seam=table.crosses, title=document.title).passages

        tell_step(
            "Searches and additions go on as before until all passages are embedded.",
            "在全部段落的向量算好之前，检索与添加照常进行。",
        )
        Backlog(self._engine, lambda: encoder, lambda: table).work_ahead(cut_anew, tell)
        return PATIENT

    def compact(self, tell: Progress) -> None:
        """See ``Corpus.compact``."""
        with self._engine.writing():
            self._claim(tell)
            self._store.vectors.drop_unused()
            with self._store.transaction():
                self._store.families.drop_all()  # where removed texts met is kept until it is made anew
            _, trouble = self._finish(tell, anew=True, later=True)
            if isinstance(trouble, StorageError):
                raise trouble
            self._engine.tidy()

    def _claim(self, tell: Progress | None = None) -> None:
        """Write down with which models a new corpus is made; bring one in step that was made with another table,
        or whose rebuilding was interrupted."""
        self._choice.follow(self._fingerprint)  # another process may have rebuilt it
        if self._store.meta("model") is None:
            self._store.set_meta(model=self._choice.card.name)
        table = self._choice.table.fingerprint
        if self._store.meta("table") != table:
            with self._store.transaction():
                self._store.vectors.retokenise(self._choice.table.ids)
                self._store.keep(table=table)
        if self._store.meta("recut") == "1":
            self._recut(tell or silent)

    def _recut(self, tell: Progress) -> None:
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

    def _put(self, batch: Sequence[Entry], summary: Summary, each: Each) -> None:
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
        return cut(text, self._choice.card.lengths, seam=self._choice.table.crosses, title=title)

    def _finish(
        self, tell: Progress, *, anew: bool = False, newest: int | None = None, later: bool = False
    ) -> tuple[int, ModelError | StorageError | None]:
        """Embed what has no vector yet and publish.

        Where the model cannot be had, everything is published all the same, to be found by words. Where the disk is
        full, what was published before stays: an error would say that nothing was done, and the documents are stored.

        Args:
            newest: Embed no more than so many, the newest.
            later: Where embedding takes long, leave it to ``_work_off``.

        Returns:
            How many passages were embedded, and what is wrong with the model or the disk.

        Raises:
            ModelMismatchError: The model's files are others than those the vectors were made with.
        """
        try:
            return self._embedded_and_published(tell, anew=anew, newest=newest, later=later)
        except StorageError as error:
            return 0, error

    def _embedded_and_published(
        self, tell: Progress, *, anew: bool, newest: int | None, later: bool
    ) -> tuple[int, ModelError | None]:
        encoded, trouble, some_wait = 0, None, False
        dimension = self._choice.card.dimension
        with self._store.families.updated():
            try:
                self._backlog.take_staged()
                if later and self._backlog.is_long(self._choice.card):
                    dimension, some_wait = self._backlog.begin(), True
                else:
                    encoded = self._backlog.embed(tell, newest)
                    some_wait = newest is not None and self._store.vectors.pending() > 0
            except (ModelError, ModelMismatchError) as error:
                trouble, some_wait = error, True
        self._publish(tell, dimension, anew=anew, waiting=some_wait)
        if isinstance(trouble, ModelMismatchError):
            raise trouble
        return encoded, trouble

    def _publish(self, tell: Progress, dimension: int = 0, *, anew: bool = False, waiting: bool) -> None:
        """Publish unless everything is; ``waiting`` says whether there are passages without vectors."""
        if waiting != self._waiting:
            self._store.set_meta(waiting="1" if waiting else "0")
        if anew or not self._published():
            tell("publish", 0, 1)
            dimension = self._store.vectors.dimension() or dimension
            self._engine.publish(self._fingerprint, dimension, self._choice.table, anew=anew, waiting=waiting)
            tell("publish", 1, 1)

    def _work_off(self, tell: Progress, *, wait: bool) -> tuple[int, ModelError | StorageError | None]:
        """Embed the rest while others read and write, and publish it; see ``_finish`` for what is returned."""
        tell_step(
            "Words find everything from now on; meaning follows as passages are embedded.",
            "现已可按字词检索全部内容；语义检索随向量的计算逐步补上。",
        )
        try:
            encoded = self._backlog.work_off(tell, lambda: self._publish(silent, waiting=True), wait=wait)
            with self._engine.writing(timeout=PATIENT):
                self._publish(tell, waiting=self._store.vectors.pending() > 0)
        except (ModelError, StorageError) as error:
            return 0, error
        tell_step(
            "All passages are embedded: meaning finds everything too.", "向量已全部算好，语义检索也覆盖全部内容。"
        )
        return encoded, None

    def in_step(self) -> bool:
        """Whether all that is stored is published, with its vectors and the models at hand."""
        return bool(self._fingerprint) and not self._waiting and self._published()

    def _published(self) -> bool:
        """Whether all that is stored is published, with the vectors there are."""
        if self._store.meta("recut") == "1" or self._store.families.pending():
            return False
        return self._engine.is_current(self._fingerprint, self._choice.table.fingerprint)

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
