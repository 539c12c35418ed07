"""Backups and restores that are killed, or have no room: nothing that was there is lost, and nothing half is left."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from index.backup import back_up, check, restore
from index.corpus import Corpus
from index.errors import DataError
from index.ingest import record_source
from index.walk import DATABASE
from tests.conftest import ROOT
from tests.index.backups import listed, opened

RESTORE = """
import sys
from pathlib import Path
from index.backup import restore
print("ready", flush=True)
restore(Path(sys.argv[1]), Path(sys.argv[2]), force=True)
"""


def test_a_restore_killed_at_any_moment_costs_nothing(packed: Path, tmp_path: Path) -> None:
    seeded = random.Random(5)
    data = tmp_path / "data"
    with closing(Corpus.open(data, create=True)) as corpus:
        corpus.add([record_source({"id": "old", "text": "旧档案里只有这一句。"}, source="")])
    ends = set()
    for attempt in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", RESTORE, packed, data], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seeded.uniform(0, 0.3) if attempt else 0.02)  # the moment of the kill
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # Whatever happened, the old archive is there, in its place or aside.
        places = [data, *data.glob("before-restore-*")]
        olds = [place for place in places if (place / DATABASE).exists() and has(place, "old")]
        assert len(olds) == 1, [listed(place) for place in places]
        ends.add("aside" if olds[0] != data else "untouched")
        if olds[0] != data:
            break
    assert "untouched" in ends
    restore(packed, data, force=True)  # and the next attempt ends well
    with opened(data) as corpus:
        assert corpus.verify() == []
        assert corpus.status().documents == check(packed).documents
    assert not [name for name in listed(data) if name.startswith(".xunzhang")]


def has(place: Path, id_: str) -> bool:
    with closing(sqlite3.connect(place / DATABASE)) as connection:
        return bool(connection.execute("SELECT 1 FROM documents WHERE id = ?", (id_,)).fetchall())


def test_a_full_disk_is_told_and_leaves_nothing(sample: Corpus, packed: Path, disk_of: Callable[[str], Path]) -> None:
    small_disk = disk_of("300k")
    with pytest.raises(DataError, match=r"cannot be written: .*; nothing was changed"):
        back_up(sample, small_disk / "a.tar")
    assert listed(small_disk) == []
    with pytest.raises(DataError, match=r"cannot be written: .*; nothing was changed"):
        restore(packed, small_disk / "data")
    assert listed(small_disk / "data") == []


def test_files_that_may_not_grow_are_told_and_leave_nothing(packed: Path, sample_copy: Path, tmp_path: Path) -> None:
    """The same by a limit on the size of files, where nothing can be mounted."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from index.backup import back_up, restore; from index.corpus import Corpus\n"
        "from index.errors import DataError\n"
        "data, packed, place = map(Path, sys.argv[1:])\n"
        "corpus = Corpus.open(data)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "for does in (lambda: back_up(corpus, place / 'a.tar'), lambda: restore(packed, place / 'd')):\n"
        "    try:\n        does()\n"
        "    except DataError as error:\n        print(error.english)\n"
    )
    place = tmp_path / "place"
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, sample_copy, packed, place], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2
    assert all("nothing was changed. Make room" in line for line in done.stdout.splitlines())
    assert listed(place) == ["d"]
    assert listed(place / "d") == []
