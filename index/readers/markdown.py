"""Markdown: the text as a reader sees it, without its marks, and what its front matter says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from index.readers.content import Content
from index.readers.pages import Facts, Page, Reading
from index.readers.text import text_of

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAXIMUM = 16 << 20  # bytes
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.S)
_TITLES, _AUTHORS = ("title", "标题"), ("author", "authors", "byline", "作者")
_DATES, _LINKS = ("date", "published", "created", "日期"), ("url", "link", "canonical", "source_url")
_TAGS = ("tags", "categories", "keywords", "标签")
_MOST_TAGS = 50
_SEAM = "\x1f"  # where two lines are joined: with a space, but not beside wide characters
_WIDE = "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff“”‘’—…]"
_SAID = re.compile(rf"\[[^\]]+\]:[ \t]*<?{_WIDE}")  # "[1]: 国务院令" is no address of a link, but a note
_NO_SPACE = re.compile(f"(?<={_WIDE}){_SEAM}|{_SEAM}(?={_WIDE})")


def read_markdown(content: Content) -> Iterator[Reading]:
    """The file as one document, its lines joined as they are shown.

    Its front matter (YAML between lines of three hyphens) gives title, author, date, address and tags; without a title
    there, a first heading of the first level is it.

    Raises:
        SourceError: It is no text, or is larger than 16 MiB.
    """
    text, notes = text_of(content.read(MAXIMUM), content.name)
    front, body = _divided(text)
    blocks, heading = _rendered(body)
    facts = Facts(
        _first(front, _TITLES) or heading,
        _first(front, _AUTHORS),
        _first(front, _DATES),
        _first(front, _LINKS),
        _all(front, _TAGS)[:_MOST_TAGS],
    )
    yield Reading(content.name, (Page("\n\n".join(blocks)),), facts, notes)


def _divided(text: str) -> tuple[dict[str, Any], str]:
    """The front matter's fields by their names in lower case, and the rest. What is no YAML mapping is text."""
    import yaml  # noqa: PLC0415 - few archives hold Markdown

    found = _FRONT.match(text)
    if found is None:
        return {}, text
    try:
        fields = yaml.load(found[1], Loader=yaml.BaseLoader)  # noqa: S506 - makes texts, lists and mappings only
    except (yaml.YAMLError, RecursionError):
        return {}, text
    if not isinstance(fields, dict):
        return {}, text
    return {str(name).lower(): value for name, value in fields.items()}, text[found.end() :]


def _first(front: dict[str, Any], names: Sequence[str]) -> str:
    """The first of these fields that says something; the entries of a list are joined."""
    return next((joined for name in names if (joined := "、".join(_texts(front.get(name))))), "")[:300]


def _all(front: dict[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    texts = (text for name in names for text in _texts(front.get(name)))
    return tuple(dict.fromkeys(part.strip() for text in texts for part in re.split("[,，、]", text) if part.strip()))


def _texts(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [" ".join(entry.split()) for entry in entries if isinstance(entry, str) and entry.strip()]


def _rendered(markdown: str) -> tuple[list[str], str]:
    """The blocks of text, and the heading of the first level if the text begins with one."""
    blocks: list[str] = []
    heading = ""
    mark = ""  # of the item of an ordered list whose text comes next: "1949." may be the start of a sentence
    rows: list[list[str]] | None = None  # of the table at hand
    for token, before in _with_before(_parser().parse(markdown)):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open" and rows is not None:
            rows.append([])
        elif token.type == "table_close" and rows is not None:
            blocks.append("\n".join("\t".join(cells) for cells in rows))
            rows = None
        elif token.type == "inline":
            text = _plain(token.children or ())
            if before is not None and before.type == "heading_open" and before.tag == "h1" and not blocks:
                heading = text
            if rows is None:
                blocks.append(mark + text)
                mark = ""
            else:
                rows[-1].append(text.replace("\n", " "))
        elif token.type == "list_item_open":
            mark = f"{token.info}{token.markup} " if token.info else ""
        elif token.type in {"fence", "code_block"}:
            blocks.append(token.content.rstrip("\n"))
        elif token.type == "html_block":
            blocks += filter(None, [_without_tags(token.content)])
    return [block for block in blocks if block.strip()], heading


def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415
    from markdown_it.rules_block import StateBlock, reference  # noqa: PLC0415

    def definition(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
        return not _SAID.match(line) and reference(state, start, end, silent)

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.block.ruler.at("reference", definition)
    return parser


def _with_before(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token | None]]:
    yield from zip(tokens, (None, *tokens), strict=False)


def _plain(children: Sequence[Token]) -> str:
    """A block's text: of links and pictures what is shown."""
    parts = []
    for token in children:
        if token.type == "softbreak":
            parts.append(_SEAM)
        elif token.type == "hardbreak":
            parts.append("\n")
        elif token.type == "image":
            parts.append(_plain(token.children or ()))
        elif token.type == "html_inline":
            parts.append("\n" if token.content.lower().startswith("<br") else "")
        else:
            parts.append(token.content)
    return _NO_SPACE.sub("", "".join(parts)).replace(_SEAM, " ")


def _without_tags(markup: str) -> str:
    from lxml import etree, html  # noqa: PLC0415

    try:
        tree = html.fragment_fromstring(markup, create_parent=True)
    except (etree.ParserError, ValueError):
        return ""
    for hidden in tree.xpath(".//script | .//style | .//comment()"):
        hidden.drop_tree()
    return str(tree.text_content()).strip()
