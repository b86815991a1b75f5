"""How far two dates of one place lie apart on the map, and putting that right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from strandline.errors import MissingBandError, ShiftError
from strandline.prepare.correlate import displacement
from strandline.prepare.georeference import (
    attach_grid,
    crs_of,
    describe_crs,
    ellipsoid,
    grid_of,
    no_overlap,
    place,
)
from strandline.prepare.resample import regrid

STABLE_BANDS = ("nir08", "swir16", "nir", "red", "swir22", "green")
"""Bands to compare, the best first: sharp between land and water, with little haze in them, and
little of what the season does to plants."""

WINDOWS = 4
"""Windows along each side of the overlap, at most: 16 in all."""

WINDOW_SIDES = (256, 128, 64, 32)
"""Sides of a window in pixels: the largest of which three fit side by side, overlapping."""

OVERLAP = 5 / 8
"""Share of a window that its neighbour may show too, where there is little room."""

MOST = 16
"""Greatest shift that is looked for, pixels. Beyond it the georeference is plainly wrong."""

CLEAR_PEAK = 8.0
"""Peaks of a correlation below this many root mean squares may be chance."""

AGREES = 0.25
"""Windows agree that lie within this many pixels of the median."""

_TRIED = 3  # bands that are tried before giving up
_SAME_SIZE = 1e-6  # relative difference of pixel sizes that counts as none


@dataclass(frozen=True)
class Shift:
    """How far the things in a scene lie from where they lie in another.

    Attributes
    ----------
    dy, dx : float
        Down and right, in pixels of the reference.
    north, east : float
        The same on the map, metres (also where the CRS counts in degrees).
    error : float
        Standard error of the shift's length as far as the windows tell, pixels.
    confidence : float
        Share of the windows with a clear peak that agree within 0.25 pixels, 0 to 1.
    agreeing, clear, total : int
        Windows that agree, that have a clear peak, and that were looked at.
    overlap : float
        Share of the reference that the scene covers, 0 to 1.
    band : str
        What was compared.
    offset : (float, float)
        Along x and y of `crs`, in its units: what `correct_shift` takes back.
    crs : str
        Of the reference.
    windows : DataFrame
        One row per window: ``row`` and ``column`` of its first pixel, the share ``observed``
        in both, ``dy``, ``dx``, ``peak``, and whether it ``agrees``.

    Examples
    --------
    >>> import strandline as sl
    >>> scene, _ = sl.simulate_scene(size=(200, 200), resolution=100)
    >>> moved = scene.assign_coords(x=scene.x + 40)  # 0.4 pixels east
    >>> shift = sl.estimate_shift(moved, scene)
    >>> round(shift.dx, 2), round(shift.east), shift.reliable
    (0.4, 40, True)
    """

    dy: float
    dx: float
    north: float
    east: float
    error: float
    confidence: float
    agreeing: int
    clear: int
    total: int
    overlap: float
    band: str
    offset: tuple[float, float]
    crs: str
    windows: pd.DataFrame

    @property
    def pixels(self) -> float:
        """Length in pixels of the reference."""
        return math.hypot(self.dy, self.dx)

    @property
    def metres(self) -> float:
        """Length in metres."""
        return math.hypot(self.north, self.east)

    @property
    def reliable(self) -> bool:
        """Whether most windows with a clear peak agree, three at least."""
        return self.agreeing >= 3 and self.confidence > 0.5

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{self.pixels:.2f} px ({self.metres:.1f} m: {_side(self.east, 'east', 'west')}, "
            f"{_side(self.north, 'north', 'south')}); {self.agreeing} of {self.clear} windows "
            f"agree ({self.band})"
        )

    def __eq__(self, other: object) -> bool:
        """Compare by value; tables have an equality of their own."""
        if not isinstance(other, Shift):
            return NotImplemented
        mine, others = dict(vars(self)), dict(vars(other))
        return bool(mine.pop("windows").equals(others.pop("windows")) and mine == others)

    __hash__ = None  # type: ignore[assignment]  # it holds a table


class _Pair(NamedTuple):
    """One band of both dates, pixel on pixel up to a known part of a pixel."""

    reference: xr.DataArray
    scene: xr.DataArray
    offset: tuple[int, int]  # rows and columns from a pixel of the reference to the scene's
    part: tuple[float, float]  # what is left of the offset between the two grids


def estimate_shift(scene: xr.DataArray, reference: xr.DataArray, band: str | None = None) -> Shift:
    """Estimate how far a scene lies from another of the same place, to a part of a pixel.

    At most 16 windows of 256 x 256 pixels are read of a band, spread over the part that
    both cover: a whole scene costs no more than a crop. In each the shift is found by phase
    correlation (`strandline.prepare.correlate`); the mean of those windows that agree with the
    median, weighted by how clear they are, is the answer. So neither clouds nor land that
    changed decide, as long as they do not fill most windows. Chunks do not matter.

    Where the pixels of the two differ only by a known offset, nothing is resampled for this;
    otherwise the scene's band is, to the reference's grid.

    Parameters
    ----------
    scene, reference : DataArray of shape (band, y, x)
        Two dates or sensors; any grids, NaN where not observed.
    band : str, optional
        To compare by. Default: the first of nir08, swir16, nir, red, swir22, green that both
        have, and if its windows contradict each other, the next; three at most.

    Returns
    -------
    Shift

    Raises
    ------
    ShiftError
        If no window shows anything that both dates have in common.
    GridError
        If the two do not overlap.
    MissingBandError
        If they have no such band in common.

    References
    ----------
    Guizar-Sicairos, Thurman, Fienup 2008, Efficient subpixel image registration algorithms,
    Optics Letters 33, 156-158.

    Examples
    --------
    >>> import strandline as sl
    >>> before, _ = sl.simulate_scene("1988-10-22", size=(200, 200), resolution=100)
    >>> after, _ = sl.simulate_scene("2017-10-22", size=(200, 200), resolution=100)
    >>> sl.estimate_shift(after, before).pixels < 0.1
    True
    """
    best: Shift | None = None
    names = _common_bands(scene, reference, band)
    for name in names:
        found = _by_band(scene, reference, name)
        if found is not None and (best is None or found.agreeing > best.agreeing):
            best = found
        if best is not None and best.reliable:
            break
    if best is None:
        raise ShiftError(
            "Nothing was found that both dates have in common.",
            expected="at least one window in which the two look alike",
            got=f"none ({', '.join(names)})",
            remedy="Choose a larger area, or scenes with fewer clouds.",
        )
    return best


def correct_shift(scene: xr.DataArray, shift: Shift) -> xr.DataArray:
    """Put a scene where it belongs on the map; its pixels stay as they were measured.

    Only the georeference changes, by a part of a pixel as a rule. So the scene is no longer
    on the grid of the reference, and what `regrid` then does decides: ``nearest`` (and with it
    ``measured``) moves by whole pixels only and loses everything below half a pixel. Use
    ``cubic``, the kernel that Landsat's own products are made with, or ``bilinear``, which
    never overshoots but blurs.

    Parameters
    ----------
    scene : DataArray of shape (…, y, x)
        The scene whose shift was estimated, or any of its bands and maps.
    shift : Shift
        From `estimate_shift`.

    Returns
    -------
    DataArray
        With other coordinates ``y`` and ``x``, and the attribute ``shift_corrected`` (metres
        towards north and east). Values are the same, and lazy if they were.

    Raises
    ------
    MissingCRSError, GridError
        If the scene has no grid.

    Examples
    --------
    >>> import strandline as sl
    >>> scene, _ = sl.simulate_scene(size=(200, 200), resolution=100)
    >>> moved = scene.assign_coords(x=scene.x + 40)
    >>> back = sl.correct_shift(moved, sl.estimate_shift(moved, scene))
    >>> bool(abs(back.x - scene.x).max() < 5)
    True
    """
    grid = grid_of(scene)
    x, y = _offset_in(grid, shift)
    affine = grid.affine
    moved = Affine(affine.a, affine.b, affine.c - x, affine.d, affine.e, affine.f - y)
    result = attach_grid(scene, GeoBox(grid.shape, moved, grid.crs))
    said = f"{-shift.north:.3f} m north, {-shift.east:.3f} m east"
    result.attrs = {**scene.attrs, "shift_corrected": said}
    return result


def _offset_in(grid: GeoBox, shift: Shift) -> tuple[float, float]:
    """Say the offset in the CRS of a grid, at its middle."""
    if grid.crs == CRS(shift.crs):
        return shift.offset
    rows, columns = grid.shape
    x, y = place(grid.affine, columns / 2, rows / 2)
    there = pyproj.Transformer.from_crs(crs_of(grid), shift.crs, always_xy=True)
    at_x, at_y = there.transform(x, y)
    back_x, back_y = there.transform(
        at_x - shift.offset[0], at_y - shift.offset[1], direction="INVERSE"
    )
    return float(x - back_x), float(y - back_y)


# --- what is compared -----------------------------------------------------------


def _by_band(scene: xr.DataArray, reference: xr.DataArray, name: str) -> Shift | None:
    """Find the shift by one band; None if nothing in it looks alike."""
    pair = _paired(_plane(scene, name), _plane(reference, name))
    tops, lefts, side = _layout(pair)
    windows = _read(pair, [(top, left) for top in tops for left in lefts], side)
    found = _measured(windows, side, (0, 0))
    middle = _consensus(found)
    if middle is not None and (round(middle[0]), round(middle[1])) != (0, 0):
        # Once more with windows that show the same ground, up to a part of a pixel.
        found = _measured(windows, side, (round(middle[0]), round(middle[1])))
        middle = _consensus(found)
    return None if middle is None else _shift(found, middle, pair, name)


def _common_bands(scene: xr.DataArray, reference: xr.DataArray, asked: str | None) -> list[str]:
    there = [set(map(str, np.atleast_1d(one["band"].values))) for one in (scene, reference)]
    both = there[0] & there[1]
    wanted = STABLE_BANDS if asked is None else (asked,)
    found = [name for name in wanted if name in both]
    if found:
        return found[:_TRIED]
    raise MissingBandError(
        "The two scenes have no band to be compared by.",
        expected=" or ".join(wanted),
        got=f"in both: {', '.join(sorted(both)) or 'none'}",
        remedy="Pass band=… with one that both have.",
    )


def _plane(scene: xr.DataArray, band: str) -> xr.DataArray:
    one = scene.sel(band=band) if "band" in scene.dims else scene
    kept = {"y", "x", "spatial_ref"}
    bare = one.drop_vars([name for name in one.coords if name not in kept])
    return bare.transpose("y", "x")


def _paired(scene: xr.DataArray, reference: xr.DataArray) -> _Pair:
    source, target = grid_of(scene), grid_of(reference)
    offset = _lattice_offset(source, target)
    if offset is None:
        return _Pair(reference, regrid(scene, target, "bilinear"), (0, 0), (0.0, 0.0))
    whole = (round(offset[0]), round(offset[1]))
    return _Pair(reference, scene, whole, (offset[0] - whole[0], offset[1] - whole[1]))


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


def _layout(pair: _Pair) -> tuple[list[int], list[int], int]:
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
            "The two scenes share too little ground to compare them.",
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


class _Window(NamedTuple):
    row: int
    column: int
    reference: NDArray[np.float64]
    scene: NDArray[np.float64]  # with a margin all around


def _read(pair: _Pair, places: list[tuple[int, int]], side: int) -> list[_Window]:
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
        windows.append(_Window(top, left, np.asarray(reference, float), scene))
    return windows


def _inside(pair: _Pair, top: int, left: int, side: int) -> list[tuple[slice, slice]]:
    """Find the part of a window with its margin that the scene has, in it and in the window."""
    parts = []
    for start, size, offset in zip((top, left), pair.scene.shape, pair.offset, strict=True):
        first = start + offset - MOST
        low, high = max(first, 0), min(first + side + 2 * MOST, size)
        parts.append((slice(low, high), slice(low - first, high - first)))
    return parts


def _with_margin(pair: _Pair, top: int, left: int, side: int) -> Any:
    rows, columns = _inside(pair, top, left, side)
    return pair.scene.data[rows[0], columns[0]]


# --- what the windows say ---------------------------------------------------------


def _measured(windows: list[_Window], side: int, moved: tuple[int, int]) -> pd.DataFrame:
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


def _consensus(found: pd.DataFrame) -> tuple[float, float] | None:
    """Take the median of the clear windows, then the mean of those that agree, and mark them."""
    clear = (found["peak"] >= CLEAR_PEAK).to_numpy()
    found["agrees"] = False
    if not clear.any():
        return None
    shifts = found[["dy", "dx"]].to_numpy()
    away = np.hypot(*(shifts - np.median(shifts[clear], axis=0)).T)
    agrees = clear & (away <= AGREES)
    if not agrees.any():  # the median of two that contradict each other lies between them
        agrees = clear & (found["peak"] == found.loc[clear, "peak"].max()).to_numpy()
    found["agrees"] = agrees
    # The error of a window goes as its noise over its signal.
    weight = found.loc[agrees, "peak"].to_numpy() ** 2
    dy, dx = (weight[:, None] * shifts[agrees]).sum(axis=0) / weight.sum()
    return float(dy), float(dx)


def _shift(found: pd.DataFrame, middle: tuple[float, float], pair: _Pair, band: str) -> Shift:
    grid = grid_of(pair.reference)
    dy, dx = (round(whole - part, 4) for whole, part in zip(middle, pair.part, strict=True))
    affine = grid.affine
    x, y = affine.a * dx + affine.b * dy, affine.d * dx + affine.e * dy
    metres_x, metres_y = _metres_per_unit(grid)
    agreeing = found[found["agrees"]]
    clear = int((found["peak"] >= CLEAR_PEAK).sum())
    spread = float(np.hypot(agreeing["dy"].std(ddof=0), agreeing["dx"].std(ddof=0)))
    found["dy"] -= pair.part[0]
    found["dx"] -= pair.part[1]
    return Shift(
        dy=dy,
        dx=dx,
        north=y * metres_y,
        east=x * metres_x,
        error=spread / math.sqrt(max(len(agreeing) - 1, 1)) if len(agreeing) > 1 else math.nan,
        confidence=len(agreeing) / clear,
        agreeing=len(agreeing),
        clear=clear,
        total=len(found),
        overlap=_overlap(pair),
        band=band,
        offset=(x, y),
        crs=describe_crs(grid.crs) if grid.crs and grid.crs.epsg else str(grid.crs),
        windows=found,
    )


def _overlap(pair: _Pair) -> float:
    share = 1.0
    for size, other, offset in zip(
        pair.reference.shape, pair.scene.shape, pair.offset, strict=True
    ):
        share *= (min(size, other - offset) - max(0, -offset)) / size
    return share


def _metres_per_unit(grid: GeoBox) -> tuple[float, float]:
    """Say how long a unit of the CRS is in the middle of a grid, along x and along y."""
    crs = crs_of(grid)
    if not crs.is_geographic:
        factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
        return factor, factor
    a, e2 = ellipsoid(crs)
    rows, columns = grid.shape
    latitude = math.radians(place(grid.affine, columns / 2, rows / 2)[1])
    bend = 1 - e2 * math.sin(latitude) ** 2
    degree = math.radians(1)
    return (
        degree * a * math.cos(latitude) / math.sqrt(bend),
        degree * a * (1 - e2) / bend**1.5,
    )


def _side(metres: float, positive: str, negative: str) -> str:
    return f"{abs(metres):.1f} m {positive if metres >= 0 else negative}"
