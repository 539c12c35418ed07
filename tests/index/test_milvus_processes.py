"""Several processes on one Milvus, really started: they take turns, and a killed one loses nothing acknowledged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

from index.corpus import Corpus
from index.document import SearchRequest
from index.engine.milvus.address import parse_address
from index.engine.milvus.engine import MilvusEngine
from index.engine.milvus.layout import DOCUMENTS
from index.errors import BusyError, EngineError
from tests.conftest import ROOT
from tests.index.milvus_archive import found, put
from tests.index.milvus_server import MilvusServer
from tests.index.texts import BRIDGE, HARBOUR


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MilvusServer]:
    with MilvusServer(tmp_path / "milvus") as started:
        yield started


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


KILLED = """
import os, signal, sys
from pathlib import Path
from index.corpus import Corpus
from index.engine.milvus.journal import Journal
from index.ingest import record_source
corpus = Corpus.open(Path(sys.argv[1]), engine=sys.argv[2])
write = Journal._write
Journal._write = lambda *row: os.kill(os.getpid(), signal.SIGKILL) if row[1] == "safe" else write(*row)
corpus.add([record_source({"id": "bridge", "text": sys.argv[3]}, source="")])
"""


def test_what_a_killed_writer_had_not_made_safe_is_nobodys(server: MilvusServer, tmp_path: Path) -> None:
    corpus = Corpus.open(tmp_path / "data", engine=server.engine, create=True)
    put(corpus, bridge=BRIDGE)
    subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "other"), server.engine, HARBOUR], cwd=ROOT, check=False
    )
    engine = corpus._engine
    assert isinstance(engine, MilvusEngine)
    assert engine._client.count(DOCUMENTS) == 2
    assert [passage.text for passage in corpus.document("bridge").passages] == [BRIDGE]
    assert list(engine.store.documents([1, 2])) == [1]
    assert found(corpus, "老石桥") == ["bridge"]
    put(corpus, bridge=HARBOUR)
    assert [passage.text for passage in corpus.document("bridge").passages] == [HARBOUR]
    assert corpus.verify() == []
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
