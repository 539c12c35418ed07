"""Whole paragraphs -> articles: headlines, sub-heads, bylines, captions, and what goes on elsewhere on the page.

Owns which paragraph belongs to which article. A page of a newspaper holds several, some of them in pieces;
a piece gets its article's headline where the text shows which that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from statistics import median_low

from index.chinese import fold, is_cjk
from index.lines import Paragraph
from index.roles import DATELINE, Role, is_year, role_of

_MOST_HEADS = 3
_REPEAT_LENGTH = 20
_SHARED_LENGTH = 4  # characters that a sub-head shares with the headline of its article


@dataclass(slots=True)
class Article:
    """A piece of a page under one headline.

    Attributes:
        heads: Headline, with the lines above and below it.
        opening: Headlines and bylines as they stand.
        body: Its paragraphs, sub-heads and captions, in order.
        bylines: Who wrote it.
        broken: Whether it goes on from another page, and so has lost its headline.
        turned: Whether it goes on on another page.
    """

    heads: list[str] = field(default_factory=list)
    opening: list[Paragraph] = field(default_factory=list)
    body: list[Paragraph] = field(default_factory=list)
    bylines: list[str] = field(default_factory=list)
    broken: bool = False
    turned: bool = False

    @property
    def headline(self) -> str:
        """The headline, or nothing."""
        return " ".join(self.heads)


def articles_of(healed: list[Paragraph]) -> tuple[list[Article], bool]:
    """The articles of a text in its order, and whether there are several.

    A paragraph that stands twice is kept once. Of a single article, later headlines are sub-heads in its text.
    """
    paragraphs = list(_classified(healed))
    pieces = sum(paragraph.role is Role.BREAK for paragraph in paragraphs)
    several = _beginnings(paragraphs) + pieces > 1
    articles = list(_divided(paragraphs, several))
    if several:
        articles = list(_rejoined(articles))
    _linked(articles)
    return [article for article in _without_repeats(articles) if article.body], several


def _classified(paragraphs: list[Paragraph]) -> Iterator[Paragraph]:
    """Give each paragraph its role. Headlines need something below them, and come by threes at most:
    a longer run of short lines is a list, a table or a poem, and belongs to the text."""
    roles = [role_of(p.text) if p.role is Role.BODY else p.role for p in paragraphs]
    for role, run in groupby(range(len(roles)), key=roles.__getitem__):
        numbers = list(run)
        last = len(roles) == numbers[-1] + 1
        listed = role is Role.HEAD and (len(numbers) > _MOST_HEADS or last)
        yield from (replace(paragraphs[number], role=Role.BODY if listed else role) for number in numbers)


def _beginnings(paragraphs: list[Paragraph]) -> int:
    """How many articles the text seems to hold: headlines followed by a byline or a dateline."""
    return sum(_begins(paragraph, following) for paragraph, following in pairwise(paragraphs))


def _begins(head: Paragraph, following: Paragraph) -> bool:
    signed = following.role is Role.BYLINE or DATELINE.match(following.text) is not None
    return head.role is Role.HEAD and signed


def _divided(paragraphs: list[Paragraph], several: bool) -> Iterator[Article]:
    """Paragraphs by article. On a page of several, a headline without a byline may be a sub-head of the text above."""
    usual = median_low([p.gap for p in paragraphs] or [0])
    article = Article()
    heading = True  # whether only headlines and bylines were met so far
    for number, paragraph in enumerate(paragraphs):
        if paragraph.role is Role.BREAK:
            # A headline just above the mark is the one repeated for the piece that follows.
            heads = [*(article.heads if heading else []), *filter(None, [paragraph.text])]
            if not heading:
                yield article
            article, heading = Article(heads, article.opening if heading else [], broken=True), True
        elif paragraph.role is Role.TURN:
            article.turned = True
        elif paragraph.role is Role.HEAD and heading and _heads(paragraph, article, several):
            article.heads.append(paragraph.text)
            article.opening.append(paragraph)
        elif paragraph.role is Role.HEAD and several and _opens(paragraphs, number, article, usual):
            yield article
            article, heading = Article([paragraph.text], [paragraph]), True
        elif paragraph.role is Role.BYLINE and (heading or _closes(paragraphs, number)):
            article.bylines.append(paragraph.text)
            if heading:
                article.opening.append(paragraph)
        else:
            article.body.append(paragraph)
            heading = False
    if heading:  # nothing stands below: it was no headline
        article = Article(body=[replace(paragraph, role=Role.BODY) for paragraph in article.opening])
    yield article


def _heads(paragraph: Paragraph, article: Article, several: bool) -> bool:
    """Whether a headline above the text is the article's; the year below that of a chronicle is its first sub-head."""
    return (several or not article.bylines) and not (article.heads and is_year(paragraph.text))


def _closes(paragraphs: list[Paragraph], number: int) -> bool:
    """Whether the byline ``paragraphs[number]`` stands at the end of its article."""
    return number + 1 == len(paragraphs) or paragraphs[number + 1].role is Role.HEAD


def _opens(paragraphs: list[Paragraph], number: int, article: Article, usual: int) -> bool:
    """Whether the headline ``paragraphs[number]`` opens an article, and is no sub-head of the present one."""
    run = number
    while run + 1 < len(paragraphs) and paragraphs[run + 1].role is Role.HEAD:
        run += 1
    following = paragraphs[run + 1] if run + 1 < len(paragraphs) else None
    if following is None:
        return False
    torn = not article.body[-1].finished if article.body else False
    apart = paragraphs[number].gap > usual + 1
    return (
        _begins(paragraphs[run], following)
        or following.role in (Role.CAPTION, Role.BREAK)
        or article.turned
        or torn
        or apart
        or not article.heads
    )


def _rejoined(articles: list[Article]) -> Iterator[Article]:
    """Take what stands below a sub-head to the article whose headline it shares words with, if another one."""
    headlines = [article.headline for article in articles if article.heads]
    for article in articles:
        piece = replace(article, body=[])
        for paragraph in article.body:
            if paragraph.role is Role.HEAD and not _shared(paragraph.text, piece.headline):
                owners = {headline for headline in headlines if _shared(paragraph.text, headline)}
                if len(owners) == 1:
                    yield piece
                    piece = Article([owners.pop()])
            piece.body.append(paragraph)
        yield piece


def _shared(left: str, right: str) -> bool:
    """Whether two headlines have a run of Chinese characters in common."""
    size = _SHARED_LENGTH
    runs = (left[at : at + size] for at in range(len(left) - size + 1))
    return any(run in right and all(map(is_cjk, run)) for run in runs)


def _linked(articles: list[Article]) -> None:
    """Give pieces that have lost it their headline: that of the article which stands on the page a second time,
    or of the only one that goes on elsewhere."""
    if len(articles) == 1:
        return
    first: dict[str, Article] = {}
    for article in articles:
        for paragraph in article.body:
            key = _key(paragraph)
            if len(key) < _REPEAT_LENGTH:
                continue
            other = first.setdefault(key, article)
            if other is not article and article.heads and not other.heads:
                other.heads = article.heads
    lost = [article for article in articles if article.broken and not article.heads]
    turned = [article for article in articles if article.turned and article.heads]
    if len(lost) == len(turned) == 1:
        lost[0].heads = turned[0].heads


def _without_repeats(articles: list[Article]) -> Iterator[Article]:
    """Keep a paragraph's first appearance only; short lines may repeat."""
    if sum(len(article.body) for article in articles) == 1:
        yield from articles
        return
    seen: set[str] = set()
    for article in articles:
        body = []
        for paragraph in article.body:
            key = _key(paragraph)
            if len(key) < _REPEAT_LENGTH or key not in seen:
                body.append(paragraph)
                seen.add(key)
        yield replace(article, body=body)


def _key(paragraph: Paragraph) -> str:
    return "".join(filter(str.isalnum, fold(paragraph.text)))
