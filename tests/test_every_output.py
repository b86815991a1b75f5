"""Every real scene through `segment` with all outputs, every pair through `change`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import geopandas
import pandas as pd
import pytest

from real_scenes import SCENES, VALIDATION, source_of
from strandline.errors import IncompleteResultsWarning, SuspiciousSceneWarning
from strandline.study import run_study

TABLES = {"areas.csv", "evidence.csv", "quality.csv", "signatures.csv"}
OTHERS = {"labels.png", "water.png", "signatures.png", "true_colour.png", "false_colour.png"}
FORMATS = ["gpkg", "parquet", "geojson"]

PAIRS = {
    "Brumadinho": ("Brumadinho before", "Brumadinho after"),
    "Chiapas": ("Chiapas 1999", "Chiapas 2002"),
    "Walker Lake": ("Walker Lake 1988", "Walker Lake 2017"),
    "Ucayali": ("Ucayali 1990", "Ucayali 2015"),
    "Maui": ("maui_20230714_toa", "maui_20230831_toa"),
    "prairie potholes": ("naip_20120731", "naip_20200831"),
}

STACKS = {  # whose files do not say when
    "Olinda": "2000-08-01", "North Carolina": "2000-03-31", "Lake Burley Griffin": "1992-03-23",
    "Liverpool": "2020-09-27", "Momotombo": "2015-12-05", "Brumadinho before": "2019-01-14",
    "Brumadinho after": "2019-01-30", "Chiapas 1999": "1999-11-18", "Chiapas 2002": "2002-04-16",
    "Taylorsville": "2015-07-01",
    **{f"Ucayali {year}": f"{year}-07-01" for year in range(1990, 2016, 5)},
}  # fmt: skip


def dated(folder: Path, name: str) -> dict[str, object]:
    source, options = source_of(folder, name)
    if name in STACKS:
        options["time"] = STACKS[name]
    return {"source": source, **options}


def complete(folder: Path, dates: int, change: bool) -> None:
    """Check that nothing is missing: neither files nor, in the record, any reason for it."""
    record = json.loads((folder / "record.json").read_text())
    assert "notes" not in record
    names = {path.name for path in folder.iterdir()}
    assert names >= TABLES | OTHERS | {"report.html", "model.npz", "item.json"}
    assert ("change.tif" in names) == ("change.png" in names) == change
    for kind in ("labels", "water", "confidence"):
        assert len(list(folder.glob(f"{kind}_*.tif"))) == dates
    for layers in folder.glob("water_*.gpkg"):
        shore = geopandas.read_file(layers, layer="shoreline")
        assert (shore["length_km"] > 0).all()
        assert shore.geometry.is_valid.all()
    for suffix in FORMATS:
        assert len(list(folder.glob(f"water_*.{suffix}"))) == dates
    areas = pd.read_csv(folder / "areas.csv")
    assert (areas["least"] <= areas["most"] + 1e-9).all()


def run(scenes: list[dict[str, object]], out: Path) -> Path:
    options: dict[str, object] = {"vectors": FORMATS}
    for scene in scenes:  # which bands is a choice for all scenes of a study
        if "bands" in scene:
            options["bands"] = scene.pop("bands")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SuspiciousSceneWarning)
        warnings.simplefilter("error", IncompleteResultsWarning)
        return run_study({"scenes": scenes, **options}, out)


@pytest.mark.parametrize("name", [*SCENES, *VALIDATION])
def test_segment_leaves_every_file(real_data, tmp_path, name):
    complete(run([dated(real_data, name)], tmp_path / "out"), dates=1, change=False)


@pytest.mark.parametrize("name", PAIRS)
def test_change_leaves_every_file(real_data, tmp_path, name):
    scenes = [dated(real_data, one) for one in PAIRS[name]]
    complete(run(scenes, tmp_path / "out"), dates=2, change=True)
