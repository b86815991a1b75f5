from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
import rasterio

from strandline.errors import ConfigurationError
from strandline.scenes.quality import (
    DEFAULT_REASONS,
    REASONS,
    dropped,
    explain_quality,
    not_observed,
    saturated,
)


def reasons_of(value, kind="qa_pixel", instrument=None):
    flags = explain_quality(
        np.array([value], np.uint16), kind, instrument=instrument, reasons=REASONS
    )
    return {reason for reason, flag in flags.items() if flag[0]}


def test_values_that_were_seen_on_real_scenes_mean_what_was_seen(real_data):
    facts = json.loads((real_data / "facts" / "simulator_facts.json").read_text())
    for what, value in facts["qa_pixel_seen"].items():
        expected = {
            word.replace("shadow", "cloud_shadow")
            for word in ("fill", "cloud", "shadow")
            if word in what
        }
        assert reasons_of(value) == expected, what


def test_water_is_observed_though_tm_does_not_call_it_clear():
    assert not (5504 >> 6) & 1  # the clear bit
    assert not not_observed(np.array([5504, 21952, 5440, 21824], np.uint16)).any()


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
        (0b11 << 8, set()),  # confidence alone is no cloud
    ],
)
def test_bits_of_collection_2(value, reasons):
    assert reasons_of(value) == reasons


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
    assert reasons_of(value, "bqa", instrument) == reasons


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
    assert reasons_of(value, "pixel_qa") == reasons


def test_snow_is_observed_unless_it_is_asked_for():
    snow = np.array([1 << 5], np.uint16)
    assert not not_observed(snow)[0]
    assert not_observed(snow, reasons=(*DEFAULT_REASONS, "snow"))[0]


def test_no_reason_masks_nothing():
    assert not not_observed(np.array([1, 65535], np.uint16), reasons=()).any()


def test_saturation_counts_only_in_bands_that_are_used():
    bits = np.array([0b0000001, 0b1000000, 1 << 8], np.uint16)
    assert saturated(bits, ["1", "7"]).tolist() == [True, True, False]
    assert saturated(bits, ["2", "3"]).tolist() == [False, False, False]
    assert saturated(bits, ["9"]).tolist() == [False, False, True]  # OLI cirrus
    assert saturated(bits, ["6_VCID_2"]).tolist() == [False, False, True]  # ETM+ high gain
    assert saturated(bits, ["8", "10"]).tolist() == [False, False, False]
    assert saturated(np.array([2, 1], np.uint8), ["1"], "radsat_qa").tolist() == [True, False]


def test_dropped_pixels_are_told():
    assert dropped(np.array([512, 256], np.uint16)).tolist() == [True, False]


def test_dask_and_numpy_agree_on_a_real_band(unpacked):
    with rasterio.open(next(unpacked("LC08_L2SP_098084").glob("*QA_PIXEL.TIF"))) as file:
        qa = file.read(1)
    lazy = not_observed(da.from_array(qa, chunks=17))
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(), not_observed(qa))


def test_unknown_reasons_and_kinds_are_refused():
    with pytest.raises(ConfigurationError, match="clouds"):
        not_observed(np.array([1]), reasons=["clouds"])
    with pytest.raises(ConfigurationError, match="qa_pixel"):
        not_observed(np.array([1]), "scl")
