"""Harmonising sensors: the published numbers, both ways, once, and never where there are none."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.errors import ConfigurationError, NoCoefficientsError, SceneError
from strandline.testing.lakes import round_lake

BANDS = ["blue", "green", "red", "nir08", "swir16", "swir22"]


def seen_by(platform: str, instrument: str, level: str = "L2") -> xr.DataArray:
    scene = round_lake(shape=(20, 30))
    attrs = {"platform": platform, "instrument": instrument, "processing_level": level}
    return scene.assign_attrs(attrs)


def line(before: xr.DataArray, after: xr.DataArray) -> dict[str, tuple[float, float]]:
    """Slope and intercept that a band underwent, from two of its values."""
    found = {}
    for name in after.band.values:
        x, y = (one.sel(band=name).values.astype(float).ravel() for one in (before, after))
        found[str(name)] = tuple(np.polyfit(x, y, 1))
    return found


# Roy et al. 2016, table 2, surface: reduced major axis, then least squares there and back.
RMA = {
    "blue": (0.9785, -0.0095),
    "green": (0.9542, -0.0016),
    "red": (0.9825, -0.0022),
    "nir08": (1.0073, -0.0021),
    "swir16": (1.0171, -0.0030),
    "swir22": (0.9949, 0.0029),
}
OLS_NIR = {"oli": (0.8462, 0.0412), "etm": (0.8339, 0.0448)}


@pytest.mark.parametrize(
    ("platform", "instrument"),
    [("landsat-4", "tm"), ("landsat-5", "tm"), ("landsat-7", "etm")],
)
def test_tm_and_etm_become_oli_by_the_published_lines(platform, instrument):
    scene = seen_by(platform, instrument)
    alike = sl.harmonize(scene)
    for name, (slope, intercept) in line(scene, alike).items():
        assert (slope, intercept) == pytest.approx(RMA[name], abs=1e-5)
    assert alike.attrs["platform"] == platform
    assert alike.dtype == scene.dtype
    assert alike.dims == scene.dims


def test_least_squares_has_lines_of_its_own_for_each_direction():
    tm, oli = seen_by("landsat-5", "tm"), seen_by("landsat-8", "oli")
    there = line(tm, sl.harmonize(tm, "oli", regression="ols"))["nir08"]
    back = line(oli, sl.harmonize(oli, "etm", regression="ols"))["nir08"]
    assert there == pytest.approx(OLS_NIR["oli"], abs=1e-5)
    assert back == pytest.approx(OLS_NIR["etm"], abs=1e-5)


def test_the_reduced_major_axis_leads_there_and_back():
    oli = seen_by("landsat-9", "oli")
    as_etm = sl.harmonize(oli, "etm")
    as_etm.attrs = dict(seen_by("landsat-7", "etm").attrs)
    assert abs(sl.harmonize(as_etm) - oli).max() < 1e-6


def test_it_is_never_applied_twice():
    once = sl.harmonize(seen_by("landsat-5", "tm"))
    assert sl.harmonize(once).identical(once)
    with pytest.raises(SceneError, match="harmonised already"):
        sl.harmonize(once, "etm")


def test_a_scene_of_the_sensor_asked_for_keeps_its_values():
    oli = seen_by("landsat-8", "oli")
    same = sl.harmonize(oli)
    assert (same.values == oli.values).all()
    assert same.attrs["harmonized_to"] == "oli"


@pytest.mark.parametrize(
    ("platform", "green", "swir22"),
    [
        ("sentinel-2a", (1.0053, -0.0009), (1.0030, -0.0012)),
        ("sentinel-2b", (1.0075, -0.0008), (0.9867, 0.0004)),
    ],
)
def test_each_sentinel_2_has_its_own_lines_at_the_surface(platform, green, swir22):
    scene = seen_by(platform, "msi")
    found = line(scene, sl.harmonize(scene))
    assert found["green"] == pytest.approx(green, abs=1e-5)
    assert found["swir22"] == pytest.approx(swir22, abs=1e-5)


def test_sentinel_2_atop_the_atmosphere_undoes_the_line_that_leads_from_oli():
    oli = seen_by("landsat-8", "oli").sel(band=["red", "swir16"])
    msi = oli * xr.DataArray([1.0524, 1.0049], dims="band") + xr.DataArray(
        [-0.0015, 0.0065], dims="band"
    )
    msi.attrs = {"platform": "sentinel-2a", "instrument": "msi", "processing_level": "L1"}
    assert abs(sl.harmonize(msi) - oli).max() < 1e-6


def test_band_8_in_the_place_of_8a_is_told_from_it():
    scene = seen_by("sentinel-2a", "msi", "L1").sel(band=["red", "nir08"])
    with pytest.raises(NoCoefficientsError, match="nir08"):
        sl.harmonize(scene)
    wide = scene.assign_attrs(stands_in="B08 as nir08")
    found = line(wide, sl.harmonize(wide))["nir08"]
    assert found == pytest.approx((1 / 0.8954, -0.0033 / 0.8954), abs=1e-5)
    with pytest.raises(NoCoefficientsError, match=r"\bnir\b"):
        sl.harmonize(wide, level="surface")


def test_sentinel_2_becomes_etm_by_way_of_oli():
    scene = seen_by("sentinel-2b", "msi")
    once = sl.harmonize(scene)
    once.attrs = dict(seen_by("landsat-8", "oli").attrs)
    direct = sl.harmonize(scene, "etm")
    assert abs(direct - sl.harmonize(once, "etm")).max() < 1e-6
    assert "Claverie" in direct.attrs["harmonized_by"]
    assert "Roy" in direct.attrs["harmonized_by"]


@pytest.mark.parametrize(
    ("platform", "instrument", "level"),
    [("landsat-5", "tm", "L1"), ("landsat-7", "etm", "L1"), ("sentinel-2c", "msi", "L2")],
)
def test_where_nothing_is_published_it_says_so(platform, instrument, level):
    with pytest.raises(NoCoefficientsError, match="normalize"):
        sl.harmonize(seen_by(platform, instrument, level))


def test_a_band_without_coefficients_is_named():
    scene = seen_by("landsat-8", "oli")
    scene = scene.assign_coords(band=["coastal", *BANDS[1:]])
    with pytest.raises(NoCoefficientsError, match="coastal"):
        sl.harmonize(scene, "etm")


def test_a_scene_that_does_not_say_its_sensor_or_level_is_refused():
    scene = round_lake(shape=(20, 30))
    scene.attrs = {"units": "1"}
    with pytest.raises(SceneError, match="platform="):
        sl.harmonize(scene)
    with pytest.raises(SceneError, match="level='surface'"):
        sl.harmonize(scene.assign_attrs(instrument="tm"))
    known = sl.harmonize(scene.assign_attrs(instrument="tm"), level="surface")
    assert known.attrs["harmonized_to"] == "oli"


@pytest.mark.parametrize("wrong", [{"to": "msi"}, {"regression": "huber"}, {"level": "L2"}])
def test_what_is_not_known_is_a_configuration_error(wrong):
    with pytest.raises(ConfigurationError, match="one of"):
        sl.harmonize(seen_by("landsat-5", "tm"), **wrong)


def test_lazy_stays_lazy_with_the_same_values_and_nan_stays_nan():
    scene = seen_by("landsat-5", "tm").where(lambda one: one.x > one.x[3])
    lazy = sl.harmonize(scene.chunk({"band": 2, "y": 7, "x": 11}))
    assert lazy.chunks is not None
    assert lazy.compute().identical(sl.harmonize(scene))
    assert lazy[:, :, :3].isnull().all()
