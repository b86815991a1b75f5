"""Quality band against spectrum: marked, counted, and decided as the caller wishes."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import binary_dilation

from strandline.errors import ConfigurationError, MissingBandError
from strandline.scenes import count_quality, open_scene, quality_table
from strandline.scenes.conflicts import bands_for_conflicts, hidden_by_spectrum, mark_conflicts
from strandline.scenes.quality import CONFLICT, REASONS, reason_bits

BANDS = ["green", "red", "nir08", "swir16"]
SPECTRA = {
    "clear water": (0.06, 0.04, 0.02, 0.01),
    "muddy water": (0.14, 0.13, 0.08, 0.02),
    "soil": (0.12, 0.16, 0.22, 0.30),
    "leaves": (0.07, 0.05, 0.35, 0.18),
    "snow": (0.80, 0.78, 0.75, 0.10),
    "cloud": (0.50, 0.49, 0.52, 0.40),
    "no value": (0.06, 0.04, np.nan, 0.01),
}
QA = {"clear": 21824, "cloud": 22280, "dilated": 21826, "shadow": 23888, "snow": 30048, "fill": 1}


def dataset(lazy=False):
    """Make a scene with a row per spectrum and a column per state of the quality band."""
    rows, columns = len(SPECTRA), len(QA)
    plane = {"y": np.arange(rows) * -30.0, "x": np.arange(columns) * 30.0}
    made = xr.Dataset(coords=plane)
    for index, band in enumerate(BANDS):
        column = np.array([spectrum[index] for spectrum in SPECTRA.values()], np.float32)
        made[band] = ("y", "x"), np.repeat(column[:, None], columns, axis=1)
    made["qa_pixel"] = ("y", "x"), np.tile(np.array(list(QA.values()), np.uint16), (rows, 1))
    return made.chunk(y=3, x=2) if lazy else made


def opened(lazy=False, **options):
    given = {"crs": "EPSG:32611", "scale": 1, "offset": 0, "conflicts": "quality"}
    return open_scene(dataset(lazy), **given | options)


def table_of(values):
    names = list(SPECTRA), list(QA)
    return {
        (spectrum, state): values[row, column]
        for row, spectrum in enumerate(names[0])
        for column, state in enumerate(names[1])
    }


EXPECTED = {
    *((water, state) for water in ("clear water", "muddy water") for state in ("cloud", "dilated")),
    *((water, "snow") for water in ("clear water", "muddy water")),
    ("snow", "clear"),
    ("cloud", "clear"),
}


@pytest.mark.parametrize("lazy", [False, True])
def test_conflicts_are_where_flags_and_spectrum_contradict_each_other(lazy):
    scene = opened(lazy)
    assert isinstance(scene["quality"].data, da.Array) is lazy
    marked = table_of((scene["quality"].values & CONFLICT) != 0)
    assert {where for where, found in marked.items() if found} == EXPECTED
    assert scene["quality"].attrs["flag_meanings"].split()[-1] == "conflict"


@pytest.mark.parametrize("lazy", [False, True])
def test_the_quality_band_wins_unless_the_spectrum_is_asked_to(lazy):
    by_quality = table_of(np.isfinite(opened(lazy).values).all(axis=0))
    by_spectrum = table_of(np.isfinite(opened(lazy, conflicts="spectrum").values).all(axis=0))
    assert by_quality["clear water", "clear"]
    assert not by_quality["clear water", "cloud"]
    assert by_quality["cloud", "clear"]
    changed = {where for where in by_quality if by_quality[where] != by_spectrum[where]}
    back = {where for where in EXPECTED if where[1] in ("cloud", "dilated")}
    assert changed == {*back, ("cloud", "clear")}  # snow was observed before
    assert not by_spectrum["cloud", "clear"]
    with_snow = opened(lazy, conflicts="spectrum", mask=REASONS)
    with_snow = table_of(np.isfinite(with_snow.values).all(axis=0))
    assert not with_snow["snow", "clear"]
    assert with_snow["muddy water", "snow"]


@pytest.mark.parametrize("state", ["shadow", "fill"])
def test_shadow_and_fill_never_win_back(state):
    for options in ({}, {"conflicts": "spectrum"}):
        seen = table_of(np.isfinite(opened(**options).values).all(axis=0))
        assert not any(seen[spectrum, state] for spectrum in SPECTRA)


def test_no_band_is_read_for_marks_that_nobody_asked_for():
    scene = opened(lazy=True, conflicts=None)
    assert not (scene["quality"].values & CONFLICT).any()
    assert "conflict" not in scene["quality"].attrs["flag_meanings"]
    assert "hidden_water" not in quality_table(scene)["what"].values
    np.testing.assert_array_equal(scene.values, opened().values)


def test_a_saturated_pixel_or_one_in_a_clouds_shadow_is_no_conflict():
    scene = opened(mask=())
    for reason in ("saturated", "cloud_shadow", "fill"):
        flags = np.full(scene.shape[1:], reason_bits([reason, "cloud"]), np.uint8)
        named = xr.DataArray(flags, dims=("y", "x"))
        assert not (mark_conflicts(named, scene).values & CONFLICT).any()
        assert hidden_by_spectrum(named, scene, (reason, "cloud")).values.all()


def test_bands_that_say_nothing_leave_the_flags_alone_and_cannot_win():
    few = opened(bands=["green", "red"])
    assert "conflict" not in few["quality"].attrs["flag_meanings"]
    assert bands_for_conflicts(few) is None
    with pytest.raises(MissingBandError, match=r"nir08.*green, red"):
        opened(bands=["green", "red"], conflicts="spectrum")
    with pytest.raises(ConfigurationError, match="stored numbers"):
        opened(reflectance=False, conflicts="spectrum")
    with pytest.raises(ConfigurationError, match=r"'spectrum'.*'both'"):
        opened(conflicts="both")


def test_a_scene_that_comes_back_from_a_file_keeps_its_decision(tmp_path):
    scene = opened(lazy=True, conflicts="spectrum")
    scene.to_netcdf(tmp_path / "scene.nc")
    for options in ({}, {"conflicts": "spectrum"}):
        again = open_scene(tmp_path / "scene.nc", **options)
        np.testing.assert_array_equal(again.values, scene.values)
        np.testing.assert_array_equal(again["quality"].values, scene["quality"].values)
    opened().to_netcdf(tmp_path / "masked.nc")
    with pytest.raises(ConfigurationError, match="masked before"):
        open_scene(tmp_path / "masked.nc", conflicts="spectrum")


# --- counts -----------------------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True])
def test_pixels_are_counted_per_reason(lazy):
    rows = len(SPECTRA)
    scene = count_quality(opened(lazy))
    assert isinstance(scene.data, da.Array) is lazy
    counted = {
        name.removeprefix("pixels_"): value
        for name, value in scene.attrs.items()
        if name.startswith("pixels_")
    }
    assert counted == {
        "observed": 2 * (rows - 1),
        "not_observed": 4 * rows + 2,
        **dict.fromkeys(("fill", "dilated_cloud", "cloud", "cloud_shadow", "snow"), rows),
        "cirrus": 0,
        "no_value": 2,
        "dilated_cloud_but_water": 2,
        "cloud_but_water": 2,
        "cirrus_but_water": 0,
        "snow_but_water": 2,
        "hidden_water": 2,
        "clear_but_white": 2,
    }
    table = quality_table(opened(lazy))
    assert dict(zip(table["what"], table["pixels"], strict=True)) == counted
    assert table["share"].iloc[0] == pytest.approx(2 * (rows - 1) / (6 * rows))


def test_nothing_is_hidden_where_the_spectrum_wins():
    table = quality_table(opened(conflicts="spectrum")).set_index("what")["pixels"]
    assert table["hidden_water"] == 0
    assert table["cloud_but_water"] == 2


def test_a_scene_without_a_quality_band_has_pixels_without_value_only():
    plain = open_scene(dataset().drop_vars("qa_pixel"), crs="EPSG:32611", scale=1, offset=0)
    table = quality_table(plain)
    assert table["what"].tolist() == ["observed", "not_observed", "no_value"]
    assert table["pixels"].tolist() == [36, 6, 6]


def test_counts_are_plain_attributes_that_netcdf_takes(tmp_path):
    count_quality(opened(lazy=True)).to_netcdf(tmp_path / "counted.nc")
    with xr.open_dataset(tmp_path / "counted.nc", decode_coords="all") as again:
        assert again["reflectance"].attrs["pixels_cloud"] == len(SPECTRA)


def test_only_scenes_are_counted():
    with pytest.raises(ConfigurationError, match="band"):
        count_quality(opened()[0])


# --- on an expert's labels --------------------------------------------------


@pytest.fixture(scope="module")
def labelled(real_data):
    """Read a TM scene (reflectance at the top of the atmosphere) with an expert's labels."""
    with np.load(real_data / "ukis_cloud_water" / "landsat5.npz") as file:
        image, labels = file["img"], file["msk"]
    scene = xr.DataArray(
        np.moveaxis(image[..., 1:5], -1, 0) * np.float32(1e-4),
        dims=("band", "y", "x"),
        coords={"band": BANDS},
    )
    return scene, labels


SHADOW, WATER, LAND, CLOUD = 0, 1, 3, 4


def test_most_conflicts_at_an_experts_clouds_are_water_and_none_is_land(labelled):
    scene, labels = labelled
    square = np.ones((3, 3), bool)
    cloud = labels == CLOUD
    qa = np.where(cloud, np.uint16(1 << 3), np.uint16(0))
    qa[binary_dilation(cloud, square, 3) & ~cloud] = 1 << 1  # as QA_PIXEL dilates clouds
    qa[binary_dilation(labels == SHADOW, square, 3) & ~cloud] |= 1 << 4
    from strandline.scenes.quality import quality_flags

    flags = quality_flags(xr.DataArray(qa, dims=("y", "x")), "qa_pixel", instrument="tm")
    marked = mark_conflicts(flags, scene).values
    clouded = (marked & reason_bits(["cloud", "dilated_cloud"])) != 0
    conflicts = labels[((marked & CONFLICT) != 0) & clouded]
    assert len(conflicts) > 200
    assert np.mean(conflicts == WATER) > 0.6
    assert not (conflicts == LAND).any()


def test_shadow_must_not_win_back_since_it_passes_for_water(labelled):
    scene, labels = labelled
    flags = xr.DataArray(
        np.full(labels.shape, reason_bits(["cloud"]), np.uint8), dims=("y", "x")
    )  # were every pixel flagged as cloud
    marked = (mark_conflicts(flags, scene).values & CONFLICT) != 0
    assert (marked & (labels == SHADOW)).sum() > 3 * (marked & (labels == WATER)).sum()


def test_what_is_wet_and_white_is_cloud_by_an_experts_labels(labelled):
    scene, labels = labelled
    clear = xr.DataArray(np.zeros(labels.shape, np.uint8), dims=("y", "x"))
    white = (mark_conflicts(clear, scene).values & CONFLICT) != 0
    assert np.mean(labels[white] == CLOUD) > 0.8
