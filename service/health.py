"""Whether the process lives, whether it can answer, and what the archive holds."""

from __future__ import annotations

from flask import Response

from index.corpus import Corpus
from index.errors import XunzhangError
from service import sentences
from service.answers import Health, IndexStatus, Ready
from service.operation import Operation, Routes, json_response
from service.problems import RETRY_SECONDS, Problem


class HealthApi:
    """The routes that a supervisor or load balancer asks.

    :param corpus: What has to be ready.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    def routes(self) -> Routes:
        """The blueprint with its descriptions."""
        routes = Routes("health")
        routes.add(GET_HEALTH, self.health)
        routes.add(GET_READY, self.ready)
        routes.add(GET_STATUS, self.status)
        return routes

    def health(self) -> Response:
        """Say that the process answers, whatever the state of the index."""
        return json_response(Health(status="ok"))

    def ready(self) -> Response:
        """Say whether searches can be answered.

        :raises Problem: 503 while they cannot.
        """
        try:
            status = self._corpus.status()
        except XunzhangError as error:
            raise _not_ready(error.english, error.chinese) from error
        if not status.ready:
            raise _not_ready("the index is being prepared.", "索引正在准备中。")
        return json_response(
            Ready(
                status="ready",
                documents=status.documents,
                passages=status.passages,
                generation=status.generation,
                model=status.model,
                reranker=status.reranker,
                reranker_state=status.reranker_state,
            )
        )

    def status(self) -> Response:
        """Say what the archive holds, to those who may write to it."""
        status = self._corpus.status()
        return json_response(
            IndexStatus(
                documents=status.documents,
                passages=status.passages,
                pending=status.pending,
                bytes=status.bytes,
                generation=status.generation,
                ready=status.ready,
                model=status.model,
                dimension=status.dimension,
                vector_index=status.vector_index,
                reranker=status.reranker,
            )
        )


def _not_ready(english: str, chinese: str) -> Problem:
    return Problem(
        503,
        "unavailable",
        sentences.NOT_READY[0].format(reason=english),
        sentences.NOT_READY[1].format(reason=chinese),
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


GET_HEALTH = Operation(
    name="health",
    method="GET",
    rule="/healthz",
    english="Whether the process answers.",
    chinese="进程是否存活。",
    access="open",
    line="watch",
    answers=((200, Health),),
    example="'{base}/healthz'",
)
GET_READY = Operation(
    name="ready",
    method="GET",
    rule="/readyz",
    english="Whether searches can be answered.",
    chinese="是否可以回答搜索。",
    access="open",
    line="watch",
    answers=((200, Ready),),
    problems=(503,),
    example="'{base}/readyz'",
)
GET_STATUS = Operation(
    name="status",
    method="GET",
    rule="/api/v1/status",
    english="What the archive holds: documents, passages, size, model.",
    chinese="库中的内容：文档、段落、大小与模型。",
    access="write",
    answers=((200, IndexStatus),),
    problems=(401, 403, 409),
    example="""'{base}/api/v1/status' -H "Authorization: Bearer $KEY\"""",
)
