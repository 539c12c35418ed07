"""What the service says when a model cannot be had: writes go through, answers and pages tell what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.ingest import record_source
from index.reranker import reranker_card
from index.reranking import RerankSettings
from service.app import create_app
from tests.index.tiny_models import bert_embedder, bert_reranker
from tests.service.conftest import RECORDS, CheckedClient


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckedClient]:
    """A service whose embedding model and reranker were lost."""
    folder = tmp_path_factory.mktemp("lost")
    for name in ("embedder", "reranker"):
        (folder / name).mkdir()
    model = bert_embedder(folder / "embedder", RECORDS[0]["text"])
    reranker = bert_reranker(folder / "reranker", [("植树", "植树", 1.0)], steps=1)
    corpus = Corpus.open(folder / "data", model=str(model), create=True)
    corpus.add([record_source(RECORDS[0], source="")])
    corpus.close()
    settings = RerankSettings(reranker_card(str(reranker)))
    shutil.rmtree(model)
    shutil.rmtree(reranker)
    corpus = Corpus.open(folder / "data", rerank=settings)
    app = create_app(corpus)
    app.test_client_class = CheckedClient
    yield app.test_client()
    corpus.close()


def test_a_document_is_taken_and_found_by_words(client: CheckedClient) -> None:
    written = client.post("/api/v1/documents", json={"id": "note-1", "text": "今年春天全市植树一百万棵。"})
    assert written.status_code == 201
    assert written.json is not None
    assert (written.json["added"], written.json["degraded"]) == (1, ["dense"])
    answer = client.get("/api/v1/search?q=植树").json
    assert answer is not None
    assert answer["hits"][0]["document"]["id"] == "note-1"
    assert answer["degraded"] == ["dense", "rerank"]
    assert answer["hits"][0]["scores"]["rerank"] is None


def test_the_page_says_that_words_alone_answered(client: CheckedClient) -> None:
    assert "语义检索暂时不可用" in client.get("/?q=汽车尾气").text
    assert "Search by meaning is not available" in client.get("/?q=汽车尾气&lang=en").text


def test_the_service_is_ready_all_the_same(client: CheckedClient) -> None:
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json is not None
    assert ready.json["reranker"].endswith("model")
    assert ready.json["reranker_state"] in {"waiting", "loading", "failed"}


def test_the_page_says_that_the_reranker_is_missing(tmp_path: Path) -> None:
    reranker = bert_reranker(tmp_path, [("植树", "植树", 1.0)], steps=1)
    corpus = Corpus.open(tmp_path / "data", create=True, rerank=RerankSettings(reranker_card(str(reranker))))
    corpus.add([record_source(RECORDS[0], source="")])
    shutil.rmtree(reranker)
    page = create_app(corpus).test_client().get("/?q=怎样减少汽车尾气").text
    assert "重排未能全部完成" in page
    assert "市区今冬少见蓝天" in page
    corpus.close()
