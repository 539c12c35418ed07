"""Every request from its arrival to its answer: named, counted, timed and, where that is asked for, logged."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, Response, g, request

from service.logs import log_request
from service.metrics import UNKNOWN, Metrics
from service.operation import Operation
from service.tracing import HEADER, begin, client, request_id, since_arrival


class Watch:
    """Looks at every request of an application.

    :param metrics: Where requests are counted.
    :param operations: All routes by endpoint.
    :param queries: Whether the log says what was searched for.
    """

    def __init__(self, metrics: Metrics, operations: Mapping[str, Operation], *, queries: bool) -> None:
        self._metrics = metrics
        self._operations = operations
        self._queries = queries

    def attach(self, app: Flask) -> None:
        """Begin. Call before anything else is attached: what comes first in a request comes last in its answer."""
        app.before_request(begin)
        app.after_request(self._end)

    def _end(self, response: Response) -> Response:
        operation = self._operations.get(request.endpoint or "")
        name = UNKNOWN if operation is None else operation.name
        seconds = since_arrival()
        self._metrics.count_request(name, response.status_code, seconds)
        response.headers[HEADER] = request_id()
        log_request(
            request_id=request_id(),
            method=request.method,
            path=request.path,
            operation=name,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            client=client(),
            key=g.get("key"),
            query=g.get("query") if self._queries else None,
        )
        return response
