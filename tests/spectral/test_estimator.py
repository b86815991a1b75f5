from __future__ import annotations

import pickle
import warnings

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.base import clone
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from strandline.errors import (
    ConfigurationError,
    FewerClustersWarning,
    IgnoredParameterWarning,
    InvalidDataError,
)
from strandline.spectral import SpectralClustering, parameters

BOTH = pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf"])


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    truth = np.repeat(np.arange(3), [500, 300, 200])
    X = rng.normal(0.0, 0.3, (1000, 4)) + 2.0 * truth[:, None]
    return X, truth


@pytest.mark.filterwarnings("ignore::strandline.errors.FewerClustersWarning")
@parametrize_with_checks(
    [
        SpectralClustering(),
        SpectralClustering(affinity="nearest_neighbors"),
        SpectralClustering("auto", assign_labels="cluster_qr", n_stability=1),
    ],
)
def test_scikit_learns_estimator_contract(estimator, check):
    check(estimator)


@BOTH
def test_labels_follow_the_groups_from_dark_to_bright(blobs, affinity):
    X, truth = blobs
    model = SpectralClustering(3, affinity=affinity).fit(X)
    np.testing.assert_array_equal(model.labels_, truth)
    assert model.labels_.dtype == np.int32
    assert model.assign_labels_.labels_ is model.labels_
    assert model.n_features_in_ == 4


@BOTH
def test_training_data_are_predicted_as_they_were_labelled(blobs, affinity):
    X, _ = blobs
    X = np.random.default_rng(0).uniform(size=(5000, 3))
    model = SpectralClustering(5, affinity=affinity, n_components=200).fit(X)
    assert model.predict(X).tobytes() == model.labels_.tobytes()
    assert model.predict(X[::-1]).tobytes() == model.labels_[::-1].tobytes()
    assert model.fit_predict(X).tobytes() == model.labels_.tobytes()


@BOTH
def test_nan_rows_stay_unlabelled_and_do_not_matter(blobs, affinity):
    X, _ = blobs
    holes = X.copy()
    holes[::5, 1] = np.nan
    model = SpectralClustering(3, affinity=affinity).fit(holes)
    assert (model.labels_[::5] == -1).all()
    seen = np.isfinite(holes).all(axis=1)
    alone = SpectralClustering(3, affinity=affinity).fit(X[seen])
    np.testing.assert_array_equal(model.labels_[seen], alone.labels_)
    assert np.isnan(model.transform(holes)[::5]).all()


def test_infinity_is_an_error_at_once_and_for_lazy_arrays_when_fitted(blobs):
    X = blobs[0].copy()
    X[3, 0] = np.inf
    for array in (X, da.from_array(X, chunks=100)):
        with pytest.raises(InvalidDataError, match="infinity"):
            SpectralClustering(2).fit(array)


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_embedding_keeps_the_precision_of_the_samples(blobs, affinity, dtype):
    X = blobs[0].astype(dtype)
    embedded = SpectralClustering(3, affinity=affinity).fit(X).transform(X)
    assert embedded.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1.0, rtol=1e-5)


@BOTH
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, bool])
def test_digital_numbers_are_taken_as_they_are(affinity, dtype):
    values = np.repeat([0, 1] if dtype is bool else [20, 200], 50).astype(dtype)
    X = np.stack([values, values], axis=1)
    labels = SpectralClustering(2, affinity=affinity).fit_predict(X)
    np.testing.assert_array_equal(labels, np.repeat([0, 1], 50))


@BOTH
def test_units_and_offsets_do_not_change_labels(blobs, affinity):
    X, truth = blobs
    for moved in (X * 1e-5, X * 1e4 + 3e5, X * 65535.0):
        labels = SpectralClustering(3, affinity=affinity).fit_predict(moved)
        np.testing.assert_array_equal(labels, truth)


@BOTH
def test_order_and_repetition_of_samples_do_not_matter_but_as_weights(blobs, affinity):
    X, _ = blobs
    rng = np.random.default_rng(5)
    times = rng.integers(0, 4, len(X))
    shuffled = rng.permutation(np.repeat(X, times, axis=0))
    weighted = SpectralClustering(4, affinity=affinity).fit(X, sample_weight=times)
    repeated = SpectralClustering(4, affinity=affinity).fit(shuffled)
    assert weighted.predict(X).tobytes() == repeated.predict(X).tobytes()


def test_weights_of_a_lazy_array_count_too(blobs):
    X, _ = blobs
    weight = np.random.default_rng(0).uniform(0.0, 2.0, len(X))
    eager = SpectralClustering(4).fit(X, sample_weight=weight)
    lazy = SpectralClustering(4).fit(
        da.from_array(X, chunks=99), sample_weight=da.from_array(weight, chunks=400)
    )
    np.testing.assert_array_equal(lazy.labels_.compute(), eager.labels_)
    for bad in (weight[:-1], np.full(len(X), -1.0), np.full(len(X), np.nan)):
        with pytest.raises((InvalidDataError, ValueError), match="weight"):
            SpectralClustering(2).fit(da.from_array(X, chunks=99), sample_weight=bad)


@BOTH
def test_constant_columns_and_duplicates_are_harmless(affinity):
    X = np.zeros((300, 3))
    X[:, 1] = 7.0
    X[100:, 2] = 1.0
    X[200:, 2] = 5.0
    labels = SpectralClustering(3, affinity=affinity).fit_predict(X)
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 2], 100))


@BOTH
def test_one_cluster_is_all_samples(blobs, affinity):
    assert not SpectralClustering(1, affinity=affinity).fit_predict(blobs[0]).any()


@BOTH
def test_fewer_distinct_samples_than_clusters_give_fewer_clusters_and_say_so(affinity):
    X = np.repeat([[0.0], [3.0], [9.0]], 10, axis=0)
    with pytest.warns(FewerClustersWarning, match="3 clusters instead of 5"):
        labels = SpectralClustering(5, affinity=affinity).fit_predict(X)
    np.testing.assert_array_equal(labels, np.repeat([0, 1, 2], 10))


def test_fewer_samples_than_clusters_is_an_error():
    X = np.arange(8.0).reshape(4, 2)
    X[0] = np.nan
    with pytest.raises(InvalidDataError, match="n_samples=3 without NaN"):
        SpectralClustering(4).fit(X)


def test_only_nan_or_only_weight_zero_is_an_error():
    with pytest.raises(InvalidDataError, match="n_samples=0"):
        SpectralClustering(1).fit(np.full((5, 2), np.nan))
    X = np.ones((5, 2))
    with pytest.raises(ValueError, match="non-zero"):  # scikit-learn's own words
        SpectralClustering(1).fit(X, sample_weight=np.zeros(5))
    with pytest.raises(InvalidDataError, match="positive weight"):
        SpectralClustering(1).fit(da.from_array(X), sample_weight=np.zeros(5))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"affinity": "rbff"}, "Unknown affinity"),
        ({"affinity": "precomputed"}, "Unknown affinity"),
        ({"affinity": None}, "Unknown affinity"),
        ({"assign_labels": "magic"}, "'discretize' or a clusterer .* got 'magic'"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_clusters": 2.5}, "n_clusters"),
        ({"n_clusters": True}, "n_clusters"),
        ({"n_clusters": "many"}, "or 'auto', got 'many'"),
        ({"max_clusters": 1}, "max_clusters"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_init": -1}, "n_init"),
        ({"n_components": 0}, "n_components"),
        ({"n_components": 5000}, "n_components <= 1000"),
        ({"gamma": -1.0, "affinity": "rbf"}, "gamma"),
        ({"gamma": np.nan, "affinity": "rbf"}, "gamma"),
        ({"gamma": "wide"}, "gamma"),
        ({"random_state": "seven"}, "random_state"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"affinity": "rbf", "kernel_params": {"gama": 1.0}}, "gama"),
        ({"kmeans_params": {"n_init": 0}}, "n_init"),
    ],
)
def test_parameters_that_cannot_work_are_named(blobs, wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        SpectralClustering(**({"n_clusters": 2} | wrong)).fit(blobs[0])


def test_one_dimensional_and_complex_input_is_refused(blobs):
    for bad in (np.arange(9.0), da.arange(9, chunks=3), da.ones((9, 2), dtype=complex)):
        with pytest.raises(ValueError, match=r"1D array|form a table"):
            SpectralClustering(2).fit(bad)
    model = SpectralClustering(2).fit(blobs[0])
    with pytest.raises(InvalidDataError, match="4 features, got 3"):
        model.predict(da.ones((9, 3)))


def test_keywords_without_effect_warn_once_per_process(blobs, monkeypatch):
    monkeypatch.setattr(parameters, "_warned", set())
    model = SpectralClustering(
        2,
        affinity="nearest_neighbors",
        gamma=0.5,
        persist_embedding=True,
        kmeans_params={"init_max_iter": 5, "max_iter": 50},
    )
    with pytest.warns(IgnoredParameterWarning) as caught:
        model.fit(blobs[0])
    said = sorted(str(w.message).split(" ")[0] for w in caught)
    assert said == ["gamma", "kmeans_params['init_max_iter']", "persist_embedding"]
    assert {w.filename for w in caught} == {__file__}
    model.fit(blobs[0])  # a second warning would be an error here


@BOTH
def test_fitting_is_reproducible_by_default_and_seeds_come_in_any_form(affinity):
    X = np.random.default_rng(0).uniform(size=(3000, 4))

    def embedded(seed: object) -> bytes:
        model = SpectralClustering(4, affinity=affinity, random_state=seed, n_components=80)
        return model.fit(X).transform(X).tobytes()

    assert embedded(None) == embedded(0) == embedded(np.int64(0))
    assert embedded(1) != embedded(0)
    assert embedded(np.random.RandomState(3)) == embedded(np.random.RandomState(3))
    assert embedded(np.random.default_rng(3)) == embedded(np.random.default_rng(3))


@pytest.mark.parametrize("name", ["laplacian", "polynomial", "cosine", "sigmoid", "linear"])
def test_scikit_learns_kernels_can_be_named(blobs, name):
    X, truth = blobs
    model = SpectralClustering(3, affinity=name, n_components=100).fit(X + 1.0)
    assert np.isfinite(model.transform(X + 1.0)).all()
    if name == "laplacian":
        assert adjusted_rand_score(truth, model.labels_) > 0.99


def test_a_function_can_be_the_affinity_and_gets_its_parameters(blobs):
    X, truth = blobs

    def tent(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
        return np.maximum(0.0, 1.0 - np.linalg.norm(a[:, None] - b, axis=2) / width)

    model = SpectralClustering(3, affinity=tent, kernel_params={"width": 2.5}, n_components=100)
    np.testing.assert_array_equal(model.fit_predict(X), truth)
    flat = SpectralClustering(2, affinity=lambda a, b: np.ones(len(a)))
    with pytest.raises(ConfigurationError, match="wrong shape"):
        flat.fit(X)
    with pytest.raises(InvalidDataError, match="NaN or infinity"):
        SpectralClustering(2, affinity=lambda a, b: np.full((len(a), len(b)), np.nan)).fit(X)


def test_tables_pipelines_clones_and_pickles_work(blobs):
    X, truth = blobs
    frame = pd.DataFrame(X, columns=["blue", "green", "red", "nir08"])
    pipeline = make_pipeline(StandardScaler(), SpectralClustering(3))
    np.testing.assert_array_equal(clone(pipeline).fit_predict(frame), truth)
    model = SpectralClustering(3).set_output(transform="pandas").fit(frame)
    table = model.transform(frame)
    assert list(table.columns)[:2] == ["spectralclustering0", "spectralclustering1"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(frame), truth)


def test_xarray_objects_are_taken_by_their_array(blobs):
    X, truth = blobs
    eager = SpectralClustering(3).fit(xr.DataArray(X, dims=("sample", "band")))
    np.testing.assert_array_equal(eager.labels_, truth)
    lazy = SpectralClustering(3).fit(
        xr.DataArray(X, dims=("sample", "band")).chunk(sample=333, band=2)
    )
    assert isinstance(lazy.labels_, da.Array)
    np.testing.assert_array_equal(lazy.assign_labels_.labels_.compute(), truth)


def test_an_isolated_point_does_not_turn_the_answer_into_nan(blobs):
    # dask-ml issues 841 and 227: degrees of zero, from a far sample or a narrow kernel, gave NaN.
    X, truth = blobs
    far = np.concatenate([X, [[1e4, 1e4, 1e4, 1e4]]])
    for model in (
        SpectralClustering(3, affinity="nearest_neighbors"),
        SpectralClustering(3, affinity="rbf"),
        SpectralClustering(3, affinity="rbf", gamma=1e9, n_components=20),
        SpectralClustering(3, affinity="rbf", gamma=1e-12),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(far)
        assert np.isfinite(model.transform(far)).all()
        assert np.isfinite(model.eigenvalues_).all()
    labels = SpectralClustering(3, affinity="rbf").fit_predict(far)
    assert adjusted_rand_score(truth, labels[:-1]) > 0.99


def test_labels_of_a_lazy_array_need_no_more_than_their_chunks():
    # dask-ml issue 151: an N × landmarks matrix was kept in memory.
    X = da.random.default_rng(0).uniform(size=(2_000_000, 2), chunks=(100_000, 2))
    model = SpectralClustering(2, affinity="rbf", n_components=50).fit(X.astype(np.float32))
    assert model.labels_.chunks == (X.chunks[0],)
    assert model.labels_.dtype == np.int32
    assert model.labels_[:1000].compute().shape == (1000,)


def test_many_features_and_a_clusterer_of_small_batches_work():
    # dask-ml issue 904: blobs with as many features as samples, and MiniBatchKMeans, ended in
    # a division by zero.
    X, truth = make_blobs(n_samples=1000, n_features=1000, centers=10, random_state=0)
    clusterer = MiniBatchKMeans(n_clusters=10, batch_size=1024, n_init=3)
    for affinity in ("rbf", "nearest_neighbors"):
        model = SpectralClustering(10, affinity=affinity, assign_labels=clusterer).fit(X)
        assert adjusted_rand_score(truth, model.labels_) > 0.85
    assert adjusted_rand_score(truth, SpectralClustering(10).fit_predict(X)) > 0.99


@BOTH
def test_all_new_attributes_survive_clone_and_set_params(blobs, affinity):
    X, _ = blobs
    model = SpectralClustering(
        "auto",
        max_clusters=5,
        affinity=affinity,
        n_stability=2,
        assign_labels=KMeans(3, n_init=2),
    )
    copy = clone(model).set_params(assign_labels__n_clusters=4, n_jobs=1)
    assert copy.get_params()["assign_labels__n_clusters"] == 4
    assert model.assign_labels.n_clusters == 3
    copy.fit(X)
    assert copy.n_clusters_ == 4
    assert copy.stability_.shape == (1000,)
    assert pickle.loads(pickle.dumps(copy)).stability(X).tobytes() == copy.stability_.tobytes()
    copy.set_params(n_clusters=3, n_stability=0).fit(X)
    assert not hasattr(copy, "choice_")
    assert not hasattr(copy, "stability_")
