"""One helper that checks the contract of every array that the package returns."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from strandline.prepare.georeference import describe_grid, grid_of, same_grid

Kind = Literal["scene", "dates", "labels", "mask", "change"]

DIMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "scene": (("band", "y", "x"),),
    "dates": (("time", "band", "y", "x"),),
    "labels": (("y", "x"), ("time", "y", "x")),
    "mask": (("y", "x"), ("time", "y", "x")),
    "change": (("y", "x"),),
}

CLASSES: dict[str, frozenset[int]] = {
    "labels": frozenset(range(256)),
    "mask": frozenset({0, 1, 255}),
    "change": frozenset({0, 1, 2, 3, 255}),
}

PROVENANCE = ("platform", "instrument", "processing_level", "source")


def check_map(
    array: Any,
    kind: Kind,
    *,
    grid: GeoBox | xr.DataArray | None = None,
    lazy: bool | None = None,
    values: bool = True,
) -> None:
    """Check that an array keeps the contract of its kind, and say everything that is wrong.

    Parameters
    ----------
    array : DataArray
        What was returned.
    kind : {"scene", "dates", "labels", "mask", "change"}
        What it should be.
    grid : GeoBox or DataArray, optional
        The grid on which it should be.
    lazy : bool, optional
        True: it must be a Dask array; False: it must be in memory.
    values : bool
        Also compute the values and look at them.

    Raises
    ------
    AssertionError
        With one line per broken promise.

    Examples
    --------
    >>> from strandline.testing.lakes import round_lake
    >>> check_map(round_lake(), "scene", lazy=False)
    """
    if not isinstance(array, xr.DataArray):
        raise AssertionError(f"{kind}: expected a DataArray, got {type(array).__name__}")
    problems = [*_shape_problems(array, kind)]
    if not problems:
        problems += [
            *_grid_problems(array, grid),
            *_coord_problems(array, kind),
            *_attr_problems(array, kind),
            *_laziness_problems(array, lazy),
        ]
        if values:
            problems += _value_problems(array, kind)
    if problems:
        raise AssertionError("\n".join(f"{kind}: {problem}" for problem in problems))


def _shape_problems(array: xr.DataArray, kind: str) -> Iterator[str]:
    if array.dims not in DIMS[kind]:
        yield f"expected dimensions {' or '.join(map(str, DIMS[kind]))}, got {array.dims}"
    dtype = np.uint8 if kind in CLASSES else np.float32
    if array.dtype != dtype:
        yield f"expected {np.dtype(dtype)}, got {array.dtype}"


def _grid_problems(array: xr.DataArray, expected: Any) -> Iterator[str]:
    try:
        grid = grid_of(array)
    except ValueError as error:
        yield f"no grid: {error}"
        return
    if expected is not None and not same_grid(grid, grid_of(expected)):
        yield f"expected {describe_grid(grid_of(expected))}, got {describe_grid(grid)}"
    if "spatial_ref" not in array.coords:
        yield f"expected the CRS in coordinate spatial_ref, got {array.odc.grid_mapping}"
    if importlib.util.find_spec("rioxarray") is not None:
        import rioxarray  # noqa: F401  (registers the accessor)

        if array.rio.crs is None:
            yield "the CRS is not seen by rioxarray"
        elif not array.rio.transform().almost_equals(grid.affine, 1e-6):
            yield f"rioxarray sees another transform: {tuple(array.rio.transform())[:6]}"


def _coord_problems(array: xr.DataArray, kind: str) -> Iterator[str]:
    for name in ("y", "x", *(dim for dim in array.dims if dim in ("time", "band"))):
        if name not in array.coords or array.coords[name].dims != (name,):
            yield f"no coordinate along {name}"
    if "band" in array.dims and "band" in array.coords:
        names = array["band"].values
        if names.dtype.kind not in "UOT" or not all(isinstance(name, str) for name in names):
            yield f"expected names of bands, got {names.dtype}"
        if len(set(names)) < len(names):
            yield f"two bands have the same name: {list(names)}"
    if kind in ("scene", "dates") and "time" not in array.coords:
        yield "no coordinate time"
    if "time" in array.coords and array["time"].dtype.kind != "M":
        yield f"expected datetime64 in time, got {array['time'].dtype}"
    if kind == "change" and "time" in array.coords:
        yield "a change lies between two times and has none of its own"
    for key, coord in array.coords.items():
        if coord.dtype == object and not all(isinstance(value, str) for value in coord.values.flat):
            yield f"coordinate {key} holds Python objects"


def _attr_problems(array: xr.DataArray, kind: str) -> Iterator[str]:
    for key, value in array.attrs.items():
        if not isinstance(value, str | int | float | np.number | np.ndarray | list | tuple):
            yield f"attribute {key} cannot be stored in a file: {type(value).__name__}"
    if kind == "scene":
        for key in PROVENANCE:
            if not isinstance(array.attrs.get(key), str):
                yield f"attribute {key} is missing or no text: {array.attrs.get(key)!r}"
        if array.attrs.get("units") != "1":
            yield f"expected units '1', got {array.attrs.get('units')!r}"
    if kind not in CLASSES:
        return
    fill = array.attrs.get("_FillValue", array.encoding.get("_FillValue"))
    if fill is None or int(fill) != 255:
        yield f"expected _FillValue 255, got {fill!r}"
    flags = np.asarray(array.attrs.get("flag_values", []))
    meanings = str(array.attrs.get("flag_meanings", "")).split()
    if not len(flags) or len(flags) != len(meanings):
        yield f"flag_values {flags.tolist()} do not fit flag_meanings {meanings}"
    elif flags.dtype != np.uint8:
        yield f"CF wants flag_values of the map's own type, uint8, got {flags.dtype}"
    elif len(set(flags.tolist())) < len(flags):
        yield f"flag_values are not distinct: {flags.tolist()}"


def _laziness_problems(array: xr.DataArray, lazy: bool | None) -> Iterator[str]:
    is_lazy = hasattr(array.data, "__dask_graph__")
    if lazy is not None and lazy != is_lazy:
        yield f"expected {'a Dask array' if lazy else 'an array in memory'}, got the other"


def _value_problems(array: xr.DataArray, kind: str) -> Iterator[str]:
    values = array.values
    if kind in CLASSES:
        allowed = CLASSES[kind]
        if kind == "labels" and "flag_values" in array.attrs:
            allowed = frozenset({*np.ravel(array.attrs["flag_values"]).tolist(), 255})
        found = set(np.unique(values).tolist())
        if not found <= allowed:
            yield f"values that are not classes: {sorted(found - allowed)}"
    elif np.isinf(values).any():
        yield "infinite values; what was not observed is NaN"
