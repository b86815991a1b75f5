"""Fit the model in memory, on a sample: all that a label needs ends up in one small object."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strandline.errors import FewerClustersWarning, InvalidDataError
from strandline.spectral.affinity import (
    Frame,
    GaussianKernel,
    NeighbourWeights,
    PairwiseKernel,
    neighbour_distances,
    weighted_median,
)
from strandline.spectral.assign import LinearRule, canonical_order, kmeans_centres
from strandline.spectral.cells import MIXED, Cells
from strandline.spectral.dimension import natural_affinity
from strandline.spectral.embedding import (
    JointMap,
    LandmarkMap,
    NystromMap,
    landmark_spectrum,
    nystrom_spectrum,
)
from strandline.spectral.landmarks import (
    choose_landmarks,
    collapse_duplicates,
    nearest_landmark,
)
from strandline.spectral.prototypes import PrototypeRule, is_clusterer, learned_rule
from strandline.spectral.rotation import cluster_qr, discretize
from strandline.spectral.tiles import in_tiles, one_blas_thread, thread_count

_GRAPHS = 4
_GAMMA_NEIGHBOURS = 8
_GAMMA_SHARE = 42  # one in so many landmarks, if these are fewer neighbours, but
_GAMMA_LEAST = 3
_GAMMA_SAMPLES = 1 << 13  # the median of a distance needs no more
_GAMMA_RANGE = 1e-30, 1e20
"""Beyond these all samples are alike, or none; single precision holds what is between."""

MOST_LANDMARKS = 1 << 11
"""More are used only if the caller says so: time grows with the cube of their number, memory with
its square. By a kernel, up to 64 clusters are seen through 32 each, and the 254 that a map can
hold through eight each."""

FRAMED = ("auto", "rbf", "nearest_neighbors")
"""Affinities of samples in a frame; other kernels are defined in the data's own units."""

SAMPLE_ROWS = 1 << 17
"""The model is fitted to at most this many samples; fewer are all used."""


class Stream(IntEnum):
    """What random numbers are drawn for: each purpose has a stream of its own, by the seed."""

    LANDMARKS = 1
    KMEANS = 2
    ENSEMBLE = 3
    CHOICE = 4
    CELLS = 5


@dataclass(frozen=True)
class Settings:
    """What the fit depends on besides the data; every field has been checked."""

    n_clusters: int
    affinity: str | Callable[..., Any]
    gamma: float | None
    n_landmarks: int | None
    n_neighbors: int
    kernel_parameters: Mapping[str, Any]
    seed: int
    n_init: int
    max_iter: int
    tol: float
    n_jobs: int | None
    assign_labels: Any = "kmeans"
    landmark_iterations: int = 6
    frame_gamma: float | None = None


@dataclass(frozen=True)
class Model:
    """A fitted model: embeds and labels any samples. Small, immutable, picklable.

    Attributes
    ----------
    frame : Frame
    embed : NystromMap or JointMap
    rule : LinearRule or PrototypeRule
    eigenvalues : ndarray of float64, shape (n_vectors,)
    cells : Cells or None
        Where a label is known without embedding the sample.
    """

    frame: Frame
    embed: NystromMap | JointMap
    rule: LinearRule | PrototypeRule
    eigenvalues: NDArray[np.float64]
    cells: Cells | None

    @property
    def affinity(self) -> str | Callable[..., Any]:
        """The affinity between samples, also where it was chosen from the data."""
        if isinstance(self.embed, JointMap):
            return "nearest_neighbors"
        kernel = self.embed.kernel
        return "rbf" if isinstance(kernel, GaussianKernel) else kernel.kernel

    def embedding(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Spectral coordinates of samples without NaN, shape (n_rows, n_vectors)."""
        return in_tiles(self.embed, self.frame(rows))

    def labels(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """Labels of samples without NaN, shape (n_rows,)."""
        points = self.frame(rows)
        if self.cells is None:
            return in_tiles(self._label, points)
        labels = in_tiles(self.cells, points)
        mixed = np.flatnonzero(labels == MIXED)
        if len(mixed):
            labels[mixed] = in_tiles(self._label, points[mixed])
        return labels

    def _label(self, tile: NDArray[Any]) -> NDArray[np.int32]:
        return self.rule(self.embed(tile, passing=True))


class Prepared(NamedTuple):
    """Distinct samples, ready for any number of models.

    Attributes
    ----------
    distinct : ndarray of shape (n_distinct, n_features)
        In the data's own units.
    weights : ndarray of float64, shape (n_distinct,)
    frame : Frame
    points : ndarray of shape (n_distinct, n_features)
        The same samples in the frame.
    affinity : str or callable
        The one asked for, or that suits the data: never ``"auto"``.
    """

    distinct: NDArray[Any]
    weights: NDArray[np.float64]
    frame: Frame
    points: NDArray[Any]
    affinity: str | Callable[..., Any]


def prepare(
    rows: NDArray[Any], sample_weight: NDArray[np.float64] | None, settings: Settings
) -> Prepared:
    """Merge equal samples and bring them into the frame.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        Without NaN.
    sample_weight : ndarray of shape (n_samples,), optional
    settings : Settings

    Returns
    -------
    Prepared

    Raises
    ------
    InvalidDataError
        If no sample has a positive weight.
    """
    distinct, weights = collapse_duplicates(rows, sample_weight)
    if len(distinct) == 0:
        raise InvalidDataError("No sample has a positive weight.")
    affinity = settings.affinity
    if affinity in FRAMED:
        frame = Frame.of(distinct, working_dtype(rows.dtype))
    else:
        frame = Frame(np.zeros(rows.shape[1]), 1.0, np.dtype(np.float64))
    points = frame(distinct)
    if affinity == "auto":
        with one_blas_thread():
            affinity = "rbf" if settings.gamma else natural_affinity(points, weights)
    return Prepared(distinct, weights, frame, points, affinity)


def fit_prepared(prepared: Prepared, settings: Settings) -> Model:
    """Fit the engine to prepared samples.

    Parameters
    ----------
    prepared : Prepared
    settings : Settings

    Returns
    -------
    Model

    Warns
    -----
    FewerClustersWarning
        If there are fewer distinct samples than clusters: each is its own cluster then.
        Also if no sample belongs to one of the clusters found.
    """
    distinct, weights = prepared.distinct, prepared.weights
    n_clusters = min(settings.n_clusters, len(distinct))
    if n_clusters < settings.n_clusters:
        _warn_fewer(f"Only {n_clusters} samples are distinct", n_clusters, settings.n_clusters)
        settings = replace(settings, n_clusters=n_clusters)
    with one_blas_thread():
        view = see_graph(prepared, settings)
        rule = _found_rule(view, weights, settings)
        labels = rule(view.embedded)
        order = canonical_order(distinct, weights, labels, rule.n_clusters)
        order = order[np.bincount(labels, minlength=rule.n_clusters)[order] > 0]
        if len(order) < min(n_clusters, rule.n_clusters):
            _warn_fewer(f"Some of {rule.n_clusters} clusters got no sample", len(order))
        rule = rule.reordered(order)
        cells = Cells.around(
            view.landmarks,
            view.mass,
            prepared.points,
            rule(view.embedded),
            rule.n_clusters,
            np.random.default_rng([settings.seed, Stream.CELLS]),
            settings.n_jobs,
        )
    return Model(prepared.frame, view.embed, rule, view.eigenvalues, cells)


def _found_rule(
    view: View, weights: NDArray[np.float64], settings: Settings
) -> LinearRule | PrototypeRule:
    """Find clusters in the embedding, the way that was asked for."""
    if is_clusterer(settings.assign_labels):
        return learned_rule(settings.assign_labels, view.embedded, weights, settings.seed)
    if settings.assign_labels == "cluster_qr":
        return cluster_qr(view.embedded, weights, settings.n_clusters)
    rng = np.random.default_rng([settings.seed, Stream.KMEANS])
    if settings.assign_labels == "discretize":
        return discretize(view.embedded, weights, settings.n_clusters, rng)
    centres = kmeans_centres(
        view.embedded,
        weights,
        view.embed(view.landmarks),
        view.mass,
        settings.n_clusters,
        rng,
        n_init=settings.n_init,
        max_iter=settings.max_iter,
        tol=settings.tol,
    )
    return LinearRule.nearest(centres, view.embedded.dtype)


def _warn_fewer(why: str, n_clusters: int, wanted: int | None = None) -> None:
    instead = "" if wanted is None else f" instead of {wanted}"
    warnings.warn(
        f"{why}, so there are {n_clusters} clusters{instead}.",
        FewerClustersWarning,
        stacklevel=4,
    )


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """float32 where it holds every value of `dtype`, else float64."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)


class View(NamedTuple):
    """The graph as seen through landmarks, which with their mass stand for all samples.

    Attributes
    ----------
    embed : NystromMap or JointMap
    embedded : ndarray of shape (n_distinct, n_vectors)
        The samples' embedding.
    eigenvalues : ndarray of float64, shape (n_vectors,)
    landmarks : ndarray of shape (n_landmarks, n_features)
    mass : ndarray of float64, shape (n_landmarks,)
    """

    embed: NystromMap | JointMap
    embedded: NDArray[Any]
    eigenvalues: NDArray[np.float64]
    landmarks: NDArray[Any]
    mass: NDArray[np.float64]


def see_graph(prepared: Prepared, settings: Settings) -> View:
    """Build the graph that was asked for, or suits the data, and find its eigenvectors."""
    settings = replace(settings, affinity=prepared.affinity)
    if settings.affinity == "nearest_neighbors":
        return _landmark_graphs(prepared.points, prepared.weights, settings)
    return _kernel_graph(prepared.points, prepared.weights, prepared.frame, settings)


def _landmark_graphs(
    points: NDArray[Any], weights: NDArray[np.float64], settings: Settings
) -> View:
    """Average several independent landmark graphs."""
    n_landmarks = settings.n_landmarks or landmark_count(settings.n_clusters, settings.affinity)
    n_graphs = _GRAPHS if n_landmarks < len(points) else 1  # all would be the same

    def one(number: int) -> _Graph:
        return _landmark_graph(points, weights, n_landmarks, number, settings)

    threads = min(thread_count(settings.n_jobs), n_graphs)
    if threads == 1:
        graphs = [one(number) for number in range(n_graphs)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            graphs = list(pool.map(one, range(n_graphs)))
    shared = min(len(graph.eigenvalues) for graph in graphs)
    eigenvalues = np.mean([graph.eigenvalues[:shared] for graph in graphs], axis=0)
    first = graphs[0]
    joint = JointMap(tuple(graph.embed for graph in graphs))
    embedded = joint.side_by_side([graph.embedded for graph in graphs])
    return View(joint, embedded, eigenvalues, first.embed.neighbours.landmarks, first.mass)


class _Graph(NamedTuple):
    embed: LandmarkMap
    embedded: NDArray[Any]
    eigenvalues: NDArray[np.float64]
    mass: NDArray[np.float64]


def _landmark_graph(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    n_landmarks: int,
    number: int,
    settings: Settings,
) -> _Graph:
    rng = np.random.default_rng([settings.seed, Stream.LANDMARKS, number])
    landmarks = choose_landmarks(
        points, weights, n_landmarks, rng, n_iterations=settings.landmark_iterations, n_jobs=1
    )
    width = min(settings.n_neighbors, len(landmarks))
    nearest, squared = neighbour_distances(points, landmarks, width, 1)
    typical = weighted_median(np.sqrt(squared).mean(axis=1), weights)
    neighbours = NeighbourWeights(landmarks, width, typical, 0.0)
    spectrum = landmark_spectrum(nearest, squared, weights, neighbours, settings.n_clusters)
    mass = np.bincount(nearest[:, 0], weights, len(landmarks)).astype(np.float64)
    return _Graph(spectrum.embed, spectrum.embedded, spectrum.eigenvalues, mass)


def landmark_count(n_clusters: int, affinity: str | Callable[..., Any]) -> int:
    """Return the number of landmarks through which a graph is seen, unless the caller says.

    Examples
    --------
    >>> [landmark_count(k, "rbf") for k in (2, 8, 64, 254)]
    [160, 256, 2048, 2048]
    >>> [landmark_count(k, "nearest_neighbors") for k in (2, 30, 254)]
    [1000, 1500, 2048]
    """
    least, per_cluster = (1000, 50) if affinity == "nearest_neighbors" else (160, 32)
    return max(least, min(per_cluster * n_clusters, MOST_LANDMARKS))


def _kernel_graph(
    points: NDArray[Any], weights: NDArray[np.float64], frame: Frame, settings: Settings
) -> View:
    """See the graph of a kernel by the Nyström method."""
    n_landmarks = settings.n_landmarks or landmark_count(settings.n_clusters, settings.affinity)
    rng = np.random.default_rng([settings.seed, Stream.LANDMARKS])
    landmarks = choose_landmarks(
        points,
        weights,
        n_landmarks,
        rng,
        n_iterations=settings.landmark_iterations,
        n_jobs=settings.n_jobs,
    )
    kernel: GaussianKernel | PairwiseKernel
    if settings.affinity != "rbf":
        kernel = PairwiseKernel(landmarks, settings.affinity, settings.kernel_parameters)
    elif settings.frame_gamma is not None:
        kernel = GaussianKernel(landmarks, settings.frame_gamma)
    elif settings.gamma is not None:
        gamma = float(np.clip(settings.gamma * frame.unit * frame.unit, *_GAMMA_RANGE))
        kernel = GaussianKernel(landmarks, gamma)
    else:
        gamma = _natural_gamma(points, weights, landmarks, settings.n_jobs)
        kernel = GaussianKernel(landmarks, gamma)
    spectrum = nystrom_spectrum(
        points, weights, kernel, settings.n_clusters, n_jobs=settings.n_jobs
    )
    nearest = nearest_landmark(points, landmarks, settings.n_jobs)
    mass = np.bincount(nearest, weights, len(landmarks)).astype(np.float64)
    return View(spectrum.embed, spectrum.embedded, spectrum.eigenvalues, landmarks, mass)


def _natural_gamma(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    landmarks: NDArray[Any],
    n_jobs: int | None,
) -> float:
    """Gamma from the typical distance between a sample and the landmarks around it."""
    width = _GAMMA_NEIGHBOURS
    if len(landmarks) < len(points):  # a share: the scale hardly depends on their number
        width = min(width, max(_GAMMA_LEAST, len(landmarks) // _GAMMA_SHARE))
    width = min(width, len(landmarks))
    some = slice(_GAMMA_SAMPLES)  # distinct samples come in an order as good as random
    _, squared = neighbour_distances(points[some], landmarks, width, n_jobs)
    typical = weighted_median(np.sqrt(squared[:, -1]), weights[some])
    if typical == 0.0:
        typical = float(np.sqrt(squared).mean()) or 1.0
    return 0.5 / typical**2
