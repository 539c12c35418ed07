"""The character folding that lives inside tokenizer.json: width, case, Latin accents, traditional to simplified.

Each character is folded on its own, so that offsets of tokens point into the original text, and the whole map is
one SentencePiece trie that the tokenizer walks in a single pass. What a Chinese character folds to is decided in
``index.chinese``; this module compiles it.
"""

from __future__ import annotations

import sys
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import sentencepiece

from index.chinese import fold


@cache
def service_charsmap() -> bytes:
    """The compiled map of the folding that the service does, see :func:`charsmap`."""
    return charsmap(character_map())


def character_map() -> dict[str, str]:
    """Every character that folding changes, with what it becomes.

    NFKC, lower case, accents taken off Latin letters, then the map by which the service folds for matching.
    """
    folded = {}
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code < 0xE000:  # surrogates are no characters
            continue
        character = chr(code)
        lowered = unicodedata.normalize("NFKC", character).lower()
        target = fold("".join(_without_accent(part) for part in lowered))
        if target != character:
            folded[character] = target
    return folded


def charsmap(folded: Mapping[str, str]) -> bytes:
    """The map compiled by SentencePiece, as ``tokenizers.normalizers.Precompiled`` takes it."""
    sentencepiece.set_min_log_level(2)  # its compiler reports every rule file on stderr
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        lines = (f"{_code_points(source)}\t{_code_points(target)}\n" for source, target in folded.items())
        rules.write_text("".join(lines), encoding="utf-8")
        proto: bytes = sentencepiece.SentencePieceNormalizer(rule_tsv=str(rules)).serialized_model_proto()
    # ModelProto.normalizer_spec is field 3, NormalizerSpec.precompiled_charsmap field 2; reading these two by hand
    # spares a dependency on protobuf.
    return _field(_field(proto, 3), 2)


def _without_accent(character: str) -> str:
    parts = unicodedata.normalize("NFD", character)
    if len(parts) > 1 and "LATIN" in unicodedata.name(parts[0], ""):
        return "".join(part for part in parts if not unicodedata.combining(part))
    return character


def _code_points(text: str) -> str:
    return " ".join(f"{ord(character):04X}" for character in text)


def _field(message: bytes, wanted: int) -> bytes:
    """The bytes of a length-delimited field of a protocol buffer."""
    for number, payload in _fields(message):
        if number == wanted:
            return payload
    raise ValueError(f"SentencePiece wrote no field {wanted}; its model format has changed.")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        length = 0
        if key & 7 == 2:
            length, at = _varint(message, at)
        elif key & 7 == 0:
            _, at = _varint(message, at)
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at
