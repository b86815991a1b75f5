"""Timelines as folders of results: their record, their replay, the lake at a point."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio

import strandline as sl
from strandline.configuration import TimelineConfig
from strandline.errors import ConfigurationError, RecordError, SchedulerError
from strandline.series import replay, run_timeline, summary
from strandline.study import replay_study

LAKE = (-118.7081, 38.6942)
OTHER_MODEL = {
    "bands": ["green", "nir08", "swir16"],
    "standardize": "global",
    "n_subclusters": 40,
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> list[dict[str, str]]:
    folder = tmp_path_factory.mktemp("scenes")
    sources = []
    for date in ("1988-10-22", "2004-10-22", "2017-10-22"):
        scene, _ = sl.simulate_scene(date, size=(130, 100), resolution=300, path=folder)
        sources.append({"source": scene.attrs["source"]})
    return sources


@pytest.fixture(scope="module")
def results(scenes, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("timeline") / "results"
    return run_timeline(scenes, out, settings={"n_clusters": 4, "water_at": LAKE})


def test_the_record_says_what_was_asked_for_and_what_came_out(results, scenes):
    record = json.loads((results / "record.json").read_text())
    assert record["task"] == "timeline"
    assert record["config"]["scenes"] == scenes
    assert record["seed"] == 0
    names = {entry["path"] for entry in record["outputs"]}
    assert names == {path.name for path in results.iterdir()} - {"record.json"}
    inputs = {Path(entry["path"]).name for entry in record["inputs"]}
    assert sum(name.endswith("_MTL.txt") for name in inputs) == 3
    sources = [scene["source"] for scene in scenes]
    assert record["command"].split() == [
        *("strandline", "timeline", *sources, "--clusters", "4"),
        *("--water-at", "-118.7081", "38.6942"),
    ]


def test_a_timeline_is_replayed_to_the_same_bytes(results, tmp_path):
    dates = []
    out = tmp_path / "again"
    count = replay(results, out, on_tile=lambda done, total: dates.append((done, total)))
    outputs = json.loads((results / "record.json").read_text())["outputs"]
    assert count == len(outputs)
    for entry in outputs:
        again, first = out / entry["path"], results / entry["path"]
        assert again.read_bytes() == first.read_bytes(), entry["path"]
    assert dates == [(1, 3), (2, 3), (3, 3)]


def test_a_replay_of_changed_scenes_is_refused(tmp_path):
    scene, _ = sl.simulate_scene(size=(100, 100), resolution=300, path=tmp_path)
    folder = Path(scene.attrs["source"])
    out = run_timeline([{"source": str(folder)}], tmp_path / "out", settings={"n_clusters": 3})
    next(folder.glob("*_MTL.txt")).write_text("changed")
    with pytest.raises(RecordError, match="inputs are not those"):
        replay(out)


def test_a_study_does_not_take_the_record_of_a_timeline(results):
    with pytest.raises(RecordError, match="configuration is not valid"):
        replay_study(results)


def test_the_table_follows_the_lake_at_the_point(results, scenes):
    table = pd.read_csv(results / "timeline.csv")
    whole = [sl.open_scene(scene["source"]) for scene in scenes]
    history = sl.timeline(whole, n_clusters=4, at=LAKE)
    assert table["best"].tolist() == pytest.approx(history["best"].values.tolist(), abs=1e-4)
    assert (table["low_95"] < table["best"]).all()
    assert (table["best"] < table["high_95"]).all()
    assert "95 %" in summary(results)


@pytest.fixture(scope="module")
def coarse(scenes, tmp_path_factory) -> Path:
    """A timeline by a model of another kind."""
    out = tmp_path_factory.mktemp("coarse") / "results"
    return run_timeline(scenes, out, settings={"n_clusters": 4, **OTHER_MODEL})


def test_the_model_is_fitted_as_asked_for(coarse, results, scenes):
    table = pd.read_csv(coarse / "timeline.csv")
    whole = [sl.open_scene(scene["source"]) for scene in scenes]
    history = sl.timeline(whole, n_clusters=4, **OTHER_MODEL)
    assert table["best"].tolist() == pytest.approx(history["best"].values.tolist(), abs=1e-4)
    assert history["band"].values.tolist() == OTHER_MODEL["bands"]
    assert history.sizes["subcluster"] == OTHER_MODEL["n_subclusters"]
    as_usual = sl.load_model(results / "model.npz")
    asked_for = sl.load_model(coarse / "model.npz")
    assert list(asked_for.bands) == OTHER_MODEL["bands"] != list(as_usual.bands)
    # One scale for all bands, where the usual model has one for each.
    assert len(set(np.ravel(asked_for.standardizer.scale_))) == 1
    assert len(set(np.ravel(as_usual.standardizer.scale_))) == len(as_usual.bands)


def test_the_record_has_how_the_model_was_fitted(coarse):
    record = json.loads((coarse / "record.json").read_text())
    assert {name: record["config"][name] for name in OTHER_MODEL} == OTHER_MODEL
    words = record["command"].split("--clusters 4", 1)
    assert "--bands green,nir08,swir16" in words[0]
    assert words[1].split() == ["--subclusters", "40", "--standardize", "global"]
    assert replay(coarse) == len(record["outputs"])


def test_the_mask_of_each_date_is_what_the_table_counts(coarse):
    table = pd.read_csv(coarse / "timeline.csv")
    assert table["pixels"].min() > 100
    for row in table.itertuples():
        with rasterio.open(coarse / f"water_{row.time[:10]}.tif") as file:
            mask, tags = file.read(1), file.tags()
            assert (mask == 1).sum() == row.pixels
            assert (mask != 255).mean() == pytest.approx(row.observed_share, abs=1e-4)
            assert tags["platform"] == row.platform
            assert tags["TIFFTAG_DATETIME"].startswith(row.time[:10].replace("-", ":"))
        style = (coarse / f"water_{row.time[:10]}.qml").read_text()
        assert 'label="water"' in style


def test_the_item_describes_the_folder(coarse):
    item = pystac.Item.from_file(str(coarse / "item.json"))
    assert item.id == "water-over-time_1988-10-22_2017-10-22"
    assert {asset.href for asset in item.assets.values()} == {
        f"./{path.name}" for path in coarse.iterdir() if path.name != "item.json"
    }
    classes = item.assets["transitions"].extra_fields["classification:classes"]
    with rasterio.open(coarse / "transitions.tif") as file:
        meanings = file.tags(1)["flag_meanings"].split()
    assert [one["name"] for one in classes] == meanings
    styled = {path.stem for path in coarse.glob("*.qml")}
    described = {
        key for key, asset in item.assets.items() if "classification:classes" in asset.extra_fields
    }
    assert styled == described
    assert len(styled) == 3 + 2


@pytest.mark.slow
def test_workers_give_the_same_bytes(coarse, tmp_path):
    from distributed import Client, LocalCluster, get_task_stream

    config = json.loads((coarse / "record.json").read_text())["config"]
    names = {path.name for path in coarse.iterdir()} - {"record.json"}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        with Client(address, set_as_default=False) as onlooker:
            with get_task_stream(onlooker) as seen:
                settings = {name: value for name, value in config.items() if name != "scenes"}
                out = run_timeline(
                    config["scenes"], tmp_path / "out", settings=settings, scheduler=address
                )
            assert {task["worker"] for task in seen.data} == set(onlooker.nthreads())
            labelled = [task for task in seen.data if "distances" in str(task["key"])]
            assert len(labelled) == len(config["scenes"])
            for name in names:
                assert (out / name).read_bytes() == (coarse / name).read_bytes(), name
            with get_task_stream(onlooker) as seen:
                assert replay(coarse, scheduler=address) == len(names)
            assert seen.data


def test_a_scheduler_that_does_not_answer_is_said(scenes, tmp_path):
    with pytest.raises(SchedulerError, match="No Dask scheduler answers"):
        run_timeline(scenes, tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"min_pixels": 4}, "a timeline has no min_pixels"),
        ({"standardize": "rank"}, "standardize='rank'"),
        ({"n_subclusters": 1}, "n_subclusters=1"),
        ({"harmonize": True, "vectors": ["gpkg"]}, "a timeline has no harmonize, vectors"),
        ({"water_at": LAKE, "water_labels": [0]}, "not both"),
        ({"center": LAKE}, "center=… and buffer=… go together"),
    ],
)
def test_settings_that_a_timeline_does_not_know_are_refused(settings, said, tmp_path):
    with pytest.raises(ConfigurationError, match=said):
        run_timeline([{"source": "a.tif"}], tmp_path / "out", settings=settings)


def test_the_command_names_dates_and_what_all_scenes_share():
    scenes = [
        {"source": f"{year}.tif", "time": f"{year}-07-01", "platform": "landsat-5", "scale": scale}
        for year, scale in ((1990, 1e-4), (1991, 1e-4), (1992, 2e-4))
    ]
    config = TimelineConfig.parse({"scenes": scenes, "leave_out": False, "seed": 3})
    assert config.command() == [
        *("strandline", "timeline", "1990.tif", "1991.tif", "1992.tif"),
        *("--dates", "1990-07-01,1991-07-01,1992-07-01", "--platform", "landsat-5"),
        *("--keep-all", "--seed", "3"),
    ]
