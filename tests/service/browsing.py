"""What the tests in a real Chromium share; the browser and its pages are fixtures in conftest.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    # In CI its absence is a failure, not a reason.
    pytest.mark.skipif(
        not CHROMIUM.exists() and not os.environ.get("CI"), reason=f"there is no {CHROMIUM}: apt-get install chromium"
    ),
]
QUESTION = "怎样减少汽车尾气"
PATIENCE = 15_000
FERRY = "渡轮公司宣布恢复夜间航班，末班船推迟到凌晨一点，票价不变。"


def searches(page: Page) -> list[str]:
    """What the page sends from now on, to be searched or to be completed."""
    sent: list[str] = []

    def note(request: Request) -> None:
        query = parse_qs(urlsplit(request.url).query).get("q")
        if query:
            sent.append(query[0])

    page.on("request", note)
    return sent


def hold(page: Page, part: str) -> list[Route]:
    """Requests whose address has this part, none of which is answered until somebody does."""
    held: list[Route] = []

    def take(route: Route) -> None:
        held.append(route)

    page.route(lambda url: part in url, take)
    return held


def with_jobs(page: Page) -> None:
    """The admin page as it shows jobs in every state."""
    usual = {"created": "2026-11-25T04:20:11+00:00", "cancelling": False, "files": 1, "files_done": 0, "documents": 0}
    jobs: list[dict[str, Any]] = [
        {"state": "queued", "names": ["年鉴.zip"]},
        {"state": "running", "names": ["县志.pdf", "地图.pdf", "附.txt"], "files": 4, "files_done": 1, "documents": 87},
        {"state": "running", "names": ["旧报.zip"], "documents": 1_200, "cancelling": True},
        {"state": "done", "names": [], "files": 0, "documents": 20_000},
        {"state": "failed", "names": ["坏" * 60 + ".pdf"]},
        {"state": "cancelled", "names": ["旧报.zip"]},
    ]
    answers = [{**usual, "id": str(number), **job} for number, job in enumerate(jobs)]
    page.route("**/api/v1/jobs", lambda route: route.fulfill(json={"jobs": answers}))
    page.reload()
    expect(page.locator("#jobs li:has(.name)")).to_have_count(5)
