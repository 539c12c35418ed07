"""What an application is made of, for those who run it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

from service.access import Guard
from service.door import Door
from service.gate import Gate
from service.metrics import Metrics
from service.settings import Settings
from service.worker import Worker

_KEY = "xunzhang"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts every application from ``create_app`` has.

    Attributes:
        settings: How it listens and what it allows.
        guard: Who may read and write.
        searches: How many searches may run and wait.
        writes: How many writes may run and wait.
        metrics: What is counted and measured.
        worker: Who writes what nobody waits for.
        door: Who is let in.
    """

    settings: Settings
    guard: Guard
    searches: Gate
    writes: Gate
    metrics: Metrics
    worker: Worker
    door: Door


def keep_parts(app: Flask, parts: Parts) -> None:
    """Keep the parts with the application."""
    app.extensions[_KEY] = parts


def parts_of(app: Flask) -> Parts:
    """The parts of an application from ``create_app``."""
    parts: Parts = app.extensions[_KEY]
    return parts
