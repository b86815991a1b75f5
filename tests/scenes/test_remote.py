"""Products and files on servers of their own, on loopback: S3 with and without keys, and HTTP."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import numpy as np
import pytest
from distributed import Client, LocalCluster
from moto.server import ThreadedMotoServer

from strandline.errors import SourceNotFoundError, UnknownProductError, UnreadableSourceError
from strandline.scenes.open import open_scene

NAME = "LT05_L2SP_090084_19980308_20200909_02_T1"


@pytest.fixture(scope="module")
def store(unpacked) -> Iterator[dict]:
    """Storage options of a bucket ``usgs`` that holds one product; anyone may read it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="owner",
        aws_secret_access_key="secret",
    )
    s3.create_bucket(Bucket="usgs", ACL="public-read")
    for file in unpacked("LT05_L2SP_090084").iterdir():
        s3.put_object(
            Bucket="usgs", Key=f"tm/{NAME}/{file.name}", Body=file.read_bytes(), ACL="public-read"
        )
    yield {"anon": True, "client_kwargs": {"endpoint_url": endpoint}}
    server.stop()


class RangeHandler(SimpleHTTPRequestHandler):
    """Serves parts of files, as any real server of rasters does."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None or not path.is_file():
            super().do_GET()
            return
        content = path.read_bytes()
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(content[first : last + 1])

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def website(unpacked) -> Iterator[str]:
    handler = partial(RangeHandler, directory=str(unpacked("LT05_L2SP_090084")))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def local(unpacked):
    return open_scene(unpacked("LT05_L2SP_090084")).compute()


@pytest.mark.parametrize("source", [f"s3://usgs/tm/{NAME}", f"s3://usgs/tm/{NAME}/{NAME}_MTL.txt"])
def test_a_product_on_s3_is_read_in_place(store, local, source):
    scene = open_scene(source, storage_options=store)
    np.testing.assert_array_equal(scene.values, local.values)
    assert scene["time"] == local["time"]


def test_band_files_on_s3_by_pattern(store, unpacked):
    pattern = f"s3://usgs/tm/{NAME}/{NAME}_SR_B{{band:d}}.TIF"
    scene = open_scene(pattern, storage_options=store)
    expected = open_scene(unpacked("LT05_L2SP_090084"), mask=())
    np.testing.assert_array_equal(scene.values, expected.values)


def test_worker_processes_reach_the_store_by_themselves(store, local):
    scene = open_scene(f"s3://usgs/tm/{NAME}", storage_options=store, chunks=30)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        np.testing.assert_array_equal(client.compute(scene).result().values, local.values)


def test_absence_on_s3_is_told(store):
    with pytest.raises((SourceNotFoundError, UnknownProductError), match="nowhere"):
        open_scene("s3://usgs/nowhere", storage_options=store)
    with pytest.raises(SourceNotFoundError, match=r"nowhere\.tif"):
        open_scene("s3://usgs/nowhere.tif", storage_options=store)


def test_a_file_on_a_web_server(website, unpacked):
    scene = open_scene(f"{website}/{NAME}_SR_B4.TIF")
    expected = open_scene(unpacked("LT05_L2SP_090084"), bands=["nir08"], mask=())
    np.testing.assert_array_equal(scene.values, expected.values)
    assert scene["band"].values.tolist() == ["nir08"]


def test_absence_on_a_web_server_is_told(website):
    with pytest.raises(SourceNotFoundError, match=r"nowhere\.tif"):
        open_scene(f"{website}/nowhere.tif")


def test_an_archive_on_a_server_says_what_to_do():
    with pytest.raises(UnknownProductError, match="cache=True"):
        open_scene("s3://usgs/product.tar")


def test_a_server_that_does_not_answer_is_told():
    with pytest.raises(UnreadableSourceError, match="127"):
        open_scene("http://127.0.0.1:1/scene.tif", storage_options={"GDAL_HTTP_MAX_RETRY": "0"})
