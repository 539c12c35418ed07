"""How rare words are in an archive: inverse document frequencies, asked of one view."""

from __future__ import annotations

import math
from collections.abc import Sequence

from index.chinese import fold, tokens
from index.engine import View


class Rarity:
    """Inverse document frequencies of tokens and words, in one view's archive."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._count = max(view.passages, 1)
        self._known: dict[str, int] = {}

    def ask(self, terms: Sequence[str]) -> None:
        """Look up several tokens at once."""
        new = [term for term in dict.fromkeys(terms) if term not in self._known]
        self._known.update(zip(new, self._view.frequencies(new), strict=True))

    def count(self, term: str) -> int:
        """In how many passages a token occurs."""
        if term not in self._known:
            self.ask([term])
        return self._known[term]

    def share(self, term: str) -> float:
        """In which share of the passages a token occurs."""
        return self.count(term) / self._count

    def idf(self, term: str) -> float:
        """BM25's inverse document frequency of a token, as Tantivy counts it."""
        frequency = self.count(term)
        return math.log(1 + (self._count - frequency + 0.5) / (frequency + 0.5))

    def of_words(self, words: Sequence[str]) -> list[float]:
        """For words of any length: the idf of their rarest token, 0 for what is no word."""
        tokens_of = [tokens(fold(word)) for word in words]
        self.ask([token for some in tokens_of for token in some])
        return [max(map(self.idf, some), default=0.0) for some in tokens_of]
