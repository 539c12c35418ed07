"""Rerankers: cross-encoders that read query and passage together; the table of those a user can choose, and one loaded.

Loads through sentence-transformers' ``CrossEncoder``: classifiers with one output (BERT and the like) and causal
models that answer yes or no (Qwen3). Imports it, which takes seconds, only when a model is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from index.backends import BACKENDS, RERANKER, by_graph, drop_graphs, place_of
from index.errors import ModelError, SettingError
from index.loading import cached_commit, fingerprint, load, quietly

Scores = npt.NDArray[np.float32]

_CONTEXT = 1_024  # tokens of a pair: a long passage with its title and a long query; more only costs time
_LOT = 16  # pairs between two looks at the clock, at most
_ON_CPU = 8  # of these, pairs that are read at once; on a GPU all, see embedding.py
_FIRST = 2  # pairs by which the pace of a model is learnt


@dataclass(frozen=True, slots=True)
class RerankerCard:
    """A reranker as the service uses it.

    Attributes:
        name: What the user chooses: a hub id or a folder.
        location: What sentence-transformers is asked to load.
        licence: Of the weights.
        revision: Commit on the hub, ``None`` for the newest and for folders.
    """

    name: str
    location: str
    licence: str
    revision: str | None = None


# Licences are from the models' cards on the hub.
_CARDS = (
    RerankerCard("BAAI/bge-reranker-v2-m3", "BAAI/bge-reranker-v2-m3", "Apache-2.0"),
    RerankerCard("BAAI/bge-reranker-base", "BAAI/bge-reranker-base", "MIT"),
    RerankerCard("Qwen/Qwen3-Reranker-0.6B", "Qwen/Qwen3-Reranker-0.6B", "Apache-2.0"),
)
RERANKERS: dict[str, RerankerCard] = {card.name: card for card in _CARDS}


def reranker_card(name: str) -> RerankerCard:
    """The card of a reranker by its hub id, ``ID@COMMIT``, or folder.

    Raises:
        SettingError: The name is neither in the table nor a folder with a model in it.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file() or (folder / "modules.json").is_file():
        return RerankerCard(name, str(folder.resolve()), "unknown")
    known, at, revision = name.partition("@")
    if known in RERANKERS and bool(at) == bool(revision):
        card = RERANKERS[known]
        return RerankerCard(name, card.location, card.licence, revision or card.revision)
    choices = ", ".join(RERANKERS)
    raise SettingError(
        f"There is no reranker {name!r}; choose one of {choices}, or a folder with a cross-encoder.",
        f"没有名为 {name!r} 的重排模型；可选：{choices}，或一个 cross-encoder 模型的文件夹。",
    )


class Reranker:
    """A cross-encoder in memory. Safe to share between threads: it reads one batch at a time.

    Args:
        backend: What computes it, one of ``BACKENDS``.
        data: The data directory, where graphs are kept.

    Raises:
        ModelError: It cannot be loaded, or does not give a pair of texts one score.
    """

    def __init__(self, card: RerankerCard, backend: str = BACKENDS[0], data: Path | None = None) -> None:
        self.card = card
        self._lock = Lock()  # a tokenizer raises "Already borrowed" when two threads use it
        self._model = load_by_torch(card) if backend == BACKENDS[0] or data is None else _graph(card, backend, data)
        self._model.max_seq_length = min(int(self._model.max_seq_length or _CONTEXT), _CONTEXT)
        self._batch = _ON_CPU if self._model.device.type == "cpu" else _LOT
        self._pace: float | None = None  # seconds a pair takes
        self._scored([("试", "试")])  # what cannot read a pair is told at once

    def scores(self, query: str, passages: Sequence[str], until: float) -> Scores:
        """How surely passages answer, 0..1, for as many from the first on as there is time for.

        Passages longer than the model can read are cut by its tokenizer.

        Args:
            until: When to stop, as ``perf_counter`` counts. A batch is not begun that would take longer, as far as
                the pace of the last ones tells.

        Raises:
            ModelError: The model failed.
        """
        done: list[Scores] = []
        count = 0
        while count < len(passages):
            # Others may be reading: their batches and ours take turns, and waiting costs of the time.
            if not self._lock.acquire(timeout=max(0.0, until - perf_counter())):
                break
            try:
                started = perf_counter()
                size = self._affordable(until - started)
                batch = passages[count : count + size]
                if not batch:
                    break
                done.append(self._scored([(query, passage) for passage in batch]))
                count += len(batch)
                self._learn((perf_counter() - started) / len(batch))
            finally:
                self._lock.release()
        return np.concatenate([np.empty(0, np.float32), *done])

    def _affordable(self, seconds: float) -> int:
        """How many pairs to read at once in this time."""
        if seconds <= 0:
            return 0
        if self._pace is None:
            return _FIRST
        size = min(_LOT, int(seconds / self._pace))
        if size == 0:
            self._pace *= 0.9  # the machine may only have been busy: try again some time
        return size

    def _learn(self, pace: float) -> None:
        self._pace = pace if self._pace is None else 0.5 * (self._pace + pace)

    def _scored(self, pairs: Sequence[tuple[str, str]]) -> Scores:
        from torch.nn import Identity  # noqa: PLC0415 - takes seconds

        try:
            # Some models bring a sigmoid, some none: the bare logits, so that it is applied just once.
            logits = self._model.predict(
                list(pairs), batch_size=self._batch, activation_fn=Identity(), show_progress_bar=False
            )
        except Exception as error:  # out of memory, a template that takes no pairs: anything
            raise _failed(self.card.name, str(error).strip().partition("\n")[0] or type(error).__name__) from error
        logits = np.asarray(logits, np.float64)
        if logits.shape != (len(pairs),):
            labels = logits.shape[-1] if logits.ndim > 1 else 0
            raise _failed(self.card.name, f"it gives {labels} numbers for a pair of texts, not one score")
        if not np.isfinite(logits).all():
            raise _failed(self.card.name, "its scores are no numbers")
        scores: Scores = (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)
        return scores


def _failed(name: str, reason: str) -> ModelError:
    return ModelError(
        f"The reranker {name} failed: {reason.rstrip('.')}. Choose another with --reranker, or none.",
        f"重排模型 {name} 出错：{reason.rstrip('.')}。请用 --reranker 另选一个，或不用重排。",
    )


def _graph(card: RerankerCard, backend: str, data: Path) -> Any:
    """A reranker as a graph. What the hub's commit is can only be said once the model is here."""
    folder = Path(card.location)
    if not folder.is_dir() and (folder.is_absolute() or cached_commit(card.location, card.revision) is None):
        load_by_torch(card, "cpu")  # or says why not
    key = fingerprint(card.location, card.revision)
    model = by_graph(card.name, backend, place_of(data, RERANKER, backend, key), partial(load_by_torch, card))
    drop_graphs(data, RERANKER, key)
    return model


def load_by_torch(card: RerankerCard, device: str | None = None) -> Any:
    """A ``CrossEncoder``, on that device or on the best there is."""
    return load(card.name, card.location, card.revision, partial(_opened, device), option="--reranker")


def _opened(device: str | None, location: str, revision: str | None, local: bool) -> Any:
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 - takes seconds

    quietly()
    return CrossEncoder(
        location, device=device, revision=revision, local_files_only=local, model_kwargs={"dtype": "float32"}
    )
