"""Who is let in: what a request asks for, in which line it waits for a thread, and whether there is room in it.

Decided by the server before a thread or the application is troubled, so that sending somebody away costs next to
nothing however many come. Three lines, so that none keeps another waiting:

    search    what computes: searches and suggestions; so many may wait as ``gate.py`` lets stand in line
    watch     what supervisors ask: health, readiness, metrics
    rest      everything else, such as writes, documents and files
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.exceptions import HTTPException

from index.errors import XunzhangError
from service.access import Guard
from service.gate import Gate, OverloadedError
from service.language import choose_language
from service.logs import log_request
from service.metrics import UNKNOWN, Metrics
from service.operation import Line, Operation
from service.origins import Origins
from service.problems import MEDIA_TYPE, Problem, as_problem, problem_body
from service.proxies import Proxies
from service.tracing import HEADER, fitting_id

LINES: tuple[Line, ...] = ("search", "watch", "rest")
_ASKS_SOMETHING = re.compile(r"(?:^|&)q=[^&]")


@dataclass(frozen=True, slots=True)
class Caller:
    """What the door sees of a request.

    Attributes:
        method, path, query: As in its first line, the path decoded.
        headers: By name as CGI has them without ``HTTP_``: ``ACCEPT_LANGUAGE``.
        address: Of whoever is connected.
        operation: What is asked for, ``None`` for what there is not.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    address: str
    operation: Operation | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What somebody is told who is sent away.

    Attributes:
        headers: Of the answer, its type among them.
        body: RFC 9457.
    """

    headers: dict[str, str]
    body: bytes


class Door:
    """Knows the routes by what is in front of the application.

    :param operations: All routes by endpoint; may still be filled after this was made.
    :param searches: Where searches stand in line.
    :param metrics: Where those sent away are counted.
    :param guard: Who asks too often.
    """

    def __init__(
        self,
        operations: Mapping[str, Operation],
        searches: Gate,
        metrics: Metrics,
        guard: Guard,
        proxies: Proxies,
        origins: Origins,
    ) -> None:
        self._operations = operations
        self._searches = searches
        self._metrics = metrics
        self._guard = guard
        self._proxies = proxies
        self._origins = origins
        self._routes: dict[str, list[tuple[re.Pattern[str], Operation]]] = {}

    def meet(self, method: str, path: str, query: str, headers: Mapping[str, str], address: str) -> Caller:
        """A request that has come in, see :class:`Caller`."""
        return Caller(method, path, query, headers, address, self._operation(method, path))

    def line_of(self, caller: Caller) -> Line:
        """The line a request belongs into."""
        operation = caller.operation
        if operation is None:
            return "rest"
        if operation.line == "search" and operation.rule == "/" and not _ASKS_SOMETHING.search(caller.query):
            return "rest"  # the start page
        return operation.line

    def stand_in_line(self) -> bool:
        """Take a place in the line of searches, if there is one; :meth:`leave_line` gives it back."""
        return self._searches.join()

    def leave_line(self) -> None:
        """End what :meth:`stand_in_line` began."""
        self._searches.leave()

    def is_too_late(self, waited: float) -> bool:
        """Whether a search has waited so long that nobody can be expected to wait for its answer."""
        return self._searches.is_too_late(waited)

    def asks_too_often(self, caller: Caller) -> Problem | None:
        """What an address without a key is told that has used up what it may ask, so that it takes no place in the line
        from the others. Keys are looked up behind the door."""
        return None if "AUTHORIZATION" in caller.headers else self._guard.too_often(self._client(caller))

    def may_not(self, caller: Caller) -> Problem | None:
        """What somebody is told who may not do what is asked for, so that no body is taken from strangers; ``None`` who
        may. Whoever sends none is told so behind the door, on a page where it asks for one."""
        if caller.operation is None:
            return None
        environ = {f"HTTP_{name}": value for name, value in caller.headers.items()}
        environ |= {"REMOTE_ADDR": caller.address, "wsgi.url_scheme": "http"}
        self._proxies.see_through(environ)
        try:
            self._guard.key_for(caller.operation, environ)
        except (Problem, XunzhangError, HTTPException) as error:
            return as_problem(error)
        return None

    def send_away(self, caller: Caller, problem: Problem, seconds: float) -> Refusal:
        """Count and log one who is sent away, and say what it is told.

        :param seconds: For how long it has waited.
        """
        operation = caller.operation
        if operation is not None and operation.line == "search" and problem.status == 503:
            self._searches.refuse()
        name = UNKNOWN if operation is None else operation.name
        request_id = fitting_id(self._proxies.id_of(caller.address, caller.headers.get("X_REQUEST_ID", "")))
        language = choose_language(None, caller.headers.get("ACCEPT_LANGUAGE"))
        self._metrics.count_request(name, problem.status, seconds)
        log_request(
            request_id=request_id,
            method=caller.method,
            path=caller.path,
            operation=name,
            status=problem.status,
            ms=round(seconds * 1000, 1),
            client=self._client(caller),
        )
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Language": language,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Vary": "Accept-Language, Origin",
            HEADER: request_id,
            **problem.headers,
        }
        if operation is not None:
            headers |= self._origins.headers_for(operation, caller.headers.get("ORIGIN", ""))
        return Refusal(headers, problem_body(problem, language, caller.path, request_id))

    def _client(self, caller: Caller) -> str:
        return self._proxies.client_of(caller.address, caller.headers.get("X_FORWARDED_FOR", ""))

    def _operation(self, method: str, path: str) -> Operation | None:
        if not self._routes:
            for operation in self._operations.values():
                self._routes.setdefault(operation.method, []).append((_pattern(operation.rule), operation))
        routes = self._routes.get("GET" if method == "HEAD" else method, ())
        return next((operation for pattern, operation in routes if pattern.fullmatch(path)), None)


def no_room() -> Problem:
    """What is told to whoever comes to a full house."""
    return as_problem(OverloadedError())


def _pattern(rule: str) -> re.Pattern[str]:
    """A rule as Flask writes it, as an expression for whole paths."""
    parts = re.split(r"<(path:)?\w+>", rule)
    # The text between the variable parts, and after each but the last whether the next one may hold slashes.
    texts, paths = parts[::2], parts[1::2]
    variables = [".+" if path else "[^/]+" for path in paths]
    pairs = zip(texts, [*variables, ""], strict=True)
    return re.compile("".join(re.escape(text) + variable for text, variable in pairs))
