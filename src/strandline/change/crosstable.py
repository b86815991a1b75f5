"""From which class on one date to which on another: areas of all pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.change.pixel_area import pixel_areas
from strandline.change.summing import TILE
from strandline.errors import ConfigurationError, GridMismatchError, MissingCRSError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import describe_grid, grid_of, same_grid


def crosstable(before: xr.DataArray, after: xr.DataArray, n_classes: int) -> pd.DataFrame:
    """Sum up the area of every pair of classes, from one date to another.

    Parameters
    ----------
    before, after : DataArray of uint8, shape (y, x)
        Classes 0 to ``n_classes - 1``, or 255 where not observed. May be lazy.
    n_classes : int
        Number of classes.

    Returns
    -------
    DataFrame
        A row per class before, a column per class after, 255 being the last of each. The
        attribute ``units`` says whether the values are ``"km2"``, true areas as of
        `strandline.areas`, or ``"pixels"``, where there is no CRS.

    Raises
    ------
    GridMismatchError
        If the two are on different grids.
    ConfigurationError
        If there are values beyond the classes.

    Examples
    --------
    >>> from strandline.testing.lakes import lake_grid, mask_of
    >>> grid = lake_grid((1, 4), resolution=1000.0)
    >>> before, after = (mask_of(np.array([row]), grid) for row in ([0, 1, 1, 255], [0, 0, 1, 1]))
    >>> crosstable(before, after, 2).round(2).values.tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    """
    before, after = (stored_classes(one).transpose("y", "x") for one in (before, after))
    areas_of = None
    try:
        grids = grid_of(before), grid_of(after)
    except MissingCRSError:
        alike = before.shape == after.shape
        sizes = tuple(f"{one.shape[0]} × {one.shape[1]} pixels" for one in (before, after))
    else:
        alike = same_grid(*grids)
        sizes = tuple(describe_grid(grid) for grid in grids)
        areas_of = pixel_areas(grids[0])
    if not alike:
        raise GridMismatchError(
            "The two maps of classes are not on one grid.", expected=sizes[0], got=sizes[1]
        )
    names = [*range(n_classes), NOT_OBSERVED]
    parts = []
    rows, columns = before.shape
    for y in range(0, rows, TILE):
        for x in range(0, columns, TILE):
            here = slice(y, min(y + TILE, rows)), slice(x, min(x + TILE, columns))
            pairs = _pairs(np.asarray(before[here]), np.asarray(after[here]), n_classes)
            weights = None if areas_of is None else np.nan_to_num(areas_of.block(*here).ravel())
            parts.append(np.bincount(pairs, weights, minlength=len(names) ** 2))
    # fsum is exact, so not even the order of the tiles matters.
    sums = np.array([math.fsum(column) for column in zip(*parts, strict=True)])
    table = pd.DataFrame(sums.reshape(len(names), -1), index=names, columns=names)
    table.index.name, table.columns.name = "before", "after"
    table.attrs["units"] = "pixels" if areas_of is None else "km2"
    return table


def _pairs(
    before: NDArray[np.uint8], after: NDArray[np.uint8], n_classes: int
) -> NDArray[np.integer[Any]]:
    """Give each pair of classes a number; what was not observed is one class more."""
    known = np.full(256, -1)
    known[:n_classes] = np.arange(n_classes)
    known[NOT_OBSERVED] = n_classes
    first, second = known[before], known[after]
    if min(first.min(), second.min()) < 0:
        raise ConfigurationError(
            "Values that are no classes.",
            expected=f"0 to {n_classes - 1}, and {NOT_OBSERVED}",
            got=", ".join(map(str, np.unique([*before[first < 0], *after[second < 0]]))),
        )
    pairs: NDArray[np.integer[Any]] = (first * (n_classes + 1) + second).ravel()
    return pairs
