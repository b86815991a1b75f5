"""Which pixels of a file lie below the centres of a grid's.

Every pixel is found by itself, with no shortcut over a whole image, so that the answer does
not depend on how a grid is cut into chunks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

ALIGNED = 1e-3
"""Two lattices are one when they differ by less than this fraction of a pixel."""

Slices = tuple[slice, slice]
Pick = tuple[NDArray[np.int32], NDArray[np.int32]]


def describe_grid(grid: GeoBox) -> str:
    """Say in a line what a grid is."""
    t = grid.transform
    return (
        f"{grid.shape[0]} × {grid.shape[1]} pixels of {abs(t.a):g} × {abs(t.e):g} "
        f"from ({t.c:.10g}, {t.f:.10g}), {grid.crs}"
    )


def same_grid(one: GeoBox, other: GeoBox) -> bool:
    """Say whether two grids have the same pixels, up to rounding in metadata."""
    pixel = min(abs(one.transform.a) or abs(one.transform.b), abs(one.transform.e) or 1.0) or 1.0
    near = all(
        abs(p - q) <= ALIGNED * pixel
        for p, q in zip(one.transform[:6], other.transform[:6], strict=True)
    )
    return tuple(one.shape) == tuple(other.shape) and near and one.crs == other.crs


def needed(source: GeoBox, target: GeoBox) -> tuple[Slices, Slices | None, Pick | None]:
    """Find what a part of a grid needs of a file.

    Parameters
    ----------
    source, target : GeoBox
        Of the file; of the part.

    Returns
    -------
    place : (slice, slice)
        Rows and columns of `target` that the file may fill.
    window : (slice, slice) or None
        Rows and columns of the file to read; None where they do not meet.
    pick : (rows, columns) or None
        For each pixel of `place` its row and column in the window, -1 outside the file; None
        where the window fills the place one to one.
    """
    nothing = (slice(0, 0), slice(0, 0))
    offset = lattice_offset(source, target)
    if offset is not None:
        places, windows = [], []
        for first, wanted, there in zip(offset, target.shape, source.shape, strict=True):
            start, stop = max(first, 0), min(first + wanted, there)
            if start >= stop:
                return nothing, None, None
            places.append(slice(start - first, stop - first))
            windows.append(slice(start, stop))
        return (places[0], places[1]), (windows[0], windows[1]), None
    rows, columns = _nearest(source, target)
    inside = (rows >= 0) & (columns >= 0)
    if not inside.any():
        return nothing, None, None
    high, low = int(rows[inside].max()) + 1, int(rows[inside].min())
    right, left = int(columns[inside].max()) + 1, int(columns[inside].min())
    whole = (slice(0, target.shape[0]), slice(0, target.shape[1]))
    pick = np.where(inside, rows - low, -1), np.where(inside, columns - left, -1)
    return whole, (slice(low, high), slice(left, right)), pick


def lattice_offset(source: GeoBox, target: GeoBox) -> tuple[int, int] | None:
    """Give the row and column of the source where the target begins, if pixels coincide.

    Examples
    --------
    >>> from affine import Affine
    >>> grid = GeoBox((4, 4), Affine(30, 0, 0, 0, -30, 120), "EPSG:32611")
    >>> lattice_offset(grid, grid[1:3, 2:4])
    (1, 2)
    """
    if source.crs != target.crs:
        return None
    relative = ~source.transform * target.transform
    shape = (relative.a - 1, relative.b, relative.d, relative.e - 1)
    reach = max(*target.shape, 1)
    if any(abs(value) * reach > ALIGNED for value in shape):
        return None
    row, column = round(relative.f), round(relative.c)
    if abs(relative.f - row) > ALIGNED or abs(relative.c - column) > ALIGNED:
        return None
    return row, column


@lru_cache(maxsize=4)
def _nearest(source: GeoBox, target: GeoBox) -> Pick:
    """Find for each pixel of the target the pixel of the source below its centre; -1 outside.

    Computed for every pixel by itself, so that it does not depend on how the target is cut.
    The bands of one chunk ask for the same, so the last answers are kept.
    """
    import pyproj

    rows, columns = target.shape
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    t = target.transform
    x, y = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
    if source.crs is not None and target.crs is not None and source.crs != target.crs:
        between = pyproj.Transformer.from_crs(target.crs.proj, source.crs.proj, always_xy=True)
        x, y = between.transform(x, y)
    lost = ~(np.isfinite(x) & np.isfinite(y))
    x, y = np.where(lost, 0, x), np.where(lost, 0, y)
    b = ~source.transform
    row = np.floor(b.d * x + b.e * y + b.f + 1e-6)
    column = np.floor(b.a * x + b.b * y + b.c + 1e-6)
    outside = lost | (row < 0) | (column < 0)
    outside |= (row >= source.shape[0]) | (column >= source.shape[1])
    return (
        np.where(outside, -1, row).astype(np.int32),
        np.where(outside, -1, column).astype(np.int32),
    )


def picked(values: NDArray[Any], pick: Pick, fill: float) -> NDArray[Any]:
    """Take the pixels that :func:`needed` picked out of a window; `fill` where there is none."""
    rows, columns = pick
    found: NDArray[Any] = values[rows, columns]
    found[rows < 0] = fill
    return found
