"""``scene.strandline`` does what the functions do."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr

import strandline as sl
from strandline.accessors import StrandlineArray, StrandlineDataset
from strandline.errors import ConfigurationError
from strandline.testing.lakes import round_lake


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    return round_lake(radius=300)


def test_a_scene_is_segmented_and_its_water_measured(scene):
    segmentation = scene.strandline.segment(n_clusters=3, random_state=1)
    xr.testing.assert_identical(segmentation, sl.segment(scene, n_clusters=3, random_state=1))
    decision = segmentation.strandline.find_water()
    pd.testing.assert_frame_equal(decision, sl.find_water(segmentation))
    mask = segmentation.strandline.water_mask(decision)
    xr.testing.assert_identical(mask, sl.water_mask(segmentation, decision))
    pd.testing.assert_frame_equal(mask.strandline.areas(), sl.areas(mask))
    xr.testing.assert_identical(mask.strandline.compare(mask), sl.compare(mask, mask))
    grid = sl.make_grid(like=scene, resolution=60, crs="EPSG:32611")
    xr.testing.assert_identical(scene.strandline.regrid(grid), sl.regrid(scene, grid))


def test_a_dataset_of_bands_is_a_scene_too(scene):
    dataset = scene.to_dataset(dim="band").assign_attrs(scene.attrs)
    labels = dataset.strandline.segment(n_clusters=3)["labels"]
    assert (labels.values == sl.segment(dataset, n_clusters=3)["labels"].values).all()


def test_errors_are_those_of_the_functions(scene):
    with pytest.raises(ConfigurationError, match="n_clusters"):
        scene.strandline.segment(n_clusters="many")


@pytest.mark.parametrize("accessor", [StrandlineArray, StrandlineDataset])
def test_every_method_is_a_public_function(accessor):
    names = [name for name in dir(accessor) if not name.startswith("_")]
    assert set(names) <= set(sl.__all__)
    assert all(f"`strandline.{name}`" in getattr(accessor, name).__doc__ for name in names)


@pytest.mark.parametrize(
    "code",
    [
        "import xarray as xr, strandline; xr.DataArray(0).strandline",
        "import strandline.accessors, xarray as xr; xr.DataArray(0).strandline",
        "from strandline.testing.lakes import round_lake; round_lake(radius=300).strandline",
    ],
)
def test_it_is_there_when_arrays_are(code):
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
