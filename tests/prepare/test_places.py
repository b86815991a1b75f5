"""The same place gives the same answer, however it is written: turns, corners, directions."""

from __future__ import annotations

import io
import json
import warnings

import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

import strandline as sl
from strandline.errors import GridError, SuspiciousSceneWarning
from strandline.export.raster import write_cog
from strandline.export.stac import write_item
from strandline.prepare.georeference import grid_of, pixel_at
from strandline.scenes.stac.area import area_of
from strandline.show import change_map, label_map, true_colour, water_map

LAKE = (-118.7081, 38.6942)
CORNER = Affine(240, 0, 336975, 0, -240, 4301055)


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    """Walker Lake in 2017 on the grid of the small odd files; its lake covers 118.81 km²."""
    lake, _ = sl.simulate_scene("2017-10-22", resolution=60)
    return sl.regrid(lake, GeoBox((140, 120), CORNER, "EPSG:32611")).compute()


@pytest.fixture(scope="module")
def in_degrees(scene) -> xr.DataArray:
    grid = sl.make_grid(center=LAKE, buffer=14_000, resolution=0.0025, crs="EPSG:4326")
    return sl.regrid(scene, grid).compute()


def turned(array: xr.DataArray, degrees: float) -> xr.DataArray:
    grid = grid_of(array)
    moved = GeoBox(grid.shape, Affine.translation(degrees, 0) * grid.affine, grid.crs)
    bare = array.drop_vars(["x", "y", "spatial_ref"])
    return bare.assign_coords(xr_coords(moved, always_yx=True))


# --- longitudes --------------------------------------------------------------------


@pytest.mark.parametrize("counted", [0, 360, -360])
@pytest.mark.parametrize("asked", [0, 360])
def test_a_point_is_the_same_on_whichever_turn_grid_and_point_count(in_degrees, counted, asked):
    expected = pixel_at(grid_of(in_degrees), LAKE)
    grid = grid_of(turned(in_degrees, counted))
    assert pixel_at(grid, (LAKE[0] + asked, LAKE[1])) == expected


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326", "EPSG:32601"])
def test_a_point_across_the_antimeridian_is_found(crs):
    size = 0.001 if crs == "EPSG:4326" else 100
    grid = sl.make_grid(bbox=(179.9, -17.0, -179.9, -16.9), resolution=size, crs=crs)
    assert grid.shape[1] < 300
    assert pixel_at(grid, (-179.95, -16.95)) == pixel_at(grid, (180.05, -16.95))
    row, column = pixel_at(grid, (-179.95, -16.95))
    assert abs(column - 0.75 * grid.shape[1]) < 0.05 * grid.shape[1]
    assert abs(row - 0.5 * grid.shape[0]) < 0.05 * grid.shape[0]


@pytest.mark.parametrize("crs", [None, "EPSG:3857", "EPSG:4326", "EPSG:6933", "EPSG:3832"])
def test_boxes_and_centres_mean_the_same_on_every_turn(crs):
    size = 0.0003 if crs == "EPSG:4326" else 30
    boxes = [(-118.9, 38.5, -118.5, 38.9), (241.1, 38.5, 241.5, 38.9), (241.1, 38.5, -118.5, 38.9)]
    grids = [sl.make_grid(bbox=box, resolution=size, crs=crs) for box in boxes]
    centres = [(-118.7, 38.7), (241.3, 38.7)]
    grids_around = [sl.make_grid(center=c, buffer=900, resolution=size, crs=crs) for c in centres]
    assert grids[0] == grids[1] == grids[2]
    assert grids_around[0] == grids_around[1]
    across = [(179.9, -17, -179.9, -16.9), (179.9, -17, 180.1, -16.9), (-180.1, -17, -179.9, -16.9)]
    found = [sl.make_grid(bbox=box, resolution=size, crs=crs) for box in across]
    assert found[0] == found[1] == found[2]
    assert found[0].shape[1] < 1000


def test_a_box_around_the_earth_twice_is_refused():
    with pytest.raises(GridError, match="more than once"):
        sl.make_grid(bbox=(-180, 0, 200, 1), resolution=0.5, crs="EPSG:4326")


def test_a_polygon_cut_at_the_antimeridian_is_one_place():
    def square(west: float, east: float) -> list:
        return [[[west, -17], [east, -17], [east, -16.9], [west, -16.9], [west, -17]]]

    cut = {"type": "MultiPolygon", "coordinates": [square(179.9, 180), square(-180, -179.9)]}
    whole = sl.make_grid(bbox=(179.9, -17, -179.9, -16.9), resolution=100, crs="EPSG:3857")
    assert sl.make_grid(geometry=cut, resolution=100, crs="EPSG:3857") == whole


@pytest.mark.parametrize("counted", [0, 360])
def test_scenes_overlap_with_a_grid_whose_longitudes_begin_elsewhere(scene, in_degrees, counted):
    given = turned(in_degrees, counted)
    utm = sl.make_grid(center=LAKE, buffer=5000, resolution=240)
    expected = sl.regrid(in_degrees, utm)
    np.testing.assert_array_equal(sl.regrid(given, utm).values, expected.values)
    for longitude in (LAKE[0], LAKE[0] + 360):
        near = sl.make_grid(center=(longitude, LAKE[1]), buffer=5000, like=given)
        crop = sl.regrid(given, near)
        assert not np.isnan(crop.values).any()
        assert abs(float(crop.x.mean()) - (LAKE[0] + counted)) < 0.01
    target = grid_of(given)
    np.testing.assert_allclose(sl.regrid(scene, target).values, in_degrees.values, rtol=1e-6)


def test_a_scene_across_the_antimeridian_is_put_on_any_grid():
    grid = sl.make_grid(bbox=(179.9, -17.0, -179.9, -16.9), resolution=100)
    values = np.random.default_rng(0).uniform(0, 0.3, (1, *grid.shape)).astype(np.float32)
    west_to_east = values * 0 + np.linspace(0, 0.3, grid.shape[1], dtype=np.float32)
    coords = {"band": ["green"], **xr_coords(grid, always_yx=True)}
    utm = xr.DataArray(west_to_east, dims=("band", "y", "x"), coords=coords)
    for crs, size in (("EPSG:3857", 100), ("EPSG:4326", 0.001)):
        there = sl.make_grid(bbox=(179.92, -16.98, -179.92, -16.92), resolution=size, crs=crs)
        moved = sl.regrid(utm, there)
        assert not np.isnan(moved.values).any()
        assert (np.diff(moved.values[0, 20]) > 0).all()
        back = sl.regrid(moved, sl.make_grid(center=(180.0, -16.95), buffer=2000, resolution=100))
        assert not np.isnan(back.values).any()
        assert (np.diff(back.values[0, 5]) > -1e-6).all()


@pytest.mark.parametrize("counted", [0, 360])
def test_the_lake_is_the_same_on_a_grid_from_0_to_360(in_degrees, tmp_path, counted):
    given = turned(in_degrees, counted)
    opened = sl.open_scene(given)
    assert -180 <= float(opened.x.min()) < 180
    segmentation = sl.segment(given, n_clusters=6)
    mask = sl.water_mask(segmentation, sl.find_water(segmentation, at=LAKE))
    for point in (LAKE, (LAKE[0] + 360, LAKE[1])):
        lake = float(sl.areas(mask, at=point)["best"].iloc[0])
        assert lake == pytest.approx(118.81, rel=0.015)
    write_item(tmp_path, grid_of(given), ["2017-10-22"])
    item = json.loads((tmp_path / "item.json").read_text())
    west, _, east, _ = item["bbox"]
    assert -180 <= west < LAKE[0] < east < 180


def test_the_footprint_of_results_is_cut_at_the_antimeridian(tmp_path):
    for crs, size in (("EPSG:3857", 100), ("EPSG:4326", 0.001), (None, 100)):
        grid = sl.make_grid(bbox=(179.9, -17.0, -179.9, -16.9), resolution=size, crs=crs)
        write_item(tmp_path, grid, ["2017-10-22"])
        item = json.loads((tmp_path / "item.json").read_text())
        assert item["geometry"]["type"] == "MultiPolygon"
        assert item["bbox"][0] == pytest.approx(179.9, abs=0.01)
        assert item["bbox"][2] == pytest.approx(-179.9, abs=0.01)


def test_searches_understand_every_turn():
    expected = area_of((-119, 38, -118, 39), None, None, None)
    assert area_of((241, 38, 242, 39), None, None, None).equals(expected)
    assert area_of((350, 0, 370, 1), None, None, None).bounds == (-10, 0, 10, 1)
    across = area_of((170, -20, -170, -10), None, None, None)
    for box in ((170, -20, 190, -10), (-190, -20, -170, -10)):
        assert area_of(box, None, None, None).equals(across)
    a, b = (area_of(None, None, (lon, 38.7), 5000) for lon in (-118.7, 241.3))
    assert a.bounds == pytest.approx(b.bounds, abs=1e-9)


# --- metres on the ground -------------------------------------------------------------


@pytest.mark.parametrize(
    ("crs", "center"),
    [
        ("EPSG:3857", LAKE), ("EPSG:3857", (10.0, 60.0)), ("EPSG:3857", (179.99, -17.0)),
        ("EPSG:3413", (-45.0, 60.0)), ("EPSG:3031", (0.0, -85.0)), ("EPSG:3995", (30.0, 89.0)),
        ("EPSG:6933", LAKE), ("EPSG:5070", LAKE), ("EPSG:32611", LAKE), ("EPSG:2226", LAKE),
    ],
)  # fmt: skip
def test_a_buffer_is_metres_on_the_ground_in_every_crs(crs, center):
    grid = sl.make_grid(center=center, buffer=16_000, resolution=10, crs=crs)
    west, south, east, north = grid.boundingbox.bbox
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    to_crs = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = to_crs.transform(*center)
    ground = pyproj.Geod(ellps="WGS84")
    for side in ((west, y), (east, y), (x, south), (x, north)):
        distance = ground.inv(*center, *to_degrees.transform(*side))[2]
        assert distance == pytest.approx(16_000, rel=3e-3)


def test_a_margin_around_a_box_is_metres_on_the_ground_too():
    box = (-118.8, 38.6, -118.6, 38.8)
    bare = sl.make_grid(bbox=box, resolution=10, crs="EPSG:3857").boundingbox
    wide = sl.make_grid(bbox=box, buffer=5000, resolution=10, crs="EPSG:3857").boundingbox
    scale = 1 / np.cos(np.radians(38.7))
    for side in ("left", "bottom", "right", "top"):
        moved = abs(getattr(wide, side) - getattr(bare, side))
        assert moved == pytest.approx(5000 * scale, rel=5e-3)


def test_utm_grids_are_as_they_were():
    grid = sl.make_grid(center=LAKE, buffer=16_500, resolution=30, crs="EPSG:32611")
    assert grid.shape == (1101, 1101)


def test_areas_are_true_in_web_mercator(scene):
    grid = sl.make_grid(center=LAKE, buffer=13_500, resolution=240, crs="EPSG:3857")
    mask = sl.water_mask(sl.segment(sl.regrid(scene, grid), n_clusters=6))
    lake = float(sl.areas(mask, at=LAKE)["best"].iloc[0])
    assert lake == pytest.approx(118.81, rel=0.015)


# --- corners and centres ---------------------------------------------------------------


def as_stackstac_makes_it(scene: xr.DataArray, xy_coords: str | bool) -> xr.DataArray:
    """Coordinates and attributes as `stackstac.stack` gives them."""
    rows, columns = scene.sizes["y"], scene.sizes["x"]
    half = 120.0 if xy_coords == "center" else 0.0
    left, right = 336975 + half, 336975 + 240 * columns + half
    top, bottom = 4301055 + half, 4301055 - 240 * rows + half
    if xy_coords == "center":
        top, bottom = 4301055 - half, 4301055 - 240 * rows - half
    coords = {
        "time": pd.DatetimeIndex(["2017-10-22T18:33:10"]),
        "id": ("time", ["LC08_L2SP_042033_20171022_02_T1"]),
        "band": scene.band.values,
        "epsg": 32611,
    }
    if xy_coords is not False:
        coords["x"] = np.linspace(left, right, columns, endpoint=False)
        coords["y"] = np.linspace(top, bottom, rows, endpoint=False)
    return xr.DataArray(
        scene.values.astype(np.float64)[None],
        dims=("time", "band", "y", "x"),
        coords=coords,
        attrs={"spec": object(), "crs": "epsg:32611", "transform": CORNER, "resolution": 240.0},
    )


@pytest.mark.parametrize("xy_coords", ["topleft", "center", False])
def test_arrays_of_stackstac_lie_where_their_transform_says(scene, xy_coords):
    stack = as_stackstac_makes_it(scene, xy_coords)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SuspiciousSceneWarning)
        for source in (stack, stack.isel(time=0), stack.astype("float32")):
            opened = sl.open_scene(source)
            assert grid_of(opened) == GeoBox((140, 120), CORNER, "EPSG:32611")
            np.testing.assert_allclose(opened.values, scene.values, atol=1e-6)


def test_a_crop_of_a_stack_lies_where_it_was(scene):
    crop = as_stackstac_makes_it(scene, "topleft").isel(time=0)[:, 20:60, 10:50]
    expected = GeoBox((40, 40), CORNER * Affine.translation(10, 20), "EPSG:32611")
    assert grid_of(sl.open_scene(crop)) == expected
    upside_down = crop[:, ::-1]
    assert grid_of(sl.open_scene(upside_down)) == expected


def test_an_averaged_stack_keeps_its_coordinates(scene):
    stack = as_stackstac_makes_it(scene, "center").isel(time=0)
    coarse = stack.coarsen(x=2, y=2).mean(keep_attrs=True)
    expected = GeoBox((70, 60), CORNER * Affine.scale(2), "EPSG:32611")
    assert grid_of(sl.open_scene(coarse)) == expected


def test_a_stack_used_without_open_scene_lies_where_its_transform_says(scene):
    raw = as_stackstac_makes_it(scene, "topleft").isel(time=0)
    expected = GeoBox((140, 120), CORNER, "EPSG:32611")
    assert grid_of(raw) == expected
    assert grid_of(sl.segment(raw.odc.assign_crs("EPSG:32611"), n_clusters=4).labels) == expected
    small = sl.make_grid(center=LAKE, buffer=3000, resolution=240)
    xr.testing.assert_allclose(
        sl.regrid(raw, small).drop_attrs().reset_coords(drop=True),
        sl.regrid(scene, small).astype(float).drop_attrs().reset_coords(drop=True),
    )


def test_a_geotransform_that_contradicts_the_coordinates_places_the_pixels(scene):
    grid = GeoBox((140, 120), CORNER, "EPSG:32611")
    right = xr.DataArray(
        scene.values,
        dims=("band", "y", "x"),
        coords={"band": scene.band.values, **xr_coords(grid, always_yx=True)},
    )
    wrong = right.assign_coords(x=right.x - 120, y=right.y + 120)
    assert wrong.spatial_ref.attrs["GeoTransform"] == right.spatial_ref.attrs["GeoTransform"]
    with pytest.warns(SuspiciousSceneWarning, match="placed by the GeoTransform"):
        opened = sl.open_scene(wrong)
    assert grid_of(opened) == grid
    with warnings.catch_warnings():  # what was cropped since keeps the transform of the whole
        warnings.simplefilter("error", SuspiciousSceneWarning)
        crop = sl.open_scene(right[:, 20:60, 10:50])
    assert grid_of(crop) == GeoBox((40, 40), CORNER * Affine.translation(10, 20), "EPSG:32611")


def test_pixel_is_point_geotiffs_lie_where_gdal_says(scene, tmp_path):
    profile = {"driver": "GTiff", "count": 6, "height": 140, "width": 120, "dtype": "float32",
               "crs": "EPSG:32611", "transform": CORNER}  # fmt: skip
    for kind in ("Area", "Point"):
        with rasterio.open(tmp_path / f"{kind}.tif", "w", **profile) as dataset:
            dataset.update_tags(AREA_OR_POINT=kind)
            dataset.write(scene.sel(band=list(scene.band.values[-6:])).values)
            dataset.descriptions = tuple(map(str, scene.band.values[-6:]))
    grids = [grid_of(sl.open_scene(tmp_path / f"{kind}.tif")) for kind in ("Area", "Point")]
    assert grids[0] == grids[1] == GeoBox((140, 120), CORNER, "EPSG:32611")


# --- directions --------------------------------------------------------------------------


DIRECTIONS = {"south-up": (-1, 1), "east-to-west": (1, -1), "both": (-1, -1)}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_rasters_in_every_direction_open_north_up(scene, tmp_path, direction):
    pytest.importorskip("rioxarray")
    down, across = DIRECTIONS[direction]
    corner = CORNER
    if down < 0:
        corner = corner * Affine.translation(0, 140) * Affine.scale(1, -1)
    if across < 0:
        corner = corner * Affine.translation(120, 0) * Affine.scale(-1, 1)
    values = scene.values[:, ::down, ::across]
    profile = {"driver": "GTiff", "count": len(values), "height": 140, "width": 120,
               "dtype": "float32", "crs": "EPSG:32611", "transform": corner}  # fmt: skip
    with rasterio.open(tmp_path / "turned.tif", "w", **profile) as dataset:
        dataset.write(values)
        dataset.descriptions = tuple(map(str, scene.band.values))
    opened = sl.open_scene(tmp_path / "turned.tif")
    assert grid_of(opened) == GeoBox((140, 120), CORNER, "EPSG:32611")
    assert opened.rio.transform() == CORNER
    np.testing.assert_allclose(opened.values, scene.values, atol=1e-6)
    array = scene[:, ::down, ::across]
    np.testing.assert_allclose(sl.open_scene(array).values, scene.values, atol=1e-6)


def png(figure) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def test_pictures_report_and_exports_of_arrays_in_any_direction_are_north_up(scene, tmp_path):
    segmentation = sl.segment(scene, n_clusters=5)
    evidence = sl.find_water(segmentation)
    mask = sl.water_mask(segmentation, evidence)
    one = mask.isel(time=0) if "time" in mask.dims else mask
    change = sl.compare(one, one)

    def flip(array):
        return array.isel(y=slice(None, None, -1), x=slice(None, None, -1))

    pairs = [
        (true_colour(scene), true_colour(flip(scene))),
        (label_map(segmentation.labels), label_map(flip(segmentation.labels))),
        (water_map(mask, over=scene), water_map(flip(mask), over=flip(scene))),
        (change_map(change), change_map(flip(change))),
    ]
    for right, turned_round in pairs:
        assert png(right) == png(turned_round)
    page = sl.report(scene, segmentation, evidence, mask, change)
    assert sl.report(flip(scene), flip(segmentation), evidence, flip(mask), flip(change)) == page
    write_cog(one, tmp_path / "right.tif")
    write_cog(flip(one), tmp_path / "turned.tif")
    assert (tmp_path / "right.tif").read_bytes() == (tmp_path / "turned.tif").read_bytes()


def test_the_south_up_file_of_the_cases_opens_north_up(real_data):
    path = real_data.parent / "cases" / "south_up.tif"
    if not path.is_file():
        pytest.skip(f"the small odd files are not at {path.parent}")
    scene = sl.open_scene(path, scale=1e-4)
    assert grid_of(scene) == GeoBox((140, 120), CORNER, "EPSG:32611")
    mask = sl.water_mask(sl.segment(scene))
    assert float(sl.areas(mask, at=LAKE)["best"].iloc[0]) == pytest.approx(118.81, rel=0.01)


def test_a_rotated_map_is_refused_with_a_remedy_that_works(scene):
    grid = GeoBox((140, 120), CORNER * Affine.rotation(20), "EPSG:32611")
    coords = {"band": scene.band.values, **xr_coords(grid, always_yx=True)}
    data = xr.DataArray(scene.values, dims=("band", "y", "x"), coords=coords)
    with pytest.raises(GridError, match="is rotated") as failure:
        true_colour(data)
    call = failure.value.remedy.split("first: ")[1].rstrip(".").replace("…", "240")
    upright = eval(call, {"strandline": sl, "data": data})  # our own words
    assert grid_of(upright).axis_aligned
    true_colour(upright)
