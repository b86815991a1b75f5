"""Centre and scale samples, so that no band outweighs another by its units alone."""

from __future__ import annotations

from typing import Any, Self, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from strandline.errors import ConfigurationError, InvalidDataError

Samples = TypeVar("Samples")

HOWS = ("global", "band", "robust")

SAMPLE_SIZE = 2**20
"""Observed samples from which the statistics are computed; all of them if there are fewer."""

NORMAL_MAD = 1.482602218505602
"""Standard deviation of a normal distribution whose median absolute deviation is 1."""


class Standardizer:
    """Centre and scale learned from samples.

    The statistics come from at most 1,048,576 samples, observed in all bands, that are drawn
    by their position alone: so they depend neither on chunks nor on threads, and a scene of
    any size costs one pass and little memory. They are computed in float64.

    Parameters
    ----------
    how : {"global", "band", "robust"}
        ``global``: one mean and one standard deviation over all values of all bands; keeps
        the bands' relative brightness and spread. ``band``: mean and standard deviation per
        band. ``robust``: median and 1.4826 times the median absolute deviation per band
        (Rousseeuw and Croux, 1993); where that is zero, more than half of the values being
        equal, the standard deviation instead.

    Attributes
    ----------
    center_, scale_ : ndarray of shape (bands,)
        float64, in the units of the samples. The scale of a constant band is 1.

    References
    ----------
    Rousseeuw and Croux, "Alternatives to the median absolute deviation", Journal of the
    American Statistical Association 88 (1993).

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.array([[1.0, 10.0], [3.0, 30.0], [np.nan, 50.0]])
    >>> Standardizer("band").fit(samples).transform(samples)
    array([[-1., -1.],
           [ 1.,  1.],
           [nan,  3.]])
    """

    center_: NDArray[np.float64]
    scale_: NDArray[np.float64]

    def __init__(self, how: str = "global") -> None:
        if how not in HOWS:
            raise ConfigurationError(
                "The standardisation is not known.",
                expected="one of " + ", ".join(HOWS),
                got=repr(how),
            )
        self.how = how

    def fit(self, samples: Any) -> Self:
        """Learn centre and scale.

        Parameters
        ----------
        samples : array of shape (sample, band)
            NumPy, Dask or DataArray. Samples with a NaN in any band are left out.

        Returns
        -------
        Standardizer
            Itself.

        Raises
        ------
        InvalidDataError
            If no sample was observed in all bands, or values are infinite.
        """
        # Imported here: the engine brings scikit-learn, and not everybody standardises.
        from strandline.spectral.sampling import draw_sample

        drawn = draw_sample(_plain(samples), SAMPLE_SIZE).astype(np.float64)
        if len(drawn) == 0:
            raise InvalidDataError(
                "No sample was observed in all bands.",
                expected="at least one row without NaN",
                got=f"none of {_plain(samples).shape[0]}",
                remedy="Leave out bands that are empty; check nodata, mask and the grid.",
            )
        if self.how == "global":
            center, scale = _mean_and_deviation(drawn.reshape(-1, 1))
            center, scale = (np.repeat(value, drawn.shape[1]) for value in (center, scale))
        elif self.how == "band":
            center, scale = _mean_and_deviation(drawn)
        else:
            center, scale = _median_and_mad(drawn)
        self.center_, self.scale_ = center, scale
        return self

    def transform(self, samples: Samples) -> Samples:
        """Subtract the centre and divide by the scale.

        Parameters
        ----------
        samples : array of shape (sample, band)
            NumPy, Dask or DataArray, with the bands of the samples learned from.

        Returns
        -------
        array of shape (sample, band)
            Of the same kind; float32 for float32 (and for integers of up to 16 bits), else
            float64. NaN stays NaN.

        Raises
        ------
        ConfigurationError
            If nothing has been learned yet, or the number of bands is another.
        """
        return self._apply(samples, lambda values, center, scale: (values - center) / scale)

    def inverse_transform(self, samples: Samples) -> Samples:
        """Undo `transform`, for example to read the spectrum of a cluster's centre.

        Parameters
        ----------
        samples : array of shape (sample, band)
            NumPy, Dask or DataArray of standardised values.

        Returns
        -------
        array of shape (sample, band)
            In the units of the samples learned from.
        """
        return self._apply(samples, lambda values, center, scale: values * scale + center)

    def fit_transform(self, samples: Samples) -> Samples:
        """Learn from samples and transform the same samples."""
        return self.fit(samples).transform(samples)

    def _apply(self, samples: Samples, function: Any) -> Samples:
        if not hasattr(self, "center_"):
            raise ConfigurationError("The standardizer is not fitted.", remedy="Call fit first.")
        data = _plain(samples)
        if data.ndim != 2 or data.shape[1] != len(self.center_):
            raise ConfigurationError(
                "The samples do not match those that the standardizer was fitted to.",
                expected=f"shape (sample, {len(self.center_)})",
                got=f"shape {data.shape}",
            )
        dtype = np.result_type(data.dtype, np.float32)
        center, scale = self.center_.astype(dtype), self.scale_.astype(dtype)
        values = function(data.astype(dtype), center, scale)
        result: Any = values
        if isinstance(samples, xr.DataArray):
            result = samples.copy(data=values)
        return result  # type: ignore[no-any-return]  # the kind of array that came in


def standardize(samples: Samples, how: str = "global") -> Samples:
    """Centre and scale samples by their own statistics.

    Parameters
    ----------
    samples : array of shape (sample, band)
        NumPy, Dask or DataArray.
    how : {"global", "band", "robust"}
        See `Standardizer`.

    Returns
    -------
    array of shape (sample, band)
        Of the same kind; NaN stays NaN. The statistics are computed at once, the values of
        a lazy array when they are asked for.

    Raises
    ------
    ConfigurationError
        If `how` is unknown.
    InvalidDataError
        If no sample was observed in all bands.

    Examples
    --------
    >>> import numpy as np
    >>> standardize(np.array([[1.0, 3.0], [5.0, 7.0]])).round(3)
    array([[-1.342, -0.447],
           [ 0.447,  1.342]])
    """
    return Standardizer(how).fit_transform(samples)


def _plain(samples: Any) -> Any:
    """Get at the array; a list becomes one."""
    data = samples.data if isinstance(samples, xr.DataArray) else samples
    return data if hasattr(data, "__dask_graph__") else np.asarray(data)


def _mean_and_deviation(
    drawn: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # A constant's mean can be off by a rounding, and its deviation then is not quite zero.
    constant = drawn.min(axis=0) == drawn.max(axis=0)
    return drawn.mean(axis=0), np.where(constant, 1.0, drawn.std(axis=0))


def _median_and_mad(
    drawn: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    center = np.median(drawn, axis=0)
    scale = NORMAL_MAD * np.median(np.abs(drawn - center), axis=0)
    return center, np.where(scale > 0, scale, _mean_and_deviation(drawn)[1])
