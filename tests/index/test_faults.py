"""What happens to files while they are used, and to disks while they are written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import generation
from index.errors import BusyError, DataError
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
    elif how == "manifest deleted":
        (folder / "manifest.json").unlink()
    elif how == "CURRENT emptied":
        (generations / "CURRENT").unlink()
        (generations / "CURRENT").write_bytes(b"")
    else:
        shutil.rmtree(generations)


HARMS = ("words deleted", "vectors exchanged", "manifest deleted", "CURRENT emptied", "everything deleted")


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
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB; skipped where none can be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a file system: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def piece(number: int) -> Source:
    sentence = "第{0}号渔船第{1}次回港，打到了{2}斤鱼，船上有{1}名渔民。"
    text = "\n".join(sentence.format(number, line, number * line) for line in range(40))
    return record_source({"id": f"p{number}", "text": text}, source="")


def test_a_full_disk_loses_nothing_that_was_acknowledged(sample: Corpus, small_disk: Path) -> None:
    data = Path(shutil.copytree(sample.data, small_disk / "data", copy_function=shutil.copy))
    acknowledged: list[int] = []
    told: list[DataError] = []
    with closing(Corpus.open(data)) as corpus:
        for number in range(400):
            try:
                corpus.add([piece(number)], progress=lambda stage, *_, n=number: stored(stage, n, acknowledged))
            except DataError as error:
                told.append(error)
                if len(told) == 3:
                    break
        assert len(told) == 3, "the disk did not fill up"
        assert acknowledged
        # The publication that failed left the one before, which is whole and answers.
        assert corpus.search(QUERY).hits
        for error in told:
            assert "disk" in error.english or "space" in error.english
            assert "磁盘" in error.chinese or "空间" in error.chinese
    subprocess.run(["mount", "-o", "remount,size=60m", small_disk], check=True)
    with closing(Corpus.open(data)) as corpus:
        corpus.catch_up()
        assert corpus.verify() == []
        ids = {document.id for document in corpus.documents(limit=1_000).documents}
        assert {f"p{number}" for number in acknowledged} <= ids
        for number in acknowledged[-3:]:
            assert corpus.search(SearchRequest(f'"第{number}号渔船"')).hits[0].document.id == f"p{number}"


def stored(stage: str, number: int, acknowledged: list[int]) -> None:
    if stage == "read":
        acknowledged.append(number)


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
