"""Make the grid that all scenes of a study are put on.

`regrid` and `stack_scenes`, which put scenes on it, live in their own modules and are
offered here too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from strandline.errors import GridError
from strandline.prepare.extent import (
    Bounds,
    around_bbox,
    around_geometry,
    around_grid,
    around_point,
    near_turn,
    read_crs,
    read_numbers,
    utm_crs,
)
from strandline.prepare.georeference import crs_of, describe_crs, grid_of
from strandline.prepare.resample import regrid
from strandline.prepare.stack import stack_scenes

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["make_grid", "regrid", "stack_scenes", "utm_crs"]

MOST_PIXELS = 2**31
"""Largest grid: a uint8 map of it is 2 GiB."""

COARSEST_DEGREES = 1.0
"""A geographic pixel larger than this is a resolution in metres that was meant otherwise."""

HALF_WAY_ROUND = 20_003_931.5
"""Metres from pole to pole along a meridian."""

_ROUNDING = 1e-6  # bounds this close to a pixel edge (in pixels) lie on it


def make_grid(
    *,
    center: tuple[float, float] | None = None,
    buffer: float | tuple[float, float] | None = None,
    bbox: Sequence[float] | None = None,
    bbox_crs: Any = None,
    geometry: Any = None,
    like: xr.DataArray | xr.Dataset | GeoBox | None = None,
    resolution: float | tuple[float, float] | None = None,
    crs: Any = None,
    align: tuple[float, float] | None = None,
) -> GeoBox:
    """Make a north-up grid of pixels around a place.

    Say where with exactly one of `center`, `bbox` and `geometry`; or with `like` alone,
    which means the place of that scene. The bounds are moved outwards to whole pixels.

    Parameters
    ----------
    center : (float, float), optional
        Longitude and latitude in degrees (WGS 84).
    buffer : float or (float, float), optional
        Distance in metres on the ground from `center` to the sides, or one for east-west and
        one for north-south, in any CRS. With `bbox` and `geometry`, an optional margin around
        them.
    bbox : (float, float, float, float), optional
        West, south, east, north in degrees, or in `bbox_crs`. West greater than east
        means across the antimeridian. Longitudes may be counted from -180 or from 0.
    bbox_crs : CRS, optional
        CRS of `bbox`, or of a `geometry` that does not name its own. Default: WGS 84
        longitude and latitude.
    geometry : mapping or object, optional
        GeoJSON-like mapping (geometry, feature or collection), an
        :class:`odc.geo.geom.Geometry`, or anything with ``__geo_interface__``.
    like : DataArray, Dataset or GeoBox, optional
        A scene whose CRS, resolution and lattice of pixels to take over, so that its
        pixels need no resampling.
    resolution : float or (float, float), optional
        Pixel size in units of the CRS (metres in UTM, degrees in EPSG:4326), or its width
        and height. Needed unless `like` gives it. A unit of Web Mercator (EPSG:3857) is a metre
        at the equator alone: 30 of them are 23 m on the ground at 39° north, and 15 m at 60°.
        Areas are true whatever the CRS.
    crs : CRS, optional
        EPSG code, name, WKT or CRS object. Default: that of `like`, or else the WGS 84 UTM
        zone of the place.
    align : (float, float), optional
        A point (x, y) in the CRS where a corner of a pixel shall lie. Default: the lattice
        of `like` where it applies, or else the multiples of the resolution.

    Returns
    -------
    odc.geo.geobox.GeoBox
        The grid.

    Raises
    ------
    GridError
        If the place is given in no way or in several, is not on Earth or not within reach
        of the CRS, or the resolution is missing or makes no sensible grid.

    Examples
    --------
    >>> grid = make_grid(center=(-118.7, 38.7), buffer=17_000, resolution=30)
    >>> grid.crs.epsg, grid.shape
    (32611, Shape2d(x=1134, y=1135))
    """
    ways = {"center": center, "bbox": bbox, "geometry": geometry}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1 or (not given and like is None):
        raise GridError(
            "The extent of the grid has to be given in exactly one way.",
            expected="one of center=(lon, lat) with buffer=…, bbox=…, geometry=…, or like=…",
            got=" and ".join(given) or "none of them",
        )
    if align is not None and like is not None:
        raise GridError(
            "align=… and like=… both say where the pixels lie.", remedy="Leave one of them out."
        )
    model = None if like is None else grid_of(like)
    margin = _metres(buffer, needed=center is not None)
    if not given and model is not None:
        wanted_upright = resolution is not None and not model.axis_aligned
        same = _same_lattice(model, crs, resolution) and not wanted_upright
        if same and margin == (0.0, 0.0):
            return model
        target, bounds = around_grid(model, read_crs(crs) or CRS(crs_of(model)), margin)
    else:
        wanted = read_crs(crs) or (model.crs if model is not None else None)
        if center is not None:
            target, bounds = around_point(center, margin, wanted)
        elif bbox is not None:
            target, bounds = around_bbox(bbox, read_crs(bbox_crs), margin, wanted)
        else:
            target, bounds = around_geometry(geometry, read_crs(bbox_crs), margin, wanted)
    if model is not None and target == model.crs:
        bounds = near_turn(bounds, model)
    size, corner = _lattice(target, resolution, model, align)
    return _snapped(target, bounds, size, corner)


# --- reading the parameters ---------------------------------------------------


def _positive(value: Any, what: str, *, zero: bool = False) -> tuple[float, float]:
    """Read one number or a pair of them, each finite and positive."""
    pair = value if isinstance(value, Sequence | np.ndarray) else (value, value)
    try:
        x, y = (float(number) for number in pair)
    except (TypeError, ValueError):
        x = y = math.nan
    lowest = 0.0 if zero else math.ulp(0.0)
    if not (math.isfinite(x) and math.isfinite(y) and min(x, y) >= lowest):
        raise GridError(
            f"{what} makes no grid.", expected="a positive number, or two", got=repr(value)
        )
    return x, y


def _metres(buffer: Any, *, needed: bool) -> tuple[float, float]:
    if buffer is None:
        if needed:
            raise GridError(
                "A centre alone says nothing about the size of the grid.",
                expected="buffer=… in metres",
                got="no buffer",
            )
        return 0.0, 0.0
    margin = _positive(buffer, "The buffer", zero=not needed)
    if max(margin) > HALF_WAY_ROUND:
        raise GridError(
            "The buffer reaches around the Earth.",
            expected=f"at most {HALF_WAY_ROUND:,.0f} m, half the way around",
            got=f"{max(margin):,.0f} m",
            remedy="It is in metres.",
        )
    return margin


# --- from bounds to pixels -----------------------------------------------------


def _same_lattice(model: GeoBox, crs: Any, resolution: Any) -> bool:
    if crs is not None and read_crs(crs) != model.crs:
        return False
    if resolution is None:
        return True
    size = abs(model.resolution.x), abs(model.resolution.y)
    return np.allclose(_positive(resolution, "The resolution"), size, rtol=1e-9, atol=0)


def _lattice(
    target: CRS, resolution: Any, model: GeoBox | None, align: Any
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Choose the pixel size and a point where a corner of a pixel lies."""
    upright = model is not None and (model.axis_aligned or resolution is None)
    if model is not None and upright and _same_lattice(model, target, resolution):
        if not model.axis_aligned:
            raise GridError(
                "The grid of a rotated scene cannot be aligned with.",
                remedy="Pass crs=… and resolution=… for a grid that is not rotated.",
            )
        return (abs(model.resolution.x), abs(model.resolution.y)), (model.affine.c, model.affine.f)
    if resolution is None:
        raise GridError(
            "The grid needs a pixel size.",
            expected="resolution=… in units of the CRS, or like=… of a scene in the same CRS",
            got=f"neither, for {describe_crs(target)}",
        )
    size = _positive(resolution, "The resolution")
    if target.geographic and max(size) > COARSEST_DEGREES:
        raise GridError(
            f"{describe_crs(target)} is in degrees, and so is its resolution.",
            expected=f"a resolution of at most {COARSEST_DEGREES:g} degree",
            got=f"{max(size):g} degrees",
            remedy="30 m are about 0.00027 degrees; or pass a CRS in metres.",
        )
    if not target.geographic and max(size) > HALF_WAY_ROUND:
        raise GridError(
            "The resolution reaches around the Earth.",
            expected="resolution=… in units of the CRS",
            got=f"{max(size):g}",
        )
    x, y = (0.0, 0.0) if align is None else read_numbers(align, 2, "The point to align with")
    return size, (x, y)


def _snapped(
    crs: CRS, bounds: Bounds, size: tuple[float, float], corner: tuple[float, float]
) -> GeoBox:
    """Cover the bounds with whole pixels of the lattice."""
    first_x, last_x = _whole(bounds.west, bounds.east, size[0], corner[0])
    first_y, last_y = _whole(bounds.south, bounds.north, size[1], corner[1])
    columns, rows = last_x - first_x, last_y - first_y
    affine = Affine(
        size[0], 0, corner[0] + first_x * size[0], 0, -size[1], corner[1] + last_y * size[1]
    )
    if columns * rows > MOST_PIXELS:
        raise GridError(
            "The grid is too large.",
            expected=f"at most {MOST_PIXELS:,} pixels",
            got=f"{rows:,} x {columns:,} of {size[0]:g} in {describe_crs(crs)}",
            remedy="Pass a coarser resolution (it is in units of the CRS) or a smaller area.",
        )
    return GeoBox((rows, columns), affine, crs)


def _whole(low: float, high: float, size: float, corner: float) -> tuple[int, int]:
    first = math.floor((low - corner) / size + _ROUNDING)
    last = math.ceil((high - corner) / size - _ROUNDING)
    return first, max(last, first + 1)
