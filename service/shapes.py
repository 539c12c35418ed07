"""From the library's nouns to the JSON shapes of answers.py."""

from __future__ import annotations

from index.document import Answer, Document, DocumentPage, DocumentView, Facet, Hit, PassageView, Position
from service.answers import (
    ContextOut,
    DocumentFull,
    DocumentList,
    DocumentOut,
    FacetOut,
    FacetsOut,
    HitOut,
    PassageOut,
    PlaceOut,
    PositionOut,
    ScoresOut,
    SearchAnswer,
    SegmentOut,
)

SCORE_DIGITS = 4


def search_answer(answer: Answer, *, explain: bool) -> SearchAnswer:
    """The JSON shape of an answer.

    :param explain: Whether to include the time of each stage.
    """
    return SearchAnswer(
        query=answer.query,
        mode=answer.mode,
        took_ms=round(answer.took_ms, 2),
        total=answer.total,
        total_is_exact=answer.total_is_exact,
        model=answer.model,
        generation=answer.generation,
        hits=[_hit(hit) for hit in answer.hits],
        facets=FacetsOut(
            source=_facet(answer, "source"),
            year=_facet(answer, "year"),
            tag=_facet(answer, "tag"),
            byline=_facet(answer, "byline"),
        ),
        suggestion=answer.suggestion,
        weak=answer.weak,
        degraded=list(answer.degraded),
        stages={name: round(spent, 3) for name, spent in answer.stages.items()} if explain else None,
    )


def passage_out(view: PassageView) -> PassageOut:
    """The JSON shape of a passage."""
    return PassageOut(
        passage_id=view.passage_id,
        title=view.title,
        text=view.text,
        context=ContextOut(before=view.before, after=view.after),
        document=document_out(view.document),
        position=_position(view.position),
    )


def document_full(view: DocumentView) -> DocumentFull:
    """The JSON shape of a document with its passages."""
    return DocumentFull(
        document=document_out(view.document), passages=[passage_out(passage) for passage in view.passages]
    )


def document_list(page: DocumentPage) -> DocumentList:
    """The JSON shape of a page of the list of documents."""
    return DocumentList(
        documents=[document_out(document) for document in page.documents],
        total=page.total,
        limit=page.limit,
        offset=page.offset,
    )


def document_out(document: Document) -> DocumentOut:
    """The JSON shape of what is known about a document; the path it was read from stays here."""
    return DocumentOut(
        id=document.id,
        title=document.title,
        source=document.source,
        byline=document.byline,
        date=document.date,
        url=document.url,
        tags=list(document.tags),
    )


def _hit(hit: Hit) -> HitOut:
    return HitOut(
        passage_id=hit.passage_id,
        score=round(hit.score, SCORE_DIGITS),
        scores=ScoresOut(
            dense=_rounded(hit.scores.dense),
            lexical=_rounded(hit.scores.lexical),
            interaction=_rounded(hit.scores.interaction),
            rerank=_rounded(hit.scores.rerank),
        ),
        title=hit.title,
        text=hit.text,
        segments=[SegmentOut(text=s.text, mark=s.mark, in_sentence=s.in_sentence) for s in hit.segments],
        context=ContextOut(before=hit.before, after=hit.after),
        document=document_out(hit.document),
        position=_position(hit.position),
        also_in=[
            PlaceOut(passage_id=place.passage_id, document_id=place.document_id, title=place.title)
            for place in hit.also_in
        ],
    )


def _facet(answer: Answer, name: str) -> list[FacetOut]:
    facets: tuple[Facet, ...] = answer.facets.get(name, ())
    return [FacetOut(value=facet.value, count=facet.count) for facet in facets]


def _position(position: Position) -> PositionOut:
    return PositionOut(passage=position.passage, page=position.page, start=position.start, end=position.end)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, SCORE_DIGITS)
