"""A text's lines -> whole paragraphs: what a column, a page or a fixed width has torn is joined again.

Owns healing and where each character of a healed paragraph stands in the original.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from index.chinese import is_cjk
from index.roles import (
    CONTINUED,
    DATELINE,
    HEAD_LENGTH,
    INNER_END,
    TURNED,
    Role,
    bare_number,
    ends_as_caption,
    is_byline,
    is_caption,
    is_furniture,
    is_year,
    looks_like_head,
)

# Does a word run across this seam? Asked with the last and the first characters of two pieces.
SeamTest = Callable[[str, str], bool]

_LINE = re.compile(r"[^\r\n\x0b\x0c\x85\u2028\u2029]+")
_BLANK = " \t\u3000\ufeff\u200b\xa0"
_MARK_LENGTH = 60  # of （下转第3版） and the like
_PROSE = 20  # characters
_LONGEST = 4_000  # characters of a healed paragraph; what is longer was no paragraph
_TERMINAL = "。！？!?…；;.:："
_CLOSERS = "”’」』)）】》\"'"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A whole paragraph.

    Attributes:
        text: The healed text.
        start, end: Code points in the original.
        role: What it is in its article.
        lines: For each line it was healed from, where it begins in ``text`` and in the original.
        gap: Line breaks before it.
    """

    text: str
    start: int
    end: int
    role: Role = Role.BODY
    lines: tuple[tuple[int, int], ...] = ()
    gap: int = 0

    def position(self, place: int) -> int:
        """The code point in the original of the character ``text[place]``."""
        if not self.lines:
            return self.start + place
        begins, start = self.lines[bisect_right(self.lines, place, key=lambda line: line[0]) - 1]
        return min(start + place - begins, self.end - 1)

    @property
    def finished(self) -> bool:
        """Whether it ends as a sentence does."""
        return self.text.rstrip(_CLOSERS)[-1:] in tuple(_TERMINAL) or ends_as_caption(self.text)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int
    end: int
    gap: int
    after_blank: bool
    indented: bool
    role: Role = Role.BODY


def paragraphs_of(text: str, seam: SeamTest | None) -> Iterator[Paragraph]:
    """The paragraphs of a text, healed, without page furniture; of roles only breaks, turns and captions are told."""
    return _healed(_without_page_numbers(list(_lines(text))), seam)


def _lines(text: str) -> Iterator[_Line]:
    """The lines that say something, without page furniture; a mark of continuation becomes a line of its own."""
    previous_end = 0
    for match in _LINE.finditer(text):
        raw = match.group()
        stripped = raw.strip(_BLANK)
        if not stripped:
            continue
        start = match.start() + raw.index(stripped)
        newlines, returns = text.count("\n", previous_end, start), text.count("\r", previous_end, start)
        gap = max(newlines, returns)
        blank = newlines > 1 or returns > 2
        indented = raw.startswith(("\u3000", "    "))
        previous_end = start + len(stripped)
        if is_furniture(stripped):
            continue
        yield from _parts(_Line(stripped, start, previous_end, gap, blank, indented))


def _without_page_numbers(lines: list[_Line]) -> list[_Line]:
    """The lines without the numbers of pages.

    Those stand alone among prose, or first or last, and there is one of them or they grow by one. Numbers in a column
    are figures of a table, and from 1000 on years that head what happened, unless the pages before come to there.
    """
    found = ((place, bare_number(line.text)) for place, line in enumerate(lines))
    numbers = {place: number for place, number in found if number is not None}
    alone = [place for place in numbers if numbers.keys().isdisjoint((place - 1, place + 1))]
    pages: set[int] = set()
    for before, place, after in zip([-1, *alone], alone, [*alone[1:], -1], strict=False):
        number = numbers[place]
        continues = before in pages and numbers[before] + 1 == number
        counted = continues or number + 1 == numbers.get(after)
        beside = [_prose(line) for line in (*lines[max(0, place - 1) : place], *lines[place + 1 : place + 2])]
        fits = any(beside) if counted else len(alone) == 1 and all(beside)
        if fits and number and (continues or not is_year(lines[place].text)):
            pages.add(place)
    return [line for place, line in enumerate(lines) if place not in pages]


def _prose(line: _Line) -> bool:
    """Whether a line is of running text rather than a cell of a table."""
    return len(line.text) >= _PROSE or line.text[-1:] in tuple(_TERMINAL)


def _parts(line: _Line) -> Iterator[_Line]:
    """A line without the marks that it goes on from, or on, another page; those stand for themselves."""
    text, start = line.text, line.start
    if "版" not in text:
        yield line
        return
    continued = CONTINUED.match(text)
    if continued is not None:
        # What the mark itself names is the headline it goes on from.
        head = (continued["inside"] or continued["after"] or "").strip(" 　《》〈〉“”，,。：:")
        yield _Line(head, start, start + continued.end(), line.gap, after_blank=True, indented=False, role=Role.BREAK)
        start += continued.end()
        text = text[continued.end() :]
    turned = TURNED.search(text, max(0, len(text) - _MARK_LENGTH))
    if turned is not None:
        text = text[: turned.start()]
    kept = text.strip(_BLANK)
    if kept:
        start += text.index(kept)
        yield _Line(kept, start, start + len(kept), line.gap, line.after_blank, line.indented)
    if turned is not None:
        yield _Line("", line.end - len(turned.group()), line.end, 0, after_blank=True, indented=False, role=Role.TURN)


def _healed(lines: list[_Line], seam: SeamTest | None) -> Iterator[Paragraph]:
    """Join lines that a column, a page, a fixed width or a caption in between has torn."""
    width = _wrap_width(lines)
    current: Paragraph | None = None
    aside: list[Paragraph] = []  # captions met inside a paragraph that may go on after them
    last_line = ""
    for line in lines:
        if current is not None and line.role is current.role is Role.BODY:
            if not width and _interrupts(current, line, seam):
                aside.append(Paragraph(line.text, line.start, line.end, Role.CAPTION, gap=line.gap))
                continue
            crossing = not aside or (seam is not None and seam(current.text, line.text))
            if crossing and _goes_on(current, last_line, line, width, seam):
                current, last_line = _joined(current, line), line.text
                continue
        if current is not None:
            yield from _released(current, aside)
        current = Paragraph(line.text, line.start, line.end, line.role, gap=line.gap)
        last_line = line.text
    if current is not None:
        yield from _released(current, aside)


def _interrupts(current: Paragraph, line: _Line, seam: SeamTest | None) -> bool:
    """Whether a line is the caption of a photograph set into the middle of a sentence."""
    if not line.after_blank or not is_caption(line.text) or current.finished:
        return False
    return line.text.startswith("图") or (seam is not None and not seam(current.text, line.text))


def _released(current: Paragraph, aside: list[Paragraph]) -> Iterator[Paragraph]:
    yield current
    yield from aside
    aside.clear()


def _joined(paragraph: Paragraph, line: _Line) -> Paragraph:
    text = _glue(paragraph.text, line.text)
    lines = paragraph.lines or ((0, paragraph.start),)
    lines = (*lines, (len(text) - len(line.text), line.start))
    return Paragraph(text, paragraph.start, line.end, paragraph.role, lines, paragraph.gap)


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


def _goes_on(paragraph: Paragraph, last: str, line: _Line, width: int, seam: SeamTest | None) -> bool:
    """Whether ``line`` continues the paragraph, whose last line was ``last``."""
    text, new = paragraph.text, line.text
    if len(text) > _LONGEST or is_byline(new) or DATELINE.match(new) or line.indented:
        return False
    finished = paragraph.finished
    if width and not line.after_blank and len(last) >= width - max(3, width // 12):
        return not (finished and looks_like_head(new) and len(new) < width // 2)
    if finished or is_byline(text) or text.endswith(("——", "--")):
        return False
    crossing = seam is not None and seam(text, new)
    open_quote = text.count("“") > text.count("”") or text.count("「") > text.count("」")
    if looks_like_head(new) and text[-1] not in "，、,":
        # A headline after a piece whose end is lost elsewhere; only a word across the seam outweighs it.
        return crossing and (open_quote or INNER_END.search(text) is not None) and not line.after_blank
    unfinished = text[-1] in "，、,;；" or INNER_END.search(text) is not None or len(text) > HEAD_LENGTH
    return crossing or open_quote or unfinished


def _glue(left: str, right: str) -> str:
    """Two pieces of one paragraph as they were before the line was torn."""
    if is_cjk(left[-1]) or is_cjk(right[0]) or not (left[-1].isalnum() or left[-1] in ",.;:!?)”'\""):
        return left + right
    if left[-1] == "-" and right[0].islower():
        return left[:-1] + right
    return left + (" " if right[0].isascii() else "") + right
