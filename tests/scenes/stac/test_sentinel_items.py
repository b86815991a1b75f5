"""Sentinel-2 in the way that Earth Search and the Planetary Computer describe it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

import strandline as sl
from strandline.errors import ConfigurationError, ScaleError

SIZES = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B05": 20, "B8A": 20, "B11": 20, "B12": 20}
EARTH_SEARCH = {
    "B02": ("blue", "blue", 0.49), "B03": ("green", "green", 0.56), "B04": ("red", "red", 0.665),
    "B08": ("nir", "nir", 0.842), "B05": ("rededge1", "rededge", 0.704),
    "B8A": ("nir08", "nir08", 0.865), "B11": ("swir16", "swir16", 1.61),
    "B12": ("swir22", "swir22", 2.19),
}  # fmt: skip
COMMON_OF_PC = {"B8A": "rededge", "B05": "rededge", "B08": "nir"}


@pytest.fixture(scope="module")
def tile(tmp_path_factory) -> Path:
    """Files of a small tile: numbers that tell band and place, and a scene classification."""
    folder = tmp_path_factory.mktemp("tile")
    for number, (name, size) in enumerate({**SIZES, "SCL": 20}.items()):
        side = 1200 // size
        rows, columns = np.mgrid[:side, :side]
        values = (1500 + 100 * number + rows * 7 + columns * 3).astype("uint16")
        values[0, 0] = 0
        if name == "SCL":
            values = np.full((side, side), 6, "uint8")
            values[10:20, 10:20] = 9
        with rasterio.open(
            folder / f"{name}.tif", "w", driver="GTiff", width=side, height=side, count=1,
            dtype=values.dtype, crs="EPSG:32611", transform=Affine(size, 0, 3e5, 0, -size, 43e5),
            tiled=True, blockxsize=16, blockysize=16, nodata=0,
        ) as file:  # fmt: skip
            file.write(values, 1)
    return folder


def asset_fields(name: str) -> dict:
    size = {**SIZES, "SCL": 20}[name]
    side = 1200 // size
    return {"proj:shape": [side, side], "proj:transform": [size, 0, 3e5, 0, -size, 43e5]}


def item_of(tile: Path, archive: str, **properties) -> pystac.Item:
    """An item as one of the two archives writes it."""
    when = dt.datetime(2023, 7, 1, 18, tzinfo=dt.UTC)
    if archive == "planetary":
        common = {"platform": "Sentinel-2A", "proj:epsg": 32611, "s2:product_type": "S2MSI2A"}
    else:
        common = {"platform": "sentinel-2a", "proj:code": "EPSG:32611"}
    item = pystac.Item("S2A_11SLC_20230701", None, None, when, common | properties)
    item.collection_id = "sentinel-2-l2a"
    item.stac_extensions = ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"]
    for name in (*SIZES, "SCL"):
        fields = asset_fields(name)
        if archive == "planetary":
            key = name
            if name != "SCL":
                band = {"name": name, "common_name": COMMON_OF_PC.get(name, EARTH_SEARCH[name][1])}
                fields["eo:bands"] = [band]
        else:
            key = "scl" if name == "SCL" else EARTH_SEARCH[name][0]
            kind = "uint8" if name == "SCL" else "uint16"
            fields["raster:bands"] = [{"nodata": 0, "data_type": kind}]
            if name != "SCL":
                fields["raster:bands"][0] |= {"scale": 0.0001, "offset": -0.1}
                band = dict(
                    zip(("name", "common_name", "center_wavelength"), EARTH_SEARCH[name],
                        strict=True)
                )  # fmt: skip
                fields["eo:bands"] = [band]
        asset = pystac.Asset(
            str(tile / f"{name}.tif"), media_type="image/tiff", roles=["data"], extra_fields=fields
        )
        item.add_asset(key, asset)
    picture = {"eo:bands": [{"name": n, "common_name": EARTH_SEARCH[n][1]} for n in SIZES][:3]}
    visual = pystac.Asset(str(tile / "TCI.tif"), media_type="image/tiff", extra_fields=picture)
    item.add_asset("visual", visual)
    return item


def stored(tile: Path, name: str) -> np.ndarray:
    with rasterio.open(tile / f"{name}.tif") as file:
        values = file.read(1)
    return values.repeat(SIZES[name] // 10, 0).repeat(SIZES[name] // 10, 1)


@pytest.mark.parametrize(
    ("archive", "properties", "offset"),
    [
        ("planetary", {"s2:processing_baseline": "03.00"}, 0.0),
        ("planetary", {"s2:processing_baseline": "05.09"}, -0.1),
        ("earth", {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"}, 0.0),
        (
            "earth",
            {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.09"},
            -0.1,
        ),
        (
            "earth",
            {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "02.08"},
            0.0,
        ),
        ("earth", {}, -0.1),
    ],
)
def test_bands_of_all_sizes_come_on_the_finest_grid_with_the_offset_once(
    tile, archive, properties, offset
):
    scene = sl.open_scene(item_of(tile, archive, **properties), mask=())
    assert scene["band"].values.tolist() == ["blue", "green", "red", "nir08", "swir16", "swir22"]
    assert scene.shape == (6, 120, 120)
    assert scene.attrs["platform"] == "sentinel-2a"
    assert scene.attrs["instrument"] == "msi"
    assert scene.attrs["processing_level"] == "L2"
    for band, name in (("red", "B04"), ("nir08", "B8A"), ("swir22", "B12")):
        numbers = stored(tile, name)
        expected = np.where(numbers == 0, np.nan, numbers * 1e-4 + offset)
        np.testing.assert_allclose(scene.sel(band=band).values, expected, atol=1e-6)


def test_red_edges_are_told_apart_and_the_broad_near_infrared_is_its_own(tile):
    for archive in ("planetary", "earth"):
        item = item_of(tile, archive, **{"s2:processing_baseline": "05.09"})
        scene = sl.open_scene(item, bands=["rededge071", "B8A", "B08"], reflectance=False, mask=())
        assert scene["band"].values.tolist() == ["rededge071", "nir08", "nir"]
        np.testing.assert_array_equal(scene.values[0, 2:, 2:], stored(tile, "B05")[2:, 2:])
        np.testing.assert_array_equal(scene.values[2, 2:, 2:], stored(tile, "B08")[2:, 2:])


@pytest.mark.parametrize("archive", ["planetary", "earth"])
def test_the_scene_classification_masks_on_the_finer_grid(tile, archive):
    item = item_of(tile, archive, **{"s2:processing_baseline": "05.09"})
    scene = sl.open_scene(item)
    assert np.isnan(scene.values[:, 20:40, 20:40]).all()
    assert np.isfinite(scene.values[:, 40:, 40:]).all()
    assert "cloud" in scene.attrs["masked"].split()
    kept = sl.open_scene(item, mask=["snow"])
    assert np.isfinite(kept.values[:, 20:40, 20:40]).all()


def test_landsat_and_sentinel_share_a_grid_and_bands(tile):
    grid = GeoBox((30, 30), Affine(30, 0, 300_150, 0, -30, 4_299_900), "EPSG:32611")
    item = item_of(tile, "earth", **{"s2:processing_baseline": "05.09"})
    scene = sl.open_scene(item, grid=grid, mask=())
    # Centres of pixels of 30 m are centres of every third one of 10 m.
    numbers = stored(tile, "B04")[11:101:3, 16:106:3]
    np.testing.assert_allclose(scene.sel(band="red").values, numbers * 1e-4 - 0.1, atol=1e-6)


def test_an_unknown_offset_is_asked_for_and_may_be_given(tile):
    item = item_of(tile, "planetary")
    with pytest.raises(ScaleError, match="offset"):
        sl.open_scene(item)
    scene = sl.open_scene(item, offset=0, bands=["red"], mask=())
    np.testing.assert_allclose(scene.values[0, 5, 5], stored(tile, "B04")[5, 5] * 1e-4, atol=1e-6)
    sl.open_scene(item, reflectance=False)


def test_a_pixel_size_is_asked_for_with_a_grid(tile):
    with pytest.raises(ConfigurationError, match="make_grid"):
        sl.open_scene(item_of(tile, "earth"), resolution=20)
