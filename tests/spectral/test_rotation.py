from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_circles, make_moons
from sklearn.metrics import normalized_mutual_info_score

from strandline.errors import FewerClustersWarning
from strandline.spectral import SpectralClustering
from strandline.spectral.rotation import cluster_qr, discretize, leading_directions

METHODS = ["cluster_qr", "discretize"]


def turned_axes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples along orthogonal axes, all of them turned: what ideal clusters look like."""
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.normal(size=(count, count)))[0]
    truth = rng.integers(count, size=500)
    return rotation[truth] + rng.normal(0.0, 0.02, (500, count)), truth


@pytest.mark.parametrize("count", [2, 5, 12])
def test_ideal_clusters_are_found_whatever_the_rotation(count):
    points, truth = turned_axes(count)
    rng = np.random.default_rng(0)
    directions = leading_directions(points, np.ones(500), count)
    product = directions.T @ directions
    np.testing.assert_allclose(product, np.diag(np.diag(product)), atol=1e-9)
    for rule in (
        cluster_qr(points, np.ones(500), count),
        discretize(points, np.ones(500), count, rng),
    ):
        assert normalized_mutual_info_score(truth, rule(points)) == pytest.approx(1.0)


def test_columns_that_say_nothing_are_left_out():
    points, truth = turned_axes(3)
    wide = np.hstack([points, np.random.default_rng(1).normal(0.0, 1e-3, (500, 9))])
    assert leading_directions(wide, np.ones(500), 3).shape == (12, 3)
    labels = cluster_qr(wide, np.ones(500), 3)(wide)
    assert normalized_mutual_info_score(truth, labels) == pytest.approx(1.0)


def test_a_weight_of_two_is_a_repeated_sample():
    points, _ = turned_axes(4)
    points += np.random.default_rng(2).normal(0.0, 0.3, points.shape)
    times = np.random.default_rng(4).integers(1, 4, 500)
    weighted = leading_directions(points, times.astype(float), 4)
    repeated = leading_directions(np.repeat(points, times, axis=0), np.ones(times.sum()), 4)
    np.testing.assert_allclose(weighted, repeated, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors"])
def test_shapes_are_separated_without_kmeans(method, affinity):
    X, truth = make_circles(5000, noise=0.05, factor=0.5, random_state=0)
    model = SpectralClustering(2, affinity=affinity, assign_labels=method)
    assert normalized_mutual_info_score(truth, model.fit_predict(X)) > 0.99
    X, truth = make_moons(5000, noise=0.1, random_state=0)
    assert normalized_mutual_info_score(truth, model.fit_predict(X)) > 0.85


@pytest.mark.parametrize("method", METHODS)
def test_digits_are_found_nearly_as_well_as_by_kmeans(method):
    digits = load_digits()
    model = SpectralClustering(10, affinity="nearest_neighbors", assign_labels=method)
    assert normalized_mutual_info_score(digits.target, model.fit_predict(digits.data)) > 0.86


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors"])
def test_few_distinct_samples_are_labelled_too(method, affinity):
    X = np.repeat([[0.0, 0.0], [1.0, 1.0], [5.0, 0.0]], 4, axis=0)
    model = SpectralClustering(3, affinity=affinity, assign_labels=method)
    np.testing.assert_array_equal(model.fit_predict(X), np.repeat([0, 1, 2], 4))
    with pytest.warns(FewerClustersWarning):
        SpectralClustering(5, affinity=affinity, assign_labels=method).fit(X)
