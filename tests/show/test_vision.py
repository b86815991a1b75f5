"""CIEDE2000 against the published pairs."""

from __future__ import annotations

import numpy as np
import pytest

from strandline.show.vision import SIGHTS, ciede2000, lab_of, least_difference, rgb_of

# Sharma, Wu and Dalal (2005), table 1: the pairs that tell wrong implementations.
PAIRS = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "published"), PAIRS)
def test_differences_are_those_of_the_publication(first, second, published):
    pair = np.array([first, second], float)
    assert ciede2000(pair[0], pair[1]) == pytest.approx(published, abs=5e-5)
    assert ciede2000(pair[1], pair[0]) == pytest.approx(published, abs=5e-5)


def test_colours_survive_the_way_to_cielab_and_back():
    rgb = np.random.default_rng(0).random((500, 3))
    np.testing.assert_allclose(rgb_of(lab_of(rgb)), rgb, atol=1e-4)


def test_the_least_difference_is_that_of_the_worst_sight():
    rgb = np.random.default_rng(1).random((20, 3))
    each = [ciede2000(lab_of(rgb, s)[:, None], lab_of(rgb, s)[None]) for s in SIGHTS]
    np.testing.assert_array_equal(least_difference(rgb), np.min(each, axis=0))
