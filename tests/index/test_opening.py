"""What cannot be opened as an archive, or has nothing in it yet, is refused in a sentence that says what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.errors import DataError, NoIndexError


def test_there_has_to_be_an_index_unless_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match=r"scripts\.build_index"):
        Corpus.open(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_directory_that_is_a_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="choose another directory"):
        Corpus.open(tmp_path / "file", create=True)


def test_a_database_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "xunzhang.sqlite3").write_bytes(b"this is no database" * 100)
    with pytest.raises(DataError, match="restore a backup"):
        Corpus.open(tmp_path)


def test_a_database_of_a_later_format_is_refused_and_left_alone(sample_copy: Path) -> None:
    database = sample_copy / "xunzhang.sqlite3"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataError, match="format 99"):
        Corpus.open(sample_copy)


def test_an_archive_that_was_never_filled_says_what_to_do(tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", create=True)
    assert not corpus.status().ready
    with pytest.raises(DataError, match=r"python -m scripts\."):
        corpus.search(SearchRequest("老石桥"))
    corpus.close()
