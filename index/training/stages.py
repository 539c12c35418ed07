"""Stages whose outputs are kept, so that an interrupted or repeated training takes up where it can.

An output's file name ends in a key made of everything it depends on: change a setting, and only what follows from
it is made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.training.pairs import PairSet
from index.training.ragged import Ragged
from index.training.vocabulary import Vocabulary

Floats = NDArray[np.float32]


def key_of(*parts: object) -> str:
    """Sixteen hexadecimal digits that change with any of the parts (anything JSON can say)."""
    return blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def fingerprint(files: Sequence[Path]) -> str:
    """A key of the files' contents."""
    digest = blake2b(digest_size=8)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Workshop:
    """The folder that keeps the stages' outputs.

    Attributes:
        folder: Where they lie; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def vocabulary(self, key: str, make: Callable[[], Vocabulary]) -> Vocabulary:
        """The vocabulary kept under ``key``, or a new one."""
        file = self.folder / f"vocabulary-{key}.json"
        if file.is_file():
            fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return Vocabulary(**{name: tuple(values) for name, values in fields.items()})
        made = make()
        self._publish(file, lambda part: part.write_text(json.dumps(asdict(made), ensure_ascii=False), "utf-8"))
        return made

    def table(self, name: str, key: str, make: Callable[[], Floats]) -> Floats:
        """The array kept under ``name`` and ``key``, or a new one."""
        file = self.folder / f"{name}-{key}.npy"
        if not file.is_file():
            made = make()
            self._publish(file, lambda part: np.save(part, made))
        return np.asarray(np.load(file), dtype=np.float32)

    def texts(self, key: str, make: Callable[[], Ragged]) -> Ragged:
        """The texts kept under ``key`` as token ids, or new ones."""
        file = self.folder / f"texts-{key}.npz"
        if not file.is_file():
            made = make()
            self._publish(file, lambda part: np.savez(part, ids=made.ids, starts=made.starts))
        with np.load(file) as saved:
            return Ragged(saved["ids"], saved["starts"])

    def pairs(self, key: str, make: Callable[[], Sequence[PairSet]]) -> list[PairSet]:
        """The pairs kept under ``key``, or new ones."""
        file = self.folder / f"pairs-{key}.npz"
        if not file.is_file():
            arrays: dict[str, Any] = {}
            for place, made in enumerate(make()):
                arrays[f"{place} kind"] = np.array([made.kind, repr(made.times)])
                arrays[f"{place} groups"] = made.groups
                for side, texts in (("queries", made.queries), ("passages", made.passages)):
                    arrays[f"{place} {side} ids"] = texts.ids
                    arrays[f"{place} {side} starts"] = texts.starts
            self._publish(file, lambda part: np.savez(part, **arrays))
        with np.load(file) as saved:
            kept = dict(saved)
        return [_pair_set(kept, place) for place in range(len(kept) // 6)]

    @staticmethod
    def _publish(file: Path, write: Callable[[Path], object]) -> None:
        """Write beside the file, then rename: a name never stands for half an output."""
        part = file.with_name(f".part-{file.name}")
        write(part)
        part.replace(file)


def _pair_set(kept: dict[str, NDArray[Any]], place: int) -> PairSet:
    kind, times = kept[f"{place} kind"]
    sides = [Ragged(kept[f"{place} {side} ids"], kept[f"{place} {side} starts"]) for side in ("queries", "passages")]
    return PairSet(str(kind), sides[0], sides[1], kept[f"{place} groups"], float(times))
