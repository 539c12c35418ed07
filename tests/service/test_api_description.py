"""/openapi.json and /docs say what is served, all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from index.request import MAXIMUM_QUERY
from service import __version__
from service.schemas import SearchFields
from service.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[2]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_document_is_valid_openapi(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_in_the_document(app: Flask, client: FlaskClient) -> None:
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, method, _ in operations(client.get("/openapi.json").json)}
    assert served == described


def test_the_contracts_routes_are_served(client: FlaskClient) -> None:
    described = {(path, method) for path, method, _ in operations(client.get("/openapi.json").json)}
    assert described >= {
        ("/", "get"),
        ("/api/v1/search", "get"),
        ("/api/v1/search", "post"),
        ("/api/v1/search/batch", "post"),
        ("/api/v1/suggest", "get"),
        ("/api/v1/passages/{passage_id}", "get"),
        ("/api/v1/passages/{passage_id}/similar", "get"),
        ("/api/v1/documents", "get"),
        ("/api/v1/documents", "post"),
        ("/api/v1/documents/{document_id}", "get"),
        ("/api/v1/documents/{document_id}", "put"),
        ("/api/v1/documents/{document_id}", "delete"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/openapi.json", "get"),
        ("/docs", "get"),
    }


def test_every_operation_describes_its_errors_and_speaks_both_languages(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    for path, _, operation in operations(document):
        assert operation["summary"]
        assert operation["x-summary-zh"]
        assert "500" in operation["responses"]
        if path.startswith("/api/"):
            assert {"401", "403"} <= set(operation["responses"])
        for parameter in operation["parameters"]:
            assert parameter["description"], parameter["name"]
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name


def test_the_query_strings_parameters_are_the_fields_of_the_json(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    parameters = {parameter["name"] for parameter in document["paths"]["/api/v1/search"]["get"]["parameters"]}
    fields = {field.alias or name for name, field in SearchFields.model_fields.items()}
    assert parameters == fields - {"query"} | {"q"}


def test_how_long_a_query_may_be_is_described(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    properties = document["components"]["schemas"]["SearchFields"]["properties"]
    asked = document["paths"]["/api/v1/search"]["get"]["parameters"][0]
    assert asked["name"] == "q"
    described = (asked["schema"], properties["query"], properties["q"])
    assert [schema["maxLength"] for schema in described] == [MAXIMUM_QUERY] * 3


def test_writes_need_a_key_and_reads_may(client: FlaskClient) -> None:
    for _, method, operation in operations(client.get("/openapi.json").json):
        named = ("add_documents", "list_jobs", "job", "status")
        writes = method in ("put", "delete") or operation["operationId"] in named
        assert (operation.get("security") == [{"key": ["admin"]}]) == writes


def test_the_reference_shows_every_operation_and_schema_in_both_languages(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    for language in ("zh", "en"):
        page = client.get(f"/docs?lang={language}").text
        for path, _, operation in operations(document):
            assert path in page
            assert operation["x-summary-zh" if language == "zh" else "summary"] in page
        for name in document["components"]["schemas"]:
            assert f'id="schema-{name}"' in page
        assert 'id="problem-not-found"' in page
        assert not re.search(r"(?:src|href)=\"(?!/|#)", page), "the page asks another host for something"
        assert "<script" not in page
        assert "style=" not in page


def test_the_readme_names_every_setting_and_route_and_no_other(client: FlaskClient) -> None:
    readme = (ROOT / "service" / "README.md").read_text("utf-8")
    named = set(re.findall(r"XUNZHANG_(?!TEST_)\w+", readme))  # those of the tests are no settings of the service
    assert named - {"XUNZHANG_DATA"} == set(VARIABLES)
    assert {name for name, _ in VARIABLES.values()} == set(Settings.__dataclass_fields__)
    for path, method, _ in operations(client.get("/openapi.json").json):
        assert f"{method.upper()} {path}" in readme, f"{method.upper()} {path}"


def test_the_version_is_the_projects(client: FlaskClient) -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert client.get("/openapi.json").json["info"]["version"] == __version__
