"""What axe-core finds in every view, light and dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from index.corpus import Corpus
from tests.service.browsing import PATIENCE, QUESTION, pytestmark, with_jobs  # noqa: F401
from tests.service.conftest import serving

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
VIEWS = [
    "/",
    "/?lang=en",
    f"/?q={quote(QUESTION)}",
    f"/?q={quote('水库水位')}&min_score=0&offset=10",
    f"/?q={quote('植树')}&source={quote('日报')}",
    f"/?q={quote('小学生午餐')}",
    f"/?q={quote('“量子引力波”')}&mode=lexical",
    "/?q=x&limit=0",
    f"/?q={quote('市民 学校 植树')}&min_score=0&sort=-date&tag={quote('环境')}&from=2020&byline={quote('李')}",
    f"/?q={quote('植树')}&source={quote('公报')}&from=2024&mode=lexical",
    "/nowhere",
    "/documents/paper-1#p0",
    f"/documents/paper-1?q={quote(QUESTION)}&passage=0#p0",
    f"/passages/paper-3:0/similar?q={quote('午餐')}",
    "/admin",
    "/docs",
    "/demo",
]


@pytest.fixture
def page(browser: Browser, live_url: str) -> Iterator[Page]:
    context = browser.new_context(base_url=live_url, locale="zh-CN", color_scheme="light", reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def barriers(page: Page) -> list[str]:
    """Findings that keep people out, each with the first element concerned; in the dark only colours differ."""
    page.emulate_media(color_scheme="light")
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    page.emulate_media(color_scheme="dark")
    found += Axe().run(page, options={"runOnly": ["color-contrast"]}).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:120]} {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_what_is_unreadable_in_the_dark_alone_is_found(page: Page) -> None:
    page.goto("/")
    page.evaluate(
        """() => {
            const sheet = new CSSStyleSheet();
            sheet.replaceSync("@media (prefers-color-scheme: dark) { .tagline { color: #222 !important } }");
            document.adoptedStyleSheets = [sheet];
        }"""
    )
    assert ["color-contrast" in one for one in barriers(page)] == [True]


@pytest.mark.parametrize("path", VIEWS)
def test_a_view_keeps_nobody_out(page: Page, path: str) -> None:
    page.goto(path)
    if path == "/admin":
        expect(page.locator("#documents tr")).not_to_have_count(0)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert barriers(page) == []


def test_suggestions_and_recent_searches_keep_nobody_out(page: Page) -> None:
    page.goto("/")
    for query in ("义务植树", "水库水位"):
        page.locator("#q").fill(query)
        page.keyboard.press("Enter")
        expect(page.locator(".hit").first).to_be_visible()
    page.goto("/")
    expect(page.locator("#recent").get_by_role("link")).to_have_count(2)
    assert barriers(page) == []
    page.locator("#q").fill("水库")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    assert barriers(page) == []


def test_the_question_before_deleting_and_the_key_form_keep_nobody_out(page: Page) -> None:
    page.goto("/admin")
    page.get_by_role("button", name="删除：").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert barriers(page) == []
    page.keyboard.press("Escape")
    page.route("**/api/v1/status", lambda route: route.fulfill(status=401, json={}))
    page.reload()
    expect(page.locator("#key")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#key-wrong")).to_be_visible()
    assert barriers(page) == []


def test_jobs_and_the_question_before_cancelling_one_keep_nobody_out(page: Page) -> None:
    page.goto("/admin")
    with_jobs(page)
    assert barriers(page) == []
    page.get_by_role("button", name="取消任务：年鉴.zip").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert barriers(page) == []


def test_an_archive_without_documents_and_a_service_that_is_gone_keep_nobody_out(
    page: Page, own_corpus: Corpus
) -> None:
    own_corpus.remove(["paper-1"])
    with serving(own_corpus) as address:
        page.goto(address)
        expect(page.locator("#answer")).to_contain_text("还没有收录任何文献")
        assert barriers(page) == []
        page.route(lambda url: "?q=" in url, lambda route: route.abort())
        page.locator("#q").fill("植树")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        assert barriers(page) == []


@pytest.mark.parametrize("kind", ["inline", "modal"])
def test_an_open_search_box_keeps_nobody_out(page: Page, kind: str) -> None:
    page.goto("/demo")
    box = page.locator(f"#{kind}")
    if kind == "modal":
        box.locator("button").click()
    box.get_by_role("combobox").fill(QUESTION)
    expect(box.locator(".hit").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(box.get_by_role("option", selected=True)).to_have_count(1)
    assert barriers(page) == []
