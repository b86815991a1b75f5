"""No water where there is none, and ponds where there are: rare water and dry land."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.segmentation.sampling import draw_numbered_pixels
from strandline.testing.lakes import BANDS, lake_grid, scene_of

segment_module = import_module("strandline.segmentation.segment")

# Means over Landsat 8 pixels near Walker Lake, 2017-10-22, and typical plants.
GROUND = {
    "lava": (0.024, 0.030, 0.032, 0.065, 0.054, 0.039),
    "snow": (0.285, 0.299, 0.308, 0.345, 0.071, 0.058),
    "playa": (0.237, 0.305, 0.350, 0.387, 0.395, 0.348),
    "shade": (0.017, 0.020, 0.018, 0.028, 0.018, 0.015),
    "woods": (0.020, 0.035, 0.028, 0.220, 0.110, 0.055),
    "soil": (0.120, 0.170, 0.220, 0.280, 0.340, 0.300),
}
POND = {
    "clear": (0.033, 0.039, 0.026, 0.019, 0.010, 0.006),
    "turbid": (0.092, 0.137, 0.134, 0.060, 0.006, 0.005),
    "brown": (0.015, 0.020, 0.022, 0.012, 0.006, 0.004),
}


def patchwork(seed: int, *classes: str, size: int = 300) -> np.ndarray:
    """Fields of 20 × 20 pixels of several kinds of ground, brighter and darker, with noise."""
    rng = np.random.default_rng(seed)
    spectra = np.array([GROUND[name] for name in classes]).T
    fields = np.kron(
        rng.integers(0, len(classes), (size // 20, size // 20)), np.ones((20, 20), int)
    )
    light = np.kron(rng.uniform(0.8, 1.2, (size // 10, size // 10)), np.ones((10, 10)))
    values = spectra[:, fields] * light * (1 + 0.03 * rng.standard_normal((6, size, size)))
    return values + 0.0015 * rng.standard_normal(values.shape)


def scene(values: np.ndarray) -> xr.DataArray:
    return scene_of(values, lake_grid(values.shape[1:]), bands=BANDS)


DRY = [
    (seed, kinds)
    for kinds in (("lava", "soil"), ("snow", "soil"), ("soil", "playa"), ("lava", "woods", "soil"))
    for seed in range(4)
] + [(seed, (kind,)) for kind in ("snow", "lava", "playa") for seed in range(2)]


@pytest.mark.parametrize(("seed", "kinds"), DRY)
def test_dry_land_gets_the_verdict_no_water_and_not_one_pixel(seed, kinds):
    segmentation = sl.segment(scene(patchwork(seed, *kinds, size=120)))
    evidence = sl.find_water(segmentation)
    assert evidence.attrs["verdict"] == "no water"
    assert (sl.water_mask(segmentation, evidence) == 0).all()
    assert (sl.water_fraction(segmentation, evidence) == 0.0).all()


@pytest.mark.parametrize("kind", list(POND))
@pytest.mark.parametrize("ground", [("woods", "soil"), ("lava", "soil", "woods")])
def test_a_pond_of_twenty_pixels_is_found_in_ninety_thousand(kind, ground):
    values = patchwork(7, *ground)
    rng = np.random.default_rng(1)
    pond = np.array(POND[kind])[:, None, None]
    values[:, 141:145, 152:157] = pond + 0.0015 * rng.standard_normal((6, 4, 5))
    segmentation = sl.segment(scene(values))
    mask = sl.water_mask(segmentation).values == 1
    assert mask[141:145, 152:157].sum() >= 18
    mask[140:146, 151:158] = False
    assert not mask.any()


@pytest.mark.parametrize("kind", list(POND))
def test_a_pond_of_which_chance_drew_not_one_pixel_is_found(kind, monkeypatch):
    monkeypatch.setattr(segment_module, "SAMPLE_PIXELS", 2048)  # one pixel in 44
    values = patchwork(7, "woods", "soil", "snow")
    drawn = np.zeros((300, 300), bool)
    drawn.ravel()[draw_numbered_pixels(scene(values), 2048).numbers] = True
    left = next(n for n in range(300) if not drawn[141:145, n : n + 5].any())
    there = np.zeros((300, 300), bool)
    there[141:145, left : left + 5] = True
    noise = 0.0015 * np.random.default_rng(1).standard_normal((6, 20))
    values[:, there] = np.array(POND[kind])[:, None] + noise
    segmentation = sl.segment(scene(values))
    mask = sl.water_mask(segmentation).values == 1
    assert mask[there].sum() >= 18
    assert not (mask & ~there).any()
    share = segmentation["subcluster_share"].values[sl.find_water(segmentation)["water"]].sum()
    assert 0 < share < 0.001


@pytest.mark.parametrize("kinds", [("snow", "soil"), ("lava", "woods", "soil")])
def test_dry_land_stays_dry_where_only_a_sample_is_drawn(kinds, monkeypatch):
    monkeypatch.setattr(segment_module, "SAMPLE_PIXELS", 2048)
    segmentation = sl.segment(scene(patchwork(2, *kinds)))
    assert sl.find_water(segmentation).attrs["verdict"] == "no water"
    assert not (sl.water_mask(segmentation) == 1).any()


@pytest.mark.parametrize("seed", range(3))
def test_desert_without_the_lake_is_dry(seed):
    made, truth = sl.simulate_scene("1988-10-22", size="full", resolution=480, seed=seed)
    dry = np.nan_to_num(truth.values) == 0.0
    # The largest window of 120 × 120 with no water in it and little border.
    for top, left in np.ndindex(*(side // 60 - 1 for side in dry.shape)):
        window = (slice(60 * top, 60 * top + 120), slice(60 * left, 60 * left + 120))
        if dry[window].all() and np.isfinite(truth.values[window]).mean() > 0.95:
            break
    else:
        raise AssertionError("no dry window")
    segmentation = sl.segment(made[(slice(None), *window)])
    evidence = sl.find_water(segmentation)
    assert evidence.attrs["verdict"] == "no water"
    assert not (sl.water_mask(segmentation, evidence) == 1).any()
