"""The late-interaction loss: the table is trained for what the search does with it, word by word.

MaxSim (Khattab and Zaharia 2020, "ColBERT", section 3.3) between the queries and passages of a batch, each query
word weighted by its rarity, and the other passages of the batch as wrong answers. Where the nearest words lie is
found without gradients; only those cosines are differentiated.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, normalize

from index.training.ragged import Ids, Indices, Ragged

TEMPERATURE = 0.05


def late_loss(
    table: torch.Tensor, queries: Ragged, passages: Ragged, groups: Indices, rarity: NDArray[np.float32]
) -> tuple[float, Ids, torch.Tensor]:
    """The loss of one batch.

    Args:
        table: All word vectors, (tokens, dimension).
        groups: Pairs of the same group are no wrong answers to one another.
        rarity: Inverse document frequency of each token.

    Returns:
        The loss, the rows of the table that occur, ascending, and the gradient of each.
    """
    rows, places = np.unique(np.concatenate([queries.ids, passages.ids]), return_inverse=True)
    words = table[torch.from_numpy(rows).long()].requires_grad_()
    unit = normalize(words, dim=1)
    asked = unit[torch.from_numpy(places[: len(queries.ids)])]
    cosines = asked @ unit.T
    nearest = _nearest(cosines.detach(), places[len(queries.ids) :], passages)
    found = cosines.gather(1, nearest)  # (query words, passages)
    owners = torch.from_numpy(queries.owners)
    weights = torch.from_numpy(rarity[queries.ids])
    totals = torch.zeros(len(queries)).index_add_(0, owners, weights).clamp_(min=1e-6)
    weighted = found * (weights / totals[owners])[:, None]
    similar = torch.zeros(len(queries), len(passages)).index_add(0, owners, weighted) / TEMPERATURE
    same = torch.from_numpy(groups[:, None] == groups[None, :]).fill_diagonal_(False)
    similar = similar.masked_fill(same, -1e4)
    answers = torch.arange(len(groups))
    loss = cross_entropy(similar, answers)
    (gradient,) = torch.autograd.grad(loss, words)
    return float(loss.detach()), rows, gradient


def _nearest(cosines: torch.Tensor, columns: Indices, passages: Ragged) -> torch.Tensor:
    """For each query word and passage the column of the nearest of its words, (query words, passages)."""
    longest = int(passages.lengths.max())
    padded = np.full((len(passages), longest), -1, np.int64)
    inside = np.arange(longest)[None, :] < passages.lengths[:, None]
    padded[inside] = columns
    padded[:, :] = np.where(inside, padded, padded[:, :1])  # the first word again: it changes no maximum
    spread = torch.from_numpy(padded)
    best = torch.empty(len(cosines), len(passages), dtype=torch.long)
    for start in range(0, len(cosines), 256):  # a few words at a time stay in the processor's cache
        part = cosines[start : start + 256]
        place = part[:, spread].argmax(dim=2)
        best[start : start + 256] = spread[torch.arange(len(passages))[None, :], place]
    return best
