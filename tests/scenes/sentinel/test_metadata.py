"""The XML files of Sentinel-2 products: what they say, and hostile or damaged ones."""

from __future__ import annotations

import contextlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.errors import MetadataError, ScaleError, UnknownProductError
from strandline.scenes.sentinel.clouds import parse_clouds
from strandline.scenes.sentinel.document import LARGEST
from strandline.scenes.sentinel.factors import has_offset, msi_factors
from strandline.scenes.sentinel.metadata import parse_product, parse_tile

# As an old product of Sen2Cor writes it, before the names of its elements were settled.
OLD = """<?xml version="1.0"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-12.sentinel2.eo.esa.int/PSD/x.xsd">
<n1:General_Info><L2A_Product_Info>
<PRODUCT_START_TIME>2015-12-31T23:59:59.999Z</PRODUCT_START_TIME><PRODUCT_URI/>
<PROCESSING_LEVEL>Level-2Ap</PROCESSING_LEVEL><PROCESSING_BASELINE>02.05</PROCESSING_BASELINE>
<Datatake><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME></Datatake>
<IMAGE_ID_2A>S2A_USER_MSI_L2A_T32TQR_B01_60m</IMAGE_ID_2A>
</L2A_Product_Info><L2A_Product_Image_Characteristics>
<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
<SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
<L1C_L2A_Quantification_Values_List>
<L1C_TOA_QUANTIFICATION_VALUE unit="none">1000</L1C_TOA_QUANTIFICATION_VALUE>
<L2A_BOA_QUANTIFICATION_VALUE unit="none">2000</L2A_BOA_QUANTIFICATION_VALUE>
</L1C_L2A_Quantification_Values_List>
</L2A_Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>
"""


@pytest.fixture
def texts(safe) -> dict[str, str]:
    return {
        "product": (safe("L1C") / "MTD_MSIL1C.xml").read_text(),
        "tile": next(safe("L1C").rglob("MTD_TL.xml")).read_text(),
        "clouds": next(safe("L1C", "03.01").rglob("*.gml")).read_text(),
    }


PARSERS = {"product": parse_product, "tile": parse_tile, "clouds": parse_clouds}


def test_a_product_file_says_what_the_numbers_mean(texts):
    found = parse_product(texts["product"], "MTD_MSIL1C.xml")
    assert found.sensor.platform == "sentinel-2a"
    assert found.level == "L1"
    assert found.baseline == "05.00"
    assert found.time == datetime(2020, 8, 2, 18, 49, 31, 24000)
    assert found.quantification == 10_000
    assert found.offsets == dict.fromkeys(
        ["1", "2", "3", "4", "5", "6", "7", "8", "8A", "9", "10", "11", "12"], -1000.0
    )
    assert (found.nodata, found.saturated) == (0, 65535)
    assert found.images[0].endswith("IMG_DATA/T11SLC_20200802T184931_B01")


def test_a_tile_file_says_where_it_lies(texts):
    found = parse_tile(texts["tile"], "MTD_TL.xml")
    assert found.crs == "EPSG:32611"
    assert found.sizes == {10: (240, 180), 20: (120, 90), 60: (40, 30)}
    assert found.corners == dict.fromkeys((10, 20, 60), (350580.0, 4285440.0))
    assert found.masks["MSK_CLASSI"].endswith("QI_DATA/MSK_CLASSI_B00.jp2")


def test_elements_may_have_the_names_of_old_products():
    found = parse_product(OLD, "S2A_USER_MTD_SAFL2A.xml")
    assert found.level == "L2"
    assert found.quantification == 2000
    assert found.offsets == {}
    assert found.time == datetime(2015, 12, 31, 23, 59, 59, 999000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("PROCESSING_BASELINE>", "OTHER>"), "has no PROCESSING_BASELINE"),
        (("Sentinel-2A</SPACE", "Sentinel-5P</SPACE"), "spacecraft that is not known"),
        (("Sentinel-2A</SPACE", "Landsat-5</SPACE"), "spacecraft that is not known"),
        ((">Level-2Ap<", ">Level-1C<"), "contradicts itself about the level"),
        ((">2000<", ">two<"), "QUANTIFICATION_VALUE in 'a.xml' is not a number"),
        ((">2000<", ">nan<"), "is not a number"),
        (("2015-12-31T23:59:59.999Z", "yesterday"), "no usable time"),
        (("<PROCESSING_LEVEL>", "<PROCESSING_LEVEL>Level-2A</PROCESSING_LEVEL><PROCESSING_LEVEL>"),
         "several values"),
        (("</n1:General_Info>", ""), "cannot be parsed"),
        (("<?xml version=\"1.0\"?>", "<!DOCTYPE a [<!ENTITY b 'c'>]>"), "document type"),
        (("<?xml version=\"1.0\"?>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>"), "document type"),
    ],
)  # fmt: skip
def test_damaged_product_files_are_refused_saying_where(change, message):
    assert change[0] in OLD
    with pytest.raises(MetadataError, match=message):
        parse_product(OLD.replace(*change), "a.xml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('band_id="8"', 'band_id="13"'), "for no band that there is"),
        (('band_id="8">-1000', 'band_id="7">-999'), "RADIO_ADD_OFFSET of band 8"),
        (('band_id="8">-1000', 'band_id="8">inf'), "is not a number"),
        ((">10000<", "><"), "an empty one"),
    ],
)
def test_offsets_that_cannot_be_are_refused(texts, change, message):
    assert change[0] in texts["product"]
    with pytest.raises(MetadataError, match=message):
        parse_product(texts["product"].replace(*change), "a.xml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("<NROWS>240<", "<NROWS>-1<"), "no usable size of the 10 m grid"),
        (("<NCOLS>90<", "<NCOLS>90.5<"), "no usable size of the 20 m grid"),
        (("<XDIM>20<", "<XDIM>10<"), "contradicts itself about the 20 m grid"),
        (("<ULX>", "<UL>"), "cannot be parsed"),
        (("EPSG:32611", "UTM 11"), "no usable CRS"),
        (('resolution="', 'res="'), "describes no grid"),
    ],
)
def test_damaged_tile_files_are_refused(texts, change, message):
    assert change[0] in texts["tile"]
    with pytest.raises(MetadataError, match=message):
        parse_tile(texts["tile"].replace(*change), "a.xml")


def test_one_kind_of_file_is_not_taken_for_another(texts):
    for kind, parse in PARSERS.items():
        for other, text in texts.items():
            if other != kind:
                with pytest.raises(UnknownProductError, match="not what its name says"):
                    parse(text, "a.xml")
    with pytest.raises(UnknownProductError, match="not an image on a map"):
        parse_product(OLD.replace("Level-2Ap", "Level-1B").replace("Level-2A", "Level-1B"), "a.xml")


def test_bombs_are_refused_in_bounded_time():
    billion = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
    )
    for text in (
        billion + "]><Mask>&j;</Mask>",
        "<Mask>" * 1_000_000,
        "<Mask>" + "<a/>" * 1_100_000 + "</Mask>",
        "<Mask>" + " " * LARGEST + "</Mask>",
    ):
        with pytest.raises(MetadataError):
            parse_clouds(text, "a.gml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("EPSG:8.7:32611", "EPSG:8.7:32610"), "lies in another CRS.*EPSG:32611, got EPSG:32610"),
        (('srsDimension="2">', 'srsDimension="2">1 2 3 '), "cannot be drawn"),
        (('srsDimension="2">', 'srsDimension="2">here '), "cannot be drawn"),
    ],
)
def test_damaged_cloud_masks_are_refused(texts, change, message):
    assert change[0] in texts["clouds"]
    with pytest.raises(MetadataError, match=message):
        parse_clouds(texts["clouds"].replace(*change), "a.gml", "EPSG:32611")


def test_a_mask_without_clouds_is_a_clear_sky():
    assert parse_clouds("<eop:Mask xmlns:eop='a'/>", "a.gml") == ()


@pytest.mark.parametrize("kind", PARSERS)
@given(st.data())
def test_whatever_is_in_a_file_ends_in_an_error_of_ours(kind, safe, data):
    folder = safe("L1C", "03.01")
    ending = {"product": "MTD_MSIL1C.xml", "tile": "MTD_TL.xml", "clouds": "*.gml"}[kind]
    text = next(folder.rglob(ending)).read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 200)))
        text = text[:start] + data.draw(st.text(max_size=20)) + text[stop:]
    with contextlib.suppress(MetadataError, UnknownProductError):
        PARSERS[kind](text, "a.xml")


# --- factors ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("baseline", "offset"),
    [("02.09", False), ("03.01", False), ("04.00", True), ("05.11", True), ("N0511", True),
     ("99.99", False)],
)  # fmt: skip
def test_the_offset_came_with_baseline_4(baseline, offset):
    assert has_offset(baseline) is offset
    assert msi_factors(baseline=baseline).offset == (-0.1 if offset else 0.0)
    assert msi_factors(baseline=baseline, applied=True).offset == 0.0
    # What the metadata says comes before what the baseline makes one expect.
    assert msi_factors(baseline=baseline, add_offset=-500).offset == -0.05


def test_what_cannot_be_known_about_factors_is_asked_for():
    with pytest.raises(ScaleError, match="carry an offset is unknown"):
        msi_factors()
    with pytest.raises(MetadataError, match="positive number"):
        msi_factors(quantification=0, add_offset=0)
    with pytest.raises(MetadataError, match="offset"):
        msi_factors(add_offset=float("nan"))
    with pytest.raises(MetadataError, match="four digits"):
        has_offset("4")
