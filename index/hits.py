"""Ranked passages -> hits: texts, neighbours, repeats, parts of the score; and facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from index.candidates import Ranked
from index.document import Document, Facet, Hit, Place, Position, Scores, Segment
from index.engine import Numbers, Store
from index.engine.schema import Row

SCORE_DIGITS = 4  # of the scores that are shown
_FACETS = 20  # values of each kind
_REPEATS = 20  # of a passage, itself among them


@dataclass(frozen=True, slots=True)
class Tools:
    """Where hits get what is not in the indexes.

    Attributes:
        documents: Documents by number.
        neighbours: By number of passages the texts before and after them in their documents.
        repeats: By number of passages those with the same text or one that differs little, themselves among them.
    """

    documents: Callable[[Sequence[int]], dict[int, Document]]
    neighbours: Callable[[Sequence[Row]], Mapping[int, tuple[str, str]]]
    repeats: Callable[[Sequence[Row]], Mapping[int, list[Row]]]

    @classmethod
    def of(cls, store: Store) -> Tools:
        """All of them from the truth of an archive."""
        return cls(store.published_documents, store.neighbours, partial(store.repeats, limit=_REPEATS))


def facets_of(numbers: Numbers, documents: dict[int, Document]) -> dict[str, tuple[Facet, ...]]:
    """Counts of sources, years, tags and bylines over the documents of some passages, most frequent first."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("source", "year", "tag", "byline")}
    for number, passages in Counter(numbers.tolist()).items():
        document = documents.get(number)
        if document is not None:
            counts["source"][document.source] += passages
            counts["year"][document.date[:4]] += passages
            counts["byline"][document.byline] += passages
            for tag in document.tags:
                counts["tag"][tag] += passages
    return {
        name: tuple(Facet(value, count) for value, count in counter.most_common(_FACETS + 1) if value)[:_FACETS]
        for name, counter in counts.items()
    }


def hits_of(
    tools: Tools,
    shown: Ranked,
    rows: dict[int, Row],
    documents: dict[int, Document],
    segments: Mapping[int, tuple[Segment, ...]],
    reranked: Mapping[int, float],
) -> Iterator[Hit]:
    """The ranked passages as hits; those removed since their generation was published are left out.

    Args:
        segments: Marked texts by passage number.
        reranked: What the reranker said, by passage number.
    """
    there = [rows[number] for number in shown.numbers.tolist() if number in rows]
    texts, places = tools.neighbours(there), _places(tools, there)
    for place, number in enumerate(shown.numbers.tolist()):
        row = rows.get(number)
        document = documents.get(row.document) if row is not None else None
        if row is None or document is None:
            continue
        passage = row.passage
        before, after = texts[number]
        yield Hit(
            passage_id=f"{document.id}:{row.position}",
            score=round(float(shown.scores[place]), SCORE_DIGITS),
            scores=_parts(shown, place, reranked.get(number)),
            title=passage.title or document.title,
            text=passage.text,
            segments=segments[number],
            before=before,
            after=after,
            document=document,
            position=Position(row.position, passage.page, passage.start, passage.end),
            also_in=places[number],
        )


def _parts(shown: Ranked, place: int, reranked: float | None) -> Scores:
    signals = shown.signals

    def part(values: npt.NDArray[np.float32] | None) -> float | None:
        return None if values is None else round(min(1.0, max(0.0, float(values[place]))), SCORE_DIGITS)

    return Scores(
        dense=None if np.isnan(shown.known.cosines[place]) else part(signals.meaning),
        lexical=part(signals.coverage),
        interaction=part(signals.interaction),
        rerank=None if reranked is None else round(reranked, SCORE_DIGITS),
    )


def _places(tools: Tools, rows: Sequence[Row]) -> dict[int, tuple[Place, ...]]:
    """By number of each passage the other places of its text."""
    repeats = tools.repeats(rows)
    others = {row.number: [other for other in repeats[row.number] if other.number != row.number] for row in rows}
    of_all = [row for row in rows if others[row.number]] + [other for some in others.values() for other in some]
    documents = tools.documents(sorted({row.document for row in of_all}))

    def is_elsewhere(row: Row, other: Row) -> bool:
        here, there = documents.get(row.document), documents.get(other.document)
        if here is None or there is None:
            return False
        # A document that is just being cut anew may have a passage twice, of the old cut and of the new one.
        same = row.passage.start < other.passage.end and other.passage.start < row.passage.end
        return here.id != there.id or not same

    return {
        row.number: tuple(
            Place(f"{documents[o.document].id}:{o.position}", documents[o.document].id, documents[o.document].title)
            for o in others[row.number]
            if is_elsewhere(row, o)
        )
        for row in rows
    }
