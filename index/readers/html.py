"""Web pages: the article's text, without navigation, boilerplate and scripts, and what the page says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from index.readers.blocks import with_passed_over
from index.readers.content import Content
from index.readers.dated import date_beside_headline
from index.readers.pages import Facts, Page, Reading
from index.readers.text import text_of

MAXIMUM = 16 << 20  # bytes
_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([A-Za-z0-9_-]+)""", re.I)
_BLANK = re.compile(r"[ \t\u00a0\u3000]*\n[\s\u00a0\u3000]*")
_DATES = ("article:published_time", "og:published_time", "publishdate", "pubdate", "publish-date", "publication_date",
          "date", "dc.date", "dc.date.issued", "dcterms.created", "article:create_at", "og:release_date")  # fmt: skip
_AUTHORS = ("author", "article:author", "og:author", "dc.creator", "byl")
_TITLES = ("og:title", "articletitle", "dc.title", "twitter:title")
_SITE = re.compile(r"[_|｜–—-][^_|｜–—-]{2,16}(?:网|報|报|新闻|新浪|频道|在线|online|com|cn)$", re.I)
_LABEL = re.compile(r"^[\[【](?:视频|图文|组图|图集|图片)[\]】]")
_ROW = re.compile(r"^\|(.*)\|[ \t]*$", re.M)  # how trafilatura shows a table's row
_CELL = re.compile(r"(?<!\\)\|")
_RULE = re.compile("-{3,}")
_YEAR = re.compile(r"\d{4}")  # some templates are never filled in: "发布日期"
_STANDING = "//time[@datetime]/@datetime | //*[@itemprop='datePublished']/@content"


def read_html(content: Content) -> Iterator[Reading]:
    """The page as one document. Nothing is fetched from the network.

    Raises:
        SourceError: It is no text, or is larger than 16 MiB.
    """
    raw = content.read(MAXIMUM)
    markup, notes = text_of(raw, content.name, declared_charset(raw))
    text, facts = article(markup)
    yield Reading(content.name, (Page(text),), facts, notes)


def declared_charset(raw: bytes) -> str:
    """The encoding a page says it is in, or nothing."""
    declared = _CHARSET.search(raw[:4096])
    return declared[1].decode("ascii") if declared else ""


def article(markup: str) -> tuple[str, Facts]:
    """The article in a page, or all its text where no article can be told, and what its metadata says."""
    from lxml import etree, html  # noqa: PLC0415 - heavy, and few archives hold web pages
    from trafilatura import extract, html2txt  # noqa: PLC0415

    if not markup.strip():
        return "", Facts()
    try:
        tree = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", markup))
    except (etree.ParserError, ValueError):
        return "", Facts()
    facts = _facts(tree)
    for reading in tree.xpath("//rt | //rp | //rtc"):  # beside the characters of a ruby
        reading.drop_tree()
    for ruby in tree.xpath("//ruby | //rb"):  # would be taken for a paragraph of its own
        ruby.drop_tag()
    text = extract(tree, include_comments=False, with_metadata=False)
    if text:
        text = with_passed_over(_BLANK.sub("\n", _ROW.sub(_row, text)).strip(), tree, facts.title)
    else:
        text = html2txt(html.tostring(tree, encoding="unicode"))
    text = _BLANK.sub("\n", text).strip()
    return text, replace(facts, date=facts.date or date_beside_headline(tree, facts.title, text))


def _row(match: re.Match[str]) -> str:
    """A table's row with its cells parted by tabs, as those of other formats are; of the line below heads nothing."""
    cells = [cell.strip() for cell in _CELL.split(match[1])]
    return "" if all(_RULE.fullmatch(cell) for cell in cells) else "\t".join(cells).strip().replace("\\|", "|")


def _facts(tree: Any) -> Facts:
    meta: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or ""
        if value := (element.get("content") or "").strip():
            meta.setdefault(name.lower(), value)
    linked = next(_linked(tree), {})
    title = next((meta[name] for name in _TITLES if name in meta), "") or _string(linked.get("headline"))
    if not title:
        heading = " ".join((tree.findtext(".//title") or "").split())
        title = _SITE.sub("", heading).strip()
    dates = [meta[name] for name in _DATES if name in meta] + [_string(linked.get("datePublished"))]
    dates += [str(found) for found in tree.xpath(_STANDING)]
    author = next((meta[name] for name in _AUTHORS if name in meta), "") or _author(linked.get("author"))
    link = tree.xpath("string(//link[@rel='canonical']/@href)") or meta.get("og:url", "")
    return Facts(
        _LABEL.sub("", " ".join(title.split()))[:300],
        "" if author.startswith("http") else author[:200],
        next((date for date in dates if _YEAR.search(date)), ""),
        link if link.startswith("http") else "",
    )


def _linked(tree: Any) -> Iterator[dict[str, Any]]:
    """The objects of JSON-LD that speak of an article."""
    for script in tree.xpath("//script[@type='application/ld+json']/text()"):
        try:
            value = json.loads(str(script))
        except (ValueError, RecursionError):
            continue
        values = value if isinstance(value, list) else [value]
        for one in values:
            if isinstance(one, dict):
                graph = one.get("@graph")
                yield from (
                    node
                    for node in (one, *(graph if isinstance(graph, list) else ()))
                    if isinstance(node, dict) and ("headline" in node or "datePublished" in node)
                )


def _string(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _author(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    names = [_string(one.get("name") if isinstance(one, dict) else one) for one in values]
    return "、".join(name for name in names if name)
