"""Everything that goes wrong on the API, as RFC 9457 ``application/problem+json`` in the reader's language.

    Problem                    raised by the service itself: a status, a kind, a sentence
    index.errors.XunzhangError mapped by its own ``status`` and ``sentence(language)``
    werkzeug HTTPException     404, 405, 413 ... with a sentence of ours
    any other exception        logged with a request id, answered with 500 and that id, never a trace

The pages have their own HTML for errors (pages.py); what is decided here is which of the two a request gets.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from index.errors import InputError, XunzhangError
from service.gate import OverloadedError
from service.language import Language
from service.sentences import PROBLEM_TITLES, STATUS_SENTENCES
from service.tracing import request_id

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1
logger = logging.getLogger("xunzhang.service")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. ``field`` is its place, such as ``queries[2].limit``."""

    field: str
    message: str


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """A request that cannot be answered, in the service's own words.

    :param status: HTTP status.
    :param kind: The last part of ``type``, a key of ``PROBLEM_TITLES``.
    :param english, chinese: One sentence: what happened, where, what to do.
    :param errors: For unusable input, what is wrong with each field, already in the reader's language.
    :param headers: Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        english: str,
        chinese: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(english)
        self.status = status
        self.kind = kind
        self.english = english
        self.chinese = chinese
        self.errors = tuple(errors)
        self.headers = headers or {}

    def sentence(self, language: Language) -> str:
        """The message in the reader's language."""
        return self.chinese if language == "zh" else self.english


def as_problem(error: Exception) -> Problem:
    """Any exception as a problem. What nobody expected is logged with the request id it is answered with."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, XunzhangError):
        if error.status >= 500:
            # A full house is told to each who comes; one line a refusal would fill the log and help nobody.
            level = logging.DEBUG if isinstance(error, OverloadedError) else logging.WARNING
            logger.log(level, "answered with %d: %s", error.status, error)
        kind = "invalid-input" if isinstance(error, InputError) else _kind_of_status(error.status)
        headers = {"Retry-After": str(RETRY_SECONDS)} if error.status == 503 else {}
        return Problem(error.status, kind, error.sentence("en"), error.sentence("zh"), headers=headers)
    status = getattr(error, "code", None)
    if isinstance(status, int) and status in STATUS_SENTENCES and status != 500:
        english, chinese = STATUS_SENTENCES[status]
        allowed = getattr(error, "valid_methods", None)
        headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
        return Problem(status, _kind_of_status(status), english, chinese, headers=headers)
    if isinstance(status, int) and 400 <= status < 500:
        english, chinese = STATUS_SENTENCES[400]
        return Problem(status, "bad-request", english, chinese)
    name = request_id()
    logger.error("request %s failed", name, exc_info=error, extra={"fields": {"request_id": name}})
    english, chinese = STATUS_SENTENCES[500]
    return Problem(500, "internal-error", english.format(id=name), chinese.format(id=name))


def problem_body(problem: Problem, language: Language, instance: str, request: str) -> bytes:
    """The JSON of a problem, in UTF-8.

    :param instance: The path that was asked for.
    :param request: The id of the request.
    """
    fields = {**problem_fields(problem, language, instance), "request_id": request}
    # A lone surrogate in a field's name must not make the answer itself unreadable.
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")


def problem_fields(problem: Problem, language: Language, instance: str) -> dict[str, object]:
    """The members of a problem's JSON."""
    fields: dict[str, object] = {
        "type": f"/docs#problem-{problem.kind}",
        "title": PROBLEM_TITLES[problem.kind][0 if language == "en" else 1],
        "status": problem.status,
        "detail": problem.sentence(language),
        "instance": instance,
    }
    if problem.errors:
        fields["errors"] = [{"field": error.field, "message": error.message} for error in problem.errors]
    return fields


def _kind_of_status(status: int) -> str:
    kinds = {
        400: "bad-request",
        401: "unauthorized",
        403: "forbidden",
        404: "not-found",
        405: "method-not-allowed",
        409: "data-unusable",
        413: "too-large",
        415: "unsupported-media-type",
        429: "too-often",
        503: "unavailable",
        507: "no-storage",
    }
    return kinds.get(status, "bad-request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal-error")
