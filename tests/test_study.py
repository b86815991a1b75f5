"""Whole studies on simulated scenes: results, records, replays, and nothing half-finished."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import xarray as xr

import strandline as sl
from strandline.configuration import StudyConfig
from strandline.demo import run_demo
from strandline.errors import (
    ConfigurationError,
    MissingDependencyError,
    OutputError,
    RecordError,
    SourceNotFoundError,
    SuspiciousSceneWarning,
)
from strandline.export.raster import write_cog
from strandline.stages import study_grid
from strandline.study import replay_study
from strandline.testing.lakes import round_lake

RESULTS = {
    "labels_1988-10-22.tif",
    "labels_2017-10-22.tif",
    "water_1988-10-22.tif",
    "water_2017-10-22.tif",
    "confidence_1988-10-22.tif",
    "confidence_2017-10-22.tif",
    "change.tif",
    "areas.csv",
    "quality.csv",
    "evidence.csv",
    "signatures.csv",
    "true_colour.png",
    "false_colour.png",
    "labels.png",
    "water.png",
    "signatures.png",
    "change.png",
    "report.html",
    "model.npz",
    "water_1988-10-22.gpkg",
    "water_2017-10-22.gpkg",
    "item.json",
    *(
        f"{name}_{date}.qml"
        for name in ("water", "labels")
        for date in ("1988-10-22", "2017-10-22")
    ),
    "change.qml",
    "record.json",
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> list[dict[str, str]]:
    """Two simulated products, small and coarse."""
    folder = tmp_path_factory.mktemp("scenes")
    sources = []
    for date in ("1988-10-22", "2017-10-22"):
        scene, _ = sl.simulate_scene(date, size=(160, 120), resolution=240, path=folder)
        sources.append({"source": scene.attrs["source"]})
    return sources


@pytest.fixture(scope="module")
def results(pair, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("study") / "results"
    return sl.run_study({"scenes": pair, "water_at": (-118.7081, 38.6942)}, out)


def test_demo_is_within_two_percent_and_97_iou_of_the_truth(tmp_path):
    table = run_demo(tmp_path / "demo", resolution=60).table
    assert (table["error"].abs() < 0.02).all()
    assert (table["iou"] > 0.97).all()


def test_results_are_complete(results):
    assert {path.name for path in results.iterdir() if path.suffix != ".xml"} == RESULTS


def test_maps_are_on_the_first_scenes_own_grid(results, pair):
    grid = study_grid(StudyConfig.parse({"scenes": pair}), sl.open_scene(pair[0]["source"]))
    with rasterio.open(results / "change.tif") as file:
        assert file.shape == tuple(grid.shape)
        assert file.crs.to_epsg() == 32611
        assert file.nodata == 255
        assert set(np.unique(file.read(1))) <= {0, 1, 2, 3, 255}


def test_areas_tell_the_lake_apart_and_agree_with_the_maps(results):
    areas = pd.read_csv(results / "areas.csv")
    lake = areas[areas["area"].str.startswith("body of water at")]
    assert set(lake["quantity"]) == set(areas["quantity"])
    whole = areas[areas["area"] == "whole map"].set_index("quantity")
    with rasterio.open(results / "change.tif") as file:
        change = file.read(1)
    assert whole.loc["lost", "pixels"] == (change == 2).sum()
    # Cell size 240 m: 0.0576 km² on the map, within 0.1 % on the ellipsoid.
    assert whole.loc["lost", "best"] == pytest.approx(0.0576 * (change == 2).sum(), rel=1e-3)
    assert (areas["least"] <= areas["best"]).all()
    assert (areas["best"] <= areas["most"]).all()


def test_record_names_inputs_outputs_and_parameters(results, pair):
    record = json.loads((results / "record.json").read_text())
    assert record["config"]["scenes"] == pair
    assert record["seed"] == 0
    assert {entry["path"] for entry in record["outputs"]} >= RESULTS - {"record.json"}
    names = {Path(entry["path"]).name for entry in record["inputs"]}
    assert any(name.endswith("_SR_B3.TIF") for name in names)
    assert any(name.endswith("_MTL.txt") for name in names)
    assert record["command"].startswith("strandline change ")
    assert "clustering the spectra" in record["timings"]


def test_polygons_of_a_study_are_the_water_of_its_table(results):
    areas = pd.read_csv(results / "areas.csv").set_index(["area", "quantity"])["best"]
    for date in ("1988-10-22", "2017-10-22"):
        bodies = geopandas.read_file(results / f"water_{date}.gpkg", layer="water")
        # The table has four decimals.
        assert bodies["area_km2"].sum() == pytest.approx(
            areas[("whole map", f"water {date}")], abs=1e-4
        )
        assert (bodies["low_95"] <= bodies["low_90"]).all()  # both are zero for a few pixels
        assert (bodies["low_90"] < bodies["area_km2"]).all()
        assert (bodies["high_90"] < bodies["high_95"]).all()
        assert bodies["confidence"].between(0.5, 1.0).all()


def test_shorelines_of_a_study_run_within_the_pixels(results):
    for date in ("1988-10-22", "2017-10-22"):
        lines = geopandas.read_file(results / f"water_{date}.gpkg", layer="shoreline")
        assert (lines["date"].dt.strftime("%Y-%m-%d") == date).all()
        assert (lines["made_from"] == "water fraction").all()
        bodies = geopandas.read_file(results / f"water_{date}.gpkg", layer="water")
        line, lake = lines.iloc[lines["length_km"].argmax()], bodies.iloc[0]
        assert 40 < line["length_km"] < 0.9 * lake["perimeter_km"]
        # Not along the edges of pixels, and around the lake of the map all the same.
        corners = shapely.get_coordinates(line.geometry) % 240
        assert len(np.unique(corners.round(3))) > 100
        assert shapely.Polygon(line.geometry).area == pytest.approx(lake.geometry.area, rel=0.02)


def test_where_the_user_names_the_water_its_shore_is_that_of_the_classes(pair, tmp_path):
    config = {"scenes": pair[1:], "n_clusters": 4, "water_labels": [0]}
    out = sl.run_study(config, tmp_path / "out")
    lines = geopandas.read_file(out / "water_2017-10-22.gpkg", layer="shoreline")
    assert (lines["made_from"] == "pixel edges").all()


def test_the_item_of_a_study_names_every_result(results):
    item = json.loads((results / "item.json").read_text())
    hrefs = {asset["href"].removeprefix("./") for asset in item["assets"].values()}
    assert hrefs == {path.name for path in results.iterdir()} - {"item.json"}


def test_the_item_of_a_study_calls_classes_what_the_rasters_call_them(results):
    item = json.loads((results / "item.json").read_text())
    told = {
        name: asset["classification:classes"]
        for name, asset in item["assets"].items()
        if "classification:classes" in asset
    }
    assert "change" in told
    for name, classes in told.items():
        with rasterio.open(results / f"{name}.tif") as file:
            meanings = file.tags(1)["flag_meanings"].split()
        names = [one["name"] for one in classes]
        assert names == [*meanings, *(["not_observed"] if "not_observed" not in meanings else [])]
    said = [one["description"] for one in told["change"]]
    assert said == ["land on both", "water on both", "water lost", "water gained", "not observed"]


def test_formats_and_minimum_mapping_unit_are_chosen(pair, tmp_path, monkeypatch):
    config = {"scenes": pair[1:], "n_clusters": 3, "vectors": ["parquet", "geojson"]}
    out = sl.run_study({**config, "min_pixels": 1000}, tmp_path / "out")
    date = "2017-10-22"
    named = {path.name for path in out.iterdir()}
    assert named >= {
        f"{layer}_{date}.{suffix}"
        for layer in ("water", "shoreline")
        for suffix in ("parquet", "geojson")
    }
    assert f"water_{date}.gpkg" not in named
    assert geopandas.read_parquet(out / f"water_{date}.parquet")["pixels"].min() >= 1000
    command = json.loads((out / "record.json").read_text())["command"]
    assert "--vectors parquet,geojson --min-pixels 1000" in command
    # Without what they need: asked for, an error before anything is read; else a note.
    monkeypatch.setattr("strandline.export.vector.PACKAGES", ("no_such_package",))
    with pytest.raises(MissingDependencyError, match="no_such_package"):
        sl.run_study(config, tmp_path / "none")
    bare = sl.run_study({"scenes": pair[1:], "n_clusters": 3}, tmp_path / "bare")
    notes = json.loads((bare / "record.json").read_text())["notes"]
    assert len(notes) == 2
    assert "no_such_package not installed" in notes[0]
    assert "simulated" in notes[1]
    assert not list(bare.glob("*.gpkg"))


def test_replay_gives_the_same_bytes(results, tmp_path):
    count = replay_study(results / "record.json", tmp_path / "again")
    assert count == len(json.loads((results / "record.json").read_text())["outputs"])
    for name in RESULTS - {"record.json"}:
        assert (tmp_path / "again" / name).read_bytes() == (results / name).read_bytes(), name


def test_a_study_of_relative_paths_is_replayed_from_any_folder(pair, tmp_path, monkeypatch):
    folder = Path(pair[0]["source"])
    monkeypatch.chdir(folder.parent)
    sl.run_study({"scenes": [{"source": folder.name}], "n_clusters": 3}, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    assert replay_study("out/record.json") > 0


def test_replay_refuses_changed_inputs(pair, tmp_path):
    scene, _ = sl.simulate_scene(size=(100, 100), resolution=300, path=tmp_path)
    folder = Path(scene.attrs["source"])
    out = sl.run_study({"scenes": [{"source": str(folder)}], "n_clusters": 3}, tmp_path / "out")
    next(folder.glob("*_MTL.txt")).write_text("changed")
    with pytest.raises(RecordError, match="inputs are not those"):
        replay_study(out)


def test_one_scene_without_a_date_is_enough(tmp_path):
    path = tmp_path / "scene.tif"
    lake = round_lake(radius=500, time=None)
    write_cog(lake, path)
    names = list(lake["band"].values)
    out = sl.run_study(
        {"scenes": [{"source": str(path), "band_names": names}], "n_clusters": 3},
        tmp_path / "out",
    )
    assert (out / "water.tif").exists()
    areas = pd.read_csv(out / "areas.csv").set_index("quantity")["best"]
    assert areas["water"] == pytest.approx(np.pi * 0.5**2, rel=0.05)


def test_saved_model_labels_the_same_scene_the_same_way(results, pair):
    model = sl.load_model(results / "model.npz")
    scene = sl.open_scene(pair[0]["source"]).sel(band=list(model.bands))
    labels = model.predict(scene)["labels"].values
    with rasterio.open(results / "labels_1988-10-22.tif") as file:
        np.testing.assert_array_equal(labels, file.read(1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_clusters": 1}, "n_clusters"),
        ({"clusters": 4}, "clusters"),
        ({"standardize": "wild"}, "standardize"),
        ({"center": (0, 0)}, "center=… and buffer=… go together"),
        ({"center": (0, 0), "buffer": 10, "bbox": (0, 0, 1, 1)}, "not both"),
        ({"water_at": (0, 0), "water_labels": [1]}, "not both"),
        ({"buffer": -5, "center": (0, 0)}, "buffer"),
        ({"scenes": []}, "scenes"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_in_words(changes, said):
    with pytest.raises(ConfigurationError, match=said):
        StudyConfig.parse({"scenes": [{"source": "a.tif"}], **changes})


def test_a_failed_study_leaves_nothing_behind(tmp_path):
    with pytest.raises(SourceNotFoundError):
        sl.run_study({"scenes": [{"source": "no/such/scene.tif"}]}, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_study_keeps_the_results_of_an_earlier_one(results, tmp_path, monkeypatch):
    scene, _ = sl.simulate_scene(size=(100, 100), resolution=300, path=tmp_path)
    config = {"scenes": [{"source": scene.attrs["source"]}], "n_clusters": 3}
    out = sl.run_study(config, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("strandline.export.table.write_areas", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sl.run_study({**config, "n_clusters": 5}, out, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_results_cannot_go_where_a_file_is(pair, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="out"):
        sl.run_study({"scenes": pair}, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_the_command_in_the_record_is_the_one_that_was_run():
    config = StudyConfig.parse(
        {
            "scenes": [{"source": "a.tif"}, {"source": "b.tif"}],
            "center": (-118.7, 38.7),
            "buffer": 17000,
            "n_clusters": 4,
            "bands": ["green", "nir08"],
        }
    )
    assert config.command() == [
        *("strandline", "change", "a.tif", "b.tif"),
        *("--center", "-118.7", "38.7", "--buffer", "17000"),
        *("--bands", "green,nir08", "--clusters", "4"),
    ]


def test_scenes_in_the_wrong_order_are_warned_of(pair, tmp_path):
    config = {"scenes": pair[::-1], "n_clusters": 3}
    with pytest.warns(SuspiciousSceneWarning, match=r"before is of 2017-10-22.*reversed in time"):
        sl.run_study(config, tmp_path / "out")


def test_the_command_says_how_to_read_the_scenes():
    options = {
        "platform": "landsat-5",
        "scale": 1e-4,
        "band_names": ["green", "nir08"],
        "crs": "EPSG:32611",
        "storage_options": {"anon": True, "secret": "s"},
    }
    config = StudyConfig.parse(
        {
            "scenes": [
                {"source": "a.tif", "time": "1988-10-22", **options},
                {"source": "b.tif", "time": "2017-10-22", **options},
            ],
            "mask": [],
        }
    )
    assert config.command() == [
        *("strandline", "change", "a.tif", "b.tif"),
        *("--date-before", "1988-10-22", "--date-after", "2017-10-22"),
        *("--platform", "landsat-5", "--band-names", "green,nir08", "--scale", "0.0001"),
        *("--source-crs", "EPSG:32611", "--anonymous", "--mask", "none"),
    ]


def test_scenes_larger_than_memory_stay_lazy_and_give_the_same(pair, tmp_path, monkeypatch):
    config = {"scenes": pair, "n_clusters": 4}
    eager = sl.run_study(config, tmp_path / "eager")
    monkeypatch.setattr("strandline.stages.IN_MEMORY_BYTES", 0)
    lazy = sl.run_study(config, tmp_path / "lazy")
    for name in ("areas.csv", "evidence.csv", "change.tif", "model.npz", "labels.png",
                 "water_1988-10-22.gpkg", "water_2017-10-22.gpkg"):  # fmt: skip
        assert (eager / name).read_bytes() == (lazy / name).read_bytes(), name


def test_simulated_pair_is_what_open_scene_reads(pair):
    scene = sl.open_scene(pair[0]["source"])
    assert isinstance(scene, xr.DataArray)
    assert scene.attrs["platform"] == "landsat-5"


def test_a_study_says_how_far_its_dates_lie_apart(pair, tmp_path):
    out = sl.run_study({"scenes": pair, "n_clusters": 3}, tmp_path / "out")
    found = json.loads((out / "record.json").read_text())["dates"]
    assert found["shift"]["reliable"]
    assert not found["shift"]["corrected"]
    assert "That is too little to correct." in (out / "report.html").read_text("utf-8")


def test_a_study_makes_its_dates_comparable_and_replays(pair, tmp_path, monkeypatch):
    asked = {"harmonize": True, "normalize": True, "correct_shift": True}
    config = {"scenes": pair, "n_clusters": 3, **asked}
    out = sl.run_study(config, tmp_path / "out")
    found = json.loads((out / "record.json").read_text())["dates"]
    assert found["shift"]["corrected"]
    assert found["harmonized_by"][0].startswith("Roy")
    assert len(found["normalization"]["bands"]) == 6
    assert "stable pixels" in (out / "report.html").read_text("utf-8")
    command = " ".join(StudyConfig.parse(config).command())
    assert command.endswith("--harmonize --normalize --correct-shift")
    monkeypatch.setattr("strandline.stages.IN_MEMORY_BYTES", 0)  # streamed, tile by tile
    assert replay_study(out) > 10


def test_a_lone_scene_cannot_be_made_like_another(pair):
    with pytest.raises(ConfigurationError, match="need two scenes"):
        StudyConfig.parse({"scenes": pair[:1], "normalize": True})
