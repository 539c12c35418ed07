"""Who is behind a proxy: X-Forwarded-For and X-Forwarded-Proto count only where they come from a trusted address.

Proxies append to X-Forwarded-For, so it is read from its end: the last address that is none of our proxies' is the
client's, and whatever it wrote before that is its own invention.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from service.settings import Network

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")
# Only a proxy gives a request its id; and the header's other spelling must not get past.
_FROM_PROXIES = (*_FORWARDED, "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_REQUEST_ID")
# Set where a request came through a trusted proxy.
FORWARDED = "xunzhang.forwarded"


class Proxies:
    """Wraps a WSGI application so that it sees the client behind trusted proxies, and nobody else's claims.

    :param app: The application.
    :param trusted: Networks whose addresses are those of proxies.
    """

    def __init__(self, app: Wsgi, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = tuple(trusted)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        claims = {name: environ.pop(name) for name in _FROM_PROXIES if name in environ}
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            environ[FORWARDED] = "HTTP_X_FORWARDED_FOR" in claims
            environ["REMOTE_ADDR"] = self.client_of(environ["REMOTE_ADDR"], claims.get("HTTP_X_FORWARDED_FOR", ""))
            if (scheme := claims.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()) in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
            if "HTTP_X_REQUEST_ID" in claims:
                environ["HTTP_X_REQUEST_ID"] = claims["HTTP_X_REQUEST_ID"]
        return self._app(environ, start_response)

    def client_of(self, peer: str, chain: str) -> str:
        """The client's address: the last of the chain that is not a proxy's, the first readable one where all are.

        :param peer: Who is connected; its own address where it is no proxy.
        :param chain: X-Forwarded-For.
        """
        found = peer
        if not self._is_trusted(peer):
            return peer
        for entry in reversed(chain.split(",")):
            address = _bare(entry)
            if address is None:
                return found
            found = address
            if not self._is_trusted(address):
                return found
        return found

    def _is_trusted(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _bare(entry: str) -> str | None:
    """An address without port or brackets, ``None`` for what is none."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
