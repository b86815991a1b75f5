"""The simulated landscape: heights, rock, washes and their sediments on coarse lattices.

Two lattices, each eroded once per seed: a fine one around the lake and a
coarse one for the whole scene; and a finer one still for the lake's bed.
Windows interpolate them, so they see one landscape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strandline.scenes.simulation.erosion import carve
from strandline.scenes.simulation.fans import spread_fans
from strandline.scenes.simulation.geography import FLOORS, RANGES
from strandline.scenes.simulation.lake import Basin, fit_basin, outwardness
from strandline.scenes.simulation.noise import Axes, Float32, fractal, spline
from strandline.scenes.simulation.places import nearest_on_line

# Half sizes in metres (east, north) of the lattice around the lake, and of the part
# of it that is used alone; between them it fades into the scene's lattice.
NEAR_HALF = (24_480.0, 27_540.0)
NEAR_CORE = (19_000.0, 22_000.0)
NEAR_FADE = 3_500.0
# What the lake bed's lattice says of the land beyond it, in metres.
UPLAND = 2000.0
FAR_HALF = (132_000.0, 150_000.0)


@dataclass(frozen=True)
class Lattice:
    """Fields of the landscape at regularly spaced knots."""

    axes: Axes
    fields: dict[str, Float32]

    def at(self, knots: Float32, axes: Axes) -> Float32:
        """Interpolate values at the knots to the pixels of ``axes`` by cubic splines."""
        spacing = self.axes.resolution
        return spline(
            knots,
            (self.axes.y[0] - axes.y) / spacing,
            (axes.x - self.axes.x[0]) / spacing,
        )


def lattice_axes(half: tuple[float, float], spacing: float) -> Axes:
    """Axes of a lattice that is centred on the lake."""
    cols, rows = round(half[0] / spacing), round(half[1] / spacing)
    return Axes(-rows, -cols, 2 * rows, 2 * cols, spacing)


@dataclass(frozen=True)
class Landscape:
    """Everything that stays the same from date to date.

    Use :func:`landscape` to get one.
    """

    seed: int
    bed: Lattice
    near: Lattice
    basin: Basin

    @property
    def far(self) -> Lattice:
        """The whole scene's lattice, made when first needed."""
        return far_lattice(self.seed)

    def prepare(self, axes: Axes) -> None:
        """Make the scene's lattice if a window needs it, once, before threads ask for it."""
        if np.abs(axes.x).max() > NEAR_CORE[0] or np.abs(axes.y).max() > NEAR_CORE[1]:
            _ = self.far

    def nearness(self, axes: Axes) -> Float32:
        """1 around the lake, 0 where only the scene's coarse lattice reaches."""
        past = np.maximum(
            np.abs(axes.x)[None, :] - NEAR_CORE[0], np.abs(axes.y)[:, None] - NEAR_CORE[1]
        )
        share = np.clip(1.0 - past / NEAR_FADE, 0.0, 1.0).astype(np.float32)
        smooth: Float32 = share * share * (3 - 2 * share)
        return smooth

    def field(self, name: str, axes: Axes) -> Float32:
        """Interpolate a field of the landscape at the pixels of ``axes``."""
        return self.blended(lambda lattice: lattice.fields[name], axes)

    def blended(self, knots: Callable[[Lattice], Float32], axes: Axes) -> Float32:
        """Values at the knots of both lattices, faded into each other at the pixels."""
        near = self.nearness(axes)
        if near.min() == 1.0:
            return self.near.at(knots(self.near), axes)
        far = self.far.at(knots(self.far), axes)
        if near.max() == 0.0:
            return far
        close = self.near.at(knots(self.near), axes)
        # Exactly the near value where it counts alone, or windows would differ in the last bit.
        return np.where(near == 1.0, close, far + near * (close - far))

    def shore(self, axes: Axes) -> Float32:
        """Height of the lake's bed and shores, without the detail that only dry hills have."""
        shore = self.bed.at(self.bed.fields["height"], axes)
        x, y = self.bed.axes.x, self.bed.axes.y
        shore[(axes.y > y[0]) | (axes.y < y[-1]), :] = UPLAND
        shore[:, (axes.x < x[0]) | (axes.x > x[-1])] = UPLAND
        return shore


@lru_cache(maxsize=2)
def landscape(seed: int) -> Landscape:
    """Build the landscape of a seed (about a second; kept for the next call)."""
    bed_axes = lattice_axes((10_500.0, 25_500.0), 60.0)
    out = outwardness(bed_axes, seed)
    index_y = np.arange(bed_axes.rows, dtype=np.float64)
    index_x = np.arange(bed_axes.cols, dtype=np.float64)
    # Splines soften their knots: fit the heights to what will be interpolated.
    basin = fit_basin(spline(out, index_y, index_x), bed_axes.resolution)
    bed = Lattice(bed_axes, {"height": basin.height(out)})
    return Landscape(seed, bed, _near_lattice(seed, basin), basin)


def _near_lattice(seed: int, basin: Basin) -> Lattice:
    axes = lattice_axes(NEAR_HALF, 120.0)
    base = basin.height(outwardness(axes, seed)).astype(np.float64)
    return _eroded(axes, base, seed, keep_low=1275.0)


@lru_cache(maxsize=2)
def far_lattice(seed: int) -> Lattice:
    """Build the lattice of the whole scene."""
    axes = lattice_axes(FAR_HALF, 480.0)
    return _eroded(axes, valley_floors(axes, seed), seed, keep_low=0.0)


def valley_floors(axes: Axes, seed: int) -> NDArray[np.float64]:
    """Height of the land without its mountains, from the known valley floors around."""
    x, y = axes.x[None, :] / 1000.0, axes.y[:, None] / 1000.0
    total = np.zeros((axes.rows, axes.cols))
    weights = np.zeros((axes.rows, axes.cols))
    for _, east, north, height in FLOORS:
        weight = 1.0 / ((x - east) ** 2 + (y - north) ** 2 + 60.0) ** 1.6
        total += weight * height
        weights += weight
    floor: NDArray[np.float64] = total / weights + 15.0 * fractal(axes, 16_000.0, 3, seed * 57 + 4)
    return floor


def uplift(axes: Axes, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Height that each place's mountains strive for, and that of the fans around them.

    Both in metres; the first is 0 in the valleys.
    """
    # Crooked fronts and crests: the distance to the crest line is taken from a place nearby.
    x = axes.x[None, :] / 1000.0 + 1.5 * fractal(axes, 9000.0, 4, seed * 57 + 1, persistence=0.6)
    y = axes.y[:, None] / 1000.0 + 1.5 * fractal(axes, 9000.0, 4, seed * 57 + 2, persistence=0.6)
    ragged = fractal(axes, 3500.0, 4, seed * 57 + 3, persistence=0.6)
    rising = np.zeros((axes.rows, axes.cols))
    apron = np.zeros((axes.rows, axes.cols))
    east, north = np.abs(axes.x).max() / 1000.0, np.abs(axes.y).max() / 1000.0
    for mountains in RANGES:
        reach = mountains.half_width + 8.0
        if min(abs(x0) for x0, _, _ in mountains.crest) > east + reach:
            continue
        if min(abs(y0) for _, y0, _ in mountains.crest) > north + reach:
            continue
        nearest, strength = nearest_on_line(x, y, mountains.crest)
        width = 1.25 * mountains.half_width * np.clip(strength, 0.3, 1.2) * (1.0 + 0.16 * ragged)
        share = np.clip(1.25 * (1.0 - nearest / width), 0.0, 1.0)
        rising = np.maximum(rising, mountains.height * strength * share**0.8)
        fan = 0.13 * mountains.height * strength * np.exp(-np.maximum(nearest - width, 0.0) / 3.5)
        apron = np.maximum(apron, fan)
    # Low hills with no name.
    hills = fractal(axes, 13_000.0, 4, seed * 57 + 7, persistence=0.6) - 0.25
    rising = np.maximum(rising, 420.0 * np.clip(hills, 0.0, 1.4))
    return rising, apron


def _eroded(axes: Axes, base: NDArray[np.float64], seed: int, *, keep_low: float) -> Lattice:
    """Erode the ranges over a floor, and follow their sediments onto the fans."""
    rising, apron = uplift(axes, seed)
    above_shores = np.clip((base - keep_low) / 40.0, 0.0, 1.0)
    rising *= above_shores
    base = base + apron * above_shores
    fixed = rising <= 0.0
    rough = fractal(axes, 5000.0, 6, seed * 57 + 5, persistence=0.65).astype(np.float64)
    # Nothing starts below the floor: a pit would stay one.
    bumps = np.maximum(70.0 * rough, 0.0) * np.clip(rising / 200.0, 0.0, 1.0)
    start = np.where(fixed, base, base + 0.25 * rising + bumps)
    # The large valleys form on every other knot, at a quarter of the cost.
    half = (slice(None, None, 2), slice(None, None, 2))
    coarse = carve(start[half], rising[half] / 5.7, fixed[half], spacing=2 * axes.resolution)
    rows, cols = np.arange(axes.rows) / 2.0, np.arange(axes.cols) / 2.0
    lifted = spline((coarse - base[half]).astype(np.float32), rows, cols)
    start = np.where(fixed, base, base + np.maximum(lifted, 0.0) + 0.2 * bumps)
    height = carve(start, rising / 5.7, fixed, spacing=axes.resolution, rounds=7)
    # Where little rises, streams would cut into the foreland itself: it is being filled.
    height = np.maximum(height, base)
    relief = height - base
    rock = np.clip(relief / 130.0, 0.0, 1.0)
    stone = fractal(axes, 7000.0, 4, seed * 57 + 6, persistence=0.6)
    wash, sediment = spread_fans(axes, height, rock, stone, seed)
    fields: dict[str, NDArray[np.floating]] = {
        "height": height,
        # How much rock is around: heads of fans are stony, rims of ranges sandy.
        "foot": ndimage.gaussian_filter(rock, 1000.0 / axes.resolution),
        "rock": rock,
        "stone": stone,
        "wash": wash,
        "sediment": sediment,
    }
    return Lattice(axes, {name: field.astype(np.float32) for name, field in fields.items()})
