"""Writing a corpus: storing documents, embedding what is new, publishing, and doing it all again.

The one writer's side of ``corpus.py``. Every step can be interrupted: what a transaction has stored is there,
and ``catch_up`` finishes the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import closing
from time import perf_counter

from index.backlog import PATIENT, Backlog, Embed
from index.document import Document, Passage
from index.embedding import Encoder, is_table
from index.engine import Engine
from index.errors import ModelError, ModelMismatchError, StorageError
from index.ingest import Entry, Sources
from index.model_choice import ModelChoice, table_beside
from index.outcomes import Each, Summary
from index.paragraphs import cut
from index.staging import discard
from index.storing import Storing, next_batch
from index.telling import Progress, silent, tell_step

_log = logging.getLogger(__name__)


class Indexer:
    """Writes through an engine with the archive's model; what writes holds the engine's lock."""

    def __init__(self, engine: Engine, choice: ModelChoice) -> None:
        self._engine = engine
        self._store = engine.store
        self._choice = choice
        self._storing = Storing(engine.store, choice)
        self._backlog = Backlog(engine, choice.encoder, lambda: choice.table)

    def add(self, sources: Iterable[Entry], tell: Progress, each: Each, embed: Embed = "all") -> Summary:
        """See ``Corpus.add``."""
        started = perf_counter()
        summary = Summary()
        with self._engine.writing():
            self._claim()
            iterator = iter(sources)
            with closing(self._backlog.ahead(lambda: self._choice.card)) as ahead:
                while batch := next_batch(iterator):
                    ahead.offer(self._storing.put(batch, summary, each))
                    summary.encoded += self._backlog.keep(ahead.done())
                    if isinstance(sources, Sources) and sources.total > 1:
                        tell("read", sources.done, sources.total)
                    else:
                        tell("read", summary.documents + len(summary.skipped), 0)
                summary.encoded += self._backlog.keep(ahead.done(wait=True))
            newest = summary.passages if embed == "own" and self._waiting else None
            encoded, summary.trouble = self._finish(tell, newest=newest, later=embed != "own")
            summary.encoded += encoded
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
            if removed and not self._choice.is_elsewhere:  # else a machine that has the model publishes it
                _, trouble = self._finish(silent, newest=0 if self._waiting else None)
                if isinstance(trouble, StorageError):
                    # What is no longer stored is in no answer, whatever the indexes still say.
                    _log.warning("Removed %d documents, but: %s", removed, trouble)
        return removed

    def catch_up(self, tell: Progress, *, whole: bool = True) -> bool:
        """See ``Corpus.catch_up``."""
        self._choice.follow(self._fingerprint)
        if self.in_step() or self._choice.is_elsewhere:
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
        or whose rebuilding was interrupted.

        Raises:
            ModelError: Its own model is on another machine.
        """
        self._choice.follow(self._fingerprint, wait=True)  # another process may have rebuilt it
        self._choice.check_here()
        if self._store.meta("model") is None:
            self._store.set_meta(model=self._choice.card.name)
        table = self._choice.table.fingerprint
        if self._store.meta("table") != table:
            with self._store.transaction():
                self._store.vectors.retokenise(self._choice.table.ids)
                self._store.keep(table=table)
        if self._store.meta("recut") == "1":
            self._storing.recut(tell or silent)

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
        with self._store.families.updating():
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
        table = self._store.meta("table") if self._choice.is_elsewhere else self._choice.table.fingerprint
        return self._engine.is_current(self._fingerprint, table or "")

    @property
    def _fingerprint(self) -> str:
        """Of the model whose vectors are stored; empty while there was none."""
        return self._store.meta("fingerprint") or ""

    @property
    def _waiting(self) -> bool:
        return self._store.meta("waiting") == "1"
