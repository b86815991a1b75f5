"""Which bands of a source become the scene, and with which factors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import xarray as xr

from strandline.errors import (
    ConfigurationError,
    MissingBandError,
)
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import Factors
from strandline.scenes.sensors import (
    STAND_IN,
    Sensor,
    band_name,
    band_number,
    is_thermal,
    plain_name,
)

UNNAMED = re.compile(r"^band[ _]?(\d+)$", re.IGNORECASE)
"""What GDAL and we call a band that nobody named."""

NOT_OF_THE_GROUND = frozenset({"cirrus", "nir09", "pan"})
"""Bands that are not part of a scene unless they are asked for: two observe the atmosphere, and the
panchromatic one repeats the colours."""


def default_bands(there: Sequence[str], *, reflectance: bool) -> list[str]:
    """Pick the bands to use when nobody says which.

    Parameters
    ----------
    there : sequence of str
        Names of the bands that exist.
    reflectance : bool
        If so, thermal bands are left out, and what products leave out too: the cirrus, the water
        vapour and the panchromatic band; and bands that nobody named ("Band 8") where others have
        names: they are masks more often than not.

    Returns
    -------
    list of str

    Examples
    --------
    >>> default_bands(["red", "nir08", "lwir", "cirrus", "Band 4"], reflectance=True)
    ['red', 'nir08']
    """
    if not reflectance:
        return list(there)
    known = any(band_name(name) for name in there)
    kept = [
        name
        for name in there
        if not is_thermal(name)
        and name not in NOT_OF_THE_GROUND
        and not (known and UNNAMED.match(name))
    ]
    return kept or list(there)


def choose_bands(
    there: Sequence[str],
    wanted: Iterable[str],
    sensor: Sensor | None,
    source: str,
    written: Sequence[str] = (),
) -> list[str]:
    """Pick the bands that were asked for, under their common names, in the order asked.

    Parameters
    ----------
    there : sequence of str
        Names of the bands that exist.
    wanted : iterable of str
        Common names, aliases, numbered names of a known sensor, or the names that the source
        has for them.
    sensor : Sensor or None
        For numbered names.
    source : str
        For messages.
    written : sequence of str, optional
        What the source calls each band of `there`.

    Returns
    -------
    list of str

    Raises
    ------
    MissingBandError
        If one does not exist, naming those that do.
    ConfigurationError
        If one is asked for twice, or none at all.
    """
    asked = [wanted] if isinstance(wanted, str) else [str(name) for name in wanted]
    chosen = []
    for name in asked:
        known = find_band(name, there, sensor, written)
        if known is None:
            raise MissingBandError(
                f"{source!r} has no band {name!r}.",
                expected=f"one of {', '.join(there)}",
                got=repr(name),
                remedy="Of a file whose bands are numbers, pass platform=… too."
                if sensor is None and band_number(name) is not None
                else None,
            )
        chosen.append(known)
    if len(set(chosen)) < len(chosen) or not chosen:
        raise ConfigurationError(
            "Bands have to be asked for once each.",
            expected="different names",
            got=", ".join(asked) or "none",
        )
    return chosen


def find_band(
    name: str, there: Sequence[str], sensor: Sensor | None, written: Sequence[str] = ()
) -> str | None:
    """Find one of the bands that are there by any of its names; None if there is no such band.

    Examples
    --------
    >>> find_band("swir1", ["green", "swir16"], None)
    'swir16'
    """
    known = name if name in there else band_name(name, sensor)
    if known not in there:
        known = _as_written(name, there, written or there) or known
    if known not in there and band_name(name) and STAND_IN.get(str(known)) in there:
        known = STAND_IN[str(known)]  # asked for by its name; a number means that band alone
    return known if known in there else None


def _as_written(name: str, there: Sequence[str], written: Sequence[str]) -> str | None:
    """Find the one band that the source itself calls so, or gives this number."""
    for form in (plain_name, band_number):
        wanted = form(name)
        found = [band for band, text in zip(there, written, strict=True) if form(text) == wanted]
        if wanted is not None and len(found) == 1:
            return found[0]
    return None


def wanted_bands(
    there: Sequence[str],
    asked: ReadOptions,
    sensor: Sensor | None,
    source: str,
    written: Sequence[str] = (),
) -> list[str]:
    """Pick the bands that were asked for, or else those to use when nobody says which.

    Parameters
    ----------
    there, sensor, source, written
        As for `choose_bands`.
    asked : ReadOptions

    Returns
    -------
    list of str

    Raises
    ------
    MissingBandError, ConfigurationError
        As `choose_bands`.
    """
    if asked.bands is None:
        return default_bands(there, reflectance=asked.reflectance)
    return with_others(choose_bands(there, asked.bands, sensor, source, written), there, asked)


def with_others(chosen: Sequence[str], there: Sequence[str], asked: ReadOptions) -> list[str]:
    """Put the bands to open too (`ReadOptions.also`) after those that were chosen."""
    return [*chosen, *(name for name in asked.also if name in there and name not in chosen)]


def override(factors: Sequence[Factors], asked: ReadOptions) -> tuple[Factors, ...]:
    """Let the caller's own factors take the place of the source's.

    Parameters
    ----------
    factors : sequence of Factors
        As found.
    asked : ReadOptions
        Its scale and offset take the place of the found ones, if given; its nodata stands for
        no value too.

    Returns
    -------
    tuple of Factors
    """
    changed = []
    for factor in factors:
        if asked.scale is not None:
            factor = replace(factor, scale=float(asked.scale))
        if asked.offset is not None:
            factor = replace(factor, offset=float(asked.offset))
        if asked.nodata is not None:
            factor = replace(factor, invalid=(*factor.invalid, float(asked.nodata)))
        changed.append(factor)
    return tuple(changed)


def pick(values: xr.DataArray, order: Sequence[int]) -> xr.DataArray:
    """Take bands by position, without touching the array when it is all of them in order."""
    if list(order) == list(range(values.sizes["band"])):
        return values
    return values.isel(band=list(order))
