"""Clusters by rotating the embedding until its axes are the clusters; no k-means.

Both methods look for an orthogonal matrix that turns the leading k directions of the
embedding so that each sample lies along one axis; its label is that axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from strandline.spectral.assign import LinearRule

_STARTS = 8
_ITERATIONS = 50
_NO_PROGRESS = 1e-8
_NOTHING = 1e-8
"""Sums of squares below this, relative to the first, are rounding errors."""


def cluster_qr(embedded: NDArray[Any], weights: NDArray[np.float64], n_clusters: int) -> LinearRule:
    """Take the most different samples as the clusters' axes, then the nearest rotation.

    A QR decomposition with pivoting of the transposed embedding picks n_clusters samples
    that are as independent as possible. The orthogonal polar factor of their coordinates
    turns the embedding so that they come close to the axes. Nothing is random.

    Parameters
    ----------
    embedded : ndarray of shape (n_points, n_vectors)
    weights : ndarray of float64, shape (n_points,)
    n_clusters : int

    Returns
    -------
    LinearRule

    References
    ----------
    Damle, Minden and Ying, "Simple, direct and efficient multi-way spectral clustering",
    Information and Inference 2019.

    Examples
    --------
    >>> rule = cluster_qr(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), np.ones(3), 2)
    >>> labels = rule(np.array([[0.8, 0.2], [0.9, 0.0], [0.2, 0.8]]))
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """
    directions = leading_directions(embedded, weights, n_clusters)
    rotation = _towards_pivots(embedded.astype(np.float64) @ directions)
    return _along_axes(directions @ rotation, embedded.dtype)


def discretize(
    embedded: NDArray[Any],
    weights: NDArray[np.float64],
    n_clusters: int,
    rng: np.random.Generator,
) -> LinearRule:
    """Alternate between labels and the rotation that agrees best with them.

    Of several starts the one whose rotated samples lie closest to the axes is kept; if
    even that leaves an axis without samples, the rotation of `cluster_qr`.

    Parameters
    ----------
    embedded : ndarray of shape (n_points, n_vectors)
    weights : ndarray of float64, shape (n_points,)
    n_clusters : int
    rng : numpy.random.Generator

    Returns
    -------
    LinearRule

    References
    ----------
    Yu and Shi, "Multiclass spectral clustering", ICCV 2003.

    Examples
    --------
    >>> points = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> rule = discretize(points, np.ones(3), 2, np.random.default_rng(0))
    >>> labels = rule(points)
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """
    directions = leading_directions(embedded, weights, n_clusters)
    rows = embedded.astype(np.float64) @ directions
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows /= np.where(length > 0.0, length, 1.0)[:, None]
    by_pivots = _towards_pivots(rows)
    starts = [by_pivots, *(_scattered_rows(rows, rng) for _ in range(_STARTS))]
    turned = [_rotate(rows, weights, start) for start in starts]
    full = [outcome for outcome in turned if len(_axes_in_use(rows @ outcome[0])) == len(by_pivots)]
    best = max(full, key=lambda outcome: outcome[1])[0] if full else by_pivots
    return _along_axes(directions @ best, embedded.dtype)


def leading_directions(
    embedded: NDArray[Any], weights: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Orthogonal directions in which the embedding is largest, brought closer in length.

    The embedding has more than k columns: those of several graphs, or those that the
    soft cut leaves in part. These directions are the k that it uses most. Rotations
    expect coordinates of equal size, but making them equal would blow up the last ones,
    which are the noisiest: dividing by the square root of the size is halfway, and was
    measured to be best (see docs/method.md).

    Parameters
    ----------
    embedded : ndarray of shape (n_points, n_vectors)
    weights : ndarray of float64, shape (n_points,)
    count : int
        k.

    Returns
    -------
    ndarray of float64, shape (n_vectors, min(count, n_vectors))
    """
    rows = embedded.astype(np.float64)
    squares, vectors = scipy.linalg.eigh(rows.T @ (rows * weights[:, None]), driver="evd")
    squares, vectors = squares[::-1][:count], vectors[:, ::-1][:, :count]
    squares = np.maximum(squares / squares[0], _NOTHING)
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.where(vectors[largest, np.arange(vectors.shape[1])] < 0.0, -1.0, 1.0)
    return np.asarray(vectors * signs * squares**-0.25)


def _along_axes(axes: NDArray[np.float64], dtype: np.dtype[Any]) -> LinearRule:
    return LinearRule(np.ascontiguousarray(axes, dtype), np.zeros(axes.shape[1], dtype))


def _axes_in_use(rotated: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.unique(rotated.argmax(axis=1))


def _towards_pivots(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation that brings the most independent rows close to the axes."""
    pivots = scipy.linalg.qr(rows.T, mode="r", pivoting=True)[1][: rows.shape[1]]
    return np.asarray(scipy.linalg.polar(rows[pivots].T)[0])


def _scattered_rows(rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Take a random row as first axis, then time and again the one most across the others."""
    count = rows.shape[1]
    axes = np.empty((count, count))
    axes[:, 0] = rows[rng.integers(len(rows))]
    along = np.zeros(len(rows))
    for j in range(1, count):
        along += np.abs(rows @ axes[:, j - 1])
        axes[:, j] = rows[along.argmin()]
    return axes


def _rotate(
    rows: NDArray[np.float64], weights: NDArray[np.float64], rotation: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Improve a rotation until labels and rotation agree; also returns how well they do."""
    every = np.arange(len(rows))
    count = len(rotation)
    agreement = 0.0
    for _ in range(_ITERATIONS):
        labels = (rows @ rotation).argmax(axis=1)
        members = scipy.sparse.csr_array((weights, (labels, every)), (count, len(rows)))
        left, strength, right = scipy.linalg.svd(members @ rows)
        rotation = (left @ right).T
        before, agreement = agreement, float(strength.sum())
        if agreement - before <= _NO_PROGRESS * agreement:
            break
    return rotation, agreement
