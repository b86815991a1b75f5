"""Choose the number of clusters: divide as long as the cuts go through gaps.

A walk from a sample to a landmark near it and back to a sample rarely leaves a cluster
with a gap around it, and often a cluster that was cut out of the middle of something. The
chance of leaving, the conductance, jumps where one more cluster needs such a cut.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from strandline.spectral.affinity import (
    Frame,
    NeighbourWeights,
    neighbour_distances,
    weighted_median,
)
from strandline.spectral.assign import LinearRule, kmeans_centres
from strandline.spectral.embedding import JointMap, soft_cut, unit_rows, vector_count
from strandline.spectral.ensemble import shared_weight, varied
from strandline.spectral.fitting import FRAMED, Prepared, Settings, Stream, View, see_graph
from strandline.spectral.tiles import one_blas_thread

_MOST_ROWS = 1 << 12
_STARTS = 8
_NEIGHBOURS = 5
_OTHER_VIEWS = 2

_RESOLUTION = 0.006
"""Conductances are compared with this added: far below it, all clusters are well apart."""


class Choice(NamedTuple):
    """A number of clusters, and what spoke for it.

    Attributes
    ----------
    n_clusters : int
    table : DataFrame
        As `SpectralClustering.choice_`.
    """

    n_clusters: int
    table: pd.DataFrame


def choose_n_clusters(prepared: Prepared, settings: Settings, max_clusters: int) -> Choice:
    """Choose the number of clusters of prepared samples.

    The graph is seen once, with eigenvectors for the largest number; every candidate
    takes its share of them, and k-means finds its clusters. The chosen number is the one
    after which the worst conductance among the clusters grows most, as a ratio.

    Parameters
    ----------
    prepared : Prepared
    settings : Settings
        Its number of clusters does not matter.
    max_clusters : int
        The largest candidate; the smallest is 2.

    Returns
    -------
    Choice
        Of one cluster only where all samples are equal.

    References
    ----------
    Kannan, Vempala and Vetta, "On clusterings: good, bad and spectral", JACM 2004
    (conductance as the quality of a clustering). Lee, Oveis Gharan and Trevisan,
    "Multiway spectral partitioning and higher-order Cheeger inequalities", JACM 2014
    (why it jumps where the eigenvalues do).
    """
    n_distinct = len(prepared.points)
    largest = min(max_clusters, n_distinct)
    candidates = range(2, largest + 1)
    tried = range(2, min(max_clusters + 1, n_distinct) + 1)
    if not candidates:
        return _choice({1: 0.0, 2: 1.0}, {1: 1.0}, np.ones(1))
    few = Prepared(
        prepared.distinct[:_MOST_ROWS],
        prepared.weights[:_MOST_ROWS],
        prepared.frame,
        prepared.points[:_MOST_ROWS],
        prepared.affinity,
    )
    settings = replace(settings, n_clusters=tried[-1])
    with one_blas_thread():
        view = see_graph(prepared, settings)
        labels = _labels(view, view.embedded[:_MOST_ROWS], few.weights, tried, settings.seed)
        stability = dict.fromkeys(candidates, 0.0)
        for number in range(_OTHER_VIEWS):
            other = see_graph(prepared, varied(settings, view.embed, number))
            embedded = other.embedded[:_MOST_ROWS]
            others = _labels(other, embedded, few.weights, candidates, settings.seed)
            for k in candidates:
                shared = shared_weight(labels[k], others[k], few.weights)
                stability[k] += shared / _OTHER_VIEWS
        conductance = _worst_conductance(few, view.landmarks, labels)
    # Where every distinct sample is a cluster, there is nothing left to cut.
    conductance.setdefault(largest + 1, 1.0)
    return _choice(conductance, stability, view.eigenvalues)


def _choice(
    conductance: dict[int, float], stability: dict[int, float], eigenvalues: NDArray[np.float64]
) -> Choice:
    """Put together what was found about the candidates, and choose."""
    candidates = list(stability)
    values = np.zeros(candidates[-1] + 1)
    values[: len(eigenvalues)] = eigenvalues[: len(values)]
    contrast = [
        (conductance[k + 1] + _RESOLUTION) / (conductance[k] + _RESOLUTION) for k in candidates
    ]
    n_clusters = candidates[int(np.argmax(contrast))]
    table = pd.DataFrame(
        {
            "eigenvalue": [values[k - 1] for k in candidates],
            "gap": [values[k - 1] - values[k] for k in candidates],
            "conductance": [conductance[k] for k in candidates],
            "contrast": contrast,
            "stability": [stability[k] for k in candidates],
            "chosen": [k == n_clusters for k in candidates],
        },
        index=pd.Index(candidates, name="n_clusters"),
    )
    return Choice(n_clusters, table)


def _labels(
    view: View,
    embedded: NDArray[Any],
    weights: NDArray[np.float64],
    candidates: range,
    seed: int,
) -> dict[int, NDArray[np.int32]]:
    """Find the clusters of every candidate among the first samples."""
    landmarks = view.embed(view.landmarks)
    n_graphs = len(view.embed.maps) if isinstance(view.embed, JointMap) else 1
    labels = {}
    for k in candidates:
        points = _narrowed(embedded, view.eigenvalues, candidates[-1], k, n_graphs)
        coarse = _narrowed(landmarks, view.eigenvalues, candidates[-1], k, n_graphs)
        rng = np.random.default_rng([seed, Stream.CHOICE, k])
        centres = kmeans_centres(points, weights, coarse, view.mass, k, rng, n_init=_STARTS)
        labels[k] = LinearRule.nearest(centres, points.dtype)(points)
    return labels


def _narrowed(
    embedded: NDArray[Any],
    eigenvalues: NDArray[np.float64],
    widest: int,
    n_clusters: int,
    n_graphs: int,
) -> NDArray[Any]:
    """Turn the embedding for many clusters into the one for fewer.

    Both come from the same eigenvectors. Only their weights (`soft_cut`) differ, and
    that rows have length one, in each graph's part.
    """
    width = embedded.shape[1] // n_graphs
    kept = min(vector_count(n_clusters), width)
    values = eigenvalues[:width]
    change = (soft_cut(values, n_clusters) / soft_cut(values, widest))[:kept]
    parts = [
        unit_rows(embedded[:, start : start + kept] * change.astype(embedded.dtype))
        for start in range(0, n_graphs * width, width)
    ]
    return np.hstack(parts)


def _worst_conductance(
    few: Prepared, landmarks: NDArray[Any], labels: dict[int, NDArray[np.int32]]
) -> dict[int, float]:
    """Chance to leave the leakiest cluster on the way over a landmark to another sample.

    Landmarks near a sample are chosen as in the landmark graph, without its teleport.
    """
    frame = few.frame
    points = few.points
    if few.affinity not in FRAMED:  # raw units may be of any size
        frame = Frame.of(few.distinct, few.points.dtype)
        points, landmarks = frame(few.distinct), frame(landmarks)
    width = min(_NEIGHBOURS, len(landmarks))
    nearest, squared = neighbour_distances(points, landmarks, width, 1)
    typical = weighted_median(np.sqrt(squared).mean(axis=1), few.weights)
    near = NeighbourWeights(landmarks, width, typical, 0.0).weigh(squared)
    steps = scipy.sparse.csr_array(
        (
            (near * few.weights[:, None]).ravel(),
            nearest.ravel(),
            np.arange(0, nearest.size + 1, width),
        ),
        shape=(len(points), len(landmarks)),
    )
    worst = {}
    for k, found in labels.items():
        members = scipy.sparse.csr_array(
            (np.ones(len(found)), (found, np.arange(len(found)))), shape=(k, len(found))
        )
        joint = scipy.sparse.csr_array(members @ steps).toarray()
        joint = joint[joint.sum(axis=1) > 0.0]
        landmark_mass = np.maximum(joint.sum(axis=0), np.finfo(np.float64).tiny)
        stay = (np.square(joint) / landmark_mass).sum(axis=1) / joint.sum(axis=1)
        worst[k] = float(np.clip(1.0 - stay.min(), 0.0, 1.0))
    return worst
