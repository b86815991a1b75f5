"""A fitted model on other scenes: the command line gives the bytes that Python gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

import strandline as sl
from strandline.applying import run_apply
from strandline.errors import ConfigurationError, ModelFileError, WaterError
from strandline.export import read_evidence
from strandline.export.raster import write_cog
from strandline.prepare.memory import hold
from strandline.series import replay, run_timeline


@pytest.fixture(scope="module")
def products(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("products")
    return [
        sl.simulate_scene(date, size=(160, 120), resolution=240, path=folder)[0].attrs["source"]
        for date in ("1988-10-22", "2004-10-22", "2017-10-22")
    ]


@pytest.fixture(scope="module")
def fitted(products, tmp_path_factory) -> Path:
    scenes = [{"source": products[0]}, {"source": products[2]}]
    config = {"scenes": scenes, "n_clusters": 4}
    return sl.run_study(config, tmp_path_factory.mktemp("fitted") / "out")


@pytest.fixture(scope="module")
def applied(products, fitted, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("applied")
    words = ["apply", str(fitted / "model.npz"), products[1], products[2], "--out", "out"]
    command = [sys.executable, "-m", "strandline", *words]
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=240)
    assert run.returncode == 0, run.stderr
    assert "water 2004-10-22" in run.stdout
    assert "clustering" not in run.stderr
    return folder / "out"


@pytest.mark.parametrize("number", [1, 2])
def test_the_rasters_are_those_of_the_python_functions_byte_for_byte(
    products, fitted, applied, tmp_path, number
):
    scene = sl.open_scene(products[number], conflicts="quality")
    model = sl.load_model(fitted / "model.npz")
    evidence = read_evidence(fitted / "evidence.csv", model)
    labelled = model.predict(scene)
    maps = {
        "labels": labelled["labels"],
        "water": sl.water_mask(labelled, evidence),
        "confidence": sl.water_confidence(labelled, evidence),
    }
    day = str(scene["time"].values.astype("datetime64[D]"))
    for name, layer in maps.items():
        path = applied / f"{name}_{day}.tif"
        mine = write_cog(hold(layer), tmp_path / path.name)
        with rasterio.open(path) as one, rasterio.open(mine) as other:
            np.testing.assert_array_equal(one.read(1), other.read(1))
            assert one.transform == other.transform


def test_a_date_of_the_fit_gets_the_maps_of_the_fit(fitted, applied):
    for name in ("labels", "water"):
        with (
            rasterio.open(fitted / f"{name}_2017-10-22.tif") as fit,
            rasterio.open(applied / f"{name}_2017-10-22.tif") as again,
        ):
            assert (fit.read(1) == again.read(1)).mean() > 0.9999


def test_the_record_repeats_it_and_names_the_model(fitted, applied):
    record = json.loads((applied / "record.json").read_text())
    assert record["task"] == "apply"
    assert record["command"].startswith(f"strandline apply {fitted / 'model.npz'} ")
    assert {str(fitted / "model.npz"), str(fitted / "evidence.csv")} <= {
        entry.get("path") for entry in record["inputs"]
    }
    assert replay(applied) >= 8


def test_the_water_can_be_named_where_there_is_no_evidence(products, tmp_path):
    scenes = [{"source": products[0]}]
    model = run_timeline(scenes, tmp_path / "t", settings={"n_clusters": 3}) / "model.npz"
    with pytest.raises(WaterError, match=r"evidence\.csv.*water_labels=…"):
        run_apply(model, scenes, tmp_path / "out")
    out = run_apply(model, scenes, tmp_path / "out", settings={"water_labels": [0]})
    with (
        rasterio.open(out / "labels_1988-10-22.tif") as labels,
        rasterio.open(out / "water_1988-10-22.tif") as water,
    ):
        np.testing.assert_array_equal(labels.read(1) == 0, water.read(1) == 1)
    with pytest.raises(WaterError, match="labels from 0 to 2"):
        run_apply(model, scenes, tmp_path / "other", settings={"water_labels": [3]})


def test_what_belongs_to_a_fit_is_refused(products, fitted, tmp_path):
    scenes = [{"source": products[0]}]
    with pytest.raises(ConfigurationError, match="not changed by n_clusters"):
        run_apply(fitted / "model.npz", scenes, tmp_path / "out", settings={"n_clusters": 3})
    engine = sl.SpectralClustering(n_clusters=2).fit(np.eye(4))
    sl.save_model(engine, tmp_path / "engine.npz")
    with pytest.raises(ModelFileError, match="without bands"):
        run_apply(tmp_path / "engine.npz", scenes, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        run_apply(tmp_path / "nothing.npz", scenes, tmp_path / "out")
    assert not (tmp_path / "out").exists()
