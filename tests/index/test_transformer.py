"""The small transformer of ``train_model --transformer``: a few steps of a tiny one, on tiny training files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import open_encoder
from index.ingest import record_source
from index.model_cards import model_card
from index.training.transformer import Network, Shape
from index.training.transformer_pipeline import TransformerSettings, train_transformer
from scripts import train_model as command
from tests.index.training_data import WORDS, paragraph, write_training_data

TINY = TransformerSettings(seed=3).changed(
    {
        "tokens": 2_600, "latin": 60, "width": 32, "layers": 2, "heads": 2, "inner": 64, "positions": 128,
        "masked_steps": 60, "pair_steps": 200, "masked_batch": 16, "pair_batch": 16,
        "masked_rate": 2e-3, "pair_rate": 3e-3, "stretch": 64,
    }
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_data(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[float]]]:
    folder = tmp_path_factory.mktemp("transformer")
    losses = train_transformer(data, folder / "model", folder / "work", TINY)
    return folder / "model", losses


def test_both_stages_learn(trained: tuple[Path, dict[str, list[float]]]) -> None:
    masked, paired = trained[1]["masked"], trained[1]["pairs"]
    assert (len(masked), len(paired)) == (60, 200)
    assert np.mean(masked[-20:]) < 0.9 * np.mean(masked[:20])
    assert np.mean(paired[-20:]) < 0.7 * np.mean(paired[:20])


def test_the_folder_is_a_model_like_any_other(trained: tuple[Path, dict[str, list[float]]], tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", model=str(trained[0]), create=True)
    corpus.add([record_source({"id": f"d{place}", "text": paragraph(word)}, source="") for place, word in
                enumerate(WORDS)])  # fmt: skip
    assert corpus.status().dimension == 32
    found = [
        corpus.search(SearchRequest(f"{word}几点开门？", "dense", min_score=0.0)).hits[0].document.id for word in WORDS
    ]
    right = sum(id_ == f"d{place}" for place, id_ in enumerate(found))
    assert right >= len(WORDS) - 1  # what it was taught
    assert corpus.verify() == []
    corpus.close()


def test_it_reads_tokens_as_it_was_trained_to(trained: tuple[Path, dict[str, list[float]]]) -> None:
    encoder = open_encoder(model_card(str(trained[0])))
    alone, spaced, traditional = encoder.queries(["图书馆去年开放", "图书馆 去年 开放", "圖書館去年開放"])
    np.testing.assert_allclose(alone, spaced, atol=1e-5)  # folded by our own tokenizer
    np.testing.assert_allclose(alone, traditional, atol=1e-5)
    together = encoder.documents(["图书馆", paragraph("图书馆") * 20], [])  # padded; and longer than it reads
    np.testing.assert_allclose(together[0], encoder.queries(["图书馆"])[0], atol=1e-5)


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(data: Path, tmp_path: Path) -> None:
    plan = replace(TINY.plan, masked_steps=6, pair_steps=6)
    settings = replace(TINY, plan=plan)
    whole = train_transformer(data, tmp_path / "whole", tmp_path / "one", settings)

    stopped = pytest.MonkeyPatch()
    stopped.setattr("index.training.pretraining._EVERY", 2)
    stopped.setattr("index.training.pretraining.in_batch_loss", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_transformer(data, tmp_path / "parts", tmp_path / "two", settings)
    stopped.undo()
    parts = train_transformer(data, tmp_path / "parts", tmp_path / "two", settings)
    assert parts["masked"] == []  # all taken before the interruption
    np.testing.assert_allclose(parts["pairs"], whole["pairs"], rtol=1e-4)
    first, second = (open_encoder(model_card(str(tmp_path / name))).queries(["图书馆"]) for name in ("whole", "parts"))
    np.testing.assert_allclose(first, second, atol=1e-4)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_size_is_what_the_design_allows() -> None:
    assert 20_000_000 < Network(Shape()).parameters_count <= 25_000_000


def test_the_command_trains_one_and_goes_on(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--tokens", "2600", "--latin", "60", "--width", "12", "--layers", "1", "--batch", "4"]
    steps = ["--masked-steps", "2", "--pair-steps", "2"]
    work = ["--transformer", "--data", data, "--work", tmp_path / "work"]
    assert command.main([str(word) for word in (*work, *small, *steps)]) == 0
    assert f"The model is in {tmp_path / 'work' / 'transformer'}." in capsys.readouterr().out
    assert open_encoder(model_card(str(tmp_path / "work" / "transformer"))).dimension == 12
