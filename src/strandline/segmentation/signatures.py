"""What clusters look like: mean and spread of their spectra."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Signatures(NamedTuple):
    """Mean and spread of the spectra of each class.

    Attributes
    ----------
    mean, std : ndarray of float64, shape (n_classes, n_bands)
        In the units of the samples; NaN for a class without samples.
    pixels : ndarray of int64 or float64, shape (n_classes,)
        Samples in each class, or the sum of their weights.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    pixels: NDArray[np.int64] | NDArray[np.float64]


def signatures(
    rows: NDArray[Any],
    classes: NDArray[Any],
    n_classes: int,
    weights: NDArray[np.float64] | None = None,
) -> Signatures:
    """Sum up the spectra of each class.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_bands)
        Spectra without NaN.
    classes : ndarray of shape (n_samples,)
        0 … n_classes - 1.
    n_classes : int
    weights : ndarray of shape (n_samples,), optional
        For how many pixels each sample stands. Default: one.

    Returns
    -------
    Signatures

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.array([[0.1, 0.2], [0.3, 0.2], [0.5, 0.6]])
    >>> signatures(rows, np.array([0, 0, 1]), 2).mean.round(3).tolist()
    [[0.2, 0.2], [0.5, 0.6]]
    """
    count = np.bincount(classes, weights, n_classes)
    with np.errstate(invalid="ignore"):  # 0/0 for a class without samples is NaN, as promised
        mean = _per_class(rows, classes, n_classes, weights) / count[:, None]
        deviation = np.square(rows - mean[classes])
        std = np.sqrt(_per_class(deviation, classes, n_classes, weights) / count[:, None])
    return Signatures(mean, std, count)


def _per_class(
    values: NDArray[Any],
    classes: NDArray[Any],
    n_classes: int,
    weights: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Sum each column within each class, in float64 and in the order of the samples."""
    sums = [
        np.bincount(classes, column if weights is None else column * weights, n_classes)
        for column in values.T
    ]
    return np.stack(sums, axis=1)
