"""Readings of Chinese characters without tones, and letters of pinyin parted into syllables.

The readings are pypinyin's tables (MIT); they are read when the first reading is asked for, half a second.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import product

_MOST_READINGS = 4  # of a character; more are rare
_MOST_SYLLABLES = 12
_MOST_PARTINGS = 8
_LONGEST_WORD = 4  # characters of a word with a reading of its own, such as 长江
_MOST_WAYS = 8  # to read a word; more are rare
# Sounds that many speakers do not tell apart, and input methods can be told to merge ("fuzzy pinyin").
_FUZZY = ((re.compile("^([zcs])h"), r"\1"), (re.compile("^l"), "n"), (re.compile("([aei]n)g$"), r"\1"))


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    from pypinyin.pinyin_dict import pinyin_dict  # noqa: PLC0415 - slow, and only where readings are needed

    return dict(pinyin_dict)


@lru_cache(maxsize=1)
def _words() -> dict[str, list[list[str]]]:
    from pypinyin.phrases_dict import phrases_dict  # noqa: PLC0415 - as above

    return dict(phrases_dict)


@lru_cache(maxsize=20_000)
def readings(char: str) -> tuple[str, ...]:
    """The readings of a character without tones, the commonest first; none for what is no Chinese character."""
    plain = (_toneless(reading) for reading in _table().get(ord(char), "").split(",") if reading)
    return tuple(dict.fromkeys(plain))[:_MOST_READINGS]


@lru_cache(maxsize=50_000)
def _of_word(word: str) -> tuple[str, ...] | None:
    """The readings of a word that is listed as such, which settle those of its characters (长 in 长江)."""
    found = _words().get(word)
    return None if found is None else tuple(_toneless(of_character[0]) for of_character in found)


@lru_cache(maxsize=100_000)
def reading(folded: str) -> tuple[str, ...]:
    """One syllable for each character of a folded text, by the longest listed words; other characters as they are."""
    out: list[str] = []
    place = 0
    while place < len(folded):
        for length in range(min(_LONGEST_WORD, len(folded) - place), 1, -1):
            listed = _of_word(folded[place : place + length])
            if listed is not None and len(listed) == length:
                out.extend(listed)
                place += length
                break
        else:
            out.append((readings(folded[place]) or (folded[place],))[0])
            place += 1
    return tuple(out)


@lru_cache(maxsize=1)
def syllables() -> frozenset[str]:
    """All syllables of the common characters."""
    return frozenset(syllable for code in range(0x4E00, 0x9FA6) for syllable in readings(chr(code)))


@lru_cache(maxsize=1)
def _beginnings() -> frozenset[str]:
    return frozenset(syllable[:length] for syllable in syllables() for length in range(1, len(syllable) + 1))


@lru_cache(maxsize=1_000)
def typed(letters: str) -> tuple[tuple[str, ...], ...]:
    """The ways to part letters that somebody is typing: whole syllables, the last perhaps only begun.

    The fewest syllables come first; an apostrophe or a space parts syllables.
    """
    found: list[tuple[str, ...]] = []

    def parted(rest: str, before: tuple[str, ...]) -> None:
        rest = rest.lstrip("' ")
        if not rest:
            found.append(before)
        if not rest or len(before) == _MOST_SYLLABLES or len(found) >= _MOST_PARTINGS:
            return
        if rest in _beginnings() and rest not in syllables():
            found.append((*before, rest))
        for length in range(min(6, len(rest)), 0, -1):
            if rest[:length] in syllables():
                parted(rest[length:], (*before, rest[:length]))

    parted(letters, ())
    return tuple(sorted((way for way in found if way), key=len))


def in_syllables(letters: str) -> list[tuple[str, ...]]:
    """The ways to part letters into two to four syllables of pinyin; few have more than one."""
    found: list[tuple[str, ...]] = []

    def parted(rest: str, before: tuple[str, ...]) -> None:
        if not rest and len(before) > 1:
            found.append(before)
        if not rest or len(before) == _LONGEST_WORD:
            return
        for length in range(min(6, len(rest)), 0, -1):
            if rest[:length] in syllables():
                parted(rest[length:], (*before, rest[:length]))

    parted(letters, ())
    return found


def ways_to_read(word: str) -> list[tuple[str, ...]]:
    """The ways to read a word by those of its characters, the commonest first."""
    return list(product(*(readings(char) for char in word)))[:_MOST_WAYS]


def sounds(word: str) -> set[tuple[str, ...]]:
    """How a word may sound, with sounds that are easily taken for one another made the same."""
    return {merged(sound) for sound in ways_to_read(word)}


def merged(sound: tuple[str, ...]) -> tuple[str, ...]:
    """Syllables with sounds that are easily taken for one another made the same."""
    return tuple(_fuzzy(syllable) for syllable in sound)


@lru_cache(maxsize=2_000)
def _fuzzy(syllable: str) -> str:
    for pattern, plain in _FUZZY:
        syllable = pattern.sub(plain, syllable)
    return syllable


def _toneless(marked: str) -> str:
    letters = unicodedata.normalize("NFD", marked).replace("u\u0308", "v")  # lü is typed lv
    return "".join(char for char in letters if not unicodedata.combining(char))
