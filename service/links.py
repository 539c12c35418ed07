"""Addresses of the pages: a search with some of its fields changed, a place in a document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from service.language import Language
from service.schemas import SearchFields


@dataclass(frozen=True, slots=True)
class SearchLink:
    """The address of a search page. Fields at their defaults are left out, so that addresses stay short.

    Attributes:
        lang: The language asked for in the address, or an empty string where the browser's is used.
    """

    q: str = ""
    mode: str = "hybrid"
    limit: int = 10
    offset: int = 0
    source: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    byline: tuple[str, ...] = ()
    date_from: str = ""
    date_to: str = ""
    group: str = ""
    sort: str = "relevance"
    min_score: float | None = None
    lang: str = ""

    @classmethod
    def of(cls, fields: SearchFields, lang: str) -> SearchLink:
        """The address at which this search is answered."""
        return cls(
            q=fields.query,
            mode=fields.mode,
            limit=fields.limit,
            offset=fields.offset,
            source=tuple(fields.source),
            tag=tuple(fields.tag),
            byline=tuple(fields.byline),
            date_from=fields.date_from,
            date_to=fields.date_to,
            group=fields.group or "",
            sort=fields.sort,
            min_score=fields.min_score,
            lang=lang,
        )

    def to(self, **changes: Any) -> SearchLink:
        """The same search with some fields changed, from its first hit unless ``offset`` is given."""
        return replace(self, **{"offset": 0, **changes})

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What a form has to carry on besides the query and the mode."""
        labels = {"source": self.source, "tag": self.tag, "byline": self.byline}
        pairs = [(name, value) for name, values in labels.items() for value in values]
        rest = {
            "from": self.date_from,
            "to": self.date_to,
            "group": self.group,
            "sort": self.sort if self.sort != "relevance" else "",
            "limit": str(self.limit) if self.limit != 10 else "",
            "lang": self.lang,
        }
        return pairs + [(name, value) for name, value in rest.items() if value]

    @property
    def undated(self) -> list[tuple[str, str]]:
        """What the form for dates has to carry on."""
        mode = [("mode", self.mode)] if self.mode != "hybrid" else []
        return [("q", self.q), *mode, *(pair for pair in self.hidden if pair[0] not in ("from", "to"))]

    @property
    def filters(self) -> list[ActiveFilter]:
        """The filters that narrow the search; one year from its first to its last day is one filter."""
        found = [
            ActiveFilter(kind, value, self.to(**{kind: tuple(other for other in values if other != value)}))
            for kind, values in (("source", self.source), ("tag", self.tag), ("byline", self.byline))
            for value in values
        ]
        if self.date_from and self.date_from == self.date_to:
            found.append(ActiveFilter("date", self.date_from, self.to(date_from="", date_to="")))
            return found
        if self.date_from:
            found.append(ActiveFilter("from", self.date_from, self.to(date_from="")))
        if self.date_to:
            found.append(ActiveFilter("to", self.date_to, self.to(date_to="")))
        return found

    @property
    def filtered(self) -> bool:
        """Whether any filter narrows the search."""
        return bool(self.source or self.tag or self.byline or self.date_from or self.date_to)

    def unfiltered(self) -> SearchLink:
        """The same search without filters."""
        return self.to(source=(), tag=(), byline=(), date_from="", date_to="")

    def __str__(self) -> str:
        pairs = [("q", self.q)] if self.q else []
        if self.mode != "hybrid":
            pairs.append(("mode", self.mode))
        if self.offset:
            pairs.append(("offset", str(self.offset)))
        if self.min_score is not None:  # asked for this query; the form does not carry it on to the next
            pairs.append(("min_score", f"{self.min_score:g}"))
        pairs += self.hidden
        return "/?" + urlencode(pairs) if pairs else "/"


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """A condition of a search.

    Attributes:
        kind: ``source``, ``tag``, ``byline``, ``date``, ``from`` or ``to``.
        value: What it asks for.
        without: The same search without it.
    """

    kind: str
    value: str
    without: SearchLink


def similar_link(passage_id: str, lang: Language | str, q: str = "") -> str:
    """The address of the page of passages like one.

    :param q: The query that led there, which stays in the box.
    """
    return f"/passages/{quote(passage_id, safe=':')}/similar" + _asking(q=q, lang=lang)


def document_link(document_id: str, passage: int | None, lang: Language | str, q: str = "") -> str:
    """The address of a document's page, at one of its passages where given.

    :param q: The query that led there: it stays in the box, and the sentence that answers it is marked in the passage.
    """
    if passage is None:
        return f"/documents/{quote(document_id, safe=':')}" + _asking(q=q, lang=lang)
    asking = _asking(q=q, passage=str(passage) if q else "", lang=lang)
    return f"/documents/{quote(document_id, safe=':')}{asking}#p{passage}"


def _asking(**fields: str) -> str:
    query = urlencode([(name, value) for name, value in fields.items() if value])
    return f"?{query}" if query else ""
