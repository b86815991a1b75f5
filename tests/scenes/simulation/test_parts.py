"""The parts of the simulation against answers worked out by hand or by brute force."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from strandline.scenes.simulation.erosion import carve, gather, receivers, steps_to_outlet
from strandline.scenes.simulation.noise import Axes, fractal, spline, uniform, white_noise
from strandline.scenes.simulation.optics import blur, shadow_depth, spectra_of, sun_at
from strandline.scenes.simulation.places import nearest_on_line
from strandline.scenes.simulation.waters import covered


def test_coverage_of_a_plane_equals_counting_points():
    rng = np.random.default_rng(1)
    grid = (np.arange(200) + 0.5) / 200 - 0.5
    for _ in range(60):
        a, b, c = rng.normal(size=3) * (1.0, 1.0, 0.4)
        rows, cols = np.mgrid[-1:2, -1:2]
        plane = (a * cols + b * rows + c).astype(np.float32)
        counted = np.mean(a * grid[None, :] + b * grid[:, None] + c < 0)
        assert covered(plane)[0, 0] == pytest.approx(counted, abs=0.006)


def test_coverage_is_all_or_nothing_on_level_ground():
    level = np.full((4, 5), 0.2, dtype=np.float32)
    assert covered(level).tolist() == np.zeros((2, 3)).tolist()
    assert covered(-level).tolist() == np.ones((2, 3)).tolist()


def test_noise_does_not_know_its_window():
    whole = Axes(-300, -700, 600, 1400, 30.0, 7.0, -11.0)
    part = whole.part(123, 321, 456, 1011)
    for field in (
        lambda axes: fractal(axes, 900.0, 5, 42),
        lambda axes: white_noise(axes, 42),
    ):
        np.testing.assert_array_equal(field(whole)[123:321, 456:1011], field(part))


def test_noise_is_standard():
    axes = Axes(0, 0, 800, 800, 30.0)
    for field in (fractal(axes, 300.0, 3, 7), white_noise(axes, 7)):
        assert field.mean() == pytest.approx(0.0, abs=0.05)
        assert field.std() == pytest.approx(1.0, abs=0.05)
    rows, cols = np.mgrid[0:300, 0:300]
    chances = uniform(rows, cols, 3)
    histogram, _ = np.histogram(chances, bins=10, range=(0, 1))
    assert np.all(np.abs(histogram / chances.size - 0.1) < 0.005)
    # Neighbours on the lattice know nothing of each other.
    for shift in ((0, 1), (1, 0), (1, 1)):
        moved = uniform(rows + shift[0], cols + shift[1], 3)
        assert abs(np.corrcoef(chances.ravel(), moved.ravel())[0, 1]) < 0.02


def test_splines_reproduce_a_plane():
    rows, cols = np.mgrid[0:12, 0:15].astype(np.float32)
    y, x = np.linspace(2, 9, 20), np.linspace(2, 12, 30)
    plane = spline(2 * rows - 3 * cols + 1, y, x)
    np.testing.assert_allclose(plane, 2 * y[:, None] - 3 * x[None, :] + 1, atol=2e-5)


def test_drainage_of_a_small_valley_is_that_counted_by_hand():
    # Both rims fall to the middle column, which falls to the south.
    height = np.array([[9.0, 6.0, 9.0], [9.0, 5.0, 9.0], [9.0, 1.0, 9.0]])
    to, distance = receivers(height, np.zeros((3, 3), dtype=bool))
    # (9 - 6)/1 beats (9 - 5)/√2; (9 - 1)/√2 beats (9 - 5)/1; the middle column runs straight.
    assert to.tolist() == [1, 4, 1, 7, 7, 7, 7, 7, 7]
    assert gather(to, np.ones(9)).tolist() == [1, 3, 1, 1, 4, 1, 1, 9, 1]
    assert steps_to_outlet(to).tolist() == [3, 2, 3, 1, 1, 1, 1, 0, 1]
    np.testing.assert_allclose(distance, [1, 1, 1, 2**0.5, 1, 2**0.5, 1, 1, 1])


def test_gathering_equals_walking_downstream():
    rng = np.random.default_rng(5)
    height = rng.random((20, 30))
    to, _ = receivers(height, np.zeros(height.shape, dtype=bool))
    amount = rng.random(to.size)
    walked = np.zeros(to.size)
    for node in range(to.size):
        here = node
        walked[here] += amount[node]
        while to[here] != here:
            here = to[here]
            walked[here] += amount[node]
    np.testing.assert_allclose(gather(to, amount), walked)


def test_erosion_keeps_the_floor_and_the_steepest_slope():
    rng = np.random.default_rng(2)
    height = rng.random((40, 40))
    fixed = np.zeros((40, 40), dtype=bool)
    fixed[:, 0] = True
    carved = carve(height, np.full((40, 40), 200.0), fixed, spacing=100.0, smoothing=0.0)
    np.testing.assert_array_equal(carved[:, 0], height[:, 0])
    assert carved[:, 20].mean() > 100
    to, distance = receivers(carved, fixed)
    drop = carved.ravel() - carved.ravel()[to]
    # 0.55 along the stream; where a diagonal one gives way, neighbours drop by √2 of that.
    assert np.percentile(drop / distance / 100.0, 95) < 0.55 * 1.4143


def test_the_sun_stands_where_it_should():
    # At the March equinox's noon it is 90° minus the latitude high, in the south.
    noon = [sun_at(datetime(2017, 3, 20, 20, minute, tzinfo=UTC)) for minute in range(0, 10)]
    highest = max(noon, key=lambda sun: sun.elevation)
    assert highest.elevation == pytest.approx(90 - 38.6942, abs=0.6)
    assert highest.azimuth == pytest.approx(180, abs=4)
    # In the morning it is in the south-east.
    assert 120 < sun_at(datetime(2017, 10, 22, 18, 30, tzinfo=UTC)).azimuth < 170
    # Perihelion and aphelion of 2017, from the almanac.
    assert sun_at(datetime(2017, 1, 4, 18, tzinfo=UTC)).distance == pytest.approx(0.9833, abs=1e-4)
    assert sun_at(datetime(2017, 7, 3, 18, tzinfo=UTC)).distance == pytest.approx(1.0167, abs=1e-4)


def test_a_tower_throws_its_shadow_away_from_the_sun():
    height = np.zeros((41, 41), dtype=np.float32)
    height[20, 20] = 400.0
    sun = sun_at(datetime(2017, 10, 22, 18, 33, tzinfo=UTC))
    dark = np.argwhere(shadow_depth(height, 100.0, sun) > 0)
    assert len(dark) > 2
    # To the north and west of it, no longer than its height over the tangent of the sun's.
    assert np.all(dark[:, 0] < 20)
    assert np.all(dark[:, 1] <= 20)
    length = np.hypot(*(dark - 20).T).max() * 100.0
    assert length <= 400.0 / np.tan(np.radians(sun.elevation)) + 150.0


def test_blur_keeps_the_light():
    image = np.zeros((7, 7), dtype=np.float32)
    image[3, 3] = 1.0
    blurred = blur(image)
    assert blurred.shape == (5, 5)
    assert blurred.sum() == pytest.approx(1.0, abs=1e-6)
    assert blurred[2, 2] == pytest.approx(0.786**2, abs=1e-3)


def test_spectra_span_the_measured_covariance():
    for sensor, count in (("tm", 6), ("oli", 7)):
        spectra = spectra_of(sensor)
        assert len(spectra.bands) == count
        # The leading component of a class is brightness.
        assert np.all(spectra.spread[:, 0].sum(axis=1) > 0)
        assert np.all(spectra.mean > 0)
        assert np.all(spectra.snow < 1)


def test_distance_to_a_bent_line():
    x, y = np.array([[0.0, 2.0, 5.0]]), np.array([[1.0, 0.0, 3.0]])
    distance, value = nearest_on_line(x, y, [(0.0, 0.0, 0.0), (4.0, 0.0, 8.0), (4.0, 9.0, 8.0)])
    np.testing.assert_allclose(distance, [[1.0, 0.0, 1.0]])
    np.testing.assert_allclose(value, [[0.0, 4.0, 8.0]])
