"""What it takes to compare two dates: one sensor, one light, one place; and what was found."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import xarray as xr
from odc.geo.geobox import GeoBox

from strandline.errors import MissingBandError, ShiftError, SuspiciousSceneWarning
from strandline.prepare.bandpass import harmonize
from strandline.prepare.georeference import crs_of, grid_of, place
from strandline.prepare.invariant import Normalization, normalization
from strandline.prepare.resample import regrid
from strandline.prepare.shift import Shift, correct_shift, estimate_shift

FAR_APART = 0.5
"""Pixels from which on a shift that is beyond doubt is warned of."""

NEGLIGIBLE = 0.1
"""Pixels below which a shift is not worth resampling a scene for: no shore moves visibly."""

KEEPS_A_SHIFT = "cubic"
"""How a scene whose shift was corrected is resampled, where ``measured`` was asked for.

The nearest pixel would be moved by whole pixels only, and undo the correction. Cubic convolution
is the kernel that Landsat's and Sentinel-2's own products were made with."""


@dataclass(frozen=True)
class Comparability:
    """How comparable two dates are, and what was done about it.

    Attributes
    ----------
    shift : Shift or None
        How far the second date lies from the first; None if that cannot be told.
    corrected : bool
        Whether the second date was moved back.
    harmonized : tuple of str
        By whose coefficients each date was made like OLI; empty if it was not asked for.
    normalization : Normalization or None
        What made the second date like the first, if that was asked for.
    """

    shift: Shift | None = None
    corrected: bool = False
    harmonized: tuple[str, ...] = field(default=())
    normalization: Normalization | None = None

    def sentences(self) -> list[str]:
        """Say it in words.

        Examples
        --------
        >>> Comparability().sentences()
        ['The shift between the dates cannot be estimated: no windows of the two match.']
        """
        said = [self._shift_sentence()]
        if self.harmonized:
            said.append(f"Reflectance was harmonised to OLI ({'; '.join(self.harmonized)}).")
        if self.normalization is not None:
            table = self.normalization.table
            before, after = (table[f"rmse_{when}"].mean() for when in ("before", "after"))
            said.append(
                f"The second date was made like {self.normalization.reference} by "
                f"{self.normalization.stable:,} stable pixels, on which the two then differ by "
                f"{after:.4f} instead of {before:.4f} (reflectance, root mean square over bands)."
            )
        return said

    def _shift_sentence(self) -> str:
        if self.shift is None:
            return "The shift between the dates cannot be estimated: no windows of the two match."
        if not self.shift.reliable:
            return (
                "The shift between the dates cannot be estimated: only "
                f"{self.shift.agreeing} of {self.shift.total} windows agree."
            )
        if self.corrected:
            done = "The second date was co-registered to the first."
        elif self.shift.pixels < NEGLIGIBLE:
            done = "That is too little to correct."
        else:
            done = "--correct-shift (correct_shift=True) co-registers the second date."
        lie = "lay" if self.corrected else "lie"
        return f"The dates {lie} {self.shift.distance} apart: {self.shift.support}. {done}"

    def as_record(self) -> dict[str, Any]:
        """Give plain numbers and words, for the record of a run."""
        found: dict[str, Any] = {"sentences": self.sentences()}
        if self.shift is not None:
            error = self.shift.error
            found["shift"] = {
                "pixels_down": round(self.shift.dy, 3),
                "pixels_right": round(self.shift.dx, 3),
                "metres_north": round(self.shift.north, 2),
                "metres_east": round(self.shift.east, 2),
                "standard_error_pixels": None if math.isnan(error) else round(error, 3),
                "windows": [self.shift.agreeing, self.shift.clear, self.shift.total],
                "band": self.shift.band,
                "reliable": self.shift.reliable,
                "corrected": self.corrected,
            }
        if self.harmonized:
            found["harmonized_by"] = list(self.harmonized)
        if self.normalization is not None:
            rows = self.normalization.table.round(5).reset_index()
            found["normalization"] = {
                "reference": self.normalization.reference,
                "stable_pixels": self.normalization.stable,
                "bands": rows.to_dict("records"),
            }
        return found


def on_one_grid(
    scenes: Sequence[xr.DataArray],
    grid: GeoBox,
    resampling: str,
    *,
    bands: Sequence[str] | None = None,
    to_oli: bool = False,
    like_first: bool = False,
    unshift: bool = False,
) -> tuple[list[xr.DataArray], Comparability | None]:
    """Put one or two dates on a grid, as comparable as was asked for.

    Parameters
    ----------
    scenes : sequence of DataArray of shape (band, y, x)
        One, or two: the second is moved and normalised, where that is asked for.
    grid : GeoBox
        The common grid.
    resampling : str
        As for `regrid`; for a scene that was moved, ``measured`` means ``cubic``.
    bands : sequence of str, optional
        Those that will be used. Default: those that all scenes have.
    to_oli, like_first, unshift : bool
        Whether to harmonise, normalise, and correct the shift. The shift is estimated anyway.

    Returns
    -------
    list of DataArray
        On the grid; lazy if they were.
    Comparability or None
        None for a single date.

    Raises
    ------
    ShiftError
        If the shift shall be corrected and cannot be told.
    NoCoefficientsError, StablePixelsError
        As from `harmonize` and `normalization`.

    Examples
    --------
    >>> import strandline as sl
    >>> before, _ = sl.simulate_scene("1988-10-22", size=(200, 200), resolution=100)
    >>> after, _ = sl.simulate_scene("2017-10-22", size=(200, 200), resolution=100)
    >>> dates, found = on_one_grid([before, after], grid_of(before), "measured", to_oli=True)
    >>> [date.attrs["harmonized_to"] for date in dates]
    ['oli', 'oli']
    """
    dates = list(scenes)
    methods = [resampling] * len(dates)
    found = _apart(dates, grid, unshift) if len(dates) == 2 else None
    if found is not None and found.shift is not None and unshift:
        dates[1] = correct_shift(dates[1], found.shift)
        methods[1] = KEEPS_A_SHIFT if resampling == "measured" else resampling
    if to_oli:
        dates = [harmonize(date) for date in _with_shared_bands(dates, bands)]
        if found is not None:
            by = dict.fromkeys(str(date.attrs["harmonized_by"]) for date in dates)
            found = replace(found, harmonized=tuple(by))
    dates = [
        regrid(date, grid, resampling=method) for date, method in zip(dates, methods, strict=True)
    ]
    if like_first and found is not None:
        dates = _with_shared_bands(dates, bands)
        lines = normalization(dates[1], dates[0])
        dates[1] = lines.apply(dates[1])
        found = replace(found, normalization=lines)
    return dates, found


def _apart(dates: list[xr.DataArray], grid: GeoBox, unshift: bool) -> Comparability:
    try:
        shift = estimate_shift(dates[1], _cropped(dates[0], grid))
    except (ShiftError, MissingBandError):
        if unshift:
            raise
        return Comparability()
    if unshift and not shift.reliable:
        raise ShiftError(
            "The shift between the dates cannot be corrected, since it cannot be estimated.",
            expected="three windows that agree, and more than half of those with a clear peak",
            got=f"{shift.agreeing} of {shift.clear} ({shift.total} in all)",
            remedy="Choose a larger area, or leave the shift as it is.",
        )
    if shift.reliable and shift.pixels > FAR_APART and not unshift:
        warnings.warn(
            SuspiciousSceneWarning(
                f"The dates lie {shift.distance} apart: {shift.support}. Unchanged shores "
                "will appear changed. Correct it with --correct-shift (correct_shift=True)."
            ),
            stacklevel=4,
        )
    return Comparability(shift, corrected=unshift)


def _cropped(scene: xr.DataArray, grid: GeoBox) -> xr.DataArray:
    """Cut a scene to the area of a grid, in whole pixels of its own."""
    own = grid_of(scene)
    same = own.crs is None or grid.crs == own.crs
    extent = grid.extent if same else grid.extent.to_crs(crs_of(own))
    west, south, east, north = extent.boundingbox.bbox
    at_x, at_y = zip(
        *(place(~own.affine, x, y) for x in (west, east) for y in (south, north)), strict=True
    )
    cuts = []
    for at, size in ((at_y, own.shape[0]), (at_x, own.shape[1])):
        first, stop = max(0, math.floor(min(at))), min(size, math.ceil(max(at)))
        if first >= stop:
            return scene  # elsewhere: putting it on the grid says so better
        cuts.append(slice(first, stop))
    return scene.isel(y=cuts[0], x=cuts[1])


def _with_shared_bands(
    dates: list[xr.DataArray], wanted: Sequence[str] | None
) -> list[xr.DataArray]:
    names = [[str(name) for name in date["band"].values] for date in dates]
    shared = [
        name
        for name in names[0]
        if all(name in others for others in names) and (wanted is None or name in wanted)
    ]
    return [date.sel(band=shared) for date in dates] if shared else dates
