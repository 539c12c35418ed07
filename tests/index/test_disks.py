"""What has to have reached the disk, and what becomes of an archive where it is full or can only be read."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from index.backup import back_up, check
from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import generation
from index.errors import DataError, StorageError
from index.upkeep import Upkeep
from tests.index.texts import piece

QUERY = SearchRequest("社区食堂的老人吃饭多少钱", limit=5)


# Before the power fails


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


# A disk that is full, or can only be read


@pytest.fixture
def small_disk(disk_of: Callable[[str], Path]) -> Path:
    return disk_of("6m")


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
