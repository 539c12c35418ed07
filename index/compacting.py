"""Giving back the room of what is no longer needed in a data directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from index.backup import ASIDE, MAKING, RESTORING
from index.corpus import Corpus
from index.staging import discard
from index.telling import Progress, silent
from index.walk import DATABASE
from index.workplace import sweep


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compacting did; sizes in bytes.

    Attributes:
        before, after: Size of the data directory.
        removed: Copies of the database that upgrades had left.
        kept: What a restore had moved aside, which only a person may remove.
    """

    before: int
    after: int
    removed: tuple[Path, ...]
    kept: tuple[Path, ...]


def compact(corpus: Corpus, *, progress: Progress = silent) -> Compacted:
    """Write the database without its gaps and the indexes in one piece; remove what upgrades and killed commands left.

    Searches go on meanwhile. Takes about as much room again as the archive has, for the time it lasts.

    Raises:
        BusyError: Another process is writing.
        DataError: There is no room; nothing is lost.
    """
    before = corpus.status().bytes
    corpus.compact(progress=progress)
    removed = tuple(sorted(corpus.data.glob(f"{DATABASE}.format*")))
    for copy in removed:
        copy.unlink()
    for prefix in (MAKING, RESTORING):
        sweep(corpus.data, prefix)
    discard(corpus.data)
    return Compacted(before, corpus.status().bytes, removed, tuple(sorted(corpus.data.glob(f"{ASIDE}*"))))
