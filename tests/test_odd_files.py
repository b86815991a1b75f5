"""Files as users have them, through the command line and Python: the lake has its right area.

They are made of one simulated scene of Walker Lake, 118.81 km² on that day; digital numbers are
reflectance × 10,000 unless said.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path

import cftime
import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from odc.geo.xr import assign_crs

import strandline as sl
from strandline import stages
from strandline.errors import (
    MetadataError,
    StrandlineError,
    SuspiciousSceneWarning,
    UnknownProductError,
)
from strandline.series import run_timeline

PIXEL = 240**2 / 1e6
DN, C2 = ("--scale", "0.0001"), ("--scale", "0.0000275", "--offset", "-0.2")


def strandline(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "strandline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def lake(odd_files) -> np.ndarray:
    """Where the water is in a file that hides none of it."""
    scene = sl.open_scene(odd_files / "level2_with_lat_lon.nc")
    water = sl.water_mask(sl.segment(scene, random_state=0)).values == 1
    assert water.sum() * PIXEL == pytest.approx(118.81, rel=0.01)
    return water


def expected(lake: np.ndarray, hidden: np.ndarray) -> float:
    return float((lake & ~hidden).sum() * PIXEL)


def measured(out: Path) -> dict[str, float]:
    table = pd.read_csv(out / "areas.csv")
    whole = table[table["area"] == table["area"].iloc[0]].set_index("quantity")["best"]
    return {str(name).split(" 20")[0]: float(value) for name, value in whole.items()}


def area(mask: xr.DataArray) -> float:
    return float(sl.areas(mask)["best"].iloc[0])


def hidden_by(scene: xr.DataArray) -> np.ndarray:
    return ~np.isfinite(scene.values).all(axis=0)


CASES = {
    "internal_mask.tif": DN,
    "sidecar_mask.tif": DN,
    "alpha_band.tif": DN,
    "quad_with_alpha.tif": (*DN, "--band-names", "blue,green,red,nir,alpha"),
    "nodata_minus_inf.tif": ("--platform", "landsat-8"),
    "bands_and_quality_in_one_file.tif": (*C2, "--platform", "landsat-8"),
    "datacube_with_masks.nc": DN,
    "datacube_two_dates.nc:2017-11-07": DN,
    "level2_with_lat_lon.nc": (),
}
HIDDEN = {  # pixels, of 16,800
    "internal_mask.tif": 5600,
    "sidecar_mask.tif": 5600,
    "alpha_band.tif": 5600,
    "quad_with_alpha.tif": 7800,
    "nodata_minus_inf.tif": 1400,
    "bands_and_quality_in_one_file.tif": 900,
    "datacube_with_masks.nc": 2300,
    "datacube_two_dates.nc:2017-11-07": 2300,
    "level2_with_lat_lon.nc": 0,
}


def options_of(case: str) -> dict[str, object]:
    words = dict(zip(CASES[case][::2], CASES[case][1::2], strict=True))
    options: dict[str, object] = {
        name: float(words[f"--{name}"]) for name in ("scale", "offset") if f"--{name}" in words
    }
    if "--platform" in words:
        options["platform"] = words["--platform"]
    if "--band-names" in words:
        options["band_names"] = words["--band-names"].split(",")
    return options


@pytest.mark.filterwarnings("ignore:.*may mean nodata")  # the cloud, which is of one number
@pytest.mark.parametrize("case", CASES)
def test_what_is_masked_is_not_observed_and_the_rest_is_measured(odd_files, lake, case):
    scene = sl.open_scene(str(odd_files / case), **options_of(case))
    hidden = hidden_by(scene)
    assert hidden.sum() == HIDDEN[case]
    assert set(scene["band"].values.tolist()) <= {
        *("coastal", "blue", "green", "red", "nir08", "swir16", "swir22")
    }  # fmt: skip
    cloud = (scene.values > 0.59).all(axis=0)  # where there is no quality band to hide it
    mask = sl.water_mask(sl.segment(scene))
    assert ((mask.values == 255) == hidden).all()
    assert area(mask) == pytest.approx(expected(lake, hidden | cloud), rel=0.01)


@pytest.mark.parametrize(
    "case",
    ["alpha_band.tif", "bands_and_quality_in_one_file.tif", "datacube_two_dates.nc:2017-11-07"],
)
def test_on_the_command_line(odd_files, lake, tmp_path, case):
    hidden = hidden_by(sl.open_scene(str(odd_files / case), **options_of(case)))
    how = ("--clusters", "4", "--vectors", "none", "--out", tmp_path / "out")
    run = strandline("segment", odd_files / case, *CASES[case], *how)
    assert run.returncode == 0, run.stderr
    found = measured(tmp_path / "out")
    assert found["water"] == pytest.approx(expected(lake, hidden), rel=0.01)
    assert found["not observed"] == pytest.approx(hidden.sum() * PIXEL, rel=1e-3)
    info = strandline("info", odd_files / case, *CASES[case], "--statistics")
    assert info.returncode == 0, info.stderr
    (line,) = [line for line in info.stdout.splitlines() if line.startswith("not observed")]
    assert line.split()[2] == f"{hidden.sum():,}"


def test_streamed_and_in_memory_masks_hide_the_same(odd_files, tmp_path, monkeypatch):
    config = {
        "scenes": [{"source": str(odd_files / "sidecar_mask.tif"), "scale": 1e-4}],
        "n_clusters": 4,
        "vectors": [],
    }
    whole = sl.run_study(config, tmp_path / "whole")
    monkeypatch.setattr(stages, "IN_MEMORY_BYTES", 0)
    tiles = sl.run_study(config, tmp_path / "tiles")
    for name in ("areas.csv", "quality.csv", "water.png"):
        assert (whole / name).read_bytes() == (tiles / name).read_bytes(), name
    quality = pd.read_csv(whole / "quality.csv").set_index("what")["pixels"]
    assert quality["masked_in_file"] == quality["not_observed"] == 5600
    inputs = json.loads((whole / "record.json").read_text())["inputs"]
    assert {Path(one["path"]).name for one in inputs} == {
        "sidecar_mask.tif",
        "sidecar_mask.tif.msk",
    }


def test_infinity_for_no_data_is_written_and_read_again(odd_files, tmp_path):
    out = tmp_path / "out"
    run = strandline(
        *("segment", odd_files / "nodata_minus_inf.tif", "--platform", "landsat-8"),
        *("--nodata", "-inf", "--clusters", "3", "--vectors", "none", "--out", out),
    )
    assert run.returncode == 0, run.stderr
    config = json.loads((out / "record.json").read_text(), parse_constant=pytest.fail)["config"]
    assert config["scenes"][0]["nodata"] == "-inf"
    assert sl.StudyConfig.parse(config).scenes[0].nodata == -np.inf


@pytest.mark.parametrize("bands", ["SR_B3,SR_B5,SR_B6", "B3,B5,B6", "green,nir,swir1"])
def test_bands_are_chosen_before_anything_is_judged(odd_files, lake, tmp_path, bands):
    """Whichever names they are asked for by: of the file, the sensor, or what they see."""
    with rasterio.open(odd_files / "bands_and_quality_in_one_file.tif") as file:
        profile, values, names = file.profile, file.read(), file.descriptions
    profile["count"] += 1
    path = tmp_path / "odd.tif"
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.concatenate([values, np.full_like(values[:1], 65535)]))
        file.descriptions = (*names, "gain")
    config = {
        "scenes": [
            {"source": str(path), "scale": 2.75e-5, "offset": -0.2, "platform": "landsat-8"}
        ],
        "n_clusters": 4,
        "vectors": [],
    }
    with pytest.warns(SuspiciousSceneWarning, match="gain"):
        sl.check_scene(sl.open_scene(path, scale=2.75e-5, offset=-0.2, platform="landsat-8"))
    out = sl.run_study({**config, "bands": bands.split(",")}, tmp_path / "some")
    signatures = pd.read_csv(out / "signatures.csv")
    assert signatures.columns[2::2].tolist() == ["green_mean", "nir08_mean", "swir16_mean"]
    hidden = values[names.index("QA_PIXEL")] == 22280
    assert measured(out)["water"] == pytest.approx(expected(lake, hidden), rel=0.02)


def test_a_band_that_is_another_in_another_scene_is_refused(odd_files, tmp_path):
    stack = str(odd_files / "south_up.tif")
    scenes = [
        {"source": stack, "scale": 1e-4, "platform": platform, "time": time,
         "band_names": ["B1", "B2", "B3", "B4", "B5", "B7"]}
        for platform, time in (("landsat-5", "1990-01-01"), ("landsat-8", "2017-01-01"))
    ]  # fmt: skip
    with pytest.raises(StrandlineError, match=r"'B3' is not the same"):
        sl.run_study({"scenes": scenes, "bands": ["B3", "B4"]}, tmp_path / "out")


def test_a_stack_that_nobody_named_needs_its_platform_alone(odd_files, lake, tmp_path):
    with rasterio.open(odd_files / "south_up.tif") as file:
        profile, values = file.profile, file.read()
    with rasterio.open(tmp_path / "stack.tif", "w", **profile) as file:
        file.write(values)
    scene = sl.open_scene(tmp_path / "stack.tif", scale=1e-4, platform="landsat-5")
    water = sl.water_mask(sl.segment(scene))
    assert area(water) == pytest.approx(118.81, rel=0.01)


# --- dates ----------------------------------------------------------------------


def test_a_file_of_two_dates_says_which_and_how_to_pick_one(odd_files):
    path = odd_files / "datacube_two_dates.nc"
    run = strandline("segment", path, *DN)
    assert run.returncode == 2
    assert "2017-10-22, 2017-11-07" in run.stderr
    assert f"{path}:2017-10-22" in run.stderr
    info = strandline("info", path, *DN)
    assert info.returncode == 0, info.stderr
    assert "2 dates" in info.stdout
    assert f"{path}:2017-10-22" in info.stdout
    for wrong in ("2016-01-01", "2017-10"):
        with pytest.raises(UnknownProductError, match=r"2017-10-22, 2017-11-07"):
            sl.open_scene(f"{path}:{wrong}", scale=1e-4)


def test_a_date_is_picked_by_the_source_or_the_option(odd_files):
    path = odd_files / "datacube_two_dates.nc"
    by_name = sl.open_scene(f"{path}:2017-11-07", scale=1e-4)
    by_time = sl.open_scene(path, time="2017-11-07", scale=1e-4)
    xr.testing.assert_identical(by_name, by_time)
    assert str(by_name["time"].values)[:19] == "2017-11-07T00:03:10"
    exact = sl.open_scene(f"{path}:2017-11-07T00:03:10", scale=1e-4)
    xr.testing.assert_identical(by_name, exact)


def test_a_timeline_takes_a_file_with_all_its_dates(odd_files, lake, tmp_path):
    path, out = odd_files / "datacube_two_dates.nc", tmp_path / "out"
    run = strandline("timeline", path, *DN, "--clusters", "4", "--out", out)
    assert run.returncode == 0, run.stderr
    series = pd.read_csv(out / "timeline.csv")
    assert series["time"].str[:10].tolist() == ["2017-10-22", "2017-11-07"]
    hidden = hidden_by(sl.open_scene(f"{path}:2017-10-22", scale=1e-4))
    assert series["best"].to_numpy() == pytest.approx(expected(lake, hidden), rel=0.01)
    record = json.loads((out / "record.json").read_text())
    assert [scene["source"] for scene in record["config"]["scenes"]] == [
        f"{path}:2017-10-22", f"{path}:2017-11-07"
    ]  # fmt: skip
    assert [one["path"] for one in record["inputs"]] == [str(path)]
    again = strandline("replay", out / "record.json")
    assert again.returncode == 0, again.stderr


def cube(times: object) -> xr.Dataset:
    numbers = np.random.default_rng(4)
    count = len(list(times))  # type: ignore[call-overload]
    dataset = xr.Dataset(
        {
            name: (("time", "y", "x"), numbers.uniform(low, low + 0.05, (count, 20, 30)))
            for name, low in (("green", 0.08), ("nir", 0.2), ("swir1", 0.1))
        },
        coords={"y": np.arange(20)[::-1] * 30.0, "x": np.arange(30) * 30.0, "time": times},
    )
    return assign_crs(dataset, "EPSG:32611")


@pytest.mark.parametrize(
    "times",
    [
        ["2017-10-22", "2017-11-07"],
        ["20171022", "20171107"],
        [20171022, 20171107],
        ["2017-10-22T18:33:10Z", "2017-11-07T18:33:10+02:00"],
        [datetime.date(2017, 10, 22), datetime.date(2017, 11, 7)],
        [cftime.DatetimeGregorian(2017, 10, 22), cftime.DatetimeGregorian(2017, 11, 7)],
        [cftime.DatetimeNoLeap(2017, 10, 22, 5), cftime.DatetimeNoLeap(2017, 11, 7, 5)],
        [pd.Timestamp(f"2017-{day}", tz="America/Los_Angeles") for day in ("10-22", "11-07")],
    ],
    ids=["text", "digits", "numbers", "zone", "date", "cftime", "noleap", "timestamps"],
)
def test_times_of_any_kind_are_understood(times):
    dataset = cube(pd.Index(times, dtype=None if isinstance(times[0], int) else object))
    one = sl.open_scene(dataset.isel(time=[0]))
    assert str(one["time"].values)[:10] == "2017-10-22"
    assert str(sl.open_scene(dataset.isel(time=1))["time"].values)[:10] == "2017-11-07"
    picked = sl.open_scene(dataset, time="2017-11-07")
    assert str(picked["time"].values)[:10] == "2017-11-07"
    np.testing.assert_allclose(picked.sel(band="nir08"), dataset["nir"][1], rtol=1e-6)


def test_times_that_are_none_are_named_in_plain_words():
    with pytest.raises(MetadataError, match=r"cannot be understood.*got 'yesterday'"):
        sl.open_scene(cube(["yesterday", "today"]))
    with pytest.raises(UnknownProductError, match="several dates of 2017-10-22"):
        sl.open_scene(cube(["2017-10-22", "2017-10-22"]), time="2017-10-22")


def test_two_times_of_one_day_are_named_to_the_second():
    dataset = cube(["2017-10-22T10:00:00", "2017-10-22T22:00:00"])
    with pytest.raises(UnknownProductError, match=r"2017-10-22T10:00:00, 2017-10-22T22:00:00"):
        sl.open_scene(dataset)
    with pytest.raises(UnknownProductError, match="several dates"):
        sl.open_scene(dataset, time="2017-10-22")
    evening = sl.open_scene(dataset, time="2017-10-22T22:00")
    assert str(evening["time"].values)[:13] == "2017-10-22T22"


# --- arrays and datasets of others ------------------------------------------------


def test_a_dataset_is_segmented_and_followed(odd_files, lake):
    dataset = xr.open_dataset(odd_files / "level2_with_lat_lon.nc", decode_coords="all")
    result = sl.segment(dataset, bands=["green", "nir", "swir1"])
    assert result["band"].values.tolist() == ["green", "nir08", "swir16"]
    water = sl.water_mask(result)
    assert area(water) == pytest.approx(118.81, rel=0.01)
    both = sl.segment(cube(["2017-10-22", "2017-11-07"]), 2)
    assert both["labels"].dims == ("time", "y", "x")
    assert sl.timeline(cube(["2017-10-22", "2017-11-07"]), n_clusters=2).sizes["time"] == 2


def test_a_dataset_that_does_not_say_enough_names_the_way():
    numbers = (cube(["2017-10-22", "2017-11-07"]) * 1e4).astype(np.int16)
    with pytest.raises(StrandlineError, match=r"open_scene\(dataset.*scale"):
        sl.segment(numbers, 2)


def test_plain_arrays_may_use_the_aliases(odd_files, lake):
    scene = sl.open_scene(odd_files / "level2_with_lat_lon.nc").compute()
    names = ["blue", "green", "red", "nir", "swir1", "swir2"]
    plain = scene.assign_coords(band=names).drop_attrs(deep=False)
    result = sl.segment(plain.assign_attrs(units="1"))
    assert result["band"].values.tolist() == scene["band"].values.tolist()
    assert (sl.water_mask(result).values == sl.water_mask(sl.segment(scene)).values).all()
    again = sl.segment(scene, bands=["B3", "swir1"])
    assert again["band"].values.tolist() == ["green", "swir16"]
    history = sl.timeline([plain.assign_attrs(units="1"), plain.assign_coords(time="2018-01-01")])
    assert history.sizes["time"] == 2


def test_a_source_of_a_catalogue_with_several_dates_is_followed_too(odd_files, tmp_path):
    catalog = tmp_path / "catalog.yml"
    catalog.write_text(
        "sources:\n  cube:\n    driver: netcdf\n    args:\n"
        f"      urlpath: {odd_files / 'datacube_two_dates.nc'}\n"
        "      chunks: {lat: 50, lon: 50}\n    metadata: {scale: 0.0001}\n"
    )
    source = f"{catalog}:cube"
    assert str(sl.open_scene(source, time="2017-11-07")["time"].values)[:10] == "2017-11-07"
    out = run_timeline([{"source": source}], tmp_path / "out", settings={"n_clusters": 3})
    series = pd.read_csv(out / "timeline.csv")
    assert series["time"].str[:10].tolist() == ["2017-10-22", "2017-11-07"]


@pytest.mark.parametrize("chunks", ["{lat: 50, lon: 60}", "{latitude: 50, longitude: 60}"])
def test_chunks_by_latitude_and_longitude_open_as_a_scene_too(odd_files, tmp_path, chunks):
    catalog = tmp_path / "catalog.yml"
    catalog.write_text(
        "sources:\n  lake:\n    driver: rasterio\n    args:\n"
        f"      urlpath: {odd_files / 'internal_mask.tif'}\n      chunks: {chunks}\n"
        "    metadata: {scale: 0.0001}\n"
    )
    source = sl.open_catalog(catalog)["lake"]
    assert source.to_dask().chunks[1:] == ((50, 50, 40), (60, 60))
    scene = sl.open_scene(f"{catalog}:lake")
    assert scene.chunks[1:] == ((50, 50, 40), (60, 60))
    assert hidden_by(scene).sum() == 5600
