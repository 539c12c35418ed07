"""An archive of an older format is brought up when it is opened, and nothing of it is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.engine.generation import Generations, Manifest
from index.engine.local import DATABASE
from index.engine.migrations import MIGRATIONS, SCHEMA_VERSION, bring_up
from index.errors import DataError


def as_format_1(data: Path) -> Path:
    """The archive as the first release wrote it."""
    file = data / DATABASE
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for table in ("files", "bands", "families", "retired"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX documents_told")
        connection.execute("DELETE FROM meta WHERE key = 'compared'")
        connection.execute("PRAGMA user_version = 1")
    return file


def version(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_an_older_archive_is_brought_up_after_a_copy_was_made(sample_copy: Path) -> None:
    file = as_format_1(sample_copy)
    corpus = Corpus.open(sample_copy)
    assert corpus.status().documents == 43
    assert corpus.catch_up()  # its passages were never compared with each other
    assert corpus.verify() == []
    corpus.close()
    assert version(file) == SCHEMA_VERSION
    assert "files" in tables(file)
    backup = file.with_name(file.name + ".format1")
    assert version(backup) == 1
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (43,)


def test_repeats_that_were_found_and_not_published_are_published_by_the_next_start(
    sample_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_format_1(sample_copy)
    with closing(Corpus.open(sample_copy)) as corpus, monkeypatch.context() as interrupted:

        def end(_generations: Generations, write: Callable[[int, Path], Manifest], _previous: object) -> None:
            folder = sample_copy / "generations" / "passing"
            folder.mkdir()
            write(99, folder)
            raise KeyboardInterrupt

        interrupted.setattr(Generations, "publish", end)
        with pytest.raises(KeyboardInterrupt):
            corpus.catch_up()
        assert corpus._engine.store.families.pending() == 0
    with closing(Corpus.open(sample_copy)) as corpus:
        assert corpus.catch_up()
        assert corpus.verify() == []


def test_a_new_archive_needs_no_copy(tmp_path: Path) -> None:
    Corpus.open(tmp_path, create=True).close()
    assert version(tmp_path / DATABASE) == SCHEMA_VERSION
    assert not list(tmp_path.glob("*.format*"))


def test_a_step_that_fails_leaves_the_archive_as_it_was(sample_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = as_format_1(sample_copy)
    before = tables(file)
    monkeypatch.setitem(MIGRATIONS, 2, (*MIGRATIONS[2], "INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(DataError, match="no such table: nowhere"):
        Corpus.open(sample_copy)
    assert (version(file), tables(file)) == (1, before)


def test_an_older_archive_that_cannot_be_written_says_what_to_run(sample_copy: Path) -> None:
    file = as_format_1(sample_copy)
    with (
        closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)) as connection,
        pytest.raises(DataError, match=r"cannot be written; run once .* scripts\.manage status --data"),
    ):
        bring_up(connection, file)
    assert version(file) == 1
