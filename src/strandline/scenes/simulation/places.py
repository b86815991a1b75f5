"""How far a window's pixels are from places and lines on the map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from strandline.scenes.simulation.geography import Spot
from strandline.scenes.simulation.noise import Axes, Float32

Float = NDArray[np.float64]


def within(spot: Spot, axes: Axes, ragged: Float32) -> tuple[tuple[slice, slice], Float32] | None:
    """Find where a window touches a spot, and how far from its centre the pixels there are.

    Parameters
    ----------
    spot : Spot
    axes : Axes
    ragged : float32 array
        Noise of unit variance over the window, for a natural edge.

    Returns
    -------
    (rows, columns), distance
        The distance is 1 on the spot's edge. None if the window does not touch it.
    """
    reach = 1.5 * max(spot.half_east, spot.half_north)
    x, y = axes.x / 1000.0 - spot.east, axes.y / 1000.0 - spot.north
    cols, rows = np.flatnonzero(np.abs(x) < reach), np.flatnonzero(np.abs(y) < reach)
    if cols.size == 0 or rows.size == 0:
        return None
    where = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1))
    turn = np.radians(spot.turn)
    east, north = x[where[1]][None, :], y[where[0]][:, None]
    across = (east * np.cos(turn) - north * np.sin(turn)) / spot.half_east
    along = (east * np.sin(turn) + north * np.cos(turn)) / spot.half_north
    size = min(spot.half_east, spot.half_north)
    distance = np.sqrt(across**2 + along**2) + min(0.18, 0.35 / size) * ragged[where]
    return where, distance.astype(np.float32)


def nearest_on_line(
    x: Float, y: Float, line: Sequence[tuple[float, float, float]]
) -> tuple[Float, Float]:
    """Find the distance to a bent line, and the value that the line has at the nearest point.

    Parameters
    ----------
    x, y : float64 arrays
        Kilometres east and north.
    line : sequence of (east, north, value)
        Between its points the value changes evenly.

    Returns
    -------
    distance, value : float64 arrays
    """
    nearest, values = np.full(x.shape, np.inf), np.zeros(x.shape)
    for (x0, y0, v0), (x1, y1, v1) in pairwise(line):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0.0, 1.0)
        away = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
        closer = away < nearest
        nearest = np.where(closer, away, nearest)
        values = np.where(closer, v0 + along * (v1 - v0), values)
    return nearest, values
