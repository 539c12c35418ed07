"""The tokenizer of the compact model: HF ``tokenizers`` Unigram, one Rust pass from raw text to token ids.

A text is folded (see ``folding``), white space between Chinese characters is taken out, what is neither letter nor
digit is dropped, and each run of one script is cut into the likeliest words. What the vocabulary lacks becomes
UTF-8 byte tokens, so nothing is lost in an unknown token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

UNKNOWN = "<unk>"
BYTES = tuple(f"<0x{value:02X}>" for value in range(256))

# Runs that become tokens: Chinese, the few languages named by a sign, Latin, up to four digits, other letters.
_RUNS = r"\p{Han}+|[cf](?:\+\+|\#)(?![a-z0-9])|[a-z]+|[0-9]{1,4}|[\p{L}\p{M}]+"
_SPACE_BETWEEN_HAN = r"(?<=\p{Han})\s+(?=\p{Han})"


def build_tokenizer(tokens: Sequence[str], scores: Sequence[float], charsmap: bytes) -> Tokenizer:
    """A tokenizer over ``tokens``, the first of which must be ``UNKNOWN``, with their log-probabilities.

    Raises:
        ValueError: if the first token is another or the two sequences differ in length.
    """
    if len(tokens) != len(scores):
        raise ValueError(f"{len(tokens)} tokens but {len(scores)} scores; give one score for each token.")
    if not tokens or tokens[0] != UNKNOWN:
        raise ValueError(f"The first token must be {UNKNOWN}.")
    vocabulary = [(token, round(float(score), 3)) for token, score in zip(tokens, scores, strict=True)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(charsmap), normalizers.Replace(Regex(_SPACE_BETWEEN_HAN), "")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_RUNS), behavior="removed", invert=True)
    return tokenizer


def encode_all(tokenizer: Tokenizer, texts: Iterable[str], batch: int = 4096) -> Iterator[list[int]]:
    """The token ids of each text, in order."""
    stream = iter(texts)
    while chunk := list(islice(stream, batch)):
        for encoding in tokenizer.encode_batch_fast(chunk, add_special_tokens=False):
            yield encoding.ids
