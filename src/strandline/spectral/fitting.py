"""Fit the model in memory, on a sample: all that a label needs ends up in one small object."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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
from strandline.spectral.tiles import in_tiles, one_blas_thread, thread_count

_GRAPHS = 4
_GAMMA_NEIGHBOURS = 8
_GAMMA_SHARE = 42  # one in so many landmarks, if these are fewer neighbours, but
_GAMMA_LEAST = 3
_GAMMA_SAMPLES = 1 << 13  # the median of a distance needs no more
_LANDMARK_STREAM, _KMEANS_STREAM, _CELL_STREAM = 1, 2, 3

SAMPLE_ROWS = 1 << 17
"""The model is fitted to at most this many samples; fewer are all used."""


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


@dataclass(frozen=True)
class Model:
    """A fitted model: embeds and labels any samples. Small, immutable, picklable.

    Attributes
    ----------
    frame : Frame
    embed : NystromMap or JointMap
    rule : LinearRule
    eigenvalues : ndarray of float64, shape (n_vectors,)
    cells : Cells or None
        Where a label is known without embedding the sample.
    """

    frame: Frame
    embed: NystromMap | JointMap
    rule: LinearRule
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
        return self.rule(self.embed(tile))


def fit_model(
    rows: NDArray[Any], sample_weight: NDArray[np.float64] | None, settings: Settings
) -> Model:
    """Fit the engine to samples without NaN.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,), optional
    settings : Settings

    Returns
    -------
    Model

    Raises
    ------
    InvalidDataError
        If no sample has a positive weight.

    Warns
    -----
    FewerClustersWarning
        If there are fewer distinct samples than clusters: each is its own cluster then.
    """
    distinct, weights = collapse_duplicates(rows, sample_weight)
    n_clusters = min(settings.n_clusters, len(distinct))
    if n_clusters == 0:
        raise InvalidDataError("No sample has a positive weight.")
    if n_clusters < settings.n_clusters:
        warnings.warn(
            f"Only {n_clusters} samples are distinct, so there are {n_clusters} clusters "
            f"instead of {settings.n_clusters}.",
            FewerClustersWarning,
            stacklevel=3,
        )
        settings = replace(settings, n_clusters=n_clusters)
    dtype = working_dtype(rows.dtype)
    plain = settings.affinity in ("auto", "rbf", "nearest_neighbors")
    if plain:
        frame = Frame.of(distinct, dtype)
    else:  # other kernels are defined in the data's own units
        frame = Frame(np.zeros(rows.shape[1]), 1.0, np.dtype(np.float64))
    points = frame(distinct)
    with one_blas_thread():
        if settings.affinity == "auto":
            chosen = "rbf" if settings.gamma else natural_affinity(points, weights)
            settings = replace(settings, affinity=chosen)
        if settings.affinity == "nearest_neighbors":
            view = _landmark_graphs(points, weights, settings)
        else:
            view = _kernel_graph(points, weights, frame, settings)
        centres = kmeans_centres(
            view.embedded,
            weights,
            view.embed(view.landmarks),
            view.mass,
            n_clusters,
            np.random.default_rng([settings.seed, _KMEANS_STREAM]),
            n_init=settings.n_init,
            max_iter=settings.max_iter,
            tol=settings.tol,
        )
        rule = LinearRule.nearest(centres, view.embedded.dtype)
        order = canonical_order(distinct, weights, rule(view.embedded), n_clusters)
        rule = rule.reordered(order)
        cells = Cells.around(
            view.landmarks,
            view.mass,
            points,
            rule(view.embedded),
            n_clusters,
            np.random.default_rng([settings.seed, _CELL_STREAM]),
            settings.n_jobs,
        )
    return Model(frame, view.embed, rule, view.eigenvalues, cells)


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """float32 where it holds every value of `dtype`, else float64."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)


class _View(NamedTuple):
    """The graph as seen through landmarks, which with their mass stand for all samples."""

    embed: NystromMap | JointMap
    embedded: NDArray[Any]
    eigenvalues: NDArray[np.float64]
    landmarks: NDArray[Any]
    mass: NDArray[np.float64]


def _landmark_graphs(
    points: NDArray[Any], weights: NDArray[np.float64], settings: Settings
) -> _View:
    """Average several independent landmark graphs."""
    n_landmarks = settings.n_landmarks or max(1000, 50 * settings.n_clusters)
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
    return _View(joint, embedded, eigenvalues, first.embed.neighbours.landmarks, first.mass)


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
    rng = np.random.default_rng([settings.seed, _LANDMARK_STREAM, number])
    landmarks = choose_landmarks(points, weights, n_landmarks, rng, n_jobs=1)
    width = min(settings.n_neighbors, len(landmarks))
    nearest, squared = neighbour_distances(points, landmarks, width, 1)
    typical = weighted_median(np.sqrt(squared).mean(axis=1), weights)
    neighbours = NeighbourWeights(landmarks, width, typical, 0.0)
    spectrum = landmark_spectrum(nearest, squared, weights, neighbours, settings.n_clusters)
    mass = np.bincount(nearest[:, 0], weights, len(landmarks)).astype(np.float64)
    return _Graph(spectrum.embed, spectrum.embedded, spectrum.eigenvalues, mass)


def _kernel_graph(
    points: NDArray[Any], weights: NDArray[np.float64], frame: Frame, settings: Settings
) -> _View:
    """See the graph of a kernel by the Nyström method."""
    n_landmarks = settings.n_landmarks or max(160, 32 * settings.n_clusters)
    rng = np.random.default_rng([settings.seed, _LANDMARK_STREAM])
    landmarks = choose_landmarks(points, weights, n_landmarks, rng, n_jobs=settings.n_jobs)
    kernel: GaussianKernel | PairwiseKernel
    if settings.affinity != "rbf":
        kernel = PairwiseKernel(landmarks, settings.affinity, settings.kernel_parameters)
    elif settings.gamma is not None:
        kernel = GaussianKernel(landmarks, settings.gamma * frame.unit**2)
    else:
        gamma = _natural_gamma(points, weights, landmarks, settings.n_jobs)
        kernel = GaussianKernel(landmarks, gamma)
    spectrum = nystrom_spectrum(
        points, weights, kernel, settings.n_clusters, n_jobs=settings.n_jobs
    )
    nearest = nearest_landmark(points, landmarks, settings.n_jobs)
    mass = np.bincount(nearest, weights, len(landmarks)).astype(np.float64)
    return _View(spectrum.embed, spectrum.embedded, spectrum.eigenvalues, landmarks, mass)


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
