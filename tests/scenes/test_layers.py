"""Layers that are not spectra: they mask where they say what is valid, and are not bands."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_zeros
from rasterio.enums import ColorInterp

import strandline as sl
from servers import website
from strandline.errors import MissingBandError
from strandline.scenes.layers import layer_of
from strandline.scenes.open import open_scene
from strandline.scenes.quality import flags_of_meanings, quality_flags, reasons_of
from strandline.scenes.sensors import SENSORS

OLI = SENSORS["landsat-8"]
SHAPE = (40, 30)
DN = np.random.default_rng(3).integers(500, 4000, (6, *SHAPE), dtype=np.uint16)
NAMES = ("blue", "green", "red", "nir08", "swir16", "swir22")
LEFT = np.zeros(SHAPE, bool)
LEFT[:, :10] = True  # not valid, with impossible numbers under it
UNDER = DN.copy()
UNDER[:, LEFT] = 60_000
SCALE = {"scale": 1e-4}
GRID = GeoBox.from_bbox((300_000, 4_200_000, 300_900, 4_201_200), "EPSG:32611", resolution=30)


def hides_the_left(scene: xr.DataArray) -> bool:
    """Whether exactly the left is not observed, in every band."""
    seen = np.isfinite(scene.values)
    return bool((seen == ~LEFT).all())


def why(scene: xr.DataArray) -> dict[str, int]:
    table = sl.quality_table(scene).set_index("what")["pixels"]
    return {str(name): int(count) for name, count in table.items() if count}


def with_mask(path: Path, valid: np.ndarray = ~LEFT, *, internal: bool = True) -> Path:
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal),
        rasterio.open(path, "r+") as file,
    ):
        file.write_mask(valid)
    return path


# --- what a layer is ----------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "role"),
    [
        ("alpha ALPHA alpha_band dataMask data_mask mask valid valid_mask", "mask"),
        ("oa_nbart_contiguity nbart_contiguity", "mask"),
        ("QA_PIXEL qa_pixel LC08_L2SP_042033_QA_PIXEL BQA SCL SCL_20m QA60 oa_fmask", "quality"),
        ("ST_B10 ST_EMIS ST_QA emissivity SR_QA_AEROSOL sr_aerosol cloud_qa l2_flags", "other"),
        ("lat lon latitude longitude view_zenith_mean solar_azimuth VZA oa_solar_zenith", "other"),
        ("cloud_probability MSK_CLDPRB AOT WVP aod_550 NDVI mndwi cloud_mask Fmask", "other"),
        ("blue nbart_red rhos_483 coastal_aerosol nir_narrow cirrus texture B1", "band"),
    ],
)
def test_layers_are_known_by_their_names(names, role):
    assert {name: layer_of(name).role for name in names.split()} == dict.fromkeys(
        names.split(), role
    )


def test_units_types_and_flags_tell_too():
    assert layer_of("tilt", attrs={"units": "degrees"}).role == "other"
    assert layer_of("skin", attrs={"units": "K"}).role == "other"
    assert layer_of("day", dtype=np.dtype("M8[ns]")).role == "other"
    assert layer_of("state", attrs={"flag_meanings": "clear cloud"}).kind == "meanings"
    assert layer_of("one", attrs={"units": "1"}, dtype=np.dtype("f4")).role == "band"


def test_an_fmask_masks_where_it_is_known_whose_codes_it_has():
    assert layer_of("Fmask").role == "other"
    assert layer_of("fmask", nodata=0).kind == "fmask"
    assert layer_of("Fmask", nodata=255).kind == "fmask_codes"
    assert layer_of("Fmask", product="HLS.L30.T11SLC.2017295.v2.0.nc").kind == "hls_fmask"
    codes = np.array([0, 1, 2, 3, 4, 5, 255], np.uint8)
    python = [reasons_of(flags) for flags in quality_flags(codes, "fmask")]
    assert python == [("fill",), (), ("cloud",), ("cloud_shadow",), ("snow",), (), ("fill",)]
    authors = [
        reasons_of(flags) for flags in quality_flags(codes[[0, 1, 2, 3, 4, 6]], "fmask_codes")
    ]
    assert authors == [(), (), ("cloud_shadow",), ("snow",), ("cloud",), ("fill",)]
    bits = np.array([0b100000, 0b10, 0b100, 0b1000, 0b10000, 255, 0b11000000], np.uint8)
    assert [reasons_of(flags) for flags in quality_flags(bits, "hls_fmask")] == [
        (), ("cloud",), ("dilated_cloud",), ("cloud_shadow",), ("snow",), ("fill",), ()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("attrs", "values", "reasons"),
    [
        (
            {"flag_values": [0, 1, 2, 3], "flag_meanings": "no_data clear cloud cloud_shadow"},
            [0, 1, 2, 3],
            [("fill",), (), ("cloud",), ("cloud_shadow",)],
        ),
        (
            {"flag_masks": [1, 2, 4], "flag_meanings": "clear_sky high_cloud snow_ice"},
            [1, 2, 6, 0],
            [(), ("cloud",), ("cloud", "snow"), ()],
        ),
        (
            {
                "flag_masks": [3, 3, 4],
                "flag_values": [1, 2, 4],
                "flag_meanings": "cloud_low_confidence cloud_high_confidence not_cirrus",
            },
            [1, 2, 4],
            [(), ("cloud",), ()],
        ),
    ],
)
def test_flag_meanings_are_read(attrs, values, reasons):
    layer = xr.DataArray(np.array(values, np.uint8), dims="x", attrs=attrs)
    found = flags_of_meanings(layer)
    assert found is not None
    assert [reasons_of(flags) for flags in found.values] == reasons


def test_flag_meanings_without_a_reason_are_none():
    says = {"flag_values": [0, 1], "flag_meanings": "land water"}
    assert flags_of_meanings(xr.DataArray(np.zeros(2, np.uint8), dims="x", attrs=says)) is None


# --- GeoTIFFs -----------------------------------------------------------------


@pytest.mark.parametrize("internal", [True, False])
@pytest.mark.parametrize("chunks", [None, 7])
def test_the_mask_of_a_file_is_not_observed(write_raster, internal, chunks):
    path = with_mask(write_raster("a.tif", UNDER, descriptions=NAMES), internal=internal)
    assert path.with_name("a.tif.msk").exists() is not internal
    scene = open_scene(path, chunks=chunks, **SCALE)
    assert hides_the_left(scene)
    assert why(scene) == {"observed": 800, "not_observed": 400, "masked_in_file": 400}
    assert hides_the_left(open_scene(path, mask=(), **SCALE))  # it is no wish
    np.testing.assert_allclose(scene.values[:, ~LEFT], DN[:, ~LEFT] * 1e-4, rtol=1e-5)
    numbers = open_scene(path, reflectance=False)
    assert hides_the_left(numbers)
    assert float(numbers.max()) == DN[:, ~LEFT].max()


def test_a_mask_and_a_number_for_no_data_count_both(write_raster):
    values = UNDER.copy()
    values[:, 5, 20] = 7
    path = with_mask(write_raster("a.tif", values, descriptions=NAMES, nodata=7))
    scene = open_scene(path, **SCALE)
    assert not np.isfinite(scene.values[:, 5, 20]).any()
    assert why(scene)["not_observed"] == 401
    assert why(scene)["masked_in_file"] == 400


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_an_alpha_band_masks_and_is_no_band(write_raster, dtype):
    top = {"uint8": 255, "uint16": 65535, "int16": 1, "float32": 1}[dtype]
    values = (DN // 20).astype(dtype) if dtype == "uint8" else DN.astype(dtype)
    values[:, LEFT] = 120
    alpha = np.where(LEFT, 0, top).astype(dtype)
    path = write_raster(
        "a.tif", np.concatenate([values, alpha[None]]), descriptions=(*NAMES, "Alpha")
    )
    scene = open_scene(path, **SCALE)
    assert scene["band"].values.tolist() == list(NAMES)
    assert hides_the_left(scene)
    assert hides_the_left(open_scene(path, bands=["green", "swir1"], **SCALE))


def test_an_alpha_band_by_colour_alone_needs_no_name(write_raster):
    values = np.concatenate([UNDER, np.where(LEFT, 0, 65535).astype(np.uint16)[None]])
    path = write_raster("a.tif", values)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = (*[ColorInterp.gray] * 6, ColorInterp.alpha)
    scene = open_scene(path, band_names=NAMES, **SCALE)
    assert (scene["band"].values.tolist(), hides_the_left(scene)) == (list(NAMES), True)
    assert hides_the_left(open_scene(path, platform="landsat-5", **SCALE))
    with pytest.raises(MissingBandError, match=r"7 different names.*masks alpha"):
        open_scene(path, band_names=NAMES[:3], **SCALE)


@pytest.mark.parametrize("name", ["dataMask", "mask", "valid", "oa_nbart_contiguity"])
def test_a_mask_layer_of_zeros_and_ones_masks(write_raster, name):
    values = np.concatenate([UNDER, (~LEFT).astype(np.uint16)[None]])
    path = write_raster("a.tif", values, descriptions=(*NAMES, name))
    scene = open_scene(path, **SCALE)
    assert (scene["band"].values.tolist(), hides_the_left(scene)) == (list(NAMES), True)
    assert "left_out" not in scene.attrs


def test_one_masked_file_of_several_hides_its_own_band(write_raster):
    green = with_mask(write_raster("x_green.tif", UNDER[1]))
    nir = write_raster("x_nir.tif", DN[3])
    scene = open_scene([green, nir], **SCALE)
    assert hides_the_left(scene.sel(band=["green"]))
    assert np.isfinite(scene.sel(band="nir08").values).all()
    assert why(scene) == {"observed": 800, "not_observed": 400, "masked_in_file": 400}
    assert np.isfinite(open_scene([green, nir], bands=["nir"], **SCALE).values).all()


def test_a_mask_in_a_file_of_its_own_hides_all_bands(write_raster):
    files = [
        write_raster("x_green.tif", UNDER[1]),
        write_raster("x_nir.tif", UNDER[3]),
        write_raster("x_dataMask.tif", (~LEFT).astype(np.uint8)),
    ]
    assert hides_the_left(open_scene(files, **SCALE))


def test_a_quality_band_and_a_coarser_mask_in_files_of_their_own(write_raster):
    qa = np.where(LEFT, 22280, 21824).astype(np.uint16)
    coarse = rasterio.transform.from_origin(300_000, 4_300_000, 60, 60)
    files = [
        write_raster("LC08_x_green.tif", DN[1]),
        write_raster("LC08_x_nir.tif", DN[3]),
        write_raster("LC08_x_QA_PIXEL.tif", qa),
        write_raster("LC08_x_valid.tif", np.ones((20, 15), np.uint8), transform=coarse),
    ]
    scene = open_scene(files, platform="landsat-8", **SCALE)
    assert hides_the_left(scene)
    assert why(scene)["cloud"] == 400


@pytest.mark.parametrize("nodata", [-np.inf, np.inf, np.nan, -3.4028234663852886e38, -1.7e308])
@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ends_of_the_range_stand_for_no_value(write_raster, nodata, tagged, dtype):
    with np.errstate(over="ignore"):
        under = np.float64(nodata).astype(dtype)
    values = (DN * 1e-4).astype(dtype)
    values[:, LEFT] = under
    said = {"nodata": float(under)} if tagged else {}
    path = write_raster("a.tif", values, descriptions=NAMES, **said)
    scene = open_scene(path, nodata=None if tagged else float(f"{nodata:.3g}"))
    assert hides_the_left(scene)


def test_quality_in_the_same_file_masks_and_the_rest_is_left_out(write_raster):
    qa = np.where(LEFT, 22280, 21824).astype(np.uint16)
    others = np.full((3, *SHAPE), 40_000, np.uint16)
    path = write_raster(
        "a.tif",
        np.concatenate([DN, qa[None], others]),
        descriptions=(*(f"SR_B{n}" for n in range(2, 8)), "QA_PIXEL", "ST_B10", "ST_QA", "lat"),
    )
    scene = open_scene(path, platform="landsat-8", **SCALE)
    assert scene["band"].values.tolist() == list(NAMES)
    assert hides_the_left(scene)
    assert why(scene)["cloud"] == 400
    assert scene.attrs["left_out"] == "ST_B10, ST_QA, lat"
    assert np.isfinite(open_scene(path, platform="landsat-8", mask=(), **SCALE).values).all()


def test_bands_are_found_by_the_names_that_the_file_has(write_raster):
    odd = np.full((1, *SHAPE), 65_000, np.uint16)
    names = ("SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7", "gain")
    path = write_raster("a.tif", np.concatenate([DN, odd]), descriptions=names)
    for wanted in (["B3", "B6"], ["SR_B3", "SR_B6"], ["sr_b3", "b06"]):
        scene = open_scene(path, bands=wanted, **SCALE)
        assert scene["band"].values.tolist() == ["SR_B3", "SR_B6"]
        known = open_scene(path, bands=wanted, platform="landsat-9", **SCALE)
        assert known["band"].values.tolist() == ["green", "swir16"]
    both = open_scene(path, bands=["green", "swir1"], platform="landsat-8", **SCALE)
    np.testing.assert_allclose(both.values, DN[[1, 4]] * 1e-4, rtol=1e-5)
    with pytest.raises(MissingBandError, match=r"no band 'B9'.*platform"):
        open_scene(path, bands=["B9"], **SCALE)


def test_a_layer_that_is_no_spectrum_can_be_asked_for(write_raster):
    values = np.concatenate([DN, DN[:1]])
    path = write_raster("a.tif", values, descriptions=(*NAMES, "NDVI"))
    assert open_scene(path, **SCALE).attrs["left_out"] == "NDVI"
    scene = open_scene(path, bands=["green", "NDVI"], **SCALE)
    assert scene["band"].values.tolist() == ["green", "NDVI"]


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("landsat-5", NAMES),
        ("landsat-8", NAMES),
        ("landsat-9", ("coastal", *NAMES)),
        ("sentinel-2", tuple(band.name for band in SENSORS["sentinel-2a"].bands)),
    ],
)
def test_a_platform_is_enough_where_the_number_of_bands_fits(write_raster, platform, names):
    numbers = np.random.default_rng(1).integers(500, 4000, (len(names), *SHAPE), dtype=np.uint16)
    path = write_raster("stack.tif", numbers)
    scene = open_scene(path, platform=platform, bands=names, **SCALE)
    assert scene["band"].values.tolist() == list(names)
    assert scene.attrs["platform"] == platform
    array = xr.DataArray(numbers, dims=("band", "y", "x"), coords=GRID_COORDS)
    assert open_scene(array, platform=platform, **SCALE).sizes["band"] >= 6
    with pytest.raises(MissingBandError, match="cannot be named"):
        open_scene(write_raster("five.tif", DN[:5]), platform=platform, **SCALE)


GRID_COORDS = {name: xr_zeros(GRID)[name] for name in ("y", "x", "spatial_ref")}


@pytest.mark.parametrize("internal", [True, False])
def test_masks_of_remote_files_are_read_too(write_raster, tmp_path, internal):
    path = with_mask(write_raster("a.tif", UNDER, descriptions=NAMES), internal=internal)
    with website(path.parent) as site:
        scene = open_scene(f"{site.url}/a.tif", **SCALE)
        assert hides_the_left(scene)
        cached = open_scene(f"{site.url}/a.tif", cache=tmp_path / "cache", **SCALE)
        assert hides_the_left(cached)


def test_a_mask_beside_a_file_is_an_input_of_its_own(write_raster, tmp_path):
    from strandline.scenes.inputs import source_files

    path = with_mask(write_raster("a.tif", UNDER, descriptions=NAMES), internal=False)
    assert source_files(str(path)) == [str(path), f"{path}.msk"]
    shutil.copy(path, tmp_path / "alone.tif")
    assert source_files(str(tmp_path / "alone.tif")) == [str(tmp_path / "alone.tif")]


# --- arrays and datasets ------------------------------------------------------


def planes(values: np.ndarray = UNDER, **others: np.ndarray) -> xr.Dataset:
    variables = {**dict(zip(NAMES, values, strict=True)), **others}
    return xr.Dataset(
        {name: xr_zeros(GRID, dtype=v.dtype).copy(data=v) for name, v in variables.items()}
    )


CLOUDED = np.where(LEFT, 22280, 21824).astype(np.uint16)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_masks_and_quality_in_datasets(tmp_path, lazy, stored):
    angle = np.full(SHAPE, 42.0, np.float32)
    dataset = planes(
        oa_nbart_contiguity=(~LEFT).astype(np.uint8), view_zenith=angle, lat=angle, lon=angle
    )
    source: object = dataset.chunk(y=9) if lazy else dataset
    if stored:
        dataset.to_netcdf(tmp_path / "a.nc")
        source = tmp_path / "a.nc"
    scene = open_scene(source, **SCALE)
    assert scene["band"].values.tolist() == list(NAMES)
    assert hides_the_left(scene)
    assert scene.attrs["left_out"] == "view_zenith, lat, lon"


@pytest.mark.parametrize("decoded", [False, True])
def test_a_variable_that_says_what_its_numbers_mean_masks(tmp_path, decoded):
    state = np.where(LEFT, 2, 1).astype(np.uint8)
    dataset = planes(DN, state=state)
    dataset["state"].attrs = {
        "flag_values": np.array([1, 2], np.uint8), "flag_meanings": "clear cloud"
    }  # fmt: skip
    if decoded:
        dataset["state"] = dataset["state"].astype(np.float32).assign_attrs(dataset["state"].attrs)
    dataset.to_netcdf(tmp_path / "a.nc")
    scene = open_scene(tmp_path / "a.nc", **SCALE)
    assert (scene["band"].values.tolist(), hides_the_left(scene)) == (list(NAMES), True)
    assert why(scene)["cloud"] == 400


def test_a_variable_of_classes_that_hide_nothing_is_left_out():
    dataset = planes(DN, cover=np.ones(SHAPE, np.uint8))
    dataset["cover"].attrs = {"flag_values": [0, 1], "flag_meanings": "land water"}
    scene = open_scene(dataset, **SCALE)
    assert scene.attrs["left_out"] == "cover"
    assert np.isfinite(scene.values).all()


@pytest.mark.parametrize("lazy", [False, True])
def test_quality_and_masks_among_the_bands_of_an_array(lazy):
    dataset = planes(DN, QA_PIXEL=CLOUDED, dataMask=np.ones(SHAPE, np.uint16), ST_QA=CLOUDED)
    array = dataset.to_dataarray("band")
    scene = open_scene(array.chunk(y=11) if lazy else array, platform="landsat-8", **SCALE)
    assert scene["band"].values.tolist() == list(NAMES)
    assert hides_the_left(scene)
    assert why(scene)["cloud"] == 400
    assert scene.attrs["left_out"] == "ST_QA"


def test_what_is_left_out_is_not_judged():
    array = planes(DN, gain=np.full(SHAPE, 65_535, np.uint16)).to_dataarray("band")
    scene = open_scene(array, bands=["nir", "swir1"], **SCALE)
    assert scene["band"].values.tolist() == ["nir08", "swir16"]


def test_a_source_of_nothing_but_such_layers_opens_as_it_is(write_raster):
    values = DN[:2].astype(np.float32) * 1e-4
    path = write_raster("height.tif", values, descriptions=("elevation", "slope"))
    assert open_scene(path)["band"].values.tolist() == ["elevation", "slope"]
