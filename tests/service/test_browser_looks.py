"""How every view looks, from a phone to a wall of pixels: nothing sticks out, and a picture of each to be looked at.

The pictures are taken where ``$XUNZHANG_TEST_SCREENSHOTS`` names a folder for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.service.browsing import PATIENCE, pytestmark, with_jobs  # noqa: F401

UNFOLD = "document.querySelectorAll('.filters, li:first-child .hit details').forEach(one => { one.open = true })"


def nothing(_page: Page) -> None:
    """The view as it comes."""


def unfold(page: Page) -> None:
    page.evaluate(UNFOLD)


def type_half(page: Page) -> None:
    page.locator("#q").fill("居民")
    expect(page.get_by_role("option").first).to_be_visible()
    expect(page.locator(".hit").first).to_be_visible()
    page.keyboard.press("ArrowDown")


def with_recent(page: Page) -> None:
    queries = ["社区食堂", "有轨电车一趟要走多久"]
    page.evaluate("queries => localStorage.setItem('xunzhang.recent', JSON.stringify({ queries }))", queries)
    page.reload()
    expect(page.locator("#recent").get_by_role("link")).to_have_count(2)


def to_first_passage(page: Page) -> None:
    page.locator(".hit h2 a").first.click()
    expect(page.locator(".passage:target")).to_be_visible()


def to_similar(page: Page) -> None:
    page.get_by_role("link", name="相似段落").first.click()
    expect(page.locator("blockquote")).to_be_visible()


def listed(page: Page) -> None:
    expect(page.locator("#documents tr")).not_to_have_count(0)


def about_to_delete(page: Page) -> None:
    listed(page)
    page.get_by_role("button", name="删除：").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def unreachable(page: Page) -> None:
    page.route(lambda url: "?q=" in url, lambda route: route.abort())
    page.locator("#q").fill("植树")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()


def ask_the_box(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.locator("#modal").get_by_role("combobox").fill("社区食堂")
    expect(page.locator("#modal .hit").first).to_be_visible()


SEARCH = "/?q=" + quote("老人吃饭有什么照顾")
VIEWS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "home": ("/", with_recent),
    "home-english": ("/?lang=en", nothing),
    "suggestions": ("/", type_half),
    "results": (SEARCH, nothing),
    "results-unfolded": (f"{SEARCH}&limit=3", unfold),
    "results-filtered": (f"{SEARCH}&sort=-date&from=2021&byline={quote('记者')}", unfold),
    "nothing-found": ("/?q=" + quote('"量子引力波"') + "&from=2024&source=sample&mode=lexical", nothing),
    "weak": ("/?q=" + quote("火星移民计划") + "&min_score=0", nothing),
    "problem": ("/?q=x&limit=0", nothing),
    "missing": ("/nowhere", nothing),
    "unreachable": ("/", unreachable),
    "document": (SEARCH, to_first_passage),
    "similar": (SEARCH, to_similar),
    "admin": ("/admin", listed),
    "admin-delete": ("/admin", about_to_delete),
    "admin-jobs": ("/admin", with_jobs),
    "docs": ("/docs", nothing),
    "demo": ("/demo", nothing),
    "box": ("/demo", ask_the_box),
}


PICTURED = [(width, "100%") for width in (360, 768, 1440)]
SCREENS = [*PICTURED, (320, "100%"), (640, "100%"), (640, "200%"), (3840, "100%"), (3840, "200%")]


def screen(browser: Browser, address: str, width: int, scheme: str, **settings: object) -> Page:
    context = browser.new_context(
        base_url=address, locale="zh-CN", viewport={"width": width, "height": 900}, color_scheme=scheme,
        reduced_motion="reduce", **settings,
    )  # fmt: skip
    context.set_default_timeout(PATIENCE)
    return context.new_page()


def sticking_out(page: Page) -> list[str]:
    """What is wider than the page and cannot be scrolled to within its own frame."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= width) return [];
            return [...document.querySelectorAll("body *")]
                .filter(one => one.getBoundingClientRect().right > width + 1)
                .map(one => one.outerHTML.slice(0, 120));
        }"""
    )
    return found


def picture(page: Page, name: str) -> None:
    """Write a picture of the page, where pictures are wanted."""
    folder = os.environ.get("XUNZHANG_TEST_SCREENSHOTS")
    if folder:
        whole = page.locator("dialog[open]").count() == 0
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_fits_on_every_screen_and_with_large_text(browser: Browser, sample_url: str, name: str) -> None:
    """A page of 1280 pixels at 200 % is one of 640; a reader's font may be twice the usual besides."""
    path, prepare = VIEWS[name]
    page = screen(browser, sample_url, 1440, "light")
    page.goto(path)
    prepare(page)
    wrong: dict[str, list[str]] = {}
    for width, text in SCREENS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate("text => { document.documentElement.style.fontSize = text }", text)
        if found := sticking_out(page):
            wrong[f"{width} {text}"] = found
        for scheme in ("light", "dark") if (width, text) in PICTURED else ():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            picture(page, f"{name}-{width}-{scheme}")
    page.context.close()
    assert wrong == {}


def test_lines_stay_short_enough_to_read_on_a_huge_screen(browser: Browser, sample_url: str) -> None:
    page = screen(browser, sample_url, 3840, "light")
    page.goto(SEARCH)
    text = page.locator(".hit .text").first
    characters = text.evaluate("one => one.clientWidth / parseFloat(getComputedStyle(one).fontSize)")
    assert 20 <= characters <= 45
    left, right = page.locator("main").evaluate("one => [one.offsetLeft, 3840 - one.offsetLeft - one.offsetWidth]")
    assert abs(left - right) < 20
    page.context.close()


def test_what_is_printed_is_what_is_read(browser: Browser, sample_url: str) -> None:
    page = screen(browser, sample_url, 800, "dark")
    for name, path, kept in (("results", SEARCH, ".hit .text"), ("document", "", ".passage")):
        if path:
            page.goto(path)
        else:
            to_first_passage(page)
        page.emulate_media(media="print")
        expect(page.locator(kept).first).to_be_visible()
        expect(page.locator("h1")).to_have_text(re.compile("^搜索结果：老人吃饭" if path else "石榴里社区食堂"))
        assert page.locator("h1").evaluate("one => one.clientHeight") > 10
        for gone in ("#search", ".foot", ".more", ".paging", ".filters", ".aside", ".order"):
            expect(page.locator(gone).filter(visible=True)).to_have_count(0)
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.documentElement).backgroundColor]"
        )
        assert (ink, paper) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)"), "dark mode would drink the ink"
        picture(page, f"print-{name}")
        page.emulate_media(media="screen")
    page.context.close()


def test_nothing_moves_for_those_who_want_stillness(browser: Browser, sample_url: str) -> None:
    page = screen(browser, sample_url, 1000, "light")
    page.goto(SEARCH)
    page.evaluate("document.body.dataset.loading = ''")
    moving = page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(one => {
            const style = getComputedStyle(one);
            const { transitionDuration, animationName, scrollBehavior } = style;
            return transitionDuration !== "0s" || animationName !== "none" || scrollBehavior === "smooth";
        }).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert moving == []
    page.context.close()


@pytest.mark.parametrize("path", [SEARCH, "/", "/admin"])
def test_what_has_the_focus_shows_it(browser: Browser, sample_url: str, path: str) -> None:
    page = screen(browser, sample_url, 1000, "light")
    page.goto(path)
    if path == "/admin":
        listed(page)
    hidden = []
    for _ in range(25):
        page.keyboard.press("Tab")
        shown = page.evaluate(
            """() => {
                const one = document.activeElement;
                const frame = one.closest(".box, .drop .button") ?? one;
                const style = getComputedStyle(frame);
                const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                return seen || one === document.body ? "" : one.outerHTML.slice(0, 100);
            }"""
        )
        if shown:
            hidden.append(shown)
    assert hidden == []
    page.context.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_ring_of_a_field_covers_no_words_beside_it(browser: Browser, sample_url: str, lang: str) -> None:
    page = screen(browser, sample_url, 390, "light")
    page.goto(f"/?q={quote('居民')}&lang={lang}")
    unfold(page)
    field = page.locator('.dates input[name="from"]')
    field.focus()
    room = field.evaluate("""field => {
        const words = document.createRange();
        words.setStart(field.parentElement, 0);
        words.setEnd(field.parentElement.firstChild, field.parentElement.firstChild.data.trimEnd().length);
        return field.getBoundingClientRect().left - words.getBoundingClientRect().right;
    }""")
    assert room > 3 + 2  # the ring, and how far off it is drawn
    page.goto(f"/admin?lang={lang}")
    expect(page.locator("#desk")).to_be_visible()
    # Whether a key is wrong is told right below the field it was typed into.
    page.evaluate("for (const id of ['key-form', 'key-wrong']) document.getElementById(id).hidden = false")
    key, told = page.locator("#key").bounding_box(), page.locator("#key-wrong").bounding_box()
    assert key is not None
    assert told is not None
    assert told["y"] - key["y"] - key["height"] > 3 + 2
    page.goto(f"/?lang={lang}")
    cut = "field => { field.value = field.placeholder; return field.scrollWidth > field.clientWidth }"
    assert not page.locator("#q").evaluate(cut)
    page.context.close()
