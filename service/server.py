"""The server: one process, a fixed number of threads, and an orderly end.

One process, because a child forked after the model or an index was used hangs.
"""

from __future__ import annotations

import errno
import logging
import re
import signal
import socket
import threading
from collections.abc import Callable
from copy import copy
from time import perf_counter
from types import FrameType
from typing import Any, NoReturn

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer, create_server
from waitress.task import ErrorTask, WSGITask
from waitress.wasyncore import close_all

from index.errors import SettingError
from service import sentences
from service.language import choose_language
from service.logs import log_request
from service.metrics import UNREADABLE
from service.operation import FORM, LINES
from service.parts import parts_of
from service.problems import MEDIA_TYPE, Problem, problem_body
from service.settings import Settings
from service.tracing import ARRIVED, HEADER, new_id

# Connections beyond these wait in the kernel's queue, and beyond that are refused.
MOST_CONNECTIONS = 200
BACKLOG = 128
IDLE_SECONDS = 60
# A request's head must be there in this time, its body come with this many bytes a second.
HEADER_SECONDS = 20.0
SLOWEST_BODY = 1_000
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """What waitress answers itself, to requests it cannot read, as problem+json like all else."""

    def execute(self) -> None:
        error = self.request.error
        status = error.code if error.code in (400, 413, 431) else 400
        kind = "too-large" if status == 413 else "bad-request"
        problem = Problem(status, kind, *sentences.STATUS_SENTENCES[413 if status == 413 else 400])
        language = choose_language(None, self.request.headers.get("ACCEPT_LANGUAGE"))
        name, path = new_id(), getattr(self.request, "path", "/") or "/"
        body = problem_body(problem, language, path, name)
        self.status = f"{status} {error.reason}"
        self.response_headers.extend([("Content-Type", MEDIA_TYPE), ("X-Content-Type-Options", "nosniff")])
        self.response_headers.append((HEADER, name))
        self.set_close_on_finish()
        self.channel.server.metrics.count_request(UNREADABLE, status, 0.0)
        log_request(request_id=name, operation=UNREADABLE, status=status, client=self.channel.addr[0])
        self.content_length = len(body)
        self.write(body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Takes Chinese in an address as it was typed, which waitress alone refuses and curl sends; and refuses
    early what is too large, by one limit with files and another without."""

    adj: Any

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.begun = self.arrived = perf_counter()

    def received(self, data: bytes) -> int:
        taken: int = super().received(data)
        self.arrived = perf_counter()
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        line, end, rest = header_plus.partition(b"\r\n")
        super().parse_header(_NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line) + end + rest)
        if not self.headers.get("CONTENT_TYPE", "").lower().startswith((FORM, *LINES)):
            self.adj = self.adj.without_files


class _Task(WSGITask):  # type: ignore[misc]
    """Tells the application when the request was there, so that waiting for a thread counts as waiting."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ.setdefault(ARRIVED, self.request.arrived)
        return environ


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection; one whose request comes in drop by drop is closed, as it keeps a place from others."""

    parser_class = _Parser
    task_class = _Task
    error_task_class = _ProblemTask

    def received(self, data: bytes) -> bool:
        if self.request is not None and self._drips(self.request):
            self.handle_close()
            return False
        taken: bool = super().received(data)
        return taken

    def _drips(self, request: _Parser) -> bool:
        elapsed = perf_counter() - request.begun
        if not request.headers_finished:
            return elapsed > HEADER_SECONDS
        # Counted from the first byte, with a start for whoever is slow to begin.
        return int(request.body_bytes_received) < (elapsed - HEADER_SECONDS) * SLOWEST_BODY


class Server:
    """A bound and listening server.

    :param app: An application from ``create_app``; its settings say where to listen.
    :raises SettingError: The address is taken or unusable, or it is open to other machines without a key.
    """

    def __init__(self, app: Flask) -> None:
        parts = parts_of(app)
        settings = parts.settings
        parts.guard.check_address()
        # "localhost" may be two addresses; one is enough, and port 0 then means one port.
        self._sockets: dict[int, Any] = {}
        self._server: TcpWSGIServer = create_server(
            app,
            map=self._sockets,
            sockets=[_listening(settings)],
            threads=settings.threads,
            connection_limit=MOST_CONNECTIONS,
            backlog=BACKLOG,
            channel_timeout=IDLE_SECONDS,
            max_request_body_size=max(settings.max_body, settings.max_upload),
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,  # proxies.py does, which knows whom to trust
            ident=None,
        )
        self._server.channel_class = _Channel
        self._worker = parts.worker
        self._server.metrics = parts.metrics
        adjustments = self._server.adj
        adjustments.without_files = copy(adjustments)
        adjustments.without_files.max_request_body_size = settings.max_body
        host, port = self._server.effective_host, self._server.effective_port
        self.url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def run(self) -> None:
        """Answer until ``SystemExit``, ``KeyboardInterrupt`` or :meth:`stop`; what is being answered is finished."""
        self._worker.wake()
        self._server.run()
        self._server.task_dispatcher.shutdown()
        self._worker.close()

    def stop(self) -> None:
        """Make :meth:`run` return, from another thread."""
        self._server.trigger.pull_trigger(self._close_sockets)

    def close(self) -> None:
        """Close the listening socket and all connections, and let the threads go."""
        self._close_sockets()
        self._server.task_dispatcher.shutdown()

    def _close_sockets(self) -> None:
        close_all(self._sockets, ignore_all=True)


def serve(app: Flask, *, ready: Callable[[str], None] | None = None) -> None:
    """Listen and answer until SIGTERM or SIGINT, then finish what is being answered and return.

    :param app: An application from ``create_app``.
    :param ready: Called once with the service's address, when it really listens.
    :raises SettingError: See :class:`Server`.
    """
    # Waiting requests are bounded and answered by gate.py; waitress would write a line for each.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = Server(app)
    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, _leave)
    try:
        if ready is not None:
            ready(server.url)
        server.run()
    except SystemExit:
        # The signal came before the loop began.
        pass
    finally:
        server.close()


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _listening(settings: Settings) -> socket.socket:
    """A socket that listens; port 0 becomes a free one. A name with several addresses stands for its first."""
    bound = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        # So that a restarted service need not wait until the kernel has forgotten the last one's connections.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        if bound is not None:
            bound.close()
        raise _cannot_listen(error, settings) from error
    return bound


def _cannot_listen(error: OSError | UnicodeError, settings: Settings) -> SettingError:
    taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    pair = sentences.PORT_TAKEN if taken else sentences.ADDRESS_UNUSABLE
    reason = getattr(error, "strerror", None) or str(error)
    english, chinese = (sentence.format(host=settings.host, port=settings.port, reason=reason) for sentence in pair)
    return SettingError(english, chinese)
