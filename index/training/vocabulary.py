"""Which tokens the compact model knows, and how frequent each is.

Candidates come from the word counts, the dictionary and WordNet; a first tokenizer over all of them cuts every
training text, and what it finds decides which candidates stay, as in one round of Unigram training (Kudo 2018).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tokenizers import Tokenizer, normalizers

from index.training.ragged import Ragged
from index.training.tokenizer import BYTES, UNKNOWN, build_tokenizer, encode_all

Texts = Mapping[str, list[str]]

HAN = re.compile(r"[\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd]+")
LATIN = re.compile(r"[a-z]+|[cf](\+\+|#)")
# Numbers in words and the articles of laws: too many to know, and their parts say the same.
_NUMERAL = re.compile(r"第?[零一二两三四五六七八九十百千万亿]{2,}[条章节款项]?|第.[条章节款项]")
_LONGEST_HAN = 8
_LONGEST_LATIN = 20
_LATIN_PIECES = 0.15
# What one more token costs a Latin or digit run, so that a known word is never taken for two shorter ones.
_WHOLE_WORD = 20.0
_UNSEEN = 0.5


@dataclass(frozen=True)
class Vocabulary:
    """What the model can tell apart.

    Attributes:
        tokens: By id; the first is the unknown token.
        scores: Log-probabilities by which text is cut into tokens.
        frequencies: Share of running text that each token makes up.
    """

    tokens: tuple[str, ...]
    scores: tuple[float, ...]
    frequencies: tuple[float, ...]

    def tokenizer(self, charsmap: bytes) -> Tokenizer:
        """The tokenizer over this vocabulary; ``charsmap`` as ``folding`` compiles it."""
        return build_tokenizer(self.tokens, self.scores, charsmap)


def numbers() -> list[str]:
    """The digit strings kept whole: everything of up to three digits that is usual, and years."""
    short = [str(value) for value in range(10, 1000)] + [f"{value:02d}" for value in range(10)]
    return [*"0123456789", *short, *(str(year) for year in range(1500, 2100))]


def choose_vocabulary(
    texts: Texts, words: Mapping[str, float], charsmap: bytes, size: int, latin_size: int
) -> Vocabulary:
    """The ``size`` tokens that cover the texts best, at most ``latin_size`` of them Latin.

    Every Chinese character that occurs in a text or a word is one of them.

    Args:
        texts: Running text by collection; every collection counts the same, however long it is.
        words: Chinese candidates with a first count.

    Raises:
        ValueError: if ``size`` leaves no room for the characters, numbers and bytes.
    """
    first = _candidates(texts, words, normalizers.Precompiled(charsmap).normalize_str)
    usage = _usage(texts, first, charsmap)
    letters = "abcdefghijklmnopqrstuvwxyz"
    characters = sorted(token for token in first if len(token) == 1 and not token.isascii())
    fixed = [UNKNOWN, *BYTES, *numbers(), *letters, *characters]
    room = size - len(fixed)
    if room < 0:
        raise ValueError(f"A vocabulary of {size} cannot hold the {len(fixed)} characters, numbers and bytes.")
    latin_size = min(latin_size, room)
    pieces_size = int(latin_size * _LATIN_PIECES)
    open_tokens = set(first).difference(fixed)
    ranked = _ranked((token for token in open_tokens if LATIN.fullmatch(token)), usage, first)
    whole = ranked[: latin_size - pieces_size]
    latin = whole + _pieces(ranked[len(whole) :], set(whole).union(letters), pieces_size)
    han = (token for token in open_tokens if HAN.fullmatch(token) and not _NUMERAL.fullmatch(token))
    tokens = [*fixed, *latin, *_ranked(han, usage, first)[: room - len(latin)]]
    shares = _usage(texts, {token: first.get(token, _UNSEEN) for token in tokens}, charsmap)
    least = min((share for share in shares.values() if share > 0), default=1e-6)
    frequencies = tuple(shares.get(token, 0.0) or least / 2 for token in tokens)
    scores = tuple(_score(token, share) for token, share in zip(tokens, frequencies, strict=True))
    return Vocabulary(tuple(tokens), scores, frequencies)


def parts_of_words(vocabulary: Vocabulary, charsmap: bytes) -> Ragged:
    """For each token the likeliest shorter tokens that make it up; a Latin word, a number or a character is itself."""
    parts = [[row] for row in range(len(vocabulary.tokens))]
    lengths = [len(token) if HAN.fullmatch(token) else 0 for token in vocabulary.tokens]
    for length in range(2, max(lengths) + 1):
        shorter = [row for row in range(len(lengths)) if lengths[row] < length]
        cutter = build_tokenizer(
            [vocabulary.tokens[row] for row in shorter], [vocabulary.scores[row] for row in shorter], charsmap
        )
        words = [row for row in range(len(lengths)) if lengths[row] == length]
        cut = encode_all(cutter, (vocabulary.tokens[row] for row in words))
        for row, ids in zip(words, cut, strict=True):
            parts[row] = [shorter[place] for place in ids]
    return Ragged.of(parts)


def _candidates(texts: Texts, words: Mapping[str, float], fold: Callable[[str], str]) -> dict[str, float]:
    """Every candidate with a first count: the given words, the Latin words of the texts, and all letters."""
    seen: Counter[str] = Counter()
    for collection in texts.values():
        for text in collection:
            folded = fold(text)
            seen.update(match for match in re.findall(r"[a-z]+", folded) if 1 < len(match) <= _LONGEST_LATIN)
            seen.update(character for character in folded if not character.isascii() and character.isalpha())
    counts = {token: float(count) for token, count in seen.items() if count > 1 or len(token) == 1}
    for word, count in words.items():
        folded = fold(word)
        if len(folded) <= _LONGEST_HAN and HAN.fullmatch(folded):
            # A character is counted as a word here, not by its place inside others.
            counts[folded] = max(count, _UNSEEN) + (counts.get(folded, 0.0) if len(folded) > 1 else 0.0)
            for character in folded:
                counts.setdefault(character, _UNSEEN)
    return counts


def _pieces(words: Iterable[str], taken: set[str], count: int) -> list[str]:
    """The beginnings and endings that most of the words share, for cutting words the vocabulary lacks."""
    found: Counter[str] = Counter()
    for word in words:
        for length in range(2, min(7, len(word))):
            found.update({word[:length]: length, word[-length:]: length})
    ranked = sorted((piece for piece in found if piece not in taken), key=lambda piece: (-found[piece], piece))
    return ranked[:count]


def _usage(texts: Texts, counts: Mapping[str, float], charsmap: bytes) -> dict[str, float]:
    """The share of each token in the texts as a tokenizer over ``counts`` cuts them, collections averaged."""
    tokens = [UNKNOWN, *BYTES, *(token for token in counts if token not in _MARKS)]
    total = sum(counts.values())
    scores = [_score(token, counts.get(token, _UNSEEN) / total) for token in tokens]
    tokenizer = build_tokenizer(tokens, scores, charsmap)
    shares: Counter[str] = Counter()
    for collection in texts.values():
        found: Counter[int] = Counter()
        for ids in encode_all(tokenizer, collection):
            found.update(ids)
        length = max(1, found.total())
        for token_id, count in found.items():
            shares[tokens[token_id]] += count / length / len(texts)  # type: ignore[assignment]
    return dict(shares)


def _ranked(tokens: Iterable[str], usage: Mapping[str, float], first: Mapping[str, float]) -> list[str]:
    """The most used first; among the unused, the shorter and the more often counted."""
    return sorted(tokens, key=lambda token: (-usage.get(token, 0.0), len(token), -first[token], token))


def _score(token: str, share: float) -> float:
    return math.log(share) - _WHOLE_WORD * token.isascii()


_MARKS = {UNKNOWN, *BYTES}
