"""What people searched for, kept on this machine where XUNZHANG_QUERY_LOG asks for it, and a report of it.

One JSON object a line in ``DATA/logs/queries.jsonl`` (mode 0600): query, mode, how many were found, how long it took.
Nothing says who asked. The file is put aside when it is full; four old ones are kept, 40 MB in all.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.chinese import fold
from index.document import Answer
from index.errors import SettingError

FOLDER, FILE = "logs", "queries.jsonl"
LARGEST = 8_000_000  # bytes
OLD_ONES = 4


class QueryLog:
    """Writes a line for each search.

    :param data: The data directory.
    """

    def __init__(self, data: Path, largest: int = LARGEST) -> None:
        self._path = data / FOLDER / FILE
        self._largest = largest
        self._lock = threading.Lock()

    def write(self, query: str, answer: Answer) -> None:
        """Note an answered search.

        :raises OSError: The disk is full; the search itself is answered all the same by whoever calls.
        """
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "query": query,
            "mode": answer.mode,
            "total": answer.total,
            "weak": answer.weak,
            "ms": round(answer.took_ms, 1),
        }
        raw = (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        with self._lock:
            self._path.parent.mkdir(exist_ok=True)
            if self._path.exists() and self._path.stat().st_size + len(raw) > self._largest:
                for number in range(OLD_ONES, 1, -1):
                    if (older := _numbered(self._path, number - 1)).exists():
                        older.replace(_numbered(self._path, number))
                self._path.replace(_numbered(self._path, 1))
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as file:
                file.write(raw)


@dataclass(frozen=True, slots=True)
class Asked:
    """One query, all its spellings that fold alike together.

    Attributes:
        query: As it was last typed.
        times: How often.
        total: How many passages it found the last time.
        slowest: Milliseconds of its slowest answer.
    """

    query: str
    times: int
    total: int
    slowest: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a query log says.

    Attributes:
        searches: Lines read.
        frequent, without_hits, slow: Queries, first those asked most, those that found nothing and were asked most,
            and those that took longest.
    """

    searches: int
    frequent: tuple[Asked, ...]
    without_hits: tuple[Asked, ...]
    slow: tuple[Asked, ...]


def report(data: Path, *, limit: int = 20) -> Report:
    """Sum up the query log of a data directory.

    :param limit: Length of each list.
    :raises SettingError: A list cannot be so short.
    """
    if limit < 1:
        raise SettingError(
            f"--limit is {limit}, but a list has at least one entry: choose 1 or more.",
            f"--limit 的值是 {limit}，但列表至少要有一项：请改为 1 或更大的数。",
        )
    times: Counter[str] = Counter()
    last: dict[str, dict[str, Any]] = {}
    slowest: dict[str, float] = {}
    for line in _lines(data / FOLDER / FILE):
        name = " ".join(fold(line["query"]).split())
        times[name] += 1
        last[name] = line
        slowest[name] = max(slowest.get(name, 0.0), line["ms"])
    asked = [
        Asked(last[name]["query"], count, last[name]["total"], slowest[name]) for name, count in times.most_common()
    ]
    return Report(
        searches=times.total(),
        frequent=tuple(asked[:limit]),
        without_hits=tuple(one for one in asked if not one.total)[:limit],
        slow=tuple(sorted(asked, key=lambda one: -one.slowest)[:limit]),
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of all files, the oldest first; a line cut short, as by a full disk, is passed over."""
    for file in (*(_numbered(path, number) for number in range(OLD_ONES, 0, -1)), path):
        if not file.is_file():
            continue
        with file.open(encoding="utf-8", errors="replace") as stream:
            for text in stream:
                try:
                    line = json.loads(text)
                    yield {"query": str(line["query"]), "total": int(line["total"]), "ms": float(line["ms"])}
                except (ValueError, TypeError, KeyError):
                    continue


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
