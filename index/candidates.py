"""Which passages could answer, in which order: both indexes asked, fused and rescored.

Works on passage numbers and what an engine's view has at hand; texts come later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from index import fusion
from index.chinese import ParsedQuery, fold, is_cjk, tokens, unmarked
from index.document import Mode
from index.engine import Filter, Found, Known, Numbers, View
from index.engine.schema import Row
from index.expansion import expanded
from index.forms import forms_of, weighed
from index.interaction import QueryWords, scores_with_documents
from index.rarity import Rarity
from index.wordtable import WordTable

_DEPTH_BY_PHRASE = 1_000  # candidates that are checked for a quoted phrase
_RESCORED = 200  # 120 and 300 are within 0.3 nDCG@10 on every set, and 300 takes a third longer
_SURELY = 100  # first ones by words; nearly all of them will be rescored
# A token in more than this share of the passages is not asked for where there are many of them: reading where it stands
# takes half the time of word search. The second question, with other words, only widens what the first one found.
# Measured on the news archive: 4.5 -> 2.7 ms for the first, 3.5 -> 1.2 ms for the second; nDCG@10 of every set and kind
# within 0.3 of what it was, while leaving out tokens in 10 % of the passages at first loses 1.0, most in paraphrases.
_MANY, _EVERYWHERE, _FREQUENT = 10_000, 0.3, 0.05
# FAISS and Tantivy work outside Python's lock, so that each has a core where there are two. Passages from which on the
# dense index takes longer than handing over to another thread.
_WORTH_A_THREAD = 10_000
_beside = ThreadPoolExecutor(thread_name_prefix="dense")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the candidates are asked by.

    Attributes:
        vector: Of the query; ``None`` in lexical mode, and where the model failed.
        depth: How many candidates each index is asked for.
        without: Stages left out, see ``SearchRequest``.
        unrelated, related, weights: What the model's cosines mean and are worth, see ``model_cards.ModelCard``.
    """

    mode: Mode
    vector: npt.NDArray[np.float32] | None
    depth: int
    only: Filter
    unrelated: float = 0.0
    related: float = 1.0
    weights: fusion.Weights = fusion.BESIDE_COMPACT
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates in their final order with all that is known of them; arrays of equal length.

    Attributes:
        complete: Whether these are surely all the candidates there are.
    """

    numbers: Numbers
    scores: npt.NDArray[np.float32]
    signals: fusion.Signals
    known: Known
    complete: bool = False

    def take(self, chosen: npt.NDArray[np.int64]) -> Ranked:
        """The candidates at these places, in this order."""
        signals = fusion.Signals(
            self.signals.coverage[chosen],
            None if self.signals.meaning is None else self.signals.meaning[chosen],
            self.signals.interaction[chosen],
            self.signals.together[chosen],
        )
        known = Known(self.known.documents[chosen], self.known.keys[chosen], self.known.cosines[chosen], ())
        return Ranked(self.numbers[chosen], self.scores[chosen], signals, known, self.complete)

    def followed_by(self, other: Ranked) -> Ranked:
        """These and then those of ``other`` that are not among them, whose scores are no higher."""
        new = other.take(np.flatnonzero(~np.isin(other.numbers, self.numbers)))
        lowest = float(self.scores[-1]) if len(self.scores) else 1.0
        mine, its = self.signals, new.signals
        signals = fusion.Signals(
            np.concatenate([mine.coverage, its.coverage]),
            None if mine.meaning is None or its.meaning is None else np.concatenate([mine.meaning, its.meaning]),
            np.concatenate([mine.interaction, its.interaction]),
            np.concatenate([mine.together, its.together]),
        )
        return Ranked(
            np.concatenate([self.numbers, new.numbers]),
            np.concatenate([self.scores, np.minimum(new.scores, lowest)]),
            signals,
            replace(self.known, tokens=()).followed_by(new.known),
            other.complete,
        )


def ranked_candidates(
    view: View,
    table: WordTable,
    query: ParsedQuery,
    words: QueryWords,
    asked: Asked,
    rarity: Rarity,
    stage: Callable[[str], AbstractContextManager[None]],
) -> Ranked:
    """Candidates of all stages the mode allows, best first.

    Args:
        words: Of the query.
        stage: Times the stages by name.
    """
    required = _required(query.phrases)
    with stage("dense"):
        dense = _dense(view, asked, required)
    terms, reach = _asked_for(query, rarity)
    with stage("lexical"):
        lexical = Found.nothing()
        if asked.mode != "dense" or required:
            depth = max(asked.depth, _DEPTH_BY_PHRASE) if required else asked.depth
            lexical = view.lexical(terms, required, depth, asked.only)
            if required and not len(lexical.numbers):  # marks may stand between, as in 为“面子”
                required = _required(query.phrases, by_character=True)
                lexical = view.lexical(terms, required, depth, asked.only)
            best = float(lexical.scores.max(initial=0.0))
            # The archive does not say it in these words: ask in others too.
            if asked.mode == "hybrid" and "expansion" not in asked.without and best < fusion.FULL_COVERAGE * reach:
                more = _selective(terms | expanded(table, words, terms), rarity, _FREQUENT)
                lexical = _both(lexical, view.lexical(more, required, depth, asked.only))
    numbers, known = _all_known(view, lexical, dense, asked.vector, words, stage)
    with stage("fuse"):
        coverage = np.zeros(len(numbers), np.float32)
        if asked.mode != "dense" and reach > 0:
            coverage[: len(lexical.numbers)] = lexical.scores / reach
        meaning = None
        if asked.vector is not None:
            meaning = fusion.meaning_of(known.cosines, coverage, asked.unrelated, asked.related)
    with stage("interaction"):
        first = fusion.first_stage(coverage, meaning, asked.weights)
        signals = fusion.Signals(coverage, meaning, *_rescored(words, first, known))
    scores = fusion.absolute(signals)
    ranking = first if "interaction" in asked.without else fusion.fused(signals, asked.mode, asked.weights)
    order = np.lexsort((numbers, -ranking))
    ranked = Ranked(numbers, scores, signals, known).take(order)
    if len(order):  # the absolute score is what is shown: it must not rise down the list
        ranked = replace(ranked, scores=np.minimum.accumulate(ranked.scores))
    return replace(ranked, complete=asked.mode == "lexical" and len(lexical.numbers) < asked.depth)


def _dense(view: View, asked: Asked, required: Sequence[str]) -> Future[Found]:
    """Ask the dense index, beside what follows where that is worth a thread."""
    found: Future[Found] = Future()
    # Quoted words are asked of the word index; where there is none, the nearest passages are looked through for them.
    if asked.vector is None or (required and "lexical" not in view.missing):
        found.set_result(Found.nothing())
    elif view.passages >= _WORTH_A_THREAD:
        return _beside.submit(view.dense, asked.vector, asked.depth, asked.only)
    else:
        found.set_result(view.dense(asked.vector, asked.depth, asked.only))
    return found


def _all_known(
    view: View,
    lexical: Found,
    dense: Future[Found],
    vector: npt.NDArray[np.float32] | None,
    words: QueryWords,
    stage: Callable[[str], AbstractContextManager[None]],
) -> tuple[Numbers, Known]:
    """All candidates, those by words first, and what is known of them."""
    known = None
    if len(lexical.numbers) and not dense.done():  # what can be done for these meanwhile
        with stage("fuse"):
            known = view.known(lexical.numbers, vector)
        with stage("interaction"):
            words.near.of(np.concatenate(known.tokens[:_SURELY]))  # keeps what it compares
    with stage("dense"):
        near = dense.result()
    with stage("fuse"):
        others = np.setdiff1d(near.numbers, lexical.numbers)
        numbers = np.concatenate([lexical.numbers, others])
        if known is None:
            return numbers, view.known(numbers, vector)
        return numbers, known.followed_by(view.known(others, vector))


def _asked_for(query: ParsedQuery, rarity: Rarity) -> tuple[dict[str, float], float]:
    """The tokens asked of the word index, with their factors, and the most that a passage with all of them scores."""
    own = {term: float(count) for term, count in Counter(tokens(query.sought)).items()}
    terms, reach = weighed(_selective(own, rarity, _EVERYWHERE) or own, forms_of(query, rarity), rarity)
    return _selective(terms, rarity, _EVERYWHERE) or terms, reach


def _selective(terms: Mapping[str, float], rarity: Rarity, most: float) -> dict[str, float]:
    """The tokens that are not in too many passages, ``most`` being a share of them."""
    rarity.ask(list(terms))
    return {term: factor for term, factor in terms.items() if rarity.count(term) <= _MANY or rarity.share(term) <= most}


def _both(first: Found, second: Found) -> Found:
    """The passages of both lists, those in both with the first one's score."""
    new = ~np.isin(second.numbers, first.numbers)
    return Found(
        np.concatenate([first.numbers, second.numbers[new]]), np.concatenate([first.scores, second.scores[new]])
    )


def _required(phrases: Sequence[str], *, by_character: bool = False) -> list[str]:
    """Tokens that every passage with these phrases has: pairs where there are any, single characters otherwise; or
    words and single characters alone, which passages with marks within have too."""
    found: set[str] = set()
    for phrase in phrases:
        all_tokens = tokens(phrase)
        if by_character:
            found.update(token for token in all_tokens if len(token) == 1 or not is_cjk(token[0]))
        else:
            found.update([token for token in all_tokens if len(token) > 1] or all_tokens)
    return sorted(found)


def _rescored(words: QueryWords, first: fusion.Scores, known: Known) -> tuple[fusion.Scores, fusion.Scores]:
    """Late interaction for the candidates the first stage likes best, and what their documents say beyond the best."""
    best = np.argsort(-first, kind="stable")[:_RESCORED]
    both = scores_with_documents(words, [known.tokens[place] for place in best], known.documents[best])
    own, together = (_spread(scores, best, len(first)) for scores in both)
    return own, together


def _spread(scores: fusion.Scores, best: npt.NDArray[np.int64], count: int) -> fusion.Scores:
    """The scores of the candidates at these places; the others are as bad as the worst that was looked at, as a lower
    value would squeeze the scale of the rest."""
    spread = np.full(count, scores.min(initial=1.0), np.float32)
    spread[best] = scores
    return spread


def holding(phrases: Sequence[str], numbers: Numbers, texts: dict[int, Row]) -> npt.NDArray[np.int64]:
    """Places of the candidates whose text or title holds every phrase."""
    kept = []
    for place, number in enumerate(numbers):
        row = texts.get(int(number))
        if row is None:
            continue
        written = unmarked(fold(f"{row.passage.title}\n{row.passage.text}"))
        if all(unmarked(phrase) in written for phrase in phrases):
            kept.append(place)
    return np.array(kept, dtype=np.int64)


def first_of_each(labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Places of the first candidate with each label, in order."""
    _, first = np.unique(labels, return_index=True)
    return np.sort(first)
