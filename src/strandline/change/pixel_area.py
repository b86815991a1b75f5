"""How much of the Earth's surface a pixel covers, in any coordinate system.

A pixel of 30 m in UTM covers 900 m² only where the projection's scale is one; within a zone
the true area differs by up to 0.1 %, in a geographic CRS by the cosine of the latitude, and
in Web Mercator at 60° by a factor of four.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.prepare.georeference import attach_grid, crs_of, ellipsoid, grid_of, place

Floats = NDArray[np.float64]

NODE_SPACING = 2_000.0
"""Metres between the pixels whose area is computed; between them it is interpolated.

The area factor of a map projection bends by about 1 / R² per metre², so that the error is
near 2000² / (4 * 6.4e6²) = 2e-8.
"""

LARGEST_PIECE = 5_000.0
"""Larger pixels are divided, so that the Earth is nearly flat (to 1e-7) across a piece."""

MOST_PIECES = 8
"""Into so many parts per side at most: pixels over 40 km lose accuracy, to 1e-5 at 300 km."""


@dataclass(frozen=True)
class PixelAreas:
    """The area of every pixel of a grid, known at nodes and interpolated between them.

    Any part of it can be asked for, and gives the same bits as the same part of the whole.

    Attributes
    ----------
    rows, columns : ndarray of int
        Row and column numbers of the nodes.
    nodes : ndarray of shape (rows, columns)
        Areas at the nodes, km². NaN where the map shows no place on Earth.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    nodes: Floats

    def block(self, rows: slice, columns: slice) -> Floats:
        """Compute the areas of a part of the grid, km²."""
        first_y, part_y = _between(self.rows, rows)
        first_x, part_x = _between(self.columns, columns)
        last_y = np.minimum(first_y + 1, len(self.rows) - 1)
        last_x = np.minimum(first_x + 1, len(self.columns) - 1)
        lines = self.nodes[first_y] * (1 - part_y)[:, None] + self.nodes[last_y] * part_y[:, None]
        area: Floats = lines[:, first_x] * (1 - part_x) + lines[:, last_x] * part_x
        return area


def _between(nodes: NDArray[np.int64], span: slice) -> tuple[NDArray[np.int64], Floats]:
    """Find the node before each pixel, and how far the pixel is on the way to the next."""
    pixels = np.arange(span.start, span.stop)
    first = np.clip(np.searchsorted(nodes, pixels, side="right") - 1, 0, max(len(nodes) - 2, 0))
    if len(nodes) == 1:
        return first, np.zeros(len(pixels))
    return first, (pixels - nodes[first]) / (nodes[first + 1] - nodes[first])


def pixel_area(grid: GeoBox | xr.DataArray, chunks: Any = None) -> xr.DataArray:
    """Compute the true area of each pixel on the ellipsoid.

    Parameters
    ----------
    grid : GeoBox or DataArray
        The pixels, in any CRS.
    chunks : optional
        Chunks of a lazy result. Default: in memory (8 bytes per pixel).

    Returns
    -------
    DataArray of float64, shape (y, x)
        Area in km², with a relative error below 1e-6 for pixels up to 40 km. NaN where the
        map shows no place on Earth.

    Notes
    -----
    In a geographic CRS the area between two parallels is known in closed form (Snyder, 1987,
    eq. 3-12). In a projected CRS the corners of the pixel are taken back to the ellipsoid
    and into space, where they span a quadrilateral; no place, pole or antimeridian, is
    special there.

    References
    ----------
    Snyder, "Map projections: a working manual", USGS Professional Paper 1395 (1987).

    Examples
    --------
    >>> from strandline.testing.lakes import lake_grid
    >>> area = pixel_area(lake_grid((1, 1), corner=(500_000.0, 4_290_000.0)))
    >>> round(float(area[0, 0]) * 1e6, 2)  # the scale there is 0.9996
    900.72
    """
    where = grid_of(grid)
    areas = pixel_areas(where)
    shape = tuple(where.shape)
    values: Any
    if chunks is None:
        values = areas.block(slice(0, shape[0]), slice(0, shape[1]))
    else:
        import dask.array as da

        def block(block_info: Any) -> Floats:
            rows, columns = block_info[None]["array-location"]
            return areas.block(slice(*rows), slice(*columns))

        sizes = da.core.normalize_chunks(chunks, shape, dtype=np.float64)  # type: ignore[no-untyped-call]  # Dask is untyped
        values = da.map_blocks(block, chunks=sizes, dtype=np.float64, meta=np.empty((0, 0)))  # type: ignore[no-untyped-call]  # Dask is untyped
    result = xr.DataArray(
        values, dims=("y", "x"), attrs={"long_name": "area of the pixel", "units": "km2"}
    )
    result.name = "area"
    return attach_grid(result, where)


def pixel_areas(grid: GeoBox) -> PixelAreas:
    """Prepare the areas of all pixels of a grid."""
    crs = crs_of(grid)
    rows, columns = grid.shape
    if crs.is_geographic and grid.affine.b == grid.affine.d == 0:
        by_row = _area_between_parallels(grid, crs)[:, None]
        return PixelAreas(np.arange(rows), np.array([0, max(columns - 1, 1)]), by_row.repeat(2, 1))
    surface = _Surface(grid, crs)
    metres = surface.pixel_size()
    step = max(1, int(NODE_SPACING / metres)) if metres > 0 else 1
    pieces = min(max(1, math.ceil(metres / LARGEST_PIECE)), MOST_PIECES)
    node_rows, node_columns = _nodes(rows, step), _nodes(columns, step)
    nodes = np.zeros((len(node_rows), len(node_columns)))
    for i in range(pieces):
        for j in range(pieces):
            nodes += surface.quadrilaterals(node_rows, node_columns, i, j, pieces)
    return PixelAreas(node_rows, node_columns, nodes / 1e6)


def pixel_metres(grid: GeoBox) -> float:
    """Return the side of a square as large as the pixel in the middle of the map, in metres."""
    row, column = grid.shape[0] // 2, grid.shape[1] // 2
    area = pixel_areas(grid).block(slice(row, row + 1), slice(column, column + 1))
    return float(np.sqrt(area[0, 0] * 1e6))


def _nodes(count: int, step: int) -> NDArray[np.int64]:
    return np.unique(np.append(np.arange(0, count, step), count - 1))


def _area_between_parallels(grid: GeoBox, crs: pyproj.CRS) -> Floats:
    """Compute the area of a pixel of each row, km², in closed form."""
    radius, flatness = ellipsoid(crs)
    unit = crs.axis_info[0].unit_conversion_factor
    edges = grid.affine.f + grid.affine.e * np.arange(grid.shape[0] + 1)
    sine = np.sin(np.clip(edges * unit, -math.pi / 2, math.pi / 2))
    if flatness > 0:
        eccentricity = math.sqrt(flatness)
        curved = np.arctanh(eccentricity * sine) / eccentricity
        zone = (1 - flatness) / 2 * (sine / (1 - flatness * sine**2) + curved)
    else:
        zone = sine
    width = abs(grid.affine.a) * unit
    area: Floats = radius**2 * np.abs(np.diff(zone)) * width / 1e6
    return area


class _Surface:
    """Takes pixel positions of a projected grid to points in space on the ellipsoid."""

    def __init__(self, grid: GeoBox, crs: pyproj.CRS) -> None:
        base = crs.geodetic_crs or crs
        self.grid = grid
        self.radius, self.flatness = ellipsoid(crs)
        self.unit = base.axis_info[0].unit_conversion_factor
        self.to_base = pyproj.Transformer.from_crs(crs, base, always_xy=True)

    def points(self, x: Floats, y: Floats) -> Floats:
        """Give points in space, metres, for pixel positions; NaN off the Earth."""
        longitude, latitude = self.to_base.transform(*place(self.grid.affine, x, y))
        seen = np.isfinite(longitude) & np.isfinite(latitude)
        east = np.where(seen, longitude, np.nan) * self.unit
        north = np.where(seen, latitude, np.nan) * self.unit
        normal = self.radius / np.sqrt(1 - self.flatness * np.sin(north) ** 2)
        return np.stack(
            [
                normal * np.cos(north) * np.cos(east),
                normal * np.cos(north) * np.sin(east),
                normal * (1 - self.flatness) * np.sin(north),
            ]
        )

    def quadrilaterals(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        i: int = 0,
        j: int = 0,
        pieces: int = 1,
    ) -> Floats:
        """Compute the area, m², of one piece of each pixel: half the product of its diagonals."""
        x, y = np.meshgrid(columns + j / pieces, rows + i / pieces)
        side = 1 / pieces
        corner, opposite = self.points(x, y), self.points(x + side, y + side)
        right, below = self.points(x + side, y), self.points(x, y + side)
        crossed = np.cross(opposite - corner, below - right, axis=0)
        area: Floats = np.linalg.norm(crossed, axis=0) / 2
        return area

    def pixel_size(self) -> float:
        """Estimate the longer side of a usual pixel, in metres, where the map shows the Earth."""
        rows, columns = (np.linspace(0, size - 1, 5).astype(int) for size in self.grid.shape)
        x, y = np.meshgrid(columns, rows)
        corner = self.points(x, y)
        sides = [self.points(x + 1, y) - corner, self.points(x, y + 1) - corner]
        lengths = np.linalg.norm(np.stack(sides), axis=1)
        seen = lengths[np.isfinite(lengths)]
        return float(np.median(seen)) if seen.size else 0.0
