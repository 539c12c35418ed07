"""Milvus, really started: several processes on one, killed processes, filters, editions, and what it says when away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pytest

from index.backup import back_up, restore
from index.corpus import Corpus
from index.document import MODES, SearchRequest
from index.engine import Filter, Found
from index.engine.milvus.address import parse_address
from index.engine.milvus.engine import MilvusEngine
from index.engine.milvus.view import MilvusView
from index.engine.milvus.weights import coarse
from index.errors import BusyError, DataError, EngineError, NoIndexError, SettingError
from index.ingest import record_source, sources_of
from index.walk import DATABASE
from tests.conftest import ROOT, SAMPLE
from tests.index.milvus_server import MilvusServer
from tests.index.tiny_models import bert_embedder

BRIDGE = "经过两年修缮，城南的老石桥昨天重新开放。每天有上千人从桥上走过，老人们在桥头下棋。"
HARBOUR = "今天中午十二点起，渔港的六百条渔船全部回港。休渔期三个半月，渔民在岸上补网修船。"


def put(corpus: Corpus, **texts: str) -> None:
    corpus.add([record_source({"id": id_, "text": text}, source="") for id_, text in texts.items()])


def found(corpus: Corpus, query: str, **settings: object) -> list[str]:
    request = SearchRequest(query, min_score=0.0, limit=100, **settings)  # type: ignore[arg-type]
    return [hit.document.id for hit in corpus.search(request).hits]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MilvusServer]:
    with MilvusServer(tmp_path / "milvus") as started:
        yield started


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Corpus]:
    corpus = Corpus.open(tmp_path / "data", engine=f"milvus:{tmp_path / 'archive.db'}", create=True)
    yield corpus
    corpus.close()


# Agreement with the local engine


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


# Several processes


def test_what_one_process_writes_another_finds_without_opening_again(server: MilvusServer, tmp_path: Path) -> None:
    writer = Corpus.open(tmp_path / "one", engine=server.engine, create=True)
    put(writer, bridge=BRIDGE)
    reader = Corpus.open(tmp_path / "two", engine=server.engine)
    assert found(reader, "老石桥") == ["bridge"]
    before = reader.status().generation
    put(writer, harbour=HARBOUR)
    assert "harbour" in found(reader, "渔船", mode="lexical")
    assert reader.status().generation > before
    put(reader, school="新学期开始，学校食堂每天公布菜谱。")  # and now the other way round
    writer.remove(["bridge"])
    assert found(reader, "老石桥", mode="lexical") == []
    assert set(found(writer, "食堂 渔船", mode="lexical")) == {"school", "harbour"}
    assert writer.verify() == reader.verify() == []
    writer.close()
    reader.close()


HOLDER = """
import sys
from pathlib import Path
from index.engine.milvus.address import parse_address
from index.engine.milvus.engine import MilvusEngine
engine = MilvusEngine(parse_address(sys.argv[1]), Path(sys.argv[2]), create=False)
with engine.writing():
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_one_writes_at_a_time_and_a_killed_writer_is_waited_for_no_longer_than_its_lease(
    server: MilvusServer, tmp_path: Path
) -> None:
    engine = MilvusEngine(parse_address(server.engine), tmp_path / "data", create=True, seconds=2.0)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, server.engine, str(tmp_path / "other")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        with pytest.raises(BusyError, match="wait until it has finished"), engine.writing(timeout=3):
            pass  # longer than our lease: the other one is heard of all the time
        other.kill()
    started = perf_counter()
    with engine.writing(timeout=20):
        assert perf_counter() - started < 10
    engine.close()


def test_what_milvus_did_not_take_is_no_transaction(server: MilvusServer, tmp_path: Path) -> None:
    engine = MilvusEngine(parse_address(server.engine), tmp_path / "data", create=True, seconds=1.0)
    with pytest.raises(EngineError), engine.writing():
        server.kill()
        engine.store.set_meta(model="never")
    server.start()
    assert engine.store.meta("model") is None
    engine.close()


# Crashes


def test_killing_milvus_loses_nothing_acknowledged_and_what_is_away_says_so(
    server: MilvusServer, tmp_path: Path
) -> None:
    corpus = Corpus.open(tmp_path / "data", engine=server.engine, create=True)
    put(corpus, bridge=BRIDGE)
    corpus.remove(["bridge"])
    put(corpus, harbour=HARBOUR, bridge=BRIDGE + "后来补记。")
    server.kill()
    started = perf_counter()
    with pytest.raises(EngineError) as told:
        corpus.search(SearchRequest("渔船"))
    assert perf_counter() - started < 15
    assert server.engine in told.value.english
    assert server.engine in told.value.chinese
    with pytest.raises(EngineError):
        Corpus.open(tmp_path / "other", engine=server.engine)
    server.start()
    again = Corpus.open(tmp_path / "other", engine=server.engine)
    assert again.verify() == []
    assert sorted(document.id for document in again.documents().documents) == ["bridge", "harbour"]
    assert "harbour" in found(again, "渔船")
    assert again.document("bridge").passages[0].text.endswith("后来补记。")
    put(again, late="新学期开始，学校食堂每天公布菜谱。")
    again.close()
    assert "late" in found(corpus, "学校食堂")  # the old connection finds its way back
    corpus.close()


ADDER = """
import sys
from pathlib import Path
from index.corpus import Corpus
from index.ingest import record_source
corpus = Corpus.open(Path(sys.argv[1]), engine=sys.argv[2], create=True)
number = corpus.status().documents
while True:
    text = f"编号{number:05}的渔船今天回港，船上有{number % 7}名渔民。"
    source = record_source({"id": f"d{number:05}", "text": text}, source="")
    def tell(stage, done, total):
        print(f"d{number:05}", stage, flush=True)
    corpus.add([source], progress=tell)
    if number % 3 == 2:
        corpus.add([record_source({"id": f"d{number:05}", "text": text + "改。"}, source="")], progress=tell)
    number += 1
"""


def test_a_killed_process_with_milvus_lite_inside_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Killed while it reads, embeds and publishes; the next one goes on, and the last finds everything."""
    acknowledged: set[str] = set()
    engine = f"milvus:{tmp_path / 'archive.db'}"
    for stage in ("publish", "encode"):
        adder = subprocess.Popen(
            [sys.executable, "-c", ADDER, str(tmp_path / "data"), engine],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with adder:
            assert adder.stdout is not None
            seen = 0
            for line in adder.stdout:
                id_, now = line.split()
                acknowledged.add(id_)
                seen += now == stage
                if seen == 3:
                    adder.kill()
                    break
    corpus = Corpus.open(tmp_path / "data", engine=engine)
    corpus.catch_up()
    assert corpus.verify() == []
    there = [document.id for document in corpus.documents(limit=1_000).documents]
    assert acknowledged <= set(there)
    assert there == [f"d{number:05}" for number in range(len(there))]
    for id_ in there:
        assert found(corpus, f'"编号{id_[1:]}"') == [id_]
    corpus.close()


# Filters


def test_bylines_tags_and_sources_may_hold_any_character(archive: Corpus) -> None:
    odd = ['引"号', "反\\斜", "百%分", "下_划", "换\n行", "单'引", "制\t表"]
    for number, value in enumerate(odd):
        record = {"id": f"d{number}", "text": f"{BRIDGE}第{number}次。", "byline": f"甲{value}乙", "tags": [value]}
        archive.add([record_source({**record, "source": value}, source="")])
    put(archive, other=BRIDGE)
    for number in range(len(odd)):
        kept = archive.documents(limit=20).documents[number]
        for mode in MODES:
            assert found(archive, "老石桥", mode=mode, tags=tuple(kept.tags)) == [f"d{number}"]
            assert found(archive, "老石桥", mode=mode, sources=(kept.source,)) == [f"d{number}"]
            if kept.byline:  # a line break ends a byline
                assert found(archive, "老石桥", mode=mode, bylines=(kept.byline[1:-1],)) == [f"d{number}"]
    assert found(archive, "老石桥", bylines=("甲_",)) == []
    assert archive.verify() == []


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


# Editions


def test_weights_are_made_anew_when_passages_become_longer(archive: Corpus) -> None:
    put(archive, short="石桥。")
    put(archive, **{f"d{number}": f"第{number}号：{BRIDGE * 3}" for number in range(5)})
    engine = archive._engine
    assert isinstance(engine, MilvusEngine)
    view = engine.view()
    assert view is not None
    assert view.manifest.average == pytest.approx(view.manifest.tokens / view.manifest.passages, rel=0.1)
    longest = view.lexical({"石桥": 1.0}, (), 10, Filter())
    put(archive, extra=HARBOUR)
    archive.rebuild()
    anew = engine.view()
    assert anew is not None
    assert anew.manifest.edition > view.manifest.edition
    again = anew.lexical({"石桥": 1.0}, (), 10, Filter())
    assert len(longest.numbers) == len(again.numbers) == 6
    assert archive.verify() == []


def test_another_model_has_vectors_of_its_own_and_nothing_waits(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    model = bert_embedder(tmp_path / "model", BRIDGE + HARBOUR)
    corpus = Corpus.open(tmp_path / "data", engine=f"milvus:{tmp_path / 'a.db'}", model=str(model), create=True)
    put(corpus, bridge=BRIDGE, harbour=HARBOUR)
    small = corpus.status().dimension
    corpus.rebuild(model="compact")
    assert corpus.status().dimension == corpus.encoder().card.dimension != small
    assert corpus.verify() == []
    assert set(found(corpus, "老石桥", mode="dense")) == {"bridge", "harbour"}
    corpus.rebuild()
    assert corpus.verify() == []
    corpus.close()


class WithoutMeaning(MilvusView):
    """A view whose index of vectors is not to be had, as when a node that holds it is down."""

    def dense(self, vector: npt.NDArray[np.float32], limit: int, only: Filter) -> Found:
        raise EngineError("The index is not loaded.", "索引未加载。")


def test_where_only_the_index_of_meaning_fails_words_answer(archive: Corpus) -> None:
    put(archive, bridge=BRIDGE, harbour=HARBOUR)
    engine = archive._engine
    assert isinstance(engine, MilvusEngine)
    view = engine.view()
    assert view is not None
    view.__class__ = WithoutMeaning
    answer = archive.search(SearchRequest("老石桥"))
    assert [hit.document.id for hit in answer.hits] == ["bridge"]
    assert answer.degraded == ("dense",)


# What cannot be opened


@pytest.mark.parametrize("address", ["milvus:", "milvus:somewhere", "milvus:ftp://host", "milvus:http://host/a/b"])
def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="milvus:http://HOST:19530"):
        Corpus.open(tmp_path, engine=address)


def test_there_has_to_be_an_archive_unless_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match=r"scripts\.build_index"):
        Corpus.open(tmp_path / "data", engine=f"milvus:{tmp_path / 'absent.db'}")
    assert not (tmp_path / "absent.db").exists()


def test_what_is_longer_than_milvus_keeps_is_refused(archive: Corpus) -> None:
    with pytest.raises(DataError, match="65535 bytes"):
        archive.add([record_source({"id": "long", "text": BRIDGE, "title": "长" * 30_000}, source="")])
    put(archive, bridge=BRIDGE)
    assert found(archive, "老石桥") == ["bridge"]


MISSING = """
import sys
from pathlib import Path
sys.modules["pymilvus"] = None
from index.corpus import Corpus
from index.errors import SettingError
try:
    Corpus.open(Path(sys.argv[1]), engine="milvus:http://127.0.0.1:1", create=True)
except SettingError as error:
    print(error.english)
"""


def test_a_missing_package_is_told_with_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSING, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "pip install -r requirements-milvus.txt" in done.stdout, done.stderr


def test_the_local_engine_does_not_pay_for_milvus(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from index.corpus import Corpus; "
        f"Corpus.open(Path({str(tmp_path)!r}), create=True); "
        "print([name for name in sys.modules if name.startswith(('pymilvus', 'grpc', 'index.engine.milvus'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_backup_of_milvus_is_restored_on_one_machine(archive: Corpus, tmp_path: Path) -> None:
    archive.add([record_source({"id": "ferry", "text": "渡轮恢复夜航，码头的灯又亮了。"}, source="")])
    target, manifest = back_up(archive, tmp_path / "milvus.tar")
    assert (manifest.documents, manifest.model) == (1, archive.model)
    restore(target, tmp_path / "here")
    with closing(Corpus.open(tmp_path / "here")) as corpus:
        assert corpus.verify() == []
        assert [hit.document.id for hit in corpus.search(SearchRequest("夜里还有船吗")).hits] == ["ferry"]
