"""What was measured, kept in a folder: as JSON, as tables, and archives as they grow as a picture."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from index.errors import DataError
from scripts.benchmarking.place import install, python_in
from scripts.benchmarking.report import report

_DRAWING = ("matplotlib==3.11.2",)  # of no use to the service
_DRAW = Path(__file__).with_name("drawing.py")


def write(result: Mapping[str, Any], folder: Path, tools: Path | None) -> None:
    """Write ``result.json``, ``result.md`` and ``growth.png``, the last where there are several sizes.

    Args:
        tools: Where matplotlib is installed, ``None`` for a folder that is thrown away.

    Raises:
        DataError: It cannot be drawn; the rest was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "result.json"
    file.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "result.md").write_text(report(result) + "\n", encoding="utf-8")
    if len(result.get("growth", ())) < 2:
        return
    with tempfile.TemporaryDirectory() as temporary:
        python = python_in(tools or Path(temporary))
        why = install(python, _DRAWING)
        if not why:
            command = [python, _DRAW, file, folder / "growth.png"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
            why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1] if done.returncode else ""
        if why:
            picture = folder / "growth.png"
            raise DataError(f"{picture} cannot be drawn: {why}", f"无法绘制 {picture}：{why}")
