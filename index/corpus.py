"""The face of the library: a corpus in a data directory, to add to, remove from and search.

Brings the engine, the model and the cutting of passages together; everything outside index/ talks to this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock

from index.checking import problems_of
from index.document import (
    Answer,
    Document,
    DocumentPage,
    DocumentView,
    PassageView,
    Position,
    SearchRequest,
    Status,
)
from index.embedding import Encoder
from index.engine.local import LocalEngine, LocalView
from index.engine.schema import Row
from index.errors import DataError, NotFoundError, XunzhangError
from index.hits import Tools
from index.indexing import Indexer, Progress, Summary, silent
from index.ingest import Source, Unreadable
from index.model_cards import chosen_name
from index.model_choice import ModelChoice
from index.request import MAXIMUM_QUERY, check
from index.reranking import Reranking, RerankSettings
from index.search import Models, answer
from index.suggest import MOST_HEADLINES, Suggester, Suggestion, entries_of
from index.walk import FileDone, FileState, absolute, gone_from
from index.wordtable import WordTable


class Corpus:
    """Documents in a data directory, searchable by words and by meaning. Safe to share between threads.

    Make one with ``Corpus.open``.

    Attributes:
        reranking: The reranker, ``None`` where none was chosen.
    """

    def __init__(self, engine: LocalEngine, choice: ModelChoice, rerank: RerankSettings | None) -> None:
        self._engine = engine
        self._choice = choice
        self.reranking = None if rerank is None else Reranking(rerank)
        self._suggesting = Lock()
        self._suggester: tuple[int, Suggester] | None = None

    @classmethod
    def open(
        cls, data: Path, *, model: str | None = None, create: bool = False, rerank: RerankSettings | None = None
    ) -> Corpus:
        """Open the corpus in ``data``.

        Args:
            model: Name of an embedding model (see ``embedding.MODELS``) or a folder; ``None`` takes the one the
                corpus was made with, or the bundled one for a new corpus.
            create: Make a new corpus where there is none.
            rerank: The reranker; searches begin to load it, and go without it until it is there.

        Raises:
            NoIndexError: There is none and ``create`` is false.
            SettingError: There is no such model.
            ModelMismatchError: The corpus was made with another model.
            DataError: The directory cannot be used.
        """
        if model is not None:
            model = chosen_name(model)  # an unknown name is refused before anything is made
        try:
            engine = LocalEngine(data.expanduser().absolute(), create=create)
        except OSError as error:
            why = error.strerror or str(error)
            raise DataError(
                f"{data} cannot be used: {why}; choose another directory with --data.",
                f"无法使用 {data}：{why}；请用 --data 另选目录。",
            ) from error
        try:
            return cls(engine, ModelChoice(engine, model), rerank)
        except XunzhangError:
            engine.close()
            raise

    def close(self) -> None:
        """Let go of the data directory."""
        self._engine.close()

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._engine.data

    @property
    def model(self) -> str:
        """Name of the embedding model."""
        return self._choice.name

    def encoder(self) -> Encoder:
        """The embedding model, loaded when it is first needed.

        Raises:
            ModelError: It cannot be loaded.
            ModelMismatchError: Its files are not those the corpus was made with.
        """
        return self._choice.encoder()

    @property
    def table(self) -> WordTable:
        """The word table, which serves late interaction and marking beside any model."""
        return self._choice.table

    # Writing

    def add(self, sources: Iterable[Source | Unreadable | FileDone], *, progress: Progress | None = None) -> Summary:
        """Add documents, or replace those whose content changed; then make them searchable.

        A document is safe once its transaction committed, which ``progress("read", n, 0)`` reports; embedding
        and publishing follow, and a later call or start takes them up where they were interrupted.

        Args:
            sources: Documents with their texts; ``Unreadable`` entries end up in the summary, and what a
                ``FileDone`` says is recorded for ``known_file``, once documents gone from that file are removed.

        Where the model cannot be loaded, ``Summary.trouble`` says so, and the documents are found by words until
        ``catch_up`` can embed them.

        Raises:
            BusyError: Another process is writing.
            ModelMismatchError: The model's files are not those the corpus was made with; the documents are stored
                and found by words.
        """
        return self._indexer().add(sources, progress or silent)

    def known_file(self, path: str) -> tuple[FileState, frozenset[str]] | None:
        """What was recorded of a file all of whose documents are stored, and their ids; for ``sources_of``."""
        return self._engine.store.files.known(path)

    def remove(self, document_ids: Sequence[str]) -> int:
        """Remove documents everywhere; returns how many there were.

        Raises:
            BusyError: Another process is writing.
        """
        return self._indexer().remove(document_ids)

    def prune(self, paths: Sequence[Path], keep: set[str], *, force: bool = False) -> int:
        """Remove the documents read from below ``paths`` whose ids are not in ``keep``; returns how many.

        Raises:
            DataError: That would empty a path, or halve a large one, and ``force`` is false; nothing was removed.
        """
        below = {path: self._engine.store.ids_under([str(absolute(path))]) for path in paths}
        return self.remove(gone_from(below, keep, force=force))

    def catch_up(self, *, progress: Progress | None = None) -> bool:
        """Finish what an interrupted run left, embed what waits for its vectors, or make damaged indexes again.
        Returns whether there was anything.

        Raises:
            BusyError: Another process is writing, probably doing just that.
            ModelError, ModelMismatchError: The model cannot be used; what it has no vectors of is found by words.
        """
        return self._indexer().catch_up(progress or silent)

    def rebuild(self, *, model: str | None = None, progress: Progress | None = None) -> None:
        """Make passages and indexes anew from the stored originals, and embed anew if the model changes.

        Raises:
            BusyError: Another process is writing.
            ModelError: The model cannot be loaded; nothing was changed then.
        """
        encoder = self._choice.open(model)
        self._choice.switch(encoder)
        self._indexer().rebuild(encoder, progress or silent)
        self._choice.drop_adapted()

    def articles(self) -> Iterator[list[tuple[str, str]]]:
        """The passages of each document, as ``(title, text)`` in order: what a model can be adapted to."""
        return self._engine.store.articles()

    def _indexer(self) -> Indexer:
        return Indexer(self._engine, self._choice.card, self.encoder, lambda: self.table)

    # Reading

    def search(self, request: SearchRequest) -> Answer:
        """Answer a query.

        Raises:
            QueryError: The query or a setting cannot be used.
            NoIndexError: Nothing can be searched yet.
        """
        check(request)
        view = self._view()
        return answer(view, self._models(view), self._tools(), request)

    def similar(self, passage_id: str, *, limit: int = 10) -> Answer:
        """Passages that say something like this one, itself and its repeats left out.

        Raises:
            NotFoundError: There is no such passage.
        """
        row, _ = self._row(passage_id)
        text = f"{row.passage.title}\n{row.passage.text}"[: MAXIMUM_QUERY]
        for mark in '"“”「」『』＂':  # quoted parts of a passage are no conditions
            text = text.replace(mark, " ")
        request = SearchRequest(text, limit=limit)
        check(request)
        view = self._view()
        found = answer(view, self._models(view), self._tools(), request, exclude=row)
        return replace(found, query="")

    def suggest(self, query: str, *, limit: int = 8) -> list[Suggestion]:
        """What a half-typed query may become, out of the archive's headlines and frequent phrases.

        Raises:
            DataError: The index is not ready.
        """
        view = self._view()
        with self._suggesting:  # the first to ask after a change makes it, the others wait
            if self._suggester is None or self._suggester[0] != view.generation:
                headlines = self._engine.store.headlines(MOST_HEADLINES)
                self._suggester = view.generation, Suggester(entries_of(view.phrases(), headlines))
            suggester = self._suggester[1]
        return suggester.suggest(query, limit)

    def passage(self, passage_id: str) -> PassageView:
        """One passage with its neighbours.

        Raises:
            NotFoundError: There is no such passage.
        """
        row, document = self._row(passage_id)
        before, after = self._neighbours(row)
        return _passage_view(document, row, before, after)

    def document(self, document_id: str) -> DocumentView:
        """One document with its passages in order.

        Raises:
            NotFoundError: There is no such document.
        """
        found = self._engine.store.find(document_id)
        if found is None:
            raise NotFoundError(f"There is no document {document_id!r}.", f"没有文档 {document_id!r}。")
        number, document = found
        rows = self._engine.store.rows_of(number)
        texts = ["", *(row.passage.text for row in rows), ""]
        views = (
            _passage_view(document, row, texts[place], texts[place + 2]) for place, row in enumerate(rows)
        )
        return DocumentView(document, tuple(views))

    def documents(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        source: str = "",
        query: str = "",
        date_from: str = "",
        date_to: str = "",
    ) -> DocumentPage:
        """A page of the documents, ordered by id; ``query`` must occur in the id, title or path."""
        documents, total = self._engine.store.page(
            limit=limit, offset=offset, source=source, text=query, date_from=date_from, date_to=date_to
        )
        return DocumentPage(tuple(documents), total, limit, offset)

    def status(self) -> Status:
        """What the data directory holds; loads no model."""
        documents, passages = self._engine.store.counts()
        view = self._engine.view()
        size = sum(file.stat().st_size for file in self.data.rglob("*") if file.is_file())
        return Status(
            data=str(self.data),
            model=self.model,
            dimension=view.manifest.dimension if view else self._choice.card.dimension,
            documents=documents,
            passages=passages,
            pending=0 if self._indexer().in_step() else self._engine.store.vectors.pending(),
            generation=view.generation if view else 0,
            vector_index=view.kind if view else "none",
            bytes=size,
            ready=view is not None,
            reranker=self.reranking.settings.card.name if self.reranking else "",
            reranker_state=self.reranking.state if self.reranking else "none",
        )

    def verify(self) -> list[str]:
        """Compare everything with everything, reading every byte; returns what is wrong, in English sentences."""
        return problems_of(self._engine)

    def _view(self) -> LocalView:
        view = self._engine.view()
        if view is None:
            raise DataError(
                f"The index in {self.data} is not ready; run: python -m scripts.manage rebuild --data {self.data}",
                f"{self.data} 中的索引尚未就绪；请运行：python -m scripts.manage rebuild --data {self.data}",
            )
        self._choice.follow(view.manifest.fingerprint)
        return view

    def _models(self, view: LocalView) -> Models:
        encoder = partial(self._choice.encoder_of, view.manifest.fingerprint)
        return Models(self._choice.card, encoder, self.table, self.reranking)

    def _tools(self) -> Tools:
        store = self._engine.store
        return Tools(
            documents=store.documents,
            neighbours=self._neighbours,
            repeats=lambda row: store.repeats_of(row.key, 20),
        )

    def _row(self, passage_id: str) -> tuple[Row, Document]:
        document_id, _, position = passage_id.rpartition(":")
        found = self._engine.store.find(document_id) if position.isdecimal() and len(position) < 10 else None
        rows = self._engine.store.rows_of(found[0], int(position), int(position)) if found else []
        if found is None or not rows:
            raise NotFoundError(f"There is no passage {passage_id!r}.", f"没有段落 {passage_id!r}。")
        return rows[0], found[1]

    def _neighbours(self, row: Row) -> tuple[str, str]:
        rows = self._engine.store.rows_of(row.document, row.position - 1, row.position + 1)
        texts = {other.position: other.passage.text for other in rows}
        return texts.get(row.position - 1, ""), texts.get(row.position + 1, "")


def _passage_view(document: Document, row: Row, before: str, after: str) -> PassageView:
    passage = row.passage
    return PassageView(
        passage_id=f"{document.id}:{row.position}",
        title=passage.title or document.title,
        text=passage.text,
        before=before,
        after=after,
        document=document,
        position=Position(row.position, passage.page, passage.start, passage.end),
    )
