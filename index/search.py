"""One search from the typed query to hits: candidates, fusing, cutting off, grouping, marking.

Asks an engine's view for candidates and texts; knows nothing of SQLite, Tantivy, FAISS or HTTP.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import numpy.typing as npt

from index import fusion
from index.chinese import ParsedQuery, fold, parse_query, squeeze, tokens
from index.document import MODES, Answer, Document, Facet, Hit, Place, Position, Scores, SearchRequest
from index.embedding import Encoder
from index.engine import Filter, Found, Known, Numbers, View
from index.engine.store import Row
from index.errors import ModelError, QueryError
from index.highlight import highlight
from index.interaction import QueryWords, query_words
from index.interaction import scores as interaction_scores
from index.wordtable import WordTable

MAXIMUM_QUERY = 2_000  # characters
MAXIMUM_WINDOW = 1_000  # offset + limit
_DEPTH = 200  # candidates asked of each side
_DEPTH_BY_PHRASE = 1_000  # candidates that are checked for a quoted phrase
_RESCORED = 300
_COMMON = 0.2  # a token in more than this share of the passages is not worth a mark
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a search needs besides a view: the archive's encoder, the word table, and texts for its hits."""

    encoder: Callable[[], Encoder]
    table: WordTable
    documents: Callable[[Sequence[int]], dict[int, Document]]
    neighbours: Callable[[Row], tuple[str, str]]
    same_text: Callable[[Row], list[Row]]


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
            self.spent[name] = self.spent.get(name, 0.0) + round((perf_counter() - started) * 1000, 3)


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Candidates in their final order with all that is known of them; arrays of equal length."""

    numbers: Numbers
    scores: npt.NDArray[np.float32]
    signals: fusion.Signals
    known: Known

    def take(self, chosen: npt.NDArray[np.int64]) -> _Ranked:
        """The candidates at these places, in this order."""
        signals = fusion.Signals(
            self.signals.coverage[chosen],
            None if self.signals.cosine is None else self.signals.cosine[chosen],
            None if self.signals.interaction is None else self.signals.interaction[chosen],
        )
        known = Known(self.known.documents[chosen], self.known.keys[chosen], self.known.vectors[:0], ())
        return _Ranked(self.numbers[chosen], self.scores[chosen], signals, known)


def check(request: SearchRequest) -> None:
    """Refuse a request that cannot be answered.

    Raises:
        QueryError: The query is empty or too long, or a setting is out of its range.
    """
    if not request.query.strip():
        raise QueryError("The query is empty; type a question or a few words.", "查询为空；请输入问题或关键词。")
    if len(request.query) > MAXIMUM_QUERY:
        raise QueryError(
            f"The query has {len(request.query)} characters; at most {MAXIMUM_QUERY} are allowed.",
            f"查询有 {len(request.query)} 个字符；最多 {MAXIMUM_QUERY} 个。",
        )
    if request.mode not in MODES:
        raise QueryError(
            f"There is no mode {request.mode!r}; use hybrid, dense or lexical.",
            f"没有 {request.mode!r} 这种模式；可选 hybrid、dense、lexical。",
        )
    if request.limit < 1 or request.offset < 0 or request.limit + request.offset > MAXIMUM_WINDOW:
        raise QueryError(
            f"limit must be at least 1, offset at least 0, and together at most {MAXIMUM_WINDOW}.",
            f"limit 至少为 1，offset 至少为 0，两者之和不超过 {MAXIMUM_WINDOW}。",
        )
    if request.min_score is not None and not 0 <= request.min_score <= 1:
        raise QueryError("min_score must lie between 0 and 1.", "min_score 应在 0 与 1 之间。")
    for name, date in (("from", request.date_from), ("to", request.date_to)):
        if date and not _DATE.fullmatch(date):
            raise QueryError(
                f"{name} must be a date like 2024-03-11, 2024-03 or 2024, not {date[:20]!r}.",
                f"{name} 应为 2024-03-11、2024-03 或 2024 这样的日期，而不是 {date[:20]!r}。",
            )


def answer(view: View, tools: Tools, request: SearchRequest, *, exclude: Row | None = None) -> Answer:
    """Answer a checked request.

    Args:
        exclude: Leave out this passage and its repeats, as when looking for what is similar to it.
    """
    started = perf_counter()
    stage = _Stages()
    query = parse_query(request.query)
    only = Filter(request.sources, request.tags, request.date_from, request.date_to)
    degraded: list[str] = []
    vector = None
    if request.mode != "lexical":
        with stage("encode"):
            vector = _encoded(tools, query.text, degraded)
    rarity = _Rarity(view)
    ranked, exact = _ranked(view, tools.table, query, request, only, vector, rarity, stage)
    texts: dict[int, Row] = {}
    if query.phrases:
        with stage("phrase"):
            texts = view.rows([int(number) for number in ranked.numbers])
            ranked = ranked.take(_holding(query.phrases, ranked.numbers, texts))
    if exclude is not None:
        key = np.uint64(int.from_bytes(exclude.key[:8], "little"))
        ranked = ranked.take(np.flatnonzero((ranked.known.keys != key) & (ranked.numbers != exclude.number)))
    cut_off = fusion.CUT_OFF if request.min_score is None else request.min_score
    ranked = ranked.take(np.flatnonzero(ranked.scores >= cut_off))
    ranked = ranked.take(_first_of_each(ranked.known.keys))
    with stage("fetch"):
        documents = tools.documents(sorted(set(ranked.known.documents.tolist())))
    facets = _facets(ranked.known.documents, documents)
    if request.group:
        ranked = ranked.take(_first_of_each(ranked.known.documents))
    shown = ranked.take(np.arange(request.offset, min(request.offset + request.limit, len(ranked.numbers))))
    with stage("fetch"):
        texts = {**texts, **view.rows([int(number) for number in shown.numbers if int(number) not in texts])}
    with stage("highlight"):
        words = query_words(tools.table, query.text, rarity.of_words)
        common = frozenset(t for t in tokens(query.folded) if rarity.share(t) > _COMMON)
        hits = tuple(_hits(tools, shown, texts, documents, query, words, common))
    return Answer(
        query=request.query,
        mode=request.mode,
        took_ms=round((perf_counter() - started) * 1000, 3),
        total=len(ranked.numbers),
        total_is_exact=exact,
        model=tools.encoder().card.name if request.mode != "lexical" and not degraded else "",
        generation=view.generation,
        hits=hits,
        facets=facets,
        degraded=tuple(degraded),
        stages=stage.spent,
    )


def _encoded(tools: Tools, text: str, degraded: list[str]) -> npt.NDArray[np.float32] | None:
    """The query's vector, ``None`` (and a note) when the model fails: word search goes on without it."""
    try:
        vector = tools.encoder().queries([text])[0]
    except (ModelError, RuntimeError):
        degraded.append("dense")
        return None
    return vector if np.isfinite(vector).all() and vector.any() else None


class _Rarity:
    """Inverse document frequencies of tokens and words, in one view's archive."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._count = max(view.passages, 1)
        self._known: dict[str, int] = {}

    def ask(self, terms: Sequence[str]) -> None:
        """Look up several tokens at once."""
        new = [term for term in terms if term not in self._known]
        self._known.update(zip(new, self._view.frequencies(new), strict=True))

    def share(self, term: str) -> float:
        """In which share of the passages a token occurs."""
        self.ask([term])
        return self._known[term] / self._count

    def idf(self, term: str) -> float:
        """BM25's inverse document frequency of a token, as Tantivy counts it."""
        self.ask([term])
        frequency = self._known[term]
        return math.log(1 + (self._count - frequency + 0.5) / (frequency + 0.5))

    def of_words(self, words: Sequence[str]) -> list[float]:
        """For words of any length: the idf of their rarest token, 0 for what is no word."""
        return [max((self.idf(token) for token in tokens(fold(word))), default=0.0) for word in words]


def _ranked(
    view: View,
    table: WordTable,
    query: ParsedQuery,
    request: SearchRequest,
    only: Filter,
    vector: npt.NDArray[np.float32] | None,
    rarity: _Rarity,
    stage: _Stages,
) -> tuple[_Ranked, bool]:
    """Candidates of all stages the mode allows, best first, and whether these are surely all there are."""
    terms = Counter(tokens(query.folded))
    required = _required(query.phrases)
    depth = max(_DEPTH, 2 * (request.offset + request.limit))
    with stage("lexical"):
        rarity.ask(list(terms))
        lexical = Found.nothing()
        if request.mode != "dense" or required:
            limit = _DEPTH_BY_PHRASE if required else depth
            weights = {term: float(count) for term, count in terms.items()}
            lexical = view.lexical(weights, required, limit, only)
    with stage("dense"):
        dense = Found.nothing()
        if vector is not None and not required:
            dense = view.dense(vector, depth, only)
    with stage("fuse"):
        numbers = np.union1d(lexical.numbers, dense.numbers)
        known = view.known(numbers)
        coverage = np.zeros(len(numbers), np.float32)
        reach = sum(count * rarity.idf(term) for term, count in terms.items())
        if request.mode != "dense" and reach > 0:
            coverage[np.searchsorted(numbers, lexical.numbers)] = lexical.scores / reach
        cosine = None if vector is None else known.vectors @ vector
    with stage("interaction"):
        signals = fusion.Signals(coverage, cosine, None)
        if request.mode == "hybrid":
            signals = _rescored(table, query.text, signals, known, rarity)
    scores = fusion.absolute(signals)
    order = np.lexsort((numbers, -fusion.fused(signals)))
    # The absolute score is shown; it must not rise down the list.
    shown = np.minimum.accumulate(scores[order]) if len(order) else scores
    ranked = _Ranked(numbers, scores, signals, known).take(order)
    exact = request.mode == "lexical" and len(lexical.numbers) < depth
    return _Ranked(ranked.numbers, shown, ranked.signals, ranked.known), exact


def _required(phrases: Sequence[str]) -> list[str]:
    """Tokens that every passage with these phrases has: pairs where there are any, single characters otherwise."""
    found: set[str] = set()
    for phrase in phrases:
        all_tokens = tokens(phrase)
        found.update([token for token in all_tokens if len(token) > 1] or all_tokens)
    return sorted(found)


def _rescored(
    table: WordTable, text: str, signals: fusion.Signals, known: Known, rarity: _Rarity
) -> fusion.Signals:
    """Add late interaction for the candidates the first stage likes best."""
    words = query_words(table, text, rarity.of_words)
    if not len(words):
        return signals
    best = np.argsort(-fusion.fused(signals), kind="stable")[:_RESCORED]
    interaction = np.zeros(len(signals.coverage), np.float32)
    interaction[best] = interaction_scores(table, words, [known.tokens[place] for place in best])
    return fusion.Signals(signals.coverage, signals.cosine, interaction)


def _holding(phrases: Sequence[str], numbers: Numbers, texts: dict[int, Row]) -> npt.NDArray[np.int64]:
    """Places of the candidates whose text or title holds every phrase."""
    kept = []
    for place, number in enumerate(numbers):
        row = texts.get(int(number))
        if row is None:
            continue
        squeezed = squeeze(fold(f"{row.passage.title}\n{row.passage.text}"))
        if all(phrase in squeezed for phrase in phrases):
            kept.append(place)
    return np.array(kept, dtype=np.int64)


def _first_of_each(labels: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Places of the first candidate with each label, in order."""
    _, first = np.unique(labels, return_index=True)
    return np.sort(first)


def _facets(numbers: Numbers, documents: dict[int, Document]) -> dict[str, tuple[Facet, ...]]:
    sources: Counter[str] = Counter()
    years: Counter[str] = Counter()
    for number in numbers.tolist():
        document = documents.get(number)
        if document is not None:
            sources[document.source] += 1
            years[document.date[:4]] += 1
    return {
        name: tuple(Facet(value, count) for value, count in counts.most_common(20) if value)
        for name, counts in (("source", sources), ("year", years))
    }


def _hits(
    tools: Tools,
    shown: _Ranked,
    texts: dict[int, Row],
    documents: dict[int, Document],
    query: ParsedQuery,
    words: QueryWords,
    common: frozenset[str],
) -> Iterator[Hit]:
    for place, number in enumerate(shown.numbers.tolist()):
        row = texts.get(number)
        document = documents.get(row.document) if row is not None else None
        if row is None or document is None:  # removed since this generation was published
            continue
        passage = row.passage
        before, after = tools.neighbours(row)
        yield Hit(
            passage_id=f"{document.id}:{row.position}",
            score=round(float(shown.scores[place]), 4),
            scores=_parts(shown.signals, place),
            title=passage.title or document.title,
            text=passage.text,
            segments=highlight(
                tools.table, words, query.folded, passage.text, phrases=query.phrases, common=common
            ),
            before=before,
            after=after,
            document=document,
            position=Position(row.position, passage.page, passage.start, passage.end),
            also_in=_also_in(tools, row),
        )


def _parts(signals: fusion.Signals, place: int) -> Scores:
    def part(values: npt.NDArray[np.float32] | None) -> float | None:
        return None if values is None else round(min(1.0, max(0.0, float(values[place]))), 4)

    return Scores(part(signals.cosine), part(signals.coverage), part(signals.interaction))


def _also_in(tools: Tools, row: Row) -> tuple[Place, ...]:
    others = [other for other in tools.same_text(row) if other.number != row.number]
    documents = tools.documents([other.document for other in others])
    return tuple(
        Place(f"{documents[o.document].id}:{o.position}", documents[o.document].id, documents[o.document].title)
        for o in others
        if o.document in documents
    )
