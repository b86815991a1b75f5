from __future__ import annotations

import json
from datetime import datetime

import pytest

from strandline.errors import MetadataError
from strandline.scenes.landsat.mtl import parse_metadata

ODL = """GROUP = L1_METADATA_FILE
  GROUP = IMAGE_ATTRIBUTES
    SUN_ELEVATION = 49.75588889
  END_GROUP = IMAGE_ATTRIBUTES
  GROUP = PRODUCT_METADATA
    DATE_ACQUIRED = 1988-08-14
    SCENE_CENTER_TIME = 13:00:47.3750190Z
    WRS_ROW = 063
  END_GROUP = PRODUCT_METADATA
END_GROUP = L1_METADATA_FILE
END
"""


def test_values_are_found_in_their_groups():
    metadata = parse_metadata(ODL, "a_MTL.txt")
    assert metadata.number("SUN_ELEVATION", "IMAGE_ATTRIBUTES") == 49.75588889
    assert metadata.text("WRS_ROW", "PRODUCT_METADATA") == "063"
    assert metadata.acquired() == datetime(1988, 8, 14, 13, 0, 47, 375019)


def test_padding_after_the_end_does_not_matter():
    metadata = parse_metadata(ODL + "\x00" * 60_000, "a_MTL.txt")
    assert metadata.groups == parse_metadata(ODL, "a_MTL.txt").groups


def test_a_real_padded_file_is_read(real_data):
    path = real_data / "tucurui_tm1988" / "LT52240631988227CUB02_MTL.txt"
    assert path.stat().st_size == 65_535
    metadata = parse_metadata(path.read_text(), path.name)
    assert metadata.number("RADIANCE_MULT_BAND_7", "RADIOMETRIC_RESCALING") == 0.066
    assert metadata.collection is None


@pytest.mark.parametrize("name", ["LT05_L2SP_090084", "LC08_L2SP_008059"])
def test_text_xml_and_json_say_the_same(unpacked, name):
    folder = unpacked(name)
    read = {
        kind: parse_metadata(next(folder.glob(f"*_MTL.{kind}")).read_text(), kind).groups
        for kind in ("txt", "xml", "json")
    }
    for group in ("IMAGE_ATTRIBUTES", "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"):
        for key, value in read["txt"][group].items():
            for kind in ("xml", "json"):
                other = read[kind][group][key]
                assert other == value or float(other) == float(value)


def test_level_2_and_level_1_factors_are_kept_apart(unpacked):
    path = next(unpacked("LT05_L2SP_090084").glob("*_MTL.txt"))
    metadata = parse_metadata(path.read_text(), path.name)
    key = "REFLECTANCE_MULT_BAND_1"
    assert metadata.number(key, "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS") == 2.75e-5
    assert metadata.number(key, "LEVEL1_RADIOMETRIC_RESCALING") == 1.2198e-3


@pytest.mark.parametrize("lines", range(1, 10))
def test_a_file_cut_after_any_line_is_refused(lines):
    cut = "\n".join(ODL.splitlines()[:lines])
    with pytest.raises(MetadataError, match=r"a_MTL\.txt.*END_GROUP"):
        parse_metadata(cut, "a_MTL.txt")


@pytest.mark.parametrize("kind", ["xml", "json"])
def test_cut_xml_and_json_are_refused(unpacked, kind):
    text = next(unpacked("LT05_L2SP_090084").glob(f"*_MTL.{kind}")).read_text()
    with pytest.raises(MetadataError, match="cut"):
        parse_metadata(text[: len(text) // 2], "a")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("END_GROUP = IMAGE_ATTRIBUTES\n", "", "END_GROUP = IMAGE_ATTRIBUTES"),
        ("END_GROUP = IMAGE", "END_GROUP = IMAG", "END_GROUP = IMAGE_ATTRIBUTES"),
        ("    WRS_ROW = 063", "    WRS_ROW", "KEY = VALUE"),
        ("    WRS_ROW = 063", "    WRS_ROW = 1\n    WRS_ROW = 2", "two values"),
        ("L1_METADATA_FILE", "OTHER_FILE", "not a Landsat MTL"),
        ("GROUP = PRODUCT_METADATA", "GROUP = IMAGE_ATTRIBUTES", "twice"),
    ],
)
def test_damage_is_named(old, new, message):
    with pytest.raises(MetadataError, match=message):
        parse_metadata(ODL.replace(old, new), "a_MTL.txt")


@pytest.mark.parametrize("content", ["", "hello", "{}", "[1]", "<a/>", json.dumps({"a": 1})])
def test_other_files_are_refused(content):
    with pytest.raises(MetadataError):
        parse_metadata(content, "a_MTL.txt")


def test_a_missing_key_names_file_group_and_key():
    metadata = parse_metadata(ODL, "a_MTL.txt")
    with pytest.raises(MetadataError, match=r"a_MTL\.txt.*EARTH_SUN.*IMAGE_ATTRIBUTES.*without"):
        metadata.number("EARTH_SUN_DISTANCE", "IMAGE_ATTRIBUTES")
    with pytest.raises(MetadataError, match="no such group"):
        metadata.number("X", "RADIOMETRIC_RESCALING")


def test_a_value_that_is_no_number_is_refused():
    metadata = parse_metadata(ODL.replace("49.75588889", '"NaN"'), "a_MTL.txt")
    with pytest.raises(MetadataError, match="not a number"):
        metadata.number("SUN_ELEVATION", "IMAGE_ATTRIBUTES")


def test_a_date_that_is_no_date_is_refused():
    metadata = parse_metadata(ODL.replace("1988-08-14", "1988-14-08"), "a_MTL.txt")
    with pytest.raises(MetadataError, match="no usable date"):
        metadata.acquired()
