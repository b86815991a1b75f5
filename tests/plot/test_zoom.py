"""Large rasters: what is drawn from afar and close by, how few pixels, and what is read for it."""

from __future__ import annotations

import dask
import dask.array as da
import holoviews as hv
import numpy as np
import pytest
import xarray as xr

import strandline as sl
from strandline.plot.zoom import OVERVIEW, Raster, Window, reduction, thinned
from strandline.prepare.georeference import attach_grid
from strandline.show.display import Extent, reduce_classes
from strandline.testing.lakes import lake_grid

ROWS, COLUMNS = 3000, 2400


@pytest.fixture(scope="module")
def classes() -> np.ndarray:
    generator = np.random.default_rng(20)
    # Patches of 10 x 10 pixels, each with a few pixels of other classes in it.
    coarse = generator.integers(0, 6, (ROWS // 10, COLUMNS // 10), dtype=np.uint8)
    values = np.kron(coarse, np.ones((10, 10), np.uint8))
    values[generator.random(values.shape) < 0.1] = 5
    values[:100] = 255
    return values


@pytest.fixture
def labels(classes: np.ndarray) -> xr.DataArray:
    lazy = xr.DataArray(da.from_array(classes, chunks=600), dims=("y", "x"))
    lazy.attrs = {"flag_values": [*range(6)], "flag_meanings": "a b c d e f"}
    return attach_grid(lazy, lake_grid((ROWS, COLUMNS)))


class Reads(dask.callbacks.Callback):
    """Counts the chunks that are computed."""

    def __init__(self) -> None:
        self.tasks = 0
        super().__init__(pretask=self._count)

    def _count(self, key, _dsk, _state) -> None:
        self.tasks += "getter" in str(key) or "array" in str(key)


def seen(picture: hv.DynamicMap, x=None, y=None, width=600, height=750) -> hv.Image:
    """What a view of these ranges shows on a screen of so many pixels."""
    ranges, size = picture.streams
    ranges.update(x_range=x, y_range=y)
    size.update(width=width, height=height)
    return picture[()]


def test_classes_become_the_commonest_and_never_a_mean():
    values = np.array([[0, 0, 4, 4], [0, 4, 4, 0]], np.uint8)
    assert reduction(values) == "mode"
    assert reduction(values.astype(np.float32)) == "mean"
    thin = thinned({"c": values, "v": values.astype(np.float32)}, (2, 1))
    assert thin["c"].tolist() == [[0, 4]]
    assert thin["c"].dtype == np.uint8
    assert thin["v"].tolist() == [[1, 3]]


def test_a_mean_takes_what_was_observed_and_keeps_the_rest_empty():
    values = np.array([[np.nan, 1, np.nan, np.nan], [np.nan, 3, np.nan, np.nan]], np.float32)
    np.testing.assert_array_equal(thinned({"v": values}, (2, 1))["v"], [[2, np.nan]])
    line = np.array([[np.nan, 1, 2]], np.float32)
    np.testing.assert_array_equal(thinned({"v": line}, (2, 1))["v"], line)


def test_from_afar_the_overview_is_drawn_and_made_once(labels, classes):
    with Reads() as reads:
        picture = sl.plot.label_map(labels)
        assert reads.tasks == 0
        image = seen(picture)
        once = reads.tasks
        assert once
        again = seen(picture, x=tuple(image.range("x")), y=tuple(image.range("y")))
        assert reads.tasks == once
    step = -(-ROWS // OVERVIEW)
    drawn = np.flipud(image.dimension_values("cluster", flat=False))
    np.testing.assert_array_equal(drawn, reduce_classes(labels, OVERVIEW))
    assert max(drawn.shape) <= OVERVIEW
    assert drawn.shape == (-(-ROWS // step), -(-COLUMNS // step))
    assert set(np.unique(drawn)) <= set(np.unique(classes))
    np.testing.assert_array_equal(again.dimension_values(2), image.dimension_values(2))


def test_close_by_every_pixel_is_drawn_and_only_its_chunks_are_read(labels, classes):
    picture = sl.plot.label_map(labels)
    seen(picture)
    x, y = labels["x"].values, labels["y"].values
    with Reads() as reads:
        image = seen(picture, x=(x[700] - 1, x[1100] + 1), y=(y[1500] - 1, y[1250] + 1))
    assert 0 < reads.tasks <= 2 * 4
    drawn = np.flipud(image.dimension_values("cluster", flat=False))
    np.testing.assert_array_equal(drawn, classes[1250:1501, 700:1101])
    assert image.bounds.lbrt()[0] == pytest.approx(x[700] - 15)
    assert image.bounds.lbrt()[3] == pytest.approx(y[1250] + 15)


def test_between_the_two_datashader_thins_what_is_in_view(labels, classes):
    picture = sl.plot.label_map(labels, max_pixels=200_000)
    seen(picture)
    x, y = labels["x"].values, labels["y"].values
    image = seen(picture, x=(x[600] - 15, x[1199] + 15), y=(y[1199] - 15, y[600] + 15),
                 width=300, height=300)  # fmt: skip
    drawn = np.flipud(image.dimension_values("cluster", flat=False))
    assert drawn.shape == (300, 300)
    blocks = classes[600:1200, 600:1200].reshape(300, 2, 300, 2).transpose(0, 2, 1, 3)
    counts = (blocks.reshape(300, 300, 4)[..., None] == drawn[..., None, None]).sum(axis=(2, 3))
    best = max_count(blocks.reshape(300, 300, 4))
    np.testing.assert_array_equal(counts, best)


def max_count(blocks: np.ndarray) -> np.ndarray:
    return np.max([(blocks == value).sum(axis=-1) for value in np.unique(blocks)], axis=0)


def test_bands_come_along_as_means_from_afar_and_as_they_are_close_by(labels):
    values = np.random.default_rng(21).random((1, ROWS, COLUMNS), dtype=np.float32)
    scene = xr.DataArray(da.from_array(values, chunks=(1, 600, 600)), dims=("band", "y", "x"))
    scene = attach_grid(scene.assign_coords(band=["red"]), lake_grid((ROWS, COLUMNS)))
    picture = sl.plot.label_map(labels, scenes=scene)
    step = -(-ROWS // OVERVIEW)
    far = np.flipud(seen(picture).dimension_values("red", flat=False))
    np.testing.assert_allclose(far[5, 7], values[0, 15:18, 21:24].mean(), atol=1e-5)
    assert step == 3
    x, y = labels["x"].values, labels["y"].values
    near = seen(picture, x=(x[10] - 1, x[60] + 1), y=(y[160] - 1, y[100] + 1))
    drawn = np.flipud(near.dimension_values("red", flat=False))
    np.testing.assert_array_equal(drawn, values[0, 100:161, 10:61])


@pytest.mark.parametrize("flags", [True, False])
def test_every_label_of_a_large_map_has_a_colour(labels, flags):
    if not flags:
        labels = labels.drop_attrs()
    image = seen(sl.plot.label_map(labels))
    colours = [sl.show.palettes.label_colour(label) for label in range(6)]
    assert image.opts.get("style").kwargs["cmap"] == [*colours, "#ffffff"]


def test_a_view_beside_the_raster_shows_nothing_and_does_not_fail(labels):
    picture = sl.plot.label_map(labels)
    image = seen(picture, x=(0.0, 10.0), y=(0.0, 10.0))
    assert image.dimension_values("cluster", flat=False).size == 1


def test_a_large_scene_is_drawn_in_colour_and_band_by_band():
    values = np.random.default_rng(22).random((3, 300, 400), dtype=np.float32)
    scene = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": ["blue", "green", "red"]})
    scene = attach_grid(scene, lake_grid((300, 400)))
    picture = sl.plot.true_colour(scene, max_pixels=50_000)
    assert isinstance(picture, hv.DynamicMap)
    assert [type(layer).__name__ for layer in seen(picture)] == ["RGB", "Image"]
    grey = sl.plot.bands(scene, max_pixels=50_000)
    image = grey["red"]
    drawn = np.flipud(image.dimension_values("value", flat=False))
    np.testing.assert_array_equal(drawn, values[2])


def test_windows_are_the_pixels_in_view():
    raster = Raster({"v": attach_grid(
        xr.DataArray(np.zeros((10, 20), np.float32), dims=("y", "x")), lake_grid((10, 20))
    )})  # fmt: skip
    e = raster.extent
    assert raster.window((e.left, e.right), (e.bottom, e.top)) == Window(0, 10, 0, 20)
    assert raster.window((e.left + 31, e.left + 59), (e.top - 89, e.top - 31)) == Window(1, 3, 1, 2)
    assert raster.window((e.right + 1, e.right + 9), (e.bottom, e.top)) is None
    assert raster.edges(Window(1, 3, 1, 2)) == Extent(
        e.left + 30, e.left + 60, e.top - 90, e.top - 30
    )


def test_warming_up_compiles_what_drawing_needs():
    sl.plot.warm_up()
