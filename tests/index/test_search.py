"""What a searcher relies on: phrases, scripts, scores, marks, pages, groups, facets, refusals, a model that fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from index.chinese import fold, squeeze
from index.corpus import Corpus
from index.document import MODES, Answer, Mode, SearchRequest, Sort
from index.errors import NotFoundError, QueryError
from index.ingest import record_source
from index.model_cards import COMPACT

QUERIES = [
    "社区食堂的老人吃一顿饭多少钱",
    "电动公交车冬天跑不远",
    "how do night workers get home",
    "微帮扶",
    "《县志》里写的浮桥？！",
    "餐盒 押金 100%",
    "光明戲院",
    "的",
    "？！…",
    "x" * 2000,
    "鱼\x00\ud800\U0001f41f",
]


def ids(answer: Answer) -> list[str]:
    return [hit.passage_id for hit in answer.hits]


def ask(corpus: Corpus, query: str, **settings: object) -> Answer:
    return corpus.search(SearchRequest(query, **settings))  # type: ignore[arg-type]


# Phrases


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "phrase"),
    [
        ('"社区食堂"', "社区食堂"),
        ("“社区食堂” 老人", "社区食堂"),
        ('"社區食堂"', "社区食堂"),
        ('"光明戏院"', "光明戏院"),
        ('"5,000 litres"', "5,000litres"),
        ('"stored in three tanks"', "storedinthreetanks"),
        ('"餐"', "餐"),
    ],
)
def test_a_quoted_phrase_stands_in_every_hit(sample: Corpus, mode: Mode, query: str, phrase: str) -> None:
    answer = ask(sample, query, mode=mode, limit=50)
    assert answer.hits
    for hit in answer.hits:
        assert phrase in squeeze(fold(hit.title + hit.text))


def test_a_quoted_phrase_is_found_across_a_tear(sample: Corpus) -> None:
    """On the page the line breaks after 峰在凌晨四点二十五分到达，."""
    torn = (Path(__file__).parents[2] / "index/sample/page-2021-07-23-a01.txt").read_text(encoding="utf-8")
    assert "二十五分到达，冲垮了" not in torn
    (hit,) = ask(sample, '"二十五分到达，冲垮了"').hits
    assert "二十五分到达，冲垮了" in hit.text


@pytest.mark.parametrize("phrase", ["为面子丢里子", "《为面子丢里子》新编"])
def test_quotation_marks_within_a_phrase_need_not_be_typed(archive: Corpus, put, phrase: str) -> None:
    put(face="评论：《为“面子”丢「里子」》新编，说的是修门楼不修水管。")
    put(other="里子比面子要紧，不为别的，丢了面子还有新编的里子。")
    assert [hit.document.id for hit in ask(archive, f'"{phrase}"', min_score=0.0).hits] == ["face"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ['"老人的社区饭堂在月亮上"', '"食堂社区"', '"社区食堂" "从来没有人写过这句话"'])
def test_a_phrase_that_nobody_wrote_finds_nothing(sample: Corpus, mode: Mode, query: str) -> None:
    assert ask(sample, query, mode=mode, min_score=0.0).hits == ()


def test_all_quoted_phrases_must_occur(sample: Corpus) -> None:
    both = {hit.passage_id for hit in ask(sample, '"食堂" "老人"', limit=50, min_score=0.0).hits}
    one = {hit.passage_id for hit in ask(sample, '"食堂"', limit=50, min_score=0.0).hits}
    other = {hit.passage_id for hit in ask(sample, '"老人"', limit=50, min_score=0.0).hits}
    assert both
    assert both == one & other


# One text, several ways to write it


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("社区食堂每月亏损多少钱", "社區食堂每月虧損多少錢"),
        ("光明戏院修复经费", "光明戲院修復經費"),
        ("AED 除颤仪", "ＡＥＤ　除颤仪"),
        ("aed 除颤仪", "AED 除顫儀"),
    ],
)
def test_a_query_finds_the_same_in_either_script_width_and_case(
    sample: Corpus, mode: Mode, query: str, same: str
) -> None:
    assert ids(ask(sample, query, mode=mode, limit=3)) == ids(ask(sample, same, mode=mode, limit=3)) != []


def test_what_is_shown_is_the_original(sample: Corpus) -> None:
    hit = ask(sample, "光明戏院修复花了多少经费").hits[0]
    assert "戲院" in hit.title + hit.text
    original = Path(hit.document.path).read_text(encoding="utf-8")
    assert squeeze(hit.text) in squeeze(original[hit.position.start : hit.position.end])


# Scores


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", QUERIES)
def test_scores_lie_between_0_and_1_and_never_rise(sample: Corpus, mode: Mode, query: str) -> None:
    answer = ask(sample, query, mode=mode, limit=100, min_score=0.0)
    scores = [hit.score for hit in answer.hits]
    assert scores == sorted(scores, reverse=True)
    for hit in answer.hits:
        for score in (hit.score, hit.scores.dense, hit.scores.lexical, hit.scores.interaction):
            assert score is None or 0 <= score <= 1
    assert len(set(ids(answer))) == len(answer.hits) <= answer.total


def test_min_score_cuts_off_the_tail(sample: Corpus) -> None:
    everything = ask(sample, QUERIES[0], limit=100, min_score=0.0)
    middle = everything.hits[2].score
    cut = ask(sample, QUERIES[0], limit=100, min_score=middle)
    assert ids(cut) == [hit.passage_id for hit in everything.hits if hit.score >= middle - 5e-5]
    assert cut.total == len(cut.hits) < everything.total
    usual = ask(sample, QUERIES[0], limit=100)
    assert 0 < usual.total < everything.total
    assert ask(sample, QUERIES[0], min_score=1.0).hits == ()


def test_words_nobody_wrote_find_nothing_by_words(sample: Corpus) -> None:
    answer = ask(sample, "zzzyx qqqwv", mode="lexical", min_score=0.0)
    assert (answer.hits, answer.total, answer.total_is_exact) == ((), 0, True)


# Marks


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", QUERIES)
def test_segments_make_up_the_text_with_at_most_one_answering_sentence(sample: Corpus, mode: Mode, query: str) -> None:
    for hit in ask(sample, query, mode=mode, min_score=0.0).hits:
        assert "".join(segment.text for segment in hit.segments) == hit.text
        assert all(segment.text for segment in hit.segments)
        inside = "".join("x" if segment.in_sentence else "." for segment in hit.segments)
        assert len([run for run in inside.split(".") if run]) <= 1  # one unbroken stretch
        for segment in hit.segments:
            assert segment.mark != "sentence" or segment.in_sentence


@pytest.mark.parametrize(
    ("query", "answer"),
    [("再生稻的亩产是多少", "三百二十八公斤"), ("光明戏院修复花了多少经费", "兩千六百萬")],
)
def test_the_sentence_that_answers_is_marked(sample: Corpus, query: str, answer: str) -> None:
    hit = next(hit for hit in ask(sample, query).hits if answer in hit.text)
    assert answer in "".join(segment.text for segment in hit.segments if segment.in_sentence)


@pytest.mark.parametrize(
    "query", ["社区食堂的老人吃一顿饭多少钱", "電動公交車冬天跑不遠", '餐盒 "押金"', "how do night workers get home"]
)
def test_a_single_passage_is_marked_as_its_hit_is(sample: Corpus, query: str) -> None:
    for hit in ask(sample, query, limit=3).hits:
        assert sample.marks(hit.passage_id, query) == hit.segments


def test_a_passage_that_is_not_there_cannot_be_marked_nor_one_for_nothing(sample: Corpus) -> None:
    with pytest.raises(NotFoundError):
        sample.marks("nobody:0", "食堂")
    with pytest.raises(QueryError):
        sample.marks("nobody:0", " ")


def test_marks_may_be_left_out(sample: Corpus) -> None:
    for hit in ask(sample, QUERIES[0], marks=False).hits:
        assert [(segment.text, segment.mark) for segment in hit.segments] == [(hit.text, None)]


# Slices and groups


@pytest.mark.parametrize("group", [False, True])
def test_pages_follow_one_another_without_gap_or_repeat(sample: Corpus, group: bool) -> None:
    whole = ids(ask(sample, QUERIES[0], limit=40, min_score=0.0, group=group))
    pages = [ids(ask(sample, QUERIES[0], limit=7, offset=at, min_score=0.0, group=group)) for at in range(0, 40, 7)]
    assert [id_ for page in pages for id_ in page][:40] == whole
    assert len(set(whole)) == len(whole) == 40
    assert ask(sample, QUERIES[0], offset=900).hits == ()


@pytest.mark.parametrize("sort", ["date", "-date"])
def test_sorted_by_date_the_undated_come_last_and_what_barely_answers_not_at_all(sample: Corpus, sort: Sort) -> None:
    query = "老人"
    by_relevance = ask(sample, query, limit=100)
    answer = ask(sample, query, limit=100, sort=sort)
    dates = [hit.document.date for hit in answer.hits]
    dated = [date for date in dates if date]
    assert 1 < len(set(dated)) < len(dates)
    assert dated == sorted(dated, reverse=sort == "-date")
    assert dates == dated + [""] * (len(dates) - len(dated))
    best = by_relevance.hits[0].score
    assert {hit.passage_id for hit in by_relevance.hits if hit.score >= best / 2} == set(ids(answer))
    assert len(answer.hits) < len(by_relevance.hits)
    assert not answer.weak
    every = ask(sample, query, limit=500, sort=sort, min_score=0.0)
    assert set(ids(every)) == set(ids(ask(sample, query, limit=500, min_score=0.0)))


def test_pages_sorted_by_date_follow_one_another(sample: Corpus) -> None:
    whole = ids(ask(sample, QUERIES[0], limit=40, min_score=0.0, sort="-date"))
    pages = [ids(ask(sample, QUERIES[0], limit=7, offset=at, min_score=0.0, sort="-date")) for at in range(0, 40, 7)]
    assert [one for page in pages for one in page][:40] == whole


def test_grouping_keeps_the_best_passage_of_each_document(sample: Corpus) -> None:
    plain = ask(sample, QUERIES[0], limit=200, min_score=0.0)
    grouped = ask(sample, QUERIES[0], limit=200, min_score=0.0, group=True)
    best: dict[str, str] = {}
    for hit in plain.hits:
        best.setdefault(hit.document.id, hit.passage_id)
    assert ids(grouped) == list(best.values())
    assert len(grouped.hits) < len(plain.hits)


def test_facets_count_what_was_found(sample: Corpus) -> None:
    answer = ask(sample, QUERIES[0], limit=200, min_score=0.0)
    sources = {facet.value: facet.count for facet in answer.facets["source"]}
    assert sources == {"sample": len(answer.hits)}
    years = [hit.document.date[:4] for hit in answer.hits if hit.document.date]
    assert {facet.value: facet.count for facet in answer.facets["year"]} == {year: years.count(year) for year in years}
    counts = [facet.count for facet in answer.facets["year"]]
    assert counts == sorted(counts, reverse=True)


def test_a_hit_brings_its_neighbours(sample: Corpus) -> None:
    for hit in ask(sample, QUERIES[0]).hits:
        view = sample.passage(hit.passage_id)
        assert (hit.text, hit.before, hit.after) == (view.text, view.before, view.after)
        assert hit.position == view.position


# Similar passages


def test_what_is_similar_leaves_the_passage_itself_out(sample: Corpus) -> None:
    for hit in ask(sample, QUERIES[0]).hits[:3]:
        similar = sample.similar(hit.passage_id, limit=5)
        assert hit.passage_id not in ids(similar)
        assert hit.text not in [other.text for other in similar.hits]


def test_a_passage_full_of_quotation_marks_has_similar_ones(archive: Corpus, put) -> None:
    put(
        a="他说：“老石桥昨天重新开放了。”她问：“什么时候？”",
        b="老石桥昨天重新开放，很多人从桥上走过。",
        c="渔船回港，渔民补网。",
    )
    assert ids(archive.similar("a:0"))[:1] == ["b:0"]


# Refusals


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"query": ""}, "The query is empty"),
        ({"query": " \u3000\n"}, "The query is empty"),
        ({"query": "桥" * 2001}, "has 2001 characters; at most 2000"),
        ({"mode": "magic"}, "There is no mode 'magic'"),
        ({"sort": "size"}, "There is no order 'size'"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"limit": -1}, "limit must be at least 1"),
        ({"offset": -1}, "offset at least 0"),
        ({"limit": 10, "offset": 1_000_000}, "together at most"),
        ({"min_score": 1.5}, "min_score must lie between"),
        ({"min_score": float("nan")}, "min_score must lie between"),
        ({"date_from": "yesterday"}, "from must be a date like"),
        ({"date_to": "2024-13"}, "to must be a date like"),
        ({"date_to": "2024-03-11T08:00"}, "to must be a date like"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_one_sentence(
    sample: Corpus, settings: dict[str, object], sentence: str
) -> None:
    with pytest.raises(QueryError) as refused:
        sample.search(SearchRequest(**{"query": "桥", **settings}))  # type: ignore[arg-type]
    assert sentence in refused.value.english
    assert refused.value.chinese.endswith("。")


# A model that fails


def weights(model: Path) -> None:
    (model / "model.safetensors").unlink()


def tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()


def half_the_weights(model: Path) -> None:
    file = model / "model.safetensors"
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)


@pytest.mark.parametrize("lose", [weights, tokenizer, half_the_weights, shutil.rmtree])
def test_an_archive_that_lost_its_model_answers_by_words_and_says_so(
    tmp_path: Path, lose: Callable[[Path], object]
) -> None:
    model = Path(shutil.copytree(COMPACT, tmp_path / "model"))
    corpus = Corpus.open(tmp_path / "data", model=str(model), create=True)
    corpus.add([record_source({"id": "bridge", "text": "城南的老石桥昨天重新开放。"}, source="")])
    assert corpus.search(SearchRequest("老石桥")).degraded == ()
    corpus.close()

    lose(model)
    corpus = Corpus.open(tmp_path / "data")
    answer = corpus.search(SearchRequest("老石桥"))
    assert [hit.document.id for hit in answer.hits] == ["bridge"]
    assert answer.degraded == ("dense",)
    assert answer.hits[0].scores.dense is None
    assert corpus.search(SearchRequest("老石桥", "lexical")).degraded == ()
    corpus.close()
