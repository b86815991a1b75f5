"""How far two dates of one place lie apart on the map, and putting that right."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyproj
import xarray as xr
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from strandline.errors import MissingBandError, ShiftError
from strandline.prepare.georeference import (
    attach_grid,
    crs_of,
    describe_crs,
    ellipsoid,
    grid_of,
    place,
)
from strandline.prepare.matching import (
    CLEAR_PEAK,
    Pair,
    lay_out,
    measure_windows,
    overlap_of,
    paired,
    plane_of,
    read_windows,
)

STABLE_BANDS = ("nir08", "swir16", "nir", "red", "swir22", "green")
"""Bands to compare, the best first: sharp between land and water, with little haze in them, and
little of what the season does to plants."""


AGREES = 0.25
"""Windows agree that lie within this many pixels of the median."""

_TRIED = 3  # bands that are tried before giving up


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

    @property
    def distance(self) -> str:
        """How far and to which side, in words."""
        return (
            f"{self.pixels:.2f} px ({self.metres:.1f} m: {_side(self.east, 'east', 'west')}, "
            f"{_side(self.north, 'north', 'south')})"
        )

    @property
    def support(self) -> str:
        """What speaks for it, in words."""
        return f"{self.agreeing} of {self.clear} windows agree ({self.band})"

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.distance}; {self.support}"

    def __eq__(self, other: object) -> bool:
        """Compare by value; tables have an equality of their own."""
        if not isinstance(other, Shift):
            return NotImplemented
        mine, others = dict(vars(self)), dict(vars(other))
        return bool(mine.pop("windows").equals(others.pop("windows")) and mine == others)

    __hash__ = None  # type: ignore[assignment]  # it holds a table


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
            "No window of the two dates matches.",
            expected="at least one window in which the two match",
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
    pair = paired(plane_of(scene, name), plane_of(reference, name))
    tops, lefts, side = lay_out(pair)
    windows = read_windows(pair, [(top, left) for top in tops for left in lefts], side)
    found = measure_windows(windows, side, (0, 0))
    middle = _consensus(found)
    if middle is not None and (round(middle[0]), round(middle[1])) != (0, 0):
        # Once more with windows that show the same ground, up to a part of a pixel.
        found = measure_windows(windows, side, (round(middle[0]), round(middle[1])))
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


# --- what the windows say ---------------------------------------------------------


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


def _shift(found: pd.DataFrame, middle: tuple[float, float], pair: Pair, band: str) -> Shift:
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
        overlap=overlap_of(pair),
        band=band,
        offset=(x, y),
        crs=describe_crs(grid.crs) if grid.crs and grid.crs.epsg else str(grid.crs),
        windows=found,
    )


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
