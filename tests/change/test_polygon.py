"""`water_polygons`: every pixel of water in one valid polygon, with its true area."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize as burn
from scipy import ndimage

import strandline as sl
from strandline.change import outline
from strandline.change.polygon import water_polygons
from strandline.errors import ConfigurationError
from strandline.prepare.georeference import attach_grid, grid_of
from strandline.testing.lakes import lake_fraction, lake_grid, lonlat_of, mask_of

NEIGHBOURS = {4: None, 8: np.ones((3, 3))}


def random_mask(seed, shape=(23, 31)):
    rng = np.random.default_rng(seed)
    return mask_of(rng.choice([0, 1, 255], p=[0.35, 0.55, 0.1], size=shape), lake_grid(shape))


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("seed", range(12))
def test_any_mask_becomes_valid_polygons_of_the_same_pixels(seed, connectivity):
    mask = random_mask(seed)
    bodies = water_polygons(mask, connectivity=connectivity)
    assert bodies.is_valid.all()
    count = ndimage.label(mask.values == 1, NEIGHBOURS[connectivity])[1]
    assert len(bodies) == count
    np.testing.assert_allclose(bodies.area, bodies["pixels"] * 900)
    burnt = burn(bodies.geometry, out_shape=mask.shape, transform=grid_of(mask).affine)
    np.testing.assert_array_equal(burnt == 1, mask.values == 1)
    table = sl.areas(mask).iloc[0]
    assert bodies["pixels"].sum() == table["pixels"]
    assert bodies["area_km2"].sum() == pytest.approx(table["best"], rel=1e-12)


def test_a_lake_keeps_its_islands_and_a_lake_on_an_island():
    water = np.zeros((9, 9))
    water[1:8, 1:8] = 1
    water[3:6, 3:6] = 0
    water[4, 4] = 1
    bodies = water_polygons(mask_of(water, lake_grid((9, 9))))
    assert bodies["pixels"].tolist() == [40, 1]
    assert bodies["islands"].tolist() == [1, 0]
    assert bodies.geometry.geom_type.tolist() == ["MultiPolygon"] * 2
    assert len(bodies.geometry.iloc[0].geoms[0].interiors) == 1
    assert bodies["perimeter_km"].round(2).tolist() == [(28 + 12) * 0.03, 4 * 0.03]
    assert not bodies[["touches_unobserved", "touches_border"]].any(axis=None)


@pytest.mark.parametrize("crs", ["EPSG:32611", "EPSG:4326"])
def test_each_body_has_the_interval_of_its_own_shore(crs):
    resolution, corner = (
        (30.0, (320_000.0, 4_290_000.0)) if crs != "EPSG:4326" else (3e-4, (-119, 39))
    )
    grid = lake_grid((30, 40), crs=crs, resolution=resolution, corner=corner)
    water = np.zeros((30, 40), np.uint8)
    water[2:20, 3:15] = 1
    water[8:11, 6:9] = 0  # an island
    water[5:9, 25:34] = 1
    water[9, 34] = 1  # by a corner
    water[22:28, 5:30] = 1
    water[25:, :] = 255
    mask = mask_of(water, grid)
    columns = ["low_90", "high_90", "low_95", "high_95"]
    bodies = water_polygons(mask)
    assert len(bodies) == 3
    for number, (row, column) in enumerate([(3, 4), (23, 10), (6, 26)]):
        table = sl.areas(mask, at=lonlat_of(grid, row, column), intervals=True)
        assert bodies.loc[number, columns].tolist() == pytest.approx(
            table[columns].iloc[0].tolist()
        )


def test_each_body_has_the_mean_confidence_of_its_pixels():
    mask = random_mask(3, shape=(40, 31))
    sure = mask.astype(np.float32).copy(data=np.random.default_rng(1).random(mask.shape, "f4"))
    bodies = water_polygons(mask, confidence=sure)
    assert "confidence" not in water_polygons(mask)
    numbers, count = ndimage.label(mask.values == 1, NEIGHBOURS[8])
    means = ndimage.mean(sure.values, numbers, np.arange(1, count + 1))
    assert sorted(bodies["confidence"]) == pytest.approx(sorted(means), rel=1e-5)
    lazy = water_polygons(mask.chunk(), confidence=sure.chunk({"y": 7}))
    assert lazy["confidence"].tolist() == bodies["confidence"].tolist()
    with pytest.raises(ConfigurationError, match="not about this mask"):
        water_polygons(mask, confidence=sure[:-1])


def test_outer_rings_run_anticlockwise_and_islands_clockwise():
    for affine_sign in (1, -1):
        grid = lake_grid((7, 7)) if affine_sign == 1 else lake_grid((7, 7)).flipy()
        water = np.zeros((7, 7))
        water[1:6, 1:6] = 1
        water[3, 3] = 0
        (polygon,) = water_polygons(mask_of(water, grid)).geometry.iloc[0].geoms
        assert shapely.is_ccw(polygon.exterior)
        assert not shapely.is_ccw(polygon.interiors[0])


def test_bodies_know_where_they_may_go_on():
    water = np.array([[1, 0, 0, 0], [0, 0, 1, 255], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    bodies = water_polygons(mask_of(water, lake_grid((5, 4))))
    bodies = bodies.iloc[np.argsort(-bodies.bounds["maxy"].to_numpy())]  # from the north
    assert bodies["touches_border"].tolist() == [True, False, False]
    assert bodies["touches_unobserved"].tolist() == [False, True, False]


def test_the_minimum_mapping_unit_is_explicit_and_says_what_it_left_out():
    mask = random_mask(3)
    everything = water_polygons(mask, connectivity=4)
    assert everything.attrs["left_out"] == 0
    large = water_polygons(mask, connectivity=4, min_pixels=5)
    assert large["pixels"].min() >= 5
    assert len(large) + large.attrs["left_out"] == len(everything)
    together = large["area_km2"].sum() + large.attrs["left_out_km2"]
    assert together == pytest.approx(everything["area_km2"].sum())
    by_area = water_polygons(mask, connectivity=4, min_area=4.5 * 900e-6)
    assert by_area["pixels"].tolist() == large["pixels"].tolist()
    assert len(water_polygons(mask, min_area=1e6)) == 0


def test_stripes_and_chunks_do_not_change_the_polygons(monkeypatch):
    mask = random_mask(1, (90, 70))
    whole = water_polygons(mask)
    monkeypatch.setattr(outline, "STRIPE", 7)
    lazy = water_polygons(mask.chunk(y=13, x=40))
    assert whole.to_wkb().equals(lazy.to_wkb())


@pytest.mark.parametrize(
    ("crs", "resolution", "corner"),
    [
        ("EPSG:32611", 30.0, (350_040.0, 4_290_000.0)),
        ("EPSG:4326", 0.001, (-118.7, 68.7)),
        ("EPSG:3857", 100.0, (-13_000_000.0, 9_000_000.0)),
        ("EPSG:6933", 300.0, (-11_000_000.0, 4_000_000.0)),
    ],
)
def test_areas_are_those_of_the_table_in_any_crs(crs, resolution, corner):
    grid = lake_grid((80, 90), resolution, crs, corner)
    mask = mask_of(lake_fraction(grid, radius=30 * resolution) > 0.5, grid)
    bodies = water_polygons(mask)
    assert bodies["area_km2"].sum() == pytest.approx(sl.areas(mask)["best"].iloc[0], rel=1e-12)
    # An outside referee: the geodesic area of the outline.
    geod = bodies.crs.get_geod()
    dense = bodies.geometry.segmentize(resolution).to_crs(bodies.crs.geodetic_crs)
    area, perimeter = geod.geometry_area_perimeter(dense.iloc[0])
    assert bodies["area_km2"].iloc[0] == pytest.approx(area / 1e6, rel=1e-5)
    assert bodies["perimeter_km"].iloc[0] == pytest.approx(perimeter / 1e3, rel=1e-5)


@pytest.mark.parametrize("scene", ["liverpool_oli_2020", "tucurui_tm1988"])
def test_polygons_of_real_references_have_the_area_of_the_table(real_data, scene):
    with rasterio.open(real_data / scene / "water_reference.tif") as file:
        grid = lake_grid(file.shape, file.res[0], file.crs, (file.transform.c, file.transform.f))
        mask = attach_grid(mask_of(file.read(1), grid), grid)
    bodies = water_polygons(mask)
    table = sl.areas(mask).iloc[0]
    assert bodies.is_valid.all()
    assert bodies["pixels"].sum() == table["pixels"]
    assert bodies["area_km2"].sum() == pytest.approx(table["best"], rel=1e-12)
    assert bodies["touches_unobserved"].any()


def test_dates_follow_each_other_and_no_water_is_an_empty_table():
    grid = lake_grid()
    lake = lake_fraction(grid, radius=600) > 0.5
    both = water_polygons(mask_of(np.stack([np.zeros(grid.shape), lake]), grid))
    assert both["date"].dt.strftime("%Y-%m-%d").tolist() == ["1988-11-07"]
    none = water_polygons(mask_of(np.zeros(grid.shape), grid))
    assert len(none) == 0
    assert none.crs.to_epsg() == 32611
    assert list(none.columns) == list(both.columns)


def test_what_cannot_be_is_refused():
    mask = random_mask(0)
    with pytest.raises(ConfigurationError, match="connectivity=4 or 8, got 6"):
        water_polygons(mask, connectivity=6)
    with pytest.raises(ConfigurationError, match="min_pixels= cannot be negative"):
        water_polygons(mask, min_pixels=-1)
    with pytest.raises(ConfigurationError, match="Polygons of water need a water mask"):
        water_polygons(mask.drop_attrs().astype(float))
    with pytest.raises(ConfigurationError, match="Polygons of water need a water mask"):
        water_polygons(sl.compare(mask, mask))
