"""Which sentence of a passage answers the query, and which words match.

A hit found by meaning may share no word with the query, so sentences are judged as passages are: by late
interaction over the word table, and by the pooled vector. Gives segments that concatenate to the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from index.chinese import fold, is_cjk, sentences, tokens
from index.document import Mark, Segment
from index.interaction import QueryWords, scores
from index.wordtable import Word, WordTable

_NEAR = 0.62  # cosine from which a different word counts as saying the same
_WRITTEN_SHARE = 0.35  # of words that stand there as written, beside late interaction, in choosing the sentence

Marks = npt.NDArray[np.bool_]


def highlight(
    table: WordTable,
    query: QueryWords,
    folded_query: str,
    texts: Sequence[str],
    *,
    phrases: Sequence[str] = (),
    common: frozenset[str] = frozenset(),
) -> list[tuple[Segment, ...]]:
    """Mark the answering sentence and the matching words of each passage; all at once, as words are shared.

    Args:
        folded_query: The query folded, for matching words as they are written.
        phrases: Quoted parts, folded; marked wherever they stand.
        common: Query tokens too frequent in the archive to be worth a mark.
    """
    needles = _needles(query.words, folded_query)
    words = table.words_of(texts)
    spans = [sentences(text) for text in texts]
    near = iter(_nearness(table, query, words, spans))
    marked_texts = []
    for text, text_words, text_spans in zip(texts, words, spans, strict=True):
        marked = _written(needles, fold(text), phrases, common)
        best = _answering([next(near) for _ in text_spans], text_spans, marked)
        sentence = (0, 0)
        if best is not None:
            _meant(table, query, text_words, text_spans[best], marked)
            sentence = _trimmed(text, text_spans[best])
        marked_texts.append(_segments(text, sentence, marked))
    return marked_texts


def _nearness(
    table: WordTable, query: QueryWords, words: Sequence[list[Word]], spans: Sequence[list[tuple[int, int]]]
) -> list[float]:
    """Late-interaction score of every sentence of every text, in order."""
    ids = [
        np.array([word.id for word in text_words if start <= word.start < end], dtype=np.uint32)
        for text_words, text_spans in zip(words, spans, strict=True)
        for start, end in text_spans
    ]
    return [float(score) for score in scores(table, query, ids)]


def _answering(near: Sequence[float], spans: Sequence[tuple[int, int]], marked: Marks) -> int | None:
    """Index of the sentence that answers best, ``None`` where nothing speaks for any of them."""
    if not spans:
        return None
    shared = np.array([marked[start:end].sum() for start, end in spans], np.float32)
    total = np.array(near) + _WRITTEN_SHARE * np.minimum(1.0, shared / max(4.0, float(shared.max())))
    return int(np.argmax(total)) if total.max() > 0 else None


def _written(needles: Sequence[str], text: str, phrases: Sequence[str], common: frozenset[str]) -> Marks:
    """Where the query's words stand as they are written.

    Neighbouring marks grow together, and a stretch counts only if something in it is rare enough: a frequent
    word is marked as part of a longer match, not wherever it stands.
    """
    marked = np.zeros(len(text), np.bool_)
    rare = np.zeros(len(text), np.bool_)
    for needle in needles:
        for start, end in _places(needle, text):
            marked[start:end] = True
            rare[start:end] |= any(token not in common for token in tokens(needle) if len(token) > 1 or token == needle)
    for start, end in _stretches(marked):
        marked[start:end] = rare[start:end].any()
    for phrase in phrases:
        for start, end in _places(phrase, text):
            marked[start:end] = True
    return marked


def _needles(words: Sequence[Word], folded_query: str) -> list[str]:
    """What to look for in a text: the query's words, and single characters only together with a neighbour.

    A name the table does not know comes as single characters; one of them alone says little.
    """
    pieces = [folded_query[word.start : word.end] for word in words]
    alone = len(pieces) == 1
    found = [piece for piece in pieces if len(piece) > 1 or not is_cjk(piece) or alone]
    for (first, left), (second, right) in pairwise(zip(words, pieces, strict=True)):
        if first.end == second.start and (len(left) == 1 or len(right) == 1):
            found.append(left + right)
    return list(dict.fromkeys(found))


def _places(needle: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a token stands; Latin words and numbers only whole."""
    start = text.find(needle)
    while start >= 0:
        end = start + len(needle)
        around = text[max(0, start - 1) : start] + text[end : end + 1]
        if is_cjk(needle[0]) or not any(char.isalnum() and not is_cjk(char) for char in around):
            yield start, end
        start = text.find(needle, start + 1)


def _stretches(marked: Marks) -> list[tuple[int, int]]:
    """Spans ``(start, end)`` of the runs of marked places."""
    edges = np.flatnonzero(np.diff(marked, prepend=False, append=False))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _meant(table: WordTable, query: QueryWords, words: list[Word], span: tuple[int, int], marked: Marks) -> None:
    """Mark the words of a sentence that mean what a weighty query word means."""
    inside = [word for word in words if span[0] <= word.start < span[1] and word.end - word.start > 1]
    heavy = np.flatnonzero(query.weights >= 0.5 / max(1, len(query)))
    if not inside or not len(heavy):
        return
    near = table.cosines(query.vectors[heavy], np.array([word.id for word in inside], np.uint32))
    for word, cosine in zip(inside, near.max(axis=1), strict=True):
        if cosine >= _NEAR:
            marked[word.start : word.end] = True


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """The sentence without the white space around it."""
    start, end = span
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _segments(text: str, sentence: tuple[int, int], marked: Marks) -> tuple[Segment, ...]:
    """Cut the text wherever its marking changes."""
    if not text:
        return ()
    inside = np.zeros(len(text), np.bool_)
    inside[slice(*sentence)] = True
    state = marked + 2 * inside.astype(np.int8)
    edges = [0, *(np.flatnonzero(np.diff(state)) + 1).tolist(), len(text)]
    segments = []
    for start, end in pairwise(edges):
        mark: Mark | None = "word" if marked[start] else "sentence" if inside[start] else None
        segments.append(Segment(text[start:end], mark, bool(inside[start])))
    return tuple(segments)
