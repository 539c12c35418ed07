"""A model that takes its time: words find everything while it embeds, and others read and write meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from index import backlog
from index.corpus import Corpus
from index.document import SearchRequest
from index.embedding import Vectors, _TransformerEncoder
from index.errors import BusyError, ModelMismatchError
from index.ingest import Source, record_source
from index.upkeep import Upkeep
from tests.index.texts import FOUR
from tests.index.tiny_models import bert_embedder

TEXTS = {**FOUR, "tram": "有轨电车的末班车改到十一点半。"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_embedder(tmp_path_factory.mktemp("embedder"), "".join(TEXTS.values()))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passages are soon embedded, three are not; they are embedded two by two, and published each time."""
    monkeypatch.setattr(backlog, "FEW", 2)
    monkeypatch.setattr(backlog, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(_TransformerEncoder, "stride", 2)


@pytest.fixture(params=["local", "milvus"])
def corpus(request: pytest.FixtureRequest, tmp_path: Path, model: Path) -> Iterator[Corpus]:
    engine = "local" if request.param == "local" else f"milvus:{tmp_path / 'archive.db'}"
    with closing(Corpus.open(tmp_path / "data", engine=engine, model=str(model), create=True)) as opened:
        yield opened


def sources(*ids: str) -> list[Source]:
    return [record_source({"id": id_, "text": TEXTS[id_]}, source="") for id_ in ids or TEXTS]


def found(corpus: Corpus, query: str, **settings: object) -> tuple[set[str], tuple[str, ...]]:
    answer = corpus.search(SearchRequest(query, min_score=0.0, **settings))  # type: ignore[arg-type]
    return {hit.document.id for hit in answer.hits}, answer.degraded


class Halts:
    """Holds up the embedding of passages before the third, until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go_on = Event(), Event()
        self.embedded: list[int] = []
        really = _TransformerEncoder.documents

        def documents(encoder: _TransformerEncoder, texts: list[str], ids: list[object]) -> Vectors:
            if self.embedded and not self.reached.is_set():
                self.reached.set()
                assert self.go_on.wait(60)
            self.embedded.append(len(texts))
            return really(encoder, texts, ids)  # type: ignore[arg-type]

        monkeypatch.setattr(_TransformerEncoder, "documents", documents)


def test_words_find_everything_while_passages_are_embedded(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    halts = Halts(monkeypatch)
    adding = Thread(target=lambda: corpus.add(sources()))
    adding.start()
    assert halts.reached.wait(60)
    assert corpus.status().pending == 3
    for id_, query in {"bridge": "老石桥", "tram": "末班车"}.items():
        assert id_ in found(corpus, query)[0]
    assert found(corpus, "老石桥", mode="dense") == ({"bridge", "harbour"}, ("dense-partial",))
    assert found(corpus, "末班车", mode="lexical") == ({"tram"}, ())
    halts.go_on.set()
    adding.join()
    assert corpus.verify() == []
    assert corpus.status().pending == 0
    assert found(corpus, "老石桥", mode="dense") == ({*TEXTS}, ())


def test_others_write_meanwhile_and_wait_for_nothing_but_their_own(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    halts = Halts(monkeypatch)
    adding = Thread(target=lambda: corpus.add(sources()))
    adding.start()
    assert halts.reached.wait(60)
    new = record_source({"id": "new", "text": "老石桥边开了一家书店。"}, source="")
    assert corpus.add([new], embed="own").encoded == 1
    assert corpus.remove(["rice"]) == 1
    assert found(corpus, "书店", mode="dense")[0] == {"bridge", "harbour", "new"}
    assert found(corpus, "再生稻")[0].isdisjoint({"rice"})
    halts.go_on.set()
    adding.join()
    assert corpus.verify() == []
    assert found(corpus, "书店", mode="dense") == ({*TEXTS, "new"} - {"rice"}, ())


def test_a_service_need_not_wait_for_it(corpus: Corpus) -> None:
    told: list[tuple[str, int, int]] = []
    assert corpus.add(sources(), progress=lambda *step: told.append(step), embed="soon").encoded == 0
    assert [stage for stage, *_ in told] == ["read", "publish", "publish"]
    corpus.catch_up(whole=False)
    assert corpus.status().pending == 5
    assert found(corpus, "老石桥") == ({"bridge"}, ("dense-partial",))
    with Upkeep(corpus, first=lambda progress: corpus.catch_up(progress=progress) and None):
        while corpus.status().pending:
            assert "bridge" in found(corpus, "老石桥")[0]
    assert corpus.verify() == []


def test_a_query_waits_for_one_batch_and_not_for_all_that_is_being_embedded(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = corpus.encoder()
    assert isinstance(encoder, _TransformerEncoder)
    encoder._batch = 1
    asked, answered, order = Event(), Event(), []
    really = encoder._model.encode

    def encode(texts: list[str], **settings: object) -> Vectors:
        if len(order) == 2:  # a query comes while the third passage is at it
            asking.start()
            asked.set()
            ends = time.monotonic() + 30
            while not encoder._turn._door.locked() and time.monotonic() < ends:  # it stands before the model
                answered.wait(0.01)
        order.append(str(settings["prompt"]) + texts[0])
        return really(texts, **settings)  # type: ignore[no-any-return]

    monkeypatch.setattr(encoder._model, "encode", encode)
    asking = Thread(target=lambda: (encoder.queries(["末班车"]), answered.set()))
    encoder.documents([text * 2 for text in TEXTS.values()], [])
    assert answered.wait(60)
    assert asked.is_set()
    assert order.index(encoder.card.query_prompt + "末班车") == 3
    assert len(order) == 6


def test_few_passages_are_embedded_before_anything_is_published(corpus: Corpus) -> None:
    assert corpus.add(sources("bridge", "rice"), embed="soon").encoded == 2
    assert found(corpus, "老石桥", mode="dense") == ({"bridge", "rice"}, ())


def test_what_an_interruption_leaves_is_not_embedded_again(corpus: Corpus) -> None:
    def end(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("encode", 2):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        corpus.add(sources(), progress=end)
    assert corpus.status().pending == 3
    told: list[tuple[str, int, int]] = []
    assert corpus.catch_up(progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "encode"] == [("encode", 0, 3), ("encode", 2, 3), ("encode", 3, 3)]
    assert corpus.verify() == []


def test_one_process_is_at_it(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    halts = Halts(monkeypatch)
    adding = Thread(target=lambda: corpus.add(sources()))
    adding.start()
    assert halts.reached.wait(60)
    with pytest.raises(BusyError, match="nothing has to be done"):
        corpus.catch_up()
    halts.go_on.set()
    adding.join()
    assert halts.embedded == [2, 2, 1]
    assert not corpus.catch_up()


def test_it_ends_where_the_archive_goes_over_to_another_model(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    halts = Halts(monkeypatch)
    errors: list[Exception] = []

    def add() -> None:
        try:
            corpus.add(sources())
        except ModelMismatchError as error:
            errors.append(error)

    adding = Thread(target=add)
    adding.start()
    assert halts.reached.wait(60)
    with closing(Corpus.open(corpus.data, engine=corpus.status().engine)) as other:
        other.rebuild(model="compact")
    halts.go_on.set()
    adding.join()
    assert [type(error) for error in errors] == [ModelMismatchError]
    corpus.add([record_source({"id": "new", "text": "老石桥边开了一家书店。"}, source="")])  # goes along with it
    assert corpus.verify() == []
    assert found(corpus, "书店", mode="dense") == ({*TEXTS, "new"}, ())


def test_the_user_is_told_when_words_find_everything_and_when_meaning_does(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps = logging.getLogger("xunzhang.index.steps")
    steps.addHandler(caplog.handler)
    with closing(Corpus.open(tmp_path, model=str(model), create=True)) as corpus, caplog.at_level(logging.INFO):
        corpus.add(sources())
    steps.removeHandler(caplog.handler)
    assert [record.getMessage() for record in caplog.records if record.name == steps.name] == [
        "Words find everything from now on; meaning follows as passages are embedded.",
        "All passages are embedded: meaning finds everything too.",
    ]
