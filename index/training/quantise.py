"""The trained table as eight-bit integers with one scale a row, in the layout sentence-transformers loads.

``model.safetensors`` holds ``embeddings`` (tokens, dimension) int8 and ``weights`` (tokens,) float32; their product
is the table. The norm of a row is the weight of its word, and lives in the scale.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer

Floats = NDArray[np.float32]

_MODULES = (
    ("", "sentence_transformers.sentence_transformer.modules.StaticEmbedding"),
    ("1_Normalize", "sentence_transformers.sentence_transformer.modules.Normalize"),
)


def quantise(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Integers (tokens, dimension) and scales (tokens,) whose product is nearly ``table``.

    Each row uses the whole range, so the cosine to the original stays above 0.99 whatever its norm.
    """
    scales = np.abs(table).max(axis=1) / 127.0
    whole = np.rint(table / np.where(scales > 0, scales, 1.0)[:, None])
    return whole.astype(np.int8), scales.astype(np.float32)


def write_model(folder: Path, tokenizer: Tokenizer, table: Floats, card: str) -> None:
    """Write the model as a sentence-transformers folder, replacing one that is there in a single rename."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    integers, scales = quantise(table)
    save_file({"embeddings": integers, "weights": scales}, fresh / "model.safetensors")
    (fresh / "model.safetensors").chmod(0o644)  # safetensors makes files that only their owner can read
    tokenizer.save(str(fresh / "tokenizer.json"), pretty=False)
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": kind} for index, (path, kind) in enumerate(_MODULES)
    ]
    _write_json(fresh / "modules.json", modules)
    _write_json(
        fresh / "config_sentence_transformers.json",
        {
            "model_type": "SentenceTransformer",
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
    (fresh / "README.md").write_text(card, encoding="utf-8")
    _swap(fresh, folder)


def _swap(fresh: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
