"""Which sentence of a passage answers the query, and which words match.

A hit found by meaning may share no word with the query, so sentences are judged as passages are, by late interaction
over the word table (see ``answering``), and near words are marked too. Gives segments that concatenate to the text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from index.answering import answering_sentences, kinds_asked_for
from index.chinese import fold, is_cjk, sentences, tokens
from index.document import Mark, Segment
from index.interaction import QueryWords, said
from index.wordtable import Ids, Word, WordTable

_NEAR = 0.62  # cosine from which a different word counts as saying the same
_FITTING = 0.9  # share of a text's letters and digits that its tokens have to cover to be its own

_SEAM = "\0"  # between texts; part of no word and no sentence
_MARKS: tuple[Mark | None, ...] = (None, "word", "sentence", "word")  # by: 1 where a word matches, 2 in the answer

Span = tuple[int, int]
Marks = npt.NDArray[np.bool_]


def highlight(
    table: WordTable,
    query: QueryWords,
    folded_query: str,
    texts: Sequence[str],
    ids: Sequence[Ids],
    *,
    question: str = "",
    phrases: Sequence[str] = (),
    common: frozenset[str] = frozenset(),
) -> list[tuple[Segment, ...]]:
    """Mark the answering sentence and the matching words of each passage; all at once, as words are shared.

    Args:
        folded_query: The query folded, for matching words as they are written; blanks match nothing.
        ids: The texts' tokens in the table, which may begin with a title's; where they do not fit a text, it is
            cut into words anew.
        question: The query folded with all its words, which tell what kind of answer is asked for.
        phrases: Quoted parts, folded; marked wherever they stand.
        common: Query tokens too frequent in the archive to be worth a mark.
    """
    # Looked at together, as one text: most steps cost more by how often they are taken than by the length of a text.
    joined = _SEAM.join(texts)
    starts = [0, *np.cumsum([len(text) + 1 for text in texts]).tolist()]
    folded = fold(joined)
    spans = [
        [(start + first, start + end) for first, end in sentences(text)]
        for text, start in zip(texts, starts, strict=False)
    ]
    marked = _written(_needles(query.words, folded_query, common), folded, phrases)
    cut = _Sentences.of(table, folded, spans, ids)
    firsts = [start for start, _ in cut.spans]
    written = np.add.reduceat(marked, firsts, dtype=np.int64).tolist() if firsts else []
    best = answering_sentences(
        kinds_asked_for(question),
        query.weights,
        said(query, cut.ids),
        written,
        [folded[start:end] for start, end in cut.spans],
        [len(text_spans) for text_spans in spans],
    )
    _meant(table, query, cut, [place for place in best if place is not None], marked)
    answering = [None if place is None else _trimmed(joined, cut.spans[place]) for place in best]
    return _segments(joined, starts, answering, marked)


@dataclass(frozen=True, slots=True)
class _Sentences:
    """The sentences of all texts, in order, cut into the words of the table.

    The tokens of a passage hold no places, but they cover its letters and digits in order: counting both from the
    end, where no title stands, says where each token begins. Cutting the texts into words again would take most of
    the time of marking.

    Attributes:
        folded: The texts.
        spans: Of the sentences.
        ids: The tokens of each.
        begins: How many of all the letters and digits come before each of its tokens; ``None`` where the tokens
            did not fit the text.
        solid: Where the letters and digits stand.
    """

    folded: str
    spans: Sequence[Span]
    ids: Sequence[Ids]
    begins: Sequence[npt.NDArray[np.int64] | None]
    solid: npt.NDArray[np.int64]

    @classmethod
    def of(cls, table: WordTable, folded: str, spans: Sequence[Sequence[Span]], ids: Sequence[Ids]) -> _Sentences:
        """The sentences at the spans of each text, with the tokens that each text has."""
        is_solid = np.strings.isalnum(_characters(folded))
        before = np.concatenate([[0], np.cumsum(is_solid)])
        found: list[Ids] = []
        begins: list[npt.NDArray[np.int64] | None] = []
        for text_spans, text_ids in zip(spans, ids, strict=True):
            if not text_spans:
                continue
            end = before[text_spans[-1][1]]
            left = end - before[[start for start, _ in text_spans]]  # letters and digits to the end
            covered = np.cumsum(table.lengths[text_ids][::-1])[::-1]
            if not len(covered) or not left[0] or covered[0] < _FITTING * left[0]:
                found += table.ids([folded[start:end] for start, end in text_spans])
                begins += [None] * len(text_spans)
                continue
            begin = end - np.rint(covered).astype(np.int64)
            first = np.searchsorted(-covered, -left - 0.5)  # a token belongs to the sentence in which it begins
            for start, following in pairwise([*first.tolist(), len(text_ids)]):
                found.append(text_ids[start:following])
                begins.append(begin[start:following])
        every = [span for text_spans in spans for span in text_spans]
        return cls(folded, every, found, begins, np.flatnonzero(is_solid))

    def places(self, table: WordTable, sentence: int, chosen: npt.NDArray[np.int64]) -> list[Span]:
        """Where the ``chosen`` tokens of a sentence stand."""
        begins = self.begins[sentence]
        if begins is not None:
            found: list[Span] = []
            for id_, begin in zip(self.ids[sentence][chosen].tolist(), begins[chosen].tolist(), strict=True):
                word = table.token(id_)
                where = self.solid[begin : begin + len(word)].tolist() if begin >= 0 else []
                if "".join([self.folded[place] for place in where]) != word:
                    break  # the table folds a few characters otherwise, and counts them otherwise
                found.append((where[0], where[-1] + 1))
            else:
                return found
        start, end = self.spans[sentence]
        ids, places = table.places(self.folded[start:end])
        return [(start + a, start + b) for a, b in places[np.isin(ids, self.ids[sentence][chosen])].tolist()]


def _characters(text: str) -> npt.NDArray[np.str_]:
    """A text as an array of its characters."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<U1")


def _written(needles: Sequence[_Needle], text: str, phrases: Sequence[str]) -> Marks:
    """Where the query's words stand as they are written.

    Neighbouring marks grow together, and a stretch counts only if something in it is rare enough: a frequent
    word is marked as part of a longer match, not wherever it stands.
    """
    marked = np.zeros(len(text), np.bool_)
    rare = np.zeros(len(text), np.bool_)
    for needle in needles:
        for start, end in _places(needle.text, text):
            marked[start:end] = True
            rare[start:end] |= needle.rare
    for start, end in _stretches(marked):
        marked[start:end] = rare[start:end].any()
    for phrase in phrases:
        for start, end in _places(phrase, text):
            marked[start:end] = True
    return marked


@dataclass(frozen=True, slots=True)
class _Needle:
    """What to look for in a text, and whether it is rare enough to be worth a mark by itself."""

    text: str
    rare: bool


def _needles(words: Sequence[Word], folded_query: str, common: frozenset[str]) -> list[_Needle]:
    """What to look for in a text: the query's words, and single characters only together with a neighbour.

    A name the table does not know comes as single characters; one of them alone says little.
    """
    pieces = [folded_query[word.start : word.end].strip() for word in words]
    alone = len(pieces) == 1
    found = [piece for piece in pieces if piece and (len(piece) > 1 or not is_cjk(piece) or alone)]
    for (first, left), (second, right) in pairwise(zip(words, pieces, strict=True)):
        if first.end == second.start and left and right and (len(left) == 1 or len(right) == 1):
            found.append(left + right)
    return [
        _Needle(piece, any(token not in common for token in tokens(piece) if len(token) > 1 or token == piece))
        for piece in dict.fromkeys(found)
    ]


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


def _meant(table: WordTable, query: QueryWords, cut: _Sentences, answering: Sequence[int], marked: Marks) -> None:
    """Mark in each answering sentence the words that mean what a weighty query word means."""
    heavy = np.flatnonzero(query.weights >= 0.5 / max(1, len(query)))
    if not len(heavy) or not answering:
        return
    near = query.near.of(np.concatenate([cut.ids[sentence] for sentence in answering]))[:, heavy].max(axis=1) >= _NEAR
    ends = np.cumsum([len(cut.ids[sentence]) for sentence in answering])
    for sentence, of_sentence in zip(answering, np.split(near, ends[:-1]), strict=True):
        for start, end in cut.places(table, sentence, np.flatnonzero(of_sentence)):
            if end - start > 1:
                marked[start:end] = True


def _trimmed(text: str, span: Span) -> Span:
    """The sentence without the white space around it."""
    start, end = span
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _segments(
    joined: str, starts: Sequence[int], answering: Sequence[Span | None], marked: Marks
) -> list[tuple[Segment, ...]]:
    """Cut each text wherever its marking changes.

    Args:
        starts: Of each text in ``joined``, and where a next one would start.
    """
    inside = np.zeros(len(joined), np.bool_)
    for span in answering:
        if span is not None:
            inside[slice(*span)] = True
    state = marked + 2 * inside.astype(np.int8)
    state[np.array(starts[1:-1], np.int64) - 1] = -1  # a seam is like nothing else
    edges = [0, *(np.flatnonzero(np.diff(state)) + 1).tolist(), len(joined)]
    kinds = state[edges[:-1]].tolist() if joined else []
    found = []
    for start, following in pairwise(starts):
        first, last = bisect_left(edges, start), bisect_left(edges, following - 1)
        pieces = zip(pairwise(edges[first : last + 1]), kinds[first:last], strict=True)
        found.append(tuple(Segment(joined[a:b], _MARKS[kind], kind >= 2) for (a, b), kind in pieces))
    return found
