"""Smooth random fields that depend on place and seed alone.

A field is drawn from numbers that are hashed from lattice coordinates, so any
window, strip or tile of the world sees the same values as the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

# Mean over all phases of the sum of squared cubic B-spline weights: a spline of
# unit-variance knots has this share of their standard deviation in two dimensions.
SPLINE_SHARE = 151.0 / 315.0
TILE = 512


@dataclass(frozen=True)
class Axes:
    """Pixel centres of a regular window, in metres east and north of the lake's centre.

    Parameters
    ----------
    first_row, first_col : int
        Index of the upper left pixel on the world's lattice of this resolution
        (rows grow to the south).
    rows, cols : int
    resolution : float
        Pixel size in metres.
    offset_x, offset_y : float
        Position of the lattice's origin (the edge of pixel 0), in metres.
    """

    first_row: int
    first_col: int
    rows: int
    cols: int
    resolution: float
    offset_x: float = 0.0
    offset_y: float = 0.0

    @property
    def x(self) -> NDArray[np.float64]:
        """Eastings of the columns."""
        index = np.arange(self.first_col, self.first_col + self.cols, dtype=np.float64)
        return (index + 0.5) * self.resolution + self.offset_x

    @property
    def y(self) -> NDArray[np.float64]:
        """Northings of the rows, from north to south."""
        index = np.arange(self.first_row, self.first_row + self.rows, dtype=np.float64)
        return self.offset_y - (index + 0.5) * self.resolution

    def part(self, top: int, bottom: int, left: int = 0, right: int | None = None) -> Axes:
        """Rows ``top:bottom`` and columns ``left:right`` of the window; may reach outside it."""
        right = self.cols if right is None else right
        return Axes(
            self.first_row + top,
            self.first_col + left,
            bottom - top,
            right - left,
            self.resolution,
            self.offset_x,
            self.offset_y,
        )

    def shifted(self, east: float, north: float) -> Axes:
        """Shift the window without touching its indices (shadows look along the sun)."""
        return Axes(
            self.first_row,
            self.first_col,
            self.rows,
            self.cols,
            self.resolution,
            self.offset_x + east,
            self.offset_y + north,
        )


def hashed(rows: NDArray[np.int64], cols: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """64 well mixed bits for every lattice point (the splitmix64 finaliser).

    References
    ----------
    Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators, OOPSLA.
    """
    with np.errstate(over="ignore"):
        bits = (
            rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            + cols.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
            + np.uint64(seed & 0xFFFFFFFFFFFFFFFF) * np.uint64(0x165667B19E3779F9)
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
        # Once more: neighbours in the lattice differ in few bits only.
        bits = (bits ^ (bits >> np.uint64(31))) * np.uint64(0xD6E8FEB86659FD93)
        return bits ^ (bits >> np.uint64(32))


def uniform(rows: NDArray[np.int64], cols: NDArray[np.int64], seed: int) -> Float32:
    """Uniform numbers in [0, 1) hashed from lattice coordinates."""
    return ((hashed(rows, cols, seed) >> np.uint64(40)).astype(np.float32)) * np.float32(2.0**-24)


def normal(rows: NDArray[np.int64], cols: NDArray[np.int64], seed: int) -> Float32:
    """Nearly normal numbers: the sum of the four 16-bit parts of a hash, standardised."""
    bits = hashed(rows, cols, seed)
    total = np.zeros(bits.shape, dtype=np.float32)
    for shift in (0, 16, 32, 48):
        total += ((bits >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float32)
    spread = 65536.0 * (4.0 / 12.0) ** 0.5
    return (total - np.float32(2.0 * 65535.0)) / np.float32(spread)


def spline_weights(
    position: NDArray[np.float64],
) -> tuple[NDArray[np.int64], list[Float32]]:
    """First knot and the four cubic B-spline weights of positions in knot units."""
    first = np.floor(position).astype(np.int64)
    t = position - first
    s = 1.0 - t
    weights = (s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3)
    return first - 1, [(w / 6.0).astype(np.float32) for w in weights]


def spline(
    knots: Float32,
    y: NDArray[np.float64],
    x: NDArray[np.float64],
) -> Float32:
    """Cubic B-spline surface over ``knots`` at rows ``y`` and columns ``x`` (in knot units).

    Positions beyond the outermost knots take the nearest ones.
    """
    row, weights_y = spline_weights(y)
    col, weights_x = spline_weights(x)
    last_row, last_col = knots.shape[0] - 1, knots.shape[1] - 1
    # Only the columns in reach are carried through the first pass.
    left = int(np.clip(col[0], 0, last_col))
    right = int(np.clip(col[-1] + 3, 0, last_col)) + 1
    band = knots[:, left:right]
    along_y = np.zeros((y.size, band.shape[1]), dtype=np.float32)
    for tap in range(4):
        along_y += weights_y[tap][:, None] * band[np.clip(row + tap, 0, last_row)]
    surface = np.zeros((y.size, x.size), dtype=np.float32)
    for tap in range(4):
        taken = np.take(along_y, np.clip(col + tap, 0, last_col) - left, axis=1)
        taken *= weights_x[tap]
        surface += taken
    return surface


def smooth_noise(axes: Axes, wavelength: float | tuple[float, float], seed: int) -> Float32:
    """One octave: a unit-variance spline through hashed knots ``wavelength`` metres apart.

    Two wavelengths (east, north) stretch the field.
    """
    east, north = wavelength if isinstance(wavelength, tuple) else (wavelength, wavelength)
    x, y = axes.x / east, -axes.y / north
    top, left = int(np.floor(y[0])) - 1, int(np.floor(x[0])) - 1
    bottom, right = int(np.floor(y[-1])) + 3, int(np.floor(x[-1])) + 3
    rows = np.arange(top, bottom, dtype=np.int64)[:, None]
    cols = np.arange(left, right, dtype=np.int64)[None, :]
    knots = normal(rows, cols, seed) / np.float32(SPLINE_SHARE)
    return spline(knots, y - top, x - left)


def noise_at(u: NDArray[np.float64], v: NDArray[np.float64], seed: int) -> Float32:
    """Smooth noise at any points, in knot units: for coordinates that no lattice follows."""
    col, row = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    right, below = u - col, v - row
    right = (right * right * (3 - 2 * right)).astype(np.float32)
    below = (below * below * (3 - 2 * below)).astype(np.float32)
    upper = normal(row, col, seed) * (1 - right) + normal(row, col + 1, seed) * right
    lower = normal(row + 1, col, seed) * (1 - right) + normal(row + 1, col + 1, seed) * right
    field: Float32 = (upper * (1 - below) + lower * below).astype(np.float32)
    return field


def fractal(
    axes: Axes,
    wavelength: float | tuple[float, float],
    octaves: int,
    seed: int,
    *,
    persistence: float = 0.5,
) -> Float32:
    """Sum of octaves, each half as long and ``persistence`` times as strong; unit variance.

    Octaves that the pixels cannot show (shorter than two of them) are left out,
    as a sensor averages them away.
    """
    east, north = wavelength if isinstance(wavelength, tuple) else (wavelength, wavelength)
    strengths = [persistence**k for k in range(octaves)]
    total = float(np.sqrt(sum(s * s for s in strengths)))
    field = np.zeros((axes.rows, axes.cols), dtype=np.float32)
    for k, strength in enumerate(strengths):
        if min(east, north) / 2**k < 2 * axes.resolution and k:
            break
        octave = smooth_noise(axes, (east / 2**k, north / 2**k), seed * 1_000_003 + k)
        octave *= np.float32(strength / total)
        field += octave
    return field


def white_noise(axes: Axes, seed: int) -> Float32:
    """Independent standard normal numbers, one per pixel of the world's lattice.

    Every tile of the lattice is cut from one table of normal numbers at a hashed
    place: the cost of a copy instead of that of a generator, and still the same
    number for the same pixel in any window.
    """
    table = _normal_table()
    room = table.shape[0] - TILE
    field = np.empty((axes.rows, axes.cols), dtype=np.float32)
    top, left = axes.first_row, axes.first_col
    for tile_row in range(top // TILE, (top + axes.rows - 1) // TILE + 1):
        for tile_col in range(left // TILE, (left + axes.cols - 1) // TILE + 1):
            place = int(hashed(np.array([tile_row]), np.array([tile_col]), seed)[0])
            down, across = (place & 0xFFFF) % room, ((place >> 16) & 0xFFFF) % room
            row0, row1 = max(top, tile_row * TILE), min(top + axes.rows, (tile_row + 1) * TILE)
            col0, col1 = max(left, tile_col * TILE), min(left + axes.cols, (tile_col + 1) * TILE)
            field[row0 - top : row1 - top, col0 - left : col1 - left] = table[
                down + row0 - tile_row * TILE : down + row1 - tile_row * TILE,
                across + col0 - tile_col * TILE : across + col1 - tile_col * TILE,
            ]
    return field


_TABLE: list[Float32] = []


def _normal_table() -> Float32:
    if not _TABLE:
        _TABLE.append(
            np.random.default_rng(20171022).standard_normal((1536, 1536), dtype=np.float32)
        )
    return _TABLE[0]
