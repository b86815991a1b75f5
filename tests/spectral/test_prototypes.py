from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from sklearn.cluster import (
    DBSCAN,
    AgglomerativeClustering,
    KMeans,
    MiniBatchKMeans,
)
from sklearn.datasets import make_circles
from sklearn.metrics import normalized_mutual_info_score

from strandline.errors import ConfigurationError, InvalidDataError, ModelFileError
from strandline.spectral import SpectralClustering, dump_model, load_model
from strandline.spectral.assign import LinearRule
from strandline.spectral.prototypes import MOST_PROTOTYPES, PrototypeRule, learned_rule


@pytest.fixture
def groups() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    truth = np.repeat(np.arange(4), [1500, 1000, 500, 400])
    return rng.normal(0.0, 0.5, (len(truth), 3)) + 3.0 * truth[:, None], truth


@pytest.mark.parametrize(
    "clusterer",
    [
        KMeans(4, n_init=2),
        MiniBatchKMeans(4, n_init=2),
        AgglomerativeClustering(4),
    ],
    ids=lambda clusterer: type(clusterer).__name__,
)
@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors"])
def test_clusterers_of_scikit_learn_find_the_groups(groups, clusterer, affinity):
    X, truth = groups
    model = SpectralClustering(4, affinity=affinity, assign_labels=clusterer)
    labels = model.fit_predict(X)
    assert normalized_mutual_info_score(truth, labels) > 0.95
    assert model.n_clusters_ == 4
    assert labels.tobytes() == model.fit(X[::-1]).predict(X).tobytes()  # random_state is None
    lazy = model.fit_predict(da.from_array(X, chunks=(777, 2)))
    assert lazy.compute().tobytes() == labels.tobytes()
    assert not hasattr(clusterer, "labels_")  # what the caller gave is not touched


def test_what_kmeans_finds_becomes_its_own_linear_rule():
    points = np.random.default_rng(0).normal(size=(1500, 2)) + 4.0 * np.eye(2)[[0, 1, 0]].repeat(
        500, axis=0
    )
    clusterer = KMeans(2, n_init=3, random_state=0, tol=0.0)
    rule = learned_rule(clusterer, points, np.ones(1500), 0)
    assert isinstance(rule, LinearRule)
    np.testing.assert_array_equal(rule(points), clusterer.fit_predict(points))


def test_clusters_of_any_shape_are_kept_by_prototypes():
    X, truth = make_circles(6000, noise=0.03, factor=0.5, random_state=0)
    rule = learned_rule(AgglomerativeClustering(2, linkage="single"), X, np.ones(6000), 0)
    assert isinstance(rule, PrototypeRule)
    assert len(rule.cluster) == MOST_PROTOTYPES
    assert normalized_mutual_info_score(truth, rule(X)) > 0.99
    swapped = rule.reordered(np.array([1, 0]))
    np.testing.assert_array_equal(swapped(X), 1 - rule(X))


def test_noise_goes_to_the_nearest_cluster(groups):
    X, _ = groups
    noisy = DBSCAN(eps=0.002, min_samples=20)
    model = SpectralClustering(4, assign_labels=noisy).fit(X)
    assert (noisy.fit_predict(model.transform(X)) == -1).any()
    assert model.labels_.min() == 0
    assert model.n_clusters_ == model.labels_.max() + 1
    with pytest.raises(InvalidDataError, match="all samples are noise"):
        SpectralClustering(4, assign_labels=DBSCAN(eps=1e-9, min_samples=10**9)).fit(X)


def test_the_clusterer_decides_how_many_there_are(groups):
    X, _ = groups
    model = SpectralClustering(4, assign_labels=KMeans(6, n_init=2)).fit(X)
    assert model.n_clusters_ == 6
    assert set(model.labels_) == set(range(6))


def test_mass_counts_for_clusterers_that_take_weights(groups):
    X, _ = groups

    class Told(KMeans):
        def fit_predict(self, X, y=None, sample_weight=None):
            told.append(sample_weight)
            return super().fit_predict(X, sample_weight=sample_weight)

    told: list[np.ndarray] = []
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(X))
    SpectralClustering(4, assign_labels=Told(4, n_init=1)).fit(X, sample_weight=weight)
    assert len(told[0]) == MOST_PROTOTYPES
    assert told[0].sum() == pytest.approx(weight.sum())


def test_a_clusterer_that_gives_no_labels_is_named(groups):
    class Broken(KMeans):
        def fit_predict(self, X, y=None, sample_weight=None):
            return np.zeros(3)

    with pytest.raises(ConfigurationError, match="one label per sample"):
        SpectralClustering(2, assign_labels=Broken()).fit(groups[0])
    with pytest.raises(ConfigurationError, match="Unknown way"):
        SpectralClustering(2, assign_labels=KMeans).fit(groups[0])  # the class, not an object


@pytest.mark.parametrize(
    "assign_labels",
    ["cluster_qr", "discretize", KMeans(4, n_init=2), AgglomerativeClustering(4)],
    ids=str,
)
def test_files_keep_what_the_clusterer_found_but_not_the_clusterer(groups, assign_labels):
    X, _ = groups
    model = SpectralClustering(4, assign_labels=assign_labels).fit(X)
    data = dump_model(model)
    loaded = load_model(data)
    assert loaded.predict(X).tobytes() == model.labels_.tobytes()
    assert dump_model(loaded) == data
    assert loaded.n_clusters_ == 4
    if not isinstance(assign_labels, str):
        with pytest.raises(ConfigurationError, match="holds only the description"):
            loaded.fit(X)


def test_prototypes_that_do_not_fit_their_clusters_are_damage():
    X = np.random.default_rng(0).uniform(size=(1000, 2))
    model = SpectralClustering(4, assign_labels=AgglomerativeClustering(4)).fit(X)
    assert load_model(dump_model(model)).predict(X).tobytes() == model.labels_.tobytes()
    rule = model.model_.rule
    assert isinstance(rule, PrototypeRule)
    object.__setattr__(rule, "cluster", rule.cluster[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(dump_model(model))
