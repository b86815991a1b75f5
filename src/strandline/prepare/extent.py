"""Find the bounds of a place in a CRS: around a point, a box, a geometry or another grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyproj
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry

from strandline.errors import GridError
from strandline.prepare.georeference import (
    FARTHEST_LONGITUDE,
    describe_crs,
    ellipsoid,
    longitude_first,
    turn_of,
    within_a_turn,
)

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

LONLAT = "EPSG:4326"
TRUE_TO_SCALE = 2e-3
"""A CRS in which lengths are off by no more than this is taken for true: UTM within its zone is,
and national grids are; Web Mercator, and polar grids away from their true parallel, are not."""

_PIECES = 64  # an edge is reprojected as so many straight pieces


class Bounds(NamedTuple):
    """West, south, east and north in some CRS."""

    west: float
    south: float
    east: float
    north: float


def read_crs(given: Any) -> CRS | None:
    """Read a CRS from a code, name, WKT or object; None stays None."""
    if given is None:
        return None
    try:
        return CRS(given)
    except (pyproj.exceptions.CRSError, ValueError, TypeError) as error:
        raise GridError(
            "CRS is not known.", expected="an EPSG code, name or WKT", got=repr(given)
        ) from error


def utm_crs(longitude: float, latitude: float) -> CRS:
    """Find the WGS 84 UTM zone of a place.

    The exceptions of Norway and Svalbard are left out: a wider zone is a matter of map
    sheets, not of geometry.

    Parameters
    ----------
    longitude, latitude : float
        Degrees.

    Returns
    -------
    odc.geo.crs.CRS
        EPSG:326xx north of the equator, EPSG:327xx south of it.

    Raises
    ------
    GridError
        Beyond 84° N and 80° S, where UTM ends.

    Examples
    --------
    >>> utm_crs(-118.7, 38.7), utm_crs(180.0, -17.0)
    (CRS('EPSG:32611'), CRS('EPSG:32701'))
    """
    if not -80 <= latitude <= 84:
        raise GridError(
            "UTM does not reach the poles.",
            expected="a latitude from -80 to 84",
            got=f"{latitude:g}",
            remedy="Pass crs=…, for example EPSG:3413 (Arctic) or EPSG:3031 (Antarctic).",
        )
    zone = math.floor(((longitude + 180) % 360) / 6) + 1
    return CRS(f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}")


def _check_lonlat(
    longitude: float, latitude: float, what: str, swapped_box: str | None = None
) -> None:
    if abs(longitude) <= FARTHEST_LONGITUDE and -90 <= latitude <= 90:
        return
    swapped = abs(latitude) <= 360 and -90 <= longitude <= 90
    raise GridError(
        f"{what} is not on Earth.",
        expected="longitude from -180 to 180 (or 0 to 360) and then latitude from -90 to 90, "
        "in degrees",
        got=f"({longitude:g}, {latitude:g})",
        remedy=swapped_box or longitude_first(longitude, latitude, "center")
        if swapped
        else "Coordinates in another CRS need bbox_crs=….",
    )


def read_numbers(values: Any, count: int, what: str) -> list[float]:
    """Read so many finite numbers from a sequence."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise GridError(
            f"{what} cannot be read.", expected=f"{count} finite numbers", got=repr(values)
        )
    return numbers


def around_point(
    center: Any, margin: tuple[float, float], wanted: CRS | None
) -> tuple[CRS, Bounds]:
    """Find the bounds at a distance from a point in longitude and latitude."""
    longitude, latitude = read_numbers(center, 2, "The centre")
    _check_lonlat(longitude, latitude, "The centre")
    longitude = within_a_turn(longitude)
    target = wanted or utm_crs(longitude, latitude)
    x, y = project(np.array([longitude]), np.array([latitude]), CRS(LONLAT), target)
    return target, widened(Bounds(x[0], y[0], x[0], y[0]), margin, target)


def around_bbox(
    bbox: Any, source: CRS | None, margin: tuple[float, float], wanted: CRS | None
) -> tuple[CRS, Bounds]:
    """Find the bounds of a box, whose edges are curves in another CRS."""
    west, south, east, north = read_numbers(bbox, 4, "The bounding box")
    in_degrees = source is None or source.geographic
    if in_degrees:
        box = (south, west, north, east)
        swap = f"Longitude comes first: bbox=({', '.join(f'{side:.9g}' for side in box)})."
        _check_lonlat(west, south, "The south-west corner of the bounding box", swap)
        _check_lonlat(east, north, "The north-east corner of the bounding box", swap)
        if west > east:
            east += 360
        if east - west > 360:
            raise GridError(
                "The bounding box goes around the Earth more than once.",
                expected="at most 360 degrees from west to east",
                got=f"{east - west:g}",
            )
        begin = within_a_turn(west)
        west, east = begin, begin + (east - west)
    if not (west < east and south < north):
        raise GridError(
            "The bounding box is empty.",
            expected="west < east and south < north, as (west, south, east, north)",
            got=repr(tuple(bbox)),
        )
    along = np.linspace(0, 1, _PIECES + 1)
    # The inside takes part too: the pole may lie there, beyond all of the edges.
    x, y = np.meshgrid(west + along * (east - west), south + along * (north - south))
    return _around_points(x.ravel(), y.ravel(), source or CRS(LONLAT), margin, wanted)


def around_grid(model: GeoBox, target: CRS, margin: tuple[float, float]) -> tuple[CRS, Bounds]:
    """Find the bounds of another grid."""
    if target == model.crs:
        return target, widened(Bounds(*model.boundingbox.bbox), margin, target)
    return around_bbox(model.boundingbox.bbox, model.crs, margin, target)


def around_geometry(
    geometry: Any, named: CRS | None, margin: tuple[float, float], wanted: CRS | None
) -> tuple[CRS, Bounds]:
    """Find the bounds of a geometry, whose edges are curves in another CRS."""
    import shapely

    shape, own = _shape(geometry)
    source = own or named or CRS(LONLAT)
    if shape.is_empty:
        raise GridError("The geometry is empty.", remedy="Pass a geometry with coordinates.")
    west, south, east, north = shape.bounds
    if source.geographic:
        swap = "Longitude comes first: swap the two in all points."
        _check_lonlat(west, south, "The south-west corner of the geometry", swap)
        _check_lonlat(east, north, "The north-east corner of the geometry", swap)
        shape = _nearest_turn(shape)
    length = max(east - west, north - south)
    if length > 0:
        shape = shapely.segmentize(shape, length / _PIECES)  # type: ignore[no-untyped-call]  # untyped
    x, y = shapely.get_coordinates(shape).T
    return _around_points(x, y, source, margin, wanted)


def _nearest_turn(shape: BaseGeometry) -> BaseGeometry:
    """Move a shape in degrees by whole turns to longitudes from -180, and join what 180 cuts."""
    import shapely
    from shapely.geometry import GeometryCollection

    west, _, east, _ = shape.bounds
    if east - west > 180 and len(parts := shapely.get_parts(shape)) > 1:
        # Parts on both sides of the antimeridian, as GeoJSON has to cut what crosses it.
        moved = [_shifted(part, 360 if part.bounds[2] <= 0 else 0) for part in parts]
        joined = GeometryCollection(moved)  # type: ignore[no-untyped-call]  # untyped
        if joined.bounds[2] - joined.bounds[0] < 180:
            shape = joined
    west = shape.bounds[0]
    return _shifted(shape, within_a_turn(west) - west)


def _shifted(shape: BaseGeometry, degrees: float) -> BaseGeometry:
    from shapely import affinity

    return affinity.translate(shape, degrees) if degrees else shape  # type: ignore[no-untyped-call]  # untyped


def _shape(geometry: Any) -> tuple[BaseGeometry, CRS | None]:
    """Read any geometry, and its CRS where it names one."""
    from shapely.geometry import GeometryCollection, shape

    if isinstance(geometry, Geometry):
        return geometry.geom, geometry.crs
    own = read_crs(getattr(geometry, "crs", None))
    content = getattr(geometry, "__geo_interface__", geometry)
    try:
        if content["type"] == "FeatureCollection":
            parts = [shape(feature["geometry"]) for feature in content["features"]]  # type: ignore[no-untyped-call]  # untyped
            return GeometryCollection(parts), own  # type: ignore[no-untyped-call]  # untyped
        single = content["geometry"] if content["type"] == "Feature" else content
        return shape(single), own  # type: ignore[no-untyped-call]  # untyped
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
        mapping = isinstance(content, Mapping)
        raise GridError(
            "The geometry cannot be read.",
            expected="a GeoJSON-like mapping, or an object with __geo_interface__",
            got=f"keys {sorted(map(str, content))}" if mapping else type(geometry).__name__,
        ) from error


def _around_points(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    source: CRS,
    margin: tuple[float, float],
    wanted: CRS | None,
) -> tuple[CRS, Bounds]:
    target = wanted
    if target is None:
        middle = np.array([(x.min() + x.max()) / 2]), np.array([(y.min() + y.max()) / 2])
        longitude, latitude = project(*middle, source, CRS(LONLAT))
        target = utm_crs(float(longitude[0]), float(latitude[0]))
    if source != target:
        longitudes, (x, y) = x, project(x, y, source, target)
        turn = turn_of(target) if source.geographic else None
        if turn is not None:
            # A world map is cut somewhere; a place that lies across the cut goes on beyond it.
            ahead = (longitudes - longitudes[0]) / turn_of(source) * turn
            x = x + turn * np.round((x[0] + ahead - x) / turn)
    return target, widened(Bounds(x.min(), y.min(), x.max(), y.max()), margin, target)


def project(
    x: NDArray[np.float64], y: NDArray[np.float64], source: CRS, target: CRS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transform points; an error where the target CRS does not reach."""
    there = pyproj.Transformer.from_crs(source.proj, target.proj, always_xy=True)
    new_x, new_y = there.transform(x, y)
    back_x, back_y = there.transform(new_x, new_y, direction="INVERSE")
    # A projection out of its reach gives infinity, or a point that does not lead back.
    reached = np.isfinite(new_x) & np.isfinite(new_y) & np.isfinite(back_x) & np.isfinite(back_y)
    off_x, off_y = np.where(reached, back_x - x, 0), np.where(reached, back_y - y, 0)
    if source.geographic:
        # Whole turns do not count, and at the pole any longitude is right.
        off_x = ((off_x + 180) % 360 - 180) * np.cos(np.radians(y))
    reached &= np.hypot(off_x, off_y) < (1e-5 if source.geographic else 1.0)
    if not reached.all():
        lost = int(np.argmin(reached))
        raise GridError(
            f"{describe_crs(target)} does not reach the place.",
            expected=f"coordinates within reach of {target.proj.name}",
            got=f"({x[lost]:.6g}, {y[lost]:.6g}) in {describe_crs(source)}",
            remedy="Pass another crs=…, or none for the UTM zone of the place.",
        )
    return new_x, new_y


def near_turn(bounds: Bounds, model: GeoBox) -> Bounds:
    """Move bounds by whole turns of the Earth, to where a grid in the same CRS counts from."""
    turn = turn_of(model.crs) if model.crs is not None else None
    if turn is None:
        return bounds
    middle = (model.boundingbox.left + model.boundingbox.right) / 2
    x = turn * round((middle - (bounds.west + bounds.east) / 2) / turn)
    return Bounds(bounds.west + x, bounds.south, bounds.east + x, bounds.north)


def widened(bounds: Bounds, margin: tuple[float, float], crs: CRS) -> Bounds:
    """Move the sides outwards by a margin in metres on the ground.

    Where a unit of the CRS is a metre on the ground to 0.2 %, as in UTM, it is taken for one.
    """
    x, y = margin
    if x == y == 0:
        return bounds
    if not crs.geographic:
        sides = _moved_on_the_ground(bounds, margin, crs)
        if sides is not None:
            return sides
    unit = crs.proj.axis_info[0].unit_conversion_factor
    if crs.geographic:
        middle = (bounds.south + bounds.north) / 2
        east, north = _metres_per_radian(crs, middle * unit)
        x, y = x / (east * unit), y / (north * unit)
        if not x * unit < math.pi:
            raise GridError(
                "The buffer reaches around the pole.",
                expected="a latitude at which the buffer is less than half a turn",
                got=f"latitude {middle:g}",
                remedy="Pass a polar CRS, for example crs='EPSG:3413' or 'EPSG:3031'.",
            )
    else:
        x, y = x / unit, y / unit
    return Bounds(bounds.west - x, bounds.south - y, bounds.east + x, bounds.north + y)


def _moved_on_the_ground(bounds: Bounds, margin: tuple[float, float], crs: CRS) -> Bounds | None:
    """Move the sides by distances that are measured along the ground; None in true scale."""
    middle_x, middle_y = (bounds.west + bounds.east) / 2, (bounds.south + bounds.north) / 2
    unit = crs.proj.axis_info[0].unit_conversion_factor
    ends = (
        (bounds.west, middle_y, -margin[0], 0.0),
        (bounds.south, middle_x, -margin[1], 1.0),
        (bounds.east, middle_y, margin[0], 0.0),
        (bounds.north, middle_x, margin[1], 1.0),
    )
    moved, true = [], True
    for side, across, distance, vertical in ends:
        point = (across, side) if vertical else (side, across)
        length = _map_length(crs, point, distance / unit, bool(vertical))
        true &= abs(length * unit - distance) <= TRUE_TO_SCALE * abs(distance)
        moved.append(side + length)
    return None if true else Bounds(*moved)


def _map_length(crs: CRS, start: tuple[float, float], plain: float, vertical: bool) -> float:
    """Find how far to go along x or y on the map to have gone so far on the ground.

    Parameters
    ----------
    crs : CRS
    start : (float, float)
    plain : float
        The distance on the ground in units of the CRS, negative for west and south.
    vertical : bool
        Whether to go along y.
    """
    if plain == 0:
        return 0.0
    to_degrees = pyproj.Transformer.from_crs(crs.proj, LONLAT, always_xy=True)
    ground = pyproj.Geod(a=ellipsoid(crs.proj)[0], es=ellipsoid(crs.proj)[1])
    wanted = abs(plain) * crs.proj.axis_info[0].unit_conversion_factor
    length = plain
    for _ in range(50):
        # Along the line on the map, which need not be the shortest way on the ground.
        steps = np.linspace(0, length, _PIECES + 1)
        still = np.zeros_like(steps)
        across, up = (still, steps) if vertical else (steps, still)
        longitude, latitude = to_degrees.transform(start[0] + across, start[1] + up)
        if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
            break
        gone = ground.line_length(longitude, latitude)
        if not gone > 0 or abs(gone - wanted) < 1e-9 * wanted:
            break
        length *= wanted / gone
    else:
        return length
    if np.isfinite(length) and np.isfinite(longitude).all() and np.isfinite(latitude).all():
        return length
    raise GridError(
        f"The buffer reaches beyond what {describe_crs(crs)} can show.",
        expected="a distance that stays within the CRS",
        got=f"{wanted:g} m",
        remedy="Pass a smaller buffer, or another crs=….",
    )


def _metres_per_radian(crs: CRS, latitude: float) -> tuple[float, float]:
    """Length on the ellipsoid of one radian of longitude and of latitude."""
    radius, flatness = ellipsoid(crs.proj)
    shrink = 1 - flatness * math.sin(latitude) ** 2
    east = radius / math.sqrt(shrink) * math.cos(latitude)
    return max(east, math.ulp(1.0)), radius * (1 - flatness) / shrink**1.5
