"""An archive that Milvus keeps: one in a file, and how any is filled and searched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.corpus import Corpus
from index.document import SearchRequest
from index.ingest import record_source


@contextmanager
def in_milvus(place: Path) -> Iterator[Corpus]:
    """An empty archive while the block runs, kept by Milvus Lite in a file of this folder."""
    corpus = Corpus.open(place / "data", engine=f"milvus:{place / 'archive.db'}", create=True)
    yield corpus
    corpus.close()


def put(corpus: Corpus, **texts: str) -> None:
    corpus.add([record_source({"id": id_, "text": text}, source="") for id_, text in texts.items()])


def found(corpus: Corpus, query: str, **settings: object) -> list[str]:
    request = SearchRequest(query, min_score=0.0, limit=100, **settings)  # type: ignore[arg-type]
    return [hit.document.id for hit in corpus.search(request).hits]
