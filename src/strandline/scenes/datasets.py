"""Scenes that xarray holds already, or reads: NetCDF, Zarr, arrays from other libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from odc.geo.xr import assign_crs

from strandline.errors import (
    MetadataError,
    MissingBandError,
    UnknownProductError,
)
from strandline.scenes.chunking import Chunks, chunk_shape
from strandline.scenes.contract import placed_by_transform
from strandline.scenes.header import short_crs
from strandline.scenes.quality import are_flags, quality_flags
from strandline.scenes.reflectance import Factors
from strandline.scenes.scene import Stored
from strandline.scenes.sensors import Sensor, band_name, find_sensor, names_apart

_PLANES = (
    ("y", "x"),
    ("latitude", "longitude"),
    ("lat", "lon"),
    ("northing", "easting"),
    ("Y", "X"),
)
_QUALITY = ("qa_pixel", "bqa", "pixel_qa", "scl", "qa60")
_NOT_BANDS = ("qa_radsat", "radsat_qa", "qa_aerosol", "sr_qa_aerosol", "cloud_qa")


def from_xarray(
    source: xr.DataArray | xr.Dataset,
    *,
    label: str,
    platform: str | None = None,
    band_names: Sequence[str] | None = None,
    chunks: Chunks = None,
) -> Stored:
    """Understand an array or dataset that someone else made.

    Parameters
    ----------
    source : xarray.DataArray or xarray.Dataset
        A map plane with a band dimension, or one variable per band; perhaps a time dimension of
        length one.
    label : str
        Name of the source, for messages and attributes.
    platform : str, optional
        If it does not say.
    band_names : sequence of str, optional
        If it has none.
    chunks : int, (int, int), mapping, "auto" or None
        Rows and columns per chunk; by default as they are.

    Returns
    -------
    Stored

    Raises
    ------
    UnknownProductError
        If it is not one scene.
    MissingBandError
        If bands cannot be named.
    """
    attrs = dict(source.attrs)
    known = platform or attrs.get("platform")
    sensor = find_sensor(str(known)) if platform else _sensor(known)
    quality: dict[str, xr.DataArray] = {}
    if isinstance(source, xr.Dataset):
        array, names, quality = _one_array(source, label, sensor)
        attrs = attrs | array.attrs
        sensor = sensor or _sensor(attrs.get("platform"))
    else:
        array, names = _flat(source, label), None
    own = array.coords.get("quality")
    if own is not None and are_flags(own):
        quality["quality"] = own
    if not array.size:
        raise UnknownProductError(
            f"{label} holds no pixels.",
            expected="at least one band, row and column",
            got=" × ".join(f"{size} {dim}" for dim, size in array.sizes.items()),
        )
    array = array if "band" in array.dims else array.expand_dims("band")
    array = array.transpose("band", "y", "x")
    array = placed_by_transform(array, attrs)
    factors = _factors(array)
    labels = _labels(array, names, band_names, sensor, label)
    keep = {"y", "x", "spatial_ref"}
    time = array.coords["time"].values if "time" in array.coords else None
    values = _georeferenced(array, label).assign_coords(band=np.asarray(labels, dtype=str))
    values = values.drop_vars([n for n in values.coords if n not in keep | {"band"}])
    if chunks is not None:
        rows, columns = chunk_shape(values.sizes["y"], values.sizes["x"], (256, 256), chunks)
        values = values.chunk({"y": rows, "x": columns})
    return Stored(
        values=values,
        factors=factors,
        source=str(attrs.get("source", label)) if label.startswith("<") else label,
        sensor=sensor,
        level=_level(attrs.get("processing_level")),
        time=time,
        quality=_flags(quality, values, sensor),
    )


def _sensor(platform: object) -> Sensor | None:
    try:
        return find_sensor(str(platform))
    except UnknownProductError:
        return None  # someone else's platform; only what a caller passes has to be known


def _level(text: object) -> str | None:
    return str(text)[:2].upper() if str(text)[:2].upper() in ("L1", "L2") else None


def _flat(array: xr.DataArray, label: str) -> xr.DataArray:
    """Rename the map plane to y and x, and take the only time there is."""
    plane = next((pair for pair in _PLANES if set(pair) <= set(array.dims)), None)
    if plane is None:
        raise UnknownProductError(
            f"{label} has no map plane.",
            expected="dimensions y and x (or latitude and longitude)",
            got=", ".join(map(str, array.dims)) or "none",
        )
    if plane != ("y", "x"):
        mapping = dict(zip(plane, ("y", "x"), strict=True))
        array = array.rename({old: new for old, new in mapping.items() if old in array.dims})
    others = [name for name in array.dims if name not in ("y", "x")]
    for name in list(others):
        if name == "time" and array.sizes[name] > 1:
            raise UnknownProductError(
                f"{label} holds {array.sizes[name]} dates, and a scene is one.",
                remedy="Pick one with .isel(time=…), and open it by itself.",
            )
        if name == "time" or (len(others) > 1 and array.sizes[name] == 1 and name != "band"):
            array = array.isel({name: 0})
            others.remove(name)
    if others == ["band"] or not others:
        return array
    if len(others) == 1:
        return array.rename({others[0]: "band"})
    raise UnknownProductError(
        f"{label} has too many dimensions.",
        expected="band, y, x",
        got=", ".join(map(str, array.dims)),
    )


def _one_array(
    dataset: xr.Dataset, label: str, sensor: Sensor | None
) -> tuple[xr.DataArray, list[str] | None, dict[str, xr.DataArray]]:
    """Bring the variables of a dataset into one array, quality variables apart."""
    planes = {
        name: _flat(variable, f"{label} ({name})")
        for name, variable in dataset.data_vars.items()
        if any(set(pair) <= set(variable.dims) for pair in _PLANES)
    }
    quality = {
        str(name).lower(): planes.pop(name)
        for name in list(planes)
        if str(name).lower() in (*_QUALITY, *_NOT_BANDS) or are_flags(planes[name])
    }
    if not planes:
        raise UnknownProductError(
            f"{label} has no variable with a map plane.",
            expected="one variable per band, or one with a band dimension",
            got=", ".join(map(str, dataset.data_vars)) or "no variables",
        )
    names = [str(name) for name in planes]
    arrays = list(planes.values())
    stacked = any("band" in array.dims for array in arrays)
    if len(arrays) == 1:
        return arrays[0], None if stacked else names, quality
    if stacked:
        raise UnknownProductError(
            f"{label} has several variables, and some of them have bands of their own.",
            expected="one variable per band, or one with a band dimension",
            got=", ".join(names),
            remedy="Pass the one that is meant: dataset['…'].",
        )
    return _joined(arrays), names, quality


def _joined(planes: Sequence[xr.DataArray]) -> xr.DataArray:
    """Make one array of one plane per band; what is said of each is kept by band."""
    array = xr.concat(
        [plane.drop_attrs(deep=False) for plane in planes],
        dim="band",
        coords="minimal",
        compat="override",
        join="exact",
    )
    first = planes[0]
    array.attrs = {
        "nodata": [_own_nodata(plane) for plane in planes],
        "scales": [plane.attrs.get("scale_factor", 1.0) for plane in planes],
        "offsets": [plane.attrs.get("add_offset", 0.0) for plane in planes],
    } | {key: value for key, value in first.attrs.items() if key in ("platform", "crs")}
    array.encoding = {key: value for key, value in first.encoding.items() if key == "grid_mapping"}
    return array


def _own_nodata(array: xr.DataArray) -> float | None:
    # For floats, the encoding tells what was masked already: 0 may be a value by now.
    integers = np.issubdtype(array.dtype, np.integer)
    for place in (array.attrs, array.encoding if integers else {}):
        for key in ("_FillValue", "missing_value", "nodata"):
            value = place.get(key)
            if isinstance(value, int | float | np.number) and np.isfinite(value):
                return float(value)
    return None


def _factors(array: xr.DataArray) -> tuple[Factors, ...]:
    """Factors of each band, as CF attributes or as our own reader writes them."""
    count = array.sizes["band"]
    attrs = array.attrs
    scales = _per_band(attrs.get("scales"), count, attrs.get("scale_factor", 1.0))
    offsets = _per_band(attrs.get("offsets"), count, attrs.get("add_offset", 0.0))
    nodata = _per_band(attrs.get("nodata"), count, _own_nodata(array))
    found = []
    for scale, offset, fill in zip(scales, offsets, nodata, strict=True):
        identity = scale == 1 and offset == 0  # what readers write when a file says nothing
        # A reader that scaled already has moved the factors into the encoding.
        found.append(
            Factors(
                None if identity else float(scale),
                None if identity else float(offset),
                () if fill is None else (float(fill),),
            )
        )
    return tuple(found)


def _per_band(values: Any, count: int, otherwise: Any) -> list[Any]:
    fits = isinstance(values, list | tuple) and len(values) == count
    return list(values) if fits else [otherwise] * count


def _labels(
    array: xr.DataArray,
    variables: Sequence[str] | None,
    given: Sequence[str] | None,
    sensor: Sensor | None,
    label: str,
) -> list[str]:
    count = array.sizes["band"]
    described = array.attrs.get("long_name")
    if given is not None:
        found: list[str] = [str(name) for name in given]
    elif variables is not None:
        found = list(variables)
    elif "band" in array.coords and array["band"].dtype.kind in "UOT":
        found = [str(name) for name in array["band"].values]
    elif isinstance(described, tuple | list):
        found = [str(name) for name in described]
    elif isinstance(described, str) and count == 1:
        found = [described]
    else:
        found = []
    names = names_apart([band_name(name, sensor) or name for name in found], found)
    if len(names) != count or len(set(names)) != count or not all(names):
        raise MissingBandError(
            f"The bands of {label} cannot be named.",
            expected=f"{count} different names",
            got=", ".join(names) or "none",
            remedy="Pass band_names=[…], in the order of the bands.",
        )
    return names


def _georeferenced(array: xr.DataArray, label: str) -> xr.DataArray:
    """Bring the CRS, wherever it is kept, into the coordinate ``spatial_ref``."""
    if "y" not in array.coords or "x" not in array.coords:
        return array.assign_attrs(georeferenced=False)
    for dim in ("y", "x"):
        _check_places(array.coords[dim], label)
    crs = array.odc.crs
    if crs is None:
        return array.drop_vars("spatial_ref", errors="ignore")
    bare = array.drop_vars("spatial_ref", errors="ignore")
    placed: xr.DataArray = assign_crs(bare, short_crs(crs), crs_coord_name="spatial_ref")
    return placed


def _flags(
    quality: Mapping[str, xr.DataArray], values: xr.DataArray, sensor: Sensor | None
) -> xr.DataArray | None:
    """Make flags of whatever quality variable there is, in the chunks of the values."""
    name = next((name for name in ("quality", *_QUALITY) if name in quality), None)
    if name is None:
        return None
    flags = quality[name].transpose("y", "x").reset_coords(drop=True)
    if name != "quality":
        instrument = sensor.instrument if sensor else None
        flags = quality_flags(flags, name, instrument=instrument)
    if values.chunks is not None:
        flags = flags.chunk(dict(zip(("y", "x"), values.chunks[1:], strict=True)))
    return flags


def _check_places(places: xr.DataArray, label: str) -> None:
    """Refuse coordinates that no rows or columns of pixels can have."""
    steps = np.diff(places.values) if places.dtype.kind in "iuf" else np.array([np.nan])
    if places.dtype.kind in "iuf" and np.isfinite(places.values).all():
        if (steps > 0).all() or (steps < 0).all():
            return
        problem = "some twice" if (steps == 0).any() else "in no order"
    else:
        problem = "some that are no numbers"
    raise MetadataError(
        f"The coordinates {places.name} of {label} are no rows or columns of pixels.",
        expected="numbers that rise or fall from pixel to pixel",
        got=problem,
        remedy=f"Sort them with .sortby({str(places.name)!r}), and drop those that occur twice.",
    )
