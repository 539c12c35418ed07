"""Ask a server on this machine whether it can answer: ``python -m scripts.healthy``; exit code 0 if so, else 1.

For supervisors that have no curl. Where to ask is what the server's own settings say.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException

from index.errors import SettingError
from scripts.common import language
from service.settings import Settings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named, not listened on


def main() -> int:
    """Ask ``/readyz``."""
    lang = language()
    try:  # read as the server itself reads them, so that what it refuses is told in the same words
        named = {name: os.environ.get(name, "") for name in ("XUNZHANG_HOST", "XUNZHANG_PORT")}
        settings = Settings.from_environment(named)
    except SettingError as error:
        print(error.sentence(lang), file=sys.stderr)
        return 1
    host, port = _EVERYWHERE.get(settings.host, settings.host), settings.port
    try:
        with closing(HTTPConnection(host, port, timeout=4)) as asked:
            asked.request("GET", "/readyz")
            answer = asked.getresponse()
            said = answer.read().decode("utf-8", "replace")
    except (OSError, HTTPException, UnicodeError) as error:  # a host name may be none that can be asked for
        print(f"{host}:{port} 没有应答：{error}" if lang == "zh" else f"no answer from {host}:{port}: {error}",
              file=sys.stderr)  # fmt: skip
        return 1
    print(said, file=sys.stdout if answer.status == 200 else sys.stderr)
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
