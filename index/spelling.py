"""What a mistyped query meant: words that sound or look alike, and letters of pinyin.

Chinese is typed by sound, so most mistakes are other characters of the same sound (支愿者 for 志愿者); strokes, and the
recognition of characters, mistake those of the same shape (拉圾 for 垃圾). A mistake shows
where a pair of characters occurs nowhere in the archive and stands in no known word; it is put right only by a known
word that the archive has, and that makes the query much likelier. Nothing is corrected in a query whose every pair
occurs. Names and terms that the archive merely lacks (人彘, 长鳍新平鲉) have such pairs too, hence the likelihood: the
sum of what the changed pairs of characters gain in frequency, less what the characters gain by themselves, so that
a rare character, which nobody types by mistake, is seldom replaced by a common one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from math import log

from index.chinese import fold, has_cjk, is_cjk
from index.pinyin import merged, readings, sounds, ways_to_read
from index.shapes import look_alikes
from index.spelt_out import FUNCTION, spelt_out
from index.wordtable import Word, WordTable

Occurs = Callable[[str], int]  # in how many passages a token of the word index occurs

_WORD = re.compile(r"[\u4e00-\u9fff]{2,4}")
_LONGEST = 4  # characters of a word that is put right
# Shares of the passages: what is put in has to occur in more, what it replaces alone in fewer.
_LEAST, _RARE, _COMMON = 3, 0.0005, 0.3
# How much likelier a correction has to make a query, in shares of what a pair that all passages have gains over one
# that none has: at all; more for each further character changed and for a sound that a character has only rarely; and
# more where nothing beside a pair speaks for it. What is added to the counts of pairs, and of characters, so that a
# small archive, where common characters are rare too, is not misread. Measured over 182,036 passages of news: of 2,800
# queries of other archives 60 were changed before, 34 by the first alone, and are 16 by all; of 4,560 that were not
# looked at meanwhile 32, not 90. Of 400 mistakes of the same sound made by chance 205 are put right, 215 before, and 3
# made something else, 13 before.
_LIKELIER, _DOUBT, _ALONE = 0.48, 0.23, 0.12
_ADDED_PAIR, _ADDED_CHARACTER = 0.5, 50.0


@dataclass(frozen=True, slots=True)
class Correction:
    """What a query probably meant.

    Attributes:
        text: The whole query, put right.
        words: The words that were put in, each occurs in the archive.
    """

    text: str
    words: tuple[str, ...]


class Speller:
    """Corrections by the words of a table; safe to share between threads.

    Args:
        table: Whose Chinese words of two to four characters are the known ones.
    """

    def __init__(self, table: WordTable) -> None:
        self._table = table

    @cached_property
    def _by_sound(self) -> dict[tuple[str, ...], list[str]]:
        """Known words by the sounds of their characters; takes about a second, once."""
        found: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for word in self._table.tokens():
            if _WORD.fullmatch(word):
                for sound in sounds(word):
                    found[sound].append(word)
        return dict(found)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(word for word in self._table.tokens() if _WORD.fullmatch(word))

    def corrected(self, text: str, occurs: Occurs, passages: int) -> Correction | None:
        """The query put right, ``None`` where nothing is surely wrong.

        Args:
            text: The query.
            occurs: In how many passages of the archive a character, a pair or a Latin word occurs.
            passages: How many there are.
        """
        folded = fold(text)
        words = self._table.words(text)
        changes = [
            *self._mistaken(folded, words, occurs, passages),
            *spelt_out(text, self._table, self._by_sound, occurs),
        ]
        if not changes:
            return None
        out, end = [], 0
        for start, stop, word in sorted(changes):
            if start >= end:
                out += [text[end:start], word]
                end = stop
        return Correction("".join([*out, text[end:]]), tuple(word for _, _, word in sorted(changes)))

    def _mistaken(
        self, folded: str, words: list[Word], occurs: Occurs, passages: int
    ) -> Iterator[tuple[int, int, str]]:
        """Characters that stand for others of the same sound or shape, as ``(start, end, word)`` in the query."""
        least, most = max(_LEAST, int(_RARE * passages)), _COMMON * passages
        done, most_gain = 0, log(1 + passages / _ADDED_PAIR)
        for place, (left, right) in enumerate(pairwise(folded)):
            if place < done or not (is_cjk(left) and is_cjk(right)) or occurs(left + right):
                continue
            best = None
            for start, end in _spans(words, place):
                typed = folded[start:end]
                if start < done or typed in self._known:
                    continue
                for word in self._alike(typed):
                    count = min(occurs(a + b) for a, b in pairwise(word))
                    wrong = [char for char, meant in zip(typed, word, strict=True) if char != meant]
                    doubtful = wrong if len(word) > 2 else typed + word
                    if (
                        count >= least
                        and FUNCTION.isdisjoint(doubtful)
                        and all(occurs(char) <= most for char in wrong)
                        and (surely := _gain(folded, start, word, occurs) / most_gain - _doubt(folded, start, word))
                        >= _LIKELIER
                    ):
                        found = (surely, _shared(word, typed), count, start, end, word)
                        best = found if best is None else max(best, found)
            if best is not None:
                *_, start, end, word = best
                done = end
                yield start, end, word

    def _alike(self, typed: str) -> Iterator[str]:
        """Known words that may have been meant: of the same sound, with a character in common, two exchanged, or one
        that looks like another."""
        for place in range(len(typed) - 1):
            exchanged = typed[:place] + typed[place + 1] + typed[place] + typed[place + 2 :]
            if exchanged != typed and exchanged in self._known:
                yield exchanged
        for place, char in enumerate(typed):
            for alike in look_alikes(char):
                meant = typed[:place] + alike + typed[place + 1 :]
                if meant in self._known:
                    yield meant
        exact = set(ways_to_read(typed))
        for sound in sounds(typed):
            for word in self._by_sound.get(sound, ()):
                near = len(word) > 2 or not exact.isdisjoint(ways_to_read(word))
                if word != typed and near and _shared(word, typed):
                    yield word


@lru_cache(maxsize=2)
def speller_of(table: WordTable) -> Speller:
    """The speller of a table, made once."""
    return Speller(table)


def _spans(words: list[Word], place: int) -> Iterator[tuple[int, int]]:
    """Stretches of whole words around the pair at ``place``, two to four characters in all, most of them alone.

    A mistake breaks a word into single characters.
    """
    for first in range(len(words)):
        for last in range(first, min(first + _LONGEST, len(words))):
            start, end = words[first].start, words[last].end
            alone = sum(word.end - word.start == 1 for word in words[first : last + 1]) >= (end - start) / 2
            whole = all(left.end == right.start for left, right in pairwise(words[first : last + 1]))
            if start <= place and place + 2 <= end and end - start <= _LONGEST and alone and whole:
                yield start, end


def _gain(folded: str, start: int, word: str, occurs: Occurs) -> float:
    """How much likelier a query gets by a word: the logarithm, by the frequencies of pairs of characters."""
    meant = folded[:start] + word + folded[start + len(word) :]
    first, last = max(0, start - 1), start + len(word)
    gain = 0.0
    for place in range(first, min(last, len(folded) - 1)):
        for text, sign in ((meant, 1), (folded, -1)):
            if is_cjk(text[place]) and is_cjk(text[place + 1]):
                gain += sign * log(occurs(text[place : place + 2]) + _ADDED_PAIR)
    for place in range(start, last):
        beside = folded[max(0, place - 1) : place] + folded[place + 1 : place + 2]
        if folded[place] != meant[place] and len(beside) == 2 and all(map(is_cjk, beside)):  # it is in two pairs
            gain -= log((occurs(meant[place]) + _ADDED_CHARACTER) / (occurs(folded[place]) + _ADDED_CHARACTER))
    return gain


def _doubt(folded: str, start: int, word: str) -> float:
    """What speaks against a mistake: several characters that are wrong, sounds that they have only rarely, and a pair
    with nothing beside it, which is as well a name (蛊娘)."""
    typed = folded[start : start + len(word)]
    beside = folded[max(0, start - 1) : start] + folded[start + len(word) :][:1]
    alone = _ALONE * (len(word) == 2 and not has_cjk(beside))
    if sorted(typed) == sorted(word):  # two exchanged are one mistake
        return alone
    wrong = [(char, meant) for char, meant in zip(typed, word, strict=True) if char != meant]
    rarely = any(
        meant not in look_alikes(char) and merged(readings(char)[:1]) != merged(readings(meant)[:1])
        for char, meant in wrong
    )
    return alone + _DOUBT * (len(wrong) - 1 + rarely)


def _shared(word: str, typed: str) -> int:
    return sum(a == b for a, b in zip(word, typed, strict=True))
