"""Many texts -> token ids at once, by SentencePiece: what ``tokenizer.json`` gives, in a quarter of the time.

``tokenizers`` keeps where in the text each token lies, and walks its vocabulary as a tree of hash tables; where only
the ids are wanted that is most of indexing. SentencePiece's own code for the same Unigram model does neither. Where
two ways of cutting are equally good, the two may choose differently: in one of twenty thousand passages of news.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import regex
import sentencepiece

_NORMAL, _UNKNOWN, _BYTE = 1, 2, 6  # ModelProto.SentencePiece.Type
_UNIGRAM = 1  # TrainerSpec.ModelType
_BETWEEN = "<0x20>"  # a blank, which is in no word, as the byte it falls back to


class Pieces:
    """A Unigram tokenizer for many texts.

    Args:
        tokenizer: What ``tokenizer.json`` holds, and ``can_read`` allows.
    """

    def __init__(self, tokenizer: dict[str, Any]) -> None:
        charsmap, gap = tokenizer["normalizer"]["normalizers"]
        self._gap = regex.compile(gap["pattern"]["Regex"])
        self._word = regex.compile(tokenizer["pre_tokenizer"]["pattern"]["Regex"])
        vocabulary = tokenizer["model"]["vocab"]
        self._between = next(row for row, (piece, _) in enumerate(vocabulary) if piece == _BETWEEN)
        self._cutter = sentencepiece.SentencePieceProcessor()
        folding = base64.b64decode(charsmap["precompiled_charsmap"])
        self._cutter.LoadFromSerializedProto(_model(vocabulary, tokenizer["model"]["unk_id"], folding))

    @staticmethod
    def can_read(tokenizer: dict[str, Any]) -> bool:
        """Whether a ``tokenizer.json`` is of the kind that ``scripts.train_model`` writes."""
        model, before = tokenizer["model"], tokenizer["pre_tokenizer"] or {}
        steps = (tokenizer["normalizer"] or {}).get("normalizers", [])
        return (
            (model.get("type"), model.get("byte_fallback")) == ("Unigram", True)
            and any(piece == _BETWEEN for piece, _ in model["vocab"])
            and [step["type"] for step in steps] == ["Precompiled", "Replace"]
            and "Regex" in steps[1]["pattern"]
            and steps[1]["content"] == ""
            and (before.get("type"), before.get("behavior"), before.get("invert")) == ("Split", "Removed", True)
            and "Regex" in before["pattern"]
            and not tokenizer["added_tokens"]
            and tokenizer["post_processor"] is None
        )

    @classmethod
    def load(cls, file: Path) -> Pieces | None:
        """Read a ``tokenizer.json``; ``None`` where it is of another kind."""
        tokenizer = json.loads(file.read_text(encoding="utf-8"))
        return cls(tokenizer) if cls.can_read(tokenizer) else None

    def ids(self, texts: Sequence[str]) -> list[npt.NDArray[np.uint32]]:
        """Token ids of each text."""
        folded = self._cutter.normalize(list(texts))
        words = [" ".join(self._word.findall(self._gap.sub("", text))) for text in folded]
        found = self._cutter.encode(words, return_type="numpy")
        return [ids[ids != self._between].view(np.uint32) for ids in found]


def _model(vocabulary: Sequence[tuple[str, float]], unknown: int, folding: bytes) -> bytes:
    """A serialised ``ModelProto``, as ``sentencepiece_model.proto`` defines it; these few fields written by hand
    spare a dependency on protobuf."""
    return b"".join(_pieces(vocabulary, unknown)) + b"".join(
        [
            _message(2, _number(3, _UNIGRAM) + _number(35, 1)),  # trainer_spec: model_type, byte_fallback
            # normalizer_spec: precompiled_charsmap, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces
            _message(3, _message(2, folding) + _number(3, 0) + _number(4, 0) + _number(5, 0)),
        ]
    )


def _pieces(vocabulary: Sequence[tuple[str, float]], unknown: int) -> Iterator[bytes]:
    for row, (piece, score) in enumerate(vocabulary):
        kind = _UNKNOWN if row == unknown else _BYTE if piece.startswith("<0x") else _NORMAL
        yield _message(1, _message(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + _number(3, kind))


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
