"""How sure a label is: whether models that see the data through other landmarks agree."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from strandline.errors import FewerClustersWarning
from strandline.spectral.affinity import GaussianKernel
from strandline.spectral.embedding import JointMap, NystromMap
from strandline.spectral.fitting import Model, Prepared, Settings, Stream, fit_prepared
from strandline.spectral.tiles import map_tiles

_LANDMARKS_PER_CLUSTER = 6
_WIDER = 0.7  # factor of gamma: at 1, edges of clear groups are left alone; at 0.5 all agree
_NO_COUNTERPART = -1


@dataclass(frozen=True)
class Ensemble:
    """Models that see the same samples as a main one, through other, few landmarks.

    Attributes
    ----------
    main : Model
    members : tuple of Model
    names : tuple of ndarray of int32
        Per member, what the main model calls its clusters; -1 where it has no such.
    """

    main: Model
    members: tuple[Model, ...]
    names: tuple[NDArray[np.int32], ...]

    def agreement(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Share of the members that give a sample the main model's label.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            A tile of samples without NaN.

        Returns
        -------
        ndarray of float32, shape (n_rows,)
            0 … 1.
        """
        labels = self.main.labels(rows)
        votes = np.zeros(len(rows), np.int64)
        for member, names in zip(self.members, self.names, strict=True):
            votes += names[member.labels(rows)] == labels
        return (votes / len(self.members)).astype(np.float32)


def fit_ensemble(prepared: Prepared, settings: Settings, main: Model, n_members: int) -> Ensemble:
    """Fit models to the same samples through other landmarks.

    Parameters
    ----------
    prepared : Prepared
    settings : Settings
        Those of the main model.
    main : Model
    n_members : int
        At least one.

    Returns
    -------
    Ensemble
        Clusters matched so that as much of the samples' weight as possible agrees.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics
    Quarterly 1955.
    """
    labels = _labels(main, prepared)
    members, names = [], []
    for number in range(n_members):
        with warnings.catch_warnings():
            # The main model has said so already.
            warnings.simplefilter("ignore", FewerClustersWarning)
            other = varied(settings, main.embed, number)
            member = fit_prepared(prepared, other)
        members.append(member)
        names.append(_matched(labels, _labels(member, prepared), prepared.weights))
    return Ensemble(main, tuple(members), tuple(names))


def varied(settings: Settings, main: NystromMap | JointMap, number: int) -> Settings:
    """Ask for other, few landmarks: six samples per cluster, far from one another.

    Through the usual number of landmarks, at the centres of their cells, all models see
    the same and agree even where clusters overlap. Through a few scattered samples each
    draws its boundaries somewhat differently, the more so the less there is to hold them.
    Kernels are a little wider than the main model's: few landmarks have to reach every
    sample of a clear group.

    Parameters
    ----------
    settings : Settings
        Those of the main model.
    main : NystromMap or JointMap
        Its embedding.
    number : int
        From 0; says which other landmarks.

    Returns
    -------
    Settings
    """
    state = np.random.SeedSequence([settings.seed, Stream.ENSEMBLE, number]).generate_state(1)
    gamma = None
    if isinstance(main, NystromMap) and isinstance(main.kernel, GaussianKernel):
        gamma = _WIDER * main.kernel.gamma
    return replace(
        settings,
        seed=int(state[0]),
        n_landmarks=_LANDMARKS_PER_CLUSTER * settings.n_clusters,
        landmark_iterations=0,
        frame_gamma=gamma,
    )


def shared_weight(
    labels: NDArray[np.int32], others: NDArray[np.int32], weights: NDArray[np.float64]
) -> float:
    """Share of the weight on which two clusterings agree, their clusters matched.

    Examples
    --------
    >>> shared_weight(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 1]), np.ones(4))
    0.75
    """
    same = _matched(labels, others, weights)[others] == labels
    return float(weights[same].sum() / weights.sum())


def _labels(model: Model, prepared: Prepared) -> NDArray[np.int32]:
    def one(part: slice) -> NDArray[np.int32]:
        return model.rule(model.embed(prepared.points[part]))

    return np.concatenate(list(map_tiles(one, len(prepared.points), 1)))


def _matched(
    labels: NDArray[np.int32], others: NDArray[np.int32], weights: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Find for each of the other clusters the one of `labels` that it corresponds to."""
    shared = np.zeros((int(others.max()) + 1, int(labels.max()) + 1))
    np.add.at(shared, (others, labels), weights)
    return counterparts(shared)


def counterparts(shared: NDArray[Any]) -> NDArray[np.int32]:
    """Find for each of the other clusters the one that it corresponds to.

    Parameters
    ----------
    shared : ndarray of shape (n_others, n_clusters)
        How much each pair has in common.

    Returns
    -------
    ndarray of int32, shape (n_others,)
        -1 where there is none.

    Examples
    --------
    >>> counterparts(np.array([[1, 5], [4, 2], [0, 3]])).tolist()
    [1, 0, -1]
    """
    names = np.full(len(shared), _NO_COUNTERPART, np.int32)
    rows, columns = scipy.optimize.linear_sum_assignment(shared, maximize=True)
    names[rows] = columns
    return names
