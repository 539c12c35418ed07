"""Phrases an archive uses often, well formed, to be suggested while a query is typed.

Words and runs of two to four words of the word table are counted over a bounded sample of the passages. A run is a
phrase where its words go together (pointwise mutual information: Church and Hanks 1990, Computational Linguistics 16)
and it stands in many surroundings on either side (accessor variety: Feng, Chen, Deng and Zheng 2004, Computational
Linguistics 30), so that no phrase begins or ends within a larger one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.chinese import CJK, fold

SAMPLE = 10_000  # passages that are counted, at most: bounds time and memory
MOST = 20_000  # phrases kept

_LONGEST = 4  # words
_CHARACTERS = (2, 12)
_LEAST_SHARE = 0.0003  # of the counted passages, that many times a phrase has to occur
_COMMON_SHARE = 0.1  # a word in more than this share of the passages tells nothing
_INFORMATION = 4.0  # bits
_SURROUNDINGS = 3  # different neighbours on either side
_CHECKED = 5  # occurrences looked up: tokens know nothing of the punctuation between them
# Words that join others and belong to no phrase.
_FUNCTION = frozenset("的了在是和与及或其之于以为而但可已也都就才又把被让给从到对将要会能这那个你我他她它们等着过")
_WORD = re.compile(rf"[{CJK}]+")

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase as it is written in the archive, and how often it was counted."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class _Stream:
    """The tokens of all passages in one row: their ids, the passages they are of, and the passages' texts."""

    ids: Integers
    passage: Integers
    texts: Sequence[str]
    folded: Sequence[str]


def find_phrases(texts: Sequence[str], ids: Sequence[npt.NDArray[np.uint32]], words: Sequence[str]) -> list[Phrase]:
    """The phrases of an archive, most frequent first.

    Args:
        texts: Passages, with their headlines as they were cut into tokens.
        ids: The token ids of each, into ``words``.
        words: The words of the table.
    """
    if not texts:
        return []
    stream = _Stream(
        np.concatenate(ids).astype(np.int64),
        np.repeat(np.arange(len(ids)), [len(each) for each in ids]),
        texts,
        [fold(text) for text in texts],
    )
    often = round(_LEAST_SHARE * len(texts))  # in a small archive a word said once is worth finding, a run is chance
    single = np.bincount(stream.ids, minlength=len(words))
    content = np.array([_WORD.fullmatch(word) is not None and word not in _FUNCTION for word in words])
    content &= single <= max(_COMMON_SHARE * len(texts), 20)
    found: dict[str, int] = {}
    gram = np.where(content[stream.ids] & (single[stream.ids] >= max(1, often)), stream.ids, -1)
    counts = single
    for length in range(1, _LONGEST + 1):
        if length > 1:
            gram, counts, good = _longer(stream, gram, counts, single, content, length, max(2, often))
        else:
            good = np.ones(len(counts), bool)
        for text, count in _well_formed(stream, gram, counts, good, words, length):
            found[text] = max(count, found.get(text, 0))
        if not (gram >= 0).any():
            break
    best = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    return [Phrase(text, count) for text, count in best]


def _longer(
    stream: _Stream, gram: Integers, counts: Integers, single: Integers, content: npt.NDArray[np.bool_],
    length: int, least: int,
) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:  # fmt: skip
    """Runs one word longer: which of them begins at each token (-1 for none), their counts, and which hold together."""
    starts = np.flatnonzero(gram[: 1 - length or None] >= 0)
    ends = starts + length - 1
    together = (stream.passage[starts] == stream.passage[ends]) & content[stream.ids[ends]]
    starts, ends = starts[together], ends[together]
    before, last = gram[starts], stream.ids[ends]
    _, first, inverse, number = np.unique(
        before * len(single) + last, return_index=True, return_inverse=True, return_counts=True
    )
    kept = number >= least
    renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
    longer = np.full(len(gram), -1, np.int64)
    longer[starts] = renumbered[inverse]
    alone = counts[before[first]] * single[last[first]]
    information = np.log2(number * len(stream.ids) / np.maximum(alone, 1))
    return longer, number[kept], (information >= _INFORMATION)[kept]


def _well_formed(
    stream: _Stream, gram: Integers, counts: Integers, good: npt.NDArray[np.bool_], words: Sequence[str], length: int
) -> Iterator[tuple[str, int]]:
    """The runs that are phrases, as they are written."""
    places = np.flatnonzero(gram >= 0)
    if not len(places):
        return
    grams = gram[places]
    size = len(counts)
    if length > 1:  # a word of the table is whole whatever stands beside it
        good = good & (_variety(stream, places, grams, places - 1, size) >= _SURROUNDINGS)
        good &= _variety(stream, places, grams, places + length, size) >= _SURROUNDINGS
    order = np.argsort(grams, kind="stable")
    bounds = np.searchsorted(grams[order], np.arange(size + 1))
    for which in np.flatnonzero(good).tolist():
        some = places[order[bounds[which] : bounds[which + 1]][:_CHECKED]]
        if not len(some):
            continue
        joined = fold("".join(words[id_] for id_ in stream.ids[some[0] : some[0] + length].tolist()))
        if not _CHARACTERS[0] <= len(joined) <= _CHARACTERS[1]:
            continue
        passages = stream.passage[some].tolist()
        written = [_written(stream.texts[passage], stream.folded[passage], joined) for passage in passages]
        there = [text for text in written if text]
        if 2 * len(there) > len(written):
            yield there[0], int(counts[which] * len(there) / len(written))


def _variety(stream: _Stream, places: Integers, grams: Integers, beside: Integers, size: int) -> Integers:
    """How many different tokens stand beside each run; each end of a passage counts as one more."""
    inside = np.clip(beside, 0, len(stream.ids) - 1)
    within = (inside == beside) & (stream.passage[inside] == stream.passage[places])
    neighbour = np.where(within, stream.ids[inside], -1 - places) + len(stream.ids)
    span = len(stream.ids) + int(neighbour.max()) + 1
    pairs = np.unique(grams * span + neighbour)
    return np.bincount(pairs // span, minlength=size)


def _written(text: str, folded_text: str, folded: str) -> str:
    """How a folded phrase is written in a text, empty where punctuation stands within."""
    place = folded_text.find(folded)
    return text[place : place + len(folded)] if place >= 0 else ""


def write_phrases(file: Path, phrases: Sequence[Phrase], passages: int) -> None:
    """Write phrases, and how many passages the archive had when they were counted."""
    lines = [f"{passages}\t", *(f"{phrase.count}\t{phrase.text}" for phrase in phrases)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_phrases(file: Path) -> list[Phrase]:
    """What ``write_phrases`` wrote; nothing where there is no such file, as in generations of earlier versions."""
    if not file.is_file():
        return []
    _, *rest = file.read_text(encoding="utf-8").splitlines()
    parted = (line.split("\t", 1) for line in rest)
    return [Phrase(text, int(count)) for count, text in parted]


def counted_over(file: Path) -> int:
    """How many passages the archive had when ``write_phrases`` wrote."""
    with file.open(encoding="utf-8") as lines:
        return int(lines.readline())
