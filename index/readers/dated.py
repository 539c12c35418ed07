"""The date that a web page shows beside its headline, where its metadata says none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_SPACE = re.compile(r"[\s\u00a0\u3000]+")
_LABEL = re.compile(r"^[\[【][^\]】]{1,4}[\]】]")
_DAY = re.compile(
    r"(?<!\d)(?:18|19|20)\d\d(?:\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日|([-/.])\d{1,2}\1\d{1,2}(?!\d))"
    r"(?:\s*\d{1,2}:\d{2}(?::\d{2})?)?"
)
# Sentences have dates too, and so has what a law says of itself below its title; neither is the page's.
_SAID = re.compile("[，。；！？,;!?]|通过|施行|生效|修订|修正|召开|截止|截至|有效期|今天是|现在是")
_SHORT = 60  # characters of a line that is no paragraph
_BELOW, _ABOVE = 12, 3  # texts beside the headline that are looked at
_START = 12  # characters of the article by which its start is found
_TEXTS = "//body//text()[normalize-space() and not(ancestor::script or ancestor::style or ancestor::a)]"


def date_beside_headline(tree: Any, title: str, text: str) -> str:
    """The full date in a short text right below the headline, or else right above it; nothing where there is none.

    Args:
        tree: The page's lxml tree.
        title: Its headline.
        text: Its article, at whose start is looked where the headline is nowhere.
    """
    found = tree.xpath(_TEXTS)
    shown = [" ".join(str(one).split()) for one in found]
    headlines = [
        at
        for at, (one, line) in enumerate(zip(found, shown, strict=True))
        if one.getparent().tag == "h1" or (title and _bare(_LABEL.sub("", line)) == _bare(title))
    ]
    below = (_first(shown[at + 1 : at + 1 + _BELOW]) for at in headlines)
    above = (_first(shown[max(0, at - _ABOVE) : at][::-1]) for at in headlines)
    return next(filter(None, (*below, *above)), "") or ("" if headlines else _above_start(shown, text))


def _above_start(shown: Sequence[str], text: str) -> str:
    start = _bare(text[:_SHORT])[:_START]
    at = next((at for at, line in enumerate(shown) if start and _bare(line).startswith(start)), -1)
    return _first(shown[max(0, at - _ABOVE) : max(0, at)][::-1]) or _first(shown[max(0, at) : at + 1])


def _first(lines: Sequence[str]) -> str:
    """The first date, unless a paragraph comes before it."""
    for line in lines:
        if len(line) > _SHORT or "。" in line:
            return ""
        if (day := _DAY.search(line)) and not _SAID.search(line):
            return day[0]
    return ""


def _bare(text: str) -> str:
    return _SPACE.sub("", text)
