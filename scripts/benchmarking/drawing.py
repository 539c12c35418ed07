"""Archives as they grow, as a picture: ``drawing.py RESULT.json FILE.png``, where matplotlib is installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

Lines = dict[str, Sequence[float]]  # a value for each size, by its name
_TIMES = ("median", "p95", "p99")


def panels(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[Lines, float | None]]:
    """What is drawn, by its title: the lines, and the goal if there is one."""
    found: dict[str, tuple[Lines, float | None]] = {
        "build, s": ({"": [row["build_s"] for row in rows]}, None),
        "adding 1 %, % of a build": ({"": [100 * row["add_1_percent_of_build"] for row in rows]}, 3),
        "recall@10 of the dense index": ({"": [row["recall_at_10"] for row in rows]}, 0.99),
        "start beyond that of a few documents, s": ({"": [row["start_s"] for row in rows]}, 2),
        "memory, bytes a passage": (
            {name: [row["bytes_a_passage"].get(name, 0) for row in rows] for name in ("own", "mapped")},
            1500,
        ),
    }
    for clients in rows[0]["http_ms"]:
        times = {name: [row["http_ms"][clients][name] for row in rows] for name in _TIMES}
        found[f"a search over HTTP, ms, {clients} clients"] = (times, 10 if clients == "1" else None)
    found["searches a second"] = (
        {f"{clients} clients": [row["searches_a_second"][clients] for row in rows] for clients in rows[0]["http_ms"]},
        None,
    )
    return found


def main() -> None:
    """Draw."""
    result = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = result["growth"]
    sizes = [row["passages"] for row in rows]
    drawn = panels(rows)
    figure, axes = plt.subplots(2, 4, figsize=(14, 6), layout="constrained")
    for axis, (title, (lines, goal)) in zip(axes.flat, drawn.items(), strict=True):
        for name, values in lines.items():
            axis.plot(sizes, values, marker="o", label=name or None)
        if goal is not None:
            axis.axhline(goal, color="grey", linestyle="--", linewidth=1, label="goal")
        axis.set_xscale("log")
        if not title.startswith("recall"):
            axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8)
    machine = result["machine"]
    figure.supxlabel(f"passages; {machine['cores']} cores of {machine['processor']}, {machine['date']}", fontsize=10)
    figure.savefig(sys.argv[2], dpi=80)


if __name__ == "__main__":
    main()
