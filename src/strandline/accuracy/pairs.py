"""What a map and a reference say of the same places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.errors import ConfigurationError
from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER, stored_classes
from strandline.prepare.georeference import crs_of, grid_of, place
from strandline.prepare.resample import regrid

Classes = NDArray[np.uint8]

MASK_NAMES = {LAND: "not_water", WATER: "water"}
_CLUSTER = re.compile(r"(label|cluster|subcluster)_\d+")
LONGITUDE, LATITUDE, CLASS = ("lon", "longitude"), ("lat", "latitude"), ("class",)


@dataclass(frozen=True)
class ClassMap:
    """A map of classes of one date, in memory.

    Attributes
    ----------
    values : ndarray of uint8, shape (y, x)
        255 where not observed.
    fraction : ndarray of float64, shape (y, x), or None
        Where it is of water and land: the fraction of water, NaN where not observed.
    grid : GeoBox
    names : dict of int to str
        Names of the classes that have one.
    says_water : bool
        Whether it says itself that it is of water and land: by its names, or as a fraction.
    """

    values: Classes
    fraction: NDArray[np.float64] | None
    grid: GeoBox
    names: dict[int, str]
    says_water: bool = False

    @property
    def says_clusters(self) -> bool:
        """Whether its classes are clusters, whose numbers mean nothing beyond their model."""
        return bool(self.names) and all(_CLUSTER.fullmatch(name) for name in self.names.values())

    @classmethod
    def read(cls, array: xr.DataArray, which: str) -> ClassMap:
        """Take a mask, a map of classes or a fraction of water for what it is."""
        array = stored_classes(array)
        if set(array.dims) != {"y", "x"} or array.dtype.kind not in "fiub":
            raise ConfigurationError(
                f"What was passed as {which} is not a map of one date.",
                expected="classes as integers, or a fraction of water, of dimensions (y, x)",
                got=f"{array.dtype} of dimensions {tuple(map(str, array.dims))}",
                remedy="Pick one date: mask.isel(time=0).",
            )
        grid = grid_of(array)
        values = np.asarray(array.transpose("y", "x").values)
        if values.dtype.kind == "f":
            _check_fraction(values, which)
            classes = np.where(np.isnan(values), NOT_OBSERVED, values >= 0.5).astype(np.uint8)
            return cls(classes, values.astype(np.float64), grid, MASK_NAMES, says_water=True)
        if values.dtype.kind != "b" and not ((values >= 0) & (values <= NOT_OBSERVED)).all():
            raise ConfigurationError(
                f"The classes of {which} are out of range.",
                expected="0 to 254, and 255 where not observed",
                got=f"{values.min()} to {values.max()}",
            )
        classes = values.astype(np.uint8)
        names = _names(array)
        only_water = np.isin(classes, [LAND, WATER, NOT_OBSERVED]).all()
        says_water = bool(names) and set(names.values()) <= {*MASK_NAMES.values(), "land"}
        if only_water and not names:
            names = MASK_NAMES
        fraction = None
        if only_water and set(names.values()) <= {*MASK_NAMES.values(), "land"}:
            fraction = np.where(classes == NOT_OBSERVED, np.nan, classes)
        return cls(classes, fraction, grid, names, says_water)


def _check_fraction(values: NDArray[Any], which: str) -> None:
    seen = values[~np.isnan(values)]
    if seen.size and not (seen.min() >= 0 and seen.max() <= 1):
        raise ConfigurationError(
            f"{which.capitalize()} holds real numbers that are not a water fraction.",
            expected="0 to 1, or classes as integers",
            got=f"{seen.min():g} to {seen.max():g}",
        )


def _names(array: xr.DataArray) -> dict[int, str]:
    words = str(array.attrs.get("flag_meanings", "")).split()
    values = np.ravel(array.attrs.get("flag_values", [])).tolist()
    if len(words) != len(values):
        return {}
    named = dict(zip(map(int, values), words, strict=True))
    return {value: name for value, name in named.items() if value != NOT_OBSERVED}


def same_class(one: str, other: str) -> bool:
    """Whether two names of a class mean the same; "land" is what is not water.

    Examples
    --------
    >>> same_class("Not water", "land"), same_class("water", "stable_water")
    (True, False)
    """
    return _plain_name(one) == _plain_name(other)


def _plain_name(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_")
    return MASK_NAMES[LAND] if plain == "land" else plain


def on_grid(reference: xr.DataArray, grid: GeoBox) -> xr.DataArray:
    """Put a reference on the pixels of the map: that at the centre of each."""
    boolean = reference.astype(np.uint8) if reference.dtype == bool else reference
    if boolean.dtype.kind in "iu" and boolean.dtype != np.uint8:
        boolean = _as_bytes(boolean)
    return regrid(boolean, grid, "nearest")


def _as_bytes(classes: xr.DataArray) -> xr.DataArray:
    """Store whole numbers in bytes, their own fill value as 255."""
    values = np.asarray(classes.values)
    for holder in (classes.attrs, classes.encoding):
        for key in ("_FillValue", "nodata"):
            if holder.get(key) is not None:
                values = np.where(values == holder[key], NOT_OBSERVED, values)
    if not ((values >= 0) & (values <= NOT_OBSERVED)).all():
        raise ConfigurationError(
            "The classes of the reference are out of range.",
            expected="0 to 254, and 255 where unsure",
            got=f"{values.min()} to {values.max()}",
        )
    stored = classes.copy(data=values.astype(np.uint8))
    stored.attrs["_FillValue"] = np.uint8(NOT_OBSERVED)
    stored.encoding = {}
    return stored


def sampled(mapped: ClassMap, points: pd.DataFrame) -> tuple[Classes, Classes, int]:
    """Read the map at points.

    Parameters
    ----------
    mapped : ClassMap
    points : DataFrame
        Columns ``lon``, ``lat`` (degrees) and ``class``; or a GeoDataFrame of points with a
        column ``class``. Classes are numbers, or names that the map knows.

    Returns
    -------
    (ndarray of uint8, ndarray of uint8, int)
        Class on the map and in the reference of each point on the map, and how many points
        lie outside it.
    """
    x, y = _positions(points, mapped.grid)
    classes = _point_classes(_column(points, CLASS), mapped.names)
    column, row = (np.floor(part) for part in place(~mapped.grid.affine, x, y))
    rows, columns = mapped.grid.shape
    # A place that the CRS does not know comes as infinity.
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    at = row[inside].astype(int), column[inside].astype(int)
    return mapped.values[at], classes[inside], int((~inside).sum())


def _positions(points: pd.DataFrame, grid: GeoBox) -> tuple[NDArray[Any], NDArray[Any]]:
    crs: Any = "EPSG:4326"
    if hasattr(points, "geom_type"):
        frame = cast(Any, points)
        if frame.crs is None or not (frame.geom_type == "Point").all():
            raise ConfigurationError(
                "The reference is not a set of points with a CRS.",
                expected="a GeoDataFrame of points with a CRS",
                got=f"{', '.join(sorted(set(map(str, frame.geom_type))))} with CRS {frame.crs}",
            )
        crs, x, y = frame.crs, frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy()
    else:
        x, y = (_numbers(_column(points, names)) for names in (LONGITUDE, LATITUDE))
        if len(x) and not ((np.abs(y) <= 90) & (x >= -180) & (x <= 360)).all():
            raise ConfigurationError(
                "Points of the reference lie outside of the Earth.",
                expected="lon -180 to 180 and lat -90 to 90, in degrees",
            )
    to_grid = pyproj.Transformer.from_crs(crs, crs_of(grid), always_xy=True)
    found_x, found_y = to_grid.transform(np.asarray(x, float), np.asarray(y, float))
    return found_x, found_y


def _column(points: pd.DataFrame, names: tuple[str, ...]) -> pd.Series[Any]:
    there = {str(name).strip().lower(): name for name in points.columns}
    for name in names:
        if name in there:
            return points[there[name]]
    raise ConfigurationError(
        f"The points of the reference have no column {names[0]!r}.",
        expected="columns lon, lat and class",
        got=", ".join(map(str, points.columns)) or "none",
    )


def _numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(numbers).any():
        raise ConfigurationError(
            f"Column {column.name!r} of the reference holds values that are not numbers.",
            expected="a number in each row",
            got=repr(column.iloc[int(np.argmax(np.isnan(numbers)))]),
        )
    return numbers


def _point_classes(column: pd.Series[Any], names: dict[int, str]) -> Classes:
    """Turn classes, as numbers or as names, into the numbers of the map."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        numbers = _numbers(column)
    else:
        known = {name.lower(): value for value, name in names.items()}
        known |= {name.replace("_", " "): value for name, value in known.items()}
        if names.get(LAND) == MASK_NAMES[LAND]:
            known["land"] = LAND
        words = [str(word).strip().lower() for word in column]
        numbers = np.array(
            [known.get(word, float(word) if word.isdigit() else np.nan) for word in words]
        )
        if np.isnan(numbers).any():
            raise ConfigurationError(
                "The reference has a class that the map does not.",
                expected=", ".join(map(repr, known)) or "numbers",
                got=repr(column.iloc[int(np.argmax(np.isnan(numbers)))]),
            )
    if not (np.isin(numbers, np.arange(256))).all():
        raise ConfigurationError(
            "The classes of the reference are out of range.",
            expected="whole numbers from 0 to 254, and 255 where unsure",
            got=f"{numbers.min():g} to {numbers.max():g}",
        )
    return numbers.astype(np.uint8)
