"""One run of the benchmark, part after part, over the same documents and queries."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import SettingError
from index.suite import EvaluationSet
from scripts.benchmarking.answers import answer_times
from scripts.benchmarking.backends import backend_times
from scripts.benchmarking.growth import Base, build, growth, smallest_server
from scripts.benchmarking.indexing import indexing_times
from scripts.benchmarking.judged import judged_files, judged_sample
from scripts.benchmarking.material import Material
from scripts.benchmarking.peers.catalogue import PEERS, PeerKind
from scripts.benchmarking.peers.comparison import compare
from scripts.benchmarking.spread import Goal, machine


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        parts: ``answers``, ``indexing``, ``growth``, ``peers`` and ``backends``.
        sizes: Passages of each archive, ascending; ``None`` for all real documents.
        asked: Queries at each size.
        indexed: Passages that are indexed whole and bare, in turn.
        rounds: How often.
        judged: What peers are compared on, at the largest size; ``None`` for the whole sample.
        peers: Which.
        tools: Where what is measured with is installed, ``None`` for a folder that is thrown away.
        model: What ``backends`` compute.
    """

    parts: frozenset[str]
    sizes: tuple[int | None, ...]
    asked: int
    indexed: int
    rounds: int
    judged: EvaluationSet | None = None
    peers: tuple[PeerKind, ...] = PEERS
    tools: Path | None = None
    model: str = ""


def measure(plan: Plan, material: Material, tell: Callable[[str], None]) -> dict[str, Any]:
    """All figures, under the names of the JSON report.

    Args:
        tell: Called with what is being measured.
    """
    result: dict[str, Any] = {"machine": machine(), "material": material.name}
    goals: list[tuple[str, Goal]] = []
    if "indexing" in plan.parts:
        tell("indexing")
        times = indexing_times(material, plan.indexed, plan.rounds)
        result["indexing"] = times.row()
        goals += [("indexing", goal) for goal in times.goals()]
    if {"answers", "growth"} & plan.parts:
        with tempfile.TemporaryDirectory() as folder:
            goals += _archives(plan, material, Path(folder), result, tell)
    if "backends" in plan.parts:
        tell("backends")
        computed = backend_times(material, plan.model, plan.indexed, plan.asked, plan.rounds)
        result["backends"] = computed.row()
        goals += [("backends", goal) for goal in computed.goals()]
    if "peers" in plan.parts:
        judged = judged_sample() if plan.judged is None else judged_files(plan.judged, plan.sizes[-1])
        compared = compare(judged, plan.peers, plan.asked, plan.rounds, plan.tools, tell)
        result["peers"] = compared.row()
        goals += [(f"{compared.passages:,} passages", goal) for goal in compared.goals()]
    result["goals"] = [{"at": where, **goal.row()} for where, goal in goals]
    return result


def _archives(
    plan: Plan, material: Material, folder: Path, result: dict[str, Any], tell: Callable[[str], None]
) -> list[tuple[str, Goal]]:
    """Build archives of all sizes and measure them; answers by the largest."""
    goals: list[tuple[str, Goal]] = []
    base: Base | None = None
    for size in plan.sizes:
        name = "all documents" if size is None else f"{size:,} passages"
        tell(f"{name}: building")
        data = folder / str(size)
        built = build(data, material, size)
        queries = material.queries(plan.asked)
        if "growth" in plan.parts:
            tell(f"{name}: growth")
            base = base or smallest_server(material, queries)
            found = growth(data, material, built, queries, base)
            result.setdefault("growth", []).append(found.row())
            goals += [(f"{found.passages:,} passages", goal) for goal in found.goals()]
        if "answers" in plan.parts and size == plan.sizes[-1]:
            tell(f"{name}: answers")
            answered = answer_times(data, queries)
            result["answers"] = answered.row()
            goals += [(f"{answered.passages:,} passages", goal) for goal in answered.goals()]
    return goals


def size_of(written: str) -> int | None:
    """``10k`` and ``1M`` as numbers, ``all`` as ``None``.

    Raises:
        SettingError: It is no such number.
    """
    if written.strip() == "all":
        return None
    factor = {"k": 1_000, "m": 1_000_000}.get(written.strip()[-1:].lower(), 1)
    number = written.strip().rstrip("kKmM") if factor > 1 else written.strip()
    if not number.isdecimal() or not int(number):
        raise SettingError(
            f"{written!r} is no number of passages; write 10k, 100k, 1M or all.",
            f"{written!r} 不是段落数；请写 10k、100k、1M 或 all。",
        )
    return int(number) * factor
