from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, make_circles, make_moons

from strandline.spectral import SpectralClustering, dump_model, load_model

BOTH = pytest.mark.parametrize("affinity", ["nearest_neighbors", "rbf"])


def mixture(count: int, n_features: int, seed: int) -> np.ndarray:
    """Gaussians of unequal size whose centres are at least five deviations apart."""
    rng = np.random.default_rng([count, n_features, seed])
    width = 3.0 * count ** (1.0 / n_features)
    centres: list[np.ndarray] = []
    while len(centres) < count:
        centre = rng.normal(0.0, width, n_features)
        if all(np.linalg.norm(centre - other) >= 5.0 for other in centres):
            centres.append(centre)
        width *= 1.005
    share = np.linspace(1.0, 3.0, count)
    truth = rng.choice(count, 2500, p=share / share.sum())
    return np.array(centres)[truth] + rng.normal(size=(2500, n_features))


@pytest.mark.parametrize(("count", "n_features"), [(3, 2), (4, 6), (7, 3), (9, 2), (12, 5)])
def test_gaussians_are_counted(count, n_features):
    right = 0
    for seed in range(3):
        model = SpectralClustering("auto").fit(mixture(count, n_features, seed))
        right += model.n_clusters_ == count
    assert right >= 2


def test_gaussians_are_counted_in_the_landmark_graph():
    X = mixture(6, 3, 1)
    assert SpectralClustering("auto", affinity="nearest_neighbors").fit(X).n_clusters_ == 6


@BOTH
def test_shapes_are_counted(affinity):
    for X, _ in (
        make_moons(3000, noise=0.1, random_state=3),
        make_circles(3000, noise=0.05, factor=0.5, random_state=3),
    ):
        assert SpectralClustering("auto", affinity=affinity).fit(X).n_clusters_ == 2


def test_digits_and_soils_are_counted_nearly_right(real_data: Path):
    model = SpectralClustering("auto", affinity="nearest_neighbors")
    assert 9 <= model.fit(load_digits().data).n_clusters_ <= 11
    with np.load(real_data / "benchmark_sets" / "satellite.npz") as archive:
        assert 3 <= model.fit(archive["X"]).n_clusters_ <= 7


@BOTH
def test_the_model_is_that_of_the_chosen_number(affinity):
    X = mixture(4, 3, 1)
    chosen = SpectralClustering("auto", affinity=affinity).fit(X)
    given = SpectralClustering(chosen.n_clusters_, affinity=affinity).fit(X)
    assert chosen.labels_.tobytes() == given.labels_.tobytes()
    assert chosen.transform(X).tobytes() == given.transform(X).tobytes()
    assert not hasattr(given, "choice_")


def test_the_table_says_what_was_considered():
    table = SpectralClustering("auto", max_clusters=7).fit(mixture(4, 3, 1)).choice_
    assert table.index.name == "n_clusters"
    assert list(table.index) == [2, 3, 4, 5, 6, 7]
    assert list(table.columns) == [
        "eigenvalue", "gap", "conductance", "contrast", "stability", "chosen",
    ]  # fmt: skip
    assert table.index[table["chosen"]].tolist() == [4]
    assert table["contrast"].idxmax() == 4
    assert table["gap"].idxmax() == 4
    assert not table.isna().any(axis=None)
    assert table["conductance"].between(0.0, 1.0).all()
    assert table["stability"].between(0.0, 1.0).all()
    assert table.loc[4, "conductance"] < 0.05 < table.loc[5, "conductance"]


@BOTH
def test_chunks_order_and_threads_do_not_change_the_table(affinity):
    X = mixture(5, 3, 2)
    one = SpectralClustering("auto", affinity=affinity, n_jobs=1).fit(X)
    lazy = SpectralClustering("auto", affinity=affinity).fit(da.from_array(X, chunks=(777, 2)))
    turned = SpectralClustering("auto", affinity=affinity, n_jobs=2).fit(X[::-1])
    pd.testing.assert_frame_equal(one.choice_, lazy.choice_, check_exact=True)
    pd.testing.assert_frame_equal(one.choice_, turned.choice_, check_exact=True)


@BOTH
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_distinct_samples_are_as_many_clusters(affinity, count):
    X = np.repeat([[0.0, 0.0], [1.0, 9.0], [8.0, 3.0]][:count], 7, axis=0)
    model = SpectralClustering("auto", affinity=affinity).fit(X)
    np.testing.assert_array_equal(model.labels_, np.repeat(np.arange(count), 7))
    assert model.choice_["chosen"].sum() == 1


def test_files_keep_the_table_and_the_number():
    model = SpectralClustering("auto", max_clusters=6).fit(mixture(3, 2, 0))
    loaded = load_model(dump_model(model))
    assert loaded.n_clusters_ == model.n_clusters_
    pd.testing.assert_frame_equal(loaded.choice_, model.choice_, check_exact=True)
    assert dump_model(loaded) == dump_model(model)


def test_other_kernels_can_be_asked_too():
    X = mixture(3, 3, 5)
    model = SpectralClustering("auto", affinity="laplacian", gamma=0.3, max_clusters=6).fit(X)
    assert model.n_clusters_ == 3
