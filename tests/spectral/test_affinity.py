from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from strandline.spectral.affinity import Frame, GaussianKernel, NeighbourWeights, weighted_median


def test_gaussian_kernel_is_scikit_learns():
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(30, 4)), rng.normal(size=(7, 4))
    np.testing.assert_allclose(GaussianKernel(Z, 0.3)(X), rbf_kernel(X, Z, 0.3), rtol=1e-10)


def test_gaussian_kernel_never_exceeds_one_far_from_the_middle():
    Z = np.full((3, 2), 900.0, np.float32) + np.arange(3, dtype=np.float32)[:, None] * 1e-3
    values = GaussianKernel(Z, 2.0)(Z)
    assert values.max() <= 1.0
    assert np.isfinite(values).all()


def test_neighbour_weights_by_hand():
    landmarks = np.array([[0.0], [1.0], [3.0], [10.0]])
    nearest, weights = NeighbourWeights(landmarks, 3, typical=2.0, locality=0.0)(np.array([[0.0]]))
    assert nearest.tolist() == [[0, 1, 2]]
    raw = np.exp([0.0, -1.0 / 8.0, -9.0 / 8.0])
    np.testing.assert_allclose(weights[0], raw / raw.sum())


def test_neighbour_weights_by_hand_with_a_scale_of_the_samples_own():
    landmarks = np.array([[0.0], [1.0], [3.0]])
    weigh = NeighbourWeights(landmarks, 2, typical=50.0, locality=1.0)
    raw = np.exp([0.0, -1.0 / (2 * 0.5**2)])  # local scale: the mean of 0 and 1
    np.testing.assert_allclose(weigh(np.array([[0.0]]))[1][0], raw / raw.sum())


def test_samples_on_their_landmarks_see_only_these():
    landmarks = np.array([[0.0], [1.0]])
    _, weights = NeighbourWeights(landmarks, 2, typical=0.0, locality=0.0)(landmarks)
    assert weights.tolist() == [[1.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("offset", [0.0, 1e4, -3e7])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_frame_puts_the_bulk_at_unit_distance(offset, scale):
    rows = np.random.default_rng(5).normal(size=(500, 3)) * scale + offset
    moved = Frame.of(rows, np.float64)(rows)
    lost = abs(offset) * np.finfo(np.float64).eps / scale  # by writing rows + offset down
    assert np.median(np.linalg.norm(moved, axis=1)) == pytest.approx(1.0)
    assert abs(np.median(moved, axis=0)).max() <= 1e-12 + 4 * lost


def test_frame_of_extreme_values_stays_finite():
    rows = np.array([[1e308, -1e308], [0.0, 1.0], [1.0, 0.0], [1e-300, 0.5]])
    for dtype in (np.float32, np.float64):
        assert np.isfinite(Frame.of(rows, dtype)(rows)).all()


def test_frame_of_mostly_equal_rows_takes_its_unit_from_the_others():
    rows = np.zeros((10, 1))
    rows[0] = 4.0
    assert Frame.of(rows, np.float64).unit == 4.0
    assert Frame.of(np.zeros((3, 1)), np.float64).unit == 1.0


def test_weighted_median_by_hand():
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0])) == 2.0
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([10.0, 1.0, 1.0])) == 3.0
