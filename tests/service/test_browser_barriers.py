"""What axe-core finds in every view, light and dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.service.test_browser_page import PATIENCE, QUESTION, browser, pytestmark  # noqa: F401

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
VIEWS = [
    "/",
    "/?lang=en",
    f"/?q={quote(QUESTION)}",
    f"/?q={quote('水库水位')}&min_score=0&offset=10",
    f"/?q={quote('植树')}&source={quote('日报')}",
    f"/?q={quote('小学生午餐')}",
    f"/?q={quote('“量子引力波”')}&mode=lexical",
    "/?q=x&limit=0",
    "/nowhere",
    "/documents/paper-1",
    "/docs",
    "/demo",
]


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, live_url: str, request: pytest.FixtureRequest) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(
        base_url=live_url, locale="zh-CN", color_scheme=request.param, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def barriers(page: Page) -> list[str]:
    """Findings that keep people out, each with the first element concerned."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:120]} {one['nodes'][0]['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("path", VIEWS)
def test_a_view_keeps_nobody_out(page: Page, path: str) -> None:
    page.goto(path)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
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
