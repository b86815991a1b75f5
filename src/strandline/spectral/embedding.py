"""From affinities to landmarks to the eigenvectors of the whole graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray

from strandline.errors import InvalidDataError
from strandline.spectral.affinity import GaussianKernel, NeighbourWeights, PairwiseKernel
from strandline.spectral.tiles import map_tiles, one_blas_thread, product, scratch, whole_lanes

_NO_EIGENVALUE = 1e-12
"""Eigenvalues below this, relative to the first, are rounding errors."""

_DEGREE_FLOOR = 1e-3
"""A Nyström degree can come out at zero or below; none counts less than this × the mean."""

_DOUBLED_VECTORS = 128
"""Beyond as many eigenvectors there is one for each cluster."""

_KEPT_BYTES = 1 << 28
"""Affinities of the sample that take no more than this are computed once instead of thrice."""


Map = TypeVar("Map", "NystromMap", "LandmarkMap")


class Spectrum(NamedTuple, Generic[Map]):
    """Leading eigenvalues of the normalised graph, descending, and the map that embeds.

    Attributes
    ----------
    eigenvalues : ndarray of float64, shape (n_vectors,)
    embed : NystromMap or LandmarkMap
    embedded : ndarray of shape (n_points, n_vectors)
        The points that it was computed from, embedded.
    """

    eigenvalues: NDArray[np.float64]
    embed: Map
    embedded: NDArray[Any]


def vector_count(n_clusters: int) -> int:
    """Return the number of eigenvectors in which so many clusters are sought.

    Twice as many as clusters, since `soft_cut` leaves something of those beyond. With many
    clusters that is little for what it costs: from 64 on there are 128, or one per cluster.

    Examples
    --------
    >>> [vector_count(k) for k in (2, 8, 64, 100, 254)]
    [4, 16, 128, 128, 254]
    """
    return max(n_clusters, min(2 * n_clusters, _DOUBLED_VECTORS))


def soft_cut(eigenvalues: NDArray[np.float64], n_clusters: int) -> NDArray[np.float64]:
    """Weigh eigenvectors so that none enters or leaves the embedding at a stroke.

    Keeping k eigenvectors and dropping the rest makes the embedding jump when the
    eigenvalues k and k + 1 change places, as they do between samples of the same image.
    Here the weight falls smoothly with the gap to one, mu = 1 - lambda: it is
    1 / (1 + 2 (mu / mu_k)²), so one third at k, and next to nothing after a clear gap.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_vectors,)
        Descending.
    n_clusters : int
        k.

    Returns
    -------
    ndarray of float64, shape (n_vectors,)

    Examples
    --------
    >>> import numpy as np
    >>> soft_cut(np.array([1.0, 0.9, 0.8]), 2).round(3).tolist()
    [1.0, 0.333, 0.111]
    """
    gap = np.maximum(1.0 - eigenvalues / eigenvalues[0], 0.0)
    last = max(float(gap[min(n_clusters, len(gap)) - 1]), 1e-9)
    weights: NDArray[np.float64] = 1.0 / (1.0 + 2.0 * np.square(gap / last))
    return weights


def unit_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Scale rows to length one, in place; a row of zeros stays."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    length[length == 0.0] = 1.0
    rows /= length[:, None]
    return rows


@dataclass(frozen=True)
class NystromMap:
    """Embedding of a sample x: the direction of B(x) M + offset.

    The columns of M are eigenvectors of the graph, weighed by `soft_cut`.

    Attributes
    ----------
    kernel : GaussianKernel or PairwiseKernel
    matrix : ndarray of shape (n_landmarks, n_vectors)
    offset : ndarray of shape (n_vectors,)
    """

    kernel: GaussianKernel | PairwiseKernel
    matrix: NDArray[Any]
    offset: NDArray[Any]
    _wide: NDArray[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_wide", whole_lanes(self.matrix))

    def __call__(self, points: NDArray[Any], *, passing: bool = False) -> NDArray[Any]:
        """Embed points as unit vectors of shape (n_points, n_vectors).

        `passing`: used at once and not kept, the array may be the thread's scratch memory.
        """
        return self.combine(self.kernel(points, passing=True), passing=passing)

    def combine(self, affinities: NDArray[Any], *, passing: bool = False) -> NDArray[Any]:
        """Embed points whose affinities to the landmarks are known already."""
        shape, dtype = (len(affinities), self._wide.shape[1]), self._wide.dtype
        out = scratch("embedding", shape, dtype) if passing else np.empty(shape, dtype)
        rows = product(affinities, self._wide, out)[:, : len(self.offset)]
        rows += self.offset
        return unit_rows(rows)


@dataclass(frozen=True)
class LandmarkMap:
    """Embedding of a sample: its nearest landmarks' rows, averaged by affinity.

    Attributes
    ----------
    neighbours : NeighbourWeights
    rows : ndarray of shape (n_landmarks, n_vectors)
    """

    neighbours: NeighbourWeights
    rows: NDArray[Any]

    def __call__(self, points: NDArray[Any]) -> NDArray[Any]:
        """Embed points as unit vectors of shape (n_points, n_vectors)."""
        return self.average(*self.neighbours(points))

    def average(self, nearest: NDArray[np.int64], weights: NDArray[Any]) -> NDArray[Any]:
        """Embed points whose nearest landmarks and weights are known already."""
        embedded = np.zeros((len(nearest), self.rows.shape[1]), self.rows.dtype)
        for j in range(nearest.shape[1]):
            embedded += weights[:, j, None] * self.rows[nearest[:, j]]
        return unit_rows(embedded)


@dataclass(frozen=True)
class JointMap:
    """The embeddings by several landmark sets side by side: their kernels are averaged.

    What is peculiar to one set of landmarks averages out.

    Attributes
    ----------
    maps : tuple of LandmarkMap
    """

    maps: tuple[LandmarkMap, ...]

    def __call__(self, points: NDArray[Any], *, passing: bool = False) -> NDArray[Any]:
        """Embed points as unit vectors of shape (n_points, total number of vectors).

        `passing` makes no difference here.
        """
        return self.side_by_side([embed(points) for embed in self.maps])

    def side_by_side(self, parts: list[NDArray[Any]]) -> NDArray[Any]:
        """Join what the single maps gave, keeping rows at length one."""
        rows = np.hstack(parts)
        rows *= rows.dtype.type(1.0 / np.sqrt(len(parts)))
        return rows


def nystrom_spectrum(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    kernel: GaussianKernel | PairwiseKernel,
    n_clusters: int,
    *,
    teleport: float = 0.05,
    n_jobs: int | None = None,
) -> Spectrum[NystromMap]:
    """Eigenvectors of the kernel's normalised graph, exactly orthogonalised.

    The graph is the kernel's Nyström approximation W = B A⁻¹ Bᵀ plus a uniform teleport
    ρ d̄ / N (d̄: mean degree). The teleport takes the reward from cutting off outliers.
    With W = F Fᵀ the eigenvectors of D^-½ W D^-½ follow from the small matrix Fᵀ D⁻¹ F,
    without assuming that the landmarks are orthogonal enough.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
    weights : ndarray of float64, shape (n_points,)
    kernel : GaussianKernel or PairwiseKernel
    n_clusters : int
        Twice as many eigenvectors are used (see `soft_cut`), if the kernel's rank allows.
    teleport : float
        ρ, relative to the mean degree.
    n_jobs : int or None
        Number of threads; it does not change the result.

    Returns
    -------
    Spectrum

    References
    ----------
    Fowlkes, Belongie, Chung and Malik, "Spectral grouping using the Nyström method",
    TPAMI 2004 (the orthogonalised form). Amini, Chen, Bickel and Levina, "Pseudo-likelihood
    methods for community detection in large sparse networks", Ann. Stat. 2013 (the
    regularising constant).
    """
    with one_blas_thread():
        root = _inverse_root(kernel(kernel.landmarks).astype(np.float64), points.dtype)
    n_total = float(weights.sum())
    affinities, narrow = _Affinities(kernel, points), weights.astype(points.dtype)
    column_sums = _ordered_sum(
        map_tiles(lambda part: narrow[part] @ affinities(part), len(points), n_jobs)
    )
    mean_feature = root.T @ column_sums
    mean_degree = float(mean_feature @ mean_feature) / n_total
    if not mean_degree > 0.0:
        raise InvalidDataError(
            "The affinity of every pair of samples is zero.",
            expected="a positive mean affinity",
            got=f"{mean_degree:g}",
            remedy="Choose another affinity, or do not centre the samples for this one.",
        )
    constant = np.sqrt(teleport * mean_degree / n_total)
    to_degree = (root @ mean_feature).astype(points.dtype)

    def gram(part: slice) -> NDArray[Any]:
        near = affinities(part)
        degree = np.maximum(near @ to_degree, _DEGREE_FLOOR * mean_degree).astype(np.float64)
        degree += teleport * mean_degree
        scale = np.sqrt(weights[part] / degree)
        tile = np.empty((len(near), near.shape[1] + 1), points.dtype)
        np.multiply(near, scale[:, None].astype(points.dtype), out=tile[:, :-1])
        tile[:, -1] = constant * scale
        return tile.T @ tile

    # A table of all pairs of landmarks comes of every tile: few of them are there at a time.
    total = _ordered_sum(map_tiles(gram, len(points), n_jobs, at_once=1))
    with one_blas_thread():
        # To the features F = B P only now: products with P for every sample would double the work.
        to_features = np.zeros((len(total), root.shape[1] + 1))
        to_features[:-1, :-1], to_features[-1, -1] = root, 1.0
        total = to_features.T @ total @ to_features
        values, vectors = _leading_eigenpairs(total, min(vector_count(n_clusters), len(total)))
        present = values > _NO_EIGENVALUE * values[0]
        scale = np.zeros_like(values)
        scale[present] = 1.0 / np.sqrt(values[present])
        vectors *= soft_cut(values, n_clusters) * scale
        matrix = (root @ vectors[:-1]).astype(points.dtype)
    embed = NystromMap(kernel, matrix, (constant * vectors[-1]).astype(points.dtype))
    parts = map_tiles(lambda part: embed.combine(affinities(part)), len(points), n_jobs)
    return Spectrum(values, embed, np.concatenate(list(parts)))


class _Affinities:
    """The samples' affinities to the landmarks tile by tile, kept if that takes little memory."""

    def __init__(self, kernel: GaussianKernel | PairwiseKernel, points: NDArray[Any]) -> None:
        self._kernel, self._points = kernel, points
        size = len(points) * len(kernel.landmarks) * points.itemsize
        self._kept: dict[int, NDArray[Any]] | None = {} if size <= _KEPT_BYTES else None

    def __call__(self, part: slice) -> NDArray[Any]:
        """Affinities of a tile, shape (n_rows, n_landmarks)."""
        if self._kept is None:
            return self._kernel(self._points[part])
        if part.start not in self._kept:
            self._kept[part.start] = self._kernel(self._points[part])
        return self._kept[part.start]


def _inverse_root(matrix: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """P with P Pᵀ = A⁻¹, without the directions that `dtype` cannot resolve."""
    values, vectors = scipy.linalg.eigh((matrix + matrix.T) / 2.0, driver="evd")
    tolerance = 1e-6 if dtype == np.float32 else 1e-12
    kept = values > tolerance * values[-1]
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def _leading_eigenpairs(
    matrix: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Largest eigenvalues, descending, and their eigenvectors with a definite sign."""
    n = len(matrix)
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=(n - count, n - 1), driver="evx")
    values, vectors = values[::-1], vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    return values, vectors * np.where(vectors[largest, np.arange(count)] < 0.0, -1.0, 1.0)


def _ordered_sum(parts: Any) -> NDArray[np.float64]:
    """Add the tiles' contributions in their order, in float64."""
    total: NDArray[np.float64] | None = None
    for part in parts:
        total = part.astype(np.float64) if total is None else np.add(total, part, out=total)
    if total is None:
        raise InvalidDataError("There are no samples.")
    return total


def landmark_spectrum(
    nearest: NDArray[np.int64],
    squared: NDArray[Any],
    weights: NDArray[np.float64],
    neighbours: NeighbourWeights,
    n_clusters: int,
    *,
    teleport: float = 0.01,
) -> Spectrum[LandmarkMap]:
    """Eigenvectors of the landmark graph, through which samples are connected.

    Samples and landmarks form a bipartite graph with weights B (rows add up to one).
    Cutting it is cutting the graph of the landmarks alone, W = Bᵀ B: the transfer cut.

    Parameters
    ----------
    nearest, squared : ndarray of shape (n_points, n_neighbors)
        From `neighbour_distances`.
    weights : ndarray of float64, shape (n_points,)
    neighbours : NeighbourWeights
    n_clusters : int
        Twice as many eigenvectors are used (see `soft_cut`), if there are so many.
    teleport : float
        Uniform connection between all landmarks, relative to the mean degree. It takes
        the reward from cutting off a few outliers; much more of it would also bridge
        clusters that are long and thin.

    Returns
    -------
    Spectrum

    References
    ----------
    Li, Wu and Chang, "Segmentation using superpixels: a bipartite graph partitioning
    approach", CVPR 2012. Huang et al., "Ultra-scalable spectral clustering and ensemble
    clustering", TKDE 2020.
    """
    n_landmarks = len(neighbours.landmarks)
    n_points, width = nearest.shape
    near = neighbours.weigh(squared)
    values = near.astype(np.float64) * np.sqrt(weights)[:, None]
    B = scipy.sparse.csr_array(
        (values.ravel(), nearest.ravel(), np.arange(0, n_points * width + 1, width)),
        shape=(n_points, n_landmarks),
    )
    W = (B.T @ B).toarray()
    degree = W.sum(axis=1)
    uniform = teleport * float(degree.mean())
    W += uniform / n_landmarks
    degree += uniform
    alive = degree > 0.0
    root = np.where(alive, 1.0 / np.sqrt(np.where(alive, degree, 1.0)), 0.0)
    with one_blas_thread():
        eigenvalues, vectors = _leading_eigenpairs(
            W * root[:, None] * root, min(vector_count(n_clusters), n_landmarks)
        )
    rows = vectors * root[:, None] * soft_cut(eigenvalues, n_clusters)
    embed = LandmarkMap(neighbours, rows.astype(squared.dtype))
    return Spectrum(eigenvalues, embed, embed.average(nearest, near))
