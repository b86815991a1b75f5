"""What servers do wrong, and what is said of it: a real server on loopback that misbehaves."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import fsspec
import numpy as np
import pytest

from servers import Website, website
from strandline.errors import (
    AccessDeniedError,
    SourceNotFoundError,
    StrandlineError,
    UnreachableSourceError,
    UnreadableSourceError,
)
from strandline.scenes.access import gdal_options
from strandline.scenes.failures import asking, patiently
from strandline.scenes.open import open_scene

QUICK = {"GDAL_HTTP_MAX_RETRY": "0", "GDAL_HTTP_LOW_SPEED_TIME": "1", "GDAL_HTTP_TIMEOUT": "2"}


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 5000, (1, 700, 600)).astype(np.int16)


@pytest.fixture
def server(tmp_path, write_raster, values) -> Iterator[Website]:
    write_raster("green.tif", values, tiled=True, blockxsize=256, blockysize=256)
    with website(tmp_path) as site:
        yield site


def opened(url: str, **options: object) -> np.ndarray:
    scene = open_scene(url, scale=1e-4, chunks=256, **options)
    result: np.ndarray = scene.compute().values
    return result


@pytest.mark.parametrize("mode", ["", "once500", "once503", "once429", "shortonce"])
def test_what_passes_when_asked_again_costs_nothing_but_time(server, values, mode):
    np.testing.assert_allclose(opened(server.address("green.tif", mode)), values * 1e-4, rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "kind", "said"),
    [
        ("404", SourceNotFoundError, "There is no file"),
        ("410", SourceNotFoundError, "There is no file"),
        ("401", AccessDeniedError, "HTTP 401.*storage_options"),
        ("403", AccessDeniedError, "HTTP 403.*storage_options"),
        ("get403", AccessDeniedError, "HTTP 403.*storage_options"),
        ("500", UnreachableSourceError, "HTTP 500.*try later"),
        ("503", UnreachableSourceError, "HTTP 503.*try later"),
        ("429", UnreachableSourceError, "HTTP 429.*try later"),
        ("get500", UnreachableSourceError, "HTTP 500.*try later"),
        ("short", UnreachableSourceError, "could not be reached"),
        ("hang", UnreachableSourceError, "could not be reached"),
        ("html", UnreadableSourceError, "web page.*text/html"),
    ],
)
def test_every_refusal_of_a_server_has_its_own_error(server, mode, kind, said):
    url = server.address("green.tif", mode)
    with pytest.raises(kind, match=said) as caught:
        opened(url, storage_options=QUICK)
    assert url in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_file_that_disappears_between_opening_and_reading_is_named(server, tmp_path):
    url = server.address("green.tif")
    scene = open_scene(url, scale=1e-4, chunks=256, storage_options=QUICK)
    (tmp_path / "green.tif").unlink()
    with pytest.raises(SourceNotFoundError, match=r"green\.tif"):
        scene.compute()


def test_secrets_of_an_address_are_not_told(server):
    with pytest.raises(StrandlineError) as caught:
        opened(server.address("green.tif?sig=hush", "403"), storage_options=QUICK)
    assert "hush" not in str(caught.value)
    assert "green.tif" in str(caught.value)


def test_nobody_is_asked_more_often_than_was_allowed(server):
    with pytest.raises(UnreachableSourceError):
        opened(server.address("green.tif", "500"), storage_options={"GDAL_HTTP_MAX_RETRY": "0"})
    assert server.asked["/~500/green.tif"] <= 2  # a HEAD, and a GET since some refuse HEAD


def test_errors_that_cannot_pass_are_not_tried_again():
    calls = []

    def refuse(attempt):
        calls.append(attempt)
        raise AccessDeniedError("No.")

    with pytest.raises(AccessDeniedError):
        patiently(refuse, wait=0)
    assert calls == [0]


def test_errors_that_may_pass_are_tried_so_often_and_no_more():
    calls = []

    def fail(attempt):
        calls.append(attempt)
        raise UnreachableSourceError("Busy.")

    with pytest.raises(UnreachableSourceError):
        patiently(fail, attempts=4, wait=0)
    assert calls == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (FileNotFoundError("x"), SourceNotFoundError),
        (PermissionError("x"), AccessDeniedError),
        (TimeoutError(), UnreachableSourceError),
        (ConnectionResetError("x"), UnreachableSourceError),
        (OSError("x"), UnreadableSourceError),
        (RuntimeError("An error occurred (SlowDown)"), UnreachableSourceError),
    ],
)
def test_errors_of_stores_become_errors_of_ours(problem, kind, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def fail():
        raise problem

    with pytest.raises(kind, match="s3://bucket/key") as caught:
        asking("s3://bucket/key", fail)
    assert type(caught.value) is kind
    assert caught.value.remedy


def test_a_store_that_only_fsspec_knows_is_read_too(tmp_path, write_raster, values):
    file = write_raster("green.tif", values)
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/scenes/green.tif", file.read_bytes())
    np.testing.assert_array_equal(opened("memory://scenes/green.tif"), opened(str(file)))
    with pytest.raises(SourceNotFoundError, match="memory://scenes/none"):
        opened("memory://scenes/none.tif")
    memory.pipe_file("/scenes/text.tif", b"no raster")
    with pytest.raises(UnreadableSourceError, match="memory://scenes/text"):
        opened("memory://scenes/text.tif")


def test_google_is_asked_in_its_own_way(server):
    access = {"token": "anon", "endpoint_url": server.url}
    (server.root / "bucket").mkdir()
    (server.root / "green.tif").rename(server.root / "bucket" / "green.tif")
    expected = opened(str(server.root / "bucket" / "green.tif"))
    scene = opened("gs://bucket/green.tif", storage_options=access)
    np.testing.assert_array_equal(scene, expected)


def test_options_of_stores_are_translated_for_the_store_they_are_for():
    assert gdal_options({"anon": True}, "gs://b/k.tif") == {"GS_NO_SIGN_REQUEST": "YES"}
    assert gdal_options({"anon": True}, "az://b/k.tif") == {"AZURE_NO_SIGN_REQUEST": "YES"}
    assert gdal_options({"token": "t"}, "s3://b/k.tif") == {"AWS_SESSION_TOKEN": "t"}
    assert gdal_options({"account_key": "k"}, "abfs://box@me.dfs.core.windows.net/k.tif") == {
        "AZURE_STORAGE_ACCESS_KEY": "k",
        "AZURE_STORAGE_ACCOUNT": "me",
    }
