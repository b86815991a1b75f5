"""The line between water and land, as geometries with attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry import LineString

from strandline.change.area import is_change_map
from strandline.change.contour import contour_lines
from strandline.change.geodesic import lengths_km
from strandline.change.outline import outline_of
from strandline.change.pixel_area import pixel_metres
from strandline.errors import ConfigurationError, MissingDependencyError, how_to_install
from strandline.prepare.classes import stored_classes
from strandline.prepare.georeference import crs_of, grid_of, place

if TYPE_CHECKING:
    import geopandas
    from odc.geo.geobox import GeoBox

CUTS = 2
"""How often corners are cut to smooth a line: more is not seen any more."""

PIXEL_EDGES, WATER_FRACTION = "pixel edges", "water fraction"

Floats = NDArray[np.float64]


def shorelines(
    fraction_or_mask: xr.DataArray, *, level: float = 0.5, smooth: bool = False
) -> geopandas.GeoDataFrame:
    """Draw the line between water and land.

    From a water fraction it is the line on which half of a pixel would be water, to a part of a
    pixel; from a water mask the edges between pixels of water and of land. There is no line
    where one side was not observed, nor along the border of the map: a line that comes there
    ends. Islands have lines of their own.

    Parameters
    ----------
    fraction_or_mask : DataArray of shape (y, x) or (time, y, x)
        A water fraction (float, 0 to 1, NaN not observed) or a water mask (uint8). A Dask array
        is computed in stripes of rows.
    level : float
        The water fraction on the line, between 0 and 1. For a mask it has no meaning.
    smooth : bool
        Cut the corners of the line (Chaikin, 1974), twice. The points that the line is smoothed
        from are at most a pixel apart (1.5 for a fraction), so it stays within half a pixel of
        the raw one.

    Returns
    -------
    GeoDataFrame
        A row per line, in the CRS of the map, the water on the left of its direction:

        - ``date``: when, if the map has a time;
        - ``length_km``: along the ellipsoid. Pixel edges are up to 4 / pi times longer than the
          shore that they follow;
        - ``closed``: whether it ends where it began;
        - ``island``: whether it is closed around land;
        - ``width_m``: how sharp the shore is: the distance from water fraction 0.25 to 0.75,
          by the slope of the fraction along the line (median). About a pixel where the shore is
          sharp, more where it is flat, overgrown or blurred. For a mask the size of a pixel;
        - ``made_from``: ``water fraction`` or ``pixel edges``;
        - ``smoothed``.

    Raises
    ------
    ConfigurationError
        If the array is neither, or `level` is not between 0 and 1.
    GridError, MissingCRSError
        If the map has no grid.
    MissingDependencyError
        If geopandas or contourpy are not installed.

    Notes
    -----
    Water narrower than about half a pixel has no line: the fraction stays below the level.

    References
    ----------
    Chaikin, "An algorithm for high-speed curve generation", Computer Graphics and Image
    Processing 3 (1974).

    Examples
    --------
    >>> from strandline.testing.lakes import lake_fraction, lake_grid, mask_of
    >>> from strandline.prepare.georeference import attach_grid
    >>> grid = lake_grid()
    >>> water = xr.DataArray(lake_fraction(grid, radius=600), dims=("y", "x"))
    >>> line = shorelines(attach_grid(water, grid))
    >>> line["closed"].tolist(), line["length_km"].round(2).tolist(), round(2 * np.pi * 0.6, 2)
    ([True], [3.78], 3.77)
    """
    array, is_mask = _checked(fraction_or_mask, level)
    grid = grid_of(array)
    tables = []
    for when, plane in dated_planes(array):
        if is_mask:
            lines = [
                np.asarray(chain, float) for chain in outline_of(plane, land_only=True).chains()
            ]
            widths = np.full(len(lines), pixel_metres(grid))
        else:
            sloped = contour_lines(plane, level)
            lines = [line[:, :2] for line in sloped]
            widths = np.array([_width(line[:, 2]) for line in sloped]) * pixel_metres(grid)
        tables.append((when, [_smoothed(line) if smooth else line for line in lines], widths))
    made_from = PIXEL_EDGES if is_mask else WATER_FRACTION
    return _frame(tables, grid, made_from, smooth)


def needs_vector(task: str, error: ImportError) -> MissingDependencyError:
    """Make the error for a package that geometries need."""
    return MissingDependencyError(
        f"{task} needs '{error.name}', which is not installed.",
        remedy=how_to_install("vector"),
    )


def dated_planes(array: xr.DataArray) -> Iterator[tuple[Any, Any]]:
    """Yield the time and the values of each date, NaT where it is not known."""
    dated = array.transpose("time", "y", "x") if "time" in array.dims else array.expand_dims("time")
    for number in range(dated.sizes["time"]):
        plane = dated.isel(time=number)
        when = plane["time"].values if "time" in plane.coords else np.datetime64("NaT")
        yield when.astype("datetime64[ms]"), plane.transpose("y", "x").data


def to_map(line: Floats, grid: GeoBox) -> Floats:
    """Take positions in pixels to the map, with what is on their left still on their left."""
    x, y = place(grid.affine, line[:, 0], line[:, 1])
    points: Floats = np.column_stack([x, y])
    # Usually y runs downwards, and the map is the mirror image of the rows and columns.
    return points[::-1] if grid.affine.determinant < 0 else points


def _checked(array: xr.DataArray, level: float) -> tuple[xr.DataArray, bool]:
    if not 0 < level < 1:
        raise ConfigurationError(
            "level= is not a water fraction.", expected="between 0 and 1", got=f"{level:g}"
        )
    array = stored_classes(array)
    is_mask = array.dtype in (np.uint8, bool)
    fits = {"y", "x"} <= set(array.dims) <= {"time", "y", "x"}
    if not fits or not (is_mask or array.dtype.kind == "f") or is_change_map(array):
        raise ConfigurationError(
            "Shorelines need a water fraction or a water mask.",
            expected="an array of floats or uint8, of dimensions (y, x) or (time, y, x)",
            got=f"{array.name or 'an array'} of {array.dtype} and dimensions "
            f"{tuple(map(str, array.dims))}",
            remedy="Pass what water_fraction or water_mask returned.",
        )
    if is_mask and level != 0.5:
        raise ConfigurationError(
            "level= has no meaning for a water mask.",
            expected="a water fraction",
            got=f"level={level:g} and a mask",
            remedy="Pass what water_fraction returned, or leave level= out.",
        )
    return (array.astype(np.uint8) if is_mask else array), is_mask


def _width(slopes: Floats) -> float:
    """Pixels from water fraction 0.25 to 0.75; NaN where the slope is not known."""
    known = slopes[slopes > 0]
    return 0.5 / float(np.median(known)) if known.size else np.nan


def _smoothed(line: Floats) -> Floats:
    """Cut the corners of a line (Chaikin, 1974); the ends of an open one stay where they are."""
    closed = bool((line[0] == line[-1]).all())
    for _ in range(CUTS):
        near = 0.75 * line[:-1] + 0.25 * line[1:]
        far = 0.25 * line[:-1] + 0.75 * line[1:]
        cut = np.stack([near, far], axis=1).reshape(-1, 2)
        ends = (cut, cut[:1]) if closed else (line[:1], cut, line[-1:])
        line = np.concatenate(ends)
    return line


def _straightened(line: Floats) -> Floats:
    """Leave out the points on a straight line; only pixel edges have many."""
    if len(line) < 3:
        return line
    steps = np.diff(line, axis=0)
    bend = steps[:-1, 0] * steps[1:, 1] != steps[:-1, 1] * steps[1:, 0]
    straightened: Floats = line[np.concatenate([[True], bend, [True]])]
    return straightened


def _frame(
    tables: list[tuple[Any, list[Floats], Floats]],
    grid: GeoBox,
    made_from: str,
    smooth: bool,
) -> geopandas.GeoDataFrame:
    """Put the lines of all dates into one table."""
    try:
        import geopandas
    except ImportError as error:
        raise needs_vector("Drawing shorelines", error) from error

    lines = [line for _, of_date, _ in tables for line in of_date]
    counts = [len(of_date) for _, of_date, _ in tables]
    dates = np.array([when for when, *_ in tables], "M8[ms]")
    closed = np.array([bool((line[0] == line[-1]).all()) for line in lines], bool)
    geometry = np.array(
        [LineString(to_map(_straightened(line), grid)) for line in lines], dtype=object
    )
    columns = {
        "date": np.repeat(dates, counts),
        "length_km": lengths_km(geometry, crs_of(grid)),
        "closed": closed,
        "island": closed & np.array([_signed_area(line) < 0 for line in lines], bool),
        "width_m": np.concatenate([np.zeros(0), *(widths for *_, widths in tables)]),
        "made_from": np.full(len(lines), made_from, dtype=object),
        "smoothed": np.full(len(lines), smooth),
    }
    return geopandas.GeoDataFrame(columns, geometry=geometry, crs=crs_of(grid))


def _signed_area(line: Floats) -> float:
    x, y = (line - line[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
