"""The contract of a scene: silent on real and sound ones, told where something cannot be."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from real_scenes import SCENES, SIX, source_of
from strandline.errors import (
    ConfigurationError,
    MetadataError,
    ReflectanceRangeError,
    ScaleError,
    SuspiciousSceneWarning,
)
from strandline.scenes.contract import FIRST_IMAGE, check_time, thinned
from strandline.testing.lakes import BANDS, round_lake

SWAPS = {
    "near and shortwave infrared": {"nir08": "swir16", "swir16": "nir08"},
    "near infrared and red": {"nir08": "red", "red": "nir08"},
    "blue and red": {"blue": "red", "red": "blue"},
    "near infrared and green": {"nir08": "green", "green": "nir08"},
    "all, from the end": dict(zip(BANDS, reversed(BANDS), strict=True)),
}


def landscape(**changes: Any) -> xr.DataArray:
    """A lake between plants and bare soil, with the speckle of a real scene."""
    return round_lake(shape=(100, 120), radius=900, noise=0.01).assign_coords(**changes)


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    return landscape()


def renamed(scene: xr.DataArray, swap: dict[str, str]) -> xr.DataArray:
    return scene.assign_coords(band=[swap.get(str(name), str(name)) for name in scene.band.values])


def filled(scene: xr.DataArray, value: float) -> xr.DataArray:
    changed = scene.copy(deep=True)
    changed[:, 20:60, 30:70] = value
    return changed


def same_twice(scene: xr.DataArray) -> xr.DataArray:
    changed = scene.copy(deep=True)
    changed[1] = changed[0].values
    return changed


def constant(scene: xr.DataArray) -> xr.DataArray:
    changed = scene.copy(deep=True)
    changed[3] = 0.25
    return changed


def test_a_simulated_scene_passes_in_silence():
    for day in ("1988-10-22", "2017-10-22"):
        simulated, _ = sl.simulate_scene(day, size=(150, 150), resolution=150)
        assert (sl.check_scene(simulated)["findings"] == "").all()


def test_a_sound_scene_passes_in_silence_with_a_row_per_band(scene):
    table = sl.check_scene(scene)
    assert table.index.tolist() == [str(name) for name in scene.band.values]
    assert (table["findings"] == "").all()
    assert (table["observed"] > 0.9).all()
    assert (table["minimum"] <= table["dark"]).all()
    assert (table["dark"] < table["median"]).all()
    assert (table["median"] < table["bright"]).all()
    assert (table["above_one"] == 0).all()


def test_chunks_do_not_change_what_is_looked_at(scene):
    one, other = scene.chunk({"y": 40, "x": 150}), scene.chunk({"y": 150, "x": 33})
    np.testing.assert_array_equal(thinned(one), thinned(other))
    assert sl.check_scene(one).equals(sl.check_scene(other))


def test_a_large_lazy_scene_costs_five_windows():
    import dask.array as da

    read: list[tuple[int, ...]] = []

    def block(block_info: Any = None) -> np.ndarray:
        place = block_info[None]["array-location"]
        read.append(tuple(first for first, _ in place))
        return np.full((3, 256, 256), 0.1, np.float32)

    chunks = ((3,), (256,) * 40, (256,) * 40)
    data = da.map_blocks(block, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0, 0)))
    huge = xr.DataArray(data, dims=("band", "y", "x"), coords={"band": ["green", "red", "nir08"]})
    thinned(huge)
    assert 5 <= len(read) <= 20  # windows may lie across chunks


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)
def test_bands_under_one_anothers_names_are_noticed(scene, swap):
    with pytest.warns(SuspiciousSceneWarning, match="misnamed or in another order"):
        table = sl.check_scene(renamed(scene, swap))
    assert "misnamed" in table["findings"].iloc[0]


SUSPICIOUS: dict[str, tuple[Callable[[xr.DataArray], xr.DataArray], str]] = {
    "a constant band": (constant, "nir08 has one value everywhere"),
    "a band twice": (same_twice, "blue and green are identical"),
    "zeros that may stand for no data": (lambda s: filled(s, 0.0), "0 in all bands"),
    "a bright number that may stand for no data": (lambda s: filled(s, 1.6), "1.6 in all bands"),
    "values of another product's factors": (lambda s: s + 0.6, "nothing in it is darker"),
    "many negative values": (lambda s: s - 0.15, "below -0.03"),
    "nothing observed": (lambda s: s * np.nan, "none of the pixels that were checked was observed"),
}


@pytest.mark.parametrize(("change", "words"), SUSPICIOUS.values(), ids=SUSPICIOUS)
def test_what_is_suspicious_is_warned_of(scene, change, words):
    changed = change(scene).assign_attrs(scene.attrs)
    with pytest.warns(SuspiciousSceneWarning, match=words):
        sl.check_scene(changed)


WRONG: dict[str, tuple[Callable[[xr.DataArray], xr.DataArray], type[Exception]]] = {
    "values scaled twice": (lambda s: s * 1e-4, ScaleError),
    "nearly all negative": (lambda s: s * 0.2 - 0.2, ReflectanceRangeError),
    "-9999 with the factors of Collection 2": (lambda s: filled(s, -0.475), ReflectanceRangeError),
    "0 with the factors of Collection 2": (lambda s: filled(s, -0.2), ReflectanceRangeError),
    "a date to come": (
        lambda s: s.assign_coords(time=np.datetime64("2100-01-01", "ns")),
        MetadataError,
    ),
}


@pytest.mark.parametrize(("change", "error"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_an_error(scene, change, error):
    with pytest.raises(error):
        sl.check_scene(change(scene).assign_attrs(scene.attrs))


@pytest.mark.parametrize(
    ("time", "platform"),
    [("1980-01-01", "landsat-5"), ("2010-01-01", "landsat-8"), ("2015-01-01", "sentinel-2a")],
)
def test_no_satellite_saw_anything_before_its_launch(time, platform):
    with pytest.raises(MetadataError, match="launched"):
        check_time(np.datetime64(time), platform, "the scene")


def test_a_date_before_all_satellites_is_suspicious():
    check_time(FIRST_IMAGE, None, "the scene")
    check_time(np.datetime64("NaT"), None, "the scene")
    with pytest.warns(SuspiciousSceneWarning, match="1960-05-01"):
        check_time(np.datetime64("1960-05-01"), None, "the scene")


def test_what_is_no_scene_is_refused():
    with pytest.raises(ConfigurationError, match="Only scenes"):
        sl.check_scene(np.zeros((3, 4, 5)))


def test_arrays_in_memory_are_checked_when_they_are_opened(scene):
    with pytest.warns(SuspiciousSceneWarning, match="misnamed"):
        sl.open_scene(renamed(scene, SWAPS["near infrared and red"]))


def test_lazy_scenes_are_not_read_when_they_are_opened(scene):
    swapped = renamed(scene, SWAPS["near infrared and red"]).chunk(50)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SuspiciousSceneWarning)
        sl.open_scene(swapped)


@pytest.mark.parametrize("chunks", [None, 50])
def test_each_date_is_checked_where_scenes_are_segmented(scene, chunks):
    later = landscape(time=np.datetime64("1990-10-22", "ns"))
    wrong = renamed(later, SWAPS["near infrared and red"]).sel(band=scene.band)
    dates = [scene, wrong] if chunks is None else [scene.chunk(chunks), wrong.chunk(chunks)]
    with pytest.warns(SuspiciousSceneWarning, match="1990|misnamed") as told:
        sl.segment(dates, 2)
    assert len([one for one in told if "misnamed" in str(one.message)]) == 1


def test_two_dates_of_which_one_is_wrong_are_refused_where_they_are_segmented(scene):
    later = filled(landscape(time=np.datetime64("1990-10-22", "ns")), -0.2)
    with pytest.raises(ReflectanceRangeError, match="nodata value is probably"):
        sl.segment([scene, later], 2)


# --- real scenes ---------------------------------------------------------------------------

# What no rule can tell: a desert, a stretched picture without swir22, winter under cloud.
BLIND = {
    "near and shortwave infrared": {"Ucayali", "Australia"},
    "near infrared and red": {"Australia"},
    "blue and red": {"Australia", "Taylorsville"},
}


def opened(folder: Any, name: str) -> xr.DataArray:
    source, options = source_of(folder, name)
    return sl.open_scene(source, **options)


@pytest.mark.parametrize("name", SCENES)
def test_real_scenes_pass_in_silence(real_data, name):
    lazy = opened(real_data, name)
    assert (sl.check_scene(lazy)["findings"] == "").all()
    assert (sl.check_scene(lazy.compute())["findings"] == "").all()


def test_real_scenes_of_new_york_pass_once_their_fill_is_declared(real_data, tmp_path):
    import tarfile

    with tarfile.open(real_data / "newyork_oli_stub_series/L8NY18_013032.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    dates = sorted({path.parent for path in tmp_path.rglob("*_B1.TIF")})
    assert len(dates) == 8
    factors = {"scale": 2e-5, "offset": -0.1}
    for date in dates:
        files = [str(next(date.glob(f"*_B{number}.TIF"))) for number in range(1, 8)]
        sl.check_scene(sl.open_scene(files, nodata=0, **factors).compute())
        with pytest.raises(ReflectanceRangeError, match=r"-0\.1 in all bands of 30"):
            sl.check_scene(sl.open_scene(files, **factors))


def test_a_real_scene_of_clouds_passes(real_data):
    with np.load(real_data / "ukis_cloud_water/landsat5.npz") as file:
        images = [file[name] for name in file.files if file[name].ndim == 3]
    image = next(image for image in images if 6 in (image.shape[0], image.shape[-1]))
    stored = np.moveaxis(image, -1, 0) if image.shape[-1] == 6 else image
    rows, columns = stored.shape[1:]
    coords = {"band": SIX, "y": -30.0 * np.arange(rows), "x": 30.0 * np.arange(columns)}
    array = xr.DataArray(stored, dims=("band", "y", "x"), coords=coords)
    sl.check_scene(sl.open_scene(array, scale=1e-4, crs="EPSG:32633"))


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("name", SCENES)
def test_swapped_bands_of_real_scenes_are_noticed(real_data, name, kind):
    lazy = opened(real_data, name)
    swap = SWAPS[kind]
    if not set(swap) <= set(lazy.band.values.tolist()) or name.split()[0] in BLIND[kind]:
        pytest.skip("the scene has no such bands, or no rule can tell")
    with pytest.warns(SuspiciousSceneWarning, match="misnamed"):
        sl.check_scene(renamed(lazy.compute(), swap))
