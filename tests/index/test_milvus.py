"""What is Milvus' own: odd characters in its filters, editions, vectors of each model, and what cannot be opened."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from index.corpus import Corpus
from index.document import MODES, SearchRequest
from index.engine import Filter, Found
from index.engine.milvus import publishing
from index.engine.milvus.client import MOST, Client, Fields, listed
from index.engine.milvus.engine import MilvusEngine
from index.engine.milvus.layout import PARTS
from index.engine.milvus.view import MilvusView
from index.errors import DataError, EngineError, NoIndexError, SettingError
from index.ingest import record_source, sources_of
from tests.conftest import ROOT, SAMPLE
from tests.index.milvus_archive import found, in_milvus, put
from tests.index.texts import BRIDGE, HARBOUR
from tests.index.tiny_models import bert_embedder


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Corpus]:
    with in_milvus(tmp_path) as corpus:
        yield corpus


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


class Capped(Client):
    """A client whose queries return no more than a few of the documents that are gone, as Milvus' 16,384 are few."""

    def query(self, collection: str, where: str, fields: Sequence[str], limit: int = MOST) -> list[Fields]:
        rows = super().query(collection, where, fields, limit)
        return rows[:2] if where.startswith("gone >") else rows


def test_more_documents_than_milvus_returns_at_once_are_replaced_between_two_publications(archive: Corpus) -> None:
    put(archive, **{f"d{number}": f"第{number}号：{BRIDGE}" for number in range(9)})
    engine = archive._engine
    assert isinstance(engine, MilvusEngine)
    engine._client.__class__ = Capped
    put(archive, **{f"d{number}": f"第{number}号：{HARBOUR}" for number in range(7)})
    assert archive.verify() == []
    view = engine.view()
    assert view is not None
    assert (view.manifest.documents, view.manifest.passages) == archive._engine.store.counts() == (9, 9)
    assert sorted(found(archive, "老石桥", mode="lexical")) == ["d7", "d8"]


def test_a_list_of_phrases_in_several_parts_stays(archive: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_PART", 500)
    archive.add(sources_of([SAMPLE]))
    engine = archive._engine
    assert isinstance(engine, MilvusEngine)
    view = engine.view()
    assert view is not None
    assert view.manifest.phrases[1] > 1
    assert (phrases := view.phrases())
    # Earlier versions removed all parts but the first: the next publication makes such a list anew.
    engine._client.delete(PARTS, f"number in {listed(sorted(parts_of_phrases(engine))[1:])}")
    put(archive, bridge=BRIDGE)
    again = engine.view()
    assert again is not None
    assert {phrase.text for phrase in again.phrases()} >= {phrase.text for phrase in phrases[:10]}


def parts_of_phrases(engine: MilvusEngine) -> list[int]:
    return [int(row["number"]) for row in engine._client.query(PARTS, "number < 0", ("number",))]


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


@pytest.mark.parametrize(
    "address",
    [
        *("milvus:", "milvus:somewhere", "milvus:ftp://host", "milvus:http://host/a/b", "milvus:http://[::1"),
        *("milvus:http://host:port", "milvus:http://host:0", "milvus:https://host:65536"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="milvus:http://HOST:19530"):
        Corpus.open(tmp_path, engine=address)


@pytest.mark.parametrize("row", ["safe", "published"])
def test_an_archive_of_a_newer_version_is_told_as_one(row: str, archive: Corpus) -> None:
    put(archive, bridge=BRIDGE)
    engine = archive._engine
    assert isinstance(engine, MilvusEngine)
    facts = json.loads(engine._journal._row(row) or "")
    engine._journal._write(row, json.dumps({**facts, "invented": "later"}))
    with pytest.raises(DataError, match="written by a newer version"):
        found(archive, "老石桥")
    engine._journal._write(row, json.dumps(facts))


def test_there_has_to_be_an_archive_unless_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match=r"scripts\.build_index"):
        Corpus.open(tmp_path / "data", engine=f"milvus:{tmp_path / 'absent.db'}")
    assert not (tmp_path / "absent.db").exists()


def test_a_file_that_milvus_lite_did_not_make_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("石桥")
    with pytest.raises(DataError, match=r"notes\.db was not made by Milvus Lite"):
        Corpus.open(tmp_path / "data", engine=f"milvus:{tmp_path / 'notes.db'}", create=True)
    with pytest.raises(DataError, match="cannot be made: Not a directory; choose another file with --engine"):
        Corpus.open(tmp_path / "data", engine=f"milvus:{tmp_path / 'notes.db' / 'a' / 'archive.db'}", create=True)


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
