"""A sign of life from readers that take long: whoever watches them (see ``worker``) is told that they get on."""

from __future__ import annotations

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def listen(listener: Callable[[], None]) -> None:
    """Call the listener at every beat from now on."""
    _listeners.append(listener)


def beat() -> None:
    """Say that a page or some rows were done."""
    for listener in _listeners:
        listener()
