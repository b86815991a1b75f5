from __future__ import annotations

import pytest

from strandline.errors import UnknownProductError
from strandline.scenes.sensors import SENSORS, band_name, find_sensor

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


@pytest.mark.parametrize("text", ["sentinel-2", "Sentinel 2", "SENTINEL_2", "S2", "S2 MSI"])
def test_a_sentinel_without_its_letter_has_the_bands_that_all_share(text):
    sensor = find_sensor(text)
    assert (sensor.platform, sensor.instrument) == ("sentinel-2", "msi")
    assert [band.number for band in sensor.bands] == [band.number for band in MSI.bands]


@pytest.mark.parametrize("text", ["sentinel-2z", "landsat-6", "landsat-55", "", "5"])
def test_other_platforms_are_refused(text):
    with pytest.raises(UnknownProductError, match="landsat-9"):
        find_sensor(text)
