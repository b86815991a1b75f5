"""Intervals of mapped areas: how they follow from the shore, and how often they are right."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import binom

import strandline as sl
from strandline.change import summing
from strandline.change.interval import (
    INTERVALS,
    ROUNDED,
    SPREADS,
    TOGETHER,
    interval_of,
    nothing_observed,
    shore_kinds,
)
from strandline.change.pixel_area import pixel_area, pixel_areas
from strandline.change.states import water_states
from strandline.errors import ConfigurationError
from strandline.testing.lakes import (
    lake_fraction,
    lake_grid,
    lonlat_of,
    mask_of,
    random_lake,
)

GRID = lake_grid((60, 80))


def lake(radius: float = 600.0) -> np.ndarray:
    return (lake_fraction(GRID, radius) > 0.5).astype(np.uint8)


def sides_of(mask: np.ndarray) -> int:
    """Sides of pixels between water and observed land, by the sums that `areas` takes."""
    kinds = shore_kinds(np.full(3, True), np.arange(3))
    found = summing.sum_up(water_states(mask), pixel_areas(lake_grid(mask.shape)), 3, kinds)
    return int(found.sides[0, 0])


def test_the_interval_of_a_square_lake_by_hand():
    square = np.zeros((20, 20), np.uint8)
    square[5:15, 5:15] = 1
    grid = lake_grid((20, 20))
    row = sl.areas(mask_of(square, grid), intervals=True).iloc[0]
    pixel = float(pixel_area(grid).mean())
    spread = pixel * math.sqrt(40 / 12 + (TOGETHER * 40) ** 2)
    for percent, spreads in SPREADS.items():
        assert row[f"low_{percent}"] == pytest.approx(row["best"] - spreads * spread, rel=1e-4)
        assert row[f"high_{percent}"] == pytest.approx(row["best"] + spreads * spread, rel=1e-4)


def test_without_asking_there_are_no_intervals():
    assert "low_95" not in sl.areas(mask_of(lake(), GRID))


def test_sides_to_what_was_not_observed_are_no_shore():
    hidden = lake()
    hidden[:30] = 255
    assert sides_of(hidden) == pytest.approx(sides_of(lake()) / 2, abs=3)
    assert sides_of(np.ones((4, 4), np.uint8)) == 0


def test_no_water_is_no_area_and_has_no_shore():
    row = sl.areas(mask_of(np.zeros(GRID.shape), GRID), intervals=True).iloc[0]
    assert row[["best", "low_95", "high_95"]].tolist() == [0, 0, 0]


def test_where_nothing_was_observed_the_interval_is_unknown():
    hidden = mask_of(np.full(GRID.shape, 255), GRID)
    dry = mask_of(np.zeros(GRID.shape), GRID)
    row = sl.areas(hidden, intervals=True).iloc[0]
    assert row[["pixels", "least", "best"]].tolist() == [0, 0, 0]
    assert row["most"] > 0
    assert row[list(INTERVALS)].isna().all()
    assert nothing_observed(row.to_dict())
    assert not nothing_observed(sl.areas(dry, intervals=True).iloc[0].to_dict())


def test_a_lake_that_was_hidden_on_a_date_has_no_interval_then():
    clouded = np.stack([lake(), np.where(lake(800.0) == 1, 255, 0)])
    table = sl.areas(mask_of(clouded, GRID), at=lonlat_of(GRID, 30, 40), intervals=True)
    assert table["best"].iloc[1] == 0
    assert table[list(INTERVALS)].isna().all(axis=1).tolist() == [False, True]


def test_a_change_is_unknown_where_no_pixel_was_observed_on_both_dates():
    before, after = lake(), np.full(GRID.shape, 255)
    change = sl.compare(mask_of(before, GRID), mask_of(after, GRID, time="2017-10-22"))
    table = sl.areas(change, intervals=True)
    unknown = table[list(INTERVALS)].isna().all(axis=1)
    assert [name for name in table.index if not unknown[name]] == ["water before"]
    rows = table.reset_index().to_dict("records")
    known = [row["class"] for row in rows if not nothing_observed(row)]
    assert known == ["not observed", "water before"]


def test_only_the_shore_of_the_lake_that_is_measured_counts():
    two = lake()
    two[2:6, 2:6] = 1
    middle = lonlat_of(GRID, 30, 40)
    one = sl.areas(mask_of(lake(), GRID), intervals=True)
    found = sl.areas(mask_of(two, GRID), at=middle, intervals=True)
    columns = ["best", "low_90", "high_90", "low_95", "high_95"]
    assert found[columns].to_numpy() == pytest.approx(one[columns].to_numpy())


def test_other_segmentations_that_disagree_widen_the_interval():
    mask = mask_of(lake(), GRID)
    members = [mask_of(lake(radius), GRID) for radius in (560.0, 600.0, 640.0)]
    alone = sl.areas(mask, intervals=True).iloc[0]
    together = sl.areas(mask, intervals=True, members=members).iloc[0]
    assert together["low_95"] < alone["low_95"] < alone["best"] == together["best"]
    variance = np.var([sl.areas(member)["best"].iloc[0] for member in members], ddof=1)
    half = {name: row["high_95"] - row["best"] for name, row in (("a", alone), ("t", together))}
    assert half["t"] ** 2 - half["a"] ** 2 == pytest.approx(SPREADS[95] ** 2 * variance)


def shrunk() -> tuple[xr.DataArray, xr.DataArray]:
    """A square of 10 × 10 pixels, and what is left of it after its last three columns are gone."""
    before, after = np.zeros((2, 20, 20), np.uint8)
    before[5:15, 5:15] = 1
    after[5:15, 5:12] = 1
    grid = lake_grid((20, 20))
    return mask_of(before, grid), mask_of(after, grid, time="2017-10-22")


def test_the_intervals_of_a_change_by_hand():
    before, after = shrunk()
    table = sl.areas(sl.compare(before, after), intervals=True)
    pixel = float(pixel_area(before).mean())
    # Sides of the water before and of the water after that bound the area, or lie on each other.
    bounded = {
        "lost": (40, 34),
        "gained": (24, 24),  # where the shore stayed: it may have moved by less than a pixel
        "stable water": (24, 34),
        "stable land": (40, 24),
        "net change": (40, 34),
        "water before": (40, 0),
        "water after": (0, 34),
    }
    for name, (first, second) in bounded.items():
        common = TOGETHER**2 * (first**2 + second**2)
        spread = pixel * math.sqrt(ROUNDED**2 * (first + second) + common)
        row = table.loc[name]
        assert row["high_95"] - row["best"] == pytest.approx(SPREADS[95] * spread, rel=1e-4)
    assert table.loc["net change", "low_95"] < table.loc["net change", "best"] < 0
    assert table.loc["gained", "low_95"] == 0
    assert table.loc["not observed", list(INTERVALS)].isna().all()


def test_water_on_a_date_has_the_same_interval_in_a_change_and_by_itself():
    before, after = shrunk()
    after[:8, 8:] = 255
    table = sl.areas(sl.compare(before, after), intervals=True)
    for name, mask in (("water before", before), ("water after", after)):
        alone = sl.areas(mask, intervals=True).iloc[0]
        assert table.loc[name, list(INTERVALS)].tolist() == alone[list(INTERVALS)].tolist()


def test_a_shore_that_is_seen_on_one_date_only_does_not_bound_a_change():
    before, after = shrunk()
    hidden = np.full_like(after.values, 255)
    hidden[:3] = 0
    table = sl.areas(sl.compare(before, after.copy(data=hidden)), intervals=True)
    for name in ("lost", "gained", "net change"):
        assert table.loc[name, ["low_95", "high_95"]].tolist() == [0, 0]
    assert table.loc["water before", "high_95"] > table.loc["water before", "best"]


def test_intervals_of_a_change_do_not_depend_on_chunks_or_tiles(monkeypatch):
    dates = [mask_of(lake(radius), GRID) for radius in (600.0, 500.0)]
    dates[1][10:20, 30:] = 255
    change = sl.compare(*dates)
    place = lonlat_of(GRID, 30, 40)
    for at in (None, place):
        whole = sl.areas(change, at=at, intervals=True)
        pieces = sl.areas(change.chunk({"y": 17, "x": 13}), at=at, intervals=True)
        pd.testing.assert_frame_equal(pieces, whole, check_exact=True)
        monkeypatch.setattr(summing, "TILE", 16)
        tiled = sl.areas(change, at=at, intervals=True)
        pd.testing.assert_frame_equal(tiled, whole, rtol=1e-12)
        lazy = sl.areas(change.chunk({"y": 7, "x": 80}), at=at, intervals=True)
        pd.testing.assert_frame_equal(lazy, tiled, check_exact=True)
        monkeypatch.undo()


def test_intervals_do_not_depend_on_chunks():
    mask = mask_of(np.stack([lake(), lake(450.0)]), GRID)
    whole = sl.areas(mask, intervals=True)
    assert sl.areas(mask.chunk({"y": 17, "x": 13}), intervals=True).equals(whole)


def test_intervals_of_the_wrong_things_are_refused():
    mask = mask_of(lake(), GRID)
    with pytest.raises(ConfigurationError, match="change map has no members"):
        sl.areas(sl.compare(mask, mask), intervals=True, members=[mask])
    with pytest.raises(ConfigurationError, match="intervals only"):
        sl.areas(mask, members=[mask])
    elsewhere = mask_of(lake(), lake_grid((60, 80), resolution=10.0))
    with pytest.raises(ConfigurationError, match="not a mask of the same pixels"):
        sl.areas(mask, intervals=True, members=[elsewhere])


def test_an_interval_never_begins_below_zero():
    assert interval_of(0.5, 40.0, 40.0)["low_95"] == 0


@pytest.mark.slow
def test_intervals_hold_the_true_area_of_simulated_lakes_as_often_as_they_say():
    held = dict.fromkeys(SPREADS, 0)
    lakes = 40
    for number in range(lakes):
        scene, truth = random_lake(number)
        row = sl.areas(sl.water_mask(sl.segment(scene)), intervals=True).iloc[0]
        area = float((truth * pixel_area(truth)).sum())
        for percent in SPREADS:
            held[percent] += row[f"low_{percent}"] <= area <= row[f"high_{percent}"]
    for percent, count in held.items():
        # Fewer than this has a chance of one in a thousand if the interval is honest.
        assert count >= binom.ppf(0.001, lakes, percent / 100)
    assert held[90] < lakes, "intervals that are never wrong are too wide"
