"""Which of the ranked passages are kept, and in which order they are shown.

By relevance a weak tail does no harm, it is read last. By date it would stand first, so what is far behind the best
passage is left out there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from index import fusion
from index.candidates import Ranked
from index.document import Document, SearchRequest
from index.hits import SCORE_DIGITS

DEPTH_BY_DATE = 500  # candidates of each index; the same on every page, so that no page changes the order of another
_BEHIND = 0.5  # of the best score: below, a passage is not shown among those ordered by date


def sure_enough(request: SearchRequest, ranked: Ranked) -> Ranked:
    """The candidates above the cut-off of a request."""
    # Compared as shown, so that a shown score given as min_score keeps its hit.
    scores = np.round(ranked.scores.astype(np.float64), SCORE_DIGITS)
    cut_off = fusion.CUT_OFF if request.min_score is None else request.min_score
    if request.sort != "relevance" and request.min_score is None:
        cut_off = max(cut_off, _BEHIND * float(scores.max(initial=0.0)))
    return ranked.take(np.flatnonzero(scores >= cut_off))


def in_order(request: SearchRequest, ranked: Ranked, documents: Mapping[int, Document]) -> Ranked:
    """The candidates in the order wanted; those of one date stay by relevance, those without a date come last."""
    if request.sort == "relevance":
        return ranked
    dates = [documents[number].date if number in documents else "" for number in ranked.known.documents.tolist()]
    places = sorted(range(len(dates)), key=lambda place: dates[place], reverse=request.sort == "-date")
    places.sort(key=lambda place: not dates[place])
    return ranked.take(np.array(places, np.int64))
