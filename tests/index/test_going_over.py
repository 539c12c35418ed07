"""An archive goes over to another model: it is searched and written to all the while, and nothing is computed twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from index import backlog
from index.compacting import compact
from index.corpus import Corpus
from index.document import Answer, SearchRequest
from index.embedding import Vectors, _TransformerEncoder
from index.errors import BusyError, ModelError
from index.ingest import record_source
from scripts import manage
from scripts.common import options_of
from tests.index.texts import FOUR, piece
from tests.index.tiny_models import bert_embedder, texts_given_to

PIECES = [piece(number) for number in range(1, 4)]
IDS = {source.document.id for source in PIECES}
NEW = record_source({"id": "new", "text": "老石桥边开了一家书店。"}, source="")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    texts = "".join(source.text for source in PIECES) + "".join(FOUR.values())
    first, second = (tmp_path_factory.mktemp("embedder") for _ in range(2))
    return bert_embedder(first, texts), bert_embedder(second, texts, width=24, seed=2)


@pytest.fixture(autouse=True)
def _two_by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transformers take long for anything, and are given two passages at once."""
    monkeypatch.setattr(backlog, "FEW", 0)
    monkeypatch.setattr(_TransformerEncoder, "stride", 2)


@pytest.fixture(params=["local", "milvus"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    return tmp_path / "data", "local" if request.param == "local" else f"milvus:{tmp_path / 'archive.db'}"


@pytest.fixture
def corpus(place: tuple[Path, str]) -> Iterator[Corpus]:
    with closing(Corpus.open(place[0], engine=place[1], create=True)) as opened:
        opened.add(PIECES)
        yield opened


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passages that transformers are given."""
    return texts_given_to(_TransformerEncoder, monkeypatch)


def ask(corpus: Corpus, query: str = "渔船回港打到了鱼", **settings: object) -> Answer:
    return corpus.search(SearchRequest(query, min_score=0.0, limit=50, group=False, **settings))  # type: ignore[arg-type]


def texts(answer: Answer) -> list[str]:
    return [hit.text for hit in answer.hits]


class Ends:
    """Ends a command at some step, as somebody would who presses Ctrl-C."""

    def __init__(self, stage: str, done: int, *, time: int = 1) -> None:
        self._step, self._time = (stage, done), time

    def __call__(self, stage: str, done: int, _total: int) -> None:
        self._time -= (stage, done) == self._step
        if not self._time:
            raise InterruptedError


@pytest.mark.parametrize("to", ["compact", "transformer"])
def test_searches_find_what_they_found_until_all_is_there(
    place: tuple[Path, str], models: tuple[Path, Path], to: str
) -> None:
    """Passages are of another length beside the other model."""
    wanted = "compact" if to == "compact" else str(models[0])
    with closing(Corpus.open(place[0], engine=place[1], model=str(models[0]), create=True)) as corpus:
        corpus.add(PIECES)
        if to == "transformer":
            corpus.rebuild(model="compact")
        with closing(Corpus.open(place[0], engine=place[1])) as reader:
            before = ask(reader)
            seen: list[Answer] = []
            stages: list[str] = []

            def look(stage: str, done: int, total: int) -> None:
                stages.append(stage)
                if (stage, done) != ("publish", total):
                    seen.append(ask(reader))

            corpus.rebuild(model=wanted, progress=look)
            assert {*stages} >= {"read", "encode", "publish"}
            for answer in seen:
                assert texts(answer) == texts(before)
                assert answer.degraded == ()
                assert [hit.also_in for hit in answer.hits] == [hit.also_in for hit in before.hits]
            after = ask(reader)
            assert after.model != before.model
            assert {*texts(after)} != {*texts(before)}
            assert {hit.document.id for hit in after.hits} == IDS
        assert corpus.verify() == []


def test_others_write_meanwhile(corpus: Corpus, models: tuple[Path, Path], computed: list[str]) -> None:
    reached, go_on = Event(), Event()

    def halt(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("encode", 2):
            reached.set()
            assert go_on.wait(60)

    going = Thread(target=lambda: corpus.rebuild(model=str(models[0]), progress=halt))
    going.start()
    assert reached.wait(60)
    with closing(Corpus.open(corpus.data, engine=corpus.status().engine)) as other:
        other.add([NEW])
        assert other.remove(["p1"]) == 1
        assert ask(other, "书店").hits[0].document.id == "new"
        assert ask(other, "书店").model == "compact"
        go_on.set()
        going.join()
        assert corpus.verify() == []
        answer = ask(other, "书店", mode="dense")
        assert answer.model == str(models[0])
        assert {hit.document.id for hit in answer.hits} == {"new", "p2", "p3"}
    assert len(computed) == len({*computed})


def test_interrupted_it_leaves_everything_as_it_was_and_goes_on_from_there(
    corpus: Corpus, models: tuple[Path, Path], computed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = ask(corpus)
    assert corpus.status().next_model is None
    with pytest.raises(InterruptedError):
        corpus.rebuild(model=str(models[0]), progress=Ends("encode", 4))
    assert len(computed) == 4
    begun = corpus.status().next_model
    assert begun is not None
    assert (begun.name, begun.embedded) == (str(models[0]), 4)
    options = options_of(corpus.status())
    assert manage.status(manage.arguments().parse_args(["status", *options.split()])) == 0
    command = f"python -m scripts.manage rebuild {options} --model {models[0]}"
    assert f"(4 of {begun.passages} passages are embedded; if nobody is at it any more, go on with: {command})" in (
        capsys.readouterr().out
    )
    with closing(Corpus.open(corpus.data, engine=corpus.status().engine)) as again:
        assert not again.catch_up()
        assert (texts(ask(again)), again.model) == (texts(before), "compact")
        again.rebuild(model=str(models[0]))
        assert len(computed) == len({*computed})
        assert len(computed) == begun.passages
        assert (again.status().pending, again.status().next_model) == (0, None)
        assert again.verify() == []
    assert not list(corpus.data.glob("next-model.sqlite3*"))


def test_interrupted_after_that_it_is_finished_by_the_next_start_and_computes_nothing_again(
    corpus: Corpus, models: tuple[Path, Path], computed: list[str]
) -> None:
    with pytest.raises(InterruptedError):
        corpus.rebuild(model=str(models[0]), progress=Ends("read", 3, time=2))
    with closing(Corpus.open(corpus.data, engine=corpus.status().engine)) as again:
        assert {hit.document.id for hit in ask(again).hits} == IDS
        known = len(computed)
        assert again.catch_up()
        assert len(computed) == known == len({*computed})
        assert again.model == str(models[0])
        assert again.verify() == []
        assert {hit.document.id for hit in ask(again).hits} == IDS


def test_what_was_removed_or_replaced_then_is_not_found_by_its_old_passages(
    corpus: Corpus, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InterruptedError):
        corpus.rebuild(model=str(models[0]), progress=Ends("read", 3, time=2))
    with closing(Corpus.open(corpus.data, engine=corpus.status().engine)) as again:
        engine = again._engine
        with engine.writing(), engine.store.transaction():  # and nothing is published
            engine.store.delete(["p1"])
            engine.store.put(NEW.document, b"", NEW.text, [])
        assert {hit.document.id for hit in ask(again).hits} == IDS - {"p1"}


def test_one_at_a_time(corpus: Corpus, models: tuple[Path, Path]) -> None:
    refused: list[str] = []

    def other(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("encode", 2):
            with (
                closing(Corpus.open(corpus.data, engine=corpus.status().engine)) as second,
                pytest.raises(BusyError, match="with a new model") as error,
            ):
                second.rebuild(model=str(models[1]))
            refused.append(str(error.value))

    corpus.rebuild(model=str(models[0]), progress=other)
    assert len(refused) == 1
    assert corpus.verify() == []


def test_what_was_begun_with_another_model_is_not_mixed_in(corpus: Corpus, models: tuple[Path, Path]) -> None:
    with pytest.raises(InterruptedError):
        corpus.rebuild(model=str(models[0]), progress=Ends("encode", 2))
    corpus.rebuild(model=str(models[1]))
    assert corpus.status().dimension == 24
    assert corpus.verify() == []
    assert {hit.document.id for hit in ask(corpus, mode="dense").hits} == IDS


def test_what_was_begun_and_left_is_removed_by_compacting(corpus: Corpus, models: tuple[Path, Path]) -> None:
    with pytest.raises(InterruptedError):
        corpus.rebuild(model=str(models[0]), progress=Ends("encode", 2))
    assert list(corpus.data.glob("next-model.sqlite3"))
    compact(corpus)
    assert not list(corpus.data.glob("next-model.sqlite3*"))
    assert {hit.document.id for hit in ask(corpus).hits} == IDS


def test_a_model_that_fails_changes_nothing(
    corpus: Corpus, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask(corpus)

    def fails(*_: object) -> Vectors:
        raise ModelError("out of memory", "内存不足")

    monkeypatch.setattr(_TransformerEncoder, "documents", fails)
    with pytest.raises(ModelError, match="out of memory"):
        corpus.rebuild(model=str(models[0]))
    assert (texts(ask(corpus)), corpus.model) == (texts(before), "compact")
    corpus.add([NEW])
    assert ask(corpus, "书店").hits[0].document.id == "new"


def test_rebuilding_with_the_same_model_computes_nothing(
    corpus: Corpus, models: tuple[Path, Path], computed: list[str]
) -> None:
    corpus.rebuild(model=str(models[0]))
    before, known = ask(corpus), len(computed)
    corpus.rebuild()
    assert len(computed) == known
    assert [hit.passage_id for hit in ask(corpus).hits] == [hit.passage_id for hit in before.hits]
    assert corpus.verify() == []


@pytest.mark.parametrize("whole", [0, 4096])
def test_a_damaged_file_of_what_was_computed_stops_nobody(
    corpus: Corpus, models: tuple[Path, Path], computed: list[str], whole: int
) -> None:
    with pytest.raises(InterruptedError):
        corpus.rebuild(model=str(models[0]), progress=Ends("encode", 2))
    file = corpus.data / "next-model.sqlite3"
    for other in corpus.data.glob("next-model.sqlite3-*"):
        other.unlink()
    pages = file.read_bytes()
    file.write_bytes(pages[:whole] + b"\xff" * (len(pages) - whole))
    assert corpus.status().next_model is None
    corpus.add([NEW])
    assert ask(corpus, "书店").hits[0].document.id == "new"
    corpus.rebuild(model=str(models[0]))
    assert corpus.model == str(models[0])
    assert corpus.verify() == []
