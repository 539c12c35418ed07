"""Archives are read as if they were folders; bombs, locked members and ways out are refused by name."""

from __future__ import annotations

import bz2
import gzip
import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from index.ingest import Source, Unreadable, sources_of
from tests.index.documents import SENTENCE, docx, tarred, zipped

RECORD = json.dumps({"id": "r1", "text": SENTENCE})


def read(tmp_path: Path, name: str, raw: bytes) -> tuple[list[Source], list[str]]:
    file = tmp_path / name
    file.write_bytes(raw)
    found = list(sources_of([file]))
    reasons = [one.reason.english for one in found if isinstance(one, Unreadable)]
    return [one for one in found if isinstance(one, Source)], reasons


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.zip", zipped),
        ("a.tar", lambda parts: tarred(parts, "w")),
        ("a.tar.gz", tarred),
        ("a.tgz", tarred),
        ("a.tar.xz", lambda parts: tarred(parts, "w:xz")),
        ("a.tar.bz2", lambda parts: tarred(parts, "w:bz2")),
        ("archive.txt", zipped),
    ],
)
def test_members_are_read_as_if_the_archive_were_a_folder(
    tmp_path: Path, name: str, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    parts = {
        "晚报/2021-06-01 桥.txt": SENTENCE.encode("gb18030"),
        "b.docx": docx("修缮历时两年。"),
        "c.jsonl": RECORD.encode(),
        "photo.jpg": b"\xff\xd8\xff",
        "__MACOSX/._b.docx": b"junk",
        ".hidden/d.txt": b"hidden",
    }
    sources, reasons = read(tmp_path, name, pack(parts))
    assert not reasons
    assert [source.document.path for source in sources] == [
        str(tmp_path / name / inner) for inner in ("晚报/2021-06-01 桥.txt", "b.docx", "c.jsonl")
    ]
    assert [source.text.strip() for source in sources] == [SENTENCE, "修缮历时两年。", SENTENCE]
    assert (sources[0].document.date, sources[0].name) == ("2021-06-01", "2021-06-01 桥")
    assert len({source.document.id for source in sources}) == 3


def test_names_written_by_a_chinese_windows_are_read(tmp_path: Path) -> None:
    raw = bytearray(zipped({"x" * 8: SENTENCE}))
    sources, _ = read(tmp_path, "a.zip", bytes(raw).replace(b"x" * 8, "老桥.txt".encode("gb18030")))
    assert sources[0].document.path == str(tmp_path / "a.zip" / "老桥.txt")


def test_archives_lie_in_archives_but_not_for_ever(tmp_path: Path) -> None:
    inner = zipped({"a.txt": SENTENCE})
    sources, _ = read(tmp_path, "one.zip", zipped({"two.tar.gz": tarred({"b.txt": SENTENCE.encode()}), "c.zip": inner}))
    assert [Path(source.document.path).name for source in sources] == ["b.txt", "a.txt"]
    sources, (reason,) = read(tmp_path, "one.zip", zipped({"two.zip": zipped({"three.zip": inner})}))
    assert not sources
    assert reason == f"{tmp_path}/one.zip/two.zip/three.zip lies too deep in archives; unpack them first."


@pytest.mark.parametrize("inner", ["../../etc/passwd.txt", "/etc/passwd.txt", "a\\..\\..\\b.txt"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_name_that_leads_out_is_refused(
    tmp_path: Path, inner: str, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    sources, (reason,) = read(tmp_path, "a.zip", pack({inner: SENTENCE.encode(), "good.txt": SENTENCE.encode()}))
    assert "leads out of the archive" in reason
    assert [source.name for source in sources] == ["good"]


def test_a_member_that_unpacks_to_far_too_much_is_refused(tmp_path: Path) -> None:
    bomb = zipped({"bomb.txt": bytes(70 << 20), "good.txt": SENTENCE.encode()})
    sources, (reason,) = read(tmp_path, "a.zip", bomb)
    assert "bomb.txt unpacks to more than 64 MiB, or more than 200 times its size" in reason
    assert [source.name for source in sources] == ["good"]


def test_a_size_that_lies_is_counted(tmp_path: Path) -> None:
    raw = bytearray(zipped({"bomb.txt": bytes(70 << 20)}))
    directory = raw.index(b"PK\x01\x02")
    raw[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    sources, reasons = read(tmp_path, "a.zip", bytes(raw))
    assert not sources
    assert len(reasons) == 1


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_packed_bomb_is_refused(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    sources, (reason,) = read(tmp_path, "a.txt.gz", pack(bytes(65 << 20)))
    assert not sources
    assert "is larger than 64 MiB" in reason


def test_an_archive_without_documents_is_named(tmp_path: Path) -> None:
    assert read(tmp_path, "a.zip", zipped({"a.jpg": "x"}))[1] == [f"{tmp_path}/a.zip is empty, or holds no documents."]


def test_a_locked_member_is_named(tmp_path: Path) -> None:
    raw = bytearray(zipped({"a.txt": SENTENCE}))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    reason = f"{tmp_path}/a.zip/a.txt is locked with a password; unpack it first."
    assert read(tmp_path, "a.zip", bytes(raw)) == ([], [reason])


def test_a_damaged_member_stops_no_other(tmp_path: Path) -> None:
    raw = BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("a.txt", SENTENCE * 3)
        archive.writestr("b.txt", "修缮历时两年。")
    damaged = raw.getvalue().replace("石桥".encode(), "木桥".encode(), 1)
    sources, (reason,) = read(tmp_path, "a.zip", damaged)
    assert [source.name for source in sources] == ["b"]
    assert "a.zip/a.txt cannot be unpacked: Bad CRC-32" in reason


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_half_an_archive_is_named(tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    raw = pack({f"{number}.txt": SENTENCE.encode() * 50 for number in range(9)})
    _, reasons = read(tmp_path, "a.zip", raw[: len(raw) // 2])
    assert "cannot be unpacked" in reasons[-1]
