"""The search box in a real Chromium, in a page of another site: typing, input methods, keys, failures, XSS."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from index.corpus import Corpus
from index.ingest import record_source
from service.app import create_app
from service.keys import create_key
from service.server import Server
from service.settings import Settings
from service.texts import BOX_TEXTS
from tests.service.browsing import PATIENCE, QUESTION, pytestmark  # noqa: F401
from tests.service.conftest import serving
from tests.service.test_browser_pace import use_up

STATIC = Path(__file__).parents[2] / "service" / "static"
LARGEST_BOX = 12 * 1024
FOREIGN = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>别家网站</title>
<script type="module" src="{service}/static/search-box.js"></script>
<textarea id="own"></textarea><search-box {attributes} endpoint="{service}"></search-box></html>"""


class Site:
    """Another site: one page, on a port of its own."""

    def __init__(self) -> None:
        self.html = ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = site.html.encode() if self.path == "/" else b""
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *said: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    opened = Site()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


@pytest.fixture(scope="module")
def service(corpus: Corpus, site: Site) -> Iterator[str]:
    server = Server(create_app(corpus, settings=Settings(port=0, allowed_origins=(site.origin,))))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.url.rstrip("/")
    server.stop()
    thread.join(10)


@pytest.fixture
def visit(browser: Browser, site: Site, service: str) -> Iterator[Callable[..., Page]]:
    """Opens the other site's page with a box of the attributes given."""
    context = browser.new_context(locale="zh-CN")
    context.set_default_timeout(PATIENCE)
    failures: list[str] = []

    def opened(attributes: str = "", address: str = service) -> Page:
        site.html = FOREIGN.format(service=address, attributes=attributes)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(site.origin)
        page.evaluate("customElements.whenDefined('search-box').then(() => null)")
        return page

    yield opened
    context.close()
    assert failures == []


def asked(page: Page) -> list[str]:
    """The queries sent from now on."""
    sent: list[str] = []

    def note(request: Request) -> None:
        sent.extend(parse_qs(urlsplit(request.url).query).get("q", []))

    page.on("request", note)
    return sent


def test_it_is_small() -> None:
    files = [*STATIC.glob("search-box*.js"), *(STATIC / f"{name}.js" for name in ("composing", "combobox", "pace"))]
    assert len(files) == 7
    texts = str(BOX_TEXTS).encode()
    assert sum(len(gzip.compress(data)) for data in [texts, *(path.read_bytes() for path in files)]) < LARGEST_BOX


def test_hits_come_while_one_types_with_the_answer_marked(visit: Callable[..., Page]) -> None:
    page = visit()
    page.get_by_role("combobox").press_sequentially(QUESTION)
    hit = page.locator(".hit").first
    expect(hit.locator(".title")).to_have_text("市区今冬少见蓝天")
    expect(hit.locator("mark.sentence").first).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("找到")


def test_a_composition_is_left_alone(visit: Callable[..., Page]) -> None:
    page = visit()
    box = page.get_by_role("combobox")
    box.focus()
    page.clock.install()
    sent = asked(page)
    devtools = page.context.new_cdp_session(page)
    for pinyin in ("z", "zh", "zhi shu"):
        place = len(pinyin)
        devtools.send("Input.imeSetComposition", {"text": pinyin, "selectionStart": place, "selectionEnd": place})
    expect(box).to_have_value("zhi shu")
    for key in ("Enter", "Escape", "ArrowDown"):
        box.dispatch_event("keydown", {"key": key, "keyCode": 229, "isComposing": True, "bubbles": True})
    page.clock.run_for(5_000)
    assert sent == []
    expect(box).to_have_value("zhi shu")
    devtools.send("Input.insertText", {"text": "植树"})
    page.clock.run_for(5_000)
    expect(page.locator(".hit .title").first).to_have_text("义务植树活动启动")
    assert set(sent) == {"植树"}


def test_the_enter_safari_sends_after_the_composition_opens_nothing(visit: Callable[..., Page]) -> None:
    page = visit()
    address = page.url
    prevented = page.get_by_role("combobox").evaluate(
        """input => {
            input.value = "植树";
            input.dispatchEvent(new CompositionEvent("compositionstart"));
            input.dispatchEvent(new CompositionEvent("compositionend", { data: "植树" }));
            return !input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
        }"""
    )
    assert prevented
    expect(page.locator(".hit").first).to_be_visible()
    assert page.url == address


def test_everything_can_be_done_with_keys(visit: Callable[..., Page]) -> None:
    page = visit("link='/reading?passage={passage_id}'")
    box = page.get_by_role("combobox")
    box.fill(QUESTION)
    first = page.locator(".hit").first
    expect(first).to_be_visible()
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("option").last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant") is None
    while first.get_attribute("aria-selected") != "true":
        page.keyboard.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant") == first.get_attribute("id")
    page.keyboard.press("Escape")
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(box).to_have_value(QUESTION)
    page.keyboard.press("ArrowDown")
    while first.get_attribute("aria-selected") != "true":
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/reading\?passage=paper-1%3A0$"))


def test_enter_alone_leads_to_the_page_of_hits(visit: Callable[..., Page], service: str) -> None:
    page = visit("filters='source=晚报'")
    page.get_by_role("combobox").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"^{re.escape(service)}/\\?source=.*&q="))


def test_a_site_can_open_what_was_chosen_itself(visit: Callable[..., Page]) -> None:
    page = visit()
    address = page.url
    page.evaluate(
        """() => document.addEventListener("search-box-open", event => {
            event.preventDefault();
            window.opened = [event.detail.hit.passage_id, event.detail.url];
        })"""
    )
    page.get_by_role("combobox").fill(QUESTION)
    page.locator(".hit").first.click()
    assert page.evaluate("window.opened") == ["paper-1:0", "https://example.org/paper/1"]
    assert page.url == address


@pytest.mark.parametrize("keys", ["Control+k", "Meta+k", "/"])
def test_keys_open_the_dialog_and_escape_gives_the_focus_back(visit: Callable[..., Page], keys: str) -> None:
    page = visit("hotkey")
    trigger = page.locator("search-box button")
    trigger.focus()
    page.keyboard.press(keys)
    box = page.get_by_role("combobox")
    expect(box).to_be_focused()
    box.fill(QUESTION)
    expect(page.locator(".hit").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(trigger).to_be_focused()


def test_a_slash_typed_into_the_sites_own_field_stays_there(visit: Callable[..., Page]) -> None:
    page = visit("hotkey")
    page.locator("#own").press_sequentially("a/b")
    expect(page.locator("#own")).to_have_value("a/b")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(("status", "text"), [(503, "busy"), (401, "key"), (400, "failed"), (0, "offline")])
def test_a_failure_is_said_and_the_next_search_works(visit: Callable[..., Page], status: int, text: str) -> None:
    page = visit()

    def fail(route: Route) -> None:
        if status:
            route.fulfill(status=status, headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.abort()

    page.route("**/api/v1/search*", fail)
    box = page.get_by_role("combobox")
    box.fill("水库")
    expect(page.locator(".note")).to_have_text(BOX_TEXTS["zh"][text])
    page.unroute("**/api/v1/search*")
    box.fill(QUESTION)
    expect(page.locator(".hit").first).to_be_visible()


@pytest.mark.parametrize("status", [404, 503])
def test_it_works_without_suggestions(visit: Callable[..., Page], status: int) -> None:
    page = visit()
    page.route("**/api/v1/suggest*", lambda route: route.fulfill(status=status))
    page.get_by_role("combobox").fill(QUESTION)
    expect(page.locator(".hit").first).to_be_visible()
    expect(page.locator(".note")).to_have_text("")


def test_a_box_that_asked_too_often_waits_and_says_nothing(
    visit: Callable[..., Page], corpus: Corpus, site: Site
) -> None:
    with serving(corpus, rate=60, allowed_origins=(site.origin,)) as address:
        page = visit("", address)
        use_up(page.request, address)
        box = page.get_by_role("combobox")
        box.fill("水库水位")
        expect(page.locator(".hit").first).to_be_visible(timeout=PATIENCE)
        sent = asked(page)
        use_up(page.request, address)
        box.fill("植树")
        expect(page.locator(".hit .title").first).to_have_text("义务植树活动启动", timeout=PATIENCE)
        assert len(sent) < 4, "one refusal, one answer, no suggestions"
        expect(page.locator(".note")).to_have_text("")


def test_a_late_answer_to_an_earlier_text_is_dropped(visit: Callable[..., Page]) -> None:
    page = visit()
    held: list[Route] = []
    page.route("**/api/v1/search*", lambda route: route.continue_() if held else held.append(route))
    box = page.get_by_role("combobox")
    box.fill("水库水位")
    expect.set_options(timeout=PATIENCE)
    page.wait_for_event("request", predicate=lambda request: "search?" in request.url)
    box.fill(QUESTION)
    expect(page.locator(".hit .title").first).to_have_text("市区今冬少见蓝天")
    expect(page.locator(".hit .title").first).to_have_text("市区今冬少见蓝天")
    assert len(held) == 1


def test_what_has_no_headline_is_named_by_its_first_words(
    visit: Callable[..., Page], own_corpus: Corpus, site: Site
) -> None:
    text = "原标题：渡轮公司宣布恢复夜间航班，末班船推迟到凌晨一点，票价不变，周末另加两班。"
    own_corpus.add([record_source({"id": "ferry", "text": text}, source="")])
    with serving(own_corpus, allowed_origins=(site.origin,)) as address:
        page = visit("", address)
        page.get_by_role("combobox").fill("夜间航班")
        expect(page.locator(".hit .title").first).to_have_text(re.compile("^渡轮公司宣布恢复夜间航班，末班船.*……$"))


def test_a_search_key_opens_a_closed_service(visit: Callable[..., Page], own_corpus: Corpus, site: Site) -> None:
    evil = "<img src=x onerror=window.hacked=1>"
    own_corpus.add(
        [record_source({"id": "evil", "title": evil, "source": evil, "url": "javascript:window.hacked=1",
                        "text": f"渡轮夜航恢复。{evil}"}, source="")]
    )  # fmt: skip
    _, secret = create_key(own_corpus.data, "search")
    server = Server(create_app(own_corpus, settings=Settings(host="0.0.0.0", port=0, allowed_origins=(site.origin,))))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{urlsplit(server.url).port}"
    try:
        refused = visit("", address)
        refused.get_by_role("combobox").fill("渡轮夜航")
        expect(refused.locator(".note")).to_have_text(BOX_TEXTS["zh"]["key"])
        page = visit(f"api-key='{secret}'", address)
        page.get_by_role("combobox").fill("渡轮夜航")
        title = page.locator(".hit .title").first
        expect(title).to_have_text(evil)
        assert page.evaluate("window.hacked") is None
        expect(page.locator(".panel img")).to_have_count(0)
        title.click()
        expect(page).to_have_url(f"{address}/documents/evil?q={quote('渡轮夜航')}&passage=0#p0")
    finally:
        server.stop()
        thread.join(10)


def test_the_demo_shows_both_kinds_and_complains_of_nothing(browser: Browser, live_url: str) -> None:
    page = browser.new_page(locale="zh-CN")
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{live_url}/demo")
    page.locator("#inline").get_by_role("combobox").fill(QUESTION)
    expect(page.locator("#inline .hit").first).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.locator("#modal").get_by_role("combobox")).to_be_focused()
    assert complaints == []
    page.close()
