"""The flags of a scene go where it goes, and say why its pixels were not observed."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from strandline.prepare import make_grid, regrid, stack_scenes, to_image, to_samples
from strandline.scenes.quality import DEFAULT_REASONS, FILL, not_observed, quality_flags
from strandline.scenes.read_options import ReadOptions
from strandline.scenes.reflectance import Factors
from strandline.scenes.scene import Stored, finish
from strandline.testing.lakes import lake_grid, round_lake

SHAPE = (60, 50)


def flagged(time="2017-10-22", lazy=False):
    """Make a lake with cloud, shadow, snow and a wedge of fill."""
    lake = round_lake(shape=SHAPE, radius=300, time=time)
    qa = np.full(SHAPE, 21824, np.uint16)
    qa[5:20, 10:30] = 22280  # cloud
    qa[3:5, 10:30] = 21826  # dilated
    qa[22:31, 17:33] = 23888  # shadow
    qa[45:50, 5:12] = 30048  # snow
    qa[np.tril_indices(60, -45, 50)] = 1
    values = lake.copy(data=np.round(lake.values * 10_000).astype(np.int16))
    flags = quality_flags(xr.DataArray(qa, dims=("y", "x")), "qa_pixel", instrument="oli")
    if lazy:
        values, flags = values.chunk({"y": 17, "x": 13}), flags.chunk({"y": 17, "x": 13})
    stored = Stored(
        values=values.drop_vars(["time", "quality"], errors="ignore").assign_attrs(
            georeferenced=True
        ),
        factors=(Factors(1e-4, 0.0, (-9999.0,)),) * lake.sizes["band"],
        source="<lake>",
        time=time,
        quality=flags,
    )
    return finish(stored, ReadOptions())


METHODS = ("bilinear", "nearest", "cubic", "cubic_spline", "measured")  # lanczos loses some more


@pytest.mark.parametrize("resampling", METHODS)
@pytest.mark.parametrize("resolution", [20, 45, 60, 90, 133])
def test_flags_agree_with_what_is_not_observed_on_any_grid(resampling, resolution):
    scene = flagged()
    placed = regrid(scene, make_grid(like=scene, resolution=resolution), resampling)
    unseen = not_observed(placed["quality"].values, DEFAULT_REASONS)
    np.testing.assert_array_equal(np.isnan(placed.values).all(axis=0), unseen)
    assert placed["quality"].dtype == np.uint8
    assert placed["quality"].attrs.keys() == scene["quality"].attrs.keys()


def test_beyond_the_source_there_is_fill():
    scene = flagged()
    grid = make_grid(like=scene, resolution=30).pad(4)
    copied = regrid(scene, grid)
    assert (copied["quality"].values[:4] == FILL).all()
    np.testing.assert_array_equal(copied["quality"].values[4:-4, 4:-4], scene["quality"].values)
    warped = regrid(scene, make_grid(like=scene, resolution=37).pad(4))
    assert (warped["quality"].values[:2] == FILL).all()
    assert set(np.unique(warped["quality"].values)) == set(np.unique(scene["quality"].values))


def test_chunks_do_not_matter_to_flags():
    whole, cut = flagged(), flagged(lazy=True)
    assert isinstance(cut["quality"].data, da.Array)
    np.testing.assert_array_equal(cut["quality"].values, whole["quality"].values)
    grid = make_grid(like=whole, resolution=50)
    np.testing.assert_array_equal(
        regrid(cut, grid)["quality"].values, regrid(whole, grid)["quality"].values
    )


@pytest.mark.parametrize("lazy", [False, True])
def test_dates_with_and_without_flags_are_stacked(lazy):
    with_flags = flagged("2017-10-22", lazy)
    without = round_lake(shape=SHAPE, radius=200, time="1988-10-22")
    stacked = stack_scenes([without, with_flags])
    assert stacked["quality"].dims == ("time", "y", "x")
    assert isinstance(stacked["quality"].data, da.Array) is lazy
    assert not stacked["quality"].values[0].any()
    np.testing.assert_array_equal(stacked["quality"].values[1], with_flags["quality"].values)
    assert stacked["quality_told"].values.tolist() == [
        "",
        "fill dilated_cloud cloud cirrus cloud_shadow snow",
    ]
    assert "quality" not in stack_scenes(
        [without, without.assign_coords(time=np.datetime64(0, "D"))]
    )


def test_a_table_of_samples_finds_its_flags_again():
    scene = flagged()
    assert to_image(to_samples(scene), like=scene).identical(scene)


def test_flags_come_back_from_files(tmp_path):
    from strandline.scenes import open_scene

    scene = flagged(lazy=True)
    scene.to_netcdf(tmp_path / "scene.nc")
    scene.to_zarr(tmp_path / "scene.zarr", zarr_format=2)
    for name in ("scene.nc", "scene.zarr"):
        again = open_scene(tmp_path / name)
        np.testing.assert_array_equal(again["quality"].values, scene["quality"].values)
        np.testing.assert_array_equal(again.values, scene.values)
        assert again["quality"].dtype == np.uint8
        assert again["quality"].attrs["flag_meanings"] == scene["quality"].attrs["flag_meanings"]
        assert again.attrs["masked"] == scene.attrs["masked"]
        snowless = open_scene(tmp_path / name, mask=["snow"])
        assert np.isnan(snowless.values[:, 45:50, 5:12]).all()
        assert "snow" in snowless.attrs["masked"]
        assert np.isnan(snowless.values[:, 10, 15]).all()  # the cloud that was masked before


def test_nothing_of_the_flags_is_computed_before_it_is_asked_for():
    def refuse(block):
        raise AssertionError("computed")

    scene = flagged(lazy=True)
    trap = scene["quality"].data.map_blocks(refuse, dtype=np.uint8, meta=np.empty((0, 0), "u1"))
    armed = scene.assign_coords(quality=scene["quality"].copy(data=trap))
    other = armed.assign_coords(time=np.datetime64("1988-10-22", "ns"))
    stacked = stack_scenes([regrid(one, lake_grid(SHAPE, resolution=40)) for one in (other, armed)])
    assert np.isfinite(stacked.data.compute()).any()
    to_samples(stacked).compute()
