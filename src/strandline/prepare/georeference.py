"""Where an array lies on the Earth, read once and compared the same way everywhere."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from xarray import DataArray

from strandline.accessors import register
from strandline.errors import GridError, MissingCRSError

if TYPE_CHECKING:
    import xarray as xr

ALIGNED = 1e-3
"""Two lattices are one when they differ by less than this fraction of a pixel."""


UNEVEN = 0.05
"""Pixel centres may be off their even spacing by this fraction of a pixel, and no more."""


def grid_of(scene: xr.DataArray | xr.Dataset | GeoBox) -> GeoBox:
    """Read the grid of a georeferenced array.

    Parameters
    ----------
    scene : xarray.DataArray, xarray.Dataset or odc.geo.geobox.GeoBox
        Anything with dimensions ``y`` and ``x`` and a CRS (``spatial_ref`` or attributes);
        a grid is returned as it is.

    Returns
    -------
    odc.geo.geobox.GeoBox
        The grid of the pixels.

    Raises
    ------
    MissingCRSError
        If nothing says which CRS the coordinates are in.
    GridError
        If there is a CRS, but the coordinates do not form a regular grid.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> grid_of(round_lake(shape=(20, 30))).shape
    Shape2d(x=30, y=20)
    """
    if isinstance(scene, GeoBox):
        return _with_short_crs(scene)
    if not {"y", "x"} <= set(scene.dims):
        raise GridError(
            "An array without a map plane has no grid.",
            expected="dimensions y and x",
            got=f"dimensions {tuple(map(str, scene.dims))}",
        )
    if 0 in (scene.sizes["y"], scene.sizes["x"]):
        raise GridError(
            "Scene has no pixels.",
            expected="at least one row and one column",
            got=f"{scene.sizes['y']} rows and {scene.sizes['x']} columns",
        )
    if scene.odc.crs is None:
        raise MissingCRSError("Scene has no CRS.", remedy="Pass crs=… or georeference the file.")
    if isinstance(scene, DataArray):
        scene = placed(scene)
    found = scene.odc.geobox
    if not isinstance(found, GeoBox) or not _is_regular(scene):
        raise GridError(
            "The coordinates y and x of the scene do not form a regular grid.",
            expected="evenly spaced pixel centres (or a GeoTransform, where there is one pixel)",
            got=f"{scene.sizes['y']} rows and {scene.sizes['x']} columns",
            remedy="Reproject the scene to a regular grid first.",
        )
    return _with_short_crs(found)


def placed(scene: xr.DataArray) -> xr.DataArray:
    """Move coordinates that name corners of pixels, as stackstac's do, to the centres."""
    if "transform" not in scene.attrs and not any(
        "GeoTransform" in coord.attrs for coord in scene.coords.values()
    ):
        return scene
    from strandline.scenes.contract import placed_by_transform  # only now: slow to import

    return placed_by_transform(scene)


def _is_regular(scene: xr.DataArray | xr.Dataset) -> bool:
    """Say whether the pixel centres are evenly spaced, up to rounding in float32."""
    for name in ("y", "x"):
        centres = scene.coords.get(name)
        if centres is None or centres.ndim != 1 or centres.size < 3:
            continue
        even = np.linspace(centres.values[0], centres.values[-1], centres.size)
        step = abs(even[1] - even[0])
        if not np.abs(centres.values - even).max() < UNEVEN * step:
            return False
    return True


def _with_short_crs(grid: GeoBox) -> GeoBox:
    """Name the CRS by its EPSG code where that says the same as its full text."""
    crs = grid.crs
    if crs is None:
        raise MissingCRSError("Grid has no CRS.", remedy="Make the grid with crs=….")
    if crs.epsg is None or str(crs) == f"EPSG:{crs.epsg}":
        return grid
    short = CRS(f"EPSG:{crs.epsg}")
    return GeoBox(grid.shape, grid.affine, short) if short == crs else grid


def crs_of(grid: GeoBox) -> pyproj.CRS:
    """Give the CRS of a grid as pyproj knows it."""
    if grid.crs is None:
        raise MissingCRSError("Grid has no CRS.", remedy="Make the grid with crs=….")
    crs: pyproj.CRS = grid.crs.proj
    return crs


def ellipsoid(crs: pyproj.CRS) -> tuple[float, float]:
    """Give the equatorial radius (m) and the squared eccentricity of a CRS's Earth."""
    shape = crs.ellipsoid
    if shape is None:
        raise GridError(
            "The CRS is not on Earth.", expected="a CRS with an ellipsoid", got=str(crs.name)
        )
    a, b = float(shape.semi_major_metre), float(shape.semi_minor_metre)
    return a, 1 - (b / a) ** 2


def attach_grid(array: xr.DataArray, grid: GeoBox) -> xr.DataArray:
    """Return an array with the coordinates and the CRS of a grid, for `.odc` and `.rio`."""
    register()
    attached = array.drop_vars("spatial_ref", errors="ignore")
    return attached.assign_coords(xr_coords(grid, always_yx=True))


def place(affine: Affine, x: Any, y: Any) -> tuple[Any, Any]:
    """Apply an affine transform to positions, numbers or arrays."""
    # Written out: the operator for it differs between the versions of affine.
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def pixel_offset(grid: GeoBox, other: GeoBox) -> tuple[int, int] | None:
    """Count the rows and columns from the first pixel of ``other`` to the first of ``grid``.

    None if the two do not share one lattice: another CRS, another pixel size, a rotation,
    or a shift by a part of a pixel anywhere within ``grid``.
    """
    if grid.crs != other.crs:
        return None
    rows, columns = grid.shape
    x, y = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], dtype=float).T
    at_x, at_y = place(~other.affine, *place(grid.affine, x, y))
    column, row = round(at_x[0]), round(at_y[0])
    if max(np.abs(at_x - x - column).max(), np.abs(at_y - y - row).max()) > ALIGNED:
        return None
    return row, column


def same_grid(grid: GeoBox, other: GeoBox) -> bool:
    """Say whether two grids have the same pixels, up to rounding in their coordinates."""
    return grid.shape == other.shape and pixel_offset(grid, other) == (0, 0)


def describe_crs(crs: CRS | None) -> str:
    """Name a CRS in a few words: its EPSG code, or else its own name."""
    if crs is None:
        return "no CRS"
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs.proj.name)


def describe_grid(grid: GeoBox) -> str:
    """Say in one line what a reader needs to tell two grids apart."""
    rows, columns = grid.shape
    size_x, size_y = abs(grid.resolution.x), abs(grid.resolution.y)
    size = f"{size_x:.9g}" if math.isclose(size_x, size_y) else f"{size_x:.9g} x {size_y:.9g}"
    west, south, east, north = grid.boundingbox.bbox
    return (
        f"{rows} x {columns} pixels of {size} in {describe_crs(grid.crs)}, "
        f"x {west:.9g} to {east:.9g}, y {south:.9g} to {north:.9g}"
    )


def no_overlap(source: GeoBox, target: GeoBox) -> GridError:
    """Make the error for a scene that lies elsewhere than the grid."""
    remedy = "Check the centre of the grid (longitude first) and the scene's CRS."
    west, south, east, north = _degrees(target)
    longitude, latitude = (west + east) / 2, (south + north) / 2
    if is_on_earth(latitude, longitude) and _is_inside(
        source, *_position(source, latitude, longitude)
    ):
        remedy = (
            "Longitude comes first: with the two swapped, the area has its centre at longitude "
            f"{latitude:.6g}, latitude {longitude:.6g}, which the scene covers."
        )
    return GridError(
        "Scene and grid do not overlap.",
        expected=f"a scene that covers part of the grid ({describe_grid(target)})",
        got=f"one of {describe_grid(source)}",
        remedy=remedy,
    )


FARTHEST_LONGITUDE = 540.0
"""Longitudes may be counted from any turn: from -180, from 0, or on across the antimeridian."""


def within_a_turn(longitude: float) -> float:
    """Give the longitude from -180 to 180 that means the same; those are left as they are.

    Examples
    --------
    >>> within_a_turn(241.25), within_a_turn(-118.75), within_a_turn(180.0)
    (-118.75, -118.75, 180.0)
    """
    return longitude if -180 <= longitude <= 180 else (longitude + 180) % 360 - 180


def turn_of(crs: CRS) -> float | None:
    """Find after how many units of x a CRS comes to the same place again.

    Parameters
    ----------
    crs : odc.geo.crs.CRS

    Returns
    -------
    float or None
        360 where x is a longitude in degrees, the width of the world in Web Mercator and other
        cylindrical projections; None in all others.

    Examples
    --------
    >>> turn_of(CRS("EPSG:4326")), round(turn_of(CRS("EPSG:3857"))), turn_of(CRS("EPSG:32611"))
    (360.0, 40075017, None)
    """
    if crs.geographic:
        return float(2 * math.pi / crs.proj.axis_info[0].unit_conversion_factor)
    to_base = pyproj.Transformer.from_crs(crs.proj, crs.proj.geodetic_crs, always_xy=True)
    middle, _ = to_base.transform(0.0, 0.0)
    nearly = 180 - 1e-7
    x, y = to_base.transform(
        np.array([middle - nearly, middle - nearly, middle + nearly, middle + nearly]),
        np.array([0.0, 50.0, 0.0, 50.0]),
        direction="INVERSE",
    )
    if not (np.isfinite(x).all() and np.isfinite(y).all() and x[2] > x[0]):
        return None
    straight = max(abs(x[0] - x[1]), abs(x[2] - x[3]), abs(y[0] - y[2])) < 1e-6 * (x[2] - x[0])
    return float(x[2] - x[0]) * 180 / nearly if straight else None


def turned(grid: GeoBox, x: float) -> GeoBox:
    """Move a grid by whole turns of the Earth, to where its middle is nearest to an `x`."""
    turn = turn_of(grid.crs) if grid.crs is not None else None
    if turn is None or not math.isfinite(x):
        return grid
    rows, columns = grid.shape
    middle, _ = place(grid.affine, columns / 2, rows / 2)
    turns = round((x - middle) / turn)
    if turns == 0:
        return grid
    return GeoBox(grid.shape, Affine.translation(turns * turn, 0) * grid.affine, grid.crs)


def recentred(grid: GeoBox) -> GeoBox:
    """Count a grid that goes on beyond the edge of its world map from its own middle.

    Transformations give x within the world map; a source that lies across its edge, as one across
    the antimeridian does, would be found in part only.

    Parameters
    ----------
    grid : GeoBox

    Returns
    -------
    GeoBox
        The same pixels in a CRS that differs in where longitudes are counted from; the grid itself
        where it lies within the map.
    """
    if grid.crs is None:
        return grid
    turn = turn_of(grid.crs)
    west, _, east, _ = grid.boundingbox.bbox
    if turn is None or max(-west, east) <= turn / 2 * (1 + 1e-12):
        return grid
    middle = (west + east) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what PROJ strings leave out
        terms = crs_of(grid).to_dict()
    key = "pm" if grid.crs.geographic else "lon_0"
    terms[key] = float(terms.get(key, 0.0)) + middle / turn * 360
    crs = CRS(pyproj.CRS.from_dict(terms).to_wkt())
    return GeoBox(grid.shape, Affine.translation(-middle, 0) * grid.affine, crs)


def check_point(point: Any, name: str = "at") -> tuple[float, float]:
    """Read a place in longitude and latitude.

    Parameters
    ----------
    point : (float, float)
        Longitude and latitude, in degrees (WGS84).
    name : str
        What the parameter is called, for messages.

    Returns
    -------
    (float, float)

    Raises
    ------
    GridError
        If it is not on Earth.
    """
    try:
        longitude, latitude = (float(number) for number in point)
    except (TypeError, ValueError) as error:
        raise GridError(
            "The point cannot be read.",
            expected="(longitude, latitude) in degrees",
            got=repr(point),
        ) from error
    if not is_on_earth(longitude, latitude):
        raise GridError(
            "The point is not on Earth.",
            expected="longitude from -180 to 180 (or 0 to 360) and then latitude from -90 to 90, "
            "in degrees",
            got=f"({longitude:g}, {latitude:g})",
            remedy=longitude_first(longitude, latitude, name),
        )
    return longitude, latitude


def is_on_earth(longitude: float, latitude: float) -> bool:
    """Say whether degrees of longitude and latitude are a place on Earth."""
    return abs(longitude) <= FARTHEST_LONGITUDE and -90 <= latitude <= 90


def longitude_first(longitude: float, latitude: float, name: str) -> str:
    """Propose the other order of two numbers where that is a place on Earth.

    Examples
    --------
    >>> longitude_first(38.69, -118.7, "center")
    'Longitude comes first: center=(-118.7, 38.69).'
    >>> longitude_first(487005, 4282995, "center")
    'Longitude comes first, and both are in degrees.'
    """
    if is_on_earth(latitude, longitude):
        return f"Longitude comes first: {name}=({latitude:.9g}, {longitude:.9g})."
    return "Longitude comes first, and both are in degrees."


def pixel_at(grid: GeoBox, point: tuple[float, float], name: str = "at") -> tuple[int, int]:
    """Find the pixel that contains a place.

    Parameters
    ----------
    grid : GeoBox
    point : (float, float)
        Longitude and latitude, in degrees (WGS84); longitudes from -180 to 180 or from 0 to 360,
        whichever way the grid counts them.
    name : str
        What the parameter is called, for messages.

    Returns
    -------
    (int, int)
        Row and column.

    Raises
    ------
    GridError
        If the point is not on Earth, or lies outside the grid.
    """
    longitude, latitude = check_point(point, name)
    row, column = _position(grid, longitude, latitude)
    if not _is_inside(grid, row, column):
        swapped = is_on_earth(latitude, longitude) and _is_inside(
            grid, *_position(grid, latitude, longitude)
        )
        west, south, east, north = _degrees(grid)
        raise GridError(
            f"The point ({longitude:g}, {latitude:g}) lies outside the map.",
            expected=f"a place within longitude {west:.4f} to {east:.4f}, latitude {south:.4f} to "
            f"{north:.4f} ({describe_grid(grid)})",
            remedy=longitude_first(longitude, latitude, name)
            if swapped
            else "Longitude comes first, then latitude.",
        )
    return int(row), int(column)


def _position(grid: GeoBox, longitude: float, latitude: float) -> tuple[float, float]:
    """Compute the row and column of a place, as fractions; infinite out of the CRS's reach."""
    to_grid = pyproj.Transformer.from_crs("EPSG:4326", crs_of(grid), always_xy=True)
    x, y = to_grid.transform(within_a_turn(longitude), latitude)
    # A grid may begin at longitude 0, or go on beyond 180: look where it is from the point.
    column, row = place(~turned(grid, x).affine, x, y)
    return row, column


def _is_inside(grid: GeoBox, row: float, column: float) -> bool:
    rows, columns = grid.shape
    return bool(0 <= row < rows and 0 <= column < columns)


def _degrees(grid: GeoBox) -> tuple[float, float, float, float]:
    """Compute the bounds of a grid in degrees: west, south, east, north."""
    to_degrees = pyproj.Transformer.from_crs(crs_of(grid), "EPSG:4326", always_xy=True)
    west, south, east, north = to_degrees.transform_bounds(*grid.boundingbox.bbox)
    return west, south, east, north
