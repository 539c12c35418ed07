"""Bytes -> text: UTF-8, UTF-16, GB18030 and Big5 told apart by what they decode to; damage counted.

Every candidate decodes the bytes, and the one whose text looks most like Chinese is right (see ``plausible``).
Measured on news and encyclopedia texts in each encoding, this beats general detectors on short and on long texts.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import IncrementalNewlineDecoder
from itertools import chain, islice
from typing import IO

from index.readers.plausible import plausibility, value

_BOM_GB18030 = b"\x84\x31\x95\x33"
_BOMS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be"), (_BOM_GB18030, "gb18030"))
_TWO_BYTES = ("gb18030", "big5hkscs")
_CANDIDATES = ("utf-8", *_TWO_BYTES, "cp1252")
_TELLING = re.compile(rb"[\x00-\x08\x0e-\x1f\x80-\xff]")
_RUN = re.compile(rb"([\x80-\xff][\x21-\xff]*)")  # what a lost byte can put out of step: all up to the next space
_SAMPLE = 8192  # bytes that are judged; every encoding is plain after a few hundred
_LONG = 8  # characters of valid UTF-8 that are no accident
_CLEAR = 0.15  # plausibility by which another encoding must beat valid UTF-8
_GAIN = 2.0  # summed value that characters read one byte later must gain, for each byte that is lost
_FEW = 4  # different Chinese characters that are no accident in a line
_CHUNK = 1 << 16
_LINE_END = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
_ROWS = 64  # lines from which the encoding is told where nothing before was in any
_SURE = 0.8  # plausibility by which a line that fits must be better in another encoding
_MUCH = 8  # different Chinese characters
_PROSE = 0.4  # plausibility that no wrong decoding of more than a few characters reaches


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text and how it came about.

    Attributes:
        text: The decoded text, without a byte-order mark; what could not be decoded is U+FFFD.
        encoding: Python's name of the encoding.
        damage: Places that could not be decoded.
        others: Lines that are in other encodings, and how many there are of each.
    """

    text: str
    encoding: str
    damage: int = 0
    others: tuple[tuple[str, int], ...] = ()


def decode(raw: bytes, declared: str = "") -> Decoded:
    """Decode bytes whose encoding is not known.

    Args:
        declared: An encoding the bytes claim; believed where nothing else is clearly more plausible.
    """
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            return _decoded(raw[len(bom) :], encoding)
    if not _TELLING.search(raw):
        return Decoded(raw.decode("ascii"), "ascii")
    return _decoded(raw, _best(raw, declared))


def lines_in(stream: IO[bytes], encoding: str) -> Iterator[str]:
    """The lines of a stream with their ends, each in the encoding it is in; what cannot be decoded is U+FFFD.

    Args:
        encoding: That of most lines, as ``decode`` told it from the first of them; where that is ``ascii``, it is
            told anew from the first lines that are not.
    """
    if encoding.startswith("utf-16"):
        yield from _wide_lines(stream, encoding)
        return
    lines = chain.from_iterable(chunk.splitlines(keepends=True) for chunk in stream)
    for line in lines:
        if encoding != "ascii" or line.isascii():
            yield _line(line, encoding, whole=False)[0]
            continue
        first = [line, *islice(lines, _ROWS)]
        encoding = _best(b"".join(first), "")
        yield from (_line(each, encoding, whole=False)[0] for each in first)


def _wide_lines(stream: IO[bytes], encoding: str) -> Iterator[str]:
    decoder = IncrementalNewlineDecoder(getincrementaldecoder(encoding)("replace"), translate=False)
    rest = ""
    while chunk := stream.read(_CHUNK):
        *whole, rest = _LINE_END.split(rest + decoder.decode(chunk))
        yield from whole
    yield rest + decoder.decode(b"", final=True)


def _best(raw: bytes, declared: str) -> str:
    sample = _sample(raw)
    names = [*_CANDIDATES]
    if len(sample) % 2 == 0 or b"\x00" in sample:
        names += ["utf-16-le", "utf-16-be"]
    scores = {name: plausibility(sample.decode(name, "replace")) for name in names}
    if max(scores.values()) < _PROSE:  # perhaps a byte is lost at the start, and all the rest out of step
        scores.update((name, plausibility(_stepped(sample, name))) for name in _TWO_BYTES)
    for name in names[len(_CANDIDATES) :]:
        if scores[name] < _CLEAR:  # any bytes are UTF-16 of something
            del scores[name]
    if _fits(raw, "utf-8"):
        scores["utf-8"] += _CLEAR + 0.1 * min(_LONG, sum(byte >= 0xC0 for byte in sample))
    if (name := _python_name(declared)) in scores:
        scores[name] += _CLEAR
    best = max(scores, key=lambda name: scores[name])
    return (_of_most_lines(sample) or best) if best == "cp1252" else best


def _of_most_lines(sample: bytes) -> str:
    """The encoding of most lines where those are in several, and so none is plausible for all; else nothing."""
    lines = [line for line in sample.splitlines() if not line.isascii()]
    found: Counter[str] = Counter()
    for line in lines:
        better = _read_otherwise(line, "cp1252")
        if better is not None and _hanzi(better[0]) >= _FEW:
            found[better[1]] += 1
    return found.most_common(1)[0][0] if found.total() * 2 > len(lines) else ""


def _read_otherwise(line: bytes, encoding: str) -> tuple[str, str] | None:
    """A line as prose in the most plausible of the other encodings it fits, and which that is."""
    texts = [(line.decode(name), name) for name in _CANDIDATES[:3] if name != encoding and _fits(line, name)]
    best = max(texts, key=lambda text: plausibility(text[0]), default=None)
    return best if best is not None and plausibility(best[0]) > _PROSE else None


def _python_name(declared: str) -> str:
    """What calls itself gb2312 or gbk is the first part of GB18030; the same goes for Big5 and its extension."""
    name = declared.strip().lower().replace("_", "-")
    if name in {"gb2312", "gbk", "gb18030", "x-gbk", "cp936", "gb-2312"}:
        return "gb18030"
    return "big5hkscs" if name.startswith(("big5", "x-x-big5", "cp950")) else "utf-8" if name == "utf8" else name


def _sample(raw: bytes) -> bytes:
    """The first bytes that say anything, from an even place, for UTF-16."""
    match = _TELLING.search(raw)
    start = match.start() & ~1 if match else 0
    return raw[start : start + _SAMPLE]


def _fits(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(raw: bytes, encoding: str) -> Decoded:
    whole = _fits(raw, encoding)
    if encoding.startswith("utf-16") or (whole and encoding not in _TWO_BYTES):
        text = raw.decode(encoding, "replace")
        return Decoded(text, encoding, 0 if whole else text.count("\ufffd"))
    lines = [_line(line, encoding, whole) for line in raw.splitlines(keepends=True)]
    others = Counter(used for _, used, _ in lines if used != encoding)
    return Decoded(
        "".join(text for text, *_ in lines), encoding, sum(damage for *_, damage in lines), tuple(others.items())
    )


def _line(line: bytes, encoding: str, whole: bool) -> tuple[str, str, int]:
    """One line's text, the encoding it is in, and how many places in it are damaged."""
    if line.isascii():
        return line.decode("ascii"), encoding, 0
    text = line.decode(encoding, "replace")
    fits = whole or _fits(line, encoding)
    if fits and (encoding not in _TWO_BYTES or not _strange(text)):
        return text, encoding, 0
    score = plausibility(text)
    if (other := _read_otherwise(line, encoding)) is not None:
        better = other[0]
        # A line that fits is formulas or another script, unless there is much of it that reads well otherwise.
        gain = plausibility(better) - score
        if gain > _SURE and _hanzi(better) >= _MUCH if fits else gain > _CLEAR:
            return *other, 0
    if encoding in _TWO_BYTES:
        stepped = _stepped(line, encoding)
        text = stepped if plausibility(stepped) > score else text
    return text, encoding, text.count("\ufffd")


def _strange(text: str) -> bool:
    """Whether any stretch is made of what nobody writes."""
    return any(plausibility(text[start : start + 12]) < 0.2 for start in range(0, len(text), 12))


def _hanzi(text: str) -> int:
    return len({char for char in text if "\u4e00" <= char <= "\u9fff"})


def _stepped(line: bytes, encoding: str) -> str:
    return "".join(_in_step(part, encoding) for part in _RUN.split(line))


def _in_step(run: bytes, encoding: str) -> str:
    """Decode a run of two-byte characters in which bytes may be lost, after each of which all pairs are out of step.

    Each loss is where passing over the byte that is left of a character makes what follows the more plausible.
    """
    text = run.decode(encoding, "replace")
    if len(run) < 8 or not _strange(text):
        return text
    gain, better = _most_plausible(run, encoding)
    fresh = "".join((Counter(better) - Counter(text)).elements())
    if gain <= sum(value(char) or 0.0 for char in text) or plausibility(fresh.replace("\ufffd", "")) < _PROSE:
        return text
    return text if _hanzi(fresh) < _MUCH and _fits(run, encoding) else better


def _most_plausible(run: bytes, encoding: str) -> tuple[float, str]:
    """The reading of a run that has the highest summed value, each byte that is passed over counted as ``_GAIN`` less.

    It is found place by place: the best reading up to a byte is the best up to one, two or four bytes before it and
    the character between.
    """
    scores, back = [0.0], [(0, "")]
    for end in range(1, len(run) + 1):
        ascii_ = run[end - 1] < 0x80
        ways = [(scores[end - 1] - (0.0 if ascii_ else _GAIN), end - 1, chr(run[end - 1]) if ascii_ else "\ufffd")]
        for length in (2, 4) if encoding == "gb18030" else (2,):
            char = run[end - length : end].decode(encoding, "replace") if length <= end else ""
            if len(char) == 1 and char != "\ufffd":
                ways.append((scores[end - length] + (value(char) or 0.0), end - length, char))
        score, start, char = max(ways)
        scores.append(score)
        back.append((start, char))
    read, place = [], len(run)
    while place:
        place, char = back[place]
        read.append(char)
    return scores[-1], "".join(reversed(read))
