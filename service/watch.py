"""Every request from its arrival to its answer: counted and timed."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from flask import Flask, Response, g, request

from service.metrics import UNKNOWN, Metrics
from service.operation import Operation


class Watch:
    """Looks at every request of an application.

    :param metrics: Where requests are counted.
    :param operations: All routes by endpoint.
    """

    def __init__(self, metrics: Metrics, operations: Mapping[str, Operation]) -> None:
        self._metrics = metrics
        self._operations = operations

    def attach(self, app: Flask) -> None:
        """Begin. Call before anything else is attached: what comes first in a request comes last in its answer."""
        app.before_request(self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        g.started = perf_counter()

    def _end(self, response: Response) -> Response:
        operation = self._operations.get(request.endpoint or "")
        name = UNKNOWN if operation is None else operation.name
        self._metrics.count_request(name, response.status_code, perf_counter() - g.started)
        return response
