from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from strandline.errors import ConfigurationError
from strandline.spectral import SpectralClustering, dump_model, load_model

BOTH = pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf"])


@pytest.fixture(scope="module")
def overlapping() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    truth = rng.integers(4, size=12_000)
    centres = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [1.5, 2.6, 2.0], [1.5, 0.9, 5.0]])
    return (centres[truth] + rng.normal(size=(12_000, 3))).astype(np.float32), truth


@BOTH
def test_labels_that_models_disagree_on_are_more_often_wrong(overlapping, affinity):
    X, truth = overlapping
    model = SpectralClustering(4, affinity=affinity, n_stability=8).fit(X)
    wrong = model.labels_ != truth  # centres are numbered from dark to bright
    assert 0.02 < wrong.mean() < 0.3
    assert roc_auc_score(wrong, -model.stability_) > 0.7
    sure = model.stability_ == 1.0
    assert wrong[sure].mean() < 0.5 * wrong[~sure].mean()


@BOTH
def test_shares_of_eight_models_come_in_eighths(overlapping, affinity):
    X = overlapping[0][:3000].copy()
    X[::7, 2] = np.nan
    model = SpectralClustering(4, affinity=affinity, n_stability=8, n_components=100).fit(X)
    assert model.stability_.dtype == np.float32
    seen = np.isfinite(X).all(axis=1)
    assert np.isnan(model.stability_[~seen]).all()
    assert set(model.stability_[seen] * 8) <= set(range(9))
    assert model.stability_[seen].mean() > 0.7


@BOTH
def test_clear_groups_are_sure(affinity):
    rng = np.random.default_rng(1)
    X = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], 200, axis=0) + rng.normal(size=(600, 2))
    model = SpectralClustering(3, affinity=affinity, n_stability=4).fit(X)
    assert model.stability_.mean() > 0.98
    assert np.median(model.stability_) == 1.0


@BOTH
def test_chunks_and_threads_do_not_change_stability(overlapping, affinity):
    X, _ = overlapping
    options = {"affinity": affinity, "n_stability": 3, "n_components": 100}
    one = SpectralClustering(5, n_jobs=1, **options).fit(X)
    two = SpectralClustering(5, n_jobs=2, **options).fit(X)
    lazy = SpectralClustering(5, **options).fit(da.from_array(X, chunks=(777, 2)))
    assert isinstance(lazy.stability_, da.Array)
    assert lazy.stability_.chunks == (da.from_array(X, chunks=(777, 2)).chunks[0],)
    assert one.stability_.tobytes() == two.stability_.tobytes()
    assert one.stability_.tobytes() == lazy.stability_.compute().tobytes()
    assert one.stability(X[::-1]).tobytes() == one.stability_[::-1].tobytes()
    assert dump_model(one) != dump_model(two)  # n_jobs alone differs
    assert dump_model(one.set_params(n_jobs=2)) == dump_model(two)


@BOTH
def test_other_models_do_not_change_the_labels(overlapping, affinity):
    X, _ = overlapping
    alone = SpectralClustering(4, affinity=affinity, n_components=100).fit(X)
    voted = SpectralClustering(4, affinity=affinity, n_components=100, n_stability=2).fit(X)
    assert alone.labels_.tobytes() == voted.labels_.tobytes()


def test_files_keep_the_ensemble(overlapping):
    X, _ = overlapping
    model = SpectralClustering(4, n_stability=2, n_components=60).fit(X)
    loaded = load_model(dump_model(model))
    assert loaded.stability(X).tobytes() == model.stability_.tobytes()
    assert dump_model(loaded) == dump_model(model)


def test_models_may_differ_in_how_many_clusters_they_find(overlapping):
    X, _ = overlapping
    clusterer = AgglomerativeClustering(n_clusters=None, distance_threshold=5.0)
    model = SpectralClustering(4, assign_labels=clusterer, n_stability=3).fit(X[:3000])
    assert ((model.stability_ >= 0.0) & (model.stability_ <= 1.0)).all()


def test_without_other_models_there_is_no_stability(overlapping):
    X, _ = overlapping
    model = SpectralClustering(4, n_stability=2, n_components=60).fit(X[:1000])
    model.set_params(n_stability=0).fit(X[:1000])
    assert not hasattr(model, "stability_")
    with pytest.raises(ConfigurationError, match="n_stability >= 1"):
        model.stability(X)
    with pytest.raises(NotFittedError):
        SpectralClustering().stability(X)
    with pytest.raises(ConfigurationError, match="n_stability has to be a whole number"):
        SpectralClustering(n_stability=-1).fit(X)
