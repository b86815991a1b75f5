"""A scene lies where its own CRS says, and on Earth."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin

import strandline as sl
from strandline.errors import MetadataError

UTM, LEFT, TOP = "EPSG:32611", 350_000, 4_290_000


def write(path, crs: str | None, left: float, top: float, size: float) -> str:
    profile = {"driver": "GTiff", "width": 20, "height": 20, "count": 2, "dtype": "float32"}
    transform = from_origin(left, top, size, size)
    with rasterio.open(path, "w", crs=crs, transform=transform, **profile) as file:
        file.write(np.full((2, 20, 20), 0.1, np.float32))
        file.descriptions = ("green", "swir16")
    return str(path)


def opened(path: str, **options: object) -> xr.DataArray:
    return sl.open_scene(path, scale=1, **options)


@pytest.mark.parametrize("wrong", ["EPSG:4326", "EPSG:32612", "EPSG:3857"])
def test_a_crs_that_contradicts_the_files_own_is_refused(tmp_path, wrong):
    path = write(tmp_path / "lake.tif", UTM, LEFT, TOP, 30)
    with pytest.raises(MetadataError, match=rf"CRS of its own.*{UTM}.*got {wrong}"):
        opened(path, crs=wrong)
    with pytest.raises(MetadataError, match="CRS of its own"):
        sl.open_scene(opened(path), crs=wrong)


def test_the_same_crs_may_be_said_again(tmp_path):
    path = write(tmp_path / "lake.tif", UTM, LEFT, TOP, 30)
    with rasterio.open(path) as file:
        text = file.crs.to_wkt()
    for same in (UTM, "epsg:32611", text, 32611):
        assert opened(path, crs=same).odc.crs.epsg == 32611


def test_a_file_without_a_crs_takes_the_one_that_is_given(tmp_path):
    path = write(tmp_path / "lake.tif", None, LEFT, TOP, 30)
    assert opened(path, crs=UTM).odc.crs.epsg == 32611


@pytest.mark.parametrize(
    ("crs", "left", "top", "size"),
    [
        ("EPSG:4326", LEFT, TOP, 30),  # metres, said to be degrees
        ("EPSG:4326", -118.7, 138.6, 0.001),
        (UTM, 1e12, 1e12, 30),
    ],
)
def test_coordinates_off_the_earth_are_refused(tmp_path, crs, left, top, size):
    own = write(tmp_path / "own.tif", crs, left, top, size)
    with pytest.raises(MetadataError, match="does not lie on Earth"):
        opened(own)
    none = write(tmp_path / "none.tif", None, left, top, size)
    with pytest.raises(MetadataError, match="does not lie on Earth"):
        opened(none, crs=crs)


@pytest.mark.parametrize(
    ("crs", "left", "top", "size"),
    [
        ("EPSG:4326", -180, 90, 9),  # half of the globe
        ("EPSG:4326", 0, 90, 9),  # 0 to 180
        ("EPSG:4326", 300, 45, 1),  # of 0 to 360
        ("EPSG:3413", -5e6, 5e6, 5e5),  # around the pole
        ("EPSG:32601", 1e5, 8e6, 30),
        ("EPSG:3857", -2e7, 2e7, 2e6),
    ],
)
def test_scenes_at_the_rims_of_the_earth_are_opened(tmp_path, crs, left, top, size):
    assert opened(write(tmp_path / "lake.tif", crs, left, top, size)).shape == (2, 20, 20)
