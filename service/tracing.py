"""The request being answered, as logs and answers name it: its id, when it arrived, and who sent it."""

from __future__ import annotations

import re
import secrets
from time import perf_counter

from flask import g, has_app_context, has_request_context, request

# Where the server puts ``perf_counter()`` of the moment a request was there as a whole.
ARRIVED = "xunzhang.arrived"
# And whether the request stands in the line of searches already.
JOINED = "xunzhang.joined"
HEADER = "X-Request-ID"
# What a trusted proxy may give as an id: nothing that could be mistaken for something else in a log.
_GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")


def begin() -> None:
    """Note arrival and id of the request that begins."""
    # Waiting for a thread counts: it is the client who waits.
    g.started = request.environ.get(ARRIVED) or perf_counter()
    g.request_id = fitting_id(request.headers.get(HEADER, ""))


def fitting_id(given: str) -> str:
    """What a proxy calls a request, if that can be an id, else a fresh one."""
    return given if _GIVEN.fullmatch(given) else new_id()


def new_id() -> str:
    """A fresh id, 16 hexadecimal digits."""
    return secrets.token_hex(8)


def request_id() -> str:
    """The id of the request being answered, or a fresh one outside of any."""
    found: str = g.request_id if has_app_context() and "request_id" in g else new_id()
    return found


def since_arrival() -> float:
    """Seconds since the request being answered was there, 0 outside of any."""
    return perf_counter() - float(g.started) if has_app_context() and "started" in g else 0.0


def stands_in_line() -> bool:
    """Whether the request being answered was let into the line of searches at the door."""
    return has_request_context() and bool(request.environ.get(JOINED))


def note_query(query: str) -> None:
    """Keep what is searched for with the request being answered, for the log if that wants it."""
    if has_app_context():
        g.query = query


def is_keeper() -> bool:
    """Whether the request being answered came with the key of somebody who keeps the archive."""
    return has_app_context() and bool(g.get("keeper", False))


def client() -> str:
    """The address that the request being answered came from, as far as it can be trusted."""
    return (request.remote_addr or "") if has_request_context() else ""
