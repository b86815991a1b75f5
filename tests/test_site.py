"""The documentation as a site: it builds without a warning and without a network, and is whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import strandline
from browser import open_page

ROOT = Path(__file__).resolve().parents[1]

# What `make docs` runs, in a process that cannot connect to anything.
BUILD = """
import socket, sys

def refuse(*args, **kwargs):
    raise OSError("the documentation is built without a network")

socket.socket.connect = socket.create_connection = refuse
from sphinx.cmd.build import main

sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = ["-q", "-W", "-b", "html", "-c", "docs", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-c", BUILD, *command, ".", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr.strip(), done.stderr
    return folder / "html"


def test_make_docs_builds_the_same():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m sphinx -q -W -b html -c docs -d build/doctrees . build/docs" in text


def test_every_page_and_notebook_is_in_it(site):
    sources = [*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.ipynb")]
    sources += [ROOT / "README.md", ROOT / "CHANGELOG.md"]
    start = (site / "docs" / "index.html").read_text(encoding="utf-8")
    for source in sources:
        page = site / source.relative_to(ROOT).with_suffix(".html")
        assert page.exists(), page
        assert f"{page.stem}.html" in start, f"{page.stem} is not in the list of contents"


def test_every_public_name_has_its_place_in_the_reference(site):
    page = (site / "docs" / "api.html").read_text(encoding="utf-8")
    names = [f"strandline.{name}" for name in strandline.__all__ if name != "__version__"]
    names += [f"strandline.plot.{name}" for name in strandline.plot.__all__]
    missing = [name for name in names if f'id="{name}"' not in page]
    assert not missing


def test_pages_get_nothing_from_elsewhere(site):
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]+")
    found = [
        (page.name, match)
        for page in site.rglob("*.html")
        for match in loads.findall(page.read_text(encoding="utf-8"))
        if 'rel="canonical"' not in match
    ]
    assert not found


def test_formulas_are_shown_without_a_network(site, browser):
    with open_page(browser, offline=True) as (page, watch):
        page.goto((site / "docs" / "first-map.html").as_uri())
        formula = page.locator("math").first
        assert formula.bounding_box()["width"] > 20
        assert page.locator("mfrac").count() >= 2
        assert not watch.errors
        assert not watch.elsewhere


def test_the_first_page_leads_to_the_contents(site, browser):
    with open_page(browser, offline=True) as (page, watch):
        page.goto((site / "index.html").as_uri())
        page.wait_for_url("**/docs/index.html")
        assert page.locator("h1").first.inner_text().startswith("Strandline")
        assert not watch.errors
