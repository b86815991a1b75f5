"""Serving: where, what it needs, and what it says when it cannot."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

import strandline.scenes
from app_served import served
from servers import website
from strandline.app.library import Library
from strandline.app.serve import demo_products, serve
from strandline.app.shared import Shared
from strandline.app.state import Session
from strandline.cli import app
from strandline.errors import AccessDeniedError, ConfigurationError, MissingDependencyError
from strandline.export.raster import write_cog
from strandline.testing.lakes import round_lake


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with served([], tmp_path_factory.mktemp("cache"), demo_resolution=600.0) as running:
        yield running


def ask(server, path: str, **headers: str) -> tuple[int, str]:
    host, _, port = server.url.removeprefix("http://").rstrip("/").partition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, "" if answer.status == 101 else answer.read().decode("utf-8")


def socket_status(server, origin: str) -> int:
    headers = {
        "Origin": origin, "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c3RyYW5kbGluZS1zdHJhbmQ=",
    }  # fmt: skip
    return ask(server, "/ws", **headers)[0]


def test_it_is_served_on_this_machine_alone(server):
    assert server.url.startswith("http://127.0.0.1:")


def test_pages_of_other_sites_may_not_speak_to_it(server):
    assert socket_status(server, "http://example.org") == 403
    assert socket_status(server, "http://127.0.0.1:1") == 403


def test_the_page_names_no_other_server(server):
    status, page = ask(server, "/")
    assert status == 200
    assert "<title>Strandline</title>" in page
    for scheme in ('src="http', 'href="http', "url(http", 'import "http'):
        assert scheme not in page


@pytest.mark.parametrize("path", ["/take/", "/take/../../etc/passwd", "/take/%2e%2e/%2e%2e/x"])
def test_nothing_is_given_away_without_its_name(server, path):
    assert ask(server, path)[0] in (403, 404)


def test_a_folder_that_is_none_is_told_before_anything_is_served(tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path))
    with pytest.raises(ConfigurationError, match="is not a folder"):
        serve([tmp_path / "none"], 0, open_browser=False, demo_resolution=600.0)


def test_a_port_that_is_taken_is_told(server):
    port = server.url.rstrip("/").rpartition(":")[2]
    words = [sys.executable, "-m", "strandline", "app", "--no-browser", "--port", port]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "cannot be served" in done.stderr
    assert "--port" in done.stderr


def test_without_the_packages_it_says_which_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "holoviews", None)
    done = CliRunner().invoke(app, ["app", "--no-browser", "--port", "0"])
    assert isinstance(done.exception, MissingDependencyError)
    assert "python -m pip install '" in str(done.exception)


def test_the_demo_is_simulated_once(tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path))
    first = demo_products(600.0)
    changed = {path: path.stat().st_mtime_ns for path in first.values()}
    assert demo_products(600.0) == first
    assert {path: path.stat().st_mtime_ns for path in first.values()} == changed


def test_the_demo_is_simulated_anew_when_the_simulation_has_changed(tmp_path, monkeypatch):
    copied = tmp_path / "scenes"
    here = Path(strandline.scenes.__file__).parent
    shutil.copytree(here, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("strandline.demo.files", lambda package: copied)
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))
    first = demo_products(600.0)
    (copied / "open.py").write_text("# is no part of the simulation")
    assert demo_products(600.0) == first
    with (copied / "simulation" / "walker_spectra.json").open("a") as table:
        table.write(" ")
    again = demo_products(600.0)
    assert not set(again.values()) & set(first.values())
    assert all(path.exists() for path in [*first.values(), *again.values()])


# --- who may make the server do what --------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A server that a page could be made to fetch from; it counts who does."""
    root = tmp_path_factory.mktemp("network")
    write_cog(round_lake(shape=(40, 40), radius=400), root / "lake.tif")
    with website(root) as site:
        yield site


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network):
    """A folder whose catalogue and item name files in the network."""
    place = tmp_path_factory.mktemp("owned") / "scenes"
    place.mkdir()
    write_cog(round_lake(shape=(40, 40), radius=400), place / "here.tif")
    (place / "catalog.yml").write_text(
        "sources:\n"
        f"  far: {{driver: rasterio, args: {{urlpath: '{network.url}/lake.tif'}}}}\n"
        "  near: {driver: rasterio, args: {urlpath: '{{ CATALOG_DIR }}/here.tif'}}\n"
    )
    return place


@pytest.fixture(scope="module")
def owner(tmp_path_factory, folder):
    with served([folder], tmp_path_factory.mktemp("cache"), demo_resolution=600.0) as running:
        yield running


_FETCHING = [
    "before={url}/lake.tif",
    "before={url}/{{stem}}.tif&before.platform=landsat-8",
    "before=scenes/here.tif&after={url}/lake.tif",
    "before={url}/lake.tif|{url}/lake.tif",
    "before={url}/catalog.yml:lake",
    "before={url}/stac/item.json",
    "before={url}/lake.zip",
    "before={url}/product_MTL.txt",
    "before=%68ttp%3A//{rest}/lake.tif",
    "before=%20{url}/lake.tif",
    "before=HTTP://{rest}/lake.tif",
    "before=/vsicurl/{url}/lake.tif",
    "before=scenes/catalog.yml:far",
]


def test_an_address_in_the_network_is_not_fetched_by_asking_for_the_page(owner, network):
    network.forget()
    for query in _FETCHING:
        words = query.format(url=network.url, rest=network.url.removeprefix("http://"))
        assert ask(owner, f"/?{words}")[0] == 200
    time.sleep(3)  # work that a page begins has begun by then
    assert network.log == []


def test_an_address_in_the_network_waits_for_open(folder, network, tmp_path):
    session = Session(Library([folder], tmp_path, demo_products(600.0)), Shared())
    url = f"{network.url}/lake.tif"
    for query, names in (
        (f"?before={url}&k=3", [url]),
        ("?before=scenes/catalog.yml:far&k=3", ["scenes/catalog.yml:far"]),
        (f"?before=scenes/here.tif|{url}&k=3", ["scenes/here.tif"]),
    ):
        network.forget()
        session.follow(query)
        for more in ({}, {"n_clusters": 4}):  # another choice is no permission to fetch
            session.choose(**more)
            with pytest.raises(AccessDeniedError, match="nothing was fetched"):
                session.run()
        assert session.library.names()
        assert network.log == []
        assert session.open_scenes(names)
        assert session.config.n_clusters == 4, "what else the address says is kept"
        assert not session.unopened
    session.follow(f"?before={url}&k=3")
    session.open_scenes([url])
    assert session.run().water.shape == (1, 40, 40)
    assert network.log
    # What lies in the folders is mapped at once.
    for query in ("?before=scenes/here.tif", "?before=scenes/catalog.yml:near"):
        session.follow(query)
        assert session.run().water.shape == (1, 40, 40)


@pytest.mark.parametrize(
    "host",
    ["example.org", "example.org:{port}", "127.0.0.1.example.org", "localhost.example.org:{port}",
     "192.168.1.5:{port}", "[fe80::1]:{port}", "xlocalhost", "0.0.0.0:{port}"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/ws", "/take/x", "/static/js/bokeh.min.js", "/autoload.js"])
def test_a_foreign_host_is_refused(server, host, path):
    port = server.url.rstrip("/").rpartition(":")[2]
    status, text = ask(server, path, Host=host.format(port=port))
    assert status == 403
    assert "Strandline</title>" not in text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:{port}", "127.0.0.1:{port}"])
def test_this_machine_s_own_names_are_answered(server, host):
    port = server.url.rstrip("/").rpartition(":")[2]
    assert ask(server, "/", Host=host.format(port=port))[0] == 200


def test_this_machine_s_address_in_version_6_is_not_refused(server):
    assert ask(server, "/static/js/bokeh.min.js", Host="[::1]:5006")[0] == 200


def test_a_name_that_is_allowed_is_answered_and_its_pages_may_speak(tmp_path):
    allow = ["maps.example.org", "LAB:8443"]
    with served([], tmp_path, demo_resolution=600.0, allow=allow) as running:
        for host in ("maps.example.org", "maps.example.org:443", "lab:8443"):
            assert ask(running, "/", Host=host)[0] == 200
        assert ask(running, "/", Host="other.example.org")[0] == 403
        for origin, status in (("https://maps.example.org", 101), ("https://lab:8443", 101),
                               ("https://lab:8444", 403), ("https://other.org", 403)):  # fmt: skip
            # A page that may speak comes as far as its missing token.
            assert (socket_status(running, origin) == 403) == (status == 403)


@pytest.mark.parametrize("name", ["http://lab", "lab/path", "", "a b", "lab:port", "*"])
def test_what_is_no_host_cannot_be_allowed(tmp_path, monkeypatch, name):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path))
    with pytest.raises(ConfigurationError, match="not a name of a host"):
        serve([], 0, open_browser=False, demo_resolution=600.0, allow=[name])


@pytest.mark.parametrize("address", ["", "*", "lab", "127.0.0.1:80", "http://127.0.0.1"])
def test_what_is_no_address_is_told_before_anything_is_served(tmp_path, monkeypatch, address):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path))
    with pytest.raises(ConfigurationError, match="at this address"):
        serve([], 0, address=address, open_browser=False, demo_resolution=600.0)


def test_on_all_addresses_it_answers_to_its_own_names_alone(tmp_path):
    with served([], tmp_path, address="0.0.0.0", demo_resolution=600.0) as running:
        assert running.url.startswith("http://localhost:")
        port = running.url.rstrip("/").rpartition(":")[2]
        assert ask(running, "/", Host=f"localhost:{port}")[0] == 200
        assert ask(running, "/", Host="rebound.example")[0] == 403


@pytest.mark.parametrize("path", ["/", "/autoload.js", "/static/js/bokeh.min.js", "/take/x", "/no"])
def test_nothing_is_shown_in_a_frame_of_another_site(server, path):
    host, _, port = server.url.removeprefix("http://").rstrip("/").partition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        policies = answer.headers.get_all("Content-Security-Policy")
    assert "frame-ancestors 'none'" in ", ".join(policies)
    assert answer.headers["X-Frame-Options"] == "DENY"
