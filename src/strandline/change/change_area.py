"""Areas of each kind of change, with bounds for what was seen on one date only or on none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.change.body import LIKELY, POSSIBLE, SURE, region_of
from strandline.change.compare import (
    CLASS_OF,
    GAINED,
    LOST,
    STABLE_LAND,
    STABLE_WATER,
    oversampling_of_dates,
)
from strandline.change.interval import SHORES_OF_CHANGE, UNKNOWN, bounds, change_variance
from strandline.change.pixel_area import pixel_areas
from strandline.change.state_sums import sum_states
from strandline.change.states import UNSEEN
from strandline.change.summing import Sums, elementwise
from strandline.errors import ConfigurationError
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import grid_of

CLASS_NAMES = {
    STABLE_LAND: "stable land",
    STABLE_WATER: "stable water",
    LOST: "lost",
    GAINED: "gained",
}

SHIFT_FLAGS = "shift_explainable"
"""Coordinate of a change map, and column of its areas."""

Counts = NDArray[Any]


def change_areas(
    change: xr.DataArray, at: tuple[float, float] | None, *, intervals: bool
) -> pd.DataFrame:
    """Sum up the area of each kind of change; see `strandline.areas`.

    Parameters
    ----------
    change : DataArray of uint8, shape (y, x)
        From `strandline.compare`.
    at : (float, float) or None
        Longitude and latitude of a place in the water; None for all water.
    intervals : bool
        Whether to add the intervals.

    Returns
    -------
    DataFrame
        A row per class of change, and three for the water before, after, and its net change.

    Raises
    ------
    ConfigurationError
        If there are several maps, or values that a change map does not have.
    GridError, WaterError
        If `at` is not a place on the map, or there is no water.
    """
    if "time" in change.dims:
        raise ConfigurationError(
            "Areas need one change map at a time.",
            expected="dimensions (y, x)",
            got=f"dimensions {tuple(map(str, change.dims))}",
        )
    change = change.transpose("y", "x")
    grid = grid_of(change)
    dates = []
    for which, name in enumerate(("water_before", "water_after")):
        known = [change.data]
        if name in change.coords:
            known.append(change.coords[name].transpose("y", "x").data)
        dates.append(elementwise(partial(_known_water, which), *known))
    region, areas_of = region_of(dates, grid, at), pixel_areas(grid)
    sums = sum_states(dates, region, areas_of, shores=intervals)
    table = pd.DataFrame(_change_rows(sums)).set_index("class")
    if intervals:
        table = table.join(
            pd.DataFrame.from_dict(
                _change_intervals(table, sums, oversampling_of_dates(change)), orient="index"
            )
        )
    if SHIFT_FLAGS in change.coords:
        flags = change.coords[SHIFT_FLAGS].transpose("y", "x").data
        flagged = elementwise(_flagged, change.data, flags)
        km2 = sum_states([flagged], region, areas_of).km2
        lost, gained = (math.fsum(km2[LIKELY:, state]) for state in (1, 2))
        by_name = {"lost": lost, "gained": gained, "net change": gained - lost}
        table[SHIFT_FLAGS] = pd.Series(by_name)
    table.attrs |= {"units": "km2"} | {
        key: change.attrs[key] for key in ("before", "after") if key in change.attrs
    }
    return table


def _flagged(change: NDArray[np.uint8], flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Tell lost (1) and gained (255, which is counted third) apart where flags are set."""
    kinds = np.where(change == LOST, np.uint8(1), np.uint8(0))
    kinds[change == GAINED] = NOT_OBSERVED
    return np.where(flags, kinds, np.uint8(0))


def _known_water(
    which: int, change: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Say what is known of the water before (0) or after (1), as values of a water mask.

    Where the map is observed it counts, even against the masks: somebody may have cleaned it
    since. Elsewhere one of the dates may have been observed.
    """
    known: NDArray[np.uint8] = _WATER_OF_CLASS[which][change]
    if (known == _NO_CLASS).any():
        strange = sorted(set(np.unique(change).tolist()) - {*CLASS_NAMES, NOT_OBSERVED})
        raise ConfigurationError(
            "The change map holds impossible values.",
            expected="0, 1, 2, 3 and 255",
            got=", ".join(map(str, strange)),
        )
    return known if mask is None else np.where(change == NOT_OBSERVED, mask, known)


def _change_rows(sums: Sums) -> Iterator[dict[str, Any]]:
    """Turn the sums per (region, before, after) into rows with bounds."""
    pixels, km2, _ = sums
    for (before, after), number in CLASS_OF.items():
        may = _may_be(before)[:, None] & _may_be(after)[None, :]
        least, observed = km2[SURE, before, after], math.fsum(km2[LIKELY:, before, after])
        most = math.fsum(km2[POSSIBLE:, may].ravel())
        count = pixels[LIKELY:, before, after].sum()
        yield _row(CLASS_NAMES[number], count, least, observed, most)
    unseen = np.ones((3, 3), dtype=bool)
    unseen[:2, :2] = False
    hidden = math.fsum(km2[POSSIBLE:, unseen].ravel())
    yield _row("not observed", pixels[POSSIBLE:, unseen].sum(), hidden, hidden, hidden)
    for name, axis in (("water before", 1), ("water after", 2)):
        by_state, count = np.moveaxis(km2, axis, 1), np.moveaxis(pixels, axis, 1)[LIKELY:, 1].sum()
        least, observed = math.fsum(by_state[SURE, 1]), math.fsum(by_state[LIKELY:, 1].ravel())
        yield _row(name, count, least, observed, math.fsum(by_state[POSSIBLE:, 1:].ravel()))
    yield _net_change(pixels, km2)


def _change_intervals(
    table: pd.DataFrame, sums: Sums, finer: tuple[float, float]
) -> dict[str, dict[str, float]]:
    """Compute the interval of each area that has a shore."""
    pixels, found = sums.pixels[LIKELY:].sum(axis=0), {}
    seen = {"water before": pixels[:UNSEEN], "water after": pixels[:, :UNSEEN]}
    for name, shores in SHORES_OF_CHANGE.items():
        if not seen.get(name, pixels[:UNSEEN, :UNSEEN]).any():
            found[name] = UNKNOWN
            continue
        best = float(table["best"][name])
        least = -math.inf if name == "net change" else 0.0
        found[name] = bounds(best, change_variance(sums.sides, shores, finer), least=least)
    return found


def _net_change(pixels: Counts, km2: Counts) -> dict[str, Any]:
    """Bound the water after less the water before, pixel by pixel."""
    low, high = [], []
    for before in range(3):
        for after in range(3):
            least = (after == 1) - (before != 0)
            most = (after != 0) - (before == 1)
            # Beyond the sure part a pixel may also not belong to the body at all.
            sure, other = km2[SURE, before, after], km2[POSSIBLE:SURE, before, after]
            low += [least * sure, *(min(least, 0) * other)]
            high += [most * sure, *(max(most, 0) * other)]
    best = math.fsum(km2[LIKELY:, 0, 1]) - math.fsum(km2[LIKELY:, 1, 0])
    count = pixels[LIKELY:, 0, 1].sum() - pixels[LIKELY:, 1, 0].sum()
    # A zero shall have no sign.
    return _row("net change", count, math.fsum(low) + 0.0, best + 0.0, math.fsum(high) + 0.0)


def _may_be(state: int) -> NDArray[np.bool_]:
    """Say which of land, water and not observed may have been in this state."""
    return np.arange(3) % 2 == 0 if state == 0 else np.arange(3) > 0


def _row(name: str, pixels: Any, least: Any, best: Any, most: Any) -> dict[str, Any]:
    return {
        "class": name,
        "pixels": int(pixels),
        "least": float(least),
        "best": float(best),
        "most": float(most),
    }


_NO_CLASS = 9
_WATER_OF_CLASS = np.full((2, 256), _NO_CLASS, np.uint8)
_WATER_OF_CLASS[:, NOT_OBSERVED] = NOT_OBSERVED
for _states, _class in CLASS_OF.items():
    _WATER_OF_CLASS[:, _class] = _states
