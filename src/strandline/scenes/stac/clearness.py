"""Which share of an area a pass really saw: its quality bands over the area, thinned out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from odc.geo.geobox import GeoBox

from strandline.errors import ConfigurationError, MissingBandError
from strandline.scenes.quality import DEFAULT_REASONS, not_observed

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from strandline.scenes.stac.found import FoundScenes

ACROSS = 256  # points along the longer side of the area: 65,536 tell a share within half a percent


def seen_share(found: FoundScenes, *, storage_options: Mapping[str, Any] | None = None) -> float:
    """Find which share of the area a pass observed, by its own quality bands.

    Parameters
    ----------
    found : FoundScenes
        Items of one pass, with the area of their search.
    storage_options : mapping, optional
        As for `strandline.open_scene`.

    Returns
    -------
    float
        0 to 1. Only the quality bands are read, and only where the area is.

    Raises
    ------
    ConfigurationError
        If the search had no area.
    MissingBandError
        If the items have no quality band that is known.
    SceneError
        As `strandline.open_scene`.
    """
    from strandline.scenes.read_options import ReadOptions
    from strandline.scenes.stac.load import open_items

    if found.area is None:
        raise ConfigurationError(
            "The share of an area that was observed needs an area.",
            expected="a search with bbox=…, geometry=… or center=… and buffer=…",
        )
    grid = _points(found.area)
    scene = open_items(
        list(found), ReadOptions(storage_options=storage_options, mask=()), grid=grid
    )
    if "quality" not in scene.coords:
        raise MissingBandError(
            f"{found!r} has no quality band to say what was observed.",
            remedy="Choose by the items: clearest(by='items').",
        )
    flags = scene.coords["quality"].compute()
    hidden = np.asarray(not_observed(flags, DEFAULT_REASONS))
    inside = _inside(found.area, grid)
    return float((~hidden & inside).sum() / inside.sum())


def _points(area: BaseGeometry) -> GeoBox:
    west, south, east, north = area.bounds
    squeeze = math.cos(math.radians((south + north) / 2))
    step = max((east - west) * squeeze, north - south) / ACROSS
    rows = max(1, math.ceil((north - south) / step))
    columns = max(1, math.ceil((east - west) * squeeze / step))
    return GeoBox.from_bbox((west, south, east, north), "EPSG:4326", shape=(rows, columns))


def _inside(area: BaseGeometry, grid: GeoBox) -> np.ndarray[Any, np.dtype[np.bool_]]:
    import shapely

    y, x = (grid.coordinates[name].values for name in grid.dimensions)
    inside = shapely.contains_xy(area, *np.meshgrid(x, y))  # type: ignore[no-untyped-call]  # untyped
    # A sliver between the points is as good as its surroundings.
    return inside if inside.any() else np.ones_like(inside)
