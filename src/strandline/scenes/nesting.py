"""Files of one scene whose pixels differ in size: coarser pixels on the finest grid.

Sentinel-2 has pixels of 10, 20 and 60 m whose edges fall on one another. A coarse pixel then
covers a whole number of fine ones, and each of these gets its value: nothing is interpolated, so
no spectrum appears that was not measured. A file that ends a part of a coarse pixel earlier than
the finest one leaves a rim without values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

_CLOSE = 1e-3  # of a fine pixel: what writing corners as decimals may cost


@dataclass(frozen=True)
class Nesting:
    """Where a file's pixels lie on the finest grid.

    Parameters
    ----------
    ratio : (int, int)
        Rows and columns of the finest grid that one pixel covers.
    start : (int, int)
        Row and column of the finest grid where the file begins; may be negative.
    shape : (int, int)
        Rows and columns of the file.
    """

    ratio: tuple[int, int]
    start: tuple[int, int]
    shape: tuple[int, int]

    def covers(self, shape: tuple[int, int]) -> bool:
        """Whether the file has a pixel for every one of a finest grid of this shape."""
        return all(
            start <= 0 and start + ratio * size >= whole
            for ratio, start, size, whole in zip(
                self.ratio, self.start, self.shape, shape, strict=True
            )
        )

    def window(self, first: int, count: int, axis: int) -> tuple[int, int]:
        """First row (column) of the file that a piece of the finest grid needs, and how many."""
        ratio, start, size = self.ratio[axis], self.start[axis], self.shape[axis]
        low = max(0, (first - start) // ratio)
        high = min(size, -((start - first - count) // ratio))
        return low, max(0, high - low)


def nest(
    fine: tuple[Affine, tuple[int, int]], coarse: tuple[Affine, tuple[int, int]]
) -> Nesting | None:
    """Find where a coarser grid lies on a finer one.

    Parameters
    ----------
    fine, coarse : (Affine, (int, int))
        Transform, and rows and columns; both north-up and in one CRS.

    Returns
    -------
    Nesting or None
        None unless all edges of coarse pixels are edges of fine ones, and the two extents differ
        by less than one coarse pixel on every side.

    Examples
    --------
    >>> fine = Affine(10, 0, 0, 0, -10, 100), (10, 10)
    >>> nest(fine, (Affine(20, 0, 10, 0, -20, 110), (5, 5)))
    Nesting(ratio=(2, 2), start=(-1, 1), shape=(5, 5))
    >>> nest(fine, (Affine(20, 0, 5, 0, -20, 100), (5, 5))) is None
    True
    """
    (a, fine_shape), (b, shape) = fine, coarse
    if not (a.b == a.d == b.b == b.d == 0 and a.a and a.e):
        return None
    # As measured in fine pixels; rows first.
    ratios, starts = (b.e / a.e, b.a / a.a), ((b.f - a.f) / a.e, (b.c - a.c) / a.a)
    if not all(np.isfinite(value) for value in (*ratios, *starts)):
        return None
    ratio, start = [round(value) for value in ratios], [round(value) for value in starts]
    for axis in range(2):
        whole, size = fine_shape[axis], shape[axis]
        # A pixel that is off by a little is off by more at the file's other end.
        drift = abs(ratios[axis] - ratio[axis]) * size
        after = start[axis] + ratio[axis] * size - whole
        if (
            ratio[axis] < 1
            or abs(starts[axis] - start[axis]) > _CLOSE
            or drift > _CLOSE
            or abs(start[axis]) >= ratio[axis]
            or abs(after) >= ratio[axis]
        ):
            return None
    return Nesting((ratio[0], ratio[1]), (start[0], start[1]), shape)


def finest(grids: Sequence[tuple[Affine, tuple[int, int]]]) -> int:
    """Index of the grid with the smallest pixels; the first of several."""
    return min(range(len(grids)), key=lambda i: abs(grids[i][0].a * grids[i][0].e))


def blank_for(dtype: np.dtype[Any], nodata: float | None) -> tuple[np.dtype[Any], Any]:
    """Choose the number that stands for no value in the rim, and a type that holds it.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the file.
    nodata : float or None
        The file's own number for no value, if it has one.

    Returns
    -------
    (numpy.dtype, number)
        Without a number of its own, an integer file is read as the next wider type, whose lowest
        number no pixel can have.

    Examples
    --------
    >>> blank_for(np.dtype("int16"), -32768.0)
    (dtype('int16'), -32768)
    >>> blank_for(np.dtype("uint16"), None)
    (dtype('int32'), -2147483648)
    """
    if dtype.kind not in "iu":
        return dtype, np.nan if nodata is None else nodata
    limits = np.iinfo(dtype)
    if nodata is not None and float(nodata).is_integer() and limits.min <= nodata <= limits.max:
        return dtype, int(nodata)
    for wider in ("int16", "int32", "int64"):
        candidate = np.dtype(wider)
        if candidate.itemsize > dtype.itemsize:
            return candidate, int(np.iinfo(candidate).min)
    return np.dtype("float64"), np.nan


def spread(
    values: NDArray[Any],
    nesting: Nesting,
    origin: tuple[int, int],
    place: tuple[int, int, int, int],
    blank: Any,
) -> NDArray[Any]:
    """Repeat coarse pixels over a piece of the finest grid.

    Parameters
    ----------
    values : array (band, row, column)
        The window of the file that :meth:`Nesting.window` names, in its final type.
    nesting : Nesting
    origin : (int, int)
        Row and column of the file where the window begins.
    place : (int, int, int, int)
        First row, first column, rows and columns of the piece.
    blank : number
        For the rim.

    Returns
    -------
    array (band, rows, columns)

    Examples
    --------
    >>> two = np.array([[[7, 8]]])
    >>> spread(two, Nesting((2, 2), (0, 0), (1, 2)), (0, 0), (0, 0, 2, 5), -1)[0].tolist()
    [[7, 7, 8, 8, -1], [7, 7, 8, 8, -1]]
    """
    top, left, rows, columns = place
    down = (np.arange(top, top + rows) - nesting.start[0]) // nesting.ratio[0]
    across = (np.arange(left, left + columns) - nesting.start[1]) // nesting.ratio[1]
    held_rows = (down >= 0) & (down < nesting.shape[0])
    held_columns = (across >= 0) & (across < nesting.shape[1])
    result = np.full((len(values), rows, columns), blank, values.dtype)
    if values.size:
        repeated = values[:, (down - origin[0])[held_rows]][
            :, :, (across - origin[1])[held_columns]
        ]
        # Both masks are runs of True, so the filled part is a rectangle.
        first_row, first_column = int(np.argmax(held_rows)), int(np.argmax(held_columns))
        result[
            :,
            first_row : first_row + repeated.shape[1],
            first_column : first_column + repeated.shape[2],
        ] = repeated
    return result
