"""The blocks of a web page: headings, items and rows that stand in its article though extraction passed over them.

Extraction scores containers by the names of their classes, and drops lists and headings where it does not know one;
what Chinese publishing systems call theirs (``TRS_Editor``, ``pages_content``) it does not know.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_KEPT = {*_HEADINGS, "li", "dt", "dd", "figcaption", "tr"}  # what is put back
_BLOCKS = {*_KEPT, "p", "div", "section", "article", "blockquote", "pre", "center", "ul", "ol", "dl", "table", "form",
           "nav", "footer", "header", "aside"}  # fmt: skip
_ASIDE = {"nav", "footer", "aside", "form", "button", "select", "noscript", "script", "style", "template"}
_NAMED = re.compile(
    r"nav|menu|foot|side|share|comment|pinglun|relat|recom|xiangguan|tuijian|crumb|\btab|change|tool|copyright|login"
    r"|hot|rank|tag|page[rs]?\b|pagin|prev|next|banner|advert|hidden",
    re.I,
)
_SPACE = re.compile(r"[\s\u00a0\u3000]+")
_LONG = 12  # characters that stand nowhere by accident
_START = 8  # characters by which a block's lines are looked up
_MOST = 0.9  # share of what was extracted that lies in the article's element


def with_passed_over(text: str, tree: Any, title: str) -> str:
    """The extracted text with the headings, items and rows that stand in the article as well.

    Args:
        text: What was extracted, a block a line.
        tree: The page's lxml tree.
        title: Its headline, which is no part of the text.
    """
    lines = text.split("\n")
    blocks = _leaves(tree)
    places = _places([_bare(line) for line in lines], blocks)
    article = _article(blocks, places)
    if article is None:
        return text
    all_of_it = article.tag in {"body", "html"}
    if all_of_it:  # what is above or below may be anything
        blocks = blocks[: max(places) + 1]
    known, whole = {_bare(line) for line in (*lines, title)}, _bare(text)
    added: dict[int, list[str]] = {}  # below which line what comes; -1 is above all
    waiting: list[str] = []  # headings, until something comes that they are the headings of
    linked: dict[Any, bool] = {}
    place = -1
    for number, block in enumerate(blocks):
        if number in places:
            first, last = places[number]
            if place >= 0 or not all_of_it:
                added.setdefault(first - 1, []).extend(waiting)
            waiting, place = [], last
        elif (place >= 0 or not all_of_it) and _belongs(block, article, linked):
            shown = _shown(block)
            bare = _bare(shown)
            if not bare or bare in known or (len(bare) >= _LONG and bare in whole):
                continue
            waiting.append(shown)
            if block.tag not in _HEADINGS:
                added.setdefault(place, []).extend(waiting)
                waiting = []
    return "\n".join(each for at, line in enumerate(["", *lines], -1) for each in (line, *added.get(at, ()))).strip()


def _bare(text: str) -> str:
    return _SPACE.sub("", text).lstrip("-•·")


def _text(block: Any) -> str:
    return "".join(block.itertext(with_tail=False)) if not block.xpath(".//script | .//style") else ""


def _shown(block: Any) -> str:
    if block.tag == "tr":
        return "\t".join(_SPACE.sub(" ", _text(cell)).strip() for cell in block.iterchildren("td", "th")).strip()
    return _SPACE.sub(" ", _text(block)).strip()


def _leaves(tree: Any) -> list[Any]:
    """The blocks that hold no other, in the page's order; a row of a table is one whatever its cells hold."""
    rows = {row for row in tree.iter("tr") if next(row.iter("table"), None) is None}
    return [
        block
        for block in tree.iter(*_BLOCKS)
        if block in rows
        or (next(block.iterdescendants(*_BLOCKS), None) is None and not rows.intersection(block.iterancestors("tr")))
    ]


def _places(lines: Sequence[str], blocks: Sequence[Any]) -> dict[int, tuple[int, int]]:
    """Of each block that was extracted, by its number, its first and its last line."""
    starts: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        starts.setdefault(line[:_START], []).append(at)
    found: dict[int, tuple[int, int]] = {}
    after = 0
    for number, block in enumerate(blocks):
        bare = _bare(_text(block))
        same = starts.get(bare[:_START], []) if bare else []
        for first in same[bisect_left(same, after) :]:
            # What is short may stand anywhere on the page, and must not lead past all that comes before it.
            if (len(bare) < _LONG and first > after + 3) or not bare.startswith(lines[first]):
                continue
            last, length = first, len(lines[first])
            while last + 1 < len(lines) and lines[last + 1] and bare.startswith(lines[last + 1], length):
                last += 1
                length += len(lines[last])
            found[number] = (first, last)
            after = last + 1
            break
    return found


def _article(blocks: Sequence[Any], places: dict[int, tuple[int, int]]) -> Any:
    """The smallest element with nearly all that was extracted, ``None`` where nothing of it is found."""
    weights: Counter[Any] = Counter()
    for number in places:
        weight = len(_bare(_text(blocks[number])))
        weights.update(dict.fromkeys(blocks[number].iterancestors(), weight))
    most = _MOST * max(weights.values(), default=0)
    holding = [element for element, weight in weights.items() if weight >= most]
    return max(holding, key=lambda element: sum(1 for _ in element.iterancestors()), default=None)


def _belongs(block: Any, article: Any, linked: dict[Any, bool]) -> bool:
    """Whether a block is put back: of the article, neither set apart by name nor made of links, as navigation is."""
    inner = [block]
    for outer in block.iterancestors():
        if outer is article:
            break
        inner.append(outer)
    else:
        return False
    if not any(each.tag in _KEPT for each in inner):
        return False
    if any(each.tag in _ASIDE or _NAMED.search(f"{each.get('class', '')} {each.get('id', '')}") for each in inner):
        return False
    around = next((each for each in inner if each.tag in {"ul", "ol", "dl", "table"}), block)
    for each in (block, around):
        if each not in linked:
            linked[each] = 2 * len(_bare("".join(map(_text, each.iter("a"))))) > len(_bare(_text(each)))
    return not linked[block] and not linked[around]
