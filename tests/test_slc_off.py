"""Scan gaps of Landsat 7 after 31 May 2003: wedges without data, never water and never land."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

import strandline as sl
from strandline.prepare.classes import LAND, NOT_OBSERVED, WATER

SIZE = (150, 120)


def wedges(shape, shift):
    """Make stripes that are widest at the sides and vanish in the middle, as on the ground."""
    rows, columns = np.indices(shape)
    half_width = 4.5 * np.abs(columns - shape[1] / 2) / (shape[1] / 2)
    place = (rows + 0.15 * columns + shift) % 14 - 7
    return np.abs(place) < half_width


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """Make an ETM+ product of a simulated TM one, with gaps that differ from band to band."""
    folder = tmp_path_factory.mktemp("slc")
    scene, _ = sl.simulate_scene(
        "2010-10-20", size=SIZE, resolution=240, platform="landsat-5", path=folder
    )
    made = folder / "LE07"
    made.mkdir()
    gaps = {}
    source = scene.attrs["source"]
    for number, path in enumerate(sorted(Path(source).iterdir())):
        name = path.name.replace("LT05", "LE07")
        if path.suffix == ".txt":
            text = path.read_text()
            for old, new in (("LANDSAT_5", "LANDSAT_7"), ("LT05", "LE07"), ('"TM"', '"ETM"')):
                text = text.replace(old, new)
            (made / name).write_text(text)
        elif path.suffix == ".TIF":
            with rasterio.open(path) as file:
                profile, values = file.profile, file.read(1)
            gap = wedges(values.shape, shift=number % 3)  # each band sees another line of ground
            if "QA_PIXEL" in name:
                gap = wedges(values.shape, shift=0)
                values[gap] = 1
            elif "QA_RADSAT" not in name:
                values[gap] = 0
            gaps[name[-9:]] = gap
            with rasterio.open(made / name, "w", **profile) as file:
                file.write(values, 1)
    return made, np.any([gap for name, gap in gaps.items() if "RADSAT" not in name], axis=0)


def test_a_pixel_that_one_band_lacks_is_of_no_class(product):
    folder, gap = product
    scene = sl.open_scene(folder)
    assert scene.attrs["platform"] == "landsat-7"
    assert scene.attrs["instrument"] == "etm"
    holes = np.isnan(scene.values)
    assert (holes.any(axis=0) & ~holes.all(axis=0)).sum() > 100  # the bands differ
    np.testing.assert_array_equal(holes.any(axis=0), gap)
    segmentation = sl.segment(scene, n_clusters=4)
    water = sl.water_mask(segmentation).values
    np.testing.assert_array_equal(segmentation["labels"].values == NOT_OBSERVED, gap)
    np.testing.assert_array_equal(water == NOT_OBSERVED, gap)
    assert set(np.unique(water)) == {LAND, WATER, NOT_OBSERVED}


def test_gaps_are_counted_as_fill_or_as_no_value_in_a_band(product):
    folder, gap = product
    table = sl.quality_table(sl.open_scene(folder)).set_index("what")["pixels"]
    assert table["not_observed"] == gap.sum()
    assert table["fill"] + table["no_value"] == gap.sum()
    assert table["fill"] == wedges(SIZE, 0).sum()
    assert table["no_value"] > 100


def test_gaps_stay_gaps_on_another_grid_and_in_a_change(product):
    folder, gap = product
    after = sl.open_scene(folder)
    before = sl.simulate_scene("1988-10-22", size=SIZE, resolution=240)[0]
    segmentation = sl.segment([before, after], n_clusters=4)
    change = sl.compare(*sl.water_mask(segmentation))
    np.testing.assert_array_equal(change.values == NOT_OBSERVED, gap)
    shifted = sl.regrid(after, sl.make_grid(like=after, resolution=200), "bilinear")
    assert np.isnan(shifted.values).any(axis=0).mean() == pytest.approx(gap.mean(), abs=0.03)


def test_one_date_with_stripes_gives_the_whole_lake_that_was_seen(real_data):
    case = real_data.parent / "cases" / "slc_off_lake.tif"
    scene = sl.open_scene(case, platform="landsat-8", scale=1e-4, time="2017-10-22")
    mask = sl.water_mask(sl.segment(scene, 4))
    everywhere = sl.areas(mask, intervals=True).iloc[0]
    lake = sl.areas(mask, at=(-118.7081, 38.6942), intervals=True).iloc[0]
    assert lake.best == pytest.approx(93.05, abs=0.05)
    assert lake.pixels == everywhere.pixels
    assert (lake.low_95, lake.high_95) == (everywhere.low_95, everywhere.high_95)
    assert lake.least == pytest.approx(20.5, abs=0.1)  # connected without crossing a stripe
    assert lake.most > 118.81  # the whole lake
