"""What happens to files while they are used, and to disks while they are written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from index.backup import back_up, check
from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import generation
from index.errors import BusyError, DataError, StorageError
from index.ingest import Source, record_source
from index.upkeep import Upkeep

QUERY = SearchRequest("社区食堂的老人吃饭多少钱", limit=5)


def harm(generations: Path, how: str) -> None:
    """Do something to the published files, as a person or a failing disk would."""
    (folder,) = (path for path in generations.iterdir() if path.is_dir())
    faiss = folder / "base" / "index.faiss"
    if how == "words deleted":
        shutil.rmtree(folder / "words")
    elif how == "vectors exchanged":
        faiss.unlink()
        faiss.write_bytes(b"no index at all")
    elif how == "vectors overwritten in place":
        with faiss.open("r+b") as file:
            file.seek(200)
            file.write(bytes(range(256)) * ((faiss.stat().st_size - 200) // 256))
    elif how == "passage numbers overwritten in place":
        with (folder / "numbers.npy").open("r+b") as file:
            file.seek(-8, 2)
            file.write(b"harmed!!")
    elif how == "manifest deleted":
        (folder / "manifest.json").unlink()
    elif how == "CURRENT emptied":
        (generations / "CURRENT").unlink()
        (generations / "CURRENT").write_bytes(b"")
    else:
        shutil.rmtree(generations)


HARMS = ("words deleted", "vectors exchanged", "manifest deleted", "CURRENT emptied", "everything deleted")
IN_PLACE = ("vectors overwritten in place", "passage numbers overwritten in place")


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
    with closing(Corpus.open(sample_copy)) as corpus:
        expected = [hit.passage_id for hit in corpus.search(QUERY).hits]
        harm(sample_copy / "generations", how)
        assert corpus.search(QUERY).hits
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


def test_nothing_is_published_before_it_is_on_the_disk(archive: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """As power may fail at any moment: a name must never reach the disk before what it stands for."""
    steps: list[tuple[str, Path]] = []
    flush, rename, replace = generation._flush, Path.rename, Path.replace

    def noted_flush(path: Path) -> None:
        steps.append(("flushed", path))
        flush(path)

    def noted(what: str, really: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def move(self: Path, target: Path) -> Path:
            if "generations" in self.parts:
                steps.append((what, self))
            return really(self, target)

        return move

    monkeypatch.setattr(generation, "_flush", noted_flush)
    monkeypatch.setattr(Path, "rename", noted("renamed", rename))
    monkeypatch.setattr(Path, "replace", noted("replaced", replace))
    old = {path.stat().st_ino for path in (archive.data / "generations").rglob("*") if path.is_file()}
    archive.add([piece(1)])
    (folder,) = (path for what, path in steps if what == "renamed")
    published = next(path for path in (archive.data / "generations").iterdir() if path.is_dir())
    renamed = steps.index(("renamed", folder))
    before = {path for what, path in steps[:renamed] if what == "flushed"}
    inside = {folder / path.relative_to(published) for path in published.rglob("*")}
    linked = {folder / path.relative_to(published) for path in published.rglob("*") if path.stat().st_ino in old}
    assert inside - before <= linked  # what was taken over had been flushed when it was new
    assert folder in before
    new = folder.parent / "CURRENT.new"
    whole = folder.parent
    order = [("renamed", folder), ("flushed", whole), ("flushed", new), ("replaced", new), ("flushed", whole)]
    assert steps[renamed : renamed + len(order)] == order


def test_what_is_acknowledged_has_reached_the_disk(archive: Corpus) -> None:
    """SQLite syncs its log at each commit only if it is told to."""
    assert archive._engine.store._connection().execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


@pytest.fixture
def small_disk(disk_of: Callable[[str], Path]) -> Path:
    return disk_of("6m")


def piece(number: int) -> Source:
    sentence = "第{0}号渔船第{1}次回港，打到了{2}斤鱼，船上有{1}名渔民。"
    text = "\n".join(sentence.format(number, line, number * line) for line in range(40))
    return record_source({"id": f"p{number}", "text": text}, source="")


def test_a_full_disk_loses_nothing_that_was_acknowledged(sample: Corpus, small_disk: Path) -> None:
    data = Path(shutil.copytree(sample.data, small_disk / "data", copy_function=shutil.copy))
    stored, refused, waiting = [], [], []
    with closing(Corpus.open(data)) as corpus:
        for number in range(400):
            try:
                trouble = corpus.add([piece(number)]).trouble
            except StorageError as error:
                refused.append(number)
                trouble = error
            else:
                stored.append(number)
                waiting += [number] if trouble is not None else []
            if trouble is not None:
                assert isinstance(trouble, StorageError)
                assert "disk" in trouble.english
                assert "磁盘" in trouble.chinese
            if len(refused) == 3:
                break
        assert len(refused) == 3, "the disk did not fill up"
        # What is refused is not there, and what is not refused is; what waits is found later.
        ids = {document.id for document in corpus.documents(limit=1_000).documents}
        assert {f"p{number}" for number in stored} == {id_ for id_ in ids if id_.startswith("p")}
        with pytest.raises(StorageError):
            corpus.remove([f"p{stored[0]}"])
        assert corpus.document(f"p{stored[0]}").document.id == f"p{stored[0]}"
        # The publication that failed left the one before, which is whole and answers.
        assert corpus.search(QUERY).hits
        subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
        assert corpus.catch_up()
        assert corpus.verify() == []
        for number in [*stored[:1], *stored[-1:], *waiting]:
            assert corpus.search(SearchRequest(f'"第{number}号渔船"')).hits[0].document.id == f"p{number}"


def test_what_was_stored_as_the_disk_became_full_is_no_error_and_published_later(
    sample: Corpus, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The last bytes may go between storing and publishing; then an error would say that nothing was done."""
    data = Path(shutil.copytree(sample.data, small_disk / "data", copy_function=shutil.copy))
    with closing(Corpus.open(data)) as corpus:
        assert corpus.search(QUERY).hits
        ballast = small_disk / "ballast"

        def fill(stage: str, _done: int, _total: int) -> None:
            if stage == "publish" and not ballast.exists():
                with suppress(OSError), ballast.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4_096))

        summary = corpus.add([piece(1)], progress=fill)
        assert summary.added == 1
        assert isinstance(summary.trouble, StorageError)
        assert corpus.document("p1").passages
        assert not corpus.search(SearchRequest('"第1号渔船"')).hits
        with Upkeep(corpus, every=0.05):
            ends = time.monotonic() + 60
            while "cannot be written" not in caplog.text:
                assert time.monotonic() < ends
            ballast.unlink()
            while not corpus.search(SearchRequest('"第1号渔船"')).hits:
                assert time.monotonic() < ends
        assert corpus.verify() == []
        assert caplog.text.count("cannot be written") == 1  # not at every look


def test_a_disk_that_cannot_be_written_is_told_in_a_sentence(sample: Corpus, small_disk: Path) -> None:
    data = Path(shutil.copytree(sample.data, small_disk / "data", copy_function=shutil.copy))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    try:
        with closing(Corpus.open(data)) as corpus:
            corpus.add([piece(1)])
        raise AssertionError("written to a disk that is read only")
    except DataError as error:
        assert str(data) in error.english
        assert "python -m" in error.english or "permissions" in error.english or "--data" in error.english
    finally:
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    with closing(Corpus.open(data)) as corpus:
        assert corpus.verify() == []


def test_an_archive_on_a_disk_that_can_only_be_read_is_searched_and_backed_up(
    sample: Corpus, small_disk: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(sample.data, small_disk / "data", copy_function=shutil.copy))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    try:
        with closing(Corpus.open(data)) as corpus:
            assert corpus.status().ready
            expected = [hit.passage_id for hit in sample.search(QUERY).hits]
            assert [hit.passage_id for hit in corpus.search(QUERY).hits] == expected
            assert corpus.verify() == []
            assert not corpus.catch_up()
            file, _ = back_up(corpus, tmp_path / "backup.tar")
            assert check(file).documents == corpus.status().documents
    finally:
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
