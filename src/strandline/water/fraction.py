"""The share of each pixel that is water, by unmixing the pixels on the shore.

A class says of a whole pixel what is true of a part of it. On the shore a pixel's spectrum
is the mean of the water's and the land's, each as large as its part of the pixel (Settle and
Drake, 1993). What water and land look like just there, is read from the unmixed pixels
around it, as lakes and shores differ along their way (Xie et al., 2016). Everywhere else the
class is trusted: 0 or 1.

The spectrum of a pixel is taken to be that of its subcluster. This loses nothing that can be
measured (`benchmarks/area_by_pixel_size.py`), needs no reflectance beyond what the
segmentation holds, and averages the sensor's noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER, stored_classes
from strandline.prepare.oversampling import steps_of
from strandline.water.decision import classes_of, spectra_of
from strandline.water.identify import find_water
from strandline.water.shore import RIM, near

WET_RIM = 1
"""Pixels of water as near to land as this (in pixels, diagonals too) may be mixed."""

MOSTLY_AT_SHORE = 0.9
"""Land of a class of which less lies at the shore is not taken for water, however mixed."""

WINDOW = 4
"""How far around a mixed pixel unmixed water and land are looked for (pixels)."""

ENOUGH = 3
"""Fewer unmixed pixels than this in the window, and the scene's means stand in for them."""

PRIOR = 8
"""The spread around a pixel counts its own pixels, and the scene's spread as so many more."""

MOSTLY_WATER = 0.5
"""A pixel of which more is water is water on a mask."""

DEPTH = WINDOW + RIM
"""How far around a pixel its fraction depends on the map (pixels of the data)."""

_AT_ONCE = 1 << 16  # mixed pixels whose windows are gathered together


def water_fraction(segmentation: xr.Dataset, evidence: pd.DataFrame | None = None) -> xr.DataArray:
    """Estimate how much of each pixel is water.

    Parameters
    ----------
    segmentation : Dataset
        From `strandline.segment`, or what its model predicts for another scene.
    evidence : DataFrame, optional
        The decision of `find_water`. Default: let it decide by itself. What a model predicts
        has no signatures to decide by: pass the decision about the segmentation that the
        model comes from.

    Returns
    -------
    DataArray of float32, shape (y, x) or (time, y, x)
        0 … 1; NaN where not observed. Away from shores 0 or 1, by the class. Lazy if the
        segmentation is; the same whatever its chunks.

    Raises
    ------
    WaterError
        As `find_water`; or a decision that belongs to another segmentation.

    Notes
    -----
    Mixed are water with land beside it, and land up to two pixels from water, unless land of
    the same subcluster lies further inland nearby: that is a kind of ground, wet soil or
    shade, which only looks like a mixture. Land of subclusters that also lie elsewhere in the
    scene, less than nine tenths of them at the shore, is water to one half at most; so is land
    beside water so narrow that none of it nearby is unmixed.

    With x the spectrum of a mixed pixel, w and l the mean spectra of the unmixed water and
    land in a window of 9 × 9 pixels around it, and v the variance of the land there, the
    fraction is Σ (w - l)(x - l)/v / Σ (w - l)²/v over all bands, not less than 0 nor more than
    1: the least squares solution for two components whose parts add up to one, with the
    bands weighed by how much the land varies in them.

    Pixels are those of the data: where the grid is finer (``oversampling``, see
    `strandline.regrid`), the distances are as many times longer, and the window's 9 × 9 pixels
    lie as far apart.

    References
    ----------
    Settle and Drake, "Linear mixing and the estimation of ground cover proportions",
    International Journal of Remote Sensing 14 (1993). Xie, Luo, Xu, Pan and Tong, "Automated
    subpixel surface water mapping from heterogeneous urban environments using Landsat 8 OLI
    imagery", Remote Sensing 8 (2016).

    Examples
    --------
    >>> import strandline as sl
    >>> from strandline.testing.lakes import lake_fraction, lake_grid, round_lake
    >>> fraction = water_fraction(sl.segment(round_lake(radius=600), n_clusters=4))
    >>> truth = lake_fraction(lake_grid(), radius=600)
    >>> bool(abs(fraction.sum() / truth.sum() - 1) < 0.01)
    True
    """
    decision = find_water(segmentation) if evidence is None else evidence
    subclusters = stored_classes(segmentation["subclusters"])
    unmixing = unmixing_of(decision, segmentation.sizes["subcluster"])
    data = by_windows(subclusters.data, unmixing.fraction, np.float32, steps_of(subclusters))
    fraction = subclusters.copy(data=data)
    fraction.name = "water_fraction"
    fraction.attrs = {
        "long_name": "share of the pixel that is water",
        "units": "1",
        "valid_min": np.float32(0.0),
        "valid_max": np.float32(1.0),
        "verdict": decision.attrs.get("verdict", ""),
        "decided_by": decision.attrs.get("decided_by", ""),
    }
    return fraction


class Unmixing(NamedTuple):
    """What the fraction of a pixel depends on, beside the map around it.

    Attributes
    ----------
    classes : ndarray of uint8, shape (256,)
        Water, land or not observed, by subcluster number.
    mixed : ndarray of bool, shape (256,)
        Whether a subcluster may be mostly water.
    spectra : ndarray of float64, shape (n_bands, 256)
        Mean spectra of the subclusters.
    water, land : ndarray of float64, shape (n_bands,)
        Mean spectra of all water and all land.
    variance : ndarray of float64, shape (n_bands,)
        How much the land varies.
    """

    classes: NDArray[np.uint8]
    mixed: NDArray[np.bool_]
    spectra: NDArray[np.float64]
    water: NDArray[np.float64]
    land: NDArray[np.float64]
    variance: NDArray[np.float64]

    def fraction(self, plane: NDArray[np.uint8], step: int = 1) -> NDArray[np.float32]:
        """Compute the fraction on a map of subclusters of shape (y, x).

        There are `step` pixels of the map along the side of one of the data.
        """
        classes = self.classes[plane]
        wet, dry = classes == WATER, classes == LAND
        result = np.where(wet, np.float32(1.0), np.float32(0.0))
        result[classes == NOT_OBSERVED] = np.nan
        if not wet.any() or not dry.any():
            return result
        near_land, near_water = near(dry, WET_RIM * step), near(wet, RIM * step)
        pure = np.where(wet & ~near_land, WATER, NOT_OBSERVED).astype(np.uint8)
        pure[dry & ~near_water] = LAND
        padded = np.pad(pure, WINDOW * step, constant_values=NOT_OBSERVED)
        spectra = np.pad(plane, WINDOW * step)
        rows, columns = np.nonzero((wet & near_land) | (dry & near_water))
        for start in range(0, len(rows), _AT_ONCE):
            here = rows[start : start + _AT_ONCE], columns[start : start + _AT_ONCE]
            result[here] = self._unmix(plane[here], padded, spectra, *here, step)
        return result

    def _unmix(
        self,
        own: NDArray[np.uint8],
        pure: NDArray[np.uint8],
        plane: NDArray[np.uint8],
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        step: int,
    ) -> NDArray[np.float64]:
        """Unmix some pixels by their windows, whose first pixels are at `rows`, `columns`."""
        sums = {kind: np.zeros((len(self.spectra), len(own))) for kind in (WATER, LAND)}
        squares = np.zeros((len(self.spectra), len(own)))
        counts = {kind: np.zeros(len(own)) for kind in (WATER, LAND)}
        inland = np.zeros(len(own), bool)
        side = 2 * WINDOW + 1
        for down in range(0, side * step, step):
            for right in range(0, side * step, step):
                kinds = pure[rows + down, columns + right]
                found = plane[rows + down, columns + right]
                inland |= (kinds == LAND) & (found == own)
                for kind in (WATER, LAND):
                    (at,) = np.nonzero(kinds == kind)
                    counts[kind][at] += 1
                    for band, spectrum in enumerate(self.spectra):
                        values = spectrum[found[at]]
                        sums[kind][band, at] += values
                        if kind == LAND:
                            squares[band, at] += values * values
        # Band by band in a fixed order: a sum over an axis may be rounded by its place.
        above, below = np.zeros(len(own)), np.zeros(len(own))
        for band, spectrum in enumerate(self.spectra):
            water = _mean(sums[WATER][band], counts[WATER], self.water[band])
            land = _mean(sums[LAND][band], counts[LAND], self.land[band])
            spread = np.maximum(squares[band] - counts[LAND] * land * land, 0.0)
            spread = np.where(counts[LAND] < ENOUGH, 0.0, spread)
            trusted = np.where(counts[LAND] < ENOUGH, 0.0, counts[LAND])
            variance = (spread + PRIOR * self.variance[band]) / (trusted + PRIOR)
            difference = water - land
            above += difference * (spectrum[own] - land) / variance
            below += difference * difference / variance
        fraction = np.divide(above, below, out=np.zeros_like(above), where=below > 0.0)
        # What lies inland too is a kind of ground: nothing of it, or at most a half, is water.
        most = np.where(self.mixed[own], 1.0, np.where(inland, 0.0, 0.5))
        # Beside a river too narrow to show its own water, what looks dry is no water on a mask.
        unknown = (counts[WATER] < ENOUGH) & (self.classes[own] == LAND)
        most = np.where(unknown, np.minimum(most, MOSTLY_WATER), most)
        return np.clip(fraction, 0.0, most)

    def mask(self, plane: NDArray[np.uint8], step: int = 1) -> NDArray[np.uint8]:
        """Compute a water mask from a map of subclusters of shape (y, x)."""
        fraction = self.fraction(plane, step)
        mask = np.where(fraction > MOSTLY_WATER, np.uint8(WATER), np.uint8(LAND))
        mask[np.isnan(fraction)] = NOT_OBSERVED
        return mask


def unmixing_of(decision: pd.DataFrame, n_subclusters: int) -> Unmixing:
    """Sum up water and land of a decision.

    Parameters
    ----------
    decision : DataFrame
        From `find_water`.
    n_subclusters : int

    Returns
    -------
    Unmixing
    """
    classes = classes_of(decision, n_subclusters)
    means = spectra_of(decision)
    spectra = np.zeros((means.shape[1], 256))
    spectra[:, decision.index.to_numpy()] = np.nan_to_num(means.T)
    share = decision["share"].to_numpy()
    is_water = decision["water"].to_numpy(dtype=bool)
    total = _moments(spectra[:, decision.index.to_numpy()], share)
    water = _moments(spectra[:, decision.index.to_numpy()], np.where(is_water, share, 0.0))
    land = _moments(spectra[:, decision.index.to_numpy()], np.where(is_water, 0.0, share))
    # A band that is everywhere the same must not weigh more than all others.
    least = 1e-3 * total[1].mean() + np.finfo(np.float64).tiny
    mixed = classes == WATER
    if "at_shore" in decision:
        mixed[decision.index.to_numpy()] |= (decision["at_shore"] >= MOSTLY_AT_SHORE).to_numpy()
    return Unmixing(classes, mixed, spectra, water[0], land[0], np.maximum(land[1], least))


def by_windows(subclusters: Any, work: Any, dtype: Any, steps: Sequence[int] = (1,)) -> Any:
    """Apply a function of a plane and its surroundings to a map, lazily to a lazy one.

    Parameters
    ----------
    subclusters : ndarray or dask.array.Array of uint8, shape (…, y, x)
    work : callable
        Takes a plane (y, x) and a step, and gives a plane of the same shape. A pixel of it may
        depend on what lies up to `DEPTH` times the step away.
    dtype : dtype
        Of the result.
    steps : sequence of int
        From `steps_of`: one for all dates, or one each.

    Returns
    -------
    ndarray or dask.array.Array
    """
    if len(set(steps)) > 1:
        parts = [
            by_windows(plane, work, dtype, (step,))
            for plane, step in zip(subclusters, steps, strict=True)
        ]
        if not hasattr(subclusters, "map_blocks"):
            return np.stack(parts)
        import dask.array as da

        return da.stack(parts)  # type: ignore[no-untyped-call]  # Dask is untyped
    work = partial(work, step=steps[0])
    if not hasattr(subclusters, "map_blocks"):
        return _planes(subclusters, work, np.dtype(dtype))
    import dask.array as da

    leading, reach = subclusters.ndim - 2, DEPTH * steps[0]
    return da.map_overlap(  # type: ignore[no-untyped-call]  # Dask is untyped
        _planes,
        subclusters,
        depth=(0,) * leading + (reach, reach),
        boundary="none",
        work=work,
        kind=np.dtype(dtype),
        dtype=dtype,
        meta=np.empty((0,) * subclusters.ndim, dtype),
    )


def _planes(subclusters: NDArray[np.uint8], work: Any, kind: np.dtype[Any]) -> NDArray[Any]:
    planes = subclusters.reshape(-1, *subclusters.shape[-2:])
    result = np.empty(planes.shape, kind)
    for number, plane in enumerate(planes):
        result[number] = work(plane)
    return result.reshape(subclusters.shape)


def _mean(
    total: NDArray[np.float64], count: NDArray[np.float64], otherwise: float
) -> NDArray[np.float64]:
    """Divide where there is enough to divide by."""
    mean: NDArray[np.float64] = np.where(count < ENOUGH, otherwise, total / np.maximum(count, 1.0))
    return mean


def _moments(
    spectra: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean and variance of each band."""
    total = max(float(weight.sum()), np.finfo(np.float64).tiny)
    mean = (spectra * weight).sum(axis=1) / total
    variance = (np.square(spectra - mean[:, None]) * weight).sum(axis=1) / total
    return mean, variance
