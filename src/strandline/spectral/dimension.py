"""How many dimensions the data really fills: what decides between the two affinities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.spectral.assign import lloyd
from strandline.spectral.landmarks import choose_landmarks

_MANY_DIMENSIONS = 4.0
"""Scenes of one date fill 1.9 to 3.5 dimensions, the labelled sets with 16 to 64 features
4.7 to 6.8 (docs/method.md): this is between them, a fifth away from either on a log scale."""

_POINTS = 1 << 12
_FEW, _MORE = 16, 64  # prototypes
_FEW_TRIES = 4  # so few prototypes end in different places: the mean error is steadier


def natural_affinity(points: NDArray[Any], weights: NDArray[np.float64]) -> str:
    """Choose the affinity that suits the data: ``"rbf"`` or ``"nearest_neighbors"``.

    A few hundred landmarks lie close together where the data fills few dimensions; a
    Gaussian kernel can then be narrow and still see every neighbour. In many dimensions
    they stay far apart, a kernel wide enough to bridge them blurs the clusters, and
    a graph of the nearest ones of many more landmarks is better.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        In the frame, distinct, in an order as good as random.
    weights : ndarray of float64, shape (n_points,)

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> points = np.random.default_rng(0).normal(size=(4096, 8))
    >>> natural_affinity(points, np.ones(4096))
    'nearest_neighbors'
    >>> natural_affinity(points[:, :2], np.ones(4096))
    'rbf'
    """
    many = filled_dimensions(points, weights) > _MANY_DIMENSIONS
    return "nearest_neighbors" if many else "rbf"


def filled_dimensions(points: NDArray[Any], weights: NDArray[np.float64]) -> float:
    """Estimate the quantisation dimension: how fast more prototypes come closer to the data.

    The mean squared distance to the nearest of m well-placed prototypes falls as m^(-2/D);
    D follows from 16 and 64 prototypes, placed by k-means. Noise counts where it is
    larger than the distance between them; correlated features do not.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        Distinct, in an order as good as random: the first 4,096 are used. Fewer than 512
        get fewer prototypes, and the estimate falls short.
    weights : ndarray of float64, shape (n_points,)

    Returns
    -------
    float
        0 for fewer than 32 points.

    References
    ----------
    Zador, "Asymptotic quantization error of continuous signals and the quantization
    dimension", IEEE Trans. Inf. Theory 1982.

    Examples
    --------
    >>> import numpy as np
    >>> plane = np.random.default_rng(0).normal(size=(4096, 2)) @ np.ones((2, 9))
    >>> round(filled_dimensions(plane, np.ones(4096)))
    1
    """
    points, weights = points[:_POINTS], weights[:_POINTS]
    more = min(_MORE, len(points) // 8)
    few = more * _FEW // _MORE
    if few == 0:
        return 0.0
    rng = np.random.default_rng(0)  # a property of the data: not of the seed

    def error(n_prototypes: int) -> float:
        start = choose_landmarks(points, weights, n_prototypes, rng, n_iterations=2, n_jobs=1)
        return lloyd(points, weights, start, max_iter=4, tol=0.0)[1]

    coarse, fine = float(np.mean([error(few) for _ in range(_FEW_TRIES)])), error(more)
    if not 0.0 < fine < coarse:
        return 0.0
    return float(2.0 * np.log(more / few) / np.log(coarse / fine))
