"""Rerankers: what they change, what they may cost, and that nothing is lost without them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.candidates import Ranked
from index.corpus import Corpus
from index.document import Answer, SearchRequest
from index.engine import Known
from index.errors import ModelError, SettingError
from index.fusion import CUT_OFF, Signals
from index.ingest import record_source
from index.reranker import RERANKERS, Reranker, reranker_card
from index.reranking import Reranking, RerankSettings, _ordered
from tests.conftest import Run
from tests.index.tiny_models import bert_reranker, qwen_reranker

QUERY = "老石桥什么时候重新开放"
TEXTS = {
    "bridge": "城南的老石桥昨天重新开放，桥面换了新石板。",
    "old": "老石桥建于清代，去年因为洪水关闭。",
    "again": "老石桥重新开放的日期要等验收之后再定。",
    "ferry": "渡口停航以后，大家都盼着过河的路早些通。",
}
WANTED = "ferry"  # which words and vectors alone would never put first
FOREVER = 1e8


@pytest.fixture(scope="module")
def contrary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder that has learnt to like one passage and to reject the others."""
    graded = [(QUERY, text, float(id_ == WANTED)) for id_, text in TEXTS.items()]
    return bert_reranker(tmp_path_factory.mktemp("contrary"), graded)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bridges") / "data"
    corpus = Corpus.open(folder, create=True)
    corpus.add([record_source({"id": id_, "text": text}, source="") for id_, text in TEXTS.items()])
    corpus.close()
    return folder


@pytest.fixture
def reranked(data: Path, contrary: Path) -> Iterator[Corpus]:
    corpus = Corpus.open(data, rerank=RerankSettings(reranker_card(str(contrary)), budget=600))
    assert corpus.reranking is not None
    corpus.reranking.load()
    yield corpus
    corpus.close()


def ids(answer: Answer) -> list[str]:
    return [hit.document.id for hit in answer.hits]


def plain_answer(data: Path, **settings: object) -> Answer:
    corpus = Corpus.open(data)
    answer = corpus.search(SearchRequest(QUERY, **settings))  # type: ignore[arg-type]
    corpus.close()
    return answer


# What it changes


def test_the_reranker_decides_the_order_and_the_tail(data: Path, reranked: Corpus) -> None:
    assert ids(plain_answer(data, min_score=0.0))[0] != WANTED
    answer = reranked.search(SearchRequest(QUERY))
    assert ids(answer) == [WANTED]  # what it rejects falls under the cut-off
    assert answer.degraded == ()
    assert not answer.weak
    everything = reranked.search(SearchRequest(QUERY, min_score=0.0))
    assert sorted(ids(everything)) == sorted(TEXTS)
    for hit in everything.hits:
        assert hit.scores.rerank is not None
        assert hit.score == hit.scores.rerank
        assert hit.scores.interaction is not None


def test_words_meaning_and_similar_passages_are_asked_for_as_they_are(data: Path, reranked: Corpus) -> None:
    for mode in ("lexical", "dense"):
        answer = reranked.search(SearchRequest(QUERY, mode))
        assert ids(answer) == ids(plain_answer(data, mode=mode))
        assert all(hit.scores.rerank is None for hit in answer.hits)
    without = reranked.search(SearchRequest(QUERY, without=frozenset({"rerank"})))
    assert ids(without) == ids(plain_answer(data))
    assert all(hit.scores.rerank is None for hit in reranked.similar("bridge:0").hits)


def test_only_the_best_candidates_are_looked_at(data: Path, contrary: Path) -> None:
    usual = ids(plain_answer(data, min_score=0.0))
    corpus = Corpus.open(data, rerank=RerankSettings(reranker_card(str(contrary)), depth=2, budget=600))
    assert corpus.reranking is not None
    corpus.reranking.load()
    answer = corpus.search(SearchRequest(QUERY, min_score=0.0))
    corpus.close()
    looked_at = {hit.document.id for hit in answer.hits if hit.scores.rerank is not None}
    assert looked_at == set(usual[:2])
    assert ids(answer)[2:] == usual[2:]


def test_a_status_tells_how_it_stands_with_the_reranker(data: Path, contrary: Path, reranked: Corpus) -> None:
    status = reranked.status()
    assert (status.reranker, status.reranker_state) == (str(contrary), "ready")
    bare = Corpus.open(data)
    assert (bare.status().reranker, bare.status().reranker_state) == ("", "none")
    bare.close()


# The rule of the order


@given(
    scores=st.lists(st.floats(0, 1, width=32), max_size=12),
    judged=st.lists(st.floats(0, 1, width=32), max_size=12),
    depth=st.integers(1, 12),
)
def test_scores_never_rise_and_nothing_is_lost_whatever_was_scored(
    scores: list[float], judged: list[float], depth: int
) -> None:
    size = len(scores)
    ranked = a_ranking(scores)
    judged = judged[: min(size, depth)]
    after = _ordered(ranked, np.arange(len(judged)), np.array(judged, np.float32), min(depth, size))
    assert sorted(after.numbers.tolist()) == list(range(size))
    assert np.all(np.diff(after.scores) <= 0)
    places = {number: place for place, number in enumerate(after.numbers.tolist())}
    for number, score in enumerate(judged):
        for other in range(len(judged), min(depth, size)):  # no time was left for it
            assert (places[number] < places[other]) == (np.float32(score) >= CUT_OFF)
        for beyond in range(depth, size):
            assert places[number] < places[beyond]


def a_ranking(scores: list[float]) -> Ranked:
    size = len(scores)
    numbers = np.arange(size, dtype=np.int64)
    values = np.array(sorted(scores, reverse=True), np.float32)
    nothing = np.zeros(size, np.float32)
    known = Known(numbers, numbers.astype(np.uint64), nothing, ())
    return Ranked(numbers, values, Signals(nothing, nothing, nothing, nothing), known)


# What it may cost


def test_no_time_leaves_the_ranking_as_it_was_and_says_so(data: Path, contrary: Path) -> None:
    corpus = Corpus.open(data, rerank=RerankSettings(reranker_card(str(contrary)), budget=1e-9))
    assert corpus.reranking is not None
    corpus.reranking.load()
    answer = corpus.search(SearchRequest(QUERY))
    corpus.close()
    assert answer.degraded == ("rerank",)
    assert answer.hits == plain_answer(data).hits


def test_what_there_was_no_time_for_is_left_out_and_that_is_said(
    reranked: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count()
    monkeypatch.setattr("index.reranker.perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr("index.reranking.perf_counter", lambda: float(next(clock)))
    assert reranked.reranking is not None
    reranked.reranking.settings = RerankSettings(reranked.reranking.settings.card, budget=5)
    answer = reranked.search(SearchRequest(QUERY, min_score=0.0))
    assert answer.degraded == ("rerank-partial",)
    looked_at = [hit.scores.rerank is not None for hit in answer.hits]
    assert 0 < sum(looked_at) < len(looked_at)


def test_a_query_does_not_wait_for_the_model_to_be_loaded(data: Path, contrary: Path) -> None:
    corpus = Corpus.open(data, rerank=RerankSettings(reranker_card(str(contrary)), budget=600))
    assert corpus.reranking is not None
    assert corpus.status().reranker_state == "waiting"
    with corpus.reranking._lock:  # as while somebody loads it
        answer = corpus.search(SearchRequest(QUERY))
    assert answer.degraded == ("rerank",)
    assert answer.hits == plain_answer(data).hits
    corpus.search(SearchRequest(QUERY))  # begins to load it
    corpus.reranking.load()
    assert ids(corpus.search(SearchRequest(QUERY))) == [WANTED]
    corpus.close()


def test_long_queries_and_passages_are_cut_to_what_the_model_can_read(contrary: Path) -> None:
    model = Reranker(reranker_card(str(contrary)))
    scores = model.scores("老石桥" * 600, ["渡口" * 2_000, "桥"], FOREVER)
    assert scores.shape == (2,)
    assert np.all((scores >= 0) & (scores <= 1))


# Which models there are


def test_the_score_is_one_sigmoid_of_the_logit_whatever_the_folder_says(contrary: Path, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    bare = CrossEncoder(str(contrary), device="cpu", activation_fn=Identity())
    bare.save_pretrained(str(tmp_path / "bare"))
    pairs = [(QUERY, text) for text in TEXTS.values()]
    expected = 1 / (1 + np.exp(-bare.predict(pairs)))
    for folder in (contrary, tmp_path / "bare"):
        model = Reranker(reranker_card(str(folder)))
        np.testing.assert_allclose(model.scores(QUERY, list(TEXTS.values()), FOREVER), expected, atol=1e-5)


def test_a_causal_model_scores_by_its_yes_against_its_no(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = qwen_reranker(tmp_path, QUERY + "".join(TEXTS.values()))
    scores = Reranker(reranker_card(str(folder))).scores(QUERY, list(TEXTS.values()), FOREVER)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForCausalLM.from_pretrained(folder).eval()
    for text, score in zip(TEXTS.values(), scores, strict=True):
        roles = [{"role": "query", "content": QUERY}, {"role": "document", "content": text}]
        tokens = tokenizer.apply_chat_template(roles, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = network(tokens).logits[0, -1]
        yes, no = (float(logits[tokenizer.convert_tokens_to_ids(word)]) for word in ("yes", "no"))
        assert score == pytest.approx(1 / (1 + np.exp(no - yes)), abs=1e-4)


def test_a_causal_model_that_takes_no_pairs_is_told_when_it_is_loaded(tmp_path: Path) -> None:
    users_only = "{% for m in messages if m['role'] == 'user' %}{{ m['content'] }}{% endfor %}"
    folder = qwen_reranker(tmp_path, QUERY, users_only)
    with pytest.raises(ModelError, match="cannot carry"):
        Reranker(reranker_card(str(folder)))


def test_the_models_of_the_design_can_be_chosen() -> None:
    assert set(RERANKERS) >= {"BAAI/bge-reranker-v2-m3", "BAAI/bge-reranker-base", "Qwen/Qwen3-Reranker-0.6B"}
    assert reranker_card("BAAI/bge-reranker-base@2cfc18c").revision == "2cfc18c"


# Measured


def test_a_suite_is_measured_with_and_without_the_reranker(contrary: Path, tmp_path: Path, command: Run) -> None:
    folder = tmp_path / "suite" / "bridges"
    folder.mkdir(parents=True)

    def write(name: str, *records: dict[str, str]) -> None:
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / name).write_text("".join(lines), encoding="utf-8")

    write("corpus.jsonl", *({"_id": id_, "text": text} for id_, text in TEXTS.items()))
    write("queries.jsonl", {"_id": "q", "text": QUERY})
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\nq\t{WANTED}\t1\n", encoding="utf-8")
    patient = {"XUNZHANG_RERANK_MS": "600000"}
    ran = command("evaluate", "--suite", folder.parent, "--json", "--reranker", contrary, **patient)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout)
    assert figures["+ reranker"]["mrr@10"] == 1
    assert figures["hybrid"]["mrr@10"] < 1
    missing = command("evaluate", "--suite", folder.parent, "--reranker", "BAAI/bge-reranker-base", HF_HUB_OFFLINE="1")
    assert missing.returncode == 2  # what cannot be loaded is not measured
    assert "BAAI/bge-reranker-base cannot be loaded" in missing.stderr


# Without it


def test_an_unknown_reranker_is_refused_with_those_there_are() -> None:
    for name in ("bge-reranker", "BAAI/bge-reranker-base@", "/nowhere"):
        with pytest.raises(SettingError, match="BAAI/bge-reranker-v2-m3"):
            RerankSettings.from_environment({"XUNZHANG_RERANKER": name})


@pytest.mark.parametrize("setting", [{"XUNZHANG_RERANK_MS": "fast"}, {"XUNZHANG_RERANK_DEPTH": "0"}])
def test_an_unusable_setting_is_refused_by_its_name(setting: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=next(iter(setting))):
        RerankSettings.from_environment({"XUNZHANG_RERANKER": "BAAI/bge-reranker-base", **setting})
    with pytest.raises(SettingError, match=next(iter(setting))):  # also where it is for nothing
        RerankSettings.from_environment(setting)


def test_no_reranker_is_the_default_and_can_be_asked_for() -> None:
    assert RerankSettings.from_environment({}) is None
    assert RerankSettings.from_environment({"XUNZHANG_RERANKER": "BAAI/bge-reranker-base"}, "") is None


def test_an_archive_whose_reranker_is_gone_answers_without_it_and_the_log_says_why(
    data: Path, contrary: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(contrary, tmp_path / "reranker"))
    corpus = Corpus.open(data, rerank=RerankSettings(reranker_card(str(folder))))
    assert corpus.reranking is not None
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match="is gone"):
        corpus.reranking.load()
    answer = corpus.search(SearchRequest(QUERY))
    assert answer.degraded == ("rerank",)
    assert answer.hits == plain_answer(data).hits
    assert corpus.status().reranker_state == "failed"
    with pytest.raises(ModelError, match="is gone"):
        corpus.reranking.load()  # again, as a service does every minute
    (record,) = [record for record in caplog.records if record.name == "xunzhang.index"]
    assert record.getMessage().startswith("Searches go without the reranker: ")
    assert "is gone" in record.getMessage()
    corpus.close()


def test_a_classifier_of_several_labels_is_no_reranker(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    from tests.index.tiny_models import vocabulary

    file, size = vocabulary(tmp_path, QUERY)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertForSequenceClassification(BertConfig(vocab_size=size, num_labels=3, **shape)).save_pretrained(tmp_path / "nli")
    BertTokenizerFast(vocab=str(file)).save_pretrained(tmp_path / "nli")
    with pytest.raises(ModelError, match="3 numbers"):
        Reranking(RerankSettings(reranker_card(str(tmp_path / "nli")))).load()
