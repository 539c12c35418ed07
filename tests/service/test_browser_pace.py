"""A service that limits how often it is asked: the page slows down and waits, without a word while that is short."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import APIRequestContext, Browser, Page, expect

from index.corpus import Corpus
from tests.service.browsing import pytestmark, searches  # noqa: F401
from tests.service.conftest import serving

WATCH = """() => {
    window.said = [];
    new MutationObserver(() => {
        const alert = document.querySelector("#answer [role=alert]");
        if (alert) window.said.push(alert.textContent);
    }).observe(document.getElementById("answer"), { childList: true });
}"""


def use_up(request: APIRequestContext, address: str) -> None:
    """Ask until no more is answered."""
    while request.get(f"{address}/api/v1/suggest").status != 429:
        pass


def test_a_page_that_asked_too_often_waits_and_says_nothing(page: Page, corpus: Corpus) -> None:
    with serving(corpus, rate=60) as address:
        page.goto(address)
        page.evaluate(WATCH)
        use_up(page.request, address)
        page.locator("#q").fill("植树")
        expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动", timeout=15_000)
        sent = searches(page)
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        use_up(page.request, address)
        page.locator("#q").fill("水库水位")
        page.keyboard.press("Enter")
        expect(page.locator(".hit h2").first).to_have_text(re.compile("水库水位公报"), timeout=15_000)
        assert set(sent) == {"水库水位"}
        assert not any("/suggest" in url for url in asked), "searches go first"
        assert page.evaluate("window.said") == []


@pytest.mark.parametrize("javascript", [True, False])
def test_a_long_wait_is_told(browser: Browser, corpus: Corpus, javascript: bool) -> None:
    with serving(corpus, rate=1) as address:
        context = browser.new_context(locale="zh-CN", java_script_enabled=javascript)
        page = context.new_page()
        page.goto(address)  # the one question of this minute
        page.locator("#q").fill("植树")
        page.keyboard.press("Enter")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("您的请求有点频繁")
        expect(alert).to_contain_text("秒后再试")
        again = alert.get_by_role("link", name="再试一次")
        assert parse_qs(urlsplit(again.get_attribute("href") or "").query)["q"] == ["植树"]
        context.close()


@pytest.mark.parametrize("javascript", [True, False])
def test_only_what_is_typed_is_marked_as_such(browser: Browser, live_url: str, javascript: bool) -> None:
    opened = browser.new_context(base_url=live_url, locale="zh-CN", java_script_enabled=javascript)
    page = opened.new_page()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "?q=" in one.url and "/api/" not in one.url else None)
    page.goto("/")
    page.locator("#q").fill("植树")
    if javascript:
        expect(page.locator(".hit").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()
    if javascript:
        expect(page).to_have_url(re.compile(r"\?q=[%\w]+$"))  # the address to share says nothing of it
    opened.close()
    typed = [parse_qs(urlsplit(url).query).get("typing") for url in asked]
    assert typed == [["1"], None] if javascript else [None]
