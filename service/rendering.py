"""How values look on a page: dates, counts, times, scores, and the language a text is set in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import groupby

from jinja2 import Environment

from index.document import Segment
from service.fields import is_safe_link
from service.language import Language
from service.links import document_link, similar_link

_HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff]")
_QUOTES = re.compile('["“”「」『』＂]')
_OPENING = 32  # characters
_LABEL = re.compile(r"^(?:原标题|原標題|标题|標題)[：:]\s*")  # what reprints put before the headline they repeat
_PAUSE = re.compile(r"[。！？!?；;，,：:、\s]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def add_filters(environment: Environment) -> None:
    """Make the functions of this file known to templates."""
    environment.filters.update(
        {
            "date_text": date_text,
            "count_text": count_text,
            "time_text": time_text,
            "percent": percent,
            "text_lang": text_lang,
            "safe_link": safe_link,
            "opening": opening,
            "runs": runs,
            "unquoted": unquoted,
        }
    )
    environment.globals["document_link"] = document_link
    environment.globals["similar_link"] = similar_link


def date_text(text: str, language: Language) -> str:
    """An ISO date as people write it; what is no full date stays as it is."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return text
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def count_text(count: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{count:,}"


def time_text(milliseconds: float, language: Language) -> str:
    """A duration in milliseconds or, from one second on, in seconds."""
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} " + ("秒" if language == "zh" else "s")
    number = f"{milliseconds:.0f}" if milliseconds >= 10 else f"{max(milliseconds, 0.1):.1f}"
    return f"{number} " + ("毫秒" if language == "zh" else "ms")


def percent(score: float) -> int:
    """A score of 0..1 in whole hundredths."""
    return round(score * 100)


def text_lang(text: str) -> str:
    """``zh`` for a text with Chinese characters, else ``en``: fonts, hyphens and voices depend on it."""
    return "zh" if _HAN.search(text) else "en"


def safe_link(url: str) -> str:
    """The address if it may become a link, else an empty string."""
    return url if url and is_safe_link(url) else ""


def opening(text: str) -> str:
    """The first words of a text, which stand for the headline it does not have; up to a pause where there is one."""
    line = _LABEL.sub("", " ".join(text.split()))
    if len(line) <= _OPENING:
        return line
    pauses = [match.start() for match in _PAUSE.finditer(line, _OPENING // 2, _OPENING)]
    return line[: pauses[-1] if pauses else _OPENING] + "……"


def unquoted(query: str) -> str:
    """A query without the quotes that make its parts obligatory."""
    return " ".join(_QUOTES.sub(" ", query).split())


def runs(segments: Sequence[Segment]) -> list[tuple[bool, list[Segment]]]:
    """Segments gathered into stretches inside and outside the sentence that answers.

    :returns: Stretches in order, each with whether it is part of the sentence.
    """
    return [(inside, list(run)) for inside, run in groupby(segments, key=lambda segment: segment.in_sentence)]
