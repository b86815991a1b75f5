"""Divide clusters into subclusters: finer spectral classes for finer decisions.

A cluster of a whole scene is too coarse to decide about single pixels: one of eight
clusters may hold a lake together with its muddy margin, or a pond together with dark
woods. Subclusters divide each cluster, the more finely the more varied it is, and far-off
spectra get one of their own. What is true of a subcluster is decided from its own
signature; on the label map it stays part of its cluster.

They are found among logarithms of reflectance: water, lava and shade are all dark, and
differ by the ratios of their bands, which a logarithm turns into distances. A small
offset keeps sensor noise around zero from counting as a difference.

Where two bands are named whose order tells wet from dry (green above shortwave infrared: the
sign of MNDWI), no subcluster lies on both sides. Means of one side stay there, so a
subcluster's signature speaks for each of its pixels, and rare water, a pond of twenty pixels
in a forest, has subclusters of its own however small its share of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.segmentation.sides import Sides
from strandline.spectral.landmarks import choose_landmarks, collapse_duplicates
from strandline.spectral.tiles import in_tiles, product, scratch, whole_lanes

OFFSET = 0.05
"""Offset of the logarithms, relative to the brightness of a bright pixel."""

BRIGHT = 0.95
"""Which quantile of all values is a bright pixel's."""


@dataclass(frozen=True)
class Subclusters:
    """Centres of subclusters and the cluster that each belongs to.

    Attributes
    ----------
    centres : ndarray of float32, shape (n_subclusters, n_bands)
        Logarithms of reflectance plus `offset`, those of cluster 0 first.
    cluster : ndarray of uint8, shape (n_subclusters,)
    offset : float
        In units of reflectance.
    sides : Sides, optional
        The bands that tell wet from dry.
    wet : ndarray of bool, shape (n_subclusters,), optional
        The side of each subcluster, where there are sides.
    """

    centres: NDArray[np.float32]
    cluster: NDArray[np.uint8]
    offset: float
    sides: Sides | None = None
    wet: NDArray[np.bool_] | None = None
    _transposed: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    _bias: NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare what every tile needs: minus infinity bars centres of other clusters."""
        half_norm = 0.5 * np.square(self.centres).sum(axis=1)
        own = np.arange(int(self.cluster.max()) + 1)[:, None] == self.cluster
        if self.wet is not None:
            own = np.stack([own & ~self.wet, own & self.wet], axis=1).reshape(-1, len(self.wet))
            # A side of which the sample had nothing shares the centres of the other.
            empty = ~own.any(axis=1)
            own[empty] = own.reshape(-1, 2, own.shape[1])[:, ::-1].reshape(own.shape)[empty]
        transposed = whole_lanes(self.centres.T)
        bias = np.full((len(own), transposed.shape[1]), -np.inf, np.float32)
        bias[:, : len(self.cluster)] = np.where(own, -half_norm, -np.inf)
        object.__setattr__(self, "_transposed", transposed)
        object.__setattr__(self, "_bias", bias)

    def nearest(self, rows: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.intp]:
        """Find each row's nearest centre among those of its own cluster.

        Parameters
        ----------
        rows : ndarray of shape (n, n_bands)
            Reflectance.
        labels : ndarray of shape (n,)
            Clusters of the rows.

        Returns
        -------
        ndarray of shape (n,)
            Subcluster numbers.
        """
        groups = _groups(rows, labels, self.sides)
        return in_tiles(self._nearest, _logarithms(rows, self.offset), groups)

    def _nearest(self, logarithms: NDArray[Any], groups: NDArray[Any]) -> NDArray[np.intp]:
        shape = (len(logarithms), self._transposed.shape[1])
        score = scratch("subclusters", shape, logarithms.dtype)
        bias = scratch("subclusters of the cluster", shape, logarithms.dtype)
        product(logarithms, self._transposed, score)
        score += self._bias.take(groups, axis=0, out=bias, mode="clip")
        nearest: NDArray[np.intp] = score.argmax(axis=1)
        return nearest


def divide(
    rows: NDArray[Any],
    labels: NDArray[Any],
    n_clusters: int,
    n_subclusters: int,
    seed: int = 0,
    sides: Sides | None = None,
) -> Subclusters:
    """Divide every cluster of a sample into subclusters.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_bands)
        Reflectance of the sample.
    labels : ndarray of shape (n_samples,)
        Their clusters, 0 … n_clusters - 1.
    n_clusters : int
    n_subclusters : int
        In all; every cluster gets at least one, and its share of the rest grows with the
        square root of its sum of squared distances from the mean.
    seed : int
    sides : Sides, optional
        No subcluster holds samples of the wet side together with others. Left out where there
        are too few subclusters for both sides of all clusters.

    Returns
    -------
    Subclusters

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.array([[0.10], [0.11], [0.30], [0.60]])
    >>> divide(rows, np.array([0, 0, 1, 1]), n_clusters=2, n_subclusters=3).cluster.tolist()
    [0, 1, 1]
    """
    offset = OFFSET * float(np.quantile(rows, BRIGHT))
    logarithms = _logarithms(rows, offset)
    if sides is not None and n_subclusters < 2 * n_clusters:
        sides = None
    groups = _groups(rows, labels, sides)
    per_cluster = 1 if sides is None else 2
    numbers = [number for number in range(per_cluster * n_clusters) if (groups == number).any()]
    members = [logarithms[groups == number] for number in numbers]
    shares = _shares(members, n_subclusters)
    centres, cluster = [], []
    for number, own, share in zip(numbers, members, shares, strict=True):
        distinct = collapse_duplicates(own)
        rng = np.random.default_rng([seed, number])
        found = choose_landmarks(distinct.rows, distinct.weights, int(share), rng)
        centres.append(found)
        cluster.append(np.full(len(found), number, np.uint16))
    group = np.concatenate(cluster)
    return Subclusters(
        np.concatenate(centres).astype(np.float32, copy=False),
        (group // per_cluster).astype(np.uint8),
        offset,
        sides,
        None if sides is None else group % 2 == 1,
    )


def _groups(rows: NDArray[Any], labels: NDArray[Any], sides: Sides | None) -> NDArray[np.intp]:
    """Give the cluster of each row or, where there are sides, the number of its half."""
    if sides is None:
        return labels.astype(np.intp)
    return 2 * labels.astype(np.intp) + sides.wet(rows)


def _logarithms(rows: NDArray[Any], offset: float) -> NDArray[np.float32]:
    """Take logarithms in float32; what is below zero (noise) counts as zero."""
    values = np.maximum(rows.astype(np.float32, copy=False), np.float32(0.0))
    values += np.float32(offset)
    return np.log(values, out=values)


def _shares(members: list[NDArray[Any]], total: int) -> NDArray[np.int64]:
    """How many subclusters each cluster gets: one, and a share of the rest."""
    spread = np.array(
        [float(np.square(own - own.mean(axis=0), dtype=np.float64).sum()) for own in members]
    )
    spread = np.sqrt(spread)
    rest = max(0, total - len(members))
    if spread.sum() == 0.0:
        return np.ones(len(members), np.int64)
    exact = rest * spread / spread.sum()
    shares = np.floor(exact).astype(np.int64)
    # The largest remainders take what rounding left over.
    left = rest - int(shares.sum())
    shares[np.argsort(-(exact - shares), kind="stable")[:left]] += 1
    return np.asarray(shares + 1)
