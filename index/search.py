"""One search from the typed query to hits: candidates, fusing, cutting off, grouping, marking.

Asks an engine's view for candidates and texts; knows nothing of SQLite, Tantivy, FAISS or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter

import numpy as np
import numpy.typing as npt

from index import fusion
from index.candidates import Asked, Ranked, first_of_each, holding, ranked_candidates
from index.chinese import ParsedQuery, parse_query, tokens
from index.document import Answer, SearchRequest, Segment
from index.engine import Filter, Numbers, View
from index.engine.schema import Row
from index.errors import EngineError, ModelError, ModelMismatchError
from index.forms import as_written
from index.highlight import highlight
from index.hits import Tools, facets_of, hits_of
from index.interaction import QueryWords, query_words
from index.model_cards import ModelCard
from index.ordering import DEPTH_BY_DATE, in_order, sure_enough
from index.rarity import Rarity
from index.request import MAXIMUM_WINDOW
from index.reranking import Reranked, Reranking
from index.spelling import speller_of
from index.wordtable import WordTable

_DEPTH = 200  # candidates asked of each index
# What lies beyond this many hits is looked for among so many candidates, and follows what the fewer ones gave: with a
# depth of its own for each page, one would repeat hits of another and leave others out.
_FAR, _FURTHER = 100, 2 * MAXIMUM_WINDOW
_COMMON = 0.2  # a token in more than this share of the passages is not worth a mark


@dataclass(frozen=True, slots=True)
class Models:
    """The archive's model, which gives vectors of queries and is loaded when it first does, and who is told where it
    fails; the word table; and a reranker if any."""

    card: ModelCard
    vector: Callable[[str], npt.NDArray[np.float32]]
    failed: Callable[[Exception], None]
    table: WordTable
    reranking: Reranking | None = None


@dataclass(slots=True)
class _Stages:
    """Milliseconds spent in each stage."""

    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = perf_counter()
        try:
            yield
        finally:
            self.spent[name] = round(self.spent.get(name, 0.0) + (perf_counter() - started) * 1000, 3)


def answer(view: View, models: Models, tools: Tools, request: SearchRequest, *, exclude: Row | None = None) -> Answer:
    """Answer a checked request; ``exclude`` leaves out a passage and its repeats, as when similar ones are wanted."""
    started = perf_counter()
    stage = _Stages()
    rarity = Rarity(view)
    with stage("spelling"):
        query, suggestion = _put_right(view, models.table, rarity, request, as_it_is=exclude is not None)
    without_model: list[str] = []
    with stage("encode"):
        vector = None if request.mode == "lexical" else _encoded(models, query.text, without_model)
    degraded = [part for part in view.missing if part != "dense-partial" or vector is not None] + without_model
    asked = _asked(request, models.card, vector, degraded=bool(without_model))
    with stage("interaction"):
        words = query_words(models.table, query.text, rarity.of_words, query.sought)
    candidates = partial(ranked_candidates, view, models.table, query, words)
    asked, ranked = _candidates(candidates, asked, rarity, stage, models.failed)
    near, ranked = ranked.numbers, _and_further(ranked, candidates, asked, request, rarity, stage, models.failed)
    degraded += ["dense"] if vector is not None and asked.vector is None else []
    rows: dict[int, Row] = {}
    if query.phrases:
        with stage("phrase"):
            rows = view.rows(ranked.numbers.tolist())
            ranked = ranked.take(holding(query.phrases, ranked.numbers, rows))
    ranked = _without(view, ranked, exclude)
    ranked = ranked.take(first_of_each(ranked.known.keys))
    with stage("rerank"):
        again = _reranked(view, None if exclude else models.reranking, request, query, ranked, rows)
        ranked, degraded = again.ranked, degraded + again.missing
    ranked = sure_enough(request, ranked)
    weak = bool(len(ranked.numbers)) and float(ranked.scores[0]) < fusion.SURE
    with stage("fetch"):
        documents = tools.documents(sorted(set(ranked.known.documents.tolist())))
    facets = facets_of(ranked.known.documents, documents)
    ranked = ranked.take(first_of_each(ranked.known.documents)) if request.group else ranked
    ranked = in_order(request, _as_other_pages(ranked, near), documents)
    shown = ranked.take(np.arange(request.offset, min(request.offset + request.limit, len(ranked.numbers))))
    with stage("fetch"):
        numbers = shown.numbers.tolist()
        rows |= view.rows([number for number in numbers if number not in rows])
        texts = {number: rows[number].passage.text for number in numbers if number in rows}
    with stage("highlight"):
        segments = _marked(view, models.table, query, words, rarity, texts) if request.marks else _plain(texts)
    with stage("fetch"):
        hits = tuple(hits_of(tools, shown, rows, documents, segments, again.scores))
    return Answer(
        query=request.query,
        mode=request.mode,
        took_ms=round((perf_counter() - started) * 1000, 3),
        total=len(ranked.numbers),
        total_is_exact=ranked.complete,
        model="" if asked.mode == "lexical" else models.card.name,
        generation=view.generation,
        hits=hits,
        facets=facets,
        suggestion=suggestion,
        weak=weak,
        degraded=tuple(degraded),
        stages=stage.spent,
    )


def marks(view: View, models: Models, query: str, row: Row) -> tuple[Segment, ...]:
    """A passage's text marked for a checked query, as it would be in a hit."""
    rarity = Rarity(view)
    parsed, _ = _put_right(view, models.table, rarity, SearchRequest(query), as_it_is=False)
    words = query_words(models.table, parsed.text, rarity.of_words, parsed.sought)
    return _marked(view, models.table, parsed, words, rarity, {row.number: row.passage.text})[row.number]


def _put_right(
    view: View, table: WordTable, rarity: Rarity, request: SearchRequest, *, as_it_is: bool
) -> tuple[ParsedQuery, str | None]:
    """What to ask for, and the better spelling if that is not what was typed."""
    query = parse_query(request.query)
    if as_it_is or query.phrases:
        return query, None
    query = as_written(query, rarity)
    if "spelling" in request.without:
        return query, None
    rarity.ask(tokens(query.folded))  # all at once: an engine may be on another machine
    correction = speller_of(table).corrected(query.text, rarity.count, view.passages)
    if correction is None:
        return query, None
    # What was typed hardly occurs, so hardly anything is lost by asking for what was meant.
    return parse_query(correction.text), correction.text


def _asked(request: SearchRequest, card: ModelCard, vector: npt.NDArray[np.float32] | None, *, degraded: bool) -> Asked:
    return Asked(
        mode="lexical" if degraded else request.mode,
        vector=vector,
        depth=_DEPTH if request.sort == "relevance" else DEPTH_BY_DATE,
        only=Filter(request.sources, request.tags, request.date_from, request.date_to, request.bylines),
        unrelated=card.unrelated,
        related=card.related,
        weights=card.weights,
        without=request.without,
    )


def _candidates(
    candidates: Callable[[Asked, Rarity, _Stages], Ranked],
    asked: Asked,
    rarity: Rarity,
    stage: _Stages,
    failed: Callable[[Exception], None],
) -> tuple[Asked, Ranked]:
    """The candidates, and what was asked for: words alone where the engine's index of meaning fails."""
    try:
        return asked, candidates(asked, rarity, stage)
    except EngineError as error:
        if asked.vector is None:
            raise
        failed(error)
    by_words = replace(asked, mode="lexical", vector=None)
    return by_words, candidates(by_words, rarity, stage)


def _and_further(
    ranked: Ranked,
    candidates: Callable[[Asked, Rarity, _Stages], Ranked],
    asked: Asked,
    request: SearchRequest,
    rarity: Rarity,
    stage: _Stages,
    failed: Callable[[Exception], None],
) -> Ranked:
    """The candidates, and further ones after them where a request is for what lies far down."""
    if request.sort != "relevance" or request.offset + request.limit <= _FAR:
        return ranked
    return ranked.followed_by(_candidates(candidates, replace(asked, depth=_FURTHER), rarity, stage, failed)[1])


def _as_other_pages(ranked: Ranked, near: Numbers) -> Ranked:
    """The candidates without what follows the ``near`` ones where these end before the far pages begin."""
    first = int(np.isin(ranked.numbers, near).sum())
    return ranked if first >= _FAR else ranked.take(np.arange(first))


def _encoded(models: Models, text: str, degraded: list[str]) -> npt.NDArray[np.float32] | None:
    """The query's vector; where the model fails ``None`` and a note, and word search goes on without it."""
    try:
        vector = models.vector(text)
    except (ModelError, ModelMismatchError, RuntimeError) as error:
        models.failed(error)
        degraded.append("dense")
        return None
    return vector if np.isfinite(vector).all() and vector.any() else None


def _without(view: View, ranked: Ranked, row: Row | None) -> Ranked:
    """The candidates less a passage and its repeats, if one is given."""
    if row is None:
        return ranked
    key = view.known(np.array([row.number])).keys[0]
    return ranked.take(np.flatnonzero((ranked.known.keys != key) & (ranked.numbers != row.number)))


def _reranked(
    view: View,
    reranking: Reranking | None,
    request: SearchRequest,
    query: ParsedQuery,
    ranked: Ranked,
    rows: dict[int, Row],
) -> Reranked:
    """The candidates as the reranker puts them, if there is one; what it reads is added to ``rows``."""
    if reranking is None or request.mode != "hybrid" or "rerank" in request.without:
        return Reranked(ranked)
    first = ranked.numbers[: reranking.settings.depth].tolist()
    rows |= view.rows([number for number in first if number not in rows])
    return reranking.order(query.text, ranked, rows)


def _plain(texts: dict[int, str]) -> dict[int, tuple[Segment, ...]]:
    return {number: (Segment(text),) for number, text in texts.items()}


def _marked(
    view: View, table: WordTable, query: ParsedQuery, words: QueryWords, rarity: Rarity, texts: dict[int, str]
) -> dict[int, tuple[Segment, ...]]:
    """The texts with the answering sentence and the matching words marked."""
    common = frozenset(token for token in tokens(query.sought) if rarity.share(token) > _COMMON)
    marked = highlight(
        table, words, query.sought, list(texts.values()), view.cut(list(texts)),
        question=query.folded, phrases=query.phrases, common=common,
    )  # fmt: skip
    return dict(zip(texts, marked, strict=True))
