"""PDF: each page's text in reading order, without running heads and page numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing

from index.errors import SourceError
from index.readers import pulse
from index.readers.content import Content
from index.readers.pages import Facts, Note, Page, Reading, sane_title

MAXIMUM = 256 << 20  # bytes
_PAGES = 10_000
_EDGE = 2  # lines at the top and the bottom of a page among which heads and page numbers are looked for
_HANZI = "\u4e00-\u9fff"
_DIGITS = re.compile(r"\d+")
_TORN_MARK = re.compile("\n(?=[，。、；：！？”’）］】》])")  # after a raised number, a mark gets a line of its own
_STRETCHED = re.compile(f"(?<![{_HANZI}])[{_HANZI}](?: [{_HANZI}]){{3,}}")  # words set wide to fill a line
_NUMBER = re.compile(r"[\s·•.\-—–~|/]*(\d{1,4})(?:\s*/\s*\d{1,4})?[\s·•.\-—–~|]*")
_PAGE = re.compile(  # what is a page's number by its looks
    r"\s*(?:[·•\-—–~]+\s*\d{1,4}\s*[·•\-—–~]+|第?\s*\d{1,4}\s*[页頁](?:[\s/,，共]*\d{1,4}\s*[页頁]?)?)\s*"
)
_RADICAL = re.compile("[\u2e80-\u2fdf]")
_HYPHEN = re.compile("[\ufffe\u00ad\u0002]\n?")


def read_pdf(content: Content) -> Iterator[Reading]:
    """The file as one document with its pages.

    Raises:
        SourceError: It is locked, damaged, or holds no text, as scans do.
    """
    import pypdfium2 as pdfium  # noqa: PLC0415 - heavy

    try:
        document = pdfium.PdfDocument(content.read(MAXIMUM))
    except pdfium.PdfiumError as error:
        raise _unopened(content.name, str(error)) from error
    with closing(document):
        whole = len(document)
        count = min(whole, _PAGES)
        texts, bad = [], 0
        for number in range(count):
            pulse.beat()
            try:
                with closing(document[number]) as page, closing(page.get_textpage()) as text:
                    texts.append(_clean(text.get_text_range(errors="replace")))
            except pdfium.PdfiumError:
                texts.append("")
                bad += 1
        facts = _facts(document.get_metadata_dict())
    if not any(text.strip() for text in texts):
        raise SourceError(
            f"{content.name} has {count} pages but no text, as scans have; recognise its characters (OCR) first.",
            f"{content.name} 有 {count} 页，但没有文字，可能是扫描件；请先做文字识别（OCR）。",
        )
    pages = (Page(text + "\n", number) for number, text in enumerate(without_furniture(texts), 1) if text.strip())
    yield Reading(content.name, tuple(pages), facts, tuple(_notes(content.name, texts, bad, whole)))


def _unopened(name: str, why: str) -> SourceError:
    if "password" in why.lower():
        return SourceError(
            f"{name} is locked with a password; save it without one.", f"{name} 有密码保护；请另存为无密码的文件。"
        )
    return SourceError(f"{name} is a damaged PDF: {why}.", f"{name} 是损坏的 PDF：{why}。")


def _notes(name: str, texts: Sequence[str], bad: int, whole: int) -> Iterator[Note]:
    empty = sum(not text.strip() for text in texts)
    if whole > len(texts):
        yield Note(
            f"{name} has {whole} pages, of which the first {len(texts)} were read; split it.",
            f"{name} 共 {whole} 页，只读入了前 {len(texts)} 页；请拆分。",
        )
    if bad:
        yield Note(f"{name}: {bad} pages are damaged and were left out.", f"{name}：有 {bad} 页损坏，未读入。")
    if empty > bad:
        yield Note(
            f"{name}: {empty - bad} of {len(texts)} pages have no text; they may be scans.",
            f"{name}：共 {len(texts)} 页，其中 {empty - bad} 页没有文字，可能是扫描页。",
        )


def _clean(text: str) -> str:
    """The text with a PDF's own ways of writing undone: radicals that stand for characters, and soft hyphens."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    text = _STRETCHED.sub(lambda match: match[0].replace(" ", ""), _TORN_MARK.sub("", _HYPHEN.sub("", text)))
    characters: list[tuple[str, bool]] = []  # and whether a radical stood for it
    for char in text:
        plain = unicodedata.normalize("NFKC", char) if _RADICAL.match(char) else char
        if characters and plain != "\n" and characters[-1] == (plain, True):
            characters[-1] = (plain, plain != char)  # some writers give the radical and the character, both
        else:
            characters.append((plain, plain != char))
    return "".join(plain for plain, _ in characters)


def without_furniture(texts: Sequence[str]) -> list[str]:
    """The pages without running heads and page numbers.

    A head is a line at the edges of many pages, whatever its numbers, that is rarer inside them, as a table's rows are
    not. A page's number is a line of its own that has always the same distance from the page's place in the file.
    """
    pages = [text.strip("\n").split("\n") for text in texts]
    heads = Counter(key for lines in pages for key in {_key(line) for line in _edges(lines)} if key)
    inside = Counter(_key(line) for lines in pages for line in lines[_EDGE:-_EDGE])
    often = max(3, len(pages) // 4)
    running = {key for key, count in heads.items() if count >= often and inside[key] < count}
    distances = _distances(pages)
    return [
        "\n".join(_body(lines, running, {at + distance for distance in distances})) for at, lines in enumerate(pages)
    ]


def _edges(lines: Sequence[str]) -> list[str]:
    return [*lines[:_EDGE], *lines[_EDGE:][-_EDGE:]]


def _key(line: str) -> str:
    """What lines have in common that differ in numbers; what is only numbers is itself."""
    line = "".join(line.split())
    return _DIGITS.sub("0", line) if any(char.isalpha() for char in line) else line


def _distances(pages: Sequence[Sequence[str]]) -> set[int]:
    """How far the numbers that pages bear are from their places, where a third of the pages agree at one edge."""
    seen: Counter[tuple[bool, int]] = Counter()
    for at, lines in enumerate(pages):
        for top, edge in ((True, lines[:_EDGE]), (False, lines[_EDGE:][-_EDGE:])):
            seen.update({(top, int(match[1]) - at) for line in edge if (match := _NUMBER.fullmatch(line))})
    often = max(2, sum(map(any, pages)) // 3)
    return {distance for (_, distance), count in seen.items() if count >= often}


def _body(lines: list[str], running: set[str], numbers: set[int]) -> list[str]:
    first, last = 0, len(lines)
    for _ in range(_EDGE):
        if first < last and _is_furniture(lines[first], running, numbers):
            first += 1
        if first < last and _is_furniture(lines[last - 1], running, numbers):
            last -= 1
    return lines[first:last]


def _is_furniture(line: str, running: set[str], numbers: set[int]) -> bool:
    number = _NUMBER.fullmatch(line)
    return _key(line) in running or bool(_PAGE.fullmatch(line)) or (number is not None and int(number[1]) in numbers)


def _facts(info: dict[str, str]) -> Facts:
    """Title and author where they look as if somebody had written them, not a program; its date is the file's."""
    title, author = (" ".join((info.get(name) or "").split()) for name in ("Title", "Author"))
    return Facts(
        sane_title(title),
        author[:100] if re.fullmatch(r"[\u4e00-\u9fff·、， ]{2,40}", author) else "",
    )
