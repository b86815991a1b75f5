"""A scene put together from what was read: the one form that every source ends in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import assign_crs, xr_coords
from pyproj.exceptions import CRSError

from strandline.accessors import register
from strandline.errors import (
    ConfigurationError,
    MetadataError,
    MissingCRSError,
    ScaleError,
    UnknownProductError,
)
from strandline.scenes.conflicts import hidden_by_spectrum, mark_conflicts
from strandline.scenes.contract import check_spectra, check_time, thinned
from strandline.scenes.header import short_crs
from strandline.scenes.layers import flags_of_valid
from strandline.scenes.quality import (
    DEFAULT_REASONS,
    REASONS,
    check_reasons,
    flag_attributes,
    merge_flags,
    not_observed,
    tells_conflicts,
    told_reasons,
)
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import Factors, to_float, to_reflectance
from strandline.scenes.selection import override
from strandline.scenes.sensors import STAND_IN, Sensor, is_thermal

SIMULATED = {"simulated": "yes"}
"""Attribute of scenes that no satellite observed; their pictures and results say so."""


@dataclass(frozen=True)
class Stored:
    """What a source holds, before it becomes a scene.

    Parameters
    ----------
    values : xarray.DataArray
        Stored numbers, dims (band, y, x), bands under common names.
    factors : tuple of Factors
        One per band.
    source : str
        Where it came from.
    sensor : Sensor or None
        Platform and instrument, if known.
    level : str or None
        "L1" or "L2", if known.
    time : datetime-like or None
        Of the acquisition, if known.
    quality : xarray.DataArray or None
        Flags from `strandline.scenes.quality.quality_flags`, dims (y, x), lazy where `values` is.
        An attribute ``masked`` says that the values have been masked already, and by which
        reasons. None: the source has no quality band.
    picked : bool
        Whether the caller's time has picked it out of several dates, and `time` is the right one.
    valid : xarray.DataArray of bool or None
        Dims (band, y, x): where a mask says that the numbers of each band, or of all at once
        (`band` is 1 then), stand for a value. None: there is no such mask.
    extra : dict
        Further attributes for the scene.
    """

    values: xr.DataArray
    factors: tuple[Factors, ...]
    source: str
    sensor: Sensor | None = None
    level: str | None = None
    time: Any = None
    quality: xr.DataArray | None = None
    picked: bool = False
    valid: xr.DataArray | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def place(values: xr.DataArray, grid: GeoBox) -> xr.DataArray:
    """Put an array without georeference onto a grid of the same shape."""
    bare = values.drop_vars(["y", "x", "spatial_ref"], errors="ignore")
    return bare.assign_coords(xr_coords(grid, dims=("y", "x")))


def north_up(stored: Stored) -> Stored:
    """Turn rows to run from north to south and columns from west to east.

    Pictures, exports and pixel numbers then mean the same for all scenes. Longitudes of a grid
    that lies beyond 180 degrees are counted from -180.
    """
    values, quality, valid = stored.values, stored.quality, stored.valid
    for dim, falls in (("y", True), ("x", False)):
        if dim not in values.coords or values.sizes[dim] < 2:
            continue
        places = values[dim].values
        if (places[0] > places[-1]) != falls:
            values = values.isel({dim: slice(None, None, -1)})
            turned = {dim: slice(None, None, -1)}
            quality = None if quality is None else quality.isel(turned)
            valid = None if valid is None else valid.isel(turned)
    values = _from_minus_180(values)
    if values is stored.values:
        return stored
    return replace(stored, values=_own_transform(values), quality=quality, valid=valid)


def _from_minus_180(values: xr.DataArray) -> xr.DataArray:
    """Count longitudes from -180 where the middle of the grid lies on another turn."""
    crs = values.odc.crs if "x" in values.coords else None
    if crs is None or not crs.geographic:
        return values
    turn = 2 * np.pi / crs.proj.axis_info[0].unit_conversion_factor
    places = values["x"].values
    turns = np.ceil((places[0] + places[-1]) / 2 / turn - 0.5)  # 180 itself stays
    return (
        values.assign_coords(x=("x", places - turns * turn, values["x"].attrs)) if turns else values
    )


def _own_transform(values: xr.DataArray) -> xr.DataArray:
    """Bring the transform that goes with the CRS in line with the coordinates."""
    reference = values.coords.get("spatial_ref")
    grid = values.odc.geobox
    if reference is None or "GeoTransform" not in reference.attrs or grid is None:
        return values
    told = " ".join(f"{number:.17g}" for number in grid.affine.to_gdal())
    changed = reference.copy()
    changed.attrs["GeoTransform"] = told
    return values.assign_coords(spatial_ref=changed)


def finish(stored: Stored, asked: ReadOptions) -> xr.DataArray:
    """Put the scene together as it was asked for, and check whether it can be.

    Parameters
    ----------
    stored, asked
        As for `assemble`.

    Returns
    -------
    xarray.DataArray
        As from `assemble`.

    Raises
    ------
    MissingCRSError, ScaleError, ReflectanceRangeError
        As `assemble`.
    MetadataError
        If its CRS contradicts the one that was passed, it does not lie on Earth, or its date
        cannot be; see `strandline.scenes.contract`.
    """
    scene = assemble(stored, asked)
    name = repr(stored.source)
    _check_on_earth(scene, stored.source)
    if "time" in scene.coords:
        check_time(scene["time"].values, scene.attrs.get("platform"), name)
    if scene.chunks is None:
        # What lies in memory costs nothing to look at; files are looked at when they are read.
        bands = [str(band) for band in scene["band"].values]
        check_spectra(thinned(scene), bands, reflectance=asked.reflectance, name=name)
    return scene


def assemble(stored: Stored, asked: ReadOptions) -> xr.DataArray:
    """Put the scene together.

    Parameters
    ----------
    stored : Stored
        What the source holds: the bands that were asked for, in their order.
    asked : ReadOptions
        What it was asked for with. Scale, offset, nodata and time count before the source's; the
        CRS is for sources that have none. Pixels are masked as far as the source can tell the
        reasons. Without ``conflicts`` they are not looked for, and the flags win. (Marks cost
        bands: who computes a single one would read four.)

    Returns
    -------
    xarray.DataArray
        float32, dims (band, y, x); see the data contracts. With a quality band, its flags are
        the coordinate ``quality (y, x)``.

    Raises
    ------
    MissingCRSError
        If neither the source nor the caller knows the CRS.
    ScaleError, ReflectanceRangeError
        If reflectance cannot be had.
    """
    register()
    reflectance = asked.reflectance
    _check_form(stored)
    stored = north_up(stored)
    values = _with_crs(stored, asked.crs)
    names = _shared_names([str(name) for name in values["band"].values], stored.sensor)
    thermal = [name for name in names if is_thermal(name)]
    if reflectance and thermal:
        raise ScaleError(
            f"The band {thermal[0]!r} of {stored.source!r} is thermal and has no reflectance.",
            remedy="Leave it out of bands=…, or pass reflectance=False.",
        )
    convert = to_reflectance if reflectance else to_float
    scene = convert(values, override(stored.factors, asked), stored.valid)
    flags = None if stored.quality is None else _placed_flags(stored.quality)
    if flags is not None:
        winner = asked.conflicts
        scene, flags = _masked(scene, flags, asked.mask, winner, measured=reflectance)
    if stored.valid is not None:
        flags = _with_mask(flags, _placed_flags(flags_of_valid(stored.valid)))
    coords: dict[str, Any] = {"band": np.asarray(names, dtype=str)}
    time = stored.time if asked.time is None or stored.picked else asked.time
    if time is not None:
        coords["time"] = as_time(time)
    scene = scene.drop_vars("time", errors="ignore").assign_coords(coords)
    scene = scene.transpose("band", "y", "x")
    keep = {"band", "y", "x", "spatial_ref", "time"}
    scene = scene.drop_vars([name for name in scene.coords if name not in keep])
    scene.attrs = _attributes(stored, reflectance)
    if flags is not None:
        scene = scene.assign_coords(quality=flags)
        scene.attrs["masked"] = flags.attrs["masked"]
    scene.encoding = {"grid_mapping": "spatial_ref"}
    scene.name = "reflectance" if reflectance else "stored_number"
    return scene


def _shared_names(names: list[str], sensor: Sensor | None) -> list[str]:
    """Call Sentinel-2's broad near infrared ``nir08`` where the narrow one is not in use.

    Water rules, models and other dates know the near infrared by the name that Landsat's has.
    """
    if sensor is None or sensor.instrument != "msi" or "nir08" in names:
        return names
    return [STAND_IN["nir"] if name == "nir" else name for name in names]


def _check_form(stored: Stored) -> None:
    """Refuse arrays that hold nothing, or no numbers that could be reflectance."""
    values = stored.values
    if values.dtype.kind not in "biuf":
        raise UnknownProductError(
            f"{stored.source!r} holds no real numbers.",
            expected="integers or floats",
            got=str(values.dtype),
            remedy="Convert it first; of complex radar data, take the intensity.",
        )
    if not values.size:
        raise UnknownProductError(
            f"{stored.source!r} holds no pixels.",
            expected="at least one band, row and column",
            got=" × ".join(f"{size} {dim}" for dim, size in values.sizes.items()),
        )


def _attributes(stored: Stored, reflectance: bool) -> dict[str, Any]:
    attrs: dict[str, Any] = {}
    if stored.sensor is not None:
        attrs["platform"] = stored.sensor.platform
        attrs["instrument"] = stored.sensor.instrument
    if stored.level is not None:
        attrs["processing_level"] = stored.level
    attrs["source"] = stored.source
    if reflectance:
        attrs["units"] = "1"
    return attrs | stored.extra


def _with_mask(flags: xr.DataArray | None, hidden: xr.DataArray) -> xr.DataArray:
    """Put what masks hide among the flags; each has hidden its own bands already."""
    if flags is None:
        return hidden.assign_attrs(masked="fill")
    merged = merge_flags(flags, hidden.copy(data=_apart(hidden.data)))
    merged.attrs = {
        **flags.attrs,
        **flag_attributes(told_reasons(merged), conflicts=tells_conflicts(flags)),
        "masked": " ".join(check_reasons(["fill", *str(flags.attrs.get("masked", "")).split()])),
    }
    return merged


def left_out(names: Iterable[str]) -> dict[str, str]:
    """Write into an attribute which layers of a source are not part of the scene."""
    text = ", ".join(names)
    return {"left_out": text} if text else {}


def _placed_flags(quality: xr.DataArray) -> xr.DataArray:
    """Leave the flags nothing but their dimensions, so that they fit whatever grid is given."""
    flags = quality.transpose("y", "x").variable
    attrs = dict(flags.attrs) if "flag_masks" in flags.attrs else flag_attributes(REASONS)
    return xr.DataArray(flags.data, dims=("y", "x"), attrs=attrs)


def _masked(
    scene: xr.DataArray,
    flags: xr.DataArray,
    reasons: tuple[str, ...],
    winner: str | None,
    *,
    measured: bool,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Mask what was not observed; give the flags as they shall travel with the scene."""
    hidden = _to_mask(flags, reasons)
    before = flags.attrs.get("masked")
    if winner == "spectrum" and flags.attrs.get("winner") != winner:
        if before is not None or not measured:
            raise ConfigurationError(
                "The spectrum cannot override the quality band here.",
                expected="reflectance that has not been masked yet",
                got="stored numbers" if before is None else "a scene that was masked before",
                remedy="Leave conflicts='spectrum' out, or open the product that it comes from.",
            )
        scene, unmasked = scene.where(~hidden_by_spectrum(flags, scene, hidden)), scene
    else:
        scene, unmasked = scene.where(~not_observed(flags, hidden)) if hidden else scene, scene
    carried = flags.copy(data=_apart(flags.data))
    if winner is not None and before is None and measured:
        carried = mark_conflicts(carried, unmasked)
        carried.attrs["winner"] = winner
    carried.attrs["masked"] = " ".join(check_reasons([*str(before or "").split(), *hidden]))
    return scene, carried


def _apart(data: Any) -> Any:
    """Give lazy flags a layer of their own.

    An array that is a result and at the same time a step towards another one is lost by Dask
    (2026.8) when it fuses the steps for `distributed.Client.compute`.
    """
    if not hasattr(data, "__dask_graph__"):
        return data
    return data.map_blocks(np.asarray, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))


def _to_mask(flags: xr.DataArray, reasons: tuple[str, ...]) -> tuple[str, ...]:
    """Choose the reasons to mask by: those asked for that the flags can tell."""
    if "masked" in flags.attrs and reasons == DEFAULT_REASONS:
        return ()  # a scene of ours that comes back from a file has been masked as was wished
    return tuple(reason for reason in reasons if reason in told_reasons(flags))


def _with_crs(stored: Stored, crs: Any) -> xr.DataArray:
    values = stored.values
    if crs is not None:
        if values.attrs.get("georeferenced", True):
            try:
                placed: xr.DataArray = assign_crs(values, crs, crs_coord_name="spatial_ref")
            except (CRSError, ValueError, TypeError) as error:
                raise ConfigurationError(
                    "The CRS is not known.",
                    expected="such as crs='EPSG:32611'",
                    got=repr(crs),
                ) from error
            _check_own_crs(values, placed, stored.source)
            return placed
    elif "spatial_ref" in values.coords:
        return values
    placeless = not values.attrs.get("georeferenced", True)
    raise MissingCRSError(
        f"{stored.source!r} has no {'georeference' if placeless else 'CRS'}.",
        expected="coordinates and a CRS" if placeless else "a CRS",
        got="pixels without a place" if placeless else "coordinates without one",
        remedy="Georeference the file, or open the product's folder with its MTL file."
        if placeless
        else "Pass crs=… (for example crs='EPSG:32611') or georeference the file.",
    )


def _check_own_crs(values: xr.DataArray, placed: xr.DataArray, source: str) -> None:
    """Refuse a CRS that contradicts the one that a source has itself."""
    own = values.odc.crs if "spatial_ref" in values.coords else None
    if own is None or own == placed.odc.crs:
        return
    raise MetadataError(
        f"{source!r} has a CRS of its own.",
        expected=f"{short_crs(own)}, or no crs=…",
        got=str(short_crs(placed.odc.crs)),
        remedy="crs=… is for sources without a CRS: leave it out. To reproject, use regrid(…); "
        "if the file is wrong, mend it: gdal_edit.py -a_srs EPSG:… FILE.",
    )


def _check_on_earth(scene: xr.DataArray, source: str) -> None:
    """Refuse coordinates that lie outside of the Earth in their CRS."""
    if scene.odc.crs is None:
        return
    x, y = (scene[name].values for name in ("x", "y"))
    x, y = (np.array([axis[0], axis[len(axis) // 2], axis[-1]], float) for axis in (x, y))
    if scene.odc.crs.geographic:
        off = x.min() < -181 or x.max() > 361 or abs(y).max() > 91  # a rim of pixels may be
    else:
        to_degrees = pyproj.Transformer.from_crs(scene.odc.crs.proj, "EPSG:4326", always_xy=True)
        # The corners of a disk seen from space are off the Earth; not all of the scene may be.
        off = not np.isfinite(to_degrees.transform(*np.meshgrid(x, y))).any()
    if off:
        raise MetadataError(
            f"{source!r} does not lie on Earth.",
            expected=f"coordinates in {short_crs(scene.odc.crs)}",
            got=f"x from {x.min():.9g} to {x.max():.9g}, y from {y.min():.9g} to {y.max():.9g}",
            remedy="Its CRS, or the crs=… that was passed for it, is not that of its coordinates.",
        )


def _readable_time(value: Any) -> Any:
    """Bring a moment into a form that pandas reads: text of any kind, dates of any calendar."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, str):
        return str(value).strip()
    if isinstance(value, np.datetime64 | pd.Timestamp):
        return value
    if isinstance(value, int | np.integer) and 19_000_101 <= value <= 22_001_231:
        return str(value)  # a day as eight digits
    return value.isoformat() if hasattr(value, "isoformat") else value


def as_time(value: Any) -> np.datetime64:
    """Read a moment, UTC, as ``datetime64[ns]``.

    Parameters
    ----------
    value : str, date, datetime, datetime64, or a date of `cftime`
        Without a zone, it is taken for UTC.

    Raises
    ------
    ConfigurationError
        If it is none of these.

    Examples
    --------
    >>> as_time("1988-10-22")
    np.datetime64('1988-10-22T00:00:00.000000000')
    """
    try:
        moment = pd.Timestamp(_readable_time(value))
        if moment.tz is not None:
            moment = moment.tz_convert("UTC").tz_localize(None)
        result: np.datetime64 = moment.as_unit("ns").to_datetime64()
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "The time of a scene cannot be understood.",
            expected="a date such as '1988-10-22'",
            got=repr(str(value) if isinstance(value, str) else value),
        ) from error
    if np.isnat(result):
        raise ConfigurationError(
            "The time of a scene is missing.", expected="a date", got=repr(value)
        )
    return result
