"""Whatever finite numbers come in, finite numbers and labels come out."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strandline.errors import FewerClustersWarning
from strandline.spectral import SpectralClustering

GEOMETRIC = ["rbf", "nearest_neighbors"]
NAMED = ["laplacian", "cosine", "linear", "polynomial", "sigmoid", "chi2", "additive_chi2"]
REASONS = ("affinity of every pair", "NaN or infinity", "negative values")

wild_numbers = st.one_of(
    st.floats(-1e3, 1e3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 1e-308, 5e-324, -1e-300, 1e300, -1.7e308, 1e-30, 1e20]),
)


@st.composite
def tables(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 3)))
    table = draw(arrays(np.float64, shape, elements=wild_numbers))
    if draw(st.booleans()):
        table[:, draw(st.integers(0, shape[1] - 1))] = draw(wild_numbers)
    return np.repeat(table, draw(st.sampled_from([1, 1, 7])), axis=0)


def fitted(X: np.ndarray, **parameters: object) -> SpectralClustering:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewerClustersWarning)
        return SpectralClustering(n_init=3, n_jobs=1, **parameters).fit(X)


def check(model: SpectralClustering, X: np.ndarray) -> None:
    assert np.isfinite(model.transform(X)).all()
    assert np.isfinite(model.eigenvalues_).all()
    assert model.labels_.min() >= 0
    assert model.labels_.max() < model.n_clusters_
    assert model.predict(X).tobytes() == model.labels_.tobytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    X=tables(),
    affinity=st.sampled_from(GEOMETRIC),
    assign_labels=st.sampled_from(["kmeans", "cluster_qr", "discretize"]),
    n_clusters=st.integers(1, 4),
)
def test_any_finite_table_is_clustered(X, affinity, assign_labels, n_clusters):
    n_clusters = min(n_clusters, len(X))
    check(fitted(X, n_clusters=n_clusters, affinity=affinity, assign_labels=assign_labels), X)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(X=tables(), affinity=st.sampled_from(GEOMETRIC))
def test_any_finite_table_has_a_number_of_clusters_and_a_stability(X, affinity):
    model = fitted(X, n_clusters="auto", max_clusters=4, affinity=affinity, n_stability=2)
    check(model, X)
    assert np.isfinite(model.choice_.to_numpy(float)).all()
    assert ((model.stability_ >= 0.0) & (model.stability_ <= 1.0)).all()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(X=tables(), affinity=st.sampled_from(GEOMETRIC))
def test_single_precision_too(X, affinity):
    with np.errstate(over="ignore"):
        X = np.nan_to_num(X.astype(np.float32))
    model = fitted(X, n_clusters=min(2, len(X)), affinity=affinity)
    check(model, X)
    assert model.transform(X).dtype == np.float32


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(X=tables(), affinity=st.sampled_from(NAMED))
def test_other_kernels_give_finite_numbers_or_say_why_not(X, affinity):
    try:
        with np.errstate(all="ignore"):
            model = fitted(X, n_clusters=min(2, len(X)), affinity=affinity)
    except ValueError as error:
        if not any(reason in str(error) for reason in REASONS):
            raise
    else:
        check(model, X)


@pytest.mark.parametrize("affinity", [*GEOMETRIC, "cosine", "polynomial"])
def test_two_samples_end_in_no_nan(affinity):
    # scikit-learn issue 20754: with a linear kernel this pair ended in NaN.
    X = np.array([[-423.34, -6.58], [164.97, -3.35]])
    model = fitted(X, n_clusters=2, affinity=affinity)
    check(model, X)
    if affinity in GEOMETRIC:
        assert model.labels_.tolist() == [0, 1]


def test_chi_squared_kernels_have_their_own_default_width():
    X = np.random.default_rng(0).uniform(size=(300, 4))
    for name in ("chi2", "laplacian", "rbf"):
        check(fitted(X, n_clusters=3, affinity=name), X)


def test_units_near_the_ends_of_the_number_range_do_not_matter():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 50)
    X = rng.normal(0.0, 0.1, (150, 2)) + truth[:, None]
    for affinity in GEOMETRIC:
        for factor in (2.0**1000, 2.0**-900):
            labels = SpectralClustering(3, affinity=affinity).fit_predict(X * factor)
            np.testing.assert_array_equal(labels, truth)
