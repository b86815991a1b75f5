"""Grids finer than the data: intervals, mixed pixels and flags follow the pixels of the data."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.change.compare import oversampling_of_dates
from strandline.errors import FinerGridWarning, SuspiciousSceneWarning
from strandline.prepare import make_grid, regrid, stack_scenes
from strandline.prepare.georeference import grid_of
from strandline.prepare.oversampling import oversampling_of
from strandline.study import run_study
from strandline.testing.lakes import lake_fraction, lake_grid, mask_of, round_lake

WALKER = (-118.7081, 38.6942)
TRUTH = (150.7, 119.1)  # km², 1988 and 2017


def width(row):
    return float(row["high_95"] - row["low_95"])


def area_of(scene, **options):
    return sl.areas(sl.water_mask(sl.segment(scene, 4)), intervals=True, **options).iloc[0]


@pytest.fixture(scope="module")
def native():
    return round_lake(shape=(60, 60), radius=600, noise=0.004)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("times", [2, 3, 5])
def test_a_finer_grid_neither_narrows_the_interval_nor_loses_the_rim(native, times, resampling):
    coarse = area_of(native)
    fine_grid = make_grid(like=native, resolution=30 / times)
    fine = area_of(regrid(native, fine_grid, resampling=resampling))
    assert width(fine) / width(coarse) == pytest.approx(1.0, abs=0.3)
    truth = np.pi * 0.6**2
    assert fine.best == pytest.approx(truth, rel=0.01)
    assert fine.low_95 < truth < fine.high_95


def test_walker_lake_of_three_kilometres_keeps_its_interval_on_any_grid(real_data):
    folder = real_data / "walker_lake_3km"
    scenes = [
        sl.open_scene(str(folder / pattern))
        for pattern in ("LT05*_sr_band?.tif", "LC08*_sr_band[1-7].tif")
    ]
    widths = {}
    for resolution in (3000, 300, 100):
        grid = make_grid(center=WALKER, buffer=16500, resolution=resolution, crs="EPSG:32611")
        dates = stack_scenes(scenes, grid, resampling="nearest")
        mask = sl.water_mask(sl.segment(dates, 4))
        table = sl.areas(mask, at=WALKER, intervals=True)
        for (_, row), truth in zip(table.iterrows(), TRUTH, strict=True):
            assert row.low_95 < truth < row.high_95, resolution
        widths[resolution] = [width(row) for _, row in table.iterrows()]
        change = sl.areas(sl.compare(mask[0], mask[1]), at=WALKER, intervals=True)
        assert change.low_95["net change"] < TRUTH[1] - TRUTH[0] < change.high_95["net change"]
    for resolution in (300, 100):
        assert np.divide(widths[resolution], widths[3000]) == pytest.approx(1.0, abs=0.35)


def test_one_fine_and_one_coarse_date_of_the_same_lake_show_no_change(native):
    fine_lake = round_lake(grid=lake_grid((180, 180), 10.0), radius=600, time="2017-10-22")
    dates = stack_scenes([native, fine_lake], grid_of(fine_lake), resampling="nearest")
    assert dates["oversampling"].values.tolist() == [3.0, 1.0]
    mask = sl.water_mask(sl.segment(dates, 4))
    change = sl.compare(mask[0], mask[1])
    assert oversampling_of_dates(change) == (3.0, 1.0)
    table = sl.areas(change, intervals=True)
    net = table.loc["net change"]
    assert net.low_95 < 0 < net.high_95
    assert abs(net.best) < 0.01 * table.best["water before"]
    before, after = table.loc["water before"], table.loc["water after"]
    assert width(before) > 1.8 * width(after)


def test_the_number_travels_with_scenes_and_maps_and_through_files(native, tmp_path):
    fine = regrid(native, make_grid(like=native, resolution=10))
    assert oversampling_of(fine) == [3.0]
    finer = regrid(fine, make_grid(like=native, resolution=5))
    assert oversampling_of(finer) == [6.0]
    back = regrid(finer, make_grid(like=native, resolution=30))
    assert "oversampling" not in back.coords
    segmentation = sl.segment(fine, 3)
    for found in (
        sl.water_mask(segmentation),
        sl.water_fraction(segmentation),
        sl.water_confidence(segmentation),
    ):
        assert oversampling_of(found) == [3.0]
    sl.water_mask(segmentation).to_netcdf(tmp_path / "mask.nc")
    with xr.open_dataarray(tmp_path / "mask.nc", mask_and_scale=False) as mask:
        assert oversampling_of(mask) == [3.0]
    assert (
        "oversampling"
        not in regrid(native, make_grid(like=native, crs="EPSG:32610", resolution=30)).coords
    )


def test_lazy_maps_give_the_same_numbers(native):
    grid = make_grid(like=native, resolution=10)
    whole = regrid(native, grid)
    segmentation = sl.segment(whole, 3)
    lazy = segmentation.chunk({"y": 37, "x": 70})
    decision = sl.find_water(segmentation)
    for function in (sl.water_mask, sl.water_fraction, sl.water_confidence):
        np.testing.assert_array_equal(function(lazy, decision), function(segmentation, decision))
    mask = sl.water_mask(segmentation, decision)
    moved = mask.copy(data=np.roll(mask.values, 2, axis=1))
    one = sl.compare(mask, moved)
    other = sl.compare(mask.chunk({"y": 37, "x": 70}), moved.chunk({"y": 50}))
    xr.testing.assert_equal(one.shift_explainable, other.shift_explainable.compute())


def test_a_shift_of_half_a_pixel_of_the_data_explains_change_on_a_finer_grid():
    grid, times = lake_grid(), 4
    lake, moved = (
        (lake_fraction(grid, 600, (351_240.0 + east, 4_289_100.0)) > 0.5).astype(np.uint8)
        for east in (0, 15)
    )
    fine = make_grid(like=grid, resolution=30 / times)
    masks = [
        regrid(mask_of(values, grid, time=time), fine)
        for values, time in ((lake, "1988-10-22"), (moved, "2017-10-22"))
    ]
    change = sl.compare(*masks)
    changed = np.isin(change.values, [2, 3])
    assert changed.any()
    assert change.shift_explainable.values[changed].all()
    assert not change.shift_explainable.values[~changed].any()


def test_a_study_on_a_finer_grid_warns_and_says_so(tmp_path):
    scene, _ = sl.simulate_scene("2017-10-22", size=(100, 100), resolution=300)
    path = tmp_path / "scene.nc"
    scene.to_netcdf(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", SuspiciousSceneWarning)
        run_study(
            {"scenes": [{"source": str(path)}], "resolution": 100, "vectors": []}, tmp_path / "out"
        )
    finer = [str(one.message) for one in caught if issubclass(one.category, FinerGridWarning)]
    assert len(finer) == 1
    assert "pixels of 100 m for data of 300 m" in finer[0]
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert "pixels of 100 m for data of 300 m" in " ".join(record["notes"])
    assert "pixels of 100 m for data of 300 m" in (tmp_path / "out" / "report.html").read_text()
