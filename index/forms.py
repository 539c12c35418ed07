"""Other ways to write what was typed, asked of the word index beside it: ``gpt4`` and GPT-4, 八月七日 and 8月7日,
585195.95 and 585,195.95, 普丁 and 普京.

The word index holds what the archive wrote, piece by piece, and is not made anew for this: a query asks for the pieces
of each form that occurs, and all the forms of one thing count once towards what a passage may say of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, pairwise, product
from typing import NamedTuple

from index.chinese import WORD, ParsedQuery, parse_query, tokens
from index.rarity import Rarity
from index.regional import regional

# What a form that was not typed weighs, as a share of what was. Measured on an archive of 182,036 news passages, 150
# names of letters and digits, right passage first, without -> with: typed in one, written with a hyphen 4 -> 10 of 12,
# with a blank 30 -> 41 of 56 (41 typed so too); written in one, typed apart 8 -> 66 of 82, with a hyphen 10 -> 67,
# typed in one 81 as before. 49 questions with a date: 八月七日 20 -> 37, 2023-08-07 15 -> 37 (8月7日 37 as before). 100
# numbers typed without their commas: 3 -> 74 (76 with). The shares, and the bounds below, were chosen by hand.
_OTHER = 0.9
# Letters and digits apart may stand anywhere in a passage, so they are trusted less than one word of both.
_APART = 0.6
# What a form adds that holds all the words typed, as GPT-4 does of ``gpt 4``.
_MORE = 0.3
_MOST_FACTOR = 2.0  # on a token's BM25 score: a frequent one does not become the whole query
# A word of another region is asked for in this one's where the archive has that this many times as often.
_OFTENER = 10
_LONGEST = 4  # runs of letters and digits in one name

_SEAMS = (" ", "-", "")
_WORD = re.compile(WORD)
_RUNS = re.compile(r"[a-z]+|[0-9]+")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PLAIN = re.compile(r"(?<![a-z\d.,-])[1-9]\d{3,14}(?:\.\d+)?(?![a-z\d,-]|\.\d)")
_COMMAS = re.compile(r"(?<![a-z\d.,-])[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?![a-z\d,-]|\.\d)")

_DIGIT = "零一二三四五六七八九"
_UP_TO_99 = "[一二三四五六七八九十]{1,3}"
_YEAR = f"[一二][{_DIGIT}]{{3}}年"
_IN_CHINESE = re.compile(f"({_YEAR})?(?:(?<![一二三四五六七八九十])({_UP_TO_99})月(?:({_UP_TO_99})([日号]))?)?")
_ISO = re.compile(r"(?<![\w./-])((?:19|20)\d\d)([-/.])(\d{1,2})\2(\d{1,2})(?![\w/-]|\.\d)")
_NUMBERED_DAY = re.compile(r"(?<!\d)(\d{1,2}月\d{1,2})号")


class Change(NamedTuple):
    """What to write in place of a stretch of a query."""

    start: int
    end: int
    text: str


class Place(NamedTuple):
    """A stretch of a query and other ways to write it, those with more and smaller tokens first."""

    start: int
    end: int
    ways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write something: its tokens and how far it is trusted, as a share of what was typed."""

    tokens: tuple[str, ...]
    trust: float


@dataclass(frozen=True, slots=True)
class Forms:
    """One thing in a query, as typed and in other ways.

    Attributes:
        typed: Tokens of what was typed.
        others: Those that hold more and smaller tokens first.
        rather: Whether the others say how much it weighs, as the archive's usual form of a date does.
    """

    typed: tuple[str, ...]
    others: tuple[Form, ...]
    rather: bool = False


def as_written(query: ParsedQuery, rarity: Rarity) -> ParsedQuery:
    """The query with what the archive writes in place of what it does not: meaning and nearness of words go by it too.

    What is quoted stays as it is.
    """
    if query.phrases:
        return query
    changes = [date for date in _dates(query.sought) if _usual(query.sought[date.start : date.end], date.text, rarity)]
    for place in (*_names(query.sought), *_plain_numbers(query.sought)):
        typed = query.sought[place.start : place.end]
        found = max(place.ways, key=lambda way: _least(tokens(way), rarity))
        if not _least(tokens(typed), rarity) and _least(tokens(found), rarity):
            changes.append(Change(place.start, place.end, found))
    for start, end, word in regional(query.sought):
        if not _least(_pairs(query.sought[start:end]), rarity) and _least(_pairs(word), rarity):
            changes.append(Change(start, end, word))
    if not changes:
        return query
    text, end = "", 0
    for change in sorted(changes):
        if change.start >= end:
            text += query.text[end : change.start] + change.text
            end = change.end
    return replace(parse_query(text + query.text[end:]), typed=query.sought)


def forms_of(query: ParsedQuery, rarity: Rarity) -> list[Forms]:
    """What a query names that may be written otherwise in the archive."""
    sought = query.sought
    found = [_dated(sought[date.start : date.end], date.text) for date in _dates(sought)]
    # Where what was typed gave way to what is usual, it is asked for beside that.
    typed = ((query.typed[date.start : date.end], date.text) for date in _dates(query.typed))
    found += [Forms(tuple(tokens(usual)), (Form(tuple(tokens(date)), 1.0),)) for date, usual in typed]
    for place in _names(sought):
        apart = " ".join(_RUNS.findall(sought[place.start : place.end]))
        rarity.ask([token for way in place.ways for token in tokens(way)])
        # One word of both that occurs is what is meant; its parts stand in many passages that are not.
        whole = _WORD.fullmatch(sought, place.start, place.end) and _least(
            tokens(sought[place.start : place.end]), rarity
        )
        others = [
            Form(tuple(tokens(way)), _APART if way == apart else 1.0)
            for way in place.ways
            if not (whole and way == apart)
        ]
        found.append(Forms(tuple(tokens(sought[place.start : place.end])), tuple(others)))
    for place in _numbers_with_commas(sought):
        typed_number = sought[place.start : place.end]
        found.append(Forms(tuple(tokens(typed_number)), tuple(Form((way,), 1.0) for way in place.ways)))
    return [*found, *_words_elsewhere(sought, rarity)]


def weighed(terms: dict[str, float], forms: Sequence[Forms], rarity: Rarity) -> tuple[dict[str, float], float]:
    """Tokens with factors on their BM25 scores, those of other forms among them, and the sum of idf within reach.

    Args:
        terms: The query's own tokens, as often as they stand in it.
    """
    factors = dict(terms)
    reach = _worth(factors, factors, rarity)
    for thing in forms:
        others = [form for form in thing.others if all(map(rarity.count, form.tokens))]
        if not others:
            continue
        own = _worth(thing.typed, terms, rarity)
        typed_occurs = all(map(rarity.count, thing.typed))
        if thing.rather or not typed_occurs:
            most = max(form.trust for form in others)
            others = [Form(form.tokens, form.trust / most) for form in others]
            worth = max(form.trust * sum(map(rarity.idf, set(form.tokens))) for form in others)
            shared = {token for form in others for token in form.tokens}
            alone = [token for token in thing.typed if token in terms and token not in shared]
            left = worth - _worth([token for token in thing.typed if token in shared], terms, rarity)
            share = max(0.0, min(1.0, left / max(_worth(alone, terms, rarity), 1e-6)))
            factors.update({token: factors[token] * share for token in alone})
            reach += worth - own
        else:
            worth = own
            others = [Form(form.tokens, form.trust * _OTHER) for form in others]
        for form in others:
            new = [token for token in dict.fromkeys(form.tokens) if token not in factors]
            left = form.trust * worth - _worth(form.tokens, factors, rarity)
            if set(thing.typed) <= set(form.tokens):
                left = _MORE * worth
            if new and left > 0:
                factor = min(_MOST_FACTOR, left / max(sum(map(rarity.idf, new)), 1e-6))
                factors.update(dict.fromkeys(new, factor))
    return {token: factor for token, factor in factors.items() if factor > 0}, reach


def _worth(some: Sequence[str] | dict[str, float], factors: dict[str, float], rarity: Rarity) -> float:
    return sum(factors[token] * rarity.idf(token) for token in dict.fromkeys(some) if token in factors)


# Names of letters and digits


def _names(sought: str) -> Iterator[Place]:
    """Runs of letters and digits in turn, with nothing, a hyphen or a blank between."""
    runs: list[re.Match[str]] = []
    for word in _WORD.finditer(sought):
        for run in _RUNS.finditer(sought, *word.span()) if _NAME.fullmatch(word.group()) else ():
            if runs and not (
                sought[runs[-1].end() : run.start()] in _SEAMS and runs[-1].group().isdigit() != run.group().isdigit()
            ):
                yield from _named(sought, runs)
                runs = []
            runs.append(run)
        if not _NAME.fullmatch(word.group()):
            yield from _named(sought, runs)
            runs = []
    yield from _named(sought, runs)


def _named(sought: str, runs: list[re.Match[str]]) -> Iterator[Place]:
    if 1 < len(runs) <= _LONGEST:
        start, end = runs[0].start(), runs[-1].end()
        first, *rest = (run.group() for run in runs)
        ways = (
            first + "".join(chain.from_iterable(zip(seams, rest, strict=True)))
            for seams in product(_SEAMS, repeat=len(rest))
        )
        yield Place(start, end, tuple(way for way in ways if way != sought[start:end]))


# Numbers


def _plain_numbers(sought: str) -> Iterator[Place]:
    for match in _PLAIN.finditer(sought):
        whole, point, fraction = match.group().partition(".")
        yield Place(*match.span(), (f"{int(whole):,}{point}{fraction}",))


def _numbers_with_commas(sought: str) -> Iterator[Place]:
    for match in _COMMAS.finditer(sought):
        yield Place(*match.span(), (match.group().replace(",", ""),))


# Dates


def _dates(sought: str) -> Iterator[Change]:
    """Dates in Chinese numerals and in digits with marks, as 2023年8月7日."""
    for match in _IN_CHINESE.finditer(sought):
        year, month, day, _ = match.groups()
        if not (year or day):  # 八月 alone is a name too, as in 八月十五
            continue
        written = "".join(_DIGITS[char] for char in year[:4]) + "年" if year else ""
        months, days = _numerals().get(month, 0), _numerals().get(day, 0)
        written += f"{months}月" if 0 < months <= 12 else ""
        written += f"{days}日" if 0 < months <= 12 and 0 < days <= 31 else ""
        if written and bool(month) == (0 < months <= 12) and bool(day) == (0 < days <= 31):
            yield Change(*match.span(), written)
    for match in _ISO.finditer(sought):
        months, days = int(match[3]), int(match[4])
        if 0 < months <= 12 and 0 < days <= 31:
            yield Change(*match.span(), f"{match[1]}年{months}月{days}日")
    for match in _NUMBERED_DAY.finditer(sought):
        yield Change(*match.span(), f"{match[1]}日")


def _usual(typed: str, written: str, rarity: Rarity) -> bool:
    """Whether the archive has a date's parts in digits so much oftener that it writes dates that way."""
    own = [token for token in tokens(typed) if len(token) > 1]
    here = [token for token in tokens(written) if token.isdigit()]
    rarity.ask([*own, *here])
    return not own or _OFTENER * _least(own, rarity) <= _least(here, rarity)


def _dated(typed: str, written: str) -> Forms:
    return Forms(tuple(tokens(typed)), (Form(tuple(tokens(written)), 1.0),), rather=True)


def _least(some: Sequence[str], rarity: Rarity) -> int:
    """In how many passages the rarest token occurs."""
    rarity.ask(some)
    return min(map(rarity.count, some), default=0)


_DIGITS = {char: str(value) for value, char in enumerate(_DIGIT)}


@cache
def _numerals() -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for value in range(1, 100):
        tens, ones = divmod(value, 10)
        found[("" if tens < 2 else _DIGIT[tens]) + ("十" if tens else "") + (_DIGIT[ones] if ones else "")] = value
    return found


# Words of other regions


def _words_elsewhere(sought: str, rarity: Rarity) -> Iterator[Forms]:
    for start, end, word in regional(sought):
        here = _least(_pairs(word), rarity)
        if _OFTENER * _least(_pairs(sought[start:end]), rarity) <= here > 0:
            yield Forms(tuple(tokens(sought[start:end])), (Form(tuple(tokens(word)), 1.0),))


def _pairs(word: str) -> list[str]:
    return [left + right for left, right in pairwise(word)]
