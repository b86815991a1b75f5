"""Areas in km², with bounds for what was not observed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from strandline.change.body import LIKELY, POSSIBLE, SURE, region_of
from strandline.change.change_area import change_areas
from strandline.change.interval import INTERVALS, UNKNOWN, interval_of
from strandline.change.pixel_area import PixelAreas, pixel_area, pixel_areas
from strandline.change.state_sums import sum_states
from strandline.change.states import UNSEEN
from strandline.change.summing import Sums
from strandline.errors import ConfigurationError
from strandline.prepare.classes import stored_classes
from strandline.prepare.georeference import describe_grid, grid_of, same_grid
from strandline.prepare.oversampling import oversampling_of

__all__ = ["areas", "pixel_area"]


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
          with all that was not observed. With `at`, ``least`` counts the water that is connected
          with the place through observed water, ``best`` also across gaps in the data up to 14
          pixels or 450 m wide with water on both sides (scan lines of Landsat 7);
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
        If `at` is not a place on the map.
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

    Where the grid is finer than the data, its pixels are not measurements of their own: n and
    the size of a pixel are those of the data then (coordinate ``oversampling``, which
    `strandline.regrid` sets).

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
        return change_areas(array, at, intervals=intervals)
    return _water_areas(array, at, others or [], intervals=intervals)


def is_change_map(array: xr.DataArray) -> bool:
    """Say whether an array is a change map, by its flags or the masks that it carries."""
    flags = str(array.attrs.get("flag_meanings", "")).split()
    return "lost" in flags or "water_before" in array.coords


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
    region = region_of(dates, grid, at)
    of_members = [_best_of(member, mask, region, areas_of) for member in members]
    rows = [
        water_row(date, region, areas_of, [best[number] for best in of_members], finer)
        for number, (date, finer) in enumerate(zip(dates, oversampling_of(mask), strict=True))
    ]
    if not intervals:
        rows = [{name: row[name] for name in row if name not in INTERVALS} for row in rows]
    table = pd.DataFrame(rows, index=_times(dated))
    table.attrs["units"] = "km2"
    return table


def water_row(
    date: Any,
    region: Any,
    areas_of: PixelAreas,
    members: Sequence[float] = (),
    oversampling: float = 1.0,
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
    oversampling : float
        Pixels of the grid along the side of a pixel of the data.

    Returns
    -------
    dict
        The columns of `areas`.
    """
    sums = sum_states([date], region, areas_of, shores=True)
    row = _water_row(sums)
    if not sums.pixels[LIKELY:, :UNSEEN].any():
        return row | UNKNOWN
    _, shore, squared = sums.sides[0].tolist()
    return row | interval_of(row["best"], shore, squared, np.array(members), oversampling)


def _water_row(sums: Sums) -> dict[str, float]:
    """Turn the sums per (region, state) into a row with bounds."""
    pixels, km2, _ = sums
    observed = math.fsum(km2[LIKELY:, 1])
    unseen = math.fsum(km2[POSSIBLE:, 2])
    whole = math.fsum(km2[POSSIBLE:].ravel())
    return {
        "pixels": int(pixels[LIKELY:, 1].sum()),
        "least": float(km2[SURE, 1]),
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
            "A member is not a mask of the same pixels.",
            expected=describe_grid(grid_of(mask)),
            got=describe_grid(grid_of(member)),
            remedy="Pass water_mask of what segment_again returned.",
        )
    member = member if "time" in member.dims else member.expand_dims("time")
    dates = [date.data for date in member.transpose("time", "y", "x")]
    return [_water_row(sum_states([date], region, areas_of))["best"] for date in dates]


def _times(dated: xr.DataArray) -> pd.DatetimeIndex:
    count = dated.sizes["time"]
    times = dated["time"].values if "time" in dated.coords else np.full(count, "NaT", "M8[ns]")
    return pd.DatetimeIndex(times.astype("datetime64[ns]"), name="time")
