"""Raster files as lazy arrays of the values they store.

Opening costs the header; pixels are read when a result is asked for. Nothing
is scaled, masked or renamed here.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import rasterio
import xarray as xr
from affine import Affine
from dask.base import tokenize
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.errors import NotGeoreferencedWarning, RasterioError
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
from strandline.scenes.chunking import Chunks, chunk_shape
from strandline.scenes.storage import check_local, gdal_options, gdal_path, is_local, reading

_warning_filters = threading.Lock()  # Python keeps them per process, not per thread
_NOT_REACHED = ("CURL error", "HTTP response code", "AccessDenied", "Access Denied", "403")
_NOT_THERE = ("no such file", "does not exist", "404", "not found", "no such key", "nosuchkey")


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
    url: str | Path, *, storage_options: Mapping[str, Any] | None = None
) -> RasterHeader:
    """Read what a raster file says about itself.

    Parameters
    ----------
    url : str or Path
        Local path, ``file://``, ``s3://``, ``gs://``, ``http(s)://`` or GDAL ``/vsi…`` path.
    storage_options : mapping, optional
        As fsspec and intake write them, e.g. ``{"anon": True}``.

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
    path, options = gdal_path(url), gdal_options(storage_options)
    if not is_local(path):
        # GDAL remembers what a URL answered, refusals too: a second try with credentials, or an
        # object that was replaced, would get the old answer.
        options["CPL_VSIL_CURL_NON_CACHED"] = path
    with _opened(str(url), path, options, quiet=True) as dataset:
        crs = dataset.crs
        return RasterHeader(
            url=str(url),
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
            stamp=_stamp(path),
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
) -> xr.DataArray:
    """Read like :func:`read_bands`, from files whose headers are at hand.

    Parameters
    ----------
    headers : sequence of RasterHeader
        At least one.
    band_names, chunks, storage_options
        As for :func:`read_bands`.

    Returns
    -------
    xarray.DataArray
    """
    if not headers:
        raise SourceNotFoundError("There is no file to read.", remedy="Pass at least one path.")
    first = headers[0]
    for header in headers[1:]:
        check_same_grid(first, header)
    if not all(map(math.isfinite, first.transform)) or first.transform.determinant == 0:
        raise MetadataError(
            f"The place of the pixels of {first.url!r} is impossible.",
            expected="finite coordinates, and pixels of a size",
            got=f"the transform {tuple(first.transform)[:6]}",
            remedy="Georeference the file anew, for example with gdal_edit.",
        )
    if not first.transform.b == first.transform.d == 0:
        raise UnknownProductError(
            f"The grid of {first.url!r} is rotated.",
            expected="rows along x and columns along y",
            got=f"the transform {tuple(first.transform)[:6]}",
            remedy="Warp it to a north-up grid first, for example with gdalwarp.",
        )
    names = _band_names(headers, band_names)
    shape = chunk_shape(first.height, first.width, first.block_shape, chunks)
    options = gdal_options(storage_options)
    parts = [_lazy_file(header, shape, options) for header in headers]
    data = parts[0] if len(parts) == 1 else da.concatenate(parts, axis=0)  # type: ignore[no-untyped-call]  # untyped library
    coords = xr_coords(first.geobox, dims=("y", "x"))
    attrs = {
        "nodata": [value for header in headers for value in header.nodata],
        "scales": [value for header in headers for value in header.scales],
        "offsets": [value for header in headers for value in header.offsets],
        "georeferenced": first.georeferenced,
    }
    return xr.DataArray(
        data, dims=("band", "y", "x"), coords={"band": names, **coords}, attrs=attrs, name="bands"
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


def _lazy_file(
    header: RasterHeader, shape: tuple[int, int], options: Mapping[str, str]
) -> da.Array:
    path = gdal_path(header.url)
    name = "read-" + tokenize(path, header.stamp, header.transform, header.count, shape)
    chunks = da.core.normalize_chunks(  # type: ignore[no-untyped-call]  # untyped library
        (header.count, *shape), (header.count, header.height, header.width)
    )
    tops = np.concatenate(([0], np.cumsum(chunks[1])))[:-1].tolist()
    lefts = np.concatenate(([0], np.cumsum(chunks[2])))[:-1].tolist()
    # One dict shared by all tasks; quiet: the header has said already that there is no transform.
    source = (header.url, path, dict(options), header.dtype, not header.georeferenced)
    graph = {
        (name, 0, i, j): (_read_window, source, (top, left, rows, columns))
        for i, (top, rows) in enumerate(zip(tops, chunks[1], strict=True))
        for j, (left, columns) in enumerate(zip(lefts, chunks[2], strict=True))
    }
    return da.Array(graph, name, chunks, dtype=np.dtype(header.dtype))  # type: ignore[no-untyped-call]  # untyped library


def _read_window(
    source: tuple[str, str, dict[str, str], str, bool], place: tuple[int, int, int, int]
) -> NDArray[Any]:
    """Read all bands of one window; runs inside a Dask task, in any thread or process."""
    url, path, options, dtype, quiet = source
    top, left, rows, columns = place
    with _opened(url, path, options, quiet=quiet) as dataset:
        values: NDArray[Any] = dataset.read(
            window=Window(left, top, columns, rows), out_dtype=dtype
        )
    return values


@contextmanager
def _opened(
    url: str, path: str, options: Mapping[str, str], *, quiet: bool
) -> Iterator[DatasetReader]:
    """Open for reading; every failure of GDAL leaves as an error of ours."""
    if is_local(path):
        check_local(path)
        if not Path(path).exists():
            raise _not_found(url)
    try:
        with reading(path, options), _open(path, quiet=quiet) as dataset:
            if not dataset.count:
                raise UnreadableSourceError(
                    f"{url!r} holds no raster bands of its own.",
                    remedy="Pass the path of one of its subdatasets: "
                    + (", ".join(dataset.subdatasets[:4]) or "there are none."),
                )
            yield dataset
    except SceneError:
        raise
    except (RasterioError, OSError) as error:
        explained = _explained(url, path, error)
        # GDAL's own error beneath it cannot be pickled, and a worker process would send back a
        # bare Exception in place of ours.
        error.__cause__ = error.__context__ = None
        raise explained from error


def _open(path: str, *, quiet: bool) -> DatasetReader:
    if not quiet:
        plain: DatasetReader = rasterio.open(path)
        return plain
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset: DatasetReader = rasterio.open(path)
        return dataset


def _explained(url: str, path: str, error: Exception) -> SceneError:
    reason = str(error).strip().rstrip(".")
    cause = error.__cause__
    if "previous exception" in reason and cause is not None:
        reason = str(cause).strip().rstrip(".")
    absent = any(words in reason.lower() for words in _NOT_THERE)
    if absent and not (is_local(path) and Path(path).exists()):
        return _not_found(url)
    unreached = not is_local(path) and any(words in reason for words in _NOT_REACHED)
    return UnreadableSourceError(
        f"{url!r} cannot be read as a raster: {reason}.",
        remedy="Check the network, the address, and storage_options=… for the store."
        if unreached
        else "It may be truncated, damaged, or no raster: try gdalinfo, or fetch it again.",
    )


def _not_found(url: str) -> SourceNotFoundError:
    return SourceNotFoundError(
        f"There is no file {url!r}.", remedy="Check the path, or the access to the store."
    )


def _stamp(path: str) -> tuple[int, ...]:
    if not is_local(path):
        return ()
    status = Path(path).stat()
    return (status.st_size, status.st_mtime_ns)
