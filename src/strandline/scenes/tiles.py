"""One raster that was cut into files: tiles of the same bands, side by side on one lattice.

Large exports of Earth Engine come so (``lake-0000000000-0000023296.tif``), and so does what
gdal_retile writes. The tiles are put together lazily; where one is missing, nothing was observed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.xr import xr_coords

from strandline.scenes.chunking import Chunks
from strandline.scenes.header import RasterHeader
from strandline.scenes.nesting import blank_for
from strandline.scenes.raster import lazy_bands

_CLOSE = 1e-3  # of a pixel: what writing corners as decimals may cost
_SPARSEST = 0.25  # of the whole that tiles cover at least; fewer are not parts of one raster


@dataclass(frozen=True)
class Tiling:
    """Where tiles lie in the raster that they are parts of.

    Parameters
    ----------
    headers : tuple of RasterHeader
        Of the tiles.
    places : tuple of (int, int)
        First row and column of each in the whole.
    whole : RasterHeader
        As the first tile's, with the size and the transform of all together.
    """

    headers: tuple[RasterHeader, ...]
    places: tuple[tuple[int, int], ...]
    whole: RasterHeader


def tiling_of(headers: Sequence[RasterHeader]) -> Tiling | None:
    """Find out whether rasters are tiles of one.

    Parameters
    ----------
    headers : sequence of RasterHeader

    Returns
    -------
    Tiling or None
        None unless there are several, with the same bands, on one lattice, none over another.
    """
    first = headers[0]
    if len(headers) < 2 or not all(_alike(first, other) for other in headers[1:]):
        return None
    t = first.transform
    offsets = [((h.transform.f - t.f) / t.e, (h.transform.c - t.c) / t.a) for h in headers]
    rounded = [(round(row), round(column)) for row, column in offsets]
    if max(abs(np.subtract(offsets, rounded)).ravel()) > _CLOSE:
        return None
    top, left = min(row for row, _ in rounded), min(column for _, column in rounded)
    places = tuple((row - top, column - left) for row, column in rounded)
    height = max(row + h.height for (row, _), h in zip(places, headers, strict=True))
    width = max(column + h.width for (_, column), h in zip(places, headers, strict=True))
    filled = sum(h.height * h.width for h in headers)
    if _overlap(places, headers) or filled < _SPARSEST * height * width:
        return None
    transform = Affine(t.a, 0.0, t.c + left * t.a, 0.0, t.e, t.f + top * t.e)
    whole = replace(first, height=height, width=width, transform=transform)
    return Tiling(tuple(headers), places, whole)


def _alike(first: RasterHeader, other: RasterHeader) -> bool:
    """Whether two rasters have the same bands, and pixels of one size in one CRS."""
    a, b, crs = first.transform, other.transform, (first.crs, other.crs)
    if not (a.b == a.d == b.b == b.d == 0 and a.a and a.e and first.georeferenced):
        return False
    drift = max(abs(b.a / a.a - 1) * other.width, abs(b.e / a.e - 1) * other.height)
    return (
        (first.count, first.dtype, first.descriptions)
        == (other.count, other.dtype, other.descriptions)
        and drift < _CLOSE
        and (first.crs == other.crs or (None not in crs and CRS(crs[0]) == CRS(crs[1])))
        and str(first.nodata) == str(other.nodata)
        and (first.scales, first.offsets) == (other.scales, other.offsets)
    )


def _overlap(places: Sequence[tuple[int, int]], headers: Sequence[RasterHeader]) -> bool:
    boxes = [
        (row, column, row + h.height, column + h.width)
        for (row, column), h in zip(places, headers, strict=True)
    ]
    return any(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for index, a in enumerate(boxes)
        for b in boxes[index + 1 :]
    )


def lazy_tiles(
    tiling: Tiling,
    *,
    band_names: Sequence[str],
    chunks: Chunks = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Put tiles together, lazily.

    Parameters
    ----------
    tiling : Tiling
    band_names, chunks, storage_options
        As for `strandline.scenes.raster.lazy_bands`; chunks end at the tiles' edges.

    Returns
    -------
    xarray.DataArray
        As from `lazy_bands`.
    """
    parts = [
        lazy_bands([header], band_names=band_names, chunks=chunks, storage_options=storage_options)
        for header in tiling.headers
    ]
    attrs = dict(parts[0].attrs)
    whole = tiling.whole
    dtype, blank = parts[0].dtype, 0
    if sum(h.height * h.width for h in tiling.headers) < whole.height * whole.width:
        dtype, blank = blank_for(dtype, attrs["nodata"][0])
        attrs["nodata"] = [float(blank)] * len(band_names)
    placed = list(zip(tiling.places, tiling.headers, strict=True))
    rows = _edges([(row, header.height) for (row, _), header in placed])
    columns = _edges([(column, header.width) for (_, column), header in placed])
    blocks = [
        [
            _cell(tiling, parts, (top, bottom), (left, right), dtype, blank)
            for left, right in pairwise(columns)
        ]
        for top, bottom in pairwise(rows)
    ]
    coords = xr_coords(whole.geobox, dims=("y", "x"))
    return xr.DataArray(
        da.block(blocks),  # type: ignore[no-untyped-call]  # Dask is untyped
        dims=("band", "y", "x"),
        coords={"band": list(band_names), **coords},
        attrs=attrs,
        name="bands",
    )


def _edges(spans: Sequence[tuple[int, int]]) -> list[int]:
    return sorted({edge for start, size in spans for edge in (start, start + size)})


def _cell(
    tiling: Tiling,
    parts: Sequence[xr.DataArray],
    rows: tuple[int, int],
    columns: tuple[int, int],
    dtype: np.dtype[Any],
    blank: Any,
) -> Any:
    """Take what the tiles have of a rectangle that no edge of a tile crosses."""
    for (top, left), part in zip(tiling.places, parts, strict=True):
        height, width = part.shape[1:]
        if top <= rows[0] < top + height and left <= columns[0] < left + width:
            inside = part.data[
                :, rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left
            ]
            return inside.astype(dtype)
    shape = (parts[0].shape[0], rows[1] - rows[0], columns[1] - columns[0])
    return da.full(shape, blank, dtype=dtype)  # type: ignore[no-untyped-call]  # Dask is untyped
