"""What a single field may hold: ids, links, dates and labels, and how a field is described.

The models made of them are in schemas.py.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from index.request import MAXIMUM_QUERY

# What browsers take for steps in a path, so that no page could open or delete what is called so.
DOT_SEGMENTS = (".", "..")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?")


def about(english: str, chinese: str, **limits: Any) -> Any:
    """A field's description in both languages, with its limits."""
    return Field(description=english, json_schema_extra={"x-description-zh": chinese}, **limits)


def is_strict_id(text: str) -> bool:
    """Whether a text may be a document's id."""
    return _ID.fullmatch(text) is not None and text not in DOT_SEGMENTS


def is_safe_link(url: str) -> bool:
    """Whether an address may become a link: http, https or relative, and nothing hidden in it."""
    if any(ord(character) < 0x21 or character == "\\" for character in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme:
        return parts.scheme in ("http", "https") and bool(parts.netloc)
    return not parts.netloc


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "NUL character")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "empty text")
    return text


def _strict_id(text: str) -> str:
    if not is_strict_id(text):
        raise PydanticCustomError("strict_id", "not an id")
    return text


def _link(text: str) -> str:
    if text and not is_safe_link(text):
        raise PydanticCustomError("link", "not a link")
    return text


def _iso_date(text: str) -> str:
    """A date, a year and month, a year, or nothing."""
    if not text:
        return text
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        date.fromisoformat(first_day(text))
    except ValueError:
        raise PydanticCustomError("iso_date", "not an ISO date") from None
    return text


def _iso_date_or_time(text: str) -> str:
    if _DATE_TIME.fullmatch(text):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise PydanticCustomError("iso_date", "not an ISO date-time") from None
        return text
    return _iso_date(text)


def first_day(text: str) -> str:
    """The first day of a date, a month or a year, as an ISO date; an empty text stays empty."""
    return text + "-01" * (3 - len(text.split("-"))) if text else ""


def last_day(text: str) -> str:
    """The last day of a date, a month or a year, as an ISO date; an empty text stays empty."""
    match [int(part) for part in text.split("-") if part]:
        case [year]:
            return f"{year:04}-12-31"
        case [year, month]:
            return f"{year:04}-{month:02}-{calendar.monthrange(year, month)[1]:02}"
    return text


def _as_list(value: object) -> object:
    if isinstance(value, str):
        value = [value]
    return [entry for entry in value if entry != ""] if isinstance(value, list) else value


# A limit stands before the checks of our own: pydantic takes what comes out of these for a list, and would say so.
Query = Annotated[str, Field(max_length=MAXIMUM_QUERY), AfterValidator(_no_nul)]
Question = Annotated[Query, AfterValidator(_not_blank)]
Title = Annotated[str, Field(max_length=1000), AfterValidator(_no_nul)]
Prose = Annotated[str, AfterValidator(_no_nul), AfterValidator(_not_blank)]
Identifier = Annotated[str, AfterValidator(_strict_id)]
Link = Annotated[str, Field(max_length=2000), AfterValidator(_link)]
Label = Annotated[str, Field(max_length=500), AfterValidator(_no_nul)]
Day = Annotated[str, AfterValidator(_iso_date)]
DayOrTime = Annotated[str, AfterValidator(_iso_date_or_time)]
_LABELS_SCHEMA = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "maxLength": 500}, "maxItems": 50}],
    "default": [],
}
Labels = Annotated[list[Label], Field(max_length=50), BeforeValidator(_as_list), WithJsonSchema(_LABELS_SCHEMA)]
