"""A simulated Walker Lake: the built-in scene, with its true water fraction.

A made landscape after the real one in Nevada (`simulation/`): eroded ranges,
fans, playas, fields, and a lake whose area follows the surveyed level-area
curve, seen through Landsat TM or OLI with the spectra, noise and quality bits
measured on real scenes. Nothing is downloaded.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from strandline.paths import local_path
from strandline.scenes.open import open_scene
from strandline.scenes.quality import flag_attributes, quality_flags, told_reasons
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import COLLECTION_2_SURFACE
from strandline.scenes.scene import SIMULATED, Stored, assemble
from strandline.scenes.sensors import SENSORS
from strandline.scenes.sentinel import msi_factors
from strandline.scenes.simulation import lake
from strandline.scenes.simulation.clouds import clouds_of
from strandline.scenes.simulation.geography import CENTRE, CRS
from strandline.scenes.simulation.metadata import Pass
from strandline.scenes.simulation.noise import Axes
from strandline.scenes.simulation.optics import PLATFORMS, spectra_of, sun_at
from strandline.scenes.simulation.product import writing_product
from strandline.scenes.simulation.render import Acquisition, Tile
from strandline.scenes.simulation.request import (
    cannot_simulate,
    check_day,
    check_level,
    check_platform,
    check_seed,
    check_snow_line,
    check_window,
    check_within,
)
from strandline.scenes.simulation.safe import SIZES, MsiPass, measured, write_safe
from strandline.scenes.simulation.terrain import landscape


def simulate_scene(
    date: str | date | datetime | np.datetime64 = "1988-10-22",
    *,
    level: float | None = None,
    size: tuple[int, int] | str | None = None,
    resolution: float | None = None,
    platform: str | None = None,
    seed: int = 0,
    cloud_cover: float = 0.0,
    snow: bool | float | None = None,
    path: str | Path | None = None,
    processing_level: str | None = None,
    baseline: str | None = None,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Simulate an acquisition of Walker Lake, Nevada, and tell the truth about its water.

    By Landsat or by Sentinel-2.

    The landscape depends on `seed` alone: all dates, platforms, windows and cloud
    covers of a seed show the same mountains, and a small window is a cut-out of a
    larger one at the same resolution (clouds excepted, whose cover is that of the
    window). The same arguments give the same values, and the same bytes with `path`.

    Parameters
    ----------
    date : str or date
        Day of acquisition, from 1982-07-16 on. It sets the lake's level, the sun, the
        fields, how wet the marshes are, and the snow.
    level : float, optional
        Height of the lake's surface in metres above the sea, 1176 to 1250. By default
        that of the date (1988-10-22: 1207.9 m, 150.7 km²; 2017-10-22: 1195.1 m,
        119.1 km²), held before 1984 and after 2017.
    size : (rows, cols) or "full", optional
        Pixels of a window centred on the lake, at least 100 × 100. By default 40 km
        north-south by 34 km east-west. A window smaller than the lake (about 23 × 9 km)
        shows the part in its middle. "full" is the whole scene with the real product's
        grid, of which the sensor sees a tilted 65 %; the grids of TM and OLI differ
        in origin and size, as they do in reality.
    resolution : float, optional
        Pixel size in metres, 10 to 1000. By default 30, where pixel edges lie where Landsat's do,
        and 10 for Sentinel-2, which has no other: a product has its 20 and 60 m bands beside.
    platform : str, optional
        "landsat-4", "landsat-5" (TM), "landsat-8" or "landsat-9" (OLI); "sentinel-2a",
        "sentinel-2b" or "sentinel-2c" (MSI), whose sizes are multiples of 6 and never "full", and
        whose spectra are read between OLI's bands. By default the Landsat that flew: Landsat 5
        before 2013 (4 before March 1984), Landsat 8 since. Any may be asked for on any date, to
        compare dates through one sensor.
    seed : int
        Chooses the landscape and the noise; not negative.
    cloud_cover : float
        Share of the window under clouds, 0 to 1; they cast shadows.
    snow : bool or float, optional
        Height of the snow line on the Sierra's side, in metres; False for no snow, True
        for the season's snow in a year of middling wetness. By default by season and
        wetness of the year: none on 1988-10-22, some on 2017-10-22.
    path : path-like, optional
        Folder to write a Collection-2 Level-2 product into, as a folder of its own named
        by its identifier (``LT05_L2SP_042033_19881022_20200917_02_T1``). It appears
        whole or not at all, and replaces a product of that name only if that was
        simulated too. There are no thermal bands. Of Sentinel-2, a SAFE folder
        (``S2A_MSIL2A_20200802T184931_N0500_R113_T11SLC_20200802T224931.SAFE``).
    processing_level : {"L2A", "L1C"}, optional
        Of a Sentinel-2 product with `path`; "L2A" by default. The simulated sky has no air in it:
        both hold the same reflectance.
    baseline : str, optional
        Processing baseline of a Sentinel-2 product with `path`; "05.00" by default. Before "04.00"
        its numbers have no offset, so that reflectance below 0.0001 becomes that.

    Returns
    -------
    scene : xarray.DataArray
        Dims (band, y, x), float32 reflectance, NaN outside the sensor's footprint and
        under clouds and their shadows. With `path` it is ``open_scene(folder)`` and lazy,
        its ``source`` the folder; without, the same values in memory.
    water_fraction : xarray.DataArray
        Dims (y, x), float32: the share of each pixel under water, 0 to 1, also under
        clouds; NaN outside the footprint. Attributes: ``lake_level_m``,
        ``lake_area_km2`` and ``water_area_km2`` (the lake, and all water, within this
        window: sums of fractions times pixel area, planimetric in EPSG:32611),
        ``surveyed_lake_area_km2`` (of the whole lake at that level, by the curve).

    Raises
    ------
    ConfigurationError
        If an argument is out of its range.
    OutputError
        If the product cannot be written.

    References
    ----------
    Lopes, Smith 2007, Bathymetry of Walker Lake, West-Central Nevada, USGS SIR 2007-5012.

    Examples
    --------
    >>> scene, water = simulate_scene("2017-10-22", size=(300, 150), resolution=90)
    >>> scene.band.values.tolist()
    ['coastal', 'blue', 'green', 'red', 'nir08', 'swir16', 'swir22']
    >>> abs(water.attrs["lake_area_km2"] / 119.1 - 1) < 0.01
    True
    """
    day = check_day(date)
    satellite = check_platform(platform, day)
    moment = datetime.combine(day, PLATFORMS[satellite].passes, UTC)
    seed = check_seed(seed)
    sensor = PLATFORMS[satellite].sensor
    kind = _msi_kind(sensor, processing_level, baseline, path)
    metres = (10.0 if sensor == "msi" else 30.0) if resolution is None else resolution
    axes = check_window(size, check_within("resolution", metres, 10.0, 1000.0, "metres"), sensor)
    sun = sun_at(moment)
    cover = check_within("cloud_cover", cloud_cover, 0.0, 1.0, "a share")
    index = list(PLATFORMS).index(satellite)
    # Four Landsats share the days between them; what came later has streams of its own.
    day_seed = seed * 1_000_003 + day.toordinal() * 4 + index + ((index > 3) << 40)
    acquisition = Acquisition(
        axes=axes,
        land=landscape(seed),
        sensor=sensor,
        spectra=spectra_of(sensor),
        sun=sun,
        day=day,
        level=check_level(level, day),
        snow_line=check_snow_line(snow, day),
        clouds=clouds_of(axes, cover, day_seed, sun),
        seed=day_seed,
    )
    taken = Pass(satellite, moment, sun)
    named = f"simulate_scene({day.isoformat()!r}, seed={seed})"
    if sensor == "msi":
        parent = None if path is None else local_path(path)
        return _msi(acquisition, MsiPass(satellite, moment, *kind), parent, named)
    if path is None:
        return _in_memory(acquisition, taken, named)
    return _on_disk(acquisition, taken, local_path(path))


def _in_memory(
    acquisition: Acquisition, taken: Pass, named: str
) -> tuple[xr.DataArray, xr.DataArray]:
    grid = _grid(acquisition.axes)
    bands = acquisition.spectra.bands
    numbers_seen, quality, truth = _gathered(acquisition, grid)
    coords = {"band": list(bands), **xr_coords(grid, dims=("y", "x"))}
    sensor = SENSORS[taken.platform]
    qa = xr.DataArray(quality, dims=("y", "x"))
    flags = quality_flags(qa, "qa_pixel", instrument=sensor.instrument)
    flags.attrs = flag_attributes([*told_reasons(flags), "saturated"])  # nothing ever is
    stored = Stored(
        values=xr.DataArray(numbers_seen, dims=("band", "y", "x"), coords=coords),
        factors=(COLLECTION_2_SURFACE,) * len(bands),
        source=named,
        sensor=sensor,
        level="L2",
        time=taken.moment,
        quality=flags,
        extra=dict(SIMULATED),
    )
    scene = assemble(stored, ReadOptions())
    return scene, truth.array(acquisition, taken)


def _gathered(
    acquisition: Acquisition, grid: GeoBox
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], _Truth]:
    """Put all tiles together in memory: numbers of all bands, quality, and the truth."""
    numbers_seen = np.empty((len(acquisition.spectra.bands), *grid.shape), dtype=np.uint16)
    quality = np.empty(grid.shape, dtype=np.uint16)
    truth = _Truth(grid)
    for top, tiles in acquisition.strips():
        for tile in tiles:
            where = truth.add(top, tile)
            numbers_seen[(slice(None), *where)] = tile.numbers
            quality[where] = tile.quality
    return numbers_seen, quality, truth


def _on_disk(
    acquisition: Acquisition, taken: Pass, parent: Path
) -> tuple[xr.DataArray, xr.DataArray]:
    grid = _grid(acquisition.axes)
    truth = _Truth(grid)
    with writing_product(parent, taken, acquisition.spectra.bands, grid) as writer:
        for top, tiles in acquisition.strips():
            writer.write(top, tiles)
            for tile in tiles:
                truth.add(top, tile)
    return open_scene(parent / taken.product), truth.array(acquisition, taken)


def _msi(
    acquisition: Acquisition, taken: MsiPass, parent: Path | None, named: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Simulate all bands at 10 m, and give each the pixels it has."""
    grid = _grid(acquisition.axes)
    bands = acquisition.spectra.bands
    numbers_seen, quality, truth = _gathered(acquisition, grid)
    images, classes = measured(numbers_seen, bands), quality[::2, ::2].astype(np.uint8)
    fraction = truth.array(acquisition, Pass(taken.platform, taken.moment, acquisition.sun))
    if parent is not None:
        product = write_safe(parent, taken, images, classes, grid)
        return open_scene(product).assign_attrs(SIMULATED), fraction
    sensor = SENSORS[taken.platform]
    values = [
        images[name].repeat(size // SIZES[0], axis=0).repeat(size // SIZES[0], axis=1)
        for name in sensor.default_bands
        for size in [next(band.resolution for band in sensor.bands if band.name == name)]
    ]
    coords = {"band": list(sensor.default_bands), **xr_coords(grid, dims=("y", "x"))}
    wide = classes.repeat(2, axis=0).repeat(2, axis=1)
    stored = Stored(
        values=xr.DataArray(np.stack(values), dims=("band", "y", "x"), coords=coords),
        factors=(msi_factors(baseline="05.00"),) * len(values),
        source=named,
        sensor=sensor,
        level="L2",
        time=taken.moment,
        quality=quality_flags(xr.DataArray(wide, dims=("y", "x")), "scl"),
        extra=dict(SIMULATED),
    )
    return assemble(stored, ReadOptions()), fraction


def _msi_kind(
    sensor: str, level: str | None, baseline: str | None, path: object
) -> tuple[str, str]:
    """Check level and baseline of a Sentinel-2 product."""
    if (level or baseline) and (sensor != "msi" or path is None):
        raise cannot_simulate(
            "processing_level= and baseline",
            "only a Sentinel-2 product to be written",
            level or baseline,
            "Pass platform='sentinel-2a' and path=….",
        )
    if level not in (None, "L1C", "L2A"):
        raise cannot_simulate("processing_level", "'L1C' or 'L2A'", level)
    if baseline is not None and not re.fullmatch(r"\d\d\.\d\d", str(baseline)):
        raise cannot_simulate("baseline", "four digits such as '05.00'", baseline)
    return level or "L2A", baseline or "05.00"


class _Truth:
    """The water fraction, put together from tiles."""

    def __init__(self, grid: GeoBox) -> None:
        self._grid = grid
        self._fraction = np.empty(grid.shape, dtype=np.float32)
        self._lake_pixels = 0.0
        self._water_pixels = 0.0

    def add(self, top: int, tile: Tile) -> tuple[slice, slice]:
        rows, cols = tile.water.shape
        where = (slice(top, top + rows), slice(tile.left, tile.left + cols))
        self._fraction[where] = tile.water
        self._lake_pixels += tile.lake_pixels
        self._water_pixels += float(np.nansum(tile.water, dtype=np.float64))
        return where

    def array(self, acquisition: Acquisition, taken: Pass) -> xr.DataArray:
        pixel = (acquisition.axes.resolution / 1000.0) ** 2
        attrs = {
            "long_name": "share of the pixel under water",
            "units": "1",
            "lake_level_m": acquisition.level,
            "lake_area_km2": self._lake_pixels * pixel,
            "water_area_km2": self._water_pixels * pixel,
            "surveyed_lake_area_km2": lake.area_at(acquisition.level),
            "area_is": f"planimetric in {CRS}",
        }
        fraction = xr.DataArray(
            self._fraction,
            dims=("y", "x"),
            coords=xr_coords(self._grid, dims=("y", "x")),
            name="water_fraction",
            attrs=attrs,
        )
        fraction.encoding = {"grid_mapping": "spatial_ref"}
        moment = pd.Timestamp(taken.moment).tz_localize(None).as_unit("ns")
        return fraction.assign_coords(time=moment.to_datetime64())


def _grid(axes: Axes) -> GeoBox:
    r = axes.resolution
    left = CENTRE[0] + axes.offset_x + axes.first_col * r
    top = CENTRE[1] + axes.offset_y - axes.first_row * r
    return GeoBox((axes.rows, axes.cols), Affine(r, 0.0, left, 0.0, -r, top), CRS)
