"""Whatever the description allows, and much that it does not, gets an answer that the description promises.

schemathesis makes requests from /openapi.json: every operation, valid and invalid, and chains of requests where an
answer gives what the next one needs. ``XUNZHANG_TEST_CASES`` sets how many of each kind for each operation (default 6;
120 make over 5,000 in all).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from index.corpus import Corpus
from service.app import create_app
from service.problems import MEDIA_TYPE
from service.settings import Settings
from tests.service.conftest import fill

CASES = int(os.environ.get("XUNZHANG_TEST_CASES", "6"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
quiet = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
seen: Counter[str] = Counter()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    corpus = Corpus.open(tmp_path_factory.mktemp("fuzzed"), create=True)
    fill(corpus)
    app = create_app(corpus, settings=Settings())
    yield app
    print(f"{seen.total()} requests: {dict(sorted(seen.items()))}")
    corpus.close()


@pytest.fixture(scope="module")
def described(fuzzed: Flask) -> BaseSchema:
    return schemathesis.openapi.from_wsgi("/openapi.json", fuzzed)


def judge(case: Case, answer: Response) -> None:
    seen[str(answer.status_code)] += 1
    case.validate_response(answer, checks=CHECKS)
    kind = answer.headers.get("content-type", [""])[0].partition(";")[0]
    assert answer.status_code != 503, answer.text  # one request at a time is never too many
    if answer.status_code >= 400 and case.method != "HEAD":
        asked = (case.headers or {}).get("Accept", "")
        page = kind == "text/html" and ("html" in asked or not case.path.startswith("/api"))
        assert kind == MEDIA_TYPE or page, (case.method, case.formatted_path, kind)


def test_every_answer_is_as_described(described: BaseSchema) -> None:
    wrong = []
    for found in described.get_all_operations():
        operation = found.ok()

        @quiet
        @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        def allowed(case: Case) -> None:
            judge(case, case.call())

        @quiet
        @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def not_allowed(case: Case) -> None:
            judge(case, case.call())

        for test in (allowed, not_allowed):
            try:
                test()
            except Unsatisfiable:  # nothing can be wrong with what takes nothing
                continue
            except Exception as error:
                wrong.append(f"{operation.label}: {error!r} {getattr(error, 'exceptions', '')}")
    assert not wrong, "\n".join(wrong)


def test_chains_of_requests_are_answered_as_described(described: BaseSchema) -> None:
    """Documents are added, read, searched, exchanged and removed in any order."""

    class Chain(described.as_state_machine()):  # type: ignore[misc]
        def validate_response(self, response: Response, case: Case, **_: object) -> None:
            judge(case, response)

    # One at a time: what is there changes from chain to chain, which hypothesis would take for a flaky test.
    once = settings(quiet, derandomize=False, max_examples=1, stateful_step_count=10)
    for number in range(CASES):
        run_state_machine_as_test(seed(number)(Chain), settings=once)
