"""Change that a shift alone could have made: flagged where it is, and only there."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import strandline as sl
from shift_flags import averaged, landscape, measure
from strandline.change.area import areas
from strandline.change.compare import compare
from strandline.change.shift import Drift, drift_of, shift_explainable, shores
from strandline.errors import ShiftError
from strandline.prepare.shift import Shift
from strandline.testing.lakes import lake_fraction, lake_grid, mask_of, round_lake

GRID = lake_grid((60, 80))
MIDDLE = (351_240.0, 4_289_100.0)


def lake(radius=600.0, east=0.0, south=0.0):
    place = (MIDDLE[0] + east, MIDDLE[1] - south)
    return (lake_fraction(GRID, radius, place) > 0.5).astype(np.uint8)


def shift_of(dy, dx):
    return Shift(
        dy=dy, dx=dx, north=-30 * dy, east=30 * dx, error=0.01, confidence=1.0, agreeing=9,
        clear=9, total=9, overlap=1.0, band="swir16", offset=(30 * dx, -30 * dy),
        crs="EPSG:32611", windows=pd.DataFrame(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def measured():
    return {one.name: one for one in measure(lakes=8, walker=False)}


@pytest.mark.parametrize("pixels", [0.3, 0.5, 0.7, 1.0])
def test_nearly_all_change_by_a_pure_shift_is_flagged(measured, pixels):
    found = measured[f"shift of {pixels} px"]
    assert found.share >= 0.95
    assert np.mean(found.drifts) == pytest.approx(pixels, abs=0.1)


@pytest.mark.parametrize("level", [0.005, 0.02, 0.05, 0.2])
def test_water_that_rose_or_fell_is_not_flagged_however_thin_the_strip(measured, level):
    assert measured[f"level by {level} sd"].share <= 0.05


def test_walker_lake_really_shrank():
    masks = []
    for day in ("1988-10-22", "2017-10-22"):
        _, fraction = sl.simulate_scene(day, resolution=90)
        masks.append((fraction.values > 0.5).astype(np.uint8))
    assert (masks[0] != masks[1]).sum() > 3000
    assert not shift_explainable(*masks).any()


@pytest.mark.parametrize(("east", "south"), [(15, 0), (0, -12), (-20, 20)])
def test_the_shift_is_found_in_length_and_direction(east, south):
    wide = [np.pad(mask, 2, constant_values=255) for mask in (lake(), lake(600, east, south))]
    drift = drift_of([shores(*wide)])
    assert drift.right == pytest.approx(east / 30, abs=0.15)
    assert drift.down == pytest.approx(south / 30, abs=0.15)


def test_a_shift_that_was_estimated_from_the_images_counts_instead():
    before, after = lake(), lake(590)
    assert not shift_explainable(before, after).any()
    flags = shift_explainable(before, after, shift_of(0.0, 0.5))
    # Water moves east: that explains what the western shore lost, and nothing on the eastern.
    lost = before != after
    assert flags[:, :30].sum() >= 0.95 * lost[:, :30].sum() > 0
    assert not flags[:, 50:].any()
    assert lost[:, 50:].any()
    assert not shift_explainable(before, lake(600, 15), shift_of(0.0, 0.02)).any()
    with pytest.raises(ShiftError, match=r"at most 1.5 pixels, got 2.00 pixels.*correct_shift"):
        compare(mask_of(before, GRID), mask_of(after, GRID), shift=shift_of(2.0, 0.0))


def test_two_scenes_that_lie_apart_give_change_that_is_flagged():
    before = round_lake(radius=600)
    away = lake_fraction(GRID, 600, (MIDDLE[0] + 18.0, MIDDLE[1]))
    wet, dry = before.values[:, 30, 40][:, None, None], before.values[:, :, 2][:, :, None]
    noise = np.random.default_rng(1).normal(0, 0.004, before.shape)
    later = before.copy(data=(away * wet + (1 - away) * dry + noise).astype("f4"))
    later = later.assign_coords(time=np.datetime64("2017-10-22", "ns"))
    masks = sl.water_mask(sl.segment([before, later], n_clusters=3))
    change = compare(masks[0], masks[1])
    changed = int(change.isin([2, 3]).sum())
    assert changed > 20
    assert int(change.shift_explainable.sum()) >= 0.9 * changed


def test_wide_strips_are_not_flagged_even_beside_a_shift():
    before, after = lake(), lake(600, 15)
    after[:20] = 0  # the northern bay fell dry
    flags = shift_explainable(before, after)
    wide = np.zeros_like(flags)
    wide[:18] = True
    assert flags[~wide].sum() >= 0.9 * (before != after)[22:].sum()
    assert flags[wide].sum() <= 0.05 * (before != after)[wide].sum()


def test_what_was_not_observed_is_never_flagged_and_says_nothing():
    before, after = lake(), lake(600, 15)
    hidden = after.copy()
    hidden[35:] = 255
    flags = shift_explainable(before, hidden)
    assert not flags[hidden == 255].any()
    assert flags[:34].sum() >= 0.95 * (before != after)[:34].sum()
    assert not shift_explainable(np.full((4, 5), 255, np.uint8), lake()[:4, :5]).any()


@pytest.mark.parametrize("chunks", [(7, 11), (60, 80), (1, 80), (59, 3)])
def test_chunks_do_not_matter(chunks):
    before, after = lake(), lake(600, 15, 10)
    lazy = shift_explainable(da.from_array(before, chunks), after)
    assert lazy.chunks == da.from_array(before, chunks).chunks
    np.testing.assert_array_equal(lazy.compute(), shift_explainable(before, after))


def test_strips_of_a_high_map_do_not_matter(monkeypatch):
    heights, level = landscape(2)
    before, after = averaged(heights < level), averaged(heights < level, 3, 4)
    whole = shift_explainable(before, after)
    assert whole.any()
    monkeypatch.setattr("strandline.change.shift.STRIP", 17)
    np.testing.assert_array_equal(shift_explainable(before, after), whole)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2)])
def test_maps_of_a_few_pixels_have_no_shift(shape):
    assert not shift_explainable(np.zeros(shape, np.uint8), np.ones(shape, np.uint8)).any()


def test_areas_tell_apart_what_a_shift_could_explain():
    change = compare(mask_of(lake(), GRID), mask_of(lake(600, 15), GRID, time="2017-10-22"))
    table = areas(change)
    explained = table["shift_explainable"]
    assert explained["lost"] == pytest.approx(table.best["lost"], rel=0.05)
    assert explained["gained"] == pytest.approx(table.best["gained"], rel=0.05)
    assert explained["net change"] == explained["gained"] - explained["lost"]
    assert explained.drop(["lost", "gained", "net change"]).isna().all()
    lazy = compare(mask_of(lake(), GRID).chunk({"y": 9}), mask_of(lake(600, 15), GRID))
    pd.testing.assert_frame_equal(areas(lazy), table, check_exact=True)
    assert "shift_explainable" not in areas(change.drop_vars("shift_explainable"))


def test_a_drift_has_a_length():
    assert Drift(0.3, -0.4).pixels == pytest.approx(0.5)
