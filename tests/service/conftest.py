"""A real application over a real corpus on a small data directory, and a client that checks every answer
against /openapi.json."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from index.corpus import Corpus
from index.ingest import record_source
from service.app import create_app
from service.parts import parts_of
from service.server import Server
from service.settings import Settings
from service.worker import Worker

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

RECORDS: list[dict[str, Any]] = [
    {
        "id": "paper-1",
        "title": "市区今冬少见蓝天",
        "source": "晚报",
        "byline": "本报记者 李明",
        "date": "2023-12-05",
        "url": "https://example.org/paper/1",
        "tags": ["环境"],
        "text": "入冬以来，市区连日笼罩在灰霾之中。为减少汽车尾气，市政府决定从下月起限制老旧柴油车进入二环以内。\n"
        "环保部门还将在早晚高峰增派检测人员，对排放超标的车辆当场开具罚单。市民可以拨打热线举报冒黑烟的车辆。",
    },
    {
        "id": "paper-2",
        "title": "义务植树活动启动",
        "source": "日报",
        "date": "2024-03-12",
        "tags": ["环境", "活动"],
        "text": "三月十二日，全市义务植树活动在东郊林场启动，首日栽下油松和国槐两万棵。\n"
        "园林部门介绍，今年春季计划完成植树一百万棵，新增绿地三百公顷，并为每株树苗建立档案。",
    },
    {
        "id": "paper-3",
        "title": "小学生午餐有了新规定",
        "source": "日报",
        "date": "2024-09-01",
        "url": "/archive/paper-3.html",
        "text": "新学期开始，教育部门要求学校食堂每天公布菜谱，每份午餐至少两荤两素，并由校长陪餐。\n"
        "家长代表可以随时进入后厨察看。有老师说，孩子们剩饭的情况比去年少了一半。",
    },
    {
        "id": "paper-4",
        "title": "小学生午餐有了新规定",
        "source": "文摘",
        "date": "2024-09-03",
        "text": "新学期开始，教育部门要求学校食堂每天公布菜谱，每份午餐至少两荤两素，并由校长陪餐。\n"
        "家长代表可以随时进入后厨察看。有老师说，孩子们剩饭的情况比去年少了一半。",
    },
    {
        "id": "paper-5",
        "title": "臺北捷運延長營運時間",
        "source": "晚报",
        "date": "2022-12-31",
        "text": "跨年夜當晚，臺北捷運連續營運四十二小時不收班，並加開列車疏運觀看煙火的民眾。<b>請勿</b>攜帶氣球進站。",
    },
    *(
        {
            "id": f"bulletin-{number:02}",
            "title": f"水库水位公报第{number}期",
            "source": "公报",
            "date": f"2021-{number:02}-15",
            "text": f"第{number}期公报：本月水库平均水位为{60 + number}米，比上月上升{number}厘米，蓄水充足。",
        }
        for number in range(1, 13)
    ),
]


def fill(corpus: Corpus) -> None:
    corpus.add(record_source(record, source="") for record in RECORDS)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """A corpus that tests only read."""
    opened = Corpus.open(tmp_path_factory.mktemp("data"), create=True)
    fill(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def shared_corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """The corpus behind own_corpus: opening one loads the model, which is too slow for every test."""
    opened = Corpus.open(tmp_path_factory.mktemp("own"), create=True)
    yield opened
    opened.close()


@pytest.fixture
def own_corpus(shared_corpus: Corpus) -> Corpus:
    """A corpus to write to, with one document, no keys and no jobs."""
    (shared_corpus.data / "keys.json").unlink(missing_ok=True)
    shutil.rmtree(shared_corpus.data / "jobs", ignore_errors=True)
    while listed := [
        document.id for document in shared_corpus.documents(limit=500).documents if document.id != "paper-1"
    ]:
        shared_corpus.remove(listed)
    shared_corpus.add([record_source(RECORDS[0], source="")])
    return shared_corpus


class CheckedClient(FlaskClient):
    """Checks every answer: its status, type and shape are those /openapi.json promises, and its headers safe."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **{"buffered": True, **kwargs})
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in response.headers
        assert response.status_code < 500 or response.status_code in (503, 507), response.text
        document = _openapi(self.application)
        operation = _operation(self.application, document, response)
        if operation is not None and response.request.method != "OPTIONS":
            assert str(response.status_code) in operation["responses"], (response.request.path, response.status_code)
        if response.mimetype == "application/problem+json":
            check_problem(response, document)
        elif operation is not None and response.mimetype == "application/json" and response.data:
            content = operation["responses"][str(response.status_code)]["content"]["application/json"]
            conform(response.json, content.get("schema", {}), document)
        return response


def _openapi(app: Flask) -> dict[str, Any]:
    if "openapi" not in app.extensions:
        app.extensions["openapi"] = FlaskClient(app).get("/openapi.json").json
    found: dict[str, Any] = app.extensions["openapi"]
    return found


def _operation(app: Flask, document: dict[str, Any], response: TestResponse) -> dict[str, Any] | None:
    request = response.request
    method = "GET" if request.method == "HEAD" else request.method
    try:
        rule, _ = app.url_map.bind("localhost").match(request.path, method, return_rule=True)
    except HTTPException:
        return None
    path = rule.rule.replace("<path:", "<").replace("<", "{").replace(">", "}")
    found: dict[str, Any] | None = document["paths"][path].get(method.lower())
    return found


def conform(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    """Check a value against a schema of the OpenAPI document."""
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def check_problem(response: TestResponse, document: dict[str, Any]) -> None:
    """Check that an answer is a proper problem, in one language."""
    if not response.data:  # HEAD
        return
    problem = response.json
    conform(problem, {"$ref": "#/components/schemas/ProblemOut"}, document)
    assert problem["status"] == response.status_code
    assert problem["instance"] == response.request.path
    assert problem["type"].startswith("/docs#problem-")
    for word in ("Traceback", "pydantic", "Input should", "werkzeug"):
        assert word not in response.text
    chinese = response.headers["Content-Language"] == "zh"
    assert any("一" <= character <= "鿿" for character in problem["title"]) == chinese
    if response.status_code == 503:
        assert int(response.headers["Retry-After"]) > 0


def app_of(corpus: Corpus, **settings: Any) -> Flask:
    app = create_app(corpus, settings=Settings(**settings))
    app.test_client_class = CheckedClient
    return app


@pytest.fixture
def make_client() -> Callable[..., FlaskClient]:
    """Makes a client of an application with the settings given."""
    return lambda corpus, **settings: app_of(corpus, **settings).test_client()


@pytest.fixture(scope="session")
def app(corpus: Corpus) -> Flask:
    return app_of(corpus)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that prefers no language, over the corpus that is only read."""
    return app.test_client()


@pytest.fixture
def own_client(own_corpus: Corpus) -> Iterator[FlaskClient]:
    """A client over a corpus of the test's own."""
    app = app_of(own_corpus)
    yield app.test_client()
    parts_of(app).worker.close()


def done(worker: Worker) -> None:
    """Wait until it has nothing left to do."""
    while (thread := worker._thread) is not None and thread.is_alive():
        thread.join(60)


@contextmanager
def serving(corpus: Corpus, **settings: Any) -> Iterator[str]:
    """A real server over a corpus while the block runs; its address without the last slash."""
    with serving_app(create_app(corpus, settings=Settings(port=0, **settings))) as address:
        yield address


@contextmanager
def serving_app(app: Flask) -> Iterator[str]:
    """A real server of an application while the block runs; its address without the last slash."""
    server = Server(app)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{urlsplit(server.url).port}"
    finally:
        server.stop()
        thread.join(10)


@pytest.fixture(scope="session")
def live_url(corpus: Corpus) -> Iterator[str]:
    """The address of a real server over the corpus that is only read."""
    with serving(corpus) as address:
        yield address


@pytest.fixture(scope="session")
def sample_url(sample: Corpus) -> Iterator[str]:
    """The address of a real server over the bundled sample, whose documents have several passages."""
    with serving(sample) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each opens contexts of its own."""
    from playwright.sync_api import sync_playwright

    from tests.service.browsing import CHROMIUM

    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox", *quiet])
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser, live_url: str) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=live_url, locale="zh-CN", viewport={"width": 1000, "height": 800})
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose scripts must not fail and which must ask no other host for anything."""
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    opened.on("request", lambda asked: complaints.append(asked.url) if "//127.0.0.1:" not in asked.url else None)
    yield opened
    assert complaints == []


@pytest.fixture(scope="module")
def own_app(shared_corpus: Corpus) -> Flask:
    """An application over the corpus to write to."""
    return create_app(shared_corpus, settings=Settings(port=0))


@pytest.fixture(scope="module")
def own_url(own_app: Flask) -> Iterator[str]:
    """The address of a real server of that application."""
    with serving_app(own_app) as address:
        yield address


@pytest.fixture
def desk(browser: Browser, own_app: Flask, own_url: str, own_corpus: Corpus) -> Iterator[Page]:
    """The admin page of a service without keys, whose scripts must not fail; ``own_corpus`` is what it shows."""
    from tests.service.browsing import PATIENCE

    context = browser.new_context(base_url=own_url, locale="zh-CN")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(own_url) else complaints.append(asked.url))
    page.goto("/admin")
    yield page
    context.close()
    done(parts_of(own_app).worker)  # what it still writes belongs to this test
    assert complaints == []
