"""`areas`: true km², with bounds that hold whatever the clouds hide."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter, label

from strandline.change.area import areas
from strandline.change.compare import compare
from strandline.change.pixel_area import pixel_area
from strandline.errors import ConfigurationError, GridError, WaterError
from strandline.prepare.georeference import grid_of
from strandline.prepare.grid import make_grid
from strandline.prepare.resample import regrid
from strandline.testing.lakes import (
    lake_area_km2,
    lake_fraction,
    lake_grid,
    lonlat_of,
    mask_of,
    round_lake,
)

# Equal-area, 1 km pixels: every pixel is 1 km² and sums can be read off.
SQUARE = {"resolution": 1_000.0, "crs": "EPSG:3577", "corner": (1_500_000.0, -3_900_000.0)}


def km_mask(values, **more):
    values = np.asarray(values)
    return mask_of(values, lake_grid(values.shape[-2:], **SQUARE), **more)


def lonlat(mask, row, column):
    return lonlat_of(grid_of(mask), row, column)


def test_water_is_counted_with_what_it_could_be_at_most():
    table = areas(km_mask([[1, 1, 0], [1, 255, 255]]))
    row = table.iloc[0]
    assert table.columns.tolist() == [
        "pixels", "least", "best", "most", "not_observed_km2", "observed_share",
    ]  # fmt: skip
    assert table.index.name == "time"
    assert table.index[0] == pd.Timestamp("1988-10-22")
    assert row.pixels == 3
    assert table.pixels.dtype.kind == "i"
    assert row.least == row.best == pytest.approx(3, rel=1e-6)
    assert row.most == pytest.approx(5, rel=1e-6)
    assert row.not_observed_km2 == pytest.approx(2, rel=1e-6)
    assert row.observed_share == pytest.approx(4 / 6, rel=1e-6)


def test_each_date_has_its_row_and_a_mask_without_time_has_one():
    table = areas(km_mask([[[1, 1]], [[0, 255]]]))
    assert table.index.tolist() == list(pd.to_datetime(["1988-10-22", "1988-11-07"]))
    assert table.best.tolist() == pytest.approx([2, 0], rel=1e-6)
    assert table.most.tolist() == pytest.approx([2, 1], rel=1e-6)
    undated = areas(km_mask([[1, 0]]).drop_vars("time"))
    assert undated.index.isna().all()


def test_change_in_numbers_worked_by_hand():
    #          land water lost gained lost? gained? unseen
    before = [[0, 1, 1, 0, 1, 255, 255]]
    after = [[0, 1, 0, 1, 255, 1, 255]]
    table = areas(compare(km_mask(before), km_mask(after, time="2017-10-22")))
    expected = {
        "stable land": (1, 1, 1, 2),
        "stable water": (1, 1, 1, 4),
        "lost": (1, 1, 1, 3),
        "gained": (1, 1, 1, 3),
        "not observed": (3, 3, 3, 3),
        "water before": (3, 3, 3, 5),
        "water after": (3, 3, 3, 5),
        # Lost 1 and gained 1 for sure; the others may lose 2 or gain 2.
        "net change": (0, -2, 0, 2),
    }
    assert table.index.tolist() == list(expected)
    assert table.index.name == "class"
    for name, (pixels, *km2) in expected.items():
        assert table.pixels[name] == pixels, name
        assert table.loc[name, ["least", "best", "most"]].tolist() == pytest.approx(
            km2, rel=1e-6, abs=1e-9
        ), name
    assert table.attrs == {"units": "km2", "before": "1988-10-22", "after": "2017-10-22"}


def test_a_change_map_without_its_masks_has_wider_bounds():
    change = compare(km_mask([[1, 1]]), km_mask([[0, 255]]))
    carried = areas(change)
    bare = areas(change.drop_vars(["water_before", "water_after"]))
    assert carried.most["gained"] == 0
    assert bare.most["gained"] == pytest.approx(1, rel=1e-6)
    assert bare.most["lost"] == carried.most["lost"] == pytest.approx(2, rel=1e-6)
    assert bare.best["lost"] == carried.best["lost"]


def test_a_map_that_was_cleaned_counts_against_its_masks():
    change = compare(km_mask([[1, 1, 255]]), km_mask([[0, 0, 1]]))
    change.values[0, 0] = 0
    table = areas(change)
    assert table.pixels["lost"] == 1
    assert table.pixels["stable land"] == 1
    assert table.most["gained"] == pytest.approx(1, rel=1e-6)


shapes = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(st.data())
@settings(deadline=None, max_examples=80)
def test_the_truth_lies_within_the_bounds_whatever_was_hidden(data):
    shape = data.draw(shapes)
    truth = [data.draw(arrays.arrays(bool, shape)) for _ in range(2)]
    hidden = [data.draw(arrays.arrays(bool, shape)) for _ in range(2)]
    seen = [
        km_mask(np.where(gone, 255, wet), time=time)
        for wet, gone, time in zip(truth, hidden, ("1988-10-22", "2017-10-22"), strict=True)
    ]
    true_masks = [
        km_mask(wet.astype(np.uint8), time=time)
        for wet, time in zip(truth, ("1988-10-22", "2017-10-22"), strict=True)
    ]
    change, true_change = compare(*seen), compare(*true_masks)
    bounds = [areas(change), areas(change.drop_vars(["water_before", "water_after"]))]
    exact = areas(true_change).best
    for table in bounds:
        for name in exact.index.drop("not observed"):
            assert table.least[name] - 1e-9 <= exact[name] <= table.most[name] + 1e-9, name
            assert table.least[name] <= table.best[name] <= table.most[name], name
    assert (bounds[0].most <= bounds[1].most + 1e-9).drop("not observed").all()
    for mask, true_mask in zip(seen, true_masks, strict=True):
        row, true_area = areas(mask).iloc[0], areas(true_mask).best.iloc[0]
        assert row.least - 1e-9 <= true_area <= row.most + 1e-9
    # The classes share out the whole map.
    observed = bounds[0].best[["stable land", "stable water", "lost", "gained", "not observed"]]
    assert observed.sum() == pytest.approx(shape[0] * shape[1], rel=1e-6)


@given(st.data())
@settings(deadline=None, max_examples=80)
def test_the_truth_of_one_lake_lies_within_the_bounds_too(data):
    shape = data.draw(shapes)
    truth = [data.draw(arrays.arrays(bool, shape)) for _ in range(2)]
    hidden = [data.draw(arrays.arrays(bool, shape)) for _ in range(2)]
    shown = [np.where(gone, 255, wet) for wet, gone in zip(truth, hidden, strict=True)]
    observed_water = (shown[0] == 1) | (shown[1] == 1)
    if not observed_water.any():
        return
    row, column = data.draw(st.sampled_from(np.argwhere(observed_water).tolist()))
    lakes, _ = label(truth[0] | truth[1], structure=np.ones((3, 3)))
    lake = lakes == lakes[row, column]
    masks = [km_mask(values, time=f"{1990 + i}-01-01") for i, values in enumerate(shown)]
    at = lonlat(masks[0], row, column)
    table = areas(compare(*masks), at=at)
    exact = {
        "stable water": (truth[0] & truth[1] & lake).sum(),
        "lost": (truth[0] & ~truth[1] & lake).sum(),
        "gained": (~truth[0] & truth[1] & lake).sum(),
        "water before": (truth[0] & lake).sum(),
        "water after": (truth[1] & lake).sum(),
        "net change": int((truth[1] & lake).sum()) - int((truth[0] & lake).sum()),
        "stable land": 0,
    }
    for name, value in exact.items():
        slack = 1e-4
        assert table.least[name] - slack <= value <= table.most[name] + slack, name
        assert table.least[name] <= table.best[name] <= table.most[name], name
    stacked = km_mask(np.stack(shown))
    dated = areas(stacked, at=at)
    for i in range(2):
        value = (truth[i] & lake).sum()
        assert dated.least.iloc[i] - 1e-4 <= value <= dated.most.iloc[i] + 1e-4


def clouds(rng, shape, share, scale):
    """Clouds of any size over a share of the map, from single pixels to one large bank."""
    noise = rng.standard_normal(shape)
    field = gaussian_filter(noise, scale, mode="nearest") if scale else noise
    return field > np.quantile(field, 1 - share) if share > 0 else np.zeros(shape, bool)


@pytest.mark.parametrize("seed", range(240))
def test_the_truth_of_simulated_lakes_lies_within_the_bounds_under_any_clouds(seed):
    rng = np.random.default_rng(seed)
    shape = (rng.integers(20, 48), rng.integers(20, 48))
    heights = gaussian_filter(rng.standard_normal(shape), rng.choice([1, 2, 4, 8]), mode="wrap")
    level = np.quantile(heights, rng.uniform(0.05, 0.6))
    truth = [heights < level, heights < level - rng.normal(0, 0.3) * heights.std()]
    grid = lake_grid(shape, resolution=rng.choice([10, 30, 250]))
    dates = ("1988-10-22", "2017-10-22")
    true_masks = [mask_of(wet, grid, time=date) for wet, date in zip(truth, dates, strict=True)]
    seen = []
    for wet, date in zip(truth, dates, strict=True):
        hidden = clouds(rng, shape, rng.uniform(0, 0.8), rng.choice([0, 1, 3, 9]))
        seen.append(mask_of(np.where(hidden, 255, wet), grid, time=date))
    table, exact = areas(compare(*seen)), areas(compare(*true_masks)).best
    slack = 1e-9 * float(pixel_area(grid).sum())
    for name in exact.index.drop("not observed"):
        assert table.least[name] - slack <= exact[name] <= table.most[name] + slack, name
        assert table.least[name] <= table.best[name] <= table.most[name], name
    for mask, true_mask in zip(seen, true_masks, strict=True):
        row, true_area = areas(mask).iloc[0], areas(true_mask).best.iloc[0]
        assert row.least - slack <= true_area <= row.most + slack
        assert row.observed_share == pytest.approx(float((mask != 255).mean()), abs=1e-3)


def test_only_the_lake_at_the_place_is_counted():
    mask = km_mask(
        [
            [1, 1, 0, 0, 1],
            [0, 0, 1, 0, 1],
            [0, 0, 0, 0, 255],
            [0, 1, 0, 0, 1],
        ]
    )
    left, right = areas(mask, at=lonlat(mask, 0, 0)), areas(mask, at=lonlat(mask, 0, 4))
    # A corner connects; a cloud may.
    assert left[["pixels", "most"]].iloc[0].tolist() == pytest.approx([3, 3], rel=1e-5)
    assert right.pixels.iloc[0] == 2
    assert right.most.iloc[0] == pytest.approx(4, rel=1e-5)
    assert right.not_observed_km2.iloc[0] == pytest.approx(1, rel=1e-5)
    assert right.observed_share.iloc[0] == pytest.approx(3 / 4, rel=1e-5)


def test_the_nearest_water_counts_where_the_place_itself_is_dry():
    values = np.zeros((9, 20), np.uint8)
    values[4, 5] = values[4, 18] = 1
    mask = km_mask(values)
    assert areas(mask, at=lonlat(mask, 4, 9)).pixels.iloc[0] == 1
    with pytest.raises(WaterError, match=r"There is no water at .* within 5 pixels"):
        areas(mask, at=lonlat(mask, 4, 11))
    with pytest.raises(GridError, match=r"outside the map.*Longitude comes first"):
        areas(mask, at=(10, 10))
    with pytest.raises(GridError, match="longitude, latitude"):
        areas(mask, at="here")


def test_a_lake_that_falls_apart_stays_one_lake():
    before = km_mask([[1, 1, 1, 1, 1, 0, 1]])
    after = km_mask([[1, 0, 0, 0, 1, 0, 1]], time="2017-10-22")
    table = areas(compare(before, after), at=lonlat(before, 0, 2))
    assert table.pixels[["stable water", "lost", "water before", "water after"]].tolist() == [
        2, 3, 5, 2,
    ]  # fmt: skip
    assert table.best["net change"] == pytest.approx(-3, rel=1e-5)


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_synthetic_lake_has_its_area(everywhere):
    grid = lake_grid((60, 80))
    wet = (lake_fraction(grid, 600) > 0.5).astype(np.uint8)
    at = None if everywhere else lonlat_of(grid, 30, 40)
    found = areas(mask_of(wet, grid), at=at).best.iloc[0]
    # True area: that of the map's plane, divided by the scale of UTM there.
    scale = float(pixel_area(grid).mean()) / 9e-4
    assert found == pytest.approx(lake_area_km2(600) * scale, rel=1e-2)


def test_real_lake_burley_griffin_against_square_metres_of_pixels(real_data):
    with rasterio.open(real_data / "lbg_tm1992" / "water_reference.tif") as file:
        mask = mask_of(file.read(1), GeoBox(file.shape, file.transform, str(file.crs)))
    row = areas(mask).iloc[0]
    assert row.pixels == (mask == 1).sum()
    # Within a UTM zone the true area is off by less than 0.1 %.
    assert row.best == pytest.approx(row.pixels * 625e-6, rel=1e-3)
    assert row.best != pytest.approx(row.pixels * 625e-6, rel=1e-5)
    # The reference is unsure under the bridges, which divide the lake into basins. The gaps are
    # narrow and have water on both sides, so that either basin leads to the same lake.
    places = ((149.115, -35.293), (149.142, -35.3006))
    west, east = (areas(mask, at=place).iloc[0] for place in places)
    assert west.pixels == east.pixels == 8570
    assert west.best == pytest.approx(east.best, rel=1e-12)
    assert west.best < row.best
    # What is connected without them are the basins.
    assert west.least == pytest.approx(5755 * 625e-6, rel=1e-3)
    assert east.least == pytest.approx(2805 * 625e-6, rel=1e-3)
    # Through the unsure pixels more may belong to it: so large it is at most.
    assert west.most > west.best
    assert west.most == east.most


@pytest.mark.parametrize("at_column", [0, 40])
def test_a_lake_cut_by_narrow_gaps_is_one_lake_and_one_cut_by_a_wide_one_is_not(at_column):
    grid = lake_grid((12, 60))  # pixels of 30 m: gaps of up to 450 m, 15 pixels, are bridged
    values = np.zeros((12, 60), np.uint8)
    values[2:10, :] = 1
    values[:, 10:24] = 255  # a scan gap of the widest kind
    narrow = mask_of(values.copy(), grid)
    row = areas(narrow, at=lonlat_of(grid, 5, at_column), intervals=True).iloc[0]
    assert row.pixels == 8 * 46
    assert row.least == pytest.approx(row.best * {0: 10, 40: 36}[at_column] / 46, rel=1e-4)
    assert row.low_95 < row.best < row.high_95
    values[:, 10:26] = 255  # wider than any
    row = areas(mask_of(values, grid), at=lonlat_of(grid, 5, at_column)).iloc[0]
    assert row.pixels == 8 * {0: 10, 40: 34}[at_column]
    seen_and_gap = 8 * 44 + 12 * 16
    assert row.most == pytest.approx(seen_and_gap * row.best / row.pixels, rel=1e-4)


def test_gaps_do_not_join_two_lakes_with_land_between_them():
    grid = lake_grid((30, 40))
    values = np.zeros((30, 40), np.uint8)
    values[:12, :] = 1
    values[18:, :] = 1  # six rows of land between the lakes
    values[:, 15:22] = 255  # a gap across both and the land
    row = areas(mask_of(values, grid), at=lonlat_of(grid, 3, 5)).iloc[0]
    assert row.pixels == 12 * 33
    assert row.most > 24 * 33 * row.best / row.pixels


def test_a_gap_in_both_dates_does_not_cut_the_change_of_a_lake():
    grid = lake_grid((20, 40))
    before, after = np.zeros((2, 20, 40), np.uint8)
    before[2:18, :] = 1
    after[2:14, :] = 1
    for date in (before, after):
        date[:, 15:22] = 255
    table = areas(
        compare(mask_of(before, grid), mask_of(after, grid, time="2017-10-22")),
        at=lonlat_of(grid, 5, 5), intervals=True,
    )  # fmt: skip
    assert table.pixels["stable water"] == 12 * 33
    assert table.pixels["lost"] == 4 * 33
    assert table.pixels["net change"] == -4 * 33
    assert table.least["lost"] < table.best["lost"] < table.most["lost"]
    assert table.low_95["net change"] < table.best["net change"] < table.high_95["net change"] < 0


def test_real_ucayali_in_degrees_agrees_with_the_same_map_in_utm(real_data):
    masks = []
    for year in (1990, 2015):
        with rasterio.open(real_data / "ucayali_series" / f"water_reference_{year}.tif") as file:
            grid = GeoBox(file.shape, file.transform, str(file.crs))
            masks.append(mask_of(file.read(1), grid, time=f"{year}-07-01"))
    table = areas(compare(*masks))
    whole = float(pixel_area(grid).sum())
    parts = table.best[["stable land", "stable water", "lost", "gained", "not observed"]]
    assert parts.sum() == pytest.approx(whole, rel=1e-9)
    target = make_grid(like=grid, crs="EPSG:32718", resolution=45)
    warped = areas(compare(*(regrid(mask, target) for mask in masks)))
    for name in ("stable water", "lost", "gained"):
        assert warped.best[name] == pytest.approx(table.best[name], rel=5e-3)


def test_what_has_no_areas_is_refused():
    with pytest.raises(ConfigurationError, match=r"water mask or a change map.*float32"):
        areas(round_lake())
    with pytest.raises(ConfigurationError, match="got 3"):
        areas(km_mask([[0, 3]]))
    change = compare(km_mask([[0, 1]]), km_mask([[0, 1]]))
    change.values[0, 0] = 9
    with pytest.raises(ConfigurationError, match="0, 1, 2, 3 and 255, got 9"):
        areas(change)
    with pytest.raises(ConfigurationError, match="one change map at a time"):
        areas(change.expand_dims("time"))


def test_nothing_observed_is_zero_to_everything():
    row = areas(km_mask([[255, 255]])).iloc[0]
    assert (row.pixels, row.best, row.observed_share) == (0, 0, 0)
    assert row.most == pytest.approx(2, rel=1e-6)
    table = areas(compare(km_mask([[255]]), km_mask([[255]])))
    net = table.loc["net change", ["pixels", "least", "best", "most"]].tolist()
    assert net == pytest.approx([0, -1, 0, 1], rel=1e-6)
    assert math.copysign(1, table.best["net change"]) == 1
