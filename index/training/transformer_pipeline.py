"""The training of a transformer from end to end, on the sources, vocabulary and pairs of the compact model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from index.training import folding, pairs, pretraining, sources, transformer
from index.training.pipeline import running_text, vocabulary_of
from index.training.ragged import Ragged
from index.training.stages import Workshop, fingerprint, key_of
from index.training.tokenizer import encode_all


@dataclass(frozen=True)
class TransformerSettings:
    """Everything the model depends on besides the data and the machine.

    Attributes:
        seed: The same seed, data, device and number of threads give the same model.
        shape: Of the network.
        plan: Of the training.
    """

    seed: int = 1
    shape: transformer.Shape = field(default_factory=transformer.Shape)
    plan: pretraining.Plan = field(default_factory=pretraining.Plan)

    def changed(self, given: Mapping[str, Any]) -> TransformerSettings:
        """These settings with the given ones instead, those of shape and plan by their own names."""

        def own(part: object) -> dict[str, Any]:
            names = {item.name for item in fields(part)}  # type: ignore[arg-type]
            return {name: value for name, value in given.items() if name in names}

        shape, plan = replace(self.shape, **own(self.shape)), replace(self.plan, **own(self.plan))
        return TransformerSettings(given.get("seed", self.seed), shape, plan)


def train_transformer(data: Path, out: Path, work: Path, settings: TransformerSettings) -> dict[str, list[float]]:
    """Train a transformer from the files under ``data`` and put it at ``out``, in place of one that is there.

    Args:
        work: Folder for the stages' outputs and checkpoints; a second run with the same settings goes on from there.

    Returns:
        The losses of the steps taken now, under ``masked`` and ``pairs``.

    Raises:
        SourceError: if the data or a package that only training needs is missing.
    """
    sources.require_data(data)
    workshop = Workshop(work)
    charsmap = folding.service_charsmap()
    shape = settings.shape
    files = [data / source.file for source in sources.SOURCES]
    key = key_of(fingerprint(files), charsmap.hex(), shape.tokens, shape.latin)
    vocabulary = workshop.vocabulary(key, lambda: vocabulary_of(data, charsmap, shape.tokens, shape.latin))
    tokenizer = vocabulary.tokenizer(charsmap)
    lines = (text for _, texts in running_text(data) for text in texts)
    texts = workshop.texts(key, lambda: Ragged.of(encode_all(tokenizer, lines)))
    gathered = workshop.pairs(key_of(key, settings.seed), lambda: pairs.gather(data, tokenizer, settings.seed))

    torch.manual_seed(settings.seed)
    network = transformer.Network(shape, "cuda" if torch.cuda.is_available() else "cpu")
    plan, trained = settings.plan, key_of(key, asdict(settings))
    losses = {
        "masked": pretraining.pretrain(network, texts, plan, settings.seed, work / f"masked-{trained}.pt"),
        "pairs": pretraining.learn_pairs(network, gathered, plan, settings.seed, work / f"paired-{trained}.pt"),
    }
    transformer.save(network.to("cpu"), shape, tokenizer, out)
    return losses
