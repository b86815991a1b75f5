"""The two sides of a water index, which no subcluster lies on both of.

Of reflectance, the sign of the index tells them apart: MNDWI above zero is wet (Xu, 2006).
Numbers that were stretched for display, or counts of a sensor, have lost their scale, and
their index its zero. Where such a scene falls into two parts by the index, and the lower part
is dry, Otsu's threshold between them takes the place of zero. It never lies below zero, and
where little is water it has no say, as it then only splits the land.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BINS = 256
_RATIOS = (1.5, 3.0, 6.0)  # MNDWI of 0.2, 0.5 and 0.71
_STEPS = 16  # of brightness, before they repeat
_FLOOR = 1e-4  # as in the water indices: a ratio never divides by nothing


STRATA = (len(_RATIOS) + 1) * _STEPS
"""How many kinds of wet spectra are told apart when pixels are drawn."""


class Sides(NamedTuple):
    """Two bands whose ratio tells wet from dry.

    Attributes
    ----------
    high, low : int
        Columns of the band that is brighter than the other on the wet side, and of the other.
    ratio : float
        How many times brighter; from 1.
    """

    high: int
    low: int
    ratio: float = 1.0

    @property
    def threshold(self) -> float:
        """The value of the normalised difference of the two bands that the ratio stands for."""
        return (self.ratio - 1.0) / (self.ratio + 1.0)

    def wet(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Find which spectra, of shape (n, n_bands), lie on the wet side."""
        wet: NDArray[np.bool_] = rows[:, self.high] > np.float32(self.ratio) * rows[:, self.low]
        return wet

    def strata(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Sort wet spectra, of shape (n, n_bands), by their index and brightness.

        Brightness counts in powers of two, so strata mean the same whatever the scale.

        Returns
        -------
        ndarray of uint8, shape (n,)
            0 … `STRATA` - 1.
        """
        high, low = (np.maximum(rows[:, column], _FLOOR) for column in (self.high, self.low))
        by_ratio = np.searchsorted(_RATIOS, high / low)
        _, exponent = np.frexp(high)
        strata: NDArray[np.uint8] = (by_ratio * _STEPS + exponent % _STEPS).astype(np.uint8)
        return strata


def sides_of(bands: tuple[str, ...]) -> Sides | None:
    """Find the bands of a water index: green, and the longest infrared but for 2.2 µm.

    Parameters
    ----------
    bands : tuple of str

    Returns
    -------
    Sides or None

    Examples
    --------
    >>> sides_of(("green", "nir08", "swir16"))
    Sides(high=0, low=2, ratio=1.0)
    """
    for low in ("swir16", "swir22", "nir08"):
        if "green" in bands and low in bands:
            return Sides(bands.index("green"), bands.index(low))
    return None


def fit_sides(sides: Sides, rows: NDArray[Any]) -> Sides:
    """Put the border between the sides where numbers without a scale fall apart.

    Parameters
    ----------
    sides : Sides
    rows : ndarray of shape (n_samples, n_bands)

    Returns
    -------
    Sides
        With another ratio, or as they were where zero divides as well as can be told.

    References
    ----------
    Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9 (1979).

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.repeat([[60.0, 100.0], [60.0, 50.0], [60.0, 10.0]], [500, 500, 90], axis=0)
    >>> fit_sides(Sides(0, 1), rows).ratio > 60 / 50
    True
    >>> fit_sides(Sides(0, 1), rows[:-80]).ratio
    1.0
    """
    high, low = (
        np.maximum(rows[:, column], _FLOOR).astype(np.float64) for column in (sides.high, sides.low)
    )
    index = (high - low) / (high + low)
    if np.ptp(index) == 0.0:
        return sides
    threshold = _otsu(index)
    if not 0.0 < threshold < 1.0 or index[index <= threshold].mean() >= 0.0:
        return sides
    return sides._replace(ratio=(1.0 + threshold) / (1.0 - threshold))


def _otsu(values: NDArray[np.float64]) -> float:
    """Split values in two so that the variance between the parts is largest."""
    counts, edges = np.histogram(values, bins=_BINS)
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1:-1][np.argmax(between)])
