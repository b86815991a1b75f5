from __future__ import annotations

import math
from datetime import date, datetime

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from strandline.errors import ReflectanceRangeError, ScaleError
from strandline.scenes.identifiers import parse_product_name
from strandline.scenes.landsat.mtl import parse_metadata
from strandline.scenes.reflectance import (
    COLLECTION_2_SURFACE,
    Factors,
    earth_sun_distance,
    published_factors,
    radiance_to_reflectance,
    to_float,
    to_reflectance,
)


def bands(values, dtype=None, chunks=None):
    array = np.asarray(values, dtype)
    array = array if array.ndim == 3 else array.reshape(1, *np.atleast_2d(array).shape)
    data = array if chunks is None else da.from_array(array, chunks=chunks)
    names = [f"b{i}" for i in range(array.shape[0])]
    return xr.DataArray(data, dims=("band", "y", "x"), coords={"band": names})


def test_numbers_become_reflectance_to_a_millionth():
    dn = np.arange(1, 65536, dtype=np.uint16).reshape(1, 255, 257)
    result = to_reflectance(bands(dn), [COLLECTION_2_SURFACE])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.values, dn * 2.75e-5 - 0.2, rtol=0, atol=1e-6)


def test_each_band_has_its_own_factors_and_invalid_numbers():
    dn = bands([[[1, 2]], [[1, 2]]], np.int16)
    result = to_reflectance(dn, [Factors(0.1, 0.0, (2.0,)), Factors(0.2, 0.1)])
    np.testing.assert_allclose(result.values, [[[0.1, np.nan]], [[0.3, 0.5]]], atol=1e-6)


def test_lazy_and_eager_agree_bit_for_bit_in_any_chunks():
    rng = np.random.default_rng(1)
    dn = rng.integers(0, 40_000, (3, 50, 60), dtype=np.uint16)
    factors = [Factors(2.75e-5, -0.2, (0.0,)), Factors(2e-5, -0.1), Factors(1e-5, 0.0, (1.0, 2.0))]
    whole = to_reflectance(bands(dn), factors).values
    for chunks in [(1, 7, 60), (3, 50, 13), (2, 50, 60)]:
        lazy = to_reflectance(bands(dn, chunks=chunks), factors)
        assert lazy.chunks is not None
        np.testing.assert_array_equal(lazy.values, whole)


def test_integers_without_factors_are_asked_about_not_guessed():
    with pytest.raises(ScaleError, match=r"'b0'.*scale=…"):
        to_reflectance(bands([[100, 200]], np.int16), [Factors()])


@pytest.mark.parametrize("factors", [Factors(0.0), Factors(math.nan), Factors(1e-4, math.inf)])
def test_factors_that_cannot_work_are_refused(factors):
    with pytest.raises(ScaleError, match="cannot be used"):
        to_reflectance(bands([[100, 200]], np.int16), [factors])


def test_reflectance_is_not_scaled_again():
    values = np.random.default_rng(0).uniform(0, 0.5, (1, 20, 20)).astype(np.float32)
    with pytest.raises(ScaleError, match="twice"):
        to_reflectance(bands(values), [Factors(1e-4, 0.0)])
    with pytest.raises(ScaleError, match="twice"):
        to_reflectance(bands(values, chunks=(1, 5, 5)), [Factors(2.75e-5, -0.2)])
    np.testing.assert_array_equal(to_reflectance(bands(values), [Factors()]).values, values)


def test_floats_that_are_numbers_may_be_scaled():
    result = to_reflectance(bands([[7000.0, 12000.0]]), [Factors(2.75e-5, -0.2)])
    np.testing.assert_allclose(result.values[0, 0], [-0.0075, 0.13], atol=1e-6)


def test_floats_that_cannot_be_reflectance_are_refused_on_opening():
    values = np.random.default_rng(0).uniform(7000, 12000, (1, 20, 20))
    with pytest.raises(ReflectanceRangeError, match="scale=…"):
        to_reflectance(bands(values, chunks=(1, 10, 10)), [Factors()])


def test_integers_with_a_wrong_scale_are_refused_when_computed():
    dn = np.random.default_rng(0).integers(7000, 12000, (1, 20, 20), dtype=np.uint16)
    lazy = to_reflectance(bands(dn, chunks=(1, 10, 10)), [Factors(1.0, 0.0)])
    with pytest.raises(ReflectanceRangeError, match="scale of 1"):
        lazy.compute()


def test_undeclared_nodata_is_refused_not_passed_on():
    dn = np.full((1, 20, 20), 1500, np.int16)
    dn[0, :3] = -9999
    with pytest.raises(ReflectanceRangeError, match=r"60 values.*-9999.*nodata=…"):
        to_reflectance(bands(dn), [Factors(1e-4, 0.0)])
    result = to_reflectance(bands(dn), [Factors(1e-4, 0.0, (-9999.0,))])
    assert np.isnan(result.values).sum() == 60


def test_a_stray_impossible_value_is_not_observed():
    dn = np.full((1, 100, 100), 1500, np.int16)
    dn[0, 0, 0] = -30_000
    result = to_reflectance(bands(dn), [Factors(1e-4, 0.0)])
    assert np.isnan(result.values[0, 0, 0])
    assert np.isnan(result.values).sum() == 1


def test_glint_and_bright_cloud_are_let_through():
    dn = np.full((1, 100, 100), 9000, np.uint16)
    dn[0, :20] = 65535
    assert to_reflectance(bands(dn), [COLLECTION_2_SURFACE]).values.max() > 1.6


def test_a_scene_of_nothing_stays_nothing():
    dn = np.zeros((2, 5, 5), np.uint16)
    assert np.isnan(to_reflectance(bands(dn), [COLLECTION_2_SURFACE] * 2).values).all()
    empty = np.full((1, 5, 5), np.nan)
    assert np.isnan(to_reflectance(bands(empty), [Factors()]).values).all()


def test_numbers_as_they_are_have_nan_for_no_value():
    result = to_float(bands([[0, 5, 70]], np.uint8), [Factors(None, None, (0.0,))])
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result.values[0, 0], [np.nan, 5, 70])


def test_the_callers_array_is_not_changed():
    dn = bands([[0, 9000]], np.uint16)
    to_reflectance(dn, [COLLECTION_2_SURFACE])
    assert dn.values.tolist() == [[[0, 9000]]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LC08_L2SP_204023_20200927_20201006_02_T1_SR_B4.TIF", (2.75e-5, -0.2, (0.0,))),
        ("LT05_L1TP_042033_19881022_20161001_01_T1_sr_band4.tif", (1e-4, 0.0, (-9999.0,))),
        ("LT05_L1TP_042033_19881022_20161001_01_T1_B4.TIF", (None, None, ())),
        ("LE70220491999322EDC01_stack.gtif", (None, None, ())),
    ],
)
def test_only_level_2_names_settle_the_factors(name, expected):
    found = published_factors(parse_product_name(name))
    assert (found.scale, found.offset, found.invalid) == expected


def test_radiance_to_reflectance_is_equation_2_of_chander_2009():
    factor = radiance_to_reflectance(1031.0, 30.0, 0.99)
    assert factor == pytest.approx(math.pi * 0.9801 / (1031.0 * 0.5), rel=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "LT05_L2SP_090084",
        "LC08_L1TP_090084",
        "LC08_L2SP_098084",
        "LC08_L1TP_016037",
        "LC08_L2SP_204023",
        "LC08_L2SP_017051",
    ],
)
def test_earth_sun_distance_agrees_with_real_metadata(unpacked, name):
    path = next(unpacked(name).glob("*_MTL.txt"))
    metadata = parse_metadata(path.read_text(), path.name)
    told = metadata.number("EARTH_SUN_DISTANCE", "IMAGE_ATTRIBUTES")
    assert earth_sun_distance(metadata.acquired()) == pytest.approx(told, abs=1e-4)


def test_earth_is_nearest_in_january_and_farthest_in_july():
    assert earth_sun_distance(date(2020, 1, 4)) == pytest.approx(0.9832, abs=1e-4)
    assert earth_sun_distance(datetime(2020, 7, 4, 12)) == pytest.approx(1.0167, abs=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_a_number_the_type_cannot_hold_marks_nothing(dtype):
    dn = bands([[0, 5, 70]], dtype)
    result = to_float(dn, [Factors(None, None, (-99999.5, math.nan, math.inf, 5.0))])
    np.testing.assert_array_equal(result.values[0, 0], [0, np.nan, 70])
