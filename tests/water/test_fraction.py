"""The share of water in a pixel: on shores, elsewhere, in chunks, and against the truth."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.errors import WaterError
from strandline.testing.lakes import lake_fraction, lake_grid, round_lake
from strandline.water import find_water, water_fraction, water_mask
from strandline.water.shore import share_at_shore


@pytest.fixture(scope="module")
def lake() -> xr.Dataset:
    return sl.segment(round_lake(radius=600), n_clusters=4)


def test_the_area_of_a_round_lake_is_that_of_the_circle(lake):
    fraction = water_fraction(lake)
    truth = lake_fraction(lake_grid(), radius=600)
    assert fraction.sum() == pytest.approx(truth.sum(), rel=0.005)
    mixed = (truth > 0) & (truth < 1)
    assert np.sqrt(np.mean((fraction.values - truth)[mixed] ** 2)) < 0.08


def test_away_from_the_shore_it_is_the_class(lake):
    fraction = water_fraction(lake).values
    assert (fraction[lake_fraction(lake_grid(), radius=480) == 1.0] == 1.0).all()
    far = lake_fraction(lake_grid(), radius=720) == 0.0
    assert (fraction[far] == 0.0).all()


def test_it_is_a_map_with_place_and_units(lake):
    fraction = water_fraction(lake)
    assert fraction.dtype == np.float32
    assert fraction.dims == lake["labels"].dims
    assert fraction.odc.geobox == lake["labels"].odc.geobox
    assert fraction.attrs["units"] == "1"
    assert fraction.attrs["verdict"] == "water"


def test_what_was_not_observed_has_no_fraction():
    scene = round_lake(radius=600).copy()
    scene[:, 10:30, 20:50] = np.nan
    segmentation = sl.segment(scene, n_clusters=3)
    hidden = np.isnan(scene.values).any(axis=0)
    np.testing.assert_array_equal(np.isnan(water_fraction(segmentation)), hidden)
    np.testing.assert_array_equal(water_mask(segmentation) == 255, hidden)


@pytest.mark.parametrize("chunks", [{"y": 7, "x": 80}, {"y": 33, "x": 3}, {"y": 60, "x": 80}])
def test_chunks_do_not_change_a_byte(lake, chunks):
    lazy = sl.segment(round_lake(radius=600, chunks=chunks), n_clusters=4)
    fraction = water_fraction(lazy)
    assert fraction.chunks is not None
    np.testing.assert_array_equal(fraction.values, water_fraction(lake).values)
    np.testing.assert_array_equal(water_mask(lazy).values, water_mask(lake).values)
    for column, values in find_water(lake).items():
        np.testing.assert_array_equal(find_water(lazy)[column], values)


def test_dates_are_unmixed_each_for_itself(lake):
    dates = [round_lake(radius=600), round_lake(radius=450, time="2017-10-22")]
    together = sl.segment(dates, n_clusters=4)
    fraction = water_fraction(together)
    assert fraction.dims == ("time", "y", "x")
    for date, radius in zip(fraction, (600, 450), strict=True):
        assert date.sum() == pytest.approx(lake_fraction(lake_grid(), radius).sum(), rel=0.01)


def test_coarse_pixels_do_not_make_a_lake_smaller():
    # A bright shore hides water: MNDWI of a mixture is above zero from 85 % water on.
    grid = lake_grid((24, 32), resolution=300)
    truth = lake_fraction(grid, radius=1500)
    scene = round_lake(grid=grid, radius=1500)
    segmentation = sl.segment(scene, n_clusters=4)
    evidence = find_water(segmentation)
    classes = evidence["water"].to_numpy()[segmentation["subclusters"].values]
    mask = water_mask(segmentation, evidence).values == 1
    assert classes.sum() / truth.sum() < 0.95
    assert mask.sum() / truth.sum() == pytest.approx(1.0, abs=0.02)
    assert float(water_fraction(segmentation, evidence).sum()) == pytest.approx(
        truth.sum(), rel=0.02
    )


def test_the_mask_says_water_where_most_of_the_pixel_is(lake):
    fraction, mask = water_fraction(lake).values, water_mask(lake).values
    np.testing.assert_array_equal(mask, np.where(np.isnan(fraction), 255, fraction > 0.5))


def test_clusters_named_by_the_user_are_not_unmixed_on_the_mask(lake):
    evidence = find_water(lake, labels=[0, 1])
    assert evidence.attrs["shores"] == "classes"
    np.testing.assert_array_equal(water_mask(lake, evidence) == 1, lake["labels"].isin([0, 1]))


def test_a_dry_scene_has_a_fraction_of_zero():
    fraction = water_fraction(sl.segment(round_lake(radius=1.0), n_clusters=3))
    assert fraction.attrs["verdict"] == "no water"
    assert (fraction.values == 0.0).all()


def test_a_decision_without_spectra_is_refused(lake):
    evidence = find_water(lake)
    evidence.attrs = {}
    with pytest.raises(WaterError, match="holds no spectra"):
        water_fraction(lake, evidence)


def test_the_share_at_the_shore_counts_every_pixel_once_whatever_the_chunks():
    import dask.array as da

    rng = np.random.default_rng(0)
    map_ = rng.integers(0, 5, (2, 40, 50)).astype(np.uint8)
    map_[rng.random(map_.shape) < 0.9] = 3
    classes = np.full(256, 255, np.uint8)
    classes[:5] = [1, 0, 0, 0, 255]
    whole = share_at_shore(map_, classes)
    assert 0.2 < whole[3] < 0.9
    assert np.isnan(whole[[0, 4]]).all()
    np.testing.assert_array_equal(
        share_at_shore(da.from_array(map_, chunks=(1, 7, 13)), classes), whole
    )
