"""`stack_scenes`: dates together, on one grid, with the bands they share."""

from __future__ import annotations

import numpy as np
import pytest

from strandline.errors import ConfigurationError, MissingBandError
from strandline.prepare.georeference import grid_of
from strandline.prepare.stack import stack_scenes
from strandline.testing.checks import check_map
from strandline.testing.lakes import lake_grid, round_lake


def two_dates(**after):
    before = round_lake(radius=700)
    later = {"time": "2017-10-22", "platform": "landsat-8", "radius": 500} | after
    return before, round_lake(**later)


def test_dates_come_together_in_the_order_given():
    before, after = two_dates()
    stacked = stack_scenes([after, before])
    check_map(stacked, "dates", grid=before, lazy=False)
    assert stacked.platform.values.tolist() == ["landsat-8", "landsat-5"]
    np.testing.assert_array_equal(stacked[0].values, after.values)
    np.testing.assert_array_equal(stacked[1].values, before.values)
    assert stacked.time.values[1] == before.time.values
    assert stacked.attrs["units"] == "1"
    assert "platform" not in stacked.attrs


def test_only_shared_bands_stay_in_the_order_of_the_first():
    before, after = two_dates(bands=("swir16", "green", "red"))
    stacked = stack_scenes([before, after])
    assert stacked.band.values.tolist() == ["green", "red", "swir16"]
    np.testing.assert_array_equal(
        stacked.sel(band="green")[1].values, after.sel(band="green").values
    )


def test_another_grid_is_brought_to_the_first_or_to_the_one_named():
    before, after = two_dates(grid=lake_grid((50, 50), corner=(350_055.0, 4_289_985.0)))
    check_map(stack_scenes([before, after]), "dates", grid=before)
    check_map(stack_scenes([before, after], grid=after), "dates", grid=after)
    assert grid_of(stack_scenes([before, after], grid=after)).shape == (50, 50)


def test_rounding_in_coordinates_makes_no_second_grid():
    before, after = two_dates()
    after = after.assign_coords(x=after.x + 1e-7)
    stacked = stack_scenes([before, after])
    assert stacked.shape == (2, 6, 60, 80)
    np.testing.assert_array_equal(stacked.x, before.x)


def test_lazy_scenes_stay_lazy():
    before, after = two_dates(chunks={"y": 7})
    check_map(stack_scenes([before.chunk(), after]), "dates", lazy=True)


def test_extra_coordinates_of_one_scene_do_no_harm():
    before, after = two_dates()
    before = before.assign_coords(wavelength=("band", np.arange(6.0)), cloud_cover=0.1)
    assert set(stack_scenes([before, after]).coords) == {
        "time", "band", "y", "x", "spatial_ref", "platform",
    }  # fmt: skip


def test_no_common_band_lists_both():
    before, after = two_dates(bands=("red",))
    with pytest.raises(MissingBandError, match="got blue, green; red"):
        stack_scenes([before.sel(band=["blue", "green"]), after])


def test_times_must_be_there_and_differ():
    before, after = two_dates()
    with pytest.raises(ConfigurationError, match=r"same time.*1988-10-22T00:00:00"):
        stack_scenes([before, before])
    with pytest.raises(ConfigurationError, match="Scene 2 does not say when"):
        stack_scenes([before, after.drop_vars("time")])
    with pytest.raises(ConfigurationError, match="no scene to stack"):
        stack_scenes([])
    with pytest.raises(ConfigurationError, match="Scene 1 cannot be stacked"):
        stack_scenes([before.isel(band=0)])
    assert stack_scenes(before).sizes["time"] == 1
