"""Servers that refuse, fail, lie, break off or say nothing: on loopback, over real HTTP."""

from __future__ import annotations

import pytest

import broken_files as broken
import strandline as sl
from broken_input import Row, fails, read, rows
from servers import website
from strandline.errors import (
    AccessDeniedError,
    SourceNotFoundError,
    UnreachableSourceError,
    UnreadableSourceError,
)

QUICK = {"GDAL_HTTP_MAX_RETRY": "0", "GDAL_HTTP_LOW_SPEED_TIME": "1", "GDAL_HTTP_TIMEOUT": "2"}

SERVERS = [
    Row("a server that asks who we are", lambda _: "401", AccessDeniedError),
    Row("a server that forbids", lambda _: "403", AccessDeniedError),
    Row("a server that has no such file", lambda _: "404", SourceNotFoundError),
    Row("a server that is overrun", lambda _: "429", UnreachableSourceError),
    Row("a server that fails", lambda _: "500", UnreachableSourceError),
    Row("a server that fails when pixels are read", lambda _: "get500", UnreachableSourceError),
    Row("a server under repair", lambda _: "503", UnreachableSourceError),
    Row("a server that breaks off", lambda _: "short", UnreachableSourceError),
    Row("a server that says nothing", lambda _: "hang", UnreachableSourceError),
    Row("a server that sends a web page", lambda _: "html", UnreadableSourceError),
]


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    broken.raster(folder, "scene.tif")
    broken.file_of(b"sources: [", "catalog.yml")(folder)
    with website(folder) as site:
        yield site


@rows(SERVERS)
def test_a_server_that_fails_is_told_and_nothing_is_left(row, server, tmp_path):
    address = server.address("scene.tif", row.make(tmp_path))
    fails(lambda: read(address, scale=1e-4, storage_options=QUICK), row.error, seconds=30)
    out = tmp_path / "results"
    out.mkdir()
    scene = {"source": address, "scale": 1e-4, "storage_options": QUICK}
    fails(lambda: sl.run_study({"scenes": [scene]}, out / "study"), row.error, seconds=30)
    assert not list(out.iterdir())


def test_nobody_listens():
    fails(
        lambda: read("http://127.0.0.1:1/scene.tif", storage_options=QUICK),
        UnreachableSourceError,
        seconds=30,
    )
