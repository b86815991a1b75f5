"""`pixel_area` against geodesic polygons, which know nothing of map projections."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from odc.geo.geobox import GeoBox

from strandline.change.pixel_area import pixel_area, pixel_areas
from strandline.prepare.grid import make_grid
from strandline.testing.lakes import lake_grid

PLACES = {
    "utm, central meridian": lake_grid((300, 400), 30.0, "EPSG:32611", (500_010, 4_290_000)),
    "utm, edge of the zone": lake_grid((300, 400), 30.0, "EPSG:32611", (240_000, 4_290_000)),
    "utm, far outside its zone": lake_grid((300, 400), 30.0, "EPSG:32611", (1_240_000, 4_290_000)),
    "utm, south": lake_grid((300, 400), 10.0, "EPSG:32719", (500_000, 8_000_000)),
    "utm, 3 km": lake_grid((76, 77), 3_000.0, "EPSG:32611", (240_000, 4_400_000)),
    "utm, antimeridian": lake_grid((50, 900), 300.0, "EPSG:32701", (150_000, 8_100_000)),
    "degrees": lake_grid((300, 400), 0.00025, "EPSG:4326", (-118.9, 38.9)),
    "degrees, coarse": lake_grid((8, 9), 0.25, "EPSG:4326", (-118.9, 68.0)),
    "degrees, across the antimeridian": lake_grid((30, 50), 0.01, "EPSG:4326", (179.8, -16.0)),
    "grads from Paris": lake_grid((30, 40), 0.001, "EPSG:4807", (1.0, 51.0)),
    "polar stereographic": lake_grid((300, 400), 250.0, "EPSG:3413", (-1_000_000, -900_000)),
    "around the pole": lake_grid((40, 40), 250.0, "EPSG:3413", (-5_000, 5_000)),
    "polar stereographic, 25 km": lake_grid((9, 9), 25_000.0, "EPSG:3413", (-1e6, -9e5)),
    "utm, 40 km": lake_grid((9, 9), 40_000.0, "EPSG:32611", (240_000, 4_400_000)),
    "web mercator": lake_grid((200, 200), 38.0, "EPSG:3857", (-13_200_000, 8_400_000)),
    "equal area": lake_grid((200, 200), 100.0, "EPSG:3577", (1_500_000, -3_900_000)),
    "feet": lake_grid((200, 200), 100.0, "EPSG:3423", (2_000_000, 14_000_000)),
}


def geodesic_km2(grid: GeoBox, row: int, column: int, parts: int = 40) -> float:
    """Area of the polygon of a pixel's outline, each side divided into geodesics."""
    along = np.linspace(0, 1, parts, endpoint=False)
    u = np.concatenate([along, np.ones(parts), 1 - along, np.zeros(parts)]) + column
    v = np.concatenate([np.zeros(parts), along, np.ones(parts), 1 - along]) + row
    a = grid.affine
    crs = grid.crs.proj
    base = crs.geodetic_crs
    x, y = a.a * u + a.c, a.e * v + a.f
    longitude, latitude = pyproj.Transformer.from_crs(crs, base, always_xy=True).transform(x, y)
    degrees = np.degrees(base.axis_info[0].unit_conversion_factor)
    geod = crs.get_geod()
    area, _ = geod.polygon_area_perimeter(
        np.asarray(longitude) * degrees, np.asarray(latitude) * degrees
    )
    return abs(area) / 1e6


@pytest.mark.parametrize("place", PLACES)
def test_pixels_have_their_geodesic_area_to_a_millionth(place):
    grid = PLACES[place]
    area = pixel_area(grid)
    assert area.shape == grid.shape
    rows, columns = grid.shape
    rng = np.random.default_rng(3)
    probes = [(0, 0), (rows - 1, columns - 1), (rows // 2, columns // 2)]
    probes += [(int(rng.integers(rows)), int(rng.integers(columns))) for _ in range(12)]
    for row, column in probes:
        # Rounding of coordinates of 1e-9 m in a pixel of 10 m, and of degrees in the geodesics.
        expected = geodesic_km2(grid, row, column)
        assert float(area[row, column]) == pytest.approx(expected, rel=1e-6), (row, column)


def test_real_grids_too(real_data):
    import rasterio

    for name, least, most in (
        ("lbg_tm1992/water_reference.tif", 0.9992, 1.0008),
        ("ucayali_series/1990.tif", 0, 2),
    ):
        with rasterio.open(real_data / name) as file:
            grid = GeoBox(file.shape, file.transform, str(file.crs))
        area = pixel_area(grid)
        for row, column in ((0, 0), (grid.shape[0] - 1, 17), (100, 200)):
            expected = geodesic_km2(grid, row, column)
            assert float(area[row, column]) == pytest.approx(expected, rel=1e-6)
        assert least < float(area.mean()) / 625e-6 < most or grid.crs.geographic


def test_an_equal_area_projection_has_equal_pixels():
    area = pixel_area(PLACES["equal area"])
    np.testing.assert_allclose(area, 0.01, rtol=1e-7)


def test_the_whole_earth_has_its_area():
    world = GeoBox.from_bbox((-180, -90, 180, 90), "EPSG:4326", resolution=1)
    assert float(pixel_area(world).sum()) == pytest.approx(510_065_621.724, rel=1e-9)
    equal_area = "+proj=cea +ellps=WGS84"
    belt = make_grid(bbox=(-170, -70, 170, 70), crs=equal_area, resolution=200_000)
    np.testing.assert_allclose(pixel_area(belt), 40_000, rtol=2e-3)


def test_no_place_on_earth_has_no_area():
    disc = GeoBox.from_bbox((-7e6, -7e6, 7e6, 7e6), "+proj=ortho", resolution=250_000)
    area = pixel_area(disc)
    assert np.isnan(area[0, 0])
    assert float(area[28, 28]) == pytest.approx(62_500, rel=1e-2)


def test_one_row_one_column_and_one_pixel():
    grid = PLACES["utm, edge of the zone"]
    whole = pixel_area(grid)
    for rows, columns in ((slice(7, 8), slice(0, 400)), (slice(0, 300), slice(9, 10))):
        part = pixel_area(grid[rows, columns])
        np.testing.assert_allclose(part, whole[rows, columns], rtol=1e-7)
    assert pixel_area(grid[3:4, 5:6]).shape == (1, 1)


def test_a_part_has_the_bits_of_the_whole():
    for grid in (PLACES["utm, edge of the zone"], PLACES["degrees"]):
        whole = pixel_area(grid)
        lazy = pixel_area(grid, chunks=(97, 111))
        assert lazy.chunks[0] == (97, 97, 97, 9)
        assert lazy.values.tobytes() == whole.values.tobytes()
        part = pixel_areas(grid).block(slice(11, 30), slice(200, 377))
        np.testing.assert_array_equal(part, whole.values[11:30, 200:377])


def test_the_units_are_said():
    assert pixel_area(lake_grid()).attrs["units"] == "km2"


def test_south_up_grids_have_positive_areas():
    grid = PLACES["utm, south"]
    np.testing.assert_allclose(pixel_area(grid.flipy()), pixel_area(grid)[::-1], rtol=1e-9)
    grid = PLACES["degrees"]
    np.testing.assert_allclose(pixel_area(grid.flipy()), pixel_area(grid)[::-1], rtol=1e-9)
