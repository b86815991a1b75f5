"""Where a picture lies: its axes, true lengths, and longitude and latitude under the pointer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyproj
import xarray as xr

from strandline.show.captions import place_of
from strandline.show.display import Extent
from strandline.show.furniture import Place, metres_per_unit

MERCATOR = "EPSG:3857"
"""What tiles of the web come in; its axes are marked in degrees."""

_DEGREE = 5  # of the polynomial for longitude and latitude: 1e-7 degrees over a whole scene
_CLOSEST = 8  # pixels that are seen at least
_PROBES = 17  # positions along each side that it is fitted to


@dataclass(frozen=True)
class Ground:
    """The part of the Earth that a picture shows.

    Attributes
    ----------
    place : Place
        Edges in the coordinates of the CRS, or in pixels without one.
    """

    place: Place

    @classmethod
    def of(cls, data: xr.DataArray) -> Ground:
        """Find it for an array whose last dims are y and x."""
        return cls(place_of(data))

    @property
    def extent(self) -> Extent:
        """Edges of the picture."""
        return self.place.extent

    @property
    def crs(self) -> pyproj.CRS | None:
        """Coordinate system, where there is one."""
        return self.place.crs

    @property
    def is_mercator(self) -> bool:
        """Whether the axes can be marked in degrees, and tiles lie below."""
        return self.crs is not None and self.crs.to_epsg() == 3857

    @property
    def in_kilometres(self) -> bool:
        """Whether the axes are marked in kilometres."""
        return not (self.crs is None or self.is_mercator or self.crs.is_geographic)

    @property
    def in_degrees(self) -> bool:
        """Whether the coordinates themselves are degrees."""
        return self.crs is not None and self.crs.is_geographic

    @property
    def axis_names(self) -> tuple[str, str]:
        """What to write along x and y."""
        if self.crs is None:
            return "column", "row"
        if self.in_kilometres:
            return "easting (km)", "northing (km)"
        return "longitude (°)", "latitude (°)"

    @cached_property
    def metres(self) -> tuple[float, float]:
        """True length of one unit of x and of y in the middle of the picture; 1 without a CRS."""
        return metres_per_unit(self.place)

    @property
    def aspect(self) -> float:
        """Width by height of what the picture shows, on the ground."""
        x, y = self.metres
        e = self.extent
        return abs((e.right - e.left) * x / ((e.top - e.bottom) * y))

    @property
    def closest(self) -> tuple[float, float]:
        """Shortest ranges of x and y to zoom to: some pixels, in the picture's proportions."""
        e, (across, up) = self.extent, self.place.pixel
        width, height = abs(e.right - e.left), abs(e.top - e.bottom)
        part = min(1.0, max(_CLOSEST * abs(across) / width, _CLOSEST * abs(up) / height))
        return part * width, part * height

    @cached_property
    def degrees(self) -> Degrees | None:
        """How longitude and latitude follow from the coordinates; None without a CRS."""
        return None if self.crs is None else Degrees.fitted(self.extent, self.crs)


@dataclass(frozen=True)
class Degrees:
    """Longitude and latitude as polynomials of the position, so that a page can compute them.

    With ``u = (x - middle[0]) / half[0]`` and ``v`` likewise, both are sums of
    ``coefficient * u**i * v**j`` over `powers`.
    """

    middle: tuple[float, float]
    half: tuple[float, float]
    powers: tuple[tuple[int, int], ...]
    lon: tuple[float, ...]
    lat: tuple[float, ...]

    @classmethod
    def fitted(cls, extent: Extent, crs: pyproj.CRS) -> Degrees:
        """Fit the polynomials to a net of positions over an extent.

        Examples
        --------
        >>> extent = Extent(300_000, 500_000, 4_200_000, 4_400_000)
        >>> fit = Degrees.fitted(extent, pyproj.CRS("EPSG:32611"))
        >>> [round(float(v), 6) for v in fit.at(400_000.0, 4_300_000.0)]
        [-118.152288, 38.843134]
        """
        middle = (extent.left + extent.right) / 2, (extent.bottom + extent.top) / 2
        half = (
            abs(extent.right - extent.left) / 2 or 1.0,
            abs(extent.top - extent.bottom) / 2 or 1.0,
        )
        # Denser towards the edges, where polynomials go astray.
        net = np.cos(np.linspace(np.pi, 0, _PROBES))
        u, v = (side.ravel() for side in np.meshgrid(net, net))
        lon, lat = _to_degrees(crs).transform(middle[0] + half[0] * u, middle[1] + half[1] * v)
        powers = tuple((i, n - i) for n in range(_DEGREE + 1) for i in range(n + 1))
        terms = np.stack([u**i * v**j for i, j in powers], axis=1)
        known = np.isfinite(lon) & np.isfinite(lat)
        solved = [np.linalg.lstsq(terms[known], np.asarray(z)[known])[0] for z in (lon, lat)]
        return cls(middle, half, powers, *(tuple(z.tolist()) for z in solved))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Longitude and latitude of a position, in degrees."""
        u, v = (x - self.middle[0]) / self.half[0], (y - self.middle[1]) / self.half[1]
        terms = [u**i * v**j for i, j in self.powers]
        return (
            sum(c * t for c, t in zip(self.lon, terms, strict=True)),
            sum(c * t for c, t in zip(self.lat, terms, strict=True)),
        )


def on_mercator(data: xr.DataArray) -> xr.DataArray:
    """Bring an array to Web Mercator; every pixel stays one that was there."""
    from strandline.prepare import regrid
    from strandline.prepare.georeference import grid_of

    return regrid(data, grid_of(data).to_crs(MERCATOR), resampling="nearest")


def north_up(data: xr.DataArray) -> xr.DataArray:
    """Turn an array so that its first pixel is the upper left one; nothing is read."""
    place = place_of(data).extent
    y, x = data.dims[-2:]
    turned = {}
    if y in data.coords and place.top < place.bottom:
        turned[y] = slice(None, None, -1)
    if x in data.coords and place.right < place.left:
        turned[x] = slice(None, None, -1)
    return data.isel(turned)


def _to_degrees(crs: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
