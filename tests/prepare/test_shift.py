"""Shifts: known ones are found to 0.05 pixels, and put right; doubt is told."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

import shift_accuracy
import strandline as sl
from strandline.errors import GridError, MissingBandError, ShiftError

SIZE = shift_accuracy.SIZE
MOST = 0.05  # pixels


@pytest.fixture(scope="module")
def cases():
    """Pairs of scenes, one rendered finer and averaged down with a shift, by their name."""
    return dict(shift_accuracy._simulated(SIZE))


def scene_of(plane, resolution=100.0, west=300_000.0, north=4_300_000.0, crs="EPSG:32611"):
    grid = GeoBox(plane.shape, Affine(resolution, 0, west, 0, -resolution, north), crs)
    coords = {"band": [shift_accuracy.BAND], **xr_coords(grid, always_yx=True)}
    values = plane[None].astype(np.float32)
    return xr.DataArray(values, coords=coords, dims=("band", "y", "x"))


def a_case(cases, name="one date", number=6):
    before, after, truth = cases[name][number]
    return scene_of(before), scene_of(after), truth


@pytest.mark.parametrize("name", list(shift_accuracy.SIMULATED))
@pytest.mark.parametrize("cloudy", [False, True])
def test_shifts_of_0_3_to_1_pixel_are_recovered_within_0_05(cases, name, cloudy):
    chosen = list(enumerate(cases[name]))[:: 2 if cloudy else 1]
    errors = [shift_accuracy._error(case, number, cloudy) for number, case in chosen]
    assert len(errors) == (8 if cloudy else 16)
    assert np.abs(errors).max() < MOST


@pytest.mark.parametrize("name", list(shift_accuracy.REAL))
def test_real_scenes_too(real_data, name):
    path = next(iter(sorted(real_data.glob(shift_accuracy.REAL[name]))))
    scene = sl.open_scene(path, **shift_accuracy._HOW_TO_OPEN.get(name, {}))
    for number, case in enumerate(shift_accuracy._real(scene)):
        for cloudy in (False, True):
            assert np.abs(shift_accuracy._error(case, number, cloudy)).max() < MOST


def test_real_dates_of_one_sensor_lie_on_one_another_though_their_crops_differ(real_data):
    paths = sorted((real_data / "brumadinho_oli_pair").glob("*_stack.tif"))
    how = {"scale": 2.75e-5, "offset": -0.2, "platform": "landsat-8"}
    before, after = (sl.open_scene(path, **how) for path in paths)
    shift = sl.estimate_shift(after, before)
    assert shift.reliable
    assert shift.pixels < 0.2
    assert shift.overlap == pytest.approx(370 / 400)


def test_two_utm_zones_of_sentinel_2(real_data):
    folder = real_data / "sierra_s2_pair_two_utm_zones"
    before, after = (
        sl.open_scene([folder / name / "B08.tif"], band_names=["nir"], scale=1e-4)
        for name in ("crop20200802", "crop20210708")
    )
    shift = sl.estimate_shift(after, before)
    assert shift.reliable
    assert shift.pixels < 0.5
    again = sl.estimate_shift(sl.correct_shift(after, shift), before)
    assert again.pixels < MOST


def test_a_season_apart_the_next_band_is_asked(real_data):
    paths = sorted((real_data / "chiapas_etm_pair").glob("LE7*"))
    how = {"scale": 1e-4, "platform": "landsat-7", "bands": ["nir08", "swir16"], "nodata": -9999}
    before, after = (sl.open_scene(path, **how) for path in paths)
    shift = sl.estimate_shift(after, before)
    assert shift.band == "swir16"  # November and April: plants look otherwise, the ground does not
    assert shift.reliable
    assert shift.pixels < 0.5


def test_chunks_change_nothing(cases):
    before, after, _ = a_case(cases)
    whole = sl.estimate_shift(after, before)
    for chunks in ({"y": 37, "x": 1000}, {"y": 64, "x": 50}):
        assert sl.estimate_shift(after.chunk(chunks), before.chunk(chunks)) == whole


def test_only_a_bounded_number_of_windows_is_read(cases):
    import dask.array as da

    plane = np.tile(cases["one date"][0][0], (5, 6))
    read = []

    def block(block_info=None):
        place = block_info[None]["array-location"]
        read.append(place)
        return plane[None][tuple(slice(*side) for side in place)].astype(np.float32)

    chunks = tuple(tuple([64] * (size // 64) + [size % 64]) for size in plane.shape)
    lazy = da.map_blocks(
        block, chunks=((1,), *chunks), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    scene = scene_of(plane).copy(data=lazy)
    assert sl.estimate_shift(scene, scene_of(plane)).pixels == 0
    pixels = sum(np.prod([stop - start for start, stop in place]) for place in read)
    assert pixels <= 16 * (256 + 2 * 16 + 2 * 64) ** 2


def test_a_shift_known_by_the_grids_is_no_shift(cases):
    before, after, (dy, dx) = a_case(cases)
    # The second date says by its own georeference where it lies.
    moved = after.drop_vars("spatial_ref").assign_coords(y=after.y + dy * 100, x=after.x - dx * 100)
    told = moved.odc.assign_crs(after.odc.crs)
    assert sl.estimate_shift(told, before).pixels < MOST


def test_metres_count_north_and_east(cases):
    before, after, (dy, dx) = a_case(cases)
    shift = sl.estimate_shift(after, before)
    assert shift.north == pytest.approx(-dy * 100, abs=5)
    assert shift.east == pytest.approx(dx * 100, abs=5)
    assert shift.metres == pytest.approx(shift.pixels * 100)
    assert "windows agree (nir08)" in str(shift)


def test_degrees_become_metres(cases):
    before, after, _ = cases["one date"][6]
    there = {"resolution": 0.001, "west": -118.8, "north": 60.0, "crs": "EPSG:4326"}
    shift = sl.estimate_shift(scene_of(after, **there), scene_of(before, **there))
    assert shift.east / shift.dx == pytest.approx(0.5 * 111.3, rel=0.02)
    assert shift.north / -shift.dy == pytest.approx(111.3, rel=0.02)


def test_pixels_of_another_size_are_compared_on_the_grid_of_the_reference(cases):
    before, after, truth = a_case(cases)
    fine = after.isel(y=np.repeat(np.arange(SIZE[0]), 2), x=np.repeat(np.arange(SIZE[1]), 2))
    grid = GeoBox(
        (2 * SIZE[0], 2 * SIZE[1]), Affine(50, 0, 300_000, 0, -50, 4_300_000), "EPSG:32611"
    )
    fine = fine.drop_vars(["y", "x"]).assign_coords(xr_coords(grid, always_yx=True))
    shift = sl.estimate_shift(fine, before)
    assert (shift.dy, shift.dx) == pytest.approx(truth, abs=MOST)


def test_several_pixels_are_found_too(cases):
    before = scene_of(cases["one date"][0][0])
    moved = before.assign_coords(x=before.x + 700, y=before.y + 300)
    shift = sl.estimate_shift(moved, before)
    assert (shift.dy, shift.dx) == pytest.approx((-3, 7), abs=0.01)


def test_correcting_moves_the_georeference_and_no_pixel(cases):
    before, after, _ = a_case(cases)
    shift = sl.estimate_shift(after, before)
    back = sl.correct_shift(after, shift)
    assert (back.values == after.values).all()
    assert "m north" in back.attrs["shift_corrected"]
    assert sl.estimate_shift(back, before).pixels < MOST
    assert back.odc.crs == after.odc.crs


def test_correcting_brings_the_dates_together_unless_the_nearest_pixel_is_taken(cases):
    before, after, _ = a_case(cases, number=2)  # 0.3 pixels down and right
    back = sl.correct_shift(after, sl.estimate_shift(after, before))

    def apart(resampling):
        return sl.estimate_shift(sl.regrid(back, before, resampling), before).pixels

    # What was sampled too coarsely cannot be moved without a trace.
    assert apart("cubic") < 0.1
    assert apart("bilinear") < 0.1
    assert apart("nearest") > 0.35  # all of it is left


def test_lazy_scenes_stay_lazy_when_they_are_corrected(cases):
    before, after, _ = a_case(cases)
    shift = sl.estimate_shift(after, before)
    lazy = sl.correct_shift(after.chunk({"y": 50}), shift)
    assert lazy.chunks is not None
    assert lazy.compute().identical(sl.correct_shift(after, shift))


def test_scenes_that_have_nothing_in_common_give_no_reliable_shift():
    rng = np.random.default_rng(0)
    one, other = (scene_of(rng.normal(0.2, 0.05, (200, 200))) for _ in range(2))
    try:
        assert not sl.estimate_shift(one, other).reliable
    except ShiftError as error:
        assert "No window of the two dates matches" in str(error)  # noqa: PT017  either is right


@pytest.mark.parametrize("value", [0.2, np.nan])
def test_scenes_without_contrast_give_an_error(value):
    flat = scene_of(np.full((120, 120), value))
    with pytest.raises(ShiftError, match="No window of the two dates matches"):
        sl.estimate_shift(flat, flat)


def test_scenes_that_hardly_overlap_or_not_at_all_are_refused():
    rng = np.random.default_rng(0)
    one = scene_of(rng.normal(size=(100, 100)))
    with pytest.raises(ShiftError, match="overlap too little"):
        sl.estimate_shift(one.assign_coords(x=one.x + 8000), one)
    with pytest.raises(GridError, match="do not overlap"):
        sl.estimate_shift(one.assign_coords(x=one.x + 1e6), one)


def test_scenes_without_a_common_band_are_refused(cases):
    before, after, _ = a_case(cases)
    with pytest.raises(MissingBandError, match="band="):
        sl.estimate_shift(after.assign_coords(band=["red"]), before)
    with pytest.raises(MissingBandError, match="coastal"):
        sl.estimate_shift(after, before, band="coastal")


def test_where_holes_coincide_they_do_not_pull_towards_zero(cases):
    before, after, truth = cases["one date"][12]  # a whole pixel down
    stripes = np.zeros(before.shape, bool)
    stripes[20::60] = stripes[:, 10::50] = True
    striped = [scene_of(np.where(stripes, np.nan, one)) for one in (after, before)]
    shift = sl.estimate_shift(*striped)
    assert (shift.dy, shift.dx) == pytest.approx(truth, abs=MOST)
