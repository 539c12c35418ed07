"""The nouns: what is indexed, what is asked, what is answered.

Frozen dataclasses only. Every other file speaks in these; this one knows none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
Mark = Literal["sentence", "word"]
Sort = Literal["relevance", "date", "-date"]
SORTS: tuple[Sort, ...] = ("relevance", "date", "-date")


@dataclass(frozen=True, slots=True)
class Document:
    """One file or record, and what is known about it.

    Attributes:
        id: Strict identifier, ``[A-Za-z0-9._:-]{1,128}``; stable between runs for the same file or record.
        source: Where it comes from, for filters and facets: a collection's name, or the file's.
        title: Headline, or an empty string.
        byline: Author line, or an empty string.
        date: ISO 8601 date or date-time, or an empty string. Compared as text.
        url: Link to the original, ``http``, ``https`` or relative, or an empty string.
        tags: Free labels.
        path: The file it was read from, or an empty string for records that came without one.
    """

    id: str
    source: str = ""
    title: str = ""
    byline: str = ""
    date: str = ""
    url: str = ""
    tags: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A few whole sentences of a document: what is embedded, found and shown.

    Attributes:
        text: The original characters, with lines torn by columns rejoined.
        start, end: Code points in the decoded original, ``original[start:end]`` holds the text.
        title: Headline of the article the passage belongs to, or an empty string.
        page: 1-based page number where the format has pages, else ``None``.
    """

    text: str
    start: int
    end: int
    title: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search.

    Attributes:
        query: What the user typed. Parts in straight double quotes, or in Chinese ones (``“…”``, ``「…」``)
            set apart by spaces, must occur exactly.
        mode: ``hybrid`` (words and meaning), ``dense`` (meaning) or ``lexical`` (words).
        limit, offset: The slice of the ranking wanted.
        sources, tags: Keep only passages of these; empty keeps all. Several values of one field are alternatives.
        bylines: Keep only documents whose byline holds one of these, such as an author's name.
        date_from, date_to: ISO dates, both inclusive; empty leaves the side open.
        group: ``True`` keeps only the best passage of each document.
        sort: ``relevance``, ``date`` (earliest first) or ``-date`` (latest first) of the passages that answer;
            those without a date come last.
        min_score: Drop hits below this score (0..1); ``None`` uses the calibrated cut-off.
        marks: Whether the answering sentence and matching words are looked for in each hit.
        without: Stages of a hybrid search left out, to measure what they are worth: ``"expansion"`` (asking for the
            nearest neighbours of the query's words too), ``"interaction"`` (rescoring by late interaction),
            ``"spelling"`` (putting typing mistakes right), ``"rerank"`` (the reranker, if there is one).
    """

    query: str
    mode: Mode = "hybrid"
    limit: int = 10
    offset: int = 0
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    bylines: tuple[str, ...] = ()
    date_from: str = ""
    date_to: str = ""
    group: bool = False
    sort: Sort = "relevance"
    min_score: float | None = None
    marks: bool = True
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a hit's text.

    Attributes:
        mark: ``word`` for a word that matches, ``sentence`` for the rest of the answering sentence, else ``None``.
        in_sentence: Whether it belongs to the answering sentence; tells the words in it from those elsewhere.
    """

    text: str
    mark: Mark | None = None
    in_sentence: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where a passage stands: its 0-based number in the document, page, and code points in the original."""

    passage: int
    page: int | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scores:
    """The parts of a score, each in 0..1, ``None`` where that stage did not see the passage.

    Attributes:
        dense: Closeness in meaning.
        lexical: Agreement in words.
        interaction: Late interaction, word by word.
        rerank: What the reranker says, where there is one.
    """

    dense: float | None = None
    lexical: float | None = None
    interaction: float | None = None
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Another passage with the same text or one that differs little: a repeat or reprint."""

    passage_id: str
    document_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage that answers.

    Attributes:
        title: Headline of the passage's own article; the document's title where it has none.
        segments: Concatenate to ``text``.
        before, after: Text of the neighbouring passages, empty at the ends of a document.
        also_in: Where the same text, or one that differs little, stands too: up to 19 places,
            whatever the filters.
    """

    passage_id: str
    score: float
    scores: Scores
    title: str
    text: str
    segments: tuple[Segment, ...]
    before: str
    after: str
    document: Document
    position: Position
    also_in: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Facet:
    """How many of the matching passages carry this value."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one search.

    Attributes:
        total: Passages found above the cut-off; a lower bound unless ``total_is_exact``.
        facets: ``source``, ``year``, ``tag`` and ``byline``, most frequent first.
        weak: Whether none of the hits is sure: they are the nearest passages, and may answer nothing.
        suggestion: What the query probably meant, ``None`` where nothing is surely mistyped; it was asked for instead.
        degraded: Codes of what could not take part, empty when all is well: ``"dense"``, or ``"dense-partial"`` where
            some passages are not embedded yet; ``"rerank"``, or ``"rerank-partial"`` where the reranker had no time for
            all candidates; ``"indexes"`` while damaged ones are made anew and each vector is compared, and then
            ``"lexical"`` where the word index is among them.
        stages: Milliseconds by stage of the query.
    """

    query: str
    mode: Mode
    took_ms: float
    total: int
    total_is_exact: bool
    model: str
    generation: int
    hits: tuple[Hit, ...]
    facets: dict[str, tuple[Facet, ...]] = field(default_factory=dict)
    suggestion: str | None = None
    weak: bool = False
    degraded: tuple[str, ...] = ()
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PassageView:
    """One passage by its id, with its document and its neighbours' texts."""

    passage_id: str
    title: str
    text: str
    before: str
    after: str
    document: Document
    position: Position


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document with its passages in order. Their ids are ``{document.id}:{number}``."""

    document: Document
    passages: tuple[PassageView, ...]


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A page of the list of documents, ordered by id, and how many there are in all."""

    documents: tuple[Document, ...]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class NextModel:
    """The model that an archive is being rebuilt with, or was until that was interrupted.

    Attributes:
        embedded, passages: How many of how many different passages have their vectors.
    """

    name: str
    embedded: int
    passages: int


@dataclass(frozen=True, slots=True)
class Status:
    """What a data directory holds.

    Attributes:
        pending: Different passages that wait for their vectors; once published, words find them.
        vector_reason: Why vectors are searched by that index, in English and in Chinese.
        bytes: On disk; 0 where a Milvus server keeps them.
        engine: ``local``, or the address of the Milvus.
        reranker: Name of the reranker, empty where there is none.
        reranker_state: ``none``, ``waiting`` (not asked yet), ``loading``, ``ready`` or ``failed``.
        backend: What computes the model's vectors, and why not what was chosen, in English and in Chinese.
        next_model: The model that is being gone over to, ``None`` where none is.
    """

    data: str
    model: str
    dimension: int
    documents: int
    passages: int
    pending: int
    generation: int
    vector_index: str
    bytes: int
    ready: bool
    reranker: str = ""
    reranker_state: str = "none"
    engine: str = "local"
    vector_reason: tuple[str, str] = ("", "")
    backend: tuple[str, str] = ("", "")
    next_model: NextModel | None = None
