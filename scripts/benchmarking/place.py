"""Where what only a benchmark needs is installed: an environment of its own, which sees the libraries of this one and
changes none of them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

_PATIENCE = 900  # seconds that one installation may take


def python_in(folder: Path) -> Path:
    """The Python of the environment in a folder, made where it is missing."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.is_file():
        venv.create(folder, with_pip=True)
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)  # noqa: S603
        # A .pth file comes after what is installed there, so that may have other versions of a library than we do.
        (Path(site.stdout.strip()) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def install(python: Path, packages: Sequence[str]) -> str:
    """Install packages; empty if that went well, else the reason in a line."""
    if not packages:
        return ""
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"pip took more than {_PATIENCE} s"
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return (errors or done.stderr.strip().splitlines() or ["pip failed"])[-1]
    return ""
