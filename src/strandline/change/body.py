"""Find the one body of water that contains a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.change.states import UNSEEN, water_states
from strandline.change.summing import elementwise
from strandline.errors import WaterError
from strandline.prepare.georeference import pixel_at

NEAR = 5
"""Water this many pixels from the place still counts as the water there."""

POSSIBLE, SURE = 1, 2
"""Where a pixel is: outside the body of water (0), perhaps in it, surely in it."""

_NEIGHBOURS = np.ones((3, 3), dtype=bool)  # sides and corners: 8-connectivity


class Body(NamedTuple):
    """The pixels of a body of water: those that surely are, and those that may be.

    Attributes
    ----------
    sure : ndarray of bool, shape (y, x)
        Observed water that is connected with the place through observed water.
    possible : ndarray of bool, shape (y, x)
        What is connected with it through observed water and pixels that were not observed.
    """

    sure: NDArray[np.bool_]
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
        2 in the body, 1 where it may reach under what was not observed, else 0.
    """
    body = water_body((flags & 1).astype(bool), (flags & 2).astype(bool), grid, at)
    region = np.zeros(flags.shape, np.uint8)  # in bytes from the start: maps may be large
    region[body.possible] = POSSIBLE
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
        ``possible``.

    Raises
    ------
    GridError
        If the place is not on the grid.
    WaterError
        If no water was observed near it.
    """
    place = _nearest(water, grid, at)
    return Body(_connected(water, place), _connected(water | unseen, place))


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
