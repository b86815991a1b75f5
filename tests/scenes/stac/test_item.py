"""What items say: real ones of Landsat, and how archives of Sentinel-2 write theirs."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine

import strandline as sl
from strandline.errors import MetadataError, ScaleError
from strandline.scenes.reflectance import COLLECTION_2_SURFACE
from strandline.scenes.sensors import SENSORS
from strandline.scenes.stac.item import describe_item
from strandline.scenes.stac.offset import stac_offset

REAL = {
    "LT04_L2SP_002026_19830110_02_T1": "landsat-4",
    "LT05_L2SP_010067_19860424_02_T2": "landsat-5",
    "LE07_L2SP_021030_20100109_02_T1": "landsat-7",
    "LC08_L2SP_047027_20201204_02_T1": "landsat-8",
    "LC09_L2SP_010065_20220129_02_T1": "landsat-9",
}


def real_item(folder: Path, name: str) -> dict:
    return json.loads((folder / "stac_items_c2l2" / f"{name}.json").read_text())


@pytest.mark.parametrize(("name", "platform"), REAL.items())
def test_real_items_of_collection_2_drive_the_sensor_table(real_data, name, platform):
    described = describe_item(pystac.Item.from_dict(real_item(real_data, name)))
    sensor = SENSORS[platform]
    assert described.sensor is sensor
    assert described.level == "L2"
    assert set(described.quality) == {"qa_pixel", "qa_radsat"}
    reflective = [name for name in described.bands if not name.startswith("lwir")]
    assert tuple(reflective) == sensor.default_bands
    for band in reflective:
        layer = described.bands[band]
        assert layer.factors == COLLECTION_2_SURFACE
        assert layer.dtype == "uint16"
        assert f"SR_B{sensor.number(band)}.TIF" in layer.href
        assert layer.grid.crs.epsg == real_item(real_data, name)["properties"]["proj:epsg"]


@pytest.mark.parametrize(("name", "platform"), REAL.items())
def test_real_items_open_with_files_of_the_simulator_behind_them(real_data, site, name, platform):
    """Same metadata, other pixels: the item's grid is cut to that of the simulated product."""
    thematic = platform in ("landsat-4", "landsat-5", "landsat-7")
    day = "1988-10-22" if thematic else "2022-10-22"
    simulated = "landsat-5" if platform == "landsat-7" else platform  # the same bands
    root = site.root / f"behind-{name}"
    scene, _ = sl.simulate_scene(
        day, size=(100, 110), resolution=300, platform=simulated, cloud_cover=0.3, path=root
    )
    folder = Path(scene.attrs["source"])
    document = real_item(real_data, name)
    with rasterio.open(next(folder.glob("*_SR_B4.TIF"))) as file:
        document["properties"] |= {
            "proj:epsg": file.crs.to_epsg(),
            "proj:shape": list(file.shape),
            "proj:transform": list(file.transform)[:6],
        }
    for asset in document["assets"].values():
        kind = asset["href"].rsplit("T1_" if "_T1_" in asset["href"] else "T2_", 1)[-1]
        asset["href"] = site.url_of(folder / f"{folder.name}_{kind}")
    opened = sl.open_scene(document)
    expected = sl.open_scene(folder, platform=platform)
    np.testing.assert_array_equal(opened.values, expected.values)
    assert opened.attrs["platform"] == platform
    assert opened.attrs["instrument"] == expected.attrs["instrument"]
    assert opened.attrs["masked"] == expected.attrs["masked"]
    moment = document["properties"]["datetime"]
    assert str(opened["time"].values).startswith(moment[:19])


def test_of_two_files_of_a_band_the_tiff_counts_and_pictures_do_not():
    when = dt.datetime(2017, 10, 22, tzinfo=dt.UTC)
    item = pystac.Item("scene", None, None, when, {"platform": "landsat-8"})
    jp2 = {"eo:bands": [{"name": "B4", "common_name": "red"}]}
    item.add_asset("red-jp2", pystac.Asset("B4.jp2", media_type="image/jp2", extra_fields=jp2))
    item.add_asset("red", pystac.Asset("B4.tif", media_type="image/tiff", extra_fields=jp2))
    three = {"eo:bands": [{"name": f"B{n}"} for n in (4, 3, 2)]}
    item.add_asset("truecolor", pystac.Asset("T.tif", media_type="image/tiff", extra_fields=three))
    item.add_asset("visual", pystac.Asset("V.tif", roles=["visual"], extra_fields=three))
    item.add_asset("thumbnail", pystac.Asset("t.jpg", media_type="image/jpeg"))
    bands = describe_item(item).bands
    assert bands["red"].href.endswith("B4.tif")
    assert (bands["blue"].href, bands["blue"].index) == ("T.tif", 3)


def test_a_file_with_several_bands_of_an_unknown_sensor(tmp_path):
    when = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    values = np.arange(3 * 20 * 30, dtype=np.uint8).reshape(3, 20, 30)
    path = tmp_path / "three.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=3, height=20, width=30, dtype="uint8",
        crs="EPSG:32611", transform=Affine(10, 0, 4e5, 0, -10, 4e6),
    ) as file:  # fmt: skip
        file.write(values)
    item = pystac.Item("plane", None, None, when, {"platform": "aeroplane"})
    named = ("red", "green", "blue")
    bands = [{"name": name[0], "common_name": name} for name in named]
    item.add_asset(
        "image", pystac.Asset(str(path), media_type="image/tiff", extra_fields={"eo:bands": bands})
    )
    scene = sl.open_scene(item, reflectance=False)
    assert scene["band"].values.tolist() == ["red", "green", "blue"]
    assert scene.attrs["platform"] == "aeroplane"
    np.testing.assert_array_equal(scene.values, values.astype("float32"))  # zeros are values
    with pytest.raises(ScaleError, match="scale="):
        sl.open_scene(item)
    wider = sl.open_scene(item, scale=0.004, bands=["green"], grid=scene.odc.geobox.pad(2))
    assert np.isnan(wider.values[0, :2]).all()
    np.testing.assert_allclose(wider.values[0, 2:-2, 2:-2], values[1] * 0.004, atol=1e-7)


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("scale", "big", "scale of red"),
        ("nodata", [0], "nodata of red"),
        ("data_type", "cint16", "data_type"),
        ("data_type", "complex64", "no real numbers"),
    ],
)
def test_fields_that_cannot_be_are_named(field, value, match):
    when = dt.datetime(2017, 10, 22, tzinfo=dt.UTC)
    item = pystac.Item("scene", None, None, when, {"platform": "landsat-8"})
    fields = {"raster:bands": [{field: value}]}
    item.add_asset("red", pystac.Asset("B4.tif", media_type="image/tiff", extra_fields=fields))
    with pytest.raises(MetadataError, match=match):
        describe_item(item)


# --- the offset of Sentinel-2 ---------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "band", "offset"),
    [
        ({"s2:processing_baseline": "02.12"}, {}, 0.0),
        ({"s2:processing_baseline": "03.01"}, {}, 0.0),
        ({"s2:processing_baseline": "04.00"}, {}, -0.1),
        ({"s2:processing_baseline": "05.11"}, {}, -0.1),
        ({"s2:product_uri": "S2A_MSIL2A_20160806T181932_N0500_R127_T11SKC.SAFE"}, {}, -0.1),
        # Earth Search: what was applied is applied, whatever the band says.
        (
            {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"},
            {"offset": -0.1},
            0.0,
        ),
        (
            {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "04.00"},
            {"offset": -0.1},
            -0.1,
        ),
        (
            {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "02.14"},
            {"offset": 0},
            0.0,
        ),
        ({"s2:processing_baseline": "05.00"}, {"offset": -0.1}, -0.1),
        ({"s2:processing_baseline": "05.00"}, {"offset": 0}, 0.0),
        ({}, {"offset": -0.1}, -0.1),
    ],
)
@pytest.mark.parametrize("year", [2016, 2024])
def test_the_offset_follows_from_metadata_and_never_from_the_date(properties, band, offset, year):
    when = dt.datetime(year, 8, 6, tzinfo=dt.UTC)
    assert stac_offset(pystac.Item("a", None, None, when, dict(properties)), band) == offset


def test_an_offset_that_nothing_tells_is_asked_for():
    when = dt.datetime(2024, 8, 6, tzinfo=dt.UTC)
    with pytest.raises(ScaleError, match=r"offset=-0\.1"):
        stac_offset(pystac.Item("a", None, None, when, {}))
