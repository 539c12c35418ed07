"""Requests: which are refused, with which sentence, and the one that a passage makes."""

from __future__ import annotations

import re

from index.document import MODES, SORTS, Passage, SearchRequest
from index.errors import QueryError

MAXIMUM_QUERY = 2_000  # characters
MAXIMUM_WINDOW = 1_100  # offset + limit: how deep the ranking can be paged through
_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def check(request: SearchRequest) -> None:
    """Refuse a request that cannot be answered.

    Raises:
        QueryError: The query is empty or too long, or a setting is out of its range.
    """
    if not request.query.strip():
        raise QueryError("The query is empty; type a question or a few words.", "查询为空；请输入问题或关键词。")
    if len(request.query) > MAXIMUM_QUERY:
        raise QueryError(
            f"The query has {len(request.query)} characters; at most {MAXIMUM_QUERY} are allowed.",
            f"查询有 {len(request.query)} 个字符；最多 {MAXIMUM_QUERY} 个。",
        )
    if request.mode not in MODES:
        raise QueryError(
            f"There is no mode {request.mode!r}; use hybrid, dense or lexical.",
            f"没有 {request.mode!r} 这种模式；可选 hybrid、dense、lexical。",
        )
    if request.sort not in SORTS:
        raise QueryError(
            f"There is no order {request.sort!r}; use relevance, date or -date.",
            f"没有 {request.sort!r} 这种排序；可选 relevance、date、-date。",
        )
    if request.limit < 1 or request.offset < 0 or request.limit + request.offset > MAXIMUM_WINDOW:
        raise QueryError(
            f"limit must be at least 1, offset at least 0, and together at most {MAXIMUM_WINDOW}.",
            f"limit 至少为 1，offset 至少为 0，两者之和不超过 {MAXIMUM_WINDOW}。",
        )
    if request.min_score is not None and not 0 <= request.min_score <= 1:
        raise QueryError("min_score must lie between 0 and 1.", "min_score 应在 0 与 1 之间。")
    for name, date in (("from", request.date_from), ("to", request.date_to)):
        if date and not _DATE.fullmatch(date):
            raise QueryError(
                f"{name} must be a date like 2024-03-11, 2024-03 or 2024, not {date[:20]!r}.",
                f"{name} 应为 2024-03-11、2024-03 或 2024 这样的日期，而不是 {date[:20]!r}。",
            )


def similar_to(passage: Passage, limit: int) -> SearchRequest:
    """The request for passages that say something like one."""
    text = f"{passage.title}\n{passage.text}"[:MAXIMUM_QUERY]
    for mark in '"“”「」『』＂':  # quoted parts of a passage are no conditions
        text = text.replace(mark, " ")
    return SearchRequest(text, limit=limit)
