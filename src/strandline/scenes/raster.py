"""Raster files as lazy arrays of the values they store.

Opening costs the header; pixels are read when a result is asked for. Nothing
is scaled, masked or renamed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from affine import Affine
from dask.base import tokenize
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from strandline.errors import (
    GridMismatchError,
    MetadataError,
    MissingBandError,
    SceneError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.scenes.access import ATTEMPTS, Result, not_found, of_raster, patiently
from strandline.scenes.chunking import Chunks, chunk_shape
from strandline.scenes.nesting import Nesting, blank_for, finest, nest, spread
from strandline.scenes.redaction import redact_url
from strandline.scenes.storage import Access, check_local, gdal_path, needs_package


@dataclass(frozen=True)
class RasterHeader:
    """What a raster file says about itself, without its pixels.

    Parameters
    ----------
    url : str
        As it was asked for.
    width, height, count : int
        Pixels per row, rows, bands.
    dtype : str
        NumPy name of the stored type.
    transform : Affine
        Pixel (column, row) of the upper-left corner of a pixel to map coordinates.
    crs : str or None
        WKT, or None where the file has none.
    nodata : tuple of float or None
        One per band.
    scales, offsets : tuple of float
        One per band; GDAL's 1 and 0 where the file has none.
    descriptions : tuple of str or None
        One per band.
    tags : dict
        The file's own metadata items.
    block_shape : tuple of int
        Rows and columns that are stored, and so read, together.
    georeferenced : bool
        False when the file has no transform of its own.
    stamp : tuple of int
        Size and modification time of a local file; empty for a remote one.
    """

    url: str
    width: int
    height: int
    count: int
    dtype: str
    transform: Affine
    crs: str | None
    nodata: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    descriptions: tuple[str | None, ...]
    tags: dict[str, str]
    block_shape: tuple[int, int]
    georeferenced: bool
    stamp: tuple[int, ...] = ()

    @property
    def geobox(self) -> GeoBox:
        """The file's grid."""
        crs = None if self.crs is None else short_crs(self.crs)
        return GeoBox((self.height, self.width), self.transform, crs)


def read_header(
    url: str | Path,
    *,
    storage_options: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> RasterHeader:
    """Read what a raster file says about itself.

    Parameters
    ----------
    url : str or Path
        Local path, ``file://``, ``s3://``, ``gs://``, ``http(s)://`` or GDAL ``/vsi…`` path.
    storage_options : mapping, optional
        As fsspec and intake write them, e.g. ``{"anon": True}``.
    address : str, optional
        Where the file is, if `url` lacks what shall not be shown: a signature.

    Returns
    -------
    RasterHeader

    Raises
    ------
    SourceNotFoundError
        If nothing is there.
    UnreadableSourceError
        If it is no raster, or damaged.

    Examples
    --------
    >>> read_header("nowhere.tif")
    Traceback (most recent call last):
    ...
    strandline.errors.SourceNotFoundError: There is no file 'nowhere.tif'. ...
    """
    access = Access.to(url, storage_options)
    if address is not None:
        access = replace(access, path=gdal_path(address))
    return _tried(access, partial(_header, access.anew()))


def _header(access: Access, _: int) -> RasterHeader:
    with _opened(access, quiet=True) as dataset:
        crs = dataset.crs
        return RasterHeader(
            url=access.url,
            width=dataset.width,
            height=dataset.height,
            count=dataset.count,
            dtype=str(np.result_type(*dataset.dtypes)),
            transform=dataset.transform,
            crs=crs.to_wkt() if crs else None,
            nodata=tuple(dataset.nodatavals),
            scales=tuple(dataset.scales),
            offsets=tuple(dataset.offsets),
            descriptions=tuple(dataset.descriptions),
            tags=dict(dataset.tags()),
            block_shape=tuple(dataset.block_shapes[0]),
            georeferenced=not dataset.transform.is_identity,
            stamp=_stamp(access),
        )


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
    grids = [(header.transform, (header.height, header.width)) for header in headers]
    first = onto or headers[finest(grids) if nested else 0]
    nestings = [_nesting(first, header, nested=nested) for header in headers]
    if not first.transform.b == first.transform.d == 0:
        raise UnknownProductError(
            f"The grid of {first.url!r} is rotated.",
            expected="rows along x and columns along y",
            got=f"the transform {tuple(first.transform)[:6]}",
            remedy="Warp it to a north-up grid first, for example with gdalwarp.",
        )
    names = _band_names(headers, band_names)
    shape = chunk_shape(first.height, first.width, first.block_shape, chunks)
    parts, nodata = [], []
    for header, nesting in zip(headers, nestings, strict=True):
        access = Access.to(header.url, storage_options)
        if nesting is None:
            parts.append(_lazy_file(header, shape, access))
            nodata.append(list(header.nodata))
        else:
            part, blanks = _lazy_nested(header, nesting, first, shape, access)
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


def _check_transform(header: RasterHeader) -> None:
    transform = header.transform
    if not all(map(math.isfinite, transform)) or transform.determinant == 0:
        raise MetadataError(
            f"The place of the pixels of {redact_url(header.url)!r} is impossible.",
            expected="finite coordinates, and pixels of a size",
            got=f"the transform {tuple(transform)[:6]}",
            remedy="Georeference the file anew, for example with gdal_edit.",
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


def short_crs(written: str | CRS) -> CRS:
    """Prefer the EPSG code, where there is one: maps and messages show it."""
    crs = CRS(written)
    if crs.epsg is None:
        return crs
    registered = CRS(crs.epsg)
    return registered if registered == crs else crs


def _describe_grid(header: RasterHeader) -> str:
    t = header.transform
    crs = "no CRS" if header.crs is None else str(short_crs(header.crs))
    return (
        f"{header.height} × {header.width} pixels of {abs(t.a):g} × {abs(t.e):g} "
        f"from ({t.c:.10g}, {t.f:.10g}), {crs}"
    )


def _lazy_file(header: RasterHeader, shape: tuple[int, int], access: Access) -> da.Array:
    name = "read-" + tokenize(access.path, header.stamp, header.transform, header.count, shape)
    # One object shared by all tasks; quiet: the header has said already that it has no transform.
    source = (access, header.dtype, not header.georeferenced)
    chunks = _chunks(header.count, header, shape)
    return _assembled(name, chunks, header.dtype, lambda place: (_read_window, source, place))


def _lazy_nested(
    header: RasterHeader,
    nesting: Nesting,
    first: RasterHeader,
    shape: tuple[int, int],
    access: Access,
) -> tuple[da.Array, list[float | None]]:
    """Bring a coarser file onto a finer grid, in its chunks; and tell what its rim holds."""
    dtype, blank = np.dtype(header.dtype), 0
    nodata: list[float | None] = list(header.nodata)
    if not nesting.covers((first.height, first.width)):
        dtype, blank = blank_for(dtype, nodata[0])
        nodata = [float(blank)] * header.count
    name = "nest-" + tokenize(
        access.path, header.stamp, header.transform, header.count, nesting, shape
    )
    source = (access, str(dtype), False)
    chunks = _chunks(header.count, first, shape)
    data = _assembled(
        name, chunks, dtype, lambda place: (_read_nested, source, nesting, place, blank)
    )
    return data, nodata


def _chunks(count: int, grid: RasterHeader, shape: tuple[int, int]) -> Any:
    return da.core.normalize_chunks((count, *shape), (count, grid.height, grid.width))  # type: ignore[no-untyped-call]  # untyped library


def _assembled(
    name: str, chunks: Any, dtype: Any, task: Callable[[tuple[int, int, int, int]], Any]
) -> da.Array:
    """Make an array of tasks, one for the (top, left, rows, columns) of every chunk."""
    tops = np.concatenate(([0], np.cumsum(chunks[1])))[:-1].tolist()
    lefts = np.concatenate(([0], np.cumsum(chunks[2])))[:-1].tolist()
    graph = {
        (name, 0, i, j): task((top, left, rows, columns))
        for i, (top, rows) in enumerate(zip(tops, chunks[1], strict=True))
        for j, (left, columns) in enumerate(zip(lefts, chunks[2], strict=True))
    }
    return da.Array(graph, name, chunks, dtype=np.dtype(dtype))  # type: ignore[no-untyped-call]  # untyped library


def _read_nested(
    source: tuple[Access, str, bool],
    nesting: Nesting,
    place: tuple[int, int, int, int],
    blank: Any,
) -> NDArray[Any]:
    """Read the coarse pixels under one window of the finest grid, and repeat them."""
    top, left, rows, columns = place
    first_row, down = nesting.window(top, rows, 0)
    first_column, across = nesting.window(left, columns, 1)
    values = _read_window(source, (first_row, first_column, down, across))
    return spread(values, nesting, (first_row, first_column), place, blank)


def _read_window(
    source: tuple[Access, str, bool], place: tuple[int, int, int, int]
) -> NDArray[Any]:
    """Read all bands of one window; runs inside a Dask task, in any thread or process."""
    access, dtype, quiet = source
    top, left, rows, columns = place
    window = Window(left, top, columns, rows)

    def read(attempt: int) -> NDArray[Any]:
        with _opened(access.anew() if attempt else access, quiet=quiet) as dataset:
            values: NDArray[Any] = dataset.read(window=window, out_dtype=dtype)
        return values

    return _tried(access, read)


def _tried(access: Access, action: Callable[[int], Result]) -> Result:
    """Do something with a raster, again where a server failed; as often as GDAL was told to."""
    told = access.options.get("GDAL_HTTP_MAX_RETRY")
    return patiently(action, attempts=ATTEMPTS if told is None else int(told) + 1)


def with_raster(access: Access, action: Callable[[DatasetReader], Result]) -> Result:
    """Do something with an opened raster, again where a server failed; in a task or elsewhere.

    Parameters
    ----------
    access : Access
        How to reach it.
    action : callable
        Takes the opened raster.

    Returns
    -------
    object
        What `action` returns.

    Raises
    ------
    SceneError
        Of the kind that says why it could not be read.
    """

    def attempt(number: int) -> Result:
        with _opened(access.anew() if number else access, quiet=True) as dataset:
            return action(dataset)

    return _tried(access, attempt)


@contextmanager
def _opened(access: Access, *, quiet: bool) -> Iterator[DatasetReader]:
    """Open for reading; every failure of GDAL leaves as an error of ours."""
    if access.local:
        check_local(access.path)
        if not Path(access.path).exists():
            raise not_found(access.url)
    try:
        with access.opened(quiet=quiet) as dataset:
            if not dataset.count:
                raise UnreadableSourceError(
                    f"{redact_url(access.url)!r} holds no raster bands of its own.",
                    remedy="Pass the path of one of its subdatasets: "
                    + (", ".join(dataset.subdatasets[:4]) or "there are none."),
                )
            yield dataset
    except SceneError:
        raise
    except ImportError as error:
        raise needs_package(f"Reading {redact_url(access.url)!r}", error) from error
    except Exception as error:  # of GDAL, or of the store where fsspec reads
        if not (isinstance(error, RasterioError | OSError) or access.through_fsspec is not None):
            raise
        explained = of_raster(access, error)
        # GDAL's own error beneath it cannot be pickled, and a worker process would send back a
        # bare Exception in place of ours.
        error.__cause__ = error.__context__ = None
        raise explained from error


def _stamp(access: Access) -> tuple[int, ...]:
    if not access.local:
        return ()
    status = Path(access.path).stat()
    return (status.st_size, status.st_mtime_ns)
