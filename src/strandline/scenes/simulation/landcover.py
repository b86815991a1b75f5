"""What covers the ground: a class per pixel, and how bright it is within its class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strandline.scenes.simulation import lake
from strandline.scenes.simulation.geography import FARMLAND, PLAYAS, RIVER
from strandline.scenes.simulation.noise import (
    Axes,
    Float32,
    fractal,
    normal,
    smooth_noise,
    uniform,
    white_noise,
)
from strandline.scenes.simulation.optics import (
    ALLUVIUM,
    BRUSH,
    CONIFER,
    CROP,
    DARK_ROCK,
    LAKE_BED,
    PLAYA,
    SCRUB,
)
from strandline.scenes.simulation.places import nearest_on_line, within
from strandline.scenes.simulation.terrain import Landscape

FIELD = 402.0  # a sixteenth of a survey section, the American field


@dataclass(frozen=True)
class Ground:
    """Heights and covers of a window."""

    height: Float32
    shore: Float32
    code: NDArray[np.uint8]
    tone: tuple[Float32, Float32, Float32]
    ragged: Float32


def ground(axes: Axes, land: Landscape, year: int) -> Ground:
    """Cover a window of the landscape, as it is in a year.

    Parameters
    ----------
    axes : Axes
    land : Landscape
    year : int
        Fields change hands and crops from year to year; nothing else does.
    """
    seed = land.seed
    ragged = fractal(axes, 1500.0, 4, seed * 83 + 1, persistence=0.6)
    grain = fractal(axes, 420.0, 4, seed * 83 + 2, persistence=0.65)
    rock = land.field("rock", axes)
    shore = land.shore(axes)
    height = land.field("height", axes)
    # Gullies and knobs that the lattice is too coarse for; the old lake bed is smooth.
    height += (np.float32(8.0) * rock + np.float32(0.5)) * grain
    far = np.float32(1.0) - land.nearness(axes)
    if far.any():
        # Ridges between the knots of the scene's lattice.
        height += far * rock * np.float32(45.0) * (ragged + np.float32(0.5) * grain)
    low = np.clip((np.float32(1272.0) - shore) / np.float32(14.0), 0.0, 1.0)
    height += low * (shore - height)

    code = np.full(height.shape, ALLUVIUM, dtype=np.uint8)
    # Covers do not end at a line: single pixels of one stand in the other.
    speck = white_noise(axes, seed * 83 + 3)
    code[rock + 0.09 * ragged + 0.09 * grain + 0.05 * speck > 0.42] = SCRUB
    stone = land.field("stone", axes)
    dark = stone + 0.5 * ragged + 0.25 * grain + 0.07 * speck > 2.0
    code[(code == SCRUB) & dark] = DARK_ROCK
    _woodland(axes, height, ragged, grain + 0.5 * speck, code)
    # The bed that the lake has left since Landsat watches it.
    code[shore + 0.7 * ragged + 0.4 * grain < lake.HIGHEST_SINCE_LANDSAT] = LAKE_BED
    tone = _tone(axes, land, code, rock, stone, grain, shore, speck)
    _playas(axes, ragged, grain, code, tone[0])
    _farmland(axes, year, ragged, rock, shore, code, tone[0], seed)
    _riverside(axes, ragged, grain, shore, code)
    return Ground(height, shore, code, tone, ragged)


def _woodland(
    axes: Axes, height: Float32, ragged: Float32, grain: Float32, code: NDArray[np.uint8]
) -> None:
    """Conifers above a line that falls towards the wetter west."""
    east = (axes.x[None, :] / 1000.0).astype(np.float32)
    line = np.float32(2230.0) + np.clip(np.float32(5.0) * east, -480.0, 120.0)
    # The highest crests are bare again.
    shaded = np.zeros_like(height)
    # Trees stand lower on the shaded slopes that look north.
    shaded[1:-1] = (height[2:] - height[:-2]) * np.float32(30.0 / axes.resolution)
    patch = 130.0 * ragged + 60.0 * grain - np.float32(7.0) * shaded
    code[(height > line + patch) & (height < line + 950.0 + 90.0 * grain)] = CONIFER


def _playas(
    axes: Axes, ragged: Float32, grain: Float32, code: NDArray[np.uint8], tone: Float32
) -> None:
    """Dry lakes: silty at the edge, white with salt in the middle."""
    for spot in PLAYAS:
        touched = within(spot, axes, ragged)
        if touched is None:
            continue
        where, distance = touched
        playa = (distance + 0.05 * grain[where] < 1.0) & (code[where] == ALLUVIUM)
        code[where][playa] = PLAYA
        salt = 2.6 * (1.0 - distance) - 1.1 + 0.5 * ragged[where] + 0.4 * tone[where]
        tone[where][playa] = np.clip(salt, -1.8, 1.8)[playa]


def _tone(
    axes: Axes,
    land: Landscape,
    code: NDArray[np.uint8],
    rock: Float32,
    stone: Float32,
    grain: Float32,
    shore: Float32,
    fine: Float32,
) -> tuple[Float32, Float32, Float32]:
    """Three fields of about unit variance that steer the class's principal components."""
    seed = land.seed
    broad = fractal(axes, 5200.0, 4, seed * 83 + 4, persistence=0.6)
    wash = land.field("wash", axes)
    sediment = land.field("sediment", axes)
    # Hills show their stone, fans what the washes brought, and fresh gravel in the washes.
    hills = 0.45 * stone + 0.3 * broad + 0.3 * grain
    foot = land.field("foot", axes)
    hills += 0.9 * (np.float32(0.75) - foot)
    fans = np.float32(0.2) - np.float32(1.3) * foot
    fans += 0.35 * broad + sediment + 0.25 * grain + 0.6 * np.minimum(wash, 1.5) - 0.1
    share = np.clip(rock, 0.0, 1.0)
    first = fans + share * (hills - fans) + 0.28 * fine
    # Old shorelines: thin terraces along the contours below the stand of 1882.
    old = np.clip((np.float32(lake.HIGH_STAND) - shore) / np.float32(3.0), 0.0, 1.0)
    terraces = np.sin(shore * np.float32(2.1) + 0.6 * broad) + np.sin(shore * np.float32(0.83))
    first += old * (np.float32(0.35) + np.float32(0.32) * terraces)
    lava = code == DARK_ROCK
    first[lava] = 0.5 * broad[lava] + 0.4 * grain[lava] + 0.3 * fine[lava] - 0.4
    bed = code == LAKE_BED
    first[bed] = 0.5 * broad[bed] + 0.22 * terraces[bed] + 0.3 * grain[bed] + 0.22 * fine[bed]
    second = 0.5 * smooth_noise(axes, 3100.0, seed * 83 + 5) + 0.3 * grain + 0.25 * fine
    third = 0.5 * smooth_noise(axes, 1300.0, seed * 83 + 6) + 0.5 * white_noise(axes, seed * 83 + 7)
    return first, second, third


def _farmland(
    axes: Axes,
    year: int,
    ragged: Float32,
    rock: Float32,
    shore: Float32,
    code: NDArray[np.uint8],
    tone: Float32,
    seed: int,
) -> None:
    """Square fields and round pivots, each green, cut or fallow this year."""
    for spot in FARMLAND:
        touched = within(spot, axes, ragged)
        if touched is None:
            continue
        where, distance = touched
        inside = (rock[where] < 0.15) & (shore[where] > lake.HIGHEST_SINCE_LANDSAT + 2.0)
        x, y = axes.x[where[1]] / FIELD, axes.y[where[0]] / FIELD
        col, row = np.floor(x).astype(np.int64)[None, :], np.floor(y).astype(np.int64)[:, None]
        # Whole fields are in or out, decided where the valley thins out.
        settled = distance + 0.5 * uniform(row, col, seed * 83 + 8) < 1.05
        chance = uniform(row, col, (seed * 4001 + year) * 7 + 1)
        state = np.where(chance < 0.42, CROP, np.where(chance < 0.75, BRUSH, ALLUVIUM))
        edge = np.maximum(np.abs((x % 1.0) - 0.5)[None, :], np.abs((y % 1.0) - 0.5)[:, None])
        state = np.where(edge > 0.47, BRUSH, state)
        # Four fields under one pivot.
        big_row, big_col = row // 2, col // 2
        pivot = uniform(big_row, big_col, seed * 83 + 9) < 0.3
        radius = np.hypot((x / 2 % 1.0)[None, :] - 0.5, (y / 2 % 1.0)[:, None] - 0.5)
        green = uniform(big_row, big_col, (seed * 4001 + year) * 7 + 2) < 0.7
        state = np.where(pivot, np.where((radius < 0.48) & green, CROP, BRUSH), state)
        settled = settled & inside
        code[where][settled] = state.astype(np.uint8)[settled]
        lush = 0.7 * normal(row, col, (seed * 4001 + year) * 7 + 3)
        tone[where][settled] = (0.25 * tone[where] + lush)[settled]


def _riverside(
    axes: Axes, ragged: Float32, grain: Float32, shore: Float32, code: NDArray[np.uint8]
) -> None:
    """Line the Walker River with tamarisk and meadow."""
    x, y = axes.x / 1000.0, axes.y / 1000.0
    if x[-1] < -9.0 or x[0] > 3.0 or y[0] < 6.0 or y[-1] > 34.0:
        return
    east, north = x[None, :] + 0.35 * ragged, y[:, None] + 0.25 * grain
    nearest, _ = nearest_on_line(east, north, [(*point, 0.0) for point in RIVER])
    dry = shore > lake.BOTTOM + 25.0
    code[(nearest < 0.36 + 0.16 * grain + 0.05 * ragged) & dry] = BRUSH
    code[(nearest < 0.10 + 0.09 * grain) & dry] = CROP
