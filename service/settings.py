"""What can be set about the service, where the values come from, and which of them are refused.

Command line over environment over defaults: the command line passes its values as keyword arguments to
:func:`Settings.from_environment`. Nothing here knows of HTTP.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from index.errors import SettingError
from index.tuning import processors

MIB = 1024 * 1024
LOGS = ("errors", "text", "json")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FEWEST_THREADS = 8
# Each takes a third of a gigabyte, and what reads and writes the requests keeps up with so many.
MOST_BY_DEFAULT = 4
# Waiting in line takes no thread, and half a second at most where a search takes 15 ms of a core: long enough for the
# moment in which a document is published, short enough that whoever is let in is answered soon.
WAITING_FOR_EACH = 8
_RANGES = {
    "port": (0, 65535),
    "threads": (FEWEST_THREADS, 512),
    "processes": (1, 64),
    "patience": (0, 60),
    "max_body": (1024, 1024 * MIB),
    "max_upload": (1024, 65536 * MIB),
    "deadline": (1, 600),
    "rate": (0, 1_000_000),
    "cache_mb": (0, 65536),
}
# As browsers send it in the Origin header: no path, no slash at the end.
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service listens and what it allows. Every field is an environment variable, see README.md.

    Attributes:
        host: Address to listen on. Anything but a loopback address asks for keys.
        port: TCP port, 0 for any free one.
        threads: Worker threads; a quarter of them may search at once, or half where there are so many processes.
        processes: How many processes may answer searches, this one among them, see ``index/helpers.py``.
        patience: Seconds a search waits for its turn before it is refused with 503.
        max_body: Largest request body in bytes, files aside.
        max_upload: Largest request with files in bytes.
        open_reads: Whether everybody may read although the address is not a loopback one.
        allowed_hosts: Further names, without port, by which a service on a loopback address may be addressed.
        allowed_origins: Other sites whose pages may read from a visitor's browser, such as
            ``https://news.example``; ``*`` for every one.
        deadline: Seconds after its arrival from which no further query of a request is begun.
        rate: Requests a minute that one key, or one address without a key, may make; 0 for as many as it likes.
        trusted_proxies: Networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
        log: What is written to stderr: ``errors``, ``text`` or ``json``, see ``logs.py``.
        log_queries: Whether lines of requests say what was searched for.
        cache_mb: MiB of memory for answers that are given again while nothing changes, 0 for none.
        query_log: Whether searches are kept in ``DATA/logs``, see ``query_log.py``.
        past_queries: How many different visitors must have asked a query before it is suggested to others, at least 2;
            0 for never, see ``past_queries.py``.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 16
    processes: int = field(default_factory=lambda: min(processors(), MOST_BY_DEFAULT))
    patience: float = 2.0
    max_body: int = 16 * MIB
    max_upload: int = 256 * MIB
    open_reads: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    deadline: float = 30.0
    rate: int = 0
    trusted_proxies: tuple[Network, ...] = ()
    log: str = "errors"
    log_queries: bool = False
    query_log: bool = False
    past_queries: int = 0
    cache_mb: int = 32

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise _out_of_range(name, getattr(self, name), str(low), str(high))
        if self.past_queries and not 2 <= self.past_queries <= 50:
            raise _out_of_range("past_queries", self.past_queries, "2", "50")
        if self.log not in LOGS:
            raise _unreadable("XUNZHANG_LOG", self.log, f"one of {', '.join(LOGS)}", f"{'、'.join(LOGS)} 之一")
        for origin in self.allowed_origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise _unreadable(
                    "XUNZHANG_ALLOWED_ORIGINS",
                    origin,
                    "scheme, host and port alone, such as https://news.example",
                    "仅由协议、主机与端口组成的来源，例如 https://news.example",
                )

    @property
    def searches(self) -> int:
        """How many searches may run at once."""
        return max(self.threads // 4, min(self.processes, self.threads // 2))

    @property
    def waiting(self) -> int:
        """How many searches may wait for a turn."""
        return WAITING_FOR_EACH * self.searches

    @property
    def writes_waiting(self) -> int:
        """How many writes may wait for the one that is done: with it they take half the threads that do not search."""
        return max(1, (self.threads - self.searches - 1) // 2 - 1)

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine can reach the service."""
        return is_loopback(self.host)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **given: Any) -> Settings:
        """Settings from ``XUNZHANG_*`` variables, overridden by the values given that are not ``None``.

        :param environ: The environment, usually ``os.environ``; unknown variables are ignored.
        :param given: Fields by name, as the command line has them.
        :raises SettingError: A value that is not of its kind or out of range; the sentence names it.
        """
        values: dict[str, Any] = {}
        for variable, (name, read) in VARIABLES.items():
            text = environ.get(variable, "").strip()
            if text:
                values[name] = read(variable, text)
        values.update({name: value for name, value in given.items() if value is not None})
        return cls(**values)


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, is one of this machine's loopback names."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _whole(variable: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _unreadable(variable, text, "a whole number", "整数") from None


def _number(variable: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _unreadable(variable, text, "a number", "数字") from None


def _yes(variable: str, text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in known:
        raise _unreadable(variable, text, "1 or 0", "1 或 0")
    return known[text.lower()]


def _names(_variable: str, text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _networks(variable: str, text: str) -> tuple[Network, ...]:
    found = []
    for name in _names(variable, text):
        try:
            found.append(ipaddress.ip_network(name))
        except ValueError:
            english, chinese = "addresses or networks such as 10.0.0.0/8", "地址或网段，例如 10.0.0.0/8"
            raise _unreadable(variable, name, english, chinese) from None
    return tuple(found)


def _text(_variable: str, text: str) -> str:
    return text


VARIABLES: dict[str, tuple[str, Any]] = {
    "XUNZHANG_HOST": ("host", _text),
    "XUNZHANG_PORT": ("port", _whole),
    "XUNZHANG_THREADS": ("threads", _whole),
    "XUNZHANG_PROCESSES": ("processes", _whole),
    "XUNZHANG_PATIENCE": ("patience", _number),
    "XUNZHANG_MAX_BODY": ("max_body", _whole),
    "XUNZHANG_MAX_UPLOAD": ("max_upload", _whole),
    "XUNZHANG_OPEN_READS": ("open_reads", _yes),
    "XUNZHANG_ALLOWED_HOSTS": ("allowed_hosts", _names),
    "XUNZHANG_ALLOWED_ORIGINS": ("allowed_origins", _names),
    "XUNZHANG_DEADLINE": ("deadline", _number),
    "XUNZHANG_RATE": ("rate", _whole),
    "XUNZHANG_TRUSTED_PROXIES": ("trusted_proxies", _networks),
    "XUNZHANG_LOG": ("log", _text),
    "XUNZHANG_LOG_QUERIES": ("log_queries", _yes),
    "XUNZHANG_QUERY_LOG": ("query_log", _yes),
    "XUNZHANG_PAST_QUERIES": ("past_queries", _whole),
    "XUNZHANG_CACHE_MB": ("cache_mb", _whole),
}


def _unreadable(variable: str, text: str, english: str, chinese: str) -> SettingError:
    return SettingError(
        f"The setting {variable} is {text!r}, but it must be {english}: correct it or leave it out.",
        f"设置项 {variable} 的值是 {text!r}，但它应当是{chinese}：请改正或删去。",
    )


def _out_of_range(name: str, value: object, least: str, most: str) -> SettingError:
    variable = next(variable for variable, (field, _) in VARIABLES.items() if field == name)
    return SettingError(
        f"The setting {variable} is {value}, but it must lie between {least} and {most}: choose another value.",
        f"设置项 {variable} 的值是 {value}，但应在 {least} 到 {most} 之间：请换一个值。",
    )
