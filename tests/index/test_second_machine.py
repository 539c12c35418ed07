"""An adapted archive in Milvus and a second machine: its model is not there, is copied there, and becomes another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from index.corpus import Corpus
from index.document import SearchRequest
from index.errors import ModelError
from index.model_cards import COMPACT
from index.model_choice import adapted_name
from index.moving import move
from index.wordtable import WordTable
from tests.index.milvus_archive import found, in_milvus, put
from tests.index.texts import BRIDGE, HARBOUR


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Corpus]:
    """The machine that adapted the archive."""
    with in_milvus(tmp_path) as corpus:
        put(corpus, bridge=BRIDGE, harbour=HARBOUR)
        adapt(corpus)
        yield corpus


@pytest.fixture
def second(first: Corpus, tmp_path: Path) -> Iterator[Corpus]:
    """Another one, with a data directory of its own."""
    with closing(Corpus.open(tmp_path / "second", engine=engine_of(first))) as corpus:
        yield corpus


def engine_of(corpus: Corpus) -> str:
    return corpus.status().engine


def adapt(corpus: Corpus) -> None:
    """As ``train_model --adapt`` does, but with nothing learned: the last word of the table became another."""
    fresh = Path(shutil.copytree(COMPACT, corpus.data / "adapting"))
    tensors = load_file(fresh / "model.safetensors")
    tensors["embeddings"][-1] += 1
    save_file(tensors, fresh / "model.safetensors")
    name = adapted_name(WordTable.read(fresh).fingerprint)
    fresh.rename(corpus.data / name)
    corpus.rebuild(model=name)


def copy_model(origin: Corpus, target: Corpus) -> None:
    shutil.copytree(origin.data / origin.model, target.data / origin.model)


def degraded(corpus: Corpus) -> tuple[str, ...]:
    return corpus.search(SearchRequest("老石桥")).degraded


def test_a_machine_without_the_model_answers_by_words_and_publishes_nothing(first: Corpus, second: Corpus) -> None:
    assert found(second, "老石桥") == ["bridge"]
    assert degraded(second) == ("dense",)
    generation = first.status().generation
    assert not second.catch_up()
    with pytest.raises(ModelError, match=f"copy the folder {first.model} .* to {second.data / first.model}") as told:
        put(second, late=BRIDGE)
    assert f"复制为 {second.data / first.model}" in told.value.chinese
    assert not first.catch_up()
    assert first.status().generation == second.status().generation == generation
    assert second.status().pending == 0
    assert second.verify() == []


def test_a_machine_without_the_model_removes_and_another_publishes_it(first: Corpus, second: Corpus) -> None:
    assert second.remove(["bridge"]) == 1
    assert found(second, "老石桥", mode="lexical") == []
    assert not second.catch_up()
    assert first.catch_up()
    assert first.verify() == []
    assert not second.catch_up()


def test_copying_the_model_is_enough(first: Corpus, second: Corpus) -> None:
    assert degraded(second) == ("dense",)
    copy_model(first, second)
    put(second, late="新学期开始，学校食堂每天公布菜谱。")
    assert degraded(second) == ()
    assert "late" in found(first, "学校食堂")
    assert not first.catch_up()
    assert not second.catch_up()
    assert first.table.fingerprint == second.table.fingerprint
    assert first.verify() == []


def test_a_machine_whose_model_cannot_be_loaded_follows_all_the_same(first: Corpus, second: Corpus) -> None:
    assert degraded(second) == ("dense",)
    first.rebuild(model="compact")
    assert degraded(second) == ()
    assert second.model == "compact"


def test_a_machine_that_has_loaded_no_model_yet_follows(tmp_path: Path) -> None:
    with in_milvus(tmp_path) as first:
        put(first, bridge=BRIDGE)
        with closing(Corpus.open(tmp_path / "second", engine=engine_of(first))) as second:
            adapt(first)
            assert degraded(second) == ("dense",)
            assert second.model == first.model
            assert not second.catch_up()


def test_moving_into_another_directory_takes_the_model_along(first: Corpus, tmp_path: Path) -> None:
    move(first.data, engine_of(first), "local", into=tmp_path / "moved")
    with closing(Corpus.open(tmp_path / "moved")) as moved:
        assert degraded(moved) == ()
        assert moved.table.fingerprint == first.table.fingerprint
        assert not moved.catch_up()
