"""Chunked equals whole, to the byte: everything that takes lazy arrays, in one place."""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.change.area import areas
from strandline.change.compare import compare
from strandline.prepare.georeference import grid_of
from strandline.prepare.grid import make_grid
from strandline.prepare.resample import regrid
from strandline.prepare.samples import to_image, to_samples
from strandline.prepare.stack import stack_scenes
from strandline.prepare.standardize import HOWS, standardize
from strandline.testing.lakes import lake_fraction, lake_grid, lonlat_of, mask_of, round_lake
from strandline.testing.strategies import chunked

SCENE = round_lake(shape=(41, 53), radius=450, noise=0.02)
SCENE.values[:, 10:17, 20:50] = np.nan
LATER = round_lake(shape=(41, 53), radius=300, noise=0.02, seed=1, time="2017-10-22")
GRID = grid_of(SCENE)


def water(radius: float, seed: int):
    values = (lake_fraction(GRID, radius) > 0.5).astype(np.uint8)
    values[np.random.default_rng(seed).random(values.shape) < 0.2] = 255
    return mask_of(values, GRID, time=f"{1988 + seed}-10-22")


BEFORE, AFTER = water(450, 0), water(300, 1)
CENTER = lonlat_of(GRID, 20, 26)

SCENE_FUNCTIONS = {
    "crop": lambda scene: regrid(scene, GRID[3:30, 5:].pad(2)),
    "warp": lambda scene: regrid(scene, make_grid(like=GRID, crs="EPSG:32612", resolution=25)),
    "coarsen": lambda scene: regrid(scene, make_grid(like=GRID, resolution=100)),
    "average": lambda scene: regrid(scene, make_grid(like=GRID, resolution=100), "average"),
    "samples": to_samples,
    "image": lambda scene: to_image(to_samples(scene), like=scene),
    "stack": lambda scene: stack_scenes([LATER, scene]),
    **{how: lambda scene, how=how: standardize(to_samples(scene), how) for how in HOWS},
}


@pytest.mark.parametrize("name", SCENE_FUNCTIONS)
@given(data=st.data())
@settings(deadline=None, max_examples=8)
def test_of_a_scene(name, data):
    function = SCENE_FUNCTIONS[name]
    lazy = function(data.draw(chunked(SCENE)))
    assert hasattr(lazy.data, "__dask_graph__"), "a lazy scene has to stay lazy"
    scheduler = data.draw(st.sampled_from(["threads", "synchronous"]))
    with dask.config.set(scheduler=scheduler):
        got = lazy.values
    expected = function(SCENE).values
    assert got.dtype == expected.dtype
    assert got.tobytes() == expected.tobytes()


@given(data=st.data())
@settings(deadline=None, max_examples=10)
def test_of_a_change_map(data):
    change = compare(data.draw(chunked(BEFORE)), data.draw(chunked(AFTER)))
    assert change.values.tobytes() == compare(BEFORE, AFTER).values.tobytes()


@pytest.mark.parametrize("at", [None, CENTER], ids=["everywhere", "one lake"])
@given(data=st.data())
@settings(deadline=None, max_examples=10)
def test_of_areas(at, data):
    pd.testing.assert_frame_equal(
        areas(data.draw(chunked(BEFORE)), at=at), areas(BEFORE, at=at), check_exact=True
    )
    lazy = compare(data.draw(chunked(BEFORE)), data.draw(chunked(AFTER)))
    pd.testing.assert_frame_equal(
        areas(lazy, at=at), areas(compare(BEFORE, AFTER), at=at), check_exact=True
    )


def test_of_areas_over_many_tiles(monkeypatch):
    from strandline.change import summing

    monkeypatch.setattr(summing, "TILE", 16)
    mask = mask_of(
        (lake_fraction(lake_grid((90, 70)), 900) > 0.5).astype(np.uint8), lake_grid((90, 70))
    )
    pd.testing.assert_frame_equal(
        areas(mask.chunk({"y": 37, "x": 13})), areas(mask), check_exact=True
    )


def test_of_worker_processes():
    from distributed import Client

    lazy, masks = SCENE.chunk({"y": 17, "x": 30}), BEFORE.chunk({"y": 9})
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=":0"):
        for name in ("warp", "image", "global"):
            got = SCENE_FUNCTIONS[name](lazy).values
            assert got.tobytes() == SCENE_FUNCTIONS[name](SCENE).values.tobytes(), name
        pd.testing.assert_frame_equal(areas(masks), areas(BEFORE), check_exact=True)
