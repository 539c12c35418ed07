"""An archive is verified while others write to it, and what they are about to publish is no problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from index.corpus import Corpus
from index.engine.generation import Generations, Manifest
from index.errors import BusyError
from index.ingest import record_source
from tests.index.texts import BRIDGE, HARBOUR, SCHOOL


@pytest.fixture(params=["local", "milvus"])
def corpus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Corpus]:
    engine = "local" if request.param == "local" else f"milvus:{tmp_path / 'archive.db'}"
    with closing(Corpus.open(tmp_path / "data", engine=engine, create=True)) as opened:
        opened.add([record_source({"id": "bridge", "text": BRIDGE}, source="")])
        yield opened


class Removing:
    """Removes a document in another thread, and publishes that when it is told to."""

    def __init__(self, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
        stored, self.publish = Event(), Event()
        really = corpus._engine.publish

        def publish(*models: Any, **settings: bool) -> None:
            stored.set()
            assert self.publish.wait(60)
            really(*models, **settings)

        monkeypatch.setattr(corpus._engine, "publish", publish)
        self._thread = Thread(target=corpus.remove, args=(["bridge"],))
        self._thread.start()
        assert stored.wait(60)

    def end(self) -> None:
        self.publish.set()
        self._thread.join()


def test_what_is_about_to_be_published_is_waited_for(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[list[str]] = []
    removing = Removing(corpus, monkeypatch)
    really = corpus._engine.problems

    def problems() -> list[str]:
        looks.append(really())
        removing.publish.set()
        return looks[-1]

    monkeypatch.setattr(corpus._engine, "problems", problems)
    assert corpus.verify() == []
    assert looks == [["1 passages of the published index are no longer stored"], []]
    removing.end()


def test_it_says_so_where_somebody_goes_on_writing(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    removing = Removing(corpus, monkeypatch)
    with monkeypatch.context() as impatient:
        impatient.setattr(corpus._engine, "writing", partial(corpus._engine.writing, timeout=0.1))
        with pytest.raises(BusyError):
            corpus.verify()
    removing.end()
    assert corpus.verify() == []


def test_files_that_are_replaced_while_they_are_read_are_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[Path]] = []
    really = Generations.damaged_files

    def damaged_files(generations: Generations, manifest: Manifest, names: Iterable[str] | None = None) -> list[Path]:
        if not read:  # a generation is removed with the second after it
            read.append([])
            other.add([record_source({"id": "harbour", "text": HARBOUR}, source="")])
            other.add([record_source({"id": "school", "text": SCHOOL}, source="")])
        found = really(generations, manifest, names)
        read.append(found)
        return found

    with closing(Corpus.open(tmp_path, create=True)) as corpus, closing(Corpus.open(tmp_path)) as other:
        corpus.add([record_source({"id": "bridge", "text": BRIDGE}, source="")])
        monkeypatch.setattr(Generations, "damaged_files", damaged_files)
        assert corpus.verify() == []
    assert any(read)
    assert read[-1] == []
