"""The area of a search: a shape in longitude and latitude."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from strandline.errors import ConfigurationError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_FARTHEST = 540.0  # degrees: longitudes may be counted from any turn
_PIECES = 16  # straight pieces of each side of a square around a point


def area_of(
    bbox: Sequence[float] | None, geometry: Any, center: Sequence[float] | None, buffer: Any
) -> BaseGeometry | None:
    """Read the area of a search.

    Parameters
    ----------
    bbox : (west, south, east, north) or None
        Degrees; west may be greater than east, across the antimeridian. Longitudes may be counted
        from -180 or from 0.
    geometry : mapping, shapely geometry, object with ``__geo_interface__``, or None
        Longitudes and latitudes, unless it says its own CRS.
    center : (longitude, latitude) or None
        Degrees; needs `buffer`.
    buffer : float or None
        Half the side of a square around `center`, metres.

    Returns
    -------
    shapely geometry or None
        In degrees, longitudes from -180 to 180; in two parts across the antimeridian.

    Raises
    ------
    ConfigurationError
        If it is not an area, or given in two ways.

    Examples
    --------
    >>> area_of((170, -20, -170, -10), None, None, None).bounds
    (-180.0, -20.0, 180.0, -10.0)
    """
    given = [name for name, value in (("bbox", bbox), ("geometry", geometry), ("center", center))
             if value is not None]  # fmt: skip
    if len(given) > 1:
        raise ConfigurationError("The area is given in two ways.", got=" and ".join(given))
    if (center is None) != (buffer is None):
        raise ConfigurationError(
            "center and buffer go together.",
            expected="center=(longitude, latitude) and buffer in metres",
            got="only one of them",
        )
    if bbox is not None:
        return _box(*_numbers(bbox, 4, "The bounding box"))
    if center is not None:
        longitude, latitude = _numbers(center, 2, "The centre")
        return _around(longitude, latitude, _numbers([buffer], 1, "The buffer")[0])
    return None if geometry is None else _shape(geometry)


def _numbers(values: Any, count: int, what: str) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ConfigurationError(
            f"{what} cannot be read.", expected=f"{count} finite numbers", got=repr(values)
        )
    return numbers


def _check(longitude: float, latitude: float, what: str, swapped: str = "") -> None:
    if not (abs(longitude) <= _FARTHEST and -90 <= latitude <= 90):
        # In the other order, the two may be a place.
        proposed = f": {swapped}" if -90 <= longitude <= 90 and abs(latitude) <= 360 else ""
        raise ConfigurationError(
            f"{what} is not on Earth.",
            expected="longitude (-180 to 180, or 0 to 360) and then latitude, in degrees",
            got=f"({longitude:g}, {latitude:g})",
            remedy=f"Longitude comes first{proposed if swapped else ''}.",
        )


def _box(west: float, south: float, east: float, north: float) -> BaseGeometry:
    from shapely import box

    other = f"bbox=({south:.9g}, {west:.9g}, {north:.9g}, {east:.9g})"
    _check(west, south, "The south-west corner of the bounding box", other)
    _check(east, north, "The north-east corner of the bounding box", other)
    if west > east:
        east += 360
    if not (west < east and south < north):
        raise ConfigurationError(
            "The bounding box is empty.",
            expected="west < east and south < north, as (west, south, east, north)",
            got=repr((west, south, east, north)),
        )
    if east - west > 360:
        raise ConfigurationError(
            "The bounding box goes around the Earth more than once.",
            expected="at most 360 degrees from west to east",
            got=f"{east - west:g}",
        )
    return cut_at_antimeridian(box(west, south, east, north))


def _around(longitude: float, latitude: float, buffer: float) -> BaseGeometry:
    """Make a square of that half side; its sides are curves in longitude and latitude."""
    import numpy as np
    import pyproj
    import shapely
    from shapely.geometry import Polygon

    _check(longitude, latitude, "The centre", f"center=({latitude:.9g}, {longitude:.9g})")
    longitude = (longitude + 180) % 360 - 180
    if not 0 < buffer <= 5e6:
        raise ConfigurationError(
            "The buffer is not valid.",
            expected="metres above 0, at most 5000 km",
            got=f"{buffer:g}",
        )
    plane = f"+proj=aeqd +lat_0={latitude} +lon_0={longitude} +datum=WGS84 +units=m"
    back = pyproj.Transformer.from_crs(plane, "EPSG:4326", always_xy=True)
    square = shapely.segmentize(shapely.box(-buffer, -buffer, buffer, buffer), 2 * buffer / _PIECES)  # type: ignore[no-untyped-call]  # untyped library
    x, y = back.transform(*shapely.get_coordinates(square).T)
    x = longitude + (np.asarray(x) - longitude + 180) % 360 - 180
    return cut_at_antimeridian(Polygon(np.column_stack([x, y])))  # type: ignore[no-untyped-call]  # untyped library


def _shape(geometry: Any) -> BaseGeometry:
    import shapely
    from shapely.geometry import GeometryCollection, shape

    content = getattr(geometry, "__geo_interface__", geometry)
    try:
        if content["type"] == "FeatureCollection":
            found: Any = GeometryCollection(
                [shape(feature["geometry"]) for feature in content["features"]]  # type: ignore[no-untyped-call]  # untyped library
            )
        else:
            found = shape(content["geometry"] if content["type"] == "Feature" else content)  # type: ignore[no-untyped-call]  # untyped library
        crs = getattr(geometry, "crs", None)
        if crs is not None:
            found = _to_degrees(found, crs)
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
        raise ConfigurationError(
            "The geometry cannot be read.",
            expected="a GeoJSON-like mapping, or an object with __geo_interface__",
            got=type(geometry).__name__,
        ) from error
    if found.is_empty:
        raise ConfigurationError("The geometry is empty.")
    west, south, east, north = found.bounds
    _check(west, south, "The geometry")
    _check(east, north, "The geometry")
    return cut_at_antimeridian(shapely.unary_union([found]))


def _to_degrees(found: Any, crs: Any) -> Any:
    import pyproj
    import shapely

    known = pyproj.CRS(str(crs))
    if known.is_geographic:
        return found
    there = pyproj.Transformer.from_crs(known, "EPSG:4326", always_xy=True)
    return shapely.transform(found, lambda xy: _columns(*there.transform(*xy.T)))


def _columns(x: Any, y: Any) -> Any:
    import numpy as np

    return np.column_stack([x, y])


def cut_at_antimeridian(found: Any) -> BaseGeometry:
    """Cut off what lies beyond ±180°, and put it where it belongs.

    Examples
    --------
    >>> from shapely import box
    >>> cut_at_antimeridian(box(241, 38, 242, 39)).bounds
    (-119.0, 38.0, -118.0, 39.0)
    """
    from shapely import affinity, box, unary_union

    west, _, east, _ = found.bounds
    if west >= -180 and east <= 180:
        return found  # type: ignore[no-any-return]  # untyped library
    parts = []
    for turn in (-720, -360, 0, 360, 720):
        moved = affinity.translate(found, turn)  # type: ignore[no-untyped-call]  # untyped library
        part = moved.intersection(box(-180, -90, 180, 90))
        if part.area > 0 or (found.area == 0 and not part.is_empty):
            parts.append(part)
    joined: BaseGeometry = unary_union(parts)
    return joined


def share_covered(area: BaseGeometry | None, footprint: BaseGeometry | None) -> float:
    """Compute which share of an area a footprint covers, by area in degrees at its latitude.

    Returns
    -------
    float
        From 0 to 1; NaN where either is unknown.

    Examples
    --------
    >>> from shapely import box
    >>> share_covered(box(0, 0, 2, 1), box(1, 0, 3, 1))
    0.5
    """
    if area is None or footprint is None:
        return math.nan
    both = area.intersection(footprint)
    if area.area > 0:
        return float(both.area / area.area)
    if area.length > 0:
        return float(both.length / area.length)
    return 0.0 if both.is_empty else 1.0


def footprint_of(geometry: Any, bbox: Sequence[float] | None) -> BaseGeometry | None:
    """Read the footprint of an item; valid, and cut at the antimeridian; None if it has none."""
    import shapely
    from shapely.geometry import shape

    try:
        if geometry:
            found = shapely.make_valid(shape(geometry))  # type: ignore[no-untyped-call]  # untyped library
            west, _, east, _ = found.bounds
            if east - west > 180 and found.geom_type == "Polygon":
                # Drawn the long way round: a scene that lies across the antimeridian.
                turned = shapely.transform(found, lambda xy: _columns(xy[:, 0] % 360, xy[:, 1]))
                found = shapely.make_valid(turned)  # type: ignore[no-untyped-call]  # untyped library
            return cut_at_antimeridian(found)
        if bbox is not None and len(bbox) in (4, 6):
            corners = [*bbox[:2], *bbox[len(bbox) // 2 :][:2]]
            return _box(*corners)
    except (
        shapely.GEOSException,  # type: ignore[attr-defined]  # it is there
        ConfigurationError,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
    ):
        return None
    return None
