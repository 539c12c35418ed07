"""Adaptation: the compact model goes on learning from an archive's own texts, without labels.

Pairs come from the texts themselves: a sentence and the rest of its passage (inverse cloze task, Lee et al. 2019),
a headline and its text, an article's first sentence and its later passages; words that both sides share are dropped
part of the time, so that the rest has to be found by meaning. Some documents are held back, and finding their
sentences' places before and after says what it was worth.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.chinese import sentences
from index.errors import SettingError
from index.evaluation import ndcg
from index.interaction import query_words, scores
from index.training.contrastive import Schedule, train
from index.training.neighbours import nearest_words, write_neighbours
from index.training.pairs import PairSet
from index.training.quantise import write_model
from index.training.ragged import Ragged
from index.wordtable import WordTable

Article = Sequence[tuple[str, str]]  # the passages of a document: (title, text)

_LENGTH = range(8, 91)  # characters of a sentence worth asking for
_HELD_BACK, _MOST_HELD_BACK = 0.05, 300  # documents
_DISTRACTORS = 20_000  # passages the held-back ones are looked for among
_MOST_PAIRS = 600_000  # keeps the largest archives to minutes
_LEAST_PAIRS = 1_000
_STEPS = 250
_RESCORED = 100


@dataclass(frozen=True)
class Found:
    """How often the known items were found among the first ten, and their nDCG@10; each 0..1."""

    recall: float
    ndcg: float


@dataclass(frozen=True)
class Report:
    """What an adaptation did.

    Attributes:
        pairs: What was learned from.
        items: Known items, of documents that were held back.
        before, after: By the pooled vectors alone, and rescored by late interaction.
    """

    pairs: int
    items: int
    before: tuple[Found, Found]
    after: tuple[Found, Found]


@dataclass(frozen=True)
class _Item:
    """A sentence of a document, to be found by."""

    query: str
    document: int


def adapt(articles: Iterable[Article], table: WordTable, folder: Path, *, seed: int = 1) -> Report:
    """Write a model to ``folder`` that went on learning from these articles.

    Args:
        articles: Every document's passages.
        table: The bundled word table, where it starts.
        folder: The new model's; one that is there is replaced.

    Raises:
        SettingError: There is too little text.
    """
    rng = random.Random(seed)  # noqa: S311 - which sentences to learn from is no secret
    held_back, learned = _parted(list(articles), rng)
    items, passages, owners = _known_items(held_back, learned, rng)
    pair_sets = _pair_sets(learned, table, rng)
    pairs = sum(len(pair_set) for pair_set in pair_sets)
    if pairs < _LEAST_PAIRS or not items:
        raise SettingError(
            f"The archive has too little text to adapt to: {pairs} pairs of texts where {_LEAST_PAIRS} are needed; "
            "add more documents first.",
            f"档案的文字太少，无法适配：只有 {pairs} 对文本，至少需要 {_LEAST_PAIRS} 对；请先加入更多文档。",
        )
    before = _measured(table, items, passages, owners)
    # A higher rate (0.004, three epochs) takes the Chinese words away from the English ones: on the news archive's
    # known items all 79.7 instead of 80.6, English 65 instead of 74.
    schedule = Schedule(
        epochs=min(4, max(2, round(_STEPS * Schedule.batch / pairs))), rate=0.002, most_dropped=0.5, split=0.0
    )
    adapted = train(table.vectors(np.arange(len(table), dtype=np.uint32)), pair_sets, schedule, seed)
    present = np.zeros(len(table), np.bool_)
    for pair_set in pair_sets:
        present[pair_set.passages.ids] = True
    write_model(folder, table.tokenizer, adapted, _CARD)
    write_neighbours(folder, nearest_words(adapted, table.tokens(), present))
    after = _measured(WordTable.read(folder), items, passages, owners)
    return Report(pairs, len(items), before, after)


_CARD = """\
---
license: cc-by-sa-4.0
---

The compact model after further training on the texts of one archive; see `python -m scripts.train_model --adapt`.
"""


def _parted(articles: list[Article], rng: random.Random) -> tuple[list[Article], list[Article]]:
    """Documents to be found, and documents to learn from."""
    count = min(_MOST_HELD_BACK, max(1, round(_HELD_BACK * len(articles)))) if len(articles) > 1 else 0
    chosen = set(rng.sample(range(len(articles)), count))
    held_back = [article for place, article in enumerate(articles) if place in chosen]
    return held_back, [article for place, article in enumerate(articles) if place not in chosen]


def _parts(text: str) -> list[str]:
    return [text[start:end].strip() for start, end in sentences(text)]


def _asking(parts: Sequence[str]) -> list[int]:
    """Places of the sentences worth asking for, where something is left without them."""
    return [place for place, part in enumerate(parts) if len(part) in _LENGTH] if len(parts) > 1 else []


def _without(parts: Sequence[str], place: int) -> str:
    return "".join(part for other, part in enumerate(parts) if other != place)


def _known_items(
    held_back: Sequence[Article], learned: Sequence[Article], rng: random.Random
) -> tuple[list[_Item], list[str], NDArray[np.int64]]:
    """One sentence of each held-back document, all passages it is looked for among, and whose they are (-1: others).

    The sentence itself is taken out of its passage.
    """
    items: list[_Item] = []
    passages: list[str] = []
    owners: list[int] = []
    for document, article in enumerate(held_back):
        texts = [text for _, text in article]
        cut = [_parts(text) for text in texts]
        choices = [(place, part) for place, parts in enumerate(cut) for part in _asking(parts)]
        if choices:
            place, part = rng.choice(choices)
            items.append(_Item(cut[place][part], document))
            texts[place] = _without(cut[place], part)
        passages += texts
        owners += [document] * len(texts)
    others = [text for article in learned for _, text in article]
    others = rng.sample(others, min(len(others), _DISTRACTORS))
    return items, passages + others, np.array(owners + [-1] * len(others), np.int64)


def _pair_sets(articles: Sequence[Article], table: WordTable, rng: random.Random) -> list[PairSet]:
    kinds: dict[str, list[tuple[str, str, int]]] = {"sentence": [], "headline": [], "lead": []}
    for document, article in enumerate(articles):
        lead = ""
        for title, text in article:
            parts = _parts(text)
            if asking := _asking(parts):
                place = rng.choice(asking)
                kinds["sentence"].append((parts[place], _without(parts, place), document))
            if title:
                kinds["headline"].append((title, text, document))
            if lead:
                kinds["lead"].append((lead, text, document))
            elif parts:
                lead = parts[0]
    most = _MOST_PAIRS // len(kinds)
    return [
        _pair_set(kind, pairs if len(pairs) <= most else rng.sample(pairs, most), table)
        for kind, pairs in kinds.items()
        if pairs
    ]


def _pair_set(kind: str, pairs: Sequence[tuple[str, str, int]], table: WordTable) -> PairSet:
    queries = Ragged.of(table.ids([query for query, _, _ in pairs]))
    passages = Ragged.of(table.ids([passage for _, passage, _ in pairs]))
    # Texts of one document are right answers to one another, or nearly.
    groups = np.array([document for *_, document in pairs], np.int64)
    usable = np.flatnonzero((queries.lengths > 0) & (passages.lengths > 0))
    return PairSet(kind, queries.take(usable), passages.take(usable), groups[usable], 1.0)


def _measured(
    table: WordTable, items: Sequence[_Item], passages: Sequence[str], owners: NDArray[np.int64]
) -> tuple[Found, Found]:
    """The known items found by the pooled vectors alone, and rescored by late interaction, evenly mixed."""
    vectors = table.pooled(passages)
    ids = table.ids(passages)
    pooled: list[list[int]] = []
    rescored: list[list[int]] = []
    for item, vector in zip(items, table.pooled([item.query for item in items]), strict=True):
        cosines = vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:_RESCORED]
        pooled.append(_gains(owners[best], item.document))
        words = query_words(table, item.query, lambda pieces: [1.0] * len(pieces))
        both = cosines[best] + scores(words, [ids[place] for place in best])
        rescored.append(_gains(owners[best[np.argsort(-both, kind="stable")]], item.document))
    return _found(pooled), _found(rescored)


def _gains(owners: NDArray[np.int64], document: int) -> list[int]:
    """Whether each of the first ten documents is the right one; of a document only its best passage counts."""
    gains: list[int] = []
    seen: set[int] = set()
    for owner in owners.tolist():
        if owner == -1 or owner not in seen:
            seen.add(owner)
            gains.append(int(owner == document))
        if len(gains) == 10:
            break
    return gains


def _found(rows: Sequence[Sequence[int]]) -> Found:
    return Found(
        recall=float(np.mean([any(gains) for gains in rows])),
        ndcg=float(np.mean([ndcg(gains, [1], 10) for gains in rows])),
    )
