"""`regrid`: copies where it can, interpolates what was observed, and never invents."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pyproj
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from strandline.errors import ConfigurationError, GridError, MissingCRSError
from strandline.prepare.georeference import grid_of
from strandline.prepare.grid import make_grid
from strandline.prepare.resample import regrid
from strandline.testing.checks import check_map
from strandline.testing.lakes import lake_fraction, lake_grid, mask_of, round_lake, scene_of

NAN = np.nan


def shifted(grid: GeoBox, x: float, y: float, shape=None) -> GeoBox:
    a = grid.affine
    return GeoBox(
        shape or grid.shape, Affine(a.a, 0, a.c + x * a.a, 0, a.e, a.f + y * a.e), grid.crs
    )


def test_an_identical_grid_gives_the_scene_itself():
    scene = round_lake()
    assert regrid(scene, grid_of(scene)) is scene
    assert regrid(scene, scene) is scene


def test_a_crop_and_a_larger_frame_are_exact_copies():
    scene = round_lake()
    crop = regrid(scene, grid_of(scene)[5:20, 10:31])
    check_map(crop, "scene", grid=grid_of(scene)[5:20, 10:31])
    np.testing.assert_array_equal(crop.values, scene.values[:, 5:20, 10:31])
    frame = regrid(scene, grid_of(scene).pad(3, 2))
    np.testing.assert_array_equal(frame.values[:, 2:-2, 3:-3], scene.values)
    assert np.isnan(frame.values[:, :2]).all()
    assert np.isnan(frame.values[:, :, -3:]).all()
    assert frame.attrs == scene.attrs
    assert frame.time == scene.time


def test_bilinear_takes_the_hand_computed_mean_of_what_was_observed():
    # 0 1 2 / 3 hole 5 / 6 7 8, looked at a quarter of a pixel further right and down.
    values = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    values[0, 1, 1] = NAN
    grid = lake_grid((3, 3))
    got = regrid(scene_of(values, grid), shifted(grid, 0.25, 0.25)).values[0]
    # Weights are 9/16, 3/16, 3/16, 1/16; where one is missing, divided by the others' sum.
    # Beyond the last row and column there is nothing to weigh either.
    expected = [
        [(9 * 0 + 3 * 1 + 3 * 3) / 15, (9 * 1 + 3 * 2 + 1 * 5) / 13, (3 * 2 + 1 * 5) / 4],
        [(9 * 3 + 3 * 6 + 1 * 7) / 13, NAN, (3 * 5 + 1 * 8) / 4],
        [(3 * 6 + 1 * 7) / 4, (3 * 7 + 1 * 8) / 4, 8],
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_a_hole_in_one_band_leaves_the_other_bands_alone():
    values = np.stack([np.arange(16.0).reshape(4, 4)] * 2)
    values[0, 1, 1] = NAN
    grid = lake_grid((4, 4))
    target = shifted(grid, 0.25, 0.25)
    both = regrid(scene_of(values, grid), target)
    alone = regrid(scene_of(values[1:], grid), target)
    np.testing.assert_array_equal(both.values[1], alone.values[0])
    assert np.isnan(both.values[0]).sum() == 1


def test_an_interpolated_value_never_leaves_the_range_of_what_was_observed():
    scene = round_lake(noise=0.0)
    scene.values[:, 20:25, 30:40] = NAN
    got = regrid(scene, make_grid(like=scene, crs="EPSG:4326", resolution=0.0002))
    for band in range(scene.sizes["band"]):
        assert np.nanmin(got[band]) >= np.nanmin(scene[band])
        assert np.nanmax(got[band]) <= np.nanmax(scene[band])


def test_coarser_pixels_average_all_the_finer_ones():
    # A checkerboard of 0 and 1: sampling it would alias to one of them.
    board = np.indices((64, 64)).sum(axis=0) % 2
    scene = scene_of(board[None], lake_grid((64, 64)))
    coarse = make_grid(like=scene, resolution=240)
    inside = (slice(None), slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(regrid(scene, coarse).values[inside], 0.5, atol=0.02)
    np.testing.assert_allclose(regrid(scene, coarse, "average").values, 0.5, atol=1e-6)


def test_a_linear_ramp_across_two_utm_zones_lands_where_pyproj_says():
    grid = lake_grid((300, 300), corner=(700_020.0, 4_300_020.0), crs="EPSG:32610")
    column = np.arange(300) + 0.5
    ramp = np.broadcast_to(column, (300, 300))[None]
    target = make_grid(like=grid, crs="EPSG:32611", resolution=30)
    got = regrid(scene_of(ramp, grid), target).values[0]
    y, x = np.mgrid[: target.shape[0], : target.shape[1]] + 0.5
    to_source = pyproj.Transformer.from_crs(32611, 32610, always_xy=True)
    a = target.affine
    source_x, source_y = to_source.transform(a.c + a.a * x, a.f + a.e * y)
    at_column = (source_x - grid.affine.c) / 30
    at_row = (grid.affine.f - source_y) / 30
    inside = (at_column > 1) & (at_column < 299) & (at_row > 1) & (at_row < 299)
    np.testing.assert_allclose(got[inside], at_column[inside], atol=1 / 8)
    outside = (at_column < -1) | (at_column > 301) | (at_row < -1) | (at_row > 301)
    assert np.isnan(got[outside]).all()
    assert outside.any()


def test_the_water_of_a_lake_is_kept():
    grid = lake_grid((60, 80))
    scene = scene_of(lake_fraction(grid, 600)[None], grid)
    target = make_grid(bbox=grid.boundingbox.bbox, bbox_crs=grid.crs, resolution=20, align=(7, 3))
    got = float(np.nansum(regrid(scene, target).values)) * 20**2
    assert got == pytest.approx(np.pi * 600**2, rel=5e-3)


def test_masks_take_the_nearest_class_and_never_a_mean():
    values = np.zeros((20, 20), dtype=np.uint8)
    values[:, 10:] = 1
    values[5:8, 5:8] = 255
    mask = mask_of(values, lake_grid((20, 20)))
    got = regrid(mask, shifted(grid_of(mask), 0.4, -0.3))
    check_map(got, "mask", grid=shifted(grid_of(mask), 0.4, -0.3))
    np.testing.assert_array_equal(got.values[1:-1, :-1], values[1:-1, :-1])
    frame = regrid(mask, grid_of(mask).pad(1))
    assert (frame.values[0] == 255).all()


def test_coarser_masks_take_the_most_frequent_class_of_what_was_observed():
    values = np.zeros((9, 9), dtype=np.uint8)
    values[:3, :3] = [[1, 1, 1], [1, 0, 0], [255, 255, 255]]
    values[6:, 6:] = 255
    mask = mask_of(values, lake_grid((9, 9), corner=(350_010.0, 4_290_030.0)))
    got = regrid(mask, make_grid(like=mask, resolution=90))
    assert got.values.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 255]]


def test_booleans_stay_booleans():
    seen = mask_of(np.ones((5, 5)), lake_grid((5, 5))).astype(bool)
    got = regrid(seen, shifted(grid_of(seen), 2.4, 0.0))
    assert got.dtype == bool
    assert got.values[0].tolist() == [True, True, True, False, False]


def test_raw_numbers_keep_their_type_and_their_nodata():
    raw = round_lake().astype("int16").copy(data=np.full((6, 60, 80), 500, np.int16))
    with pytest.raises(ConfigurationError, match="its nodata value"):
        regrid(raw, shifted(grid_of(raw), 0.5, 0.5))
    raw.attrs["nodata"] = (-9999,) * 6
    raw.values[:, 30, 40] = -9999
    got = regrid(raw, shifted(grid_of(raw), 0.25, 0.25).pad(1))
    assert got.dtype == np.int16
    assert set(np.unique(got)) == {-9999, 500}
    assert (got == -9999).sum() == 6 * (2 * 82 + 2 * 60 + 1)


@pytest.mark.parametrize("target", ["crop", "warp", "coarse"])
def test_a_lazy_scene_stays_lazy_and_gives_the_same_bytes(target):
    scene = round_lake(shape=(90, 110))
    scene.values[:, 30:50, 3:20] = NAN
    grids = {
        "crop": grid_of(scene)[3:60, 20:].pad(5),
        "warp": make_grid(like=scene, crs="EPSG:32612", resolution=25),
        "coarse": make_grid(like=scene, crs="EPSG:4326", resolution=0.002),
    }
    lazy = scene.chunk({"band": 4, "y": (40, 1, 49), "x": 33})
    got = regrid(lazy, grids[target])
    check_map(got, "scene", grid=grids[target], lazy=True)
    whole = regrid(scene, grids[target])
    check_map(whole, "scene", grid=grids[target], lazy=False)
    assert np.isfinite(whole).any()
    np.testing.assert_array_equal(got.values, whole.values)


def test_only_the_needed_part_of_a_lazy_scene_is_read():
    read = []

    def plane(block_info=None):
        read.append(block_info[None]["chunk-location"])
        return np.ones(block_info[None]["chunk-shape"], np.float32)

    data = da.map_blocks(plane, chunks=((1,), (100,) * 10, (100,) * 10), dtype=np.float32)
    grid = lake_grid((1000, 1000))
    scene = scene_of(np.zeros((1, 1, 1)), grid[:1, :1]).isel(y=0, x=0, drop=True)
    scene = xr.DataArray(data, dims=("band", "y", "x"), coords={"band": ["red"]}, attrs=scene.attrs)
    from strandline.prepare.georeference import attach_grid

    scene = attach_grid(scene, grid)
    read.clear()
    regrid(scene, shifted(grid[120:180, 220:280], 0.5, 0.5)).compute(scheduler="sync")
    assert set(read) == {(0, 1, 2)}


def test_many_tiles_fit_together(monkeypatch):
    from strandline.prepare import warp

    scene = round_lake(shape=(90, 110))
    target = make_grid(like=scene, crs="EPSG:32612", resolution=25)
    whole = regrid(scene, target).values
    monkeypatch.setattr(warp, "TILE", 32)
    tiled = regrid(scene, target).values
    np.testing.assert_array_equal(np.isnan(tiled), np.isnan(whole))
    # GDAL finds positions to 1/8 pixel, and differently in another tile.
    steepest = np.nanmax(np.abs(np.diff(scene.values, axis=1)))
    assert np.nanmax(np.abs(tiled - whole)) <= steepest / 4


def test_dates_together_and_maps_carried_along_are_put_on_the_grid_too():
    scene = round_lake()
    dates = xr.concat([scene, scene + 1], dim="time", coords="minimal", compat="override")
    dates = dates.assign_coords(
        seen=(("y", "x"), np.ones((60, 80), np.uint8)), row=("y", np.arange(60))
    )
    got = regrid(dates, shifted(grid_of(scene), 0.5, 0.0))
    assert got.dims == ("time", "band", "y", "x")
    assert got.seen.dims == ("y", "x")
    assert (got.seen.values[:, -1] == 255).all() or (got.seen.values[:, -1] == 1).all()
    assert "row" not in got.coords
    np.testing.assert_array_equal(got.time, dates.time)


def test_elsewhere_is_an_error_that_names_both_extents():
    scene = round_lake()
    away = make_grid(center=(-60, -3), buffer=900, resolution=30)
    with pytest.raises(GridError, match=r"EPSG:32721.*EPSG:32611, x 350040 to 352440"):
        regrid(scene, away)
    with pytest.raises(GridError, match="do not overlap"):
        regrid(scene, shifted(grid_of(scene), 1000, 0))
    with pytest.raises(GridError, match="do not overlap"):
        regrid(scene, shifted(grid_of(scene), 1000.5, 0))


def test_bad_requests_are_refused():
    scene = round_lake()
    target = shifted(grid_of(scene), 0.5, 0.5)
    with pytest.raises(ConfigurationError, match=r"one of nearest, bilinear.*got 'best'"):
        regrid(scene, target, "best")
    mask = mask_of(np.ones((60, 80)), grid_of(scene))
    with pytest.raises(ConfigurationError, match="Classes cannot be averaged"):
        regrid(mask, target, "cubic")
    with pytest.raises(MissingCRSError):
        regrid(scene.drop_vars("spatial_ref").drop_attrs(deep=True), target)


def test_a_real_lake_keeps_its_area_when_warped_to_degrees(real_data):
    with rasterio.open(real_data / "lbg_tm1992" / "water_reference.tif") as file:
        mask = mask_of(file.read(1), GeoBox(file.shape, file.transform, str(file.crs)))
    target = make_grid(like=mask, crs="EPSG:4326", resolution=0.0002)
    got = regrid(mask, target)
    check_map(got, "mask", grid=target)
    # 0.0002 degrees are 22.2 m x 18.1 m at 35.3 degrees south.
    from strandline.change.area import areas

    assert areas(got).best.iloc[0] == pytest.approx(areas(mask).best.iloc[0], rel=0.01)


def test_measured_keeps_spectra_as_they_are_and_averages_only_into_larger_pixels():
    scene = round_lake(shape=(40, 40))
    shifted = GeoBox((38, 38), Affine(30, 0, 350_052, 0, -30, 4_289_985), "EPSG:32611")
    values = regrid(scene, shifted, "measured").values
    np.testing.assert_array_equal(values, regrid(scene, shifted, "nearest").values)
    assert np.isin(values, scene.values).all()
    coarse = GeoBox((10, 10), Affine(90, 0, 350_052, 0, -90, 4_289_985), "EPSG:32611")
    np.testing.assert_array_equal(
        regrid(scene, coarse, "measured").values, regrid(scene, coarse, "bilinear").values
    )
