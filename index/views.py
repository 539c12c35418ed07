"""Passages and documents as they are stored, found by their ids, and what an archive holds in all."""

from __future__ import annotations

from index.document import Document, DocumentView, PassageView, Position, Status
from index.engine import Engine, Store, View
from index.engine.schema import Row
from index.errors import NotFoundError
from index.model_choice import ModelChoice
from index.reranking import Reranking
from index.staging import begun


def passage_row(store: Store, passage_id: str) -> tuple[Row, Document]:
    """The stored passage with this id, and its document.

    Raises:
        NotFoundError: There is no such passage.
    """
    document_id, _, position = passage_id.rpartition(":")
    found = store.find(document_id) if position.isdecimal() and len(position) < 10 else None
    rows = store.rows_of(found[0], int(position), int(position)) if found else []
    if found is None or not rows:
        raise NotFoundError(f"There is no passage {passage_id!r}.", f"没有段落 {passage_id!r}。")
    return rows[0], found[1]


def passage_view(store: Store, passage_id: str) -> PassageView:
    """One passage with its neighbours.

    Raises:
        NotFoundError: There is no such passage.
    """
    row, document = passage_row(store, passage_id)
    return _view(document, row, *store.neighbours([row])[row.number])


def document_view(store: Store, document_id: str) -> DocumentView:
    """One document with its passages in order.

    Raises:
        NotFoundError: There is no such document.
    """
    found = store.find(document_id)
    if found is None:
        raise NotFoundError(f"There is no document {document_id!r}.", f"没有文档 {document_id!r}。")
    number, document = found
    rows = store.rows_of(number)
    texts = ["", *(row.passage.text for row in rows), ""]
    views = (_view(document, row, texts[place], texts[place + 2]) for place, row in enumerate(rows))
    return DocumentView(document, tuple(views))


def _view(document: Document, row: Row, before: str, after: str) -> PassageView:
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


def status_of(
    engine: Engine, view: View | None, choice: ModelChoice, dimension: int, pending: int, reranking: Reranking | None
) -> Status:
    """What an archive holds, as ``Corpus.status`` tells it."""
    documents, passages = engine.store.counts()
    return Status(
        data=str(engine.data),
        model=choice.name,
        dimension=dimension,
        documents=documents,
        passages=passages,
        pending=pending,
        generation=view.generation if view else 0,
        vector_index=view.kind if view else "none",
        bytes=engine.size(),
        engine=engine.name,
        ready=view is not None,
        vector_reason=view.reason if view else ("", ""),
        reranker=reranking.settings.card.name if reranking else "",
        reranker_state=reranking.state if reranking else "none",
        backend=choice.backend(),
        next_model=begun(engine.data),
    )
