"""A last look at the best candidates by a reranker, within a time budget; without it the ranking stands as it was.

Of the best ``depth`` candidates, those the reranker finds to answer come first, by its score; then those it had no
time for, in the order they had; then those it rejects (below the cut-off); then everything beyond. Scores never rise
down the list, so what is not looked at is never surer than what is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread
from time import monotonic, perf_counter

import numpy as np
import numpy.typing as npt

from index.backends import BACKENDS, chosen_backend
from index.candidates import Ranked
from index.engine.schema import Row
from index.errors import ModelError, SettingError
from index.fusion import CUT_OFF
from index.reranker import Reranker, RerankerCard, Scores, reranker_card
from index.telling import Reasons

DEPTH = 50
BUDGET_MS = 1_000
_PAUSE = 60.0  # seconds until a model that could not be loaded is tried again


@dataclass(frozen=True, slots=True)
class RerankSettings:
    """What the user set.

    Attributes:
        card: The model.
        depth: How many candidates it looks at, at most.
        budget: Seconds it may take for a query.
        backend: What computes the model, one of ``BACKENDS``.
    """

    card: RerankerCard
    depth: int = DEPTH
    budget: float = BUDGET_MS / 1000
    backend: str = BACKENDS[0]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], name: str | None = None) -> RerankSettings | None:
        """From ``XUNZHANG_RERANKER`` and what goes with it; ``None`` without a model.

        Args:
            name: The model, if the command line names one.

        Raises:
            SettingError: There is no such model or backend, or a value is no whole number in its range.
        """
        name = environ.get("XUNZHANG_RERANKER", "") if name is None else name
        depth = _whole(environ, "XUNZHANG_RERANK_DEPTH", DEPTH, 1, 500)
        budget = _whole(environ, "XUNZHANG_RERANK_MS", BUDGET_MS, 1, 600_000)
        if not name:
            return None
        return cls(reranker_card(name), depth, budget / 1000, chosen_backend(environ) or BACKENDS[0])


def _whole(environ: Mapping[str, str], variable: str, default: int, least: int, most: int) -> int:
    text = environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
        raise SettingError(
            f"The setting {variable} is {text!r}, but it must be a whole number from {least} to {most}.",
            f"设置项 {variable} 的值是 {text!r}，但应为 {least} 到 {most} 之间的整数。",
        )
    return int(text)


class Reranking:
    """The reranker of a running service. A query never waits for it to be loaded: that is done in a thread.

    Args:
        data: The data directory, where graphs of models are kept, see ``backends.py``.

    Attributes:
        state: ``waiting`` (nobody asked yet), ``loading``, ``ready`` or ``failed``, then it is tried again later.
    """

    def __init__(self, settings: RerankSettings, data: Path | None = None) -> None:
        self.settings = settings
        self._data = data
        self.state = "waiting"
        self._lock = Lock()
        self._model: Reranker | None = None
        self._error = ModelError("The reranker was not loaded yet.", "重排模型尚未加载。")
        self._retry = 0.0
        self._thread: Thread | None = None
        self._reasons = Reasons("Searches go without the reranker")

    def load(self) -> None:
        """Load the model now, in the caller's time.

        Raises:
            ModelError: It cannot be loaded.
        """
        with self._lock:
            thread = self._start(at_once=True)
        if thread is not None:
            thread.join()
        if self._model is None:
            raise self._error

    def order(self, query: str, ranked: Ranked, rows: Mapping[int, Row]) -> Reranked:
        """The candidates in their new order.

        Args:
            ranked: At most one of each family of repeats.
            rows: The passages of the best ``depth`` candidates by number; those that are gone are passed over.
        """
        until = perf_counter() + self.settings.budget
        model = self.ready()
        if model is None:
            return Reranked(ranked, missing=["rerank"])
        first = ranked.numbers[: self.settings.depth].tolist()
        places = [place for place, number in enumerate(first) if number in rows]
        passages = [rows[first[place]].passage for place in places]
        texts = [f"{passage.title}\n{passage.text}" if passage.title else passage.text for passage in passages]
        try:
            scores = model.scores(query, texts, until)
        except ModelError as error:
            self._reasons.tell(error)
            return Reranked(ranked, missing=["rerank"])
        judged = {first[place]: float(score) for place, score in zip(places, scores.tolist(), strict=False)}
        missing = ["rerank-partial" if judged else "rerank"] if len(judged) < len(texts) else []
        looked_at = np.array(places[: len(scores)], np.int64)
        return Reranked(_ordered(ranked, looked_at, scores, len(first)), judged, missing)

    def ready(self) -> Reranker | None:
        """The model if it is in memory; otherwise it begins to be loaded."""
        if self._model is None and self._lock.acquire(blocking=False):
            try:
                self._start(at_once=False)
            finally:
                self._lock.release()
        return self._model

    def _start(self, *, at_once: bool) -> Thread | None:
        """The thread that loads the model, started if it is time to. Call with the lock held."""
        running = self._thread is not None and self._thread.is_alive()
        if self._model is None and not running and (at_once or monotonic() >= self._retry):
            self.state = "loading"
            self._thread = Thread(target=self._load, name="reranker", daemon=True)
            self._thread.start()
        return self._thread

    def _load(self) -> None:
        try:
            self._model = Reranker(self.settings.card, self.settings.backend, self._data)
        except Exception as error:  # anything: the thread must leave a state from which it is tried again
            said = f"{type(error).__name__}: {error}"
            known = ModelError(f"The reranker failed: {said}", f"重排模型出错：{said}")
            self._error = error if isinstance(error, ModelError) else known
            self._retry, self.state = monotonic() + _PAUSE, "failed"
            self._reasons.tell(self._error)
            return
        self._reasons.forget()
        self.state = "ready"


@dataclass(frozen=True, slots=True)
class Reranked:
    """What reranking made of the candidates.

    Attributes:
        scores: What the reranker said, by passage number.
        missing: ``rerank`` where it took no part, ``rerank-partial`` where time was too short for all, else nothing.
    """

    ranked: Ranked
    scores: dict[int, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def _ordered(ranked: Ranked, places: npt.NDArray[np.int64], scores: Scores, depth: int) -> Ranked:
    """The candidates by the rule of this file.

    Args:
        places: Of the candidates that were scored.
        depth: How many candidates were to be looked at.
    """
    count = len(ranked.numbers)
    if not len(places):
        return ranked
    said = ranked.scores.copy()
    said[places] = scores
    group = np.where(np.arange(count) < depth, 1, 3)
    group[places] = np.where(scores >= CUT_OFF, 0, 2)
    within = np.arange(count, dtype=np.float64)  # as before, except where the reranker spoke
    within[places] = -scores
    order = np.lexsort((np.arange(count), within, group))
    moved = ranked.take(order)
    return replace(moved, scores=np.minimum.accumulate(said[order]))
