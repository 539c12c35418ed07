"""Comparing what is published with what is stored, and every byte with its checksum."""

from __future__ import annotations

import numpy as np

from index.engine.local import LocalEngine


def problems_of(engine: LocalEngine) -> list[str]:
    """What is wrong with an archive, in English sentences; reads every byte."""
    store = engine.store
    problems = [f"SQLite: {problem}" for problem in store.problems()]
    if problems:
        return problems
    problems += engine.damage()
    if problems:  # comparing would read what is damaged
        return problems
    published = engine.published_numbers()
    stored = store.numbers()
    missing = len(np.setdiff1d(stored, published))
    gone = len(np.setdiff1d(published, stored))
    pending = store.vectors.pending()
    if missing:
        problems.append(f"{missing} stored passages are not in the published index")
    if gone:
        problems.append(f"{gone} passages of the published index are no longer stored")
    if uncompared := store.families.pending():
        problems.append(f"{uncompared} passages wait to be compared with the others")
    if pending:
        command = f"python -m scripts.manage encode --data {engine.data}"
        problems.append(f"{pending} passages wait for their vectors; to make them run: {command}")
    return problems
