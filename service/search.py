"""Searching over HTTP: one query, several queries, and passages like a given one."""

from __future__ import annotations

from flask import Response, request

from index.errors import QueryError
from service.access import Guard
from service.answers import BatchAnswer, SearchAnswer
from service.language import reader_language
from service.operation import Operation, Routes, json_response
from service.passages import checked_passage_id
from service.problems import FieldError
from service.schemas import SearchBatch, SearchFields, SimilarFields
from service.searcher import Searcher
from service.shapes import search_answer
from service.validation import check, read_json, read_query, refuse


class SearchApi:
    """The routes of searching.

    :param searcher: Answers when it is a request's turn; a batch has one turn.
    :param guard: Counts the queries of a batch.
    """

    def __init__(self, searcher: Searcher, guard: Guard) -> None:
        self._searcher = searcher
        self._guard = guard

    def routes(self) -> Routes:
        """The blueprint with its descriptions."""
        routes = Routes("search")
        for operation, view in (
            (GET_SEARCH, self.get),
            (POST_SEARCH, self.post),
            (POST_BATCH, self.batch),
            (GET_SIMILAR, self.similar),
        ):
            routes.add(operation, view)
        return routes

    def get(self) -> Response:
        """Answer a search given in the query string."""
        return self._answer(read_query(request, SearchFields, reader_language()))

    def post(self) -> Response:
        """Answer a search given as JSON."""
        return self._answer(check(SearchFields, read_json(request), reader_language()))

    def batch(self) -> Response:
        """Answer several searches; one unusable query refuses them all and is named by its place."""
        language = reader_language()
        batch = check(SearchBatch, read_json(request), language)
        self._guard.count(len(batch.queries))
        answers: list[SearchAnswer] = []
        with self._searcher.turn():
            for number, fields in enumerate(batch.queries):
                try:
                    answer = self._searcher.ask(fields.request())
                except QueryError as error:
                    refuse([FieldError(f"queries[{number}].query", error.sentence(language))])
                answers.append(search_answer(answer, explain=fields.explain))
        return json_response(BatchAnswer(answers=answers))

    def similar(self, passage_id: str) -> Response:
        """Answer with the passages nearest in meaning to one."""
        fields = read_query(request, SimilarFields, reader_language())
        answer = self._searcher.similar(checked_passage_id(passage_id), fields.limit)
        return json_response(search_answer(answer, explain=fields.explain))

    def _answer(self, fields: SearchFields) -> Response:
        answer = self._searcher.search(fields.request(), typing=fields.typing)
        return json_response(search_answer(answer, explain=fields.explain))


GET_SEARCH = Operation(
    name="search",
    method="GET",
    rule="/api/v1/search",
    english="Find the passages that answer a query.",
    chinese="查找能回答查询的段落。",
    access="read",
    line="search",
    query=SearchFields,
    answers=((200, SearchAnswer),),
    problems=(400, 401, 403, 409, 503),
    example="--get --data-urlencode 'q=汽车尾气怎么治理' '{base}/api/v1/search'",
)
POST_SEARCH = Operation(
    name="search_by_json",
    method="POST",
    rule="/api/v1/search",
    english="Find the passages that answer a query given as JSON.",
    chinese="以 JSON 提交查询，查找能回答它的段落。",
    access="read",
    line="search",
    body=SearchFields,
    answers=((200, SearchAnswer),),
    problems=(400, 401, 403, 409, 413, 415, 503),
    example="""'{base}/api/v1/search' --json '{"query": "汽车尾气怎么治理", "limit": 3}'""",
)
POST_BATCH = Operation(
    name="search_batch",
    method="POST",
    rule="/api/v1/search/batch",
    english="Answer up to 50 queries in one request.",
    chinese="一次回答至多 50 个查询。",
    access="read",
    line="search",
    body=SearchBatch,
    answers=((200, BatchAnswer),),
    problems=(400, 401, 403, 409, 413, 415, 503),
    example="""'{base}/api/v1/search/batch' --json '{"queries": [{"query": "治理尾气"}, {"query": "植树"}]}'""",
)
GET_SIMILAR = Operation(
    name="similar",
    method="GET",
    rule="/api/v1/passages/<passage_id>/similar",
    english="Find the passages nearest in meaning to a passage.",
    chinese="查找与某段意思最接近的段落。",
    access="read",
    line="search",
    query=SimilarFields,
    answers=((200, SearchAnswer),),
    problems=(400, 401, 403, 404, 409, 503),
    example="'{base}/api/v1/passages/{passage_id}/similar'",
)
