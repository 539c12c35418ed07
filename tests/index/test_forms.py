"""What is written in several ways is found in each: names of letters and digits, dates, numbers, regional words."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest

from index.chinese import parse_query
from index.corpus import Corpus
from index.document import SearchRequest
from index.forms import as_written, forms_of
from index.rarity import Rarity
from index.regional import regional

CAMERA = "工坊上周展出了一台相机，型号是{}，镜头可以拆下来。"
FERRY = "渡口管理处公布了新的开船时间，从{}起每天多开两班。"
OTHERS = [
    "山上的茶园今年雨水多，采茶比往年晚了 4 天。",
    "学校的操场翻修以后，跑道有 60 米直道。",
    "渡口管理处提醒乘客，大风天气不要站在船头。",
    "县里的果园请来 7 位农技员，给 8 个村子上课。",
    "工坊的师傅说，相机修好要等 2023 个零件里的一个。",
]


def found_first(archive: Corpus, query: str) -> str:
    (first, *_) = archive.search(SearchRequest(query, mode="lexical")).hits
    return first.document.id


def fill(put, text: str) -> None:
    put({"id": "right", "text": text}, *({"id": f"other{n}", "text": other} for n, other in enumerate(OTHERS)))


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("KX-4", "kx4"), ("KX 4", "kx4"), ("KX4", "KX 4"), ("KX4", "kx-4"), ("KX-4", "KX 4"),
        ("Kaza 60 Pro", "kaza60pro"), ("Kaza60 Pro", "kaza 60 pro"), ("Kaza60 Pro", "kaza60pro"),
    ],
)  # fmt: skip
def test_a_name_of_letters_and_digits_is_found_however_its_parts_are_joined(
    archive: Corpus, put, written: str, typed: str
) -> None:
    fill(put, CAMERA.format(written))
    answer = archive.search(SearchRequest(typed, mode="lexical"))
    assert answer.hits[0].document.id == "right"
    assert answer.hits[0].scores.lexical == pytest.approx(1, abs=0.25)  # one form is all there is to say


def test_what_was_typed_comes_before_its_other_forms(archive: Corpus, put) -> None:
    put({"id": "apart", "text": CAMERA.format("KX-4")}, {"id": "joined", "text": CAMERA.format("KX4")})
    assert found_first(archive, "kx4") == "joined"
    assert found_first(archive, "kx-4") == "apart"


@pytest.mark.parametrize("typed", ["八月七日", "八月七号", "8月7号", "2023-08-07", "2023/8/7", "二〇二三年八月七日"])
def test_a_date_is_found_however_it_is_written(archive: Corpus, put, typed: str) -> None:
    put(
        {"id": "right", "text": FERRY.format("2023年8月7日")},
        {"id": "other", "text": FERRY.format("2022年11月23日")},
        *({"id": f"other{n}", "text": other} for n, other in enumerate(OTHERS)),
    )
    answer = archive.search(SearchRequest(f"渡口 {typed} 开船", mode="lexical"))
    assert answer.hits[0].document.id == "right"
    assert answer.query == f"渡口 {typed} 开船"
    assert answer.suggestion is None
    assert answer.hits[0].scores.lexical == pytest.approx(1, abs=0.25)


def test_a_date_in_chinese_numerals_is_found_where_the_archive_writes_it_so(archive: Corpus, put) -> None:
    put({"id": "right", "text": FERRY.format("八月七日")}, {"id": "other", "text": FERRY.format("九月二日")})
    assert found_first(archive, "八月七日") == "right"


@pytest.mark.parametrize("query", ["八月十五赏月", "三月三歌会", "2023-13-40", "十三月七日"])
def test_what_only_looks_like_a_date_stays(query: str) -> None:
    parsed, rarity = parse_query(query), Rarity(MagicMock(passages=1, frequencies=lambda terms: [1] * len(terms)))
    assert forms_of(parsed, rarity) == []
    assert as_written(parsed, rarity) is parsed


@pytest.mark.parametrize(
    ("written", "typed"), [("585,195.95", "585195.95"), ("585195.95", "585,195.95"), ("12,300", "12300")]
)
def test_a_number_is_found_with_its_commas_and_without(archive: Corpus, put, written: str, typed: str) -> None:
    fill(put, f"镇上的合作社今年卖出稻谷 {written} 斤。")
    put({"id": "part", "text": "考了 95 分。"})
    assert found_first(archive, typed) == "right"


@pytest.mark.parametrize(
    ("typed", "written"),
    [("普丁", "普京"), ("寮國", "老挝"), ("計程車", "出租车"), ("飛彈", "导弹"), ("行動電話", "手机")],
)
def test_a_word_of_another_region_finds_this_ones(archive: Corpus, put, typed: str, written: str) -> None:
    fill(put, f"报纸的国际版登了一张照片，照片里有{written}。")
    put({"id": "letters", "text": f"识字课上今天教了这几个字：{'、'.join(typed)}。"})
    assert found_first(archive, typed) == "right"


def test_a_regional_word_that_the_archive_has_comes_first(archive: Corpus, put) -> None:
    put(
        {"id": "pear", "text": "果农说今年的雪梨又大又甜。"},
        *({"id": f"city{n}", "text": f"第 {n} 封信从悉尼寄来，信封上有帆船。"} for n in range(12)),
    )
    assert found_first(archive, "雪梨") == "pear"
    assert "city0" in [hit.document.id for hit in archive.search(SearchRequest("雪梨", limit=20)).hits]


@pytest.mark.parametrize("query", ["城南的老石桥", "gpt4", ""])
def test_most_queries_have_no_regional_word(query: str) -> None:
    assert list(regional(query)) == []
