"""Columns of passages: what is written small is read as it was, or as near as is promised."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.engine.columns import HALVES, Columns, DistinctTokens, Rounded, VectorRow, round_vectors, write_columns

# Around the ids that need more than two bytes.
IDS = st.lists(st.sampled_from([0, 1, 7, 65_534, 65_535, 65_536, 65_537, 91_999, 131_071]), max_size=12)


def row(number: int, ids: list[int], vector: bytes = b"") -> VectorRow:
    return VectorRow(number, number // 2, number.to_bytes(16, "little"), vector, np.array(ids, "<u4").tobytes())


@given(st.lists(IDS, max_size=8), st.data())
def test_tokens_come_back_each_once_in_any_order_of_rows(passages: list[list[int]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert write_columns(Path(folder), (row(place, ids) for place, ids in enumerate(passages))) == len(passages)
        for columns in (Columns.mapped(Path(folder), 0), Columns.of_rows(map(row, range(9), passages), 0)):
            asked = data.draw(st.lists(st.integers(0, len(passages) - 1), max_size=9)) if passages else []
            found = columns.tokens.take(np.array(asked, np.int64))
            assert [ids.tolist() for ids in found] == [sorted(set(passages[place])) for place in asked]
            assert all(ids.dtype == np.uint32 for ids in found)


def test_many_rows_are_written_as_few_are(tmp_path: Path) -> None:
    passages = [[place % 90_000, 3 * place % 90_000, 5] for place in range(10_000)]  # more than one stretch
    write_columns(tmp_path, (row(2 * place + 1, ids) for place, ids in enumerate(passages)))
    columns = Columns.mapped(tmp_path, 0)
    assert columns.numbers.tolist() == list(range(1, 20_000, 2))
    assert columns.documents[-1] == 9_999
    assert columns.keys[5_000] == 10_001
    last = columns.tokens.take(np.array([9_999, 4_096, 4_095]))
    assert [ids.tolist() for ids in last] == [sorted(set(passages[place])) for place in (9_999, 4_096, 4_095)]


def test_a_token_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 131,072 tokens"):
        DistinctTokens.of([row(1, [131_072])])


@pytest.mark.parametrize("dimension", [1, 16, 100, 384])
def test_rounded_vectors_are_near(dimension: int, tmp_path: Path) -> None:
    random = np.random.default_rng(dimension)
    matrix = 3 * random.normal(size=dimension) + random.normal(size=(5_000, dimension))
    matrix /= np.sqrt(dimension)
    matrix[17] = 0  # a passage of no known word
    matrix = matrix.astype(np.float16)
    write_columns(tmp_path, (row(place, [], vector.astype("<f2").tobytes()) for place, vector in enumerate(matrix)))
    np.testing.assert_array_equal(Columns.mapped(tmp_path, dimension).vectors.take(np.arange(5_000)), matrix)

    round_vectors(tmp_path, matrix)
    assert not (tmp_path / HALVES).exists()
    kept = Columns.mapped(tmp_path, dimension).vectors
    assert isinstance(kept, Rounded)
    some = np.array([4_999, 17, 0, 4_096])
    found = kept.take(some)
    assert found.dtype == np.float32
    differences = matrix[some] - matrix.mean(axis=0, dtype=np.float32)
    for start in range(0, dimension, 16):  # half a step, and what half precision makes of the scale
        step = np.abs(differences[:, start : start + 16]).max(axis=1, keepdims=True) / 127
        assert (np.abs(found - matrix[some])[:, start : start + 16] <= 0.57 * step + 1e-6).all()
    assert kept.take(some[:0]).shape == (0, dimension)


def test_rounded_vectors_take_little_more_than_half(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(1_000, 384)).astype(np.float16)
    write_columns(tmp_path, (row(place, [], vector.tobytes()) for place, vector in enumerate(matrix)))
    before = (tmp_path / HALVES).stat().st_size
    round_vectors(tmp_path, matrix)
    after = sum(file.stat().st_size for file in tmp_path.glob("*.[if]*"))
    assert after == before * 432 // 768 + 4 * 384  # the mean of all stands beside them


def test_vectors_that_were_rounded_as_they_are_are_read(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(100, 48)).astype(np.float16)
    write_columns(tmp_path, (row(place, [], vector.tobytes()) for place, vector in enumerate(matrix)))
    old = Rounded.of(matrix.astype(np.float32), np.zeros(48, np.float32))
    round_vectors(tmp_path, matrix)
    old.codes.tofile(tmp_path / "vectors.i8")
    old.scales.tofile(tmp_path / "scales.f16")
    (tmp_path / "mean.f32").unlink()  # formats 1 and 2 had none
    found = Columns.mapped(tmp_path, 48).vectors.take(np.arange(100))
    np.testing.assert_allclose(found, matrix.astype(np.float32), atol=0.02)
