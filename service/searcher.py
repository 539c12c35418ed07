"""Searches as the service does them: so many at once, and each one counted and timed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from index.corpus import Corpus
from index.document import Answer, SearchRequest
from service.gate import Gate
from service.metrics import Metrics


class Searcher:
    """Asks the corpus when it is one's turn.

    :param corpus: What is searched.
    :param gate: How many searches may run at once.
    :param metrics: Where searches are counted, and their stages timed.
    """

    def __init__(self, corpus: Corpus, gate: Gate, metrics: Metrics) -> None:
        self._corpus = corpus
        self._gate = gate
        self._metrics = metrics

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a place while the block runs, in which :meth:`ask` may be called several times.

        :raises OverloadedError: There are too many already.
        """
        with self._gate.enter():
            yield

    def ask(self, request: SearchRequest) -> Answer:
        """Answer a query inside a turn; raises what ``Corpus.search`` raises."""
        return self._noted(self._corpus.search(request))

    def search(self, request: SearchRequest) -> Answer:
        """Answer a query when it is its turn."""
        with self.turn():
            return self.ask(request)

    def similar(self, passage_id: str, limit: int) -> Answer:
        """Answer with passages like one, when it is its turn."""
        with self.turn():
            return self._noted(self._corpus.similar(passage_id, limit=limit))

    def _noted(self, answer: Answer) -> Answer:
        self._metrics.count_search(answer)
        return answer
