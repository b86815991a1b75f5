"""From the embedding to clusters: few good centres, and a fixed order of the labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from strandline.spectral.tiles import product, scratch, whole_lanes

MAX_ITERATIONS = 300
TOLERANCE = 1e-7
"""Where k-means ends, unless the caller says: iterations, and relative improvement."""

_COARSE_ITERATIONS = 30
_TOGETHER_BYTES = 1 << 25  # 32 starts of up to 64 clusters among 2,048 landmarks
_DENSE_CLUSTERS = 64
_FEW_ITERATIONS = 4
_REFINED_STARTS = 4
_COMPARED_POINTS = 1 << 14  # on which these are compared
_SAME_ERROR = 1e-6


@dataclass(frozen=True)
class LinearRule:
    """Label of an embedded sample e: the largest of the scores e·w_j + b_j.

    Nearest centres, rotations (`discretize`) and pivoted QR (`cluster_qr`) all have
    this form.

    Attributes
    ----------
    weights : ndarray of shape (n_vectors, n_clusters)
    bias : ndarray of shape (n_clusters,)
    """

    weights: NDArray[Any]
    bias: NDArray[Any]
    _wide: NDArray[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wide", whole_lanes(self.weights))

    @classmethod
    def nearest(cls, centres: NDArray[Any], dtype: np.dtype[Any]) -> LinearRule:
        """Make the rule "nearest centre", for centres of shape (n_clusters, n_vectors)."""
        bias = -0.5 * np.square(centres).sum(axis=1)
        return cls(np.ascontiguousarray(centres.T, dtype), bias.astype(dtype))

    @property
    def n_vectors(self) -> int:
        """Number of columns of the embedding."""
        return int(self.weights.shape[0])

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.bias.shape[0])

    def __call__(self, embedded: NDArray[Any]) -> NDArray[np.int32]:
        """Labels of embedded samples, shape (n_points,)."""
        scores = scratch("scores", (len(embedded), self._wide.shape[1]), self._wide.dtype)
        scores = product(embedded, self._wide, scores)[:, : len(self.bias)]
        scores += self.bias
        labels: NDArray[np.int32] = scores.argmax(axis=1).astype(np.int32)
        return labels

    def reordered(self, order: NDArray[np.int64]) -> LinearRule:
        """Rename the clusters: ``order[j]`` is now called j; those not in it vanish."""
        return LinearRule(np.ascontiguousarray(self.weights[:, order]), self.bias[order])


def canonical_order(
    rows: NDArray[Any], weights: NDArray[np.float64], labels: NDArray[np.int32], n_clusters: int
) -> NDArray[np.int64]:
    """Clusters from the darkest to the brightest mean sample.

    Ties of the mean over features are broken by the features themselves, the first one
    first.

    Parameters
    ----------
    rows : ndarray of shape (n_points, n_features)
        In the data's own units.
    weights : ndarray of shape (n_points,)
    labels : ndarray of shape (n_points,)
    n_clusters : int

    Returns
    -------
    ndarray of int64, shape (n_clusters,)
        Old numbers in their new order.
    """
    # Halving and doubling is exact, and keeps sums of any size finite.
    rows = np.ldexp(rows.astype(np.float64), -int(np.frexp(np.abs(rows).max())[1]))
    mass = np.bincount(labels, weights, n_clusters)
    sums = [np.bincount(labels, weights * column, n_clusters) for column in rows.T]
    means = np.stack(sums, axis=1) / np.where(mass > 0.0, mass, 1.0)[:, None]
    return np.lexsort([*means.T[::-1], means.mean(axis=1)]).astype(np.int64)


def kmeans_centres(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    coarse: NDArray[Any],
    coarse_weights: NDArray[np.float64],
    n_clusters: int,
    rng: np.random.Generator,
    *,
    n_init: int = 32,
    max_iter: int = MAX_ITERATIONS,
    tol: float = TOLERANCE,
) -> NDArray[np.float64]:
    """Centres of the least weighted squared error over many starts.

    All starts run together on a coarse version of the points (the landmarks with their
    mass), which costs next to nothing; the best different ones are refined a little on
    some of the points themselves, and the best of these to the end: on some of the
    points first, which brings it close at a fraction of the cost, then on all.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_vectors)
        In an order as good as random: the first of them stand for the others.
    weights : ndarray of float64, shape (n_points,)
    coarse, coarse_weights : ndarray
        Fewer points that stand for the others.
    n_clusters : int
    rng : numpy.random.Generator
    n_init : int
        Starts on the coarse points.
    max_iter : int
        Iterations of the last refinement.
    tol : float
        The relative improvement below which it ends. The error is flat around its
        minimum: what stops early stops elsewhere for every seed.

    Returns
    -------
    ndarray of shape (n_clusters, n_vectors)
    """
    starts = _plus_plus(coarse, coarse_weights, n_clusters, n_init, rng)
    starts, errors = _lloyd_together(coarse, coarse_weights, starts, _COARSE_ITERATIONS)
    some = slice(_COMPARED_POINTS)
    refined = [
        lloyd(points[some], weights[some], centres, _FEW_ITERATIONS, tol)
        for centres in _different(starts, errors, _REFINED_STARTS)
    ]
    best, _ = min(refined, key=lambda outcome: outcome[1])
    if len(points) > 2 * _COMPARED_POINTS:
        best, _ = lloyd(points[some], weights[some], best, max_iter, tol)
    return lloyd(points, weights, best, max_iter, tol)[0]


def _plus_plus(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    n_clusters: int,
    n_init: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw all starts of k-means++ together: shape (n_init, n_clusters, n_vectors)."""
    points = points.astype(np.float64)
    norms = np.square(points).sum(axis=1)
    centres = np.empty((n_init, n_clusters, points.shape[1]))
    closest = np.ones((n_init, len(points)))
    for j in range(n_clusters):
        heap = np.cumsum(closest * weights, axis=1)
        flat = heap[:, -1] <= 0.0  # fewer different points than clusters: any will do
        heap[flat] = np.cumsum(weights)
        marks = rng.random(n_init) * heap[:, -1]
        picks = np.minimum((heap <= marks[:, None]).sum(axis=1), len(points) - 1)
        centres[:, j] = points[picks]
        distance = norms[picks][:, None] + norms - 2.0 * points[picks] @ points.T
        np.maximum(distance, 0.0, out=distance)
        closest = distance if j == 0 else np.minimum(closest, distance)
    return centres


def _lloyd_together(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    centres: NDArray[np.float64],
    max_iter: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lloyd's iterations for many starts, by batched matrix products.

    As many starts go together as fit `_TOGETHER_BYTES` with their table of points and
    centres; which ones do makes no difference to any of them.
    """
    points = points.astype(np.float64)
    weighted = points * weights[:, None]
    spread = float((weights * np.square(points).sum(axis=1)).sum())
    size = max(1, _TOGETHER_BYTES // (len(points) * centres.shape[1] * points.itemsize))
    parts = [
        _lloyd_batch(points, weights, weighted, centres[first : first + size], max_iter)
        for first in range(0, len(centres), size)
    ]
    moved, best = (np.concatenate(column) for column in zip(*parts, strict=True))
    return moved, spread - 2.0 * best @ weights


def _lloyd_batch(
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    weighted: NDArray[np.float64],
    centres: NDArray[np.float64],
    max_iter: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move the centres of some starts; those that have come to rest are left alone.

    Returns the centres and, of shape (n_starts, n_points), each point's score at its own.
    """
    centres = centres.copy()
    labels = np.full((len(centres), len(points)), -1)
    best = np.empty(labels.shape)
    moving = np.arange(len(centres))
    for _ in range(max_iter):
        current = centres[moving]
        score = points @ current.transpose(0, 2, 1)
        score -= 0.5 * np.square(current).sum(2)[:, None]
        found = score.argmax(axis=2)
        best[moving] = np.take_along_axis(score, found[:, :, None], axis=2)[:, :, 0]
        changed = (found != labels[moving]).any(axis=1)
        labels[moving] = found
        moving, found, current = moving[changed], found[changed], current[changed]
        if len(moving) == 0:
            break
        mass, sums = _sums(found, weights, weighted, centres.shape[1])
        full = mass > 0.0
        mean = sums / np.where(full, mass, 1.0)[:, :, None]
        centres[moving] = np.where(full[:, :, None], mean, current)
    return centres, best


def _sums(
    labels: NDArray[np.intp],
    weights: NDArray[np.float64],
    weighted: NDArray[np.float64],
    n_clusters: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum weights and weighted points over each cluster of each start.

    A dense product is the quickest with few clusters; with many it multiplies mostly zeros.
    """
    if n_clusters > _DENSE_CLUSTERS:
        every, ones = np.arange(len(weights)), np.ones(len(weights))
        shape = (n_clusters, len(weights))
        members = [scipy.sparse.csr_array((ones, (row, every)), shape) for row in labels]
        return np.stack([one @ weights for one in members]), np.stack(
            [one @ weighted for one in members]
        )
    member = (labels[:, :, None] == np.arange(n_clusters)).astype(np.float64)
    return np.einsum("sij,i->sj", member, weights), member.transpose(0, 2, 1) @ weighted


def _different(
    starts: NDArray[np.float64], errors: NDArray[np.float64], count: int
) -> list[NDArray[np.float64]]:
    """Pick the best starts, without those that ended in the same place (equal error)."""
    kept: list[NDArray[np.float64]] = []
    order = np.argsort(errors, kind="stable")
    last = errors[order[0]]
    for number in order:
        if not kept or errors[number] > last + _SAME_ERROR * abs(last):
            kept.append(starts[number])
            last = errors[number]
        if len(kept) == count:
            break
    return kept


def lloyd(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    centres: NDArray[np.float64],
    max_iter: int,
    tol: float,
) -> tuple[NDArray[np.float64], float]:
    """Lloyd's iterations from one start; an empty cluster moves to the worst-served point.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_vectors)
    weights : ndarray of float64, shape (n_points,)
    centres : ndarray of shape (n_clusters, n_vectors)
    max_iter : int
    tol : float
        The relative improvement below which they end.

    Returns
    -------
    centres : ndarray of float64, shape (n_clusters, n_vectors)
    error : float
        Weighted sum of squared distances to the centres before their last move.
    """
    n_clusters = len(centres)
    every = np.arange(len(points))
    spread = float(weights @ np.einsum("ij,ij->i", points, points))
    wide = points.astype(np.float64)
    error = np.inf
    for _ in range(max_iter):
        rule = LinearRule.nearest(centres, points.dtype)
        score = points @ rule.weights
        score += rule.bias
        labels = score.argmax(axis=1)
        best = score[every, labels]
        members = scipy.sparse.csr_array((weights, (labels, every)), (n_clusters, len(points)))
        mass = np.bincount(labels, weights, n_clusters)
        full = mass > 0.0
        moved = (members @ wide) / np.where(full, mass, 1.0)[:, None]
        centres = np.where(full[:, None], moved, centres)
        if not full.all():
            distance = weights * (np.einsum("ij,ij->i", points, points) - 2.0 * best)
            farthest = np.argsort(distance, kind="stable")[::-1][: int((~full).sum())]
            centres[~full] = points[farthest]
            error = np.inf
            continue
        before, error = error, spread - 2.0 * float(weights @ best)
        if before - error <= tol * error:
            break
    return centres, error
