"""How sure the water mask is: of classes, at shores, and what it means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import roc_auc_score

import strandline as sl
from strandline.errors import WaterError
from strandline.segmentation.model import SegmentationModel
from strandline.testing.lakes import BANDS, lake_grid, random_lake, round_lake, scene_of
from strandline.water.confidence import steadiness


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    made = round_lake(radius=500, shape=(50, 60), noise=0.01)
    return made.where((made["y"] < made["y"].max()) | (made["x"] > made["x"].min()))


@pytest.fixture(scope="module")
def lake(scene) -> xr.Dataset:
    return sl.segment(scene, n_clusters=4)


def decision(*spectra: tuple[float, ...], **attrs: object) -> pd.DataFrame:
    """What find_water says about some spectra of subclusters."""
    values = np.array(spectra)[:, :, None].repeat(6, axis=2).transpose(1, 0, 2)
    segmentation = sl.segment(scene_of(values, lake_grid(values.shape[1:]), bands=BANDS), 2)
    evidence = sl.find_water(segmentation)
    evidence.attrs |= attrs
    return evidence


def test_it_is_a_map_with_place_and_units(lake):
    confidence = sl.water_confidence(lake)
    assert confidence.dtype == np.float32
    assert confidence.odc.geobox == lake["labels"].odc.geobox
    assert confidence.attrs["units"] == "1"
    assert confidence.attrs["verdict"] == "water"
    seen = lake["labels"].values != 255
    assert np.isnan(confidence.values[~seen]).all()
    assert (~seen).any()
    assert confidence.values[seen].min() >= 0.5
    assert confidence.values[seen].max() <= 1.0


def test_it_is_sure_of_the_middle_of_the_lake_and_not_of_its_shore(lake):
    confidence = sl.water_confidence(lake).values
    fraction = sl.water_fraction(lake).values
    assert confidence[25, 30] > 0.99
    undecided = np.abs(fraction - 0.5) < 0.1
    assert undecided.any()
    assert confidence[undecided].max() < 0.85


@pytest.mark.parametrize("chunks", [{"y": 20, "x": 25}, {"y": 7, "x": 60}])
def test_lazy_maps_give_the_same_bytes_lazily(scene, lake, chunks):
    lazy = sl.segment(scene.chunk(chunks), n_clusters=4)
    confidence = sl.water_confidence(lazy)
    assert confidence.chunks is not None
    assert confidence.compute().values.tobytes() == sl.water_confidence(lake).values.tobytes()


def test_dates_are_looked_at_each_for_itself(scene):
    later = scene.assign_coords(time=np.datetime64("1990-01-01"))
    both = sl.segment([scene, later], 3)
    confidence = sl.water_confidence(both)
    assert confidence.dims == ("time", "y", "x")
    assert (confidence[0].values == confidence[1].values)[1:].all()


def test_what_a_model_predicts_has_the_confidence_of_the_decision(scene, lake):
    predicted = SegmentationModel.of(lake).predict(scene)
    evidence = sl.find_water(lake)
    confidence = sl.water_confidence(predicted, evidence)
    assert confidence.equals(sl.water_confidence(lake, evidence))


def test_spectra_near_a_border_are_decided_about_less_steadily():
    water, soil = (0.06, 0.05, 0.03, 0.02, 0.01, 0.005), (0.10, 0.12, 0.16, 0.25, 0.30, 0.25)
    faint = (0.04, 0.055, 0.05, 0.05, 0.045, 0.03)
    evidence = decision(water, faint, soil)
    steady = pd.Series(steadiness(evidence), evidence.index)
    wetness = evidence["mndwi"]
    assert steady[wetness.idxmin()] > 0.98
    assert steady[wetness.idxmax()] > 0.9
    between = wetness.abs() < 0.2
    assert between.any()
    assert (steady[between] < 0.8).all()
    assert (steadiness(evidence) == steady).all()


def test_a_user_whom_the_spectra_contradict_is_trusted_by_half(lake):
    clusters = set(range(lake.sizes["cluster"]))
    (dry, *_) = clusters - set(sl.find_water(lake).attrs["clusters"])
    against = sl.find_water(lake, labels=dry)
    confidence = sl.water_confidence(lake, against)
    named = (lake["labels"] == dry).values
    assert np.median(confidence.values[named]) == 0.5
    assert np.median(confidence.values[25, 30]) == 0.5


def test_numbers_without_a_scale_have_a_confidence_too(scene):
    numbers = (scene * 250).assign_attrs(units="digital number")
    segmentation = sl.segment(numbers, 4)
    confidence = sl.water_confidence(segmentation)
    assert float(confidence[25, 30]) > 0.99
    assert float(confidence.min()) < 0.99


def test_wrong_pixels_are_those_of_little_confidence():
    found = []
    for number in (1, 4, 6):
        scene, truth = random_lake(number)
        segmentation = sl.segment(scene)
        wrong = sl.water_mask(segmentation).values != (truth.values >= 0.5)
        found.append((wrong.ravel(), sl.water_confidence(segmentation).values.ravel()))
    wrong, confidence = (np.concatenate(column) for column in zip(*found, strict=True))
    assert roc_auc_score(wrong, 1 - confidence) > 0.98
    # It is a probability: as many are wrong as it says, give or take a half.
    assert 0.5 < (1 - confidence).sum() / wrong.sum() < 2


def test_a_decision_about_another_segmentation_is_refused(lake):
    other = sl.find_water(sl.segment(round_lake(radius=300), 3, n_subclusters=9))
    with pytest.raises(WaterError, match="another segmentation"):
        sl.water_confidence(lake, other)
    with pytest.raises(WaterError, match="no spectra"):
        sl.water_confidence(lake, sl.find_water(lake).drop(columns="green"))
