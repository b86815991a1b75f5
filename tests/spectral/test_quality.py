"""What the clusters are worth: shapes that k-means cannot find, labelled sets, real pixels."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from sklearn.datasets import load_digits, make_circles, make_moons
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from strandline.spectral import SpectralClustering

LandmarkGraphs = partial(SpectralClustering, affinity="nearest_neighbors")


@pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf"])
def test_circles_are_separated(affinity):
    X, truth = make_circles(20_000, noise=0.05, factor=0.5, random_state=0)
    labels = SpectralClustering(2, affinity=affinity).fit_predict(X)
    assert normalized_mutual_info_score(truth, labels) > 0.99


def test_moons_are_separated():
    X, truth = make_moons(20_000, noise=0.1, random_state=0)
    assert normalized_mutual_info_score(truth, LandmarkGraphs(2).fit_predict(X)) > 0.96


def test_digits_are_found():
    digits = load_digits()
    labels = LandmarkGraphs(10).fit_predict(digits.data)
    assert normalized_mutual_info_score(digits.target, labels) > 0.86


def test_satellite_soils_are_found(real_data: Path):
    with np.load(real_data / "benchmark_sets" / "satellite.npz") as archive:
        X, y = archive["X"], archive["y"]
    assert normalized_mutual_info_score(y, LandmarkGraphs(6).fit_predict(X)) > 0.63


@pytest.fixture(scope="module")
def olinda(real_data: Path) -> np.ndarray:
    with rasterio.open(real_data / "olinda_etm" / "L7_ETMs.tif") as source:
        X = source.read().reshape(6, -1).T.astype(np.float32)[::4]
    return (X - X.mean()) / X.std()


@pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf"])
@pytest.mark.parametrize("n_clusters", [4, 8])
def test_real_pixels_give_no_degenerate_clusters(olinda, affinity, n_clusters):
    # scikit-learn's exact answer puts all but a handful of these pixels into one cluster.
    labels = SpectralClustering(n_clusters, affinity=affinity).fit_predict(olinda)
    share = np.bincount(labels, minlength=n_clusters) / len(labels)
    assert share.min() > 0.01


@pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf"])
def test_real_pixels_are_labelled_alike_by_different_seeds(olinda, affinity):
    one, two = (
        SpectralClustering(4, affinity=affinity, random_state=seed).fit_predict(olinda)
        for seed in (1, 2)
    )
    assert adjusted_rand_score(one, two) > 0.9
    # The order of the labels is canonical, so they agree without any matching.
    assert (one == two).mean() > 0.9
