"""From which class on one date to which on another: areas of all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.change.pixel_area import PixelAreas, pixel_areas
from strandline.change.summing import TILE
from strandline.errors import ConfigurationError, GridMismatchError, MissingCRSError
from strandline.prepare.classes import NOT_OBSERVED, stored_classes
from strandline.prepare.georeference import describe_grid, grid_of, same_grid

_NO_CLASS = 1 << 20  # above the number of any pair, and its product with 256 fits into int32


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
    return crosstables([(before, after, n_classes)])[0]


def crosstables(
    pairs: Sequence[tuple[xr.DataArray, xr.DataArray, int]],
) -> list[pd.DataFrame]:
    """Make several of these tables in one pass over the pixels.

    Parameters
    ----------
    pairs : sequence of (DataArray, DataArray, int)
        Before, after, and number of classes, as for `crosstable`; all on one grid.

    Returns
    -------
    list of DataFrame
        As `crosstable` gives each.

    Raises
    ------
    GridMismatchError, ConfigurationError
        As `crosstable`.
    """
    maps = [
        stored_classes(one).transpose("y", "x")
        for before, after, _ in pairs
        for one in (before, after)
    ]
    areas_of = _areas_of(maps)
    counts = [n_classes for *_, n_classes in pairs]
    parts: list[list[NDArray[np.float64]]] = [[] for _ in pairs]
    rows, columns = maps[0].shape
    for y in range(0, rows, TILE):
        for x in range(0, columns, TILE):
            here = slice(y, min(y + TILE, rows)), slice(x, min(x + TILE, columns))
            tiles = _read([one[here] for one in maps])
            weights = None if areas_of is None else np.nan_to_num(areas_of.block(*here)).ravel()
            for number, n_classes in enumerate(counts):
                codes = _pairs(tiles[2 * number], tiles[2 * number + 1], n_classes)
                sums = np.bincount(codes, weights, minlength=(n_classes + 1) ** 2)
                parts[number].append(sums.astype(np.float64))
    units = "pixels" if areas_of is None else "km2"
    return [_summed(part, n, units) for part, n in zip(parts, counts, strict=True)]


def _areas_of(maps: Sequence[xr.DataArray]) -> PixelAreas | None:
    """Prepare the areas of the pixels that all maps have; None without a CRS."""
    try:
        grids = [grid_of(one) for one in maps]
    except MissingCRSError:
        sizes = [f"{one.shape[0]} × {one.shape[1]} pixels" for one in maps]
        alike = [one.shape == maps[0].shape for one in maps]
        areas_of = None
    else:
        sizes = [describe_grid(grid) for grid in grids]
        alike = [same_grid(grids[0], grid) for grid in grids]
        areas_of = pixel_areas(grids[0])
    if not all(alike):
        raise GridMismatchError(
            "The two maps of classes are not on one grid.",
            expected=sizes[0],
            got=sizes[alike.index(False)],
        )
    return areas_of


def _read(tiles: Sequence[xr.DataArray]) -> list[NDArray[np.uint8]]:
    """Read a part of all maps in one go: what they are made from is read once."""
    from dask.base import compute

    read = compute(*(tile.data for tile in tiles))  # type: ignore[no-untyped-call]  # Dask is untyped
    return [np.asarray(tile) for tile in read]


def _summed(parts: Sequence[NDArray[np.float64]], n_classes: int, units: str) -> pd.DataFrame:
    names = [*range(n_classes), NOT_OBSERVED]
    # fsum is exact, so not even the order of the tiles matters.
    sums = np.array([math.fsum(column) for column in zip(*parts, strict=True)])
    table = pd.DataFrame(sums.reshape(len(names), -1), index=names, columns=names)
    table.index.name, table.columns.name = "before", "after"
    table.attrs["units"] = units
    return table


def _pairs(
    before: NDArray[np.uint8], after: NDArray[np.uint8], n_classes: int
) -> NDArray[np.integer[Any]]:
    """Give each pair of classes a number; what was not observed is one class more."""
    # A class more than there can be pairs of stands for what is none, so one look finds it.
    number = np.full(256, _NO_CLASS, np.int32)
    number[:n_classes] = np.arange(n_classes)
    number[NOT_OBSERVED] = n_classes
    # The table holds the sums for all pairs of bytes: looking up costs one pass, not several.
    table = (number[:, None] * (n_classes + 1) + number[None, :]).astype(np.int32).ravel()
    both = before.astype(np.uint16) << 8
    both |= after
    pairs: NDArray[np.integer[Any]] = table[both.ravel()]
    if pairs.max(initial=0) >= _NO_CLASS:
        wrong = [one[number[one] == _NO_CLASS] for one in (before, after)]
        raise ConfigurationError(
            "The map holds values that are not classes.",
            expected=f"0 to {n_classes - 1}, and {NOT_OBSERVED}",
            got=", ".join(map(str, np.unique(np.concatenate(wrong)))),
        )
    return pairs
