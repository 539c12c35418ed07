"""EPUB books: the chapters in the order of the book's spine."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from index.readers.content import Content
from index.readers.pages import Facts, Page, Reading, sane_title
from index.readers.text import text_of
from index.readers.zipped import Parts, damaged

_BLOCKS = {"p", "div", "br", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "blockquote", "section", "article", "dt",
           "dd", "pre", "hr", "table"}  # fmt: skip
_SPACE = re.compile(r"[ \t\r\n]+")
_LINES = re.compile(r"\s*\n\s*")


def read_epub(content: Content) -> Iterator[Reading]:
    """The book as one document.

    Raises:
        SourceError: It is damaged, too large, or locked.
    """
    parts = Parts(content)
    container = parts.tree("META-INF/container.xml")
    path = "" if container is None else container.xpath("string(//*[local-name()='rootfile']/@full-path)")
    package = parts.tree(path)
    if package is None:
        raise damaged(content.name, ValueError("it names no contents"))
    hrefs = {item.get("id"): item.get("href", "") for item in package.xpath("//*[local-name()='item']")}
    spine = [hrefs.get(item.get("idref"), "") for item in package.xpath("//*[local-name()='itemref']")]
    folder = posixpath.dirname(path)
    chapters = (parts.read(posixpath.normpath(posixpath.join(folder, unquote(href)))) for href in spine if href)
    text = "\n\n".join(_chapter(raw, content.name) for raw in chapters if raw)
    yield Reading(content.name, (Page(text),), _facts(package))


def _facts(package: Any) -> Facts:
    def first(name: str) -> str:
        return " ".join(str(package.xpath(f"string(//*[local-name()='{name}'])")).split())

    return Facts(sane_title(first("title")), first("creator")[:200], first("date"))


def _chapter(raw: bytes, name: str) -> str:
    from lxml import etree, html  # noqa: PLC0415 - heavy

    markup, _ = text_of(raw, name, "utf-8")
    try:
        tree = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", markup))
    except (etree.ParserError, ValueError):
        return ""
    body = tree.find("body")
    return _LINES.sub("\n", "".join(_text(tree if body is None else body))).strip()


def _text(element: Any) -> Iterator[str]:
    """The text with a line's end at each block; rubies' readings are left out."""
    stack = [(element, False)]
    while stack:
        node, closing = stack.pop()
        tag = node.tag if isinstance(node.tag, str) else ""
        if closing:
            if tag in _BLOCKS:
                yield "\n"
            yield _SPACE.sub(" ", node.tail or "") if node is not element else ""
            continue
        stack.append((node, True))
        if tag in {"script", "style", "rt", "rp", ""}:
            continue
        if tag in _BLOCKS:
            yield "\n"
        yield _SPACE.sub(" ", node.text or "")
        stack.extend((child, False) for child in reversed(node))
