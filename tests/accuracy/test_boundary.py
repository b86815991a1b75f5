"""Distances between shorelines that are known by construction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from strandline.accuracy.boundary import boundary_errors, shoreline
from strandline.testing.lakes import lake_fraction, lake_grid

GRID = lake_grid((40, 40), corner=(500_000.0, 4_290_000.0))  # scale 0.9996


def bay(columns: float) -> np.ndarray:
    """Water in the west, up to a place within a pixel."""
    return np.clip(columns - np.arange(40.0), 0, 1) * np.ones((40, 1))


def test_two_straight_shores_are_as_far_apart_as_they_were_made():
    found = boundary_errors(bay(10), bay(13), GRID)
    for column in ("mean", "median", "percentile_95"):
        assert found[column].to_numpy() == pytest.approx(90 / 0.9996, rel=1e-3)
    assert found.loc["both", "length_km"] == pytest.approx(2 * 39 * 0.03, rel=1e-3)


def test_equal_masks_are_nowhere_apart():
    mask = (lake_fraction(GRID, radius=300) > 0.5).astype(float)
    found = boundary_errors(mask, mask, GRID)
    assert found[["mean", "percentile_95"]].to_numpy() == pytest.approx(0, abs=1e-9)


def test_a_fraction_of_water_places_the_shore_within_the_pixel():
    small, large = (lake_fraction(GRID, radius=radius) for radius in (400.0, 407.0))
    found = boundary_errors(small, large, GRID)["mean"]
    assert found.to_numpy() == pytest.approx(7.0, abs=1.0)


def test_pixels_that_are_not_known_have_no_shore():
    hidden = bay(10)
    hidden[:20] = np.nan
    found = boundary_errors(hidden, bay(11), GRID)
    assert found["length_km"].to_numpy() == pytest.approx([19 * 0.03, 19 * 0.03, 38 * 0.03], 1e-3)
    assert found.loc["both", "mean"] == pytest.approx(30, rel=1e-3)


def test_a_map_without_water_has_no_boundary_error():
    found = boundary_errors(np.zeros((40, 40)), bay(10), GRID)
    assert found["mean"].isna().all()
    assert found["length_km"].to_list()[0] == 0


def test_missed_water_shows_in_one_direction_only():
    pond = bay(10)
    pond[20:22, 30:32] = 1
    found = boundary_errors(bay(10), pond, GRID)["mean"]
    assert found["map to reference"] == 0
    assert found["reference to map"] > 20


@pytest.mark.parametrize(
    ("corner", "lines"),
    [((1, 0, 0, 1), 2), ((0, 1, 1, 0), 2), ((1, 1, 0, 1), 1), ((1, 1, 1, 1), 0)],
)
def test_every_square_has_its_pieces(corner, lines):
    assert len(shoreline(np.array(corner, float).reshape(2, 2))) == lines


def test_the_contour_of_a_disc_is_a_closed_circle():
    pieces = shoreline(lake_fraction(GRID, radius=450.0))
    radii = np.hypot(*(pieces - 19.5).reshape(-1, 2).T) * 30
    assert radii == pytest.approx(450, abs=3)
    assert np.hypot(*(pieces[:, 1] - pieces[:, 0]).T).sum() * 30 == pytest.approx(
        2 * math.pi * 450, rel=0.01
    )
    ends, times = np.unique(pieces.reshape(-1, 2).round(9), axis=0, return_counts=True)
    assert len(ends) == len(pieces)
    assert (times == 2).all()


def test_metres_are_true_in_degrees_too():
    grid = lake_grid((40, 40), resolution=0.001, crs="EPSG:4326", corner=(10.0, 60.0))
    east = boundary_errors(bay(10), bay(13), grid).loc["both", "mean"]
    assert east == pytest.approx(3 * 0.001 * 111_412 * math.cos(math.radians(59.98)), rel=2e-3)
