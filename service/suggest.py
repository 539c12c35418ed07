"""Suggestions while a query is typed, over HTTP."""

from __future__ import annotations

from time import perf_counter

from flask import Response, request

from index.chinese import fold
from index.corpus import Corpus
from index.suggest import Suggestion
from service.answers import MatchOut, SuggestAnswer, SuggestionOut
from service.gate import Gate
from service.language import reader_language
from service.operation import Operation, Routes, json_response
from service.past_queries import PastQueries
from service.schemas import SuggestFields
from service.tracing import since_arrival, stands_in_line
from service.validation import read_query

_MOST_PAST = 3


class SuggestApi:
    """The route of suggestions.

    :param corpus: Whose headlines and phrases are suggested.
    :param gate: How many searches may run at once; a suggestion counts as one.
    :param past: What visitors asked before, if that is suggested to others.
    """

    def __init__(self, corpus: Corpus, gate: Gate, past: PastQueries | None = None) -> None:
        self._corpus = corpus
        self._gate = gate
        self._past = past

    def routes(self) -> Routes:
        """The blueprint with its descriptions."""
        routes = Routes("suggest")
        routes.add(GET_SUGGEST, self.get)
        return routes

    def get(self) -> Response:
        """Answer with what the typed text may become; nothing typed has no suggestions."""
        fields = read_query(request, SuggestFields, reader_language())
        started = perf_counter()
        with self._gate.enter(since_arrival(), joined=stands_in_line()):
            found = self._suggestions(fields.q, fields.limit)
        took = round((perf_counter() - started) * 1000, 2)
        return json_response(SuggestAnswer(query=fields.q, suggestions=[_out(one) for one in found], took_ms=took))

    def _suggestions(self, typed: str, limit: int) -> list[Suggestion]:
        """What others asked first, then what the archive says, each text once."""
        found = self._past.suggest(typed, min(_MOST_PAST, limit)) if self._past else []
        known = {fold(one.entry.text) for one in found}
        others = self._corpus.suggest(typed, limit=limit)
        return [*found, *(one for one in others if fold(one.entry.text) not in known)][:limit]


def _out(one: Suggestion) -> SuggestionOut:
    text = one.entry.text
    parts = [
        MatchOut(text=text[: one.start], mark=None),
        MatchOut(text=text[one.start : one.end], mark="match"),
        MatchOut(text=text[one.end :], mark=None),
    ]
    return SuggestionOut(
        text=text,
        kind=one.entry.kind,
        segments=[part for part in parts if part.text],
        document_id=one.entry.document_id,
        passage_id=one.entry.passage_id,
    )


GET_SUGGEST = Operation(
    name="suggest",
    method="GET",
    rule="/api/v1/suggest",
    english="Complete a half-typed query from the headlines and frequent phrases of the archive and, where that is "
    "switched on, from what several visitors asked.",
    chinese="根据库中的标题和常见短语，以及（若已开启）多位访客查过的内容，补全正在输入的查询。",
    access="read",
    line="search",
    query=SuggestFields,
    answers=((200, SuggestAnswer),),
    problems=(400, 401, 403, 409, 503),
    example="--get --data-urlencode 'q=wuran' '{base}/api/v1/suggest'",
)
