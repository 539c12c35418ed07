"""An archive whose vectors are rounded goes on being added to, verified, compacted; the limit is lowered for it."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from index import candidates
from index.corpus import Corpus
from index.document import SearchRequest
from index.engine import Found, Known, Numbers, publishing, vectors
from index.engine.local_view import LocalView
from index.ingest import record_source

PLACES = ["青石", "柳湾", "白沙", "龙泉", "桃源", "杏花", "石桥", "枫林", "沙田", "渔港"]
THINGS = ["水库", "小学", "粮站", "渡口", "戏台", "果园", "砖窑", "茶场", "邮局", "卫生所", "供销社"]
DEEDS = ["修好了屋顶", "换了新的水泵", "来了三位老师", "卖掉一批旧机器", "开了两天的会", "种下一排杨树"]


def text(number: int) -> str:
    place, thing, deed = PLACES[number % 10], THINGS[number // 10 % 11], DEEDS[number // 110 % 6]
    return f"{place}镇的{thing}在一九{60 + number // 660}年{deed}，花去{1_000 + 37 * number}元。"


def test_an_archive_above_the_limit_is_added_to_and_removed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (vectors, publishing):
        monkeypatch.setattr(module, "EXACT_UP_TO", 1_000)
    corpus = Corpus.open(tmp_path / "data", create=True)
    corpus.add(record_source({"id": str(number), "text": text(number)}, source="") for number in range(1_500))
    assert corpus.status().vector_index.startswith("IVF")
    base = next((tmp_path / "data").glob("generations/*/base"))
    assert {file.name for file in base.iterdir()} >= {"vectors.i8", "scales.f16", "tokens.u16", "index.faiss"}
    inode = (base / "vectors.i8").stat().st_ino

    def first(query: str, mode: str = "hybrid") -> str:
        return corpus.search(SearchRequest(query, mode=mode)).hits[0].document.id

    for mode in ("hybrid", "dense"):
        assert [first(text(number), mode) for number in (0, 777, 1_499)] == ["0", "777", "1499"]
    corpus.add([record_source({"id": "new", "text": "灯塔昨夜停电，守塔人点起了煤油灯。"}, source="")])
    corpus.remove(["777", "778"])
    base = next((tmp_path / "data").glob("generations/*/base"))
    assert (base / "vectors.i8").stat().st_ino == inode  # taken over as it is
    assert first("守塔人为什么点煤油灯") == "new"
    assert first(text(777)) not in ("777", "778")
    assert first(text(776)) == "776"
    assert corpus.verify() == []
    corpus.compact()
    assert first(text(776)) == "776"
    assert corpus.status().passages == 1_499
    corpus.close()


@pytest.mark.parametrize("query", ["青石镇修好屋顶的水库", "哪里开了两天的会", "who sold the old machines", "渔港"])
def test_what_is_looked_at_while_vectors_are_still_compared_is_ranked_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    corpus = Corpus.open(tmp_path / "data", create=True, answer_bytes=0)
    corpus.add(record_source({"id": str(number), "text": text(number)}, source="") for number in range(600))
    at_once = corpus.search(SearchRequest(query, limit=50))

    asked: list[int] = []
    first = Event()
    compare, look = LocalView.dense, LocalView.known

    def slowly(view: LocalView, *of: Any) -> Found:
        assert first.wait(30)
        return compare(view, *of)

    def looked(view: LocalView, numbers: Numbers, vector: Any = None) -> Known:
        asked.append(len(numbers))
        first.set()
        return look(view, numbers, vector)

    monkeypatch.setattr(candidates, "_WORTH_A_THREAD", 0)
    monkeypatch.setattr(LocalView, "dense", slowly)
    monkeypatch.setattr(LocalView, "known", looked)
    beside = corpus.search(SearchRequest(query, limit=50))
    assert beside.hits == at_once.hits
    assert len(asked) == 2  # those by words first, the others when they were there
    assert 0 < asked[0] < sum(asked)


@pytest.mark.parametrize("group", [False, True])
def test_far_pages_neither_repeat_nor_leave_out_what_earlier_ones_have(tmp_path: Path, group: bool) -> None:
    corpus = Corpus.open(tmp_path / "data", create=True, answer_bytes=0)
    corpus.add(record_source({"id": str(number), "text": text(number)}, source="") for number in range(600))

    def page(offset: int, limit: int) -> list[str]:
        request = SearchRequest("镇上的水库修好了屋顶", offset=offset, limit=limit, min_score=0.0, group=group)
        return [hit.passage_id for hit in corpus.search(request).hits]

    pages = [one for offset in range(0, 460, 20) for one in page(offset, 20)]
    assert len(set(pages)) == len(pages) == 460
    assert page(0, 80) + page(80, 380) == pages
