from __future__ import annotations

from datetime import date

import pytest

from strandline.scenes.identifiers import parse_product_name


@pytest.mark.parametrize(
    ("text", "platform", "day", "level", "collection"),
    [
        ("LT05_L1TP_042033_19881022_20161001_01_T1_B4.TIF", 5, (1988, 10, 22), "L1", "01"),
        ("LT05_L1TP_042033_19881022_20161001_01_T1_sr_band4.tif", 5, (1988, 10, 22), "L2", "01"),
        ("LC09_L2SP_010065_20220129_20220131_02_T1_SR_B4.TIF", 9, (2022, 1, 29), "L2", "02"),
        ("LE07_L2SP_021030_20100109_02_T1", 7, (2010, 1, 9), "L2", "02"),
        ("LC08_L1TP_013032_20180131_B1.TIF", 8, (2018, 1, 31), "L1", None),
        ("LT04_L2SP_002026_19830110_02_T1", 4, (1983, 1, 10), "L2", "02"),
        ("/a/LT52240631988227CUB02_B1.TIF", 5, (1988, 8, 14), None, None),
        ("LE70220491999322EDC01_stack.gtif", 7, (1999, 11, 18), None, None),
    ],
)
def test_product_names_tell_platform_date_level_and_collection(
    text, platform, day, level, collection
):
    name = parse_product_name(text)
    assert name.sensor.platform == f"landsat-{platform}"
    assert name.acquired == date(*day)
    assert (name.level, name.collection) == (level, collection)


@pytest.mark.parametrize(
    "text", ["scene.tif", "LT05_L1TP_042033_19889922_20161001_01_T1", "S2A_MSIL2A_20200802", ""]
)
def test_other_names_tell_nothing(text):
    assert parse_product_name(text) is None


@pytest.mark.parametrize(
    ("text", "platform", "moment", "level", "baseline"),
    [
        ("S2A_MSIL1C_20200802T184931_N0209_R113_T10SGJ_20200802T222113.SAFE",
         "sentinel-2a", "2020-08-02 18:49:31", "L1", "02.09"),
        ("/data/S2B_MSIL2A_20230823T095559_N0509_R122_T34UCF_20230823T124759.SAFE.zip",
         "sentinel-2b", "2023-08-23 09:55:59", "L2", "05.09"),
        ("S2A_OPER_PRD_MSIL1C_PDMC_20160105T023847_R036_V20160102T101533_20160102T101533.SAFE",
         "sentinel-2a", "2016-01-02 10:15:33", "L1", None),
        ("s3://sentinel-cogs/x/S2C_10SGJ_20250802_0_L2A/B04.tif",
         "sentinel-2c", "2025-08-02", "L2", None),
    ],
)  # fmt: skip
def test_names_of_sentinel_2_products_are_read(text, platform, moment, level, baseline):
    name = parse_product_name(text)
    assert name.sensor.platform == platform
    assert str(name.acquired) == moment
    assert (name.level, name.collection, name.baseline) == (level, None, baseline)


@pytest.mark.parametrize(
    "text",
    [
        "S2A_MSIL1C_20201302T184931_N0209_R113_T10SGJ_20200802T222113",
        "S2D_MSIL1C_20200802T184931_N0209_R113_T10SGJ_20200802T222113",
        "S2A_OPER_MSI_L1C_TL_SGS__20161018T120000_A006912_T32TQR_N02.04",  # dated by processing
        "T10SGJ_20200802T184931_B03.jp2",
    ],
)
def test_other_names_are_no_sentinel_2_products(text):
    assert parse_product_name(text) is None
