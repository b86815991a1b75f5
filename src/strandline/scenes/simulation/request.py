"""What was asked of a simulation, checked."""

from __future__ import annotations

import math
import numbers
from datetime import date

import pandas as pd

from strandline.errors import ConfigurationError, StrandlineError
from strandline.scenes.sensors import find_sensor
from strandline.scenes.simulation import lake
from strandline.scenes.simulation.geography import CENTRE, FULL_GRIDS
from strandline.scenes.simulation.noise import Axes
from strandline.scenes.simulation.optics import PLATFORMS
from strandline.scenes.simulation.safe import SIZES
from strandline.scenes.simulation.waters import wetness_on

WINDOW = (40_000.0, 34_000.0)  # metres north-south and east-west of the default window
SMALLEST, LARGEST = 100, 240_000.0  # pixels; metres
ORIGIN = 15.0  # Landsat's pixel edges lie 15 m off the multiples of 30 m


def check_window(size: tuple[int, int] | str | None, resolution: float, sensor: str) -> Axes:
    """Pixels of the scene on the world's lattice, whose origin is 15 m off zero."""
    if sensor == "msi":
        return _msi_window(size, resolution)
    offset_x, offset_y = ORIGIN - CENTRE[0], ORIGIN - CENTRE[1]
    if isinstance(size, str):
        if size != "full":
            raise cannot_simulate("size", "(rows, cols), 'full' or None", size)
        left, top, lines, samples = FULL_GRIDS[sensor]
        return Axes(
            math.floor((ORIGIN - top) / resolution),
            math.floor((left - ORIGIN) / resolution),
            math.ceil(lines * 30 / resolution),
            math.ceil(samples * 30 / resolution),
            resolution,
            offset_x,
            offset_y,
        )
    if size is None:
        rows, cols = (max(SMALLEST, round(extent / resolution)) for extent in WINDOW)
    else:
        rows, cols = _size(size, resolution)
    first_col = round(-offset_x / resolution) - cols // 2
    first_row = round(offset_y / resolution) - rows // 2
    return Axes(first_row, first_col, rows, cols, resolution, offset_x, offset_y)


def _msi_window(size: tuple[int, int] | str | None, resolution: float) -> Axes:
    """Pixels on the lattice of Sentinel-2's tiles, whose corners lie on multiples of 60 m."""
    if resolution != SIZES[0]:
        raise cannot_simulate("resolution", "10, as Sentinel-2 has it", resolution)
    if isinstance(size, str):
        raise cannot_simulate("size", "(rows, cols) for Sentinel-2", size)
    most = SIZES[-1] // SIZES[0]
    given = tuple(round(extent / resolution) // most * most for extent in WINDOW)
    rows, cols = _size(size or (given[0], given[1]), resolution)
    if rows % most or cols % most:
        raise cannot_simulate("size", f"multiples of {most}, so that 60 m pixels fit", size)
    first_col = round(CENTRE[0] / resolution / most) * most - cols // 2 // most * most
    first_row = round(-CENTRE[1] / resolution / most) * most - rows // 2 // most * most
    return Axes(first_row, first_col, rows, cols, resolution, -CENTRE[0], -CENTRE[1])


def _size(size: tuple[int, int], resolution: float) -> tuple[int, int]:
    try:
        rows, cols = size
    except (TypeError, ValueError):
        raise cannot_simulate("size", "(rows, cols), 'full' or None", size) from None
    most = LARGEST / resolution
    if not all(_is_whole(count) and SMALLEST <= count <= most for count in (rows, cols)):
        raise cannot_simulate(
            "size",
            f"two whole numbers from {SMALLEST} to {int(most)} at {resolution:g} m",
            size,
            "A whole scene is size='full'.",
        )
    return int(rows), int(cols)


def check_day(value: object) -> date:
    """Read the day; there was a Landsat 4 on it."""
    try:
        moment = pd.Timestamp(value)  # type: ignore[arg-type]  # whatever the caller passed
    except (ValueError, TypeError) as error:
        raise cannot_simulate("date", "a day such as '1988-10-22'", value) from error
    if pd.isna(moment):
        raise cannot_simulate("date", "a day such as '1988-10-22'", value)
    first = PLATFORMS["landsat-4"].first_day
    day = moment.date()
    if day < first:
        raise cannot_simulate("date", f"{first.isoformat()} or later, when Landsat 4 flew", value)
    return day


def check_platform(name: str | None, day: date) -> str:
    """Find the satellite, or the one that flew on that day."""
    if name is None:
        if day.year >= 2013:
            return "landsat-8"
        return "landsat-4" if day < PLATFORMS["landsat-5"].first_day else "landsat-5"
    try:
        known = find_sensor(str(name)).platform
    except StrandlineError:
        known = str(name)
    if known not in PLATFORMS:
        raise cannot_simulate("platform", f"one of {', '.join(PLATFORMS)}", name)
    return known


def check_level(level: float | None, day: date) -> float:
    """Level of the lake, metres above the sea; by default that of the day."""
    if level is None:
        return lake.level_on(day)
    return check_within(
        "level",
        level,
        lake.LOWEST,
        lake.HIGHEST,
        "metres above the sea",
        "A level in feet has to be multiplied by 0.3048.",
    )


def check_snow_line(snow: bool | float | None, day: date) -> float | None:
    """Height above which snow lies, metres above the sea; None for no snow."""
    if snow is False:
        return None
    if snow is None or snow is True:
        # Lowest in February; a wet year has it lower and a dry autumn has none.
        season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 45) / 365.0)
        wetness = 0.5 if snow is True else wetness_on(day)
        line = 2900.0 - 900.0 * season - 400.0 * (wetness - 0.5)
        return line if snow is True or line < 3300.0 else None
    return check_within("snow", snow, 0.0, 9000.0, "metres above the sea")


def check_seed(seed: int) -> int:
    """Check a seed: a whole number of 32 bits."""
    if not _is_whole(seed) or not 0 <= seed < 2**32:
        raise cannot_simulate("seed", "a whole number from 0 to 4294967295", seed)
    return int(seed)


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_within(
    name: str, value: float, least: float, most: float, unit: str, remedy: str | None = None
) -> float:
    """Check that a number lies between two others, with both ends."""
    # A NaN lies between no two numbers, so it is refused here too.
    if not _is_number(value) or not least <= value <= most:
        raise cannot_simulate(name, f"{least:g} to {most:g} ({unit})", value, remedy)
    return float(value)


def cannot_simulate(
    name: str, expected: str, got: object, remedy: str | None = None
) -> ConfigurationError:
    """Make the error for an argument that cannot be simulated."""
    return ConfigurationError(
        f"{name}= cannot be simulated.", expected=expected, got=repr(got), remedy=remedy
    )
