"""Indexes of the format before are read as they are, so that an upgrade costs nobody a search."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.engine.generation import FORMAT
from index.engine.local import LocalEngine
from index.ingest import record_source

QUERY = SearchRequest("老石桥什么时候修好")


def rewrite_manifest(data: Path, number: int) -> None:
    """Let the published generation say that it has this format, and the files it has now."""
    generations = data / "generations"
    folder = next(path for path in generations.iterdir() if path.is_dir())
    manifest = json.loads((folder / "manifest.json").read_text())
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    manifest["format"] = number
    manifest["files"] = {
        file.relative_to(folder).as_posix(): {"size": file.stat().st_size, "digest": digest(file)} for file in files
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (generations / "CURRENT").write_text(f"{int(folder.name)} {digest(folder / 'manifest.json')}\n")


def digest(file: Path) -> str:
    return blake2b(file.read_bytes(), digest_size=16).hexdigest()


@pytest.fixture
def first(sample_copy: Path) -> Path:
    """A data directory whose indexes are of the first format: tokens as they were cut, in four bytes."""
    engine = LocalEngine(sample_copy, create=False)
    tokens = {number: words for number, _, _, _, words in engine.store.vectors.after(0)}
    engine.close()
    for segment in sample_copy.glob("generations/*/*/numbers.npy"):
        rows = [tokens[number] for number in np.load(segment).tolist()]
        segment.with_name("tokens.u32").write_bytes(b"".join(rows))
        np.save(segment.with_name("ends.npy"), np.cumsum([0, *(len(row) // 4 for row in rows)]))
        for name in ("tokens.u16", "beyond.npy"):
            segment.with_name(name).unlink()
    rewrite_manifest(sample_copy, 1)
    return sample_copy


def test_the_same_is_found_and_nothing_is_made_anew(sample: Corpus, first: Path) -> None:
    corpus = Corpus.open(first)
    assert corpus.status().ready
    assert not corpus.salvage()
    assert corpus.verify() == []
    old, new = corpus.search(QUERY), sample.search(QUERY)
    assert [(hit.passage_id, round(hit.score, 5)) for hit in old.hits] == [
        (hit.passage_id, round(hit.score, 5)) for hit in new.hits
    ]
    assert [hit.segments for hit in old.hits] == [hit.segments for hit in new.hits]
    assert old.degraded == ()
    corpus.close()


def test_what_is_added_goes_beside_it_and_compacting_brings_all_to_the_new_format(first: Path) -> None:
    corpus = Corpus.open(first)
    corpus.add([record_source({"id": "new", "text": "灯塔昨夜停电，守塔人点起了煤油灯。"}, source="")])
    assert len(list(first.glob("generations/*/base/tokens.u32"))) == 1
    assert len(list(first.glob("generations/*/recent/tokens.u16"))) == 1
    assert corpus.search(SearchRequest("守塔人为什么点煤油灯")).hits[0].document.id == "new"
    before = [hit.passage_id for hit in corpus.search(QUERY).hits]
    corpus.compact()
    assert not list(first.glob("generations/*/*/tokens.u32"))
    assert [hit.passage_id for hit in corpus.search(QUERY).hits] == before
    corpus.close()


def test_so_is_the_second_format(sample_copy: Path) -> None:
    rewrite_manifest(sample_copy, 2)
    corpus = Corpus.open(sample_copy)
    assert corpus.status().ready
    assert not corpus.salvage()
    assert corpus.search(QUERY).degraded == ()
    corpus.close()


def test_a_format_nobody_knows_is_not_read(sample_copy: Path) -> None:
    rewrite_manifest(sample_copy, FORMAT + 1)
    corpus = Corpus.open(sample_copy)
    assert not corpus.status().ready
    assert corpus.catch_up()
    assert corpus.status().ready
    corpus.close()
