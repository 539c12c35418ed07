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
from index.wordtable import Ids, Word, WordTable

_NEAR = 0.62  # cosine from which a different word counts as saying the same
_FITTING = 0.9  # share of a text's letters and digits that its tokens have to cover to be its own
_WRITTEN_SHARE = 0.35  # of words that stand there as written, beside late interaction, in choosing the sentence

Marks = npt.NDArray[np.bool_]


def highlight(
    table: WordTable,
    query: QueryWords,
    folded_query: str,
    texts: Sequence[str],
    ids: Sequence[Ids],
    *,
    phrases: Sequence[str] = (),
    common: frozenset[str] = frozenset(),
) -> list[tuple[Segment, ...]]:
    """Mark the answering sentence and the matching words of each passage; all at once, as words are shared.

    Args:
        folded_query: The query folded, for matching words as they are written.
        ids: The texts' tokens in the table, which may begin with a title's; where they do not fit a text, it is
            cut into words anew.
        phrases: Quoted parts, folded; marked wherever they stand.
        common: Query tokens too frequent in the archive to be worth a mark.
    """
    needles = _needles(query.words, folded_query)
    spans = [sentences(text) for text in texts]
    folded = [fold(text) for text in texts]
    near = iter(_nearness(table, query, folded, spans, ids))
    written = [_written(needles, text, phrases, common) for text in folded]
    best = [
        _answering([next(near) for _ in text_spans], text_spans, marked)
        for text_spans, marked in zip(spans, written, strict=True)
    ]
    answering = [(0, 0) if place is None else _trimmed(text, text_spans[place])
                 for text, text_spans, place in zip(texts, spans, best, strict=True)]  # fmt: skip
    _meant(table, query, texts, answering, written)
    return [_segments(*each) for each in zip(texts, answering, written, strict=True)]


def _nearness(
    table: WordTable,
    query: QueryWords,
    folded: Sequence[str],
    spans: Sequence[list[tuple[int, int]]],
    ids: Sequence[Ids],
) -> list[float]:
    """Late-interaction score of every sentence of every text, in order."""
    pieces = [
        piece
        for text, text_spans, text_ids in zip(folded, spans, ids, strict=True)
        for piece in _by_sentence(table, text, text_spans, text_ids)
    ]
    return [float(score) for score in scores(table, query, pieces)]


def _by_sentence(table: WordTable, folded: str, spans: Sequence[tuple[int, int]], ids: Ids) -> list[Ids]:
    """The words of each sentence.

    Tokens hold no places, but they cover the letters and digits of a text in order: counting both from the end,
    where no title stands, says where a sentence's tokens begin. Cutting the text into words again would take most
    of the time of marking.
    """
    solid = np.cumsum([char.isalnum() for char in folded])
    covered = np.cumsum(table.lengths[ids][::-1])[::-1] if len(ids) else np.zeros(0, np.float32)
    if not len(solid) or not len(covered) or covered[0] < _FITTING * solid[-1]:
        return table.ids([folded[start:end] for start, end in spans])
    left = solid[-1] - np.concatenate([[0], solid])  # letters and digits from each place on
    # A token belongs to the sentence in which it begins.
    first = np.searchsorted(-covered, [-left[start] - 0.5 for start, _ in spans])
    return [ids[start:end] for start, end in pairwise([*first.tolist(), len(ids)])]


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


def _meant(
    table: WordTable,
    query: QueryWords,
    texts: Sequence[str],
    answering: Sequence[tuple[int, int]],
    marks: Sequence[Marks],
) -> None:
    """Mark in each answering sentence the words that mean what a weighty query word means."""
    heavy = np.flatnonzero(query.weights >= 0.5 / max(1, len(query)))
    if not len(heavy):
        return
    sentence_words = table.words_of([text[start:end] for text, (start, end) in zip(texts, answering, strict=True)])
    inside = [
        (word, start, marked)
        for words, (start, _), marked in zip(sentence_words, answering, marks, strict=True)
        for word in words
        if word.end - word.start > 1
    ]
    if not inside:
        return
    near = table.cosines(query.vectors[heavy], np.array([word.id for word, _, _ in inside], np.uint32))
    for (word, start, marked), cosine in zip(inside, near.max(axis=1), strict=True):
        if cosine >= _NEAR:
            marked[start + word.start : start + word.end] = True


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
