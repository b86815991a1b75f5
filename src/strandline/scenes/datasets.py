"""Scenes that xarray holds already, or reads: NetCDF, Zarr, arrays from other libraries."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from odc.geo.xr import assign_crs

from strandline.errors import (
    ConfigurationError,
    MetadataError,
    MissingBandError,
    UnknownProductError,
)
from strandline.scenes.chunking import chunk_shape
from strandline.scenes.contract import placed_by_transform
from strandline.scenes.header import short_crs
from strandline.scenes.layers import Layer, flags_of_layer, layer_of, valid_pixels
from strandline.scenes.quality import are_flags, merge_flags
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import Factors
from strandline.scenes.scene import SIMULATED, Stored, as_time, left_out
from strandline.scenes.selection import pick, wanted_bands
from strandline.scenes.sensors import (
    Sensor,
    band_name,
    find_sensor,
    names_apart,
    names_by_count,
)

PLANES = (
    ("y", "x"),
    ("latitude", "longitude"),
    ("lat", "lon"),
    ("northing", "easting"),
    ("Y", "X"),
)
_TIMES = ("time", "t", "date", "datetime", "times", "dates", "acquisition_time")
_SAYS_PLATFORM = ("platform", "spacecraft_id", "spacecraft", "satellite", "sensor")
_SAYS_TIME = (
    *("isodate", "time", "datetime", "date", "date_acquired", "acquisition_date"),
    *("sensing_time", "time_coverage_start"),
)
OWN_FLAGS = "flags of a scene"
"""Kind of a quality band that `strandline.scenes.quality` has made."""


def from_xarray(
    source: xr.DataArray | xr.Dataset,
    asked: ReadOptions,
    *,
    label: str,
    band_names: Sequence[str] | None = None,
) -> Stored:
    """Understand an array or dataset that someone else made.

    Parameters
    ----------
    source : xarray.DataArray or xarray.Dataset
        A map plane with a band dimension, or one variable per band; perhaps with a dimension of
        time.
    asked : ReadOptions
        Its platform where the source says none; its time picks one of several dates; its chunks
        are those of the scene, by default as they are.
    label : str
        Name of the source, for messages and attributes.
    band_names : sequence of str, optional
        If it has none.

    Returns
    -------
    Stored
        Of the bands that were asked for, or those that are spectra; masks and quality bands among
        the others say where they are valid.

    Raises
    ------
    UnknownProductError
        If it is not one scene.
    MissingBandError
        If bands cannot be named, or one is asked for that is not there.
    """
    if isinstance(source, xr.Dataset):
        _planes_of(source, label)  # what has none holds no dates either
    dim = _time_dimension(source)
    several = dim is not None and source.sizes[dim] > 1
    source, time = one_date(source, asked.time, label)
    sensor = _known_sensor(source, asked.platform)
    layers = _layers_of(source, label, sensor, band_names)
    used = _chosen(layers, asked, sensor, label)
    names = [one.name for one in used]
    attrs = {**source.attrs, **used[0].array.attrs}
    values = placed_by_transform(_joined(used), attrs)
    values = _placed(values, source, label)
    if asked.chunks is not None:
        rows, columns = chunk_shape(values.sizes["y"], values.sizes["x"], (256, 256), asked.chunks)
        values = values.chunk({"y": rows, "x": columns})
    quality, told = _flags(source, layers, values, sensor, names)
    spared = {*names, *told, *(one.name for one in layers if one.layer.role == "mask")}
    left = [one.written for one in layers if one.name not in spared]
    return Stored(
        values=values,
        factors=tuple(one.factors for one in used),
        source=str(attrs.get("source", label)) if label.startswith("<") else label,
        sensor=sensor,
        level=_level(attrs.get("processing_level")),
        time=_said_time(attrs) if time is None else time,
        picked=several,
        quality=quality,
        valid=_valid(layers, values, names),
        extra=(dict(SIMULATED) if attrs.get("simulated") else {})
        | (left_out(left) if asked.bands is None else {}),
    )


class _Plane(NamedTuple):
    """One layer of a source: where it is in an array (band, y, x), and what is known of it."""

    name: str
    written: str
    layer: Layer
    array: xr.DataArray
    place: int
    factors: Factors

    @property
    def plane(self) -> xr.DataArray:
        return self.array.isel(band=self.place)


def _known_sensor(source: xr.DataArray | xr.Dataset, platform: str | None) -> Sensor | None:
    if platform is not None:
        return find_sensor(platform)
    places = [source.attrs]
    if isinstance(source, xr.Dataset):
        places += [variable.attrs for variable in source.data_vars.values()]
    said = (attrs.get(name) for attrs in places for name in _SAYS_PLATFORM)
    return next((sensor for text in said if (sensor := _sensor(text)) is not None), None)


def _said_time(attrs: Mapping[Hashable, Any]) -> Any:
    """Read the time of a dataset without a coordinate of time from its attributes."""
    for name in _SAYS_TIME:
        try:
            if name in attrs:
                return as_time(attrs[name])
        except ConfigurationError:
            continue
    return None


# --- dates ------------------------------------------------------------------


def dates_of_source(source: xr.DataArray | xr.Dataset, label: str) -> list[np.datetime64]:
    """List the times that an array or dataset holds, in its order; none if it does not say.

    Raises
    ------
    MetadataError
        If they cannot be understood.
    """
    dim = _time_dimension(source)
    if dim is None or dim not in source.coords or _are_counts(source[dim]):
        return []
    try:
        found = [as_time(value) for value in source[dim].values.ravel()]
    except ConfigurationError as error:
        raise MetadataError(
            f"The times of {label} cannot be understood.", expected=error.expected, got=error.got
        ) from error
    return found


def one_date(
    source: xr.DataArray | xr.Dataset, wanted: Any, label: str
) -> tuple[xr.DataArray | xr.Dataset, Any]:
    """Take one date of an array or dataset.

    Parameters
    ----------
    source : xarray.DataArray or xarray.Dataset
    wanted : str, date or datetime64, optional
        The day, or the time, of one of several dates.
    label : str
        Name of the source, for messages.

    Returns
    -------
    source
        Without a dimension of time.
    time : datetime64 or None
        None where the source does not say.

    Raises
    ------
    UnknownProductError
        If there are several dates and none, or another, was asked for.
    MetadataError
        As `dates_of_source`.
    """
    dim = _time_dimension(source)
    if dim is None:
        known = source.coords if isinstance(source, xr.DataArray) else source.variables
        scalar = next((name for name in _TIMES if name in known and not known[name].ndim), None)
        if scalar is None or wanted is not None:
            return source, None
        return source, _scalar_time(source[scalar], label)
    count = source.sizes[dim]
    if count == 0:
        raise UnknownProductError(f"{label} holds no dates.", expected="one at least")
    found = dates_of_source(source, label) if count > 1 or wanted is None else []
    place = 0
    if count > 1:
        place = _place_of(found, wanted, count, label)
    taken = source.isel({dim: place}).drop_vars([dim], errors="ignore")
    return taken, found[place] if found else None


def names_of_dates(times: Sequence[np.datetime64]) -> list[str]:
    """Write times as days, or to the second where two are of one day."""
    days = [str(time.astype("datetime64[D]")) for time in times]
    return [
        day if days.count(day) == 1 else str(time.astype("datetime64[s]"))
        for day, time in zip(days, times, strict=True)
    ]


def _place_of(found: Sequence[np.datetime64], wanted: Any, count: int, label: str) -> int:
    names = names_of_dates(found)
    several = f"{label} holds {count} dates, and a scene is one."
    if not found:
        raise UnknownProductError(several, remedy="Pick one with .isel(…), and open it by itself.")
    shown = ", ".join(names[:12]) + (", …" if count > 12 else "")
    if wanted is None:
        raise UnknownProductError(
            several,
            got=shown,
            remedy=f"Pick one with time=… (for example time={names[0]!r}); a file's also by its "
            f"name, as in {'FILE' if label.startswith('<') else label}:{names[0]}.",
        )
    moment = as_time(wanted)
    exact = [place for place, time in enumerate(found) if time == moment]
    seconds = [time.astype("datetime64[s]") for time in found]
    close = [place for place, time in enumerate(seconds) if time == moment.astype(time.dtype)]
    whole_day = moment == moment.astype("datetime64[D]")
    days = [time.astype("datetime64[D]") for time in found]
    same = [place for place, day in enumerate(days) if whole_day and day == moment]
    for places in (exact, close, same):
        if len(places) == 1:
            return places[0]
    raise UnknownProductError(
        f"{label} holds {'several dates' if same else 'no date'} of {wanted}.",
        expected=f"one of {shown}",
        got=str(wanted),
    )


def _time_dimension(source: xr.DataArray | xr.Dataset) -> Hashable | None:
    """Find the dimension of time, by its name or by what its coordinate holds."""
    plane = {name for pair in PLANES for name in pair}
    dims = [dim for dim in source.dims if dim not in plane]
    for dim in dims:
        if str(dim).lower() in _TIMES:
            return dim
    for dim in dims:
        if dim in source.coords and _are_times(source[dim]):
            return dim
    return None


def _are_counts(coordinate: xr.DataArray) -> bool:
    """Whether a coordinate holds plain numbers, which may count anything but days of 8 digits."""
    if coordinate.dtype.kind in "iu":
        return bool((coordinate.values < 19_000_101).any())
    return coordinate.dtype.kind == "f"


def _are_times(coordinate: xr.DataArray) -> bool:
    if coordinate.dtype.kind == "M":
        return True
    first = coordinate.values.ravel()[:1]
    return coordinate.dtype.kind == "O" and all(hasattr(value, "isoformat") for value in first)


def _scalar_time(coordinate: xr.DataArray, label: str) -> np.datetime64:
    try:
        return as_time(coordinate.values.ravel()[0])
    except ConfigurationError as error:
        raise MetadataError(
            f"The time of {label} cannot be understood.",
            expected=error.expected,
            got=error.got,
            remedy="Pass the right one with time=….",
        ) from error


# --- layers -----------------------------------------------------------------


def _layers_of(
    source: xr.DataArray | xr.Dataset,
    label: str,
    sensor: Sensor | None,
    given: Sequence[str] | None,
) -> list[_Plane]:
    """Take a source apart into its layers, named, and find out what each of them is."""
    if isinstance(source, xr.DataArray):
        return _layers_of_array(source, label, sensor, given)
    planes = _planes_of(source, label)
    flat = {name: _flat(variable, f"{label} ({name})") for name, variable in planes.items()}
    stacked = [name for name, plane in flat.items() if "band" in plane.dims]
    if len(stacked) > 1:
        raise UnknownProductError(
            f"{label} has several variables, and some of them have bands of their own.",
            expected="one variable per band, or one with a band dimension",
            got=", ".join(planes),
            remedy="Pass the one that is meant: dataset['…'].",
        )
    found: list[_Plane] = []
    for name, plane in flat.items():
        if name in stacked:
            attrs = {**source.attrs, **plane.attrs}
            found += _layers_of_array(plane.assign_attrs(attrs), label, sensor, given)
        else:
            found.append(_plane(name, plane, sensor, label))
    apart = names_apart([one.name for one in found], [one.written for one in found])
    found = [one._replace(name=name) for one, name in zip(found, apart, strict=True)]
    if given is not None and not stacked:
        found = _renamed(found, given, label, sensor)
    beside = [one.written for one in found if one.layer.role == "band" and one.written in flat]
    if stacked and beside:
        raise UnknownProductError(
            f"{label} has several variables, and some of them have bands of their own.",
            expected="one variable per band, or one with a band dimension",
            got=", ".join(planes),
            remedy="Pass the one that is meant: dataset['…'].",
        )
    _check_names([one.name for one in found], len(found), label)
    return found


def _planes_of(source: xr.Dataset, label: str) -> dict[str, xr.DataArray]:
    """List the variables that have a map plane."""
    planes = {
        str(name): variable
        for name, variable in source.data_vars.items()
        if any(set(pair) <= set(variable.dims) for pair in PLANES)
    }
    if not planes:
        raise UnknownProductError(
            f"{label} has no variable with a map plane.",
            expected="one variable per band, or one with a band dimension",
            got=", ".join(map(str, source.data_vars)) or "no variables",
        )
    return planes


def _plane(written: str, plane: xr.DataArray, sensor: Sensor | None, label: str) -> _Plane:
    nodata = _own_nodata(plane)
    layer = layer_of(
        written, sensor, attrs=plane.attrs, dtype=plane.dtype, product=label, nodata=nodata
    )
    if are_flags(plane):
        layer = Layer("quality", OWN_FLAGS)
    name = band_name(written, sensor) or written
    array = plane.expand_dims("band").transpose("band", "y", "x")
    _check_size(array, label)
    return _Plane(name, written, layer, array, 0, _factors(array)[0])


def _renamed(
    found: Sequence[_Plane], given: Sequence[str], label: str, sensor: Sensor | None
) -> list[_Plane]:
    """Give the layers the caller's names: all of them, or those that are spectra."""
    names = [str(name) for name in given]
    bands = [one for one in found if one.layer.role == "band"]
    renamed = list(found) if len(names) == len(found) else bands
    if len(names) != len(renamed):
        raise _unnamed(label, len(bands), names)
    by_id = {id(one): text for one, text in zip(renamed, names, strict=True)}
    return [
        _plane(by_id[id(one)], one.plane, sensor, label) if id(one) in by_id else one
        for one in found
    ]


def _layers_of_array(
    array: xr.DataArray, label: str, sensor: Sensor | None, given: Sequence[str] | None
) -> list[_Plane]:
    array = _flat(array, label)
    array = array if "band" in array.dims else array.expand_dims("band")
    array = array.transpose("band", "y", "x")
    _check_size(array, label)
    texts = _texts(array, given, sensor, label)
    nodata = _per_band(array.attrs.get("nodata"), len(texts), _own_nodata(array))
    # Attributes of the array describe its spectra, not one layer.
    layers = [
        layer_of(text, sensor, dtype=array.dtype, product=label, nodata=fill)
        for text, fill in zip(texts, nodata, strict=True)
    ]
    names = names_apart([band_name(text, sensor) or text for text in texts], texts)
    _check_names(names, array.sizes["band"], label)
    return [
        _Plane(name, text, layer, array, index, factors)
        for index, (name, text, layer, factors) in enumerate(
            zip(names, texts, layers, _factors(array), strict=True)
        )
    ]


def _check_size(array: xr.DataArray, label: str) -> None:
    if not array.size:
        raise UnknownProductError(
            f"{label} holds no pixels.",
            expected="at least one band, row and column",
            got=" × ".join(f"{size} {dim}" for dim, size in array.sizes.items()),
        )


def _texts(
    array: xr.DataArray, given: Sequence[str] | None, sensor: Sensor | None, label: str
) -> list[str]:
    """Find what the bands of an array are called."""
    count = array.sizes["band"]
    described = array.attrs.get("long_name")
    if given is not None:
        found = [str(name) for name in given]
    elif "band" in array.coords and array["band"].dtype.kind in "UOT":
        found = [str(name) for name in array["band"].values]
    elif isinstance(described, tuple | list):
        found = [str(name) for name in described]
    elif isinstance(described, str) and count == 1:
        found = [described]
    else:
        found = (names_by_count(count, sensor) if sensor is not None else None) or []
    if len(found) != count:
        raise _unnamed(label, count, found)
    return found


def _check_names(names: Sequence[str], count: int, label: str) -> None:
    if len(set(names)) != count or not all(names):
        raise _unnamed(label, count, names)


def _unnamed(label: str, count: int, names: Sequence[str]) -> MissingBandError:
    return MissingBandError(
        f"The bands of {label} cannot be named.",
        expected=f"{count} different names",
        got=", ".join(names) or "none",
        remedy="Pass band_names=[…], in the order of the bands.",
    )


def _chosen(
    layers: Sequence[_Plane], asked: ReadOptions, sensor: Sensor | None, label: str
) -> list[_Plane]:
    """Pick the bands of the scene: those asked for, or those that are spectra."""
    spectra = [one for one in layers if one.layer.role == "band"]
    own = spectra if asked.bands is None and spectra else list(layers)
    names = [one.name for one in own]
    chosen = wanted_bands(names, asked, sensor, label, [one.written for one in own])
    return [own[names.index(name)] for name in chosen]


def _joined(used: Sequence[_Plane]) -> xr.DataArray:
    """Make one array of the bands of a scene."""
    first = used[0].array
    names = np.asarray([one.name for one in used], dtype=str)
    if all(one.array is first for one in used):
        return pick(first, [one.place for one in used]).assign_coords(band=names)
    planes = [one.plane.drop_attrs(deep=False).drop_vars("band", errors="ignore") for one in used]
    joined = xr.concat(planes, dim="band", coords="minimal", compat="override", join="exact")
    joined = joined.transpose("band", "y", "x").assign_coords(band=names)
    joined.attrs = {key: first.attrs[key] for key in ("crs",) if key in first.attrs}
    joined.encoding = {key: value for key, value in first.encoding.items() if key == "grid_mapping"}
    return joined


def _placed(values: xr.DataArray, source: xr.DataArray | xr.Dataset, label: str) -> xr.DataArray:
    if "crs" in source.attrs and "crs" not in values.attrs:
        values = values.assign_attrs(crs=source.attrs["crs"])
    placed = _georeferenced(values, label)
    keep = {"y", "x", "spatial_ref", "band"}
    return placed.drop_vars([name for name in placed.coords if name not in keep])


def _flags(
    source: xr.DataArray | xr.Dataset,
    layers: Sequence[_Plane],
    values: xr.DataArray,
    sensor: Sensor | None,
    names: Sequence[str],
) -> tuple[xr.DataArray | None, list[str]]:
    """Make flags of the quality bands whose numbers have a meaning; give their names too."""
    own = source.coords.get("quality")
    if own is not None and are_flags(own):
        return _aligned(own, values), []
    for one in layers:
        if one.layer.kind == OWN_FLAGS and one.name not in names:
            return _aligned(one.plane, values), [one.name]
    flags, told = [], []
    for one in layers:
        if one.layer.role == "quality" and one.name not in names:
            plane = _aligned(one.plane, values)
            these = flags_of_layer(one.layer.kind, plane, sensor, names)
            if these is not None:
                flags.append(these)
                told.append(one.name)
    return (merge_flags(*flags) if flags else None), told


def _valid(
    layers: Sequence[_Plane], values: xr.DataArray, names: Sequence[str]
) -> xr.DataArray | None:
    masks = [
        valid_pixels(_aligned(one.plane, values), one.layer.kind)
        for one in layers
        if one.layer.role == "mask" and one.name not in names
    ]
    return reduce(operator.and_, masks).expand_dims("band") if masks else None


def _aligned(plane: xr.DataArray, values: xr.DataArray) -> xr.DataArray:
    """Bring a layer into the chunks of the values."""
    plane = plane.transpose("y", "x").reset_coords(drop=True)
    if values.chunks is not None:
        return plane.chunk(dict(zip(("y", "x"), values.chunks[1:], strict=True)))
    return plane


def _sensor(platform: object) -> Sensor | None:
    try:
        return find_sensor(str(platform))
    except UnknownProductError:
        return None  # someone else's platform; only what a caller passes has to be known


def _level(text: object) -> str | None:
    return str(text)[:2].upper() if str(text)[:2].upper() in ("L1", "L2") else None


def _flat(array: xr.DataArray, label: str) -> xr.DataArray:
    """Rename the map plane to y and x, and what is left beside them to band."""
    plane = next((pair for pair in PLANES if set(pair) <= set(array.dims)), None)
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
        if len(others) > 1 and array.sizes[name] == 1 and name != "band":
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


def _own_nodata(array: xr.DataArray) -> float | None:
    # For floats, the encoding tells what was masked already: 0 may be a value by now.
    integers = np.issubdtype(array.dtype, np.integer)
    for place in (array.attrs, array.encoding if integers else {}):
        for key in ("_FillValue", "missing_value", "nodata"):
            value = place.get(key)
            if isinstance(value, int | float | np.number) and not np.isnan(value):
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


def _check_places(places: xr.DataArray, label: str) -> None:
    """Refuse coordinates that no rows or columns of pixels can have."""
    steps = np.diff(places.values) if places.dtype.kind in "iuf" else np.array([np.nan])
    if places.dtype.kind in "iuf" and np.isfinite(places.values).all():
        if (steps > 0).all() or (steps < 0).all():
            return
        problem = "some twice" if (steps == 0).any() else "in no order"
    else:
        problem = "some that are not numbers"
    raise MetadataError(
        f"The coordinates {places.name} of {label} are not rows or columns of pixels.",
        expected="numbers that rise or fall from pixel to pixel",
        got=problem,
        remedy=f"Sort them with .sortby({str(places.name)!r}), and drop those that occur twice.",
    )
