"""What the pages weigh and how soon they show something, measured as a user would, by ``python -m scripts.visit``."""

from __future__ import annotations

import json
import re
import statistics

from tests.service.browsing import pytestmark  # noqa: F401

HEAVIEST = 60 * 1024  # bytes over the wire, everything a first visit loads
MOST_REQUESTS = 25
SOONEST = 100  # milliseconds from the last byte of an answer to its first hit on the screen


def test_a_first_visit_is_light_and_the_first_hit_is_seen_soon(command, sample_url: str) -> None:
    done = command("visit", sample_url, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    kinds = [re.split("[/?]", visit["path"])[1] for visit in told["visits"]]
    assert kinds == ["", "", "documents", "passages", "admin", "demo", "docs"]
    for visit in told["visits"]:
        assert 5_000 < visit["bytes"] < HEAVIEST, visit
        assert 5 < visit["requests"] <= MOST_REQUESTS, visit
        assert visit["painted"] > 0
    assert len(told["seen"]) >= 8
    assert 0 < statistics.median(told["seen"]) < SOONEST


def test_a_service_that_is_not_there_is_told_in_a_sentence(command) -> None:
    done = command("visit", "http://127.0.0.1:9", "--lang", "zh")
    assert done.returncode == 2
    assert re.fullmatch(r"无法用 /usr/bin/chromium 访问 http://127\.0\.0\.1:9：.*ERR_.*\n", done.stderr)
