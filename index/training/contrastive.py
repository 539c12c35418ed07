"""Contrastive training of the table: every other text of the batch is a wrong answer (van den Oord et al. 2018).

A loop of its own rather than a trainer, for speed on two cores: texts are token ids from the start, a step touches
only the rows that occur in its batch, and Adam is applied to those rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, embedding_bag, normalize
from tqdm import tqdm

from index.training.pairs import PairSet
from index.training.ragged import Ids, Indices, Ragged

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Schedule:
    """How the table is trained.

    Attributes:
        epochs: Passes over the pairs.
        batch: Pairs in a step.
        rate: Adam's learning rate at its highest.
        temperature: What the cosines are divided by.
        most_dropped: The largest share of the words it has in common with its passage that a query loses, which
            teaches the table to find without them.
        passage_tokens: The longest stretch of a passage that is used.
        split: The share of words that are cut into shorter ones, so that both ways of cutting mean the same.
    """

    epochs: int = 3
    batch: int = 2048
    rate: float = 0.005
    temperature: float = 0.05
    most_dropped: float = 0.25
    passage_tokens: int = 128
    split: float = 0.1


@dataclass
class _State:
    """The table and Adam's two moments, with the number of steps taken."""

    table: torch.Tensor
    mean: torch.Tensor
    square: torch.Tensor
    steps: int = 0


def train(
    table: Floats,
    pairs: Sequence[PairSet],
    schedule: Schedule,
    seed: int,
    checkpoint: Path | None = None,
    parts: Ragged | None = None,
    on_epoch: Callable[[int, Floats], None] | None = None,
) -> Floats:
    """The table after training; an interrupted run continues with the epoch after the last one finished.

    Args:
        table: Start vectors, (tokens, dimension).
        checkpoint: File the state is kept in after each epoch; one found there is continued. None for short runs.
        parts: For each token the shorter ones that make it up; needed if the schedule splits.
        on_epoch: Called with the number of epochs done and the table, after each.
    """
    state, done = _resume(checkpoint, table)
    total = schedule.epochs * sum(1 for _ in _batches(pairs, schedule.batch, np.random.default_rng(seed)))
    for epoch in range(done, schedule.epochs):
        rng = np.random.default_rng([seed, epoch])
        torch.manual_seed(seed)
        batches = list(_batches(pairs, schedule.batch, rng))
        losses: dict[str, float] = {}
        bar = tqdm(batches, desc=f"epoch {epoch + 1} of {schedule.epochs}", unit="step")
        for pair_set, rows in bar:
            queries, passages = augmented(pair_set, rows, schedule.passage_tokens, schedule.most_dropped, rng)
            if parts is not None and schedule.split > 0:
                queries = queries.replace(parts, rng.random(len(queries.ids)) < schedule.split)
                passages = passages.replace(parts, rng.random(len(passages.ids)) < schedule.split)
            rate = schedule.rate * _slope(state.steps / total)
            loss = _step(state, queries, passages, pair_set.groups[rows], schedule.temperature, rate)
            losses[pair_set.kind] = 0.9 * losses.get(pair_set.kind, loss) + 0.1 * loss
            bar.set_postfix(loss=f"{np.mean(list(losses.values())):.3f}", refresh=False)
        if checkpoint is not None:
            _save(checkpoint, state, epoch + 1)
        if on_epoch is not None:
            on_epoch(epoch + 1, state.table.numpy())
    return np.asarray(state.table.numpy(), dtype=np.float32)


def _slope(progress: float) -> float:
    """The share of the full learning rate: up during the first twentieth, then down to a tenth."""
    return min(progress / 0.05 + 0.05, 1.0) * max(0.1, 1.0 - progress)


def _batches(pairs: Sequence[PairSet], size: int, rng: np.random.Generator) -> Iterator[tuple[PairSet, Indices]]:
    """The batches of one epoch, each from one kind, the kinds in random order."""
    batches: list[tuple[PairSet, Indices]] = []
    for pair_set in pairs:
        wanted = round(pair_set.times * len(pair_set))
        rounds = -(-wanted // max(1, len(pair_set)))
        order = np.concatenate([rng.permutation(len(pair_set)) for _ in range(rounds)] or [np.zeros(0, np.int64)])
        count = max(1, wanted // size) if wanted > 1 else 0
        batches += [(pair_set, part) for part in np.array_split(order[:wanted], count)] if count else []
    for index in rng.permutation(len(batches)):
        yield batches[index]


def augmented(
    pair_set: PairSet, rows: Indices, stretch: int, most_dropped: float, rng: np.random.Generator
) -> tuple[Ragged, Ragged]:
    """The queries, some of the words they share with the passage left out, and a stretch of each passage.

    Args:
        stretch: Tokens of a text that are kept, at most.
        most_dropped: The largest share of the shared words that a query loses.
    """
    passages = pair_set.passages.crop(rows, stretch, rng)
    queries = pair_set.queries.crop(rows, stretch, rng)
    return _without_shared(queries, passages, most_dropped, rng), passages


def in_batch_loss(similar: torch.Tensor, groups: Indices) -> torch.Tensor:
    """Cross-entropy of each query over the passages of the batch, and of each passage over the queries.

    Args:
        similar: Cosines over the temperature, shape ``(queries, passages)``; right answers on the diagonal.
        groups: Texts of one group are no wrong answers to each other.
    """
    same = torch.from_numpy(groups[:, None] == groups[None, :]).fill_diagonal_(False).to(similar.device)
    similar = similar.masked_fill(same, -1e4)
    answers = torch.arange(len(groups), device=similar.device)
    return (cross_entropy(similar, answers) + cross_entropy(similar.T, answers)) / 2


def _without_shared(queries: Ragged, passages: Ragged, most: float, rng: np.random.Generator) -> Ragged:
    """The queries less a random share, up to ``most``, of the words that their passages have too."""
    width = int(max(queries.ids.max(initial=0), passages.ids.max(initial=0))) + 1
    shared = np.isin(queries.owners * width + queries.ids, passages.owners * width + passages.ids)
    chance = rng.random(len(queries)) * most
    keep = ~shared | (rng.random(len(queries.ids)) >= chance[queries.owners])
    # A query never loses its last word.
    left = np.bincount(queries.owners[keep], minlength=len(queries))
    return queries.keep(keep | (left == 0)[queries.owners])


def _step(state: _State, queries: Ragged, passages: Ragged, groups: Indices, temperature: float, rate: float) -> float:
    """One step on one batch; returns its loss."""
    ids = np.concatenate([queries.ids, passages.ids])
    starts = np.concatenate([queries.starts[:-1], passages.starts[:-1] + len(queries.ids)])
    sums = embedding_bag(torch.from_numpy(ids).long(), state.table, torch.from_numpy(starts), mode="sum")
    sums.requires_grad_()
    unit = normalize(sums, dim=1)
    similar = unit[: len(queries)] @ unit[len(queries) :].T / temperature
    loss = in_batch_loss(similar, groups)
    (gradient,) = torch.autograd.grad(loss, sums)
    owners = np.concatenate([queries.owners, passages.owners + len(queries)])
    _adam(state, *_by_row(ids, owners, gradient), rate)
    return float(loss.detach())


def _by_row(ids: Ids, owners: Indices, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The table rows of a batch and the gradient of each: the sum over the texts in which it occurs.

    A gather over the inverted lists (row to texts) is several times faster than the scatter autograd would do.
    """
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    rows = torch.from_numpy(ordered[starts].astype(np.int64))
    texts = torch.from_numpy(owners[order])
    return rows, embedding_bag(texts, gradient, torch.from_numpy(starts), mode="sum")


def _adam(state: _State, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
    """Adam (Kingma and Ba 2015) on the rows of a batch; the moments of other rows stand still."""
    state.steps += 1
    mean = state.mean[rows].mul_(0.9).add_(gradient, alpha=0.1)
    square = state.square[rows].mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    state.mean[rows] = mean
    state.square[rows] = square
    step = mean.div(1 - 0.9**state.steps).div_(square.div(1 - 0.999**state.steps).sqrt_().add_(1e-8))
    state.table[rows] -= rate * step


def _resume(checkpoint: Path | None, table: Floats) -> tuple[_State, int]:
    if checkpoint is not None and checkpoint.is_file():
        with np.load(checkpoint) as saved:
            vectors, mean, square = (torch.from_numpy(saved[name]) for name in ("table", "mean", "square"))
            return _State(vectors, mean, square, int(saved["steps"])), int(saved["epochs"])
    start = torch.from_numpy(np.array(table, dtype=np.float32))
    return _State(start, torch.zeros_like(start), torch.zeros_like(start)), 0


def _save(checkpoint: Path, state: _State, epochs: int) -> None:
    part = checkpoint.with_name(checkpoint.name + ".part.npz")
    np.savez(
        part,
        table=state.table.numpy(),
        mean=state.mean.numpy(),
        square=state.square.numpy(),
        steps=state.steps,
        epochs=epochs,
    )
    part.replace(checkpoint)
