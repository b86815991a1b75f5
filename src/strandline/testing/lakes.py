"""Small synthetic scenes with a lake of known area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyproj
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from strandline.errors import ConfigurationError
from strandline.prepare.georeference import attach_grid, crs_of, place

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22")

SPECTRA = {
    "water": (0.055, 0.048, 0.030, 0.015, 0.008, 0.006),
    "soil": (0.120, 0.170, 0.220, 0.280, 0.340, 0.300),
    "plants": (0.030, 0.060, 0.040, 0.350, 0.180, 0.090),
}
"""Typical surface reflectances of clear deep water, dry bare soil and green plants."""

_FINE = 16  # a pixel on the shore is divided into so many parts per side


def lake_grid(
    shape: tuple[int, int] = (60, 80),
    resolution: float = 30.0,
    crs: Any = "EPSG:32611",
    corner: tuple[float, float] = (350_040.0, 4_290_000.0),
) -> GeoBox:
    """Make a north-up grid from its upper left corner."""
    return GeoBox(shape, Affine(resolution, 0, corner[0], 0, -resolution, corner[1]), crs)


def lake_fraction(
    grid: GeoBox, radius: float, center: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """Compute which part of each pixel a round lake covers.

    Parameters
    ----------
    grid : GeoBox
        The pixels.
    radius : float
        Radius in units of the CRS.
    center : (float, float), optional
        Position (x, y) in the CRS. Default: the middle of the grid.

    Returns
    -------
    ndarray of shape (y, x)
        0 to 1. The sum times the pixel area is close to pi radius², as far as the lake lies
        within the grid.

    Examples
    --------
    >>> fraction = lake_fraction(lake_grid(), radius=600)
    >>> abs(float(fraction.sum()) * 30**2 / (np.pi * 600**2) - 1) < 1e-3
    True
    """
    rows, columns = grid.shape
    fine_y, fine_x = ((np.arange(count * _FINE) + 0.5) / _FINE for count in (rows, columns))
    x = grid.affine.c + grid.affine.a * fine_x
    y = grid.affine.f + grid.affine.e * fine_y
    middle_x, middle_y = center or place(grid.affine, columns / 2, rows / 2)
    inside = (x[None, :] - middle_x) ** 2 + (y[:, None] - middle_y) ** 2 <= radius**2
    parts = inside.reshape(rows, _FINE, columns, _FINE)
    fraction: NDArray[np.float64] = parts.mean(axis=(1, 3))
    return fraction


def round_lake(
    *,
    radius: float = 600.0,
    shape: tuple[int, int] = (60, 80),
    grid: GeoBox | None = None,
    bands: Sequence[str] = BANDS,
    time: str | None = "1988-10-22",
    platform: str = "landsat-5",
    noise: float = 0.004,
    seed: int = 0,
    chunks: Any = None,
) -> xr.DataArray:
    """Make a scene of a round lake between bare soil (north) and plants (south).

    Pixels on the shore are mixed. The truth is ``lake_fraction(grid, radius)``.

    Parameters
    ----------
    radius : float
        Radius of the lake in units of the CRS (metres).
    shape : (int, int)
        Rows and columns, unless `grid` is given.
    grid : GeoBox, optional
        The pixels. Default: 30 m in UTM zone 11 N.
    bands : sequence of str
        Some of ``blue green red nir08 swir16 swir22``.
    time, platform : str
        When and by what it was seen. ``time=None`` leaves the time out.
    noise : float
        Standard deviation of the reflectances.
    seed : int
        Selects the noise.
    chunks : optional
        Chunks of a Dask array. Default: in memory.

    Returns
    -------
    DataArray of shape (band, y, x)
        Reflectance, float32.

    Examples
    --------
    >>> scene = round_lake(radius=300, chunks={"y": 16})
    >>> scene.dtype, scene.odc.crs.epsg, scene.attrs["units"]
    (dtype('float32'), 32611, '1')
    """
    unknown = [band for band in bands if band not in BANDS]
    if unknown:
        raise ConfigurationError(
            "The synthetic lake has no such band.",
            expected="some of " + ", ".join(BANDS),
            got=", ".join(unknown),
        )
    where = lake_grid(shape) if grid is None else grid
    water = lake_fraction(where, radius)
    north = np.arange(where.shape[0])[:, None] < where.shape[0] / 2
    random = np.random.default_rng(seed)
    planes = []
    for band in bands:
        wet, soil, plants = (
            SPECTRA[name][BANDS.index(band)] for name in ("water", "soil", "plants")
        )
        clean = water * wet + (1 - water) * np.where(north, soil, plants)
        planes.append(clean + noise * random.standard_normal(where.shape))
    scene = scene_of(np.stack(planes), where, bands=bands, time=time, platform=platform)
    return scene if chunks is None else scene.chunk(chunks)


def random_lake(seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Make a scene of some lake: shape, size, shores, noise and pixels all drawn at random.

    A shore of random waves, perhaps with an island; soil and plants in patches, with texture,
    up to a quarter darker or brighter along the shore, as wet ground and sand are; clear or
    turbid water; 60 to 100 pixels of 10 to 100 m in each direction; a lake of 100 to 3,000
    pixels; an instrument that blurs by 0.2 to 0.5 pixels, with noise of 0.002 to 0.008.

    Parameters
    ----------
    seed : int
        Which lake.

    Returns
    -------
    (DataArray of shape (band, y, x), DataArray of shape (y, x))
        Reflectance, and the true fraction of water, both float32.

    Examples
    --------
    >>> scene, fraction = random_lake(1)
    >>> scene.sizes["y"] == fraction.sizes["y"], float(fraction.max())
    (True, 1.0)
    """
    random = np.random.default_rng([seed, 4711])
    grid = _random_grid(random)
    water = _covered(_random_shore(random, tuple(grid.shape)))
    scene = _seen(random, water, _random_ground(random, tuple(grid.shape)), grid)
    return scene, _fraction_like(scene, water)


def random_pair(seed: int) -> tuple[list[xr.DataArray], list[xr.DataArray], xr.DataArray]:
    """Make two scenes of a lake that has shrunk on some of its shores.

    The ground and the pixels are those of one place, as of `random_lake`; clearness, noise, blur,
    and how the shores look are drawn for each date. Along its shores the lake shrinks by up to
    0 to 40 % of its reach, and stays where it was along a part of them.

    Parameters
    ----------
    seed : int
        Which pair.

    Returns
    -------
    (list of DataArray, list of DataArray, DataArray)
        Both scenes (band, y, x) and both true fractions of water (y, x), as from `random_lake`,
        and the true fraction of each pixel that was water before and is land after.

    Examples
    --------
    >>> scenes, (before, after), lost = random_pair(1)
    >>> bool(np.allclose(before - after, lost)), bool(lost.sum() > 0)
    (True, True)
    """
    random = np.random.default_rng([seed, 4712])
    grid = _random_grid(random)
    first = _random_shore(random, tuple(grid.shape))
    steep, most, turn = random.uniform(-0.6, 1.0), random.uniform(0.0, 0.4), random.uniform(0, 6.3)
    middle = np.argwhere(first).mean(axis=0)
    away = np.indices(first.shape) - middle[:, None, None]
    angle = np.arctan2(*away)
    kept = 1 - most * np.clip(np.cos(angle - turn) - steep, 0, 1)
    # A place is still water if the place further out along its ray was.
    further = (middle[:, None, None] + away / kept).round().astype(int)
    sizes = np.array(first.shape)[:, None, None]
    inside = ((further >= 0) & (further < sizes)).all(axis=0)
    second = np.zeros_like(first)
    second[inside] = first[tuple(further[:, inside])]
    second &= first
    ground = _random_ground(random, tuple(grid.shape))
    scenes, fractions = [], []
    for when, lake in (("1988-10-22", first), ("2017-10-22", second)):
        water = _covered(lake)
        scene = _seen(random, water, ground, grid).assign_coords(time=np.datetime64(when, "ns"))
        scenes.append(scene)
        fractions.append(_fraction_like(scene, water))
    return scenes, fractions, _fraction_like(scenes[1], _covered(first & ~second))


def _random_grid(random: np.random.Generator) -> GeoBox:
    rows, columns = random.integers(60, 101, 2).tolist()
    resolution = float(random.choice([10.0, 30.0, 60.0, 100.0]))
    corner = (350_000.0 + 10 * random.integers(10_000), 4_200_000.0 + 10 * random.integers(10_000))
    return lake_grid((rows, columns), resolution, corner=corner)


def _random_ground(random: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Draw where plants stand on soil, and how much darker or brighter each pixel is."""
    patches = _smooth(random, shape, 6.0) > random.normal(0, 0.5)
    return patches, np.exp(random.uniform(0.05, 0.25) * _smooth(random, shape, 1.0))


def _seen(
    random: np.random.Generator,
    water: NDArray[np.float64],
    ground: tuple[Any, Any],
    grid: GeoBox,
) -> xr.DataArray:
    """Draw how clear the water is and what its shores look like, and take the picture."""
    from scipy.ndimage import gaussian_filter

    patches, texture = ground
    turbid = random.uniform(0, 0.25) * np.clip(1 + 0.5 * _smooth(random, water.shape, 8.0), 0, 2)
    noise = random.uniform(0.002, 0.008)
    blur = random.uniform(0.2, 0.5)
    margin = 1 + _at_shore(water, random.uniform(0, 1.5)) * random.uniform(-0.25, 0.25)
    planes = []
    for wet, soil, plants in zip(
        *(SPECTRA[name] for name in ("water", "soil", "plants")), strict=True
    ):
        land = np.where(patches, soil, plants) * texture * margin
        # Suspended soil brightens water, the less the longer the wave.
        silty = wet + turbid * 0.3 * soil * (wet / SPECTRA["water"][0])
        clean = water * silty + (1 - water) * land
        seen = gaussian_filter(clean, blur, mode="nearest")
        planes.append(seen + noise * random.standard_normal(water.shape))
    return scene_of(np.stack(planes), grid, bands=BANDS)


def _fraction_like(scene: xr.DataArray, water: NDArray[np.float64]) -> xr.DataArray:
    fraction = scene.isel(band=0, drop=True).copy(data=water.astype(np.float32))
    fraction.name = "water_fraction"
    return fraction


def _random_shore(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Draw a lake with a wavy shore, finer than the pixels."""
    largest = 0.42 * min(shape)
    radius = math.exp(random.uniform(math.log(6.0), math.log(largest)))
    middle = np.array(shape) / 2 + random.uniform(-4, 4, 2)
    fine = [(np.arange(count * _FINE) + 0.5) / _FINE for count in shape]
    down, right = fine[0][:, None] - middle[0], fine[1][None, :] - middle[1]
    angle, distance = np.arctan2(down, right), np.hypot(down, right)
    reach = np.ones_like(angle)
    for wave in range(2, 9):
        reach += random.normal(0, 0.25 / wave) * np.cos(wave * angle + random.uniform(0, 6.3))
    inside: NDArray[np.bool_] = distance <= radius * np.clip(reach, 0.3, 1.25)
    if random.random() < 0.3:
        island = radius * random.uniform(0.1, 0.3)
        inside &= np.hypot(down - 0.3 * radius, right) > island
    return inside


def _covered(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the fraction of each pixel that a lake covers."""
    rows, columns = (size // _FINE for size in inside.shape)
    parts = inside.reshape(rows, _FINE, columns, _FINE)
    covered: NDArray[np.float64] = parts.mean(axis=(1, 3))
    return covered


def _at_shore(water: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Say how much of a margin the ground is: 1 at the shore, falling off over some pixels."""
    from scipy.ndimage import distance_transform_edt

    away: NDArray[np.float64] = distance_transform_edt(water == 0)
    return np.exp(-away / width) if width > 0.1 else np.zeros_like(away)


def _smooth(
    random: np.random.Generator, shape: tuple[int, ...], width: float
) -> NDArray[np.float64]:
    """Draw a random field of mean 0 and spread 1 that varies over some pixels."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(random.standard_normal(shape), width, mode="wrap")
    smooth: NDArray[np.float64] = (field - field.mean()) / field.std()
    return smooth


def scene_of(
    values: NDArray[Any],
    grid: GeoBox,
    *,
    bands: Sequence[str] | None = None,
    time: str | None = "1988-10-22",
    platform: str = "landsat-5",
) -> xr.DataArray:
    """Dress values of shape (band, y, x) as a scene: coordinates, CRS and attributes."""
    names = [f"band_{number}" for number in range(1, len(values) + 1)] if bands is None else bands
    coords: dict[Any, Any] = {"band": list(names), **xr_coords(grid, always_yx=True)}
    if time is not None:
        coords["time"] = np.datetime64(time, "ns")
    return xr.DataArray(
        np.asarray(values, dtype=np.float32),
        dims=("band", "y", "x"),
        coords=coords,
        attrs={
            "platform": platform,
            "instrument": "tm",
            "processing_level": "L2",
            "source": "synthetic",
            "units": "1",
        },
    )


def mask_of(values: NDArray[Any], grid: GeoBox, time: str | None = "1988-10-22") -> xr.DataArray:
    """Dress values of shape (y, x) or (time, y, x) as a water mask."""
    dims = ("y", "x") if np.ndim(values) == 2 else ("time", "y", "x")
    mask = xr.DataArray(
        np.asarray(values, dtype=np.uint8),
        dims=dims,
        attrs={
            "_FillValue": np.uint8(255),
            "flag_values": np.array([0, 1], dtype=np.uint8),
            "flag_meanings": "not_water water",
        },
        name="water",
    )
    if time is not None and len(dims) == 2:
        mask = mask.assign_coords(time=np.datetime64(time, "ns"))
    elif len(dims) == 3:
        start = np.datetime64(time or "1988-10-22", "ns")
        mask = mask.assign_coords(
            time=start + np.arange(len(mask)) * np.timedelta64(16, "D").astype("timedelta64[ns]")
        )
    return attach_grid(mask, grid)


def lonlat_of(grid: GeoBox, row: int, column: int) -> tuple[float, float]:
    """Give longitude and latitude (degrees) of the centre of a pixel."""
    to_lonlat = pyproj.Transformer.from_crs(crs_of(grid), "EPSG:4326", always_xy=True)
    longitude, latitude = to_lonlat.transform(*place(grid.affine, column + 0.5, row + 0.5))
    return float(longitude), float(latitude)


def lake_area_km2(radius: float) -> float:
    """Area of a round lake on the plane of the map, in km², from its radius in metres."""
    return math.pi * radius**2 / 1e6
