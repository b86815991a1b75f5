"""The command line as a person uses it: results, messages, exit codes, interruptions."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

import strandline as sl
from interrupts import interruptible
from servers import Website, item_of_product, website
from strandline.export.raster import write_cog
from strandline.show.palettes import transition_palette
from strandline.testing.lakes import round_lake

LAKE = ("-118.7081", "38.6942")


def strandline(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "strandline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=240)


@pytest.fixture(scope="module")
def products(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("products")
    return [
        sl.simulate_scene(date, size=(160, 120), resolution=240, path=folder)[0].attrs["source"]
        for date in ("1988-10-22", "2017-10-22")
    ]


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    """A plain GeoTIFF of reflectance without a date."""
    path = tmp_path_factory.mktemp("picture") / "lake.tif"
    write_cog(round_lake(radius=500, time=None), path)
    return path


def test_change_maps_two_products_and_names_its_files(products, tmp_path):
    run = strandline(
        *("change", *products, "--center", *LAKE, "--buffer", "15000", "--clusters", "4"),
        *("--resolution", "300", "--crs", "EPSG:32611", "--water-at", *LAKE, "--out", "results"),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert "Body of water at (-118.708, 38.6942)" in run.stdout
    assert "results/change.png" in run.stdout
    assert "results/report.html" in run.stdout
    with rasterio.open(tmp_path / "results" / "change.tif") as file:
        assert file.res == (300, 300)
        assert file.shape == (101, 101)  # 30 km, snapped outward to whole pixels
        lost, gained = ((file.read(1) == value).sum() for value in (2, 3))
    assert lost > 10 * gained
    for stage in ("opening the scenes", "clustering the spectra", "writing maps"):
        assert stage in run.stderr


def test_segment_then_replay(products, tmp_path):
    run = strandline("segment", products[0], "-k", "3", "-o", "out", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    again = strandline("replay", "out/record.json", "--out", "again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "same, byte for byte" in again.stdout
    assert (tmp_path / "again" / "water.png").exists()


def test_replay_says_which_input_changed(picture, tmp_path):
    copy = tmp_path / "scene.tif"
    copy.write_bytes(picture.read_bytes())
    assert strandline("segment", copy, "-k", "3", "-o", tmp_path / "out").returncode == 0
    copy.write_bytes(copy.read_bytes() + b"\0")
    run = strandline("replay", tmp_path / "out")
    assert run.returncode == 2
    assert "scene.tif" in run.stderr
    assert "Traceback" not in run.stderr


def test_help_asks_for_no_value_of_a_switch():
    lines = strandline("change", "--help").stdout.splitlines()
    (harmonize,) = [line for line in lines if "--harmonize" in line]
    assert "<bool>" not in harmonize


def test_info_of_a_scene_without_a_pixel_observed_is_said_in_our_words(products, tmp_path):
    hidden = Path(shutil.copytree(products[1], tmp_path / Path(products[1]).name))
    with rasterio.open(next(hidden.glob("*QA_PIXEL.TIF")), "r+") as file:
        file.write(np.full(file.shape, 22280, np.uint16), 1)  # cloud
    run = strandline("info", hidden, "--statistics")
    assert run.returncode == 0
    assert re.search(r"green +– +– +– +0.0%", run.stdout)
    assert "RuntimeWarning" not in run.stderr


def test_a_band_without_a_file_is_warned_of(products, tmp_path):
    part = Path(shutil.copytree(products[0], tmp_path / Path(products[0]).name))
    next(part.glob("*SR_B5.TIF")).unlink()
    run = strandline("info", part)
    assert run.returncode == 0
    assert "has no file of swir16, and is used without" in run.stderr


def test_info_describes_a_product_and_its_statistics(products):
    run = strandline("info", products[1], "--statistics")
    assert run.returncode == 0
    assert "landsat-8, oli" in run.stdout
    assert "160 rows × 120 columns" in run.stdout
    assert "EPSG:32611" in run.stdout
    band = next(line for line in run.stdout.splitlines() if line.startswith("green"))
    assert band.endswith("100.0%")


def test_info_lists_a_catalogue(tmp_path):
    catalog = tmp_path / "catalog.yml"
    catalog.write_text(
        "sources:\n  one_band:\n    description: One band\n    driver: rasterio\n"
        "    args:\n      urlpath: 'B{{ band }}.tif'\n"
        "    parameters:\n      band: {type: int, default: 3}\n"
    )
    run = strandline("info", catalog)
    assert run.returncode == 0
    assert "one_band" in run.stdout
    assert "parameters: band" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "nothing.tif"], "There is no file 'nothing.tif'"),
        (["segment", "nothing.tif"], "/nothing.tif'. Check the path"),
        (["segment", "x.tif", "-k", "1"], "--clusters 1: "),
        (["segment", "x.tif", "--vectors", "shp"], "--vectors shp: "),
        (["segment", "x.tif", "--center", *LAKE], "--center and --buffer go together"),
        (["segment", "x.tif", "--water-labels", "a,b"], "cluster numbers"),
        (["segment", "x.tif", "--clusters", "many"], "--clusters"),
        (["segment", "x.tif", "--standardize", "wild"], "standardize"),
        (["change", "x.tif"], "Missing argument"),
        (["replay", "nothing.json"], "nothing.json"),
        (["demo", "--resolution", "-3"], "resolution"),
        (["nonsense"], "nonsense"),
    ],
)
def test_errors_are_one_message_and_exit_code_2(arguments, said, tmp_path):
    run = strandline(*arguments, cwd=tmp_path)
    assert run.returncode == 2, run.stderr
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_lake_outside_the_map_says_so_in_words(picture, tmp_path):
    run = strandline("segment", picture, "-k", "3", "--water-at", "0", "0", "-o", tmp_path / "out")
    assert run.returncode == 2
    assert "outside the map" in run.stderr
    assert not (tmp_path / "out").exists()


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path):
    run = strandline("info", "nothing.tif", "--debug", cwd=tmp_path)
    assert "Traceback" in run.stderr
    assert run.returncode != 0


def test_interrupted_demo_leaves_no_results_that_look_whole(tmp_path):
    demo = [sys.executable, "-m", "strandline", "demo", "--resolution", "90", "--out", "demo"]
    process = subprocess.Popen(
        interruptible(demo),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "clustering" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 130
    assert "Interrupted" in rest
    assert "Traceback" not in rest
    left = {path.name for path in (tmp_path / "demo").iterdir()}
    assert left == {"scenes"}  # the simulated products were complete by then


def test_commands_can_be_interrupted_where_interruptions_are_ignored():
    """As in tests that a shell has started in the background."""
    asked = "import signal; print(signal.getsignal(signal.SIGINT).__name__)"
    command = [sys.executable, "-c", asked]
    ignored = "import signal, subprocess, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    ignored += "sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    said = subprocess.check_output(
        [sys.executable, "-c", ignored, *interruptible(command)], text=True
    )
    assert said.strip() == "default_int_handler"


def test_a_run_that_is_terminated_cleans_up_too(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "strandline", "demo", "--resolution", "90", "--out", "demo"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "finding the water" in line:  # the folder for the results is there by now
            break
    process.terminate()
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 143
    assert "Traceback" not in rest
    assert {path.name for path in tmp_path.iterdir()} == {"demo"}
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"scenes"}


def test_messages_name_the_options_of_the_command(picture, tmp_path):
    run = strandline("change", picture, picture, "-k", "3", cwd=tmp_path)
    assert run.returncode == 2
    assert "does not say when it was acquired" in run.stderr
    assert "with --date-before or --date-after." in run.stderr
    assert "time=" not in run.stderr


def test_warnings_are_a_line_without_the_place_in_the_code(products, tmp_path):
    run = strandline("change", *products[::-1], "-k", "3", "--out", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    (warning,) = (line for line in run.stderr.splitlines() if "2017-10-22" in line)
    assert warning.startswith("Warning: The scene before is of 2017-10-22")
    assert "warnings.warn" not in run.stderr


def test_single_scene_results_match_the_library(picture, tmp_path):
    run = strandline("segment", picture, "-k", "3", "-o", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    mask = sl.water_mask(sl.segment(sl.open_scene(picture), 3))
    with rasterio.open(tmp_path / "out" / "water.tif") as file:
        np.testing.assert_array_equal(file.read(1), mask.values)
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert record["inputs"][0]["path"] == str(picture)


def test_help_answers_without_loading_the_libraries():
    code = (
        "import sys; sys.argv = ['strandline', 'change', '--help']\n"
        "from strandline.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'numpy', 'pandas', 'xarray', 'dask', 'sklearn', 'rasterio', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout.rstrip().endswith("[]"), run.stdout[-200:] + run.stderr
    assert "--water-at" in run.stdout


def test_installed_command_is_there():
    command = Path(sys.executable).with_name("strandline")
    run = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == f"strandline {sl.__version__}"


# --- archives -----------------------------------------------------------------


@pytest.fixture
def archive(products) -> Iterator[Website]:
    """A STAC API with the two products behind it."""
    with website(Path(products[0]).parent) as site:
        site.items = [item_of_product(Path(folder), site.url_of) for folder in products]
        yield site


def test_search_then_change_gives_the_areas_of_the_local_files(archive, products, tmp_path):
    place = ("--center", *LAKE, "--buffer", "15000")
    run = strandline(
        *("search", f"{archive.url}/stac", *place, "--datetime", "1988/2017"),
        *("--platform", "landsat-5", "--platform", "landsat-8", "--max-cloud", "10"),
        *("--out", "found.json"),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert "1988-10-22  landsat-5" in run.stdout
    assert "found.json:LT05_L2SP_042033_19881022" in run.stdout
    listed = strandline("info", "found.json", cwd=tmp_path)
    assert "2017-10-22  landsat-8" in listed.stdout
    told = strandline("info", "found.json:1988-10-22", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "landsat-5, tm" in told.stdout
    options = (*place, "--clusters", "4", "--resolution", "300", "--crs", "EPSG:32611")
    sources = ("found.json:1988-10-22", "found.json:2017-10-22")
    remote = strandline("change", *sources, *options, "--out", "remote", cwd=tmp_path)
    assert remote.returncode == 0, remote.stderr
    local = strandline("change", *products, *options, "--out", "local", cwd=tmp_path)
    assert local.returncode == 0, local.stderr
    areas = [(tmp_path / out / "areas.csv").read_bytes() for out in ("remote", "local")]
    assert areas[0] == areas[1]
    record = json.loads((tmp_path / "remote" / "record.json").read_text())
    known = [entry.get("url", entry.get("path")) for entry in record["inputs"]]
    assert str(tmp_path / "found.json") in known
    assert any(entry.endswith("_SR_B4.TIF") for entry in known)
    again = strandline("replay", "remote/record.json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def test_a_search_that_finds_nothing_says_so(archive):
    run = strandline("search", f"{archive.url}/stac", "--bbox", "10", "10", "11", "11")
    assert run.returncode == 2
    assert "Nothing was found" in run.stderr
    assert "Traceback" not in run.stderr
    assert not run.stdout


def test_timeline_follows_the_water_over_scenes_in_any_order(products, tmp_path):
    between = sl.simulate_scene("2004-10-22", size=(160, 120), resolution=240, path=tmp_path)[0]
    scenes = [products[1], between.attrs["source"], products[0]]
    run = strandline("timeline", *scenes, "-k", "4", "--out", "history", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    years = [line.split()[0][:4] for line in run.stdout.splitlines()[1:4]]
    assert years == ["1988", "2004", "2017"]
    out = tmp_path / "history"
    assert {path.name for path in out.iterdir() if path.suffix != ".xml"} == {
        "timeline.csv", "timeline.png", "occurrence.tif", "recurrence.tif", "seasonality.tif",
        "transitions.tif", "model.npz", "record.json", "item.json",
        *("seasonality.qml", "transitions.qml"),
        *(f"water_{year}-10-22.{kind}" for year in years for kind in ("tif", "qml")),
    }  # fmt: skip
    with rasterio.open(out / "transitions.tif") as file:
        values = file.read(1)
        assert file.colormap(1)[3][:3] == transition_palette()[3].rgb
    assert (values == 1).sum() > 1000  # permanent
    assert (values == 3).sum() > 200  # lost
    with rasterio.open(out / "occurrence.tif") as file:
        occurrence = file.read(1)
    assert 0 <= np.nanmin(occurrence) < np.nanmax(occurrence) == 1
    how = ("--bands", "green,nir08,swir16", "--standardize", "global", "--subclusters", "30")
    other = strandline("timeline", *scenes, "-k", "4", *how, "-o", "other", cwd=tmp_path)
    assert other.returncode == 0, other.stderr
    config = json.loads((tmp_path / "other/record.json").read_text())["config"]
    assert (config["bands"], config["standardize"], config["n_subclusters"]) == (
        ["green", "nir08", "swir16"], "global", 30
    )  # fmt: skip
    assert (tmp_path / "other/timeline.csv").read_text() != (out / "timeline.csv").read_text()
    unanswered = strandline("timeline", *scenes, "--scheduler", "tcp://127.0.0.1:9", cwd=tmp_path)
    assert unanswered.returncode == 2
    assert "No Dask scheduler answers at 'tcp://127.0.0.1:9'" in unanswered.stderr
    refused = strandline("timeline", *scenes, "--dates", "2000-01-01", cwd=tmp_path)
    assert refused.returncode == 2
    assert "expected 3 dates, got 1" in refused.stderr
