"""`make_grid`: the right CRS, the right bounds, the right lattice, and clear refusals."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from odc.geo.geobox import GeoBox
from odc.geo.geom import box

from strandline.errors import GridError, MissingCRSError
from strandline.prepare.extent import utm_crs
from strandline.prepare.georeference import grid_of, pixel_offset, same_grid
from strandline.prepare.grid import make_grid
from strandline.testing.lakes import lake_grid, round_lake

WALKER = (-118.71, 38.70)


def test_a_square_around_walker_lake_as_the_notebook_makes_it():
    grid = make_grid(center=WALKER, buffer=17_000, resolution=30)
    x, y = pyproj.Transformer.from_crs(4326, 32611, always_xy=True).transform(*WALKER)
    west, south, east, north = grid.boundingbox.bbox
    assert grid.crs.epsg == 32611
    # Outward, by less than one pixel.
    for got, wanted in ((west, x - 17_000), (south, y - 17_000)):
        assert 0 <= wanted - got < 30
    for got, wanted in ((east, x + 17_000), (north, y + 17_000)):
        assert 0 <= got - wanted < 30
    assert (west % 30, north % 30) == (0, 0)
    assert grid.resolution.x == 30
    assert grid.resolution.y == -30


def test_the_buffer_can_differ_between_east_west_and_north_south():
    grid = make_grid(center=WALKER, buffer=(3_000, 9_000), resolution=100)
    assert grid.shape[1] in (60, 61)
    assert grid.shape[0] in (180, 181)


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg"),
    [
        (-118.7, 38.7, 32611),
        (-68.0, -16.0, 32719),
        (0.0, 0.0, 32631),
        (-180.0, 10.0, 32601),
        (179.999, 10.0, 32660),
        (180.0, -10.0, 32701),
        (241.3, 38.7, 32611),
        (5.0, 60.0, 32631),
    ],
)
def test_the_default_crs_is_the_utm_zone(longitude, latitude, epsg):
    assert utm_crs(longitude, latitude).epsg == epsg
    assert make_grid(center=(longitude, latitude), buffer=900, resolution=30).crs.epsg == epsg


def test_a_buffer_larger_than_the_earth_is_refused():
    with pytest.raises(GridError, match=r"around the Earth.*20,003,932 m.*got 50,000,000 m"):
        make_grid(center=(-118.7, 38.7), buffer=5e7, resolution=3000)


def test_there_is_no_utm_at_the_poles():
    with pytest.raises(GridError, match=r"UTM does not reach the poles.*EPSG:3413"):
        make_grid(center=(0, 88), buffer=900, resolution=30)
    grid = make_grid(center=(0, 90), buffer=900, resolution=30, crs="EPSG:3413")
    assert grid.shape == (60, 60)


def test_metres_become_degrees_in_a_geographic_crs():
    grid = make_grid(center=(-118.71, 60.0), buffer=10_000, resolution=0.0001, crs="EPSG:4326")
    west, south, east, north = grid.boundingbox.bbox
    geod = pyproj.Geod(ellps="WGS84")
    width = geod.line_length(np.linspace(west, east, 100), np.full(100, 60.0))
    height = geod.line_length([-118.71, -118.71], [south, north])
    assert width == pytest.approx(20_000, abs=12)
    assert height == pytest.approx(20_000, abs=23)
    assert east - west > 1.9 * (north - south)


def test_metres_become_feet_in_a_crs_in_feet():
    grid = make_grid(center=(-119.9, 39.5), buffer=3_048, resolution=100, crs="EPSG:3423")
    unit = grid.crs.proj.axis_info[0].unit_conversion_factor
    assert unit == pytest.approx(0.3048, rel=1e-5)
    assert grid.shape[0] in (200, 201)


def test_bounds_that_lie_on_the_lattice_add_no_pixel():
    bounds = (349_980.0, 4_280_010.0, 350_580.0, 4_280_910.0)
    grid = make_grid(bbox=bounds, bbox_crs="EPSG:32611", resolution=30, crs="EPSG:32611")
    assert grid.boundingbox.bbox == bounds
    assert grid.shape == (30, 20)


def test_a_box_in_degrees_is_covered_with_its_curved_edges():
    bounds = (-120.0, 38.0, -117.0, 40.0)
    grid = make_grid(bbox=bounds, resolution=300)
    assert grid.crs.epsg == 32611
    to_map = pyproj.Transformer.from_crs(4326, 32611, always_xy=True)
    longitude, latitude = np.meshgrid(np.linspace(-120, -117, 200), np.linspace(38, 40, 200))
    x, y = to_map.transform(longitude, latitude)
    west, south, east, north = grid.boundingbox.bbox
    # The northern edge bulges by kilometres between its corners.
    assert west <= x.min()
    assert x.max() <= east
    assert south <= y.min() + 1
    assert y.max() <= north
    assert north - y.max() < 301
    assert y.max() - to_map.transform(-120, 40)[1] < 0 or y.max() > to_map.transform(-117, 40)[1]


def test_a_box_across_the_antimeridian():
    grid = make_grid(bbox=(179.5, -17.5, -179.5, -16.5), resolution=300)
    assert grid.crs.epsg == 32701
    to_map = pyproj.Transformer.from_crs(4326, 32701, always_xy=True)
    x, _ = to_map.transform([179.5, 179.5, -179.5, -179.5], [-17.5, -16.5, -17.5, -16.5])
    assert 0 <= min(x) - grid.boundingbox.left < 300
    assert 0 <= grid.boundingbox.right - max(x) < 300


def test_a_box_around_the_pole_contains_the_pole():
    grid = make_grid(bbox=(-180, 80, 180, 90), resolution=10_000, crs="EPSG:3413")
    west, south, east, north = grid.boundingbox.bbox
    assert west < -1e6 < 1e6 < east
    assert south < -1e6 < 1e6 < north


LAKE = {
    "type": "Polygon",
    "coordinates": [
        [[-118.8, 38.6], [-118.6, 38.6], [-118.6, 38.8], [-118.8, 38.8], [-118.8, 38.6]]
    ],
}


class _Shape:
    __geo_interface__ = LAKE


@pytest.mark.parametrize(
    "geometry",
    [
        LAKE,
        {"type": "Feature", "properties": {}, "geometry": LAKE},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": LAKE}]},
        {"type": "GeometryCollection", "geometries": [LAKE]},
        _Shape(),
        box(-118.8, 38.6, -118.6, 38.8, "EPSG:4326"),
    ],
    ids=["polygon", "feature", "collection", "geometries", "interface", "odc"],
)
def test_any_form_of_geometry_gives_the_same_grid(geometry):
    expected = make_grid(bbox=(-118.8, 38.6, -118.6, 38.8), resolution=100)
    assert make_grid(geometry=geometry, resolution=100) == expected


def test_a_geometry_in_its_own_crs_and_with_a_margin():
    shape = box(350_040, 4_290_000, 350_940, 4_290_600, "EPSG:32611")
    assert make_grid(geometry=shape, resolution=30).shape == (20, 30)
    assert make_grid(geometry=shape, resolution=30, buffer=60).shape == (24, 34)
    named = make_grid(geometry=shape.json, bbox_crs="EPSG:32611", resolution=30)
    assert named == make_grid(geometry=shape, resolution=30)


def test_a_point_gets_one_pixel():
    grid = make_grid(geometry={"type": "Point", "coordinates": WALKER}, resolution=30)
    assert grid.shape == (1, 1)


def test_like_takes_the_lattice_of_a_scene():
    # Landsat puts pixel centres, not corners, on multiples of 30 m.
    scene = round_lake(grid=lake_grid((50, 60), corner=(350_025.0, 4_290_015.0)))
    assert make_grid(like=scene) == grid_of(scene)
    around = make_grid(center=WALKER, buffer=900, like=scene)
    assert pixel_offset(around, grid_of(scene)) is not None
    assert around.boundingbox.left % 30 == 15
    coarse = make_grid(like=scene, resolution=60)
    assert coarse.resolution.x == 60
    assert coarse.boundingbox.left % 60 == 0
    assert make_grid(like=scene, crs="EPSG:3857", resolution=30).crs.epsg == 3857


def test_align_puts_a_corner_at_a_point():
    grid = make_grid(center=WALKER, buffer=900, resolution=30, align=(15, 15))
    assert (grid.boundingbox.left % 30, grid.boundingbox.top % 30) == (15, 15)


def test_like_takes_the_lattice_of_a_real_scene_in_degrees(real_data):
    import rasterio

    with rasterio.open(real_data / "ucayali_series" / "1990.tif") as file:
        model = GeoBox(file.shape, file.transform, str(file.crs))
    grid = make_grid(center=(-74.3, -8.0), buffer=8_000, like=model)
    assert grid.crs.epsg == 4326
    assert pixel_offset(grid, model) is not None
    assert (abs(grid.resolution.x), abs(grid.resolution.y)) == pytest.approx(
        (model.resolution.x, -model.resolution.y)
    )


def test_a_south_up_scene_gives_a_north_up_grid_on_its_lattice():
    model = GeoBox.from_bbox((0, 0, 300, 300), "EPSG:32611", resolution=30)
    flipped = GeoBox(model.shape, model.flipy().affine, model.crs)
    assert make_grid(bbox=(0, 0, 300, 300), bbox_crs="EPSG:32611", like=flipped) == model


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "got none of them"),
        ({"center": WALKER, "bbox": (0, 0, 1, 1), "buffer": 1}, "got center and bbox"),
        ({"center": WALKER, "resolution": 30}, "buffer=… in metres"),
        ({"center": WALKER, "buffer": 900}, "resolution=… in units of the CRS"),
        ({"center": WALKER, "buffer": 0, "resolution": 30}, "The buffer makes no grid.*got 0"),
        ({"center": WALKER, "buffer": -5, "resolution": 30}, "positive number"),
        ({"center": WALKER, "buffer": "wide", "resolution": 30}, "got 'wide'"),
        ({"center": WALKER, "buffer": 900, "resolution": -30}, "The resolution makes no grid"),
        ({"center": WALKER, "buffer": 900, "resolution": float("nan")}, "resolution makes no"),
        ({"center": WALKER, "buffer": 900, "resolution": (30, 30, 30)}, "resolution makes no"),
        (
            {"center": (38.7, -118.7), "buffer": 900, "resolution": 30},
            "center=.-118.7, 38.7",
        ),
        ({"center": (500, 95), "buffer": 900, "resolution": 30}, "not on Earth.*500, 95"),
        ({"center": (1, 2, 3), "buffer": 900, "resolution": 30}, "2 finite numbers"),
        ({"center": (float("inf"), 2), "buffer": 900, "resolution": 30}, "2 finite numbers"),
        ({"bbox": (1, 1, 1, 2), "resolution": 30}, "bounding box is empty"),
        ({"bbox": (1, 3, 2, 2), "resolution": 30}, "bounding box is empty"),
        ({"bbox": (349_980, 4e6, 350_980, 4.1e6), "resolution": 30}, "need bbox_crs"),
        ({"center": WALKER, "buffer": 900, "resolution": 30, "crs": "EPSG:4326"}, "0.00027"),
        ({"center": WALKER, "buffer": 900, "resolution": 30, "crs": "nowhere"}, "'nowhere'"),
        ({"center": WALKER, "buffer": 50_000, "resolution": 0.0003}, "too large.*coarser"),
        ({"geometry": "POLYGON ((0 0))", "resolution": 30}, "__geo_interface__, got str"),
        ({"geometry": {"a": 1}, "resolution": 30}, "keys \\['a'\\]"),
        ({"geometry": 7, "resolution": 30}, "__geo_interface__, got int"),
        (
            {"geometry": {"type": "Polygon", "coordinates": []}, "resolution": 30},
            "geometry is empty",
        ),
        ({"center": (0, 90), "buffer": 9, "resolution": 1e-4, "crs": 4326}, "around the pole"),
        (
            {"center": (61.0, 0.0), "buffer": 900, "resolution": 30, "crs": "EPSG:5041"},
            (119, 120),  # at the equator this polar grid shows a metre as 1.988
        ),
        (
            {"center": (80.0, 0.0), "buffer": 900, "resolution": 30, "crs": "+proj=ortho"},
            (60, 61),
        ),
        (
            {"center": (120.0, 0.0), "buffer": 900, "resolution": 30, "crs": "+proj=ortho"},
            "does not reach the place",
        ),
    ],
)
def test_what_makes_no_grid_is_refused_with_a_reason(arguments, message):
    if isinstance(message, tuple):
        assert make_grid(**arguments).shape[0] in message
        return
    with pytest.raises(GridError, match=message):
        make_grid(**arguments)


def test_like_and_align_together_are_refused():
    with pytest.raises(GridError, match="Leave one of them out"):
        make_grid(like=round_lake(), align=(0, 0))


def test_a_scene_without_crs_or_without_a_plane_has_no_grid():
    scene = round_lake()
    with pytest.raises(MissingCRSError, match=r"Scene has no CRS\. Pass crs=…"):
        grid_of(scene.drop_vars("spatial_ref").drop_attrs(deep=True))
    with pytest.raises(GridError, match=r"dimensions y and x, got dimensions \('band',\)"):
        grid_of(scene.isel(y=0, x=0))
    with pytest.raises(GridError, match="no pixels"):
        grid_of(scene.isel(y=slice(0, 0)))
    with pytest.raises(GridError, match="not form a regular grid"):
        grid_of(scene.isel(y=[0, 1, 5]))


def test_a_slice_of_a_scene_has_the_slice_of_its_grid():
    scene = round_lake()
    grid = grid_of(scene)
    for rows, columns in ((slice(3, 4), slice(5, 9)), (slice(0, 7), slice(2, 3))):
        assert same_grid(grid_of(scene.isel(y=rows, x=columns)), grid[rows, columns])


def test_grids_are_the_same_up_to_rounding_only():
    grid = lake_grid()
    assert same_grid(grid, grid.translate_pix(1e-5, 0))
    assert not same_grid(grid, grid.translate_pix(0.01, 0))
    assert not same_grid(grid, grid[1:, :])
    assert pixel_offset(grid[3:, 4:], grid) == (3, 4)
    assert pixel_offset(grid.translate_pix(0.5, 0), grid) is None
    assert pixel_offset(lake_grid(crs="EPSG:32612"), grid) is None
    assert pixel_offset(lake_grid(resolution=60.0), grid) is None
