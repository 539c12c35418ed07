"""The OpenAPI 3.1 document, made from the routes and the models they carry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service import __version__
from service.answers import ProblemOut
from service.operation import FORM, HTML, JSON, LINES, Operation, Routes
from service.problems import MEDIA_TYPE
from service.schemas import MOST_RECORDS, DocumentRecord, SearchFields
from service.sentences import PROBLEM_TITLES

# Any route may meet what nobody expected.
ALWAYS = (500,)
# And any but the open ones may be asked too often, or when the keys cannot be read.
GUARDED = (429, 503)
_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTIONS = {
    200: "The answer.",
    201: "Created.",
    202: "Left to a job; Location says where to ask for it.",
    204: "Done; there is no body.",
    207: "Some of it was done; the answer says what was not.",
    304: "Not changed since the ETag sent.",
    400: "The request or some of its fields cannot be used.",
    401: "A key is needed; WWW-Authenticate says so.",
    403: "The key's scope does not suffice, or the Host header is not one of the service's.",
    404: "There is no such thing.",
    409: "The index cannot be used as asked.",
    413: "The body is too large.",
    415: "The body must be application/json; where documents are added also lines of it, or a form with files.",
    429: "Too many requests came from one key or address; Retry-After says when to try again.",
    500: "Something unexpected happened; the answer names a request id.",
    503: "Too busy or not ready; Retry-After says when to try again.",
    507: "The disk is full or cannot be written. Of many documents the first may be stored; send all of them again.",
}
_PATH_PARAMETERS = {
    "document_id": "Id of a document.",
    "passage_id": "Id of a passage: the document's id, a colon and the passage's number.",
    "name": "Name of a file.",
    "job_id": "Id of a job.",
}


class OpenApi:
    """The route of the document itself.

    :param operations: What is described; the mapping may still grow until the first request.
    """

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations

    def routes(self) -> Routes:
        """The blueprint with its description."""
        routes = Routes("openapi")
        routes.add(GET_OPENAPI, self.get)
        return routes

    def get(self) -> Response:
        """Answer with the document."""
        return Response(json.dumps(self.document(), ensure_ascii=False), mimetype=JSON)

    def document(self) -> dict[str, Any]:
        """The OpenAPI document as plain values."""
        return describe(self._operations.values())


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    listed = list(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "寻章 Xunzhang",
            "version": __version__,
            "description": "Semantic search for Chinese text: the passages that answer a query, "
            "with the sentence that answers it marked. Errors are RFC 9457 problem details.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(listed),
            "responses": {"Problem": _problem_response(), "PageProblem": _problem_response(HTML)},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    problem = "PageProblem" if operation.is_page else "Problem"
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.english,
        "x-summary-zh": operation.chinese,
        "x-example": operation.example,
        "parameters": _parameters(operation),
        "responses": {
            **{str(status): _success(operation, status, model) for status, model in operation.answers},
            **{
                str(status): {"$ref": f"#/components/responses/{problem}", "description": _DESCRIPTIONS[status]}
                for status in sorted({*operation.problems, *ALWAYS, *(GUARDED if operation.access != "open" else ())})
            },
        },
    }
    if operation.body is not None:
        content = {JSON: {"schema": _body(operation)}}
        if operation.form is not None:
            content[FORM] = {"schema": _form(operation.form)}
        if operation.lines:
            content[LINES[0]] = {"schema": {"type": "string", "description": "One such object a line."}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.access == "read":
        described["security"] = [{}, {"key": ["search"]}]
    elif operation.access == "write":
        described["security"] = [{"key": ["admin"]}]
    return described


def _success(operation: Operation, status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _DESCRIPTIONS[status]}
    if model is not None:
        described["content"] = {operation.media: {"schema": _reference(model)}}
    elif status not in (204, 304):
        described["content"] = {operation.media: {}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string"},
        }
        for name in operation.path_parameters
    ]
    if operation.query is None:
        return parameters
    schema = operation.query.model_json_schema()
    required = schema.get("required", [])
    properties = dict(schema["properties"])
    if operation.query is SearchFields:
        # In a query string the short name is the usual one.
        properties = {
            "q": {**properties.pop("query"), "title": "Q"},
            **{k: v for k, v in properties.items() if k != "q"},
        }
        # The search page without a query shows where to begin.
        required = [] if operation.is_page else ["q"]
    for name, about in properties.items():
        described = {key: value for key, value in about.items() if key not in ("description", "x-description-zh")}
        # In a query string a list is written by repeating the parameter.
        lists = [one for one in described.get("anyOf", ()) if one.get("type") == "array"]
        described = lists[0] if lists else described
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": about.get("description", ""),
                "x-description-zh": about.get("x-description-zh", ""),
                "schema": described,
            }
        )
    return parameters


def _body(operation: Operation) -> dict[str, Any]:
    assert operation.body is not None
    one = _reference(operation.body)
    if operation.body is DocumentRecord and operation.method == "POST":
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_RECORDS}]}
    return one


def _form(model: type[BaseModel]) -> dict[str, Any]:
    """A form's fields and its files."""
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = model.model_json_schema()
    files = {"type": "array", "items": file, "minItems": 1, "description": "The files; repeat the field."}
    return {**schema, "properties": {"file": files, **schema["properties"]}, "required": ["file"]}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _problem_response(*also: str) -> dict[str, Any]:
    """A problem; ``also`` are media types it may have for a reader in a browser."""
    return {
        "description": "A problem, one of: " + ", ".join(PROBLEM_TITLES) + ".",
        "content": {MEDIA_TYPE: {"schema": _reference(ProblemOut)}, **{media: {} for media in also}},
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    asked: set[type[BaseModel]] = set()
    answered: set[type[BaseModel]] = {ProblemOut}
    for operation in operations:
        if operation.body is not None:
            asked.add(operation.body)
        answered.update(model for _, model in operation.answers if model is not None)
    wanted: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = [
        *((model, "validation") for model in sorted(asked, key=lambda model: model.__name__)),
        *((model, "serialization") for model in sorted(answered, key=lambda model: model.__name__)),
    ]
    _, schema = models_json_schema(wanted, ref_template=_REFERENCE)
    return dict(schema["$defs"])


GET_OPENAPI = Operation(
    name="openapi",
    method="GET",
    rule="/openapi.json",
    english="The OpenAPI 3.1 description of this service.",
    chinese="本服务的 OpenAPI 3.1 描述。",
    access="open",
    answers=((200, None),),
    example="'{base}/openapi.json'",
)
