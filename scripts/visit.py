"""What a visit of the page costs: ``python -m scripts.visit [ADDRESS] [--query Q ...] [--json]``.

Opens the pages of a running service in a real Chromium, each as on a first visit, and counts requests, bytes, the time
to the first paint and how long the page could not have answered; then searches, and measures how long after its answer
the first hit is seen. Needs ``requirements-dev.txt`` and Chromium; asks nobody but the service.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scripts.common import parser, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
QUERIES = ["社区食堂", "有轨电车一趟要走多久", "孩子近视", "居民加装电梯", "救人", "夜班公交", "稻田", "老人受骗"]
PATIENCE = 30_000  # milliseconds
_LONG = 50  # milliseconds: what keeps the page from answering longer than that is counted as blocking
_BLOCKED = f"""
window.blocked = 0;
new PerformanceObserver(list => list.getEntries().forEach(one => {{ window.blocked += one.duration - {_LONG}; }}))
    .observe({{ type: "longtask", buffered: true }});
"""
_TOLD = """() => {
    const [load] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    return { painted: paint.startTime, loaded: load.loadEventEnd, blocked: window.blocked };
}"""
# The frame with the hit is on the screen when the one after it begins.
_WATCH = """() => {
    window.seen = [];
    new MutationObserver(() => {
        if (!document.querySelector(".hit, .state")) return;
        requestAnimationFrame(() => requestAnimationFrame(now => {
            const answers = performance.getEntriesByType("resource")
                .filter(one => one.initiatorType === "fetch" && new URL(one.name).pathname === "/");
            window.seen.push(now - answers.at(-1).responseEnd);
        }));
    }).observe(document.getElementById("answer"), { childList: true });
}"""


@dataclass(frozen=True, slots=True)
class Visit:
    """A first visit: requests and bytes over the wire; milliseconds to the first paint, to the end of loading, and
    of blocking, which is what tasks took beyond 50 ms each."""

    path: str
    requests: int
    bytes: int
    painted: float
    loaded: float
    blocked: float


def first_visit(browser: Browser, address: str, path: str) -> Visit:
    """Open a page as somebody who was never there."""
    page = _opened(browser, address)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    sizes: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(path, wait_until="networkidle")
    told: dict[str, float] = page.evaluate(_TOLD)
    page.context.close()
    return Visit(path, len(sizes), round(sum(sizes)), **told)


def seen_after(browser: Browser, address: str, queries: Sequence[str]) -> list[float]:
    """Milliseconds from the last byte of each answer to its first hit on the screen."""
    page = _opened(browser, address)
    page.goto("/")
    page.evaluate(_WATCH)
    for place, query in enumerate(queries, 1):
        page.locator("#q").fill(query)
        page.keyboard.press("Enter")
        page.wait_for_function("count => window.seen.length >= count", arg=place)
    seen: list[float] = page.evaluate("window.seen")
    page.context.close()
    return seen


def paths_of(browser: Browser, address: str, query: str) -> list[str]:
    """A page of every kind."""
    page = _opened(browser, address)
    search = f"/?q={quote(query)}"
    page.goto(search)
    links = [page.locator(f".hit {link}").first for link in ("h2 a", ".more > a[data-search]")]
    found = [str(link.get_attribute("href")).partition("#")[0] for link in links if link.count()]
    page.context.close()
    return ["/", search, *found, "/admin", "/demo", "/docs"]


def _opened(browser: Browser, address: str) -> Page:
    context = browser.new_context(base_url=address, locale="zh-CN")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.add_init_script(_BLOCKED)
    return page


def main(arguments: argparse.Namespace) -> int:
    """Visit, print what it cost."""
    from index.errors import SettingError

    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError:
        raise SettingError(
            "Playwright is not installed; run: pip install -r requirements-dev.txt",
            "没有安装 Playwright；请运行：pip install -r requirements-dev.txt",
        ) from None

    queries = arguments.query or QUERIES
    address = arguments.address.rstrip("/")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
            visits = [first_visit(browser, address, path) for path in paths_of(browser, address, queries[0])]
            seen = seen_after(browser, address, queries)
            browser.close()
        except Error as error:
            reason = error.message.splitlines()[0]
            raise SettingError(
                f"{address} could not be visited with {arguments.chromium}: {reason}",
                f"无法用 {arguments.chromium} 访问 {address}：{reason}",
            ) from error
    print(json.dumps(_summary(visits, seen), ensure_ascii=False) if arguments.json else _table(visits, seen))
    return 0


def _summary(visits: list[Visit], seen: list[float]) -> dict[str, Any]:
    return {"visits": [asdict(visit) for visit in visits], "seen": seen}


def _table(visits: list[Visit], seen: list[float]) -> str:
    rows = ["| page | requests | KB | first paint ms | loaded ms | blocked ms |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {visit.path.partition('?')[0]}{'?q=' if '?' in visit.path else ''} | {visit.requests} "
        f"| {visit.bytes / 1024:.1f} | {visit.painted:.0f} | {visit.loaded:.0f} | {visit.blocked:.0f} |"
        for visit in visits
    ]
    median, longest = statistics.median(seen), max(seen)
    return "\n".join([*rows, "", f"first hit after its answer: median {median:.0f} ms, longest {longest:.0f} ms"])


def arguments() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = parser("visit", "What a visit of the page costs.")
    made.add_argument("address", nargs="?", default="http://127.0.0.1:8000", help="of a running service")
    made.add_argument("--query", action="append", metavar="Q", help="may be repeated (default: eight on the sample)")
    made.add_argument("--chromium", type=Path, default=CHROMIUM, metavar="FILE", help=f"(default: {CHROMIUM})")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


if __name__ == "__main__":
    run(main, arguments())
