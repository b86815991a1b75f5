from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import rasterio
from distributed import Client, LocalCluster

from strandline.errors import (
    ConfigurationError,
    GridMismatchError,
    MissingBandError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.scenes.header import read_header
from strandline.scenes.raster import read_bands

NOISE = np.random.default_rng(5).integers(0, 10_000, (2, 300, 200), dtype=np.uint16)


def test_bands_are_read_as_they_are_stored(write_raster):
    path = write_raster("a.tif", NOISE, nodata=7, descriptions=("green", "swir1"))
    bands = read_bands(path)
    assert bands.dims == ("band", "y", "x")
    assert bands.dtype == np.uint16
    assert bands.chunks is not None
    assert bands["band"].values.tolist() == ["green", "swir1"]
    assert bands.attrs["nodata"] == [7.0, 7.0]
    np.testing.assert_array_equal(bands.values, NOISE)


def test_coordinates_are_pixel_centres_with_a_crs(write_raster):
    bands = read_bands(write_raster("a.tif", NOISE))
    assert float(bands["x"][0]) == 300_015
    assert float(bands["y"][0]) == 4_299_985
    assert bands.odc.crs.epsg == 32611
    assert bands.odc.geobox.shape == (300, 200)


def test_files_follow_one_another_along_band(write_raster):
    one, two = write_raster("1.tif", NOISE[0]), write_raster("2.tif", NOISE[1])
    bands = read_bands([one, two], band_names=["a", "b"])
    np.testing.assert_array_equal(bands.sel(band="b").values, NOISE[1])


@pytest.mark.parametrize("chunks", [64, (50, 70), {"y": 33, "x": -1}, -1, "auto", None])
def test_chunks_do_not_change_values(write_raster, chunks):
    path = write_raster("a.tif", NOISE, tiled=True, blockxsize=64, blockysize=64)
    np.testing.assert_array_equal(read_bands(path, chunks=chunks).values, NOISE)


def test_strips_are_grouped_into_large_chunks(write_raster):
    path = write_raster("a.tif", NOISE, blockysize=1)
    assert read_bands(path).chunks == ((2,), (300,), (200,))


def test_tiles_are_never_cut_by_default(tmp_path, write_raster):
    path = write_raster(
        "a.tif", np.zeros((5000, 5000), np.uint8), tiled=True, blockxsize=512, blockysize=512
    )
    assert read_bands(path).chunks == ((1,), (1024,) * 4 + (904,), (1024,) * 4 + (904,))


@pytest.mark.parametrize("chunks", [0, (1, 2, 3), {"z": 5}, "many", (1.5, 2)])
def test_chunks_that_make_no_sense_are_refused(write_raster, chunks):
    with pytest.raises(ConfigurationError, match="Chunks"):
        read_bands(write_raster("a.tif", NOISE), chunks=chunks)


def test_task_names_depend_on_the_file_and_nothing_else(write_raster):
    path = write_raster("a.tif", NOISE)
    first = read_bands(path).data.name
    assert read_bands(path).data.name == first
    os.utime(path, ns=(1, 1))
    assert read_bands(path).data.name != first


def test_missing_file_is_named():
    with pytest.raises(SourceNotFoundError, match=r"/nowhere/a\.tif"):
        read_header("/nowhere/a.tif")


def test_a_file_that_is_no_raster_is_named(tmp_path):
    path = tmp_path / "a.tif"
    path.write_text("not a raster")
    with pytest.raises(UnreadableSourceError, match=r"a\.tif"):
        read_header(path)


@pytest.mark.parametrize("compress", [None, "deflate"])
@pytest.mark.parametrize("driver", ["GTiff", "COG"])
def test_a_truncated_file_fails_with_its_name(write_raster, driver, compress):
    path = write_raster("cut.tif", NOISE, driver=driver, compress=compress)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UnreadableSourceError, match=r"cut\.tif.*truncated"):
        read_bands(path).compute()


def test_damage_that_only_shows_when_pixels_are_read_is_named_then(write_raster):
    path = write_raster("cut.tif", NOISE, driver="COG", compress="deflate")
    os.truncate(path, path.stat().st_size // 2)
    bands = read_bands(path)
    with pytest.raises(UnreadableSourceError, match=r"cut\.tif.*truncated"):
        bands.compute()


def test_a_file_deleted_after_opening_is_named(write_raster):
    path = write_raster("gone.tif", NOISE)
    bands = read_bands(path)
    path.unlink()
    with pytest.raises(SourceNotFoundError, match=r"gone\.tif"):
        bands.compute()


@pytest.mark.parametrize(
    "other",
    [
        {"transform": rasterio.transform.from_origin(300_030, 4_300_000, 30, 30)},
        {"crs": "EPSG:32610"},
    ],
)
def test_files_on_different_grids_are_refused_naming_both(write_raster, other):
    one, two = write_raster("one.tif", NOISE[0]), write_raster("two.tif", NOISE[1], **other)
    with pytest.raises(GridMismatchError, match=r"one\.tif.*300000.*EPSG:32611.*two\.tif"):
        read_bands([one, two])


def test_rotated_grids_are_refused(write_raster):
    turned = rasterio.Affine.translation(3e5, 4e6) * rasterio.Affine.rotation(20)
    with pytest.raises(UnknownProductError, match="rotated"):
        read_bands(write_raster("a.tif", NOISE, transform=turned))


def test_wrong_number_of_names_is_refused(write_raster):
    with pytest.raises(MissingBandError, match="2 names"):
        read_bands(write_raster("a.tif", NOISE), band_names=["red"])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_bare_files_say_so(write_raster):
    bands = read_bands(write_raster("a.tif", NOISE, crs=None, transform=rasterio.Affine.identity()))
    assert bands.attrs["georeferenced"] is False
    assert "spatial_ref" not in bands.coords


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_bare_files_are_read_without_warnings_in_threads(write_raster):
    path = write_raster("a.tif", NOISE, crs=None, transform=rasterio.Affine.identity())
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_bands(path, chunks=64).values, NOISE)


def test_members_of_an_archive_are_read_in_place(real_data):
    name = "LT05_L2SP_090084_19980308_20200909_02_T1"
    archive = real_data / "ingest_c2l2_bundles" / f"{name}.tar.gz"
    bands = read_bands(f"/vsitar/{archive}/{name}/{name}_SR_B4.TIF")
    assert bands.values.max() == 31647


def test_worker_processes_read_relative_paths_and_report_our_errors(write_raster, monkeypatch):
    path = write_raster("a.tif", NOISE)
    monkeypatch.chdir(path.parent)
    bands = read_bands("a.tif", chunks=100)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        np.testing.assert_array_equal(client.compute(bands).result().values, NOISE)
        os.truncate(path, 2000)
        with pytest.raises(UnreadableSourceError, match=r"a\.tif"):
            client.compute(read_bands_again(bands)).result()


def read_bands_again(bands):
    return bands + np.uint16(1)


def test_graphs_can_be_sent_elsewhere(write_raster):
    bands = read_bands(write_raster("a.tif", NOISE))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(bands)).values, NOISE)
