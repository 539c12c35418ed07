"""Old encodings are told apart by the text itself; damage is counted; mojibake is never indexed silently."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.ingest import Source, Unreadable, sources_of
from index.readers import Content, Row, read
from index.readers.encoding import decode
from index.readers.mojibake import mended

SIMPLIFIED = "城南的老石桥昨天重新开放，附近居民纷纷前来参观。市政部门表示，修缮工程历时两年，共投入资金三百万元。"
TRADITIONAL = "城南的老石橋昨天重新開放，附近居民紛紛前來參觀。市政部門表示，修繕工程歷時兩年，共投入資金三百萬元。"
ENCODINGS = ["utf-8", "utf-8-sig", "gb18030", "gbk", "big5", "big5hkscs", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("length", [4, 8, 16, len(TRADITIONAL)])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_told_from_a_few_characters(encoding: str, length: int) -> None:
    for text in (TRADITIONAL,) if encoding.startswith("big5") else (SIMPLIFIED, TRADITIONAL):
        for start in range(0, len(text) - length + 1, 3):
            part = text[start : start + length]
            decoded = decode(part.encode(encoding))
            assert decoded.text == part
            assert decoded.damage == 0


@pytest.mark.parametrize("declared", ["gb2312", "GBK", "gb18030"])
def test_characters_beyond_gb2312_are_read_whatever_the_encoding_calls_itself(declared: str) -> None:
    text = "朱镕基、陶喆、㐂、𠀀，€。"
    assert decode(text.encode("gb18030"), declared).text == text


def test_what_an_encoding_is_called_does_not_make_it_so() -> None:
    assert decode(SIMPLIFIED.encode("gb18030"), "utf-8").text == SIMPLIFIED
    assert decode(SIMPLIFIED.encode(), "gb2312").text == SIMPLIFIED


@pytest.mark.parametrize("text", ["Plain ASCII\r\ntext.", "Żółw i café", "Ψυχή και σώμα", "한국어 문장", "", "\n"])
def test_utf8_in_any_language_is_utf8(text: str) -> None:
    assert decode(text.encode()).text == text


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_any_text_with_a_mark_comes_back(text: str) -> None:
    assert decode(text.encode("utf-8-sig")).text == text
    assert decode(b"\xff\xfe" + text.encode("utf-16-le")).text == text


@given(st.binary(max_size=300))
def test_no_bytes_stop_the_decoder(raw: bytes) -> None:
    assert isinstance(decode(raw).text, str)


@pytest.mark.parametrize(("encoding", "text"), [("gb18030", SIMPLIFIED), ("big5", TRADITIONAL), ("utf-8", SIMPLIFIED)])
def test_a_lost_byte_costs_a_few_characters_and_not_the_rest_of_the_line(encoding: str, text: str) -> None:
    raw = (text * 4).encode(encoding)
    for place in random.Random(3).sample(range(len(raw)), 40):
        decoded = decode(raw[:place] + raw[place + 1 :])
        assert decoded.encoding.startswith(encoding)
        assert len(set(decoded.text) - set(text)) <= 6


def test_a_line_in_another_encoding_is_read_and_told() -> None:
    lines = [SIMPLIFIED] * 5 + [SIMPLIFIED[::-1]]
    raw = b"\n".join(line.encode() for line in lines[:-1]) + b"\n" + lines[-1].encode("gb18030")
    decoded = decode(raw)
    assert decoded.text == "\n".join(lines)
    assert decoded.others == (("gb18030", 1),)


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize(
    "parts",
    [
        [(SIMPLIFIED, "utf-8"), (TRADITIONAL, "big5")],
        [(TRADITIONAL, "big5"), (SIMPLIFIED, "utf-8")],
        [(SIMPLIFIED, "utf-8"), (SIMPLIFIED, "gbk")],
        [(SIMPLIFIED, "utf-8"), (SIMPLIFIED, "gbk"), (TRADITIONAL, "big5")],
    ],
)
def test_a_file_half_in_one_encoding_and_half_in_another_is_read_line_by_line(
    parts: list[tuple[str, str]], count: int
) -> None:
    raw = b"".join((text + "\n").encode(encoding) * count for text, encoding in parts)
    decoded = decode(raw)
    assert decoded.text == "".join((text + "\n") * count for text, _ in parts)
    assert decoded.damage == 0


@pytest.mark.parametrize(
    "text", ["L’été dernier, à Orléans,\non a rouvert le vieux pont.\n", "Über die Brücke,\nzum Fluß."]
)
def test_latin_text_is_not_read_as_chinese(text: str) -> None:
    assert decode(text.encode("cp1252")).text == text


@pytest.mark.parametrize("places", [(81, 161), (60, 120, 180), (41, 90, 140, 190)])
def test_several_lost_bytes_in_a_line_cost_a_few_characters_each_and_are_counted(places: tuple[int, ...]) -> None:
    raw = bytearray((SIMPLIFIED.replace("，", "").replace("。", "") * 3).encode("gb18030"))
    for place in reversed(places):
        del raw[place]
    decoded = decode(bytes(raw))
    assert decoded.damage == len(places)
    assert len(set(decoded.text) - set(SIMPLIFIED)) <= 1 + 3 * len(places)


@pytest.mark.parametrize(
    "raw",
    [
        f"title,text\n甲,{SIMPLIFIED}\n".encode("gbk") + f"乙,{SIMPLIFIED}\n".encode(),
        b"title,text\n" + b"year,the bridge was open\n" * 50_000 + f"甲,{SIMPLIFIED}\n".encode("gbk"),
    ],
    ids=["two encodings", "nothing but ASCII in the first MiB"],
)
def test_each_row_of_a_table_is_read_in_the_encoding_it_is_in(raw: bytes) -> None:
    rows = [found for found in read(Content.of_bytes("a.csv", raw), None) if isinstance(found, Row)]
    assert rows[-1].record["text"] == SIMPLIFIED
    assert not any(row.notes for row in rows)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("gb18030", "utf-8"), ("cp1252", "utf-8"), ("latin-1", "utf-8"), ("latin-1", "gb18030"), ("gb18030", "big5")],
)
def test_text_that_was_decoded_wrongly_before_is_put_right_and_told(wrong: str, right: str) -> None:
    text = TRADITIONAL if right == "big5" else SIMPLIFIED
    better, (note,) = mended(text.encode(right).decode(wrong, "replace"), "a.txt")
    assert len(set(better) - set(text)) <= 1
    assert len(set(text) - set(better)) <= len(set(text)) // 3
    assert "a.txt had been read as" in note.english
    assert "a.txt 曾被当作" in note.chinese


def test_what_is_lost_for_good_is_marked_and_counted() -> None:
    text, (note,) = mended(SIMPLIFIED + "锟斤拷锟斤拷" + SIMPLIFIED, "a.txt")
    assert text == SIMPLIFIED + "\ufffd" + SIMPLIFIED
    assert "6 characters" in note.english


@pytest.mark.parametrize("text", [SIMPLIFIED, TRADITIONAL, "中", "café à la carte", "龘靐齉爩", "日本語の文章です。"])
def test_good_text_is_left_alone(text: str) -> None:
    assert mended(text, "a.txt") == (text, ())


@pytest.mark.parametrize(
    "line", ["τ=T/n，σ1.Rx.dφ.t+σ1=0", "────────────────────", "Румянцев　В　В，Озиранер　А", "┌──┐→│等级│"]
)
@pytest.mark.parametrize("around", ["", SIMPLIFIED])
def test_formulas_frames_and_other_scripts_are_no_mojibake(line: str, around: str) -> None:
    text = f"{SIMPLIFIED}\n{around}{line}{around}\n{line}"
    decoded = decode(text.encode("gb18030"))
    assert (decoded.text, decoded.damage, decoded.others) == (text, 0, ())
    assert mended(line, "a.txt") == (line, ())


def test_a_note_names_the_file_and_what_was_damaged(tmp_path: Path) -> None:
    file = tmp_path / "old.txt"
    file.write_bytes(SIMPLIFIED.encode("gb18030") + b"\n\xff\n" + SIMPLIFIED.encode("gb18030"))
    (source,) = sources_of([file])
    assert isinstance(source, Source)
    assert source.text == f"{SIMPLIFIED}\n\ufffd\n{SIMPLIFIED}"
    assert [note.english for note in source.notes] == [
        f"{file} is GB18030 with 1 damaged places, now marked \ufffd; the rest was read."
    ]


def test_zero_bytes_are_told_and_read_as_spaces(tmp_path: Path) -> None:
    file = tmp_path / "hole.txt"
    file.write_bytes(b"\x00\x00\x00".join([SIMPLIFIED[:8].encode()] * 9))
    (source,) = sources_of([file])
    assert isinstance(source, Source)
    assert source.text == "   ".join([SIMPLIFIED[:8]] * 9)
    assert "24 zero bytes" in source.notes[0].english


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_no_text(tmp_path: Path, seed: int) -> None:
    file = tmp_path / "noise.txt"
    file.write_bytes(random.Random(seed).randbytes(5000))
    (found,) = sources_of([file])
    assert isinstance(found, Unreadable)
    assert "is not a text file" in found.reason.english
