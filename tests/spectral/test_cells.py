"""The short cut to labels gives those of the embedding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import make_circles

from strandline.spectral import SpectralClustering
from strandline.spectral.cells import MIXED, Cells
from strandline.spectral.tiles import in_tiles


def test_cells_by_hand():
    prototypes = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 10.0]])
    cells = Cells(prototypes, np.array([2, MIXED, 5], np.int32))
    points = np.array([[1.9, 0.0], [2.1, 0.0], [1.0, 9.0], [0.0, 1e3]])
    assert cells(points).tolist() == [2, MIXED, 5, 5]


def around(points, labels, n_clusters=2):
    landmarks = np.linspace(-1.0, 1.0, 64)[:, None]
    rng = np.random.default_rng(0)
    return Cells.around(landmarks, np.ones(64), points, labels, n_clusters, rng)


def test_a_cell_with_two_labels_is_mixed_and_one_with_few_samples_too():
    points = np.linspace(-1.0, 1.0, 4001)[:, None]
    points = points[(points[:, 0] < 0.5) | (points[:, 0] > 0.9)]
    labels = (points[:, 0] > -0.003).astype(np.int32)
    cells = around(points, labels)
    assert cells(np.array([[-0.9], [0.3], [0.95]])).tolist() == [0, 1, 1]
    # Nothing lies around 0.7, and the two labels meet at -0.003.
    assert (cells(np.array([[0.7], [-0.003]])) == MIXED).all()


def test_there_are_no_cells_where_they_do_not_pay():
    points = np.linspace(-1.0, 1.0, 4001)[:, None]
    assert around(points, (np.arange(4001) % 2).astype(np.int32)) is None
    assert around(points[:100], np.zeros(100, np.int32)) is None


@pytest.mark.parametrize("affinity", ["rbf", "nearest_neighbors", "laplacian"])
def test_samples_of_the_fit_are_labelled_as_if_there_were_no_cells(affinity):
    X, _ = make_circles(6_000, noise=0.15, factor=0.5, random_state=0)
    fitted = SpectralClustering(2, affinity=affinity).fit(X).model_
    assert fitted.cells is not None
    known = in_tiles(fitted.cells, fitted.frame(X)) != MIXED
    assert 0.4 < known.mean() < 1.0
    np.testing.assert_array_equal(fitted.labels(X), replace(fitted, cells=None).labels(X))


def test_new_samples_almost_never_get_another_label(real_data):
    import rasterio

    with rasterio.open(real_data / "olinda_etm" / "L7_ETMs.tif") as source:
        X = source.read().reshape(6, -1).T.astype(np.float32)
    fitted = SpectralClustering(8).fit(X[::3]).model_
    others = X[1::3]
    assert fitted.cells is not None
    differ = fitted.labels(others) != replace(fitted, cells=None).labels(others)
    assert differ.mean() < 5e-4
