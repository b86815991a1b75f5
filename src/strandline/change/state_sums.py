"""Sums over the pixels of each region and state: what `areas` makes its figures of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.change.body import LIKELY, SURE
from strandline.change.interval import shore_kinds
from strandline.change.pixel_area import PixelAreas
from strandline.change.states import water_states
from strandline.change.summing import Sums, elementwise, sum_up


def sum_states(
    dates: Sequence[Any], region: Any, areas_of: PixelAreas, *, shores: bool = False
) -> Sums:
    """Sum up pixels and area by region and by state on each date.

    Parameters
    ----------
    dates : sequence of ndarray or dask.array.Array of uint8, shape (y, x)
        The water masks of one date or of two.
    region : ndarray of uint8, shape (y, x), or None
        From `strandline.change.body.body_region`; None if all pixels are of interest.
    areas_of : PixelAreas
        Areas of the pixels.
    shores : bool
        Whether to sum up the sides between water and land too
        (`strandline.change.interval.shore_kinds`).

    Returns
    -------
    Sums
        ``pixels`` and ``km2`` have the axes (region, state on the first date, …), of length 4
        and 3 each; ``sides``, of what is at least likely in the region, as from `sum_up`.

    Raises
    ------
    ConfigurationError
        If a mask has values that a water mask does not have.

    Examples
    --------
    >>> from strandline.change.pixel_area import pixel_areas
    >>> from strandline.testing.lakes import lake_grid
    >>> mask = np.array([[1, 1, 0, 255]], np.uint8)
    >>> sum_states([mask], None, pixel_areas(lake_grid((1, 4)))).pixels[SURE].tolist()
    [1, 2, 1]
    """
    shape = (SURE + 1, *(3,) * len(dates))
    if region is None:
        codes = elementwise(partial(_codes, np.uint8(SURE)), *dates)
    else:
        codes = elementwise(_codes, region, *dates)
    where, *states = np.indices(shape).reshape(len(shape), -1)
    kinds = shore_kinds(where >= LIKELY, *states) if shores else None
    pixels, km2, sides = sum_up(codes, areas_of, math.prod(shape), kinds)
    return Sums(pixels.reshape(shape), km2.reshape(shape), sides)


def _codes(region: Any, *dates: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Write what is known of a pixel as a number in base 3: region, then state on each date."""
    code: Any = region
    for date in dates:
        code = np.uint8(3) * code + water_states(date)
    return np.asarray(code)
