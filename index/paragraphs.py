"""A text -> passages of the right length, each with its article's headline.

Owns the cutting into passages and what a text says of itself. Healing is in ``lines.py``, articles in
``articles.py``. Knows nothing of files, formats, models or storage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from index.articles import Article, articles_of
from index.chinese import clauses, sentences
from index.document import Passage
from index.labels import fields_of
from index.lines import Paragraph, SeamTest, paragraphs_of
from index.roles import Role, reporters_in

_BYLINES_LENGTH = 300  # characters of the authors of a whole page


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long passages should be, in characters: ``target`` where sentences allow, never over ``maximum``."""

    target: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A text cut up. ``title`` and ``byline`` are the document's own, empty where none can be told."""

    title: str
    byline: str
    passages: tuple[Passage, ...]


def cut(text: str, lengths: Lengths, *, seam: SeamTest | None = None, title: str = "") -> Layout:
    """Cut a decoded text into passages.

    Args:
        text: The decoded original; positions refer to it.
        lengths: Wanted length of passages.
        seam: Tells whether a word runs across the place where two pieces meet; without it only
            punctuation decides whether a torn line goes on.
        title: The document's title where it is known already; headlines in the text then only
            become the titles of their own articles.

    Labelled fields at the start of the text (``【标题】…``) give title and byline, and stay in it.

    Returns:
        Passages in the order of the text. Sentences are kept whole unless one alone is longer than
        ``lengths.maximum``; a paragraph that stands twice is kept once, photo captions stand apart, and
        bylines are left to the document.
    """
    fields = fields_of(text)
    title = title or fields.title
    articles, several = articles_of(list(paragraphs_of(text, seam)))
    headlines = [article.headline for article in articles]
    passages = [
        Passage(text, start, end, headline or ("" if several else title or headlines[0]))
        for article, headline in zip(articles, headlines, strict=True)
        for text, start, end in _pack(article.body, lengths)
    ]
    own = next(filter(None, headlines), "") if not several or len(set(headlines)) == 1 else ""
    return Layout(title or own, fields.byline or _byline(articles, several), tuple(passages))


def _byline(articles: list[Article], several: bool) -> str:
    """Who wrote the text; of a page of several articles, all who wrote any."""
    names: list[str] = []
    for article in articles:
        edges = (article.body[0], article.body[-1])
        names += article.bylines or [next(filter(None, (reporters_in(p.text) for p in edges)), "")]
    names = list(dict.fromkeys(filter(None, names)))
    joined = ("；" if several else "　").join(names)
    return joined if len(joined) <= _BYLINES_LENGTH else ""


def _pack(paragraphs: list[Paragraph], lengths: Lengths) -> Iterator[tuple[str, int, int]]:
    """Passages filled up to the target; a paragraph over the maximum is cut at its sentences, evenly.

    A sub-head goes with what follows it; a caption stands alone. Yields texts with their places.
    """
    batch: list[Paragraph] = []
    size = 0
    for piece in (piece for paragraph in paragraphs for piece in _pieces(paragraph, lengths)):
        caption = Role.CAPTION in (piece.role, *(item.role for item in batch))
        heads_only = all(item.role is Role.HEAD for item in batch)
        full = size + len(piece.text) > (lengths.maximum if heads_only else lengths.target)
        if batch and (full or caption or (piece.role is Role.HEAD and size > lengths.target // 2)):
            *kept, last = batch
            carried = [last] if kept and last.role is Role.HEAD and not caption else []
            if len(piece.text) + sum(len(item.text) + 1 for item in carried) > lengths.maximum:
                carried = []
            yield _joined(kept if carried else batch)
            batch, size = carried, sum(len(item.text) + 1 for item in carried)
        batch.append(piece)
        size += len(piece.text) + 1
    if batch:
        yield _joined(batch)


def _joined(batch: list[Paragraph]) -> tuple[str, int, int]:
    return "\n".join(item.text for item in batch), batch[0].start, batch[-1].end


def _pieces(paragraph: Paragraph, lengths: Lengths) -> Iterator[Paragraph]:
    """A paragraph as one piece, or as several of about equal length where it is over the maximum."""
    text = paragraph.text
    if len(text) <= lengths.maximum:
        yield paragraph
        return
    spans = [
        (start + a, start + b)
        for start, end in sentences(text)
        for a, b in (clauses(text[start:end], lengths.maximum) if end - start > lengths.maximum else [(0, end - start)])
    ]
    count = max(2, round(len(text) / lengths.target))
    wanted = min(lengths.maximum, len(text) / count)
    groups: list[list[tuple[int, int]]] = [[]]
    for span in spans:
        so_far = groups[-1][-1][1] - groups[-1][0][0] if groups[-1] else 0
        longer = so_far + span[1] - span[0]
        if groups[-1] and (longer > lengths.maximum or abs(longer - wanted) > abs(so_far - wanted)):
            groups.append([])
        groups[-1].append(span)
    for group in groups:
        start, end = group[0][0], group[-1][1]
        piece = text[start:end].strip()
        if piece:
            end = start + len(text[start:end].rstrip())
            yield Paragraph(piece, paragraph.position(start), paragraph.position(end - 1) + 1)
