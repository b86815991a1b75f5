"""The clearest pass over an area, by its pixels: scenes may be cloudy elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from odc.geo.geom import point

from strandline import open_scene, search_scenes
from strandline.errors import ConfigurationError
from strandline.scenes.quality import DEFAULT_REASONS, not_observed


def clearest_spot(folder, side: int = 24) -> tuple[tuple[float, float], float]:
    """Centre of a square without cloud in a product, degrees, and half its side, metres."""
    scene = open_scene(folder)
    hidden = np.asarray(not_observed(scene.quality, DEFAULT_REASONS))
    for row in range(0, hidden.shape[0] - side, 4):
        for column in range(0, hidden.shape[1] - side, 4):
            if not hidden[row : row + side, column : column + side].any():
                at = scene.isel(y=row + side // 2, x=column + side // 2)
                lon, lat = point(float(at.x), float(at.y), scene.odc.crs).to_crs("EPSG:4326").xy
                return (lon[0], lat[0]), (side // 2 - 2) * 60.0
    raise AssertionError("no square without cloud")


def test_a_cloudy_scene_may_be_clear_over_the_lake(site, products):
    centre, buffer = clearest_spot(products["2017-10-06"])
    year = search_scenes(f"{site.url}/stac", center=centre, buffer=buffer, datetime="2017")
    assert [item.datetime.day for item in year.clearest()] == [22]
    cloudy = search_scenes(f"{site.url}/stac", center=centre, buffer=buffer)
    first = [item for item in cloudy if item.datetime.day == 6]
    assert [item.id for item in cloudy.clearest(3, by="pixels")] == [item.id for item in cloudy]
    assert first[0].id in [item.id for item in cloudy.clearest(2, by="pixels")]


def test_only_quality_bands_are_read_for_it(site, products):
    centre, buffer = clearest_spot(products["2017-10-06"])
    found = search_scenes(f"{site.url}/stac", center=centre, buffer=buffer)
    site.forget()
    found.clearest(by="pixels")
    rasters = [path for path in site.asked if ".TIF" in path]
    assert rasters
    assert all("_QA_" in path for path in rasters)


def test_without_an_area_there_is_nothing_to_look_at(site):
    with pytest.raises(ConfigurationError, match="center=…"):
        search_scenes(f"{site.url}/stac").clearest(by="pixels")


def test_there_are_two_ways_to_choose(site):
    with pytest.raises(ConfigurationError, match="'items' or 'pixels'"):
        search_scenes(f"{site.url}/stac").clearest(by="luck")
