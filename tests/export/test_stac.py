"""The item of a folder: valid, relative, and true to the rasters."""

from __future__ import annotations

import json
import re
import warnings

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from strandline.errors import MetadataError
from strandline.export import write_cog
from strandline.export.stac import write_item
from strandline.show.palettes import water_palette
from strandline.testing.lakes import lake_grid, mask_of


def results(folder, grid=None, times=("1988-10-22T18:01:30", "2017-10-22"), **options):
    grid = lake_grid() if grid is None else grid
    mask = mask_of(np.zeros(grid.shape), grid)
    write_cog(mask, folder / "water_1988-10-22.tif")
    (folder / "areas.csv").write_text("water\n")
    palettes = {"water_1988-10-22.tif": water_palette()}
    return json.loads(write_item(folder, grid, times, palettes=palettes, **options).read_text())


def test_the_item_is_valid_stac(tmp_path):
    item = results(tmp_path, title="Walker Lake", lineage="clusters of spectra")
    # The schemas that come with pystac; those of the extensions are checked below.
    validator = JsonSchemaSTACValidator()
    validator.validate_core(item, pystac.STACObjectType.ITEM, "1.1.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = pystac.Item.from_dict(item)
    assert read.id == "walker-lake_1988-10-22_2017-10-22"
    assert read.datetime is None
    assert read.properties["start_datetime"] == "1988-10-22T18:01:30Z"
    assert read.properties["end_datetime"] == "2017-10-22T00:00:00Z"


def test_extensions_hold_what_their_specifications_ask_for(tmp_path):
    item = results(tmp_path)
    assert {url.split("/")[3] for url in item["stac_extensions"]} == {
        "projection", "classification", "processing",
    }  # fmt: skip
    said = item["properties"]
    assert said["proj:code"] == "EPSG:32611"
    assert said["proj:shape"] == [60, 80]
    assert said["proj:transform"] == [30.0, 0.0, 350040.0, 0.0, -30.0, 4290000.0]
    assert set(said["processing:software"]) == {"Strandline"}
    classes = item["assets"]["water_1988-10-22"]["classification:classes"]
    assert [(c["value"], c["name"]) for c in classes] == [
        (0, "not_water"), (1, "water"), (255, "not_observed"),
    ]  # fmt: skip
    for one in classes:
        assert re.fullmatch(r"[0-9A-Za-z_-]+", one["name"])
        assert re.fullmatch(r"[0-9A-F]{6}", one.get("color_hint", "000000"))
    assert classes[2]["nodata"] is True


def test_addresses_are_relative_and_lead_to_the_files(tmp_path):
    item = results(tmp_path)
    hrefs = {asset["href"] for asset in item["assets"].values()}
    assert hrefs == {
        "./water_1988-10-22.tif", "./water_1988-10-22.tif.aux.xml", "./areas.csv", "./record.json",
    }  # fmt: skip
    for key in ("water_1988-10-22", "areas.csv"):
        assert (tmp_path / item["assets"][key]["href"]).is_file()
    with rasterio.open(tmp_path / item["assets"]["water_1988-10-22"]["href"]) as file:
        assert list(file.transform)[:6] == item["properties"]["proj:transform"]


def test_the_footprint_lies_where_the_map_does(tmp_path):
    item = results(tmp_path)
    shape = shapely.geometry.shape(item["geometry"])
    assert shape.is_valid
    assert shape.exterior.is_ccw
    assert list(shape.bounds) == item["bbox"]
    assert shape.contains(shapely.Point(-118.711, 38.739))


def test_a_map_across_the_antimeridian_has_two_parts(tmp_path):
    grid = lake_grid((40, 40), 6000.0, "EPSG:32601", (200_000.0, 7_000_000.0))
    item = results(tmp_path, grid)
    west, _, east, _ = item["bbox"]
    assert item["geometry"]["type"] == "MultiPolygon"
    assert 160 < west < 180
    assert -180 < east < -160


def test_one_time_is_the_datetime_and_none_is_refused(tmp_path):
    item = results(tmp_path, times=["2017-10-22", "NaT"])
    assert item["properties"]["datetime"] == "2017-10-22T00:00:00Z"
    assert "start_datetime" not in item["properties"]
    with pytest.raises(MetadataError, match="has to have a time"):
        results(tmp_path, times=["NaT"])


def test_a_crs_without_a_code_is_told_in_full(tmp_path):
    grid = lake_grid(crs="+proj=laea +lat_0=38 +lon_0=-118 +datum=WGS84", corner=(0.0, 0.0))
    said = results(tmp_path, grid)["properties"]
    assert said["proj:code"] is None
    assert said["proj:wkt2"].startswith("PROJCRS")
