"""The simulated Walker Lake: its areas, its spectra, its product, and that it repeats."""

from __future__ import annotations

import hashlib
import json
import tarfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  # registers the `.rio` accessor
import xarray as xr

from strandline.errors import ConfigurationError, OutputError
from strandline.scenes.landsat.mtl import parse_metadata
from strandline.scenes.open import open_scene
from strandline.scenes.simulate import simulate_scene
from strandline.scenes.simulation import lake, product
from strandline.scenes.simulation.geography import CENTRE
from strandline.scenes.simulation.landcover import ground
from strandline.scenes.simulation.noise import Axes
from strandline.scenes.simulation.optics import CLASSES
from strandline.scenes.simulation.render import QUALITY, Acquisition
from strandline.scenes.simulation.terrain import landscape

SMALL = {"size": (300, 150), "resolution": 90}


@pytest.fixture(scope="module")
def pair() -> dict[str, tuple[xr.DataArray, xr.DataArray]]:
    """Both dates at 60 m, with the whole lake in view."""
    return {
        day: simulate_scene(day, size=(660, 560), resolution=60)
        for day in ("1988-10-22", "2017-10-22")
    }


def test_a_scene_keeps_the_contract(pair):
    for day, bands in (
        ("1988-10-22", "blue green red nir08 swir16 swir22"),
        ("2017-10-22", "coastal blue green red nir08 swir16 swir22"),
    ):
        scene, water = pair[day]
        assert scene.dims == ("band", "y", "x")
        assert scene.dtype == np.float32
        assert " ".join(scene.band.values) == bands
        assert scene.attrs["units"] == "1"
        assert str(scene.time.values)[:10] == day
        assert scene.odc.geobox.crs.epsg == 32611
        assert scene.rio.crs.to_epsg() == 32611
        assert water.dims == ("y", "x")
        assert water.dtype == np.float32
        assert water.odc.geobox == scene.odc.geobox
        assert float(water.min()) == 0.0
        assert float(water.max()) == 1.0
    assert pair["1988-10-22"][0].attrs["platform"] == "landsat-5"
    assert pair["2017-10-22"][0].attrs["platform"] == "landsat-8"


def test_the_lake_has_the_areas_that_landsat_saw(pair):
    # Digitised from the chart of simulator_facts.json.
    for day, area in (("1988-10-22", 150.7), ("2017-10-22", 119.1)):
        water = pair[day][1]
        assert water.attrs["lake_area_km2"] == pytest.approx(area, rel=0.01)
        assert float(water.sum(dtype="float64")) * 0.06**2 == pytest.approx(
            water.attrs["water_area_km2"], rel=1e-6
        )


@pytest.mark.parametrize("level", [1185.0, 1199.57, 1210.0, 1230.0, 1248.0])
def test_every_level_has_the_area_of_the_survey(level):
    _, water = simulate_scene(level=level, size=(500, 240), resolution=90, platform="landsat-8")
    assert water.attrs["lake_area_km2"] == pytest.approx(lake.area_at(level), rel=0.01)
    assert water.attrs["surveyed_lake_area_km2"] == lake.area_at(level)


def test_the_level_area_curve_holds_the_surveyed_rows_and_volume():
    assert lake.area_at(3935.6 * 0.3048) == pytest.approx(32_190 * 0.0040468564, rel=0.001)
    assert lake.area_at(4120 * 0.3048) == pytest.approx(81_360 * 0.0040468564, rel=0.001)
    levels = np.linspace(lake.BOTTOM, 3935.6 * 0.3048, 4001)
    volume = np.trapezoid([lake.area_at(level) for level in levels], levels)
    assert volume / 1000 == pytest.approx(1_779_000 * 1.2334818e-6, rel=0.015)


def test_the_lake_loses_water_and_gains_none(pair):
    before, after = (pair[day][1].values for day in ("1988-10-22", "2017-10-22"))
    assert np.all(after <= before)
    assert np.sum(before - after) * 0.06**2 == pytest.approx(31.6, abs=1.0)


def test_levels_between_known_dates_lie_between_their_levels():
    assert lake.level_on(date(1988, 10, 22)) == pytest.approx(1207.9, abs=0.01)
    assert lake.level_on(date(2017, 10, 22)) == pytest.approx(1195.1, abs=0.01)
    assert 1202.0 < lake.level_on(date(1991, 6, 1)) < 1207.9
    assert lake.level_on(date(2030, 1, 1)) == lake.level_on(date(2017, 10, 22))


def test_shoreline_pixels_are_mixtures(pair):
    for scene, water in pair.values():
        share = water.values
        mixed = (share > 0.0) & (share < 1.0)
        # About one pixel wide along some 60 km of shore.
        assert 600 < mixed.sum() < 3000
        near = scene.sel(band="swir16").values
        means = [
            near[mixed & (share > low) & (share <= low + 0.25)].mean()
            for low in (0.0, 0.25, 0.5, 0.75)
        ]
        assert means == sorted(means, reverse=True)
        assert means[0] > 4 * means[-1]


def test_spectra_are_those_measured_on_the_real_scenes(real_data):
    facts = json.loads((real_data / "facts" / "walker_class_spectra.json").read_text())
    names = {
        "scrub": "bare_mountain_desert_scrub",
        "alluvium": "bright_alluvium_bajada",
        "conifer": "conifer_woodland",
        "playa": "playa_salt_flat",
    }
    for day, sensor in (("1988-10-22", "TM_1988"), ("2017-10-22", "OLI_2017")):
        scene, water = simulate_scene(day, size=(700, 700), resolution=150, snow=False)
        cover = ground(_axes_of(scene), landscape(0), int(day[:4]))
        seen = np.isfinite(scene.values[0])
        measured = facts[sensor]["classes"]
        for name, known in names.items():
            there = seen & (cover.code == CLASSES.index(name)) & (water.values == 0)
            assert there.sum() > 1000
            mean = scene.values[:, there].mean(axis=1, dtype="float64")
            np.testing.assert_allclose(mean, measured[known]["mean"], rtol=0.18, err_msg=name)
            spread = scene.values[:, there].std(axis=1, dtype="float64")
            ratio = spread / measured[known]["std"]
            assert np.all((ratio > 0.5) & (ratio < 1.7)), (name, ratio)


def test_the_lake_looks_like_the_lake(pair, real_data):
    facts = json.loads((real_data / "facts" / "walker_class_spectra.json").read_text())
    for day, sensor in (("1988-10-22", "TM_1988"), ("2017-10-22", "OLI_2017")):
        scene, water = pair[day]
        mean = scene.values[:, water.values == 1].mean(axis=1, dtype="float64")
        measured = facts[sensor]["classes"]["water_walker"]["mean"]
        np.testing.assert_allclose(mean, measured, rtol=0.15, atol=0.001)


def test_the_whole_scene_is_as_bright_as_the_real_one(real_data):
    folder = real_data / "walker_lake_3km"
    names = {
        "1988-10-22": ("LT05_L1TP_042033_19881022_20161001_01_T1_sr_band", (1, 2, 3, 4, 5, 7)),
        "2017-10-22": ("LC08_L1TP_042033_20171022_20171107_01_T1_sr_band", range(1, 8)),
    }
    for day, (stem, bands) in names.items():
        scene, _ = simulate_scene(day, size="full", resolution=600)
        for band, number in enumerate(bands):
            with rasterio.open(folder / f"{stem}{number}.tif") as file:
                real = file.read(1, masked=True).compressed() * 1e-4
            assert np.nanmedian(scene.values[band]) == pytest.approx(np.median(real), rel=0.2)


def test_the_full_scene_has_the_real_grid_and_footprint(real_data):
    folder = real_data / "walker_lake_3km"
    for day, file_name, size, share in (
        (
            "1988-10-22",
            "LT05_L1TP_042033_19881022_20161001_01_T1_sr_band1.tif",
            (7241, 7961),
            0.647,
        ),
        (
            "2017-10-22",
            "LC08_L1TP_042033_20171022_20171107_01_T1_sr_band1.tif",
            (7941, 7821),
            0.652,
        ),
    ):
        scene, water = simulate_scene(day, size="full", resolution=300)
        assert float(np.isfinite(water).mean()) == pytest.approx(share, abs=0.006)
        assert np.array_equal(np.isfinite(scene.values[0]), np.isfinite(water.values))
        grid = scene.odc.geobox
        with rasterio.open(folder / file_name) as file:
            assert abs(grid.transform.c - file.transform.c) <= 300
            assert abs(grid.transform.f - file.transform.f) <= 300
        assert grid.shape == (-(-size[0] // 10), -(-size[1] // 10))


def test_pixel_edges_lie_where_landsats_do():
    scene, _ = simulate_scene(size=(101, 120))
    transform = scene.odc.geobox.transform
    assert transform.c % 30 == 15
    assert transform.f % 30 == 15
    # The lake's centre, -118.7081° 38.6942°, is (351453, 4284227) in zone 11.
    assert float(scene.x.mean()) == pytest.approx(351453, abs=30)
    assert float(scene.y.mean()) == pytest.approx(4284227, abs=30)


def test_a_window_is_a_cut_out_of_a_larger_one():
    for resolution, large, small in ((30, (420, 610), (133, 121)), (150, (640, 560), (300, 333))):
        whole, whole_water = simulate_scene("2017-10-22", size=large, resolution=resolution)
        part, part_water = simulate_scene("2017-10-22", size=small, resolution=resolution)
        cut = {"y": part.y, "x": part.x}
        np.testing.assert_array_equal(whole.sel(cut).values, part.values)
        np.testing.assert_array_equal(whole_water.sel(cut).values, part_water.values)


def test_tiles_do_not_show(monkeypatch):
    whole, _ = simulate_scene("2017-10-22", **SMALL, cloud_cover=0.2)
    monkeypatch.setattr("strandline.scenes.simulation.render.STRIP", 37)
    monkeypatch.setattr("strandline.scenes.simulation.render.TILE_COLS", 41)
    tiled, _ = simulate_scene("2017-10-22", **SMALL, cloud_cover=0.2)
    np.testing.assert_array_equal(whole.values, tiled.values)


def test_seeds_make_other_landscapes_and_noise():
    one, two = (simulate_scene(**SMALL, seed=seed)[0] for seed in (0, 1))
    again, _ = simulate_scene(**SMALL, seed=1)
    xr.testing.assert_identical(two, again)
    assert np.corrcoef(one.values[3].ravel(), two.values[3].ravel())[0, 1] < 0.9


def test_both_sensors_see_one_landscape():
    tm, tm_water = simulate_scene("2017-10-22", **SMALL, platform="landsat-5")
    oli, oli_water = simulate_scene("2017-10-22", **SMALL, platform="LANDSAT_8")
    np.testing.assert_array_equal(tm_water.values, oli_water.values)
    for band in tm.band.values:
        a, b = (s.sel(band=band).values.ravel() for s in (tm, oli))
        assert np.corrcoef(a, b)[0, 1] > 0.97


def test_tm_is_coarse_and_noisy_and_oli_is_not():
    inside = {"y": slice(4_286_000, 4_282_000), "x": slice(349_500, 353_500)}
    tm, _ = simulate_scene("1988-10-22", size=(200, 200))
    red = tm.sel(band="red").sel(inside).values
    steps = np.diff(np.unique(red))
    assert steps.min() == pytest.approx(0.0042, abs=1e-4)
    assert red.std() == pytest.approx(0.0021, rel=0.5)
    oli, _ = simulate_scene("2017-10-22", size=(200, 200))
    red = oli.sel(band="red").sel(inside).values
    assert len(np.unique(red)) > 80
    assert red.std() < 0.0016


# --- clouds and snow --------------------------------------------------------


def test_clouds_cover_what_was_asked_and_are_masked(tmp_path):
    scene, water = simulate_scene("2017-10-22", **SMALL, cloud_cover=0.3, path=tmp_path)
    folder = Path(scene.attrs["source"])
    quality = _read(folder, "QA_PIXEL")
    cloud = (quality >> 3) & 1 == 1
    assert cloud.mean() == pytest.approx(0.3, abs=0.02)
    shadow = (quality >> 4) & 1 == 1
    assert shadow.mean() > 0.05
    assert (quality >> 1).astype(bool).any()
    seen = np.isfinite(scene.values).all(axis=0)
    assert not seen[cloud | shadow].any()
    assert 0.3 < seen.mean() < 0.65
    # The truth knows what is under the clouds.
    assert np.isfinite(water.values).all()
    raw = open_scene(folder, mask=())
    assert float(raw.sel(band="blue").values[cloud].mean()) > 0.35
    assert float(raw.sel(band="green").values[shadow].mean()) < 0.1
    text = (folder / f"{folder.name}_MTL.txt").read_text()
    percent = parse_metadata(text, "MTL").number("CLOUD_COVER", "IMAGE_ATTRIBUTES")
    assert percent == pytest.approx(100 * cloud.mean(), abs=0.01)


def test_shadows_fall_away_from_the_sun(tmp_path):
    scene, _ = simulate_scene("2017-10-22", size=(300, 300), cloud_cover=0.12, path=tmp_path)
    quality = _read(Path(scene.attrs["source"]), "QA_PIXEL")
    cloud, shadow = (quality >> 3) & 1, (quality >> 4) & 1
    # Sun at 38° in the south-south-east: 1600 m high clouds throw shadows 2.0 km, to the
    # north-north-west (rows up, columns left): 64 rows and 24 columns of 30 m.
    here = cloud[70:, 30:]
    away = shadow[6:-64, 6:-24]
    assert (away[here == 1] == 1).mean() > 0.6
    other = shadow[70:, 30:]
    assert (other[here == 1] == 1).mean() < 0.3


def test_snow_lies_on_the_sierra_in_2017_and_not_in_1988(tmp_path):
    kwargs = {"size": "full", "resolution": 600, "path": tmp_path}
    quality = {}
    for day in ("1988-10-22", "2017-10-22"):
        scene, _ = simulate_scene(day, **kwargs)
        quality[day] = _read(Path(scene.attrs["source"]), "QA_PIXEL")
    assert not np.isin(quality["1988-10-22"], [13664, 30048]).any()
    rows, cols = np.nonzero(quality["2017-10-22"] == 30048)
    assert 0.002 < rows.size / (quality["2017-10-22"] != 1).sum() < 0.02
    height, width = quality["2017-10-22"].shape
    assert np.median(rows) > height * 0.6
    assert np.median(cols) < width * 0.3


def test_a_snow_line_can_be_given():
    kwargs = {"size": (500, 500), "resolution": 300, "date": "1988-10-22"}
    bare = simulate_scene(**kwargs, snow=False)[0].sel(band="green")
    default = simulate_scene(**kwargs)[0].sel(band="green")
    deep = simulate_scene(**kwargs, snow=1800.0)[0].sel(band="green")
    np.testing.assert_array_equal(bare.values, default.values)
    assert float((deep > 0.35).mean()) > 5 * float((bare > 0.35).mean())


# --- the product ------------------------------------------------------------


def test_the_product_is_what_memory_holds(tmp_path):
    for day in ("1988-10-22", "2017-10-22"):
        scene, water = simulate_scene(day, **SMALL, path=tmp_path, cloud_cover=0.1)
        assert scene.chunks is not None
        memory, memory_water = simulate_scene(day, **SMALL, cloud_cover=0.1)
        source = scene.attrs.pop("source")
        memory.attrs.pop("source")
        xr.testing.assert_identical(scene.compute(), memory)
        xr.testing.assert_identical(water, memory_water)
        opened = open_scene(source)
        opened.attrs.pop("source")
        xr.testing.assert_identical(opened.compute(), memory)


def test_the_folder_holds_a_collection_2_level_2_product(tmp_path):
    scene, water = simulate_scene("1988-10-22", **SMALL, path=tmp_path)
    name = "LT05_L2SP_042033_19881022_20200917_02_T1"
    folder = tmp_path / name
    assert scene.attrs["source"] == str(folder)
    ends = [f"SR_B{n}.TIF" for n in "123457"] + ["QA_PIXEL.TIF", "QA_RADSAT.TIF", "MTL.txt"]
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{name}_{end}" for end in ends)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    for end in ends[:-1]:
        with rasterio.open(folder / f"{name}_{end}") as file:
            assert file.dtypes == ("uint16",)
            assert file.profile["tiled"]
            assert file.compression.value == "DEFLATE"
            assert file.crs.to_epsg() == 32611
            assert file.transform == scene.odc.geobox.transform
            assert file.nodata == {"QA_PIXEL.TIF": 1, "QA_RADSAT.TIF": None}.get(end, 0)
            assert file.tags()["AREA_OR_POINT"] == "Point"
    quality = _read(folder, "QA_PIXEL")
    np.testing.assert_array_equal(quality == QUALITY["tm"]["water"], water.values >= 0.5)
    assert set(np.unique(quality)) == {5440, 5504}
    assert not _read(folder, "QA_RADSAT").any()
    stored = _read(folder, "SR_B4").astype(np.float64) * 2.75e-5 - 0.2
    np.testing.assert_allclose(scene.sel(band="nir08").values, stored, atol=1e-6)


def test_the_mtl_file_has_groups_and_keys_of_a_real_one(tmp_path, real_data):
    scene, _ = simulate_scene("1988-10-22", **SMALL, path=tmp_path)
    folder = Path(scene.attrs["source"])
    ours = parse_metadata((folder / f"{folder.name}_MTL.txt").read_text(), "ours")
    archive = real_data / "ingest_c2l2_bundles" / "LT05_L2SP_090084_19980308_20200909_02_T1.tar.gz"
    with tarfile.open(archive) as tar:
        member = next(m for m in tar.getnames() if m.endswith("_MTL.txt"))
        file = tar.extractfile(member)
        assert file is not None
        real = parse_metadata(file.read().decode(), "real")
    assert set(ours.groups) <= set(real.groups)
    for group, keys in ours.groups.items():
        assert set(keys) <= set(real.groups[group]), group
    missing = set(real.groups) - set(ours.groups)
    # No thermal band, and no radiances or instrument details that were never measured.
    assert missing == {
        "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS",
        "LEVEL1_MIN_MAX_RADIANCE",
        "LEVEL1_THERMAL_CONSTANTS",
        "PRODUCT_PARAMETERS",
    }
    assert ours.groups["PRODUCT_CONTENTS"]["ORIGIN"].startswith("Simulated")


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    def digest(parent: Path) -> dict[str, str]:
        scene, _ = simulate_scene("2017-10-22", **SMALL, seed=3, cloud_cover=0.2, path=parent)
        folder = Path(scene.attrs["source"])
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}

    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    whole = Acquisition.strips

    def broken(self):
        yield next(iter(whole(self)))
        raise KeyboardInterrupt

    monkeypatch.setattr(Acquisition, "strips", broken)
    with pytest.raises(KeyboardInterrupt):
        simulate_scene(**SMALL, path=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_simulation_replaces_a_simulation_but_never_a_real_product(tmp_path):
    first, _ = simulate_scene(**SMALL, path=tmp_path)
    folder = Path(first.attrs["source"])
    before = _read(folder, "SR_B4")
    simulate_scene(**SMALL, seed=2, path=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]
    assert (_read(folder, "SR_B4") != before).any()
    record = folder / f"{folder.name}_MTL.txt"
    record.write_text(record.read_text().replace(product.ORIGIN, "Image courtesy of the USGS"))
    with pytest.raises(OutputError, match="was not simulated"):
        simulate_scene(**SMALL, path=tmp_path)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        simulate_scene(**SMALL, path=tmp_path / "file")


# --- arguments --------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"date": "1972-08-01"}, "1982-07-16 or later"),
        ({"date": "yesterday-ish"}, "a day such as"),
        ({"date": None}, "a day such as"),
        ({"level": 3921}, "0.3048"),
        ({"level": 1100.0}, "level="),
        ({"level": float("nan")}, "level="),
        ({"size": (99, 200)}, "from 100 to 8000"),
        ({"size": (200, 9000)}, "size='full'"),
        ({"size": (200.5, 200)}, "whole numbers"),
        ({"size": 500}, "rows, cols"),
        ({"size": "half"}, "'full'"),
        ({"resolution": 0}, "resolution="),
        ({"resolution": "30"}, "resolution="),
        ({"platform": "landsat-7"}, "landsat-4, landsat-5, landsat-8, landsat-9"),
        ({"platform": "sentinel-2"}, "sentinel-2"),
        ({"seed": -1}, "seed="),
        ({"seed": 1.5}, "seed="),
        ({"cloud_cover": -0.1}, "cloud_cover="),
        ({"cloud_cover": 30}, "0 to 1"),
        ({"snow": -5.0}, "snow="),
    ],
)
def test_bad_arguments_are_named(kwargs, message):
    with pytest.raises(ConfigurationError, match=message):
        simulate_scene(**kwargs)


def test_platforms_follow_the_date():
    for day, platform in (
        ("1983-06-01", "landsat-4"),
        (date(1999, 7, 1), "landsat-5"),
        (np.datetime64("2013-06-01"), "landsat-8"),
    ):
        scene, _ = simulate_scene(day, size=(100, 100))
        assert scene.attrs["platform"] == platform


# --- one helper per question ------------------------------------------------


def _read(folder: Path, end: str) -> np.ndarray:
    with rasterio.open(folder / f"{folder.name}_{end}.TIF") as file:
        return file.read(1)


def _axes_of(scene: xr.DataArray) -> Axes:
    grid = scene.odc.geobox
    resolution = grid.resolution.x
    first_col = round((grid.transform.c - 15.0) / resolution)
    first_row = round((15.0 - grid.transform.f) / resolution)
    return Axes(first_row, first_col, *grid.shape, resolution, 15.0 - CENTRE[0], 15.0 - CENTRE[1])
