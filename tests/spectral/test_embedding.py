"""The approximation is tested where it is exact: every sample is a landmark."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics.pairwise import euclidean_distances

from strandline.errors import InvalidDataError
from strandline.spectral import SpectralClustering, fitting
from strandline.spectral.embedding import NystromMap, soft_cut
from strandline.spectral.fitting import MOST_LANDMARKS, fit_prepared, prepare
from strandline.spectral.parameters import checked_settings


@pytest.fixture
def samples() -> np.ndarray:
    rng = np.random.default_rng(20)
    return np.concatenate([rng.normal(c, 0.4, (70, 3)) for c in (0.0, 2.0, 4.0)])


def directions(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def leading(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eigh(matrix)
    return values[::-1][:count], vectors[:, ::-1][:, :count]


def test_kernel_eigenvectors_are_the_dense_ones_when_every_sample_is_a_landmark(samples):
    n, k, gamma, teleport = len(samples), 3, 0.7, 0.05
    model = SpectralClustering(k, affinity="rbf", gamma=gamma, n_components=n).fit(samples)

    kernel = np.exp(-gamma * euclidean_distances(samples, squared=True))
    graph = kernel + teleport * kernel.sum() / n / n
    degree = graph.sum(axis=1)
    values, vectors = leading(graph / np.sqrt(np.outer(degree, degree)), 2 * k)
    expected = directions(vectors * soft_cut(values, k))

    np.testing.assert_allclose(model.eigenvalues_, values, atol=1e-8)
    ours = model.transform(samples)
    np.testing.assert_allclose(ours @ ours.T, expected @ expected.T, atol=1e-6)


def test_landmark_graph_is_the_dense_bipartite_graph_when_every_sample_is_a_landmark(samples):
    n, k, width = len(samples), 3, 5
    model = SpectralClustering(
        k, affinity="nearest_neighbors", n_components=n, n_neighbors=width
    ).fit(samples)

    distance = euclidean_distances(samples)
    np.fill_diagonal(distance, 0.0)
    nearest = np.argsort(distance, axis=1)[:, :width]
    near = np.take_along_axis(distance, nearest, axis=1)
    scale = np.sort(near.mean(axis=1))[(n - 1) // 2]
    weights = np.exp(-np.square(near) / (2 * scale**2))
    B = np.zeros((n, n))
    np.put_along_axis(B, nearest, weights / weights.sum(axis=1, keepdims=True), axis=1)
    graph = B.T @ B
    graph += 0.01 * graph.sum() / n / n
    degree = graph.sum(axis=1)
    values, vectors = leading(graph / np.sqrt(np.outer(degree, degree)), 2 * k)
    expected = directions(B @ (vectors / np.sqrt(degree)[:, None] * soft_cut(values, k)))

    np.testing.assert_allclose(model.eigenvalues_, values, atol=1e-8)
    ours = model.transform(samples)
    np.testing.assert_allclose(ours @ ours.T, expected @ expected.T, atol=1e-5)


def test_few_landmarks_come_close_to_the_dense_eigenvectors(samples):
    dense = SpectralClustering(3, affinity="rbf", gamma=0.3, n_components=len(samples))
    sparse = SpectralClustering(3, affinity="rbf", gamma=0.3, n_components=60)
    ours, exact = sparse.fit(samples).transform(samples), dense.fit(samples).transform(samples)
    np.testing.assert_allclose(ours @ ours.T, exact @ exact.T, atol=0.02)


def test_the_first_eigenvalue_of_a_normalised_graph_is_one(samples):
    for affinity in ("rbf", "nearest_neighbors", "laplacian"):
        model = SpectralClustering(3, affinity=affinity).fit(samples)
        assert model.eigenvalues_[0] == pytest.approx(1.0, abs=1e-5)
        assert (np.diff(model.eigenvalues_) <= 0.0).all()


def test_soft_cut_falls_smoothly_and_ends_after_a_clear_gap():
    weights = soft_cut(np.array([1.0, 0.999, 0.999, 0.5]), 3)
    np.testing.assert_allclose(weights, [1.0, 1 / 3, 1 / 3, 0.0], atol=1e-4)


def test_soft_cut_keeps_all_of_several_separate_components():
    np.testing.assert_allclose(soft_cut(np.array([1.0, 1.0, 0.9]), 2), [1.0, 1.0, 0.0], atol=1e-9)


def test_a_kernel_without_any_similarity_is_an_error():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    X = np.concatenate([X, -X])  # centred exactly: a linear kernel adds up to zero
    with pytest.raises(InvalidDataError, match="affinity of every pair"):
        SpectralClustering(2, affinity=lambda a, b: np.zeros((len(a), len(b)))).fit(X)


def fitted(rows: np.ndarray, n_clusters: int, affinity: str = "rbf"):
    settings = checked_settings(SpectralClustering(n_clusters, affinity=affinity, n_init=1))
    return fit_prepared(prepare(rows, None, settings), settings)


def cost_per_sample(embed: NystromMap) -> int:
    """Multiplications that it takes to embed one more sample."""
    return int(np.prod(embed.matrix.shape))


def test_most_clusters_cost_little_more_than_in_proportion():
    rows = np.random.default_rng(2).uniform(size=(3000, 6)).astype(np.float32)
    few = fitted(rows, 30)
    tracemalloc.start()
    many = fitted(rows, 254)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(np.unique(many.labels(rows))) == 254
    assert len(many.embed.kernel.landmarks) <= MOST_LANDMARKS
    assert cost_per_sample(many.embed) <= 10 * cost_per_sample(few.embed)
    assert peak < 400 * 2**20


def test_landmark_graphs_have_no_more_landmarks_either(monkeypatch):
    monkeypatch.setattr(fitting, "MOST_LANDMARKS", 1100)
    rows = np.random.default_rng(3).uniform(size=(1500, 6)).astype(np.float32)
    many = fitted(rows, 30, "nearest_neighbors")
    assert [embed.rows.shape for embed in many.embed.maps] == [(1100, 60)] * 4


@pytest.mark.parametrize(("n_clusters", "n_landmarks", "n_vectors"), [(3, 160, 6), (15, 480, 30)])
def test_ordinary_numbers_of_clusters_have_all_landmarks_and_vectors(
    n_clusters, n_landmarks, n_vectors
):
    rows = np.random.default_rng(4).uniform(size=(1000, 6)).astype(np.float32)
    assert fitted(rows, n_clusters).embed.matrix.shape == (n_landmarks, n_vectors)
