"""Alluvial fans: what the washes bring out of the ranges, and how it spreads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from strandline.scenes.simulation.erosion import Float, gather, receivers
from strandline.scenes.simulation.noise import Axes, Float32, noise_at, smooth_noise

MOST_FANS = 260


def spread_fans(
    axes: Axes,
    height: Float,
    rock: Float,
    stone: Float32,
    seed: int,
) -> tuple[Float, Float]:
    """How strongly washes run, and the tone of the sediments on the fans.

    Parameters
    ----------
    axes : Axes
        The lattice of all fields.
    height : float64 array
        Metres.
    rock : float64 array
        1 in the ranges, 0 on their forelands.
    stone : float32 array
        Tone of the rock (standard normal); fans inherit that of their catchment.
    seed : int

    Returns
    -------
    wash, sediment : float64 arrays
    """
    cell = (axes.resolution / 1000.0) ** 2
    nowhere = np.zeros(height.shape, dtype=bool)
    supply = (cell * rock).ravel() + 1e-6
    to, _ = receivers(height, nowhere)
    drained = gather(to, supply)
    tone = gather(to, supply * stone.ravel()) / drained
    # A canyon's mouth: in the range still, draining a good part of it onto the foreland.
    mouth = (rock.ravel() > 0.4) & (rock.ravel()[to] <= 0.4) & (drained > 6.0 * cell)
    mouths = np.flatnonzero(mouth)
    mouths = mouths[np.argsort(-drained[mouths], kind="stable")][:MOST_FANS]
    sediment = _cones(axes, rock, height, mouths, drained, tone, seed)
    return _washes(axes, height, rock, supply, seed), sediment


def _cones(
    axes: Axes,
    rock: Float,
    height: Float,
    mouths: NDArray[np.int64],
    drained: Float,
    tone: Float,
    seed: int,
) -> Float:
    """Radial fans below the mouths; where several meet, the nearer mouth prevails."""
    rows, cols = height.shape
    spacing = axes.resolution
    weighed, weights = np.zeros(height.shape), np.full(height.shape, 1e-3)
    for number, mouth in enumerate(mouths):
        row, col = divmod(int(mouth), cols)
        radius = float(np.clip(3000.0 * drained[mouth] ** 0.42, 1500.0, 9000.0))
        reach = int(radius / spacing) + 1
        window = (
            slice(max(row - reach, 0), min(row + reach + 1, rows)),
            slice(max(col - reach, 0), min(col + reach + 1, cols)),
        )
        south = (np.arange(window[0].start, window[0].stop) - row)[:, None] * spacing
        east = (np.arange(window[1].start, window[1].stop) - col)[None, :] * spacing
        away = np.hypot(south, east)
        # Angles are counted from uphill, so that their seam lies in the range.
        uphill = _towards_rock(rock, row, col)
        angle = (np.arctan2(south, east) - uphill) % (2 * np.pi)
        streaks = noise_at(angle * 5.0, away / 2200.0, seed * 313 + number)
        streaks += 0.8 * noise_at(angle * 13.0, away / 1500.0, seed * 313 + number + 5000)
        share = np.clip(1.0 - away / radius, 0.0, 1.0)
        # Nothing climbs back: only ground below the mouth is covered.
        share *= height[window] <= height[row, col] + 0.01 * away
        fan = (
            1.1 * tone[mouth]
            + 0.5 * streaks
            + 0.6 * noise_at(np.array([number + 0.5]), np.array([0.5]), seed * 313 + 9000)
        )
        strength = share**2
        weighed[window] += strength * np.clip(3.0 * share, 0.0, 1.0) * fan
        weights[window] += strength
    sediment: Float = weighed / weights * np.clip(weights / 0.01, 0.0, 1.0)
    return sediment


def _towards_rock(rock: Float, row: int, col: int, reach: int = 6) -> float:
    """Angle (from east, clockwise as rows grow) from a mouth to the rock around it."""
    part = rock[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]
    down, across = np.nonzero(part > 0.5)
    if down.size == 0:
        return 0.0
    return float(np.arctan2(down.mean() - min(row, reach), across.mean() - min(col, reach) + 1e-9))


def _washes(axes: Axes, height: Float, rock: Float, supply: Float, seed: int) -> Float:
    """Log of the drainage, averaged over several surfaces: streams on a fan wander."""
    cell = (axes.resolution / 1000.0) ** 2
    nowhere = np.zeros(height.shape, dtype=bool)
    wash = np.zeros(height.size)
    rounds = 4
    for turn in range(rounds):
        wobble = smooth_noise(axes, 3 * axes.resolution, seed * 57 + 20 + turn)
        wobble = wobble + 1.5 * smooth_noise(axes, 8 * axes.resolution, seed * 57 + 40 + turn)
        amount = 0.016 * axes.resolution * (1.0 - 0.9 * rock)
        to, _ = receivers(height + amount * wobble, nowhere)
        wash += np.log1p(gather(to, supply) / cell / 12.0)
    averaged: Float = (wash / rounds).reshape(height.shape)
    return averaged
