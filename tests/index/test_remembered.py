"""Answers that are given again: the same ones, only while nothing changes, and within bounds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from index.corpus import Corpus
from index.document import Answer, SearchRequest
from index.remembered import RememberedAnswers, RememberedVectors

BRIDGE = "城南的老石桥昨天重新开放，两岸居民又可以步行过河。"
FERRY = "渡口的老船工说，石桥开放以后，坐船过河的人少了一半。"


def kept(answer: Answer) -> bool:
    return list(answer.stages) == ["cache"]


def untimed(answer: Answer) -> Answer:
    return replace(answer, took_ms=0.0, stages={})


def found(answer: Answer) -> set[str]:
    return {hit.document.id for hit in answer.hits}


# While nothing changes


@pytest.mark.parametrize("query", ["社区食堂的老人吃一顿饭多少钱", "“社区食堂” 老人", "how do night workers get home"])
def test_an_answer_is_given_again_as_it_was(sample: Corpus, query: str) -> None:
    request = SearchRequest(query, limit=7)
    first, again = sample.search(request), sample.search(request)
    assert kept(again)
    assert untimed(again) == untimed(first)
    assert 0 <= again.took_ms < first.took_ms or kept(first)
    assert again.stages["cache"] == again.took_ms


@pytest.mark.parametrize(
    "other",
    [
        {"limit": 3},
        {"offset": 2},
        {"mode": "dense"},
        {"mode": "lexical"},
        {"group": True},
        {"sort": "date"},
        {"sources": ("江岸日报",)},
        {"tags": ("食堂",)},
        {"bylines": ("林",)},
        {"date_from": "2024"},
        {"date_to": "2023"},
        {"min_score": 0.0},
        {"marks": False},
        {"without": frozenset({"interaction"})},
    ],
    ids=str,
)
def test_another_request_has_an_answer_of_its_own(sample: Corpus, other: dict[str, object]) -> None:
    plain = SearchRequest("社区食堂吃饭要多少钱")
    sample.search(plain)
    asked = replace(plain, **other)  # type: ignore[arg-type]
    assert not kept(sample.search(asked))
    assert kept(sample.search(asked))
    assert kept(sample.search(plain))


def test_what_a_caller_does_to_an_answer_does_not_change_the_next(sample: Corpus) -> None:
    request = SearchRequest("社区食堂 老人")
    first = sample.search(request)
    facets = dict(first.facets)
    first.facets.clear()
    sample.search(request).facets.clear()
    assert sample.search(request).facets == facets


# A write


def test_what_was_added_is_found_at_once(archive: Corpus, put: Callable[..., object]) -> None:
    put(bridge=BRIDGE)
    request = SearchRequest("石桥 过河")
    assert found(archive.search(request)) == {"bridge"}
    assert kept(archive.search(request))

    put(ferry=FERRY)
    answer = archive.search(request)
    assert not kept(answer)
    assert found(answer) == {"bridge", "ferry"}


def test_what_was_removed_or_replaced_is_gone_at_once(archive: Corpus, put: Callable[..., object]) -> None:
    put(bridge=BRIDGE, ferry=FERRY)
    request = SearchRequest("石桥 过河")
    archive.search(request)
    archive.remove(["ferry"])
    assert found(archive.search(request)) == {"bridge"}

    archive.search(request)
    put(bridge=BRIDGE.replace("昨天", "上个月"))
    assert "上个月" in archive.search(request).hits[0].text


def test_what_another_process_wrote_is_found_at_once(archive: Corpus, put: Callable[..., object]) -> None:
    put(bridge=BRIDGE)
    other = Corpus.open(archive.data, engine=archive.status().engine)
    try:
        request = SearchRequest("石桥 过河")
        assert found(other.search(request)) == {"bridge"}
        assert kept(other.search(request))
        put(ferry=FERRY)
        assert found(other.search(request)) == {"bridge", "ferry"}
    finally:
        other.close()


def test_an_answer_made_while_somebody_writes_is_not_kept(sample: Corpus) -> None:
    """It may hold a part of what was written, and belongs to neither state."""
    answers, view = RememberedAnswers(), sample._view()
    answer = sample.search(SearchRequest("微帮扶", limit=2))
    request = SearchRequest("微帮扶")

    def meanwhile() -> Answer:
        answers.answer(replace(request, query="别的"), view, 2, lambda: answer)  # somebody sees the next state
        return answer

    assert answers.answer(request, view, 1, meanwhile) is answer
    made = answers.answer(request, view, 1, lambda: replace(answer, total=99))
    assert made.total == 99


def test_an_answer_that_a_part_was_missing_of_is_tried_anew(sample: Corpus) -> None:
    answers, view = RememberedAnswers(), sample._view()
    answer = sample.search(SearchRequest("微帮扶", limit=2))
    request = SearchRequest("微帮扶")
    answers.answer(request, view, 1, lambda: replace(answer, degraded=("dense",)))
    assert answers.answer(request, view, 1, lambda: answer) is answer


# Bounds


def test_answers_take_no_more_memory_than_they_may(sample: Corpus) -> None:
    """Measured, because what an answer takes is estimated."""
    numbers = count()
    view = sample._view()
    size = 2 << 20

    def another() -> Answer:
        return sample.search(SearchRequest(f"社区食堂 {next(numbers)}", limit=20, min_score=0.0))

    another()  # what is loaded on first use
    sample._answers = RememberedAnswers(0)
    answers = RememberedAnswers(size)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(60):
            request = SearchRequest(f"社区食堂 {next(numbers)}", limit=20)
            answers.answer(request, view, 1, another)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.2 * size < after - before < 1.2 * size


def test_none_are_kept_where_none_are_wanted(tmp_path: Path, sample: Corpus) -> None:
    answers, view = RememberedAnswers(0), sample._view()
    answer = sample.search(SearchRequest("微帮扶", limit=2))
    request = SearchRequest("微帮扶")
    answers.answer(request, view, 1, lambda: answer)
    assert not kept(answers.answer(request, view, 1, lambda: answer))


# Vectors


def test_a_query_is_embedded_once_and_its_vector_is_the_models(sample: Corpus) -> None:
    encoder, vectors = sample.encoder(), RememberedVectors()
    calls: list[str] = []

    def encoder_of(fingerprint: str) -> object:
        calls.append(fingerprint)
        return encoder

    first = vectors.vector(encoder_of, encoder.fingerprint, "石桥")  # type: ignore[arg-type]
    again = vectors.vector(encoder_of, encoder.fingerprint, "石桥")  # type: ignore[arg-type]
    assert first is again
    assert (first == encoder.queries(["石桥"])[0]).all()
    assert len(calls) == 1
    vectors.vector(encoder_of, "another model", "石桥")  # type: ignore[arg-type]
    assert calls[1:] == ["another model"]
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0
