"""The peers: what each of them does, how it is asked, and what has to be installed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from index.errors import SettingError

_JIEBA = "jieba==0.42.1"  # by which most of them cut Chinese; they name it, and leave it to the user to install


@dataclass(frozen=True, slots=True)
class PeerKind:
    """A peer.

    Attributes:
        does: What its usual search goes by.
        served: Whether it is asked over HTTP; else it is a library.
        how: What a reader who knows it wants to know.
        packages: What pip installs.
        factor: How many times as many searches a second are wanted of us.
    """

    name: str
    does: Literal["hybrid", "dense", "words"]
    served: bool
    how: str
    packages: tuple[str, ...] = ()
    factor: float = 1.0


PEERS = (
    PeerKind(
        "txtai", "hybrid", True,
        "its API on uvicorn; hybrid and content on, FAISS as it chooses by size, BM25 over Unicode's words, which are "
        "single characters in Chinese",
        ("txtai[api]==9.14.0",), 10,
    ),
    PeerKind(
        "plain Flask", "dense", True,
        "SentenceTransformer.encode and IndexFlatIP for each query, texts in a list, on waitress with 8 threads", (), 5,
    ),
    PeerKind(
        "chromadb", "dense", False,
        "PersistentClient, HNSW; it has hybrid search in its cloud only", ("chromadb==1.5.9",),
    ),
    PeerKind(
        "lancedb", "hybrid", False,
        "HNSW over scalar-quantised vectors, full text by jieba/default, RRFReranker", ("lancedb==0.40.0", _JIEBA),
    ),
    PeerKind(
        "milvus-lite", "hybrid", False,
        "HNSW, BM25 function with the jieba tokenizer, RRFRanker(60); its makers offer it for trying Milvus out",
        ("pymilvus==3.0.2", "milvus-lite==3.2.2", _JIEBA),
    ),
    PeerKind(
        "SQLite FTS5", "words", False,
        "the trigram tokenizer, any trigram of the query, by bm25; unicode61 finds no word inside Chinese text",
    ),
    PeerKind("bm25s", "words", False, "words by jieba, NumPy backend", ("bm25s==0.3.16", _JIEBA)),
)  # fmt: skip


def peers_named(names: Sequence[str]) -> tuple[PeerKind, ...]:
    """The peers of these names, all where there are none.

    Raises:
        SettingError: There is no such peer.
    """
    known = {kind.name.casefold(): kind for kind in PEERS}
    for name in names:
        if name.casefold() not in known:
            every = [kind.name for kind in PEERS]
            raise SettingError(
                f"There is no peer {name!r}; choose of {', '.join(every)}.",
                f"没有 {name!r} 这个同类；可选：{'、'.join(every)}。",
            )
    return tuple(known[name.casefold()] for name in names) or PEERS
