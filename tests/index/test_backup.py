"""A backup is of one moment, gives everything back, is refused when it is not whole, and never costs what was there."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index.backup import back_up, check, restore
from index.compacting import compact
from index.corpus import Corpus
from index.document import SearchRequest
from index.errors import BusyError, DataError, SourceError
from index.ingest import record_source
from index.model_cards import COMPACT
from index.model_choice import adapted_name
from index.walk import DATABASE
from index.wordtable import WordTable
from tests.conftest import ROOT
from tests.index.backups import listed, opened, scored

QUERY = SearchRequest("社区食堂的老人吃饭多少钱", limit=5)


def content(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of an archive."""
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        tables = ("documents", "passages", "vectors", "families", "files", "sqlite_sequence")
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


# Everything comes back


@pytest.mark.parametrize("name", ["sample.tar", "sample.tar.gz"])
def test_what_is_restored_elsewhere_is_what_was_backed_up(sample: Corpus, tmp_path: Path, name: str) -> None:
    target, manifest = back_up(sample, tmp_path / name)
    assert (manifest.documents, manifest.passages) == (sample.status().documents, sample.status().passages)
    assert listed(tmp_path) == [name]
    assert target.stat().st_mode & 0o077 == 0  # a newspaper's archive is not everybody's

    done = restore(target, tmp_path / "elsewhere")
    assert (done.manifest, done.aside, done.trouble) == (manifest, None, "")
    assert content(tmp_path / "elsewhere") == content(sample.data)
    with opened(tmp_path / "elsewhere") as corpus:
        assert corpus.verify() == []
        assert not corpus.catch_up()  # nothing had to be embedded or published again
        expected, found = sample.search(QUERY), corpus.search(QUERY)
        assert scored(found) == scored(expected)
        (new,) = [record_source({"id": "new", "text": "渡口的灯塔今晚亮了。"}, source="")]
        assert corpus.add([new]).added == 1
        assert corpus.search(SearchRequest('"渡口的灯塔"')).hits[0].document.id == "new"


def test_an_archives_own_model_goes_with_it(sample_copy: Path, tmp_path: Path) -> None:
    name = adapted_name(WordTable.read(Path(shutil.copytree(COMPACT, sample_copy / "adapting"))).fingerprint)
    (sample_copy / "adapting").rename(sample_copy / name)
    with opened(sample_copy) as corpus:
        corpus.rebuild(model=name)
        target, manifest = back_up(corpus, tmp_path / "own.tar")
    assert manifest.model == name
    done = restore(target, tmp_path / "elsewhere")
    assert done.trouble == ""
    for file in COMPACT.iterdir():
        assert (tmp_path / "elsewhere" / name / file.name).read_bytes() == file.read_bytes()
    with opened(tmp_path / "elsewhere") as corpus:
        assert corpus.model == name
        assert corpus.search(QUERY).degraded == ()


def test_files_of_the_service_go_with_it_only_when_asked(sample_copy: Path, tmp_path: Path) -> None:
    (sample_copy / "keys.json").write_text('{"keys": []}')
    with opened(sample_copy) as corpus:
        without, _ = back_up(corpus, tmp_path / "without.tar")
        with_, manifest = back_up(corpus, tmp_path / "with.tar", extras=["keys.json"])
    assert set(manifest.files) == {DATABASE, "keys.json"}
    restore(without, tmp_path / "a", extras=["keys.json"])
    restore(with_, tmp_path / "b")
    restore(with_, tmp_path / "c", extras=["keys.json"])
    assert [(tmp_path / name / "keys.json").exists() for name in "abc"] == [False, False, True]
    assert (tmp_path / "c" / "keys.json").stat().st_mode & 0o077 == 0


def test_a_backup_made_while_others_write_is_of_one_moment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    text = "第{0}号渔船今天回港，打到了{0}斤鱼。"
    written: list[int] = []
    ended = threading.Event()

    def write() -> None:
        with opened(data) as corpus:
            while not ended.is_set():
                number = len(written)
                pair = [{"id": f"{side}{number}", "text": text.format(number) + side} for side in ("left", "right")]
                corpus.add(record_source(record, source="") for record in pair)  # one transaction
                written.append(number)

    with closing(Corpus.open(data, create=True)) as corpus:
        corpus.add([record_source({"id": "first", "text": "港口开了。"}, source="")])
        writer = threading.Thread(target=write)
        writer.start()
        moments = []
        for number in range(5):
            before = len(written)
            while len(written) < before + 2:
                time.sleep(0.005)
            least = len(written)
            target, _ = back_up(corpus, tmp_path / f"{number}.tar")
            moments.append((target, least, len(written) + 1))
        ended.set()
        writer.join()
    for target, least, most in moments:
        restored = tmp_path / target.stem
        restore(target, restored)
        with opened(restored) as corpus:
            assert corpus.verify() == []
            ids = {document.id for document in corpus.documents(limit=10_000).documents} - {"first"}
        count = len(ids) // 2
        assert least <= count <= most  # all that was acknowledged before it began
        assert ids == {f"{side}{number}" for side in ("left", "right") for number in range(count)}  # nothing half


def test_the_server_goes_on_and_what_was_removed_is_not_in_the_backup(sample_copy: Path, tmp_path: Path) -> None:
    secret = "绝密的渡口密码"
    with opened(sample_copy) as corpus:
        corpus.add([record_source({"id": "s", "text": f"{secret}是七号。"}, source="")])
        corpus.remove(["s"])
        target, _ = back_up(corpus, tmp_path / "a.tar")
        assert corpus.search(QUERY).hits
    assert secret.encode() not in target.read_bytes()


# What is not whole is refused


def test_no_flipped_byte_and_no_missing_end_gets_through(packed: Path, sample: Corpus, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    places = random.Random(3)
    expected = check(packed)
    let_through = []
    damaged = tmp_path / "damaged.tar"
    harms = [("flip", places.randrange(len(whole))) for _ in range(120)]
    harms += [("flip", place) for place in range(0, 2048, 7)]  # the headers and the manifest
    harms += [("cut", place) for place in (0, 1, 511, 512, 1024, len(whole) // 2, len(whole) - 10_240)]
    for harm, place in harms:
        raw = bytearray(whole)
        if harm == "flip":
            raw[place] ^= 1 << places.randrange(8)
        else:
            del raw[place:]
        damaged.write_bytes(raw)
        try:
            manifest = check(damaged)
        except SourceError as error:
            assert "备份" in error.chinese
            continue
        if manifest != expected:  # a flip in what pads a tar archive changes nothing
            let_through.append((harm, place))
    assert not let_through


def test_a_damaged_backup_leaves_the_directory_as_it_was(packed: Path, sample_copy: Path, tmp_path: Path) -> None:
    raw = bytearray(packed.read_bytes())
    raw[len(raw) // 2] ^= 1
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(raw)
    before = content(sample_copy), listed(sample_copy)
    with pytest.raises(SourceError, match=r"damaged: 'xunzhang.sqlite3' has not the checksum"):
        restore(damaged, sample_copy, force=True)
    assert (content(sample_copy), listed(sample_copy)) == before
    with pytest.raises(SourceError):
        restore(damaged, tmp_path / "empty")
    assert listed(tmp_path / "empty") == []


def test_what_is_no_backup_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar archive at all")
    with pytest.raises(SourceError, match="is no backup: give a file that"):
        check(tmp_path / "a.tar")
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        restore(tmp_path / "absent.tar", tmp_path / "d")
    assert not (tmp_path / "d").exists()


# Never over what is there


def test_a_directory_that_is_not_empty_is_left_alone(packed: Path, sample_copy: Path) -> None:
    before = content(sample_copy)
    with pytest.raises(DataError, match=r"is not empty \(it has generations\): .* --force"):
        restore(packed, sample_copy)
    assert content(sample_copy) == before


def test_by_force_what_was_there_is_moved_aside_and_still_an_archive(packed: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with closing(Corpus.open(data, create=True)) as corpus:
        corpus.add([record_source({"id": "old", "text": "旧档案里只有这一句。"}, source="")])
    (data / "keys.json").write_text("{}")
    done = restore(packed, data, force=True, own=["keys.json"])
    assert done.aside is not None
    assert (data / "keys.json").read_text() == "{}"  # who may come in did not change
    with opened(data) as corpus:
        assert corpus.status().documents == done.manifest.documents
        assert corpus.verify() == []
    with opened(done.aside) as corpus:
        assert corpus.document("old").document.id == "old"
        assert corpus.verify() == []
    with opened(data) as corpus:
        assert compact(corpus).kept == (done.aside,)  # a person decides about it
    assert done.aside.is_dir()


def test_an_archive_in_use_is_not_exchanged(packed: Path, sample_copy: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from index.corpus import Corpus\n"
        "corpus = Corpus.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, sample_copy], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"open\n"
        before = content(sample_copy)
        with pytest.raises(BusyError, match=r"is using .*: stop it"):
            restore(packed, sample_copy, force=True)
        assert content(sample_copy) == before
        assert not list(sample_copy.glob("before-restore-*"))
        server.communicate(b"")
    assert restore(packed, sample_copy, force=True).aside is not None


def test_a_damaged_archive_can_be_exchanged(packed: Path, sample_copy: Path) -> None:
    (sample_copy / DATABASE).write_bytes(b"not a database, after a disk has failed" * 1000)
    with closing(Corpus.open(restore_over(packed, sample_copy))) as corpus:
        assert corpus.verify() == []


def restore_over(packed: Path, data: Path) -> Path:
    assert restore(packed, data, force=True).aside is not None
    return data


def test_a_backup_does_not_replace_another_unasked(sample: Corpus, tmp_path: Path) -> None:
    target, _ = back_up(sample, tmp_path / "a.tar")
    target.write_bytes(b"another")
    with pytest.raises(DataError, match="is there already"):
        back_up(sample, target)
    assert target.read_bytes() == b"another"
    back_up(sample, target, force=True)
    assert check(target).documents == sample.status().documents


def test_no_backup_is_made_of_a_damaged_archive(sample_copy: Path, tmp_path: Path) -> None:
    with opened(sample_copy) as corpus:
        corpus.status()
    raw = bytearray((sample_copy / DATABASE).read_bytes())
    raw[4096 * 6 : 4096 * 9] = os.urandom(4096 * 3)
    (sample_copy / DATABASE).write_bytes(raw)
    with opened(sample_copy) as corpus, pytest.raises(DataError, match="no backup was made of it"):
        back_up(corpus, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
