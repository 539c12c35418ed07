"""A fresh machine for scripts/serve and scripts/test, on which Python is a stub that writes down how it was called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# All that the scripts may count on, beside /bin/sh.
TOOLS = ["cat", "cmp", "env", "mkdir", "mv", "readlink", "rm"]

# A Python that logs its arguments to $CALLS. $STUB_VERSION is its version, $STUB_LACKS_VENV takes its venv module
# away, $PIP_SAYS makes pip say that and fail, $PIP_WAITS_FOR makes pip wait for that file to appear.
STUB = """#!/bin/sh
case "$1 ${2-}" in
    "-V ") echo "Python ${STUB_VERSION-3.12.1}" ;;
    "-c import ensurepip"*) [ -z "${STUB_LACKS_VENV-}" ] && echo "$STUB" ;;
    "-c import pip"*) echo 24.0 ;;
    "-c "*) exec "$REAL_PYTHON" "$@" ;;
    "-m venv")
        echo "make venv" >>"$CALLS"
        /bin/mkdir -p "$3/bin" && /bin/cp "$STUB" "$3/bin/python"
        ;;
    "-m pip")
        echo "pip $*" >>"$CALLS"
        while [ -n "${PIP_WAITS_FOR-}" ] && [ ! -e "$PIP_WAITS_FOR" ]; do /bin/sleep 0.02; done
        [ -z "${PIP_SAYS-}" ] || { echo "$PIP_SAYS"; exit 1; }
        ;;
    *)
        echo "run $*" >>"$CALLS"
        echo "in $PWD, PYTHONPATH=${PYTHONPATH-}"
        ;;
esac
"""

UNREACHABLE = "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'"


@dataclass(frozen=True)
class Machine:
    """A fresh machine: a checkout in a folder with a space in its name, and a stub where Python would be."""

    root: Path
    bin: Path
    calls_file: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def stub(self) -> Path:
        return self.bin / "python3"

    def environment(self, **settings: str) -> dict[str, str]:
        return {
            "PATH": str(self.bin),
            "HOME": "/nonexistent",
            "CALLS": str(self.calls_file),
            "STUB": str(self.stub),
            "REAL_PYTHON": sys.executable,
            **settings,
        }

    def run(
        self, script: str | Path, *args: str, cwd: Path | None = None, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts" / script, *args],
            env=self.environment(**settings),
            cwd=cwd or self.root.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, script: str, output: Path, **settings: str) -> subprocess.Popen[bytes]:
        with output.open("wb") as file:
            process = subprocess.Popen(
                [self.root / "scripts" / script],
                env=self.environment(**settings),
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End the script and all it started, at once and without a word, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def calls(self, beginning: str = "") -> list[str]:
        """What Python was asked to do so far: 'make venv', 'pip ...' and 'run ...'."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in lines if line.startswith(beginning)]


def until(text: str, file: Path) -> None:
    deadline = time.monotonic() + 30
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < deadline, f"{text!r} never appeared in {file.name}"
        time.sleep(0.01)
