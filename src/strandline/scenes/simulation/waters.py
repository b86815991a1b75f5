"""The lake and the ponds: how much of each pixel they cover, and what colour they have."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strandline.scenes.simulation.geography import PONDS
from strandline.scenes.simulation.landcover import Ground
from strandline.scenes.simulation.noise import Axes, Float32
from strandline.scenes.simulation.optics import ATTENUATION, LAKE_BED, Spectra
from strandline.scenes.simulation.places import within

POND_DEPTH = 1.2

# How wet the shallow lakes of the region were, from a dry (0) to a wet (1) year.
WETNESS = (
    (1983.5, 1.0), (1986.8, 0.9), (1988.8, 0.2), (1992.8, 0.0), (1995.5, 0.6), (1998.5, 1.0),
    (2004.0, 0.2), (2006.5, 0.8), (2010.0, 0.3), (2011.5, 0.8), (2015.0, 0.0), (2016.5, 0.2),
    (2017.8, 1.0),
)  # fmt: skip


@dataclass(frozen=True)
class Waters:
    """Water of a window, without its outermost pixels.

    ``lake`` and ``share`` (lake and ponds) are fractions of the pixel; ``depth``
    is in metres; ``turbidity`` goes from 0 to 1.
    """

    lake: Float32
    share: Float32
    depth: Float32
    turbidity: Float32


def waters(axes: Axes, cover: Ground, level: float, day: dt.date) -> Waters:
    """Fill the lake to a level (m), and the ponds as far as the year is wet."""
    shore, ragged = cover.shore[1:-1, 1:-1], cover.ragged
    lake = covered(cover.shore - np.float32(level))
    depth = np.maximum(np.float32(level) - shore, 0.0)
    # The river's plume in the north, and silt stirred up on the shallows.
    north = (axes.y[1:-1, None] / 1000.0).astype(np.float32)
    plume = np.exp(-depth / np.float32(1.6)) * np.clip(0.35 + 0.06 * north, 0.1, 0.8)
    turbidity = np.clip(plume * (1.0 + 0.5 * ragged[1:-1, 1:-1]), 0.0, 1.0)
    share = lake.copy()
    wetness = wetness_on(day)
    for pond in PONDS:
        size = pond.dry + wetness * (pond.wet - pond.dry)
        touched = within(pond.spot, axes, ragged)
        if touched is None or size <= 0.0:
            continue
        where, distance = touched
        excess = np.ones(cover.shore.shape, dtype=np.float32)
        excess[where] = distance - np.float32(size)
        filled = covered(excess)
        here = filled > share
        share[here], depth[here], turbidity[here] = filled[here], POND_DEPTH, pond.turbidity
    return Waters(lake, share, depth.astype(np.float32), turbidity.astype(np.float32))


def wetness_on(day: dt.date) -> float:
    """How wet the region was, from 0 in a dry to 1 in a wet year."""
    year = day.year + (day.timetuple().tm_yday - 1) / 365.25
    years, wetness = zip(*WETNESS, strict=True)
    return float(np.interp(year, years, wetness))


def covered(excess: Float32) -> Float32:
    """Share of each pixel that lies below zero.

    The surface through a pixel is taken as a plane with the slopes between its
    neighbours; the share of a square below a plane is a difference of squares.

    Parameters
    ----------
    excess : float32 array (rows + 2, cols + 2)
        Height above the water at pixel centres, with one pixel around.

    Returns
    -------
    float32 array (rows, cols)

    Examples
    --------
    A shore from north to south, a quarter of a pixel west of the middle one's centre:

    >>> height = np.array([[-0.75, 0.25, 1.25]] * 3, dtype=np.float32)
    >>> float(covered(height)[0, 0])
    0.25
    """
    centre = excess[1:-1, 1:-1]
    share = (centre < 0.0).astype(np.float32)
    across = np.abs(excess[1:-1, 2:] - excess[1:-1, :-2]) / 2
    down = np.abs(excess[2:, 1:-1] - excess[:-2, 1:-1]) / 2
    shoreline = np.abs(centre) < (across + down) / 2
    below = -centre[shoreline].astype(np.float64)
    # The formula divides by both slopes: a plane tilted one way gets a trace of the other.
    trace = np.maximum(across[shoreline], down[shoreline]).astype(np.float64) * 1e-4 + 1e-12
    a = np.maximum(across[shoreline], trace)
    b = np.maximum(down[shoreline], trace)

    def ramp(s: NDArray[np.float64]) -> NDArray[np.float64]:
        squares: NDArray[np.float64] = np.maximum(s, 0.0) ** 2
        return squares

    part = (
        ramp(below + (a + b) / 2) - ramp(below + (a - b) / 2)
        - ramp(below - (a - b) / 2) + ramp(below - (a + b) / 2)
    ) / (2 * a * b)  # fmt: skip
    share[shoreline] = np.clip(part, 0.0, 1.0)
    return share


def water_colour(spectra: Spectra, band: int, wet: Waters, ripples: Float32) -> Float32:
    """Reflectance of water: deep, plus silt, plus what shines up from a shallow bottom.

    Parameters
    ----------
    spectra : Spectra
    band : int
    wet : Waters
    ripples : float32 array
        Noise of unit variance, for the small differences that deep water has.
    """
    deep = spectra.water[band] + spectra.water_spread[0, band] * np.float32(0.3) * ripples
    bottom = np.float32(0.55) * spectra.mean[LAKE_BED, band]
    # Light that goes down and comes back is attenuated twice.
    through = np.exp(wet.depth * np.float32(-2.0 * ATTENUATION[spectra.bands[band]]))
    colour = deep + wet.turbidity * (spectra.turbid[band] - deep) * np.float32(0.75)
    colour += through * np.float32(0.6) * (bottom - colour)
    seen: Float32 = np.maximum(colour, np.float32(0.0005)).astype(np.float32)
    return seen
