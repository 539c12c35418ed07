"""Real files of an archive, in many formats and old encodings: every one is read rightly, or named with a reason."""

from __future__ import annotations

import json
import lzma
import tarfile
import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path
from statistics import median

import pytest

from index.chinese import fold
from index.ingest import Source, Unreadable, sources_of

ARCHIVE = Path(__file__).parents[3] / "shared" / "data" / "archive"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason="../shared/data is not beside this checkout"),
]


def wild(text: str) -> int:
    """Characters that stand for bytes nobody understood: private, unassigned and replacement ones."""
    return sum(char == "\ufffd" or unicodedata.category(char) in {"Co", "Cn"} for char in text)


@pytest.fixture(scope="module")
def commonest() -> frozenset[str]:
    """The 3,500 commonest Chinese characters of the news."""
    with lzma.open(ARCHIVE / "news.jsonl.xz", "rt", encoding="utf-8") as file:
        counts = Counter(char for line in islice(file, 4000) for char in json.loads(line)["text"])
    chinese = [char for char, _ in counts.most_common() if "一" <= char <= "鿿"]
    return frozenset(chinese[:3500])


def share(text: str, commonest: frozenset[str]) -> float:
    """Which share of a text's Chinese characters are common ones, traditional forms counting as simplified."""
    chinese = [char for char in fold(text) if "一" <= char <= "鿿"]
    return sum(char in commonest for char in chinese) / max(1, len(chinese))


def unpacked(name: str, folder: Path, every: int = 1) -> Path:
    with tarfile.open(ARCHIVE / name) as archive:
        members = [member for member in archive if member.isfile()]
        archive.extractall(folder, members[::every], filter="data")
    return folder


def test_files_of_every_format_are_read_or_named(tmp_path: Path, commonest: frozenset[str]) -> None:
    folder = unpacked("files.tar.xz", tmp_path)
    (folder / "MANIFEST.tsv").unlink()
    files = {str(file) for file in folder.rglob("*") if file.is_file()}
    found = list(sources_of([folder]))
    read = [one for one in found if isinstance(one, Source)]
    named = [one for one in found if isinstance(one, Unreadable)]
    assert {one.file for one in read} | {one.file or one.name for one in named} == files
    assert len(named) <= 1, [one.reason.english for one in named]  # a scan without text
    shares = {
        one.file: share(one.text, commonest) for one in read if sum("一" <= char <= "鿿" for char in one.text) > 300
    }
    assert len(shares) > 130
    assert median(shares.values()) > 0.98
    lowest = sorted(shares.values())
    assert lowest[0] > 0.5  # two are tables of rare characters; Big5 read as GB18030 has 0.36
    assert lowest[2] > 0.93
    for one in read:
        assert wild(one.text) <= 0.01 * len(one.text), one.file  # PDFs whose fonts map glyphs to private characters


def test_old_encodings_are_read_as_they_are(tmp_path: Path, commonest: frozenset[str]) -> None:
    folder = unpacked("gb18030-text.tar.xz", tmp_path, every=6)
    found = list(sources_of([folder]))
    read = [one for one in found if isinstance(one, Source)]
    assert len(read) >= 499
    together = ""
    for one in read:
        reference = Path(one.file).read_bytes().decode("gb18030", "replace")
        assert wild(one.text) <= wild(reference), one.file  # what is wild was so in the source
        together += one.text
    assert share(together, commonest) > 0.985
