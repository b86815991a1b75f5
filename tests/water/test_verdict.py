"""That there is no water is said in words wherever people look."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import strandline as sl
from strandline.cli.commands import app
from strandline.export.raster import write_cog
from strandline.results import read_summary
from strandline.show.captions import headline_text
from strandline.study import run_study
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
        r"Water was found in \d+ of \d+ subclusters, \d+ % of the observed pixels\.", said
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


AREAS = {"best": [150.5, 118.9, -31.6], "low_95": [150, 118, -32.9], "high_95": [151, 119.8, -30.3]}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {},
            "Water shrank from 150.5 to 118.9 km² (−31.6 km², −21.0 %; 95 %: −32.9 to −30.3 km²).",
        ),
        (
            {"best": [118.9, 150.5, 31.6], "low_95": [118, 150, 30.3], "high_95": [120, 151, 32.9]},
            "Water grew from 118.9 to 150.5 km² (+31.6 km², +26.6 %; 95 %: +30.3 to +32.9 km²).",
        ),
        (
            {"low_95": [140, 110, -40], "high_95": [160, 130, 2]},
            "No change beyond the uncertainty: 150.5 and 118.9 km² "
            "(−31.6 km², −21.0 %; 95 %: −40.0 to +2.0 km²).",
        ),
        (
            {"best": [0.0, 118.9, 118.9], "low_95": [0, 118, 118], "high_95": [0, 120, 120]},
            "Water grew from 0.0 to 118.9 km² (+118.9 km²; 95 %: +118.0 to +120.0 km²).",
        ),
        ({"best": [0.0, 0.0, 0.0]}, ""),
    ],
)
def test_the_headline_says_how_much_and_how_surely(changed, expected):
    table = pd.DataFrame(AREAS | changed, index=["water 1988", "water 2017", "net change"])
    assert headline_text(table) == expected


def test_the_headline_without_intervals_and_of_one_date():
    names = ["water before", "water after", "net change"]
    two = pd.DataFrame({"best": [2.0, 1.0, -1.0]}, index=names)
    assert headline_text(two) == "Water shrank from 2.00 to 1.00 km² (−1.00 km², −50.0 %)."
    one = pd.DataFrame({"best": [2.0], "low_95": [1.9], "high_95": [2.1]}, index=["water 1988"])
    assert headline_text(one) == "Water covers 2.00 km² (95 %: 1.90 to 2.10 km²)."
    assert headline_text(one, 0.92).startswith("92 % of the map was not observed. Water covers")


def test_where_water_of_one_date_was_hidden_the_headline_is_of_the_ground_seen_on_both():
    best = {
        "stable water": 100.0, "lost": 23.4, "gained": 2.1,
        "water 1988": 150.9, "water 2017": 102.1, "net change": -21.3,
    }  # fmt: skip
    table = pd.DataFrame({"best": best})
    assert headline_text(table) == (
        "Where both dates were observed, water shrank from 123.4 to 102.1 km² (−21.3 km², −17.3 %)."
    )
    table["low_95"], table["high_95"] = table["best"] - 30, table["best"] + 30
    assert headline_text(table).startswith(
        "No change beyond the uncertainty where both dates were observed: 123.4 and 102.1 km²"
    )
    whole = best | {"water 1988": 123.4}
    assert headline_text(pd.DataFrame({"best": whole})).startswith("Water shrank from 123.4")


def test_the_areas_of_the_headline_differ_by_its_net_change_whatever_is_hidden():
    scene, later = round_lake(radius=900), round_lake(radius=700)
    hidden = later.where(later.x > float(later.x.mean()))
    masks = [sl.water_mask(sl.segment(one, n_clusters=3)) for one in (scene, hidden)]
    table = sl.areas(sl.compare(*masks), intervals=True)
    said = headline_text(table)
    assert said.startswith("Where both dates were observed, water shrank from ")
    first, last, change, percent = map(
        float, re.findall(r"[-\d.]+", said.replace("−", "-").split("95 %")[0])
    )
    assert last - first == pytest.approx(change, abs=0.011)
    assert percent == pytest.approx(100 * change / first, abs=0.5)


def test_where_most_was_not_observed_that_is_said_before_that_there_is_no_water():
    evidence = pd.DataFrame({"share": [1.0], "mndwi": [-0.4], "water": False, "reason": ["dry"]})
    assert verdict_text(evidence, 0.92).startswith(
        "92 % of the map was not observed. No water was found in the rest. Nearest comes"
    )
    assert verdict_text(evidence, 0.1).startswith("No water was found. Nearest comes")


@pytest.mark.filterwarnings("ignore::strandline.errors.SuspiciousSceneWarning")
def test_a_study_of_clouds_says_first_that_it_saw_little(winter, tmp_path):
    scene = winter.where(xr.DataArray(np.arange(40) < 4, dims="y"))
    scene.to_netcdf(tmp_path / "scene.nc")
    out = run_study({"scenes": [{"source": str(tmp_path / "scene.nc")}]}, tmp_path / "out")
    first = "90 % of the map was not observed. No water was found in the rest."
    assert read_summary(out).startswith(first)
    page = (out / "report.html").read_text()
    assert first in page
    item = json.loads((out / "item.json").read_text())
    assert first in item["properties"]["processing:lineage"]
