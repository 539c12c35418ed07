"""What disks hold beside readable files with plain names: names in old encodings, closed folders, links, equal ids."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.following import changes
from index.ingest import sources_of
from index.outcomes import Summary
from index.walk import absolute

BRIDGE, HARBOUR = "石桥经过两年修缮，昨天重新开放。", "渔港的渔船今天全部回港，岸上。"


def run(archive: Corpus, *paths: Path) -> Summary:
    return archive.add(sources_of(paths, known=archive.known_file))


def in_gbk(folder: Path, name: str) -> Path:
    """A path whose last name is written as Chinese systems of the nineties did."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name.encode("gbk")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    made.mkdir()
    (made / "a.txt").write_text(BRIDGE, encoding="utf-8")
    return made


def test_a_name_in_an_old_encoding_is_read_as_it_was_meant(
    archive: Corpus, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.walk._GRANULE_NS", 0)
    year = in_gbk(folder, "一九五一年")
    year.mkdir()
    file = in_gbk(year, "渔港消息.txt")
    file.write_text(HARBOUR, encoding="utf-8")
    assert run(archive, folder).added == 2
    hit = archive.search(SearchRequest("渔船回港")).hits[0]
    assert hit.title == "渔港消息"
    assert hit.document.path.endswith("papers/一九五一年/渔港消息.txt")
    assert run(archive, folder).unchanged == 2
    file.unlink()
    assert archive.prune([year], run(archive, folder).seen, force=True) == 1


def closed(folder: Path) -> Callable[[Any], Iterator[os.DirEntry[str]]]:
    """Looking into folders where one cannot be looked into; taking its permissions away stops no administrator."""
    look = os.scandir

    def looked(path: Any) -> Iterator[os.DirEntry[str]]:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(folder))
        return look(path)

    return looked


def test_a_folder_that_cannot_be_looked_into_is_told_and_keeps_its_documents(
    archive: Corpus, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "b.txt").write_text(HARBOUR, encoding="utf-8")
    run(archive, folder)
    monkeypatch.setattr(os, "scandir", closed(inner))
    summary = run(archive, folder)
    (skipped,) = summary.skipped
    assert skipped.reason is not None
    assert not skipped.expected
    assert skipped.reason.english.startswith(f"The folder {inner} cannot be read: Permission denied")
    assert archive.prune([folder], summary.seen) == 0
    monkeypatch.undo()
    (inner / "b.txt").unlink()
    assert archive.prune([folder], run(archive, folder).seen) == 1


def test_a_file_that_cannot_be_read_any_more_keeps_its_documents(archive: Corpus, folder: Path) -> None:
    (folder / "b.txt").write_text(HARBOUR, encoding="utf-8")
    run(archive, folder)
    (folder / "b.txt").write_bytes(b"PK\x03\x04 torn")
    summary = run(archive, folder)
    assert [skipped.name for skipped in summary.skipped] == [str(folder / "b.txt")]
    assert archive.prune([folder], summary.seen) == 0
    assert archive.search(SearchRequest("渔船回港")).hits[0].text == HARBOUR


def test_links_that_are_not_followed_are_told_once(archive: Corpus, folder: Path, tmp_path: Path) -> None:
    (folder / "circle").symlink_to(folder)
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    (folder / "b.txt").symlink_to(folder / "a.txt")  # a file like any other
    summary = run(archive, folder)
    assert summary.added == 2
    (skipped,) = summary.skipped
    assert skipped.reason is not None
    assert skipped.expected
    assert "2 links to folders or to nothing" in skipped.reason.english


def test_records_of_two_files_with_one_id_do_not_take_turns(archive: Corpus, folder: Path) -> None:
    (folder / "a.txt").unlink()
    first, second = folder / "first.csv", folder / "second.csv"
    first.write_text(f"id,title,text\n1,桥,{BRIDGE}\n", encoding="utf-8")
    second.write_text(f"id,title,text\n1,港,{HARBOUR}\n2,港,{HARBOUR}\n", encoding="utf-8")
    for added in (2, 0, 0):
        summary = run(archive, folder)
        assert (summary.added, summary.replaced) == (added, 0)
        (skipped,) = summary.skipped
        assert skipped.reason is not None
        assert skipped.reason.english.startswith(f"{second}: the record with the id 1 was left out, as {first} holds")
    first.write_text("id,title,text\n3,桥,石桥下月再修。\n", encoding="utf-8")  # 1 is free now
    assert not run(archive, folder).skipped
    assert archive.document("1").passages[0].text == HARBOUR


def test_a_name_that_the_watch_cannot_tell_has_all_looked_through(folder: Path, tmp_path: Path) -> None:
    end = Event()
    batches = changes([folder], end, besides=tmp_path / "data")
    assert next(batches) == frozenset()
    in_gbk(folder, "渔港.txt").write_text(HARBOUR, encoding="utf-8")
    batch = next(filter(None, batches))
    assert absolute(folder) in batch
    (folder / "c.txt").write_text(BRIDGE, encoding="utf-8")  # and it goes on
    assert folder / "c.txt" in next(filter(None, batches))
    end.set()
