"""Re-running over files: what is unchanged is not read, what changed is replaced, what left a file is removed."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

import index.ingest
from index.corpus import Corpus
from index.ingest import sources_of
from index.outcomes import Summary
from index.readers import Columns, Content
from index.walk import UNSETTLED, FileDone

OLD, NEW = "石桥经过两年修缮，昨天重新开放。", "渔港的渔船今天全部回港，岸上。"  # of one length


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's times can be trusted as soon as it is written, unless a test says otherwise."""
    monkeypatch.setattr("index.walk._GRANULE_NS", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    made.mkdir()
    (made / "bridge.txt").write_text(OLD, encoding="utf-8")
    return made


def run(archive: Corpus, path: Path, **options: Columns | str) -> Summary:
    return archive.add(sources_of([path], known=archive.known_file, **options))


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.added, summary.replaced, summary.unchanged, summary.removed


def unread(archive: Corpus, path: Path, **options: Columns | str) -> bool:
    """Whether nothing below the path would be read, not even to compare its content."""
    found = list(sources_of([path], known=archive.known_file, **options))
    return all(isinstance(one, FileDone) and one.unchanged and not one.stale for one in found)


def records(file: Path, *ids: str) -> None:
    lines = (json.dumps({"id": id_, "text": f"{id_}：{OLD}"}, ensure_ascii=False) for id_ in ids)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def ids(archive: Corpus) -> set[str]:
    return {document.id for document in archive.documents().documents}


def test_an_unchanged_file_is_not_read_again(archive: Corpus, folder: Path) -> None:
    assert counts(run(archive, folder)) == (1, 0, 0, 0)
    assert unread(archive, folder)
    assert counts(run(archive, folder)) == (0, 0, 1, 0)


def test_a_touched_file_is_compared_once_by_content(archive: Corpus, folder: Path) -> None:
    run(archive, folder)
    os.utime(folder / "bridge.txt", (1, 1))
    assert not unread(archive, folder)
    assert counts(run(archive, folder)) == (0, 0, 1, 0)
    assert unread(archive, folder)


def test_a_change_that_keeps_size_and_mtime_is_seen(archive: Corpus, folder: Path) -> None:
    file = folder / "bridge.txt"
    os.utime(file, (1, 1))
    run(archive, folder)
    file.write_text(NEW, encoding="utf-8")
    os.utime(file, (1, 1))
    assert counts(run(archive, folder)) == (0, 1, 0, 0)


def test_times_of_a_file_that_has_just_changed_are_not_trusted(
    archive: Corpus, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.walk._GRANULE_NS", 10**15)
    run(archive, folder)
    stored = archive.known_file(str(folder / "bridge.txt"))
    assert stored is not None
    assert stored[0].stamp == UNSETTLED
    monkeypatch.setattr("index.walk._GRANULE_NS", 0)
    assert not unread(archive, folder)  # compared by content, and trusted from then on
    assert counts(run(archive, folder)) == (0, 0, 1, 0)
    assert unread(archive, folder)


def test_other_columns_or_another_collection_read_anew(archive: Corpus, folder: Path) -> None:
    run(archive, folder)
    assert not unread(archive, folder, columns=Columns(text="正文"))
    assert not unread(archive, folder, collection="别处")
    assert counts(run(archive, folder, collection="别处")) == (0, 1, 0, 0)


def test_records_that_left_a_file_are_removed(archive: Corpus, folder: Path) -> None:
    file = folder / "news.jsonl"
    records(file, "one", "two", "three")
    run(archive, file)
    records(file, "one", "three")
    assert counts(run(archive, file)) == (0, 0, 2, 1)
    assert ids(archive) == {"one", "three"}
    assert unread(archive, file)


def test_members_that_left_an_archive_are_removed_and_its_neighbours_stay(archive: Corpus, folder: Path) -> None:
    (folder / "a.zip.txt").write_text(NEW, encoding="utf-8")  # its path begins with the archive's
    for members in (("x.txt", "y.txt"), ("x.txt",)):
        with zipfile.ZipFile(folder / "a.zip", "w") as packed:
            for name in members:
                packed.writestr(name, OLD + name)
        summary = run(archive, folder)
    assert counts(summary) == (0, 0, 3, 1)
    assert unread(archive, folder)


def test_a_file_with_a_bad_record_loses_nothing_and_is_told_of_each_time(archive: Corpus, folder: Path) -> None:
    file = folder / "news.jsonl"
    records(file, "one", "two")
    run(archive, file)
    file.write_text('{"id": "one", "text": "石桥"}\n{"id": \n', encoding="utf-8")
    for _ in range(2):
        assert len(run(archive, file).skipped) == 1
    assert ids(archive) == {"one", "two"}


def test_a_document_removed_by_hand_comes_back_with_its_file(archive: Corpus, folder: Path) -> None:
    run(archive, folder)
    archive.remove(list(ids(archive)))
    assert counts(run(archive, folder)) == (1, 0, 0, 0)


def test_unread_files_survive_pruning_and_those_that_are_gone_do_not(archive: Corpus, folder: Path) -> None:
    (folder / "harbour.txt").write_text(NEW, encoding="utf-8")
    run(archive, folder)
    (folder / "harbour.txt").unlink()
    assert archive.prune([folder], run(archive, folder).seen) == 1
    assert archive.prune([folder], run(archive, folder).seen) == 0


def test_a_run_cut_short_inside_a_file_leaves_no_record_of_what_the_file_was(archive: Corpus, folder: Path) -> None:
    file = folder / "bridge.txt"
    first = folder.parent / "first.txt"
    shutil.copy(file, first)
    run(archive, folder)
    file.write_text(NEW, encoding="utf-8")
    found = sources_of([folder], known=archive.known_file)
    archive.add([next(found)])  # and not the end of the file
    shutil.copy(first, file)
    assert counts(run(archive, folder)) == (0, 1, 0, 0)


def test_a_reader_that_fails_stops_no_other_file(
    archive: Corpus, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "harbour.txt").write_text(NEW, encoding="utf-8")
    read = index.ingest.read

    def failing(content: Content, columns: Columns | None) -> object:
        if content.name.endswith("bridge.txt"):
            raise RecursionError("too deep")
        return read(content, columns)

    monkeypatch.setattr("index.ingest.read", failing)
    summary = run(archive, folder)
    assert (summary.added, len(summary.skipped)) == (1, 1)
    (skipped,) = summary.skipped
    assert "bridge.txt cannot be read: its reader failed with RecursionError" in skipped.reason.english


def test_a_folder_given_in_another_spelling_is_the_same(archive: Corpus, folder: Path) -> None:
    run(archive, folder)
    assert counts(run(archive, folder / ".." / folder.name)) == (0, 0, 1, 0)
