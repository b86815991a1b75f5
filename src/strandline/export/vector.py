"""Shorelines and polygons as GeoPackage, GeoParquet and GeoJSON, the same bytes every time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strandline.atomic import output_error, replacing
from strandline.errors import MissingCRSError, MissingDependencyError, OutputError, how_to_install
from strandline.paths import local_path

if TYPE_CHECKING:
    import geopandas

GEOPACKAGE, GEOPARQUET, GEOJSON = ".gpkg", ".parquet", ".geojson"

PACKAGES = ("geopandas", "pyogrio", "pyarrow", "contourpy")
"""What the extra ``vector`` installs."""

DEFAULT_LAYER = "water"

_LONGITUDE_LATITUDE = "OGC:CRS84"

# GeoPackage notes when it was last changed. That would make every file another one.
_NO_DATE = "1970-01-01T00:00:00Z"
_OPTIONS = {
    "OGR_CURRENT_DATE": _NO_DATE,
    "OGR_GPKG_ALLOW_THREADED_RTREE": "NO",  # the spatial index in one order
}
_changing_options = threading.Lock()


def missing_packages() -> list[str]:
    """Name the packages that geometries need and that are not installed."""
    from importlib.util import find_spec

    return [name for name in PACKAGES if find_spec(name) is None]


def write_vectors(
    layers: geopandas.GeoDataFrame | Mapping[str, geopandas.GeoDataFrame],
    path: str | os.PathLike[str],
) -> Path:
    """Write geometries with their attributes, in the format that the name of the file says.

    Parameters
    ----------
    layers : GeoDataFrame or mapping of str to GeoDataFrame
        From `strandline.shorelines` or `strandline.water_polygons`; several by name for a
        GeoPackage.
    path : path-like
        ``.gpkg``: GeoPackage, in the CRS of the map. ``.parquet``: GeoParquet 1.1 with bounding
        boxes for partial reading, in the CRS of the map. ``.geojson``: RFC 7946, which means
        longitude and latitude (WGS 84, seven decimals) and outer rings anticlockwise.

    Returns
    -------
    Path
        The file. It appears when it is complete.

    Raises
    ------
    OutputError
        If the format is unknown or takes no several layers, or the disk does not take the file.
    MissingCRSError
        If the geometries have no CRS.
    MissingDependencyError
        If geopandas, pyogrio or pyarrow are not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import strandline as sl
    >>> from strandline.testing.lakes import lake_grid, mask_of
    >>> mask = mask_of(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]), lake_grid((3, 3)))
    >>> layers = {"water": sl.water_polygons(mask), "shoreline": sl.shorelines(mask)}
    >>> with TemporaryDirectory() as folder:
    ...     write_vectors(layers, folder + "/lake.gpkg").name
    'lake.gpkg'
    """
    target = local_path(path)
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise OutputError(
            f"Cannot write geometries as '{target.name}'.",
            expected="a name that ends with " + ", ".join(_WRITERS),
            remedy="Choose one of these formats.",
        )
    named: dict[str, Any] = dict(layers) if isinstance(layers, Mapping) else {DEFAULT_LAYER: layers}
    if not named or (len(named) > 1 and write is not _geopackage):
        raise OutputError(
            f"'{target.name}' holds one layer.",
            got=", ".join(named) or "none",
            remedy="Write a file for each, or a GeoPackage.",
        )
    for name, layer in named.items():
        if layer.crs is None:
            raise MissingCRSError(
                f"The geometries of '{name}' have no CRS.", remedy="Use layer.set_crs('EPSG:…')."
            )
    with replacing(target) as partial, _reported(target):
        write(named, partial)
    return target


def _geopackage(layers: Mapping[str, Any], path: Path) -> None:
    import pyogrio

    with _options():
        for number, (name, layer) in enumerate(layers.items()):
            pyogrio.write_dataframe(
                layer,
                path,
                layer=name,
                driver="GPKG",
                append=number > 0,
                geometry_type=None if len(layer) else _kind(layer),
            )


def _geoparquet(layers: Mapping[str, Any], path: Path) -> None:
    (layer,) = layers.values()
    plain = layer.copy()
    plain.attrs = {}  # would be written along, and they say how the table was made, not what it is
    plain.to_parquet(path, index=False, write_covering_bbox=True, schema_version="1.1.0")


def _geojson(layers: Mapping[str, Any], path: Path) -> None:
    import pyogrio

    ((name, layer),) = layers.items()
    with _options():
        pyogrio.write_dataframe(
            layer.to_crs(_LONGITUDE_LATITUDE),
            path,
            layer=name,
            driver="GeoJSON",
            RFC7946="YES",
            WRITE_NAME="YES",
        )


_WRITERS: dict[str, Callable[[Mapping[str, Any], Path], None]] = {
    GEOPACKAGE: _geopackage,
    GEOPARQUET: _geoparquet,
    GEOJSON: _geojson,
}


def _kind(layer: Any) -> str:
    """Say what an empty layer is for: bodies have areas, lines have none."""
    return "MultiPolygon" if "area_km2" in layer.columns else "LineString"


@contextmanager
def _options() -> Iterator[None]:
    """Set GDAL's options for the file, which hold for the whole process, and put them back."""
    import pyogrio

    with _changing_options:
        before = {name: pyogrio.get_gdal_config_option(name) for name in _OPTIONS}
        pyogrio.set_gdal_config_options(_OPTIONS)
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options(before)


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            f"Writing '{target.name}' needs '{error.name}', which is not installed.",
            remedy=how_to_install("vector"),
        ) from error
    except RuntimeError as error:  # pyogrio's errors are that; those of the disk are reported
        raise output_error(target, error) from error
