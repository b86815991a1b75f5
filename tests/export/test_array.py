"""NetCDF and Zarr: xarray and GDAL read the classes, their names and their place."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr

import strandline as sl
from strandline.change import areas
from strandline.errors import GridMismatchError, OutputError
from strandline.export.array import write_arrays
from strandline.prepare.georeference import grid_of, same_grid
from strandline.testing.lakes import lake_fraction, lake_grid, mask_of

GRID = lake_grid((60, 80))


def maps():
    both = mask_of(np.stack([lake_fraction(GRID, r) > 0.5 for r in (600, 400)]), GRID)
    both.values[:, :5] = 255
    return {"water": both, "change": sl.compare(both[0], both[1])}


def opened(path):
    if path.suffix == ".zarr":
        return xr.open_zarr(path, consolidated=False, decode_coords="all")
    return xr.open_dataset(path, decode_coords="all")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_xarray_reads_the_classes_and_we_measure_the_same(tmp_path, suffix):
    given = maps()
    with opened(write_arrays(given, tmp_path / f"lake{suffix}")) as back:
        assert back.attrs["Conventions"].startswith("CF-")
        assert back["water"].attrs["flag_meanings"] == "not_water water"
        assert np.asarray(back["change"].attrs["flag_values"]).tolist() == [0, 1, 2, 3]
        assert back["x"].attrs["standard_name"] == "projection_x_coordinate"
        assert back["spatial_ref"].attrs["grid_mapping_name"] == "transverse_mercator"
        assert same_grid(grid_of(back["water"]), GRID)
        np.testing.assert_array_equal(back["time"].values, given["water"]["time"].values)
        assert np.isnan(back["water"].values[:, :5]).all()
        assert areas(back["water"].load()).equals(areas(given["water"]))
    assert [path.name for path in tmp_path.iterdir()] == [f"lake{suffix}"]


def test_gdal_reads_the_netcdf_where_it_lies(tmp_path):
    given = maps()
    path = write_arrays(given, tmp_path / "lake.nc")
    try:
        source = rasterio.open(f"netcdf:{path}:change")
    except rasterio.errors.RasterioIOError as error:
        if "not recognized" in str(error) or "No such file" in str(error):
            pytest.skip("this GDAL has no NetCDF driver")
        raise
    with source as file:
        assert file.crs.to_epsg() == 32611
        np.testing.assert_allclose(list(file.transform)[:6], list(GRID.affine)[:6])
        assert file.nodata == 255
        np.testing.assert_array_equal(file.read(1), given["change"].values)
        assert file.tags(1)["flag_meanings"] == "stable_land stable_water lost gained"


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_chunks_do_not_change_the_bytes(tmp_path, suffix):
    given = maps()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = write_arrays(given, tmp_path / "a" / f"lake{suffix}")
    lazy = {name: array.chunk(y=60, x=80) for name, array in given.items()}
    other = write_arrays(lazy, tmp_path / "b" / f"lake{suffix}")
    files = [one] if suffix == ".nc" else sorted(p for p in one.rglob("*") if p.is_file())
    for file in files:
        same = other if suffix == ".nc" else other / file.relative_to(one)
        assert file.read_bytes() == same.read_bytes(), file


def test_what_does_not_fit_is_refused(tmp_path):
    mask = mask_of(np.eye(3), lake_grid((3, 3)))
    with pytest.raises(OutputError, match="no maps"):
        write_arrays({}, tmp_path / "m.nc")
    with pytest.raises(OutputError, match=r"\.nc or \.zarr"):
        write_arrays({"water": mask}, tmp_path / "m.hdf")
    plain = mask.astype(float)
    plain.attrs = {}
    with pytest.raises(OutputError, match=r"not a map of classes\. Expected uint8, got float64"):
        write_arrays({"water": plain}, tmp_path / "m.nc")
    with pytest.raises(GridMismatchError, match="on another grid"):
        write_arrays({"a": mask, "b": mask_of(np.eye(4), lake_grid((4, 4)))}, tmp_path / "m.nc")
    (tmp_path / "m.zarr").mkdir()
    with pytest.raises(OutputError, match="there already"):
        write_arrays({"water": mask}, tmp_path / "m.zarr")
