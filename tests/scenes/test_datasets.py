from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import rioxarray
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_zeros

from strandline.errors import (
    MissingBandError,
    MissingCRSError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.scenes.open import open_scene

GRID = GeoBox.from_bbox((300_000, 4_200_000, 300_900, 4_200_600), "EPSG:32611", resolution=30)
DN = np.random.default_rng(2).integers(7300, 20_000, (2, 20, 30), dtype=np.uint16)
BY_HAND = DN * 2.75e-5 - 0.2
SURFACE = {"scale": 2.75e-5, "offset": -0.2}


def plane(values, **attrs):
    array = xr_zeros(GRID, dtype=values.dtype)
    return array.copy(data=values).assign_attrs(attrs)


def test_one_variable_per_band_as_odc_stac_gives_it():
    dataset = xr.Dataset({"red": plane(DN[0], nodata=0), "nir08": plane(DN[1], nodata=0)})
    dataset = dataset.expand_dims(time=[np.datetime64("2020-12-04T18:50", "us")]).chunk(y=7)
    scene = open_scene(dataset, **SURFACE)
    assert scene.dims == ("band", "y", "x")
    assert scene["band"].values.tolist() == ["red", "nir08"]
    assert scene["time"].dtype == "datetime64[ns]"
    assert scene.odc.crs.epsg == 32611
    np.testing.assert_allclose(scene.values, BY_HAND, atol=1e-6)


def test_a_quality_variable_masks_and_is_no_band():
    qa = np.full((20, 30), 21824, np.uint16)
    qa[3, 4] = 22280
    dataset = xr.Dataset({"red": plane(DN[0]), "nir08": plane(DN[1]), "qa_pixel": plane(qa)})
    scene = open_scene(dataset, **SURFACE)
    assert scene.shape == (2, 20, 30)
    assert np.isnan(scene.values[:, 3, 4]).all()
    assert np.isnan(scene.values).sum() == 2
    assert not np.isnan(open_scene(dataset, mask=(), **SURFACE).values).any()


def test_several_dates_are_not_one_scene():
    dataset = xr.Dataset({"red": plane(DN[0])}).expand_dims(time=[0, 1])
    with pytest.raises(UnknownProductError, match=r"2 dates.*isel"):
        open_scene(dataset, **SURFACE)


@pytest.mark.parametrize("options", [{}, {"masked": True}, {"mask_and_scale": True}])
def test_rioxarray_arrays_are_scaled_once_however_they_were_read(write_raster, options):
    path = write_raster(
        "a.tif", DN, nodata=int(DN.max()), descriptions=("red", "swir1"),
        scales=(2.75e-5,) * 2, offsets=(-0.2,) * 2,
    )  # fmt: skip
    scene = open_scene(rioxarray.open_rasterio(path, **options))
    expected = np.where(np.isin(DN, DN.max()), np.nan, BY_HAND)
    np.testing.assert_allclose(scene.values, expected, atol=1e-6)
    assert scene["band"].values.tolist() == ["red", "swir16"]


@pytest.mark.parametrize("mask_and_scale", [True, False])
def test_a_dataset_with_band_data_as_intake_gives_it(write_raster, mask_and_scale):
    path = write_raster(
        "a.tif", DN, descriptions=("red", "nir"), scales=(2.75e-5,) * 2, offsets=(-0.2,) * 2
    )
    dataset = xr.open_dataset(path, engine="rasterio", mask_and_scale=mask_and_scale)
    assert list(dataset.data_vars) == ["band_data"]
    np.testing.assert_allclose(open_scene(dataset).values, BY_HAND, atol=1e-6)


def test_positions_are_no_names(write_raster):
    array = rioxarray.open_rasterio(write_raster("a.tif", DN))
    with pytest.raises(MissingBandError, match="band_names"):
        open_scene(array, **SURFACE)
    scene = open_scene(array, band_names=["green", "nir"], **SURFACE)
    assert scene["band"].values.tolist() == ["green", "nir08"]


def test_degrees_are_a_map_plane_too():
    grid = GeoBox.from_bbox((-119, 38, -118.7, 38.2), "EPSG:4326", resolution=0.01)
    dataset = xr.Dataset({"red": xr_zeros(grid, dtype="uint16") + np.uint16(9000)})
    assert dataset["red"].dims == ("latitude", "longitude")
    scene = open_scene(dataset, crs="EPSG:4326", **SURFACE)
    assert scene.dims == ("band", "y", "x")
    assert scene.odc.geobox.shape == grid.shape


def test_arrays_in_memory_stay_there_and_lazy_ones_stay_lazy():
    array = xr.concat([plane(DN[0]), plane(DN[1])], dim="band").assign_coords(band=["red", "nir"])
    assert open_scene(array, **SURFACE).chunks is None
    assert isinstance(open_scene(array.chunk(y=5), **SURFACE).data, da.Array)
    assert isinstance(open_scene(array, chunks={"y": 5}, **SURFACE).data, da.Array)


def test_the_callers_array_is_left_alone():
    array = xr.concat([plane(DN[0]), plane(DN[1])], dim="band").assign_coords(band=["red", "nir"])
    before = array.copy(deep=True)
    open_scene(array, bands=["nir"], time="2020-01-01", **SURFACE)
    xr.testing.assert_identical(array, before)


def test_an_array_without_a_crs_is_asked_about():
    array = xr.DataArray(DN, dims=("band", "y", "x"), coords={"band": ["red", "nir"]})
    with pytest.raises(MissingCRSError, match="georeference"):
        open_scene(array, **SURFACE)
    placed = array.assign_coords(y=np.arange(20)[::-1] * 30.0, x=np.arange(30) * 30.0)
    with pytest.raises(MissingCRSError, match="crs=…"):
        open_scene(placed, **SURFACE)
    assert open_scene(placed, crs="EPSG:32611", **SURFACE).odc.crs.epsg == 32611


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (xr.DataArray(np.zeros((3, 4)), dims=("a", "b")), "map plane"),
        (xr.Dataset({"a": ("t", [1, 2])}), "map plane"),
        (xr.DataArray(np.zeros((2, 3, 4, 5)), dims=("run", "band", "y", "x")), "dimensions"),
    ],
)
def test_what_is_no_scene_is_refused(source, message):
    with pytest.raises(UnknownProductError, match=message):
        open_scene(source)


@pytest.mark.parametrize("grid_mapping", ["crs", "transverse_mercator"])
def test_the_crs_is_found_wherever_cf_keeps_it(tmp_path, grid_mapping):
    array = plane(DN[0].astype(np.float32) * 2e-5)
    dataset = xr.Dataset({"red": array.rename(spatial_ref=grid_mapping)})
    dataset["red"].encoding["grid_mapping"] = grid_mapping
    dataset.to_netcdf(tmp_path / "a.nc")
    assert open_scene(tmp_path / "a.nc").odc.crs.epsg == 32611


def test_a_truncated_netcdf_is_named(tmp_path):
    path = tmp_path / "cut.nc"
    xr.Dataset({"red": plane(DN[0])}).to_netcdf(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UnreadableSourceError, match=r"cut\.nc"):
        open_scene(path, **SURFACE)
