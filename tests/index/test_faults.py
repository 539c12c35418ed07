"""What happens to files while they are used: harmed, touched, replaced or locked, and searches go on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import generation
from index.errors import BusyError, DataError, StorageError
from index.ingest import record_source
from index.upkeep import Upkeep
from tests.index.harms import HARMS, IN_PLACE, harm
from tests.index.texts import piece

QUERY = SearchRequest("社区食堂的老人吃饭多少钱", limit=5)


@pytest.mark.parametrize("how", HARMS)
def test_searches_go_on_while_the_service_mends_its_indexes_by_itself(sample_copy: Path, how: str) -> None:
    with closing(Corpus.open(sample_copy)) as corpus:
        expected = [hit.passage_id for hit in corpus.search(QUERY).hits]
        harm(sample_copy / "generations", how)
        assert [hit.passage_id for hit in corpus.search(QUERY).hits] == expected
        assert corpus.status().ready
        assert corpus.verify() != []
        with Upkeep(corpus, every=0.05):
            ends = time.monotonic() + 60
            while corpus.verify() != []:
                assert [hit.passage_id for hit in corpus.search(QUERY).hits] == expected
                assert time.monotonic() < ends, corpus.verify()
        assert [hit.passage_id for hit in corpus.search(QUERY).hits] == expected
        new = record_source({"id": "new", "text": "渡口的灯塔今晚亮了。"}, source="")
        corpus.add([new])  # and goes on taking documents
        assert corpus.search(SearchRequest('"渡口的灯塔"')).hits[0].document.id == "new"
        assert corpus.verify() == []


@pytest.mark.parametrize("how", IN_PLACE)
def test_files_overwritten_in_place_while_they_are_open_are_noticed_and_made_anew(sample_copy: Path, how: str) -> None:
    with closing(Corpus.open(sample_copy, answer_bytes=0)) as corpus:  # no answer from before
        expected = [hit.passage_id for hit in corpus.search(QUERY).hits]
        harm(sample_copy / "generations", how)
        corpus.search(QUERY)  # wrong it may be, but no error
        assert corpus.verify() != []
        flagged = []
        assert corpus.catch_up(progress=lambda *_: flagged.append(corpus.search(QUERY).degraded))
        assert ("indexes",) in flagged  # while they are made anew
        assert corpus.verify() == []
        answer = corpus.search(QUERY)
        assert [hit.passage_id for hit in answer.hits] == expected
        assert answer.degraded == ()


def test_what_is_damaged_unnoticed_in_the_last_generation_is_made_anew_by_the_next_write(sample_copy: Path) -> None:
    """Bytes exchanged by a disk, without a new size or time, show only when they are taken over."""
    (numbers,) = (sample_copy / "generations").glob("*/numbers.npy")
    content = numbers.read_bytes()
    numbers.write_bytes(b"\0" + content[1:])
    with closing(Corpus.open(sample_copy)) as corpus:
        summary = corpus.add([piece(1)])
        assert summary.trouble is None
        assert corpus.search(SearchRequest('"第1号渔船"')).hits[0].document.id == "p1"
        assert corpus.verify() == []


def test_an_error_that_is_not_of_the_disk_is_not_told_as_one(
    sample_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object, folder: Path) -> int:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr("index.engine.publishing.GenerationWriter.write", fails)
    with closing(Corpus.open(sample_copy)) as corpus, pytest.raises(DataError, match="a mistake of ours") as told:
        corpus.add([piece(1)])
    assert not isinstance(told.value, StorageError)


def test_a_file_that_was_only_touched_is_not_made_anew(sample_copy: Path) -> None:
    with closing(Corpus.open(sample_copy)) as corpus:
        for file in (sample_copy / "generations").rglob("*"):
            file.touch()
        before = corpus.status().generation
        assert not corpus.catch_up()
        assert corpus.status().generation == before


@pytest.mark.parametrize("how", HARMS)
def test_a_document_is_taken_though_the_indexes_were_just_harmed(sample_copy: Path, how: str) -> None:
    with closing(Corpus.open(sample_copy)) as corpus:
        corpus.search(QUERY)
        harm(sample_copy / "generations", how)
        corpus.add([record_source({"id": "new", "text": "渡口的灯塔今晚亮了。"}, source="")])
        assert corpus.search(SearchRequest('"渡口的灯塔"')).hits[0].document.id == "new"
        assert corpus.verify() == []


def test_threads_of_one_process_write_one_after_the_other(archive: Corpus) -> None:
    """As a service does that takes documents and mends its indexes meanwhile."""
    troubles: list[Exception] = []
    ended = threading.Event()

    def mend() -> None:
        while not ended.is_set():
            try:
                archive.catch_up()
            except BusyError:
                continue
            except Exception as error:
                troubles.append(error)
                return

    threads = [threading.Thread(target=mend) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(12):
            archive.add([piece(number)])
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not troubles
    assert archive.verify() == []
    assert archive.status().documents == 12


def test_a_generation_replaced_while_it_is_looked_at_is_not_called_damaged(
    archive: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add([piece(1)])
    size = generation._size

    def meanwhile(file: Path) -> int | None:
        monkeypatch.setattr(generation, "_size", size)
        before = archive.status().generation
        for number in range(2, 5):
            archive.add([piece(number)])
        assert not (archive.data / f"generations/{before:08d}").exists()
        return size(file)

    monkeypatch.setattr(generation, "_size", meanwhile)
    manifest = generation.Generations(archive.data / "generations").current()
    assert manifest is not None
    assert manifest.generation == archive.status().generation


def test_while_another_process_holds_the_lock_searches_go_on_and_its_death_lets_go(sample_copy: Path) -> None:
    lock = str(sample_copy / "writer.lock")
    hold = f"import filelock; held = filelock.FileLock({lock!r}); held.acquire(); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with closing(Corpus.open(sample_copy)) as corpus:
            corpus.search(QUERY)
            harm(sample_copy / "generations", "words deleted")  # so that there is something to do
            with pytest.raises(BusyError, match="Another process is writing") as refused:
                corpus.catch_up()
            assert "另一个进程" in refused.value.chinese
            assert corpus.search(QUERY).hits
            other.kill()
            other.wait()
            assert corpus.catch_up()
            assert corpus.verify() == []
