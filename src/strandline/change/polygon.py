"""Bodies of water as polygons with islands, and what can be measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry import LinearRing, MultiPolygon, Polygon

from strandline.change.area import is_change_map
from strandline.change.geodesic import lengths_km
from strandline.change.interval import bounds, shore_variance
from strandline.change.outline import OUTSIDE, STRIPE, UNSEEN, Integers, Outline, outline_of
from strandline.change.pixel_area import PixelAreas, pixel_areas
from strandline.change.shoreline import dated_planes, needs_vector, to_map
from strandline.errors import ConfigurationError
from strandline.prepare.classes import LAND, stored_classes
from strandline.prepare.georeference import crs_of, describe_grid, grid_of, same_grid
from strandline.prepare.oversampling import oversampling_of

if TYPE_CHECKING:
    import geopandas
    from odc.geo.geobox import GeoBox

BY_SIDES, BY_CORNERS = 4, 8

_INSIDE = np.array([[0, 0], [-1, 0], [-1, -1], [0, -1]])
"""From where an edge begins to the pixel of water at its left, by its heading."""

Floats = NDArray[np.float64]


def water_polygons(
    mask: xr.DataArray,
    *,
    min_area: float | None = None,
    min_pixels: int | None = None,
    connectivity: int = BY_CORNERS,
    confidence: xr.DataArray | None = None,
) -> geopandas.GeoDataFrame:
    """Turn a water mask into polygons, one for each body of water.

    Parameters
    ----------
    mask : DataArray of uint8, shape (y, x) or (time, y, x)
        Water mask. A Dask array is computed in stripes of rows; what is kept in memory grows
        with the length of the outlines.
    min_area : float, optional
        Minimum mapping unit, km²: smaller bodies are left out. Default: all are kept.
    min_pixels : int, optional
        The same in pixels.
    connectivity : {8, 4}
        Whether pixels that touch at a corner only belong to one body (8, as for
        ``areas(at=…)``) or not (4).
    confidence : DataArray of float, same shape, optional
        How sure each pixel is, as from `strandline.water_confidence`.

    Returns
    -------
    GeoDataFrame
        A row per body and date in the CRS of the map, the largest first, as valid multipolygons
        along the edges of the pixels, outer rings anticlockwise:

        - ``date``: when, if the mask has a time;
        - ``area_km2``: true area, the sum over the pixels as in `strandline.areas`;
        - ``low_90``, ``high_90``, ``low_95``, ``high_95``: between these the area lies in 90 and
          in 95 of 100 cases, km², by the sides of pixels between the body and observed land,
          islands included, as for ``areas(intervals=True)``. They say nothing of what goes on
          where nothing was observed;
        - ``perimeter_km``: along the ellipsoid, islands included. Pixel edges are up to 4 / pi
          times longer than the shore that they follow;
        - ``pixels``, ``islands``: how many;
        - ``touches_unobserved``: it may go on where nothing was observed;
        - ``touches_border``: it may go on beyond the map;
        - ``confidence``, if it was passed: the mean over its area.

        Its ``attrs`` say the minimum mapping unit and what was left out: ``min_area_km2``,
        ``min_pixels``, ``left_out``, ``left_out_km2``. Islands are kept, however small.

    Raises
    ------
    ConfigurationError
        If the array is not a water mask, or a parameter has an impossible value.
    GridError, MissingCRSError
        If the mask has no grid.
    MissingDependencyError
        If geopandas is not installed.

    Examples
    --------
    >>> from strandline.testing.lakes import lake_grid, mask_of
    >>> water = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 255]])
    >>> bodies = water_polygons(mask_of(water, lake_grid((3, 5), resolution=1000.0)))
    >>> bodies[["pixels", "islands", "touches_unobserved"]].values.tolist()
    [[8, 1, False], [1, 0, True]]
    >>> bodies["area_km2"].round(2).tolist()
    [8.0, 1.0]
    """
    try:
        import geopandas
        import pandas as pd
    except ImportError as error:
        raise needs_vector("Making polygons", error) from error

    array = _checked(mask, min_area, min_pixels, connectivity)
    grid = grid_of(array)
    areas_of = pixel_areas(grid)
    sure = _planes_of(confidence, array)
    kept, left_out, left_out_km2 = [], 0, 0.0
    planes = zip(dated_planes(array), sure, oversampling_of(array).tolist(), strict=True)
    for (when, plane), weights, finer in planes:
        bodies = _bodies(plane, areas_of, connectivity, weights, finer)
        large = np.ones(len(bodies.pixels), bool)
        if min_area is not None:
            large &= bodies.km2 >= min_area
        if min_pixels is not None:
            large &= bodies.pixels >= min_pixels
        left_out += int((~large).sum())
        left_out_km2 += float(bodies.km2[~large].sum())
        kept.append(_table(bodies, large, when, grid))
    attrs = {
        "min_area_km2": min_area,
        "min_pixels": min_pixels,
        "left_out": left_out,
        "left_out_km2": left_out_km2,
    }
    columns = {name: np.concatenate([table[name] for table in kept]) for name in kept[0]}
    geometry = columns.pop("geometry")
    table = pd.DataFrame(columns)
    result = geopandas.GeoDataFrame(table, geometry=geometry, crs=crs_of(grid))
    result.attrs = attrs
    return result


def _checked(
    mask: xr.DataArray, min_area: float | None, min_pixels: int | None, connectivity: int
) -> xr.DataArray:
    array = stored_classes(mask)
    fits = {"y", "x"} <= set(array.dims) <= {"time", "y", "x"}
    if not fits or array.dtype not in (np.uint8, bool) or is_change_map(array):
        raise ConfigurationError(
            "Polygons of water need a water mask.",
            expected="a uint8 array of dimensions (y, x) or (time, y, x)",
            got=f"{array.name or 'an array'} of {array.dtype} and dimensions "
            f"{tuple(map(str, array.dims))}",
            remedy="Pass what water_mask returned.",
        )
    if connectivity not in (BY_SIDES, BY_CORNERS):
        raise ConfigurationError(
            "Pixels have no such neighbours.",
            expected="connectivity=4 or 8",
            got=repr(connectivity),
        )
    for name, least in (("min_area", min_area), ("min_pixels", min_pixels)):
        if least is not None and not least >= 0:
            raise ConfigurationError(f"{name}= cannot be negative.", got=repr(least))
    return array.astype(np.uint8)


def _planes_of(confidence: xr.DataArray | None, mask: xr.DataArray) -> list[Any]:
    """Take the confidence of each date, None where there is none."""
    dates = mask.sizes.get("time", 1)
    if confidence is None:
        return [None] * dates
    if confidence.sizes != mask.sizes or not same_grid(grid_of(confidence), grid_of(mask)):
        raise ConfigurationError(
            "The confidence is not about this mask.",
            expected=describe_grid(grid_of(mask)),
            got=describe_grid(grid_of(confidence)),
            remedy="Pass water_confidence of the segmentation that the mask comes from.",
        )
    return [plane for _, plane in dated_planes(confidence)]


@dataclass(frozen=True)
class _Bodies:
    """Bodies of water in the order of their first pixel: their rings, and sums over their pixels.

    A body that holds together at corners only has several parts, each with one outer ring.
    """

    rings: list[Floats]
    part_of_ring: Integers
    body_of_part: Integers
    pixels: Integers
    km2: Floats
    variance: Floats
    confidence: Floats | None
    touches_unseen: NDArray[np.bool_]
    touches_border: NDArray[np.bool_]


def _bodies(
    mask: Any, areas_of: PixelAreas, connectivity: int, confidence: Any, finer: float
) -> _Bodies:
    outline = outline_of(mask, land_only=False)
    chains = len(outline.closed)
    chain_of = np.repeat(np.arange(chains), np.diff(outline.first))
    runs = _runs(outline)
    links = chain_of[runs[0]], chain_of[runs[1]]
    part_of = _components(links, chains)
    if connectivity == BY_CORNERS:
        corners = _meeting_at_corners(outline)
        links = (
            np.concatenate([links[0], chain_of[corners[0]]]),
            np.concatenate([links[1], chain_of[corners[1]]]),
        )
    body_of = _components(links, chains)
    count = int(body_of.max(initial=-1)) + 1
    body_of_part = np.zeros(int(part_of.max(initial=-1)) + 1, np.int64)
    body_of_part[part_of] = body_of
    rings, chain_of_ring = [], []
    for which, chain in enumerate(outline.chains()):
        for ring in _simple_rings(chain):
            rings.append(ring)
            chain_of_ring.append(which)
    of_run, of_edge = body_of[chain_of][runs[0]], body_of[chain_of]
    lengths = outline.start[runs[1], 0] - outline.start[runs[0], 0]
    km2 = np.bincount(of_run, _run_sums(outline, runs, areas_of), count).astype(np.float64)
    sure = None
    if confidence is not None:
        weighted = np.bincount(of_run, _run_sums(outline, runs, areas_of, confidence), count)
        sure = np.divide(weighted, km2, out=np.full(count, np.nan), where=km2 > 0)
    return _Bodies(
        rings,
        part_of[np.array(chain_of_ring, np.int64)],
        body_of_part,
        np.bincount(of_run, lengths, minlength=count).astype(np.int64),
        km2,
        _variances(outline, of_edge, count, areas_of, finer),
        sure,
        np.bincount(of_edge, outline.beyond == UNSEEN, minlength=count) > 0,
        np.bincount(of_edge, outline.beyond == OUTSIDE, minlength=count) > 0,
    )


def _components(links: tuple[Integers, Integers], size: int) -> Integers:
    """Give linked chains one number, counted by the first chain, so by the first pixel."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(links[0]), np.int8), links), shape=(size, size))
    count, group = connected_components(graph, directed=False)
    _, first = np.unique(group, return_index=True)
    number = np.empty(count, np.int64)
    number[np.argsort(first)] = np.arange(count)
    return number[group]


def _runs(outline: Outline) -> tuple[Integers, Integers]:
    """Pair the edges at which the runs of water in each row begin and end, row by row."""
    heading, start = outline.heading, outline.start
    upright = np.nonzero(heading % 2 == 1)[0]
    # The row of an edge that leads upwards is the one above its start.
    row = start[upright, 1] - (heading[upright] == 3)
    order = upright[np.lexsort((start[upright, 0], row))]
    return order[0::2], order[1::2]


def _run_sums(
    outline: Outline,
    runs: tuple[Integers, Integers],
    areas_of: PixelAreas,
    weights: Any = None,
) -> Floats:
    """Sum the areas of the pixels of each run, km², each times its weight if there are any."""
    left, right = outline.start[runs[0], 0], outline.start[runs[1], 0]
    rows = outline.start[runs[0], 1] - (outline.heading[runs[0]] == 3)
    width = int(areas_of.columns[-1]) + 1
    sums = np.zeros(len(rows))
    bounds = np.concatenate([np.nonzero(np.diff(rows, prepend=-1))[0], [len(rows)]])
    stripe, top = np.zeros((0, width)), 0
    for begin, stop in pairwise(bounds.tolist()):
        row = int(rows[begin])
        area = np.nan_to_num(areas_of.block(slice(row, row + 1), slice(0, width))[0], nan=0.0)
        if weights is not None:
            if row >= top + len(stripe):
                top = row - row % STRIPE
                stripe = np.asarray(weights[top : top + STRIPE], np.float64)
            area = area * np.nan_to_num(stripe[row - top], nan=0.0)
        summed = np.concatenate([[0.0], np.cumsum(area)])
        sums[begin:stop] = summed[right[begin:stop]] - summed[left[begin:stop]]
    return sums


def _variances(
    outline: Outline, body: Integers, count: int, areas_of: PixelAreas, finer: float
) -> Floats:
    """Sum the shore of each body, and give the variance of its area, km⁴."""
    shore = np.nonzero(outline.beyond == LAND)[0]
    columns, rows = (outline.start[shore] + _INSIDE[outline.heading[shore]]).T
    km2 = np.zeros(len(shore))
    order = np.argsort(rows, kind="stable")
    width = int(areas_of.columns[-1]) + 1
    for part in np.split(order, np.nonzero(np.diff(rows[order]))[0] + 1):
        if len(part):
            row = int(rows[part[0]])
            area = areas_of.block(slice(row, row + 1), slice(0, width))[0]
            km2[part] = np.nan_to_num(area[columns[part]], nan=0.0)
    total, squared = (np.bincount(body[shore], km2**power, count) for power in (1, 2))
    variance: Floats = shore_variance(total, squared, finer)
    return variance


def _meeting_at_corners(outline: Outline) -> tuple[Integers, Integers]:
    """Pair edges that begin at the same place: there, pixels of water touch at a corner."""
    x, y = outline.start.T
    order = np.lexsort((x, y))
    same = (np.diff(x[order]) == 0) & (np.diff(y[order]) == 0)
    return order[:-1][same], order[1:][same]


def _simple_rings(chain: Integers) -> list[Floats]:
    """Divide a closed chain where it touches itself, and leave out points on straight lines."""
    codes = (chain[:, 0] << 32) | chain[:, 1]
    if len(np.unique(codes[:-1])) == len(codes) - 1:
        return [_corners(chain)]
    rings: list[Floats] = []
    way: list[int] = []
    at: dict[int, int] = {}
    for number, code in enumerate(codes.tolist()):
        if code in at:
            begin = at[code]
            rings.append(_corners(chain[[*way[begin:], number]]))
            for passed in way[begin:]:
                del at[int(codes[passed])]
            del way[begin:]
        at[code] = len(way)
        way.append(number)
    return rings


def _corners(ring: Integers) -> Floats:
    """Keep the points of a ring (the last is the first) where it bends."""
    points = ring[:-1]
    bends = (np.roll(points, 1, axis=0) + np.roll(points, -1, axis=0) != 2 * points).any(axis=1)
    kept = points[bends]
    return np.concatenate([kept, kept[:1]]).astype(np.float64)


def _table(
    bodies: _Bodies, large: NDArray[np.bool_], when: np.datetime64, grid: GeoBox
) -> dict[str, NDArray[Any]]:
    """Make the columns of one date, the largest body first."""
    polygons, islands = _polygons(bodies, large, grid)
    chosen = np.nonzero(large)[0]
    # Equal bodies stay in the order of the map.
    order = np.argsort(-bodies.km2[chosen], kind="stable")
    chosen, geometry = chosen[order], polygons[order]
    return {
        "date": np.full(len(chosen), when, "M8[ms]"),
        "area_km2": bodies.km2[chosen],
        **bounds(bodies.km2[chosen], bodies.variance[chosen]),
        "perimeter_km": lengths_km(geometry, crs_of(grid)),
        "pixels": bodies.pixels[chosen],
        "islands": islands[order],
        "touches_unobserved": bodies.touches_unseen[chosen],
        "touches_border": bodies.touches_border[chosen],
        **({} if bodies.confidence is None else {"confidence": bodies.confidence[chosen]}),
        "geometry": geometry,
    }


def _polygons(
    bodies: _Bodies, large: NDArray[np.bool_], grid: GeoBox
) -> tuple[NDArray[Any], Integers]:
    """Make a multipolygon of each body that is large enough, and count its islands."""
    outer: dict[int, Any] = {}
    inner: dict[int, list[Any]] = {}
    for ring, part in zip(bodies.rings, bodies.part_of_ring.tolist(), strict=True):
        if large[bodies.body_of_part[part]]:
            line = LinearRing(to_map(ring, grid))
            if shapely.is_ccw(line):
                outer[part] = line
            else:
                inner.setdefault(part, []).append(line)
    chosen = np.nonzero(large)[0]
    parts: dict[int, list[Any]] = {body: [] for body in chosen.tolist()}
    islands = np.zeros(len(large), np.int64)
    for part in sorted(outer):
        body, holes = int(bodies.body_of_part[part]), inner.get(part, [])
        parts[body].append(Polygon(outer[part], holes))
        islands[body] += len(holes)
    polygons = [MultiPolygon(of_body) for of_body in parts.values()]
    return np.array(polygons, dtype=object), islands[chosen]
