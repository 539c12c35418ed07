"""Pinyin in a query, put into Chinese by known words that the archive has.

Neighbouring runs of letters are one, and become Chinese together or not at all: of "Zhang Yufei" no half is changed
because a word happens to sound like it. What is a name or English as well (Dali, women) is told by the word table,
whose rows stand near one another where they mean the same, whatever the language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product

from index.chinese import fold, is_cjk
from index.pinyin import in_syllables, merged, reading, syllables, ways_to_read
from index.wordtable import WordTable

# Characters that stand by themselves: beside any other they make a pair the archive may not have.
FUNCTION = frozenset(
    "的了在是和与及或其之于以为而但可已也都就才又把被让给从到对将要会能"
    "个些这那里几谁怎哪么什何各每一不有无上下中内外前后"
)
_LATIN = re.compile(r"[a-z']{2,40}")
_ACRONYM = re.compile(r"[A-Z]{2,5}")  # ABA is no 阿坝
_MOST_SYLLABLES = 4  # of a known word
# The least cosine of letters and a word that mean the same. Measured: zhejiang and 浙江 0.24, wuhan 0.45, beijing 0.67,
# Xi Jinping 0.37; but women and 我们 0.05, dali and 大力 -0.09 (大理 0.31), Yao Ming and 要命 -0.07.
_SAME = 0.2
# How many times as frequent as the letters a word has to be that may mean something else. Over 182,036 passages of
# news: gaokao 263 times, weibo 287, tesila 254, xiaomi 127; but nike (尼克) 26, lulu (陆路) 9, mini 1.
_OFTENER = 100
# Passages. A word in fewer has not stood beside everything that it may, and two syllables that may be a person's name
# are not taken for it: Wang Yi is 王毅, no word of the table, not 王益, which 17 passages of 182,036 have (李白 105).
_SEEN = 50


def spelt_out(
    text: str,
    table: WordTable,
    by_sound: Mapping[tuple[str, ...], Sequence[str]],
    occurs: Callable[[str], int],
) -> Iterator[tuple[int, int, str]]:
    """What to put in for letters that are pinyin of known words, as ``(start, end, word)`` in the query.

    Args:
        text: The query.
        table: Which tells what letters and words mean.
        by_sound: Known words by the merged sounds of their characters.
        occurs: In how many passages a token of the word index occurs.
    """
    folded = fold(text)
    runs = list(_LATIN.finditer(folded))
    if not all(_ways(run.group()) for run in runs):  # English, with names in it
        return
    finder = _Finder(folded, table, by_sound, occurs)
    for together in _neighbours(folded, runs):
        if any(_ACRONYM.fullmatch(text[run.start() : run.end()]) for run in together):
            continue
        whole = finder.word(together) if 1 < len(together) <= _MOST_SYLLABLES else None
        if whole is not None:
            yield together[0].start(), together[-1].end(), whole
            continue
        words = [finder.word([run]) for run in together]
        if all(words):
            yield from ((run.start(), run.end(), word) for run, word in zip(together, words, strict=True) if word)


class _Finder:
    """Finds the words that runs of letters in one query stand for."""

    def __init__(
        self,
        folded: str,
        table: WordTable,
        by_sound: Mapping[tuple[str, ...], Sequence[str]],
        occurs: Callable[[str], int],
    ) -> None:
        self._folded = folded
        self._table = table
        self._by_sound = by_sound
        self._occurs = occurs

    def word(self, runs: Sequence[re.Match[str]]) -> str | None:
        """The known word that neighbouring runs spell, the likeliest; ``None`` if none surely is meant.

        First comes what means the same, then what is a known word together with the characters after it (Bali岛 is
        巴厘岛), then words whose own reading it is (池 may be read che, but dianche is 电车), then frequent ones.
        """
        letters = " ".join(run.group() for run in runs)
        start, end = runs[0].start(), runs[-1].end()
        as_typed = min(self._occurs(run.group()) for run in runs)
        # Single syllables are English too (long, men), and in names of people.
        in_doubt = len(runs) > 1 and any(run.group() in syllables() for run in runs)
        in_table = len(runs) == 1 and len(self._table.words(letters)) == 1
        best: tuple[bool, int, bool, int, str] | None = None
        for parts in product(*(_ways(run.group()) for run in runs)):
            sound = tuple(syllable for part in parts for syllable in part)
            for word, longer in self._sounding(sound, end):
                count = min(self._occurs(a + b) for a, b in pairwise(word + longer))
                if in_doubt and len(sound) == 2 and count < _SEEN:
                    continue
                same = (in_doubt or in_table) and count > as_typed and self._same(letters, word)
                own = reading(word) == sound
                oftener = not as_typed or (own and not in_table and count >= _OFTENER * as_typed)
                if count and (same or (oftener and not in_doubt)) and self._fits(start, end, word, count):
                    best = max(best or (False, 0, False, 0, ""), (same, len(longer), own, count, word))
        return None if best is None else best[-1]

    def _sounding(self, sound: tuple[str, ...], end: int) -> Iterator[tuple[str, str]]:
        """Known words of a sound, and the characters that already stand there if it is only the first part of one."""
        for length in range(3):
            longer = self._folded[end : end + length]
            whole = (*sound, *reading(longer))
            if len(longer) == length and all(map(is_cjk, longer)) and len(whole) <= _MOST_SYLLABLES:
                for word in self._by_sound.get(merged(whole), ()):
                    first = word[: len(sound)]
                    if first + longer == word and sound in ways_to_read(first):
                        yield first, longer

    def _same(self, letters: str, word: str) -> bool:
        one, other = self._table.pooled([letters, word])
        return float(one @ other) >= _SAME

    def _fits(self, start: int, end: int, word: str, count: int) -> bool:
        """Whether the archive has the word beside the characters that it would stand beside: 巴黎岛 it has not."""
        before, after = self._folded[max(0, start - 1) : start], self._folded[end : end + 1]
        beside = ((before, before + word[0]), (after, word[-1] + after))
        edges = [edge for char, edge in beside if char and is_cjk(char) and char not in FUNCTION]
        return count < _SEEN or all(map(self._occurs, edges))


def _neighbours(folded: str, runs: Sequence[re.Match[str]]) -> list[list[re.Match[str]]]:
    """The runs that nothing but spaces part, together; syllables joined to a number (su7) are left out."""
    found: list[list[re.Match[str]]] = []
    for run in runs:
        if run.group() in syllables() and folded[run.end() : run.end() + 1].isdecimal():
            continue
        if found and folded[found[-1][-1].end() : run.start()].isspace():
            found[-1].append(run)
        else:
            found.append([run])
    return found


def _ways(run: str) -> list[tuple[str, ...]]:
    """The ways to part letters into syllables of pinyin, whole ones first."""
    letters = run.replace("'", "")
    return [(letters,)] * (letters in syllables()) + in_syllables(letters)
