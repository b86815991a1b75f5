"""A short cut to labels: where all samples around a prototype have the same one, it is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from strandline.spectral.landmarks import (
    choose_landmarks,
    closeness,
    nearest_landmark,
    search_matrix,
)

MIXED = -1
"""The label of a cell in which samples have several labels, or too few are known."""

_PER_CLUSTER = 32
_MOST = 512
_ENOUGH = 10  # distinct samples that have to agree
_PAYS = 0.4  # share of the samples in cells of one label below which the detour costs more


@dataclass(frozen=True)
class Cells:
    """Cells around prototypes, most of them inside one cluster.

    Where the samples of the fit that lie in a cell all have one label, others that fall
    there get it without being embedded. All samples of the fit keep their labels; of
    others, measured on scenes, less than 2 in 10,000 get another than by embedding them.

    Attributes
    ----------
    prototypes : ndarray of shape (n_cells, n_features)
        In the frame.
    labels : ndarray of int32, shape (n_cells,)
        `MIXED` where samples have to be embedded.
    """

    prototypes: NDArray[Any]
    labels: NDArray[np.int32]
    _right: NDArray[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_right", search_matrix(self.prototypes))

    @classmethod
    def around(
        cls,
        landmarks: NDArray[Any],
        mass: NDArray[np.float64],
        points: NDArray[Any],
        labels: NDArray[np.int32],
        n_clusters: int,
        rng: np.random.Generator,
        n_jobs: int | None = None,
    ) -> Self | None:
        """Find cells, if they pay: some labels are got by them alone.

        Parameters
        ----------
        landmarks : ndarray of shape (n_landmarks, n_features)
            Stand for the data; the prototypes are chosen among them.
        mass : ndarray of float64, shape (n_landmarks,)
        points : ndarray of shape (n_points, n_features)
            Distinct samples, in the frame.
        labels : ndarray of int32, shape (n_points,)
        n_clusters : int
        rng : numpy.random.Generator
        n_jobs : int or None
            Threads; never changes the result.

        Returns
        -------
        Cells or None
        """
        count = min(_PER_CLUSTER * n_clusters, _MOST)
        if len(points) < _ENOUGH * count:
            return None  # too few samples to tell, and too few to be slow
        prototypes = choose_landmarks(landmarks, mass, count, rng, n_jobs=n_jobs)
        cell = nearest_landmark(points, prototypes, n_jobs)
        size = (len(prototypes), n_clusters)
        table = np.bincount(cell * n_clusters + labels, minlength=size[0] * size[1]).reshape(size)
        members = table.sum(axis=1)
        pure = (table.max(axis=1) == members) & (members >= _ENOUGH)
        if members[pure].sum() < _PAYS * len(points):
            return None
        return cls(prototypes, np.where(pure, table.argmax(axis=1), MIXED).astype(np.int32))

    def __call__(self, points: NDArray[Any]) -> NDArray[np.int32]:
        """Labels of a tile of points in the frame, `MIXED` where they are not known."""
        nearest = closeness(points, self._right, len(self.labels)).argmax(axis=1)
        known: NDArray[np.int32] = self.labels[nearest]
        return known
