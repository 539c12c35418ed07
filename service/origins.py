"""Which other sites may ask from a visitor's browser (CORS): those named in XUNZHANG_ALLOWED_ORIGINS, and only to read.

Nothing is allowed unless origins are named. Writing from another site is never allowed, whatever the key: a
preflight is judged by the method it announces, since browsers send POST without one that names it.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from service.operation import Operation

EVERY_ORIGIN = "*"
_PREFLIGHT_SECONDS = 600
_REQUEST_HEADERS = "Authorization, Content-Type"


class Origins:
    """Adds what browsers need to let another site's page read an answer.

    :param allowed: Origins such as ``https://news.example``, or ``*`` for every one.
    :param operations: All routes by endpoint.
    """

    def __init__(self, allowed: tuple[str, ...], operations: Mapping[str, Operation]) -> None:
        self._allowed = frozenset(allowed)
        self._operations = operations

    def attach(self, app: Flask) -> None:
        """Look at every answer of an application. Keeps nothing where no origin is allowed."""
        if self._allowed:
            app.after_request(self._mark)

    def _mark(self, response: Response) -> Response:
        operation = self._asked_for()
        if operation is None or not _is_for_others(operation):
            return response
        response.vary.add("Origin")
        headers = self.headers_for(operation, request.headers.get("Origin", ""))
        response.headers.update(headers)
        if headers and request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = operation.method
            response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
        return response

    def headers_for(self, operation: Operation, origin: str) -> dict[str, str]:
        """What lets a page of ``origin`` read an answer; nothing where it may not."""
        known = EVERY_ORIGIN in self._allowed or origin.lower() in self._allowed
        if not origin or not known or not _is_for_others(operation):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Retry-After, X-Request-ID",
        }

    def _asked_for(self) -> Operation | None:
        """The operation asked for, or announced by a preflight."""
        if request.method != "OPTIONS":
            return self._operations.get(request.endpoint or "")
        announced = request.headers.get("Access-Control-Request-Method", "")
        adapter = current_app.create_url_adapter(request)
        if adapter is None:
            return None
        try:
            endpoint, _ = adapter.match(method=announced)
        except HTTPException:
            return None
        return self._operations.get(endpoint)


def _is_for_others(operation: Operation) -> bool:
    """Whether pages of other sites may ever read an answer to it."""
    return not operation.is_page and operation.access != "write"
