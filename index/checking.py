"""Comparing what is published with what is stored, and both with what should be there."""

from __future__ import annotations

from index.engine import Engine


def problems_of(engine: Engine) -> list[str]:
    """What is wrong with an archive, in English sentences; reads everything."""
    problems = engine.problems()
    if problems:
        return problems
    if uncompared := engine.store.families.pending():
        problems.append(f"{uncompared} passages wait to be compared with the others")
    if pending := engine.store.vectors.pending():
        command = f"python -m scripts.manage encode {engine.options()}"
        problems.append(f"{pending} passages wait for their vectors; to make them run: {command}")
    return problems
