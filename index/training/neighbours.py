"""The nearest words of each word of a table, found once when the table is made.

They carry a query into word search: whoever asks in other words, or in another language, asks for these too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from index.wordtable import NEIGHBOURS

Floats = NDArray[np.float32]

CHINESE, LATIN = 4, 2  # neighbours kept of each script; the shipped file stays under two megabytes
_CHINESE_WORD = re.compile(r"[\u4e00-\u9fff]{2,4}")
_LATIN_WORD = re.compile(r"[a-z]{3,}")
_BLOCK = 1_024


def nearest_words(table: Floats, tokens: Sequence[str], wanted: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    """For each token its nearest words, (tokens, CHINESE + LATIN), best first in each script; -1 where there is none.

    Only whole words count, as askers and as answers: what is one character or a piece of a word has no meaning of
    its own.

    Args:
        table: Word vectors, (tokens, dimension).
        tokens: The words, as the tokenizer writes them.
        wanted: Which tokens may be neighbours, all unless given: those of one archive, say.
    """
    allowed = np.ones(len(tokens), np.bool_) if wanted is None else wanted
    chinese = np.array([_CHINESE_WORD.fullmatch(token) is not None for token in tokens])
    latin = np.array([_LATIN_WORD.fullmatch(token) is not None for token in tokens])
    unit = normalize(torch.from_numpy(np.asarray(table, np.float32)), dim=1)
    found = np.full((len(tokens), CHINESE + LATIN), -1, np.int32)
    asking = np.flatnonzero(chinese | latin)
    for column, count, answering in ((0, CHINESE, chinese & allowed), (CHINESE, LATIN, latin & allowed)):
        answers = np.flatnonzero(answering)
        if len(answers) <= count:
            continue
        for start in range(0, len(asking), _BLOCK):
            rows = asking[start : start + _BLOCK]
            cosines = unit[rows] @ unit[answers].T
            cosines[torch.from_numpy(rows[:, None] == answers[None, :])] = -1  # a word is no neighbour of its own
            found[rows, column : column + count] = answers[cosines.topk(count, dim=1).indices.numpy()]
    return found


def write_neighbours(folder: Path, found: NDArray[np.int32]) -> None:
    """Keep them beside the table."""
    np.save(folder / NEIGHBOURS, found, allow_pickle=False)
