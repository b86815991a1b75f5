"""Clusters by any of scikit-learn's clusterers, and how its answer becomes a rule."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sklearn.base
from numpy.typing import NDArray

from strandline.errors import ConfigurationError, InvalidDataError
from strandline.spectral.assign import LinearRule
from strandline.spectral.landmarks import choose_landmarks, nearest_landmark

MOST_PROTOTYPES = 2000
"""A clusterer is shown at most this many samples: some need every pair of them."""


@dataclass(frozen=True)
class PrototypeRule:
    """Label of an embedded sample: that of the nearest prototype.

    Clusters of any shape have this form.

    Attributes
    ----------
    nearest : LinearRule
        Finds the prototype.
    cluster : ndarray of int32, shape (n_prototypes,)
        The cluster of each; every cluster has at least one.
    """

    nearest: LinearRule
    cluster: NDArray[np.int32]
    n_clusters: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_clusters", int(self.cluster.max()) + 1)

    @property
    def n_vectors(self) -> int:
        """Number of columns of the embedding."""
        return self.nearest.n_vectors

    def __call__(self, embedded: NDArray[Any]) -> NDArray[np.int32]:
        """Labels of embedded samples, shape (n_points,)."""
        return self.cluster[self.nearest(embedded)]

    def reordered(self, order: NDArray[np.int64]) -> PrototypeRule:
        """Rename the clusters: ``order[j]`` is now called j; those not in it vanish."""
        names = np.full(self.n_clusters, -1, np.int32)
        names[order] = np.arange(len(order))
        kept = names[self.cluster] >= 0
        nearest = LinearRule(
            np.ascontiguousarray(self.nearest.weights[:, kept]), self.nearest.bias[kept]
        )
        return PrototypeRule(nearest, names[self.cluster[kept]])


def learned_rule(
    clusterer: Any,
    embedded: NDArray[Any],
    weights: NDArray[np.float64],
    seed: int,
) -> LinearRule | PrototypeRule:
    """Let a clusterer find clusters among prototypes, and make its answer a rule.

    The prototypes are all samples if they are few, else 2,000 centres of k-means in the
    embedding, with the mass of the samples around them. Where the nearest mean of a
    cluster gives the clusterer's own labels, that is the rule (so for k-means and its
    kin); else the nearest prototype. Prototypes that the clusterer calls noise (label
    -1) have no say: their samples go to the nearest one that has a cluster.

    Parameters
    ----------
    clusterer : estimator
        With ``fit_predict(X)``, or ``fit_predict(X, sample_weight=…)``. It is cloned; a
        ``random_state`` of None becomes `seed`.
    embedded : ndarray of shape (n_points, n_vectors)
    weights : ndarray of float64, shape (n_points,)
    seed : int

    Returns
    -------
    LinearRule or PrototypeRule

    Raises
    ------
    ConfigurationError
        If the clusterer does not give one whole number per sample.
    InvalidDataError
        If all samples are noise to it.

    Examples
    --------
    >>> from sklearn.cluster import AgglomerativeClustering
    >>> points = np.array([[0.0], [0.1], [5.0], [5.2]])
    >>> rule = learned_rule(AgglomerativeClustering(2), points, np.ones(4), 0)
    >>> labels = rule(points)
    >>> bool(labels[0] == labels[1] != labels[2] == labels[3])
    True
    """
    prototypes = choose_landmarks(
        embedded, weights, MOST_PROTOTYPES, np.random.default_rng(seed), n_jobs=1
    )
    nearest = nearest_landmark(embedded, prototypes, 1)
    mass = np.bincount(nearest, weights, len(prototypes)).astype(np.float64)
    found = _clusters_of(clusterer, prototypes, mass, seed)
    labelled = found >= 0
    if not labelled.any():
        raise InvalidDataError(
            f"{clusterer!r} found no cluster: all samples are noise to it.",
            remedy="Change its parameters: embedded samples are unit vectors.",
        )
    used, names = np.unique(found[labelled], return_inverse=True)
    cluster = names.astype(np.int32)
    kept = prototypes[labelled].astype(np.float64)
    members = np.zeros((len(used), len(cluster)))
    members[cluster, np.arange(len(cluster))] = np.maximum(mass[labelled], np.finfo(float).tiny)
    means = members @ kept / members.sum(axis=1, keepdims=True)
    by_mean = LinearRule.nearest(means, embedded.dtype)
    if labelled.all() and np.array_equal(by_mean(prototypes), cluster):
        return by_mean
    return PrototypeRule(LinearRule.nearest(kept, embedded.dtype), cluster)


def is_clusterer(candidate: Any) -> bool:
    """Whether something can cluster the embedded samples."""
    return hasattr(candidate, "fit_predict") and not isinstance(candidate, type)


def _clusters_of(
    clusterer: Any, prototypes: NDArray[Any], mass: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    worker: Any = sklearn.base.clone(clusterer)  # type: ignore[no-untyped-call]  # scikit-learn has no types
    if worker.get_params().get("random_state", seed) is None:
        worker.set_params(random_state=seed)
    takes_weight = "sample_weight" in inspect.signature(worker.fit_predict).parameters
    weight = {"sample_weight": mass} if takes_weight else {}
    found = np.asarray(worker.fit_predict(prototypes, **weight))
    if found.shape != (len(prototypes),) or found.dtype.kind not in "iu":
        raise ConfigurationError(
            "assign_labels is an estimator that does not give one label per sample.",
            expected=f"{len(prototypes)} whole numbers",
            got=f"shape {found.shape}, dtype {found.dtype}",
        )
    return found.astype(np.int64)
