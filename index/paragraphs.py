"""Lines of a text -> whole paragraphs -> passages of the right length.

Owns the healing of torn lines, headlines, bylines and page furniture, repeats within one document, and
the cutting into passages. Knows nothing of files, formats, models or storage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby, pairwise

from index.chinese import clauses, fold, is_cjk, sentences
from index.document import Passage

# Does a word run across this seam? Asked with the last and the first characters of two pieces.
SeamTest = Callable[[str, str], bool]

_LINE = re.compile(r"[^\r\n\x0b\x0c\x85\u2028\u2029]+")
_BLANK = " \t\u3000\ufeff\u200b\xa0"
_TERMINAL = "。！？!?…；;.:："
_CLOSERS = "”’」』）)】》\"'"
_INNER_END = re.compile(r"[。！？；]")
_CONTINUED = re.compile(r"[（(【]?\s*[上紧緊][接轉转]\s*第?\s*[0-9A-Za-z一二三四五六七八九十]+\s*版.{0,20}")
_FURNITURE = re.compile(
    r"[（(【]?\s*[下][转轉接]\s*第?\s*[0-9A-Za-z一二三四五六七八九十]+\s*版.{0,20}"
    r"|[-—–·•\s]*第?\s*\d{1,4}\s*[版页頁]?[-—–·•\s]*"
    r"|(?:责任|責任|本版)?(?:编辑|編輯|责编|美编|校对)[：:].{0,30}"
    r"|(?=[^。！？]{0,50}$)(?=.*(?:星期|禮拜|版|[报報刊]|\b[A-Z]\d{1,2}\b))[^。，]*\d{4}年\d{1,2}月\d{1,2}日[^。，]*"
)
_CAPTION_END = re.compile(r"(?:[摄攝]|供[图圖])$")
_BYLINE = re.compile(
    r"(?:[□■◎●▲★\s]*(?:本[报報刊台]|特[约約派]|见习|見習|实习|實習|驻.{1,6}|[\u4e00-\u9fff]{2,6}[社报報])?"
    r"(?:全媒体|首席|特派|特约)?(?:记者|記者|通讯员|通訊員|实习生|特约撰稿人|评论员|評論員)(?![^\s：:]{0,3}[，。在从了])"
    r"|.{2,40}(?:口述|整理|撰文|供稿|编译|編譯)|(?=[\x20-\x7e]{8,60}$).*\b\d{1,2} [A-Z][a-z]{2,8} \d{4}"
    r"|[□■◎]\s*\S|文[/／丨|]|文图[/／]|作者[：:]|[Bb]y [A-Z])[^。！？；]{0,60}"
)
_DATELINE = re.compile(
    r"(?:本[报報刊台][^。，]{0,8}(?:讯|訊|电|電|消息)|[\u4e00-\u9fff]{2,8}社[^。]{0,24}[日讯訊电電]?[电電讯訊]|[本專专][报報]专?[电電])"
)
_DATED_CLAUSE = re.compile(r"(?:\d{2,4}年|\d{1,2}月\d{1,2}日)[^，,]*[，,]")
_HEAD_LENGTH = 40
_MOST_HEADS = 3
_REPEAT_LENGTH = 20


class Role(Enum):
    """What a paragraph is in its article."""

    HEAD = "head"
    BYLINE = "byline"
    BODY = "body"
    BREAK = "break"  # the text goes on from another page: what follows has lost its headline


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A whole paragraph: healed text, its code points in the original, and its role."""

    text: str
    start: int
    end: int
    role: Role = Role.BODY


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

    Returns:
        Passages in the order of the text. Sentences are kept whole unless one alone is longer than
        ``lengths.maximum``; a paragraph that stands twice is kept once.
    """
    paragraphs = list(_without_repeats(_classified(list(_healed(_lines(text), seam)))))
    several = _articles(paragraphs) > 1
    byline = next((p.text for p in paragraphs if p.role is Role.BYLINE), "")
    passages: list[Passage] = []
    first_head = ""
    headline = title
    for heads, body in _sections(paragraphs, several):
        first_head = first_head or heads
        headline = heads or ("" if several else headline)
        passages.extend(replace(passage, title=headline) for passage in _pack(body, lengths, text))
    return Layout(title or ("" if several else first_head), "" if several else byline, tuple(passages))


def _sections(paragraphs: list[Paragraph], several: bool) -> Iterator[tuple[str, list[Paragraph]]]:
    """``(headline, paragraphs)`` of each article; of one article, later headlines are sub-heads in its text."""
    heads: list[str] = []
    body: list[Paragraph] = []
    for paragraph in paragraphs:
        if paragraph.role is Role.BREAK:
            if body:
                yield " ".join(heads), body
            heads, body = [], []
        elif paragraph.role is Role.HEAD and (several or not body):
            if body:
                yield " ".join(heads), body
                heads, body = [], []
            heads.append(paragraph.text)
        else:
            body.append(paragraph)
    if body:
        yield " ".join(heads), body


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int
    end: int
    after_blank: bool
    indented: bool
    role: Role = Role.BODY


def _lines(text: str) -> list[_Line]:
    """The lines that say something, without page furniture."""
    lines: list[_Line] = []
    previous_end = 0
    for match in _LINE.finditer(text):
        raw = match.group()
        stripped = raw.strip(_BLANK)
        if not stripped:
            continue
        start = match.start() + raw.index(stripped)
        blank = text.count("\n", previous_end, start) > 1 or text.count("\r", previous_end, start) > 2
        indented = raw.startswith(("\u3000", "    "))
        previous_end = start + len(stripped)
        if _CONTINUED.fullmatch(stripped):
            lines.append(_Line(stripped, start, previous_end, blank, indented, Role.BREAK))
        elif not _FURNITURE.fullmatch(stripped):
            lines.append(_Line(stripped, start, previous_end, blank, indented))
    return lines


def _healed(lines: list[_Line], seam: SeamTest | None) -> Iterator[Paragraph]:
    """Join lines that a column, a page or a fixed width has torn."""
    width = _wrap_width(lines)
    current: Paragraph | None = None
    last_line = ""
    for line in lines:
        body = line.role is Role.BODY and current is not None and current.role is Role.BODY
        if current is not None and body and _goes_on(current.text, last_line, line, width, seam):
            current = Paragraph(_glue(current.text, line.text), current.start, line.end)
        else:
            if current is not None:
                yield current
            current = Paragraph(line.text, line.start, line.end, line.role)
        last_line = line.text
    if current is not None:
        yield current


def _wrap_width(lines: list[_Line]) -> int:
    """The fixed width at which a text was wrapped, in characters, or 0 where it was not.

    A wrapped text has most of its lines within one or two characters of the longest; a text with one
    paragraph a line has lines of every length.
    """
    lengths = sorted(len(line.text) for line in lines if len(line.text) >= 12)
    if len(lengths) < 4:
        return 0
    longest = lengths[int(len(lengths) * 0.9)]
    if longest > 120:
        return 0
    near = sum(1 for length in lengths if longest - max(3, longest // 12) <= length <= longest + 2)
    return longest if near >= 0.55 * len(lengths) else 0


def _goes_on(text: str, last: str, line: _Line, width: int, seam: SeamTest | None) -> bool:
    """Whether ``line`` continues the paragraph ``text``, whose last line was ``last``."""
    new = line.text
    if _BYLINE.match(new) or _DATELINE.match(new) or line.indented:
        return False
    finished = text.rstrip(_CLOSERS)[-1:] in tuple(_TERMINAL) or _CAPTION_END.search(text) is not None
    if width and not line.after_blank and len(last) >= width - max(3, width // 12):
        return not (finished and _looks_like_head(new) and len(new) < width // 2)
    if finished or _BYLINE.fullmatch(text) or text.endswith(("——", "--")):
        return False
    crossing = seam is not None and seam(text, new)
    open_quote = text.count("“") > text.count("”") or text.count("「") > text.count("」")
    if _looks_like_head(new) and text[-1] not in "，、,":
        # A headline after a piece whose end is lost elsewhere; only a word across the seam outweighs it.
        return crossing and (open_quote or _INNER_END.search(text) is not None) and not line.after_blank
    unfinished = text[-1] in "，、,;；" or _INNER_END.search(text) is not None or len(text) > _HEAD_LENGTH
    return crossing or open_quote or unfinished


def _glue(left: str, right: str) -> str:
    """Two pieces of one paragraph as they were before the line was torn."""
    if is_cjk(left[-1]) or is_cjk(right[0]) or not (left[-1].isalnum() or left[-1] in ",.;:!?)”'\""):
        return left + right
    if left[-1] == "-" and right[0].islower():
        return left[:-1] + right
    return left + (" " if right[0].isascii() else "") + right


def _looks_like_head(text: str) -> bool:
    """Short, not a sentence, not a list of clauses."""
    if len(text) > _HEAD_LENGTH * (1 if is_cjk(text[0]) or not text.isascii() else 2):
        return False
    return not _INNER_END.search(text[:-1]) and text[-1] not in "。；;，,、：:." and any(map(str.isalnum, text))


def _role(paragraph: Paragraph) -> Role:
    text = paragraph.text
    if paragraph.role is Role.BREAK:
        return Role.BREAK
    if len(text) <= 60 and _BYLINE.fullmatch(text):
        return Role.BYLINE
    if _looks_like_head(text) and not _DATELINE.match(text) and not _DATED_CLAUSE.match(text):
        return Role.HEAD
    return Role.BODY


def _classified(paragraphs: list[Paragraph]) -> Iterator[Paragraph]:
    """Give each paragraph its role. Headlines need something below them, and come by threes at most:
    a longer run of short lines is a list, a table or a poem, and belongs to the text."""
    roles = [_role(paragraph) for paragraph in paragraphs]
    for role, run in groupby(range(len(roles)), key=roles.__getitem__):
        numbers = list(run)
        following = roles[numbers[-1] + 1] if numbers[-1] + 1 < len(roles) else Role.BREAK
        listed = role is Role.HEAD and (len(numbers) > _MOST_HEADS or following is Role.BREAK)
        yield from (replace(paragraphs[number], role=Role.BODY if listed else role) for number in numbers)


def _without_repeats(paragraphs: Iterator[Paragraph]) -> Iterator[Paragraph]:
    """Keep a paragraph's first appearance only; short lines may repeat."""
    seen: set[str] = set()
    for paragraph in paragraphs:
        key = "".join(filter(str.isalnum, fold(paragraph.text)))
        if len(key) >= _REPEAT_LENGTH:
            if key in seen:
                continue
            seen.add(key)
        yield paragraph


def _articles(paragraphs: list[Paragraph]) -> int:
    """How many articles the text seems to hold: headlines followed by a byline or a dateline."""
    count = 0
    for paragraph, following in pairwise(paragraphs):
        if paragraph.role is Role.HEAD and (following.role is Role.BYLINE or _DATELINE.match(following.text)):
            count += 1
    return count


def _pack(paragraphs: list[Paragraph], lengths: Lengths, original: str) -> Iterator[Passage]:
    """Fill passages up to the target; cut a paragraph over the maximum at its sentences, evenly."""
    batch: list[Paragraph] = []
    size = 0
    for piece in (piece for paragraph in paragraphs for piece in _pieces(paragraph, lengths, original)):
        heads_only = all(item.role is Role.HEAD for item in batch)
        full = size + len(piece.text) > (lengths.maximum if heads_only else lengths.target)
        if batch and (full or (piece.role is Role.HEAD and size > lengths.target // 2)):
            yield _passage(batch)
            batch, size = [], 0
        batch.append(piece)
        size += len(piece.text) + 1
    if batch:
        yield _passage(batch)


def _passage(batch: list[Paragraph]) -> Passage:
    return Passage("\n".join(item.text for item in batch), batch[0].start, batch[-1].end)


def _pieces(paragraph: Paragraph, lengths: Lengths, original: str) -> Iterator[Paragraph]:
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
    positions = _positions(paragraph, original)
    for group in groups:
        start, end = group[0][0], group[-1][1]
        piece = text[start:end].strip()
        if piece:
            end = start + len(text[start:end].rstrip())
            yield Paragraph(piece, positions[start], positions[end - 1] + 1)


def _positions(paragraph: Paragraph, original: str) -> Sequence[int]:
    """For each character of a healed paragraph its code point in the original.

    Healing only drops and adds white space and a hyphen, so one walk over both finds every character.
    """
    if original.startswith(paragraph.text, paragraph.start):  # nothing had to be healed
        return range(paragraph.start, paragraph.end)
    positions: list[int] = []
    at = paragraph.start
    for char in paragraph.text:
        found = original.find(char, at, paragraph.end) if char != " " else at
        if found < 0:
            found = at
        positions.append(min(found, paragraph.end - 1))
        at = min(found + (char != " "), paragraph.end)
    return positions
