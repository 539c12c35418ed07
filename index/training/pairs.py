"""The pairs the table learns from: two texts that mean the same, or of which one asks for the other.

Each kind is one :class:`PairSet`; batches are drawn from one kind at a time, so that the other texts of a batch,
which serve as wrong answers, come from the same field and are hard to tell apart.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from index.training import sources
from index.training.ragged import Indices, Ragged
from index.training.tokenizer import encode_all

Pair = tuple[str, str]

_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;\n]*")
_ENGLISH_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_WINDOW = (100, 300)
_SENTENCE_LENGTH = (8, 80)
_WINDOWS_PER_HEADING = 6
# The large collections, of narrow fields, would drown the rest.
_TIMES_ALIGNED = {"lctt": 0.5, "tw-law": 0.5, "python-docs": 0.5}


@dataclass(frozen=True)
class PairSet:
    """Pairs of one kind: queries, passages, and a group for each pair.

    Two pairs of a group are right answers to one another and never used as wrong ones. ``times`` says how often an
    epoch goes through the kind.
    """

    kind: str
    queries: Ragged
    passages: Ragged
    groups: Indices
    times: float

    def __len__(self) -> int:
        return len(self.queries)


def gather(root: Path, tokenizer: Tokenizer, seed: int) -> list[PairSet]:
    """All pairs the training data gives, as token ids. Deterministic for a seed."""
    rng = random.Random(seed)  # noqa: S311 - which sentences to ask for is no secret
    kinds: dict[str, tuple[float, list[Pair]]] = {
        "question": (3.0, _questions(root)),
        "wiki sentence": (3.0, _sentences(_wiki_windows(root), rng, most=4)),
        "gloss": (1.0, _glosses(root)),
        "synonym": (1.0, _synonyms(root)),
    }
    for field, name in (("law", "laws-zh.jsonl.xz"), ("prose", "prose-zh.jsonl.xz")):
        titled = [(article.title, window) for article in sources.articles(root, name) for window in windows(article)]
        kinds[f"{field} sentence"] = (1.0, _sentences((window for _, window in titled), rng, most=1))
        kinds[f"{field} heading"] = (1.0, _headings(titled, rng))
    aligned = list(sources.translations(root))
    for origin in dict.fromkeys(translation.origin for translation in aligned):
        own = [translation for translation in aligned if translation.origin == origin]
        times = _TIMES_ALIGNED.get(origin, 1.0)
        kinds[f"{origin} translation"] = (times, [(pair.english, pair.chinese) for pair in own])
    english = (pair.english for pair in aligned if len(pair.english) > 250)
    kinds["english sentence"] = (0.5, _sentences(english, rng, most=1))
    return [_pair_set(kind, pairs, times, tokenizer) for kind, (times, pairs) in kinds.items()]


def windows(article: sources.Article) -> Iterator[str]:
    """The article's paragraphs, short neighbours joined, long ones left as they are."""
    least, most = _WINDOW
    window = ""
    for paragraph in article.paragraphs:
        if window and len(window) + len(paragraph) > most:
            yield window
            window = ""
        window += ("\n" if window else "") + paragraph
    if len(window) >= least:
        yield window


def sentences(text: str) -> list[str]:
    """The sentences of a Chinese or an English text."""
    if re.search(r"[\u4e00-\u9fff]", text):
        return [match.strip() for match in _SENTENCE.findall(text) if match.strip()]
    return [part.strip() for part in _ENGLISH_SENTENCE.split(text) if part.strip()]


def _questions(root: Path) -> list[Pair]:
    return [(item.question, item.passage) for item in sources.questions(root)]


def _wiki_windows(root: Path) -> Iterator[str]:
    for passage in dict.fromkeys(item.passage for item in sources.questions(root)):
        yield from windows(sources.Article("", tuple(sentences(passage))))


def _sentences(texts: Iterable[str], rng: random.Random, most: int) -> list[Pair]:
    """Up to ``most`` sentences of each text, each with the rest of it (inverse cloze task, Lee et al. 2019)."""
    pairs = []
    for text in texts:
        parts = sentences(text)
        low, high = _SENTENCE_LENGTH if not text.isascii() else (20, 200)
        fitting = [index for index, part in enumerate(parts) if low <= len(part) <= high]
        if len(parts) < 2 or not fitting:
            continue
        for index in rng.sample(fitting, min(most, len(fitting))):
            pairs.append((parts[index], " ".join(parts[:index] + parts[index + 1 :])))
    return pairs


def _headings(titled: list[Pair], rng: random.Random) -> list[Pair]:
    by_title: dict[str, list[str]] = {}
    for title, window in titled:
        by_title.setdefault(title, []).append(window)
    return [
        (title, window)
        for title, found in by_title.items()
        for window in rng.sample(found, min(len(found), _WINDOWS_PER_HEADING))
    ]


def _glosses(root: Path) -> list[Pair]:
    return [(entry.word, "; ".join(entry.senses[:3])) for entry in sources.dictionary(root)]


def _synonyms(root: Path) -> list[Pair]:
    """Each word of a synset with the next."""
    return [pair for group in sources.synonyms(root) for pair in pairwise(group)]


def _pair_set(kind: str, pairs: list[Pair], times: float, tokenizer: Tokenizer) -> PairSet:
    queries = Ragged.of(encode_all(tokenizer, (query for query, _ in pairs)))
    passages = Ragged.of(encode_all(tokenizer, (passage for _, passage in pairs)))
    # Pairs that share a side, a passage with several questions or a title with several paragraphs, are one group.
    shared = 0 if kind.endswith("heading") or kind == "synonym" else 1
    groups = np.array([zlib.crc32(pair[shared].encode()) for pair in pairs], dtype=np.int64)
    usable = np.flatnonzero((queries.lengths > 0) & (passages.lengths > 0))
    return PairSet(kind, queries.take(usable), passages.take(usable), groups[usable], times)
