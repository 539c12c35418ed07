"""What the service counts and measures, for Prometheus.

Counters and histograms are filled as requests pass; what can be asked for at any time (how full the gates are, what the
archive holds, the process's memory) is looked up when somebody reads. Labels have few values: operations, statuses,
stages; never an address, a key or a query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask import Response
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from index.corpus import Corpus
from index.document import Answer
from index.errors import XunzhangError
from service import __version__
from service.gate import Gate
from service.operation import Operation, Routes

TEXT = "text/plain"
CONTENT_TYPE = f"{TEXT}; version=0.0.4; charset=utf-8"
# Stand for an operation where no route is asked for, and where the request could not even be read.
UNKNOWN = "unknown"
UNREADABLE = "unreadable"
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_STAGE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """The numbers of one application.

    :param corpus: What the archive's numbers are asked of.
    :param gates: The bounded queues by name.
    """

    def __init__(self, corpus: Corpus, gates: Mapping[str, Gate]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "xunzhang_requests", "Requests answered, by operation and status.", ("operation", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "xunzhang_request_seconds", "Time to answer a request, its wait for a turn included.", ("operation",),
            buckets=_REQUEST_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._stages = Histogram(
            "xunzhang_search_stage_seconds", "Time of a stage of a search.", ("stage",),
            buckets=_STAGE_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._searches = Counter("xunzhang_searches", "Searches answered.", ("mode",), registry=self._registry)
        self._empty = Counter("xunzhang_searches_without_hits", "Searches that found nothing.", registry=self._registry)
        self._degraded = Counter(
            "xunzhang_searches_degraded", "Searches answered without a part.", ("part",), registry=self._registry
        )
        self._errors = Counter(
            "xunzhang_unexpected_errors", "Requests that met an error nobody expected (500).", registry=self._registry
        )
        self._registry.register(_Gates(gates))
        self._registry.register(_Archive(corpus))
        ProcessCollector(registry=self._registry)

    def count_request(self, operation: str, status: int, seconds: float) -> None:
        """Count an answer.

        :param operation: Name of the operation, ``UNKNOWN`` or ``UNREADABLE``.
        :param seconds: From the request's arrival to its answer.
        """
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def count_search(self, answer: Answer) -> None:
        """Count a search, and keep the times of its stages."""
        self._searches.labels(answer.mode).inc()
        if not answer.total:
            self._empty.inc()
        for part in answer.degraded:
            self._degraded.labels(part).inc()
        for stage, spent in answer.stages.items():
            self._stages.labels(stage).observe(spent / 1000)

    def count_error(self) -> None:
        """Count an error nobody expected."""
        self._errors.inc()

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._registry)


class MetricsApi:
    """The route Prometheus asks.

    :param metrics: What it answers with.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def routes(self) -> Routes:
        """The blueprint with its description."""
        routes = Routes("metrics")
        routes.add(GET_METRICS, self.get)
        return routes

    def get(self) -> Response:
        """Answer with all numbers."""
        return Response(self._metrics.text(), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


class _Gates(Collector):
    """How full the bounded queues are."""

    def __init__(self, gates: Mapping[str, Gate]) -> None:
        self._gates = gates

    def collect(self) -> Iterable[Metric]:
        inside = GaugeMetricFamily("xunzhang_running", "Requests that hold a place.", labels=("queue",))
        waiting = GaugeMetricFamily("xunzhang_waiting", "Requests that wait for a place.", labels=("queue",))
        refused = CounterMetricFamily(
            "xunzhang_refused", "Requests sent away with 503, as too many were there.", labels=("queue",)
        )
        for name, gate in self._gates.items():
            crowd = gate.crowd()
            inside.add_metric((name,), crowd.inside)
            waiting.add_metric((name,), crowd.waiting)
            refused.add_metric((name,), crowd.refused)
        return inside, waiting, refused

    def describe(self) -> Iterable[Metric]:
        return ()


class _Archive(Collector):
    """What the archive holds."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def collect(self) -> Iterable[Metric]:
        try:
            status = self._corpus.status()
        except XunzhangError:
            yield GaugeMetricFamily("xunzhang_ready", "1 where searches can be answered.", 0)
            return
        yield InfoMetricFamily("xunzhang", "Version and model.", {"version": __version__, "model": status.model})
        yield GaugeMetricFamily("xunzhang_ready", "1 where searches can be answered.", status.ready)
        yield GaugeMetricFamily("xunzhang_generation", "Published generation of the indexes.", status.generation)
        yield GaugeMetricFamily("xunzhang_documents", "Documents stored.", status.documents)
        yield GaugeMetricFamily("xunzhang_passages", "Passages stored.", status.passages)
        yield GaugeMetricFamily("xunzhang_passages_pending", "Passages that wait for their vectors.", status.pending)
        processes = 1 + len(self._corpus.helpers.process_ids if self._corpus.helpers else ())
        yield GaugeMetricFamily("xunzhang_search_processes", "Processes that answer searches.", processes)
        yield GaugeMetricFamily("xunzhang_data_bytes", "Size of the data directory.", status.bytes)

    def describe(self) -> Iterable[Metric]:
        return ()


GET_METRICS = Operation(
    name="metrics",
    method="GET",
    rule="/metrics",
    english="Counters and measurements for Prometheus, in its text format.",
    chinese="供 Prometheus 读取的计数与度量（文本格式）。",
    access="read",
    line="watch",
    answers=((200, None),),
    media=TEXT,
    problems=(401, 403),
    example="'{base}/metrics'",
)
