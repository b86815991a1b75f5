"""From a landscape to what a sensor stores: numbers, quality and true water, tile by tile."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from strandline.scenes.simulation.clouds import VISIBLE, Clouds, grown
from strandline.scenes.simulation.geography import FOOTPRINTS
from strandline.scenes.simulation.landcover import Ground, ground
from strandline.scenes.simulation.noise import Axes, Float32
from strandline.scenes.simulation.optics import Spectra, Sun, blur, sense, shadow_depth
from strandline.scenes.simulation.terrain import Landscape, landscape
from strandline.scenes.simulation.waters import Waters, water_colour, waters

# Landsat Collection 2 Level 2, and Sentinel-2 since baseline 04.00.
SCALE = {"tm": (2.75e-5, -0.2), "oli": (2.75e-5, -0.2), "msi": (1e-4, -0.1)}
STRIP = 256
TILE_COLS = 1024
# Pixels around a tile that its own depend on: slopes, blur, and the margin of clouds.
HALO = 4

# What QA_PIXEL says, as seen in real Collection-2 products of each sensor: a TM
# water pixel has no "clear" bit, an OLI one has.
QUALITY = {
    "tm": {
        "land": 5440, "water": 5504, "snow": 13664, "cloud": 5896,
        "dilated": 5442, "dilated water": 5506, "shadow": 7440, "shadow water": 7568,
    },
    "oli": {
        "land": 21824, "water": 21952, "snow": 30048, "cloud": 22280,
        "dilated": 21762, "dilated water": 21890, "shadow": 23888, "shadow water": 23952,
    },
    # The scene classification of Sentinel-2, which does not widen its clouds.
    "msi": {
        "land": 5, "water": 6, "snow": 11, "cloud": 9,
        "dilated": 8, "dilated water": 8, "shadow": 3, "shadow water": 3,
    },
}  # fmt: skip
FILL = 1
_FILL_OF = {"tm": FILL, "oli": FILL, "msi": 0}


@dataclass(frozen=True)
class Tile:
    """One piece of the acquisition: ``numbers`` are (band, row, col), 0 outside the footprint."""

    left: int
    numbers: NDArray[np.uint16]
    quality: NDArray[np.uint16]
    water: Float32
    lake_pixels: float


@dataclass(frozen=True)
class Acquisition:
    """Everything that decides the pixels of a simulated scene."""

    axes: Axes
    land: Landscape
    sensor: str
    spectra: Spectra
    sun: Sun
    day: dt.date
    level: float
    snow_line: float | None
    clouds: Clouds | None
    seed: int

    def strips(self) -> Iterator[tuple[int, list[Tile]]]:
        """First row and tiles of each strip of rows, from north to south."""

        def start(pool: ThreadPoolExecutor, top: int) -> tuple[int, list[Future[Tile]]]:
            bottom = min(top + STRIP, self.axes.rows)
            return top, [
                pool.submit(self.tile, top, bottom, left, min(left + TILE_COLS, self.axes.cols))
                for left in range(0, self.axes.cols, TILE_COLS)
            ]

        self.land.prepare(
            self.axes.part(-HALO, self.axes.rows + HALO, -HALO, self.axes.cols + HALO)
        )
        tops = list(range(0, self.axes.rows, STRIP))
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            # Two strips are under way at a time: the workers stay busy and memory small.
            waiting = [start(pool, top) for top in tops[:2]]
            for following in range(2, len(tops) + 2):
                top, tiles = waiting.pop(0)
                if following < len(tops):
                    waiting.append(start(pool, tops[following]))
                yield top, [tile.result() for tile in tiles]

    def tile(self, top: int, bottom: int, left: int, right: int) -> Tile:
        """Simulate the pixels of rows ``top:bottom`` and columns ``left:right``."""
        axes = self.axes.part(top, bottom, left, right)
        inside = self.footprint(axes)
        if not inside.any():
            return self._empty(left, inside.shape)
        wide = axes.part(-HALO, axes.rows + HALO, -HALO, axes.cols + HALO)
        cover = ground(wide, self.land, self.day.year)
        wet = waters(wide, cover, self.level, self.day)
        snow = self._snow(wide, cover)
        numbers = self._numbers(wide, cover, wet, snow)
        numbers[:, ~inside] = 0
        # Waters and snow have lost one pixel of the halo already.
        inner = (slice(HALO - 1, 1 - HALO), slice(HALO - 1, 1 - HALO))
        quality = self._quality(wide, wet.share[inner], snow[inner])
        quality[~inside] = _FILL_OF[self.sensor]
        water = np.where(inside, wet.share[inner], np.float32(np.nan))
        lake_pixels = float(wet.lake[inner][inside].sum(dtype=np.float64))
        return Tile(left, numbers, quality, water, lake_pixels)

    def _empty(self, left: int, shape: tuple[int, ...]) -> Tile:
        return Tile(
            left,
            np.zeros((len(self.spectra.bands), *shape), dtype=np.uint16),
            np.full(shape, _FILL_OF[self.sensor], dtype=np.uint16),
            np.full(shape, np.nan, dtype=np.float32),
            0.0,
        )

    def footprint(self, axes: Axes) -> NDArray[np.bool_]:
        """Pixels that the sensor saw: the tilted frame of a descending pass."""
        corners = FOOTPRINTS[self.sensor]
        x, y = axes.x[None, :] / 1000.0, axes.y[:, None] / 1000.0
        seen = np.ones((axes.rows, axes.cols), dtype=bool)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            seen &= (x - x0) * (y1 - y0) - (y - y0) * (x1 - x0) > 0.0
        return seen

    def _snow(self, axes: Axes, cover: Ground) -> Float32:
        """Share of each pixel under snow; without the outermost pixels."""
        height = cover.height[1:-1, 1:-1]
        if self.snow_line is None:
            return np.zeros_like(height)
        # It snows less behind the Sierra; drifts lie on the shaded north sides.
        east = np.clip(axes.x[None, 1:-1] / 1000.0 + 70.0, 0.0, None).astype(np.float32)
        south_is_higher = cover.height[2:, 1:-1] - cover.height[:-2, 1:-1]
        line = self.snow_line + 9.0 * east + 110.0 * cover.ragged[1:-1, 1:-1]
        line -= south_is_higher * np.float32(6.0 * 30.0 / axes.resolution)
        share: Float32 = np.clip((height - line) / 420.0, 0.0, 1.0).astype(np.float32)
        return share * share * (3 - 2 * share)

    def _light(self, axes: Axes, cover: Ground) -> Float32:
        """Direct sunlight relative to level ground; without the outermost pixels."""
        east, north, up = self.sun.direction
        h, across = cover.height, np.float32(2.0 * axes.resolution)
        slope_x = (h[1:-1, 2:] - h[1:-1, :-2]) / across
        slope_y = (h[:-2, 1:-1] - h[2:, 1:-1]) / across
        facing = np.float32(up) - slope_x * np.float32(east) - slope_y * np.float32(north)
        light = np.maximum(facing, 0.0) / np.sqrt(1.0 + slope_x**2 + slope_y**2)
        light /= np.float32(up)
        rim = axes.part(1, axes.rows - 1, 1, axes.cols - 1)
        dark = self.land.blended(
            lambda lattice: _shadows(self.land.seed, lattice.axes.resolution, self.sun), rim
        )
        light *= np.float32(1.0) - np.clip(dark / np.float32(25.0), 0.0, 1.0)
        return light.astype(np.float32)

    def _numbers(self, axes: Axes, cover: Ground, wet: Waters, snow: Float32) -> NDArray[np.uint16]:
        """Store what each band of the sensor sees, without the halo."""
        rim = axes.part(1, axes.rows - 1, 1, axes.cols - 1)
        trim = (slice(1, -1), slice(1, -1))
        inner = (slice(HALO - 2, 2 - HALO), slice(HALO - 2, 2 - HALO))
        pixels = axes.part(HALO, axes.rows - HALO, HALO, axes.cols - HALO)
        code, tone = cover.code[trim], [field[trim] for field in cover.tone]
        light = self._light(axes, cover)
        # Ground that the lake wets is darker.
        above = np.maximum(cover.shore[trim] - np.float32(self.level), 0.0)
        damp = np.float32(1.0) - np.float32(0.45) * np.exp(above / np.float32(-0.35))
        ripples = np.float32(0.35) * tone[2] + np.float32(0.25) * tone[1]
        sky_cover = None
        if self.clouds is not None:
            sky_cover = self.clouds.thickness(rim), self.clouds.shade(rim)
        scale, offset = SCALE[self.sensor]
        numbers = np.empty((len(self.spectra.bands), pixels.rows, pixels.cols), dtype=np.uint16)
        for band in range(len(self.spectra.bands)):
            land = self._land_colour(band, code, tone, damp, snow, light)
            lake = water_colour(self.spectra, band, wet, ripples)
            reflectance = land + wet.share * (lake - land)
            if sky_cover is not None:
                self._cloud_over(reflectance, band, *sky_cover, tone[1])
            blurred = blur(reflectance.astype(np.float32))[inner]
            seen = sense(blurred, pixels, self.spectra, band, self.seed)
            stored = np.round((seen - np.float32(offset)) / np.float32(scale))
            numbers[band] = np.clip(stored, 1, 65535).astype(np.uint16)
        return numbers

    def _land_colour(
        self,
        band: int,
        code: NDArray[np.uint8],
        tone: list[Float32],
        damp: Float32,
        snow: Float32,
        light: Float32,
    ) -> Float32:
        """Reflectance of the ground, its class varied by its tone, under snow and sun."""
        spectra = self.spectra
        mean = spectra.mean[:, band][code]
        land = mean.copy()
        for component, strength in enumerate(tone):
            land += spectra.spread[:, component, band][code] * strength
        # No ground is blacker than a third of its class.
        np.maximum(land, mean * np.float32(0.33), out=land)
        land *= damp
        if self.snow_line is not None:
            white = spectra.snow[band] * (np.float32(1.0) + np.float32(0.08) * tone[2])
            land += snow * (white - land)
        sky = spectra.sky_share[band]
        land *= sky + (np.float32(1.0) - sky) * light
        return land

    def _cloud_over(
        self, reflectance: Float32, band: int, thick: Float32, shade: Float32, tone: Float32
    ) -> None:
        """Put clouds and their shadows over an image, in place."""
        direct = np.float32(0.9) * (np.float32(1.0) - self.spectra.sky_share[band])
        reflectance *= np.float32(1.0) - shade * direct
        white = self.spectra.cloud[band] * (np.float32(0.93) + np.float32(0.07) * tone)
        reflectance += thick * (white - reflectance)

    def _quality(self, axes: Axes, water: Float32, snow: Float32) -> NDArray[np.uint16]:
        """Tell what each pixel is, as QA_PIXEL does; without the halo."""
        value = QUALITY[self.sensor]
        wet = water >= 0.5
        quality = np.where(wet, value["water"], value["land"])
        quality[(snow >= 0.4) & ~wet] = value["snow"]
        if self.clouds is not None:
            inner = (slice(HALO, -HALO), slice(HALO, -HALO))
            shade = self.clouds.shade(axes)[inner] > 0.35
            quality[shade] = np.where(wet, value["shadow water"], value["shadow"])[shade]
            cloud = self.clouds.thickness(axes) >= VISIBLE
            near = grown(cloud)[inner]
            quality[near] = np.where(wet, value["dilated water"], value["dilated"])[near]
            quality[cloud[inner]] = value["cloud"]
        return quality.astype(np.uint16)


@lru_cache(maxsize=4)
def _shadows(seed: int, spacing: float, sun: Sun) -> Float32:
    """Cast shadows at the knots of one of the landscape's lattices."""
    land = landscape(seed)
    lattice = land.near if spacing == land.near.axes.resolution else land.far
    return shadow_depth(lattice.fields["height"], spacing, sun)
