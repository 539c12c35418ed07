"""Word's DOCX: paragraphs, tables, text boxes, and notes at the end.

Read from the XML itself: libraries pass over the text inside tracked insertions, smart tags and content controls,
which older Chinese documents are full of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from index.readers.content import Content
from index.readers.pages import Facts, Page, Reading, sane_title
from index.readers.zipped import Parts, damaged

_MAIN = re.compile(r"word/document\d*\.xml", re.I)
_BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-"}
_SKIPPED = {"del", "moveFrom", "Fallback", "instrText", "delText", "pPr", "rPr", "sectPr", "rt"}  # rt: a ruby's reading
_TITLE = "{http://purl.org/dc/elements/1.1/}title"


def read_docx(content: Content) -> Iterator[Reading]:
    """The file as one document.

    Raises:
        SourceError: It is damaged or too large.
    """
    parts = Parts(content)
    main = next((name for name in parts.names if _MAIN.fullmatch(name)), "")
    body = parts.tree(main)
    if body is None:
        raise damaged(content.name, ValueError("there is no document in it"))
    trees = [body, parts.tree("word/footnotes.xml"), parts.tree("word/endnotes.xml")]
    text = "\n".join(line for tree in trees if tree is not None for line in _lines(tree))
    core = parts.tree("docProps/core.xml")
    title = "" if core is None else (core.findtext(_TITLE) or "")
    yield Reading(content.name, (Page(text.strip("\n")),), Facts(sane_title(title)))


def _lines(tree: Any) -> Iterator[str]:
    """Paragraphs one a line; a table's row is a line with its cells parted by tabs."""
    for child in tree:
        kind = _kind(child)
        if kind == "p":
            boxes: list[Any] = []
            yield "".join(_text(child, boxes)).strip(" ")
            for box in boxes:
                yield from _lines(box)
        elif kind == "tr":
            cells = [" ".join(line for line in _lines(cell) if line) for cell in child if _kind(cell) in {"tc", "sdt"}]
            yield "\t".join(cells)
        elif kind not in _SKIPPED:
            yield from _lines(child)


def _text(element: Any, boxes: list[Any]) -> Iterator[str]:
    for child in element:
        kind = _kind(child)
        if kind == "t":
            yield child.text or ""
        elif kind in _BREAKS:
            yield _BREAKS[kind]
        elif kind == "txbxContent":
            boxes.append(child)
        elif kind not in _SKIPPED:
            yield from _text(child, boxes)


def _kind(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
