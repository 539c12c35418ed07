"""An archive whose model cannot be had: words find everything, new documents too; vectors follow when it is back."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from index import model_choice
from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import Encoder
from index.engine.local import LocalEngine
from index.errors import ModelError, ModelMismatchError
from index.ingest import Source, record_source
from index.model_cards import ModelCard
from index.upkeep import Upkeep
from tests.conftest import Run
from tests.index.tiny_models import bert_embedder

TEXTS = {
    "bridge": "城南的老石桥昨天重新开放。",
    "harbour": "渔港的六百条渔船全部回港。",
    "school": "山里的小学今天开学了。",
    "rice": "再生稻一季能收两次。",
}


@pytest.fixture(scope="module")
def _embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_embedder(tmp_path_factory.mktemp("embedder"), "".join(TEXTS.values()))


@pytest.fixture
def model(_embedder: Path, tmp_path: Path) -> Path:
    """A model's folder, to be lost."""
    return Path(shutil.copytree(_embedder, tmp_path / "model"))


def sources(*ids: str) -> list[Source]:
    return [record_source({"id": id_, "text": TEXTS[id_]}, source="") for id_ in ids]


def found(corpus: Corpus, query: str, **settings: object) -> tuple[list[str], tuple[str, ...]]:
    answer = corpus.search(SearchRequest(query, min_score=0.0, **settings))  # type: ignore[arg-type]
    return [hit.document.id for hit in answer.hits], answer.degraded


@pytest.fixture
def lost(model: Path, tmp_path: Path) -> Corpus:
    """An archive with two documents, whose model was then taken away, and two more."""
    corpus = Corpus.open(tmp_path / "data", model=str(model), create=True)
    assert corpus.add(sources("bridge", "harbour")).trouble is None
    corpus.close()
    shutil.move(model, model.with_name("elsewhere"))
    corpus = Corpus.open(tmp_path / "data")
    summary = corpus.add(sources("school", "rice"))
    assert (summary.added, summary.encoded) == (2, 0)
    assert summary.trouble is not None
    assert "is gone" in summary.trouble.english
    return corpus


def give_back(model: Path) -> None:
    shutil.move(model.with_name("elsewhere"), model)


def test_new_documents_are_found_by_words_and_marked(lost: Corpus) -> None:
    ids, degraded = found(lost, "小学开学")
    assert ids[0] == "school"
    assert degraded == ("dense",)
    (hit, *_) = lost.search(SearchRequest("小学开学")).hits  # above the cut-off
    assert hit.scores.interaction is not None
    assert hit.scores.interaction > 0.5  # rescored by the bundled word table, as old ones are
    assert "小学" in "".join(part.text for part in hit.segments if part.mark == "word")
    assert lost.status().pending == 2
    (problem,) = lost.verify()
    assert "manage encode" in problem


def test_documents_can_be_removed_and_changed(lost: Corpus) -> None:
    assert lost.remove(["bridge", "rice"]) == 2
    lost.add([record_source({"id": "school", "text": "山里的小学今天放假了。"}, source="")])
    assert found(lost, "放假")[0] == ["school"]
    assert found(lost, "老石桥")[0] == []
    assert lost.status().pending == 1


def test_vectors_follow_when_the_model_is_back(lost: Corpus, model: Path) -> None:
    with pytest.raises(ModelError):
        lost.catch_up()
    give_back(model)
    told: list[tuple[str, int, int]] = []
    assert lost.catch_up(progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "encode"] == [("encode", 0, 2), ("encode", 2, 2)]
    assert lost.verify() == []
    assert lost.status().pending == 0
    ids, degraded = found(lost, TEXTS["school"], mode="dense")
    assert ids[0] == "school"
    assert len(ids) == 4
    assert degraded == ()
    assert not lost.catch_up()


def test_the_next_addition_embeds_what_waits_as_well(lost: Corpus, model: Path) -> None:
    give_back(model)
    assert lost.add([record_source({"id": "new", "text": "老石桥上有小学生。"}, source="")]).encoded == 3
    assert lost.verify() == []


def test_a_model_that_is_back_is_noticed_without_being_told(lost: Corpus, model: Path) -> None:
    published = threading.Event()
    give_back(model)
    with Upkeep(lost, every=0.01):
        while lost.status().pending:
            published.wait(0.01)
    assert lost.verify() == []


def test_a_query_never_waits_for_a_model_that_failed(
    lost: Corpus, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is loaded beside: whoever asks meanwhile is answered by words."""
    give_back(model)
    may_load = threading.Event()
    really = model_choice.open_encoder

    def slow(card: ModelCard) -> Encoder:
        may_load.wait(30)
        return really(card)

    monkeypatch.setattr(model_choice, "open_encoder", slow)
    monkeypatch.setattr(model_choice, "_PAUSE", 0.0)
    assert [found(lost, "小学开学")[1] for _ in range(3)] == [("dense",)] * 3
    may_load.set()
    while found(lost, "小学开学")[1]:
        may_load.wait(0.01)
    assert found(lost, TEXTS["bridge"], mode="dense")[0][0] == "bridge"


def test_nothing_is_published_again_while_nothing_changes(lost: Corpus) -> None:
    generation = lost.status().generation
    with pytest.raises(ModelError):
        lost.catch_up()
    assert lost.status().generation == generation


def test_an_archive_can_begin_without_its_model(model: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", model=str(model), create=True)
    shutil.move(model, model.with_name("elsewhere"))
    assert corpus.add(sources(*TEXTS)).trouble is not None
    assert found(corpus, "再生稻") == (["rice"], ("dense",))
    corpus.close()

    give_back(model)
    corpus = Corpus.open(tmp_path / "data")
    assert found(corpus, "再生稻") == (["rice"], ("dense",))  # it could be loaded, but there is nothing to compare with
    assert corpus.catch_up()
    assert corpus.verify() == []
    assert found(corpus, "再生稻")[1] == ()
    corpus.close()


def test_tokens_of_what_waits_are_taken_over_from_generation_to_generation(lost: Corpus, tmp_path: Path) -> None:
    lost.add([record_source({"id": "new", "text": "老石桥上有小学生。"}, source="")])
    engine = LocalEngine(tmp_path / "data", create=False)
    view = engine.view()
    assert view is not None
    numbers = engine.published_numbers()
    known = view.known(numbers)
    rows = view.rows(numbers.tolist())
    expected = lost.table.ids([rows[number].passage.text for number in numbers.tolist()])
    assert [ids.tolist() for ids in known.tokens] == [ids.tolist() for ids in expected]
    assert all(known.documents)
    engine.close()


def test_a_model_whose_files_changed_is_refused_but_words_go_on(model: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", model=str(model), create=True)
    corpus.add(sources("bridge"))
    corpus.close()
    config = model / "1_Pooling" / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    corpus = Corpus.open(tmp_path / "data")
    with pytest.raises(ModelMismatchError, match="manage rebuild"):
        corpus.add(sources("school"))
    assert found(corpus, "小学") == (["school"], ("dense",))
    corpus.rebuild()
    assert corpus.verify() == []
    assert found(corpus, "小学")[1] == ()
    corpus.close()


def test_the_commands_say_what_to_do_and_do_it(model: Path, tmp_path: Path, command: Run) -> None:
    papers, data = tmp_path / "papers", tmp_path / "data"
    papers.mkdir()
    (papers / "bridge.txt").write_text(TEXTS["bridge"], encoding="utf-8")
    assert command("build_index", papers, "--data", data, "--model", model).returncode == 0
    shutil.move(model, model.with_name("elsewhere"))
    (papers / "school.txt").write_text(TEXTS["school"], encoding="utf-8")
    ran = command("build_index", papers, "--data", data)
    assert ran.returncode == 3
    assert f"python -m scripts.manage encode --data {data}" in ran.stderr
    assert "Traceback" not in ran.stderr
    asked = command("search", "小学", "--data", data)
    assert (asked.returncode, asked.stderr) == (0, "The model cannot be had; these match by words only.\n")
    refused = command("manage", "encode", "--data", data, LANG="zh_CN.UTF-8")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "无法加载模型" in refused.stderr
    give_back(model)
    assert "Embedded 1 passages" in command("manage", "encode", "--data", data).stdout
    assert command("manage", "verify", "--data", data).returncode == 0
