"""An archive keeps to the model it was made with, and changes it only when told to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import open_encoder
from index.errors import ModelError, ModelMismatchError, SettingError
from index.ingest import record_source
from index.model_cards import MODELS, chosen_name, model_card
from tests.index.tiny_models import bert_embedder

TEXTS = {"bridge": "城南的老石桥昨天重新开放。", "harbour": "渔港的六百条渔船全部回港。"}


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model with random weights: 16 dimensions, one layer, mean pooling."""
    return bert_embedder(tmp_path_factory.mktemp("tiny"), "".join(TEXTS.values()) + "老石桥查询：query: passage:渔")


@pytest.fixture
def bridges(tmp_path: Path) -> Iterator[Corpus]:
    corpus = Corpus.open(tmp_path / "data", create=True)
    corpus.add([record_source({"id": id_, "text": text}, source="") for id_, text in TEXTS.items()])
    yield corpus
    corpus.close()


def test_another_model_is_refused_with_the_command_that_changes_it(bridges: Corpus, tiny_model: Path) -> None:
    with pytest.raises(ModelMismatchError) as refused:
        Corpus.open(bridges.data, model=str(tiny_model))
    command = f"python -m scripts.manage rebuild --data {bridges.data} --model {tiny_model}"
    assert command in refused.value.english
    assert command in refused.value.chinese


def test_the_model_may_be_named_again(bridges: Corpus) -> None:
    again = Corpus.open(bridges.data, model="compact")
    assert again.model == "compact"
    again.close()


def test_an_unknown_model_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="intfloat/multilingual-e5-small"):
        Corpus.open(tmp_path / "data", model="gpt-9", create=True)


def test_rebuilding_with_another_model_changes_everything_but_the_texts(bridges: Corpus, tiny_model: Path) -> None:
    before = bridges.document("bridge")
    bridges.rebuild(model=str(tiny_model))
    status = bridges.status()
    assert (status.model, status.dimension, status.pending) == (str(tiny_model), 16, 0)
    assert bridges.verify() == []
    assert bridges.document("bridge") == before
    answer = bridges.search(SearchRequest(TEXTS["bridge"], "dense", min_score=0.0))
    assert answer.hits[0].document.id == "bridge"
    assert answer.model == str(tiny_model)

    again = Corpus.open(bridges.data)  # it is the archive's model now
    assert again.model == str(tiny_model)
    assert again.add([record_source({"id": "new", "text": "老石桥，新石桥。"}, source="")]).encoded == 1
    assert again.verify() == []
    again.close()
    with pytest.raises(ModelMismatchError):
        Corpus.open(bridges.data, model="compact")

    bridges.rebuild(model="compact")
    assert bridges.status().dimension == open_encoder(model_card("compact")).dimension
    assert bridges.verify() == []


def test_a_model_whose_files_changed_is_not_mixed_with_the_old(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    corpus = Corpus.open(tmp_path / "data", model=str(model), create=True)
    corpus.add([record_source({"id": "bridge", "text": TEXTS["bridge"]}, source="")])
    corpus.close()
    (weights,) = model.rglob("model.safetensors")
    save_file({name: tensor + torch.ones(()) for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})

    changed = Corpus.open(tmp_path / "data")
    with pytest.raises(ModelMismatchError, match="rebuild"):
        changed.add([record_source({"id": "harbour", "text": TEXTS["harbour"]}, source="")])
    changed.rebuild()
    assert changed.verify() == []
    changed.close()


def test_prompts_are_put_before_queries_and_before_passages(tiny_model: Path) -> None:
    plain = open_encoder(model_card(str(tiny_model)))
    card = replace(model_card(str(tiny_model)), query_prompt="query: ", document_prompt="passage: ")
    prompted = open_encoder(card)
    text = TEXTS["bridge"]
    none: list[np.ndarray] = [np.empty(0, np.uint32)]
    np.testing.assert_allclose(prompted.queries([text]), plain.queries([f"query: {text}"]), atol=1e-6)
    np.testing.assert_allclose(prompted.documents([text], none), plain.documents([f"passage: {text}"], none), atol=1e-6)
    assert not np.allclose(prompted.queries([text]), plain.queries([text]), atol=1e-3)
    assert prompted.fingerprint != plain.fingerprint  # their vectors must never meet in one archive


def test_models_that_need_prompts_have_them() -> None:
    for size in ("small", "base", "large"):
        card = MODELS[f"intfloat/multilingual-e5-{size}"]
        assert (card.query_prompt, card.document_prompt) == ("query: ", "passage: ")
    assert MODELS["BAAI/bge-small-zh-v1.5"].query_prompt
    assert not MODELS["BAAI/bge-small-zh-v1.5"].document_prompt
    assert "Query:" in MODELS["Qwen/Qwen3-Embedding-0.6B"].query_prompt


def test_code_of_a_model_is_not_run_unless_allowed() -> None:
    with pytest.raises(SettingError, match="XUNZHANG_REMOTE_CODE=1"):
        open_encoder(MODELS["Alibaba-NLP/gte-multilingual-base"])


# Narrower names: a commit, a dimension


def test_a_model_may_be_named_with_a_commit_and_a_dimension() -> None:
    card = model_card("Qwen/Qwen3-Embedding-0.6B@97b0c61:256")
    assert (card.location, card.revision, card.dimension) == ("Qwen/Qwen3-Embedding-0.6B", "97b0c61", 256)
    assert card.query_prompt == MODELS["Qwen/Qwen3-Embedding-0.6B"].query_prompt


@pytest.mark.parametrize("name", ["BAAI/bge-m3@", "BAAI/bge-m3:", "BAAI/bge-m3:2048", "BAAI/bge-m3:0", "compact@main"])
def test_a_name_that_is_narrowed_wrongly_is_refused(name: str) -> None:
    with pytest.raises(SettingError):
        model_card(name)


def test_the_settings_narrow_the_model_that_is_named(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    monkeypatch.setenv("XUNZHANG_REVISION", "5617a9f")
    assert chosen_name("BAAI/bge-m3") == "BAAI/bge-m3@5617a9f"
    assert chosen_name("BAAI/bge-m3@2cfc18c") == "BAAI/bge-m3@2cfc18c"
    assert chosen_name(str(tiny_model)) == str(tiny_model)  # a folder has no commits
    assert chosen_name("compact") == "compact"
    monkeypatch.setenv("XUNZHANG_DIMENSION", "256")
    assert chosen_name("BAAI/bge-m3") == "BAAI/bge-m3@5617a9f:256"
    assert chosen_name("compact") == "compact"
    assert chosen_name("BAAI/bge-m3:512") == "BAAI/bge-m3@5617a9f:512"


def test_a_folder_is_remembered_by_its_whole_path(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    monkeypatch.chdir(tiny_model.parent)
    assert chosen_name("model") == str(tiny_model)
    assert chosen_name("./model:8") == f"{tiny_model}:8"


def test_shorter_vectors_are_the_beginnings_of_the_long_ones(tiny_model: Path, tmp_path: Path) -> None:
    whole = open_encoder(model_card(str(tiny_model))).queries([TEXTS["bridge"]])[0][:8]
    short = open_encoder(model_card(f"{tiny_model}:8"))
    assert short.dimension == 8
    np.testing.assert_allclose(short.queries([TEXTS["bridge"]])[0], whole / np.linalg.norm(whole), atol=1e-6)

    corpus = Corpus.open(tmp_path / "data", model=f"{tiny_model}:8", create=True)
    corpus.add([record_source({"id": id_, "text": text}, source="") for id_, text in TEXTS.items()])
    assert corpus.status().dimension == 8
    assert corpus.search(SearchRequest(TEXTS["bridge"], "dense", min_score=0.0)).hits[0].document.id == "bridge"
    corpus.close()
    with pytest.raises(ModelMismatchError, match="manage rebuild"):
        Corpus.open(tmp_path / "data", model=str(tiny_model))


def test_more_numbers_than_a_model_gives_are_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="gives vectors of 16 numbers"):
        open_encoder(model_card(f"{tiny_model}:32"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('{"unrelated": 0.8, "related": 0.9, "words": 0.3, "interaction": 0.2}', (0.8, 0.9, 0.3, 0.2)),
        ('{"unrelated": 0.9, "related": 0.8, "words": 0.3, "interaction": 0.2}', (0.15, 0.55, 0.6, 0.4)),
        ('{"unrelated": 0.8, "related": 0.9, "words": "0.3", "interaction": 0.2}', (0.15, 0.55, 0.6, 0.4)),
        ('{"unrelated": 0.8}', (0.15, 0.55, 0.6, 0.4)),
        ("no JSON", (0.15, 0.55, 0.6, 0.4)),
    ],
)
def test_a_folder_says_what_its_cosines_are_worth_or_nothing_of_it_counts(
    said: str, expected: tuple[float, ...], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "xunzhang.json").write_text(said, encoding="utf-8")
    card = model_card(str(tmp_path))
    assert (card.unrelated, card.related, card.weights.words, card.weights.interaction) == expected
