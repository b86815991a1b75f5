"""Windows of two scenes that show the same ground, matched by phase correlation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from strandline.errors import ShiftError
from strandline.prepare.correlate import displacement
from strandline.prepare.georeference import (
    grid_of,
    no_overlap,
    place,
)
from strandline.prepare.resample import regrid

MOST = 16
"""Greatest shift that is looked for, pixels. Beyond it the georeference is plainly wrong."""

WINDOWS = 4
"""Windows along each side of the overlap, at most: 16 in all."""


WINDOW_SIDES = (256, 128, 64, 32)
"""Sides of a window in pixels: the largest of which three fit side by side, overlapping."""


OVERLAP = 5 / 8
"""Share of a window that its neighbour may show too, where there is little room."""


CLEAR_PEAK = 8.0
"""Peaks of a correlation below this many root mean squares may be chance."""


_SAME_SIZE = 1e-6  # relative difference of pixel sizes that counts as none


class Pair(NamedTuple):
    """One band of both dates, pixel on pixel up to a known part of a pixel."""

    reference: xr.DataArray
    scene: xr.DataArray
    offset: tuple[int, int]  # rows and columns from a pixel of the reference to the scene's
    part: tuple[float, float]  # what is left of the offset between the two grids


def plane_of(scene: xr.DataArray, band: str) -> xr.DataArray:
    """Take one band of a scene, as rows and columns."""
    one = scene.sel(band=band) if "band" in scene.dims else scene
    kept = {"y", "x", "spatial_ref"}
    bare = one.drop_vars([name for name in one.coords if name not in kept])
    return bare.transpose("y", "x")


def paired(scene: xr.DataArray, reference: xr.DataArray) -> Pair:
    """Put two bands side by side, the scene warped where its pixels are others."""
    source, target = grid_of(scene), grid_of(reference)
    offset = _lattice_offset(source, target)
    if offset is None:
        return Pair(reference, regrid(scene, target, "bilinear"), (0, 0), (0.0, 0.0))
    whole = (round(offset[0]), round(offset[1]))
    return Pair(reference, scene, whole, (offset[0] - whole[0], offset[1] - whole[1]))


def _lattice_offset(source: GeoBox, target: GeoBox) -> tuple[float, float] | None:
    """Count rows and columns from the reference's first pixel to the same place in the scene.

    None unless the two differ by an offset alone.
    """
    a, b = source.affine, target.affine
    sizes = np.array([[a.a, a.b, a.d, a.e], [b.a, b.b, b.d, b.e]])
    if source.crs != target.crs or np.ptp(sizes, axis=0).max() > _SAME_SIZE * np.abs(sizes).max():
        return None
    column, row = place(~a, b.c, b.f)
    return float(row), float(column)


def lay_out(pair: Pair) -> tuple[list[int], list[int], int]:
    """Lay windows over what both cover; their first rows and columns, and their side."""
    shared = []
    for size, other, offset in zip(
        pair.reference.shape, pair.scene.shape, pair.offset, strict=True
    ):
        first, stop = max(0, -offset), min(size, other - offset)
        shared.append((first, stop - first))
    shortest = min(length for _, length in shared)
    if shortest <= 0:
        raise no_overlap(grid_of(pair.scene), grid_of(pair.reference))
    if shortest < WINDOW_SIDES[-1]:
        raise ShiftError(
            "The two scenes overlap too little to be compared.",
            expected=f"at least {WINDOW_SIDES[-1]} x {WINDOW_SIDES[-1]} pixels",
            got=" x ".join(str(length) for _, length in shared),
        )
    side = WINDOW_SIDES[-1]
    for larger in reversed(WINDOW_SIDES):
        if shortest >= larger + 2 * _step(larger):
            side = larger
    tops, lefts = (_starts(first, length, side) for first, length in shared)
    return tops, lefts, side


def _step(side: int) -> int:
    """Say how close the next window may begin."""
    return math.ceil(side * (1 - OVERLAP))


def _starts(first: int, length: int, side: int) -> list[int]:
    """Spread windows evenly."""
    count = max(1, min(WINDOWS, (length - side) // _step(side) + 1))
    room = length - side
    if room // max(count, 1) >= side:  # far apart: in the middle of equal parts
        return [first + (2 * i + 1) * length // (2 * count) - side // 2 for i in range(count)]
    return [first + (i * room // (count - 1) if count > 1 else room // 2) for i in range(count)]


class Window(NamedTuple):
    """The same ground in both scenes."""

    row: int
    column: int
    reference: NDArray[np.float64]
    scene: NDArray[np.float64]  # with a margin all around


def read_windows(pair: Pair, places: list[tuple[int, int]], side: int) -> list[Window]:
    """Read all windows in one go."""
    cuts: list[Any] = []
    for top, left in places:
        cuts.append(pair.reference.data[top : top + side, left : left + side])
        cuts.append(_with_margin(pair, top, left, side))
    if any(hasattr(cut, "__dask_graph__") for cut in cuts):
        import dask

        cuts = list(dask.compute(*cuts))  # type: ignore[attr-defined,no-untyped-call]  # untyped
    windows = []
    for (top, left), reference, part in zip(places, cuts[::2], cuts[1::2], strict=True):
        scene = np.full((side + 2 * MOST, side + 2 * MOST), np.nan)
        rows, columns = _inside(pair, top, left, side)
        scene[rows[1], columns[1]] = part
        windows.append(Window(top, left, np.asarray(reference, float), scene))
    return windows


def _inside(pair: Pair, top: int, left: int, side: int) -> list[tuple[slice, slice]]:
    """Find the part of a window with its margin that the scene has, in it and in the window."""
    parts = []
    for start, size, offset in zip((top, left), pair.scene.shape, pair.offset, strict=True):
        first = start + offset - MOST
        low, high = max(first, 0), min(first + side + 2 * MOST, size)
        parts.append((slice(low, high), slice(low - first, high - first)))
    return parts


def _with_margin(pair: Pair, top: int, left: int, side: int) -> Any:
    rows, columns = _inside(pair, top, left, side)
    return pair.scene.data[rows[0], columns[0]]


def measure_windows(windows: list[Window], side: int, moved: tuple[int, int]) -> pd.DataFrame:
    """Find the shift of each window, comparing it with one that is moved by whole pixels."""
    most = min(MOST, side // 4)
    down, right = (max(-MOST, min(MOST, part)) for part in moved)
    rows = []
    for window in windows:
        top, left = MOST + down, MOST + right
        part = window.scene[top : top + side, left : left + side]
        observed = float(np.mean(np.isfinite(part) & np.isfinite(window.reference)))
        found = displacement(window.reference, part, most)
        dy, dx, peak = (np.nan, np.nan, 0.0) if found is None else found
        rows.append((window.row, window.column, observed, dy + down, dx + right, peak))
    names = ["row", "column", "observed", "dy", "dx", "peak"]
    return pd.DataFrame(rows, columns=names)


def overlap_of(pair: Pair) -> float:
    """Share of the reference that the scene covers."""
    share = 1.0
    for size, other, offset in zip(
        pair.reference.shape, pair.scene.shape, pair.offset, strict=True
    ):
        share *= (min(size, other - offset) - max(0, -offset)) / size
    return share
