"""Lists of scores -> one ranking, and scores that mean the same from one query to the next.

Fusing is a convex combination of scores normalised for each query; the word side's weight gives way where the
query's words do not occur in the archive. What is shown to users is a second, absolute score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.document import Mode

Scores = npt.NDArray[np.float32]

# Chosen on data/eval (candidates of 700 queries a set, the news archive's 160): nDCG@10 moves by less than half a
# point for words 0.5 to 0.6, FULL_COVERAGE 0.25 to 0.35, interaction 0.35 to 0.45, all beside the compact model.
FULL_COVERAGE = 0.3


@dataclass(frozen=True, slots=True)
class Weights:
    """How much stages count beside an embedding model, 0..1; as they stand, beside the compact one.

    Attributes:
        words: Words, against meaning.
        interaction: Late interaction over the compact model's word vectors, against both.
    """

    words: float = 0.6
    interaction: float = 0.4


BESIDE_COMPACT = Weights()
# Beside a model that understands more, measured with multilingual-e5-small: nDCG@10 of DuReader-robust (354 queries),
# DRCD dev (392) and CMRC 2018 dev (358) with 0.6 and 0.4: 89.2, 98.3, 99.1; 0.4 and 0.2: 92.0, 98.2, 99.4;
# 0.3 and 0.2: 92.8, 98.2; 0.2 and 0.2: 93.6, 97.9. Meaning alone has 93.1 of all DuReader's queries.
BESIDE_BIGGER = Weights(words=0.3, interaction=0.2)
# How much counts what a passage's document says in all its candidates together beyond the best of them: a query may
# put together what stands in several. The same for all passages of a document, whose own order stays. nDCG@10
# (recall@10) of the news's known items with 0, 0.3, 0.5, 0.7, 1: 80.0 (87.1), 80.5 (88.3), 80.9 (88.3), 80.6 (87.7),
# 80.9 (87.7); adapted 81.1 (89.0), 82.4 (89.6), 82.2 (89.8), 82.0 (89.8), 82.1 (89.6). Sets of short documents stay
# within 0.05. Reading the documents' other passages too adds 0.3, and costs as much again.
TOGETHER_WEIGHT = 0.5

# A logistic regression of "this passage answers" on meaning and interaction, fitted on the best right passage of
# 1,260 answerable queries against the best passage of 1,538 queries asked of an archive about something else, every
# set weighing the same. Coverage beside the two improves its loss by less than 0.001, so it has no part.
BIAS, OF_MEANING, OF_INTERACTION = -4.84, 4.15, 4.98
# Below, a passage is dropped. It costs 0.5 % of the answerable queries their right answer, and 45 % of those asked of
# an archive about something else get nothing (0.08 would cost 1.1 % for 56 %, but every twentieth on small archives:
# the weak flag is kinder).
CUT_OFF = 0.06
# Below, the whole answer is called weak: 94 % of the queries asked of an archive about something else get nothing or
# a weak answer, and 9 % of the right answers are called weak.
SURE = 0.4
# Where a passage has nearly every word of the query, rare ones above all, the answer is sure: a name has no meaning
# that vectors know. Of 100 people's names drawn from the news archive 90 are found first, 13 of them called weak
# without this and 1 with it; of 41 questions that it tells nothing of, as many get nothing or a weak answer.
_COVERED, _SAID = 0.9, 0.95


@dataclass(frozen=True, slots=True)
class Signals:
    """What each stage says about the candidates of one query; arrays of equal length.

    Attributes:
        coverage: BM25 as a share of what the query could reach: the summed idf of its tokens. May exceed 1.
        meaning: Cosine of query and passage on a scale common to all models: 0 for unrelated texts, 1 where it
            usually lies for an answer; may lie outside. ``None`` without vectors.
        interaction: Late-interaction score, 0..1.
        together: How much more all candidates of the passage's document say together than the best of them; 0..1.
    """

    coverage: Scores
    meaning: Scores | None
    interaction: Scores
    together: Scores


def meaning_of(cosines: Scores, coverage: Scores, unrelated: float, related: float) -> Scores:
    """Cosines on the scale of ``Signals.meaning``; where one is not embedded yet, its words speak."""
    meaning: Scores = (cosines - unrelated) / (related - unrelated)
    return np.where(np.isnan(meaning), _meant_by_words(coverage), meaning).astype(np.float32)


def word_weight(coverage: Scores, weights: Weights = BESIDE_COMPACT) -> float:
    """How much words count for this query: fully where its best passage holds a fair share of what it asks."""
    best = float(coverage.max(initial=0.0))
    return weights.words * min(1.0, best / FULL_COVERAGE)


def first_stage(coverage: Scores, meaning: Scores | None, weights: Weights = BESIDE_COMPACT) -> Scores:
    """Words and meaning fused, before rescoring; only the order means anything."""
    words = _by_best(coverage)
    if meaning is None:
        return words
    weight = word_weight(coverage, weights)
    return weight * words + (1 - weight) * _by_range(meaning)


def fused(signals: Signals, mode: Mode, weights: Weights = BESIDE_COMPACT) -> Scores:
    """Ranking scores of the candidates; only their order means anything."""
    if mode == "dense" and signals.meaning is not None:
        return signals.meaning
    if mode == "lexical":
        return signals.coverage
    first = first_stage(signals.coverage, signals.meaning, weights)
    interaction = signals.interaction + TOGETHER_WEIGHT * signals.together
    return (1 - weights.interaction) * first + weights.interaction * _by_range(interaction)


def absolute(signals: Signals) -> Scores:
    """How surely each candidate answers, 0..1, comparable between queries: a logistic model over the signals."""
    meaning = signals.meaning if signals.meaning is not None else _meant_by_words(signals.coverage)
    total = BIAS + OF_MEANING * meaning + OF_INTERACTION * signals.interaction
    result: Scores = (1 / (1 + np.exp(-total))).astype(np.float32)
    written = (signals.coverage >= _COVERED) & (signals.interaction >= _SAID)
    return np.where(written, np.maximum(result, np.float32(SURE)), result)


def _meant_by_words(coverage: Scores) -> Scores:
    return (1.5 * np.minimum(coverage, 1.0)).astype(np.float32)


def _by_best(values: Scores) -> Scores:
    best = float(values.max(initial=0.0))
    return values / best if best > 0 else values


def _by_range(values: Scores) -> Scores:
    if not len(values):
        return values
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.ones_like(values)
