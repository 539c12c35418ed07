"""The list below the page's own box: what it offers, its keys, input methods, late answers; and recent searches."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from index.corpus import Corpus
from index.ingest import record_source
from tests.service.browsing import hold, pytestmark, searches  # noqa: F401
from tests.service.conftest import serving

SUGGEST = "**/api/v1/suggest*"


def options(page: Page) -> list[str]:
    return page.get_by_role("option").all_text_contents()


def test_pinyin_offers_what_the_archive_says(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("combobox")
    expect(box).to_have_attribute("aria-expanded", "false")
    box.press_sequentially("xiaoxuesheng")
    option = page.get_by_role("option").filter(has_text="小学生午餐有了新规定").first
    expect(option).to_be_visible()
    expect(option.locator("b")).to_have_text("小学生")
    expect(box).to_have_attribute("aria-expanded", "true")
    option.click()
    expect(page).to_have_title(re.compile("^小学生午餐有了新规定"))
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(page.locator(".hit").first).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/documents/paper-1"])
def test_everything_can_be_done_with_keys(page: Page, path: str) -> None:
    page.goto(path)
    page.locator("#q").focus()
    box = page.get_by_role("combobox")
    expect(box).to_be_focused()
    box.press_sequentially("水库水位")
    first = page.get_by_role("option").first
    expect(first).to_be_visible()
    assert box.get_attribute("aria-activedescendant") is None  # nothing is chosen until somebody does
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "true")
    assert box.get_attribute("aria-activedescendant") == first.get_attribute("id")
    page.keyboard.press("ArrowUp")
    assert box.get_attribute("aria-activedescendant") is None
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(box).to_have_value("水库水位")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    text = page.get_by_role("option", selected=True).text_content() or ""
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile(f"^{text} "))
    expect(page.locator("#q")).to_have_value(text)
    expect(page.locator(".hit").first).to_be_visible()


def test_enter_searches_what_was_typed_and_tab_leaves(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("combobox")
    box.fill("植树")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(page).to_have_title(re.compile("^植树 "))
    box.fill("水库")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_a_composition_is_asked_nothing_and_keeps_its_keys(page: Page) -> None:
    page.goto("/")
    box = page.get_by_role("combobox")
    box.fill("水库")
    expect(page).to_have_title(re.compile("^水库 "))  # the search while typing is over
    expect(page.get_by_role("option").first).to_be_visible()
    offered = options(page)
    page.clock.install()
    sent = searches(page)
    devtools = page.context.new_cdp_session(page)
    for pinyin in ("s", "sh", "shui wei"):
        place = len(pinyin)
        devtools.send("Input.imeSetComposition", {"text": pinyin, "selectionStart": place, "selectionEnd": place})
    expect(box).to_have_value("水库shui wei")
    for key in ("ArrowDown", "Enter", "Escape"):
        box.dispatch_event("keydown", {"key": key, "keyCode": 229, "isComposing": True, "bubbles": True})
    page.clock.run_for(5_000)
    assert sent == []
    assert options(page) == offered
    assert box.get_attribute("aria-activedescendant") is None
    devtools.send("Input.insertText", {"text": "水位"})
    page.clock.run_for(5_000)
    expect(box).to_have_value("水库水位")
    expect(page.get_by_role("option").filter(has_text="水库水位").first).to_be_visible()
    assert set(sent) == {"水库水位"}


def test_a_late_answer_to_an_earlier_text_is_dropped(page: Page) -> None:
    page.goto("/")
    held = hold(page, f"suggest?q={quote('水库')}&")
    box = page.get_by_role("combobox")
    with page.expect_request(SUGGEST):
        box.fill("水库")
    box.fill("植树")
    expect(page.get_by_role("option").first).to_contain_text("植树")
    assert len(held) == 1
    held[0].fulfill(json={"query": "水库", "took_ms": 1, "suggestions": []})
    expect(page.get_by_role("option").first).to_contain_text("植树")


@pytest.mark.parametrize("status", [0, 404, 503])
def test_the_page_works_without_suggestions(page: Page, status: int) -> None:
    page.route(SUGGEST, lambda route: route.fulfill(status=status) if status else route.abort())
    page.goto("/")
    page.locator("#q").fill("植树")
    expect(page.locator(".hit h2").first).to_have_text("义务植树活动启动")
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_recent_searches_are_kept_offered_cleared_and_switched_off(page: Page) -> None:
    page.goto("/")
    recent = page.locator("#recent")
    expect(recent).to_be_hidden()
    for query in ("植树造林", "水库蓄水"):
        page.locator("#q").fill(query)
        page.keyboard.press("Enter")
        expect(page).to_have_title(re.compile(f"^{query} "))
    page.goto("/")
    expect(recent.get_by_role("link")).to_have_text(["水库蓄水", "植树造林"])
    page.locator("#q").fill("造林")
    remembered = page.locator("[role=option].before")
    expect(remembered).to_have_text(["植树造林"])
    page.goto("/")
    recent.get_by_role("button", name="清空").click()
    expect(recent.get_by_role("link")).to_have_count(0)
    recent.get_by_role("checkbox").uncheck()
    page.locator("#q").fill("公报")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("^公报 "))
    page.go_back()
    expect(recent.get_by_role("checkbox")).not_to_be_checked()
    expect(recent.get_by_role("link")).to_have_count(0)
    assert "公报" not in page.evaluate("Object.values(localStorage).join()")


def test_what_was_only_being_typed_is_not_remembered_until_a_hit_is_opened(page: Page) -> None:
    page.goto("/")
    page.locator("#q").press_sequentially("植树活动")
    expect(page).to_have_title(re.compile("^植树活动 "))
    assert page.evaluate("localStorage.length") == 0
    page.keyboard.press("Escape")
    page.locator(".hit h2 a").first.click()
    expect(page).to_have_url(re.compile("/documents/"))
    page.goto("/")
    expect(page.locator("#recent").get_by_role("link")).to_have_text(["植树活动"])


def test_a_browser_that_keeps_nothing_searches_all_the_same(page: Page) -> None:
    page.add_init_script(
        "for (const name of ['getItem', 'setItem']) Storage.prototype[name] = () => { throw new Error('full') }"
    )
    page.goto("/")
    page.locator("#q").fill("植树")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()


def test_titles_in_the_list_are_text(context: BrowserContext, own_corpus: Corpus) -> None:
    evil = "夜航<img src=x onerror=window.hacked=1>"
    own_corpus.add([record_source({"id": "evil", "title": evil, "text": "渡轮恢复夜间航班。"}, source="")])
    with serving(own_corpus) as address:
        page = context.new_page()
        page.goto(address)
        page.locator("#q").fill("夜航")
        expect(page.get_by_role("option").filter(has_text=evil).first).to_be_visible()
        page.keyboard.press("Escape")
        page.goto(f"{address}/?q={quote('渡轮夜航')}")
        page.locator("#q").fill(evil)
        page.keyboard.press("Enter")
        expect(page).to_have_title(re.compile(re.escape(evil)))
        page.goto(address)
        expect(page.locator("#recent").get_by_role("link").first).to_have_text(evil)
        assert page.evaluate("window.hacked") is None
