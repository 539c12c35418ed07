"""Mutated files of every format: no crash, no hang, no eating of memory; each gives documents or a reason.

The small run mutates files that the tests make. ``FUZZ=10000`` with ``FUZZ_FILES=FOLDER`` mutates real ones.
"""

from __future__ import annotations

import os
import random
import resource
import time
from pathlib import Path

import pytest

from index.ingest import Source, Unreadable, sources_of
from tests.index.documents import PAGE, SENTENCE, docx, epub, pdf, tarred, xlsx, zipped

TIMES = int(os.environ.get("FUZZ", "150"))
SLOWEST = 10  # seconds for one file
LARGEST = 1 << 20  # kilobytes of memory

MADE = {
    "a.txt": (SENTENCE * 20).encode("gb18030"),
    "b.txt": (SENTENCE * 20).encode("utf-16"),
    "a.md": f"---\ntitle: 桥\ntags: [桥, 城]\n---\n# 桥\n\n> {SENTENCE * 9}\n\n|年|元|\n|-|-|\n|1|2|\n".encode(),
    "a.html": PAGE.encode("gb18030"),
    "a.pdf": pdf([SENTENCE] * 5, [SENTENCE]),
    "a.docx": docx(*[SENTENCE] * 5),
    "a.epub": epub(f"<p>{SENTENCE}</p>"),
    "a.xlsx": xlsx({"一": [["标题", "正文"], ["桥", SENTENCE]]}),
    "a.csv": f"title,text\n桥,{SENTENCE}\n".encode(),
    "a.jsonl": f'{{"text": "{SENTENCE}"}}\n'.encode() * 5,
    "a.zip": zipped({"a.txt": SENTENCE, "b.docx": docx(SENTENCE)}),
    "a.tar.gz": tarred({"a.txt": SENTENCE.encode(), "b.pdf": pdf([SENTENCE])}),
}


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """The bytes with some flipped, lost, doubled, moved, or cut off."""
    changed = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if not changed:
            break
        start = chance.randrange(len(changed))
        length = chance.choice((1, 1, 2, 4, 64, 1024))
        match chance.randrange(6):
            case 0:
                changed[start] ^= 1 << chance.randrange(8)
            case 1:
                del changed[start : start + length]
            case 2:
                changed[start:start] = changed[start : start + length] * chance.choice((1, 2, 50))
            case 3:
                changed[start : start + length] = chance.randbytes(length)
            case 4:
                del changed[start:]
            case 5:
                number = chance.choice((0, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000))
                changed[start : start + 4] = number.to_bytes(4, chance.choice(("little", "big")))
    return bytes(changed)


def samples(tmp_path: Path) -> list[Path]:
    if folder := os.environ.get("FUZZ_FILES"):
        return sorted(file for file in Path(folder).rglob("*") if file.is_file() and file.stat().st_size < 4 << 20)
    for name, raw in MADE.items():
        (tmp_path / name).write_bytes(raw)
    return [tmp_path / name for name in MADE]


@pytest.mark.filterwarnings("ignore")  # what parsers think of mutated files
def test_no_mutated_file_crashes_hangs_or_eats_memory(tmp_path: Path) -> None:
    chance = random.Random(int(os.environ.get("FUZZ_SEED", "4")))
    (tmp_path / "made").mkdir()
    files = samples(tmp_path / "made")
    slow: list[tuple[float, str, int]] = []
    for number in range(TIMES):
        file = files[number % len(files)]
        mutant = tmp_path / f"mutant{file.suffix}"
        mutant.write_bytes(mutated(file.read_bytes(), chance))
        started = time.process_time()
        found = list(sources_of([mutant]))
        took = time.process_time() - started  # the parsers' own process has its own limit
        assert found, (file, number)
        for one in found:
            assert isinstance(one, Source | Unreadable)
            if isinstance(one, Unreadable):
                assert one.reason.english.endswith(".")
                assert "\n" not in one.reason.english
            else:
                one.text.encode()
                assert "\x00" not in one.text
        slow.append((took, file.name, number))
        mutant.unlink()
    slow.sort(reverse=True)
    if TIMES > 1000:
        print(f"{TIMES} mutants of {len(files)} files; slowest {slow[:5]}")
    assert slow[0][0] < SLOWEST, slow[:5]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < LARGEST or TIMES <= 1000
