"""What the page says of areas, piece by piece."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import xarray as xr

import strandline as sl
from strandline.app import parts
from strandline.results import area_table
from strandline.testing.lakes import lake_fraction, lake_grid, mask_of

GRID = lake_grid((30, 40))
LAKE = (lake_fraction(GRID, 300.0) > 0.5).astype(np.uint8)


def cards(before: np.ndarray, after: np.ndarray) -> list[str]:
    dates = [mask_of(before, GRID), mask_of(after, GRID, time="2017-10-22")]
    water = xr.concat(dates, dim="time", coords="minimal", compat="override")
    outcome = SimpleNamespace(
        water=water,
        by_date=sl.areas(water, intervals=True),
        areas=area_table(water, sl.compare(*dates), None),
    )
    found = parts.area_cards(outcome).split("<div class='card'")[1:]
    return [" ".join(re.sub(r"<[^>]*>", " ", card).split()[1:]) for card in found]


def test_a_date_on_which_nothing_was_observed_has_no_area_on_its_card():
    first, second, change = cards(LAKE, np.full_like(LAKE, 255))
    assert "km² 95 %: 0." in first
    assert second.endswith("Water 2017-10-22 – not observed")
    assert change.endswith("Change – not observed on both dates")


def test_a_lake_that_is_gone_is_a_change_and_no_gap():
    _, second, change = cards(LAKE, np.zeros_like(LAKE))
    assert second.endswith("Water 2017-10-22 0 km² 95 %: 0 – 0")
    assert "−100.0 % · 95 %: −0." in change


def test_no_change_has_neither_a_sign_nor_the_colour_of_gain():
    _, _, change = cards(LAKE, LAKE)
    assert "Change none" in change
    assert "+0" not in change
