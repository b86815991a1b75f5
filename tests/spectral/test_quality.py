"""What the clusters are worth: shapes that k-means cannot find, labelled sets, real pixels."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import rasterio
from sklearn.datasets import load_digits, make_circles, make_moons
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from strandline.spectral import SpectralClustering

BOTH = pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf"])


@BOTH
def test_circles_are_separated(affinity):
    X, truth = make_circles(20_000, noise=0.05, factor=0.5, random_state=0)
    labels = SpectralClustering(2, affinity=affinity).fit_predict(X)
    assert normalized_mutual_info_score(truth, labels) > 0.99


@BOTH
def test_moons_are_separated(affinity):
    X, truth = make_moons(20_000, noise=0.1, random_state=0)
    labels = SpectralClustering(2, affinity=affinity).fit_predict(X)
    assert normalized_mutual_info_score(truth, labels) > 0.97


def test_digits_are_found():
    digits = load_digits()
    labels = SpectralClustering(10).fit_predict(digits.data)
    assert normalized_mutual_info_score(digits.target, labels) > 0.88


@pytest.mark.parametrize(
    ("name", "n_clusters", "least"), [("satellite", 6, 0.645), ("letterrecognition", 26, 0.475)]
)
def test_labelled_sets_are_found(real_data: Path, name, n_clusters, least):
    with np.load(real_data / "benchmark_sets" / f"{name}.npz", allow_pickle=False) as archive:
        X, y = archive["X"], archive["y"]
    scores = [
        normalized_mutual_info_score(
            y, SpectralClustering(n_clusters, random_state=seed).fit_predict(X)
        )
        for seed in range(2)
    ]
    assert np.mean(scores) > least


@pytest.fixture(scope="module")
def olinda(real_data: Path) -> np.ndarray:
    with rasterio.open(real_data / "olinda_etm" / "L7_ETMs.tif") as source:
        X = source.read().reshape(6, -1).T.astype(np.float32)[::4]
    return (X - X.mean()) / X.std()


@BOTH
@pytest.mark.parametrize("n_clusters", [4, 8])
def test_real_pixels_give_no_degenerate_clusters(olinda, affinity, n_clusters):
    # scikit-learn's exact answer puts all but a handful of these pixels into one cluster.
    labels = SpectralClustering(n_clusters, affinity=affinity).fit_predict(olinda)
    share = np.bincount(labels, minlength=n_clusters) / len(labels)
    assert share.min() > 0.01


@pytest.mark.parametrize(("n_clusters", "least"), [(4, 0.95), (8, 0.90)])
def test_real_pixels_are_labelled_alike_by_different_seeds(olinda, n_clusters, least):
    labels = [
        SpectralClustering(n_clusters, random_state=seed).fit_predict(olinda) for seed in range(4)
    ]
    agreement = [adjusted_rand_score(one, two) for one, two in combinations(labels, 2)]
    assert np.mean(agreement) > least
    # The order of the labels is canonical, so they agree without any matching.
    assert (labels[0] == labels[1]).mean() > least
