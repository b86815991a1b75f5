from __future__ import annotations

from datetime import date

import pytest

from strandline.errors import UnknownProductError
from strandline.scenes.sensors import (
    SENSORS,
    band_name,
    find_sensor,
    parse_product_name,
)

TM, ETM, OLI = SENSORS["landsat-5"], SENSORS["landsat-7"], SENSORS["landsat-8"]
MSI = SENSORS["sentinel-2a"]


@pytest.mark.parametrize(
    ("text", "sensor", "name"),
    [
        ("nir", None, "nir08"),
        ("NIR08", None, "nir08"),
        ("swir1", None, "swir16"),
        ("SWIR-2", None, "swir22"),
        ("Coastal aerosol", None, "coastal"),
        ("B1", TM, "blue"),
        ("B1", OLI, "coastal"),
        ("B4", TM, "nir08"),
        ("SR_B4", OLI, "red"),
        ("sr_band4", TM, "nir08"),
        ("B04", OLI, "red"),
        ("band 6 temperature", ETM, "lwir"),
        ("B6_VCID_2", ETM, "lwir_high"),
        ("ST_B10", OLI, "lwir11"),
        ("LE07_L1TP_B8", ETM, "pan"),
        ("B8", TM, None),
        ("B4", None, None),
        ("elevation", OLI, None),
        ("subband4x", OLI, None),
        ("B8A", MSI, "nir08"),
        ("b08", MSI, "nir"),
        ("B8", MSI, "nir"),
        ("nir", MSI, "nir"),
        ("T10SGJ_20200802T184931_B03_10m", MSI, "green"),
        ("L2A_T10SGJ_20200802T184931_B12_20m", MSI, "swir22"),
        ("B09", MSI, "nir09"),
        ("B10", MSI, "cirrus"),
        ("rededge1", None, "rededge071"),
        ("rededge2", MSI, "rededge075"),
        ("B07", MSI, "rededge078"),
        ("rededge", MSI, None),  # of three bands it names none
        ("T10SGJ_20200802T184931_TCI_10m", MSI, None),
        ("SCL", MSI, None),
        ("B8A", OLI, None),
    ],
)
def test_band_names_are_understood_or_not_known(text, sensor, name):
    assert band_name(text, sensor) == name


def test_default_bands_are_the_reflective_ones_on_the_30_m_grid():
    assert TM.default_bands == ("blue", "green", "red", "nir08", "swir16", "swir22")
    assert ETM.default_bands == TM.default_bands
    assert OLI.default_bands == ("coastal", *TM.default_bands)


def test_default_bands_of_sentinel_2_are_those_of_every_landsat():
    assert MSI.default_bands == TM.default_bands


def test_bands_of_msi_have_the_pixel_sizes_and_the_order_of_its_products():
    sizes = {band.number: band.resolution for band in MSI.bands}
    assert [n for n, size in sizes.items() if size == 10] == ["2", "3", "4", "8"]
    assert [n for n, size in sizes.items() if size == 60] == ["1", "9", "10"]
    for unit in "abc":
        centres = [band.wavelength for band in SENSORS[f"sentinel-2{unit}"].bands]
        assert centres == sorted(centres)
        for own, first in zip(centres, (band.wavelength for band in MSI.bands), strict=True):
            assert abs(own - first) < 0.02


def test_solar_irradiances_are_those_of_chander_2009_table_2_and_4():
    assert TM.band("4").irradiance == 1031
    assert ETM.band("8").irradiance == 1362
    assert SENSORS["landsat-4"].band("7").irradiance == 83.49


@pytest.mark.parametrize(
    "text", ["landsat-5", "LANDSAT_5", "Landsat 5 TM", "LANDSAT_5 TM", "L5", "LT05", "landsat5"]
)
def test_a_platform_may_be_written_many_ways(text):
    assert find_sensor(text) is TM


@pytest.mark.parametrize(
    "text", ["sentinel-2a", "Sentinel-2A", "SENTINEL_2A", "Sentinel 2A MSI", "sentinel2a", "S2A"]
)
def test_a_sentinel_may_be_written_many_ways(text):
    assert find_sensor(text) is MSI
    assert find_sensor(text.replace("2A", "2C").replace("2a", "2c")) is SENSORS["sentinel-2c"]


@pytest.mark.parametrize("text", ["sentinel-2", "sentinel-2z", "landsat-6", "landsat-55", "", "5"])
def test_other_platforms_are_refused(text):
    with pytest.raises(UnknownProductError, match="landsat-9"):
        find_sensor(text)


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
