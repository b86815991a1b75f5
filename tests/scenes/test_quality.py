from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
import rasterio
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.scenes.quality import (
    DEFAULT_REASONS,
    FILL,
    KINDS,
    REASONS,
    merge_flags,
    not_observed,
    quality_flags,
    reasons_of,
    told_reasons,
)


def reasons_in(value, kind="qa_pixel", instrument=None, numbers=()):
    flags = quality_flags(
        np.array([value], np.uint16), kind, instrument=instrument, numbers=numbers
    )
    return set(reasons_of(flags[0]))


def test_values_that_were_seen_on_real_scenes_mean_what_was_seen(real_data):
    facts = json.loads((real_data / "facts" / "simulator_facts.json").read_text())
    for what, value in facts["qa_pixel_seen"].items():
        expected = {
            word.replace("shadow", "cloud_shadow")
            for word in ("fill", "cloud", "shadow")
            if word in what
        }
        assert reasons_in(value) == expected, what


@pytest.mark.parametrize(
    ("value", "kind", "instrument"),
    [
        (5504, "qa_pixel", "tm"),  # water, of which the clear bit is not set
        (5504, "qa_pixel", "etm"),
        (21952, "qa_pixel", "oli"),  # water, of which it is
        (5440, "qa_pixel", "tm"),  # land
        (21824, "qa_pixel", "oli"),
        (324, "pixel_qa", "oli"),  # water, as surface reflectance of Collection 1 has it
        (68, "pixel_qa", "tm"),
        (4, "pixel_qa", "tm"),  # water without anything else
        (2720, "bqa", "oli"),  # clear; BQA has no bit for water
        (672, "bqa", "tm"),
        (6, "scl", "msi"),
        (0, "qa60", "msi"),
        (0, "qa_radsat", "tm"),
        (0, "radsat_qa", "tm"),
    ],
)
def test_water_is_observed_whether_or_not_it_is_called_clear(value, kind, instrument):
    assert reasons_in(value, kind, instrument, ["1"]) == set()


def test_tm_water_has_no_clear_bit_and_oli_water_has():
    assert not (5504 >> 6) & 1
    assert (21952 >> 6) & 1


@pytest.mark.parametrize(
    ("value", "reasons"),
    [
        (1 << 1, {"dilated_cloud"}),
        (1 << 2, {"cirrus"}),
        (1 << 3, {"cloud"}),
        (1 << 4, {"cloud_shadow"}),
        (1 << 5, {"snow"}),
        (1 << 6, set()),
        (1 << 7, set()),
        (0b11 << 8, set()),  # confidence alone is not cloud
        (0b101000, {"cloud", "snow"}),
    ],
)
def test_bits_of_collection_2(value, reasons):
    assert reasons_in(value) == reasons


def test_tm_and_etm_have_no_cirrus_band():
    for kind, value in {"qa_pixel": 1 << 2, "bqa": 3 << 11, "pixel_qa": 3 << 8}.items():
        assert reasons_in(value, kind, "oli") == {"cirrus"}
        assert reasons_in(value, kind, "tm") == reasons_in(value, kind, "etm") == set()


@pytest.mark.parametrize(
    ("value", "instrument", "reasons"),
    [
        (2720, "oli", set()),  # clear land
        (2732, "oli", {"saturated"}),
        (2800, "oli", {"cloud"}),
        (2976, "oli", {"cloud_shadow"}),
        (3744, "oli", {"snow"}),
        (6816, "oli", {"cirrus"}),
        (672, "tm", set()),  # clear land
        (2, "tm", {"fill"}),  # dropped pixel
        (2, "oli", set()),  # terrain occlusion
        (1, "tm", {"fill"}),
    ],
)
def test_values_of_collection_1(value, instrument, reasons):
    assert reasons_in(value, "bqa", instrument) == reasons


@pytest.mark.parametrize(
    ("value", "reasons"),
    [
        (322, set()),
        (324, set()),
        (328, {"cloud_shadow"}),
        (336, {"snow"}),
        (480, {"cloud"}),
        (834, {"cirrus"}),
        (1, {"fill"}),
    ],
)
def test_values_of_collection_1_surface_reflectance(value, reasons):
    assert reasons_in(value, "pixel_qa") == reasons


def test_classes_of_sentinel_2():
    said = {value: reasons_in(value, "scl", "msi") for value in range(12)}
    assert said == {
        0: {"fill"},
        1: {"saturated"},
        2: set(),
        3: {"cloud_shadow"},
        **{value: set() for value in (4, 5, 6, 7)},
        8: {"cloud"},
        9: {"cloud"},
        10: {"cirrus"},
        11: {"snow"},
    }
    assert reasons_in(1 << 10, "qa60") == {"cloud"}
    assert reasons_in(1 << 11, "qa60") == {"cirrus"}


def test_saturation_counts_only_in_bands_that_are_used():
    def saturated(value, numbers, kind="qa_radsat"):
        return "saturated" in reasons_in(value, kind, "oli", numbers)

    bits = (0b0000001, 0b1000000, 1 << 8)
    assert [saturated(value, ["1", "7"]) for value in bits] == [True, True, False]
    assert [saturated(value, ["2", "3"]) for value in bits] == [False, False, False]
    assert [saturated(value, ["9"]) for value in bits] == [False, False, True]  # OLI cirrus
    assert [saturated(value, ["6_VCID_2"]) for value in bits] == [False, False, True]  # ETM+ high
    assert [saturated(value, ["8", "10"]) for value in bits] == [False, False, False]
    assert [saturated(value, ["1"], "radsat_qa") for value in (2, 1)] == [True, False]


def test_pixels_lost_on_the_way_down_are_fill():
    assert reasons_in(512, "qa_radsat", "tm") == reasons_in(512, "qa_radsat", "etm") == {"fill"}
    assert reasons_in(512, "qa_radsat", "oli") == set()
    assert reasons_in(256, "qa_radsat", "tm") == set()


def test_snow_is_observed_unless_it_is_asked_for():
    snow = quality_flags(np.array([1 << 5], np.uint16), "qa_pixel")
    assert not not_observed(snow)[0]
    assert not_observed(snow, (*DEFAULT_REASONS, "snow"))[0]


def test_no_reason_masks_nothing():
    assert not not_observed(np.arange(256, dtype=np.uint8), ()).any()


@pytest.mark.parametrize("kind", KINDS)
def test_numpy_dask_and_xarray_agree(kind):
    values = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    if kind in ("scl", "radsat_qa"):
        values = values.astype(np.uint8)
    given = {"instrument": "etm", "numbers": ["1", "5"]}
    plain = quality_flags(values, kind, **given)
    assert plain.dtype == np.uint8
    assert type(plain) is np.ndarray
    lazy = quality_flags(da.from_array(values, chunks=100), kind, **given)
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == np.uint8
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), plain)
    named = quality_flags(xr.DataArray(values, dims=("y", "x")), kind, **given)
    np.testing.assert_array_equal(named.values, plain)
    assert set(told_reasons(named)) == {
        reason for value in np.unique(plain) for reason in reasons_of(value)
    }


def test_it_does_not_matter_how_the_sixteen_bits_are_stored():
    values = np.array([0, 1, 5504, 22280, 32768, 65535], np.uint16)
    expected = quality_flags(values, "qa_pixel")
    for dtype in (np.int16, np.int32, np.uint32, np.int64):
        np.testing.assert_array_equal(quality_flags(values.astype(dtype), "qa_pixel"), expected)


def test_what_a_reader_decoded_to_floats_is_the_same_with_nan_for_fill():
    decoded = np.array([np.nan, 5504, 22280], np.float32)
    stored = np.array([1, 5504, 22280], np.uint16)
    np.testing.assert_array_equal(
        quality_flags(decoded, "qa_pixel"), quality_flags(stored, "qa_pixel")
    )


def test_flags_describe_themselves_as_cf_asks():
    flags = quality_flags(xr.DataArray(np.zeros(3, np.uint16), dims="x"), "qa_pixel")
    meanings = flags.attrs["flag_meanings"].split()
    assert meanings == [reason for reason in REASONS if reason != "saturated"]
    assert flags.attrs["flag_masks"].dtype == np.uint8
    assert flags.attrs["flag_masks"].tolist() == [1 << REASONS.index(name) for name in meanings]


def test_bands_of_one_scene_are_put_together():
    pixel = quality_flags(xr.DataArray(np.array([0, 1, 8], np.uint16), dims="x"), "qa_pixel")
    radsat = xr.DataArray(np.array([1, 0, 1], np.uint16), dims="x")
    both = merge_flags(pixel, quality_flags(radsat, "qa_radsat", numbers=["1"]))
    assert [set(reasons_of(value)) for value in both.values] == [
        {"saturated"},
        {"fill"},
        {"cloud", "saturated"},
    ]
    assert told_reasons(both) == REASONS
    assert pixel.values.tolist() == [0, FILL, 4]


def test_dask_and_numpy_agree_on_a_real_band(unpacked):
    with rasterio.open(next(unpacked("LC08_L2SP_098084").glob("*QA_PIXEL.TIF"))) as file:
        qa = file.read(1)
    lazy = quality_flags(da.from_array(qa, chunks=17), "qa_pixel")
    np.testing.assert_array_equal(lazy.compute(), quality_flags(qa, "qa_pixel"))


def test_unknown_reasons_and_kinds_are_refused():
    with pytest.raises(ConfigurationError, match="clouds"):
        not_observed(np.array([1], np.uint8), reasons=["clouds"])
    with pytest.raises(ConfigurationError, match="qa_pixel"):
        quality_flags(np.array([1]), "clouds")
    with pytest.raises(ConfigurationError, match="integer"):
        quality_flags(np.array([True]), "scl")
