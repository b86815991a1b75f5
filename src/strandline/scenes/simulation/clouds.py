"""Cumulus clouds and their shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from strandline.scenes.simulation.noise import Axes, Float32, fractal, smooth_noise
from strandline.scenes.simulation.optics import Sun

HEIGHT = 1600.0
SOFTNESS = 0.16
# From this thickness on the quality band calls it a cloud.
VISIBLE = 0.25


@dataclass(frozen=True)
class Clouds:
    """Clouds of one day: thick where their field exceeds the threshold."""

    threshold: float
    seed: int
    sun: Sun

    def thickness(self, axes: Axes) -> Float32:
        """0 under a clear sky, 1 in a thick cloud."""
        excess = (_field(axes, self.seed) - np.float32(self.threshold)) / np.float32(SOFTNESS)
        thickness: Float32 = np.clip(excess + np.float32(VISIBLE), 0.0, 1.0)
        return thickness

    def shade(self, axes: Axes) -> Float32:
        """Thickness of the cloud that stands between a place and the sun."""
        east, north, up = self.sun.direction
        return self.thickness(axes.shifted(HEIGHT * east / up, HEIGHT * north / up))


def _field(axes: Axes, seed: int) -> Float32:
    drift = smooth_noise(axes, 30_000.0, seed * 211 + 1)
    return np.float32(0.5) * drift + fractal(axes, 3600.0, 6, seed * 211 + 2, persistence=0.6)


def clouds_of(axes: Axes, cover: float, seed: int, sun: Sun) -> Clouds | None:
    """Clouds that cover a share of the window; ``None`` for a clear sky."""
    if cover <= 0.0:
        return None
    # Every n-th pixel of the world's lattice will do to find the threshold.
    n = max(1, int(np.sqrt(axes.rows * axes.cols / 250_000)))
    sparse = Axes(
        axes.first_row // n, axes.first_col // n, axes.rows // n, axes.cols // n,
        axes.resolution * n, axes.offset_x, axes.offset_y,
    )  # fmt: skip
    return Clouds(float(np.quantile(_field(sparse, seed), 1.0 - cover)), seed, sun)


def grown(cloud: NDArray[np.bool_], by: int = 3) -> NDArray[np.bool_]:
    """Give a mask a margin of ``by`` pixels, as the quality band dilates clouds."""
    square = np.ones((3, 3), dtype=bool)
    wider: NDArray[np.bool_] = ndimage.binary_dilation(cloud, iterations=by, structure=square)
    return wider
