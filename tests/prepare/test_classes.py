"""Maps of classes that were written to a file and read back, as users keep them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr

import strandline as sl
from strandline.errors import ConfigurationError
from strandline.export.raster import write_cog
from strandline.prepare.classes import stored_classes
from strandline.show import maps
from strandline.testing.lakes import round_lake

MIDDLE = (-118.71142, 38.73793)


@pytest.fixture(scope="module")
def segmentation() -> xr.Dataset:
    before = round_lake(radius=400, time="1988-10-22")
    after = round_lake(radius=250, time="2017-10-22")
    before = before.where(before["y"] < before["y"][4])  # some rows were not observed
    return sl.segment([before, after], n_clusters=3)


def read_back(kept: xr.DataArray | xr.Dataset, path, chunks=None):
    kept.to_netcdf(path)
    opened = xr.open_dataset(path, decode_coords="all", chunks=chunks)
    return opened if isinstance(kept, xr.Dataset) else opened[kept.name]


@pytest.mark.parametrize("chunks", [None, {"y": 7}])
def test_a_segmentation_read_back_from_a_file_gives_the_same_water(segmentation, tmp_path, chunks):
    again = read_back(segmentation, tmp_path / "segmentation.nc", chunks)
    assert again["subclusters"].dtype == np.float32  # what CF decoding makes of it
    mask = sl.water_mask(again)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, sl.water_mask(segmentation))
    evidence = sl.find_water(again, at=MIDDLE)
    assert evidence.equals(sl.find_water(segmentation, at=MIDDLE))


def test_masks_read_back_from_a_file_are_compared_and_measured(segmentation, tmp_path):
    mask = sl.water_mask(segmentation)
    again = read_back(mask, tmp_path / "water.nc")
    assert again.dtype == np.float32
    assert sl.areas(again).equals(sl.areas(mask))
    change = sl.compare(mask[0], mask[1])
    np.testing.assert_array_equal(sl.compare(again[0], again[1]), change)
    kept = read_back(change, tmp_path / "change.nc")
    assert kept.dtype == np.float32
    assert sl.areas(kept).equals(sl.areas(change))


def test_maps_read_back_from_a_file_are_drawn_and_written_as_classes(segmentation, tmp_path):
    labels, mask = segmentation["labels"], sl.water_mask(segmentation)
    change = sl.compare(mask[0], mask[1])
    drawn = [
        (maps.label_map, labels, read_back(labels, tmp_path / "labels.nc")),
        (maps.water_map, mask, read_back(mask, tmp_path / "water.nc")),
        (maps.change_map, change, read_back(change, tmp_path / "change.nc")),
    ]
    for draw, whole, again in drawn:
        shown, expected = ([text.get_text() for text in draw(x).texts] for x in (again, whole))
        assert shown == expected
    with rasterio.open(write_cog(drawn[1][2][0], tmp_path / "water.tif")) as file:
        assert file.dtypes == ("uint8",)
        np.testing.assert_array_equal(file.read(1), mask[0])


def test_averaged_classes_are_refused():
    blurred = xr.DataArray([0.0, 0.5, np.nan], dims="x", attrs={"flag_values": [0, 1]})
    with pytest.raises(ConfigurationError, match=r"got 0\.5.*nearest"):
        stored_classes(blurred)


def test_what_is_no_map_of_classes_is_left_alone():
    scene = round_lake(radius=400)
    assert stored_classes(scene) is scene
    with pytest.raises(ConfigurationError, match="mask_and_scale=False"):
        sl.areas(scene.isel(band=0))
