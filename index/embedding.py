"""Text -> vectors, through sentence-transformers; and the table of models a user can choose from.

Owns prompts, dimensions, passage lengths, revisions and what a cosine of a model is worth. Imports
sentence-transformers (several seconds) only when a model is loaded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from index.errors import ModelError, SettingError
from index.loading import cached_commit, load, quietly, wanted_revision
from index.paragraphs import Lengths
from index.wordtable import Ids, WordTable

Vectors = npt.NDArray[np.float32]

DEFAULT_MODEL = "compact"
COMPACT = Path(__file__).parent / "models" / "compact"
_PROBE = 1 << 20  # bytes read from each end of a weight file for its fingerprint


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as the service uses it.

    Attributes:
        name: What the user chooses: a short name, a hub id or a folder.
        location: What sentence-transformers is asked to load.
        dimension: Of the vectors; 0 until the model was loaded.
        lengths: Passage lengths in characters that fit its context and suit it.
        query_prompt, document_prompt: Put before every text; models trained with prompts lose
            half their quality without them.
        unrelated, related: Where the model's cosines lie for a query's best passage in an archive about
            something else, and for the answer; they put scores on a scale common to all models.
        licence: Of the weights.
        revision: Commit on the hub, ``None`` for folders.
        remote_code: The model runs code from its repository; refused unless the user allows it.
    """

    name: str
    location: str
    dimension: int
    lengths: Lengths
    licence: str
    query_prompt: str = ""
    document_prompt: str = ""
    unrelated: float = 0.15
    related: float = 0.55
    revision: str | None = None
    remote_code: bool = False


_SHORT = Lengths(target=260, maximum=400)
_LONG = Lengths(target=320, maximum=480)
_LEAST = 64  # characters; shorter passages say nothing, whatever the model can take
_E5 = ("query: ", "passage: ")
_QWEN = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
_BGE = "为这个句子生成表示以用于检索相关文章："
_GEMMA = ("task: search result | query: ", "title: none | text: ")


def _hub(
    name: str, dimension: int, licence: str, prompts: tuple[str, str], unrelated: float, related: float, **more: bool
) -> ModelCard:
    return ModelCard(name, name, dimension, _LONG, licence, *prompts, unrelated, related, **more)  # type: ignore[arg-type]


# Dimensions, prompts and licences are from the models' cards on the hub. The compact model's cosines are measured (see
# fusion.py); those of the others are where their authors place unrelated and matching pairs, not measured here, and
# only shift the scores that are shown, never the order of hits.
_CARDS = (
    ModelCard("compact", str(COMPACT), 384, _SHORT, "CC BY-SA 4.0", unrelated=0.15, related=0.55),
    _hub("intfloat/multilingual-e5-small", 384, "MIT", _E5, 0.78, 0.92),
    _hub("intfloat/multilingual-e5-base", 768, "MIT", _E5, 0.78, 0.92),
    _hub("intfloat/multilingual-e5-large", 1024, "MIT", _E5, 0.78, 0.92),
    _hub("BAAI/bge-m3", 1024, "MIT", ("", ""), 0.35, 0.75),
    _hub("Qwen/Qwen3-Embedding-0.6B", 1024, "Apache-2.0", (_QWEN, ""), 0.25, 0.75),
    _hub("BAAI/bge-small-zh-v1.5", 512, "MIT", (_BGE, ""), 0.3, 0.75),
    _hub("BAAI/bge-base-zh-v1.5", 768, "MIT", (_BGE, ""), 0.3, 0.75),
    _hub("Alibaba-NLP/gte-multilingual-base", 768, "Apache-2.0", ("", ""), 0.4, 0.8, remote_code=True),
    _hub("google/embeddinggemma-300m", 768, "Gemma terms of use", _GEMMA, 0.2, 0.65),
)
MODELS: dict[str, ModelCard] = {card.name: card for card in _CARDS}


def model_card(name: str) -> ModelCard:
    """The card of a model by its short name, hub id or folder.

    Raises:
        SettingError: The name is neither in the table nor a folder with a model in it.
    """
    if name in MODELS:
        return MODELS[name]
    folder = Path(name).expanduser()
    if (folder / "modules.json").is_file() or (folder / "config.json").is_file():
        query, document = _own_prompts(folder)
        return ModelCard(name, str(folder.resolve()), 0, _own_lengths(folder), "unknown", query, document)
    known = ", ".join(MODELS)
    raise SettingError(
        f"There is no model {name!r}; choose one of {known}, or a folder with a sentence-transformers model.",
        f"没有名为 {name!r} 的模型；可选：{known}，或一个 sentence-transformers 模型的文件夹。",
    )


def _own_prompts(folder: Path) -> tuple[str, str]:
    """The prompts a folder brings for queries and for passages, by the names sentence-transformers gives them."""
    prompts = _read(folder / "config_sentence_transformers.json").get("prompts") or {}
    return prompts.get("query") or "", prompts.get("document") or prompts.get("passage") or ""


def _own_lengths(folder: Path) -> Lengths:
    """Passage lengths that fit a folder's model, at one token a character, as Chinese takes, and some for a title."""
    context = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    context = context or _read(folder / "config.json").get("max_position_embeddings")
    maximum = min(_LONG.maximum, max(_LEAST, int(context or 512) - 32))
    return Lengths(target=min(_LONG.target, maximum * 2 // 3), maximum=maximum)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def stored_card(name: str) -> ModelCard:
    """The card of the model an archive was made with, whose folder may be gone: loading it fails then, nothing else."""
    try:
        return model_card(name)
    except SettingError:
        return ModelCard(name, name, 0, _LONG, "unknown")


class Encoder(Protocol):
    """What turns texts into unit vectors, shape ``(len(texts), dimension)``, float32.

    Attributes:
        stride: Passages worth embedding between two stored batches: what an interruption can cost.
    """

    card: ModelCard
    dimension: int
    fingerprint: str
    stride: int

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries."""
        ...

    def documents(self, texts: Sequence[str], ids: Sequence[Ids]) -> Vectors:
        """Vectors of passages; ``ids`` are their tokens in the bundled word table, which some encoders use."""
        ...


def open_encoder(card: ModelCard) -> Encoder:
    """An encoder for a model. The bundled model answers queries without loading sentence-transformers.

    Raises:
        ModelError: The model cannot be found or loaded.
    """
    if (Path(card.location) / "tokenizer.json").is_file() and WordTable.fits(Path(card.location)):
        return _StaticEncoder(card)
    return _TransformerEncoder(card)


class _TransformerEncoder:
    """Any sentence-transformers model."""

    stride = 512  # minutes of a large model on a CPU, and enough for batches of like length

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._lock = Lock()  # a tokenizer raises "Already borrowed" when two threads use it
        self._model = _load(card, None)
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        if card.dimension and card.dimension != self.dimension:
            raise ModelError(
                f"{card.location} gives vectors of {self.dimension} numbers, its card says {card.dimension}; "
                "the files belong to another model.",
                f"{card.location} 给出 {self.dimension} 维向量，而应为 {card.dimension} 维；模型文件与名称不符。",
            )
        self.fingerprint = _fingerprint(card, self.dimension)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of queries, with the model's query prompt."""
        return self._encode(texts, self.card.query_prompt)

    def documents(self, texts: Sequence[str], ids: Sequence[Ids]) -> Vectors:  # noqa: ARG002 - has its own tokens
        """Vectors of passages, with the model's document prompt."""
        return self._encode(texts, self.card.document_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        try:
            with self._lock:
                found = self._model.encode(
                    list(texts),
                    prompt=prompt,
                    batch_size=64,
                    convert_to_numpy=True,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                )
        except RuntimeError as error:  # what torch raises, out of memory for one
            raise self._failed(str(error).strip().partition("\n")[0]) from error
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


class _StaticEncoder:
    """A static table: passages through sentence-transformers, queries straight from the table.

    Both give the same vectors (a test holds them to it). A query then needs neither torch nor its start-up;
    passages are tokenised without tracking offsets, which is most of the work, and handed over as ids.
    """

    stride = 4_096  # about a second

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
        import torch  # noqa: PLC0415 - takes seconds

        if self._own_ids:
            ids = self._table.ids(texts)
        starts = np.concatenate([[0], np.cumsum([len(each) for each in ids[:-1]], dtype=np.int64)])
        features = {
            "input_ids": torch.from_numpy(np.concatenate(ids).astype(np.int64)),
            "offsets": torch.from_numpy(starts.astype(np.int64)),
        }
        with self._lock, torch.inference_mode():
            if self._model is None:
                self._model = _load(self.card, "cpu")
            return np.asarray(self._model(features)["sentence_embedding"], np.float32)


def _load(card: ModelCard, device: str | None) -> Any:
    if card.remote_code and os.environ.get("XUNZHANG_REMOTE_CODE") != "1":
        raise SettingError(
            f"{card.name} runs code from its repository; set XUNZHANG_REMOTE_CODE=1 if you trust it.",
            f"{card.name} 会运行其仓库中的代码；如果信任它，请设置 XUNZHANG_REMOTE_CODE=1。",
        )
    revision = wanted_revision(card.revision)
    return load(card.name, card.location, revision, partial(_opened, device, card.remote_code))


def _opened(device: str | None, remote_code: bool, location: str, revision: str | None, local: bool) -> Any:
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
        trust_remote_code=remote_code,
        local_files_only=local,
        model_kwargs={"dtype": "float32"} if single else None,
    )


def _fingerprint(card: ModelCard, dimension: int) -> str:
    """Names what decides the vectors: two models with one fingerprint give comparable vectors."""
    digest = blake2b(digest_size=12)
    folder = Path(card.location)
    parts = [str(dimension), card.query_prompt, card.document_prompt]
    if folder.is_dir():
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".json", ".safetensors", ".bin", ".model"} and file.is_file():
                parts.append(f"{file.relative_to(folder)} {file.stat().st_size}")
                with file.open("rb") as stream:
                    digest.update(stream.read(_PROBE))
                    stream.seek(max(0, file.stat().st_size - _PROBE))
                    digest.update(stream.read(_PROBE))
    else:
        revision = wanted_revision(card.revision)
        parts += [card.location, str(cached_commit(card.location, revision) or revision)]
    digest.update("\n".join(parts).encode())
    return digest.hexdigest()
