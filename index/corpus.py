"""The face of the library: a corpus in a data directory, to add to, remove from and search.

Brings the engine, the model and the cutting of passages together; everything outside index/ talks to this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from index.backlog import Embed
from index.checking import problems_of
from index.document import Answer, DocumentPage, DocumentView, PassageView, SearchRequest, Segment, Status
from index.embedding import Encoder
from index.engine import Engine, View
from index.engine.opening import LOCAL, open_engine
from index.errors import DataError, XunzhangError
from index.helpers import Helpers
from index.hits import Tools
from index.indexing import Indexer
from index.ingest import Entry
from index.model_choice import ModelChoice, asked_name
from index.outcomes import Each, Outcome, Summary, ignore
from index.remembered import ANSWER_BYTES, RememberedAnswers, RememberedVectors
from index.request import check, similar_to
from index.reranking import Reranking, RerankSettings
from index.search import Models, answer, marks
from index.suggest import MOST_HEADLINES, KeptSuggester, Suggestion, entries_of
from index.telling import Progress, silent
from index.tuning import one_thread_for_numpy
from index.views import document_view, passage_row, passage_view, status_of
from index.walk import FileState, absolute_name, gone_from
from index.wordtable import WordTable


class Corpus:
    """Documents in a data directory, searchable by words and by meaning; made by ``Corpus.open``, safe between threads.

    Attributes:
        reranking: The reranker, ``None`` where none was chosen.
        helpers: Further processes that answer searches, ``None`` where there may be none.
    """

    def __init__(
        self, engine: Engine, choice: ModelChoice, rerank: RerankSettings | None, kept: int, more: int
    ) -> None:
        one_thread_for_numpy()
        self._engine = engine
        self._choice = choice
        self.reranking = None if rerank is None else Reranking(rerank, engine.data)
        self._answers = RememberedAnswers(kept)
        self._vectors = RememberedVectors()
        self._suggester = KeptSuggester()
        self.helpers = Helpers(engine.data, more) if more and engine.name == LOCAL else None

    @classmethod
    def open(
        cls,
        data: Path,
        *,
        model: str | None = None,
        create: bool = False,
        rerank: RerankSettings | None = None,
        engine: str = LOCAL,
        answer_bytes: int = ANSWER_BYTES,
        processes: int = 1,
    ) -> Corpus:
        """Open the corpus in ``data``, or in a Milvus.

        Args:
            engine: ``local``, or the address of a Milvus as ``XUNZHANG_ENGINE`` takes it; then ``data`` holds what
                belongs to this machine, such as keys.
            model: Name of an embedding model (see ``embedding.MODELS``) or a folder, which may be gone where the corpus
                was made with it; ``None`` takes the one it was made with, or the bundled one for a new corpus.
            create: Make a new corpus where there is none.
            rerank: The reranker; searches begin to load it, and go without it until it is there.
            answer_bytes: Memory for answers, which are given again while nothing changes; 0 for none.
            processes: How many may answer searches at once, see ``helpers.py``; more than one helps beside the local
                engine and a light model such as the bundled one.

        Raises:
            NoIndexError: There is none and ``create`` is false.
            SettingError: There is no such model.
            ModelMismatchError: The corpus was made with another model.
            DataError: The directory cannot be used.
            EngineError: The Milvus does not answer.
        """
        data = data.expanduser().absolute()
        if model is not None:  # an unknown name is refused before anything is made
            model = asked_name(model, partial(open_engine, engine, data, create=False))
        opened = open_engine(engine, data, create=create)
        try:
            return cls(opened, ModelChoice(opened, model), rerank, answer_bytes, processes - 1)
        except XunzhangError:
            opened.close()
            raise

    def close(self) -> None:
        """Let go of the data directory."""
        if self.helpers is not None:
            self.helpers.close()
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
            ModelError, ModelMismatchError: It cannot be loaded, or its files are not those the corpus was made with.
        """
        return self._choice.encoder()

    @property
    def table(self) -> WordTable:
        """The word table, which serves late interaction and marking beside any model."""
        return self._choice.table

    # Writing

    def add(
        self, sources: Iterable[Entry], *, progress: Progress = silent, each: Each = ignore, embed: Embed = "all"
    ) -> Summary:
        """Add documents, or replace those whose content changed; then make them searchable.

        A document is safe once its transaction committed, which ``each`` and ``progress("read", ...)`` report;
        embedding and publishing follow, and a later call or start takes them up where they were interrupted.

        Args:
            sources: Documents with their texts; ``Unreadable`` entries end up in the summary, and what a
                ``FileDone`` says is recorded for ``known_file``, once documents gone from that file are removed.
            progress: Called with the stage, how much is done and how much there is in all: files read (documents,
                where there is one file or none), passages embedded.
            each: Called with what became of each document and file, in their order.
            embed: What is embedded before this returns: all that waits; what is added now alone; or ``soon``, all but
                what a transformer takes long for, which ``catch_up`` then does. Words find everything in any case.

        ``Summary.trouble`` says why they are found by words only, or not at all, until ``catch_up`` can do the rest.

        Raises:
            BusyError: Another process is writing.
            StorageError: The disk is full or cannot be written; what ``each`` was told of is stored.
            ModelMismatchError: The model's files are not those the corpus was made with; the documents are stored
                and found by words.
        """
        return self._indexer().add(sources, progress, each, embed)

    def known_file(self, path: str) -> tuple[FileState, frozenset[str]] | None:
        """What was recorded of a file all of whose documents are stored, and their ids; for ``sources_of``."""
        return self._engine.store.files.known(path)

    def remove(self, document_ids: Sequence[str]) -> int:
        """Remove documents everywhere; returns how many there were.

        Raises:
            BusyError: Another process is writing.
            StorageError: The disk is full or cannot be written; nothing was removed.
        """
        return self._indexer().remove(document_ids)

    def prune(self, paths: Sequence[Path], keep: set[str], *, force: bool = False, each: Each = ignore) -> int:
        """Remove the documents read from below ``paths`` whose ids are not in ``keep``; returns how many, and tells
        ``each`` of them.

        Raises:
            DataError: That would empty a path, or halve a large one, and ``force`` is false; nothing was removed.
        """
        below = {path: self._engine.store.ids_under([absolute_name(path)]) for path in paths}
        gone = gone_from(below, keep, force=force)
        removed = self.remove(gone)
        paths_of = {id_: path for ids in below.values() for id_, path in ids.items()}
        for id_ in gone:
            each(Outcome("removed", paths_of[id_], paths_of[id_], id_))
        return removed

    def catch_up(self, *, progress: Progress = silent, whole: bool = True) -> bool:
        """Finish what an interrupted run left, embed what waits for its vectors, or make damaged indexes again.
        Returns whether there was anything.

        Args:
            whole: Also embed what a transformer takes long for; others read and write meanwhile.

        Raises:
            BusyError: Another process is writing or embedding, probably doing just that.
            ModelError, ModelMismatchError: The model cannot be used; what it has no vectors of is found by words.
            StorageError: The disk is full or cannot be written; what was published before stays.
        """
        return self._indexer().catch_up(progress, whole=whole)

    def salvage(self) -> bool:
        """Where the indexes are damaged or gone, answer by what is whole until ``catch_up`` has made them anew.

        Returns whether that is so; ``Answer.degraded`` then says ``indexes``, and ``lexical`` where words are missing.
        """
        return self._engine.salvage()

    def rebuild(self, *, model: str | None = None, progress: Progress = silent) -> None:
        """Make passages and indexes anew from the stored originals, and embed anew if the model changes.

        Searches find what they found before until all is there. A transformer embeds while others write; interrupted
        then, nothing was changed, and rebuilding with the same model goes on.

        Raises:
            BusyError: Another process is writing, or rebuilding.
            ModelError: The model cannot be loaded; nothing was changed.
        """
        self._indexer().rebuild(self._choice.open(model), progress)
        self._choice.drop_others()

    def compact(self, *, progress: Progress = silent) -> None:
        """Give back the room of what was removed, and publish all indexes in one piece; answers stay what they are.

        Raises:
            BusyError: Another process is writing.
            StorageError: There is no room for the copy that this takes for a while; nothing is lost.
        """
        self._indexer().compact(progress)

    def copy_to(self, file: Path) -> None:
        """Write all that cannot be made again, as it is at one moment, into a new SQLite file, while others write.

        Raises:
            DataError: There is no room for it (``StorageError``), or the archive is damaged.
        """
        self._engine.copy_to(file)

    def articles(self) -> Iterator[list[tuple[str, str]]]:
        """The passages of each document, as ``(title, text)`` in order: what a model can be adapted to."""
        return self._engine.store.articles()

    def _indexer(self) -> Indexer:
        return Indexer(self._engine, self._choice)

    # Reading

    def search(self, request: SearchRequest) -> Answer:
        """Answer a query.

        Raises:
            QueryError: The query or a setting cannot be used.
            NoIndexError: Nothing can be searched yet.
        """
        check(request)
        view, revision = self._view(), self._engine.store.revision()

        def here() -> Answer:
            return answer(view, self._models(view), Tools.of(self._engine.store), request)

        make = here
        if self.helpers is not None and self.reranking is None and self._choice.is_light and not view.missing:
            make = partial(self.helpers.answer, request, view.generation, here)
        return self._answers.answer(request, view, revision, make)

    def similar(self, passage_id: str, *, limit: int = 10) -> Answer:
        """Passages that say something like this one, itself and its repeats left out.

        Raises:
            NotFoundError: There is no such passage.
        """
        row, _ = passage_row(self._engine.store, passage_id)
        request = similar_to(row.passage, limit)
        check(request)
        view = self._view()
        found = answer(view, self._models(view), Tools.of(self._engine.store), request, exclude=row)
        return replace(found, query="")

    def suggest(self, query: str, *, limit: int = 8) -> list[Suggestion]:
        """What a half-typed query may become, out of the archive's headlines and frequent phrases.

        Raises:
            DataError: The index is not ready.
        """
        view = self._view()
        suggester = self._suggester.of(
            view.generation, lambda: entries_of(view.phrases(), self._engine.store.headlines(MOST_HEADLINES))
        )
        return suggester.suggest(query, limit)

    def passage(self, passage_id: str) -> PassageView:
        """One passage with its neighbours.

        Raises:
            NotFoundError: There is no such passage.
        """
        return passage_view(self._engine.store, passage_id)

    def marks(self, passage_id: str, query: str) -> tuple[Segment, ...]:
        """A passage's text with the sentence that answers a query and its words marked, as in a hit.

        Raises:
            NotFoundError: There is no such passage.
            QueryError: The query cannot be used.
        """
        check(SearchRequest(query))
        view = self._view()
        return marks(view, self._models(view), query, passage_row(self._engine.store, passage_id)[0])

    def document(self, document_id: str) -> DocumentView:
        """One document with its passages in order.

        Raises:
            NotFoundError: There is no such document.
        """
        return document_view(self._engine.store, document_id)

    def documents(
        self, *, limit: int = 50, offset: int = 0, source: str = "", query: str = "", date_from: str = "",
        date_to: str = "",
    ) -> DocumentPage:  # fmt: skip
        """A page of the documents, ordered by id; ``query`` must occur in the id, title or path."""
        documents, total = self._engine.store.page(
            limit=limit, offset=offset, source=source, text=query, date_from=date_from, date_to=date_to
        )
        return DocumentPage(tuple(documents), total, limit, offset)

    def status(self) -> Status:
        """What the data directory holds; loads no model."""
        view = self._engine.view()
        pending = 0 if self._indexer().in_step() else self._engine.store.vectors.pending()
        dimension = view.dimension if view else self._choice.card.dimension
        return status_of(self._engine, view, self._choice, dimension, pending, self.reranking)

    def verify(self) -> list[str]:
        """Compare everything with everything, reading every byte; see ``checking.problems_of``."""
        return problems_of(self._engine)

    def _view(self) -> View:
        view = self._engine.view()
        if view is None:
            command = f"python -m scripts.manage rebuild {self._engine.options()}"
            raise DataError(
                f"The index in {self.data} is not ready; run: {command}",
                f"{self.data} 中的索引尚未就绪；请运行：{command}",
            )
        self._choice.follow(view.fingerprint)
        return view

    def _models(self, view: View) -> Models:
        vector = partial(self._vectors.vector, self._choice.encoder_of, view.fingerprint)
        return Models(self._choice.card, vector, self._choice.failed, self.table, self.reranking)
