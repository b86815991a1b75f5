"""Where the wet side of a water index begins."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.segmentation.model import SegmentationModel
from strandline.segmentation.sides import Sides, fit_sides, sides_of
from strandline.testing.lakes import lake_grid, round_lake, scene_of

BANDS = ("green", "red", "nir08", "swir16")


def test_the_longest_infrared_but_for_the_last_tells_wet_from_dry():
    assert sides_of(("swir16", "green")) == Sides(1, 0)
    assert sides_of(("green", "swir22", "nir08")) == Sides(0, 1)
    assert sides_of(("green", "red", "nir08")) == Sides(0, 2)
    assert sides_of(("red", "swir16")) is None


def test_the_threshold_and_the_ratio_say_the_same():
    sides = Sides(0, 1, ratio=1.5)
    assert sides.threshold == pytest.approx(0.2)
    assert sides.wet(np.array([[3.1, 2.0], [2.9, 2.0]])).tolist() == [True, False]


@pytest.mark.parametrize(
    "parts",
    [
        {"little water": ((50.0, 100.0), 990), "dry too": ((80.0, 100.0), 990), "w": ((90, 9), 9)},
        {"clear": ((90.0, 3.0), 500), "turbid, which is water": ((90.0, 60.0), 500)},
        {"all the same": ((90.0, 60.0), 500)},
    ],
    ids=["rare water", "water alone", "one spectrum"],
)
def test_where_the_index_does_not_part_water_from_land_zero_stays(parts):
    rows = np.concatenate([np.tile(spectrum, (count, 1)) for spectrum, count in parts.values()])
    assert fit_sides(Sides(0, 1), rows) == Sides(0, 1)


def stretched(units: str) -> tuple[xr.DataArray, np.ndarray]:
    """A river between meadows whose green was stretched until their index rose above zero."""
    rng = np.random.default_rng(3)
    meadow, woods, river = (60, 45, 180, 56), (30, 25, 120, 55), (80, 90, 40, 8)
    values = np.empty((4, 60, 80))
    values[:] = np.array(woods)[:, None, None]
    values[:, :, 60:] = np.array(meadow)[:, None, None]
    values[:, 25:35] = np.array(river)[:, None, None]
    values *= 1 + 0.04 * rng.standard_normal(values.shape)
    scene = scene_of(values, lake_grid((60, 80)), bands=BANDS)
    scene.attrs["units"] = units
    wet = np.zeros((60, 80), bool)
    wet[25:35] = True
    return scene, wet


def test_numbers_without_a_scale_are_parted_where_they_fall_apart():
    scene, wet = stretched("digital number")
    segmentation = sl.segment(scene, 4)
    above = segmentation["subcluster_mean"].attrs["wet_above"]
    assert 0.05 < above < 0.6
    assert ((sl.water_mask(segmentation) == 1).values == wet).mean() > 0.999
    evidence = sl.find_water(segmentation)
    between = evidence[(evidence["mndwi"] > 0) & ~evidence["water"]]
    assert between["reason"].str.contains("dry, as not above").all()
    assert len(between)


def test_a_subcluster_lies_on_one_side_also_where_it_does_not_begin_at_zero():
    scene, _ = stretched("digital number")
    segmentation = sl.segment(scene, 4)
    model = SegmentationModel.of(segmentation)
    assert model.subclusters.sides is not None
    rows = scene.values.reshape(4, -1).T
    wet = model.subclusters.sides.wet(rows)
    numbers = segmentation["subclusters"].values.ravel()
    for number in np.unique(numbers):
        assert len(set(wet[numbers == number])) == 1
    again = SegmentationModel.from_bytes(model.to_bytes())
    assert again.subclusters.sides == model.subclusters.sides
    assert again.predict(scene)["subclusters"].equals(segmentation["subclusters"])


def test_reflectance_keeps_the_zero_of_the_published_index():
    segmentation = sl.segment(round_lake(radius=600), n_clusters=4)
    assert segmentation["subcluster_mean"].attrs["wet_above"] == 0.0
