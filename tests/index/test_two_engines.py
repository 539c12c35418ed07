"""The local engine and Milvus: they rank alike, and an archive moves from one to the other and loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from index.backup import back_up, restore
from index.corpus import Corpus
from index.document import SearchRequest
from index.engine.milvus.weights import coarse
from index.ingest import record_source, sources_of
from index.moving import move
from index.walk import DATABASE
from tests.conftest import ROOT, SAMPLE
from tests.index.milvus_archive import in_milvus, put
from tests.index.texts import BRIDGE, HARBOUR


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Corpus]:
    with in_milvus(tmp_path) as corpus:
        yield corpus


# They agree


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Corpus, Corpus]]:
    place = tmp_path_factory.mktemp("both")
    corpora = [
        Corpus.open(place / name, engine=engine, create=True)
        for name, engine in (("local", "local"), ("milvus", f"milvus:{place / 'archive.db'}"))
    ]
    for corpus in corpora:
        corpus.add(sources_of([SAMPLE]))
    yield corpora[0], corpora[1]
    for corpus in corpora:
        corpus.close()


def test_the_engines_rank_alike(both: tuple[Corpus, Corpus]) -> None:
    lines = (ROOT / "tests/data/sample_queries.jsonl").read_text(encoding="utf-8").splitlines()[::4]
    shared = wanted = 0
    for query in (json.loads(line)["query"] for line in lines):
        here, there = ([hit.passage_id for hit in corpus.search(SearchRequest(query)).hits[:10]] for corpus in both)
        shared += len({*here} & {*there})
        wanted += max(len(here), len(there))
    assert wanted > len(lines)
    assert shared >= 0.95 * wanted


def test_scores_of_words_are_the_same_numbers(both: tuple[Corpus, Corpus]) -> None:
    for query in ("石榴里社区食堂七十岁以上老人吃一顿饭多少钱", "how do people get home at night", "加装电梯"):
        here, there = (corpus.search(SearchRequest(query, "lexical", limit=50, min_score=0.0)).hits for corpus in both)
        scores = {hit.passage_id: hit.score for hit in there}
        assert len(here) == len(scores) > 0
        for hit in here:
            assert scores[hit.passage_id] == pytest.approx(hit.score, abs=2e-4)


@pytest.mark.parametrize(("length", "kept"), [(0, 0), (24, 24), (39, 39), (41, 40), (55, 54), (59, 56), (1000, 984)])
def test_lengths_are_as_coarse_as_tantivys(length: int, kept: int) -> None:
    assert coarse(length) == kept


def test_a_document_has_the_same_passages_in_both(both: tuple[Corpus, Corpus]) -> None:
    local, milvus = both
    for document in local.documents(limit=100).documents:
        assert milvus.document(document.id) == local.document(document.id)


# Moving


def test_an_archive_moves_there_and_back_and_nothing_is_embedded_again(tmp_path: Path, command) -> None:
    local = Corpus.open(tmp_path / "one", create=True)
    local.add(sources_of([SAMPLE], known=local.known_file))
    before = contents(local)
    counts = local.status()
    generation = local.search(SearchRequest("老石桥")).hits
    files = set(local._engine.store.files.all())
    vectors = vectors_of(local)
    local.close()
    engine = f"milvus:{tmp_path / 'archive.db'}"
    done = command("manage", "migrate", "--data", tmp_path / "one", "--to", engine, TRANSFORMERS_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert f"{counts.documents} documents, {counts.passages} passages" in done.stdout
    again = command("manage", "migrate", "--data", tmp_path / "one", "--to", engine)
    assert again.returncode == 2
    assert "already" in again.stderr
    status = command("manage", "status", "--data", tmp_path / "one", "--engine", engine, "--json")
    assert json.loads(status.stdout)["engine"] == engine
    moved = Corpus.open(tmp_path / "one", engine=engine)
    assert contents(moved) == before
    assert vectors_of(moved) == vectors
    assert moved.verify() == []
    assert not moved.catch_up()
    assert [hit.passage_id for hit in moved.search(SearchRequest("老石桥")).hits] == [
        hit.passage_id for hit in generation
    ]
    assert set(moved._engine.store.files.all()) == files
    assert moved.known_file(next(iter(files)).path) is not None
    moved.close()
    done = command("manage", "migrate", "--data", tmp_path / "one", "--engine", engine, "--to", "local",
                   "--into", tmp_path / "two")  # fmt: skip
    assert done.returncode == 0, done.stderr
    back = Corpus.open(tmp_path / "two")
    assert contents(back) == before
    assert vectors_of(back) == vectors
    assert set(back._engine.store.files.all()) == files
    assert back.verify() == []
    assert back.search(SearchRequest("老石桥")).hits == generation
    back.close()


def test_what_was_removed_since_an_interrupted_move_does_not_arrive(tmp_path: Path) -> None:
    def interrupted(_stage: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with closing(Corpus.open(tmp_path / "one", create=True)) as corpus:
        put(corpus, bridge=BRIDGE, harbour=HARBOUR)
        with pytest.raises(KeyboardInterrupt):
            move(tmp_path / "one", "local", f"milvus:{tmp_path / 'archive.db'}", progress=interrupted)
        corpus.remove(["bridge"])
    assert move(tmp_path / "one", "local", f"milvus:{tmp_path / 'archive.db'}").documents == 1
    with closing(Corpus.open(tmp_path / "one", engine=f"milvus:{tmp_path / 'archive.db'}")) as moved:
        assert [document.id for document in moved.documents().documents] == ["harbour"]
        assert moved.verify() == []


def contents(corpus: Corpus) -> list[object]:
    """Documents with their passages, originals and digests."""
    store = corpus._engine.store
    documents = corpus.documents(limit=1_000).documents
    found = [store.find(document.id) for document in documents]
    originals = [store.original(one[0]) for one in found if one is not None]
    return [[corpus.document(one.id) for one in documents], originals, store.hashes([one.id for one in documents])]


def vectors_of(corpus: Corpus) -> dict[bytes, tuple[bytes, bytes]]:
    store = corpus._engine.store
    keys = [row.key for number in store.document_numbers() for row in store.rows_of(number)]
    return {key: (vector.tobytes(), ids.tobytes()) for key, (vector, ids) in store.vectors.of(keys).items()}


def test_a_backup_of_milvus_is_an_archive_of_the_local_engine(archive: Corpus, tmp_path: Path) -> None:
    put(archive, bridge=BRIDGE, harbour=HARBOUR)
    (tmp_path / "copy").mkdir()
    archive.copy_to(tmp_path / "copy" / DATABASE)
    restored = Corpus.open(tmp_path / "copy")
    assert restored.catch_up()
    assert contents(restored) == contents(archive)
    assert vectors_of(restored) == vectors_of(archive)
    assert restored.verify() == []
    restored.close()


def test_a_backup_of_milvus_is_restored_on_one_machine(archive: Corpus, tmp_path: Path) -> None:
    archive.add([record_source({"id": "ferry", "text": "渡轮恢复夜航，码头的灯又亮了。"}, source="")])
    target, manifest = back_up(archive, tmp_path / "milvus.tar")
    assert (manifest.documents, manifest.model) == (1, archive.model)
    restore(target, tmp_path / "here")
    with closing(Corpus.open(tmp_path / "here")) as corpus:
        assert corpus.verify() == []
        assert [hit.document.id for hit in corpus.search(SearchRequest("夜里还有船吗")).hits] == ["ferry"]
