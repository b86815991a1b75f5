from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import ConfigurationError, InvalidDataError
from strandline.spectral import draw_sample
from strandline.spectral.sampling import draw_indexed_sample, mixed_bits


def table(n: int = 1000) -> np.ndarray:
    X = np.random.default_rng(1).normal(size=(n, 4)).astype(np.float32)
    X[::7, 2] = np.nan
    return X


def test_scramble_gives_the_published_values_of_splitmix64():
    # First outputs of the reference generator for seed 0.
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(v) for v in mixed_bits(np.arange(3, dtype=np.uint64), 0)] == expected


@given(
    rows=st.lists(st.integers(1, 400), min_size=1, max_size=6),
    columns=st.sampled_from([(4,), (1, 3), (2, 2), (1, 1, 1, 1)]),
    size=st.integers(1, 1200),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=20, deadline=None)
def test_sample_does_not_depend_on_chunks(rows, columns, size, seed):
    X = table(sum(rows))
    lazy = da.from_array(X, chunks=(tuple(rows), columns))
    drawn = draw_indexed_sample(lazy, size, seed)
    expected = draw_indexed_sample(X, size, seed)
    np.testing.assert_array_equal(drawn.numbers, expected.numbers)
    np.testing.assert_array_equal(drawn.rows, expected.rows)


def test_sample_holds_rows_without_nan_in_their_order():
    X = table()
    drawn = draw_indexed_sample(X, 100, seed=3)
    assert len(drawn.rows) == 100
    assert (np.diff(drawn.numbers) > 0).all()
    np.testing.assert_array_equal(drawn.rows, X[drawn.numbers])
    assert np.isfinite(drawn.rows).all()
    assert drawn.rows.dtype == np.float32


def test_every_observed_row_comes_when_there_are_no_more_than_asked_for():
    X = table()
    np.testing.assert_array_equal(draw_sample(X, 1000), X[np.isfinite(X).all(axis=1)])


def test_seeds_draw_different_rows_and_each_row_equally_often():
    X = np.arange(200.0)[:, None]
    times = np.zeros(200)
    for seed in range(400):
        times[draw_indexed_sample(X, 50, seed).numbers] += 1
    assert abs(times.mean() - 100) < 1e-9
    assert times.min() > 60  # 100 ± 8.7 expected
    assert times.max() < 140


def test_long_inputs_are_pruned_on_the_way_without_changing_the_result():
    X = np.arange(300_000, dtype=np.float32)[:, None]
    priority = mixed_bits(np.arange(300_000, dtype=np.uint64), 5)
    np.testing.assert_array_equal(
        draw_indexed_sample(X, 1000, 5).numbers, np.sort(np.argsort(priority)[:1000])
    )


def test_xarray_objects_are_taken_by_their_array():
    X = table()
    np.testing.assert_array_equal(
        draw_sample(xr.DataArray(X, dims=("sample", "band")), 30), draw_sample(X, 30)
    )


def test_infinity_is_refused_even_in_a_row_that_also_has_nan():
    X = table()
    X[0] = [np.nan, np.inf, 0, 0]
    for array in (X, da.from_array(X, chunks=300)):
        with pytest.raises(InvalidDataError, match="infinity"):
            draw_sample(array, 10)


def test_unknown_chunk_lengths_come_with_a_remedy():
    X = da.from_array(table(), chunks=300)
    with pytest.raises(InvalidDataError, match="compute_chunk_sizes"):
        draw_sample(X[~da.isnan(X[:, 2])], 10)


def test_bad_shape_and_size_are_refused():
    with pytest.raises(InvalidDataError, match=r"shape \(3,\)"):
        draw_sample(np.zeros(3), 1)
    with pytest.raises(ConfigurationError, match="size >= 1"):
        draw_sample(np.zeros((3, 1)), 0)
