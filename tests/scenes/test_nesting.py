"""Files whose pixels nest in one another open on the finest grid, and no others do."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

import strandline as sl
from strandline.errors import GridMismatchError
from strandline.scenes.nesting import Nesting, blank_for, nest, spread
from strandline.scenes.open import open_scene

RNG = np.random.default_rng(0)
LEFT, TOP = 300_000, 4_300_000


@pytest.fixture
def pair(write_raster):
    """Function that writes a fine and a coarse file, and gives their paths."""

    def write(fine_shape, coarse_shape, corner=(0, 0), *, dtype="int16", size=20, **profile):
        fine = RNG.integers(1, 5000, fine_shape).astype(dtype)
        coarse = RNG.integers(1, 5000, coarse_shape).astype(dtype)
        paths = [
            write_raster("B04.tif", fine, transform=from_origin(LEFT, TOP, 10, 10), **profile),
            write_raster(
                "B11.tif",
                coarse,
                transform=from_origin(LEFT + corner[0], TOP - corner[1], size, size),
                **profile,
            ),
        ]
        return paths, fine, coarse

    return write


def opened(paths, **options):
    return open_scene(paths, **{"platform": "sentinel-2a", "scale": 1e-4, **options})


@pytest.mark.parametrize("reverse", [False, True])
def test_coarse_pixels_are_repeated_on_the_finest_grid(pair, reverse):
    paths, fine, coarse = pair((8, 6), (4, 3))
    scene = opened(paths[::-1] if reverse else paths)
    assert scene.chunks is not None
    assert scene.shape[1:] == (8, 6)
    np.testing.assert_allclose(scene.sel(band="red"), fine * 1e-4, rtol=1e-6)
    expected = coarse.repeat(2, 0).repeat(2, 1) * 1e-4
    np.testing.assert_allclose(scene.sel(band="swir16"), expected, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "nodata"), [
    ("int16", -32768), ("int16", None), ("uint16", None), ("uint8", None), ("uint16", 0),
    ("float32", None), ("float32", -9999.0), ("int32", None),
])  # fmt: skip
def test_the_rim_that_a_coarse_file_leaves_has_no_value(pair, dtype, nodata):
    # A fine column is missing at the left and one at the right; a fine row too many at the top.
    paths, _, coarse = pair((7, 6), (4, 2), corner=(10, -10), dtype=dtype, nodata=nodata)
    scene = opened(paths, reflectance=False).compute()
    expected = np.full((7, 6), np.nan)
    expected[:, 1:5] = coarse.repeat(2, 0).repeat(2, 1)[1:8, :4]
    np.testing.assert_array_equal(scene.sel(band="swir16"), expected)


def test_chunks_do_not_matter(pair):
    paths, _, _ = pair((61, 47), (11, 8), corner=(-30, -20), size=60)
    whole = opened(paths, chunks=-1).compute()
    for chunks in (7, (20, 3), (5, 47)):
        xr.testing.assert_identical(opened(paths, chunks=chunks).compute(), whole)


@pytest.mark.parametrize(
    ("corner", "size", "shape"),
    [
        ((5, 0), 20, (4, 3)),  # edges do not meet
        ((0, 0), 25, (3, 2)),  # two and a half
        ((20, 0), 20, (4, 3)),  # a whole coarse pixel away
        ((0, 0), 20, (4, 2)),  # ends a whole coarse pixel early
        ((0, 0), 20, (5, 3)),
        ((0.5, 0), 20, (4, 3)),
    ],
)
def test_other_grids_are_refused_with_the_remedy(pair, corner, size, shape):
    paths, _, _ = pair((8, 6), shape, corner=corner, size=size)
    with pytest.raises(GridMismatchError, match=r"regrid\(…\)"):
        opened(paths)


def test_another_crs_is_refused(pair, write_raster):
    paths, _, coarse = pair((8, 6), (4, 3))
    write_raster("B11.tif", coarse, transform=from_origin(LEFT, TOP, 20, 20), crs="EPSG:32610")
    with pytest.raises(GridMismatchError, match="EPSG:32610"):
        opened(paths)


@given(
    ratio=st.integers(1, 7), start=st.integers(-6, 6), shape=st.integers(1, 9),
    first=st.integers(0, 40), count=st.integers(1, 20),
)  # fmt: skip
def test_a_piece_is_cut_from_what_the_whole_would_be(ratio, start, shape, first, count):
    values = np.arange(1, 1 + shape)[None, None, :]
    nesting = Nesting((1, ratio), (0, start), (1, shape))
    whole = [
        int(values[0, 0, (i - start) // ratio]) if 0 <= (i - start) // ratio < shape else -1
        for i in range(first, first + count)
    ]
    low, width = nesting.window(first, count, 1)
    piece = values[:, :, low : low + width]
    assert spread(piece, nesting, (0, low), (0, first, 1, count), -1)[0, 0].tolist() == whole


def test_grids_that_turn_or_are_nothing_do_not_nest():
    fine = Affine(10, 0, 0, 0, -10, 0), (10, 10)
    assert nest(fine, (Affine(20, 1, 0, 0, -20, 0), (5, 5))) is None
    assert nest(fine, (Affine(20, 0, 0, 0, 20, 0), (5, 5))) is None
    assert nest((Affine(0, 0, 0, 0, 0, 0), (10, 10)), fine) is None
    assert nest(fine, (Affine(20, 0, np.nan, 0, -20, 0), (5, 5))) is None


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_the_number_for_no_value_is_none_that_a_file_can_hold(dtype):
    kind, blank = blank_for(np.dtype(dtype), None)
    assert kind.kind == "i"
    assert blank < np.iinfo(dtype).min
    assert np.can_cast(dtype, kind)


# --- the real pair -----------------------------------------------------------------


@pytest.fixture
def valley(real_data):
    """The two real scenes of one valley, in two UTM zones, with 10 and 20 m pixels."""
    folder = real_data / "sierra_s2_pair_two_utm_zones"
    days = {"crop20200802": "2020-08-02", "crop20210708": "2021-07-08"}
    return [
        open_scene(folder / name, platform="sentinel-2a", scale=1e-4, time=day)
        for name, day in days.items()
    ]


def test_real_bands_of_two_pixel_sizes_open_on_one_grid(valley, real_data):
    first, second = valley
    assert first.band.values.tolist() == ["green", "red", "nir08", "swir16"]
    assert first.shape == (4, 651, 651)
    assert second.shape == (4, 657, 656)
    folder = real_data / "sierra_s2_pair_two_utm_zones" / "crop20200802"
    listed = open_scene(
        [folder / f"B{n}.tif" for n in ("03", "04", "08", "11")],
        platform="sentinel-2a", scale=1e-4, time="2020-08-02",
    )  # fmt: skip
    xr.testing.assert_equal(listed, first)
    # B11 begins one fine column to the right of the others.
    missing = first.isnull().sum(("y", "x")).compute()
    assert missing.values.tolist() == [0, 0, 0, 651]
    assert first.sel(band="swir16")[:, 0].isnull().all()


def test_both_zones_come_onto_one_grid_and_show_the_same_valley(valley):
    together = sl.stack_scenes(valley)
    assert together.odc.geobox == valley[0].odc.geobox
    values = together.compute()
    share = values.notnull().mean(("y", "x"))
    assert (share > 0.97).all()
    for band in ("green", "red", "nir08", "swir16"):
        one, two = (values.sel(band=band).isel(time=i).values.ravel() for i in (0, 1))
        both = np.isfinite(one) & np.isfinite(two)
        assert np.corrcoef(one[both], two[both])[0, 1] > 0.85


def test_a_study_runs_over_both_zones(real_data, tmp_path):
    folder = real_data / "sierra_s2_pair_two_utm_zones"
    scenes = [
        {"source": str(folder / name), "platform": "sentinel-2a", "scale": 1e-4, "time": day}
        for name, day in (("crop20200802", "2020-08-02"), ("crop20210708", "2021-07-08"))
    ]
    results = sl.run_study({"scenes": scenes, "n_clusters": 4}, tmp_path / "out")
    assert results is not None
    record = (tmp_path / "out" / "record.json").read_text()
    assert record.count("B11.tif") >= 2
