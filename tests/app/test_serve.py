"""Serving: where, what it needs, and what it says when it cannot."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

import strandline.scenes
from app_served import served
from strandline.app.serve import demo_products, serve
from strandline.cli import app
from strandline.errors import ConfigurationError, MissingDependencyError


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
    with pytest.raises(ConfigurationError, match="is no folder"):
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
    assert "strandline[viz]" in str(done.exception)


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
