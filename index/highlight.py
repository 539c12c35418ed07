"""Which sentence of a passage answers the query, and which words match.

A hit found by meaning may share no word with the query, so sentences are judged as passages are: by late
interaction over the word table, and by the pooled vector. Gives segments that concatenate to the text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index.chinese import fold, is_cjk, sentences, tokens
from index.document import Segment
from index.interaction import QueryWords, nearest
from index.wordtable import Word, WordTable

_NEAR = 0.62  # cosine from which a different word counts as saying the same
_LONGEST = 160  # characters of a sentence worth marking whole; longer ones are lists or unpunctuated


def highlight(
    table: WordTable,
    query: QueryWords,
    folded_query: str,
    text: str,
    *,
    phrases: Sequence[str] = (),
    common: frozenset[str] = frozenset(),
) -> tuple[Segment, ...]:
    """Mark the answering sentence and the matching words of a passage.

    Args:
        folded_query: The query folded, for matching words as they are written.
        phrases: Quoted parts, folded; marked wherever they stand.
        common: Query tokens too frequent in the archive to be worth a mark.
    """
    spans = sentences(text)
    if not spans:
        return (Segment(text),) if text else ()
    words = table.words(text)
    folded = fold(text)
    marked = _written(folded_query, folded, phrases, common)
    best = _answering(table, query, words, spans, marked)
    if best is not None:
        marked |= _meant(table, query, words, spans[best])
    sentence = _trimmed(text, spans[best]) if best is not None else (0, 0)
    return _segments(text, sentence, marked)


def _answering(
    table: WordTable, query: QueryWords, words: list[Word], spans: list[tuple[int, int]], marked: set[int]
) -> int | None:
    """Index of the sentence that answers best, ``None`` where nothing speaks for any of them."""
    ids = [
        np.array([word.id for word in words if start <= word.start < end], dtype=np.uint32) for start, end in spans
    ]
    near = query.weights @ nearest(table, query, ids) if len(query) else np.zeros(len(spans), np.float32)
    shared = np.array([len(marked.intersection(range(*span))) for span in spans], np.float32)
    share = np.minimum(1.0, shared / max(4.0, float(shared.max())))
    total = near + 0.35 * share
    if not total.max() > 0:
        return None
    return int(np.argmax(total))


def _written(query: str, text: str, phrases: Sequence[str], common: frozenset[str]) -> set[int]:
    """Positions of the text covered by the query's tokens as they are written."""
    marked: set[int] = set()
    wanted = {token for token in tokens(query) if token not in common}
    alone = {token for token in wanted if len(token) == 1 and is_cjk(token)}
    # A single character says little unless the query gives it alone.
    wanted -= {char for char in alone if not _stands_alone(char, query)}
    for needle in (*wanted, *phrases):
        start = text.find(needle)
        while start >= 0:
            end = start + len(needle)
            if is_cjk(needle[0]) or _is_word(text, start, end):
                marked.update(range(start, end))
            start = text.find(needle, start + 1)
    return marked


def _stands_alone(char: str, query: str) -> bool:
    place = query.find(char)
    around = query[max(0, place - 1) : place] + query[place + 1 : place + 2]
    return not any(is_cjk(other) for other in around)


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether a Latin word or number stands there whole."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return not any(char.isalnum() and not is_cjk(char) for char in (before, after) if char)


def _meant(table: WordTable, query: QueryWords, words: list[Word], span: tuple[int, int]) -> set[int]:
    """Positions of the words in a sentence that mean what a query word means."""
    inside = [word for word in words if span[0] <= word.start < span[1] and word.end - word.start > 1]
    if not inside or not len(query):
        return set()
    near = nearest(table, query, [np.array([word.id], np.uint32) for word in inside])
    heavy = query.weights >= 0.5 / len(query)
    hits = (near >= _NEAR) & heavy[:, None]
    marked: set[int] = set()
    for word, hit in zip(inside, np.any(hits, axis=0).tolist(), strict=True):
        if hit:
            marked.update(range(word.start, word.end))
    return marked


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """The sentence without the white space around it."""
    start, end = span
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _segments(text: str, sentence: tuple[int, int], marked: set[int]) -> tuple[Segment, ...]:
    """Cut the text wherever its marking changes."""
    first, last = sentence
    segments: list[Segment] = []
    start = 0
    for place in range(1, len(text) + 1):
        if place < len(text) and _state(place, first, last, marked) == _state(start, first, last, marked):
            continue
        word, inside = _state(start, first, last, marked)
        mark = "word" if word else "sentence" if inside else None
        segments.append(Segment(text[start:place], mark, inside))  # type: ignore[arg-type]
        start = place
    return tuple(segments)


def _state(place: int, first: int, last: int, marked: set[int]) -> tuple[bool, bool]:
    return place in marked, first <= place < last
