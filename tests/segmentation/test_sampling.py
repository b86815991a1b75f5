"""Pixels drawn window by window are those drawn from the whole table."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from strandline.prepare.samples import to_samples
from strandline.segmentation.sampling import draw_pixels
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
