"""How a passage is cited: after GB/T 7714-2015, and in plain words.

The standard wants ``author. title[N]. newspaper, date(page).`` for a piece of a newspaper, and for one read online
``[N/OL]``, the day it was read in brackets and the address. Where no source is known the kind is ``Z``, other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from index.document import Document
from service.fields import is_safe_link
from service.language import Language
from service.rendering import date_text, text_lang

_MOST_AUTHORS = 3
# What people do, before their names, with the paper's own name in front: 晚报记者 李明; and the column they write for.
_ROLES = re.compile(
    r"[^\s、，,；;/／]*?(?:记者|記者|通讯员|通訊員|实习生|實習生|编辑|編輯|主笔|主筆|撰稿|作者)(?:[：:/／]\s*|\s+)"
    r"|(?<!\S)(?:文|图|圖|摄影|攝影)[：:/／]\s*(?:(?:图|圖|摄影|攝影)[：:]?\s*)?|\S*(?:专栏|專欄|栏目|欄目)\s+|\bby\s+",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[、，,；;/／]|\s+and\s+|\s*&\s*")


@dataclass(frozen=True, slots=True)
class Citation:
    """The two forms, each one line of text."""

    standard: str
    plain: str


def cite(document: Document, title: str, page: int | None, language: Language, today: date) -> Citation:
    """How a passage of a document is cited.

    :param title: Headline of the passage's own article; the document's where it has none.
    :param page: Page of the passage, where there are pages.
    :param language: Of the words around the names in the plain form.
    :param today: The day it was read, which the standard wants of what is online.
    """
    title = title or document.title or document.id
    address = document.url if is_safe_link(document.url) and urlsplit(document.url).scheme else ""
    return Citation(
        standard=_standard(document, title, page, address, today),
        plain=_plain(document, title, page, address, language),
    )


def authors_of(byline: str) -> list[str]:
    """The names in a byline, without what the people do."""
    names: list[str] = []
    for part in _BETWEEN.split(_ROLES.sub("、", f"{byline.strip()} ")):
        # A space parts Chinese names, and stands within Western ones.
        names += part.split() if text_lang(part) == "zh" else [part.strip()]
    return list(dict.fromkeys(name for name in names if name))


def _standard(document: Document, title: str, page: int | None, address: str, today: date) -> str:
    names = authors_of(document.byline)
    author = ", ".join(names[:_MOST_AUTHORS])
    if len(names) > _MOST_AUTHORS:
        author += ", 等" if text_lang(author) == "zh" else ", et al"
    kind = ("N" if document.source else "Z") + ("/OL" if address else "")
    day = document.date[:10]
    place = ", ".join(filter(None, [document.source, day])) + (f"({page})" if page else "")
    read = f"[{today.isoformat()}]" if address else ""
    parts = [author, f"{title}[{kind}]", place + read, address]
    return ". ".join(part for part in parts if part) + ("" if address else ".")


def _plain(document: Document, title: str, page: int | None, address: str, language: Language) -> str:
    names = authors_of(document.byline)
    day = date_text(document.date, language) if document.date else ""
    if language == "zh":
        author = "、".join(names) + "：" if names else ""
        said = "，".join(filter(None, [f"{author}《{title}》", document.source, day, f"第{page}页" if page else ""]))
        return said + (f"，{address}" if address else "。")
    said = ", ".join(filter(None, [*names, f"“{title}”", document.source, day, f"p. {page}" if page else ""]))
    return said + (f", {address}" if address else ".")
