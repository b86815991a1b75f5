"""Find the one body of water that contains a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.change.pixel_area import pixel_metres
from strandline.change.states import UNSEEN, water_states
from strandline.change.summing import elementwise
from strandline.errors import WaterError
from strandline.prepare.georeference import pixel_at

NEAR = 5
"""Water this many pixels from the place still counts as the water there."""

GAP_PIXELS, GAP_METRES = 14, 450.0
"""Gaps in the data up to this wide are bridged where there is water on both sides.

The widest scan gaps of Landsat 7 after May 2003 are 14 pixels of 30 m; a grid of other pixels
than the sensor's has the larger of the two.
"""

POSSIBLE, LIKELY, SURE = 1, 2, 3
"""How certainly a pixel belongs to the body of water; 0 where it does not.

The body is connected with the place through observed water (sure), also across narrow gaps in
the data between water and water (likely), or through whatever was not observed (possible).
"""

_NEIGHBOURS = np.ones((3, 3), dtype=bool)  # sides and corners: 8-connectivity


class Body(NamedTuple):
    """The pixels of a body of water, by how certain it is that they belong to it.

    Attributes
    ----------
    sure : ndarray of bool, shape (y, x)
        Observed water that is connected with the place through observed water.
    likely : ndarray of bool, shape (y, x)
        Observed water that is connected with it also across narrow gaps in the data
        (`GAP_PIXELS`, `GAP_METRES`), such as scan lines, whose nearest observed pixels are water.
    possible : ndarray of bool, shape (y, x)
        What is connected with it through observed water and pixels that were not observed.
    """

    sure: NDArray[np.bool_]
    likely: NDArray[np.bool_]
    possible: NDArray[np.bool_]


def region_of(
    dates: Sequence[Any], grid: GeoBox, at: tuple[float, float] | None
) -> NDArray[np.uint8] | None:
    """Say where water is looked for: everywhere, or in the body of water at a place.

    Parameters
    ----------
    dates : sequence of ndarray or dask.array.Array of uint8, shape (y, x)
        Water masks.
    grid : GeoBox
        The pixels.
    at : (float, float) or None
        Longitude and latitude, degrees.

    Returns
    -------
    ndarray of uint8, shape (y, x), or None
        From `body_region`; None for everywhere.
    """
    if at is None:
        return None
    return body_region(np.asarray(elementwise(_water_and_unseen, *dates)), grid, at)


def body_region(
    flags: NDArray[np.uint8], grid: GeoBox, at: tuple[float, float]
) -> NDArray[np.uint8]:
    """Find the pixels of the body of water at a place.

    Parameters
    ----------
    flags : ndarray of uint8, shape (y, x)
        1 where there was water on any date, 2 where it may have been unseen, 3 both, else 0.
    grid : GeoBox
        The pixels.
    at : (float, float)
        Longitude and latitude, degrees.

    Returns
    -------
    ndarray of uint8, shape (y, x)
        `SURE`, `LIKELY` or `POSSIBLE` in the body, else 0.
    """
    body = water_body((flags & 1).astype(bool), (flags & 2).astype(bool), grid, at)
    region = np.zeros(flags.shape, np.uint8)  # in bytes from the start: maps may be large
    region[body.possible] = POSSIBLE
    region[body.likely] = LIKELY
    region[body.sure] = SURE
    return region


def water_body(
    water: NDArray[np.bool_],
    unseen: NDArray[np.bool_],
    grid: GeoBox,
    at: tuple[float, float],
) -> Body:
    """Find the body of water at a place.

    Parameters
    ----------
    water, unseen : ndarray of bool, shape (y, x)
        Where water was observed, and where water may have been but was not observed.
    grid : GeoBox
        The pixels.
    at : (float, float)
        Longitude and latitude in degrees.

    Returns
    -------
    Body
        Whatever the unseen pixels hide, the true body contains ``sure`` and lies within
        ``possible``; ``likely`` is the best estimate of what was seen of it.

    Raises
    ------
    GridError
        If the place is not on the grid.
    WaterError
        If no water was observed near it.
    """
    place = _nearest(water, grid, at)
    sure, possible = _connected(water, place), _connected(water | unseen, place)
    joined = _across_gaps(water & possible, unseen & possible, possible, _reach(grid))
    likely = sure if joined is None else _connected(joined, place) & water
    return Body(sure, likely, possible)


def _reach(grid: GeoBox) -> int:
    """Return half the width of the gaps that are bridged, in pixels."""
    metres = pixel_metres(grid)
    return max(GAP_PIXELS, round(GAP_METRES / metres) if metres > 0 else 0) // 2


def _across_gaps(
    water: NDArray[np.bool_], unseen: NDArray[np.bool_], possible: NDArray[np.bool_], reach: int
) -> NDArray[np.bool_] | None:
    """Return water and the unseen pixels within reach whose nearest observed pixels are water.

    The distance is octagonal; where water and land are equally near, land counts. None if
    nothing was unseen.
    """
    from scipy.ndimage import binary_dilation, generate_binary_structure

    unseen = unseen & ~water
    if not unseen.any():
        return None
    land, water = ~possible, water.copy()
    for step in range(reach):
        structure = generate_binary_structure(2, 1 + step % 2)
        to_land = binary_dilation(land, structure) & unseen
        to_water = binary_dilation(water, structure) & unseen & ~to_land
        if not (to_land.any() or to_water.any()):
            break
        land |= to_land
        water |= to_water
        unseen &= ~(to_land | to_water)
    return water


def _water_and_unseen(*dates: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Flag water on any date (1), and a date on which nothing was observed (2)."""
    states = [water_states(date) for date in dates]
    water = np.any([state == 1 for state in states], axis=0)
    unseen = np.any([state == UNSEEN for state in states], axis=0)
    flags: NDArray[np.uint8] = water.astype(np.uint8) + np.uint8(2) * unseen.astype(np.uint8)
    return flags


def _connected(mask: NDArray[np.bool_], place: tuple[int, int]) -> NDArray[np.bool_]:
    """Find the pixels of a mask that are connected with one of them."""
    from scipy.ndimage import label

    numbers, _ = label(mask, structure=_NEIGHBOURS)
    connected: NDArray[np.bool_] = numbers == numbers[place]
    return connected


def _nearest(water: NDArray[np.bool_], grid: GeoBox, at: tuple[float, float]) -> tuple[int, int]:
    """Find the water pixel nearest to a place, the first of them in case of a tie."""
    row, column = pixel_at(grid, at)
    rows, columns = np.nonzero(
        water[max(row - NEAR, 0) : row + NEAR + 1, max(column - NEAR, 0) : column + NEAR + 1]
    )
    rows, columns = rows + max(row - NEAR, 0), columns + max(column - NEAR, 0)
    distance = (rows - row) ** 2 + (columns - column) ** 2
    if not (distance <= NEAR**2).any():
        raise WaterError(
            f"There is no water at {at[0]:g}, {at[1]:g} (longitude, latitude).",
            expected=f"observed water within {NEAR} pixels",
            got="none",
            remedy="Pass a place in the middle of the water, seen on at least one date.",
        )
    nearest = int(np.argmin(distance))
    return int(rows[nearest]), int(columns[nearest])
