"""Lines of equal value through a map, between the centres of its pixels.

Positions are in pixels as in `strandline.change.outline`: the centre of the first pixel is at
(0.5, 0.5), and the higher values lie to the left of a line, as if y ran upwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.errors import ConfigurationError

STRIPE = 1024
"""Rows that are contoured at a time; the lines are joined where stripes meet."""

DIGITS = 9
"""Positions are rounded to so many decimals of a pixel, so that ends that meet are equal."""

Floats = NDArray[np.float64]


def contour_lines(values: Any, level: float) -> list[Floats]:
    """Draw the lines on which a map has a value.

    The value is taken for linear along the line between the centres of two pixels. Where one of
    four neighbours has no value (NaN), no line is drawn between them; a line that comes there
    ends.

    Parameters
    ----------
    values : array of float, shape (y, x)
        In memory or a Dask array, which is computed stripe by stripe.
    level : float
        The value.

    Returns
    -------
    list of ndarray of shape (points, 3)
        x, y, and how steep the values are there (per pixel, at the centre of the pixel that
        the point is in). A closed line ends with its first point. In the order of the stripes.
        Consecutive points differ, and no line turns back on itself: where a pixel has just the
        value, a line around it encloses nothing, and is left out.
    """
    loose: list[Floats] = []
    ends: dict[tuple[float, float], list[Floats]] = {}
    for lines in _stripes(values, level):
        for line in lines:
            if _closed(line):
                loose.append(line)
            else:
                ends.setdefault(_key(line[0]), []).append(line)
    return [line for line in map(without_spikes, loose + _joined(ends)) if len(line) > 1]


def without_spikes(line: Floats) -> Floats:
    """Return a line without repeated points and without parts that go out and back the same way.

    Parameters
    ----------
    line : ndarray of float64, shape (points, 2 or more)
        x, y, and what else is known of each point. A closed line ends with its first point.

    Returns
    -------
    ndarray of float64
        The points that are left. A closed line stays closed; of one that encloses nothing, or
        an open one that returns to where it began the same way, no more than a point is left.

    Examples
    --------
    >>> without_spikes(np.array([[0, 0], [1, 0], [2, 0], [1, 0], [1, 1.0]])).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    if not _turns_back(line[:, :2]):
        return line
    closed = len(line) > 2 and bool((line[0, :2] == line[-1, :2]).all())
    places = [_key(point) for point in line]
    kept: list[int] = []
    for number, place in enumerate(places):
        while len(kept) > 1 and places[kept[-2]] == place:
            kept.pop()  # the way back of a spike
        if not kept or places[kept[-1]] != place:
            kept.append(number)
    if closed:  # a spike may lie where the line begins and ends
        while len(kept) > 3 and places[kept[1]] == places[kept[-2]]:
            kept = kept[1:-1]
    return line[kept]


def _turns_back(points: Floats) -> bool:
    """Return whether a point of a line is the one before it, or the one before that."""
    closed = len(points) > 2 and bool((points[0] == points[-1]).all())
    around = np.concatenate([points, points[1:2]]) if closed else points
    repeated = (around[1:] == around[:-1]).all(axis=1)
    reversed_ = (around[2:] == around[:-2]).all(axis=1)
    return bool(repeated.any() or reversed_.any())


def _stripes(values: Any, level: float) -> Iterator[list[Floats]]:
    from contourpy import LineType, contour_generator

    rows, columns = values.shape
    if columns < 2:
        return
    for top in range(0, rows - 1, STRIPE):
        # The last row of a stripe is the first of the next. Slopes need one more on both sides.
        above, below = min(top, 1), top + STRIPE + 1
        part = np.asarray(values[top - above : below + 1], dtype=np.float64)
        _check(part)
        steep = _steepness(part)
        inner = part[above : above + STRIPE + 1]
        generator = contour_generator(
            x=np.arange(columns) + 0.5,
            y=np.arange(top, top + len(inner)) + 0.5,
            z=np.ma.masked_invalid(inner, copy=False),
            corner_mask=False,
            line_type=LineType.Separate,
        )
        lines = []
        for line in generator.lines(level):
            points: Floats = np.round(np.asarray(line), DIGITS)
            row = np.clip(points[:, 1].astype(int) - top + above, 0, len(part) - 1)
            column = np.clip(points[:, 0].astype(int), 0, columns - 1)
            lines.append(np.column_stack([points, steep[row, column]]))
        yield lines


def _check(part: Floats) -> None:
    with np.errstate(invalid="ignore"):
        wrong = (part < 0) | (part > 1)
    if wrong.any():
        raise ConfigurationError(
            "The water fraction holds impossible values.",
            expected="0 to 1, and NaN where nothing was observed",
            got=f"{part[wrong][0]:g}",
            remedy="Pass what water_fraction returned, or a water mask of uint8.",
        )


def _steepness(values: Floats) -> Floats:
    """Say how much the values change per pixel; NaN where a neighbour was not observed."""
    squared = np.zeros(values.shape)
    for axis in (0, 1):
        if values.shape[axis] > 1:
            squared += np.gradient(values, axis=axis) ** 2
    steep: Floats = np.sqrt(squared)
    return steep


def _closed(line: Floats) -> bool:
    return len(line) > 2 and _key(line[0]) == _key(line[-1])


def _key(point: Floats) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def _joined(starting: dict[tuple[float, float], list[Floats]]) -> list[Floats]:
    """Put lines together that go on where another one ends."""
    ending = {_key(line[-1]) for lines in starting.values() for line in lines}
    # Those that continue no other come first: then only rings are left.
    heads = [point for point in starting if point not in ending]
    joined = []
    for point in [*heads, *starting]:
        while starting[point]:
            parts: list[Floats] = []
            end = point
            while starting.get(end):
                line = starting[end].pop(0)
                parts.append(line if not parts else line[1:])
                end = _key(line[-1])
            joined.append(np.concatenate(parts))
    return joined
