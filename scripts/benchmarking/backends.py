"""What computes a transformer: torch beside ONNX Runtime in full precision and in eight bits, on the same texts.

The same passages and queries by each in turn, in an order drawn anew for each round; how near the vectors are to those
of torch is measured on the passages.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from index.backends import BACKENDS, EMBEDDER, computed_by
from index.embedding import Encoder, graph_key, is_table, open_encoder
from index.errors import ModelError, SettingError
from index.model_cards import ModelCard, chosen_name, model_card
from index.paragraphs import cut
from scripts.benchmarking.material import Material
from scripts.benchmarking.spread import Goal, Spread, timed

_TORCH = BACKENDS[0]
_WARM = 8  # texts that are not counted
_WANTED = 0.99


@dataclass(frozen=True, slots=True)
class BackendTimes:
    """What each backend took.

    Attributes:
        seconds: For all passages, of every round.
        queries: Milliseconds of every query.
        cosines: The mean and the least cosine of passages with their vectors by torch.
        made: Seconds until a model can be used: the first time, and from then on.
    """

    model: str
    passages: int
    seconds: dict[str, list[float]]
    queries: dict[str, list[float]]
    cosines: dict[str, tuple[float, float]]
    made: dict[str, tuple[float, float]]

    def row(self) -> dict[str, object]:
        """The figures as they go into the JSON report."""
        torch = self.seconds[_TORCH]
        rows = {}
        for name, seconds in self.seconds.items():
            mean, least = self.cosines[name]
            rows[name] = {
                "passages_a_second": Spread.of([self.passages / spent for spent in seconds]).row(),
                "times_as_fast": Spread.of([by / spent for by, spent in zip(torch, seconds, strict=True)]).row(),
                "query_ms": Spread.of(self.queries[name]).row(),
                "cosine": {"mean": round(mean, 5), "least": round(least, 5)},
                "first_s": round(self.made[name][0], 1),
                "again_s": round(self.made[name][1], 1),
            }
        return {"model": self.model, "passages": self.passages, "rounds": len(torch), "of": rows}

    def goals(self) -> list[Goal]:
        """How near the vectors have to be."""
        return [
            Goal(f"{name}: least cosine with torch", _WANTED, least, most=False)
            for name, (_, least) in self.cosines.items()
            if name != _TORCH
        ]


def backend_times(material: Material, model: str, passages: int, asked: int, rounds: int) -> BackendTimes:
    """Embed so many passages and queries by each backend, several times.

    Raises:
        SettingError: There is no such model, or it is a table.
        ModelError: It cannot be loaded, or not by every backend.
    """
    card = model_card(chosen_name(model))
    if is_table(card):
        raise SettingError(
            f"{model} is a table, which no backend computes.", f"{model} 是词表，不由任何 backend 计算。"
        )
    texts = list(islice(_passages(material, card), passages))
    queries = material.queries(asked)
    chosen = random.Random(1)  # noqa: S311 - for measuring
    with tempfile.TemporaryDirectory() as folder:
        made, encoders = dict[str, tuple[float, float]](), dict[str, Encoder]()
        for name in BACKENDS:
            first, _ = timed(lambda: open_encoder(card, name, Path(folder)))  # noqa: B023 - called at once
            again, encoders[name] = timed(lambda: open_encoder(card, name, Path(folder)))  # noqa: B023
            made[name] = first / 1000, again / 1000
            told = computed_by(Path(folder), EMBEDDER, name, graph_key(card))
            if name != _TORCH and not told[0].startswith(f"{name}, nearness"):
                raise ModelError(f"{name} cannot compute {model}: {told[0]}.", f"{name} 不能计算 {model}：{told[1]}。")
            encoders[name].documents(texts[:_WARM], [])
        seconds: dict[str, list[float]] = {name: [] for name in BACKENDS}
        spent: dict[str, list[float]] = {name: [] for name in BACKENDS}
        vectors = {}
        for _ in range(rounds):
            for name in chosen.sample(BACKENDS, len(BACKENDS)):
                took, vectors[name] = timed(lambda: encoders[name].documents(texts, []))  # noqa: B023
                seconds[name].append(took / 1000)
        for query in queries:
            for name in chosen.sample(BACKENDS, len(BACKENDS)):
                spent[name].append(timed(lambda: encoders[name].queries([query]))[0])  # noqa: B023
        cosines = {name: _cosines(found, vectors[_TORCH]) for name, found in vectors.items()}
    ordered = {name: cosines[name] for name in BACKENDS}
    return BackendTimes(card.name, len(texts), seconds, spent, ordered, made)


def _passages(material: Material, card: ModelCard) -> Iterator[str]:
    for text in material.texts():
        yield from (passage.text for passage in cut(text, card.lengths).passages)


def _cosines(found: np.ndarray, torch: np.ndarray) -> tuple[float, float]:
    cosines = (found * torch).sum(axis=1)
    return float(cosines.mean()), float(cosines.min())
