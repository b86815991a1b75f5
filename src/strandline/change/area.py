"""Areas in km², with bounds for what was not observed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.change.body import water_body
from strandline.change.compare import (
    CLASS_OF,
    GAINED,
    LOST,
    STABLE_LAND,
    STABLE_WATER,
)
from strandline.change.interval import (
    INTERVALS,
    SHORES_OF_CHANGE,
    UNKNOWN,
    bounds,
    change_variance,
    interval_of,
    shore_kinds,
)
from strandline.change.pixel_area import PixelAreas, pixel_area, pixel_areas
from strandline.change.states import UNSEEN, water_states
from strandline.change.summing import Sums, elementwise, sum_up
from strandline.errors import ConfigurationError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import describe_grid, grid_of, same_grid

__all__ = ["areas", "pixel_area"]

CLASS_NAMES = {
    STABLE_LAND: "stable land",
    STABLE_WATER: "stable water",
    LOST: "lost",
    GAINED: "gained",
}

SHIFT_FLAGS = "shift_explainable"
"""Coordinate of a change map, and column of its areas."""

POSSIBLE, SURE = 1, 2
"""Where a pixel is, with `at`: outside the body of water (0), perhaps in it, surely in it."""

Counts = NDArray[Any]


def areas(
    mask_or_change: xr.DataArray,
    at: tuple[float, float] | None = None,
    *,
    intervals: bool = False,
    members: Iterable[xr.DataArray] | None = None,
) -> pd.DataFrame:
    """Sum up the true area of water, or of each kind of change.

    Each figure comes with bounds: whatever was hidden where nothing was observed, the truth
    lies between ``least`` and ``most`` (as far as the observed pixels are right).

    Parameters
    ----------
    mask_or_change : DataArray of uint8
        A water mask of shape (y, x) or (time, y, x), or a change map of shape (y, x).
    at : (float, float), optional
        Longitude and latitude of a place in the water. Only the body of water that contains
        it is counted: the pixels that touch, by a side or a corner, and were water on any of
        the dates. Default: all water.
    intervals : bool
        Add ``low_90``, ``high_90``, ``low_95`` and ``high_95``, between which the area of what
        was observed lies in 90 and 95 of 100 cases; see Notes. NaN where nothing was observed:
        for the changes, on both dates.
    members : iterable of DataArray, optional
        With `intervals`, for a mask: masks of the same pixels by other segmentations
        (`strandline.segment_again`), to widen them where these do not agree.

    Returns
    -------
    DataFrame
        For a mask, one row per ``time``:

        - ``pixels``: number of pixels observed as water;
        - ``least``, ``best``, ``most``: area of water in km²: observed (the first two), and
          with all that was not observed;
        - ``not_observed_km2``: area that was not observed (with `at`: that may belong to the
          body);
        - ``observed_share``: share of the area that was observed, 0 to 1 (with `at`: of what
          may belong to the body).

        For a change map, the rows of index ``class`` are ``stable land``, ``stable water``,
        ``lost``, ``gained``, ``not observed`` (on one of the dates at least), ``water
        before``, ``water after`` and ``net change`` (gained less lost), each with ``pixels``,
        ``least``, ``best`` and ``most``. The bounds use what was seen on one date alone, if
        the map carries its masks as `compare` leaves them. ``best`` counts what was observed:
        on both dates for the changes, on that date for ``water before`` and ``after``. If the
        map carries the flags that `compare` sets, ``shift_explainable`` says how much of
        ``best`` a shift between the two images alone could have made: of lost, of gained,
        and of the net change; NaN elsewhere.

    Raises
    ------
    ConfigurationError
        If the array is neither a water mask nor a change map.
    GridError
        If `at` is no place on the map.
    WaterError
        If there is no water at `at`.

    Notes
    -----
    The areas are true areas on the ellipsoid (`pixel_area`), in any CRS, summed without
    rounding in an order that does not depend on chunks or threads.

    The intervals are about the shore: with n sides of pixels between water and land, the
    variance is n/12 for the rounding of each to water or land, and (t n)² for what pulls the
    whole shore to one side, in pixels, where t was measured on simulated lakes. They hold
    where the water was found and only its shore is in doubt. They know nothing of lakes that
    were missed or shadows taken for water, nor of what was not observed: for that there is
    ``most``.

    An area of change lies between two shores, the one before and the one after, and has the
    variance of both; where the water stayed, both count, since it may have moved by less than
    a pixel there.

    Examples
    --------
    >>> import numpy as np
    >>> from strandline.change.compare import compare
    >>> from strandline.testing.lakes import lake_grid, mask_of
    >>> grid = lake_grid((1, 5), resolution=1000.0)
    >>> before = mask_of(np.array([[1, 1, 1, 0, 255]]), grid)
    >>> areas(before).round(2).iloc[0].to_dict()
    {'pixels': 3.0, 'least': 3.0, 'best': 3.0, 'most': 4.0, 'not_observed_km2': 1.0, \
'observed_share': 0.8}
    >>> after = mask_of(np.array([[1, 0, 0, 255, 1]]), grid, time="2017-10-22")
    >>> areas(compare(before, after)).loc[["lost", "gained"]].round(2).values.tolist()
    [[2.0, 2.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 2.0, 0.0]]
    """
    array = stored_classes(mask_or_change)
    if array.dtype != np.uint8 or not {"y", "x"} <= set(array.dims) <= {"time", "y", "x"}:
        raise ConfigurationError(
            "Areas need a water mask or a change map.",
            expected="a uint8 array of dimensions (y, x) or (time, y, x)",
            got=f"{array.dtype} of dimensions {tuple(map(str, array.dims))}",
            remedy="Pass what water_mask or compare returned; open a file of it with "
            "mask_and_scale=False.",
        )
    others = None if members is None else [stored_classes(member) for member in members]
    if others is not None and not intervals:
        raise ConfigurationError(
            "Other segmentations matter to intervals only.", expected="intervals=True with members"
        )
    if is_change_map(array):
        if others is not None:
            raise ConfigurationError(
                "A change map has no members.",
                expected="a water mask",
                remedy="Pass the masks of the two dates.",
            )
        return _change_areas(array, at, intervals=intervals)
    return _water_areas(array, at, others or [], intervals=intervals)


def is_change_map(array: xr.DataArray) -> bool:
    """Say whether an array is a change map, by its flags or the masks that it carries."""
    flags = str(array.attrs.get("flag_meanings", "")).split()
    return "lost" in flags or "water_before" in array.coords


# --- water masks ----------------------------------------------------------------


def _water_areas(
    mask: xr.DataArray,
    at: tuple[float, float] | None,
    members: list[xr.DataArray],
    *,
    intervals: bool,
) -> pd.DataFrame:
    dated = mask.transpose("time", "y", "x") if "time" in mask.dims else mask.expand_dims("time")
    grid = grid_of(mask)
    areas_of = pixel_areas(grid)
    dates = [dated.isel(time=number).data for number in range(dated.sizes["time"])]
    region = _region(dates, grid, at)
    of_members = [_best_of(member, mask, region, areas_of) for member in members]
    rows = [
        water_row(date, region, areas_of, [best[number] for best in of_members])
        for number, date in enumerate(dates)
    ]
    if not intervals:
        rows = [{name: row[name] for name in row if name not in INTERVALS} for row in rows]
    table = pd.DataFrame(rows, index=_times(dated))
    table.attrs["units"] = "km2"
    return table


def water_row(
    date: Any, region: Any, areas_of: PixelAreas, members: Sequence[float] = ()
) -> dict[str, float]:
    """Measure the water of one date, with its intervals.

    Parameters
    ----------
    date : array of uint8, shape (y, x)
        Water mask.
    region : ndarray of uint8, shape (y, x), or None
        From `body_region`; None for all water.
    areas_of : PixelAreas
        Areas of the pixels.
    members : sequence of float
        The same area by other segmentations, km².

    Returns
    -------
    dict
        The columns of `areas`.
    """
    sums = _summed([date], region, areas_of, shores=True)
    row = _water_row(sums)
    if not sums.pixels[SURE, :UNSEEN].any():
        return row | UNKNOWN
    _, shore, squared = sums.sides[0].tolist()
    return row | interval_of(row["best"], shore, squared, np.array(members))


def _water_row(sums: Sums) -> dict[str, float]:
    """Turn the sums per (region, state) into a row with bounds."""
    pixels, km2, _ = sums
    observed = float(km2[SURE, 1])
    unseen = math.fsum(km2[POSSIBLE:, 2])
    whole = math.fsum(km2[POSSIBLE:].ravel())
    return {
        "pixels": int(pixels[SURE, 1]),
        "least": observed,
        "best": observed,
        "most": math.fsum(km2[POSSIBLE:, 1:].ravel()),
        "not_observed_km2": unseen,
        "observed_share": (whole - unseen) / whole if whole > 0 else math.nan,
    }


def _best_of(
    member: xr.DataArray, mask: xr.DataArray, region: Any, areas_of: PixelAreas
) -> list[float]:
    """Sum the water of each date by another segmentation, in the same region."""
    if set(member.dims) != set(mask.dims) or not same_grid(grid_of(member), grid_of(mask)):
        raise ConfigurationError(
            "A member is no mask of the same pixels.",
            expected=describe_grid(grid_of(mask)),
            got=describe_grid(grid_of(member)),
            remedy="Pass water_mask of what segment_again returned.",
        )
    member = member if "time" in member.dims else member.expand_dims("time")
    dates = [date.data for date in member.transpose("time", "y", "x")]
    return [_water_row(_summed([date], region, areas_of))["best"] for date in dates]


def _times(dated: xr.DataArray) -> pd.DatetimeIndex:
    count = dated.sizes["time"]
    times = dated["time"].values if "time" in dated.coords else np.full(count, "NaT", "M8[ns]")
    return pd.DatetimeIndex(times.astype("datetime64[ns]"), name="time")


# --- change maps ----------------------------------------------------------------


def _change_areas(
    change: xr.DataArray, at: tuple[float, float] | None, *, intervals: bool
) -> pd.DataFrame:
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
    region, areas_of = _region(dates, grid, at), pixel_areas(grid)
    sums = _summed(dates, region, areas_of, shores=intervals)
    table = pd.DataFrame(_change_rows(sums)).set_index("class")
    if intervals:
        table = table.join(pd.DataFrame.from_dict(_change_intervals(table, sums), orient="index"))
    if SHIFT_FLAGS in change.coords:
        flags = change.coords[SHIFT_FLAGS].transpose("y", "x").data
        flagged = elementwise(_flagged, change.data, flags)
        km2 = _summed([flagged], region, areas_of).km2
        lost, gained = (float(km2[SURE, state]) for state in (1, 2))
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
            "Values that a change map does not have.",
            expected="0, 1, 2, 3 and 255",
            got=", ".join(map(str, strange)),
        )
    return known if mask is None else np.where(change == NOT_OBSERVED, mask, known)


def _change_rows(sums: Sums) -> Iterator[dict[str, Any]]:
    """Turn the sums per (region, before, after) into rows with bounds."""
    pixels, km2, _ = sums
    for (before, after), number in CLASS_OF.items():
        may = _may_be(before)[:, None] & _may_be(after)[None, :]
        observed = km2[SURE, before, after]
        most = math.fsum(km2[POSSIBLE:, may].ravel())
        yield _row(CLASS_NAMES[number], pixels[SURE, before, after], observed, observed, most)
    unseen = np.ones((3, 3), dtype=bool)
    unseen[:2, :2] = False
    hidden = math.fsum(km2[POSSIBLE:, unseen].ravel())
    yield _row("not observed", pixels[POSSIBLE:, unseen].sum(), hidden, hidden, hidden)
    for name, axis in (("water before", 1), ("water after", 2)):
        by_state, count = np.moveaxis(km2, axis, 1), np.moveaxis(pixels, axis, 1)[SURE, 1].sum()
        observed = math.fsum(by_state[SURE, 1])
        yield _row(name, count, observed, observed, math.fsum(by_state[POSSIBLE:, 1:].ravel()))
    yield _net_change(pixels, km2)


def _change_intervals(table: pd.DataFrame, sums: Sums) -> dict[str, dict[str, float]]:
    """Compute the interval of each area that has a shore."""
    pixels, found = sums.pixels[SURE], {}
    seen = {"water before": pixels[:UNSEEN], "water after": pixels[:, :UNSEEN]}
    for name, shores in SHORES_OF_CHANGE.items():
        if not seen.get(name, pixels[:UNSEEN, :UNSEEN]).any():
            found[name] = UNKNOWN
            continue
        best = float(table["best"][name])
        least = -math.inf if name == "net change" else 0.0
        found[name] = bounds(best, change_variance(sums.sides, shores), least=least)
    return found


def _net_change(pixels: Counts, km2: Counts) -> dict[str, Any]:
    """Bound the water after less the water before, pixel by pixel."""
    low, high = [], []
    for before in range(3):
        for after in range(3):
            least = (after == 1) - (before != 0)
            most = (after != 0) - (before == 1)
            # In the possible part a pixel may also not belong to the body at all.
            sure, possible = km2[SURE, before, after], km2[POSSIBLE, before, after]
            low += [least * sure, min(least, 0) * possible]
            high += [most * sure, max(most, 0) * possible]
    best = km2[SURE, 0, 1] - km2[SURE, 1, 0]
    count = pixels[SURE, 0, 1] - pixels[SURE, 1, 0]
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


# --- summing --------------------------------------------------------------------


def _region(dates: list[Any], grid: GeoBox, at: tuple[float, float] | None) -> Any:
    """Say where the water is looked for: everywhere, or in the body of water at a place."""
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


def _water_and_unseen(*dates: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Flag water on any date (1), and a date on which nothing was observed (2)."""
    states = [water_states(date) for date in dates]
    water = np.any([state == 1 for state in states], axis=0)
    unseen = np.any([state == 2 for state in states], axis=0)
    flags: NDArray[np.uint8] = water.astype(np.uint8) + np.uint8(2) * unseen.astype(np.uint8)
    return flags


def _summed(dates: list[Any], region: Any, areas_of: PixelAreas, *, shores: bool = False) -> Sums:
    """Sum up per region (0, POSSIBLE, SURE) and state on each date; the shores if asked for."""
    shape = (3,) * (1 + len(dates))
    if region is None:
        codes = elementwise(partial(_codes, np.uint8(SURE)), *dates)
    else:
        codes = elementwise(_codes, region, *dates)
    where, *states = np.indices(shape).reshape(len(shape), -1)
    kinds = shore_kinds(where == SURE, *states) if shores else None
    pixels, km2, sides = sum_up(codes, areas_of, math.prod(shape), kinds)
    return Sums(pixels.reshape(shape), km2.reshape(shape), sides)


def _codes(region: Any, *dates: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Write what is known of a pixel as a number in base 3: region, then state on each date."""
    code: Any = region
    for date in dates:
        code = np.uint8(3) * code + water_states(date)
    return np.asarray(code)
