"""The training files, read into plain records. Nothing here knows what they are used for.

Every file is public and its licence is named in ``SOURCES``, which the model card prints.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from index.errors import SourceError


@dataclass(frozen=True)
class Source:
    """One training file: its name, what it holds and under which licence it is published."""

    file: str
    holds: str
    licence: str


SOURCES = (
    Source(
        "zh-en.tsv.xz",
        "aligned Chinese and English: LCTT TranslateProject, laws of Taiwan, Python documentation, Tatoeba",
        "Apache-2.0, public domain, CC0, CC BY 2.0 FR",
    ),
    Source("cmrc2018-train.jsonl.xz", "questions with Wikipedia passages (CMRC 2018, train)", "CC BY-SA 4.0"),
    Source("laws-zh.jsonl.xz", "laws and regulations of the PRC (LawRefBook/Laws)", "public"),
    Source("prose-zh.jsonl.xz", "translated articles on computing (LCTT)", "Apache-2.0"),
    Source("cedict.txt.xz", "the CC-CEDICT dictionary", "CC BY-SA 4.0"),
    Source("omw-cmn.tab.xz", "Chinese Open Wordnet", "WordNet licence"),
    Source("word-counts.tsv.xz", "frequencies of Chinese words in 48 million characters", "made for this project"),
)


@dataclass(frozen=True)
class Entry:
    """One dictionary entry: a simplified headword and its English senses."""

    word: str
    senses: tuple[str, ...]


@dataclass(frozen=True)
class Translation:
    """An aligned Chinese and English text, and the collection it comes from."""

    origin: str
    english: str
    chinese: str


@dataclass(frozen=True)
class Question:
    """A question and a passage that answers it."""

    question: str
    passage: str


@dataclass(frozen=True)
class Article:
    """A titled text in paragraphs; ``headings`` are already taken out of them."""

    title: str
    paragraphs: tuple[str, ...]


_ENTRY = re.compile(r"^\S+ (\S+) \[[^\]]*\] /(.*)/\s*$")
_PINYIN = re.compile(r"\S*\|?\S*\[[^\]]*\]")
_SKIPPED_SENSE = re.compile(
    r"^(CL:|abbr\. (for|of) \S+$|(old |erhua )?variant of|also written|also pr\.|used in$|see (also )?\W)"
)
_MARKUP = re.compile(
    r"!?\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])|<[^>]{1,200}>|https?://\S+|[*_`=#>|~]{1,}|^\s*[-+] ", re.MULTILINE
)


def require_data(root: Path) -> None:
    """Make sure that ``root`` holds every file of ``SOURCES``.

    Raises:
        SourceError: if the folder or one of the files is missing.
    """
    if not root.is_dir():
        raise SourceError(
            f"No training data: the folder {root} does not exist; name the right one with --data.",
            f"没有训练数据：文件夹 {root} 不存在；请用 --data 指定。",
        )
    missing = ", ".join(source.file for source in SOURCES if not (root / source.file).is_file())
    if missing:
        raise SourceError(
            f"The training data in {root} lacks {missing}; put the files there or name another folder with --data.",
            f"{root} 中缺少训练文件 {missing}；请放入这些文件，或用 --data 指定别的文件夹。",
        )


def plain(text: str) -> str:
    """The text without Markdown and HTML marks, which teach a model nothing about language."""
    return _MARKUP.sub(lambda match: match.group(1) or " ", text).strip()


def _lines(root: Path, name: str) -> Iterator[str]:
    try:
        with lzma.open(root / name, "rt", encoding="utf-8") as handle:
            yield from handle
    except (lzma.LZMAError, EOFError, UnicodeDecodeError, OSError) as error:
        raise SourceError(
            f"The training file {root / name} cannot be read ({error}); fetch it again.",
            f"训练文件 {root / name} 无法读取（{error}）；请重新获取。",
        ) from error


def word_counts(root: Path) -> dict[str, int]:
    """Chinese (and some other) words with how often each was counted."""
    counts: dict[str, int] = {}
    for line in _lines(root, "word-counts.tsv.xz"):
        word, _, count = line.rstrip("\n").rpartition("\t")
        counts[word] = counts.get(word, 0) + int(count)
    return counts


def dictionary(root: Path) -> Iterator[Entry]:
    """CC-CEDICT entries whose senses say something about meaning (measure words and cross-references left out)."""
    for line in _lines(root, "cedict.txt.xz"):
        match = _ENTRY.match(line)
        if match is None:
            continue
        senses = (_PINYIN.sub("", sense).strip() for sense in match.group(2).split("/"))
        kept = tuple(sense for sense in senses if sense and not _SKIPPED_SENSE.match(sense))
        if kept:
            yield Entry(match.group(1), kept)


def translations(root: Path) -> Iterator[Translation]:
    """Aligned texts, marks taken out."""
    lines = _lines(root, "zh-en.tsv.xz")
    next(lines, None)
    for line in lines:
        fields = line.rstrip("\n").split("\t")
        if len(fields) == 3:
            yield Translation(fields[0], plain(fields[1]), plain(fields[2]))


def questions(root: Path) -> Iterator[Question]:
    """Questions with the passage that answers each."""
    for line in _lines(root, "cmrc2018-train.jsonl.xz"):
        record = json.loads(line)
        yield Question(record["question"], record["passage"])


def articles(root: Path, name: str) -> Iterator[Article]:
    """Titled articles of one file (``laws-zh.jsonl.xz`` or ``prose-zh.jsonl.xz``), marks taken out."""
    for line in _lines(root, name):
        record = json.loads(line)
        paragraphs = (plain(paragraph) for paragraph in record["paragraphs"] if not paragraph.startswith("#"))
        yield Article(plain(record["title"]), tuple(paragraph for paragraph in paragraphs if paragraph))


def synonyms(root: Path) -> list[tuple[str, ...]]:
    """Groups of Chinese words that share a WordNet synset, each of two words or more, in file order."""
    groups: dict[str, dict[str, None]] = {}
    for line in _lines(root, "omw-cmn.tab.xz"):
        fields = line.rstrip("\n").split("\t")
        if len(fields) == 3 and fields[1] == "cmn:lemma":
            groups.setdefault(fields[0], {})[fields[2].replace("+", "")] = None
    return [tuple(group) for group in groups.values() if len(group) > 1]
