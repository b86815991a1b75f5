"""The pixels of a report are those of the scenes, in small steps, and unpack to what went in."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
import xarray as xr

from strandline.errors import ConfigurationError
from strandline.show.display import block_means, reduce_scenes, thin_classes
from strandline.show.report.pixels import Points, lattice_of, points_of
from strandline.testing.lakes import lake_grid, mask_of, scene_of


def unpack(packed: str, shape: tuple[int, ...], maps: int) -> tuple[np.ndarray, np.ndarray]:
    """As the script of the page does it."""
    content = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)
    count = int(np.prod(shape))
    folded = content[:count].astype(int) | content[count : 2 * count].astype(int) << 8
    difference = (folded >> 1) ^ -(folded & 1)
    layers = np.cumsum(difference.reshape(shape[0] * shape[1], -1), axis=1) & 65535
    return layers.reshape(shape), content[2 * count :].reshape(maps, *shape[2:])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_packed_is_unpacked(seed):
    random = np.random.default_rng(seed)
    values = random.integers(0, 65536, (2, 3, 7, 5)).astype(np.uint16)
    classes = random.integers(0, 256, (3, 7, 5)).astype(np.uint8)
    back, maps = unpack(Points(values, classes, 0.0, 0.001).packed(), values.shape, 3)
    np.testing.assert_array_equal(back, values)
    np.testing.assert_array_equal(maps, classes)


def scenes(shape: tuple[int, int], seed: int = 0) -> tuple[xr.DataArray, xr.DataArray]:
    random = np.random.default_rng(seed)
    grid = lake_grid(shape)
    values = random.uniform(-0.01, 0.6, (3, *shape))
    values[:, random.random(shape) < 0.1] = np.nan
    scene = scene_of(values, grid, bands=["green", "red", "nir08"])
    return scene, mask_of((random.random(shape) < 0.5).astype(np.uint8), grid)


def decoded(points: Points) -> np.ndarray:
    return np.where(points.values == 0, np.nan, points.low + (points.values - 1.0) * points.step)


def test_reflectance_is_at_most_half_a_step_off_and_unobserved_stays_so():
    scene, mask = scenes((40, 50))
    lattice = lattice_of(mask, scene, 3, 1)
    points = points_of([scene], ["green", "red", "nir08"], [mask], lattice)
    assert lattice.step == 1
    assert points.step == 0.001
    np.testing.assert_allclose(decoded(points)[0], scene.values, atol=0.0005 + 1e-9, rtol=0)
    np.testing.assert_array_equal(points.classes[0], mask.values)


def test_a_large_scene_is_thinned_and_an_already_thinned_one_gives_the_same_points():
    scene, mask = scenes((1300, 2500))
    whole = lattice_of(mask, scene, 3, 1)
    views = reduce_scenes(scene)
    lattice = lattice_of(mask, views, 3, 1)
    assert views.shape[-2:] == (434, 834)
    assert (lattice.thinned, lattice.per_point, lattice.step) == (3, 3, 9)
    assert whole.step == 7
    points = points_of([views], ["green", "red", "nir08"], [mask], lattice)
    assert points.values.shape == (1, 3, 145, 278)
    np.testing.assert_allclose(
        decoded(points)[0], block_means(views, 3), atol=points.step / 2 + 1e-9, rtol=0
    )
    np.testing.assert_array_equal(points.classes[0], thin_classes(mask, 9))


def test_numbers_that_are_no_reflectance_are_kept_to_a_thousandth_of_their_span():
    scene, mask = scenes((30, 30))
    raw = (scene * 30_000).assign_attrs(units="DN")
    points = points_of([raw], ["red"], [mask], lattice_of(mask, raw, 1, 1))
    assert points.step == 10.0
    np.testing.assert_allclose(decoded(points)[0, 0], raw.sel(band="red"), atol=5.001, rtol=0)


def test_a_scene_without_any_value_or_variety_is_kept_too():
    scene, mask = scenes((30, 30))
    lattice = lattice_of(mask, scene, 1, 1)
    assert not points_of([scene * np.nan], ["red"], [mask], lattice).values.any()
    flat = points_of([scene * 0 + 7], ["red"], [mask], lattice)
    assert np.nanmax(np.abs(decoded(flat) - 7)) < 1e-9


def test_more_dates_and_bands_make_coarser_points():
    scene, mask = scenes((1000, 1000))
    steps = [lattice_of(mask, scene, 6, dates).step for dates in (1, 2, 12, 100)]
    assert steps == [3, 3, 7, 19]


def test_scenes_of_another_grid_are_refused():
    scene, mask = scenes((40, 50))
    with pytest.raises(ConfigurationError, match="do not lie on the grid"):
        lattice_of(mask, scene[:, :30], 3, 1)
