"""Counts and estimates against numbers worked out by hand and printed in the papers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from strandline.accuracy.proportions import class_measures, sample_estimates, wilson
from strandline.errors import ConfigurationError

CLASSES = ["deforestation", "forest gain", "stable forest", "stable non-forest"]
# Olofsson et al. (2014), table 8; the map has 10 million pixels of 30 m.
COUNTS = pd.DataFrame(
    [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]],
    index=CLASSES,
    columns=CLASSES,
)
HECTARES = np.array([200_000, 150_000, 3_200_000, 6_450_000]) * 0.09


def test_estimates_are_those_of_the_worked_example():
    found = sample_estimates(COUNTS, HECTARES)
    # Section 5.2 of the paper: areas in hectares with half the 95 % interval.
    assert found["area"].round().tolist() == [21_158, 11_686, 285_770, 581_386]
    half = (found["area_high_95"] - found["area_low_95"]) / 2
    assert half.round(-1).tolist() == pytest.approx([6_160, 3_760, 15_510, 16_280], abs=10)
    assert found["user"].round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert found["producer"].round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert (1.96 * found["user_se"]).round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert 1.96 * found["producer_se"].iloc[0] == pytest.approx(0.21, abs=5e-3)
    assert found.attrs["overall"] == pytest.approx(0.947, abs=5e-4)
    assert 1.96 * found.attrs["overall_se"] == pytest.approx(0.02, abs=5e-3)


def test_the_first_area_of_the_example_by_hand():
    shares = [0.02 * 66 / 75, 0.0, 0.32 * 1 / 165, 0.645 * 2 / 325]
    parts = [0.02**2 * 0.88 * 0.12 / 74, 0.0, 0.32**2 * (1 / 165) * (164 / 165) / 164]
    parts.append(0.645**2 * (2 / 325) * (323 / 325) / 324)
    found = sample_estimates(COUNTS, HECTARES).loc["deforestation"]
    assert found["area"] == pytest.approx(900_000 * sum(shares))
    assert found["area_se"] == pytest.approx(900_000 * math.sqrt(sum(parts)))


def test_a_producers_accuracy_of_the_example_by_hand():
    # Equation 7 for the gain of forest, in pixels; only stable non-forest has gain besides.
    user, mapped, other = 55 / 75, 150_000, 6_450_000
    there = mapped * user + other / 325
    producer = mapped * user / there
    first = mapped**2 * (1 - producer) ** 2 * user * (1 - user) / 74
    second = producer**2 * other**2 * (1 / 325) * (324 / 325) / 324
    found = sample_estimates(COUNTS, HECTARES).loc["forest gain"]
    assert found["producer"] == pytest.approx(producer)
    assert found["producer_se"] == pytest.approx(math.sqrt(first + second) / there)


def test_a_class_without_places_cannot_be_estimated():
    counts = COUNTS.copy()
    counts.iloc[1] = [0, 1, 0, 0]
    with pytest.raises(ConfigurationError, match="1 in 'forest gain'"):
        sample_estimates(counts, HECTARES)


def test_a_class_of_the_reference_alone_has_an_area_and_no_users_accuracy():
    counts = pd.DataFrame([[90, 10], [0, 0]], index=["dry", "wet"], columns=["dry", "wet"])
    found = sample_estimates(counts, np.array([100.0, 0.0])).loc["wet"]
    assert found["area"] == pytest.approx(10.0)
    assert found["producer"] == 0
    assert math.isnan(found["user"])


def test_repeated_samples_cover_the_true_area_as_often_as_they_say():
    random = np.random.default_rng(3)
    wet_share, area = np.array([0.05, 0.9]), np.array([700.0, 300.0])
    truth, covered = (wet_share * area).sum(), 0
    for _ in range(400):
        wet = random.binomial(300, wet_share)
        counts = pd.DataFrame(np.stack([300 - wet, wet], axis=1))
        found = sample_estimates(counts, area).loc[1]
        covered += found["area_low_95"] <= truth <= found["area_high_95"]
    assert 0.92 < covered / 400 < 0.975


def test_wilson_intervals_at_the_ends_stay_within_zero_and_one():
    z = 1.959964
    assert wilson(0, 10) == (0.0, pytest.approx(z**2 / (10 + z**2)))
    assert wilson(10, 10)[1] == 1.0
    assert all(math.isnan(end) for end in wilson(0, 0))


def test_measures_of_each_class_by_hand():
    counts = pd.DataFrame([[50, 10], [5, 35]], index=["dry", "wet"], columns=["dry", "wet"])
    wet = class_measures(counts).loc["wet"]
    assert wet["user"] == 35 / 40
    assert wet["producer"] == 35 / 45
    assert wet["f1"] == pytest.approx(2 * 35 / 85)
    assert wet["iou"] == 35 / 50
    low, high = wilson(35, 40)
    assert (wet["user_low_95"], wet["user_high_95"]) == (low, high)
