"""Two dates on one grid, as comparable as was asked for, and what was found about them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.errors import ShiftError, SuspiciousSceneWarning
from strandline.prepare.dates import Comparability, on_one_grid
from strandline.prepare.georeference import grid_of

HOW = {"size": (200, 160), "resolution": 100, "snow": False}


@pytest.fixture(scope="module")
def pair():
    return [sl.simulate_scene(date, **HOW)[0] for date in ("1988-10-22", "2017-10-22")]


def moved(scene: xr.DataArray, metres: float) -> xr.DataArray:
    return scene.assign_coords(x=scene.x + metres)


def test_the_shift_of_two_dates_is_told_and_nothing_is_changed(pair):
    dates, found = on_one_grid(pair, grid_of(pair[0]), "measured")
    assert found.shift.pixels < 0.1
    assert re.fullmatch(
        r"The dates lie 0\.0\d px \(.* m (north|south)\) apart: \d+ of \d+ windows agree "
        r"\(nir08\)\. That is too little to correct\.",
        found.sentences()[0],
    )
    for date, scene in zip(dates, pair, strict=True):
        assert (date.values == scene.values).all()


def test_a_single_date_is_compared_with_nothing(pair):
    dates, found = on_one_grid(pair[:1], grid_of(pair[0]), "measured", to_oli=True)
    assert found is None
    assert dates[0].attrs["harmonized_to"] == "oli"


def test_a_shift_beyond_half_a_pixel_is_warned_of(pair):
    apart = [pair[0], moved(pair[1], 70)]
    with pytest.warns(SuspiciousSceneWarning, match="correct-shift"):
        _, found = on_one_grid(apart, grid_of(pair[0]), "measured")
    assert "--correct-shift (correct_shift=True) co-registers the second" in found.sentences()[0]


def test_a_corrected_shift_is_no_warning_and_is_gone(pair):
    apart = [pair[0], moved(pair[1], 70)]
    dates, found = on_one_grid(apart, grid_of(pair[0]), "measured", unshift=True)
    assert found.corrected
    assert found.shift.dx == pytest.approx(0.7, abs=0.1)
    assert "co-registered to the first" in found.sentences()[0]
    assert sl.estimate_shift(dates[1], dates[0]).pixels < 0.1


def test_a_shift_that_cannot_be_told_is_said_or_an_error_if_it_shall_be_corrected(pair):
    noise = np.random.default_rng(0).normal(0.2, 0.05, pair[1].shape).astype(np.float32)
    strange = [pair[0], pair[1].copy(data=noise)]
    _, found = on_one_grid(strange, grid_of(pair[0]), "measured")
    assert "cannot be estimated" in found.sentences()[0]
    with pytest.raises(ShiftError):
        on_one_grid(strange, grid_of(pair[0]), "measured", unshift=True)


def test_everything_together_is_written_down_in_plain_numbers(pair):
    dates, found = on_one_grid(
        pair, grid_of(pair[0]), "measured", to_oli=True, like_first=True, unshift=True
    )
    assert list(dates[0].band.values) == list(dates[1].band.values)
    assert dates[1].attrs["normalized_to"].startswith("landsat-5")
    record = found.as_record()
    assert json.loads(json.dumps(record)) == record
    assert record["shift"]["corrected"]
    assert {row["band"] for row in record["normalization"]["bands"]} == set(dates[0].band.values)
    assert len(record["sentences"]) == 3


def test_only_bands_that_are_used_need_coefficients(pair):
    bands = ["green", "swir16"]
    dates, _ = on_one_grid(pair, grid_of(pair[0]), "measured", bands=bands, to_oli=True)
    assert set(dates[0].band.values) == set(bands)


def test_lazy_dates_give_the_same_and_stay_lazy(pair):
    how = {"to_oli": True, "like_first": True, "unshift": True}
    grid = grid_of(pair[0])
    whole, found = on_one_grid(pair, grid, "measured", **how)
    lazy, again = on_one_grid(
        [date.chunk({"y": 70, "x": 33}) for date in pair], grid, "measured", **how
    )
    assert again == found
    for one, other in zip(whole, lazy, strict=True):
        assert other.chunks is not None
        assert (other.compute().values == one.values)[~np.isnan(one.values)].all()


def test_what_was_not_found_out_is_said():
    assert "cannot be estimated" in Comparability().sentences()[0]
    assert Comparability().as_record() == {"sentences": Comparability().sentences()}
