"""Who does not read what it asked for keeps nobody waiting and is cut off; who reads slowly is served to the end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from waitress.adjustments import Adjustments

from index.corpus import Corpus
from service import connections
from tests.service.test_door import House, house_of

BIG = 30_000_000  # more than systems take for a client that does not read, and waitress lets wait
ASK = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(connections, "monotonic", made)
    return made


@pytest.fixture
def house(corpus: Corpus, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """One that has something big to give, and five threads for all but searches."""
    # Otherwise it is put into a file, which waitress leaves to the collector to close.
    monkeypatch.setattr(Adjustments, "outbuf_overflow", 2 * BIG)
    with house_of(corpus, threads=8, processes=1) as made:
        inner = made.app.wsgi_app

        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"] != "/big":
                return inner(environ, start_response)
            made.entered.append("/big")
            start_response("200 OK", [("Content-Length", str(BIG))])
            return [b"x" * BIG]

        made.app.wsgi_app = answer  # type: ignore[method-assign]
        yield made


def connect(house: House) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # what is not read stays with the server
    connection.settimeout(10)
    connection.connect(house.address)
    return connection


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends


def channels_of(house: House) -> list[connections.Channel]:
    return list(house.server._server.active_channels.values())


def look(house: House, clock: Clock, seconds: float) -> None:
    """Let time pass, and the server look at its connections."""
    clock.now += seconds
    listener = house.server._server
    listener.pull_trigger()
    wait_until(lambda: listener._next_look > clock.now)


def test_those_who_do_not_read_take_no_thread_from_others(house: House) -> None:
    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(connect(house)).sendall(3 * ASK)
        wait_until(lambda: house.entered.count("/big") >= 5)
        assert house.answer("/openapi.json")[0][0] == 200
        wait_until(lambda: house.entered.count("/big") == 6)  # of each the first; the others wait until it is sent
        assert house.answer("/openapi.json")[0][0] == 200
    assert house.entered.count("/big") == 6


def test_who_does_not_read_is_cut_off(house: House, clock: Clock) -> None:
    with connect(house) as connection:
        connection.sendall(2 * ASK)
        wait_until(lambda: any(channel.held for channel in channels_of(house)))

        def is_cut_off() -> bool:
            look(house, clock, connections.IDLE_SECONDS / 2)  # what systems hold may move for a moment yet
            return not channels_of(house)

        wait_until(is_cut_off)
        assert len(connection.makefile("rb").read()) < BIG
    assert house.entered == ["/big"]


def test_who_reads_slowly_is_served_to_the_end(house: House, clock: Clock) -> None:
    with connect(house) as connection, connection.makefile("rb") as stream:
        connection.sendall(2 * ASK)
        for _ in range(2):  # what was asked ahead follows
            while stream.readline() != b"\r\n":
                pass
            for _ in range(BIG // 200_000):  # the system asks for more after several of these
                assert len(stream.read(200_000)) == 200_000
                look(house, clock, connections.IDLE_SECONDS * 2 / 3)


def test_waiting_for_an_answer_is_not_being_idle(house: House, clock: Clock) -> None:
    inner = house.app.wsgi_app

    def slow(environ: dict[str, Any], start_response: Any) -> Any:
        clock.now += 10 * connections.IDLE_SECONDS
        return inner(environ, start_response)

    house.app.wsgi_app = slow  # type: ignore[method-assign]
    with connect(house) as connection, connection.makefile("rb") as stream:
        for _ in range(2):
            connection.sendall(b"HEAD /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
            while stream.readline() != b"\r\n":
                pass
            wait_until(lambda: all(channel.is_idle() for channel in channels_of(house)))
            look(house, clock, 10)
