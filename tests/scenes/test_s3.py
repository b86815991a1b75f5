"""Catalogues on S3: a real server on loopback, anonymous, under threads and worker processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import dask
import numpy as np
import pytest
import rasterio
import xarray as xr
import yaml
from distributed import Client, LocalCluster
from moto.server import ThreadedMotoServer
from rasterio.transform import from_origin

from strandline.errors import AccessDeniedError, SourceNotFoundError, UnreadableSourceError
from strandline.scenes.catalog import Catalog, open_catalog
from strandline.scenes.open import open_scene

NAME = "LT05_L1TP_042033_19881022_20161001_01_T1_sr_band{}.tif"
BANDS = (1, 2, 3, 4, 5, 7)
BUCKET = "earth-data"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server of its own, on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Six bands of noise: tiled, compressed, larger than one chunk."""
    folder = tmp_path_factory.mktemp("scene")
    rng = np.random.default_rng(20)
    profile = {
        "driver": "GTiff",
        "width": 130,
        "height": 150,
        "count": 1,
        "dtype": "int16",
        "crs": "EPSG:32611",
        "transform": from_origin(330_000, 4_300_000, 30, 30),
        "nodata": -9999,
        "tiled": True,
        "blockxsize": 64,
        "blockysize": 64,
        "compress": "deflate",
    }
    for band in BANDS:
        values = rng.integers(0, 10_000, (150, 130), dtype="int16")
        values[:20, :30] = -9999
        with rasterio.open(folder / NAME.format(band), "w", **profile) as file:
            file.write(values, 1)
    return folder


@pytest.fixture(scope="module")
def store(endpoint: str, files: Path) -> Any:
    """The bucket ``earth-data``, public as the seed's is, with one private object."""
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="owner",
        aws_secret_access_key="secret",
    )
    s3.create_bucket(Bucket=BUCKET, ACL="public-read")
    for file in sorted(files.glob("*.tif")):
        key = f"landsat/small/{file.name}"
        s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes(), ACL="public-read")
    body = (files / NAME.format(1)).read_bytes()
    s3.put_object(Bucket=BUCKET, Key="private/band1.tif", Body=body, ACL="private")
    s3.put_object(Bucket=BUCKET, Key="broken/band1.tif", Body=body[:3000], ACL="public-read")
    yield s3
    s3.close()


@pytest.fixture
def catalog(store: Any, endpoint: str, tmp_path: Path) -> Catalog:
    """The form of the seed's catalogue, and sources with something wrong."""
    access = {
        "anon": True,
        "region_name": "us-east-1",
        "client_kwargs": {"endpoint_url": endpoint},
    }

    def source(urlpath: Any, **more: Any) -> dict[str, Any]:
        args = {"urlpath": urlpath, "concat_dim": "band", "storage_options": access}
        return {"driver": "rasterio", "args": {**args, **more}}

    folder = f"s3://{BUCKET}/landsat/small"
    sources = {
        "landsat_5_small": source(
            f"{folder}/{NAME.format('{band:d}')}", chunks={"band": 1, "x": 50, "y": 50}
        ),
        "glob": source(f"{folder}/LT05*.tif"),
        "one": source(f"{folder}/{NAME.format(3)}"),
        "no_match": source(f"{folder}/LC08_band{{band:d}}.tif"),
        "no_bucket": source("s3://no-such-bucket/band{band:d}.tif"),
        "no_key": source(f"s3://{BUCKET}/landsat/missing.tif"),
        "no_bucket_key": source("s3://no-such-bucket/band1.tif"),
        "replaced": source(f"s3://{BUCKET}/replaced.tif"),
        "later": source(f"s3://{BUCKET}/later.tif"),
        "with_keys": source(
            f"s3://{BUCKET}/private/band1.tif",
            storage_options={"key": "owner", "secret": "secret", "endpoint_url": endpoint},
        ),
        "denied": source(f"s3://{BUCKET}/private/band1.tif"),
        "broken": source(f"s3://{BUCKET}/broken/band1.tif"),
    }
    path = tmp_path / "catalog.yml"
    path.write_text(yaml.safe_dump({"sources": sources}))
    return open_catalog(path)


def local_values(files: Path) -> np.ndarray:
    values = []
    for band in BANDS:
        with rasterio.open(files / NAME.format(band)) as file:
            values.append(file.read(1))
    return np.stack(values)


def test_patterns_and_globs_are_listed_on_s3(catalog, files):
    expected = [f"s3://{BUCKET}/landsat/small/{NAME.format(band)}" for band in BANDS]
    assert catalog.landsat_5_small.urls == expected
    assert catalog.glob.urls == expected


def test_a_file_that_came_later_is_listed_too(catalog, store, files):
    before = catalog.glob.urls
    key = "landsat/small/LT05_later.tif"
    body = (files / NAME.format(1)).read_bytes()
    store.put_object(Bucket=BUCKET, Key=key, Body=body, ACL="public-read")
    try:
        assert len(catalog.glob.urls) == len(before) + 1
    finally:
        store.delete_object(Bucket=BUCKET, Key=key)


def test_values_are_those_of_the_local_files_under_threads(catalog, files):
    array = catalog.landsat_5_small.to_dask()
    assert array["band"].values.tolist() == list(BANDS)
    assert array.chunks == ((1,) * 6, (50, 50, 50), (50, 50, 30))
    with dask.config.set(scheduler="threads", num_workers=4):
        np.testing.assert_array_equal(array.values, local_values(files))


def test_values_are_those_of_the_local_files_in_the_opening_thread(catalog, files):
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_array_equal(catalog.glob.read(), local_values(files))


@pytest.mark.slow
def test_values_are_those_of_the_local_files_in_worker_processes(catalog, files):
    expected = local_values(files)
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # None would still serve on port 8787
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster),
    ):
        array = catalog.landsat_5_small.to_dask()
        np.testing.assert_array_equal(array.compute(), expected)
        means = array.mean(("y", "x")).compute()
        with pytest.raises(UnreadableSourceError, match=r"s3://earth-data/broken/band1\.tif"):
            catalog.broken.to_dask().compute()
    np.testing.assert_allclose(means, expected.mean((1, 2)))


def test_a_scene_from_s3_is_the_scene_from_the_local_files(catalog, files):
    remote = open_scene(f"{catalog.path}:landsat_5_small")
    local = open_scene(f"{files}/{NAME.format('{band}')}")
    assert remote.attrs["platform"] == local.attrs["platform"] == "landsat-5"
    np.testing.assert_array_equal(remote, local)
    assert np.isnan(remote[:, :20, :30]).all()
    np.testing.assert_array_equal(catalog.landsat_5_small.to_scene(bands=["red"]), local[2:3])


def test_the_seeds_own_acquisitions_are_the_same_from_s3(real_data, store, endpoint, tmp_path):
    folder = real_data / "walker_lake_3km"
    names = {"l5": NAME, "l8": "LC08_L1TP_042033_20171022_20171107_01_T1_sr_band{}.tif"}
    access = {"anon": True, "region_name": "us-east-1", "endpoint_url": endpoint}
    sources = {}
    for key, name in names.items():
        for file in folder.glob(name.format("*")):
            body = file.read_bytes()
            store.put_object(Bucket=BUCKET, Key=f"w/{file.name}", Body=body, ACL="public-read")
        urlpath = f"s3://{BUCKET}/w/" + name.format("{band:d}")
        args = {"urlpath": urlpath, "chunks": {"band": 1, "x": 50, "y": 50}}
        sources[key] = {"driver": "rasterio", "args": {**args, "storage_options": access}}
    (tmp_path / "walker.yml").write_text(yaml.safe_dump({"sources": sources}))
    cat = open_catalog(tmp_path / "walker.yml")
    for key, name in names.items():
        remote = cat[key].read()
        for band in remote["band"].values:
            with rasterio.open(folder / name.format(band)) as file:
                np.testing.assert_array_equal(remote.sel(band=band), file.read(1))
        assert remote["band"].values.tolist() == {"l5": list(BANDS), "l8": [*range(1, 8)]}[key]


def test_a_parametrised_source_is_read_over_http(store, endpoint, files, tmp_path):
    body = (files / NAME.format(4)).read_bytes()
    key = "LC08/01/042/033/LC08_X/LC08_X_B4.TIF"
    store.put_object(Bucket=BUCKET, Key=key, Body=body, ACL="public-read")
    parameters = {"path": "int", "row": "int", "product_id": "str", "band": "int"}
    place = "{{ '%03d' % path }}/{{ '%03d' % row }}/{{ product_id }}/{{ product_id }}_B{{ band }}"
    source = {
        "driver": "rasterio",
        "parameters": {name: {"type": kind} for name, kind in parameters.items()},
        "args": {
            "urlpath": f"{endpoint}/{BUCKET}/LC08/01/{place}.TIF",
            "chunks": {"band": 1, "x": 64, "y": 64},
        },
    }
    (tmp_path / "c.yml").write_text(yaml.safe_dump({"sources": {"google_landsat_band": source}}))
    cat = open_catalog(tmp_path / "c.yml")
    tile = cat["google_landsat_band"](path=42, row=33, product_id="LC08_X", band=4)
    np.testing.assert_array_equal(tile.to_dask()[0], local_values(files)[3])
    with pytest.raises(SourceNotFoundError, match="LC08_X_B5"):
        tile(band=5).to_dask()


def test_netcdf_and_zarr_open_from_s3(store, endpoint, tmp_path):
    made = xr.Dataset({"green": (("y", "x"), np.arange(12).reshape(3, 4))})
    made.to_netcdf(tmp_path / "lake.nc", engine="h5netcdf")
    made.to_zarr(tmp_path / "lake.zarr", consolidated=True, zarr_format=2)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            key = f"x/{file.relative_to(tmp_path)}"
            store.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes(), ACL="public-read")
    access = {"anon": True, "client_kwargs": {"endpoint_url": endpoint}}
    sources = {
        name: {
            "driver": driver,
            "args": {"urlpath": f"s3://{BUCKET}/x/{file}", "storage_options": access},
        }
        for name, driver, file in (
            ("file", "netcdf", "lake.nc"),
            ("store", "zarr", "lake.zarr"),
            ("no_file", "netcdf", "gone.nc"),
            ("no_store", "zarr", "gone.zarr"),
        )
    }
    path = tmp_path / "catalog.yml"
    path.write_text(yaml.safe_dump({"sources": sources}))
    cat = open_catalog(path)
    for name in ("file", "store"):
        with cat[name].to_dask() as dataset:
            xr.testing.assert_equal(dataset.compute(), made)
    for name in ("no_file", "no_store"):
        with pytest.raises(SourceNotFoundError, match=r"s3://earth-data/x/gone"):
            cat[name].to_dask()


def test_the_catalogue_itself_may_be_on_s3(store, endpoint, files):
    access = {"anon": True, "client_kwargs": {"endpoint_url": endpoint}}
    source = {
        "driver": "rasterio",
        "args": {
            "urlpath": "{{ CATALOG_DIR }}/small/" + NAME.format("{band:d}"),
            "storage_options": access,
        },
    }
    beside = {
        "driver": "rasterio",
        "args": {"urlpath": "small/" + NAME.format(2), "storage_options": access},
    }
    body = yaml.safe_dump({"sources": {"template": source, "beside": beside}}).encode()
    store.put_object(Bucket=BUCKET, Key="landsat/c.yml", Body=body, ACL="public-read")
    cat = open_catalog(f"s3://{BUCKET}/landsat/c.yml", storage_options=access)
    assert len(cat.template.urls) == 6
    np.testing.assert_array_equal(cat.beside.read()[0], local_values(files)[1])
    with pytest.raises(SourceNotFoundError, match=r"no file 's3://earth-data/no\.yml'"):
        open_catalog(f"s3://{BUCKET}/no.yml", storage_options=access)


def test_a_pattern_without_files_or_bucket_is_not_found(catalog):
    with pytest.raises(SourceNotFoundError, match=r"s3://earth-data/landsat/small/LC08_band"):
        catalog.no_match.to_dask()
    with pytest.raises(SourceNotFoundError, match=r"s3://no-such-bucket/band\{band:d\}\.tif"):
        catalog.no_bucket.to_dask()


def test_a_missing_object_or_bucket_is_not_found(catalog):
    with pytest.raises(SourceNotFoundError, match=r"s3://earth-data/landsat/missing\.tif"):
        catalog.no_key.to_dask()
    with pytest.raises(SourceNotFoundError, match=r"s3://no-such-bucket/band1\.tif"):
        catalog.no_bucket_key.to_dask()


def test_a_refused_object_says_so(catalog):
    said = r"s3://earth-data/private/band1\.tif.*refused.*storage_options=…"
    with pytest.raises(AccessDeniedError, match=said):
        catalog.denied.to_dask()


def test_a_private_object_opens_with_keys_even_after_it_was_refused(catalog, files):
    with pytest.raises(UnreadableSourceError):
        catalog.denied.to_dask()
    np.testing.assert_array_equal(catalog.with_keys.read()[0], local_values(files)[0])


def test_an_object_that_was_replaced_is_read_anew(catalog, store, files):
    for band in (4, 5):
        body = (files / NAME.format(band)).read_bytes()
        store.put_object(Bucket=BUCKET, Key="replaced.tif", Body=body, ACL="public-read")
        expected = local_values(files)[BANDS.index(band)]
        np.testing.assert_array_equal(catalog.replaced.read()[0], expected)


def test_an_object_that_was_missing_is_found_once_it_is_there(catalog, store, files):
    with pytest.raises(SourceNotFoundError):
        catalog.later.to_dask()
    body = (files / NAME.format(1)).read_bytes()
    store.put_object(Bucket=BUCKET, Key="later.tif", Body=body, ACL="public-read")
    np.testing.assert_array_equal(catalog.later.read()[0], local_values(files)[0])


def test_a_truncated_object_is_unreadable(catalog):
    with pytest.raises(UnreadableSourceError, match=r"s3://earth-data/broken/band1\.tif"):
        catalog.broken.to_dask().compute()
