"""Times and ratios with their spread, what was wanted of them, and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
_LIBRARIES = ("faiss-cpu", "tantivy", "numpy", "sentence-transformers", "torch", "flask", "waitress")


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing: the median, the quarter below and above it, and the tail."""

    low: float
    median: float
    high: float
    p95: float
    p99: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one measurement."""
        low, median, high, p95, p99 = np.percentile(np.asarray(values, np.float64), [25, 50, 75, 95, 99]).tolist()
        return cls(low, median, high, p95, p99, len(values))

    def row(self) -> dict[str, float]:
        """The figures under their usual names, to four significant digits."""
        names = ("median", "p25", "p75", "p95", "p99")
        values = (self.median, self.low, self.high, self.p95, self.p99)
        return {**{name: float(f"{value:.4g}") for name, value in zip(names, values, strict=True)}, "n": self.count}


@dataclass(frozen=True, slots=True)
class Goal:
    """What one figure ought to be, and what it is.

    Attributes:
        most: Whether the figure may not exceed ``wanted``; otherwise it has to reach it.
    """

    what: str
    wanted: float
    measured: float
    unit: str = ""
    most: bool = True

    @property
    def met(self) -> bool:
        """Whether the figure is as wanted."""
        return self.measured <= self.wanted if self.most else self.measured >= self.wanted

    def row(self) -> dict[str, Any]:
        """The goal as it goes into the JSON report."""
        sign = "at most" if self.most else "at least"
        return {
            "what": self.what,
            "goal": f"{sign} {self.wanted:g} {self.unit}".strip(),
            "measured": float(f"{self.measured:.4g}"),
            "met": self.met,
        }


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Milliseconds that ``work`` took, and what it gave."""
    started = perf_counter()
    result = work()
    return (perf_counter() - started) * 1000, result


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": len(cores()),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def cores() -> Sequence[int]:
    """The processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def _processor() -> str:
    for line in _proc_lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_gb() -> float | None:
    for line in _proc_lines(Path("/proc/meminfo")):
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) / 1e6, 1)
    return None


def resident_memory(process: int) -> dict[str, int] | None:
    """Bytes of memory a process and its children hold: of their own, and of files mapped, which they share and the one
    with most of them counts for all; ``None`` where Linux is not there."""
    if not sys.platform.startswith("linux"):
        return None
    of = [_memory_of(process), *(_memory_of(child) for child in _children(process))]
    return {"own": sum(own for own, _ in of), "mapped": max(mapped for _, mapped in of)}


def _memory_of(process: int) -> tuple[int, int]:
    fields = dict(line.split(":", 1) for line in _proc_lines(Path(f"/proc/{process}/status")) if ":" in line)
    own, mapped = (int(fields[name].split()[0]) * 1024 if name in fields else 0 for name in ("RssAnon", "RssFile"))
    return own, mapped


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for line in _proc_lines(task) for child in line.split()]


def _proc_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
