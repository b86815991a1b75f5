"""Data that fill few dimensions take the Gaussian kernel, others the landmark graphs."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_moons

from strandline.spectral import SpectralClustering
from strandline.spectral.affinity import Frame
from strandline.spectral.dimension import filled_dimensions, natural_affinity
from strandline.spectral.landmarks import collapse_duplicates
from strandline.spectral.model_file import dump_model, load_model


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5, 6])
def test_dimensions_of_a_normal_distribution_are_counted(dimensions):
    rng = np.random.default_rng(dimensions)
    points = rng.normal(size=(8000, dimensions))
    found = filled_dimensions(points, np.ones(len(points)))
    assert found == pytest.approx(dimensions, rel=0.1)
    # Copies of features, turned and mixed, add none.
    mixed = points @ rng.normal(size=(dimensions, 20))
    assert filled_dimensions(mixed, np.ones(len(points))) < dimensions + 0.5


def test_units_do_not_change_the_dimension():
    points = np.random.default_rng(0).normal(size=(4096, 3))
    one, other = (filled_dimensions(scale * points, np.ones(4096)) for scale in (1.0, 64.0))
    assert one == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.eye(31), np.zeros((500, 2))])
def test_too_few_points_or_none_that_differ_fill_no_dimension(points):
    assert filled_dimensions(points, np.ones(len(points))) == 0.0
    assert natural_affinity(points, np.ones(len(points))) == "rbf"


def test_digits_take_the_graphs_and_moons_the_kernel():
    digits = SpectralClustering(10).fit(load_digits().data)
    moons = SpectralClustering(2).fit(make_moons(2000, noise=0.1, random_state=0)[0])
    assert (digits.affinity_, moons.affinity_) == ("nearest_neighbors", "rbf")
    named = SpectralClustering(10, affinity="nearest_neighbors").fit(load_digits().data)
    assert named.labels_.tobytes() == digits.labels_.tobytes()


def test_a_given_gamma_asks_for_the_kernel():
    X = load_digits().data
    auto = SpectralClustering(10, gamma=1e-3).fit(X)
    named = SpectralClustering(10, gamma=1e-3, affinity="rbf").fit(X)
    assert auto.affinity_ == "rbf"
    assert auto.labels_.tobytes() == named.labels_.tobytes()


def test_affinity_is_known_after_fitting_and_loading_only():
    X = np.random.default_rng(0).normal(size=(300, 2))
    assert not hasattr(SpectralClustering(2), "affinity_")
    model = SpectralClustering(2, affinity="laplacian").fit(X)
    assert model.affinity_ == "laplacian"
    assert load_model(dump_model(SpectralClustering(2).fit(X))).affinity_ == "rbf"


@pytest.mark.parametrize(
    ("name", "many"), [("letterrecognition", True), ("satellite", True), ("shuttle", False)]
)
def test_labelled_sets_are_far_from_where_the_choice_changes(real_data, name, many):
    with np.load(real_data / "benchmark_sets" / f"{name}.npz", allow_pickle=False) as archive:
        X = archive["X"]
    _assert_clear(X, many)


def test_scenes_are_far_from_where_the_choice_changes(real_data):
    import rasterio

    for file in (
        "olinda_etm/L7_ETMs.tif",
        "pennsylvania_etm_july/ETM_015032_20020720_dn.tif",
        "ucayali_series/1990.tif",
    ):
        with rasterio.open(real_data / file) as source:
            _assert_clear(source.read().reshape(source.count, -1).T, many=False)


def _assert_clear(X: np.ndarray, many: bool) -> None:
    """Four random halves agree on the side, each with a tenth of distance."""
    for seed in range(4):
        half = X[np.random.default_rng(seed).random(len(X)) < 0.5]
        rows, weights = collapse_duplicates(half)
        found = filled_dimensions(Frame.of(rows, np.float32)(rows), weights)
        assert (found > 4.4) if many else (found < 3.6)
