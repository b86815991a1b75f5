"""Rasters mean the same to a GIS as they do to us."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from xml.etree import ElementTree

import dask.array as da
import numpy as np
import pytest
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import wrap_xr

from strandline.errors import MissingCRSError, OutputError
from strandline.export import raster
from strandline.export.raster import write_cog

GRID = GeoBox.from_bbox((340000, 4270000, 370000, 4300000), "EPSG:32611", resolution=30, tight=True)
FLAGS = {
    "change": ([0, 1, 2, 3], "land water lost gained"),
    "water": ([0, 1], "not_water water"),
    "labels": ([0, 1, 2], "label_0 label_1 label_2"),
}


def classes(kind: str, grid: GeoBox = GRID) -> xr.DataArray:
    values, meanings = FLAGS[kind]
    rows, columns = np.mgrid[: grid.shape[0], : grid.shape[1]]
    data = ((rows // 37 + columns // 53) % len(values)).astype(np.uint8)
    data[:20] = 255
    result = wrap_xr(data, grid, nodata=255).rename(kind)
    result.attrs |= {"flag_values": values, "flag_meanings": meanings, "long_name": f"a {kind} map"}
    return result.assign_coords(time=np.datetime64("1988-10-22T18:01:30", "ns"))


def scene() -> xr.DataArray:
    rng = np.random.default_rng(3)
    bands = [wrap_xr(rng.random(GRID.shape, dtype=np.float32), GRID) for _ in range(2)]
    result = xr.concat(bands, dim="band").assign_coords(band=["green", "swir16"])
    result = result.where(result.y < 4299000)
    result.attrs = {"platform": "landsat-5", "instrument": "tm", "units": "1", "source": "LT05"}
    return result.assign_coords(time=np.datetime64("1988-10-22T18:01:30", "ns"))


@pytest.mark.parametrize("kind", FLAGS)
def test_a_map_of_classes_is_a_cog_with_colours_names_and_nodata(tmp_path, kind):
    data = classes(kind)
    path = write_cog(data, tmp_path / f"{kind}.tif")
    with rasterio.open(path) as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.profile["compress"] == "deflate"
        assert source.block_shapes == [(512, 512)]
        assert source.overviews(1) == [2]
        assert source.nodata == 255
        assert source.colorinterp == (rasterio.enums.ColorInterp.palette,)
        assert source.colormap(1)[1][:3] == {
            "change": (0x1F, 0x5F, 0xA8), "water": (0x1F, 0x5F, 0xA8), "labels": (0x11, 0x77, 0x33),
        }[kind]  # fmt: skip
        assert source.colormap(1)[255] == (0, 0, 0, 0)
        assert source.descriptions == (kind,)
        assert source.tags()["TIFFTAG_DATETIME"] == "1988:10:22 18:01:30"
        values = " ".join(map(str, FLAGS[kind][0]))
        assert source.tags(1)["flag_values"] == f"{values} 255"
        assert source.tags(1)["flag_meanings"] == f"{FLAGS[kind][1]} not_observed"
        assert source.tags(1)["long_name"] == f"a {kind} map"
        assert source.crs.to_epsg() == 32611
        assert source.transform == GRID.affine
        np.testing.assert_array_equal(source.read(1), data.values)


@pytest.mark.parametrize("kind", FLAGS)
def test_land_of_masks_is_transparent_so_that_a_basemap_shows(tmp_path, kind):
    with rasterio.open(write_cog(classes(kind), tmp_path / f"{kind}.tif")) as source:
        alphas = [source.colormap(1)[value][3] for value in (*FLAGS[kind][0], 255)]
    land = 255 if kind == "labels" else 0
    assert alphas == [land] + [255] * (len(alphas) - 2) + [0]


def test_gdal_itself_reads_the_class_names(tmp_path):
    path = write_cog(classes("change"), tmp_path / "change.tif")
    rasterio.shutil.copy(path, tmp_path / "as_gdal_sees_it.vrt", driver="VRT")
    tree = ElementTree.parse(tmp_path / "as_gdal_sees_it.vrt")
    names = [node.text for node in tree.iter("Category")]
    assert names[:4] == ["land on both", "water on both", "water lost", "water gained"]
    assert names[255] == "not observed"


def test_overviews_of_classes_invent_none_and_take_the_commonest(tmp_path):
    data = classes("change")
    data.values[:] = 0
    data.values[:, 1::2] = 3  # an average would be 1 or 2
    data.values[::2, ::2] = 3
    with rasterio.open(write_cog(data, tmp_path / "c.tif"), overview_level=0) as overview:
        assert np.unique(overview.read(1)).tolist() == [3]


def test_a_scene_keeps_its_values_bands_and_nan(tmp_path):
    data = scene()
    with rasterio.open(write_cog(data, tmp_path / "scene.tif")) as source:
        assert source.dtypes == ("float32", "float32")
        assert np.isnan(source.nodata)
        assert source.descriptions == ("green", "swir16")
        assert source.units == ("1", "1")
        assert source.tags()["platform"] == "landsat-5"
        assert source.tags()["source"] == "LT05"
        np.testing.assert_array_equal(source.read(), data.values)
    with rasterio.open(tmp_path / "scene.tif", overview_level=0) as overview:
        expected = data.isel(y=slice(100, 102), x=slice(40, 42)).mean(("y", "x")).values
        np.testing.assert_allclose(overview.read()[:, 50, 20], expected, rtol=1e-6)
    assert [file.name for file in tmp_path.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize("make", [scene, lambda: classes("labels")])
@pytest.mark.parametrize("whole_bytes", [1 << 30, 0])
def test_chunks_and_stripes_do_not_change_the_bytes(tmp_path, monkeypatch, make, whole_bytes):
    data = make()
    whole = write_cog(data, tmp_path / "whole.tif").read_bytes()
    monkeypatch.setattr(raster, "WHOLE_BYTES", whole_bytes)
    chunked = write_cog(data.chunk(y=170, x=301), tmp_path / "chunked.tif").read_bytes()
    assert chunked == whole


def test_large_lazy_data_are_never_whole_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(raster, "WHOLE_BYTES", 0)
    largest = []
    real = raster._stripes

    def spy(layers):
        for row, values in real(layers):
            largest.append(values.nbytes)
            yield row, values

    monkeypatch.setattr(raster, "_stripes", spy)
    write_cog(classes("labels").chunk(y=100), tmp_path / "l.tif")
    assert max(largest) == 100 * GRID.shape[1]


def test_several_dates_become_bands_named_by_date(tmp_path):
    dates = np.array(["1988-10-22", "2017-10-22"], dtype="datetime64[ns]")
    both = xr.concat([classes("water").drop_vars("time")] * 2, dim="time").assign_coords(time=dates)
    with rasterio.open(write_cog(both, tmp_path / "w.tif")) as source:
        assert source.descriptions == ("1988-10-22", "2017-10-22")
        assert source.nodatavals == (255, 255)
        assert source.tags(2)["flag_meanings"].startswith("not_water water")


def test_it_answers_to_xarray_again(tmp_path):
    rioxarray = pytest.importorskip("rioxarray")
    data = classes("labels")
    with rioxarray.open_rasterio(write_cog(data, tmp_path / "l.tif")) as back:
        np.testing.assert_array_equal(back[0].values, data.values)
        np.testing.assert_allclose(back.x.values, data.x.values)


@pytest.mark.skipif(importlib.util.find_spec("rio_cogeo") is None, reason="rio-cogeo is not there")
def test_rio_cogeo_finds_nothing_to_object_to(tmp_path):
    from rio_cogeo import cog_validate

    valid, errors, warnings = cog_validate(write_cog(classes("change"), tmp_path / "c.tif"))
    assert (valid, errors, warnings) == (True, [], [])


def test_one_pixel_and_one_row_can_be_written(tmp_path):
    for shape in ((1, 1), (1, 700)):
        grid = GeoBox(shape, GRID.affine, GRID.crs)
        data = wrap_xr(np.ones(shape, np.uint8), grid)
        with rasterio.open(write_cog(data, tmp_path / "tiny.tif")) as source:
            assert source.shape == shape
            assert source.read(1).min() == 1


def test_a_map_without_crs_is_refused(tmp_path):
    with pytest.raises(MissingCRSError, match="no CRS"):
        write_cog(xr.DataArray(np.zeros((3, 3), np.uint8), dims=("y", "x")), tmp_path / "m.tif")


def test_dims_and_types_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\(time, y, x\).*got \('time', 'band', 'y', 'x'\)"):
        write_cog(scene().drop_vars("time").expand_dims(time=2), tmp_path / "s.tif")
    with pytest.raises(OutputError, match="int32"):
        write_cog(classes("water").astype(np.int32), tmp_path / "i.tif")


def test_an_error_in_the_computation_stays_what_it_is(tmp_path):
    def broken(block):
        raise ZeroDivisionError("in a chunk")

    data = classes("water").chunk(y=500)
    lazy = data.copy(data=da.map_blocks(broken, data.data, dtype=np.uint8, meta=data.data._meta))
    with pytest.raises(ZeroDivisionError):
        write_cog(lazy, tmp_path / "w.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_disk_that_takes_only_a_part_of_the_file_is_noticed(tmp_path):
    # The last thousand bytes are written while GDAL closes the file, and it does not say so.
    script = textwrap.dedent(
        """
        import os, resource, sys
        import numpy as np
        from odc.geo.geobox import GeoBox
        from odc.geo.xr import wrap_xr
        from strandline.errors import OutputError
        from strandline.export.raster import write_cog

        grid = GeoBox.from_bbox((0, 0, 30000, 30000), "EPSG:32611", resolution=30, tight=True)
        noise = wrap_xr(np.random.default_rng(0).integers(0, 200, grid.shape).astype("u1"), grid)
        size = write_cog(noise, "whole.tif").stat().st_size
        for limit in (5_000, size // 2, size - 1_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                write_cog(noise, "out/part.tif")
            except OutputError as error:
                print(error)
            assert os.listdir("out") == [], os.listdir("out")
        """
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Cannot write 'out/part.tif'") == 3
