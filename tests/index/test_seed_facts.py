"""What healing makes of the newspaper page this project began with: a table of facts, none of which the raw lines meet.

The page is not part of this project, so that its words are named by where they stand: code points of the original.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from index.chinese import squeeze
from index.document import Passage
from index.model_cards import COMPACT
from index.paragraphs import Lengths, cut
from index.wordtable import WordTable

PAGE = Path(__file__).parents[3] / "shared" / "seeds" / "workers-daily-page.txt"
LENGTHS = Lengths(target=260, maximum=400)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PAGE.is_file(), reason="../shared/seeds is not beside this checkout"),
]

Span = tuple[int, int]
Passages = tuple[Passage, ...]
Fact = Callable[[str, Passages], bool]


def whole(first: int, last: int) -> Fact:
    """The text between two places is whole in one passage, though a column break tears it."""
    return lambda page, passages: any(
        squeeze(page[first:last]) in line for passage in passages for line in passage.text.split("\n")
    )


def titled(place: int, *heads: Span) -> Fact:
    """The passage at a place carries the headline that stands, perhaps in two lines, elsewhere."""
    return lambda page, passages: (
        [p.title for p in passages if p.start <= place < p.end] == [" ".join(page[first:last] for first, last in heads)]
    )


def headed(first: int, last: int, text: int) -> Fact:
    """A sub-head stands in the passage of the text below it."""
    return lambda page, passages: any(p.start <= text < p.end and page[first:last] in p.text for p in passages)


def absent(first: int, last: int) -> Fact:
    """A byline or a mark of continuation is in no passage."""
    return lambda page, passages: not any(page[first:last] in p.text for p in passages)


def alone(first: int, last: int) -> Fact:
    """A caption is a passage by itself, under its own headline."""
    return lambda page, passages: any(page[first:last] == p.text and p.title for p in passages)


def once(*spans: Span) -> Fact:
    """A paragraph that stands on the page several times comes once."""
    first, last = spans[0]
    return lambda page, passages: sum(p.text.count(page[first:last].strip("“”")) for p in passages) == 1


TOP = ((2, 39), (41, 53))
PHOTO, RELIEF, OIL, POVERTY = (1716, 1722), (1861, 1877), (4163, 4179), (6561, 6581)

FACTS: dict[str, Fact] = {
    "a question torn in the middle of a word": whole(406, 460),
    "a quotation torn in the middle of a word": whole(823, 860),
    "the first article": titled(80, *TOP),
    "the first article below its first sub-head": titled(420, *TOP),
    "the first article below its second sub-head": titled(900, *TOP),
    "the first article below its third sub-head": titled(1350, *TOP),
    "the last paragraph of the first article": titled(1600, *TOP),
    "the photograph": titled(1740, PHOTO),
    "the article below the photograph": titled(1900, RELIEF),
    "the last paragraph of that article": titled(2200, RELIEF),
    "what goes on from page 1, by its repeat further below": titled(2310, POVERTY),
    "its second paragraph": titled(2460, POVERTY),
    "its third paragraph": titled(2700, POVERTY),
    "its last paragraph": titled(3600, POVERTY),
    "the article with two bylines": titled(4210, OIL),
    "the article with two bylines, further on": titled(4600, OIL),
    "a piece in another column, by the words it shares with its headline": titled(5300, POVERTY),
    "that piece, further on": titled(5640, POVERTY),
    "the piece at the end of the page": titled(7760, POVERTY),
    "first sub-head": headed(326, 336, 338),
    "second sub-head": headed(808, 821, 823),
    "third sub-head": headed(1284, 1295, 1297),
    "sub-head of a piece": headed(5207, 5226, 5228),
    "last sub-head": headed(7691, 7711, 7713),
    "byline of the first article": absent(55, 73),
    "byline of the last article": absent(4181, 4189),
    "its second line": absent(4190, 4202),
    "the mark of continuation": absent(2298, 2305),
    "the caption": alone(1724, 1859),
    "repeat 1": once((2307, 2448), (6583, 6722)),
    "repeat 2": once((2450, 2646), (6724, 6920)),
    "repeat 3": once((2648, 2818), (6922, 7092)),
    "repeat 4": once((2820, 2906), (7094, 7180)),
    "a paragraph that stands three times": once((2908, 3165), (3167, 3424), (7182, 7439)),
    "repeat 6": once((3426, 3578), (7441, 7593)),
    "repeat 7": once((3580, 3674), (7595, 7689)),
    "repeat 8": once((4460, 4578), (5826, 5944)),
    "repeat 9": once((4580, 4728), (5946, 6094)),
    "repeat 10": once((4730, 4824), (6096, 6190)),
    "repeat 11": once((4826, 4931), (6192, 6297)),
    "every passage has a title": lambda _, passages: all(p.title for p in passages),
    "no passage is a scrap": lambda _, passages: all(70 <= len(p.text) <= LENGTHS.maximum for p in passages),
}


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def healed(page: str) -> Passages:
    return cut(page, LENGTHS, seam=WordTable.load(COMPACT).crosses).passages


@pytest.fixture(scope="module")
def raw(page: str) -> Passages:
    """The page without healing: a passage a line."""
    ends = [-1, *(place for place, char in enumerate(page) if char == "\n"), len(page)]
    return tuple(Passage(page[a + 1 : b], a + 1, b) for a, b in pairwise(ends) if b > a + 1)


def test_the_table_is_long_enough() -> None:
    assert len(FACTS) >= 25


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_holds_of_the_healed_page_and_not_of_its_lines(
    page: str, healed: Passages, raw: Passages, name: str
) -> None:
    assert FACTS[name](page, healed)
    assert not FACTS[name](page, raw)
