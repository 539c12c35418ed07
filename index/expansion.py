"""More words to ask the word index for: the nearest neighbours of the query's words in the table.

Whoever asks in other words than the archive's, or in English, reaches its passages by these; without them the
dense index alone would have to find such candidates.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from index.chinese import fold, is_cjk, tokens
from index.interaction import QueryWords
from index.wordtable import WordTable

# Measured on the news archive's known items, right story among 300 candidates of the word index, without -> with:
# English 25 -> 90 %, paraphrase 91 -> 93 %, all other kinds and STARD unchanged; of both indexes together English
# 75 -> 92 %, paraphrase 94 -> 95 %. Factors from 0.3 to 0.8 and cosines from 0.4 to 0.45 do the same, 0.55 half of it.
_FACTOR = 0.3
_LEAST_COSINE = 0.45
_HEAVY = 0.5  # words that weigh less than this share of the mean are not worth asking for otherwise
_MOST = 48  # tokens added, so that a long query stays quick


def expanded(table: WordTable, query: QueryWords, weights: Mapping[str, float]) -> dict[str, float]:
    """Tokens that the query's own do not have, with factors on their BM25 scores.

    A neighbour of several tokens spreads its factor over them, so that half a word never counts as the whole.

    Args:
        weights: The query's own tokens.
    """
    found: dict[str, float] = {}
    heavy = [word.id for word, weight in zip(query.words, query.weights, strict=True) if weight * len(query) >= _HEAVY]
    for near in table.neighbours(np.array(list(dict.fromkeys(heavy)), np.uint32)):
        for neighbour, cosine in near:
            if cosine < _LEAST_COSINE:
                continue
            parts = [token for token in tokens(fold(neighbour)) if len(token) > 1 or not is_cjk(token)]
            for token in parts:
                if token not in weights:
                    found[token] = max(found.get(token, 0.0), _FACTOR * cosine**2 / len(parts))
    strongest = sorted(found, key=lambda token: (-found[token], token))[:_MOST]
    return {token: found[token] for token in strongest}
