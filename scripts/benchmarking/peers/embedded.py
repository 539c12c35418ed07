"""Peers that are libraries, each built and asked as its own documentation does it for Chinese.

Imported in the peers' environment only. All get the same passages and vectors; a query they encode with
sentence-transformers, as their users do. Where they cut words, it is by jieba if they can.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Found = list[tuple[int, str]]  # places of passages, best first, with their texts
_AT_ONCE = 5_000


class Peer(Protocol):
    """A library holding passages in a folder of its own.

    Args:
        folder: An empty folder.
        model: Where the embedding model lies.
    """

    def __init__(self, folder: Path, model: str) -> None: ...

    def build(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Take the passages in and make what the library needs to search them fast."""
        ...

    def search(self, query: str, limit: int) -> Found:
        """The best passages for a query."""
        ...


class _Dense:
    """What peers that compare vectors share: the encoder."""

    def __init__(self, folder: Path, model: str) -> None:
        from sentence_transformers import SentenceTransformer

        self.folder = folder
        self._encoder = SentenceTransformer(model, device="cpu")

    def encode(self, query: str) -> list[float]:
        """The query's unit vector."""
        return self._encoder.encode(query, normalize_embeddings=True).tolist()  # type: ignore[no-any-return]


class Chroma(_Dense):
    """chromadb: its HNSW index. It has no hybrid search except in its cloud."""

    def build(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Take the passages in."""
        import chromadb

        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(str(self.folder), settings=settings)
        self._collection = client.create_collection(
            "passages", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )
        for start in range(0, len(texts), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            ids = [str(place) for place in range(len(texts))[some]]
            self._collection.add(ids=ids, embeddings=vectors[some], documents=list(texts[some]))

    def search(self, query: str, limit: int) -> Found:
        """Nearest neighbours."""
        found = self._collection.query(
            query_embeddings=[self.encode(query)], n_results=limit, include=["documents", "distances"]
        )
        return [(int(id_), text) for id_, text in zip(found["ids"][0], found["documents"][0], strict=True)]


class Lance(_Dense):
    """lancedb: HNSW over scalar-quantised vectors, full text by jieba, joined by its reciprocal ranks."""

    def build(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Take the passages in and make both indexes."""
        words = self.folder / "models" / "jieba" / "default"
        words.mkdir(parents=True)
        shutil.copy(_dictionary(), words / "dict.txt")  # what lance's own download command would fetch
        os.environ["LANCE_LANGUAGE_MODEL_HOME"] = str(self.folder / "models")
        import lancedb
        import pyarrow as pa
        from lancedb.index import FTS, HnswSq
        from lancedb.rerankers import RRFReranker

        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        rows = pa.table({"id": pa.array(range(len(texts))), "text": pa.array(texts), "vector": flat})
        self._table = lancedb.connect(self.folder / "db").create_table("passages", rows)
        self._table.create_index("vector", config=HnswSq(distance_type="cosine"))
        chinese = FTS(base_tokenizer="jieba/default", stem=False, remove_stop_words=False)
        self._table.create_index("text", config=chinese)
        self._joined = RRFReranker()

    def search(self, query: str, limit: int) -> Found:
        """Both searches, joined."""
        found = (
            self._table.search(query_type="hybrid", vector_column_name="vector", fts_columns="text")
            .vector(self.encode(query))
            .text(query)
            .rerank(self._joined)
            .limit(limit)
            .select(["id", "text"])
            .to_list()
        )
        return [(row["id"], row["text"]) for row in found]


class Milvus(_Dense):
    """milvus-lite: HNSW, BM25 over jieba's words, joined by its reciprocal ranks."""

    def build(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Take the passages in and make both indexes."""
        from pymilvus import DataType, Function, FunctionType, MilvusClient

        self._client = MilvusClient(str(self.folder / "peer.db"))
        schema = MilvusClient.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field(
            "text", DataType.VARCHAR, max_length=65_535, enable_analyzer=True, analyzer_params={"tokenizer": "jieba"}
        )
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=vectors.shape[1])
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(Function("bm25", FunctionType.BM25, ["text"], ["words"]))
        indexes = MilvusClient.prepare_index_params()
        how = {"M": 16, "efConstruction": 200}
        indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=how)
        indexes.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        self._client.create_collection("passages", schema=schema, index_params=indexes)
        for start in range(0, len(texts), _AT_ONCE):
            places = range(len(texts))[start : start + _AT_ONCE]
            rows = [{"id": place, "text": texts[place], "vector": vectors[place].tolist()} for place in places]
            self._client.insert("passages", rows)
        self._client.flush("passages")
        self._client.load_collection("passages")

    def search(self, query: str, limit: int) -> Found:
        """Both searches, joined."""
        from pymilvus import AnnSearchRequest, RRFRanker

        near = {"metric_type": "COSINE", "params": {"ef": max(64, 2 * limit)}}
        (found,) = self._client.hybrid_search(
            "passages",
            [
                AnnSearchRequest([self.encode(query)], "vector", near, limit),
                AnnSearchRequest([query], "words", {"metric_type": "BM25"}, limit),
            ],
            RRFRanker(60),
            limit,
            output_fields=["text"],
        )
        return [(hit["id"], hit["entity"]["text"]) for hit in found]


class Fts5:
    """SQLite FTS5 by trigrams, the only tokenizer it brings that finds words inside Chinese text.

    ``unicode61`` takes everything between two punctuation marks for one word. A query is asked as any of its
    trigrams, because as a phrase a question is found nowhere.
    """

    def __init__(self, folder: Path, model: str) -> None:  # noqa: ARG002 - it knows no vectors
        self._file = folder / "peer.db"
        self._each = threading.local()

    def build(self, texts: Sequence[str], vectors: Vectors) -> None:  # noqa: ARG002
        """Take the passages in."""
        connection = self._connection()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE VIRTUAL TABLE passages USING fts5(text, tokenize = 'trigram')")
        with connection:
            connection.executemany("INSERT INTO passages (rowid, text) VALUES (?, ?)", enumerate(texts))
            connection.execute("INSERT INTO passages (passages) VALUES ('optimize')")

    def search(self, query: str, limit: int) -> Found:
        """The best by BM25."""
        runs = re.findall(r"\w+", query)
        grams = dict.fromkeys(run[at : at + 3] for run in runs for at in range(len(run) - 2))
        if not grams:
            return []
        any_of = " OR ".join(f'"{gram}"' for gram in grams)
        found = self._connection().execute(
            "SELECT rowid, text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?", (any_of, limit)
        )
        return found.fetchall()

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._each, "connection"):
            self._each.connection = sqlite3.connect(self._file)
        return self._each.connection  # type: ignore[no-any-return]


class Bm25s:
    """bm25s over jieba's words."""

    def __init__(self, folder: Path, model: str) -> None:  # noqa: ARG002 - it knows no vectors
        import jieba

        jieba.initialize()
        self._cut: Any = jieba.lcut

    def build(self, texts: Sequence[str], vectors: Vectors) -> None:  # noqa: ARG002
        """Take the passages in."""
        import bm25s

        self._texts = texts
        self._index = bm25s.BM25()
        self._index.index([self._words(text) for text in texts], show_progress=False)

    def search(self, query: str, limit: int) -> Found:
        """The best by BM25."""
        known = [word for word in self._words(query) if word in self._index.vocab_dict]
        if not known:
            return []
        places, _ = self._index.retrieve([known], k=min(limit, len(self._texts)), show_progress=False)
        return [(int(place), self._texts[place]) for place in places[0]]

    def _words(self, text: str) -> list[str]:
        return [word for word in self._cut(text.lower()) if not word.isspace()]


def _dictionary() -> Path:
    """The dictionary that comes with jieba."""
    import jieba

    return Path(jieba.__file__).parent / "dict.txt"


LIBRARIES: dict[str, type[Peer]] = {
    "chromadb": Chroma,
    "lancedb": Lance,
    "milvus-lite": Milvus,
    "SQLite FTS5": Fts5,
    "bm25s": Bm25s,
}
