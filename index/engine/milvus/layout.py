"""The collections and their fields. Milvus wants a vector in each, so those without one have a very short one.

    xunzhang_meta        one row for what is safe (``journal.py``), one for what is published
    xunzhang_lock        the lease of the one writer
    xunzhang_documents   what is known of each document
    xunzhang_texts       its passages; numbered ``document << 20 | position``, so that neighbours are found by number
    xunzhang_parts       its original, compressed and cut; in the same way numbered
    xunzhang_files       the files that documents were read from
    xunzhang_families_N  bands and families of texts
    xunzhang_passages_N  what is searched: embedding, BM25 weights, words, filters
    xunzhang_terms_N     in how many passages each token occurs, many tokens in a row

The last three are derived, and made anew under another N.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from index.engine.milvus.client import Client, Fields
from index.errors import DataError

PREFIX = "xunzhang_"
META, LOCK = f"{PREFIX}meta", f"{PREFIX}lock"
DOCUMENTS, TEXTS, PARTS, FILES = f"{PREFIX}documents", f"{PREFIX}texts", f"{PREFIX}parts", f"{PREFIX}files"
LONGEST = 65_535  # bytes in a field of text, Milvus' own limit
MOST_TAGS = 4_096
POSITIONS = 20  # bits of a passage's number that are its position
NOTHING = [1.0, 0.0]  # the vector of a row that has none

_FLAT = {"field_name": "vector", "index_type": "FLAT", "metric_type": "COSINE"}


def families_of(number: int) -> str:
    """The collection of families with this number."""
    return f"{PREFIX}families_{number}"


def passages_of(number: int) -> str:
    """The searched collection with this number."""
    return f"{PREFIX}passages_{number}"


def terms_of(number: int) -> str:
    """The collection of document frequencies with this number."""
    return f"{PREFIX}terms_{number}"


def create_truth(client: Client) -> None:
    """Make the collections that every archive has."""
    for name, fields in _truth(client.types).items():
        client.create(name, [*fields, _vector(client.types)], [_FLAT, *_inverted(client, name)])


def create_families(client: Client, number: int) -> None:
    """Make the collection of families with this number."""
    types = client.types
    fields = [_key(types.INT64, "text"), *(_number(types, f"band{place}") for place in range(8))]
    fields += [_number(types, "family"), _vector(types)]
    client.create(families_of(number), fields, [_FLAT, *_inverted(client, "families")])


def create_edition(client: Client, number: int, dimension: int) -> None:
    """Make the derived collections with this number."""
    types = client.types
    fields = [
        _key(types.INT64, "number"),
        *(_number(types, name) for name in ("document", "said", "whole", "embedded")),
        {"field_name": "vector", "datatype": types.FLOAT_VECTOR, "dim": dimension},
        {"field_name": "weights", "datatype": types.SPARSE_FLOAT_VECTOR},
        *(_text(types, name) for name in ("words", "folded", "source", "date", "byline")),
        _tags(types),
    ]
    sparse = {"field_name": "weights", "index_type": "SPARSE_INVERTED_INDEX", "metric_type": "IP"}
    near: Fields = {"field_name": "vector", "index_type": "FLAT", "metric_type": "COSINE"}
    if not client.lite:  # Milvus Lite would build it anew for each of its segments; there everything is small
        near |= {"index_type": "HNSW", "params": {"M": 16, "efConstruction": 200}}
    client.create(passages_of(number), fields, [near, sparse, *_inverted(client, "passages")])
    fields = [_key(types.INT64, "number"), _number(types, "generation"), _text(types, "counts"), _text(types, "before")]
    client.create(terms_of(number), [*fields, _vector(types)], [_FLAT, *_inverted(client, "terms")])


def _truth(types: Any) -> dict[str, Sequence[Fields]]:
    document = [_key(types.INT64, "number"), *(_number(types, name) for name in ("passages", "gone"))]
    document += [_text(types, name) for name in ("id", "source", "title", "byline", "date", "url", "path", "hash")]
    passage = [_key(types.INT64, "number"), *(_number(types, name) for name in ("document", "page", "start", "stop"))]
    passage += [_number(types, "said"), _number(types, "whole"), _text(types, "title"), _text(types, "text")]
    return {
        META: [_key(types.VARCHAR, "name"), _text(types, "value")],
        LOCK: [_key(types.VARCHAR, "name"), _text(types, "value")],
        DOCUMENTS: [*document, _tags(types)],
        TEXTS: passage,
        PARTS: [_key(types.INT64, "number"), _text(types, "part")],
        FILES: [_key(types.VARCHAR, "path"), _text(types, "record")],
    }


_INDEXED = {
    DOCUMENTS: ("id", "gone", "path"),
    TEXTS: ("document", "said", "whole"),
    "families": (*(f"band{place}" for place in range(8)), "family"),
    "passages": ("document", "whole", "embedded", "source", "date", "byline", "tags"),
    "terms": ("generation",),
}


def _inverted(client: Client, name: str) -> list[Fields]:
    """Indexes on what rows are found by; Milvus Lite reads every row as fast as it builds them."""
    if client.lite:
        return []
    return [{"field_name": field, "index_type": "INVERTED"} for field in _INDEXED.get(name, ())]


def _key(datatype: Any, name: str) -> Fields:
    field: Fields = {"field_name": name, "datatype": datatype, "is_primary": True}
    return field | {"max_length": LONGEST} if str(datatype).endswith("VARCHAR") else field


def _number(types: Any, name: str) -> Fields:
    return {"field_name": name, "datatype": types.INT64}


def _text(types: Any, name: str) -> Fields:
    return {"field_name": name, "datatype": types.VARCHAR, "max_length": LONGEST}


def _tags(types: Any) -> Fields:
    return {
        "field_name": "tags",
        "datatype": types.ARRAY,
        "element_type": types.VARCHAR,
        "max_capacity": MOST_TAGS,
        "max_length": LONGEST,
    }


def _vector(types: Any) -> Fields:
    return {"field_name": "vector", "datatype": types.FLOAT_VECTOR, "dim": len(NOTHING)}


def check_lengths(id_: str, values: Sequence[str], tags: Sequence[str]) -> None:
    """Refuse a document of which something is longer than Milvus keeps.

    Raises:
        DataError: It is.
    """
    longest = max((len(value.encode("utf-8", "surrogatepass")) for value in (*values, *tags)), default=0)
    if longest > LONGEST or len(tags) > MOST_TAGS:
        raise DataError(
            f"The document {id_} has a title, other fact or passage of {longest} bytes, or {len(tags)} tags; Milvus "
            f"keeps at most {LONGEST} bytes and {MOST_TAGS} tags.",
            f"文档 {id_} 的标题、其他信息或段落长达 {longest} 字节，或有 {len(tags)} 个标签；Milvus 最多保存 {LONGEST} "
            f"字节和 {MOST_TAGS} 个标签。",
        )
