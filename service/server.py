"""The server: one process with a fixed number of threads takes all requests, and ends in order.

It forks no workers, since a child forked after the model or an index was used hangs; processes that help with searches
open the archive themselves (``index/helpers.py``).
"""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from copy import copy
from types import FrameType
from typing import Any, NoReturn

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.wasyncore import close_all

from index.errors import SettingError
from service import sentences
from service.connections import Listener
from service.lines import Lines
from service.parts import parts_of
from service.settings import Settings

# Connections beyond these wait in the kernel's queue, and beyond that are refused.
MOST_CONNECTIONS = 500
BACKLOG = 1024


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
        listening = _listening(settings)
        adjustments = Adjustments(
            connection_limit=MOST_CONNECTIONS,
            backlog=BACKLOG,
            max_request_body_size=max(settings.max_body, settings.max_upload),
            asyncore_use_poll=True,
            # No thread waits for clients to read: answers are whole before they are sent, and each has one at a time.
            outbuf_high_watermark=sys.maxsize,
            clear_untrusted_proxy_headers=False,  # proxies.py does, which knows whom to trust
            ident=None,
        )
        adjustments.without_files = copy(adjustments)
        adjustments.without_files.max_request_body_size = settings.max_body
        self._server = Listener(
            app,
            map=self._sockets,
            _sock=listening,
            dispatcher=Lines(settings, parts.door),
            adj=adjustments,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
            bind_socket=False,
        )
        self._server.door, self._server.metrics = parts.door, parts.metrics
        self._worker = parts.worker
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
        pulled = threading.Event()

        def close() -> None:
            # The loop may wake for an answer that is ready, and would close the pipe that is about to be written to.
            pulled.wait()
            self._close_sockets()

        try:
            self._server.trigger.pull_trigger(close)
        finally:
            pulled.set()

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
