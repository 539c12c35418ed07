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
_NUMBER = re.compile(r"[\s·•.\-—–~|/]*(?:第\s*)?\d{1,4}\s*(?:页|頁)?(?:\s*[/共,，]\s*\d{1,4}\s*页?)?[\s·•.\-—–~|]*")
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
        count = min(len(document), _PAGES)
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
    yield Reading(content.name, tuple(pages), facts, tuple(_notes(content.name, texts, bad)))


def _unopened(name: str, why: str) -> SourceError:
    if "password" in why.lower():
        return SourceError(
            f"{name} is locked with a password; save it without one.", f"{name} 有密码保护；请另存为无密码的文件。"
        )
    return SourceError(f"{name} is a damaged PDF: {why}.", f"{name} 是损坏的 PDF：{why}。")


def _notes(name: str, texts: Sequence[str], bad: int) -> Iterator[Note]:
    empty = sum(not text.strip() for text in texts)
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
    """The pages without lines at their edges that come back on other pages, whatever their numbers, or only number."""
    pages = [text.strip("\n").split("\n") for text in texts]
    heads = Counter(key for lines in pages for key in {_key(line) for line in _edges(lines)} if key)
    often = max(3, len(pages) // 4)
    running = {key for key, count in heads.items() if count >= often}
    return ["\n".join(_body(lines, running)) for lines in pages]


def _edges(lines: Sequence[str]) -> list[str]:
    return [*lines[:_EDGE], *lines[_EDGE:][-_EDGE:]]


def _key(line: str) -> str:
    return _DIGITS.sub("0", "".join(line.split()))


def _body(lines: list[str], running: set[str]) -> list[str]:
    first, last = 0, len(lines)
    for _ in range(_EDGE):
        if first < last and _is_furniture(lines[first], running):
            first += 1
        if first < last and _is_furniture(lines[last - 1], running):
            last -= 1
    return lines[first:last]


def _is_furniture(line: str, running: set[str]) -> bool:
    return _key(line) in running or _NUMBER.fullmatch(line) is not None


def _facts(info: dict[str, str]) -> Facts:
    """Title and author where they look as if somebody had written them, not a program; its date is the file's."""
    title, author = (" ".join((info.get(name) or "").split()) for name in ("Title", "Author"))
    return Facts(
        sane_title(title),
        author[:100] if re.fullmatch(r"[\u4e00-\u9fff·、， ]{2,40}", author) else "",
    )
