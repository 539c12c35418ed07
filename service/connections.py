"""Connections: reading requests, letting them in or sending them away, and not being held up by the slow.

What waitress does, with these differences: a request is met at the door (``door.py``) before a thread is troubled, and
who is sent away is told so by the thread that reads, before a body is sent for; errors are problem+json, and reach who
is still sending; what another server may read otherwise is refused; who sends drop by drop is cut off, and who does not
read; no thread waits for either; and all of it goes by a clock that nobody can set.
"""

from __future__ import annotations

import fcntl
import math
import socket
import sys
import termios
from http import HTTPStatus
from time import monotonic, perf_counter
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, Task, WSGITask

from service import sentences
from service.door import Door, no_room
from service.language import choose_language
from service.logs import log_request
from service.metrics import UNREADABLE
from service.parser import Parser, SentAway
from service.problems import MEDIA_TYPE, Problem, problem_body
from service.tracing import ARRIVED, HEADER, JOINED, new_id

IDLE_SECONDS = 60.0
# Where there are too many connections, those that are idle for this long make room; sooner, a client that is itself
# slow to send what it connected for would be cut off.
QUIET_SECONDS = 10.0
# Closing on who still sends resets the connection, and the answer is lost before it is read; so what comes after an
# answer to what was not read to its end is thrown away for this long (RFC 9112, section 9.6).
LINGERS_SECONDS = 10.0
_LOOK_SECONDS = 10.0  # between two looks for connections that are idle, or do not read
# A request's head must be there in this time, its body come with this many bytes a second.
HEADER_SECONDS = 20.0
SLOWEST_BODY = 1_000
_ACCEPTED_AT_ONCE = 32
# What is told by the server alone: the kind of problem by status, and its sentences.
_PROBLEMS = {
    400: ("bad-request", sentences.STATUS_SENTENCES[400]),
    413: ("too-large", sentences.STATUS_SENTENCES[413]),
    431: ("bad-request", sentences.STATUS_SENTENCES[400]),
    500: ("internal-error", sentences.STATUS_SENTENCES[500]),
    501: ("bad-request", sentences.CODING_UNKNOWN),
}


class _Task(WSGITask):  # type: ignore[misc]
    """Tells the application when the request was there, so that waiting for a thread counts as waiting; who has waited
    too long does not get that far."""

    def execute(self) -> None:
        request = self.request
        waited = perf_counter() - request.arrived
        if request.joined is not None and request.joined.is_too_late(waited):
            _send_away(self, no_room(), waited)
        else:
            super().execute()

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ.setdefault(ARRIVED, self.request.arrived)
        environ[JOINED] = self.request.joined is not None
        return environ


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """What is answered without the application: requests that cannot be read, and those there is no room for."""

    def execute(self) -> None:
        error = self.request.error
        if isinstance(error, SentAway):
            if not self.request.is_whole:  # the body is yet to come, or comes already
                self._hang_up()
            _send_away(self, error.problem, 0.0)
            return
        status = error.code if error.code in _PROBLEMS else 500
        kind, told = _PROBLEMS[status]
        name, path = new_id(), getattr(self.request, "path", "/") or "/"
        problem = Problem(status, kind, *(sentence.format(id=name) for sentence in told))
        language = choose_language(None, self.request.headers.get("ACCEPT_LANGUAGE"))
        self.channel.server.metrics.count_request(UNREADABLE, status, 0.0)
        log_request(request_id=name, operation=UNREADABLE, status=status, client=self.channel.addr[0])
        headers = {"Content-Type": MEDIA_TYPE, "X-Content-Type-Options": "nosniff", HEADER: name}
        self._hang_up()  # what follows on this connection cannot be trusted
        _say(self, status, headers, problem_body(problem, language, path, name))

    def _hang_up(self) -> None:
        """Close the connection after the answer, and say so in it."""
        self.request.headers.pop("CONNECTION", None)  # or waitress grants HTTP/1.0 its keep-alive all the same
        self.set_close_on_finish()
        self.channel.lingers = True


def _send_away(task: Task, problem: Problem, waited: float) -> None:
    refusal = task.channel.server.door.send_away(task.request.caller, problem, waited)
    _say(task, problem.status, refusal.headers, refusal.body)


def _say(task: Task, status: int, headers: dict[str, str], body: bytes) -> None:
    task.complete = True
    task.status = f"{status} {HTTPStatus(status).phrase}"
    task.response_headers.extend(headers.items())
    task.content_length = len(body)
    task.write(b"" if task.request.caller is not None and task.request.caller.method == "HEAD" else body)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection.

    Attributes:
        reading: Whether the thread that reads is at it just now.
        active: When something last came or went, of ``monotonic``.
        held: Whether the next request waits until the answers before it are sent.
        lingers: Whether there may be more to come that nobody will read when it is closed.
    """

    request: Parser | None  # that is being read
    task_class = _Task
    error_task_class = _ProblemTask

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.reading = False
        self.active = monotonic()
        self.held = False
        self.lingers = False
        self._in_system = 0  # bytes that the system had to send at the last look
        self._ends = math.inf  # when it closes, of ``monotonic``; known while it only throws away what comes
        super().__init__(*arguments, **named)

    def parser_class(self, adj: Any) -> Parser:
        """What reads the next request."""
        return Parser(adj, self.server.door, self.addr[0])

    def received(self, data: bytes) -> bool:
        """Take what came; returns whether it was wanted."""
        self.active = monotonic()
        if self.request is not None and self._drips(self.request):
            self.handle_close()
            return False
        self.reading = True
        taken: bool = super().received(data)
        with self.requests_lock:  # as Lines.add_task is called with it
            self.reading = False
            mine = bool(self.requests) and self.requests[0].left
        if mine:
            self.service()
            self.handle_write()
        return taken

    def send_continue(self) -> None:
        """Send for a body, unless its request is sent away whatever it holds; called with ``requests_lock`` held."""
        if not self.server.task_dispatcher.sends_away(self.request):
            super().send_continue()
            return
        # It is next, as waitress sends for a body only once all before it is answered.
        self.requests.append(self.request)
        self.request = self.parser_class(self.adj)  # takes what is sent all the same, and goes with the connection
        self.server.add_task(self)

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Hand over to the system what it takes; returns how much that was."""
        sent: int = super().send(data, do_close=do_close)
        if sent:
            self.active = monotonic()
        return sent

    def handle_write(self) -> None:
        """Send what is to be sent, close what is to be closed, and go on to the request that was held for it."""
        super().handle_write()
        if self.held and not self.total_outbufs_len:
            with self.requests_lock:
                self.held = False
                if self.connected and self.requests:
                    self.server.add_task(self)

    def readable(self) -> bool:
        """Whether to read what comes; asked at every turn of the loop, as ``writable`` is."""
        return self._is_ending() or bool(super().readable())

    def writable(self) -> bool:
        """Whether there is something to send, to go on to, or to close."""
        return monotonic() >= self._ends if self._is_ending() else bool(self.held or super().writable())

    def handle_read(self) -> None:
        """Take what came, or throw it away."""
        if self._is_ending():
            self.recv(self.adj.recv_bytes)  # closes when the other side has
        else:
            super().handle_read()

    def handle_close(self) -> None:
        """Close, or first wait until the other side has read the answer and closed."""
        if self.lingers and self.connected and not self.total_outbufs_len:
            self.lingers = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the other side has gone
                pass
            else:
                self._ends = monotonic() + LINGERS_SECONDS
                return
        super().handle_close()

    def _is_ending(self) -> bool:
        return self._ends < math.inf

    def is_idle(self) -> bool:
        """Whether nothing is being answered on it."""
        return not (self.requests or self.total_outbufs_len)

    def has_stalled(self, now: float) -> bool:
        """Whether nothing of what is to be sent has been taken for too long; asked at every look.

        The system holds megabytes, and asks for more only when a good part of them is read: where somebody reads
        slowly, what it sends meanwhile is progress too.
        """
        if not self.total_outbufs_len:
            return False
        in_system = _to_send(self.socket)
        if in_system != self._in_system:
            self._in_system, self.active = in_system, now
        return self.active < now - IDLE_SECONDS

    def _drips(self, request: Parser) -> bool:
        elapsed = perf_counter() - request.begun
        if not request.headers_finished:
            return elapsed > HEADER_SECONDS
        # Counted from the first byte, with a start for whoever is slow to begin.
        return int(request.body_bytes_received) < (elapsed - HEADER_SECONDS) * SLOWEST_BODY


def _to_send(connection: socket.socket) -> int:
    """How many bytes the system holds that the other side has not confirmed; 0 where it does not tell."""
    try:
        return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


class Listener(TcpWSGIServer):  # type: ignore[misc]
    """Accepts connections, and closes those that are idle or do not read: after a while, and the idle sooner where
    there are too many.

    Attributes:
        door, metrics: For its connections.
    """

    channel_class = Channel
    # waitress's own look at idle connections goes by the clock on the wall.
    next_channel_cleanup = math.inf
    _next_look = 0.0
    door: Door
    metrics: Any

    def readable(self) -> bool:
        """Whether to accept another connection; asked at every turn of the loop."""
        now = monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            for channel in list(self.active_channels.values()):
                if channel.has_stalled(now):
                    channel.handle_close()  # at once: it would not be told that it can be written to
                elif channel.is_idle() and channel.active < now - IDLE_SECONDS:
                    channel.will_close = True
        if len(self._map) >= self.adj.connection_limit:
            idle = [channel for channel in self.active_channels.values() if channel.is_idle()]
            quietest = min(idle, key=lambda channel: channel.active, default=None)
            if quietest is not None and quietest.active < now - QUIET_SECONDS:
                quietest.will_close = True
        accepts: bool = super().readable()
        return accepts

    def add_task(self, channel: Channel) -> None:
        """Have a connection's next request answered, once the answers before it are sent: who asks and asks and reads
        nothing would fill the memory with them. Called with its ``requests_lock`` held."""
        channel.held = bool(channel.total_outbufs_len)
        if not channel.held:
            super().add_task(channel)

    def handle_accept(self) -> None:
        """Accept all who wait, as a turn of the loop looks at every connection there is."""
        for _ in range(_ACCEPTED_AT_ONCE):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before or len(self._map) >= self.adj.connection_limit:
                return
