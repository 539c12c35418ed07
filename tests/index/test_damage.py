"""Damaged files are noticed, named, and made again from the SQLite file."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.engine.generation import Generations, Manifest
from index.errors import DataError

FLIPS = int(os.environ.get("XUNZHANG_TEST_FLIPS", "60"))
QUERY = SearchRequest("社区食堂的老人吃饭多少钱", limit=5)


def derived_files(data: Path) -> list[Path]:
    """Every file below generations/ that a reader uses."""
    found = sorted(file for file in (data / "generations").rglob("*") if file.is_file() and file.stat().st_size)
    assert {"CURRENT", "manifest.json", "index.faiss", "meta.json"} <= {file.name for file in found}
    return found


def test_many_flipped_bytes_are_all_named(sample_copy: Path) -> None:
    """``XUNZHANG_TEST_FLIPS`` sets how many, at random places of all derived files by their size (default 60)."""
    random_ = random.Random(2)
    files = [file for file in derived_files(sample_copy) if file.name not in {"CURRENT", "manifest.json"}]
    sizes = [file.stat().st_size for file in files]
    generations = Generations(sample_copy / "generations")
    manifest = generations.current()
    assert manifest is not None
    unnoticed = []
    for _ in range(FLIPS):
        (file,) = random_.choices(files, sizes)
        whole = file.read_bytes()
        place, bit = random_.randrange(len(whole)), random_.randrange(8)
        replace(file, whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
        if generations.damaged_files(manifest) != [file]:  # what verify asks
            unnoticed.append(f"{file.name} at byte {place}, bit {bit}")
        replace(file, whole)
    assert not unnoticed, "\n".join(unnoticed)
    assert problems(sample_copy) == []


def problems(data: Path) -> list[str]:
    corpus = Corpus.open(data)
    try:
        return corpus.verify()
    finally:
        corpus.close()


def flipped(file: Path, place: int) -> bytes:
    raw = bytearray(file.read_bytes())
    raw[place] ^= 0x04
    return bytes(raw)


def replace(file: Path, content: bytes) -> None:
    """Write to a file of its own: the name may be a hard link."""
    file.unlink()
    file.write_bytes(content)


@pytest.fixture
def expected(sample: Corpus) -> list[str]:
    return [hit.passage_id for hit in sample.search(QUERY).hits]


def test_the_sample_is_whole(sample_copy: Path) -> None:
    assert problems(sample_copy) == []


def test_a_flipped_byte_in_any_derived_file_is_named(sample_copy: Path) -> None:
    random_ = random.Random(1)
    unnoticed = []
    for file in derived_files(sample_copy):
        whole = file.read_bytes()
        size = len(whole.rstrip())  # the line's end of CURRENT says nothing
        for place in {0, size // 2, size - 1, random_.randrange(size)}:
            replace(file, flipped(file, place))
            try:
                named = problems(sample_copy)
            except BaseException as error:  # a panic in Rust is no Exception; every file is tried before the verdict
                if isinstance(error, KeyboardInterrupt):
                    raise
                named = [f"raised {error!r}"]
            # What is wrong in these two shows as a file of another name or size.
            told = named if file.name in {"CURRENT", "manifest.json"} else [p for p in named if file.name in p]
            if not told or "raised" in told[0]:
                unnoticed.append(f"{file.relative_to(sample_copy)} at byte {place}: {named}")
            replace(file, whole)
    assert not unnoticed, "\n".join(unnoticed)
    assert problems(sample_copy) == []


def test_a_changed_digit_in_the_manifest_is_named(sample_copy: Path) -> None:
    """It says what the indexes cover: believing a wrong number would lose or double passages later."""
    (manifest,) = sample_copy.rglob("manifest.json")
    whole = manifest.read_bytes()
    unnoticed = []
    for name in (b"revision", b"last_number", b"base_last", b"dimension", b"generation"):
        place = whole.index(b'"%s": ' % name) + len(name) + 4
        replace(manifest, whole[:place] + (b"7" if whole[place : place + 1] != b"7" else b"8") + whole[place + 1 :])
        if not problems(sample_copy):
            unnoticed.append(name.decode())
    replace(manifest, whole)
    assert not unnoticed


@pytest.mark.parametrize("harm", ["missing", "truncated", "empty", "flipped at its start"])
def test_a_harmed_file_is_noticed_on_opening_and_mended(
    sample_copy: Path, sample: Corpus, expected: list[str], harm: str, tmp_path: Path
) -> None:
    names = [file.relative_to(sample_copy) for file in derived_files(sample_copy)]
    # Flipped bytes in the middle are found by verify, which reads all; opening looks at sizes and what it parses.
    if harm == "flipped at its start":
        names = [name for name in names if name.name in {"CURRENT", "manifest.json"}]
    spoiled = []
    for name in names:
        data = Path(shutil.copytree(sample_copy, tmp_path / "one" / name.name, copy_function=shutil.copy))
        file = data / name
        if harm == "missing":
            file.unlink()
        else:
            replace(file, {"truncated": file.read_bytes()[:-1].strip(), "empty": b""}.get(harm, flipped(file, 0)))
        if name.name == "CURRENT" and harm == "truncated":
            continue  # a number without its line's end is the same number
        corpus = Corpus.open(data)
        if corpus.status().ready:
            spoiled.append(f"{name} {harm}: not noticed")
        shutil.rmtree(data)
        corpus.close()
    assert not spoiled, "\n".join(spoiled)


@pytest.mark.parametrize("name", ["CURRENT", "manifest.json", "index.faiss", "meta.json", "tokens.u16", "numbers.npy"])
@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_catching_up_mends_a_harmed_archive(sample_copy: Path, expected: list[str], name: str, harm: str) -> None:
    file = next(file for file in derived_files(sample_copy) if file.name == name)
    half = file.stat().st_size // 2 if name != "CURRENT" else 0  # half of "1\n" is the same number
    if harm == "missing":
        file.unlink()
    else:
        replace(file, file.read_bytes()[:half])
    corpus = Corpus.open(sample_copy)
    with pytest.raises(DataError, match="rebuild"):
        corpus.search(QUERY)
    assert corpus.catch_up()
    assert corpus.verify() == []
    assert [hit.passage_id for hit in corpus.search(QUERY).hits] == expected
    assert not corpus.catch_up()
    corpus.close()


def test_losing_all_that_is_derived_loses_nothing(sample_copy: Path, expected: list[str]) -> None:
    shutil.rmtree(sample_copy / "generations")
    corpus = Corpus.open(sample_copy)
    assert any("not in the published index" in problem for problem in corpus.verify())
    assert corpus.catch_up()
    assert corpus.verify() == []
    assert [hit.passage_id for hit in corpus.search(QUERY).hits] == expected
    corpus.close()


def test_a_flipped_byte_that_verify_names_is_mended_by_rebuilding(sample_copy: Path, expected: list[str]) -> None:
    file = next(file for file in derived_files(sample_copy) if file.name == "vectors.f16")
    replace(file, flipped(file, file.stat().st_size // 2))
    corpus = Corpus.open(sample_copy)
    assert corpus.verify() == [f"{file} is damaged"]
    corpus.rebuild()
    assert corpus.verify() == []
    assert [hit.passage_id for hit in corpus.search(QUERY).hits] == expected
    corpus.close()


def test_damage_to_the_sqlite_file_is_told(sample_copy: Path) -> None:
    corpus = Corpus.open(sample_copy)  # brings the write-ahead log into the file
    corpus.close()
    file = sample_copy / "xunzhang.sqlite3"
    raw = bytearray(file.read_bytes())
    raw[4096 * 3 : 4096 * 4] = bytes(4096)
    file.write_bytes(raw)
    try:
        assert problems(sample_copy)
    except DataError as error:
        assert "restore a backup" in error.english


def test_indexes_made_anew_leave_the_published_ones_until_they_are_whole(sample_copy: Path) -> None:
    """Other processes read them meanwhile, and a number once given never means something else."""
    generations = Generations(sample_copy / "generations")
    published = generations.current()
    assert published is not None

    def fails(number: int, folder: Path) -> Manifest:
        assert number == published.generation + 1
        (folder / "half").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        generations.publish(fails, None)
    assert generations.current() == published
    corpus = Corpus.open(sample_copy)
    corpus.rebuild()
    assert corpus.status().generation == published.generation + 1
    assert sorted(path.name for path in generations.folder.iterdir()) == [f"{published.generation + 1:08d}", "CURRENT"]
    corpus.close()
