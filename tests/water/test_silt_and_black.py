"""Water that is bright with silt, or black after too much correction, and what it is not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.testing.lakes import BANDS, lake_grid, scene_of

LEAVES = (0.03, 0.06, 0.04, 0.30, 0.15, 0.08)
SOIL = (0.12, 0.16, 0.20, 0.27, 0.33, 0.29)

SILT = {
    "heavy": (0.09, 0.15, 0.20, 0.19, 0.03, 0.015),
    "medium": (0.07, 0.12, 0.15, 0.12, 0.02, 0.012),
    "yellow": (0.09, 0.16, 0.17, 0.14, 0.03, 0.02),
    "extreme": (0.11, 0.18, 0.27, 0.22, 0.06, 0.03),
}
BLACK = {
    "just below zero": (-0.006, -0.002, -0.003, -0.004, -0.003, -0.002),
    "further below zero": (-0.015, -0.012, -0.010, -0.010, -0.008, -0.006),
    "around zero": (0.004, 0.006, 0.002, 0.001, 0.001, 0.000),
}
DRY = {
    "snow": (0.60, 0.62, 0.60, 0.55, 0.10, 0.07),
    "snow among trees": (0.285, 0.299, 0.308, 0.345, 0.071, 0.058),
    "cloud": (0.45, 0.46, 0.47, 0.50, 0.40, 0.30),
    "lava": (0.024, 0.030, 0.032, 0.065, 0.054, 0.039),
    "burnt": (0.05, 0.055, 0.06, 0.09, 0.12, 0.12),
    "shade": (0.024, 0.024, 0.020, 0.050, 0.030, 0.020),
    "over-corrected shade": (0.002, 0.003, 0.002, 0.040, 0.022, 0.015),
    "red soil": (0.08, 0.14, 0.26, 0.32, 0.40, 0.34),
}


def half_and_half(spectrum, *, noise=0.03, bands=BANDS) -> xr.DataArray:
    """A scene whose left half is of a spectrum, the rest leaves and soil."""
    rng = np.random.default_rng(0)
    ground = np.where((np.arange(40) < 20)[:, None, None], LEAVES, SOIL)
    image = np.broadcast_to(ground, (40, 60, 6)).copy()
    image[:, :30] = spectrum
    wide = noise * np.abs(image) + 0.002
    values = (image + wide * rng.standard_normal(image.shape)).transpose(2, 0, 1)
    scene = scene_of(values, lake_grid((40, 60)), bands=BANDS)
    return scene.sel(band=list(bands))


def shares(scene: xr.DataArray) -> tuple[float, float]:
    """The share of the left and of the right half that is mapped as water."""
    mask = sl.water_mask(sl.segment(scene, n_clusters=4)).values == 1
    return float(mask[:, :30].mean()), float(mask[:, 31:].mean())


@pytest.mark.parametrize("kind", SILT)
@pytest.mark.parametrize("bands", [BANDS, BANDS[1:]], ids=["six bands", "without blue"])
def test_rivers_full_of_silt_are_water(kind, bands):
    if kind == "yellow" and bands != BANDS:
        pytest.skip("what is yellow is told by blue")
    found, false = shares(half_and_half(SILT[kind], bands=bands))
    assert found > 0.97
    assert false == 0


@pytest.mark.parametrize("kind", BLACK)
def test_lakes_of_which_too_much_was_taken_off_are_water(kind):
    scene = half_and_half(BLACK[kind])
    found, false = shares(scene)
    assert found > 0.97
    assert false == 0
    segmentation = sl.segment(scene, n_clusters=4)
    decision = sl.find_water(segmentation)
    assert decision.loc[decision["water"], "reason"].str.contains("wet").all()
    sure = sl.water_confidence(segmentation, decision)
    assert float(sure[:, 5:25].mean()) > 0.9


@pytest.mark.parametrize("kind", DRY)
def test_bright_dark_and_burnt_ground_is_not(kind):
    found, false = shares(half_and_half(DRY[kind]))
    assert found == false == 0
