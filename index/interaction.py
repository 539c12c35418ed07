"""Late interaction: each word of the query looks for its nearest word in the passage.

The score is MaxSim (Khattab and Zaharia 2020, "ColBERT", section 3.3) over the static vectors of the compact
model's word table instead of a transformer's, each query word weighted by how rare it is in the archive.
No model is run, and it works beside any embedding model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.asking import QUESTION_WEIGHT
from index.wordtable import Ids, Word, WordTable

Scores = npt.NDArray[np.float32]

# How likely a passage says a query word whose nearest word in it has this cosine: a logistic curve, which no longer
# tells apart what is near enough. That a word stands as it was written is the word index's to say; a plain mean of
# cosines lets one exact word outweigh several that mean the same. Measured on data/eval (nDCG@10 without -> with):
# DuReader-robust 87.9 -> 88.3, news 76.0 -> 79.3 (paraphrases 49 -> 56), DRCD +0.1, CMRC -0.1, STARD 0.0; anything
# from 0.2 to 0.35 and 9 to 24 lies within 0.3 of it.
_SAID, _STEEPNESS = 0.3, 16.0


class Nearness:
    """How near the words of a table are to the words of one query; each is compared once, however often it is asked.

    Most words stand in many candidates, and those of the hits are asked again when they are marked. For one thread.

    Attributes:
        vectors: Unit vectors of the query's words, shape ``(n, dimension)``.
    """

    def __init__(self, table: WordTable, vectors: npt.NDArray[np.float32]) -> None:
        self._table = table
        self.vectors = vectors
        self._row = np.full(len(table), -1, np.int32)  # by token: its row in ``_found``
        self._found = np.empty((0, len(vectors)), np.float32)

    def of(self, tokens: Ids) -> npt.NDArray[np.float32]:
        """Cosine of each token with each word of the query, shape ``(len(tokens), n)``."""
        # A file of tokens that was overwritten in place holds any; it is noticed, and costs nobody a search meanwhile.
        tokens = np.minimum(tokens, np.uint32(len(self._table) - 1))
        rows = self._row.take(tokens)
        if len(missing := tokens[rows < 0]):
            new = self._distinct(missing)
            self._row[new] = np.arange(len(self._found), len(self._found) + len(new), dtype=np.int32)
            self._found = np.concatenate([self._found, self._table.cosines(self.vectors, new)])
            rows = self._row.take(tokens)
        return self._found.take(rows, axis=0)

    def _distinct(self, tokens: Ids) -> Ids:
        if len(tokens) < len(self._table) // 32:
            return np.unique(tokens)
        seen = np.zeros(len(self._table), np.bool_)  # many times faster than sorting
        seen[tokens] = True
        return np.flatnonzero(seen).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class QueryWords:
    """The words of a query.

    Attributes:
        words: Tokens with their places in the query text.
        weights: Share of each word in the query's meaning; they sum to 1.
        near: How near other words are to them.
    """

    words: tuple[Word, ...]
    weights: Scores
    near: Nearness

    def __len__(self) -> int:
        return len(self.words)


def query_words(
    table: WordTable, text: str, rarity: Callable[[Sequence[str]], Sequence[float]], sought: str = ""
) -> QueryWords:
    """Take a query apart into weighted word vectors.

    Args:
        sought: As long as the text, with blanks for what only makes it a question; empty where nothing does.
        rarity: Gives the inverse document frequency of each of some words.
    """
    words = tuple(table.words(text))
    if not words:
        return QueryWords((), np.empty(0, np.float32), Nearness(table, np.empty((0, table.dimension), np.float32)))
    vectors = table.vectors(np.array([word.id for word in words], dtype=np.uint32))
    lengths = np.linalg.norm(vectors, axis=1)
    weights = np.asarray(rarity([text[word.start : word.end] for word in words]), np.float32)
    # A word the table hardly knows, or thinks empty, has a short row: it should not pull.
    weights = weights * np.minimum(1.0, lengths / max(float(np.median(lengths)), 1e-6))
    if sought:
        content = [bool(sought[word.start : word.end].strip()) for word in words]
        weights = weights * np.where(content, 1.0, QUESTION_WEIGHT)
    total = float(weights.sum())
    weights = weights / total if total > 0 else np.full(len(words), 1 / len(words), np.float32)
    unit = vectors / np.maximum(lengths, 1e-6)[:, None]
    return QueryWords(words, weights.astype(np.float32), Nearness(table, unit))


def nearest(query: QueryWords, passages: Sequence[Ids]) -> Scores:
    """For each query word and passage the cosine of the nearest word, shape ``(len(query), len(passages))``.

    Words that point away from the query word count as 0, and so does an empty passage.
    """
    out = np.zeros((len(query), len(passages)), np.float32)
    filled = [place for place, ids in enumerate(passages) if len(ids)]
    if not len(query) or not filled:
        return out
    tokens = np.concatenate([passages[place] for place in filled])
    starts = np.concatenate([[0], np.cumsum([len(passages[place]) for place in filled[:-1]], dtype=np.int64)])
    out[:, filled] = np.maximum.reduceat(query.near.of(tokens), starts, axis=0).T
    return np.maximum(out, 0, out=out)


def scores(query: QueryWords, passages: Sequence[Ids]) -> Scores:
    """Late-interaction score of each passage, 0 to 1: the share of the query, by weight, that it says."""
    result: Scores = query.weights @ said(query, passages)
    return result


def scores_with_documents(
    query: QueryWords, passages: Sequence[Ids], documents: npt.NDArray[np.int64]
) -> tuple[Scores, Scores]:
    """Late-interaction scores of the passages, and how much more those of each one's document say together than the
    best of them alone.

    Args:
        documents: Which document each passage is of.
    """
    says = said(query, passages)
    own: Scores = query.weights @ says
    if not says.size:
        return own, np.zeros_like(own)
    order = np.argsort(documents, kind="stable")
    first = np.flatnonzero(np.diff(documents[order], prepend=-1))
    together: Scores = query.weights @ np.maximum.reduceat(says[:, order], first, axis=1)
    more = together - np.maximum.reduceat(own[order], first)
    return own, more[np.searchsorted(documents[order][first], documents)]


def said(query: QueryWords, passages: Sequence[Ids]) -> Scores:
    """How likely each passage says each word of the query, shape ``(len(query), len(passages))``."""
    nothing = _likely(np.zeros(1, np.float32))  # an empty passage says nothing
    says: Scores = (_likely(nearest(query, passages)) - nothing) / (1 - nothing)
    return says


def _likely(cosines: Scores) -> Scores:
    likely: Scores = 1 / (1 + np.exp(_STEEPNESS * (_SAID - cosines)))
    return likely
