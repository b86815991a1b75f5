from __future__ import annotations

import threading

import pytest
import rasterio
from rasterio.env import getenv

from strandline.errors import ConfigurationError, UnknownProductError
from strandline.scenes.access import gdal_options, reading
from strandline.scenes.storage import gdal_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("s3://bucket/a.tif", "/vsis3/bucket/a.tif"),
        ("gs://bucket/a.tif", "/vsigs/bucket/a.tif"),
        ("https://host/a.tif", "/vsicurl/https://host/a.tif"),
        ("file:///data/a.tif", "/data/a.tif"),
        ("/vsitar//data/a.tar/a.tif", "/vsitar//data/a.tar/a.tif"),
        ("/data/a.tif", "/data/a.tif"),
    ],
)
def test_urls_become_gdal_paths(url, path):
    assert gdal_path(url) == path


def test_relative_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gdal_path("a.tif") == str(tmp_path / "a.tif")


def test_other_schemes_are_refused():
    with pytest.raises(UnknownProductError, match="gopher"):
        gdal_path("gopher://host/a.tif")


@pytest.mark.parametrize(
    "options",
    [
        {"anon": True, "endpoint_url": "http://127.0.0.1:9000"},
        {"anon": True, "client_kwargs": {"endpoint_url": "http://127.0.0.1:9000"}},
    ],
)
def test_a_store_of_ones_own_is_reached_either_way(options):
    assert gdal_options(options) == {
        "AWS_NO_SIGN_REQUEST": "YES",
        "AWS_S3_ENDPOINT": "127.0.0.1:9000",
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }


@pytest.mark.parametrize("options", [{"anonymous": True}, {"client_kwargs": {"proxy": 1}}])
def test_an_option_that_would_have_no_effect_is_refused(options):
    with pytest.raises(ConfigurationError, match="no effect"):
        gdal_options(options)


def test_keys_reach_gdal_in_the_thread_that_reads_and_leave_with_it():
    options = gdal_options({"key": "me", "secret": "hush", "requester_pays": True})
    seen = {}

    def read():
        with reading("/vsis3/bucket/a.tif", options):
            seen.update(getenv())

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert seen["AWS_ACCESS_KEY_ID"] == "me"
    assert seen["AWS_SECRET_ACCESS_KEY"] == "hush"
    assert seen["AWS_REQUEST_PAYER"] == "requester"
    with rasterio.Env():
        assert "AWS_ACCESS_KEY_ID" not in getenv()


def test_neighbours_of_local_files_stay_visible():
    with reading("/data/a.tif", {}):
        assert "GDAL_DISABLE_READDIR_ON_OPEN" not in getenv()
