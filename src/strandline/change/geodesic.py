"""Lengths of lines on the ellipsoid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

LONGEST_PIECE = 2_000.0
"""Metres. Longer straight lines of the map are divided: on the Earth they are bent."""

_METRES_PER_DEGREE = 111_000.0


def lengths_km(geometries: Any, crs: pyproj.CRS) -> NDArray[np.float64]:
    """Measure lines, or the rings of polygons, along the ellipsoid of their CRS.

    Parameters
    ----------
    geometries : array of shapely geometries
        In coordinates of `crs`, x first.
    crs : pyproj.CRS

    Returns
    -------
    ndarray of float64
        Length in km of each geometry (Karney, 2013). Parts off the Earth have none.

    References
    ----------
    Karney, "Algorithms for geodesics", Journal of Geodesy 87 (2013).

    Examples
    --------
    >>> equator = shapely.LineString([(0, 0), (1, 0)])
    >>> lengths_km([equator], pyproj.CRS("EPSG:4326")).round(3).tolist()
    [111.319]
    """
    lines = np.asarray(geometries, dtype=object)
    unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    metres = np.rad2deg(unit) * _METRES_PER_DEGREE if crs.is_geographic else unit
    # A line of no length cannot be divided; it counts as it is.
    longer = shapely.length(lines) > LONGEST_PIECE / metres
    pieces = lines.copy()
    pieces[longer] = shapely.segmentize(lines[longer], LONGEST_PIECE / metres)
    # Rings of one polygon follow each other without a joint, so each has to be known.
    parts, of_geometry = shapely.get_parts(pieces, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    if len(rings):
        parts, of_geometry = rings, of_geometry[of_part]
    points, of_line = shapely.get_coordinates(parts, return_index=True)
    if not len(points):
        return np.zeros(len(lines))
    base = crs.geodetic_crs or crs
    to_base = pyproj.Transformer.from_crs(crs, base, always_xy=True)
    longitude, latitude = to_base.transform(points[:, 0], points[:, 1])
    degrees = np.rad2deg(base.axis_info[0].unit_conversion_factor)
    seen = np.isfinite(longitude) & np.isfinite(latitude)
    longitude, latitude = (np.where(seen, angle, 0) * degrees for angle in (longitude, latitude))
    joined = (of_line[:-1] == of_line[1:]) & seen[:-1] & seen[1:]
    geod = crs.get_geod() or pyproj.Geod(ellps="WGS84")
    _, _, steps = geod.inv(longitude[:-1], latitude[:-1], longitude[1:], latitude[1:])
    of_step = of_geometry[of_line[:-1][joined]]
    return np.bincount(of_step, np.asarray(steps)[joined] / 1e3, len(lines)).astype(np.float64)
