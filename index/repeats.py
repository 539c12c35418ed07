"""Which texts are repeats of each other: signatures that find candidates, and the comparison that decides.

A candidate shares a band of its MinHash signature (Broder 1997; bands after Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", 3.4) over shingles of four characters. It is a repeat if a reader would call it the
same text: reprinted, syndicated or lightly edited. Texts that fill one form with other numbers, names or words, such
as weather reports and price bulletins, are not, however alike they look; so what was replaced is looked at itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Indel
from rensa import RMinHash

from index.chinese import fold

BANDS = 8
_ROWS = 4  # a pair with Jaccard 0.7 meets in one of the bands at least with 89 %, one with 0.8 with 98 %
_SEED = 1  # with rensa's version it fixes the signatures; stored ones outlive the process
_SHINGLE = 4
_SHORTEST = 24  # letters; of shorter texts only exact repeats are found

Bands = npt.NDArray[np.int64]

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, as in Knuth's multiplicative hashing
_NUMBER = re.compile("[0-9]+")
_DIGITS = frozenset("0123456789")
_NEGATIONS = frozenset("不没未无非否")
_DATELINE = re.compile("^.{0,16}?(?:[0-9]{4}年)?[0-9]{1,2}月[0-9]{1,2}日(?:上午|下午|晚间|晚|早间)?(?:电|讯|消息|报道)")

_ALIGNED = 4  # fewer equal letters between two edits are chance, and the edits are one
_SHARED = 0.7  # share of the shorter text that has to stand in the other
_LENGTHS = 0.5  # the shorter over the longer
_DEAR = 5.0  # a letter worded otherwise weighs as much as so many left out
_KEPT = 0.62  # share of the longer text that has to stand in the shorter
_SENTENCE = 20  # an edit of more letters is another sentence: its words are not compared one by one
_SMALL = 8  # an edit of at most so many letters is one of words, not of sentences


@cache
def _letter_table() -> npt.NDArray[np.uint32]:
    """Code points below 0x10000 in folded writing, 0 for what is neither letter nor digit."""
    every = "".join(" " if 0xD800 <= point < 0xE000 else chr(point) for point in range(0x10000))
    folded = fold(every)
    return np.array([ord(each) if each.isalnum() else 0 for each in folded], np.uint32)


@lru_cache(maxsize=4_096)  # candidates come in clusters
def letters(text: str) -> str:
    """The text in folded writing without spaces and punctuation: what is compared."""
    return _points(text).astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _points(text: str) -> npt.NDArray[np.uint32]:
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    folded = np.where(points < 0x10000, _letter_table()[np.minimum(points, 0xFFFF)], points)
    return folded[folded > 0]


def bands_of(texts: Sequence[str]) -> Bands:
    """Where each text may meet its repeats.

    Returns:
        Shape ``(len(texts), BANDS)``; two texts are candidates if any column is equal. Rows of texts too short
        to be compared are 0.
    """
    found = np.zeros((len(texts), BANDS), np.int64)
    points = [_points(text) for text in texts]
    long = [place for place, each in enumerate(points) if len(each) >= _SHORTEST]
    if not long:
        return found
    hashes = _shingle_hashes(np.concatenate([points[place] for place in long]).astype(np.uint64))
    ends = np.cumsum([len(points[place]) for place in long])
    starts = np.concatenate(([0], ends[:-1]))
    shingles = [hashes[start : end - _SHINGLE + 1] for start, end in zip(starts, ends, strict=True)]
    offsets = np.concatenate(([0], np.cumsum([len(each) for each in shingles]))).astype(np.uint64)
    digests = RMinHash.digest_matrix_from_flat_token_hashes(np.concatenate(shingles), offsets, BANDS * _ROWS, _SEED)
    rows = np.array(digests.to_rows(), np.uint64).reshape(len(long), BANDS, _ROWS)
    mixed = np.zeros((len(long), BANDS), np.uint64)
    for row in range(_ROWS):
        mixed = _mixed(mixed ^ rows[:, :, row])
    found[long] = mixed.view(np.int64) | 1  # never 0
    return found


def are_repeats(one: str, other: str) -> bool:
    """Whether a reader would call these the same text: reprinted, syndicated or lightly edited.

    Symmetrical; takes the texts as stored.
    """
    first, second = sorted(
        (_DATELINE.sub("", letters(one)), _DATELINE.sub("", letters(other))), key=lambda each: (len(each), each)
    )
    if first == second:
        return True
    if len(first) < _SHORTEST or len(first) < _LENGTHS * len(second):
        return False
    # Common letters over both lengths, an upper bound of what is shared in long runs, costs a tenth of the edits.
    if Indel.normalized_similarity(first, second) * (len(first) + len(second)) < 2 * _SHARED * len(first):
        return False
    edits = list(_edits(first, second))
    if any(_changes_facts(was, became) for was, became in edits) or _renames(edits):
        return False
    replaced = sum(min(len(was), len(became)) for was, became in edits)
    kept = len(first) - sum(len(was) for was, _ in edits)
    return kept >= _SHARED * len(first) and kept >= _KEPT * len(second) + _DEAR * replaced


def _edits(first: str, second: str) -> Iterator[tuple[str, str]]:
    """What stands in one text in place of what in the other, whole numbers on both sides."""
    spans: list[list[int]] = []
    for code in Indel.opcodes(first, second):
        if code.tag == "equal":
            continue
        if spans and code.src_start - spans[-1][1] < _ALIGNED:
            spans[-1][1], spans[-1][3] = code.src_end, code.dest_end
        else:
            spans.append([code.src_start, code.src_end, code.dest_start, code.dest_end])
    for start, end, begin, finish in spans:
        left = right = 0
        while start - left > 0 and first[start - left - 1] in _DIGITS:
            left += 1
        while end + right < len(first) and first[end + right] in _DIGITS:
            right += 1
        yield first[start - left : end + right], second[max(0, begin - left) : finish + right]


def _changes_facts(was: str, became: str) -> bool:
    """Whether an edit puts one number for another, or says the contrary."""
    if max(len(was), len(became)) <= _SENTENCE:
        before, after = _NUMBER.findall(was), _NUMBER.findall(became)
        if before and after and before != after:
            return True
    small = max(len(was), len(became)) <= _SMALL
    return small and bool(_NEGATIONS & set(was)) != bool(_NEGATIONS & set(became))


def _renames(edits: Sequence[tuple[str, str]]) -> bool:
    """Whether one name stands for another throughout: the form is the same, what it tells of is not."""
    names = Counter(edit for edit in edits if min(map(len, edit)) > 1 and max(map(len, edit)) <= _SENTENCE)
    return any(count > 1 for count in names.values())


def _shingle_hashes(points: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    hashes = np.zeros(len(points) - _SHINGLE + 1, np.uint64)
    for place in range(_SHINGLE):
        hashes = _mixed(hashes ^ points[place : len(points) - _SHINGLE + 1 + place])
    return hashes


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values + _MIX) * _MIX  # wraps on purpose
    return values ^ (values >> np.uint64(29))
