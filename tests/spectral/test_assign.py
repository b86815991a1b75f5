from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from strandline.spectral import assign
from strandline.spectral.assign import LinearRule, canonical_order, kmeans_centres


def test_linear_rule_of_centres_picks_the_nearest():
    rng = np.random.default_rng(0)
    points, centres = rng.normal(size=(200, 3)), rng.normal(size=(5, 3))
    expected = np.linalg.norm(points[:, None] - centres, axis=2).argmin(axis=1)
    rule = LinearRule.nearest(centres, points.dtype)
    np.testing.assert_array_equal(rule(points), expected)


def test_reordering_renames_the_clusters():
    rule = LinearRule.nearest(np.array([[0.0], [1.0], [2.0]]), np.dtype(float))
    points = np.array([[0.1], [1.1], [2.1]])
    assert rule.reordered(np.array([2, 0, 1]))(points).tolist() == [1, 2, 0]


def test_darkest_cluster_comes_first_and_ties_go_to_the_first_feature():
    rows = np.array([[5.0, 5.0], [0.0, 2.0], [2.0, 0.0], [0.2, 0.2]])
    order = canonical_order(rows, np.ones(4), np.arange(4, dtype=np.int32), 4)
    assert order.tolist() == [3, 1, 2, 0]


def test_canonical_order_weighs_the_samples():
    rows = np.array([[0.0], [10.0], [4.0]])
    labels = np.array([0, 0, 1], np.int32)
    assert canonical_order(rows, np.array([1.0, 1.0, 1.0]), labels, 2).tolist() == [1, 0]
    assert canonical_order(rows, np.array([9.0, 1.0, 1.0]), labels, 2).tolist() == [0, 1]


def inertia(points: np.ndarray, weights: np.ndarray, centres: np.ndarray) -> float:
    distance = np.square(points[:, None] - centres).sum(axis=2).min(axis=1)
    return float(weights @ distance)


def test_centres_are_as_good_as_scikit_learns_best_of_ten():
    rng = np.random.default_rng(7)
    points = rng.normal(size=(800, 4))
    weights = rng.uniform(0.5, 3.0, 800)
    ours = kmeans_centres(
        points, weights, points[:300], weights[:300], 6, np.random.default_rng(0), n_init=64
    )
    reference = KMeans(6, n_init=10, random_state=0).fit(points, sample_weight=weights)
    assert inertia(points, weights, ours) <= 1.02 * reference.inertia_


def test_more_clusters_than_coarse_points_still_give_that_many_clusters():
    points = np.arange(12.0)[:, None]
    centres = kmeans_centres(
        points, np.ones(12), np.zeros((2, 1)), np.ones(2), 4, np.random.default_rng(0)
    )
    assert len(np.unique(LinearRule.nearest(centres, points.dtype)(points))) == 4


def coarse_points(count: int, n_vectors: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    points = rng.normal(size=(count, n_vectors)).astype(np.float32)
    return points, rng.uniform(0.1, 9.0, count)


@pytest.mark.parametrize("n_clusters", [5, 70])
def test_starts_end_in_the_same_place_alone_and_together(n_clusters, monkeypatch):
    points, weights = coarse_points(300, 8)
    rng = np.random.default_rng(1)
    starts = np.stack([points[rng.permutation(300)[:n_clusters]] for _ in range(6)]).astype(float)
    together = assign._lloyd_together(points, weights, starts, 30)
    monkeypatch.setattr(assign, "_TOGETHER_BYTES", 1)
    alone = assign._lloyd_together(points, weights, starts, 30)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    reference = KMeans(
        n_clusters, init=starts[3], n_init=1, max_iter=30, tol=0.0, algorithm="lloyd"
    )
    reference.fit(points, sample_weight=weights)
    np.testing.assert_allclose(together[1][3], reference.inertia_, rtol=1e-4)


def test_the_tables_of_many_clusters_stay_small(monkeypatch):
    points, weights = coarse_points(2048, 4)
    starts = np.zeros((32, 254, 4))
    sizes = []

    def recorded(points, weights, weighted, centres, max_iter):
        sizes.append(len(centres))
        return centres, np.zeros((len(centres), len(points)))

    monkeypatch.setattr(assign, "_lloyd_batch", recorded)
    assign._lloyd_together(points, weights, starts, 30)
    assert sum(sizes) == 32
    assert max(sizes) * 2048 * 254 * 8 <= assign._TOGETHER_BYTES
    sizes.clear()
    assign._lloyd_together(points[:480], weights[:480], starts[:, :15], 30)
    assert sizes == [32]
