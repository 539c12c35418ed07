"""The page in a real Chromium: typing, input methods, the back button, no JavaScript, phones."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, Page, expect

from tests.service.browsing import QUESTION, hold, pytestmark, searches  # noqa: F401


def test_typing_a_query_shows_marked_hits(page: Page) -> None:
    page.goto("/")
    page.locator("#q").press_sequentially(QUESTION)
    first = page.locator(".hit").first
    expect(first.locator("h2")).to_have_text("市区今冬少见蓝天")
    expect(first.locator("mark.sentence").first).to_contain_text("限制老旧柴油车")
    expect(page.locator("#status")).to_contain_text("找到")
    expect(page).to_have_title(re.compile(QUESTION))
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/\?q="))


def test_an_input_method_is_left_alone_until_it_is_done(page: Page) -> None:
    page.clock.install()
    page.goto("/")
    sent = searches(page)
    page.locator("#q").focus()
    devtools = page.context.new_cdp_session(page)
    # As Chromium reports it while pinyin is typed: a composition that grows, then one that is committed.
    for pinyin in ("z", "zh", "zhi", "zhi shu"):
        devtools.send(
            "Input.imeSetComposition", {"text": pinyin, "selectionStart": len(pinyin), "selectionEnd": len(pinyin)}
        )
    expect(page.locator("#q")).to_have_value("zhi shu")
    page.locator("#search").evaluate("form => form.requestSubmit()")  # an Enter that belongs to the input method
    page.locator("#q").dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "isComposing": True})
    page.clock.run_for(5_000)
    assert sent == []
    assert page.url.endswith("/")
    devtools.send("Input.insertText", {"text": "植树"})
    expect(page.locator("#q")).to_have_value("植树")
    page.clock.run_for(5_000)
    expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动")
    assert set(sent) == {"植树"}


def test_the_enter_that_safari_sends_after_the_composition_does_not_search(page: Page) -> None:
    page.goto("/")
    sent = searches(page)
    prevented = page.evaluate(
        """() => {
            const input = document.getElementById("q");
            input.value = "植树";
            input.dispatchEvent(new CompositionEvent("compositionstart"));
            input.dispatchEvent(new CompositionEvent("compositionend", { data: "植树" }));
            const enter = new KeyboardEvent("keydown", { key: "Enter", cancelable: true, bubbles: true });
            return !input.dispatchEvent(enter);
        }"""
    )
    assert prevented
    expect(page.locator(".hit").first).to_be_visible()
    assert set(sent) == {"植树"}


def test_back_returns_to_the_search_before_and_forward_to_the_one_after(page: Page) -> None:
    page.goto("/")
    for query in ("植树", QUESTION):
        page.locator("#q").fill(query)
        page.keyboard.press("Enter")
        expect(page).to_have_title(re.compile(query))
    page.go_back()
    expect(page.locator("#q")).to_have_value("植树")
    expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动")
    page.go_back()
    expect(page.locator(".examples")).to_be_visible()
    expect(page.locator("#q")).to_have_value("")
    assert urlsplit(page.url).query == ""
    page.go_forward()
    page.go_forward()
    expect(page.locator("#q")).to_have_value(QUESTION)
    expect(page.locator(".hit h2").first).to_have_text("市区今冬少见蓝天")


def test_typing_on_makes_one_entry_of_the_history(page: Page) -> None:
    page.goto("/")
    for text in ("植", "植树", "植树活动"):
        page.locator("#q").fill(text)
        expect(page).to_have_title(re.compile(f"^{text} "))
    page.go_back()
    expect(page.locator(".examples")).to_be_visible()


def test_an_answer_that_comes_too_late_is_dropped(page: Page) -> None:
    page.goto("/")
    held = hold(page, quote("水库"))
    page.locator("#q").fill("水库")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#status")).to_have_text("正在查找……")
    page.locator("#q").fill("植树")
    page.keyboard.press("Enter")
    expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动")
    for route in held:
        route.abort()
    expect(page.locator("#answer")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动")


def test_a_service_that_cannot_be_reached_says_so_and_can_be_tried_again(page: Page) -> None:
    page.goto("/")
    page.route(lambda url: "?q=" in url, lambda route: route.abort())
    page.locator("#q").fill("植树")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("连不上服务")
    page.unroute_all()
    page.get_by_role("link", name="再试一次").click()
    expect(page.locator(".hit").first).to_be_visible()


def test_links_and_modes_work_in_place(page: Page) -> None:
    page.goto("/?q=" + quote("水库水位公报") + "&limit=5&min_score=0")
    page.evaluate("() => { window.unchanged = true }")
    page.get_by_role("link", name="下一页").click()
    expect(page).to_have_url(re.compile("offset=5"))
    expect(page.locator("#answer")).to_be_focused()
    page.locator("#modes summary").click()
    page.get_by_label("关键词").check()
    expect(page).to_have_url(re.compile("mode=lexical"))
    expect(page.locator("#mode-name")).to_have_text("关键词")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    assert page.evaluate("() => window.unchanged")


def test_a_hit_leads_to_its_passage_in_the_document(page: Page) -> None:
    page.goto("/?q=" + quote(QUESTION))
    page.locator(".hit h2 a").first.click()
    expect(page.locator("p.passage:target mark.sentence")).to_contain_text("限制老旧柴油车")
    expect(page.locator("#q")).to_have_value(QUESTION)


def test_back_returns_to_the_place_where_one_was(page: Page) -> None:
    page.goto("/?q=" + quote("水库水位公报") + "&min_score=0")
    last = page.locator(".hit").last
    last.scroll_into_view_if_needed()
    last.locator("h2 a").click()
    expect(page).to_have_url(re.compile("/documents/"))
    page.go_back()
    expect(last).to_be_in_viewport()
    page.get_by_role("link", name="下一页").click()
    expect(page).to_have_url(re.compile("offset="))
    expect(page.locator(".hit").first).to_be_in_viewport()
    page.go_back()
    expect(page).not_to_have_url(re.compile("offset="))
    expect(last).to_be_in_viewport()


def test_without_javascript_everything_works(browser: Browser, live_url: str) -> None:
    context = browser.new_context(base_url=live_url, java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto("/")
    page.locator("#q").fill(QUESTION)
    page.get_by_role("button", name="搜索").click()
    expect(page.locator(".hit mark.sentence").first).to_contain_text("限制老旧柴油车")
    page.locator(".hit details summary").first.click()
    expect(page.locator(".hit details").first).to_have_attribute("open", "")
    page.locator("#modes summary").click()
    page.get_by_label("关键词").check()
    page.get_by_role("button", name="应用").click()
    expect(page).to_have_url(re.compile("mode=lexical"))
    context.close()


def test_no_width_scrolls_sideways(page: Page) -> None:
    long = "无" * 60
    queries = (f"/?q={quote(QUESTION)}", f"/?q={long}", "/?q=x&limit=0")
    for path in ("/", "/?lang=en", *queries, "/documents/paper-1", "/docs", "/demo"):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
        for width in (320, 390, 768):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
    page.goto("/")
    assert float(page.locator("#q").evaluate("input => parseFloat(getComputedStyle(input).fontSize)")) >= 16


def test_the_reader_can_change_the_language_and_keep_it(page: Page) -> None:
    page.goto("/?q=" + quote(QUESTION))
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.locator("#q").fill("植树")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("植树"))
    expect(page).to_have_url(re.compile("lang=en"))
    expect(page.locator("#count")).to_contain_text("passage")
