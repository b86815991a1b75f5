"""How far two shorelines lie apart, in metres."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.prepare.georeference import crs_of, ellipsoid, place

Floats = NDArray[np.float64]

HALF = 0.5
"""The shoreline is where this fraction of the ground is water."""

# Sides of a square of four pixel centres, each between two of its corners; corners and sides
# go round from the upper left one, respectively the upper one.
_CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))
_SIDES = ((0, 1), (1, 2), (2, 3), (3, 0))


def boundary_errors(mapped: Floats, reference: Floats, grid: GeoBox) -> pd.DataFrame:
    """Measure the distance between the shorelines of two maps on one grid.

    Parameters
    ----------
    mapped, reference : ndarray of shape (y, x)
        Fraction of water, 0 … 1, or a mask as 0 and 1; NaN where unknown.
    grid : GeoBox
        The pixels.

    Returns
    -------
    DataFrame
        Rows ``map to reference`` (how far off the mapped shoreline is), ``reference to map``
        (how far the true shoreline is from any mapped one: large where water was missed) and
        ``both``. Columns ``length_km``, and ``mean``, ``median``, ``percentile_95`` of the
        distance in metres, each metre of shoreline counting the same. NaN where one of the
        maps has no shoreline.

    Notes
    -----
    The shoreline is the contour at one half between pixel centres, by linear interpolation
    (marching squares). For a mask it runs through the middles of the edges between water and
    land, so two masks are compared to the edge; a fraction gives it within the pixel. It is
    drawn where both maps are known, so it ends at pixels that are not.
    Metres are those at the middle of the map.
    """
    known = ~(np.isnan(mapped) | np.isnan(reference))
    lines = [
        shoreline(np.where(known, values, np.nan)) * _metres_per_pixel(grid)
        for values in (mapped, reference)
    ]
    ways = {
        "map to reference": _distances(lines[0], lines[1]),
        "reference to map": _distances(lines[1], lines[0]),
    }
    distances, lengths = zip(*ways.values(), strict=True)
    ways["both"] = np.concatenate(distances), np.concatenate(lengths)
    rows = {name: _summary(*found) for name, found in ways.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def shoreline(fraction: Floats) -> Floats:
    """Draw the contour of a fraction of water at one half.

    Parameters
    ----------
    fraction : ndarray of shape (y, x)
        0 … 1; NaN where unknown.

    Returns
    -------
    ndarray of shape (n_segments, 2, 2)
        Straight pieces: their two ends, each (x, y) in pixels from the first pixel's centre.

    References
    ----------
    Lorensen and Cline, "Marching cubes", Computer Graphics 21 (1987), in two dimensions.

    Examples
    --------
    >>> shoreline(np.array([[0.0, 1.0], [0.0, 1.0]])).tolist()
    [[[0.5, 0.0], [0.5, 1.0]]]
    """
    rows, columns = fraction.shape
    if min(rows, columns) < 2:
        return np.empty((0, 2, 2))
    corners = np.stack(
        [fraction[i : rows - 1 + i, j : columns - 1 + j] for i, j in _CORNERS]
    )  # (4, rows - 1, columns - 1)
    wet = corners >= HALF
    number = np.where(np.isnan(corners).any(axis=0), 0, np.tensordot([1, 2, 4, 8], wet, axes=1))
    middle_wet = corners.mean(axis=0) >= HALF
    pieces = []
    for case in range(1, 15):
        for in_the_middle in (False, True):
            at = np.nonzero((number == case) & (middle_wet == in_the_middle))
            if len(at[0]):
                for one, other in _joined(case, in_the_middle):
                    ends = [_crossing(corners, side, at) for side in (one, other)]
                    pieces.append(np.stack(ends, axis=1))
    return np.concatenate(pieces) if pieces else np.empty((0, 2, 2))


def _joined(case: int, middle_wet: bool) -> list[tuple[int, int]]:
    """Say which sides of a square the contour joins; twice two where opposite corners are wet."""
    wet = [bool(case & 1 << corner) for corner in range(4)]
    crossed = [side for side, (one, other) in enumerate(_SIDES) if wet[one] != wet[other]]
    if len(crossed) == 2:
        return [(crossed[0], crossed[1])]
    # Corner c lies between sides c - 1 and c. The corners unlike the middle are cut off.
    return [((corner - 1) % 4, corner) for corner in range(4) if wet[corner] != middle_wet]


def _crossing(corners: Floats, side: int, at: tuple[NDArray[np.intp], ...]) -> Floats:
    """Find where the contour crosses a side of some squares: (n, 2), x and y in pixels."""
    one, other = _SIDES[side]
    first, second = corners[one][at], corners[other][at]
    part = (HALF - first) / (second - first)
    start, end = np.array(_CORNERS[one], float), np.array(_CORNERS[other], float)
    row, column = (at[i] + start[i] + part * (end[i] - start[i]) for i in (0, 1))
    return np.stack([column, row], axis=1)


def _distances(lines: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Distance from the middle of each piece to the nearest piece of the others, and its length."""
    length = np.hypot(*(lines[:, 1] - lines[:, 0]).T)
    if not len(lines) or not len(others):
        return np.full(len(lines), np.nan), length
    import shapely

    tree = shapely.STRtree(shapely.linestrings(others))
    middles = shapely.points(lines.mean(axis=1))
    _, distances = tree.query_nearest(  # type: ignore[no-untyped-call]  # shapely is untyped
        middles, return_distance=True, all_matches=False
    )
    return distances, length


def _summary(distances: Floats, length: Floats) -> dict[str, float]:
    summary = {"length_km": math.fsum(length) / 1000}
    if not len(distances) or np.isnan(distances).any():
        return summary | dict.fromkeys(("mean", "median", "percentile_95"), math.nan)
    order = np.argsort(distances, kind="stable")
    reached = np.cumsum(length[order]) / length.sum()
    # Rounding may leave the last sum just below 1, but above both shares.
    median, high = distances[order][np.searchsorted(reached, [0.5, 0.95])].tolist()
    mean = float((distances * length).sum() / length.sum())
    return summary | {"mean": mean, "median": median, "percentile_95": high}


def _metres_per_pixel(grid: GeoBox) -> Floats:
    """Measure width and height of the pixel in the middle of a grid on the ellipsoid."""
    import pyproj

    crs = crs_of(grid)
    radius, flatness = ellipsoid(crs)
    geod = pyproj.Geod(a=radius, es=flatness)
    to_lonlat = pyproj.Transformer.from_crs(crs, crs.geodetic_crs or crs, always_xy=True)
    rows, columns = grid.shape
    x = columns / 2 + np.array([0.0, 1.0, 0.0])
    y = rows / 2 + np.array([0.0, 0.0, 1.0])
    lon, lat = to_lonlat.transform(*place(grid.affine, x, y))
    width = geod.inv(lon[0], lat[0], lon[1], lat[1])[2]
    height = geod.inv(lon[0], lat[0], lon[2], lat[2])[2]
    return np.array([width, height])
