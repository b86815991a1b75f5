"""How sure a mapped area of water is, without a reference.

A mask knows whole pixels only. Along the shore each is rounded to water or land, and all of
them may be rounded to the same side: where the ground beside a lake is wet, or the sensor
blurs, a decision that is fair elsewhere puts the whole shore too far out or in. The first kind
of error grows as the root of the number of shore pixels, the second as the number itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.prepare.classes import LAND, WATER

ROUNDED = math.sqrt(1 / 12)
"""Spread of the rounding of one shore pixel, in pixels: the fraction that is cut off or added
is spread evenly from minus to plus one half."""

TOGETHER = 0.058
"""Spread of what all shore pixels of a scene have in common, in pixels. Measured on 120 simulated
lakes: `python benchmarks/interval_coverage.py --calibrate 120`."""

SPREADS = {90: 1.59, 95: 1.82}
"""How many spreads to each side hold the truth in so many of 100 cases: half-way between what was
measured on the same lakes (1.54, 1.69), which are few for the tails, and the normal
distribution's (1.64, 1.96), whose tails are longer than those of a common error."""


def shore_edges(mask: Any) -> Any:
    """Count for each pixel of water the sides on which it borders observed land.

    Parameters
    ----------
    mask : ndarray or dask.array.Array of uint8, shape (y, x)
        A water mask: 0 not water, 1 water, 255 not observed.

    Returns
    -------
    ndarray or dask.array.Array of uint8, shape (y, x)
        0 to 4; 0 for what is not water.

    Examples
    --------
    >>> shore_edges(np.array([[0, 1, 1, 255], [0, 0, 1, 0]], np.uint8)).tolist()
    [[0, 2, 0, 0], [0, 0, 2, 0]]
    """
    if hasattr(mask, "__dask_graph__"):
        import dask.array as da

        return da.map_overlap(  # type: ignore[no-untyped-call]  # Dask is untyped
            shore_edges, mask, depth=1, boundary="none", dtype=np.uint8, meta=np.empty((0, 0), "u1")
        )
    edges = np.zeros(mask.shape, np.uint8)
    for axis in (0, 1):
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        for here, there in ((tuple(before), tuple(after)), (tuple(after), tuple(before))):
            edges[here] += (mask[here] == WATER) & (mask[there] == LAND)
    return edges


def interval_of(
    best: float, shore: float, squared: float, members: NDArray[np.float64] | None = None
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
    variance = shore_variance(shore, squared)
    if members is not None and len(members) > 1:
        variance += float(np.var(members, ddof=1))
    return {name: float(bound) for name, bound in bounds(best, variance).items()}


def shore_variance(shore: Any, squared: Any) -> Any:
    """Compute the variance of an area, km⁴, by its shore.

    Parameters
    ----------
    shore, squared : float or ndarray of float64
        As for `interval_of`, of one area or of many.

    Returns
    -------
    float or ndarray of float64
    """
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
    ([0.0, 8.18], [2.82, 11.82])
    """
    spread = np.sqrt(variance)
    found = {}
    for percent, spreads in SPREADS.items():
        found[f"low_{percent}"] = np.maximum(least, best - spreads * spread)
        found[f"high_{percent}"] = best + spreads * spread
    return found
