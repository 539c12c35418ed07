"""Who is behind a proxy: X-Forwarded-For and X-Forwarded-Proto count only where they come from a trusted address.

Proxies append to X-Forwarded-For, so it is read from its end: the last address that is none of our proxies' is the
client's, and whatever it wrote before that is its own invention. Nobody counts as being on this machine for want of an
address: a proxy that does not say for whom it asks, or says it unreadably, asks for somebody elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from service.settings import Network, is_loopback

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")
# Only a proxy gives a request its id; and the header's other spelling must not get past.
_FROM_PROXIES = (*_FORWARDED, "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_X_REQUEST_ID")
# Where a request began that comes from a trusted address: ``untold`` where nothing in it is a proxy's, as when a
# program on the proxy's machine asks without it. Requests from any other address have none.
Whence = Literal["here", "elsewhere", "untold"]
WHENCE = "xunzhang.whence"


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
        self.see_through(environ)
        return self._app(environ, start_response)

    def see_through(self, environ: dict[str, Any]) -> None:
        """Put the client, and where the request began, into its environ, and take out what nobody else may claim."""
        claims = {name: environ.pop(name) for name in _FROM_PROXIES if name in environ}
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            peer, chain = environ["REMOTE_ADDR"], claims.get("HTTP_X_FORWARDED_FOR", "")
            environ[WHENCE] = self.whence(peer, chain) if claims or not is_loopback(peer) else "untold"
            environ["REMOTE_ADDR"] = self.client_of(peer, chain)
            if (scheme := claims.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()) in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
            if "HTTP_X_REQUEST_ID" in claims:
                environ["HTTP_X_REQUEST_ID"] = claims["HTTP_X_REQUEST_ID"]

    def client_of(self, peer: str, chain: str) -> str:
        """The client's address: the last of the chain that is not a proxy's, the first readable one where all are.

        :param peer: Who is connected; its own address where it is no proxy.
        :param chain: X-Forwarded-For.
        """
        return [peer, *filter(None, self._way_back(peer, chain))][-1]

    def id_of(self, peer: str, given: str) -> str:
        """What a request is called by the proxy that it came from; empty where it came from none.

        :param given: X-Request-ID.
        """
        return given if self._is_trusted(peer) else ""

    def whence(self, peer: str, chain: str) -> Whence:
        """Where a request began: ``here`` only if every step of its way is told and is of this machine."""
        way = [peer, *self._way_back(peer, chain)]
        return "here" if len(way) > 1 and all(step and is_loopback(step) for step in way) else "elsewhere"

    def _way_back(self, peer: str, chain: str) -> list[str | None]:
        """The addresses before the peer, back to the first that is no proxy's; ``None`` for one that cannot be read,
        behind which nothing is known."""
        way: list[str | None] = []
        last: str | None = peer
        for entry in reversed(chain.split(",")):
            if last is None or not self._is_trusted(last):
                break
            last = _bare(entry)
            way.append(last)
        return way

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
