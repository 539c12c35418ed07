"""Text -> vectors, through sentence-transformers.

Imports it, which takes several seconds, only when a model is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from index.backends import BACKENDS, EMBEDDER, by_graph, place_of
from index.errors import ModelError, SettingError
from index.loading import cached_commit, fingerprint, load, quietly
from index.model_cards import COMPACT, ModelCard
from index.packaged_model import unpack
from index.turns import Turns
from index.wordtable import Ids, WordTable

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """What turns texts into unit vectors, shape ``(len(texts), dimension)``, float32.

    Attributes:
        stride: Passages worth embedding between two stored batches: what an interruption can cost.
        commit: Of a hub model, empty for folders.
        light: Whether every process may have one of its own, and a query costs next to nothing.
    """

    card: ModelCard
    dimension: int
    fingerprint: str
    stride: int
    commit: str
    light: bool

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries."""
        ...

    def documents(self, texts: Sequence[str], ids: Sequence[Ids]) -> Vectors:
        """Vectors of passages; ``ids`` are their tokens in the bundled word table, which some encoders use."""
        ...


def open_encoder(card: ModelCard, backend: str = BACKENDS[0], data: Path | None = None) -> Encoder:
    """An encoder for a model. The bundled model answers queries without loading sentence-transformers.

    Args:
        backend: What computes a transformer, one of ``BACKENDS``.
        data: The data directory, where graphs are kept.

    Raises:
        ModelError: The model cannot be found or loaded.
    """
    return _StaticEncoder(card) if is_table(card) else _TransformerEncoder(card, backend, data)


def is_table(card: ModelCard) -> bool:
    """Whether a model is a table of words such as the bundled one, which no backend computes."""
    folder = Path(card.location)
    return not card.shortened and (folder / "tokenizer.json").is_file() and WordTable.fits(folder)


# Texts at once. Of passages of 250 characters e5-small takes on two processors 20.0 a second by 8, 19.9 by 16 and 17.1
# by 64; as a graph in eight bits 65 by 8, 62 by 16 and 60 by 32.
_ON_CPU, _ON_GPU = 8, 64


class _TransformerEncoder:
    """Any sentence-transformers model."""

    light = False
    stride = 512  # minutes of a large model on a CPU, and enough for batches of like length

    def __init__(self, card: ModelCard, backend: str, data: Path | None) -> None:
        self.card = card
        self._turn = Turns()  # a tokenizer raises "Already borrowed" when two threads use it
        if backend == BACKENDS[0] or data is None:
            self._model = load_by_torch(card, None)
        else:
            self._model = _graph(card, backend, data)
        self._batch = _ON_CPU if self._model.device.type == "cpu" else _ON_GPU
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        if card.dimension and card.dimension != self.dimension:
            raise ModelError(
                f"{card.location} gives vectors of {self.dimension} numbers, its card says {card.dimension}; "
                "the files belong to another model.",
                f"{card.location} 给出 {self.dimension} 维向量，而应为 {card.dimension} 维；模型文件与名称不符。",
            )
        self.fingerprint = _fingerprint(card, self.dimension)
        self.commit = cached_commit(card.location, card.revision) or ""

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries, with the model's query prompt."""
        return self._encode(texts, self.card.query_prompt, first=True)

    def documents(self, texts: Sequence[str], ids: Sequence[Ids]) -> Vectors:  # noqa: ARG002 - has its own tokens
        """Vectors of passages, with the model's document prompt. Queries come in between, and so do few passages."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        first = len(texts) <= self._batch
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # of like length, so that none is padded
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            vectors[places] = self._encode([texts[place] for place in places], self.card.document_prompt, first=first)
        return vectors

    def _encode(self, texts: Sequence[str], prompt: str, *, first: bool) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        try:
            with self._turn(first=first):
                found = self._model.encode(
                    list(texts),
                    prompt=prompt,
                    batch_size=self._batch,
                    convert_to_numpy=True,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                )
        except Exception as error:  # what torch and ONNX Runtime raise, out of memory for one
            raise self._failed(str(error).strip().partition("\n")[0] or type(error).__name__) from error
        vectors = np.asarray(found, np.float32)
        if not np.isfinite(vectors).all():
            raise self._failed("its vectors are no numbers")
        return vectors

    def _failed(self, reason: str) -> ModelError:
        return ModelError(
            f"The model {self.card.name} failed: {reason.rstrip('.')}. Try again, or choose another model with: "
            "python -m scripts.manage rebuild --model MODEL",
            f"模型 {self.card.name} 出错：{reason.rstrip('.')}。请重试，或换用其他模型："
            "python -m scripts.manage rebuild --model 模型",
        )


_FEW = 4_000  # passages, of which the table takes 0.1 s where torch takes 3.6 s to start


class _StaticEncoder:
    """A static table: passages through sentence-transformers, queries straight from the table.

    Both give the same vectors (a test holds them to it). A query then needs neither torch nor its start-up;
    passages are tokenised without tracking offsets, which is most of the work, and handed over as ids. Fewer passages
    than a whole stride are taken for queries, so that a service to which documents are added need not start torch,
    which holds up every search for seconds and takes half a gigabyte.
    """

    light = True
    stride = 4_096  # about a second
    commit = ""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._table = WordTable.load(Path(card.location))
        self._own_ids = Path(card.location) != COMPACT
        self._lock = Lock()
        self._model: Any = None
        self.dimension = self._table.dimension
        self.fingerprint = _fingerprint(card, self.dimension)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries."""
        return self._table.pooled(texts)

    def documents(self, texts: Sequence[str], ids: Sequence[Ids]) -> Vectors:
        """Vectors of passages."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        if self._own_ids:
            ids = self._table.ids(texts)
        if self._model is None and len(texts) <= _FEW:
            return self._table.pooled_of(ids)
        import torch  # noqa: PLC0415 - takes seconds

        starts = np.concatenate([[0], np.cumsum([len(each) for each in ids[:-1]], dtype=np.int64)])
        features = {
            "input_ids": torch.from_numpy(np.concatenate(ids).astype(np.int64)),
            "offsets": torch.from_numpy(starts.astype(np.int64)),
        }
        with self._lock, torch.inference_mode():
            if self._model is None:
                self._model = load_by_torch(self.card, "cpu")
            return np.asarray(self._model(features)["sentence_embedding"], np.float32)


def _graph(card: ModelCard, backend: str, data: Path) -> Any:
    """A transformer as a graph. What the hub's commit is can only be said once the model is here."""
    folder = Path(card.location)
    if card.packed:
        if not place_of(data, EMBEDDER, backend, graph_key(card)).is_dir():
            unpack(folder)
    elif not folder.is_dir() and (folder.is_absolute() or cached_commit(card.location, card.revision) is None):
        load_by_torch(card, "cpu")  # or says why not
    place = place_of(data, EMBEDDER, backend, graph_key(card))
    dimension = card.dimension if card.shortened else None
    return by_graph(card.name, backend, place, partial(load_by_torch, card), dimension)


def graph_key(card: ModelCard) -> str:
    """What graphs of a model are kept under; those for shorter vectors are proven by these."""
    return _fingerprint(card, card.dimension if card.shortened else 0)


def load_by_torch(card: ModelCard, device: str | None) -> Any:
    """A ``SentenceTransformer``, on that device or on the best there is."""
    if card.remote_code and os.environ.get("XUNZHANG_REMOTE_CODE") != "1":
        raise SettingError(
            f"{card.name} runs code from its repository; set XUNZHANG_REMOTE_CODE=1 if you trust it.",
            f"{card.name} 会运行其仓库中的代码；如果信任它，请设置 XUNZHANG_REMOTE_CODE=1。",
        )
    opened = partial(_opened, card, device)
    if not card.packed:
        return load(card.name, card.location, card.revision, opened)
    unpack(Path(card.location))
    try:
        return load(card.name, card.location, card.revision, opened)
    except ModelError as error:
        raise ModelError(
            f"The model {card.name} cannot be loaded from {card.location}; remove this folder, and it is made anew.",
            f"无法从 {card.location} 加载模型 {card.name}；请删除该文件夹，之后会重新生成。",
        ) from error


def _opened(card: ModelCard, device: str | None, location: str, revision: str | None, local: bool) -> Any:
    """A ``SentenceTransformer`` in single precision.

    Half precision is what some checkpoints hold, and on a CPU it is a hundred times slower.
    """
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds

    quietly()
    single = not (Path(location) / "model.safetensors").is_file()  # a static table has no such argument
    return SentenceTransformer(
        location,
        device=device,
        revision=revision,
        trust_remote_code=card.remote_code,
        local_files_only=local,
        truncate_dim=card.dimension if card.shortened else None,
        model_kwargs={"dtype": "float32"} if single else None,
    )


def _fingerprint(card: ModelCard, dimension: int) -> str:
    """Names what decides the vectors: two models with one fingerprint give comparable vectors."""
    parts = [str(dimension), card.query_prompt, card.document_prompt]
    return fingerprint(card.location, card.revision, parts, packed=card.packed)
