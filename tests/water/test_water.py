"""Finding water: three ways to say where it is, verdicts, and what is not water."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer

from strandline.errors import GridError, SuspiciousSceneWarning, WaterError
from strandline.segmentation import segment
from strandline.segmentation.model import SegmentationModel
from strandline.testing.checks import check_map
from strandline.testing.lakes import lake_fraction, lake_grid, round_lake, scene_of
from strandline.water import find_water, water_mask
from strandline.water.indices import awei_nsh, awei_sh, mndwi, ndwi

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22")
SPECTRA = {
    # Snow, lava, playa and turbid: means over Landsat 8 pixels near Walker Lake, 2017-10-22.
    "snow": (0.285, 0.299, 0.308, 0.345, 0.071, 0.058),
    "lava": (0.024, 0.030, 0.032, 0.065, 0.054, 0.039),
    "playa": (0.237, 0.305, 0.350, 0.387, 0.395, 0.348),
    "cloud": (0.638, 0.640, 0.650, 0.700, 0.573, 0.435),
    "turbid": (0.092, 0.137, 0.134, 0.060, 0.006, 0.005),
    "shade": (0.010, 0.015, 0.014, 0.050, 0.028, 0.016),
    # Means of subclusters: woods in the shadow of a cloud, not corrected for the air, Landsat 5;
    # and a river full of silt between woods, Landsat 8, near Brumadinho, 2019-01-14.
    "shadow of a cloud": (0.112, 0.084, 0.059, 0.101, 0.034, 0.016),
    "silt": (0.026, 0.059, 0.075, 0.094, 0.046, 0.024),
    "clear": (0.060, 0.045, 0.025, 0.010, 0.005, 0.004),
}


def landscape(*classes: str, size: int = 40, noise: float = 0.05) -> xr.DataArray:
    """Columns of classes side by side, with a little noise."""
    rng = np.random.default_rng(1)
    columns = [np.tile(np.array(SPECTRA[name])[:, None, None], (1, size, size)) for name in classes]
    values = np.concatenate(columns, axis=2)
    values = values * (1 + noise * rng.standard_normal(values.shape))
    return scene_of(values, lake_grid((size, size * len(classes))), bands=BANDS)


def lonlat(east: float = 0.0, north: float = 0.0) -> tuple[float, float]:
    """A point so many metres from the middle of `lake_grid`."""
    affine = lake_grid().affine
    x, y = affine.c + 30 * 40 + east, affine.f - 30 * 30 + north
    return Transformer.from_crs(32611, 4326, always_xy=True).transform(x, y)


@pytest.fixture(scope="module")
def lake() -> xr.Dataset:
    return segment(round_lake(radius=600), n_clusters=4)


@pytest.fixture(scope="module")
def middle() -> tuple[float, float]:
    return lonlat()


def test_indices_follow_their_papers_to_the_digit():
    # Worked by hand from blue .05, green .06, red .04, NIR .02, SWIR1 .01, SWIR2 .004.
    spectrum = xr.DataArray(
        [0.05, 0.06, 0.04, 0.02, 0.01, 0.004], dims="band", coords={"band": list(BANDS)}
    )
    assert float(ndwi(spectrum)) == pytest.approx(0.04 / 0.08)
    assert float(mndwi(spectrum)) == pytest.approx(0.05 / 0.07)
    assert float(awei_nsh(spectrum)) == pytest.approx(4 * 0.05 - (0.005 + 0.011))
    assert float(awei_sh(spectrum)) == pytest.approx(0.05 + 0.15 - 0.045 - 0.001)


def test_indices_need_their_bands_and_keep_nan():
    spectrum = xr.DataArray([0.06, np.nan], dims="band", coords={"band": ["green", "nir08"]})
    assert np.isnan(float(ndwi(spectrum)))
    assert mndwi(spectrum) is None
    assert awei_sh(spectrum) is None


def test_mask_keeps_the_contract_and_covers_the_lake(lake):
    mask = water_mask(lake)
    check_map(mask, "mask", lazy=False)
    truth = lake_fraction(lake_grid(), 600)
    assert ((mask.values == 1) == (truth > 0.5)).mean() > 0.99


def test_a_point_in_the_lake_confirms_the_signatures(lake, middle):
    pointed = find_water(lake, at=middle)
    assert pointed["water"].equals(find_water(lake)["water"])
    assert "confirmed at the point" in pointed.attrs["decided_by"]


def test_a_point_that_looks_dry_overrules_the_signatures(lake):
    label = int(lake["labels"].values[50, 10])  # a meadow that the user knows to be a marsh
    place = lonlat(east=-900.0, north=-600.0)
    with pytest.warns(SuspiciousSceneWarning, match="does not look like water .* dry"):
        pointed = find_water(lake, at=place)
    assert pointed.attrs["clusters"] == [label]
    assert "against the signatures" in pointed.attrs["decided_by"]
    assert pointed.loc[pointed["water"], "reason"].str.startswith("cluster at").all()


def test_clusters_named_by_the_user_are_water_as_a_whole(lake):
    named = find_water(lake, labels=[0, 2])
    assert named.attrs["clusters"] == [0, 2]
    np.testing.assert_array_equal(
        water_mask(lake, named).values == 1, np.isin(lake["labels"].values, [0, 2])
    )
    np.testing.assert_array_equal(water_mask(lake, named), water_mask(lake, [0, 2]))


def test_evidence_says_why(lake):
    evidence = find_water(lake)
    assert {"cluster", "share", "green", "mndwi", "water", "reason"} <= set(evidence.columns)
    assert evidence.loc[evidence["water"], "reason"].str.contains("wet").all()
    assert evidence.loc[~evidence["water"], "reason"].str.contains("dry|, but ").all()
    assert evidence["share"].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("dry", ["snow", "lava", "playa", "cloud", "shade"])
def test_what_only_resembles_water_gets_the_verdict_no_water(dry):
    evidence = find_water(segment(landscape(dry, "playa" if dry != "playa" else "lava")))
    assert evidence.attrs["verdict"] == "no water"
    assert not evidence["water"].any()


def test_leaves_in_the_shadow_of_a_cloud_are_not_water_beside_clear_water():
    scene = landscape("shadow of a cloud", "clear", "playa", noise=0.02)
    evidence = find_water(segment(scene, n_clusters=3))
    shaded = (evidence["blue"] > 0.08) & (evidence["blue"] < 0.16)
    assert evidence.loc[evidence["blue"] < 0.08, "water"].all()
    assert not evidence.loc[shaded, "water"].any()
    assert evidence.loc[shaded, "reason"].str.contains("like leaves in shadow").any()


def test_a_river_full_of_silt_is_water_though_it_rises_to_the_near_infrared():
    evidence = find_water(segment(landscape("silt", "playa", "clear", noise=0.02), 3))
    silt = (evidence["red"] > 0.06) & (evidence["red"] < 0.09)
    assert silt.any()
    assert evidence.loc[silt, "water"].mean() > 0.9


def test_turbid_water_is_water_beside_snow():
    mask = water_mask(segment(landscape("snow", "turbid", "playa"))).values
    assert (mask[:, 40:80] == 1).all()
    assert (mask[:, :40] == 0).all()


def test_several_clusters_may_be_water():
    rng = np.random.default_rng(0)
    scene = landscape("turbid", "playa", "lava")
    deep = np.array([0.022, 0.023, 0.011, 0.004, 0.002, 0.001])[:, None, None]
    scene.values[:, :, :20] = deep * (1 + 0.05 * rng.standard_normal((6, 40, 20)))
    segmentation = segment(scene, n_clusters=4)
    evidence = find_water(segmentation)
    assert len(evidence.attrs["clusters"]) >= 2
    assert (water_mask(segmentation, evidence).values[:, :40] == 1).all()


def test_pixels_not_observed_are_never_water_or_land():
    scene = round_lake(radius=600).copy()
    scene[:, 25:35, 30:50] = np.nan
    mask = water_mask(segment(scene, n_clusters=3))
    assert (mask.values[25:35, 30:50] == 255).all()


def test_mask_stays_lazy_and_the_same(lake):
    scene = round_lake(radius=600, chunks={"y": 16})
    mask = water_mask(segment(scene, n_clusters=4))
    check_map(mask, "mask", lazy=True)
    np.testing.assert_array_equal(mask, water_mask(lake))


def test_a_dry_point_on_the_second_date_does_not_make_land_water(middle):
    before = round_lake(radius=600, time="1988-10-22")
    after = round_lake(radius=300, time="2017-10-22", seed=1)
    segmentation = segment([before, after], n_clusters=4)
    # 500 m east of the middle: water before, land after.
    mask = water_mask(segmentation, find_water(segmentation, at=lonlat(east=500.0))).values
    assert (mask[1] == 1).mean() < 0.12


def test_stored_numbers_are_judged_without_reflectance_limits():
    scene = round_lake(radius=600) * 255
    scene.attrs = {}  # no units: stretched numbers, as of a picture
    mask = water_mask(segment(scene, n_clusters=3))
    assert ((mask.values == 1) == (lake_fraction(lake_grid(), 600) > 0.5)).mean() > 0.99


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"at": (0.0, 0.0)}, GridError, "outside the map"),
        ({"at": (38.69, -118.7)}, GridError, "Longitude comes first"),
        ({"labels": 9}, WaterError, "labels from 0 to 3"),
        ({"labels": []}, WaterError, "No such cluster"),
        ({"at": (0.0, 0.0), "labels": 1}, WaterError, "not both"),
    ],
)
def test_wrong_ways_to_say_where_water_is(lake, arguments, error, said):
    with pytest.raises(error, match=said):
        find_water(lake, **arguments)


def test_bands_that_say_nothing_about_water_are_refused_with_a_way_out():
    segmentation = segment(round_lake(bands=("red", "nir08")), n_clusters=3)
    with pytest.raises(WaterError, match="Point at a lake"):
        find_water(segmentation)
    assert find_water(segmentation, labels=0).attrs["verdict"] == "water"


def test_a_decision_about_another_segmentation_is_refused(lake):
    other = find_water(segment(round_lake(), n_clusters=3, n_subclusters=10))
    with pytest.raises(WaterError, match="another segmentation"):
        water_mask(lake, other)


def test_point_that_was_never_observed_is_refused(middle):
    scene = round_lake(radius=600).copy()
    scene[:, 25:35, 30:50] = np.nan
    with pytest.raises(WaterError, match="Nothing was observed"):
        find_water(segment(scene, n_clusters=3), at=middle)


def test_what_a_model_predicts_is_masked_by_the_evidence_it_was_fitted_with(lake):
    later = SegmentationModel.of(lake).predict(round_lake(radius=400, seed=3))
    mask = water_mask(later, find_water(lake))
    check_map(mask, "mask", lazy=False)
    assert ((mask.values == 1) == (lake_fraction(lake_grid(), 400) > 0.5)).mean() > 0.99
    with pytest.raises(WaterError, match="holds no signatures"):
        water_mask(later)
