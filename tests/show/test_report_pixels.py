"""The pixels of a report are those of the scenes, in small steps, and unpack to what went in."""

from __future__ import annotations

import base64
import io
import zlib

import numpy as np
import pyproj
import pytest
import xarray as xr
from PIL import Image
from scipy.ndimage import map_coordinates

from strandline.errors import ConfigurationError
from strandline.show.captions import place_of
from strandline.show.display import block_means, reduce_scenes, thin_classes
from strandline.show.palettes import water_palette
from strandline.show.report.explorer import place_told
from strandline.show.report.layers import class_picture, composites
from strandline.show.report.pixels import (
    SURE_LOW,
    SURE_STEP,
    Lattice,
    Points,
    lattice_of,
    points_of,
)
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


@pytest.mark.parametrize(
    ("crs", "corner"),
    [("EPSG:32611", (300_000, 6_700_000)), ("EPSG:32660", (700_000, 1_000_000)),
     ("EPSG:3857", (-13_000_000, 8_400_000)), ("EPSG:4326", (179.5, 50.0))],
)  # fmt: skip
def test_longitude_and_latitude_between_the_nodes_are_true_to_a_fiftieth_of_a_point(crs, corner):
    resolution = 0.0003 if crs == "EPSG:4326" else 30.0
    grid = lake_grid((6000, 6000), resolution=resolution, crs=crs, corner=corner)
    mask = mask_of(np.zeros((6000, 6000)), grid)
    told = place_told(place_of(mask), Lattice((6000, 6000), 1, 15))
    nodes = told["nodes"]
    random = np.random.default_rng(0)
    u, v = random.uniform(0, 1, (2, 500))
    east, north = told["left"] + u * 6000 * told["dx"], told["top"] + v * 6000 * told["dy"]
    to_lonlat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    known = np.array(to_lonlat.transform(east, north))
    at = [v * (nodes - 1), u * (nodes - 1)]
    found = np.array([
        map_coordinates(np.array(told[name]).reshape(nodes, nodes), at, order=1)
        for name in ("longitude", "latitude")
    ])  # fmt: skip
    turns = (found[0] - known[0] + 180) % 360 - 180  # the antimeridian may lie between
    metres = np.hypot(turns * np.cos(np.radians(known[1])), found[1] - known[1]) * 111_320
    assert metres.max() < 15 * 30 / 50


def test_without_webp_pictures_are_jpeg(monkeypatch):
    scene, mask = scenes((40, 50))
    lattice = lattice_of(mask, scene, 3, 1)
    kinds = []
    for known in (True, False):
        monkeypatch.setattr("PIL.features.check", lambda name, known=known: known)
        drawn = composites([scene], lattice)
        assert list(drawn) == ["true"]  # no false colour of these bands but the same
        source = drawn["true"][1][0]["source"]
        kinds.append(source.partition(";")[0])
        image = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        assert image.size == (50, 40)
    assert kinds == ["data:image/webp", "data:image/jpeg"]


def test_class_pictures_hatch_what_was_not_observed_and_are_clear_where_asked():
    values = np.full((12, 10), 255, np.uint8)
    values[:6] = 1
    values[0] = 0
    drawn = class_picture(values, water_palette(), Lattice((23, 20), 1, 2), clear=(0,))
    assert (drawn["width"], drawn["height"]) == (1.0, round(24 / 23, 6))
    content = base64.b64decode(drawn["source"].partition(",")[2])
    image = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    assert (image[0, :, 3] == 0).all()
    assert (image[1:6] == (*water_palette()[1].rgb, 255)).all()
    assert len(np.unique(image[6:].reshape(-1, 4), axis=0)) == 2


def test_how_sure_a_mask_is_keeps_to_an_eighth_of_a_percent_and_unobserved_stays_so():
    scene, mask = scenes((40, 50))
    random = np.random.default_rng(5)
    sure = mask.astype(np.float32).copy(data=random.uniform(0.5, 1, mask.shape).astype(np.float32))
    sure[3:5, 7:30] = np.nan
    lattice = lattice_of(mask, scene, 3, 1)
    points = points_of([scene], ["green", "red", "nir08"], [mask], lattice, [sure])
    back = np.where(points.sure == 0, np.nan, SURE_LOW + (points.sure - 1.0) * SURE_STEP)
    np.testing.assert_allclose(back[0], sure.values, atol=SURE_STEP / 2 + 1e-6, rtol=0)
    maps = unpack(points.packed(), points.values.shape, 2)[1]
    np.testing.assert_array_equal(maps, np.concatenate([points.classes, points.sure]))
    with pytest.raises(ConfigurationError, match="how sure the masks are"):
        points_of([scene], ["green"], [mask], lattice, [sure[1:]])
    with pytest.raises(ConfigurationError, match="1 of 40 × 50 pixels"):
        points_of([scene], ["green"], [mask], lattice, [sure, sure])
