"""Choose landmarks: few representative samples through which all others are seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from strandline.spectral.sampling import mixed_bits
from strandline.spectral.tiles import map_tiles, product, scratch, whole_lanes

_SEEDING_ROUNDS = 8
_POOL_PER_LANDMARK = 10
_SEEDED_POINTS = 1 << 15  # seeds are sought among so many


class Distinct(NamedTuple):
    """Distinct samples with the total weight of their repetitions.

    Attributes
    ----------
    rows : ndarray of shape (n_distinct, n_features)
        In an order that depends on the values alone, and looks random.
    weights : ndarray of float64, shape (n_distinct,)
        All positive.
    """

    rows: NDArray[Any]
    weights: NDArray[np.float64]


def collapse_duplicates(rows: NDArray[Any], weights: NDArray[np.float64] | None = None) -> Distinct:
    """Merge equal rows into one and add up their weights; rows of weight zero vanish.

    What is computed from the result cannot depend on the order of the samples, and a
    weight of two means the same as a repeated sample.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_samples,), optional
        Not negative; one each by default.

    Returns
    -------
    Distinct

    Examples
    --------
    >>> import numpy as np
    >>> collapse_duplicates(np.array([[1.0], [2.0], [1.0]])).weights.tolist()
    [1.0, 2.0]
    """
    if weights is None:
        weights = np.ones(len(rows))
    else:
        rows, weights = rows[weights > 0], weights[weights > 0]
    fingerprint = np.zeros(len(rows), np.uint64)
    for number, column in enumerate(rows.T):
        fingerprint = mixed_bits(fingerprint ^ _bits(column), number)
    order = np.argsort(fingerprint, kind="stable")
    rows, fingerprint = rows[order], fingerprint[order]
    starts = np.ones(len(rows), bool)
    # Comparing the rows too makes an (unlikely) collision of fingerprints harmless.
    starts[1:] = (fingerprint[1:] != fingerprint[:-1]) | (rows[1:] != rows[:-1]).any(axis=1)
    first = np.flatnonzero(starts)
    if len(first) == 0:
        return Distinct(rows, weights)
    return Distinct(rows[first], np.add.reduceat(weights[order], first))


def _bits(column: NDArray[Any]) -> NDArray[np.uint64]:
    """One column's values as 64-bit numbers, equal where the values are equal."""
    if column.dtype.kind == "f":
        # Adding zero turns -0.0 into 0.0, which compares equal to it.
        return (column.astype(np.float64) + 0.0).view(np.uint64)
    return column.astype(np.int64).view(np.uint64)


def choose_landmarks(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    n_landmarks: int,
    rng: np.random.Generator,
    *,
    n_iterations: int = 6,
    n_jobs: int | None = None,
) -> NDArray[Any]:
    """Place landmarks by weighted k-means.

    Seeding prefers samples far from the landmarks placed so far (k-means++, a batch at
    a time), so that a small cluster far from the rest gets its share;
    the iterations that follow work on a subset that contains every seed.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        Finite, of moderate size (see `affinity.Frame`), in an order as good as random.
    weights : ndarray of shape (n_points,)
    n_landmarks : int
    rng : numpy.random.Generator
    n_iterations : int
        Lloyd iterations.
    n_jobs : int or None
        Number of threads; it does not change the result.

    Returns
    -------
    ndarray of shape (at most n_landmarks, n_features)
        The points themselves when there are no more than `n_landmarks`.

    References
    ----------
    Arthur and Vassilvitskii, "k-means++", SODA 2007. Bahmani et al., "Scalable
    k-means++", PVLDB 2012.
    """
    if len(points) <= n_landmarks:
        return points
    some = slice(max(_SEEDED_POINTS, 4 * n_landmarks))
    seeds = _spread_seeds(points[some], weights[some], n_landmarks, rng, n_jobs)
    pool_size = min(len(points), _POOL_PER_LANDMARK * n_landmarks)
    chosen = np.zeros(len(points), bool)
    chosen[seeds] = True
    chosen[rng.permutation(len(points))[:pool_size]] = True
    pool, pool_weights = points[chosen], weights[chosen]
    landmarks = points[seeds]
    for _ in range(n_iterations):
        nearest = nearest_landmark(pool, landmarks, n_jobs)
        landmarks = _cell_means(pool, pool_weights, nearest, landmarks)
    return landmarks


def _spread_seeds(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    n_seeds: int,
    rng: np.random.Generator,
    n_jobs: int | None,
) -> NDArray[np.int64]:
    """Distinct row numbers, drawn in rounds with probability weight × squared distance."""
    seeds = np.empty(0, np.int64)
    closest = np.ones(len(points))
    rounds = min(_SEEDING_ROUNDS, n_seeds)
    for round_ in range(rounds):
        goal = -(-n_seeds * (round_ + 1) // rounds)
        chance = weights * closest
        chance[seeds] = 0.0
        new = _draw_distinct(chance, goal - len(seeds), rng)
        seeds = np.concatenate([seeds, new])
        distance = _distance_to(points, points[new], n_jobs)
        closest = distance if round_ == 0 else np.minimum(closest, distance)
    return np.sort(seeds)


def _distance_to(
    points: NDArray[Any], seeds: NDArray[Any], n_jobs: int | None
) -> NDArray[np.float64]:
    """Squared distance from each point to the nearest of a few seeds."""
    half_norms = 0.5 * np.einsum("ij,ij->i", seeds, seeds)
    transposed = np.ascontiguousarray(seeds.T)

    def work(part: slice) -> NDArray[np.float64]:
        tile = points[part]
        best = (tile @ transposed - half_norms).max(axis=1)
        distance = np.einsum("ij,ij->i", tile, tile) - 2.0 * best
        squared: NDArray[np.float64] = np.maximum(distance, 0.0).astype(np.float64)
        return squared

    return np.concatenate(list(map_tiles(work, len(points), n_jobs)))


def _draw_distinct(
    chance: NDArray[np.float64], size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw `size` different indices without repetition, with odds as given.

    References
    ----------
    Efraimidis and Spirakis, "Weighted random sampling with a reservoir", IPL 2006.
    """
    with np.errstate(divide="ignore"):
        # Exponential clocks: the first `size` to ring are the sample; rate zero rings last.
        clock = rng.standard_exponential(len(chance)) / chance
    return np.sort(np.argpartition(clock, size - 1)[:size]).astype(np.int64)


def search_matrix(landmarks: NDArray[Any]) -> NDArray[Any]:
    """Prepare landmarks for `closeness`."""
    right = np.empty((landmarks.shape[1] + 1, len(landmarks)), landmarks.dtype)
    right[:-1] = landmarks.T
    right[-1] = -0.5 * np.einsum("ij,ij->i", landmarks, landmarks)
    return whole_lanes(right)


def closeness(points: NDArray[Any], matrix: NDArray[Any], n_landmarks: int) -> NDArray[Any]:
    """Score x·z - |z|²/2 of points and landmarks: the largest where the distance is least.

    The array, of shape (n_points, n_landmarks), is the thread's scratch memory: to be used
    at once.
    """
    left = np.ones((len(points), points.shape[1] + 1), points.dtype)
    left[:, :-1] = points
    score = scratch("closeness", (len(points), matrix.shape[1]), points.dtype)
    return product(left, matrix, score)[:, :n_landmarks]


def nearest_landmark(
    points: NDArray[Any], landmarks: NDArray[Any], n_jobs: int | None = None
) -> NDArray[np.int64]:
    """Index of the landmark nearest to each point."""
    half_norms = 0.5 * np.einsum("ij,ij->i", landmarks, landmarks)
    transposed = np.ascontiguousarray(landmarks.T)

    def work(part: slice) -> NDArray[np.int64]:
        score = points[part] @ transposed
        score -= half_norms
        nearest: NDArray[np.int64] = score.argmax(axis=1)
        return nearest

    return np.concatenate(list(map_tiles(work, len(points), n_jobs)))


def _cell_means(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    nearest: NDArray[np.int64],
    landmarks: NDArray[Any],
) -> NDArray[Any]:
    """Weighted mean of each landmark's points; a landmark without any is dropped."""
    cells = scipy.sparse.csr_array(
        (weights, (nearest, np.arange(len(points)))), shape=(len(landmarks), len(points))
    )
    mass = np.bincount(nearest, weights, len(landmarks))
    sums: NDArray[np.float64] = cells @ points.astype(np.float64)
    full = mass > 0.0
    return (sums[full] / mass[full, None]).astype(points.dtype)
