"""Sums over maps of small numbers: pixels, their true area, and the sides that they share.

A map is summed in tiles of a fixed size, whatever its chunks, and a lazy one is computed once.
The sums over tiles are exact (`math.fsum`), so that not even their order matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strandline.change.pixel_area import PixelAreas

TILE = 1024
"""Side of a tile, pixels."""

MOST_KINDS = 8
"""Kinds of sides that can be told apart at a time: a bit each."""


class Sums(NamedTuple):
    """What was summed up.

    Attributes
    ----------
    pixels : ndarray of int64, shape (codes,)
        Number of pixels of each code.
    km2 : ndarray of float64, shape (codes,)
        Their area.
    sides : ndarray of float64, shape (kinds, 3)
        Of each kind of side its number, and the sum of the pixel's area, km², and of its square.
    """

    pixels: NDArray[np.int64]
    km2: NDArray[np.float64]
    sides: NDArray[np.float64]


def sum_up(
    codes: Any, areas_of: PixelAreas, count: int, kinds: NDArray[np.uint8] | None = None
) -> Sums:
    """Sum up a map.

    Parameters
    ----------
    codes : ndarray or dask.array.Array of uint8, shape (y, x)
        Numbers below `count`.
    areas_of : PixelAreas
        Areas of the pixels.
    count : int
        How many codes there are.
    kinds : ndarray of uint8, shape (count + 1, count + 1), optional
        What a side is that a pixel of one code (first axis) has in common with a pixel of
        another (second axis; `count` is beyond the map): a bit for each kind. Sides are
        counted from both pixels. Default: none is of interest.

    Returns
    -------
    Sums

    Examples
    --------
    >>> from strandline.change.pixel_area import pixel_areas
    >>> from strandline.testing.lakes import lake_grid
    >>> kinds = np.zeros((3, 3), np.uint8)
    >>> kinds[1, 0] = 1
    >>> grid = lake_grid((2, 4), resolution=1000.0)
    >>> water = np.array([[0, 1, 1, 1], [0, 0, 1, 0]], np.uint8)
    >>> found = sum_up(water, pixel_areas(grid), 2, kinds)
    >>> found.pixels.tolist(), found.sides[0].round(2).tolist()
    ([4, 4], [5.0, 5.0, 5.0])
    """
    corners = [range(0, size, TILE) for size in codes.shape]
    places = [(y, x) for y in corners[0] for x in corners[1]]
    rim = 0 if kinds is None else 1
    parts: list[Sums]
    if hasattr(codes, "__dask_graph__"):
        parts = _lazily(codes, places, rim, areas_of, count, kinds)
    else:
        wide = np.pad(codes, rim, constant_values=count) if rim else codes
        side = TILE + 2 * rim
        parts = [
            _tile(wide[y : y + side, x : x + side], areas_of, y, x, count, kinds) for y, x in places
        ]
    pixels = np.sum([part.pixels for part in parts], axis=0)
    km2 = _exactly([part.km2 for part in parts])
    return Sums(pixels, km2, _exactly([part.sides.ravel() for part in parts]).reshape(-1, 3))


def elementwise(function: Callable[..., NDArray[np.uint8]], *arrays: Any) -> Any:
    """Apply a function to blocks that lie on each other; lazily if any array is lazy."""
    if not any(hasattr(array, "__dask_graph__") for array in arrays):
        return function(*arrays)
    import dask.array as da

    lazy = [da.asarray(array).rechunk(TILE) for array in arrays]  # type: ignore[no-untyped-call]  # Dask is untyped
    meta = np.empty((0, 0), np.uint8)
    return da.map_blocks(function, *lazy, dtype=np.uint8, meta=meta)  # type: ignore[no-untyped-call]  # Dask is untyped


def _exactly(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.array([math.fsum(column) for column in zip(*parts, strict=True)], np.float64)


def _lazily(
    codes: Any,
    places: list[tuple[int, int]],
    rim: int,
    areas_of: PixelAreas,
    count: int,
    kinds: NDArray[np.uint8] | None,
) -> list[Sums]:
    import dask.array as da
    from dask.base import compute
    from dask.delayed import delayed

    tiles = codes.rechunk(TILE)
    if rim:
        tiles = da.overlap.overlap(tiles, depth=rim, boundary=count)  # type: ignore[no-untyped-call]  # Dask is untyped
    shared, function = delayed(areas_of), delayed(_tile)
    blocks = tiles.to_delayed()
    parts = [function(blocks[y // TILE, x // TILE], shared, y, x, count, kinds) for y, x in places]
    return list(compute(*parts))  # type: ignore[no-untyped-call]  # Dask is untyped


def _tile(
    wide: NDArray[np.uint8],
    areas_of: PixelAreas,
    top: int,
    left: int,
    count: int,
    kinds: NDArray[np.uint8] | None,
) -> Sums:
    """Sum up a tile; if sides are of interest, it comes with the pixels around it."""
    codes = wide if kinds is None else wide[1:-1, 1:-1]
    rows, columns = codes.shape
    km2 = areas_of.block(slice(top, top + rows), slice(left, left + columns))
    # Off the Earth there is no area; adding in the order of the pixels fixes the rounding.
    np.nan_to_num(km2, copy=False, nan=0.0)
    pixels = np.bincount(codes.ravel(), minlength=count)
    areas = np.bincount(codes.ravel(), km2.ravel(), minlength=count).astype(np.float64)
    sides = np.zeros((0, 3)) if kinds is None else _sides(wide, km2, kinds)
    return Sums(pixels, areas, sides)


def _sides(
    wide: NDArray[np.uint8], km2: NDArray[np.float64], kinds: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Sum up the sides of all pixels but those of the rim, by their kind."""
    here, size = wide[1:-1, 1:-1], np.uint16(len(kinds))
    table = kinds.ravel()
    bits, weights = [], []
    for down, right in ((0, 1), (1, 0), (1, 2), (2, 1)):
        there = wide[down : down + here.shape[0], right : right + here.shape[1]]
        different = np.nonzero(here != there)  # few are, and sides within a kind are none
        found = table[here[different] * size + there[different]]
        of_interest = np.nonzero(found)[0]
        bits.append(found[of_interest])
        weights.append(km2[different][of_interest])
    bit, weight = np.concatenate(bits), np.concatenate(weights)
    sums = np.zeros((MOST_KINDS, 3))
    for kind in range(MOST_KINDS):
        own = weight[(bit >> kind) & 1 == 1]
        sums[kind] = len(own), math.fsum(own), math.fsum(own * own)
    return sums
