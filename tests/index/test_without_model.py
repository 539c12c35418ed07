"""An archive whose model cannot be had: words find everything, new documents too; vectors follow when it is back."""

from __future__ import annotations

import re
import shlex
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from index import model_choice
from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import Encoder, Vectors
from index.engine.local import LocalEngine
from index.errors import ModelError, ModelMismatchError, SettingError
from index.ingest import Source, record_source
from index.model_cards import ModelCard
from index.upkeep import Upkeep
from tests.conftest import Run
from tests.index.texts import FOUR
from tests.index.tiny_models import bert_embedder


@pytest.fixture(scope="module")
def _embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_embedder(tmp_path_factory.mktemp("embedder"), "".join(FOUR.values()))


@pytest.fixture
def model(_embedder: Path, tmp_path: Path) -> Path:
    """A model's folder, to be lost."""
    return Path(shutil.copytree(_embedder, tmp_path / "model"))


def sources(*ids: str) -> list[Source]:
    return [record_source({"id": id_, "text": FOUR[id_]}, source="") for id_ in ids]


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


def test_what_waits_for_its_vector_is_found_beside_what_has_one(lost: Corpus, model: Path) -> None:
    """The model is back, and nobody has embedded yet: words speak for the new documents."""
    give_back(model)
    lost.close()
    with closing(Corpus.open(lost.data)) as corpus:
        answer = corpus.search(SearchRequest("小学开学"))  # above the cut-off
        assert answer.hits[0].document.id == "school"
        assert answer.hits[0].scores.dense is None
        assert answer.degraded == ("dense-partial",)
        assert found(corpus, "小学开学", mode="lexical")[1] == ()
        ids, degraded = found(corpus, "小学开学", mode="dense")
        assert (set(ids), degraded) == ({"bridge", "harbour"}, ("dense-partial",))


def test_vectors_follow_when_the_model_is_back(lost: Corpus, model: Path) -> None:
    with pytest.raises(ModelError):
        lost.catch_up()
    give_back(model)
    told: list[tuple[str, int, int]] = []
    assert lost.catch_up(progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "encode"] == [("encode", 0, 2), ("encode", 2, 2)]
    assert lost.verify() == []
    assert lost.status().pending == 0
    ids, degraded = found(lost, FOUR["school"], mode="dense")
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

    def slow(card: ModelCard, backend: str, data: Path) -> Encoder:
        may_load.wait(30)
        return really(card, backend, data)

    monkeypatch.setattr(model_choice, "open_encoder", slow)
    monkeypatch.setattr(model_choice, "_PAUSE", 0.0)
    assert [found(lost, "小学开学")[1] for _ in range(3)] == [("dense",)] * 3
    may_load.set()
    while found(lost, "小学开学")[1] == ("dense",):
        may_load.wait(0.01)
    assert found(lost, FOUR["bridge"], mode="dense")[0][0] == "bridge"


def test_the_log_says_why_once_for_each_reason(
    lost: Corpus, model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once for each search, of which there may be a hundred a second."""

    def told() -> list[str]:
        records = [record for record in caplog.records if record.name == "xunzhang.index"]
        assert {record.levelname for record in records} <= {"WARNING"}
        return [record.getMessage() for record in records]

    for query in ("小学开学", "老石桥", "渔船"):
        assert found(lost, query)[1] == ("dense",)
    (gone,) = told()
    assert gone.startswith("Searches go by words alone: The model ")
    assert f"the folder {model} is gone" in gone

    give_back(model)
    config = model / "1_Pooling" / "config.json"
    config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")  # other files than there were
    monkeypatch.setattr(model_choice, "_PAUSE", 0.0)
    ends = time.monotonic() + 30
    while len(told()) == 1 and time.monotonic() < ends:
        assert found(lost, "小学开学")[1] == ("dense",)
    for query in ("老石桥", "渔船"):
        found(lost, query)
    _, changed = told()
    assert "are not those the index" in changed


def test_what_fails_while_a_query_is_encoded_is_said_too(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Corpus.open(tmp_path / "data", model=str(model), create=True)) as corpus:
        corpus.add(sources("bridge"))
        monkeypatch.setattr(corpus.encoder(), "queries", out_of_memory)
        assert [found(corpus, query)[1] for query in ("老石桥", "小学")] == [("dense",)] * 2
    (record,) = [record for record in caplog.records if record.name == "xunzhang.index"]
    assert record.getMessage() == "Searches go by words alone: out of memory"


def out_of_memory(_texts: Sequence[str]) -> Vectors:
    raise RuntimeError("out of memory")


def test_the_archive_of_a_lost_model_opens_under_its_name_too(lost: Corpus, model: Path, tmp_path: Path) -> None:
    """As a service is started whose settings name the model; nobody else's archive opens by that."""
    lost.close()
    for name in (str(model), f"{model}/", f"{model.parent}/./model"):
        with closing(Corpus.open(tmp_path / "data", model=name, create=True)) as corpus:
            ids, degraded = found(corpus, "小学开学")
            assert (ids[0], degraded) == ("school", ("dense",))
            assert corpus.model == str(model)
    for name in (f"{model}-2", f"{model}:8"):
        with pytest.raises(SettingError, match="There is no model"):
            Corpus.open(tmp_path / "data", model=name)
    with pytest.raises(SettingError, match="There is no model"):
        Corpus.open(tmp_path / "new", model=str(model), create=True)
    assert not (tmp_path / "new").exists()


def test_an_archive_without_documents_or_of_another_model_does_not_open_under_a_lost_name(
    model: Path, tmp_path: Path
) -> None:
    with closing(Corpus.open(tmp_path / "emptied", model=str(model), create=True)) as corpus:
        corpus.add(sources("bridge"))
        corpus.remove(["bridge"])
    with closing(Corpus.open(tmp_path / "other", create=True)) as corpus:
        corpus.add(sources("bridge"))
    shutil.rmtree(model)
    for data in ("emptied", "other"):
        with pytest.raises(SettingError, match="There is no model"):
            Corpus.open(tmp_path / data, model=str(model), create=True)


def test_a_lost_folder_is_known_by_its_shortened_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XUNZHANG_DIMENSION", "8")
    with closing(Corpus.open(tmp_path / "data", model=str(model), create=True)) as corpus:
        corpus.add(sources("bridge"))
    shutil.rmtree(model)
    for name in (str(model), f"{model}:8"):
        with closing(Corpus.open(tmp_path / "data", model=name)) as corpus:
            assert found(corpus, "老石桥") == (["bridge"], ("dense",))


def test_nothing_is_published_again_while_nothing_changes(lost: Corpus) -> None:
    generation = lost.status().generation
    with pytest.raises(ModelError):
        lost.catch_up()
    assert lost.status().generation == generation


def test_an_archive_can_begin_without_its_model(model: Path, tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", model=str(model), create=True)
    shutil.move(model, model.with_name("elsewhere"))
    assert corpus.add(sources(*FOUR)).trouble is not None
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
    assert [ids.tolist() for ids in known.tokens] == [sorted(set(ids.tolist())) for ids in expected]
    assert all(known.documents)
    assert view.cut(numbers.tolist())[-1].size == 0  # of what waits; marking cuts it itself
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
    (papers / "bridge.txt").write_text(FOUR["bridge"], encoding="utf-8")
    assert command("build_index", papers, "--data", data, "--model", model).returncode == 0
    shutil.move(model, model.with_name("elsewhere"))
    (papers / "school.txt").write_text(FOUR["school"], encoding="utf-8")
    ran = command("build_index", papers, "--data", data)
    assert ran.returncode == 3
    assert f"python -m scripts.manage encode --data {data}" in ran.stderr
    assert "Traceback" not in ran.stderr
    asked = command("search", "小学", "--data", data)
    assert (asked.returncode, asked.stderr) == (0, "The model cannot be had; these match by words only.\n")
    refused = command("manage", "encode", "--data", data, LANG="zh_CN.UTF-8")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "无法加载模型" in refused.stderr
    verified = command("manage", "verify", "--data", data)
    assert verified.returncode == 1
    assert "is gone" in verified.stderr
    assert f"once the model is back run: python -m scripts.manage encode --data {data}; or" in verified.stderr
    (other,) = re.findall(r"python -m scripts\.(manage rebuild .*)", verified.stderr)
    copy = shutil.copytree(data, tmp_path / "copy")
    went_over = command(*shlex.split(other.replace(str(data), str(copy))))
    assert went_over.returncode == 0, went_over.stderr
    assert command("manage", "verify", "--data", copy).returncode == 0

    give_back(model)
    verified = command("manage", "verify", "--data", data)
    assert verified.stderr.endswith(f"1 problems; run: python -m scripts.manage encode --data {data}\n")
    assert "rebuild" not in verified.stderr
    assert "Embedded 1 passages" in command("manage", "encode", "--data", data).stdout
    assert command("manage", "verify", "--data", data).returncode == 0
