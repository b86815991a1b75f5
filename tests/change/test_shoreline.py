"""`shorelines`: where the line runs, how long it is, and where there is none."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import strandline as sl
from strandline.change import contour, outline
from strandline.change.shoreline import shorelines
from strandline.errors import ConfigurationError, MissingCRSError, MissingDependencyError
from strandline.prepare.georeference import attach_grid, grid_of, place
from strandline.testing.lakes import lake_fraction, lake_grid, mask_of


def fraction_of(values, grid, time="1988-10-22"):
    array = xr.DataArray(np.asarray(values, np.float32), dims=("y", "x"), name="water_fraction")
    return attach_grid(array.assign_coords(time=np.datetime64(time, "ns")), grid)


def middle_of(grid):
    return place(grid.affine, grid.shape[1] / 2, grid.shape[0] / 2)


def wavy(shape=(130, 90)):
    """A fraction with many lakes and islands, some of it not observed."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    values = 0.5 + 0.6 * np.sin(rows / 7) * np.cos(columns / 5) + 0.1 * np.sin(rows * columns / 90)
    values[40:52, 20:50] = np.nan
    return values.clip(0, 1)


# --- values that are just the level ------------------------------------------


@pytest.mark.parametrize("around", [0.0, 1.0])
@pytest.mark.parametrize(
    "pixels",
    [
        [(4, 4)],
        [(4, 4), (4, 5)],
        [(4, 4), (5, 4)],
        [(4, 4), (4, 5), (4, 6)],
        [(4, 4), (4, 5), (3, 4), (5, 4)],
        [(0, 4), (1, 4)],
        [(3, 3), (3, 4), (4, 3), (4, 4)],
    ],
)
def test_pixels_of_just_one_half_within_water_or_land_break_nothing(around, pixels):
    grid = lake_grid((9, 9))
    values = np.full((9, 9), around)
    values[tuple(np.transpose(pixels))] = 0.5
    lines = shorelines(fraction_of(values, grid))
    assert (lines["length_km"] > 0).all()
    assert lines.geometry.is_valid.all()
    if len(pixels) < 4:  # a pixel wide: nothing lies on the other side
        assert lines.empty


def test_a_spike_on_an_island_leaves_the_island():
    grid = lake_grid((9, 9))
    values = np.ones((9, 9))
    values[4, 3], values[4, 4:7] = 0.0, 0.5
    (island,) = shorelines(fraction_of(values, grid)).itertuples()
    alone = np.ones((9, 9))
    alone[4, 3], alone[4, 4] = 0.0, 0.5
    (expected,) = shorelines(fraction_of(alone, grid)).itertuples()
    assert island.closed
    assert island.island
    assert island.length_km == pytest.approx(expected.length_km)


@settings(max_examples=150, deadline=None)
@given(
    arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=14),
        elements=st.sampled_from([0.0, 0.25, 0.5, 0.5, 0.75, 1.0, np.nan]),
    )
)
def test_lines_through_any_values_have_length_and_never_turn_back(values):
    for line in contour.contour_lines(values, 0.5):
        points = line[:, :2]
        assert len(points) > 1
        assert (points[1:] != points[:-1]).any(axis=1).all()
        assert (points[2:] != points[:-2]).any(axis=1).all()
    lines = shorelines(fraction_of(values, lake_grid(values.shape)), smooth=True)
    assert (lines["length_km"] > 0).all()


# --- from a water fraction ---------------------------------------------------


def test_the_line_of_a_round_lake_is_within_a_twentieth_of_a_pixel():
    grid = lake_grid((100, 100))
    lines = shorelines(fraction_of(lake_fraction(grid, radius=1000), grid))
    assert len(lines) == 1
    points = shapely.get_coordinates(lines.geometry.values)
    off = np.hypot(*(points - middle_of(grid)).T) - 1000
    assert np.sqrt(np.mean(off**2)) < 30 / 19
    assert np.abs(off).max() < 30 / 7
    row = lines.iloc[0]
    assert (row.closed, row.island, row.smoothed, row.made_from) == (
        True, False, False, "water fraction",
    )  # fmt: skip
    assert row.date.isoformat() == "1988-10-22T00:00:00"
    assert row.length_km == pytest.approx(2 * np.pi, rel=0.005)
    assert 20 < row.width_m < 31
    assert lines.crs.to_epsg() == 32611


def test_the_shore_of_the_simulated_lake_is_found_to_a_part_of_a_pixel():
    # The same lake at 10 m says where the shore is.
    _, fine = sl.simulate_scene("2017-10-22", size=(800, 800), resolution=30)
    _, coarse = sl.simulate_scene("2017-10-22", size=(300, 300), resolution=90)
    shore = shapely.union_all(shorelines(fine).geometry.values)
    lines = shorelines(coarse)
    largest = lines.loc[lines["length_km"].idxmax(), "geometry"]
    points = shapely.points(shapely.get_coordinates(largest))
    inside = shapely.box(*shorelines(fine).total_bounds).buffer(-100)
    distances = shapely.distance(points[shapely.within(points, inside)], shore)
    assert np.median(distances) < 0.1 * 90
    assert np.quantile(distances, 0.95) < 0.5 * 90


def test_another_level_lies_further_in():
    grid = lake_grid((100, 100))
    fraction = fraction_of(lake_fraction(grid, radius=1000), grid)
    lakes = [
        shapely.Polygon(shorelines(fraction, level=level).geometry.iloc[0])
        for level in (0.1, 0.5, 0.9)
    ]
    assert lakes[0].contains(lakes[1])
    assert lakes[1].contains(lakes[2])


def test_water_lies_on_the_left_of_a_line_and_islands_run_clockwise():
    grid = lake_grid((100, 100))
    lake = lake_fraction(grid, radius=1000) - lake_fraction(grid, radius=300)
    for water in (fraction_of(lake, grid), mask_of(lake > 0.5, grid)):
        lines = shorelines(water).sort_values("length_km")
        assert lines["island"].tolist() == [True, False]
        assert [shapely.is_ccw(shapely.LinearRing(line)) for line in lines.geometry] == [
            False,
            True,
        ]


def test_what_was_not_observed_cuts_the_line_and_gets_none_of_its_own():
    grid = lake_grid((100, 100))
    values = lake_fraction(grid, radius=1000)
    values[:, 45:55] = np.nan
    lines = shorelines(fraction_of(values, grid))
    assert not lines["closed"].any()
    assert len(lines) == 2
    hidden = shapely.box(*grid[:, 45:55].extent.geom.bounds)
    assert not lines.intersects(hidden.buffer(14)).any()
    assert lines.intersects(hidden.buffer(46)).all()  # they end at the last observed centres


def test_there_is_no_line_along_the_border_of_the_map():
    grid = lake_grid((20, 20))
    assert len(shorelines(fraction_of(np.ones(grid.shape), grid))) == 0
    assert len(shorelines(mask_of(np.ones(grid.shape), grid))) == 0
    half = np.ones(grid.shape)
    half[:, 10:] = 0
    for water in (fraction_of(half, grid), mask_of(half, grid)):
        lines = shorelines(water)
        assert len(lines) == 1
        points = shapely.get_coordinates(lines.geometry.values)
        np.testing.assert_allclose(points[:, 0], grid.affine.c + 300)


@pytest.mark.parametrize("height", [7, 64])
def test_stripes_and_chunks_do_not_change_the_lines(monkeypatch, height):
    grid = lake_grid((130, 90))
    fraction, mask = fraction_of(wavy(), grid), mask_of(np.nan_to_num(wavy(), nan=1) > 0.5, grid)
    whole = [shorelines(fraction), shorelines(mask)]
    assert whole[0]["closed"].any()
    assert whole[0]["island"].any()
    assert not whole[0]["closed"].all()
    for module in (contour, outline):
        monkeypatch.setattr(module, "STRIPE", height)
    lazy = [shorelines(fraction.chunk(y=33, x=21)), shorelines(mask.chunk(y=50))]
    for one, other in zip(whole, lazy, strict=True):
        assert len(one) == len(other)
        same = [shapely.normalize(frame.geometry.values) for frame in (one, other)]
        assert set(shapely.to_wkb(same[0])) == set(shapely.to_wkb(same[1]))
        assert one["length_km"].sum() == pytest.approx(other["length_km"].sum(), rel=1e-12)
    # The bytes are the same whatever the chunks.
    again = shorelines(fraction.chunk(y=11)), shorelines(mask.chunk(x=50))
    for one, other in zip(lazy, again, strict=True):
        assert one.to_wkb().equals(other.to_wkb())


def test_lines_never_meet_themselves():
    grid = lake_grid((130, 90))
    lines = shorelines(fraction_of(wavy(), grid))
    assert shapely.is_simple(lines.geometry.values).all()


# --- from a mask -------------------------------------------------------------


def test_the_line_of_a_mask_runs_along_the_edges_of_its_pixels():
    grid = lake_grid((5, 5))
    water = np.zeros((5, 5))
    water[1:4, 1:3] = 1
    line = shorelines(mask_of(water, grid)).geometry.iloc[0]
    box = grid[1:4, 1:3].extent.geom
    assert shapely.Polygon(line).equals(box)
    assert len(line.coords) == 5


def test_pixels_that_meet_at_a_corner_have_lines_of_their_own():
    lines = shorelines(mask_of(np.eye(3)[:, ::-1].copy(), lake_grid((3, 3))))
    assert lines["closed"].sum() == 1  # the corners of the map cut the other two
    assert len(lines) == 3


def test_a_smoothed_line_stays_within_half_a_pixel_of_the_raw_one():
    rng = np.random.default_rng(5)
    mask = mask_of(rng.choice([0, 1, 255], p=[0.45, 0.45, 0.1], size=(60, 60)), lake_grid((60, 60)))
    wide = mask_of(lake_fraction(lake_grid((60, 60)), radius=700) > 0.5, lake_grid((60, 60)))
    slope = fraction_of(wavy((60, 60)), lake_grid((60, 60)))
    for water in (mask, wide, slope):
        raw, smooth = shorelines(water), shorelines(water, smooth=True)
        assert smooth["smoothed"].all()
        assert len(raw) == len(smooth)
        assert shapely.hausdorff_distance(raw.geometry.values, smooth.geometry.values).max() <= 15
        np.testing.assert_array_equal(raw["closed"], smooth["closed"])
    lengths = [shorelines(wide, smooth=smooth)["length_km"].sum() for smooth in (False, True)]
    assert 2 * np.pi * 0.7 < lengths[1] < 0.9 * lengths[0]


def test_each_date_has_its_lines():
    grid = lake_grid()
    small, large = (lake_fraction(grid, radius=radius) > 0.5 for radius in (300, 600))
    both = mask_of(np.stack([large, small]), grid)
    lines = shorelines(both)
    assert lines["date"].dt.strftime("%Y-%m-%d").tolist() == ["1988-10-22", "1988-11-07"]
    assert lines["length_km"].iloc[0] > lines["length_km"].iloc[1]
    undated = shorelines(mask_of(large, grid, time=None))
    assert undated["date"].isna().all()


def test_a_decoded_mask_is_taken_for_the_mask_that_it_was():
    grid = lake_grid((5, 5))
    water = np.zeros((5, 5))
    water[2, 1:4] = 1
    mask = mask_of(water, grid)
    decoded = mask.astype(float)
    decoded.attrs = dict(mask.attrs)
    assert shorelines(decoded).geometry.equals(shorelines(mask).geometry)


def test_in_degrees_lengths_are_those_on_the_earth():
    grid = lake_grid((10, 10), 0.01, "EPSG:4326", (-118.0, 60.0))
    water = np.zeros((10, 10))
    water[5:] = 1
    line = shorelines(mask_of(water, grid)).iloc[0]
    # 0.1 degrees along the parallel of 59.95 N.
    assert line.length_km == pytest.approx(5.589, abs=0.001)
    assert line.geometry.coords[0][0] > line.geometry.coords[-1][0]  # water to the south


def test_maps_of_one_row_or_pixel_have_no_line_between_centres():
    for shape in ((1, 1), (1, 9), (9, 1)):
        grid = lake_grid(shape)
        assert len(shorelines(fraction_of(np.linspace(0, 1, max(shape)).reshape(shape), grid))) == 0
        assert len(shorelines(mask_of(np.ones(shape), grid))) == 0


# --- what is refused ---------------------------------------------------------


def test_what_is_neither_fraction_nor_mask_is_refused():
    grid = lake_grid((3, 3))
    mask = mask_of(np.eye(3), grid)
    with pytest.raises(ConfigurationError, match="got 3"):
        shorelines(fraction_of(3 * np.eye(3), grid))
    with pytest.raises(ConfigurationError, match="0, 1 and 255, got 7"):
        shorelines(mask * np.uint8(7))
    with pytest.raises(ConfigurationError, match="water fraction or a water mask"):
        shorelines(sl.compare(mask, mask))
    with pytest.raises(ConfigurationError, match="int32"):
        shorelines(mask.astype("int32"))
    with pytest.raises(ConfigurationError, match="level= has no meaning for a water mask"):
        shorelines(mask, level=0.3)
    for level in (0.0, 1.0, np.nan):
        with pytest.raises(ConfigurationError, match="level= is not a water fraction"):
            shorelines(fraction_of(np.eye(3), grid), level=level)
    with pytest.raises(MissingCRSError):
        shorelines(xr.DataArray(np.eye(3), dims=("y", "x")))


def test_without_geopandas_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "geopandas":
            raise ImportError("no", name="geopandas")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    mask = mask_of(np.eye(3), lake_grid((3, 3)))
    for function in (sl.shorelines, sl.water_polygons):
        with pytest.raises(MissingDependencyError, match=r"geopandas.*python -m pip install"):
            function(mask)
    assert grid_of(mask).shape == (3, 3)


def test_around_a_pixel_that_is_just_the_level_there_is_no_line():
    values = np.ones((7, 9))
    values[3, 4] = 0.5
    assert len(shorelines(fraction_of(values, lake_grid((7, 9))))) == 0
    values[3, 4] = 0.25
    assert len(shorelines(fraction_of(values, lake_grid((7, 9))))) == 1
