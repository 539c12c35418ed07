"""Compacting gives back the room of what was removed, and changes no answer."""

from __future__ import annotations

from pathlib import Path

from index.compacting import compact
from index.document import SearchRequest
from index.ingest import record_source
from index.walk import DATABASE
from tests.index.backups import opened, scored

QUERY = SearchRequest("社区食堂的老人吃饭多少钱", limit=5)


def test_compacting_gives_back_room_and_changes_no_answer(sample_copy: Path) -> None:
    text = "这一段只是为了占地方，过后就删掉，第{}次。"
    with opened(sample_copy) as corpus:
        many = [{"id": f"x{n}", "text": "\n".join(text.format(n * 50 + line) for line in range(50))} for n in range(60)]
        corpus.add(record_source(record, source="") for record in many)
        corpus.remove([str(record["id"]) for record in many])
        stale = sample_copy / f"{DATABASE}.format2"
        stale.write_bytes(bytes(100_000))
        expected = scored(corpus.search(QUERY))
        generation = corpus.status().generation
        done = compact(corpus)
        assert done.removed == (stale,)
        assert not stale.exists()
        assert done.before - done.after > 150_000
        assert done.after == sum(file.stat().st_size for file in sample_copy.rglob("*") if file.is_file())
        assert corpus.verify() == []
        assert corpus.status().generation == generation + 1
        assert scored(corpus.search(QUERY)) == expected
