"""What the tests in a real Chromium share; the browser and its pages are fixtures in conftest.py."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, Route

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
