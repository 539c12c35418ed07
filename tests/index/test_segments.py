"""The vector and word indexes by themselves, on vectors and words made here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from index.engine import Filter, Found
from index.engine import vectors as vectors_module
from index.engine.columns import VectorRow
from index.engine.vectors import Segment, merge, write_segment
from index.engine.words import WordIndex, WordRow, day, write_words

DIMENSION = 96
MANY = 25_000  # more than are compared one by one

# Of the news archive's own vectors 99.4 % are found (index/README.md); these lie about their centres at nearly one
# distance, and rounding exchanges some of them.
LEAST = 0.96

Matrix = npt.NDArray[np.float32]


def clustered(count: int, seed: int) -> Matrix:
    """Unit vectors around the same few hundred centres, as those of a real archive are, in half precision."""
    centres = np.random.default_rng(0).normal(size=(300, DIMENSION))
    random = np.random.default_rng(seed)
    matrix = centres[random.integers(300, size=count)] + 0.5 * random.normal(size=(count, DIMENSION))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix.astype(np.float16).astype(np.float32)


def crowded(count: int, seed: int) -> Matrix:
    """Unit vectors that all point nearly one way, as a transformer's often do; they lie about no centres."""
    common = np.random.default_rng(0).normal(size=DIMENSION)
    own = np.random.default_rng(seed).normal(size=(count, DIMENSION))
    matrix = 2.5 * common + own
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix.astype(np.float16).astype(np.float32)


def rows(matrix: Matrix) -> Iterator[VectorRow]:
    """Passage numbers are odd, so that a number is never a row."""
    for place, vector in enumerate(matrix):
        tokens = np.arange(place % 5, dtype="<u4")
        key = place.to_bytes(16, "little")
        yield VectorRow(2 * place + 1, place // 3, key, vector.astype("<f2").tobytes(), tokens.tobytes())


def written(folder: Path, matrix: Matrix, alive: npt.NDArray[np.bool_] | None = None) -> Segment:
    folder.mkdir()
    assert write_segment(folder, rows(matrix), DIMENSION) == len(matrix)
    return Segment.open(folder, DIMENSION, alive)


def recall(
    segment: Segment,
    matrix: Matrix,
    keep: npt.NDArray[np.bool_],
    allowed: npt.NDArray[np.int64] | None,
    made: Callable[[int, int], Matrix] = clustered,
) -> float:
    """Share of the ten nearest by brute force that the segment finds, over fifty queries."""
    assert np.array_equal(matrix, matrix.astype(np.float16))
    found = 0
    for query in made(50, 9):
        cosines = np.where(keep, matrix @ query, -2)
        truth = set((2 * np.argsort(-cosines)[:10] + 1).tolist())
        answer = segment.search(query, 10, allowed)
        assert len(answer.numbers) == 10
        near = 1e-5 if segment.kind == "exact" else 2e-3  # what rounding costs
        np.testing.assert_allclose(answer.scores, cosines[(answer.numbers - 1) // 2], atol=near)
        assert np.all(np.diff(answer.scores) <= 0)
        found += len(truth & set(answer.numbers.tolist()))
    return found / 500


@pytest.fixture(scope="module")
def many() -> Matrix:
    return clustered(MANY, seed=1)


@pytest.fixture(scope="module")
def large(many: Matrix, tmp_path_factory: pytest.TempPathFactory) -> Segment:
    return written(tmp_path_factory.mktemp("large") / "segment", many)


# Meaning


def test_a_small_segment_is_exact(tmp_path: Path) -> None:
    matrix = clustered(3_000, seed=2)
    segment = written(tmp_path / "small", matrix)
    assert segment.kind == "exact"
    assert recall(segment, matrix, np.ones(3_000, np.bool_), None) == 1


def test_a_small_segment_is_exact_with_masks_and_filters(tmp_path: Path) -> None:
    matrix = clustered(3_000, seed=2)
    alive = np.arange(3_000) % 7 != 0
    segment = written(tmp_path / "small", matrix, alive)
    assert recall(segment, matrix, alive, None) == 1
    allowed = np.arange(1, 3_000, 2)  # the numbers of the first half
    assert recall(segment, matrix, alive & (np.arange(3_000) < 1_500), allowed) == 1


def test_a_large_segment_finds_nearly_all_that_brute_force_finds(large: Segment, many: Matrix) -> None:
    assert large.kind == "IVF128 with re-scoring"
    assert "of more than 20,000 vectors only those in the nearest 80% of 128 lists" in large.reason[0]
    assert "向量多于 20,000 个" in large.reason[1]
    assert recall(large, many, np.ones(MANY, np.bool_), None) >= LEAST


def test_a_large_segment_of_crowded_vectors_finds_as_many(tmp_path: Path) -> None:
    """With codes as coarse as other vectors have it would be 0.73."""
    matrix = crowded(MANY, seed=1)
    segment = written(tmp_path / "crowded", matrix)
    assert segment.kind == "IVF128 with re-scoring"
    assert recall(segment, matrix, np.ones(MANY, np.bool_), None, crowded) >= LEAST


def test_a_large_segment_under_a_wide_filter(large: Segment, many: Matrix) -> None:
    keep = np.arange(MANY) % 10 != 0
    assert recall(large, many, keep, 2 * np.flatnonzero(keep) + 1) >= LEAST


def test_a_large_segment_under_a_narrow_filter(large: Segment, many: Matrix) -> None:
    keep = np.arange(MANY) % 100 == 0
    assert recall(large, many, keep, 2 * np.flatnonzero(keep) + 1) >= LEAST


def test_the_same_rows_give_the_same_index(many: Matrix, large: Segment, tmp_path: Path) -> None:
    again = written(tmp_path / "again", many)
    query = many[17]
    assert again.search(query, 100, None).numbers.tolist() == large.search(query, 100, None).numbers.tolist()


def test_what_stands_beside_the_vectors(tmp_path: Path) -> None:
    matrix = clustered(20, seed=3)
    segment = written(tmp_path / "small", matrix)
    places, present = segment.places(np.array([0, 1, 2, 21, 39, 41]))
    assert present.tolist() == [False, True, False, True, True, False]
    assert places[present].tolist() == [0, 10, 19]
    assert segment.documents[places[present]].tolist() == [0, 3, 6]
    assert segment.keys[places[present]].tolist() == [0, 10, 19]
    assert [len(tokens) for tokens in segment.tokens(places[present])] == [0, 0, 4]
    np.testing.assert_array_equal(segment.vectors(places[present]), matrix[[0, 10, 19]])


def test_an_empty_segment_finds_nothing(tmp_path: Path) -> None:
    segment = written(tmp_path / "empty", np.empty((0, DIMENSION), np.float32))
    query = clustered(1, seed=4)[0]
    assert len(segment.search(query, 10, None).numbers) == 0
    assert len(segment.search(query, 10, np.array([1, 3])).numbers) == 0
    assert not segment.places(np.array([1, 3]))[1].any()


def test_nothing_allowed_and_nothing_alive_find_nothing(tmp_path: Path) -> None:
    matrix = clustered(20, seed=3)
    segment = written(tmp_path / "small", matrix, np.zeros(20, np.bool_))
    assert len(segment.search(matrix[0], 10, None).numbers) == 0
    other = Segment.open(tmp_path / "small", DIMENSION, None)
    assert len(other.search(matrix[0], 10, np.empty(0, np.int64)).numbers) == 0
    assert len(other.search(matrix[0], 0, None).numbers) == 0
    assert len(other.search(matrix[0], 1_000, None).numbers) == 20


def test_two_lists_become_one() -> None:
    one = Found(np.array([1, 5]), np.array([0.9, 0.2], np.float32))
    other = Found(np.array([8, 3]), np.array([0.5, 0.1], np.float32))
    assert merge([one, other], 3).numbers.tolist() == [1, 8, 5]
    assert merge([one, Found.nothing()], 9).numbers.tolist() == [1, 5]


def test_the_limit_between_exact_and_approximate_is_where_the_tests_think() -> None:
    assert 3_000 < vectors_module.EXACT_UP_TO < MANY


# Words

WORDS = [
    WordRow(1, "城南的老石桥重新开放", "晚报", ("桥",), "2021-05-06"),
    WordRow(2, "渔港今起休渔，老渔民补网", "日报", ("港", "桥"), "2021-06"),
    WordRow(3, "F-35 on the bridge, C++", "日报", (), ""),
    WordRow(4, "老石桥，老石桥，老石桥", "公报", (), "2022-01-01T08:00"),
]


@pytest.fixture
def words(tmp_path: Path) -> WordIndex:
    (tmp_path / "words").mkdir()
    write_words(tmp_path / "words", None, (), WORDS)
    return WordIndex(tmp_path / "words")


def numbers(index: WordIndex, *terms: str, required: tuple[str, ...] = (), only: Filter | None = None) -> list[int]:
    weights = dict.fromkeys(terms, 1.0)
    return sorted(index.search(weights, required, 10, only or Filter()).numbers.tolist())


def test_words_are_found_and_ranked(words: WordIndex) -> None:
    assert numbers(words, "石桥") == [1, 4]
    found = words.search({"石桥": 1.0}, (), 10, Filter())
    assert found.numbers[0] == 4
    assert found.scores[0] > found.scores[1] > 0
    assert words.search({"石桥": 2.0}, (), 1, Filter()).scores[0] == pytest.approx(2 * found.scores[0])
    assert numbers(words, "f-35") == numbers(words, "35") == numbers(words, "c++") == [3]
    assert numbers(words, "石桥", "休渔") == [1, 2, 4]
    assert numbers(words, "nowhere") == numbers(words) == []


def test_every_required_word_must_occur(words: WordIndex) -> None:
    assert numbers(words, "石桥", required=("重新",)) == [1]
    assert numbers(words, required=("石桥", "重新")) == [1]
    assert numbers(words, "石桥", required=("nowhere",)) == []


def test_frequencies_are_counted(words: WordIndex) -> None:
    assert words.frequencies(["石桥", "老", "nowhere"]) == [2, 3, 0]
    assert len(words) == 4


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Filter(sources=("日报",)), [2]),
        (Filter(sources=("日报", "公报")), [2, 4]),
        (Filter(tags=("桥",)), [1, 2]),
        (Filter(date_from="2021-06"), [2, 4]),
        (Filter(date_to="2021-05"), [1]),
        (Filter(date_to="2021"), [1, 2]),
        (Filter(date_from="2022-01-01", date_to="2022-01-01"), [4]),
    ],
)
def test_conditions_keep_only_what_meets_them_and_cost_no_score(
    words: WordIndex, only: Filter, expected: list[int]
) -> None:
    assert numbers(words, "老", only=only) == expected
    free = words.search({"老": 1.0}, (), 10, Filter())
    score = dict(zip(free.numbers.tolist(), free.scores.tolist(), strict=True))
    bound = words.search({"老": 1.0}, (), 10, only)
    for number, value in zip(bound.numbers.tolist(), bound.scores.tolist(), strict=True):
        assert value == pytest.approx(score[number])


def test_the_next_index_takes_over_the_last(words: WordIndex, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    write_words(tmp_path / "next", tmp_path / "words", [4], [WordRow(9, "新石桥", "", (), "")])
    assert numbers(WordIndex(tmp_path / "next"), "石桥") == [1, 9]
    assert numbers(words, "石桥") == numbers(WordIndex(tmp_path / "words"), "石桥") == [1, 4]


@pytest.mark.parametrize(
    ("date", "number"),
    [("2021-06-01", 20210601), ("2021-06-01T08:00", 20210601), ("2021-06", 20210600), ("2021", 20210000), ("", 0)],
)
def test_a_date_as_a_number_sorts_as_the_date(date: str, number: int) -> None:
    assert day(date) == number
