"""How similar a sample is to each landmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from strandline.errors import ConfigurationError, InvalidDataError
from strandline.spectral.landmarks import closeness, search_matrix
from strandline.spectral.tiles import map_tiles, product, scratch, whole_lanes

_FARTHEST = 1e6
"""Features are cut here, in units of the data's own spread: beyond it all is "far"."""

_EXACT_NORM = 1e4
"""Up to this |x|²/2, in kernel widths, rounding moves an exponent by less than a hundredth."""

_LEAST_UNIT, _GREATEST_UNIT = 1e-300, 1e300


@dataclass(frozen=True)
class Frame:
    """Coordinates in which the bulk of the data has its middle at 0 and its spread at 1.

    Digital numbers, reflectance or kelvin then take the same arithmetic, and single
    precision suffices. One unit serves all features: the geometry is not distorted.

    Attributes
    ----------
    origin : ndarray of float64, shape (n_features,)
    unit : float
    dtype : numpy.dtype
        float32 or float64.
    """

    origin: NDArray[np.float64]
    unit: float
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, rows: NDArray[Any], dtype: DTypeLike) -> Frame:
        """Fit a frame to distinct rows: median per feature, median distance from there."""
        table = rows.astype(np.float64)
        # Halving and doubling is exact, and keeps squares and sums of any size finite.
        exponent = int(np.frexp(np.abs(table).max())[1])
        table = np.ldexp(table, -exponent)
        origin = np.median(table, axis=0)
        distance = np.sqrt(np.square(table - origin).sum(axis=1))
        unit = float(np.median(distance))
        if unit == 0.0:
            usable = distance[distance > 0.0]
            unit = float(usable.mean()) if len(usable) else 1.0
        with np.errstate(over="ignore", under="ignore"):
            unit = float(np.clip(np.ldexp(unit, exponent), _LEAST_UNIT, _GREATEST_UNIT))
        return cls(np.ldexp(origin, exponent), unit, np.dtype(dtype))

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Express rows in this frame."""
        with np.errstate(over="ignore"):
            if rows.dtype == np.float32 == self.dtype:
                # Differences of neighbouring floats are exact, so nothing is lost here.
                moved = (rows - self.origin.astype(np.float32)) * np.float32(1.0 / self.unit)
            else:
                moved = ((rows - self.origin) / self.unit).astype(self.dtype)
        np.clip(moved, -_FARTHEST, _FARTHEST, out=moved)
        return moved

    def back(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Express points of this frame in the data's own units."""
        return points.astype(np.float64) * self.unit + self.origin


@dataclass(frozen=True)
class GaussianKernel:
    """exp(-gamma |x - z|²) between samples in the frame and the landmarks z.

    Attributes
    ----------
    landmarks : ndarray of shape (n_landmarks, n_features)
        In the frame.
    gamma : float
        In the frame, 1/unit².
    """

    landmarks: NDArray[Any]
    gamma: float
    _right: NDArray[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        z = self.landmarks.astype(np.float64) * np.sqrt(2.0 * self.gamma)
        ones = np.ones((len(z), 1))
        right = np.hstack([z, -0.5 * np.square(z).sum(axis=1, keepdims=True), -ones])
        object.__setattr__(self, "_right", whole_lanes(right.T.astype(self.landmarks.dtype)))

    def __call__(self, points: NDArray[Any], *, passing: bool = False) -> NDArray[Any]:
        """Affinities of shape (n_points, n_landmarks), by one matrix product and one exp.

        `passing`: used at once and not kept, the array may be the thread's scratch memory.
        """
        scale = points.dtype.type(np.sqrt(2.0 * self.gamma))
        left = np.empty((len(points), points.shape[1] + 2), points.dtype)
        np.multiply(points, scale, out=left[:, :-2])
        left[:, -2] = 1.0
        half_norm = 0.5 * np.einsum("ij,ij->i", left[:, :-2], left[:, :-2])
        left[:, -1] = half_norm
        shape = (len(points), self._right.shape[1])
        exponent = (
            scratch("exponents", shape, left.dtype) if passing else np.empty(shape, left.dtype)
        )
        product(left, self._right, exponent)
        # Far out, where large numbers cancel, rounding could make it anything; near, cutting
        # it at zero would take as long as the product did.
        far = np.flatnonzero(half_norm > _EXACT_NORM)
        if len(far):
            exponent[far] = np.minimum(exponent[far], 0.0)
        np.exp(exponent, out=exponent)
        return exponent[:, : len(self.landmarks)]


@dataclass(frozen=True)
class PairwiseKernel:
    """One of scikit-learn's pairwise kernels, or a callable, in the data's own units.

    Attributes
    ----------
    landmarks : ndarray of float64, shape (n_landmarks, n_features)
    kernel : str or callable
        A callable takes ``(X, Z, **parameters)`` and returns a matrix.
    parameters : mapping
    """

    landmarks: NDArray[np.float64]
    kernel: str | Callable[..., Any]
    parameters: Mapping[str, Any]

    def __call__(self, points: NDArray[Any], *, passing: bool = False) -> NDArray[np.float64]:
        """Affinities of shape (n_points, n_landmarks); always an array of their own."""
        count = len(self.landmarks)
        landmarks = whole_lanes(self.landmarks, axis=0)
        landmarks[count:] = self.landmarks[0]
        expected = (len(points), len(landmarks))
        if callable(self.kernel):
            values = np.asarray(self.kernel(points, landmarks, **self.parameters), np.float64)
        else:
            from sklearn.metrics.pairwise import pairwise_kernels

            values = pairwise_kernels(
                points.astype(np.float64), landmarks, metric=self.kernel, **self.parameters
            )
        if values.shape != expected:
            raise ConfigurationError(
                "The affinity function returned an array of the wrong shape.",
                expected=f"shape {expected}, samples × landmarks",
                got=str(values.shape),
            )
        if not np.isfinite(values).all():
            raise InvalidDataError(
                "The affinity function returned NaN or infinity.",
                remedy="Standardise the samples, or change the kernel's parameters.",
            )
        return np.asarray(values[:, :count], dtype=np.float64)


@dataclass(frozen=True)
class NeighbourWeights:
    """Sparse affinities to the few nearest landmarks, each sample's adding up to one.

    The weight of a landmark at distance D is exp(-(D² - D_min²) / (2 s²)), with the scale
    s = local^locality · typical^(1 - locality): `local` is the sample's own mean distance
    to its nearest landmarks, `typical` the median of that over the data.

    Attributes
    ----------
    landmarks : ndarray of shape (n_landmarks, n_features)
        In the frame.
    n_neighbors : int
    typical : float
    locality : float
        0: one scale for all; 1: each sample its own.
    """

    landmarks: NDArray[Any]
    n_neighbors: int
    typical: float
    locality: float
    _right: NDArray[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_right", search_matrix(self.landmarks))

    def __call__(self, points: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Nearest landmarks' indices and weights, each of shape (n_points, n_neighbors)."""
        nearest, squared = self.search(points)
        return nearest, self.weigh(squared)

    def search(self, points: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Find the nearest landmarks: their indices and squared distances, nearest first."""
        score = closeness(points, self._right, len(self.landmarks))
        every = np.arange(len(points))
        nearest = np.empty((len(points), self.n_neighbors), np.int64)
        best = np.empty((len(points), self.n_neighbors), points.dtype)
        for j in range(self.n_neighbors):  # a few vectorised maxima beat a partial sort
            nearest[:, j] = score.argmax(axis=1)
            best[:, j] = score[every, nearest[:, j]]
            score[every, nearest[:, j]] = -np.inf
        squared = np.einsum("ij,ij->i", points, points)[:, None] - 2.0 * best
        return nearest, np.maximum(squared, 0.0)

    def weigh(self, squared: NDArray[Any]) -> NDArray[Any]:
        """Weights that add up to one, from squared distances sorted along the last axis."""
        if self.typical == 0.0:  # most samples sit on a landmark: that one is all they see
            only_nearest = np.zeros_like(squared)
            only_nearest[:, 0] = 1.0
            return only_nearest
        local = np.sqrt(squared).mean(axis=1)
        scale = local**self.locality * self.typical ** (1.0 - self.locality)
        tiny = np.finfo(squared.dtype).tiny
        double = np.maximum(2.0 * np.square(scale), tiny)[:, None]
        with np.errstate(over="ignore"):  # infinitely far apart: no weight
            weights: NDArray[Any] = np.exp(-(squared - squared[:, :1]) / double)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights


def neighbour_distances(
    points: NDArray[Any], landmarks: NDArray[Any], n_neighbors: int, n_jobs: int | None
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Nearest landmarks of every point: indices and squared distances, nearest first."""
    search = NeighbourWeights(landmarks, n_neighbors, 1.0, 0.0).search
    parts = list(map_tiles(lambda part: search(points[part]), len(points), n_jobs))
    nearest, squared = zip(*parts, strict=True)
    return np.concatenate(nearest), np.concatenate(squared)


def weighted_median(values: NDArray[Any], weights: NDArray[np.float64]) -> float:
    """Find the value at which half of the weight is reached."""
    order = np.argsort(values, kind="stable")
    heap = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(heap, 0.5 * heap[-1])]])
