"""Normalising by stable pixels: lines are found whatever changed, and refused where none are."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.errors import GridMismatchError, MissingBandError, StablePixelsError

BANDS = ["blue", "green", "red", "nir08", "swir16", "swir22"]
HOW = {"size": (300, 250), "resolution": 90, "snow": False}


@pytest.fixture(scope="module")
def oli():
    return sl.simulate_scene("2017-10-22", **HOW)[0].sel(band=BANDS)


@pytest.fixture(scope="module")
def hazy(oli):
    """The same land through haze, with noise of its own, and its true lines back."""
    slope = xr.DataArray([0.80, 0.86, 0.90, 0.95, 0.97, 0.98], dims="band")
    offset = xr.DataArray([0.040, 0.025, 0.015, 0.008, 0.002, 0.001], dims="band")
    noise = np.random.default_rng(0).normal(0, 0.002, oli.shape)
    return (oli * slope + offset + noise).astype(np.float32).assign_attrs(oli.attrs)


def bias(scene, reference):
    return abs((scene - reference).mean(("y", "x"))).max()


def test_an_unchanged_landscape_is_left_with_a_bias_below_0_002(oli, hazy):
    assert bias(hazy, oli) > 0.015
    found = sl.normalization(hazy, oli)
    assert bias(found.apply(hazy), oli) < 0.002
    assert abs(found.table["bias_after"]).max() < 0.0005
    assert (found.table["rmse_after"] < found.table["rmse_before"]).all()
    assert (found.table["r"] > 0.99).all()


def test_what_changed_does_not_decide(oli, hazy):
    changed = hazy.copy(deep=True)
    changed[:, :120] = np.random.default_rng(1).uniform(0, 0.6, (6, 1, 1))  # two fifths, one colour
    changed[:, 120:160] += np.random.default_rng(2).normal(0, 0.1, (6, 40, 250)).astype(np.float32)
    found = sl.normalization(changed, oli)
    assert bias(found.apply(hazy), oli) < 0.002


def test_the_lake_that_shrank_does_not_decide():
    before = sl.simulate_scene("1988-10-22", platform="landsat-8", **HOW)[0]
    after = sl.simulate_scene("2017-10-22", **HOW)[0]
    found = sl.normalization(after, before)
    assert (found.table["slope"] - 1).abs().max() < 0.06
    assert found.table["intercept"].abs().max() < 0.006


def test_clouds_and_gaps_take_no_part(oli, hazy):
    holes = np.zeros(oli.shape[1:], bool)
    holes[50:120, 30:200] = True
    cloudy = hazy.where(~holes)
    found = sl.normalization(cloudy, oli)
    assert found.looked_at < sl.normalization(hazy, oli).looked_at
    assert bias(found.apply(hazy), oli) < 0.002
    assert found.apply(cloudy).isnull().equals(cloudy.isnull())


def test_a_difference_of_sensors_is_taken_out_where_the_land_is_stable():
    tm, _ = sl.simulate_scene("1988-10-22", **HOW)
    oli, _ = sl.simulate_scene("1988-10-22", platform="landsat-8", **HOW)
    table = sl.normalization(tm, oli).table
    assert abs(table["bias_before"]).max() > 0.005
    assert abs(table["bias_after"]).max() < 0.002


def test_chunks_change_nothing_and_lazy_stays_lazy(oli, hazy):
    whole = sl.normalization(hazy, oli)
    lazy = hazy.chunk({"band": 1, "y": 77, "x": 60})
    assert sl.normalization(lazy, oli.chunk({"y": 100})) == whole
    made = whole.apply(lazy)
    assert made.chunks is not None
    assert made.compute().identical(whole.apply(hazy))


def test_bands_that_only_one_date_has_are_left_out(oli):
    full, _ = sl.simulate_scene("2017-10-22", **HOW)
    assert "coastal" in full.band.values
    made = sl.normalize(full, oli)
    assert list(made.band.values) == BANDS
    assert made.attrs["normalized_to"] == "landsat-8 2017-10-22"


def test_the_same_scene_stays_the_same(oli):
    found = sl.normalization(oli, oli)
    assert abs(found.table["slope"] - 1).max() < 1e-9
    assert abs(found.apply(oli) - oli).max() < 1e-6


def test_land_that_has_nothing_in_common_is_refused(oli):
    other = oli.copy(data=oli.values[:, ::-1, ::-1])
    with pytest.raises(StablePixelsError):
        sl.normalization(other, oli)
    noise = np.random.default_rng(0).normal(0.2, 0.05, oli.shape)
    with pytest.raises(StablePixelsError):
        sl.normalization(oli.copy(data=noise.astype(np.float32)), oli)


def test_too_little_observed_is_refused(oli):
    few = oli.where((oli.x < oli.x[9]) & (oli.y > oli.y[9]))
    with pytest.raises(StablePixelsError, match="observed on both dates"):
        sl.normalization(few, oli)


def test_two_grids_are_refused_with_the_remedy(oli):
    with pytest.raises(GridMismatchError, match="regrid"):
        sl.normalization(oli.assign_coords(x=oli.x + 40), oli)


def test_no_common_band_is_refused(oli):
    with pytest.raises(MissingBandError, match="in common"):
        sl.normalization(oli.sel(band=["red"]), oli.sel(band=["blue"]))
    found = sl.normalization(oli, oli)
    with pytest.raises(MissingBandError, match="has a line"):
        found.apply(oli.sel(band=["red"]).assign_coords(band=["pan"]))
