"""Searches as the service does them: so many at once, and each one counted and timed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from index.corpus import Corpus
from index.document import Answer, SearchRequest
from service import sentences
from service.gate import Gate
from service.metrics import Metrics
from service.past_queries import PastQueries
from service.problems import RETRY_SECONDS, Problem
from service.query_log import QueryLog
from service.rates import neighbourhood
from service.tracing import client, is_keeper, note_query, since_arrival, stands_in_line

logger = logging.getLogger("xunzhang.service")


class Searcher:
    """Asks the corpus when it is one's turn.

    :param corpus: What is searched.
    :param gate: How many searches may run at once.
    :param metrics: Where searches are counted, and their stages timed.
    :param deadline: Seconds after a request's arrival from which no further query of it is begun.
    :param log: Where queries are kept, if anywhere.
    :param past: Where queries are counted to be suggested to others, if they are.
    """

    def __init__(
        self,
        corpus: Corpus,
        gate: Gate,
        metrics: Metrics,
        deadline: float,
        log: QueryLog | None = None,
        past: PastQueries | None = None,
    ) -> None:
        self._corpus = corpus
        self._gate = gate
        self._metrics = metrics
        self._deadline = deadline
        self._log = log
        self._past = past

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a place while the block runs, in which :meth:`ask` may be called several times.

        :raises OverloadedError: There are too many already.
        """
        with self._gate.enter(since_arrival(), joined=stands_in_line()):
            yield

    def ask(self, request: SearchRequest) -> Answer:
        """Answer a query inside a turn; raises what ``Corpus.search`` raises.

        :raises Problem: 503 where the request has taken too long already.
        """
        if since_arrival() > self._deadline:
            english, chinese = (sentence.format(seconds=self._deadline) for sentence in sentences.TOO_LATE)
            raise Problem(503, "unavailable", english, chinese, headers={"Retry-After": str(RETRY_SECONDS)})
        note_query(request.query)
        answer = self._noted(self._corpus.search(request))
        if self._log is not None and not request.offset:  # a further page is the same search
            try:
                self._log.write(request.query, answer)
            except OSError as error:  # a full disk must not keep anybody from searching
                logger.warning("the query log cannot be written: %s", error)
        return answer

    def search(self, request: SearchRequest, *, typing: bool = False) -> Answer:
        """Answer a query when it is its turn.

        :param typing: Whether it is only being typed yet, and does not count as asked.
        """
        with self.turn():
            answer = self.ask(request)
        if answer.hits and not answer.weak and not typing and not request.offset:
            self.meant(answer.suggestion or request.query)
        return answer

    def meant(self, query: str) -> None:
        """Count a query as one that somebody meant and found something with, unless it is a keeper of the archive."""
        if self._past is not None and not is_keeper():
            self._past.note(query, neighbourhood(client()))

    def similar(self, passage_id: str, limit: int) -> Answer:
        """Answer with passages like one, when it is its turn."""
        with self.turn():
            return self._noted(self._corpus.similar(passage_id, limit=limit))

    def _noted(self, answer: Answer) -> Answer:
        self._metrics.count_search(answer)
        return answer
