"""NetCDF files and Zarr stores, lazily and as they are stored."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import (
    MissingDependencyError,
    SceneError,
    SourceNotFoundError,
    UnreadableSourceError,
    how_to_install,
)
from strandline.paths import local_path, split_subdataset
from strandline.scenes.cache import Cache, local_copy
from strandline.scenes.failures import asking
from strandline.scenes.sensors import SENSORS, band_name
from strandline.scenes.storage import check_local, is_url, listing_options


def read_dataset(
    path: str,
    *,
    storage_options: Mapping[str, Any] | None = None,
    cache: Cache = None,
    group: str = "",
) -> xr.Dataset:
    """Open a NetCDF file or a Zarr store, lazily and as it is stored.

    Parameters
    ----------
    path : str
        Local path or URL.
    storage_options : mapping, optional
        As fsspec takes them.
    cache : bool or path-like, optional
        Where a copy of a remote NetCDF file is kept; None for none. A Zarr store, which is many
        files, is read in place.
    group : str
        Which of the groups of a NetCDF or HDF5 file; by default the first.

    Returns
    -------
    xarray.Dataset
        Not scaled or masked: that is done once, by the scene.

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError, MissingDependencyError
        If it is missing or damaged, or nothing is installed that reads it.
    """
    if not _is_zarr(path):
        path = local_copy(path, storage_options=storage_options, cache=cache)
    check_local(path)
    if not is_url(path) and not local_path(path).exists():
        raise SourceNotFoundError(f"There is no file {path!r}.", remedy="Check the path.")
    try:
        return _in_tasks(_opened(path, storage_options, group), path)
    except SceneError:
        raise
    except ImportError as error:
        raise _missing_reader(path, error) from error
    except FileNotFoundError:
        absent = SourceNotFoundError(
            f"There is no scene at {path!r}.", remedy="Check the path, or write the store anew."
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if "unrecognized engine" in str(error) or "found the following matches" in str(error):
            raise _missing_reader(path, error) from error
        raise UnreadableSourceError(
            f"{path!r} cannot be read: {str(error).splitlines()[0] if str(error) else error!r}.",
            remedy="It may be truncated, damaged, or of another format.",
        ) from error
    # Not from within: some stores raise errors of their own, which no worker could send back.
    raise absent


def read_subdataset(
    name: str, *, storage_options: Mapping[str, Any] | None = None, cache: Cache = None
) -> xr.Dataset | None:
    """Open one variable of a NetCDF or HDF5 file by the name that GDAL gives it.

    Parameters
    ----------
    name : str
        Such as ``NETCDF:"scene.nc":green`` or ``HDF5:"scene.h5"://group/green``.
    storage_options, cache
        As for `read_dataset`.

    Returns
    -------
    xarray.Dataset or None
        The variable with its coordinates; None where the file does not say, in the way that
        xarray reads, where the variable's rows and columns lie: GDAL may know more.

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError, MissingDependencyError
        As `read_dataset`.
    """
    inner = split_subdataset(name)
    if inner is None or not inner[0].upper().startswith(("NETCDF", "HDF5")):
        return None
    group, _, variable = inner[2].strip('":/').rpartition("/")
    dataset = read_dataset(inner[1], storage_options=storage_options, cache=cache, group=group)
    if variable not in dataset.data_vars:
        return None
    placed = len([dim for dim in dataset[variable].dims if dim in dataset.coords]) >= 2
    return dataset[[variable]] if placed else None


def _opened(path: str, storage_options: Mapping[str, Any] | None, group: str) -> xr.Dataset:
    """Open by what xarray has for it; not decoded, and not in chunks: see `_in_tasks`."""
    plainly: dict[str, Any] = {"decode_coords": "all", "mask_and_scale": False}
    options = listing_options(storage_options) if is_url(path) else {}
    place = path if is_url(path) else str(local_path(path))
    if _is_zarr(path):
        if options:
            plainly["storage_options"] = options
        with warnings.catch_warnings():
            # Whether a store's metadata is in one place matters for its speed, not to us.
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated")
            return _in_spectral_order(xr.open_dataset(place, engine="zarr", **plainly))
    if group:
        plainly["group"] = group
    if not is_url(path):
        return xr.open_dataset(place, **plainly)
    handle = asking(path, partial(_handle, path, options))
    return xr.open_dataset(handle, engine="h5netcdf", **plainly)


def _is_zarr(path: str) -> bool:
    named = path.rstrip("/").endswith(".zarr")
    return named or (not is_url(path) and local_path(path).is_dir())


def _handle(path: str, options: Mapping[str, Any]) -> Any:
    import fsspec

    return fsspec.open(path, "rb", **options).open()  # type: ignore[no-untyped-call]  # untyped library


class _Part:
    """A variable on disk that Dask's tasks read parts of; failures leave as errors of ours."""

    def __init__(self, variable: xr.Variable, path: str) -> None:
        self.variable, self.path = variable, path
        self.shape, self.dtype, self.ndim = variable.shape, variable.dtype, variable.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            return np.asarray(self.variable[key].values)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise UnreadableSourceError(
                f"Pixels of {self.path!r} cannot be read: {str(error).splitlines()[0]}.",
                remedy="It may be truncated or damaged: fetch it again.",
            ) from error


def _in_tasks(dataset: xr.Dataset, path: str) -> xr.Dataset:
    """Make the variables lazy, in chunks of whole stored ones."""
    import dask.array as da

    lazy: dict[Hashable, Any] = {}
    for name, variable in dataset.data_vars.items():
        if not variable.ndim:
            continue
        stored = variable.encoding.get("preferred_chunks", {})
        previous = tuple(stored.get(dim, variable.sizes[dim]) for dim in variable.dims)
        chunks = da.core.normalize_chunks(  # type: ignore[no-untyped-call]  # untyped library
            "auto", variable.shape, dtype=variable.dtype, previous_chunks=previous
        )
        data = da.from_array(_Part(variable.variable, path), chunks=chunks, asarray=False)  # type: ignore[no-untyped-call]  # untyped library
        lazy[name] = variable.copy(data=data)
    return dataset.assign(lazy)


def _in_spectral_order(dataset: xr.Dataset) -> xr.Dataset:
    """Undo the alphabet: a Zarr store does not keep the order of its variables."""
    only_msi = {"rededge071", "rededge075", "rededge078", "nir", "nir09"}
    platform = "sentinel-2a" if only_msi & set(map(str, dataset.data_vars)) else "landsat-8"
    order = [band.name for band in SENSORS[platform].bands]

    def place(name: Hashable) -> int:
        known = band_name(str(name), SENSORS[platform])
        return order.index(known) if known in order else len(order)

    return dataset[sorted(dataset.data_vars, key=place)]


def _missing_reader(path: str, error: Exception) -> MissingDependencyError:
    return MissingDependencyError(
        f"Nothing is installed that reads {path!r} ({str(error).splitlines()[0]}).",
        remedy=how_to_install("io"),
    )
