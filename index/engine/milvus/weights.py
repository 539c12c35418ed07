"""BM25 as a product of sparse vectors: what a passage says of each token, times what a query asks of it.

Milvus has a BM25 function of its own, which is not used: it takes a text as the query, where ours are tokens with
factors of their own (``index.expansion``); its frequencies are those of a segment in Milvus Lite; and nobody can ask
it in how many passages a token occurs, which spelling, late interaction and the score all need. So both sides are
computed here as Tantivy does (k1 = 1.2, b = 0.75, lengths in its few steps), and rankings agree with the local engine
to the last digits; measured in README.md. The mean length of a passage is fixed in an edition's weights, and the
edition made anew when it has moved by a tenth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from zlib import crc32

_K1, _B = 1.2, 0.75
_EXACT = 24  # lengths up to here, and 16 more, are kept as they are; above in steps of an eighth


def dimension_of(token: str) -> int:
    """The dimension of a token: 32 bits, as Milvus' own; of a million tokens one in four thousand shares its own."""
    return crc32(token.encode("utf-8", "surrogatepass")) % 0xFFFF_FFFF  # Milvus takes no 2**32 - 1


NO_TOKEN = dimension_of("")  # a sparse vector must not be empty


def coarse(length: int) -> int:
    """A passage's length as Tantivy keeps it in one byte: four significant bits above 24."""
    above = length - _EXACT
    if above < 16:
        return length
    drop = above.bit_length() - 4
    return _EXACT + (above >> drop << drop)


def weights_of(tokens: Sequence[str], average: float) -> dict[int, float]:
    """A passage's part of BM25.

    Args:
        average: Tokens of a passage, on average.
    """
    length = _K1 * (1 - _B + _B * coarse(len(tokens)) / max(average, 1.0))
    counts: Counter[int] = Counter(map(dimension_of, tokens))
    return {key: count * (_K1 + 1) / (count + length) for key, count in counts.items()} or {NO_TOKEN: 1.0}
