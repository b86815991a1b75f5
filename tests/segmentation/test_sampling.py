"""Pixels drawn window by window are those drawn from the whole table."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from strandline.prepare.samples import to_samples
from strandline.segmentation import sampling
from strandline.segmentation.sampling import RARE_PIXELS, draw_pixels, draw_with_rare
from strandline.segmentation.sides import sides_of
from strandline.spectral import draw_sample
from strandline.testing.lakes import round_lake

LAKE = round_lake(shape=(83, 61), radius=700, noise=0.02)
LATER = round_lake(shape=(83, 61), radius=500, noise=0.02, seed=1, time="2017-10-22")


def with_holes(scene: xr.DataArray, share: float) -> xr.DataArray:
    hidden = np.random.default_rng(3).random(scene.shape[-2:]) < share
    return scene.where(xr.DataArray(~hidden, dims=("y", "x")))


@pytest.mark.parametrize("size", [1, 300, 20_000])
@pytest.mark.parametrize("chunks", [{"y": 7, "x": 40}, {"band": 1, "y": 83, "x": 13}, {"y": 50}])
def test_chunks_do_not_change_what_is_drawn(chunks, size):
    scene = with_holes(xr.concat([LAKE, LATER], "time", coords="minimal", compat="override"), 0.3)
    expected = draw_sample(to_samples(scene).data, size)
    drawn = draw_pixels(scene.chunk(chunks), size)
    assert drawn.dtype == expected.dtype
    assert drawn.tobytes() == expected.tobytes()


@pytest.mark.parametrize("share", [0.9, 0.999, 1.0])
def test_scenes_of_which_little_was_observed_are_looked_through_again(share):
    scene = with_holes(LAKE, share)
    expected = draw_sample(to_samples(scene).data, 200)
    assert draw_pixels(scene.chunk(20), 200).tobytes() == expected.tobytes()


def test_dates_with_chunks_of_their_own_count_as_one_table():
    scene = xr.concat(
        [LAKE.chunk(17), LATER.chunk(30)], "time", coords="minimal", compat="override"
    )
    expected = draw_sample(to_samples(scene.compute()).data, 500)
    with dask.config.set(scheduler="synchronous"):
        assert draw_pixels(scene, 500).tobytes() == expected.tobytes()


@pytest.mark.parametrize("chunks", [{"y": 7, "x": 30}, {"y": 40, "x": 11}])
def test_the_first_of_every_wet_kind_come_whatever_the_chunks(chunks):
    scene = round_lake(shape=(40, 50), radius=300)
    sides = sides_of(tuple(map(str, scene["band"].values)))
    sample, rare = draw_with_rare(scene, 300, sides)
    lazily = draw_with_rare(scene.chunk(chunks), 300, sides)
    for one, other in zip((sample, rare), lazily, strict=True):
        assert one.numbers.tobytes() == other.numbers.tobytes()
        assert one.rows.tobytes() == other.rows.tobytes()
    rows = to_samples(scene).data
    wet = sides.wet(rows)
    assert 0 < wet.sum() < RARE_PIXELS
    assert rare.numbers.tolist() == np.flatnonzero(wet).tolist()
    assert (rare.rows == rows[wet]).all()


def test_of_a_common_wet_kind_only_the_first_come(monkeypatch):
    monkeypatch.setattr(sampling, "RARE_PIXELS", 5)
    scene = round_lake(shape=(40, 50), radius=300)
    sides = sides_of(tuple(map(str, scene["band"].values)))
    _, rare = draw_with_rare(scene, 300, sides)
    counts = np.bincount(sides.strata(rare.rows))
    assert counts.max() == 5
    _, lazily = draw_with_rare(scene.chunk({"y": 7, "x": 30}), 300, sides)
    assert lazily.numbers.tolist() == rare.numbers.tolist()


def test_nothing_is_drawn_besides_where_everything_is_drawn():
    scene = round_lake(shape=(40, 50))
    sides = sides_of(tuple(map(str, scene["band"].values)))
    assert draw_with_rare(scene, 2000, sides)[1] is None
    assert draw_with_rare(scene, 1999, None)[1] is None
