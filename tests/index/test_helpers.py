"""Further processes that answer searches: started where searches keep meeting, and nothing is lost with them."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from index.corpus import Corpus
from index.document import Answer, SearchRequest
from index.helpers import Helpers
from index.ingest import record_source
from tests.conftest import ROOT

TRAM = SearchRequest("有轨电车一趟要走多久")


@pytest.fixture
def corpus(sample_copy: Path) -> Iterator[Corpus]:
    opened = Corpus.open(sample_copy, processes=2, answer_bytes=0)
    opened.search(TRAM)  # loads the model
    yield opened
    opened.close()


@contextmanager
def at_work(helpers: Helpers) -> Iterator[None]:
    """This process is busy with another search while the block runs."""
    begun, done = Event(), Event()

    def search() -> Answer:
        begun.set()
        assert done.wait(timeout=120)
        return Answer("", "hybrid", 0.0, 0, True, "", 0, (), {})

    thread = Thread(target=helpers.answer, args=(TRAM, 0, search))
    thread.start()
    assert begun.wait(timeout=120)
    try:
        yield
    finally:
        done.set()
        thread.join()


def crowd(corpus: Corpus, meetings: int = 16) -> None:
    """So many searches meet another."""
    assert corpus.helpers is not None
    with at_work(corpus.helpers):
        for _ in range(meetings):
            corpus.search(TRAM)


def wait_for(corpus: Corpus, how_many: int) -> list[int]:
    """The process ids, once there are so many helpers."""
    helpers = corpus.helpers
    assert helpers is not None
    with helpers._changed:
        assert helpers._changed.wait_for(lambda: len(helpers.process_ids) == how_many, timeout=120)
    return helpers.process_ids


def helped(corpus: Corpus) -> list[int]:
    """One helper is there."""
    crowd(corpus)
    return wait_for(corpus, 1)


def only_elsewhere(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this process answers nothing."""

    def fail(*_: object, **__: object) -> Answer:
        raise AssertionError("answered in this process")

    monkeypatch.setattr("index.corpus.answer", fail)


def content(answer: Answer) -> Answer:
    """All but how long it took."""
    return replace(answer, took_ms=0.0, stages={})


def test_who_searches_alone_starts_no_process_however_often(corpus: Corpus) -> None:
    assert corpus.helpers is not None
    for _ in range(40):
        corpus.search(TRAM)
    crowd(corpus, meetings=15)
    assert corpus.helpers.process_ids == []
    assert not corpus.helpers._starting


def test_a_helper_answers_what_this_process_would(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [TRAM, SearchRequest("tuiyi 退役君人"), SearchRequest("电车", group="document", mode="lexical", limit=3)]
    here = [corpus.search(request) for request in requests]
    (process,) = helped(corpus)
    only_elsewhere(corpus, monkeypatch)
    assert corpus.helpers is not None
    with at_work(corpus.helpers):
        elsewhere = [corpus.search(request) for request in requests]
    assert [content(answer) for answer in elsewhere] == [content(answer) for answer in here]
    assert corpus.helpers.process_ids == [process]


def test_a_helper_finds_what_was_just_added_and_not_what_was_removed(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    helped(corpus)
    corpus.add([record_source({"id": "new", "text": "灯塔管理员养了三只鸬鹚，每天早晨喂一次小鱼。"}, source="test")])
    only_elsewhere(corpus, monkeypatch)
    assert corpus.helpers is not None
    with at_work(corpus.helpers):
        assert corpus.search(SearchRequest("鸬鹚吃什么")).hits[0].document.id == "new"
        corpus.remove(["new"])
        assert all(hit.document.id != "new" for hit in corpus.search(SearchRequest("鸬鹚吃什么")).hits)


def test_an_answer_from_an_older_generation_counts_for_nothing(corpus: Corpus) -> None:
    helped(corpus)
    answer = corpus.search(TRAM)
    newer = replace(answer, generation=answer.generation + 1)
    assert corpus.helpers is not None
    with at_work(corpus.helpers):
        assert corpus.helpers.answer(TRAM, newer.generation, lambda: newer) is newer


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_helper_costs_no_answer_and_is_told_of_once(
    corpus: Corpus, how: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    (process,) = helped(corpus)
    here = corpus.search(TRAM)
    os.kill(process, how)
    assert corpus.helpers is not None
    with caplog.at_level(logging.WARNING), at_work(corpus.helpers):
        answers = [corpus.search(TRAM) for _ in range(20)]
    assert {content(answer).hits for answer in answers} == {here.hits}
    assert [record.getMessage() for record in caplog.records] == [
        f"A process that helped with searches is gone (status {-how.value}); the others answer"
    ]
    assert corpus.helpers.process_ids == []
    assert not corpus.helpers._starting  # not at once, in case it is memory that is short


@pytest.mark.parametrize(("sound", "pause"), [(0.0, 60.0), (600.0, 3600.0)])
def test_after_one_that_lived_for_a_while_the_next_comes_as_soon_as_after_the_first(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, sound: float, pause: float
) -> None:
    (process,) = helped(corpus)
    helpers = corpus.helpers
    assert helpers is not None
    helpers._pause = 3600.0  # others died before it
    monkeypatch.setattr("index.helpers._SOUND", sound)
    os.kill(process, signal.SIGKILL)
    with at_work(helpers):
        corpus.search(TRAM)
    assert helpers.process_ids == []
    assert pause - 30 < helpers._not_before - monotonic() <= pause


def test_one_that_does_not_answer_is_given_up(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    (process,) = helped(corpus)
    os.kill(process, signal.SIGSTOP)
    monkeypatch.setattr("index.helpers._PATIENCE", 0.2)
    assert corpus.helpers is not None
    with at_work(corpus.helpers):
        assert corpus.search(TRAM).hits
    assert corpus.helpers.process_ids == []
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_search_waits_for_whoever_has_time_first(corpus: Corpus) -> None:
    helped(corpus)
    helpers = corpus.helpers
    assert helpers is not None
    answers: list[Answer] = []
    with at_work(helpers):
        helper = helpers._place()  # as if the other one were at work too
        assert helper is not None
        waiting = Thread(target=lambda: answers.append(corpus.search(TRAM)))
        waiting.start()
        with helpers._changed:  # the one who waits holds no lock
            helpers._idle.append(helper)
            helpers._changed.notify_all()
        waiting.join(timeout=120)
        assert answers[0].hits


def test_a_helper_nobody_needed_for_long_ends(sample_copy: Path) -> None:
    corpus = Corpus.open(sample_copy, processes=2, answer_bytes=0)
    corpus.search(TRAM)
    corpus.helpers = helpers = Helpers(sample_copy, 1, often=1)
    crowd(corpus, meetings=1)
    (process,) = wait_for(corpus, 1)
    with helpers._changed:  # as if that had been long ago
        helpers._idle_seconds = 0.0
        helpers._fewer.notify()
    wait_for(corpus, 0)  # no search has to come for it
    assert not helpers._watched
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    corpus.close()


def test_helpers_end_with_the_archive_and_with_whoever_opened_it(corpus: Corpus) -> None:
    (process,) = helped(corpus)
    corpus.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


_KILLED = """
import os, sys, pathlib, threading
from index.corpus import Corpus
from index.helpers import Helpers
helpers = Helpers(pathlib.Path(sys.argv[1]), 1)
helpers._start()
print(helpers.process_ids[0], flush=True)
os.kill(os.getpid(), 9)
"""


def test_helpers_end_with_a_process_that_is_killed(sample_copy: Path) -> None:
    # What the helper inherits is closed when it ends, so that reading to the end waits for just that.
    reader, writer = os.pipe()
    started = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(sample_copy)], cwd=ROOT, stdout=subprocess.PIPE, stderr=writer
    )
    os.close(writer)
    out, _ = started.communicate(timeout=120)
    assert started.returncode == -signal.SIGKILL
    assert int(out) > 0
    with os.fdopen(reader, "rb") as errors:
        assert errors.read() == b""


def test_an_archive_that_cannot_be_opened_is_said_once_and_answered_here(
    corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    corpus.helpers = Helpers(corpus.data / "nowhere", 1, often=1)
    with caplog.at_level(logging.WARNING):
        crowd(corpus, meetings=3)
        with corpus.helpers._changed:
            assert corpus.helpers._changed.wait_for(lambda: bool(caplog.records), timeout=120)
    assert [record.getMessage() for record in caplog.records] == [
        "No process could be started to help with searches: status 1"
    ]


def test_what_a_helper_cannot_answer_is_answered_here(corpus: Corpus) -> None:
    (process,) = helped(corpus)
    here = corpus.search(TRAM)
    assert corpus.helpers is not None
    with at_work(corpus.helpers):
        unusable = SearchRequest("电车", offset=-1)
        assert corpus.helpers.answer(unusable, 0, lambda: here) is here
        assert content(corpus.search(TRAM)) == content(here)
    assert corpus.helpers.process_ids == [process]


def test_archives_elsewhere_and_bigger_models_get_no_helpers(tmp_path: Path, corpus: Corpus) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.embedding._StaticEncoder.light", False)
        crowd(corpus)
    assert corpus.helpers is not None
    assert not corpus.helpers._starting
    assert corpus.helpers.process_ids == []
    elsewhere = Corpus.open(tmp_path / "m", create=True, engine=f"milvus:{tmp_path / 'm.db'}", processes=4)
    assert elsewhere.helpers is None
    elsewhere.close()
