"""The application: its routes, who may use them, and what every answer carries."""

from __future__ import annotations

from flask import Flask, Response, request
from jinja2 import StrictUndefined

from index.corpus import Corpus
from service.access import Guard
from service.docs import Docs
from service.documents import DocumentsApi
from service.door import Door
from service.gate import Gate
from service.health import HealthApi
from service.jobs import JobsApi
from service.language import reader_language
from service.metrics import Metrics, MetricsApi
from service.openapi import OpenApi
from service.operation import HTML, JSON, Operation, Routes
from service.origins import Origins
from service.packing import Packing
from service.pages import Pages, problem_page
from service.parts import Parts, keep_parts
from service.passages import PassagesApi
from service.past_queries import PastQueries
from service.problems import MEDIA_TYPE, as_problem, problem_body
from service.proxies import Proxies
from service.query_log import QueryLog
from service.rendering import add_filters
from service.search import SearchApi
from service.searcher import Searcher
from service.settings import Settings
from service.spool import Spool
from service.suggest import SuggestApi
from service.tracing import request_id
from service.watch import Watch
from service.worker import Worker

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
WRITE_PATIENCE = 10.0


def create_app(corpus: Corpus, *, settings: Settings | None = None) -> Flask:
    """The service over an open corpus.

    :param corpus: What is searched; the caller closes it after the server has stopped.
    :param settings: How the service listens and what it allows; by default open on a loopback address.
    :returns: The WSGI application. ``service.server.serve`` runs it.
    """
    settings = settings or Settings()
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    # A doubled slash is no address of ours, rather than a redirect to one.
    app.url_map.merge_slashes = False
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    add_filters(app.jinja_env)
    searches = Gate(settings.searches, settings.waiting, settings.patience)
    writes = Gate(1, settings.writes_waiting, WRITE_PATIENCE)
    spool = Spool(corpus.data / "jobs")
    operations: dict[str, Operation] = {}
    metrics = Metrics(corpus, {"search": searches, "write": writes})
    origins = Origins(settings.allowed_origins, operations)
    proxies = Proxies(app.wsgi_app, settings.trusted_proxies)
    guard = Guard(settings, corpus.data)
    parts = Parts(
        settings=settings,
        guard=guard,
        searches=searches,
        writes=writes,
        metrics=metrics,
        worker=Worker(corpus, spool, writes),
        door=Door(operations, searches, metrics, guard, proxies, origins),
    )
    keep_parts(app, parts)
    app.wsgi_app = proxies  # type: ignore[method-assign]
    Watch(parts.metrics, operations, queries=settings.log_queries).attach(app)
    for routes in _routes(corpus, parts, spool, operations):
        app.register_blueprint(routes.blueprint)
        operations.update(routes.operations)

    @app.before_request
    def check_access() -> None:
        operation = operations.get(request.endpoint or "")
        if operation is not None and request.method != "OPTIONS":
            parts.guard.check(operation)

    @app.errorhandler(Exception)
    def answer_problem(error: Exception) -> Response:
        response = _problem_response(error, operations.get(request.endpoint or ""))
        if response.status_code == 500:
            parts.metrics.count_error()
        return response

    origins.attach(app)
    app.after_request(_with_headers)
    Packing().attach(app)
    return app


def _routes(corpus: Corpus, parts: Parts, spool: Spool, operations: dict[str, Operation]) -> list[Routes]:
    openapi = OpenApi(operations)
    settings = parts.settings
    log = QueryLog(corpus.data) if settings.query_log else None
    past = PastQueries(settings.past_queries) if settings.past_queries else None
    searcher = Searcher(corpus, parts.searches, parts.metrics, settings.deadline, log, past)
    return [
        SearchApi(searcher, parts.guard).routes(),
        SuggestApi(corpus, parts.searches, past).routes(),
        PassagesApi(corpus).routes(),
        DocumentsApi(corpus, parts.writes, parts.settings.max_upload, spool, parts.worker).routes(),
        JobsApi(spool, parts.worker).routes(),
        HealthApi(corpus).routes(),
        MetricsApi(parts.metrics).routes(),
        Pages(corpus, searcher).routes(),
        openapi.routes(),
        Docs(openapi).routes(),
    ]


def _problem_response(error: Exception, operation: Operation | None) -> Response:
    problem = as_problem(error)
    if _reads_html(operation):
        return problem_page(problem)
    body = problem_body(problem, reader_language(), request.path, request_id())
    return Response(body, problem.status, problem.headers, mimetype=MEDIA_TYPE)


def _reads_html(operation: Operation | None) -> bool:
    """Whether an error is told on a page: for the pages, and for unknown addresses outside the API that a
    browser asks for. A program gets problem+json everywhere."""
    if request.method not in ("GET", "HEAD"):
        return False
    accept = request.accept_mimetypes
    if operation is not None:
        return operation.is_page and accept.best_match([HTML, MEDIA_TYPE, JSON], HTML) == HTML
    return not request.path.startswith("/api/") and accept.best_match([MEDIA_TYPE, JSON, HTML]) == HTML


def _with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype in ("application/json", MEDIA_TYPE):
        response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype in (MEDIA_TYPE, HTML):
        response.headers["Content-Language"] = reader_language()
    response.vary.add("Accept-Language")
    return response
