"""What a half-typed query may become: headlines and frequent phrases that go with what was typed.

What is typed may be Chinese of either script, pinyin in whole syllables or initials, both mixed, or Chinese that only
sounds right. Everything is looked up in three long lines, the texts, their sounds and their initials, by plain search
for a substring: no index to keep, and a tenth of a millisecond for a million characters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from threading import Lock
from typing import Literal

from index.chinese import fold, has_cjk, is_cjk
from index.phrases import Phrase
from index.pinyin import reading, typed

MOST_HEADLINES = 50_000
_LONGEST_HEADLINE = 80  # characters; what is longer is no headline to choose from
_LONGEST_QUERY = 64
_FOUND = 200  # matches looked at in each line; the texts are in order of frequency, so the best come first
_LETTERS = re.compile(r"[a-z]+(?:[' ][a-z]+)*")
_RUNS = re.compile(r"[a-z']+|.", re.S)

Kind = Literal["title", "phrase", "query"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A text that may be suggested, with the document and passage it leads to if it is a headline."""

    text: str
    kind: Kind
    weight: int = 1
    document_id: str | None = None
    passage_id: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An entry and the characters of it that go with what was typed: from ``start`` to ``end``."""

    entry: Entry
    start: int
    end: int


def entries_of(phrases: Sequence[Phrase], headlines: Iterable[tuple[str, str, int]]) -> list[Entry]:
    """Entries for the phrases of an archive and its headlines ``(title, document id, position)``."""
    entries = [Entry(phrase.text, "phrase", phrase.count) for phrase in phrases]
    for title, id_, position in headlines:
        text = " ".join(title.split())
        if 0 < len(text) <= _LONGEST_HEADLINE:
            entries.append(Entry(text, "title", 1, id_, f"{id_}:{position}"))
    return entries


class _Line:
    """Texts joined into one, to be searched at once."""

    def __init__(self, texts: Iterable[str]) -> None:
        parts = [f"\n{text}" for text in texts]
        self._starts = [0, *accumulate(map(len, parts))]
        self._all = "".join(parts)

    def find(self, wanted: str, *, first: bool) -> Iterator[tuple[int, int, str]]:
        """``(number of the text, place in it, the text before)``; with ``first`` only texts that begin so."""
        needle = f"\n{wanted}" if first else wanted
        place = self._all.find(needle)
        seen = 0
        while place >= 0 and seen < _FOUND:
            which = bisect_right(self._starts, place) - 1
            start = self._starts[which] + 1
            inside = 0 if first else place - start
            yield which, inside, self._all[start : start + inside]
            seen += 1
            place = self._all.find(needle, self._starts[which + 1])


class Suggester:
    """Suggestions out of a fixed list of entries; safe to share between threads."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        listed = list(entries)
        self._phrases = _Shelf(entry for entry in listed if entry.kind != "title")
        self._titles = _Shelf(entry for entry in listed if entry.kind == "title")

    def suggest(self, query: str, limit: int) -> list[Suggestion]:
        """The best suggestions for what was typed, at most ``limit``, phrases before headlines.

        At most two of three are phrases while there are headlines. What was typed whole is no suggestion, unless it
        is a headline.
        """
        folded = fold(" ".join(query.split()))[:_LONGEST_QUERY]
        if not folded or limit < 1:
            return []
        titles = self._titles.best(folded, limit, "")
        phrases = self._phrases.best(folded, limit, folded)
        room = max(limit - len(titles), -(-2 * limit // 3))
        return [*phrases[:room], *titles][:limit]


class KeptSuggester:
    """The suggester of one generation of an archive, until there is another; safe to share between threads."""

    def __init__(self) -> None:
        self._making = Lock()
        self._kept: tuple[int, Suggester] | None = None

    def of(self, generation: int, entries: Callable[[], Iterable[Entry]]) -> Suggester:
        """The suggester of a generation; the first to ask after a change makes it from ``entries``, the others wait."""
        with self._making:
            if self._kept is None or self._kept[0] != generation:
                self._kept = generation, Suggester(entries())
            return self._kept[1]


class _Shelf:
    """Entries of one kind, the most frequent first, short before long."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = sorted(entries, key=lambda entry: (-entry.weight, len(entry.text)))
        self._folded = [fold(entry.text) for entry in self._entries]
        self._texts = _Line(self._folded)

    def best(self, folded: str, limit: int, without: str) -> list[Suggestion]:
        """The first ``limit`` different entries: as typed before by sound, at the beginning before further in."""
        found: dict[str, Suggestion] = {}
        for way in (self._as_typed, self._by_letters, self._mixed, self._by_sound):
            for one in way(folded):
                text = fold(one.entry.text)
                if text != without:
                    found.setdefault(text, one)
                if len(found) == limit:
                    return list(found.values())
        return list(found.values())

    @cached_property
    def _syllables(self) -> list[tuple[str, ...]]:
        return [reading(folded) for folded in self._folded]

    @cached_property
    def _sounds(self) -> _Line:
        return _Line("".join(f" {syllable}" for syllable in syllables) for syllables in self._syllables)

    @cached_property
    def _initials(self) -> _Line:
        return _Line("".join(syllable[0] for syllable in syllables) for syllables in self._syllables)

    def _as_typed(self, folded: str) -> Iterator[Suggestion]:
        for first in (True, False):
            for which, place, _ in self._texts.find(folded, first=first):
                yield Suggestion(self._entries[which], place, place + len(folded))

    def _by_letters(self, folded: str) -> Iterator[Suggestion]:
        if not _LETTERS.fullmatch(folded):
            return
        for syllables in typed(folded):
            yield from self._sounding(syllables)
        letters = folded.replace("'", "").replace(" ", "")
        if 1 < len(letters) <= 8:
            for first in (True, False):
                for which, place, _ in self._initials.find(letters, first=first):
                    end = place + len(letters)
                    if all(map(is_cjk, self._folded[which][place:end])):
                        yield Suggestion(self._entries[which], place, end)

    def _mixed(self, folded: str) -> Iterator[Suggestion]:
        """Chinese with letters in it: found by the Chinese, then compared character by character."""
        runs = _RUNS.findall(folded)
        if not has_cjk(folded) or not _LETTERS.search(folded):
            return
        ways: list[tuple[str, ...]] = [()]
        for run in runs:
            pieces = [*typed(run), tuple(run)] if run[0].isascii() and run[0].isalpha() else [(run,)]
            ways = [(*way, *piece) for way in ways for piece in pieces][:16]
        for way in dict.fromkeys(ways):
            anchor = next(place for place, unit in enumerate(way) if has_cjk(unit))
            for which, place, _ in self._texts.find(way[anchor], first=False):
                start = place - anchor
                if start >= 0 and self._agrees(which, start, way):
                    yield Suggestion(self._entries[which], start, start + len(way))

    def _agrees(self, which: int, start: int, units: tuple[str, ...]) -> bool:
        chars, sounds = self._folded[which][start:], self._syllables[which][start:]
        return len(chars) >= len(units) and all(
            char == unit or sound.startswith(unit) for char, sound, unit in zip(chars, sounds, units, strict=False)
        )

    def _by_sound(self, folded: str) -> Iterator[Suggestion]:
        """What sounds like the Chinese that was typed and has a character in common with it."""
        if len(folded) > 1 and all(map(is_cjk, folded)):
            for one in self._sounding(reading(folded), whole=True):
                meant = fold(one.entry.text[one.start : one.end])
                if any(char == other for char, other in zip(meant, folded, strict=True)):
                    yield one

    def _sounding(self, syllables: tuple[str, ...], *, whole: bool = False) -> Iterator[Suggestion]:
        wanted = "".join(f" {syllable}" for syllable in syllables)
        for first in (True, False):
            for which, _, before in self._sounds.find(wanted, first=first):
                place = before.count(" ")
                end = place + len(syllables)
                whole_last = not whole or self._syllables[which][end - 1 : end] == (syllables[-1],)
                if whole_last and all(map(is_cjk, self._folded[which][place:end])):
                    yield Suggestion(self._entries[which], place, end)
