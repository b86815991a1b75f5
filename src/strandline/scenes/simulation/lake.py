"""Walker Lake: its level and area through the years, and the shape of its basin.

References
----------
Lopes, Smith 2007, Bathymetry of Walker Lake, West-Central Nevada, USGS SIR
2007-5012: level 3,935.6 ft = 32,190 acres = 1,779,000 acre-feet, 4,120 ft =
81,360 acres, bottom 3,849.3 ft, greatest length 20.4 km, width 8.85 km.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from strandline.scenes.simulation.noise import Axes, Float32, fractal

BOTTOM = 1173.27
# Level (m) and area (km²). The surveyed rows are those of 1199.57 and 1255.78 m;
# below, the curve holds the surveyed volume (2.19 km³); between, it follows the
# levels and digitised Landsat areas of 1986 to 2017.
LEVEL_AREA = np.array(
    [
        (BOTTOM, 0.0),
        (1176.0, 28.0),
        (1180.0, 65.0),
        (1185.0, 84.0),
        (1190.0, 102.0),
        (1195.1, 119.1),
        (1199.57, 130.27),
        (1202.13, 134.9),
        (1205.0, 141.1),
        (1207.9, 150.7),
        (1210.06, 155.5),
        (1230.0, 224.0),
        (1255.78, 329.25),
    ]
)
# Areas seen by Landsat in autumn (km²); between them the lake changes evenly.
AREA_BY_DATE = (
    (date(1984, 10, 1), 155.5),
    (date(1986, 10, 1), 155.5),
    (date(1988, 10, 22), 150.7),
    (date(1994, 10, 1), 134.9),
    (date(1999, 10, 1), 141.1),
    (date(2005, 10, 1), 131.1),
    (date(2016, 10, 1), 109.8),
    (date(2017, 10, 22), 119.1),
)
LOWEST, HIGHEST = 1176.0, 1250.0
# The shore of 1882; everything below it is old lake bed.
HIGH_STAND = 1243.6
# The lake has not stood higher since Landsat TM watches it; bare bed shows up to here.
HIGHEST_SINCE_LANDSAT = 1210.5


def area_at(level: float) -> float:
    """Area of the lake in km² at a level in metres above the sea."""
    return float(np.interp(level, LEVEL_AREA[:, 0], LEVEL_AREA[:, 1]))


def level_at(area: float) -> float:
    """Level in metres above the sea at which the lake has ``area`` km²."""
    return float(np.interp(area, LEVEL_AREA[:, 1], LEVEL_AREA[:, 0]))


def level_on(day: date) -> float:
    """Level of the lake on a day; before 1984 and after 2017 that of the nearest known day."""
    days = [known.toordinal() for known, _ in AREA_BY_DATE]
    areas = [area for _, area in AREA_BY_DATE]
    return level_at(float(np.interp(day.toordinal(), days, areas)))


def outwardness(axes: Axes, seed: int) -> Float32:
    """How far outside the flat lake bottom a place lies, in steps of about one shoreline.

    The same step is 0.2 km wide on the steep west shore, 0.4 km on the east
    shore and 2 km at the shallow north end, so a falling lake retreats from
    its ends, as the real one does.
    """
    x = (axes.x[None, :] / 1000.0).astype(np.float32)
    y = (axes.y[:, None] / 1000.0).astype(np.float32)
    # The middle line leans with the Wassuk front and bends a little.
    bend = fractal(axes, 7000.0, 2, seed * 31 + 1)
    x = x + 0.05 * y + 0.3 * bend
    taper = np.clip(1.0 - 0.72 * (np.abs(y) / 11.5) ** 2.4, 0.22, 1.0)
    west = np.maximum(-x - 3.75 * taper, 0.0) / 0.2
    east = np.maximum(x - 3.5 * taper, 0.0) / 0.4
    north = np.maximum(y - 6.0, 0.0) / 2.0
    south = np.maximum(-y - 6.8, 0.0) / 1.5
    out = np.sqrt((west + east) ** 2 + (north + south) ** 2)
    inside = (x / 4.0) ** 2 + (y / 8.0) ** 2
    # The river has built a delta out into the lake.
    delta = np.exp(-(((x - 0.5) / 1.3) ** 2) - ((y - 10.4) / 2.2) ** 2)
    ragged = fractal(axes, 2600.0, 5, seed * 31 + 2, persistence=0.55)
    roughness = 0.16 + 0.14 * np.clip(np.abs(y) / 10.0, 0.0, 1.0)
    shape: Float32 = (
        out + 0.12 * np.minimum(inside, 2.0) + 0.9 * delta + roughness * ragged
    ).astype(np.float32)
    return shape


@dataclass(frozen=True)
class Basin:
    """Height of the lake bed and its shores as a function of :func:`outwardness`."""

    steps: NDArray[np.float64]
    heights: NDArray[np.float64]

    def height(self, out: Float32) -> Float32:
        """Metres above the sea."""
        return np.interp(out, self.steps, self.heights).astype(np.float32)


def fit_basin(out: Float32, spacing: float) -> Basin:
    """Give the contours of ``out`` the heights that make the lake's area curve true.

    Parameters
    ----------
    out : float32 array
        :func:`outwardness` as the simulation will interpolate it, on a lattice that
        holds the whole basin.
    spacing : float
        Lattice spacing in metres.
    """
    ranked = np.sort(out, axis=None).astype(np.float64)
    cell = (spacing / 1000.0) ** 2
    within = np.linspace(0.0, LEVEL_AREA[-1, 1], 1200)
    at = np.clip((within / cell).astype(np.int64), 0, ranked.size - 1)
    steps = np.maximum.accumulate(ranked[at] + np.arange(at.size) * 1e-9)
    heights = np.interp(within, LEVEL_AREA[:, 1], LEVEL_AREA[:, 0])
    # Beyond the survey the fans rise 16 m a step and grow flatter.
    beyond = np.linspace(0.05, 400.0, 2000)
    steps = np.concatenate([steps, steps[-1] + beyond])
    heights = np.concatenate(
        [heights, heights[-1] + 230.0 * (1.0 - np.exp(-beyond * 16.0 / 230.0))]
    )
    return Basin(steps, heights)
