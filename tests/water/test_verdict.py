"""That there is no water is said in words wherever people look."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import strandline as sl
from strandline.cli.commands import app
from strandline.export.raster import write_cog
from strandline.testing.lakes import BANDS, lake_grid, round_lake, scene_of
from strandline.water.verdict import verdict_text

SNOW = (0.285, 0.299, 0.308, 0.345, 0.071, 0.058)
LAVA = (0.024, 0.030, 0.032, 0.065, 0.054, 0.039)
PLAYA = (0.237, 0.305, 0.350, 0.387, 0.395, 0.348)


@pytest.fixture(scope="module")
def winter():
    rng = np.random.default_rng(0)
    ground = np.repeat([SNOW, LAVA, PLAYA], 20, axis=0).T[:, None, :]
    values = ground * (1 + 0.05 * rng.standard_normal((6, 40, 60)))
    scene = scene_of(values, lake_grid((40, 60)), bands=BANDS)
    return scene.assign_coords(time=np.datetime64("2017-01-22"))


@pytest.fixture(scope="module")
def results(winter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("winter")
    path = write_cog(winter, folder / "winter.tif")
    arguments = [str(path), "--date", "2017-01-22", "--clusters", "3", "--out", f"{folder}/out"]
    ran = CliRunner().invoke(app, ["segment", *arguments], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return folder / "out", ran.output


def test_no_water_is_told_with_what_came_nearest(winter):
    said = verdict_text(sl.find_water(sl.segment(winter, 3)))
    assert said.startswith("No water was found. Nearest comes a class of ")
    assert re.search(
        r"MNDWI \+0\.\d\d: wet, but white, NIR 0\.\d\d: like snow, ice or cloud\.$", said
    )


def test_water_is_told_with_its_share():
    said = verdict_text(sl.find_water(sl.segment(round_lake(radius=600), 4)))
    assert re.fullmatch(
        r"Water was found: \d+ of \d+ classes of like spectra, \d+ % of the observed pixels\.", said
    )


def test_a_table_without_reasons_gives_the_plain_verdict(winter):
    evidence = sl.find_water(sl.segment(winter, 3))
    assert verdict_text(evidence[["water"]]) == "No water was found."
    assert verdict_text(evidence.assign(share=0.0)) == "No water was found."


def test_the_command_line_says_so_before_the_areas(results):
    _, said = results
    assert said.index("No water was found. Nearest comes") < said.index("Whole map, km²")


def test_the_report_and_the_stac_item_say_so(results):
    folder, _ = results
    page = " ".join((folder / "report.html").read_text("utf-8").split())
    assert "No water was found. Nearest comes" in page
    item = json.loads((folder / "item.json").read_text("utf-8"))
    assert "No water was found." in item["properties"]["processing:lineage"]
