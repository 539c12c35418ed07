"""Conditions on documents as Milvus' expressions, exact at any selectivity: Milvus applies them before it ranks."""

from __future__ import annotations

from collections.abc import Sequence

from index.engine import Filter
from index.engine.milvus.client import listed, quoted

_LAST = "~"  # comes after every character of a date
WILD = ("%", "_", "\\")  # what ``like`` does not take as it stands, and cannot be made to in all versions


def condition(
    *,
    sources: Sequence[str] = (),
    tags: Sequence[str] = (),
    date_from: str = "",
    date_to: str = "",
) -> str:
    """An expression over the fields ``source``, ``tags`` and ``date``, empty where everything matches.

    A day given as the last one counts to its end, and so does a month or year.
    """
    parts = []
    if sources:
        parts.append(f"source in {listed(sources)}")
    if tags:
        parts.append(f"array_contains_any(tags, {listed(tags)})")
    if date_from:
        parts.append(f"date >= {quoted(date_from)}")
    if date_to:
        parts.append(f'(date != "" and date <= {quoted(date_to + _LAST)})')
    return " and ".join(parts)


def condition_of(only: Filter, bylines: Sequence[str] | None = None) -> str:
    """An expression for a filter.

    Args:
        bylines: All the bylines there are that hold one of the filter's, where ``like`` could not tell.
    """
    parts = [
        condition(sources=only.sources, tags=only.tags, date_from=only.date_from, date_to=only.date_to),
        byline_condition(only.bylines) if bylines is None else f"byline in {listed(bylines)}",
    ]
    return " and ".join(part for part in parts if part)


def byline_condition(bylines: Sequence[str]) -> str:
    """An expression for bylines that hold one of these; where one has a wild character, for some others too."""
    if not bylines:
        return ""
    alternatives = " or ".join(f"byline like {quoted(f'%{_loose(byline)}%')}" for byline in bylines)
    return f"({alternatives})"


def _loose(text: str) -> str:
    return "".join("_" if char in WILD else char for char in text)


def is_loose(bylines: Sequence[str]) -> bool:
    """Whether ``byline_condition`` matches more than it should."""
    return any(char in byline for byline in bylines for char in WILD)
