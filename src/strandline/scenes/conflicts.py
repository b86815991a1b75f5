"""Where a quality band and the spectrum contradict each other about water, cloud and snow.

Quality bands take bright or turbid water for cloud and haze for clear sky. What a pixel
looks like by its own spectrum is decided here by published thresholds, and a contradiction
is marked in its flags; who wins is the caller's choice. Fill, saturation and cloud shadow
never win back: in the shadow of a cloud nearly all land passes for water (of the shadows in
an expert's labels of a TM scene, 98 % have an MNDWI above zero).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError, MissingBandError
from strandline.scenes.quality import (
    CONFLICT,
    check_reasons,
    flag_attributes,
    not_observed,
    reason_bits,
    told_reasons,
)

WINNERS = ("quality", "spectrum")

BRIGHT_NIR = 0.11
"""Near-infrared reflectance above which a wet-looking spectrum may be snow (Hall et al. 1995)."""

WHITE_NIR_TO_RED = 0.8
WHITE_RED_TO_GREEN = 0.8
"""Snow and cloud reflect red and near infrared about as well as green; turbid water far less."""

SNOW_NDSI = 0.4
"""Normalised difference of green and SWIR above which white is snow (Hall et al. 1995)."""

DARK_NIR, DARK_SWIR = 0.15, 0.09
"""Reflectances below which a pixel may hold water (Jones 2019, test 4)."""

CLOUDED = ("dilated_cloud", "cloud", "cirrus", "snow")
"""Reasons that a spectrum can speak against."""

_NOTHING, _WATER, _CLOUD, _SNOW = 0, 1, 2, 3
_NEEDS = (("green",), ("red",), ("nir08", "nir"), ("swir16", "swir22"))
_CLOUDED = np.uint8(reason_bits(CLOUDED))
_LOST = np.uint8(reason_bits(["fill", "cloud_shadow", "saturated"]))


def looks_white(green: Any, red: Any, nir: Any) -> Any:
    """Find what is as bright in red and near infrared as in green: snow, ice and cloud.

    Parameters
    ----------
    green, red, nir : array of float
        Reflectance.

    Returns
    -------
    array of bool
        False where one is NaN.

    Examples
    --------
    >>> bool(looks_white(0.6, 0.62, 0.64)), bool(looks_white(0.12, 0.13, 0.06))  # muddy water
    (True, False)
    """
    white = (nir > BRIGHT_NIR) & (nir > WHITE_NIR_TO_RED * red)
    return white & (red > WHITE_RED_TO_GREEN * green)


def bands_for_conflicts(scene: xr.DataArray) -> list[str] | None:
    """Name the bands by which spectra are judged: green, red, near infrared, SWIR; or None."""
    there = {str(name) for name in scene["band"].values}
    found = [next((name for name in names if name in there), None) for names in _NEEDS]
    return None if None in found else [str(name) for name in found]


def mark_conflicts(flags: xr.DataArray, scene: xr.DataArray) -> xr.DataArray:
    """Set the bit of conflicts where flags and spectrum contradict each other.

    There are two kinds. The flags say cloud, its margin, cirrus or snow, and nothing else, but
    the spectrum is that of open water: green outshines SWIR and near infrared (MNDWI and NDWI
    above zero), both are dark, and it is not white. Or the flags say none of these, but the
    spectrum is wet (MNDWI above zero) and as white as cloud or snow.

    Parameters
    ----------
    flags : DataArray of uint8, shape (y, x)
        From `strandline.scenes.quality.quality_flags`.
    scene : DataArray of shape (band, y, x)
        Reflectance, before anything is masked.

    Returns
    -------
    DataArray of uint8, shape (y, x)
        The flags, with that bit; as they are if the scene lacks a band that is needed. Lazy if
        they are.

    References
    ----------
    Xu, International Journal of Remote Sensing 27 (2006): MNDWI. McFeeters, International
    Journal of Remote Sensing 17 (1996): NDWI. Jones, Remote Sensing 11, 374 (2019): how dark
    water is. Hall, Riggs and Salomonson, Remote Sensing of Environment 54 (1995): snow.
    """
    names = bands_for_conflicts(scene)
    if names is None:
        return flags
    marked = flags.copy(data=_by_block(_marked, flags, scene, names, np.uint8))
    attrs = {name: value for name, value in flags.attrs.items() if name == "masked"}
    marked.attrs = flag_attributes(told_reasons(flags), conflicts=True) | attrs
    return marked


def hidden_by_spectrum(
    flags: xr.DataArray, scene: xr.DataArray, reasons: tuple[str, ...]
) -> xr.DataArray:
    """Find the pixels that count as not observed when the spectrum wins.

    Parameters
    ----------
    flags, scene
        As for `mark_conflicts`.
    reasons : tuple of str
        To mask by. A pixel that looks like cloud is masked if ``cloud`` is among them, one
        that looks like snow if ``snow`` is.

    Returns
    -------
    DataArray of bool, shape (y, x)

    Raises
    ------
    MissingBandError
        If the scene lacks a band that is needed.
    """
    names = bands_for_conflicts(scene)
    if names is None:
        raise MissingBandError(
            "The bands do not say what a pixel looks like.",
            expected="green, red, nir08 and swir16 (or swir22)",
            got=", ".join(str(name) for name in scene["band"].values),
            remedy="Open these bands too, or leave conflicts='spectrum' out.",
        )
    return flags.copy(data=_by_block(_hidden, flags, scene, names, bool, check_reasons(reasons)))


def check_winner(conflicts: str | None) -> str | None:
    """Check who shall win; None where conflicts are not looked for.

    Raises
    ------
    ConfigurationError
        If it is neither ``quality`` nor ``spectrum``.
    """
    if conflicts is not None and conflicts not in WINNERS:
        raise ConfigurationError(
            "Conflicts between quality band and spectrum cannot be decided so.",
            expected="conflicts='quality' or conflicts='spectrum'",
            got=repr(conflicts),
        )
    return conflicts


def _by_block(
    function: Any,
    flags: xr.DataArray,
    scene: xr.DataArray,
    names: list[str],
    dtype: Any,
    *more: Any,
) -> Any:
    planes = [scene.sel(band=name).transpose("y", "x").data for name in names]
    data = flags.transpose("y", "x").data
    if not any(hasattr(plane, "__dask_graph__") for plane in (data, *planes)):
        return function(data, *planes, *more)
    import dask.array as da

    lazy = [da.asarray(plane) for plane in (data, *planes)]  # type: ignore[no-untyped-call]  # Dask is untyped
    lazy = [plane.rechunk(lazy[1].chunks) for plane in lazy]
    return da.map_blocks(function, *lazy, *more, dtype=dtype, meta=np.empty((0, 0), dtype))  # type: ignore[no-untyped-call]  # Dask is untyped


def _marked(flags: NDArray[np.uint8], *planes: NDArray[Any]) -> NDArray[np.uint8]:
    conflict = _in_conflict(flags, _looks(*planes))
    return flags | (conflict.astype(np.uint8) * np.uint8(CONFLICT))


def _hidden(flags: NDArray[np.uint8], *rest: Any) -> NDArray[np.bool_]:
    *planes, reasons = rest
    looks = _looks(*planes)
    conflict = _in_conflict(flags, looks)
    hidden = not_observed(flags, reasons) & ~(conflict & (looks == _WATER))
    for reason, look in (("cloud", _CLOUD), ("snow", _SNOW)):
        if reason in reasons:
            hidden |= conflict & (looks == look)
    result: NDArray[np.bool_] = hidden
    return result


def _in_conflict(flags: NDArray[np.uint8], looks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    clouded = (flags & _CLOUDED) != 0
    conflict: NDArray[np.bool_] = np.where(clouded, looks == _WATER, looks > _WATER)
    conflict &= (flags & _LOST) == 0
    return conflict


def _looks(
    green: NDArray[Any], red: NDArray[Any], nir: NDArray[Any], swir: NDArray[Any]
) -> NDArray[np.uint8]:
    """Say what each pixel looks like by itself; NaN looks like nothing."""
    wet = green > swir  # MNDWI above zero, also where noise makes one of them negative
    white = looks_white(green, red, nir)
    water = wet & (green > nir) & (nir < DARK_NIR) & (swir < DARK_SWIR) & ~white
    snowy = (green - swir) > SNOW_NDSI * (green + swir)
    looks = np.full(green.shape, _NOTHING, np.uint8)
    looks[water] = _WATER
    looks[wet & white] = _CLOUD
    looks[wet & white & snowy] = _SNOW
    return looks
