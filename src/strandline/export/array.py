"""Maps of classes as NetCDF (CF conventions) or Zarr, for xarray, GDAL and everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from strandline.atomic import output_error, replacing
from strandline.errors import GridMismatchError, MissingDependencyError, OutputError, how_to_install
from strandline.export.raster import WHOLE_BYTES
from strandline.export.staging import staged_folder
from strandline.paths import local_path
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import attach_grid, describe_grid, grid_of, same_grid

NETCDF, ZARR = ".nc", ".zarr"

CHUNK = 512
"""Side of a stored chunk, in pixels."""

STRIPE = 4 * CHUNK
"""Rows of larger maps that are computed at a time."""

_CONVENTIONS = "CF-1.11"
_AXES = {
    True: {"x": ("longitude", "degrees_east"), "y": ("latitude", "degrees_north")},
    False: {"x": ("projection_x_coordinate", "m"), "y": ("projection_y_coordinate", "m")},
}


def write_arrays(maps: Mapping[str, xr.DataArray], path: str | os.PathLike[str]) -> Path:
    """Write maps of classes on one grid as variables of one file.

    Parameters
    ----------
    maps : mapping of str to DataArray
        Labels, water masks, change maps: uint8 of dimensions (y, x) or (time, y, x), on one grid.
    path : path-like
        ``.nc``: NetCDF-4, compressed. ``.zarr``: a Zarr store, which must not exist yet. Both
        hold the classes as CF flags and the CRS as a CF grid mapping. For the latter, xarray
        has to be asked: ``xarray.open_zarr(path, decode_coords="all")``.

    Returns
    -------
    Path
        The file or store. It appears when it is complete.

    Raises
    ------
    GridMismatchError
        If the maps are on different grids.
    OutputError
        If there is nothing to write, the format is unknown, a map is none of classes, or the
        disk does not take it.
    MissingDependencyError
        If h5netcdf or zarr are not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from strandline.testing.lakes import lake_grid, mask_of
    >>> mask = mask_of(np.eye(3), lake_grid((3, 3)))
    >>> with TemporaryDirectory() as folder:
    ...     with xr.open_dataset(write_arrays({"water": mask}, folder + "/lake.nc")) as data:
    ...         data["water"].attrs["flag_meanings"]
    'not_water water'
    """
    import dask.config

    target = local_path(path)
    if target.suffix not in (NETCDF, ZARR):
        raise OutputError(
            f"Cannot write maps as '{target.name}'.", expected=f"a name in {NETCDF} or {ZARR}"
        )
    if target.suffix == ZARR and target.exists():
        raise OutputError(f"'{target}' is there already.", remedy="Remove it, or choose another.")
    data = _dataset(maps)
    # HDF5 lays chunks down as they come, so they have to come in one order.
    data = data.load() if data.nbytes <= WHOLE_BYTES else data.chunk(y=STRIPE, x=-1)
    encoding = {name: _encoding(data[name], target.suffix) for name in maps}
    try:
        if target.suffix == NETCDF:
            with replacing(target) as partial, dask.config.set(scheduler="synchronous"):
                data.to_netcdf(partial, engine="h5netcdf", encoding=encoding)
        else:
            with staged_folder(target) as folder:
                data.to_zarr(folder, mode="w", encoding=encoding, consolidated=False, zarr_format=2)
    except ImportError as error:
        raise MissingDependencyError(
            f"Writing '{target.name}' needs '{error.name}', which is not installed.",
            remedy=how_to_install("io"),
        ) from error
    except OSError as error:
        raise output_error(target, error) from error
    return target


def _dataset(maps: Mapping[str, xr.DataArray]) -> xr.Dataset:
    if not maps:
        raise OutputError("There are no maps to write.")
    grid = grid_of(next(iter(maps.values())))
    variables = {}
    for name, given in maps.items():
        array = stored_classes(given)
        if array.dtype != np.uint8:
            raise OutputError(
                f"'{name}' is not a map of classes.", expected="uint8", got=str(array.dtype)
            )
        if not same_grid(grid_of(array), grid):
            raise GridMismatchError(
                f"'{name}' is on another grid.",
                expected=describe_grid(grid),
                got=describe_grid(grid_of(array)),
            )
        dims = [name for name in ("time", "y", "x") if name in array.dims]
        plain = array.transpose(*dims).reset_coords(drop=True)
        plain.attrs = {key: _plain(value) for key, value in array.attrs.items()}
        plain.attrs.pop("_FillValue", None)
        plain.encoding = {}
        if "time" in array.coords:
            plain = plain.assign_coords(time=array["time"])
        variables[name] = plain
    # Dates that differ between maps, as of a mask and of a change, cannot be one coordinate.
    data = xr.Dataset({name: attach_grid(array, grid) for name, array in variables.items()})
    geographic = bool(grid.crs is not None and grid.crs.geographic)
    for axis, (standard_name, units) in _AXES[geographic].items():
        data[axis].attrs = {"standard_name": standard_name, "units": units, "axis": axis.upper()}
    data.attrs = {"Conventions": _CONVENTIONS, "title": "Classes by Strandline"}
    return data


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, np.ndarray, np.generic)) else str(value)


def _encoding(array: xr.DataArray, suffix: str) -> dict[str, Any]:
    sizes = tuple(min(size, CHUNK) if dim in ("y", "x") else 1 for dim, size in array.sizes.items())
    stored: dict[str, Any] = {"_FillValue": np.uint8(NOT_OBSERVED), "grid_mapping": "spatial_ref"}
    if suffix == ZARR:
        return {**stored, "chunks": sizes}
    return {**stored, "chunksizes": sizes, "zlib": True, "complevel": 4}
