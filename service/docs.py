"""The API reference people read, made from the same OpenAPI document that programs read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, render_template, request

from service.language import Language, reader_language
from service.openapi import OpenApi
from service.operation import HTML, Operation, Routes
from service.sentences import PROBLEM_TITLES
from service.texts import TEXTS


class Docs:
    """The route of the reference.

    :param openapi: Where the document comes from.
    """

    def __init__(self, openapi: OpenApi) -> None:
        self._openapi = openapi

    def routes(self) -> Routes:
        """The blueprint with its description."""
        routes = Routes("docs")
        routes.add(GET_DOCS, self.get)
        return routes

    def get(self) -> Response:
        """Answer with the reference in the reader's language."""
        language = reader_language()
        document = self._openapi.document()
        asked = request.args.get("lang", "")
        html = render_template(
            "docs.html",
            t=TEXTS[language],
            language=language,
            lang=asked if asked in TEXTS else "",
            other_language_link=f"/docs?lang={'en' if language == 'zh' else 'zh'}",
            view="docs",
            operations=list(_operations(document, language)),
            schemas=list(_schemas(document, language)),
            problems={kind: titles[language == "zh"] for kind, titles in PROBLEM_TITLES.items()},
        )
        return Response(html, mimetype=HTML, headers={"Cache-Control": "no-cache"})


def _operations(document: dict[str, Any], language: Language) -> Iterator[dict[str, Any]]:
    base = request.host_url.rstrip("/")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            example = operation["x-example"].replace("{base}", base)
            yield {
                "id": operation["operationId"],
                "method": method.upper(),
                "path": path,
                "summary": operation["x-summary-zh" if language == "zh" else "summary"],
                "access": _access(operation),
                "parameters": [
                    _row(parameter["name"], _flat(parameter), language) for parameter in operation["parameters"]
                ],
                "body": _body(operation),
                "answers": [
                    (status, _schema_name(next(iter(answer.get("content", {}).values()), {})))
                    for status, answer in operation["responses"].items()
                    if status < "300"
                ],
                "problems": [status for status in operation["responses"] if status >= "300"],
                "example": f"curl {example}" if example else "",
            }


def _access(operation: dict[str, Any]) -> str:
    security = operation.get("security")
    if security is None:
        return "open"
    return "read" if {} in security else "write"


def _flat(parameter: dict[str, Any]) -> dict[str, Any]:
    return {**parameter, **parameter["schema"]}


def _body(operation: dict[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    several = "anyOf" in schema
    return {"name": _schema_name({"schema": schema["anyOf"][0] if several else schema}), "list_too": several}


def _schema_name(content: dict[str, Any]) -> str:
    return str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]


def _schemas(document: dict[str, Any], language: Language) -> Iterator[dict[str, Any]]:
    for name, schema in document["components"]["schemas"].items():
        required = schema.get("required", [])
        yield {
            "name": name,
            "fields": [
                _row(field, {"required": field in required, **about}, language)
                for field, about in schema.get("properties", {}).items()
            ],
        }


def _row(name: str, about: dict[str, Any], language: Language) -> dict[str, Any]:
    description = about.get("x-description-zh") if language == "zh" else about.get("description")
    return {
        "name": name,
        "type": _type(about),
        "meaning": description or about.get("description", ""),
        "required": about.get("required", False),
        "default": json.dumps(about["default"]) if about.get("default") not in ("", None, [], False) else None,
    }


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words: ``integer 1..100``, ``list of HitOut``, ``"sentence" | "word" | null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    name = str(schema.get("type", ""))
    if "minimum" in schema and "maximum" in schema:
        name += f" {schema['minimum']}..{schema['maximum']}"
    return name


GET_DOCS = Operation(
    name="docs",
    method="GET",
    rule="/docs",
    english="The API reference as a page.",
    chinese="以网页显示的接口文档。",
    access="open",
    answers=((200, None),),
    media=HTML,
)
