from __future__ import annotations

import numpy as np

from strandline.spectral.landmarks import choose_landmarks, collapse_duplicates, nearest_landmark


def test_equal_rows_become_one_with_their_total_weight():
    rows = np.array([[1, 2], [3, 4], [1, 2], [1, 2]], np.uint8)
    distinct, weights = collapse_duplicates(rows, np.array([1.0, 5.0, 2.0, 0.5]))
    assert {tuple(r): w for r, w in zip(distinct.tolist(), weights, strict=True)} == {
        (1, 2): 3.5,
        (3, 4): 5.0,
    }


def test_collapsing_depends_on_the_values_and_not_on_their_order():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 5, (500, 3)).astype(np.float64)
    shuffled = rows[rng.permutation(500)]
    for a, b in zip(collapse_duplicates(rows), collapse_duplicates(shuffled), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_of_weight_zero_vanish_and_minus_zero_is_zero():
    rows = np.array([[0.0], [-0.0], [7.0]])
    distinct, weights = collapse_duplicates(rows, np.array([1.0, 1.0, 0.0]))
    assert distinct.tolist() == [[0.0]]
    assert weights.tolist() == [2.0]


def test_landmarks_are_the_points_when_there_are_enough():
    points = np.arange(10.0).reshape(5, 2)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(choose_landmarks(points, np.ones(5), 9, rng), points)


def test_a_rare_group_far_from_the_rest_gets_a_landmark():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(20_000, 4))
    points[:20] += 12.0  # 0.1 %
    landmarks = choose_landmarks(points, np.ones(len(points)), 64, np.random.default_rng(2))
    assert (landmarks.mean(axis=1) > 10.0).sum() >= 1


def test_threads_do_not_move_landmarks():
    points = np.random.default_rng(3).normal(size=(9000, 5)).astype(np.float32)
    one, two = (
        choose_landmarks(points, np.ones(9000), 50, np.random.default_rng(0), n_jobs=jobs)
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_nearest_landmark_is_the_nearest():
    rng = np.random.default_rng(4)
    points, landmarks = rng.normal(size=(3000, 3)), rng.normal(size=(40, 3))
    distance = np.linalg.norm(points[:, None] - landmarks, axis=2)
    np.testing.assert_array_equal(nearest_landmark(points, landmarks), distance.argmin(axis=1))
