"""The contract check finds what it is there to find."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from strandline.prepare.georeference import grid_of
from strandline.prepare.stack import stack_scenes
from strandline.testing.checks import check_map
from strandline.testing.lakes import lake_area_km2, lake_fraction, lake_grid, mask_of, round_lake

MASK = mask_of(np.array([[0, 1], [255, 1]]), lake_grid((2, 2)))
SCENE = round_lake(shape=(4, 5))


def with_attrs(array: xr.DataArray, **attrs) -> xr.DataArray:
    return array.assign_attrs(**attrs)


def test_what_keeps_the_contract_passes():
    check_map(SCENE, "scene", grid=lake_grid((4, 5)), lazy=False)
    check_map(SCENE.chunk(), "scene", lazy=True)
    check_map(MASK, "mask", grid=MASK)
    check_map(mask_of(np.zeros((3, 2, 2)), lake_grid((2, 2))), "mask")
    later = round_lake(shape=(4, 5), time="2017-10-22")
    check_map(stack_scenes([SCENE, later]), "dates")
    check_map(round_lake(grid=lake_grid((4, 5), 0.001, "EPSG:4326", (10.0, 50.0))), "scene")


BROKEN = {
    "a plain array": (SCENE.values, "scene", "expected a DataArray, got ndarray"),
    "other dimensions": (SCENE.transpose("y", "x", "band"), "scene", "expected dimensions"),
    "another type": (SCENE.astype(float), "scene", "expected float32, got float64"),
    "no CRS": (
        SCENE.drop_vars("spatial_ref").drop_attrs(deep=True),
        "scene",
        "no grid: Scene has no CRS",
    ),
    "the CRS elsewhere": (
        SCENE.rename(spatial_ref="crs"),
        "scene",
        "expected the CRS in coordinate spatial_ref, got crs",
    ),
    "numbers for bands": (
        SCENE.assign_coords(band=np.arange(6)),
        "scene",
        "expected names of bands, got int64",
    ),
    "a band twice": (SCENE.assign_coords(band=list("aabcde")), "scene", "same name"),
    "no bands": (SCENE.drop_vars("band"), "scene", "no coordinate along band"),
    "no time": (SCENE.drop_vars("time"), "scene", "no coordinate time"),
    "time as text": (SCENE.assign_coords(time="1988"), "scene", "expected datetime64"),
    "no units": (with_attrs(SCENE, units="percent"), "scene", "expected units '1'"),
    "no platform": (with_attrs(SCENE, platform=5), "scene", "attribute platform is missing"),
    "an object as attribute": (with_attrs(SCENE, extra={}), "scene", "cannot be stored"),
    "infinity": (SCENE / 0, "scene", "infinite values"),
    "values": (MASK.copy(data=MASK.values + 5), "mask", r"not classes: \[4, 5, 6\]"),
    "values of labels": (
        with_attrs(MASK, flag_values=np.array([0], np.uint8), flag_meanings="a"),
        "labels",
        r"not classes: \[1\]",
    ),
    "another fill value": (with_attrs(MASK, _FillValue=0), "mask", "_FillValue 255, got 0"),
    "flags without meanings": (with_attrs(MASK, flag_meanings=""), "mask", "do not fit"),
    "wide flags": (with_attrs(MASK, flag_values=np.array([0, 1])), "mask", "uint8, got int64"),
    "a flag twice": (
        with_attrs(MASK, flag_values=np.array([1, 1], np.uint8)),
        "mask",
        "not distinct",
    ),
    "a time of a change": (MASK, "change", "lies between two times"),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_the_contract_is_named(what):
    array, kind, message = BROKEN[what]
    with pytest.raises(AssertionError, match=message):
        check_map(array, kind)


def test_laziness_and_the_grid_are_looked_at_when_asked_for():
    with pytest.raises(AssertionError, match="expected a Dask array"):
        check_map(SCENE, "scene", lazy=True)
    with pytest.raises(AssertionError, match="expected an array in memory"):
        check_map(SCENE.chunk(), "scene", lazy=False)
    with pytest.raises(AssertionError, match=r"expected 3 x 5 pixels .*got 4 x 5"):
        check_map(SCENE, "scene", grid=grid_of(SCENE)[:3, :])


def test_several_problems_are_all_named():
    with pytest.raises(AssertionError) as caught:
        check_map(with_attrs(SCENE, units="m", platform=None), "scene")
    assert len(str(caught.value).splitlines()) >= 3


def test_a_synthetic_lake_covers_what_its_truth_says():
    grid = lake_grid((60, 80))
    truth = lake_fraction(grid, 600)
    assert truth.sum() * 9e-4 == pytest.approx(lake_area_km2(600), rel=1e-3)
    scene = round_lake(grid=grid, noise=0.0)
    assert float(scene.sel(band="nir08").values[truth == 1].max()) == pytest.approx(0.015)
    with pytest.raises(ValueError, match="no such band"):
        round_lake(bands=("ultraviolet",))
