"""Divide clusters into subclusters: finer spectral classes for finer decisions.

A cluster of a whole scene is too coarse to decide about single pixels: one of eight
clusters may hold a lake together with its muddy margin, or a pond together with dark
woods. Subclusters divide each cluster, the more finely the more varied it is, and far-off
spectra get one of their own. What is true of a subcluster is decided from its own
signature; on the label map it stays part of its cluster.

They are found among logarithms of reflectance: water, lava and shade are all dark, and
differ by the ratios of their bands, which a logarithm turns into distances. A small
offset keeps sensor noise around zero from counting as a difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strandline.spectral.landmarks import choose_landmarks, collapse_duplicates
from strandline.spectral.tiles import in_tiles, scratch, whole_lanes

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
    """

    centres: NDArray[np.float32]
    cluster: NDArray[np.uint8]
    offset: float
    _transposed: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    _bias: NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare what every tile needs: minus infinity bars centres of other clusters."""
        half_norm = 0.5 * np.square(self.centres).sum(axis=1)
        own = np.arange(int(self.cluster.max()) + 1)[:, None] == self.cluster
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
        return in_tiles(self._nearest, _logarithms(rows, self.offset), labels)

    def _nearest(self, logarithms: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.intp]:
        shape = (len(logarithms), self._transposed.shape[1])
        score = scratch("subclusters", shape, logarithms.dtype)
        bias = scratch("subclusters of the cluster", shape, logarithms.dtype)
        np.matmul(logarithms, self._transposed, out=score)
        score += self._bias.take(labels, axis=0, out=bias, mode="clip")
        nearest: NDArray[np.intp] = score.argmax(axis=1)
        return nearest


def divide(
    rows: NDArray[Any],
    labels: NDArray[Any],
    n_clusters: int,
    n_subclusters: int,
    seed: int = 0,
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
    members = [logarithms[labels == cluster] for cluster in range(n_clusters)]
    shares = _shares(members, n_subclusters)
    centres, cluster = [], []
    for number, (own, share) in enumerate(zip(members, shares, strict=True)):
        distinct = collapse_duplicates(own)
        rng = np.random.default_rng([seed, number])
        found = choose_landmarks(distinct.rows, distinct.weights, int(share), rng)
        centres.append(found)
        cluster.append(np.full(len(found), number, np.uint8))
    return Subclusters(
        np.concatenate(centres).astype(np.float32, copy=False), np.concatenate(cluster), offset
    )


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
