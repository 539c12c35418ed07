"""The compact model's table seen word by word: token ids, their vectors and their weights.

sentence-transformers sees the same files as a model that averages; here each row stays a word, for late
interaction, for marking words, and for query vectors without loading torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from index.pieces import Pieces

Ids = npt.NDArray[np.uint32]
# Rows compared in one product, so that what is turned into floats stays in the processor's cache (all at once takes
# half as long again), and the multiplications up to which OpenBLAS does not pack its operands, where it has kernels
# for small products (sgemm_small_kernel_permit_skylakex.c). Measured on 4,787 rows and 13 words: 1.2 ms in products
# of 256 rows, 0.8 in such as stay below; with more than 27 words too few rows are left for that to pay.
_ROWS, _FEWEST_ROWS = 256, 96
_SMALL_PRODUCT = 1_000_000
_MANY = 256  # texts for which loading a second tokenizer, a third of a second, pays
NEIGHBOURS = "neighbours.npy"  # beside the table: (tokens, n) ids of each word's nearest words, -1 for none


@dataclass(frozen=True, slots=True)
class Word:
    """One token of a text: its id and its place, in characters of the text."""

    id: int
    start: int
    end: int


class WordTable:
    """A static embedding table in the model2vec layout (int8 rows, a float scale for each).

    Attributes:
        dimension: Length of a row.
        fingerprint: Names the tokenizer and the table.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        rows: npt.NDArray[np.int8],
        scales: npt.NDArray[np.float32],
        name: str,
        neighbours: npt.NDArray[np.int32] | None = None,
        folder: Path | None = None,
    ):
        self._tokenizer = tokenizer
        self._folder = folder
        self._rows = rows
        self._scales = scales
        self._neighbours = neighbours
        self.dimension = rows.shape[1]
        self.fingerprint = name
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float32))
        self._inverse_lengths = (1 / np.maximum(lengths, 1e-6)).astype(np.float32)

    @staticmethod
    def fits(folder: Path) -> bool:
        """Whether the folder holds such a table."""
        weights = folder / "model.safetensors"
        if not weights.is_file():
            return False
        try:
            with safe_open(weights, framework="np") as tensors:
                return {"embeddings", "weights"} <= set(tensors.keys())
        except SafetensorError:  # damaged; whoever loads it says so
            return False

    @classmethod
    def load(cls, folder: Path) -> WordTable:
        """Read ``tokenizer.json`` and ``model.safetensors``; once for a folder whose files do not change."""
        stamp = max(file.stat().st_mtime_ns for file in (folder / "tokenizer.json", folder / "model.safetensors"))
        return _loaded(folder, stamp)

    @classmethod
    def read(cls, folder: Path) -> WordTable:
        """Read the files, whatever was read before."""
        tensors = load_file(folder / "model.safetensors")
        tokenizer_file = folder / "tokenizer.json"
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        digest = blake2b(tokenizer_file.read_bytes(), digest_size=8)
        digest.update(tensors["embeddings"].tobytes())
        neighbours = folder / NEIGHBOURS
        return cls(
            tokenizer,
            tensors["embeddings"],
            tensors["weights"].astype(np.float32),
            digest.hexdigest(),
            np.load(neighbours, mmap_mode="r", allow_pickle=False) if neighbours.is_file() else None,
            folder,
        )

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def tokenizer(self) -> Tokenizer:
        """What cuts texts into the table's words."""
        return self._tokenizer

    def tokens(self) -> list[str]:
        """The words of the table, in the order of its rows."""
        return [self.token(row) for row in range(len(self))]

    @cached_property
    def lengths(self) -> npt.NDArray[np.float32]:
        """Characters of each word; a byte token is a third of one."""
        return np.array([1 / 3 if token.startswith("<0x") else len(token) for token in self.tokens()], np.float32)

    def words(self, text: str) -> list[Word]:
        """The tokens of a text with their places in it."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return [Word(id_, *span) for id_, span in zip(encoding.ids, encoding.offsets, strict=True)]

    def token(self, id_: int) -> str:
        """The word of a row."""
        return self._tokenizer.id_to_token(id_) or ""

    def places(self, text: str) -> tuple[Ids, npt.NDArray[np.int64]]:
        """The ids of a text's tokens, and their places in it, shape ``(tokens, 2)``."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return np.array(encoding.ids, np.uint32), np.array(encoding.offsets, np.int64).reshape(-1, 2)

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        """Token ids of each text."""
        if len(texts) > _MANY and self._pieces is not None:
            return self._pieces.ids(texts)
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.uint32) for encoding in encodings]

    @cached_property
    def _pieces(self) -> Pieces | None:
        return None if self._folder is None else Pieces.load(self._folder / "tokenizer.json")

    def vectors(self, ids: Ids) -> npt.NDArray[np.float32]:
        """Rows of the table, shape ``(len(ids), dimension)``; their lengths carry the words' weights."""
        rows: npt.NDArray[np.float32] = self._rows[ids].astype(np.float32) * self._scales[ids, None]
        return rows

    def cosines(self, unit: npt.NDArray[np.float32], ids: Ids) -> npt.NDArray[np.float32]:
        """Cosines of rows of the table with unit vectors, shape ``(n, dimension)``: shape ``(len(ids), n)``."""
        product = np.empty((len(ids), len(unit)), np.float32)
        columns = np.ascontiguousarray(unit.T)
        small = _SMALL_PRODUCT // max(1, unit.size)
        at_once = min(small, _ROWS) if small >= _FEWEST_ROWS else _ROWS
        rows = np.empty((min(at_once, len(ids)), self.dimension), np.int8)
        floats = np.empty(rows.shape, np.float32)
        for start in range(0, len(ids), at_once):
            some = ids[start : start + at_once]
            # With a mode other than "raise", NumPy writes to ``out`` directly; ids are the table's own.
            np.take(self._rows, some, axis=0, out=rows[: len(some)], mode="clip")
            floats[: len(some)] = rows[: len(some)]
            np.matmul(floats[: len(some)], columns, out=product[start : start + at_once])
        product *= self._inverse_lengths[ids, None]
        return product

    def neighbours(self, ids: Ids) -> list[list[tuple[str, float]]]:
        """For each word the words nearest to it, each with its cosine; none where none were written down."""
        if self._neighbours is None or not len(ids):
            return [[] for _ in ids]
        near = self._neighbours[ids]
        flat = np.maximum(near, 0).ravel()
        rows = self._rows[flat].reshape(*near.shape, -1).astype(np.float32)
        cosines = np.einsum("ijk,ik->ij", rows, self._rows[ids].astype(np.float32))
        cosines *= self._inverse_lengths[near] * self._inverse_lengths[ids, None]
        return [
            [(self.token(id_), cosine) for id_, cosine in zip(row.tolist(), of_row.tolist(), strict=True) if id_ >= 0]
            for row, of_row in zip(near, cosines, strict=True)
        ]

    def pooled(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors of texts, as sentence-transformers gives them: the mean of the rows, normalised."""
        return self.pooled_of(self.ids(texts))

    def pooled_of(self, tokens: Sequence[Ids]) -> npt.NDArray[np.float32]:
        """``pooled`` for texts whose token ids are known."""
        out = np.zeros((len(tokens), self.dimension), np.float32)
        for place, ids in enumerate(tokens):
            if len(ids):
                out[place] = self._scales[ids] @ self._rows[ids].astype(np.float32)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = out / np.maximum(lengths, 1e-12)
        return unit

    def crosses(self, left: str, right: str) -> bool:
        """Whether one word runs across the seam between two pieces of text, as in a torn line."""
        tail, head = left[-8:], right[:8]
        return any(word.start < len(tail) < word.end for word in self.words(tail + head))


@lru_cache(maxsize=2)
def _loaded(folder: Path, stamp: int) -> WordTable:  # noqa: ARG001 - part of the cache's key
    return WordTable.read(folder)
