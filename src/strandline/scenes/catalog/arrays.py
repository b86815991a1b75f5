"""Arrays in the form in which intake-xarray gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import (
    CatalogError,
    GridMismatchError,
    MissingDependencyError,
    SourceNotFoundError,
    UnreadableSourceError,
    how_to_install,
)
from strandline.scenes.chunking import ROWS_AND_COLUMNS
from strandline.scenes.failures import asking
from strandline.scenes.header import read_header
from strandline.scenes.patterns import MatchedFile
from strandline.scenes.raster import read_bands
from strandline.scenes.storage import is_url, listing_options

ChunkSizes = dict[str, int]


def open_rasters(
    files: Sequence[MatchedFile],
    *,
    concat_dim: str = "band",
    chunks: Any = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Open raster files as one lazy array of stored values.

    Parameters
    ----------
    files : sequence of MatchedFile
        All on one grid. Fields of their names become coordinates.
    concat_dim : str
        "band" puts the bands of all files one after another; any other name stacks the files along
        a new dimension, for which they need the same number of bands.
    chunks : mapping, int, "auto" or None
        As in the catalogue: pixels or bands per chunk, by dimension.
    storage_options : mapping, optional

    Returns
    -------
    xarray.DataArray
        Dims (band, y, x) or (concat_dim, band, y, x).

    Raises
    ------
    CatalogError
        If the chunks cannot be understood.
    GridMismatchError
        If the files are not on one grid, or cannot be stacked.
    """
    sizes = chunk_sizes(chunks)
    spatial = {dim: size for dim, size in sizes.items() if dim in ("y", "x")}
    urls = [file.url for file in files]
    raw = read_bands(urls, chunks=spatial or None, storage_options=storage_options)
    counts = [1] * len(urls)
    if raw.sizes["band"] != len(urls):
        counts = [read_header(url, storage_options=storage_options).count for url in urls]
    attrs = _attributes(raw)
    if concat_dim == "band":
        array = _along_band(raw, files, counts)
    else:
        array = _along_new(raw, files, counts, concat_dim)
        per_band = ("nodatavals", "scales", "offsets")
        attrs |= {name: attrs[name][: counts[0]] for name in per_band}
    rest = {dim: size for dim, size in sizes.items() if dim in array.dims and dim not in spatial}
    array = array.chunk(rest) if rest else array
    return array.assign_attrs(attrs)


def chunk_sizes(chunks: Any) -> ChunkSizes:
    """Understand a source's ``chunks``.

    Returns
    -------
    dict of str to int
        Empty for None and "auto"; a lone number means every dimension. Rows and columns are y and
        x, whatever the source calls them.

    Raises
    ------
    CatalogError
        If a size is not a number, zero, or below -1.

    Examples
    --------
    >>> chunk_sizes({"band": 1, "x": "256"})
    {'band': 1, 'x': 256}
    """
    if chunks is None or chunks == "auto":
        return {}
    given = chunks
    if isinstance(chunks, int | str):
        given = dict.fromkeys(("band", "y", "x"), chunks)
    try:
        sizes = {
            ROWS_AND_COLUMNS.get(str(dim), str(dim)): -1 if size is None else int(size)
            for dim, size in given.items()
        }
    except (AttributeError, TypeError, ValueError):
        sizes = {"": 0}
    if any(size == 0 or size < -1 for size in sizes.values()):
        raise CatalogError(
            "The chunks of a source cannot be understood.",
            expected="a number, or a mapping such as {band: 1, x: 256, y: 256}",
            got=repr(chunks),
        )
    return sizes


def _along_band(
    raw: xr.DataArray, files: Sequence[MatchedFile], counts: Sequence[int]
) -> xr.DataArray:
    fields = {name: np.repeat(values, counts) for name, values in _field_values(files).items()}
    numbers = fields.pop("band", None)
    if numbers is None or len(np.unique(numbers)) != raw.sizes["band"]:
        numbers = np.arange(1, raw.sizes["band"] + 1)
    coords: dict[str, Any] = {name: ("band", values) for name, values in fields.items()}
    # The attributes of spatial_ref hold the grid, and stay.
    return raw.drop_attrs(deep=False).assign_coords({"band": numbers, **coords})


def _along_new(
    raw: xr.DataArray, files: Sequence[MatchedFile], counts: Sequence[int], dim: str
) -> xr.DataArray:
    if len(set(counts)) > 1:
        raise GridMismatchError(
            f"Files cannot be stacked along {dim!r}.",
            expected=f"{counts[0]} bands in each, as in {files[0].url!r}",
            got=", ".join(map(str, counts)),
        )
    starts = np.arange(len(files)) * counts[0]
    parts = [raw.data[start : start + counts[0]] for start in starts]
    stacked = da.stack(parts)  # type: ignore[no-untyped-call]  # Dask is untyped
    coords = {name: coord for name, coord in raw.coords.items() if name != "band"}
    coords |= {name: (dim, values) for name, values in _field_values(files).items()}
    coords["band"] = coords["band"] if "band" in coords else np.arange(1, counts[0] + 1)
    return xr.DataArray(stacked, dims=(dim, "band", "y", "x"), coords=coords, name=raw.name)


def _field_values(files: Sequence[MatchedFile]) -> dict[str, NDArray[Any]]:
    values: dict[str, NDArray[Any]] = {}
    for name in files[0].fields:
        of_files = [file.fields.get(name) for file in files]
        dates = isinstance(of_files[0], datetime)
        values[name] = np.array(of_files, dtype="datetime64[ns]" if dates else None)
    return values


def _attributes(raw: xr.DataArray) -> dict[str, Any]:
    """Attributes under the names that intake-xarray gave them."""
    geobox = raw.odc.geobox
    transform = geobox.transform
    attrs: dict[str, Any] = {
        "transform": tuple(float(value) for value in transform[:6]),
        "res": (abs(float(transform.a)), abs(float(transform.e))),
        "nodatavals": tuple(raw.attrs["nodata"]),
        "scales": tuple(raw.attrs["scales"]),
        "offsets": tuple(raw.attrs["offsets"]),
    }
    if geobox.crs is not None:
        code = geobox.crs.to_epsg()
        attrs["crs"] = str(geobox.crs) if code is None else f"EPSG:{code}"
    fills = set(attrs["nodatavals"])
    if len(fills) == 1 and None not in fills:
        attrs["_FillValue"] = _in_dtype(fills.pop(), raw.dtype)
    return attrs


def _in_dtype(value: float, dtype: np.dtype[Any]) -> Any:
    """Give the fill value the array's own type, where that can hold it."""
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        if not (float(value).is_integer() and info.min <= value <= info.max):
            return value
    return dtype.type(value)


def open_datasets(
    urls: Sequence[str],
    *,
    kind: str,
    concat_dim: str | None = None,
    chunks: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    xarray_kwargs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open NetCDF files or a Zarr store as one lazy dataset.

    Parameters
    ----------
    urls : sequence of str
    kind : {"netcdf", "zarr"}
    concat_dim : str, optional
        Along which several files follow one another; by default their coordinates decide.
    chunks : mapping, int, "auto" or None
    storage_options : mapping, optional
    xarray_kwargs : mapping, optional
        Further arguments of `xarray.open_dataset`.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError
        If files are missing, refused or damaged.
    MissingDependencyError
        If the package that reads them is not installed.
    """
    options = dict(xarray_kwargs or {})
    options["chunks"] = {} if chunks is None else chunks
    options.setdefault("decode_coords", "all")  # the CRS's variable is not a band
    if kind == "zarr":
        options.setdefault("engine", "zarr")
    sources: list[Any] = list(urls)
    if is_url(urls[0]):
        options, sources = _remote(urls, kind, options, storage_options)
    try:
        if len(sources) == 1:
            return xr.open_dataset(sources[0], **options)
        if concat_dim:
            options |= {"combine": "nested", "concat_dim": concat_dim}
        return xr.open_mfdataset(sources, **options)
    except FileNotFoundError as error:
        raise SourceNotFoundError(
            f"There is nothing at {urls[0]!r}.", remedy="Check the path."
        ) from error
    except (ImportError, ValueError, OSError, KeyError) as error:
        missing = isinstance(error, ImportError) or "engine" in str(error)
        if missing:
            raise MissingDependencyError(
                f"Reading {urls[0]!r} needs another package: {error}",
                remedy=how_to_install("io"),
            ) from error
        raise UnreadableSourceError(f"{urls[0]!r} cannot be read: {error}.") from error


def _remote(
    urls: Sequence[str],
    kind: str,
    options: dict[str, Any],
    storage_options: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], list[Any]]:
    access = listing_options(storage_options)
    if kind == "zarr":
        return {**options, "storage_options": access}, list(urls)
    files = asking(urls[0], partial(_opened, urls, access))
    return {"engine": "h5netcdf", **options}, files


def _opened(urls: Sequence[str], access: Mapping[str, Any]) -> list[Any]:
    import fsspec

    return [file.open() for file in fsspec.open_files(list(urls), "rb", **access)]  # type: ignore[no-untyped-call]  # untyped
