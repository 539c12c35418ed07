"""What the service writes to stderr: by default what went wrong, by setting a line for each request.

A line says what was done, by whom and how long it took, never what was searched for, unless XUNZHANG_LOG_QUERIES asks
for that too. Keys are named by their id.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

ACCESS = logging.getLogger("xunzhang.access")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def log_request(**fields: Any) -> None:
    """Write the line of an answered request."""
    if ACCESS.isEnabledFor(logging.INFO):
        known = {name: value for name, value in fields.items() if value not in (None, "")}
        ACCESS.info("request", extra={"fields": known})


def configure_logs(kind: str, stream: TextIO | None = None) -> None:
    """Decide what the process logs.

    :param kind: ``errors`` (readable lines of what went wrong), ``text`` (and one for each request) or ``json`` (all of
        them as one JSON object a line).
    :param stream: Where it goes; stderr if left out.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if kind == "json" else Lines())
    root = logging.getLogger()
    for before in list(root.handlers):
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    ACCESS.setLevel(logging.WARNING if kind == "errors" else logging.INFO)


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message`` and what belongs to the event."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        text = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False))
        # Lone surrogates, which a strange address may hold, are no text to whoever reads the log.
        return text.encode("utf-8", "replace").decode()


class Lines(logging.Formatter):
    """Readable lines; what came from outside cannot begin one."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as a line, with the lines of its exception."""
        fields = " ".join(f"{name}={visible(str(value))}" for name, value in getattr(record, "fields", {}).items())
        said = visible(record.getMessage())
        line = f"{_time(record)} {record.levelname} {record.name}: {said}{' ' if fields else ''}{fields}"
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return (line + trace).encode("utf-8", "replace").decode()


def visible(text: str) -> str:
    """A text whose control characters are written out, so that a log or terminal shows them and does not obey them."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
