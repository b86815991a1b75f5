"""What a screen shows is what the data say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from strandline.show.display import (
    Stretch,
    data_extent,
    fit_stretch,
    image_extent,
    reduce_classes,
    reduce_scenes,
    reduce_values,
)


def layer(values) -> xr.DataArray:
    return xr.DataArray(np.asarray(values), dims=("y", "x"))


def scene(*bands, names=("red", "green", "blue")) -> xr.DataArray:
    return xr.DataArray(np.stack(bands), dims=("band", "y", "x"), coords={"band": list(names)})


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 23), st.integers(1, 23))),
    st.integers(1, 30),
)
def test_reducing_classes_never_invents_one(values, size):
    reduced = reduce_classes(layer(values), size)
    assert set(np.unique(reduced)) <= set(np.unique(values))
    assert max(reduced.shape) <= max(size, 1)


def test_a_block_shows_its_commonest_class():
    values = np.array([[1, 1, 2, 0], [1, 3, 0, 0], [255, 255, 7, 7], [255, 2, 7, 9]], np.uint8)
    assert reduce_classes(layer(values), 2).tolist() == [[1, 0], [255, 7]]


@pytest.mark.parametrize("chunks", [None, 2, 5])
def test_values_are_averaged_over_what_was_observed(chunks):
    values = np.array([[1, 3, np.nan], [np.nan, 5, np.nan], [4, 6, 8]], np.float32)
    data = layer(values) if chunks is None else layer(values).chunk(chunks)
    expected = [[3.0, np.nan], [5.0, 8.0]]
    np.testing.assert_array_equal(reduce_values(data, 2), expected)


def test_small_data_stay_as_they_are():
    values = np.random.default_rng(0).random((7, 5), dtype=np.float32)
    np.testing.assert_array_equal(reduce_values(layer(values), 7), values)


def test_the_reduced_image_reaches_beyond_the_data_by_the_padding():
    data = layer(np.zeros((5, 7), np.uint8)).assign_coords(
        y=4000.0 - 30 * np.arange(5), x=100.0 + 30 * np.arange(7)
    )
    assert data_extent(data).as_tuple() == (85, 295, 3865, 4015)
    assert image_extent(data, 4).as_tuple() == (85, 325, 3835, 4015)


def test_one_stretch_serves_all_scenes_of_a_comparison():
    dark, bright = np.full((10, 10), 0.1), np.full((10, 10), 0.4)
    both = fit_stretch([scene(dark, dark, dark), scene(bright, bright, bright)], ["red"])
    assert both.low == pytest.approx((0.1,))
    assert both.high == pytest.approx((0.4,))


def test_grey_ground_stays_grey():
    grey = np.linspace(0.02, 0.4, 400).reshape(20, 20)
    stretch = fit_stretch([scene(grey, grey, grey)], ["red", "green", "blue"])
    red, green, blue = stretch.apply(np.stack([grey] * 3))
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)


def test_haze_is_taken_off_the_blue_band_but_blue_water_stays_blue():
    ground = np.linspace(0.03, 0.3, 400).reshape(20, 20)
    bands = ["red", "green", "blue"]
    hazy = fit_stretch([scene(ground, ground, ground + 0.2)], bands)
    assert hazy.low[2] - hazy.low[0] == pytest.approx(0.2 - 0.2 * 0.27, abs=0.01)
    clear = fit_stretch([scene(ground, ground, ground + 0.03)], bands)
    assert clear.low[2] == clear.low[0]


def test_a_few_clouds_do_not_darken_the_ground():
    ground = np.linspace(0.0, 0.2, 10_000).reshape(100, 100)
    cloudy = ground.copy()
    cloudy[:4] = 0.9  # 4 % of the scene
    stretch = fit_stretch([scene(cloudy, cloudy, cloudy)], ["red"])
    assert stretch.high[0] < 0.45


def test_nothing_observed_gives_a_stretch_all_the_same():
    nothing = np.full((3, 3), np.nan)
    assert fit_stretch([scene(nothing, nothing, nothing)], ["red"]) == Stretch((0.0,), (1.0,))


def test_infinities_and_constants_do_no_harm():
    values = np.full((4, 4), 0.2)
    values[0, 0] = np.inf
    stretch = fit_stretch([scene(values, values, values)], ["red"])
    assert np.isfinite(stretch.apply(values[None])).all()


def dated_scenes() -> xr.DataArray:
    """Two dates, three bands, with a hole and a speckle that were not observed."""
    values = np.random.default_rng(0).random((2, 3, 103, 157)).astype(np.float32)
    values[:, :, :40, 30:90] = np.nan
    values[0, 1, 50, 60] = np.nan
    coords = {"band": ["red", "green", "blue"], "y": np.arange(103) * -30.0}
    coords["x"] = 15 + np.arange(157) * 30.0
    return xr.DataArray(values, dims=("time", "band", "y", "x"), coords=coords)


@pytest.mark.parametrize("chunks", [{"y": 17, "x": 30}, {"time": 2, "y": 7}, {"band": 2, "x": 1}])
def test_scenes_are_thinned_out_the_same_however_they_are_chunked(chunks):
    scenes = dated_scenes()
    reduced = reduce_scenes(scenes, 20)
    assert reduce_scenes(scenes.chunk(chunks), 20).identical(reduced)


def test_thinned_out_scenes_are_the_means_of_blocks_in_their_place():
    scenes = dated_scenes()
    reduced = reduce_scenes(scenes, 40)  # blocks of 4 × 4 pixels
    assert reduced.shape == (2, 3, 26, 40)
    np.testing.assert_allclose(
        reduced[1, 2, 12, 30], scenes[1, 2, 48:52, 120:124].mean(), rtol=0, atol=1e-6
    )
    assert np.isnan(reduced[0, 0, 2, 10])
    np.testing.assert_allclose(  # three of the four last rows lie beyond the scene
        reduced[0, 1, 25, 0], scenes[0, 1, 100:, :4].mean(), rtol=0, atol=1e-6
    )
    assert float(reduced.x[1]) == scenes.x[4:8].mean()
    assert reduced.attrs["pixel_size"] == 30
    assert image_extent(reduced) == image_extent(scenes, 40)


def test_small_scenes_are_shown_as_they_are():
    scenes = dated_scenes()
    assert reduce_scenes(scenes.chunk(50), 200).identical(scenes)
