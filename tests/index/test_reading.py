"""Files and records become sources; what cannot be read is named with a reason and stops nothing else."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from index.errors import SourceError
from index.ingest import Source, Unreadable, record_source, sources_of

TEXT = "城南的老石桥昨天重新开放。\n"


def read(*paths: Path, collection: str = "") -> tuple[list[Source], list[Unreadable]]:
    found = list(sources_of(paths, collection=collection))
    return [one for one in found if isinstance(one, Source)], [one for one in found if isinstance(one, Unreadable)]


def refusal(path: Path) -> str:
    """The sentence with which the one file in ``path`` is passed over."""
    sources, (unreadable,) = read(path)
    assert sources == []
    assert str(path) in unreadable.reason.english
    assert str(path) in unreadable.reason.chinese
    assert "\n" not in unreadable.reason.english
    return unreadable.reason.english


# Text files


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("bridge.txt", bytes),
        ("BRIDGE.TXT", bytes),
        ("bridge", bytes),  # a name that tells nothing, given itself
        ("bridge.txt.gz", gzip.compress),
        ("bridge.txt.xz", lzma.compress),
        ("bridge.txt.bz2", bz2.compress),
        ("bridge.gz", bytes),  # what it is counts, not what it is called
        ("bridge.pdf", bytes),
        ("bridge.txt", gzip.compress),
        ("bridge.第一版", bytes),
    ],
)
def test_a_text_file_is_read_as_it_is(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    file = tmp_path / name
    file.write_bytes(pack(TEXT.encode()))
    (source,), skipped = read(file)
    assert not skipped
    assert source.text == TEXT
    assert source.document.source == name
    assert source.document.path == str(file)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "bridge.txt"
    file.write_bytes(TEXT.encode("utf-8-sig"))
    (source,), _ = read(file)
    assert source.text == TEXT


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", " \n\u3000\n".encode(), "is empty"),
        ("empty.txt.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is a picture; recognise its characters (OCR)"),
        ("half.txt.xz", lzma.compress(TEXT.encode() * 500)[:-30], "cannot be unpacked"),
        ("flipped.txt.xz", lzma.compress(TEXT.encode())[:24] + b"????" + lzma.compress(TEXT.encode())[28:], "unpacked"),
        ("half.txt.gz", gzip.compress(TEXT.encode() * 500, mtime=0)[:-12], "cannot be unpacked"),
        ("flipped.txt.gz", gzip.compress(TEXT.encode(), mtime=0)[:12] + b"????????", "cannot be unpacked"),
        ("half.jsonl.xz", lzma.compress(b'{"text": "x"}' * 500)[:-30], "cannot be unpacked"),
    ],
)
def test_a_file_that_cannot_be_read_is_passed_over_with_a_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert reason in refusal(file)


def test_a_file_without_permission_is_passed_over_with_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "closed.txt"
    file.write_text(TEXT, encoding="utf-8")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read every file, as root may")
    assert "check its permissions" in refusal(file)


def test_a_file_that_vanishes_before_it_is_read_is_passed_over_with_a_reason(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    found = sources_of([tmp_path])
    (tmp_path / "b.txt").unlink()
    first, second = found
    assert isinstance(first, Source)
    assert isinstance(second, Unreadable)
    assert "cannot be read: No such file or directory" in second.reason.english


def test_one_bad_file_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "b.txt").write_text(TEXT, encoding="utf-8")
    sources, skipped = read(tmp_path)
    assert [Path(source.document.path).name for source in sources] == ["b.txt"]
    assert [Path(one.name).name for one in skipped] == ["a.txt"]


# Folders


def test_a_folder_is_walked_in_order_and_names_the_collection(tmp_path: Path) -> None:
    folder = tmp_path / "晚报"
    for name in ("2021/b.txt", "2021/a.md", "2020/c.txt", ".git/d.txt", "2021/.e.txt", "a.jpg", "b.jpg", "x.css"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TEXT, encoding="utf-8")
    sources, skipped = read(folder)
    assert [Path(source.document.path).name for source in sources] == ["c.txt", "a.md", "b.txt"]
    assert {source.document.source for source in sources} == {"晚报"}
    assert [(one.reason.english, one.expected) for one in skipped] == [
        (f"{folder} holds 1 .css files, which are no documents; they were passed over.", True),
        (f"{folder} holds 2 .jpg files, which are no documents; they were passed over.", True),
    ]
    (named, *_), _ = read(folder, collection="旧报")
    assert named.document.source == "旧报"


@pytest.mark.parametrize(("name", "reason"), [("absent", "does not exist; check"), ("", "no file to index")])
def test_a_path_with_nothing_in_it_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        sources_of([tmp_path / name])


def test_a_file_keeps_its_id_and_different_files_have_different_ones(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    ids = [source.document.id for source in read(tmp_path)[0]]
    assert ids == [source.document.id for source in read(tmp_path)[0]]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("2021-06-01-bridge.txt", "2021-06-01"),
        ("bridge 20210601.txt", "2021-06-01"),
        ("桥 2021年06月01日.txt", "2021-06-01"),
        ("2021.06.01.txt", "2021-06-01"),
        ("bridge-2021.txt", ""),
        ("20211301.txt", ""),
        ("1202106012.txt", ""),
    ],
)
def test_a_date_is_taken_from_the_file_name(tmp_path: Path, name: str, date: str) -> None:
    (tmp_path / name).write_text(TEXT, encoding="utf-8")
    (source,), _ = read(tmp_path)
    assert source.document.date == date


# Records


def test_a_bad_record_is_named_by_its_line_and_stops_no_other(tmp_path: Path) -> None:
    file = tmp_path / "papers.jsonl"
    lines = [
        json.dumps({"id": "first", "text": TEXT}, ensure_ascii=False),
        "{not json",
        "",
        "[1, 2]",
        json.dumps({"id": "no text"}),
        json.dumps({"id": "two words", "text": TEXT}),
        json.dumps({"id": "tags", "text": TEXT, "tags": "环境"}),
        json.dumps({"_id": 8, "title": " 老桥 ", "body": TEXT}),
        '{"id": "surrogate", "text": "a\\ud800b"}',
        json.dumps({"id": "wrong", "text": ["not", "text"]}),
        json.dumps({"id": "..", "text": TEXT}),
        json.dumps({"id": "...", "text": TEXT}),
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    sources, skipped = read(file)
    assert [source.document.id for source in sources] == ["first", "tags", "8", "surrogate", "..."]
    assert sources[2].document.title == "老桥"
    assert sources[1].document.tags == ("环境",)
    assert sources[3].text == "a?b"
    # The number is the line's, so that the person can go and mend it.
    assert [one.name.rpartition(":")[2] for one in skipped] == ["2", "4", "5", "6", "10", "11"]


@pytest.mark.parametrize(
    ("line", "english", "chinese"),
    [
        (b'{"text" 3}', "is not JSON (at character 9).", " 不是 JSON（第 9 个字符处）。"),
        (b"[" * 100_000, "is JSON nested too deeply, or holds an endless number.", " 的 JSON 嵌套过深，或数字过长。"),
        (b'{"text": ' + b"9" * 5000 + b"}", "is JSON nested too deeply, or holds an endless number.",
         " 的 JSON 嵌套过深，或数字过长。"),
        (b'{"text": "\x81"}' + b"\xff" * 20, "is in no encoding known here.", " 的编码无法识别。"),
    ],
    ids=["comma", "deep", "endless", "bytes"],
)  # fmt: skip
def test_what_is_wrong_with_a_line_is_told_in_our_own_words(
    tmp_path: Path, line: bytes, english: str, chinese: str
) -> None:
    (tmp_path / "papers.jsonl").write_bytes(b"\n" + line)
    _, (skipped,) = read(tmp_path / "papers.jsonl")
    assert skipped.reason.english.endswith(f"papers.jsonl:2 {english}")
    assert skipped.reason.chinese.endswith(f"papers.jsonl:2{chinese}")


@pytest.mark.parametrize("name", ["papers.jsonl.gz", "papers.ndjson.xz"])
def test_packed_records_are_read(tmp_path: Path, name: str) -> None:
    pack = gzip.compress if name.endswith("gz") else lzma.compress
    (tmp_path / name).write_bytes(pack(json.dumps({"id": "a", "text": TEXT}).encode("utf-8-sig")))
    (source,), _ = read(tmp_path)
    assert source.text == TEXT


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("2021-06-01", "2021-06-01"),
        ("2021-06-01T08:30:00Z", "2021-06-01T08:30:00"),
        ("2021-06-01 08:30", "2021-06-01T08:30"),
        ("2021年6月1日", "2021-06-01"),
        ("2021/6/1", "2021-06-01"),
        ("20210601", "2021-06-01"),
        ("2021-06", "2021-06"),
        ("2021年", "2021"),
        (2021, "2021"),
        (20210601, "2021-06-01"),
        (" 2021-06-01 ", "2021-06-01"),
        ("", ""),
        (None, ""),
        ("去年夏天", ""),
        ("6月1日", ""),
    ],
)
def test_the_date_of_a_record_becomes_an_iso_date(written: object, date: str) -> None:
    assert record_source({"text": TEXT, "date": written}, source="").document.date == date


@pytest.mark.parametrize("written", ["2021-13-01", "2021-06-31", "20219999", "2021年6月45日", "0000-01-01", "12345"])
def test_an_impossible_date_is_no_date(written: str) -> None:
    assert record_source({"text": TEXT, "date": written}, source="").document.date == ""


def test_an_impossible_hour_leaves_the_day() -> None:
    assert record_source({"text": TEXT, "date": "2021-06-01T99:99"}, source="").document.date == "2021-06-01"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.org/桥?a=1#b", True),
        ("HTTP://example.org", True),
        ("/archive/1.html", True),
        ("page.html", True),
        ("javascript:alert(1)", False),
        (" JavaScript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("\x01javascript:alert(1)", False),
        ("java\tscript:alert(1)", False),
        ("data:text/html,x", False),
        ("vbscript:x", False),
        ("file:///etc/passwd", False),
        ("", True),
    ],
)
def test_an_address_that_could_run_code_is_dropped(url: str, kept: bool) -> None:
    found = record_source({"text": TEXT, "url": url}, source="").document.url
    assert found == (url.strip() if kept else "")


@pytest.mark.parametrize(
    "record",
    [
        {"text": ""},
        {"text": " \n"},
        {"title": "only a title"},
        {"text": TEXT, "id": "../../etc"},
        {"text": TEXT, "id": ""},
        {"text": TEXT, "id": "x" * 129},
        {"text": TEXT, "id": True},
        {"text": TEXT, "id": 1.5},
        {"text": TEXT, "id": ["a"]},
        {"text": TEXT, "tags": [1]},
        {"text": TEXT, "tags": {"a": 1}},
        {"text": TEXT, "title": 7},
        {"text": 7},
    ],
)
def test_a_record_that_makes_no_sense_is_refused_in_one_sentence(record: dict[str, object]) -> None:
    with pytest.raises(SourceError) as refused:
        record_source(record, source="")
    assert refused.value.english.endswith(".")
    assert refused.value.chinese.endswith("。")


def test_a_record_without_id_gets_one_from_its_text() -> None:
    one, same, other = (record_source({"text": text}, source="").document.id for text in ("甲文。", "甲文。", "乙文。"))
    assert one == same != other
