"""Ask a server on this machine whether it can answer: ``python -m scripts.healthy``; exit code 0 if so, else 1.

For supervisors that have no curl. Where to ask is what the server's own settings say.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - named, not listened on


def main() -> int:
    """Ask ``/readyz``."""
    host = os.environ.get("XUNZHANG_HOST", "")
    connection = HTTPConnection(_EVERYWHERE.get(host, host), int(os.environ.get("XUNZHANG_PORT") or 8000), timeout=4)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = answer.read().decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        print(f"no answer: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    print(said, file=sys.stdout if answer.status == 200 else sys.stderr)
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
