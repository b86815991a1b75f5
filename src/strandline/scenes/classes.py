"""Maps of classes and tables of points from files: what is held against one another."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import xarray as xr
from odc.geo.xr import xr_coords

from strandline.errors import (
    MissingCRSError,
    MissingDependencyError,
    SceneError,
    SourceNotFoundError,
    UnreadableSourceError,
    how_to_install,
)
from strandline.paths import local_path
from strandline.scenes.access import Access
from strandline.scenes.header import read_header
from strandline.scenes.reading import read_raster

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

UNKNOWN = 255
"""What the arrays hold where the file has no data."""

POINT_LAYERS = frozenset({".gpkg", ".geojson", ".json", ".shp", ".parquet"})


def read_reference(path: str | Path) -> xr.DataArray | pd.DataFrame:
    """Read a map of classes or a table of points, whichever the file is.

    Parameters
    ----------
    path : path-like
        ``.csv`` with columns ``lon``, ``lat``, ``class``; a layer of points (GeoPackage,
        GeoJSON, Shapefile, GeoParquet; needs geopandas); or a raster.

    Returns
    -------
    DataArray or DataFrame
        As `strandline.assess` takes it.

    Raises
    ------
    SourceNotFoundError, UnreadableSourceError
        If nothing is there, or it is not what its name says.
    MissingDependencyError
        If geopandas is needed and not there.
    """
    path = local_path(path)
    kind = path.suffix.lower()
    if kind != ".csv" and kind not in POINT_LAYERS:
        return read_classes(path)
    if not path.is_file():
        raise SourceNotFoundError(f"There is no file {str(path)!r}.")
    try:
        if kind == ".csv":
            return pd.read_csv(path, skipinitialspace=True)
        geopandas: Any = _geopandas(path)
        read = geopandas.read_parquet if kind == ".parquet" else geopandas.read_file
        return cast(pd.DataFrame, read(path))
    except (ValueError, OSError, RuntimeError) as error:
        if isinstance(error, MissingDependencyError):
            raise
        raise UnreadableSourceError(
            f"{str(path)!r} cannot be read as a table of points.", got=str(error).splitlines()[0]
        ) from error


def _geopandas(path: str | Path) -> Any:
    try:
        return importlib.import_module("geopandas")
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {str(path)!r} needs geopandas.",
            remedy=f"{how_to_install('vector')}; or pass a CSV file with columns lon, lat, class.",
        ) from error


def read_classes(path: str | Path) -> xr.DataArray:
    """Read the first band of a raster as a map of classes, or of a fraction of water.

    Parameters
    ----------
    path : path-like
        Any raster that GDAL reads, local or not.

    Returns
    -------
    DataArray of shape (y, x)
        uint8 with 255 for no data; or float32 with NaN, where the file holds real numbers.
        Attributes ``flag_values`` and ``flag_meanings`` as in the file.

    Raises
    ------
    SceneError
        If nothing is there, it is not a raster, its values are not classes, or it has no CRS.
    """
    header = read_header(path)
    if header.crs is None:
        raise MissingCRSError(f"{str(path)!r} has no CRS.", remedy="Georeference the file.")
    values, tags = read_raster(Access.to(path), _first_band)
    nodata = header.nodata[0]
    if values.dtype.kind == "f":
        stored = values.astype(np.float32)
        if nodata is not None:
            stored[values == nodata] = np.nan
    else:
        empty = np.zeros(values.shape, bool) if nodata is None else values == nodata
        if not ((values[~empty] >= 0) & (values[~empty] <= UNKNOWN)).all():
            raise SceneError(
                f"{str(path)!r} is not a map of classes.",
                expected="whole numbers from 0 to 254",
                got=f"{values[~empty].min()} to {values[~empty].max()}",
            )
        stored = np.where(empty, UNKNOWN, values).astype(np.uint8)
    attrs: dict[str, Any] = {}
    if "flag_meanings" in tags and "flag_values" in tags:
        numbers = [int(word) for word in tags["flag_values"].replace(",", " ").split()]
        attrs = {"flag_values": np.array(numbers, np.uint8), "flag_meanings": tags["flag_meanings"]}
    coords: Any = xr_coords(header.geobox, always_yx=True)
    return xr.DataArray(stored, dims=("y", "x"), coords=coords, attrs=attrs)


def _first_band(dataset: DatasetReader) -> tuple[np.ndarray, dict[str, str]]:
    return dataset.read(1), dict(dataset.tags(1))
