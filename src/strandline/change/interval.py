"""How sure a mapped area of water is, without a reference.

A mask knows whole pixels only. Along the shore each is rounded to water or land, and all of
them may be rounded to the same side: where the ground beside a lake is wet, or the sensor
blurs, a decision that is fair elsewhere puts the whole shore too far out or in. The first kind
of error grows as the root of the number of shore pixels, the second as the number itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.prepare.classes import LAND, WATER

ROUNDED = math.sqrt(1 / 12)
"""Spread of the rounding of one shore pixel, in pixels: the fraction that is cut off or added
is spread evenly from minus to plus one half."""

TOGETHER = 0.059
"""Spread of what all shore pixels of a scene have in common, in pixels. Measured on 2,400 simulated
lakes: `python benchmarks/interval_coverage.py --calibrate`."""

SPREADS = {90: 1.65, 95: 2.00}
"""How many spreads to each side hold the truth in so many of 100 cases: measured on the same
lakes. The normal distribution's are 1.64 and 1.96."""


_BEFORE, _AFTER = 0, 1  # sides of water on a date, whatever the other date
_LEFT, _KEPT = 2, 3  # sides of water before, that are not both water after; not both land after
_NEW, _OLD = 4, 5  # sides of water after, that were not both water before; not both land before
_BOTH_BEFORE, _BOTH_AFTER = 6, 7  # sides where both dates were observed

SHORES_OF_CHANGE = {
    "stable land": (_LEFT, _NEW),
    "stable water": (_KEPT, _OLD),
    "lost": (_LEFT, _OLD),
    "gained": (_KEPT, _NEW),
    "water before": (_BEFORE,),
    "water after": (_AFTER,),
    "net change": (_BOTH_BEFORE, _BOTH_AFTER),
}
"""The kinds of sides that bound each area; where nothing moved, they are those of both dates."""

_DATE_OF_SHORE = {
    **dict.fromkeys((_BEFORE, _LEFT, _KEPT, _BOTH_BEFORE), 0),
    **dict.fromkeys((_AFTER, _NEW, _OLD, _BOTH_AFTER), 1),
}

INTERVALS = tuple(f"{side}_{percent}" for percent in SPREADS for side in ("low", "high"))
"""Columns of intervals, in the order of tables."""

UNKNOWN = dict.fromkeys(INTERVALS, math.nan)
"""Intervals where nothing was observed: there is no shore to go by, and 0 would be a claim."""


def shore_kinds(
    counted: NDArray[np.bool_], before: NDArray[Any], after: NDArray[Any] | None = None
) -> NDArray[np.uint8]:
    """Tell apart the sides of pixels between water and observed land.

    Parameters
    ----------
    counted : ndarray of bool, shape (codes,)
        Whether pixels of this code belong to what is measured.
    before, after : ndarray of int, shape (codes,)
        0 land, 1 water, 2 not observed, on the date or on both dates.

    Returns
    -------
    ndarray of uint8, shape (codes + 1, codes + 1)
        For `strandline.change.summing.sum_up`: bits by the code of the water and of the pixel
        beside it. Bit 0 is the shore of the first date; for two dates see `SHORES_OF_CHANGE`.

    Examples
    --------
    >>> shore_kinds(np.array([True, True, True]), np.array([0, 1, 2])).tolist()
    [[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """
    dates = [np.append(states, 2) for states in (before, after) if states is not None]
    counted = np.append(counted, False)[:, None]
    shores = [counted & (states[:, None] == WATER) & (states[None] == LAND) for states in dates]
    kinds = [(_BEFORE, shores[0])]
    if len(dates) == 2:
        seen = np.all([states < 2 for states in dates], axis=0)
        seen = seen[:, None] & seen[None]
        some, every = (
            [join(states[:, None] == WATER, states[None] == WATER) for states in dates]
            for join in (np.logical_or, np.logical_and)
        )
        first, second = (shore & seen for shore in shores)
        kinds += [
            (_AFTER, shores[1]),
            (_LEFT, first & ~every[1]),
            (_KEPT, first & some[1]),
            (_NEW, second & ~every[0]),
            (_OLD, second & some[0]),
            (_BOTH_BEFORE, first),
            (_BOTH_AFTER, second),
        ]
    table = np.zeros((len(counted),) * 2, np.uint8)
    for kind, sides in kinds:
        table |= sides.astype(np.uint8) << np.uint8(kind)
    return table


def change_variance(
    sides: NDArray[np.float64], shores: Sequence[int], oversampling: Sequence[float] = (1.0, 1.0)
) -> float:
    """Compute the variance of an area of change, km⁴.

    The dates are taken to err independently. On simulated pairs the correlation of what pulls
    their shores is 0.25, which makes the intervals of changes a little too wide.

    Parameters
    ----------
    sides : ndarray of float64, shape (kinds, 3)
        From `strandline.change.summing.sum_up`.
    shores : sequence of int
        From `SHORES_OF_CHANGE`: one kind of side per date.
    oversampling : (float, float)
        Of the two dates, as for `shore_variance`.

    Returns
    -------
    float
    """
    return sum(
        float(shore_variance(sides[kind, 1], sides[kind, 2], oversampling[_DATE_OF_SHORE[kind]]))
        for kind in shores
    )


def interval_of(
    best: float,
    shore: float,
    squared: float,
    members: NDArray[np.float64] | None = None,
    oversampling: float = 1.0,
) -> dict[str, float]:
    """Compute the intervals of an area.

    Parameters
    ----------
    best : float
        Area in km².
    shore, squared : float
        Sum over the sides of shore pixels of the pixel's area, and of its square.
    members : ndarray of shape (n_members,), optional
        The same area by other segmentations, whose variance is added.
    oversampling : float
        As for `shore_variance`.

    Returns
    -------
    dict
        ``low_90``, ``high_90``, ``low_95``, ``high_95`` in km².

    Examples
    --------
    A square of 10 × 10 pixels of 1 km² has 40 sides.

    >>> found = interval_of(100.0, 40.0, 40.0)
    >>> found["low_95"] < found["low_90"] < 100 < found["high_90"] < found["high_95"]
    True
    """
    variance = shore_variance(shore, squared, oversampling)
    if members is not None and len(members) > 1:
        variance += float(np.var(members, ddof=1))
    return {name: float(bound) for name, bound in bounds(best, variance).items()}


def nothing_observed(row: Mapping[Any, Any]) -> bool:
    """Say whether nothing was observed of an area, so that its ``best`` of 0 is no finding.

    Parameters
    ----------
    row : mapping
        Row of `strandline.areas` with intervals.

    Returns
    -------
    bool
        Whether the area is unknown. An area without a shore, as that of what was not observed,
        has no intervals either, but is known.

    Examples
    --------
    >>> nothing_observed({"least": 0.0, "best": 0.0, "most": 4.0, **UNKNOWN})
    True
    >>> nothing_observed({"least": 4.0, "best": 4.0, "most": 4.0, **UNKNOWN})
    False
    """
    intervals = [row[name] for name in INTERVALS if name in row]
    unknown = bool(intervals) and all(math.isnan(bound) for bound in intervals)
    return unknown and bool(row["least"] < row["most"])


def shore_variance(shore: Any, squared: Any, oversampling: float = 1.0) -> Any:
    """Compute the variance of an area, km⁴, by its shore.

    What is rounded, and what is pulled to one side, are pixels of the data. Where m pixels of a
    finer grid lie along the side of one, n sides on the grid are n/m sides of pixels m² as
    large: the sum of their areas is m times as large, that of the squares m³ times.

    Parameters
    ----------
    shore, squared : float or ndarray of float64
        As for `interval_of`, of one area or of many.
    oversampling : float
        Pixels of the grid along the side of a pixel of the data, 1 or more.

    Returns
    -------
    float or ndarray of float64
    """
    if oversampling > 1.0:
        shore, squared = shore * oversampling, squared * oversampling**3
    return ROUNDED**2 * squared + (TOGETHER * shore) ** 2


def bounds(best: Any, variance: Any, *, least: float = 0.0) -> dict[str, Any]:
    """Turn variances into intervals.

    Parameters
    ----------
    best : float or ndarray of float64
        Areas, km².
    variance : float or ndarray of float64
        Their variances, km⁴.
    least : float
        No area is below this: 0, but for differences of areas.

    Returns
    -------
    dict
        ``low_90``, ``high_90``, ``low_95``, ``high_95`` in km².

    Examples
    --------
    >>> found = bounds(np.array([1.0, 10.0]), 1.0)
    >>> found["low_95"].round(2).tolist(), found["high_95"].round(2).tolist()
    ([0.0, 8.0], [3.0, 12.0])
    """
    spread = np.sqrt(variance)
    found = {}
    for percent, spreads in SPREADS.items():
        found[f"low_{percent}"] = np.maximum(least, best - spreads * spread)
        found[f"high_{percent}"] = best + spreads * spread
    return found
