"""Every text of the pages, in Chinese and in English, by subject. Templates read them as ``t.name``.

JavaScript has no texts of its own: what the page shows stands ready in ``<template>`` elements and attributes, and the
search box, which lives in other sites' pages, loads ``BOX_TEXTS`` as ``/static/search-box-texts.js``.
"""

from __future__ import annotations

from service.language import Language
from service.texts.admin import ADMIN_TEXTS
from service.texts.box import BOX_TEXTS
from service.texts.docs import DOCS_TEXTS
from service.texts.search import SEARCH_TEXTS

__all__ = ["BOX_TEXTS", "TEXTS"]

_LANGUAGES: tuple[Language, ...] = ("zh", "en")
TEXTS: dict[Language, dict[str, str]] = {
    language: SEARCH_TEXTS[language] | ADMIN_TEXTS[language] | DOCS_TEXTS[language] for language in _LANGUAGES
}
