"""Who may read and who may write.

On a loopback address reads are open, and writes too until there is a key; then they need an admin key. On any other
address reads need a key (unless they are opened by XUNZHANG_OPEN_READS) and writes an admin key; there the service does
not even start before a key exists. A page of another site cannot write: it has no key, and where none is needed the
browser tells in the Origin header whose page is asking. Behind a proxy on this machine, only whom the proxy says to be
here is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import g, request
from werkzeug.wsgi import get_host

from index.errors import SettingError
from service import sentences
from service.keys import Key, Scope, find_key, list_keys
from service.operation import Operation
from service.problems import Problem
from service.proxies import WHENCE
from service.rates import Rates, neighbourhood
from service.settings import Settings, is_loopback

# Unknown keys that may come from one address in a minute, and at once.
GUESSES = 20


class Guard:
    """Decides about each request.

    :param settings: How the service listens and what it allows.
    :param data: The data directory, which holds the keys.
    """

    def __init__(self, settings: Settings, data: Path) -> None:
        self._settings = settings
        self._data = data
        self._rates = Rates(settings.rate)
        self._guesses = Rates(GUESSES)

    def check(self, operation: Operation) -> None:
        """Let the request being answered pass, or not.

        :raises Problem: 401 without a usable key, 403 for the wrong scope or host name, 429 for too many requests.
        """
        if operation.access == "open":
            return
        key = self.key_for(operation, request.environ)
        if key is None and (secret := _sent(request.environ)):  # a key that was not needed still tells who is asking
            key = find_key(self._data, secret)
        g.key = None if key is None else key.id
        g.asker = neighbourhood(_client(request.environ)) if key is None else f"key {key.id}"
        self._rates.check(g.asker)
        g.keeper = key is not None and key.scope == "admin"

    def too_often(self, address: str) -> Problem | None:
        """What an address is told that has asked too often without a key; ``None`` where it has not. Counts nothing."""
        try:
            self._rates.check(neighbourhood(address), take=False)
        except Problem as problem:
            return problem
        return None

    def count(self, queries: int) -> None:
        """Count the queries of the request being answered, which :meth:`check` counted as one."""
        self._rates.spend(g.asker, queries - 1)

    def key_for(self, operation: Operation, environ: dict[str, Any]) -> Key | None:
        """The key that lets a request pass, ``None`` where none is needed.

        :param environ: As WSGI has it, seen through proxies; the headers are enough.
        :raises Problem: As :meth:`check`, but that requests are not counted.
        """
        if operation.access == "open":
            return None
        self._check_host(environ)
        if operation.access == "read":
            free = self._settings.open_reads or self._at_home(environ) or self._supervises(operation, environ)
            return None if free else self._need("search", environ)
        if self._at_home(environ) and not list_keys(self._data):
            _check_origin(environ)
            return None
        return self._need("admin", environ)

    def _at_home(self, environ: dict[str, Any]) -> bool:
        """Whether the request comes from this machine; one that a proxy here passes on comes from where it began."""
        return self._settings.loopback and environ.get(WHENCE, "here") == "here"

    def _supervises(self, operation: Operation, environ: dict[str, Any]) -> bool:
        """Whether it is a supervisor's question, asked on this machine past the proxy that stands here too."""
        return self._settings.loopback and operation.line == "watch" and environ.get(WHENCE) == "untold"

    def check_address(self) -> None:
        """Refuse to open the service to other machines before there is a key.

        :raises SettingError: The sentence names the command that makes a key.
        """
        if not self._settings.loopback and not list_keys(self._data):
            english, chinese = (
                sentence.format(host=self._settings.host, data=self._data) for sentence in sentences.KEYLESS_ADDRESS
            )
            raise SettingError(english, chinese)

    def _check_host(self, environ: dict[str, Any]) -> None:
        # A page of another site can point its own name at 127.0.0.1 (DNS rebinding); the Host header tells.
        host = environ.get("HTTP_HOST")
        if not self._settings.loopback or host is None:
            return
        name = _without_port(host)
        if not is_loopback(name) and name.lower().rstrip(".") not in self._settings.allowed_hosts:
            english, chinese = (sentence.format(host=host) for sentence in sentences.HOST_REFUSED)
            raise Problem(403, "forbidden", english, chinese)

    def _need(self, scope: Scope, environ: dict[str, Any]) -> Key:
        secret = _sent(environ)
        if not secret:
            english, chinese = (sentence.format(scope=scope) for sentence in sentences.KEY_NEEDED)
            raise _unauthorized(english, chinese, "")
        address = neighbourhood(_client(environ))
        # Whoever has guessed too often is not even told whether the next guess was right.
        self._guesses.check(address, take=False)
        key = find_key(self._data, secret)
        if key is None:
            self._guesses.wait(address)
            raise _unauthorized(*sentences.KEY_UNKNOWN, ', error="invalid_token"')
        if scope == "admin" and key.scope != "admin":
            headers = {"WWW-Authenticate": 'Bearer realm="xunzhang", error="insufficient_scope", scope="admin"'}
            raise Problem(403, "forbidden", *sentences.SCOPE_TOO_SMALL, headers=headers)
        return key


def _client(environ: dict[str, Any]) -> str:
    return str(environ.get("REMOTE_ADDR") or "")


def _sent(environ: dict[str, Any]) -> str:
    """The secret of the key that was sent, if one was."""
    scheme, _, secret = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _check_origin(environ: dict[str, Any]) -> None:
    # Forms, unlike JSON, are sent to other sites without asking them first.
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.partition("://")[2].lower() != get_host(environ).lower():
        english, chinese = (sentence.format(origin=origin[:200]) for sentence in sentences.ORIGIN_REFUSED)
        raise Problem(403, "forbidden", english, chinese)


def _unauthorized(english: str, chinese: str, error: str) -> Problem:
    headers = {"WWW-Authenticate": f'Bearer realm="xunzhang"{error}'}
    return Problem(401, "unauthorized", english, chinese, headers=headers)


def _without_port(host: str) -> str:
    """The name in a Host header: ``[::1]:8000`` is ``[::1]``, ``localhost:8000`` is ``localhost``."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
