"""What the pages weigh and how soon they show something. ``pytest -s`` prints the measures."""

from __future__ import annotations

import statistics
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.service.test_browser_page import PATIENCE, browser, pytestmark  # noqa: F401

HEAVIEST = 60 * 1024  # bytes over the wire, everything a first visit loads
MOST_REQUESTS = 25
SOONEST = 100  # milliseconds from the last byte of an answer to its first hit on the screen
LONGEST = 50  # milliseconds: what keeps the page from answering longer than that is counted as blocking
QUERIES = ["社区食堂", "有轨电车一趟要走多久", "孩子近视", "居民加装电梯", "救人", "夜班公交", "稻田", "老人受骗"]
SEARCH = "/?q=" + quote("社区食堂")
OBSERVE = """
window.blocked = 0;
new PerformanceObserver(list => list.getEntries().forEach(one => { window.blocked += one.duration - %d; }))
    .observe({ type: "longtask", buffered: true });
""" % LONGEST  # noqa: UP031


def opened(browser: Browser, address: str) -> Page:  # noqa: F811
    context = browser.new_context(base_url=address, locale="zh-CN")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.add_init_script(OBSERVE)
    return page


@pytest.mark.parametrize("path", ["/", SEARCH, "/passages/similar", "/documents/first", "/admin", "/demo", "/docs"])
def test_a_first_visit_is_light(browser: Browser, sample_url: str, path: str) -> None:  # noqa: F811
    page = opened(browser, sample_url)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    sizes: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    if path in ("/passages/similar", "/documents/first"):
        hit = page.request.get(f"{sample_url}/api/v1/search?q={quote('社区食堂')}&limit=1").json()["hits"][0]
        similar = f"/passages/{hit['passage_id']}/similar"
        path = similar if "similar" in path else f"/documents/{hit['document']['id']}"
    page.goto(path, wait_until="networkidle")
    told: dict[str, Any] = page.evaluate(
        """() => {
            const [load] = performance.getEntriesByType("navigation");
            const paint = performance.getEntriesByName("first-contentful-paint")[0];
            return { loaded: load.loadEventEnd, painted: paint.startTime, blocked: window.blocked };
        }"""
    )
    kilobytes = sum(sizes) / 1024
    print(
        f"\n{path[:40]}: {len(sizes)} requests, {kilobytes:.1f} KB, first paint {told['painted']:.0f} ms, "
        f"loaded {told['loaded']:.0f} ms, blocked {told['blocked']:.0f} ms"
    )
    page.context.close()
    assert 0 < sum(sizes) < HEAVIEST
    assert len(sizes) <= MOST_REQUESTS


def test_the_first_hit_is_seen_soon_after_the_answer_arrived(browser: Browser, sample_url: str) -> None:  # noqa: F811
    page = opened(browser, sample_url)
    page.goto("/")
    page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => {
                if (!document.querySelector(".hit")) return;
                // The frame with the hit is on the screen when the one after it begins.
                requestAnimationFrame(() => requestAnimationFrame(now => {
                    const answers = performance.getEntriesByType("resource")
                        .filter(one => one.initiatorType === "fetch" && new URL(one.name).pathname === "/");
                    window.seen.push(now - answers.at(-1).responseEnd);
                }));
            }).observe(document.getElementById("answer"), { childList: true });
        }"""
    )
    for place, query in enumerate(QUERIES, 1):
        page.locator("#q").fill(query)
        page.keyboard.press("Enter")
        expect(page).to_have_title(f"{query} · 寻章 Xunzhang")
        page.wait_for_function("count => window.seen.length >= count", arg=place)
    seen = page.evaluate("window.seen")
    page.context.close()
    print(f"\nfirst hit after its answer: median {statistics.median(seen):.0f} ms, longest {max(seen):.0f} ms")
    assert len(seen) >= len(QUERIES)
    assert statistics.median(seen) < SOONEST
