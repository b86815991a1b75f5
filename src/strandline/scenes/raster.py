"""Raster files as lazy arrays of the values they store.

Opening costs the header; pixels are read when a result is asked for. Nothing
is scaled, masked or renamed here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dask.array as da
import xarray as xr
from odc.geo.crs import CRS
from odc.geo.xr import xr_coords

from strandline.errors import (
    GridMismatchError,
    MetadataError,
    MissingBandError,
    SourceNotFoundError,
    UnknownProductError,
)
from strandline.scenes.access import Access
from strandline.scenes.chunking import Chunks, chunk_shape
from strandline.scenes.header import RasterHeader, read_header, short_crs
from strandline.scenes.nesting import Nesting, finest, nest
from strandline.scenes.redaction import redact_url
from strandline.scenes.windows import lazy_file, lazy_nested


def read_bands(
    urls: str | Path | Sequence[str | Path],
    *,
    band_names: Sequence[str] | None = None,
    chunks: Chunks = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Read the stored values of one or more raster files, lazily, as one array.

    Parameters
    ----------
    urls : str, Path, or sequence of them
        Files with one or more bands each; all on one grid. Their bands follow one another.
    band_names : sequence of str, optional
        One per band. By default the files' band descriptions, or "1", "2", ….
    chunks : int, (int, int), mapping, "auto" or None
        Rows and columns per chunk: one number, ``(y, x)``, or ``{"y": …, "x": …}``; -1 means all.
        By default whole storage blocks grouped to about 1024 × 1024 pixels.
    storage_options : mapping, optional
        As fsspec and intake write them, e.g. ``{"anon": True}``.

    Returns
    -------
    xarray.DataArray
        Dims (band, y, x), Dask-backed, in the files' own dtype. Coordinates ``band``, ``y`` and
        ``x`` (pixel centres) and, where the files have a CRS, ``spatial_ref``. Attributes
        ``nodata``, ``scales`` and ``offsets``: lists with one value per band; ``georeferenced``:
        False where the files have no transform, so that ``y`` and ``x`` count pixels.

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError
        If a file is missing or damaged; for damaged pixels, when they are computed.
    GridMismatchError
        If the files are not all on one grid.
    MissingBandError
        If `band_names` has not one name per band.
    """
    sources = [urls] if isinstance(urls, str | Path) else list(urls)
    headers = [read_header(url, storage_options=storage_options) for url in sources]
    return lazy_bands(
        headers, band_names=band_names, chunks=chunks, storage_options=storage_options
    )


def lazy_bands(
    headers: Sequence[RasterHeader],
    *,
    band_names: Sequence[str] | None = None,
    chunks: Chunks = None,
    storage_options: Mapping[str, Any] | None = None,
    nested: bool = False,
    onto: RasterHeader | None = None,
) -> xr.DataArray:
    """Read like :func:`read_bands`, from files whose headers are at hand.

    Parameters
    ----------
    headers : sequence of RasterHeader
        At least one.
    band_names, chunks, storage_options
        As for :func:`read_bands`.
    nested : bool
        Whether files may have larger pixels than the finest of them, if those cover a whole number
        of its pixels: their values are repeated. See :mod:`strandline.scenes.nesting`.
    onto : RasterHeader, optional
        A file whose grid to take instead of the first (nested: of the finest) one's.

    Returns
    -------
    xarray.DataArray
        On one grid. ``nodata`` of a file that does not reach all of it names the
        number that stands there.
    """
    if not headers:
        raise SourceNotFoundError("There is no file to read.", remedy="Pass at least one path.")
    for header in headers:
        _check_transform(header)
    first = onto or headers[finest_header(headers) if nested else 0]
    nestings = [_nesting(first, header, nested=nested) for header in headers]
    _check_upright(first)
    names = _band_names(headers, band_names)
    shape = chunk_shape(first.height, first.width, first.block_shape, chunks)
    parts, nodata = [], []
    for header, nesting in zip(headers, nestings, strict=True):
        access = Access.to(header.url, storage_options)
        if nesting is None:
            parts.append(lazy_file(header, shape, access))
            nodata.append(list(header.nodata))
        else:
            part, blanks = lazy_nested(header, nesting, first, shape, access)
            parts.append(part)
            nodata.append(blanks)
    data = parts[0] if len(parts) == 1 else da.concatenate(parts, axis=0)  # type: ignore[no-untyped-call]  # untyped library
    coords = xr_coords(first.geobox, dims=("y", "x"))
    attrs = {
        "nodata": [value for values in nodata for value in values],
        "scales": [value for header in headers for value in header.scales],
        "offsets": [value for header in headers for value in header.offsets],
        "georeferenced": first.georeferenced,
    }
    return xr.DataArray(
        data, dims=("band", "y", "x"), coords={"band": names, **coords}, attrs=attrs, name="bands"
    )


def finest_header(headers: Sequence[RasterHeader]) -> int:
    """Index of the file with the smallest pixels; the first of several."""
    return finest([(header.transform, (header.height, header.width)) for header in headers])


def _check_transform(header: RasterHeader) -> None:
    transform = header.transform
    if not all(map(math.isfinite, transform)) or transform.determinant == 0:
        raise MetadataError(
            f"The place of the pixels of {redact_url(header.url)!r} is impossible.",
            expected="finite coordinates, and pixels of a size",
            got=f"the transform {tuple(transform)[:6]}",
            remedy="Georeference the file anew, for example with gdal_edit.",
        )


def _check_upright(header: RasterHeader) -> None:
    if not header.transform.b == header.transform.d == 0:
        raise UnknownProductError(
            f"The grid of {header.url!r} is rotated.",
            expected="rows along x and columns along y",
            got=f"the transform {tuple(header.transform)[:6]}",
            remedy="Warp it to a north-up grid first, for example with gdalwarp.",
        )


def _band_names(headers: Sequence[RasterHeader], given: Sequence[str] | None) -> list[str]:
    count = sum(header.count for header in headers)
    if given is not None:
        if len(given) != count:
            raise MissingBandError(
                f"The number of band names does not fit {headers[0].url!r}.",
                expected=f"{count} names",
                got=f"{len(given)}: {', '.join(map(str, given))}",
            )
        return [str(name) for name in given]
    described = [text or "" for header in headers for text in header.descriptions]
    if all(described) and len(set(described)) == count:
        return described
    return [str(number) for number in range(1, count + 1)]


def check_same_grid(first: RasterHeader, other: RasterHeader) -> None:
    """Refuse two files whose pixels do not lie on one another.

    Raises
    ------
    GridMismatchError
        Naming both grids.
    """
    a, b = first.transform, other.transform
    pixel = min(abs(a.a), abs(a.e)) or 1.0
    same_place = all(abs(p - q) <= 1e-6 * pixel for p, q in zip(a, b, strict=True))
    same_shape = (first.height, first.width) == (other.height, other.width)
    if same_place and same_shape and _same_crs(first.crs, other.crs):
        return
    raise GridMismatchError(
        "Files of one scene have to share one grid.",
        expected=f"the grid of {first.url!r}: {_describe_grid(first)}",
        got=f"{other.url!r}: {_describe_grid(other)}",
        remedy="Open bands of different grids one by one and use regrid(…).",
    )


def _nesting(first: RasterHeader, header: RasterHeader, *, nested: bool) -> Nesting | None:
    """Where a file lies on the first one's grid; None where that is its own grid too."""
    if header is first:
        return None
    if nested and _same_crs(first.crs, header.crs) and first.georeferenced:
        found = nest(
            (first.transform, (first.height, first.width)),
            (header.transform, (header.height, header.width)),
        )
        # A rim is marked by one number, so that all bands of the file have to agree on theirs.
        agreed = len({str(value) for value in header.nodata}) == 1
        if found and max(found.ratio) > 1 and (agreed or found.covers((first.height, first.width))):
            return found
    check_same_grid(first, header)
    return None


def _same_crs(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return a is b
    return a == b or CRS(a) == CRS(b)


def _describe_grid(header: RasterHeader) -> str:
    t = header.transform
    crs = "no CRS" if header.crs is None else str(short_crs(header.crs))
    return (
        f"{header.height} × {header.width} pixels of {abs(t.a):g} × {abs(t.e):g} "
        f"from ({t.c:.10g}, {t.f:.10g}), {crs}"
    )
