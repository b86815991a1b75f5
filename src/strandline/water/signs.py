"""Signs of water in a spectrum, and of what only resembles it.

Water is dark in the shortwave infrared where soil, rock and leaves are not: MNDWI above
zero is the first test, or above the border that the segmentation found between its sides where
numbers are no reflectance. Three kinds of ground pass it too, and are told by their shape:
snow, ice and cloud are white, as bright in red and near infrared as in green, while water
falls off from green to red and on, however turbid; leaves in shallow water are water only as
long as the near infrared does not outshine green by far; and snow between trees or in shade
is level from green to red and rises to the near infrared. Silt is as bright as snow in red and
near infrared, but brown, and the water still absorbs the shortwave infrared, in which soil is
brightest and clouds are bright. Where atmospheric correction took off too much, a lake is black
in all bands, and ratios of what is left mean nothing: no ground is as dark in all of the infrared.
Shade on slopes is hardly wet by MNDWI
and dry by NDWI and both AWEI. Leaves in the shadow of a cloud, seen through air that was not
corrected for, get their green from the air: they are brightest in blue, and rise again to the
near infrared, where water that blue is black. And a scene without any clearly wet signature has
no water: what is faintly wet there has no water to be the shore of.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.scenes.conflicts import BRIGHT_NIR, looks_white
from strandline.water.indices import awei_nsh, awei_sh, mndwi, ndwi

LEAFY_NIR_TO_GREEN = 1.5
"""Where the near infrared outshines green by more, there are more leaves than water."""

RISING_NIR = 0.08
RISING_NIR_TO_RED = 1.2
RISING_RED_TO_GREEN = 0.95
"""Snow among trees: dimmer than snow, level from green to red, then rising."""

MUDDY_RED_TO_GREEN = 1.2
MUDDY_NIR_TO_RED = 1.5
"""Water full of silt reflects more red than green; leaves absorb red, and snow is level."""

SILTY_RED_TO_BLUE = 1.5
SILTY_GREEN_TO_BLUE = 1.15
SILTY_RED_TO_GREEN = 1.2
SILTY_NIR_TO_RED = 1.05
SILTY_SWIR_TO_RED = 0.4
SILTY_MNDWI = 0.25
"""Silt in water: red far above blue and green above it (red above green, where there is no blue),
as the reflectance of minerals grows with wavelength while that of snow and cloud is level (Warren
and Wiscombe 1980; Doxaran et al. 2002); no step up to the near infrared, which water
absorbs and leaves reflect; and the shortwave infrared, in which a millimetre of water is black,
far below red."""

BLACK = 0.01
"""Reflectance below which all that is left is the error of atmospheric correction (about 0.01 of
surface reflectance: Vermote et al. 2016). Land, in shade too, is brighter in the near infrared."""

AIRY_BLUE_TO_GREEN = 1.2
"""Air scatters blue light above all: where blue outshines green by more, the rest is dark."""

SNOW_GREEN = 0.10
"""Snow and cloud are brighter than this in green (Hall et al. 2002); dim shores are not."""

FAINT_MNDWI = 0.10
"""Shade on slopes is hardly bluer than it is dark: its MNDWI lies between 0 and this."""

OPEN_WETNESS = 0.2
"""A scene whose wettest spectra stay below, with AWEI below 0 too, has no open water in it:
what is faintly wet is then shade or damp ground, and no shore."""


class Resemblance(IntEnum):
    """What a spectrum with the index of water may be instead."""

    NOTHING = 0
    WHITE = 1
    RISING = 2
    LEAFY = 3
    AIRY = 4
    SHADED = 5
    LONELY = 6

    def told(self, nir: float) -> str:
        """Say it in a few words; `nir` is the reflectance in the near infrared."""
        return {
            Resemblance.NOTHING: "",
            Resemblance.WHITE: f"white, NIR {nir:.2f}: like snow, ice or cloud",
            Resemblance.RISING: f"rising to NIR {nir:.2f}: like snow among trees or in shade",
            Resemblance.LEAFY: f"NIR {nir:.2f} outshines green: like leaves",
            Resemblance.AIRY: f"blue of the air, then rising to NIR {nir:.2f}: "
            "like leaves in shadow",
            Resemblance.SHADED: "dark alike in all bands, NIR above green: like shade",
            Resemblance.LONELY: "no open water anywhere",
        }[self]


class Signs(NamedTuple):
    """What spectra say about water; arrays of shape (…, subcluster).

    Attributes
    ----------
    name : str
        Of the water index.
    wetness : ndarray of float64
        Its values.
    wet : ndarray of bool
        Whether they lie on the wet side.
    resembles : ndarray of uint8
        A `Resemblance`, whether wet or not.
    water : ndarray of bool
        Wet, and like nothing else.
    black : ndarray of bool
        Wet because it is black in all bands, where the index means nothing.
    """

    name: str
    wetness: NDArray[np.float64]
    wet: NDArray[np.bool_]
    resembles: NDArray[np.uint8]
    water: NDArray[np.bool_]
    black: NDArray[np.bool_]


def signs_of(spectra: xr.DataArray, *, reflectance: bool, wet_above: float) -> Signs | None:
    """Look at the spectra of a scene's subclusters.

    Parameters
    ----------
    spectra : DataArray of shape (…, subcluster, band)
        Whatever leads counts as scenes of their own.
    reflectance : bool
        Whether the values are reflectance; otherwise the index alone decides.
    wet_above : float
        Where the wet side of the index begins.

    Returns
    -------
    Signs or None
        None where no band tells water from land.
    """
    found = [(name, index(spectra)) for name, index in (("mndwi", mndwi), ("ndwi", ndwi))]
    name, values = next(((name, v) for name, v in found if v is not None), ("", None))
    if values is None:
        return None
    wetness = values.values
    wet = wetness > wet_above
    black = np.zeros(wetness.shape, bool)
    resembles = np.zeros(wetness.shape, np.uint8)
    if reflectance:
        resembles, black = _resemblances(spectra), _is_black(spectra)
        wet = wet | black
        clearly_wet = (wetness >= OPEN_WETNESS) | black
        clear = awei_nsh(spectra)
        if clear is not None:
            clearly_wet |= clear.values > 0.0
        open_water = clearly_wet & wet & (resembles == Resemblance.NOTHING)
        lonely = ~open_water.any(axis=-1, keepdims=True) & (resembles == Resemblance.NOTHING)
        resembles[lonely] = Resemblance.LONELY
    return Signs(name, wetness, wet, resembles, wet & (resembles == Resemblance.NOTHING), black)


def _by_band(spectra: xr.DataArray) -> dict[str, NDArray[np.float64]]:
    return {str(name): spectra.sel(band=name).values for name in spectra["band"].values}


def _is_black(spectra: xr.DataArray) -> NDArray[np.bool_]:
    """Find what is black in green and in all of the infrared, near and shortwave."""
    bands = _by_band(spectra)
    infrared = [bands[name] for name in ("swir16", "swir22") if name in bands]
    if not infrared or not {"green", "nir08"} <= set(bands):
        return np.zeros(spectra.isel(band=0).shape, bool)
    dark = [values < BLACK for values in (bands["green"], bands["nir08"], *infrared)]
    return np.asarray(np.logical_and.reduce(dark))


def _is_silty(spectra: xr.DataArray) -> NDArray[np.bool_]:
    """Find water full of silt: brown, and black in the shortwave infrared."""
    bands, wetness = _by_band(spectra), mndwi(spectra)
    green, red, nir = bands["green"], bands["red"], bands["nir08"]
    if wetness is None:
        return np.zeros(green.shape, bool)
    shortwave = bands["swir16"] if "swir16" in bands else bands["swir22"]
    coloured = red > SILTY_RED_TO_GREEN * green
    if "blue" in bands:
        blue = bands["blue"]
        coloured = (red > SILTY_RED_TO_BLUE * blue) & (green > SILTY_GREEN_TO_BLUE * blue)
    coloured &= nir < SILTY_NIR_TO_RED * red
    return coloured & (shortwave < SILTY_SWIR_TO_RED * red) & (wetness.values > SILTY_MNDWI)


def _resemblances(spectra: xr.DataArray) -> NDArray[np.uint8]:
    """Find what else each spectrum may be; the first that fits counts."""
    bands = _by_band(spectra)
    result = np.zeros(spectra.isel(band=0).shape, np.uint8)
    if not {"green", "red", "nir08"} <= set(bands):
        return result
    green, red, nir = bands["green"], bands["red"], bands["nir08"]
    silty = _is_silty(spectra)
    muddy = (red > MUDDY_RED_TO_GREEN * green) & (nir < MUDDY_NIR_TO_RED * red)
    steps_up = (nir > RISING_NIR) & (nir > RISING_NIR_TO_RED * red)
    fits = {
        Resemblance.WHITE: looks_white(green, red, nir) & (green > SNOW_GREEN) & ~silty,
        Resemblance.RISING: steps_up & (red > RISING_RED_TO_GREEN * green) & ~muddy,
        Resemblance.LEAFY: (nir > BRIGHT_NIR) & (nir > LEAFY_NIR_TO_GREEN * green) & ~muddy,
    }
    if "blue" in bands:
        blue = bands["blue"]
        fits[Resemblance.AIRY] = steps_up & (blue > AIRY_BLUE_TO_GREEN * green) & (green > red)
    several = [index(spectra) for index in (mndwi, ndwi, awei_sh, awei_nsh)]
    wetness, *others = [index.values for index in several if index is not None]
    if len(others) == 3:
        dull = np.logical_and.reduce([values < 0.0 for values in others])
        fits[Resemblance.SHADED] = dull & (wetness < FAINT_MNDWI) & ~muddy
    for kind in reversed(fits):
        result[fits[kind]] = kind
    return result
