"""Chinese text as search needs it: folding for matching, tokens, sentences, quoted phrases.

Folding changes characters, never their number, so that a position in the folded text is the same
position in the original, and the original is what is shown. Nothing here knows of documents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import opencc

from index.asking import sought

CJK = "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

# Written differently by region or habit, not told apart by OpenCC's table for single characters. Both
# sides of a match are folded, so a merger costs a little precision and never hides a passage.
_VARIANTS = {"著": "着", "妳": "你", "牠": "它", "祂": "他", "〇": "零", "“": '"', "”": '"', "「": '"', "」": '"',
             "『": '"', "』": '"', "‘": "'", "’": "'"}  # fmt: skip

_LETTERS = rf"[^\W_{CJK}]+"
WORD = rf"{_LETTERS}(?:[-.'’&+#]{_LETTERS})*(?:\+\+|#)?"  # of a language that parts its words, or a number
_TOKEN = re.compile(rf"([{CJK}]+)|({WORD})")
_CJK_ONLY = re.compile(rf"[{CJK}]")
_INNER = re.compile(r"[-.'’&+#]")

_CLOSERS = "”’」』）)】》〉\"'"
_SENTENCE_END = re.compile(rf"(?:[。！？!?…]+|(?<=[A-Za-z0-9%)\]”\"'])\.(?=[{_CLOSERS}]*(?:\s|$)))[{_CLOSERS}]*\s*|\n+")
_ABBREVIATION = re.compile(r"(?:(?<![A-Za-z])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|U\.S|Inc|Ltd|Co))\.\s*$")
_BESIDE_CJK = re.compile(rf"(?<=[{CJK}])\s+|\s+(?=[{CJK}])")
_CLAUSE_END = re.compile(r"[；;，,、：:\s]+")
# Chinese quotation marks inside a sentence are punctuation; set apart by spaces they ask for a phrase, as straight
# ones always do.
_PHRASE = re.compile(r'"([^"]*)"|＂([^＂]*)＂|(?<!\S)(?:“([^”]*)”|「([^」]*)」|『([^』]*)』)(?!\S)')
_QUOTES = re.compile("[\"'“”‘’「」『』《》〈〉]")


@cache
def _fold_table() -> dict[int, str]:
    """Code point -> folded character, for every code point that folding changes."""
    table: dict[int, str] = {}
    ideographs = [
        chr(code)
        for first, last in ((0x2E80, 0x2FD5), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))
        for code in range(first, last + 1)
        if unicodedata.category(chr(code)) != "Cn"
    ]
    canonical = [unicodedata.normalize("NFKC", char) for char in ideographs]
    canonical = [new if len(new) == 1 else old for old, new in zip(ideographs, canonical, strict=True)]
    simplified = opencc.OpenCC("t2s").convert("\n".join(canonical)).split("\n")
    for old, new in zip(ideographs, simplified, strict=True):
        if len(new) == 1 and new != old:
            table[ord(old)] = new
    for code in (*range(0x20, 0x250), *range(0x370, 0x530), *range(0xFF01, 0xFF5F), 0x3000):
        new = unicodedata.normalize("NFKC", chr(code)).lower()
        if len(new) == 1 and new != chr(code):
            table[code] = new
    table.update({ord(old): new for old, new in _VARIANTS.items()})
    return table


def fold(text: str) -> str:
    """Fold for matching: width, case, traditional to simplified, quotation marks.

    Length-preserving: ``len(fold(text)) == len(text)`` and position *i* stays position *i*. Never show
    the result to a reader. The character table is OpenCC's t2s, asked one character at a time.
    """
    return text.translate(_fold_table())


def tokens(folded: str) -> list[str]:
    """Word-index tokens of a *folded* text, in no particular order.

    Runs of CJK characters give every character and every pair of neighbours; Latin words and numbers
    give themselves and, where joined by a mark (``f-35``, ``1.2.0``), their parts. Pairs beat dictionary
    words in measured ranking and need no dictionary.
    """
    out: list[str] = []
    for match in _TOKEN.finditer(folded):
        run = match.group(1)
        if run is not None:
            out.extend(run)
            out.extend(map(str.__add__, run, run[1:]))
        else:
            out.extend(with_parts([match.group(2)]))
    return out


def with_parts(words: Iterable[str]) -> list[str]:
    """Words and, of those joined by a mark (``f-35``, ``1.2.0``), their parts."""
    out: list[str] = []
    for word in words:
        out.append(word)
        parts = _INNER.split(word)
        if len(parts) > 1:
            out.extend(filter(None, parts))
    return out


def has_cjk(text: str) -> bool:
    """Whether the text has at least one Chinese character."""
    return _CJK_ONLY.search(text) is not None


def is_cjk(char: str) -> bool:
    """Whether one character is a Chinese character."""
    return _CJK_ONLY.match(char) is not None


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans ``(start, end)`` of the sentences, in order, without gaps: they cover the whole text.

    A sentence ends after 。！？… or a full stop, with the closing quotes and white space that follow,
    and at every line break. An empty text has none.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if _ABBREVIATION.search(text, max(0, match.start() - 8), match.end()) and "\n" not in match.group():
            continue
        if not text[start : match.end()].strip():
            continue
        spans.append((start, match.end()))
        start = match.end()
    if start < len(text):
        if text[start:].strip() or not spans:
            spans.append((start, len(text)))
        else:
            spans[-1] = (spans[-1][0], len(text))
    return spans


def clauses(text: str, maximum: int) -> list[tuple[int, int]]:
    """Spans of at most ``maximum`` characters that cover one over-long sentence, cut after commas where possible."""
    spans: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > maximum:
        ends = [match.end() for match in _CLAUSE_END.finditer(text, start + maximum // 2, start + maximum)]
        cut = ends[-1] if ends else start + maximum
        spans.append((start, cut))
        start = cut
    spans.append((start, len(text)))
    return spans


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query taken apart.

    Attributes:
        text: The words without the quotation marks, as typed: what is embedded.
        folded: The same, folded.
        sought: The same without the words that only make it a question, blanks in their place: what is asked of the
            word index.
        phrases: Folded quoted parts; each must occur in a passage exactly, white space aside: it is kept only
            between words that need it. Quoted is what stands between straight quotation marks, or between
            Chinese ones set apart by spaces.
        typed: ``sought`` as it was before dates and names were put as the archive writes them; empty where none was.
    """

    text: str
    folded: str
    sought: str
    phrases: tuple[str, ...]
    typed: str = ""


def parse_query(query: str) -> ParsedQuery:
    """Take a typed query apart. Unpaired and empty quotation marks are ordinary characters."""
    query = query.encode("utf-8", "replace").decode("utf-8")  # no tokenizer takes half a character
    quoted = [fold(next(filter(None, groups), "")) for groups in _PHRASE.findall(query)]
    phrases = [" ".join(_BESIDE_CJK.sub("", text).split()) for text in quoted]
    text = _PHRASE.sub(lambda match: f" {next(filter(None, match.groups()), '')} ", query)
    text = " ".join(text.split())
    folded = fold(text)
    seeks = sought(folded, chinese=has_cjk(folded))
    return ParsedQuery(text, folded, seeks, tuple(phrase for phrase in phrases if tokens(phrase)))


def squeeze(text: str) -> str:
    """The text without white space, for comparing what layout may have torn."""
    return "".join(text.split())


def unmarked(text: str) -> str:
    """The squeezed text without quotation and title marks, which whoever quotes it need not have typed."""
    return _QUOTES.sub("", squeeze(text))
