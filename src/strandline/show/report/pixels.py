"""The pixels that a report carries: spectra in small steps, and the classes, packed for a browser.

A page cannot hold a whole scene. Blocks of pixels are averaged to points, classes by the
commonest one, until what is left fits; reflectance is rounded to a step that the page tells.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError
from strandline.show.display import block_means, image_step, thin_classes

MOST_VALUES = 1_700_000
"""Values of spectra in a page, over all bands and dates; packed, two bytes of text for each."""

LONGEST_SIDE = 400
"""Points along the longer side, however few bands and dates there are."""

SHORTEST_SIDE = 48
"""And what that is not made smaller than."""

STEP = 0.001
"""To this reflectance is rounded: about the noise of the instruments."""

SURE_LOW, SURE_STEP = 0.5, 0.0025
"""The least that a mask is sure of a pixel, and to what that is rounded: a byte holds it."""

_MOST_CODES = 65_000


@dataclass(frozen=True)
class Lattice:
    """How pictures, points and pixels of the maps lie on each other.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the maps.
    thinned : int
        Side, in pixels of the maps, of the pixels of the scenes: these may be thinned already.
    per_point : int
        How many pixels of the scenes, along a side, make a point.
    """

    shape: tuple[int, int]
    thinned: int
    per_point: int

    @property
    def step(self) -> int:
        """Side of a point in pixels of the maps."""
        return self.thinned * self.per_point


def lattice_of(maps: xr.DataArray, scene: xr.DataArray, n_bands: int, n_dates: int) -> Lattice:
    """Choose how many pixels make a point, so that the page stays small.

    Parameters
    ----------
    maps : DataArray
        The last two dims are the maps' pixels.
    scene : DataArray
        A date, with the pixels of the maps, or thinned as `reduce_scenes` does.
    n_bands, n_dates : int
        What each point carries.

    Returns
    -------
    Lattice

    Raises
    ------
    ConfigurationError
        If the scene has neither the maps' pixels nor thinned ones of them.
    """
    rows, columns = maps.shape[-2:]
    own = scene.shape[-2:]
    thinned = 1 if own == (rows, columns) else image_step((rows, columns))
    if own != (-(-rows // thinned), -(-columns // thinned)):
        raise ConfigurationError(
            "The scenes of a report do not lie on the grid of its maps.",
            expected=f"{rows} × {columns} pixels",
            got=f"{own[0]} × {own[1]}",
            remedy="Regrid the scenes first.",
        )
    side = math.isqrt(MOST_VALUES // max(1, n_bands * n_dates))
    side = max(SHORTEST_SIDE, min(LONGEST_SIDE, side))
    return Lattice((rows, columns), thinned, image_step(own, side))


@dataclass(frozen=True)
class Points:
    """Spectra and classes of the points, as a page holds them.

    Attributes
    ----------
    values : ndarray of uint16, shape (n_dates, n_bands, rows, columns)
        0 where not observed, otherwise 1 + (value - low) / step, rounded.
    classes : ndarray of uint8, shape (n_maps, rows, columns)
        The commonest class of each point; 255 where not observed.
    low, step : float
        The lowest value, and what values are rounded to.
    sure : ndarray of uint8, shape (n_dates or 0, rows, columns)
        How sure the masks are: 0 where not observed, otherwise 1 + (mean - 0.5) / 0.0025, rounded.
    """

    values: NDArray[np.uint16]
    classes: NDArray[np.uint8]
    low: float
    step: float
    sure: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint8))

    def packed(self) -> str:
        """Pack for the page: base64 of deflated bytes.

        In the order of `values`, each value is written as its difference to the one before
        in its layer (the first one's to 0), modulo 65,536, the sign in the lowest bit. First
        come the low bytes of all, then the high bytes, then the classes, and how sure they are.
        """
        layers = self.values.reshape(-1, math.prod(self.values.shape[2:]))
        difference = np.diff(layers, axis=1, prepend=np.uint16(0)).view(np.int16)
        folded = ((difference << 1) ^ (difference >> 15)).view(np.uint16)
        low, high = (folded & 255).astype(np.uint8), (folded >> 8).astype(np.uint8)
        parts = (low, high, self.classes, self.sure)
        content = b"".join(part.tobytes() for part in parts)
        return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def points_of(
    dated: Sequence[xr.DataArray],
    bands: Sequence[str],
    maps: Sequence[xr.DataArray],
    lattice: Lattice,
    confidence: Sequence[xr.DataArray] = (),
) -> Points:
    """Thin scenes and maps to points.

    Parameters
    ----------
    dated : sequence of DataArray of shape (band, y, x)
        The dates; may be lazy.
    bands : sequence of str
        Those whose values are wanted.
    maps : sequence of DataArray of uint8, shape (y, x)
        Labels, masks, a change map.
    lattice : Lattice
        From `lattice_of`.
    confidence : sequence of DataArray, shape (y, x)
        How sure the masks are, per date, with the pixels of the dates; or nothing.

    Returns
    -------
    Points

    Raises
    ------
    ConfigurationError
        If it is not there for each date, or has other pixels.
    """
    names = list(bands)
    means = np.stack([block_means(date.sel(band=names), lattice.per_point) for date in dated])
    seen = means[np.isfinite(means)]
    bottom, top = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    step = _step(top - bottom, reflectance=dated[0].attrs.get("units") == "1")
    low = math.floor(bottom / step) * step
    codes = np.rint((means.astype(np.float64) - low) / step) + 1
    codes = np.where(np.isfinite(means), codes, 0).astype(np.uint16)
    classes = np.stack([thin_classes(one, lattice.step) for one in maps])
    if not confidence:
        return Points(codes, classes, low, step)
    return Points(codes, classes, low, step, _sure(confidence, dated, lattice))


def _sure(
    confidence: Sequence[xr.DataArray], dated: Sequence[xr.DataArray], lattice: Lattice
) -> NDArray[np.uint8]:
    """Thin out how sure the masks are, and put it into bytes."""
    wanted, given = ([one.shape[-2:] for one in many] for many in (dated, confidence))
    if wanted != given:
        raise ConfigurationError(
            "What says how sure the masks are does not fit the scenes of the report.",
            expected=f"{len(wanted)} of {wanted[0][0]} × {wanted[0][1]} pixels",
            got=", ".join(f"{rows} × {columns}" for rows, columns in given),
        )
    means = np.stack([block_means(one, lattice.per_point) for one in confidence])
    codes = np.rint((means.astype(np.float64) - SURE_LOW) / SURE_STEP) + 1
    return np.where(np.isfinite(means), np.clip(codes, 1, 255), 0).astype(np.uint8)


def _step(span: float, *, reflectance: bool) -> float:
    """Choose what values are rounded to: 0.001 of reflectance, or about that of their span."""
    least = span / _MOST_CODES
    if reflectance and least <= STEP:
        return STEP
    return float(10.0 ** math.floor(math.log10(span / 1000))) if span > 0 else STEP
