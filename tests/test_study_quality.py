"""A study says what was not observed and why, and warns where a quality band hides water."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

import strandline as sl
from strandline import stages
from strandline.description import describe_source
from strandline.errors import SuspiciousSceneWarning
from strandline.results import read_summary

CLOUD, WATER = 22280, 21952


@pytest.fixture(scope="module")
def product(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("product")
    scene, _ = sl.simulate_scene(
        "2017-10-22", size=(150, 120), resolution=240, path=folder, snow=False
    )
    return Path(scene.attrs["source"])


@pytest.fixture(scope="module")
def hiding(product, tmp_path_factory) -> Path:
    """Make a product whose quality band calls the northern half of the lake cloud."""
    folder = tmp_path_factory.mktemp("hiding") / product.name
    shutil.copytree(product, folder)
    with rasterio.open(next(folder.glob("*QA_PIXEL.TIF")), "r+") as file:
        qa = file.read(1)
        north = qa[:75]
        north[north == WATER] = CLOUD
        file.write(qa, 1)
    return folder


def quality_of(folder):
    return pd.read_csv(folder / "quality.csv").set_index("what")["pixels"]


def config(product, **more):
    return {"scenes": [{"source": str(product)}], "n_clusters": 4, **more}


def test_a_clear_scene_has_nothing_to_warn_of(product, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", SuspiciousSceneWarning)
        out = sl.run_study(config(product), tmp_path / "out")
    quality = quality_of(out)
    assert quality["observed"] == 150 * 120
    assert quality["hidden_water"] == 0
    assert "What was not observed, and why" in (out / "report.html").read_text()


@pytest.mark.parametrize("streamed", [False, True])
def test_hidden_water_is_warned_of_and_comes_back_if_the_spectrum_wins(
    hiding, product, tmp_path, monkeypatch, streamed
):
    if streamed:
        monkeypatch.setattr(stages, "IN_MEMORY_BYTES", 0)
    with pytest.warns(SuspiciousSceneWarning, match="--conflicts spectrum"):
        masked = sl.run_study(config(hiding), tmp_path / "masked")
    quality = quality_of(masked)
    assert quality["cloud"] > 500
    assert quality["hidden_water"] > 0.9 * quality["cloud"]  # the rest is shore
    assert quality["not_observed"] == quality["cloud"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", SuspiciousSceneWarning)
        decided = sl.run_study(config(hiding, conflicts="spectrum"), tmp_path / "decided")
    back = quality_of(decided)
    lost = back["not_observed"] - (quality["cloud"] - quality["cloud_but_water"])
    assert 0 <= lost <= back["clear_but_white"]  # these lose when the spectrum wins
    assert back["hidden_water"] == 0
    assert "--conflicts spectrum" in (decided / "record.json").read_text()


def test_streamed_and_in_memory_count_the_same(hiding, tmp_path, monkeypatch):
    with pytest.warns(SuspiciousSceneWarning):
        whole = sl.run_study(config(hiding), tmp_path / "whole")
    monkeypatch.setattr(stages, "IN_MEMORY_BYTES", 0)
    with pytest.warns(SuspiciousSceneWarning):
        tiles = sl.run_study(config(hiding), tmp_path / "tiles")
    assert (whole / "quality.csv").read_bytes() == (tiles / "quality.csv").read_bytes()


def test_a_description_with_statistics_says_why_pixels_were_not_observed(hiding):
    lines = describe_source(str(hiding), statistics=True).splitlines()
    (cloud,) = [line for line in lines if line.startswith("cloud  ")]
    (hidden,) = [line for line in lines if line.startswith("hidden water")]
    assert cloud.split()[-1].endswith("%")
    assert int(hidden.split()[2].replace(",", "")) > 500


def test_a_change_without_a_pixel_seen_on_both_dates_is_warned_of(product, tmp_path):
    folder = tmp_path / "before"
    scene, _ = sl.simulate_scene("1988-10-22", size=(150, 120), resolution=240, path=folder)
    hidden = Path(scene.attrs["source"])
    with rasterio.open(next(hidden.glob("*QA_PIXEL.TIF")), "r+") as file:
        file.write(np.full(file.shape, CLOUD, np.uint16), 1)
    pair = {"scenes": [{"source": str(hidden)}, {"source": str(product)}], "n_clusters": 4}
    with pytest.warns(SuspiciousSceneWarning) as said:
        out = sl.run_study(pair, tmp_path / "out")
    assert any("No pixel was observed on both dates" in str(one.message) for one in said)
    areas = pd.read_csv(out / "areas.csv").set_index("quantity")
    unknown = areas["low_95"].isna() & areas["high_90"].isna()
    assert unknown.drop("not observed").tolist() == [True] * 5 + [False, True]
    assert unknown.index[-2] == "water 2017-10-22"
    printed = read_summary(out).splitlines()
    (hidden,) = [line for line in printed if "water 1988-10-22" in line]
    assert "–   (not observed; including what was not observed: 0.00 … " in hidden
    (net,) = [line for line in printed if "net change" in line]
    assert "–   (not observed; including what was not observed: -" in net
    shown = _words(out / "report.html")
    for name in ("water 1988-10-22", "lost", "gained"):
        assert re.search(rf"\b{name} – 0 to [\d,]+ not observed\b", shown)


def _words(page: Path) -> str:
    text = re.sub(r"<(style|script).*?</\1>", " ", page.read_text(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())
