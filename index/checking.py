"""Comparing what is published with what is stored, and both with what should be there."""

from __future__ import annotations

from contextlib import suppress

from index.engine import Engine
from index.errors import StorageError


def problems_of(engine: Engine) -> list[str]:
    """What is wrong with an archive, in English sentences; reads everything.

    Raises:
        BusyError: What is stored is not all published, and another process is writing and goes on with it.
    """
    if damage := engine.damage():
        return damage  # comparing would read what is damaged
    problems = _unfinished(engine)
    if problems:  # which may be what somebody was just about to finish
        with suppress(StorageError), engine.writing():  # where nothing can be written, nobody does
            return _unfinished(engine)
    return problems


def _unfinished(engine: Engine) -> list[str]:
    problems = engine.problems()
    if problems:
        return problems
    if uncompared := engine.store.families.pending():
        problems.append(f"{uncompared} passages wait to be compared with the others")
    if pending := engine.store.vectors.pending():
        command = f"python -m scripts.manage encode {engine.options()}"
        problems.append(f"{pending} passages wait for their vectors; to make them run: {command}")
    return problems
