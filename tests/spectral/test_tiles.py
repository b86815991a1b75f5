from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from strandline.errors import ConfigurationError
from strandline.spectral import tiles
from strandline.spectral.tiles import (
    TILE_ROWS,
    in_tiles,
    looking_up,
    map_rows,
    map_tiles,
    one_blas_thread,
    product,
    thread_count,
    whole_lanes,
)


def blas_threads() -> set[int]:
    """Threads of the BLAS libraries of NumPy and SciPy (others may come with GDAL)."""
    return {
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas" and "scipy_openblas" in library["filepath"]
    }


def test_tiles_cover_every_row_once_and_come_in_order():
    slices = list(map_tiles(lambda part: part, 3 * TILE_ROWS + 5, n_jobs=2))
    assert [s.start for s in slices] == [0, TILE_ROWS, 2 * TILE_ROWS, 3 * TILE_ROWS]
    assert slices[-1].stop == 3 * TILE_ROWS + 5


def test_blas_limit_is_given_back_when_threads_overlap():
    before = blas_threads()

    def work(_: int) -> set[int]:
        with one_blas_thread():
            return blas_threads()

    with ThreadPoolExecutor(4) as pool:
        inside = list(pool.map(work, range(40)))
    assert all(threads == {1} for threads in inside)
    assert blas_threads() == before


def test_rows_with_nan_keep_what_the_result_holds_for_them():
    rows = np.arange(10.0).reshape(5, 2)
    rows[2, 1] = np.nan
    out = map_rows(lambda tile: tile.sum(axis=1), rows, np.full(5, -9.0))
    assert out.tolist() == [1.0, 5.0, -9.0, 13.0, 17.0]


@pytest.mark.parametrize("count", [1, TILE_ROWS, TILE_ROWS + 3])
def test_every_tile_has_the_same_shape(count):
    shapes = []

    def first_column(tile):
        shapes.append(tile.shape)
        return tile[:, 0]

    rows = np.arange(2.0 * count).reshape(count, 2)
    np.testing.assert_array_equal(in_tiles(first_column, rows), rows[:, 0])
    assert set(shapes) == {(TILE_ROWS, 2)}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_rows_are_mapped_in_their_places_by_any_number_of_threads(n_jobs):
    rows = np.arange(200_000.0).reshape(-1, 2)
    rows[::7] = np.nan
    out = map_rows(lambda part: part[:, 1], rows, np.full(len(rows), -1.0), n_jobs)
    np.testing.assert_array_equal(out, np.where(np.isnan(rows[:, 1]), -1.0, rows[:, 1]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 3, 16, 250, 333, 1000, 1301])
def test_the_bits_of_a_row_do_not_depend_on_its_place_in_the_tile(dtype, columns):
    # With a plain product, half the rows of float32 differ on AVX2 from 8 features on, and
    # without whole lanes, 333 columns of float64 give different last bits on AVX-512.
    rng = np.random.default_rng(0)
    for features in (1, 6, 7, 36, 100):
        row = rng.normal(size=features).astype(dtype)
        matrix = whole_lanes(rng.normal(size=(features, columns)).astype(dtype))
        with one_blas_thread():
            rows = np.tile(row, (TILE_ROWS, 1))
            result = np.exp(product(rows, matrix, np.empty((TILE_ROWS, matrix.shape[1]), dtype)))
        assert (result == result[0]).all()


@pytest.mark.parametrize("alike", [True, False])
def test_products_are_as_exact_where_rows_would_be_rounded_differently(alike, monkeypatch):
    monkeypatch.setattr(tiles, "_rounds_rows_alike", lambda: alike)
    rng = np.random.default_rng(0)
    left = rng.normal(size=(TILE_ROWS, 100)).astype(np.float32)
    right = whole_lanes(rng.normal(size=(100, 20)).astype(np.float32))
    out = np.empty((TILE_ROWS, 32), np.float32)
    assert product(left, right, out) is out
    np.testing.assert_allclose(out, left.astype(float) @ right.astype(float), atol=2e-5)


def test_jobs_follow_scikit_learns_convention():
    assert thread_count(3) == 3
    assert thread_count(None) == thread_count(-1) >= 1
    with pytest.raises(ConfigurationError, match="n_jobs"):
        thread_count(0)


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_work_that_is_given_up_while_looking_up_ends_at_once(n_jobs):
    begun = []

    def look():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), looking_up(look):
        list(map_tiles(begun.append, 400 * TILE_ROWS, n_jobs))
    assert len(begun) < 200
    assert len(list(map_tiles(begun.append, 400 * TILE_ROWS, n_jobs))) == 400, "nobody looks now"
