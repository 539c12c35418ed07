"""Lists of scores -> one ranking, and scores that mean the same from one query to the next.

Fusing is a convex combination of scores normalised for each query; the word side's weight gives way where the
query's words do not occur in the archive. What is shown to users is a second, absolute score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]

# Measured on the evaluation sets, see the table in README.md; `python -m scripts.evaluate` shows what they give.
WORD_WEIGHT = 0.5
FULL_COVERAGE = 0.35
INTERACTION_WEIGHT = 0.45
# Logistic model of "this passage answers": bias, then weights of coverage, cosine and interaction.
ABSOLUTE = (-4.0, 2.0, 3.0, 4.0)
CUT_OFF = 0.1  # below, a passage is dropped
SURE = 0.3  # below, the whole answer is called weak


@dataclass(frozen=True, slots=True)
class Signals:
    """What each stage says about the candidates of one query; arrays of equal length.

    Attributes:
        coverage: BM25 as a share of what the query could reach: the summed idf of its tokens. May exceed 1.
        cosine: Of query and passage, mapped to 0..1 by the model's floor and ceiling; ``None`` without vectors.
        interaction: Late-interaction score, 0..1; ``None`` without a word table.
    """

    coverage: Scores
    cosine: Scores | None
    interaction: Scores | None


def word_weight(coverage: Scores) -> float:
    """How much words count for this query: fully where its best passage holds a fair share of what it asks."""
    best = float(coverage.max()) if len(coverage) else 0.0
    return WORD_WEIGHT * min(1.0, best / FULL_COVERAGE)


def fused(signals: Signals) -> Scores:
    """Ranking scores of the candidates; only their order means anything."""
    words = _by_best(signals.coverage)
    if signals.cosine is None:
        first = words
    else:
        weight = word_weight(signals.coverage)
        first = weight * words + (1 - weight) * _by_range(signals.cosine)
    if signals.interaction is None:
        return first
    return (1 - INTERACTION_WEIGHT) * first + INTERACTION_WEIGHT * _by_range(signals.interaction)


def absolute(signals: Signals) -> Scores:
    """How surely each candidate answers, 0..1, comparable between queries: a logistic model over the signals."""
    bias, of_words, of_meaning, of_interaction = ABSOLUTE
    coverage = np.minimum(signals.coverage, 1.0)
    # Without vectors the words have to speak for the meaning too.
    total = bias + of_words * coverage + of_meaning * (coverage if signals.cosine is None else signals.cosine)
    if signals.interaction is not None:
        total = total + of_interaction * signals.interaction
    result: Scores = (1 / (1 + np.exp(-total))).astype(np.float32)
    return result


def _by_best(values: Scores) -> Scores:
    best = float(values.max()) if len(values) else 0.0
    return values / best if best > 0 else values


def _by_range(values: Scores) -> Scores:
    if not len(values):
        return values
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.ones_like(values)
