"""Which of our two languages an answer is written in."""

from __future__ import annotations

from typing import Literal

from flask import request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

Language = Literal["zh", "en"]
LANGUAGES: dict[str, Language] = {"zh": "zh", "en": "en"}


def choose_language(wanted: str | None, accept_language: str | None) -> Language:
    """The language of an answer.

    :param wanted: The value of ``?lang=``, if any; anything but ``zh`` and ``en`` is ignored.
    :param accept_language: The header, if any.
    :returns: The one asked for, else the one the header prefers. Without a preference Chinese, because the
        archives are; English for a reader who names other languages only.
    """
    if wanted is not None and wanted in LANGUAGES:
        return LANGUAGES[wanted]
    header = (accept_language or "").strip()
    if not header:
        return "zh"
    best = parse_accept_header(header, LanguageAccept).best_match(["zh", "en"])
    return "zh" if best == "zh" else "en"


def reader_language() -> Language:
    """The language for the request being answered."""
    return choose_language(request.args.get("lang"), request.headers.get("Accept-Language"))
