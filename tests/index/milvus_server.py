"""A Milvus Lite that serves over the network, in a process of its own: several clients, and it can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Self

_START_UP = 60.0  # seconds


class MilvusServer:
    """Started on entering, killed on leaving."""

    def __init__(self, data: Path) -> None:
        self._data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def engine(self) -> str:
        return f"milvus:http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        arguments = ["server", "--data-dir", str(self._data), "--host", "127.0.0.1", "--port", str(self.port)]
        with (self._data.parent / "milvus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "milvus_lite", *arguments], stdout=log, stderr=log, env={**os.environ}
            )
        until = monotonic() + _START_UP
        while monotonic() < until:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, (self._data.parent / "milvus.log").read_text()
            sleep(0.05)
        raise AssertionError("Milvus Lite did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
