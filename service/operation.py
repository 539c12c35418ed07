"""Routes that carry their own description.

Every route is added through :class:`Routes`, which keeps one :class:`Operation` for each; /openapi.json and
/docs are made from these, and access.py reads from them who may use a route. So nothing can be served that
is not described.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import BaseModel

Access = Literal["open", "read", "write"]
Line = Literal["search", "watch", "rest"]
JSON = "application/json"
HTML = "text/html"
FORM = "multipart/form-data"
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    Attributes:
        name: Its operation id, and its Flask endpoint within the blueprint.
        method: ``GET``, ``POST``, ``PUT`` or ``DELETE``.
        rule: The address as Flask writes it.
        english, chinese: What it does, in one line.
        access: ``open`` to everybody, or needing the right to ``read`` or to ``write``.
        query: The model of its query string, or ``None``.
        body: The model of its JSON body, or ``None``.
        form: The model of what a form sends beside files, where it takes files.
        lines: Whether it takes lines with a JSON body each too.
        answers: For each status of success, the model of the answer, or ``None`` where it is no JSON object.
        media: Content type of a successful answer.
        problems: Statuses of failure, besides those every route may answer with.
        line: In which line a request waits for a thread, see ``door.py``.
        example: The rest of a curl command that shows its use, after the address of the service.
    """

    name: str
    method: str
    rule: str
    english: str
    chinese: str
    access: Access
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    lines: bool = False
    answers: tuple[tuple[int, type[BaseModel] | None], ...] = ()
    media: str = JSON
    problems: tuple[int, ...] = ()
    line: Line = "rest"
    example: str = ""

    @property
    def path(self) -> str:
        """The address as OpenAPI writes it: ``/documents/{document_id}``."""
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.rule)

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """Names of the variable parts of the address."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    def takes_files(self, content_type: str) -> bool:
        """Whether a body of this type is files or lines of records, and may be as large as these."""
        kind = content_type.lower()
        return (self.form is not None and kind.startswith(FORM)) or (self.lines and kind.startswith(LINES))

    @property
    def is_page(self) -> bool:
        """Whether people read it in a browser."""
        return self.media == HTML


class Routes:
    """A blueprint and the descriptions of its routes."""

    def __init__(self, name: str) -> None:
        self.blueprint = Blueprint(name, __name__)
        self.operations: dict[str, Operation] = {}

    def add(self, operation: Operation, view: Callable[..., Any]) -> None:
        """Serve an operation with a view function."""
        self.blueprint.add_url_rule(operation.rule, endpoint=operation.name, view_func=view, methods=[operation.method])
        self.operations[f"{self.blueprint.name}.{operation.name}"] = operation


def json_response(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A model as the answer."""
    return Response(model.model_dump_json(), status, headers, mimetype=JSON)
