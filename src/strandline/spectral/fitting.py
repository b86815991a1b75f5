"""Fit the model in memory, on a sample: all that a label needs ends up in one small object."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

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
from strandline.spectral.embedding import (
    LandmarkMap,
    NystromMap,
    Spectrum,
    landmark_spectrum,
    nystrom_spectrum,
)
from strandline.spectral.landmarks import (
    choose_landmarks,
    collapse_duplicates,
    nearest_landmark,
)
from strandline.spectral.tiles import map_tiles, one_blas_thread

SAMPLE_ROWS = 1 << 16
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
    teleport: float = 0.05
    locality: float = 0.5
    gamma_neighbors: int = 8
    gamma_factor: float = 1.0


@dataclass(frozen=True)
class Model:
    """A fitted model: embeds and labels any tile of samples. Small, immutable, picklable.

    Attributes
    ----------
    frame : Frame
    embed : NystromMap or LandmarkMap
    rule : LinearRule
    eigenvalues : ndarray of float64, shape (n_vectors,)
    """

    frame: Frame
    embed: NystromMap | LandmarkMap
    rule: LinearRule
    eigenvalues: NDArray[np.float64]

    def embedding(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Spectral coordinates of a tile of samples, shape (n_rows, n_vectors)."""
        return self.embed(self.frame(rows))

    def labels(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """Labels of a tile of samples, shape (n_rows,)."""
        return self.rule(self.embedding(rows))


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
    plain = settings.affinity in ("rbf", "nearest_neighbors")
    if plain:
        frame = Frame.of(distinct, dtype)
    else:  # other kernels are defined in the data's own units
        frame = Frame(np.zeros(rows.shape[1]), 1.0, np.dtype(np.float64))
    points = frame(distinct)
    with one_blas_thread():
        spectrum, landmarks = _spectrum(points, weights, frame, settings)
        rule = _rule(points, weights, landmarks, spectrum, settings)
        labels = np.concatenate(
            list(
                map_tiles(
                    lambda part: rule(spectrum.embed(points[part])), len(points), settings.n_jobs
                )
            )
        )
    order = canonical_order(distinct, weights, labels, settings.n_clusters)
    return Model(frame, spectrum.embed, rule.reordered(order), spectrum.eigenvalues)


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """float32 where it holds every value of `dtype`, else float64."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)


def default_landmarks(n_clusters: int, affinity: str | Callable[..., Any]) -> int:
    """How many landmarks to use when nobody says."""
    if affinity == "nearest_neighbors":
        return max(1000, 50 * n_clusters)
    return max(256, 48 * n_clusters)


def _spectrum(
    points: NDArray[Any], weights: NDArray[np.float64], frame: Frame, settings: Settings
) -> tuple[Spectrum, NDArray[Any]]:
    n_landmarks = settings.n_landmarks or default_landmarks(settings.n_clusters, settings.affinity)
    n_landmarks = max(n_landmarks, settings.n_clusters)
    rng = np.random.default_rng([settings.seed, 1])
    landmarks = choose_landmarks(points, weights, n_landmarks, rng, n_jobs=settings.n_jobs)
    if settings.affinity == "nearest_neighbors":
        width = min(settings.n_neighbors, len(landmarks))
        nearest, squared = neighbour_distances(points, landmarks, width, settings.n_jobs)
        typical = weighted_median(np.sqrt(squared).mean(axis=1), weights)
        neighbours = NeighbourWeights(landmarks, width, typical, settings.locality)
        spectrum = landmark_spectrum(
            nearest, squared, weights, neighbours, settings.n_clusters, teleport=settings.teleport
        )
        return spectrum, landmarks
    kernel: GaussianKernel | PairwiseKernel
    if settings.affinity == "rbf":
        if settings.gamma is None:
            gamma = _natural_gamma(points, weights, landmarks, settings)
        else:
            gamma = settings.gamma * frame.unit**2
        kernel = GaussianKernel(landmarks, gamma)
    else:
        kernel = PairwiseKernel(landmarks, settings.affinity, settings.kernel_parameters)
    spectrum = nystrom_spectrum(
        points,
        weights,
        kernel,
        settings.n_clusters,
        teleport=settings.teleport,
        n_jobs=settings.n_jobs,
    )
    return spectrum, landmarks


def _natural_gamma(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    landmarks: NDArray[Any],
    settings: Settings,
) -> float:
    """Gamma from the typical distance between a sample and the landmarks around it."""
    width = min(settings.gamma_neighbors, len(landmarks))
    _, squared = neighbour_distances(points, landmarks, width, settings.n_jobs)
    typical = weighted_median(np.sqrt(squared[:, -1]), weights)
    if typical == 0.0:
        typical = float(np.sqrt(squared).mean()) or 1.0
    return 0.5 / (settings.gamma_factor * typical) ** 2


def _rule(
    points: NDArray[Any],
    weights: NDArray[np.float64],
    landmarks: NDArray[Any],
    spectrum: Spectrum,
    settings: Settings,
) -> LinearRule:
    embedded = np.concatenate(
        list(map_tiles(lambda part: spectrum.embed(points[part]), len(points), settings.n_jobs))
    )
    nearest, _ = nearest_landmark(points, landmarks, settings.n_jobs)
    centres = kmeans_centres(
        embedded,
        weights,
        spectrum.embed(landmarks),
        np.bincount(nearest, weights, len(landmarks)).astype(np.float64),
        settings.n_clusters,
        np.random.default_rng([settings.seed, 2]),
        n_init=settings.n_init,
        max_iter=settings.max_iter,
        tol=settings.tol,
    )
    return LinearRule.nearest(centres, embedded.dtype)
