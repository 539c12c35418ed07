"""Training a transformer: masked words first (Devlin et al. 2019), then the pairs the compact model learns from.

Every step draws its batch from the seed and its own number alone, so that a training taken up from a checkpoint goes on
as if it had not been interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import trange

from index.training.contrastive import augmented, in_batch_loss
from index.training.pairs import PairSet
from index.training.ragged import Indices, Ragged
from index.training.transformer import Network

_EVERY = 500  # steps between two checkpoints
_WARMING = 0.05  # share of the steps in which the rate rises


@dataclass(frozen=True)
class Plan:
    """How the transformer is trained.

    Attributes:
        masked_steps, pair_steps: Steps of the two stages.
        masked_batch, pair_batch: Texts, and pairs, in a step.
        masked_rate, pair_rate: AdamW's learning rate at its highest.
        masked: Share of the words that are hidden and guessed. More than BERT's 0.15 serves small models
            (Wettig et al. 2023).
        stretch: Tokens of a text that are read, at most.
        temperature: What the cosines are divided by.
        most_dropped: See ``contrastive.Schedule``.
    """

    masked_steps: int = 30_000
    pair_steps: int = 8_000
    masked_batch: int = 256
    pair_batch: int = 512
    masked_rate: float = 6e-4
    pair_rate: float = 2e-4
    masked: float = 0.3
    stretch: int = 128
    temperature: float = 0.05
    most_dropped: float = 0.25


Step = Callable[[np.random.Generator], torch.Tensor]


def pretrain(network: Network, texts: Ragged, plan: Plan, seed: int, checkpoint: Path) -> list[float]:
    """Teach the network to guess hidden words; returns the losses of the steps taken now."""
    usable = np.flatnonzero(texts.lengths > 1)

    def step(rng: np.random.Generator) -> torch.Tensor:
        batch = texts.crop(_of_like_length(texts, usable, plan, rng), plan.stretch, rng)
        hidden = rng.random(len(batch.ids)) < plan.masked
        hidden[0] = True  # never none
        wanted = torch.from_numpy(batch.ids[hidden].astype(np.int64)).to(network.device)
        return cross_entropy(network.guesses(batch, hidden), wanted)

    return _train(network, step, plan.masked_steps, plan.masked_rate, [seed, 1], checkpoint, "masked words")


def _of_like_length(texts: Ragged, usable: Indices, plan: Plan, rng: np.random.Generator) -> Indices:
    """Texts for a batch, from a random pool of eight times as many: padding short ones to long ones is most of the
    work otherwise."""
    pool = rng.choice(usable, 8 * plan.masked_batch)
    ordered = pool[np.argsort(np.minimum(texts.lengths[pool], plan.stretch), kind="stable")]
    first = rng.integers(8) * plan.masked_batch
    return ordered[first : first + plan.masked_batch]


def learn_pairs(network: Network, pairs: Sequence[PairSet], plan: Plan, seed: int, checkpoint: Path) -> list[float]:
    """Bring the two sides of a pair together; returns the losses of the steps taken now."""
    pairs = [pair_set for pair_set in pairs if len(pair_set) > 1]
    shares = np.array([pair_set.times * len(pair_set) for pair_set in pairs])

    def step(rng: np.random.Generator) -> torch.Tensor:
        pair_set = pairs[rng.choice(len(pairs), p=shares / shares.sum())]
        rows = rng.choice(len(pair_set), min(plan.pair_batch, len(pair_set)), replace=False)
        queries, passages = augmented(pair_set, rows, plan.stretch, plan.most_dropped, rng)
        similar = network.vectors(queries) @ network.vectors(passages).T / plan.temperature
        return in_batch_loss(similar, pair_set.groups[rows])

    # A large batch would need tens of gigabytes: layers are computed again on the way back (Chen et al. 2016).
    network.bert.activation_checkpointing_enable()
    return _train(network, step, plan.pair_steps, plan.pair_rate, [seed, 2], checkpoint, "pairs")


def _train(
    network: Network, step: Step, steps: int, rate: float, seed: list[int], checkpoint: Path, name: str
) -> list[float]:
    """Take the steps that a checkpoint does not have yet."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda done: min((done + 1) / (_WARMING * steps + 1), 1.0) * max(0.02, 1 - done / steps)
    )
    first = _resume(checkpoint, network, optimiser, schedule)
    losses = []
    network.train()
    bar = trange(first, steps, desc=name, unit="step", initial=first, total=steps)
    for number in bar:
        loss = step(np.random.default_rng([*seed, number]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        bar.set_postfix(loss=f"{np.mean(losses[-100:]):.3f}", refresh=False)
        if (number + 1) % _EVERY == 0 or number + 1 == steps:
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "steps": number + 1}
            part = checkpoint.with_name(f".part-{checkpoint.name}")
            torch.save(state | {"schedule": schedule.state_dict()}, part)
            part.replace(checkpoint)
    network.eval()
    return losses


def _resume(
    checkpoint: Path,
    network: Network,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> int:
    """How many steps a checkpoint has; the network and what trains it are then as they were."""
    if not checkpoint.is_file():
        return 0
    state = torch.load(checkpoint, map_location=network.device, weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return int(state["steps"])
