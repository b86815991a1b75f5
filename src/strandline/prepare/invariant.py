"""One date's reflectance made like another's, by the pixels that did not change between them.

Sun, haze and sensor put a straight line between what two dates measure of the same ground.
The line is found on pixels that are the same ground on both, and those are found by their
spectra alone: iteratively reweighted multivariate alteration detection pairs up linear
combinations of both dates' bands that correlate most (so a line between the dates, or between
their sensors, is no change to it), counts what is left as change against its variance, and
repeats with the pixels weighted by their probability of no change.

References
----------
Nielsen, A. A. (2007). The regularized iteratively reweighted MAD method for change detection
in multi- and hyperspectral data. IEEE Transactions on Image Processing 16, 463-478.

Canty, M. J. and Nielsen, A. A. (2008). Automatic radiometric normalization of multitemporal
satellite imagery with the iteratively re-weighted MAD transformation. Remote Sensing of
Environment 112, 1025-1036.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import GridMismatchError, MissingBandError, StablePixelsError
from strandline.prepare.georeference import describe_grid, grid_of, same_grid

Table = NDArray[np.float64]

SAMPLE = 2**16
"""Pixels that are looked at, at most, on a regular lattice; all if there are fewer."""

STABLE = 0.95
"""Probability of no change from which a pixel counts as stable (Canty and Nielsen 2008)."""

FEWEST = 100
"""Stable pixels that a line can be drawn through; with fewer it is refused."""

CLOSEST = 0.8
"""Correlation between the dates, over the stable pixels, that each band has to reach."""

_ROUNDS = 100
_SETTLED = 1e-5  # largest change of a canonical correlation at which the search ends
_RIDGE = 1e-9  # share of the mean variance added to each, so that equal bands do no harm
_TESTED = 3  # of so many stable pixels one is kept back to test the line


@dataclass(frozen=True)
class Normalization:
    """The lines that make one date like another, and the evidence for them.

    Attributes
    ----------
    table : DataFrame
        One row per band: ``slope`` and ``intercept``, the correlation ``r`` of the two dates
        over the stable pixels, and over the third of those that was kept back from the fit,
        how far the dates are apart before and after: ``bias_before``, ``bias_after``,
        ``rmse_before``, ``rmse_after`` (reflectance).
    stable, looked_at : int
        Stable pixels, and pixels observed on both dates that they were chosen from.
    reference : str
        Platform and day of the reference.

    Examples
    --------
    >>> import strandline as sl
    >>> before, _ = sl.simulate_scene("1988-10-22", size=(200, 200), resolution=90)
    >>> hazy = before * 0.9 + 0.02
    >>> found = sl.normalization(hazy, before)
    >>> bool(abs(found.table["slope"] - 1 / 0.9).max() < 1e-3)
    True
    >>> bool(abs(found.apply(hazy) - before).max() < 1e-3)
    True
    """

    table: pd.DataFrame
    stable: int
    looked_at: int
    reference: str

    def apply(self, scene: xr.DataArray) -> xr.DataArray:
        """Make a scene like the reference.

        Parameters
        ----------
        scene : DataArray of shape (…, band, y, x)
            The scene whose lines these are, or another of the same sensor and moment.

        Returns
        -------
        DataArray
            With the bands that have a line, in the order of the scene; lazy if it is. The
            attribute ``normalized_to`` names the reference.

        Raises
        ------
        MissingBandError
            If the scene has none of the bands.
        """
        names = [name for name in map(str, scene["band"].values) if name in self.table.index]
        if not names:
            raise MissingBandError(
                "No band of the scene has a line.",
                expected=f"one of {', '.join(self.table.index)}",
                got=", ".join(map(str, scene["band"].values)),
            )
        chosen = scene.sel(band=names)
        kind = scene.dtype if scene.dtype.kind == "f" else np.dtype(np.float32)
        slope, intercept = (
            xr.DataArray(self.table.loc[names, column].to_numpy().astype(kind), dims="band")
            for column in ("slope", "intercept")
        )
        result = (chosen * slope + intercept).transpose(*scene.dims)
        result.attrs = {**scene.attrs, "normalized_to": self.reference}
        result.encoding = dict(scene.encoding)
        result.name = scene.name
        return result

    def __eq__(self, other: object) -> bool:
        """Compare by value; tables have an equality of their own."""
        if not isinstance(other, Normalization):
            return NotImplemented
        mine, others = dict(vars(self)), dict(vars(other))
        return bool(mine.pop("table").equals(others.pop("table")) and mine == others)

    __hash__ = None  # type: ignore[assignment]  # it holds a table


def normalize(scene: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """Make a date's reflectance like another's, by the pixels that did not change.

    The short way for ``normalization(scene, reference).apply(scene)``; the long way shows
    the evidence.

    Parameters
    ----------
    scene, reference : DataArray of shape (band, y, x)
        Two dates on one grid, as for `normalization`.

    Returns
    -------
    DataArray
        The scene, with the bands that both have; lazy if it is.

    Raises
    ------
    StablePixelsError, GridMismatchError, MissingBandError
        As `normalization`.

    Examples
    --------
    >>> import strandline as sl
    >>> before, _ = sl.simulate_scene("1988-10-22", size=(200, 200), resolution=90)
    >>> after, _ = sl.simulate_scene("1990-10-22", size=(200, 200), resolution=90)
    >>> sl.normalize(after * 0.9 + 0.02, before).attrs["normalized_to"]
    'landsat-5 1988-10-22'
    """
    return normalization(scene, reference).apply(scene)


def normalization(scene: xr.DataArray, reference: xr.DataArray) -> Normalization:
    """Find the lines that make a date's reflectance like another's.

    Stable pixels are found by iteratively reweighted multivariate alteration detection on at
    most 65,536 pixels, on a regular lattice; through those that are unchanged with a
    probability above 0.95 goes an orthogonal regression per band (both dates have errors).
    What was not observed on either date, clouds for one, takes no part. The result does not
    depend on chunks; lazy scenes are read once, and only the lattice is kept.

    A line per band removes what is a line: sun, haze, calibration, most of a difference in
    bands. Where a whole landscape changed its colour alike (all fields ripened, snow
    everywhere), that is taken for such a line too, and normalised away.

    Parameters
    ----------
    scene : DataArray of shape (band, y, x)
        The date to change.
    reference : DataArray of shape (band, y, x)
        The date to come close to, on the same grid.

    Returns
    -------
    Normalization
        ``table`` holds the evidence, ``apply`` makes the scene like the reference.

    Raises
    ------
    StablePixelsError
        If fewer than 100 pixels are stable, or these do not agree in every band.
    GridMismatchError
        If the two are not on one grid.
    MissingBandError
        If they have no band in common.

    References
    ----------
    Canty, Nielsen 2008, Automatic radiometric normalization of multitemporal satellite
    imagery with the iteratively re-weighted MAD transformation, Remote Sensing of Environment
    112, 1025-1036.

    Examples
    --------
    >>> import strandline as sl
    >>> before, _ = sl.simulate_scene("1988-10-22", size=(200, 200), resolution=90)
    >>> after, _ = sl.simulate_scene("2017-10-22", size=(200, 200), resolution=90)
    >>> found = sl.normalization(after, before)
    >>> list(found.table.index)
    ['blue', 'green', 'red', 'nir08', 'swir16', 'swir22']
    >>> bool((found.table["rmse_after"] <= found.table["rmse_before"]).all())
    True
    """
    bands = _shared(scene, reference)
    theirs, ours = _lattice(reference.sel(band=bands), scene.sel(band=bands))
    if len(ours) < FEWEST:
        raise _too_few(len(ours), len(ours), "pixels observed on both dates")
    stable = np.flatnonzero(no_change(theirs, ours) > STABLE)
    if len(stable) < FEWEST:
        raise _too_few(len(stable), len(ours), "stable pixels")
    table = pd.DataFrame(
        [_line(ours[stable, i], theirs[stable, i]) for i in range(len(bands))],
        index=pd.Index(bands, name="band"),
    )
    weak = table.index[~(table["r"] >= CLOSEST)]
    if len(weak):
        raise StablePixelsError(
            "Even the pixels that changed least do not correlate: the dates are too different.",
            expected=f"a correlation of {CLOSEST} or more in every band",
            got=", ".join(f"{name} {table.loc[name, 'r']:.2f}" for name in weak),
            remedy="Choose dates of one season, a larger area, or correct a shift first.",
        )
    return Normalization(table, len(stable), len(ours), _named(reference))


def no_change(before: Table, after: Table) -> Table:
    """Give each pixel's probability that it did not change (iteratively reweighted MAD).

    Parameters
    ----------
    before, after : ndarray of shape (n, bands)
        Spectra of the same pixels, without NaN.

    Returns
    -------
    ndarray of shape (n,)
        0 to 1; uniform over pixels that differ by noise alone.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before = rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 3))
    >>> after = before * 0.8 + 0.1 + rng.normal(scale=0.01, size=before.shape)
    >>> after[:500] += rng.normal(size=(500, 3))
    >>> probability = no_change(before, after)
    >>> bool(probability[:500].mean() < 0.05), bool(probability[500:].mean() > 0.4)
    (True, True)
    """
    from scipy.stats import chi2

    weight = np.ones(len(before))
    shrinkage = 1.0  # all count alike in the first round
    correlation = np.zeros(before.shape[1])
    for _ in range(_ROUNDS):
        variates, found = _canonical(before, after, weight)
        variance = np.maximum(2 * (1 - found), 1e-12) / shrinkage
        distance = ((variates[0] - variates[1]) ** 2 / variance).sum(axis=1)
        weight = chi2.sf(distance, len(found))
        if np.abs(found - correlation).max() < _SETTLED or weight.sum() < FEWEST:
            break
        correlation, shrinkage = found, _shrinkage(len(found))
    return np.asarray(weight)


def _shrinkage(bands: int) -> float:
    """Say by what factor weighting by the probability shrinks the variance of normal noise.

    Uncorrected, each round would find the noise smaller than the one before, and ever fewer
    pixels stable. With X and Y chi-squared, the factor is E[min(X, Y)] / bands.
    """
    half = bands / 2
    return 1 - 2 * math.exp(math.lgamma(half + 0.5) - math.lgamma(half)) / (
        bands * math.sqrt(math.pi)
    )


def _canonical(
    before: Table, after: Table, weight: Table
) -> tuple[tuple[Table, Table], NDArray[np.float64]]:
    """Find the pairs of combinations that correlate most, of unit variance, and how much."""
    total = weight.sum()
    sides, roots = [], []
    for values in (before, after):
        centred = values - np.einsum("n,ni->i", weight, values) / total
        covariance = _products(centred, centred, weight) / total
        ridge = _RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-30)
        sides.append(centred)
        roots.append(np.linalg.cholesky(covariance + ridge * np.eye(len(covariance))))
    cross = _products(sides[0], sides[1], weight) / total
    whitened = np.linalg.solve(roots[1], np.linalg.solve(roots[0], cross).T).T
    left, found, right = np.linalg.svd(whitened)
    mix = (np.linalg.solve(roots[0].T, left), np.linalg.solve(roots[1].T, right.T))
    # By einsum: unlike a product of matrices it sums in one order, whatever the threads.
    variates = tuple(
        np.einsum("ni,ij->nj", side, one) for side, one in zip(sides, mix, strict=True)
    )
    return (variates[0], variates[1]), np.minimum(found, 1.0)


def _products(left: Table, right: Table, weight: Table) -> Table:
    return np.asarray(np.einsum("ni,nj->ij", left * weight[:, None], right))


def _line(ours: Table, theirs: Table) -> dict[str, float]:
    """Lay an orthogonal regression through two thirds of the pixels, test it on the rest."""
    tested = np.arange(len(ours)) % _TESTED == 0
    x, y = ours[~tested], theirs[~tested]
    xx, yy = float(x.var()), float(y.var())
    xy = float(((x - x.mean()) * (y - y.mean())).mean())
    half = (yy - xx) / 2
    slope = (half + math.hypot(half, xy)) / xy if xy else math.nan
    intercept = float(y.mean()) - slope * float(x.mean())
    before = ours[tested] - theirs[tested]
    after = slope * ours[tested] + intercept - theirs[tested]
    return {
        "slope": slope,
        "intercept": intercept,
        "r": xy / math.sqrt(xx * yy) if xx * yy > 0 else math.nan,
        "bias_before": float(before.mean()),
        "bias_after": float(after.mean()),
        "rmse_before": float(np.sqrt(np.mean(before**2))),
        "rmse_after": float(np.sqrt(np.mean(after**2))),
    }


# --- what is looked at --------------------------------------------------------------


def _shared(scene: xr.DataArray, reference: xr.DataArray) -> list[str]:
    grid, target = grid_of(scene), grid_of(reference)
    if not same_grid(grid, target):
        raise GridMismatchError(
            "The two dates are not on one grid.",
            expected=describe_grid(target),
            got=describe_grid(grid),
            remedy="Use regrid(scene, reference) first.",
        )
    there = {str(name) for name in reference["band"].values}
    shared = [str(name) for name in scene["band"].values if str(name) in there]
    if not shared:
        raise MissingBandError(
            "The two dates have no band in common.",
            expected=f"one of {', '.join(sorted(there))}",
            got=", ".join(map(str, scene["band"].values)),
        )
    return shared


def _lattice(*scenes: xr.DataArray) -> tuple[Table, ...]:
    """Take pixels on a regular lattice that were observed on both dates, in all bands."""
    rows, columns = scenes[0].sizes["y"], scenes[0].sizes["x"]
    step = max(1, math.ceil(math.sqrt(rows * columns / SAMPLE)))
    thin: list[Any] = [
        scene.transpose("band", "y", "x").data[:, step // 2 :: step, step // 2 :: step]
        for scene in scenes
    ]
    if any(hasattr(one, "__dask_graph__") for one in thin):
        import dask

        thin = list(dask.compute(*thin))  # type: ignore[attr-defined,no-untyped-call]  # untyped
    tables = [np.asarray(one, float).reshape(len(one), -1).T for one in thin]
    seen = np.logical_and.reduce([np.isfinite(table).all(axis=1) for table in tables])
    return tuple(np.ascontiguousarray(table[seen]) for table in tables)


def _too_few(count: int, looked_at: int, what: str) -> StablePixelsError:
    return StablePixelsError(
        f"Too few {what} to normalise one date to the other.",
        expected=f"at least {FEWEST}",
        got=f"{count} of {looked_at}",
        remedy="Choose a larger area, or dates with fewer clouds.",
    )


def _named(reference: xr.DataArray) -> str:
    platform = str(reference.attrs.get("platform", "")) or "reference"
    if "time" not in reference.coords or reference["time"].ndim:
        return platform
    time = reference["time"].values
    return platform if np.isnat(time) else f"{platform} {time.astype('datetime64[D]')}"
