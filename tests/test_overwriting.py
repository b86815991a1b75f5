"""Results of another run are replaced only where the user says so."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pystac
import pytest

import strandline as sl
from strandline.cli import main
from strandline.demo import run_demo
from strandline.errors import ConfigurationError, OutputError
from strandline.export.assessment import assess_files
from strandline.export.raster import write_cog
from strandline.scenes.stac.listing import search_listing
from strandline.series import replay, run_timeline
from strandline.testing.lakes import round_lake


@pytest.fixture
def picture(tmp_path) -> Path:
    return write_cog(round_lake(radius=500), tmp_path / "lake.tif")


def settings(picture: Path, **further: object) -> dict[str, object]:
    return {"scenes": [{"source": str(picture)}], "n_clusters": 3, **further}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_same_run_may_be_repeated_in_its_folder_and_another_may_not(picture, tmp_path):
    out = sl.run_study(settings(picture), tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    first = contents(out)
    sl.run_study(settings(picture), out)
    again = contents(out)
    assert {**again, "record.json": b""} == {**first, "record.json": b""}
    with pytest.raises(OutputError, match=r"another run: strandline segment .*overwrite=True"):
        sl.run_study(settings(picture, seed=1), out)
    with pytest.raises(OutputError, match="another run"):
        run_timeline([{"source": str(picture)}], out, settings={"n_clusters": 3})
    assert contents(out) == again
    sl.run_study(settings(picture, n_clusters=4), out, overwrite=True)
    assert json.loads((out / "record.json").read_text())["config"]["n_clusters"] == 4
    assert (out / "notes.txt").read_text() == "mine"


def test_a_run_on_changed_inputs_is_another_run(picture, tmp_path):
    out = sl.run_study(settings(picture), tmp_path / "out")
    before = contents(out)
    write_cog(round_lake(radius=300), picture)
    with pytest.raises(OutputError, match="another run"):
        sl.run_study(settings(picture), out)
    assert contents(out) == before


@pytest.mark.parametrize("name", ["areas.csv", "water_1988-10-22.tif", "record.json", "model.npz"])
def test_files_of_unknown_origin_with_names_of_results_are_kept(picture, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(OutputError, match=name.replace(".", r"\.")):
        sl.run_study(settings(picture), out)
    assert (out / name).read_text() == "mine"
    sl.run_study(settings(picture), out, overwrite=True)
    assert (out / "areas.csv").read_text() != "mine"


def test_an_input_is_never_replaced_by_the_results(tmp_path):
    path = write_cog(round_lake(radius=500, time=None), tmp_path / "water.tif")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"would replace the input '.*water\.tif'"):
        sl.run_study(settings(path), tmp_path, overwrite=True)
    assert path.read_bytes() == before


def test_a_folder_with_other_files_is_no_obstacle(picture, tmp_path):
    out = sl.run_study(settings(picture), tmp_path)  # the folder of the scene itself
    assert (out / "report.html").exists()
    assert picture.exists()


def test_a_timeline_and_a_replay_keep_to_the_same_rule(picture, tmp_path):
    scenes = [{"source": str(picture), "time": "1988-10-22"}]
    out = run_timeline(scenes, tmp_path / "out", settings={"n_clusters": 3})
    run_timeline(scenes, out, settings={"n_clusters": 3})
    with pytest.raises(OutputError, match="another run: strandline timeline"):
        run_timeline(scenes, out, settings={"n_clusters": 4})
    assert replay(out, out) > 5  # the run itself
    other = sl.run_study(settings(picture), tmp_path / "other")
    with pytest.raises(OutputError, match="another run"):
        replay(out, other)
    replay(out, other, overwrite=True)
    assert (other / "timeline.csv").exists()


def test_a_demo_may_be_repeated_and_replaces_no_other_pixel_size_or_study(picture, tmp_path):
    first = run_demo(tmp_path / "demo", resolution=240).table
    again = run_demo(tmp_path / "demo", resolution=240).table
    np.testing.assert_array_equal(first, again)
    scenes = sorted((tmp_path / "demo" / "scenes").rglob("*.TIF"))
    before = [path.read_bytes() for path in scenes]
    with pytest.raises(OutputError, match="another run"):
        run_demo(tmp_path / "demo", resolution=300)
    assert [path.read_bytes() for path in scenes] == before
    out = sl.run_study(settings(picture), tmp_path / "out")
    with pytest.raises(OutputError, match="another run"):
        run_demo(out, resolution=240)
    assert not (out / "scenes").exists()


def test_the_command_line_names_its_own_option(picture, tmp_path, monkeypatch, capsys):
    sl.run_study(settings(picture), tmp_path / "out")
    words = ["strandline", "segment", str(picture), "-k", "5", "-o", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "or pass --overwrite to replace them" in capsys.readouterr().err


def test_an_assessment_may_be_repeated_and_replaces_no_other(picture, tmp_path):
    out = sl.run_study(settings(picture), tmp_path / "out")
    other = sl.run_study(settings(picture, n_clusters=2), tmp_path / "other")
    moved = write_cog(round_lake(radius=300, time=None), tmp_path / "smaller.tif")
    smaller = sl.run_study({"scenes": [{"source": str(moved)}], "n_clusters": 2}, tmp_path / "s")
    maps = [next(folder.glob("water*.tif")) for folder in (out, other, smaller)]
    assess_files(maps[0], maps[1], tmp_path / "assessed")
    before = contents(tmp_path / "assessed")
    assess_files(maps[0], maps[1], tmp_path / "assessed")
    said: list[str] = []
    with pytest.raises(OutputError, match="another assessment"):
        assess_files(maps[0], maps[2], tmp_path / "assessed", say=said.append)
    assert len(said) == 1  # the assessment itself was said first
    assert contents(tmp_path / "assessed") == before
    assess_files(maps[0], maps[2], tmp_path / "assessed", overwrite=True)
    assert contents(tmp_path / "assessed") != before


def test_a_saved_search_may_grow_and_replaces_no_other_file(tmp_path):
    def item(name: str) -> dict[str, object]:
        when = dt.datetime(1988, 10, 22, tzinfo=dt.UTC)
        box = [-119.0, 38.0, -118.0, 39.0]
        shape = {"type": "Point", "coordinates": [-118.5, 38.5]}
        return pystac.Item(name, shape, box, when, {"platform": "landsat-5"}).to_dict()

    def search(*names: str, **options: bool) -> None:
        archive = tmp_path / "archive.json"
        features = [item(name) for name in names]
        archive.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        search_listing(str(archive), {}, tmp_path / "found.json", **options)

    search("a")
    search("a")
    search("a", "b")
    before = (tmp_path / "found.json").read_bytes()
    with pytest.raises(OutputError, match=r"lists scenes that were not found now.*overwrite=True"):
        search("c")
    assert (tmp_path / "found.json").read_bytes() == before
    search("c", overwrite=True)
    (tmp_path / "found.json").write_text("my notes")
    with pytest.raises(OutputError, match="is not a list of scenes"):
        search("c")
    assert (tmp_path / "found.json").read_text() == "my notes"
