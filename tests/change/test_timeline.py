"""`timeline`: many dates of one place, some of them cloudy, snowed over or hazy."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

import strandline as sl
from strandline.change.misfits import area_misfits
from strandline.change.timeline import SERIES, series_of
from strandline.change.transitions import TRANSITIONS
from strandline.errors import (
    ConfigurationError,
    GridError,
    GridMismatchError,
    SuspiciousSceneWarning,
    WaterError,
)
from strandline.prepare.georeference import grid_of
from strandline.testing.checks import check_map
from strandline.testing.lakes import lake_grid, lonlat_of, mask_of, round_lake

RESOLUTION = 240
YEARS = range(1984, 2021, 4)
SNOWED, CLOUDY = 1996, 2004


@pytest.fixture(scope="module")
def walker():
    """Scenes of Walker Lake with one date of snow and one of clouds, and their true areas."""
    scenes, areas = {}, {}
    for year in YEARS:
        snow = 1300 if year == SNOWED else False
        cover = 0.3 if year == CLOUDY else 0.0
        scenes[year], truth = sl.simulate_scene(
            f"{year}-10-22", resolution=RESOLUTION, snow=snow, cloud_cover=cover
        )
        areas[year] = truth.attrs["water_area_km2"]
    return scenes, areas


@pytest.fixture(scope="module")
def history(walker):
    with pytest.warns(SuspiciousSceneWarning, match="1 of 10 dates do not fit.*1996-10-22: .*snow"):
        return sl.timeline(list(walker[0].values()))


def test_areas_follow_the_true_lake(walker, history):
    series = series_of(history)
    assert series.columns.tolist() == list(SERIES)
    for (year, true), row in zip(walker[1].items(), series.itertuples(), strict=True):
        if year == CLOUDY:
            assert row.observed_share < 0.8
            assert row.least <= true <= row.most
        elif year != SNOWED:
            assert row.best == pytest.approx(true, rel=0.04)


def test_each_date_keeps_its_platform(walker, history):
    scenes, _ = walker
    named = [scenes[year].attrs["platform"] for year in YEARS]
    assert len(set(named)) > 1
    assert series_of(history)["platform"].tolist() == named
    # Whatever form the dates come in, and in whatever order.
    few = [scenes[year] for year in (2016, 1988)]
    segmentation = sl.segment(few, n_clusters=4)
    masks = sl.water_mask(segmentation)
    for dates in (masks, list(masks), masks[::-1]):
        assert sl.timeline(dates)["platform"].values.tolist() == ["landsat-5", "landsat-8"]
    again = sl.stack_scenes(list(sl.stack_scenes(few)))
    assert again["platform"].values.tolist() == ["landsat-8", "landsat-5"]
    lone = sl.timeline(scenes[1988], model=segmentation)
    assert lone["platform"].values.tolist() == ["landsat-5"]
    nameless = [mask.drop_vars("platform") for mask in masks]
    assert sl.timeline(nameless)["platform"].values.tolist() == ["unknown"] * 2


def test_the_snowed_date_does_not_fit_and_a_cloudy_one_does(history):
    series = series_of(history)
    misfits = series.index[~series["fits"]].year.tolist()
    assert misfits == [SNOWED]
    assert "look like snow, ice or cloud" in series["reason"].iloc[3]
    assert (series["reason"] == "").sum() == len(series) - 1


def test_maps_keep_their_contracts(walker, history):
    grid = grid_of(walker[0][1984])
    for name in ("transitions", "seasonality", "months_observed"):
        check_map(history[name], "labels", grid=grid, lazy=False)
    occurrence = history["occurrence"]
    assert occurrence.dtype == np.float32
    assert float(occurrence.min()) == 0
    assert float(occurrence.max()) == 1
    # The snowed date is left out.
    assert int(history["observed"].max()) == len(YEARS) - 1
    assert int(history["observed"].min()) == len(YEARS) - 2


def test_the_lake_lost_permanent_water_and_nothing_was_seasonal(history):
    values, counts = np.unique(history["transitions"], return_counts=True)
    found = {TRANSITIONS[value]: int(count) for value, count in zip(values, counts, strict=True)}
    pixel = (RESOLUTION / 1000) ** 2
    assert found["lost permanent"] * pixel == pytest.approx(155.9 - 118.8, rel=0.1)
    assert found["permanent"] * pixel == pytest.approx(118.8, rel=0.05)
    elsewhere = found.get("new permanent", 0) + found.get("ephemeral permanent", 0)
    assert elsewhere < history["transitions"].size / 1000
    assert not any("seasonal" in name for name in found)


def test_dates_that_do_not_fit_can_be_kept(walker):
    scenes, _ = walker
    few = [scenes[year] for year in (1988, 1992, 1996, 2000)]
    with pytest.warns(SuspiciousSceneWarning):
        kept = sl.timeline(few, leave_out=False)
    assert int(kept["observed"].min()) == 4


def test_new_dates_are_labelled_without_refitting(walker, history):
    scenes, areas = walker
    again = sl.timeline([scenes[2012], scenes[2016]], model=history)
    whole = series_of(history)["best"]
    assert series_of(again)["best"].tolist() == whole.iloc[[7, 8]].tolist()
    assert series_of(again)["best"].iloc[0] == pytest.approx(areas[2012], rel=0.04)
    assert again.attrs["model"] == history.attrs["model"]


@pytest.mark.parametrize(
    "setting", [{"bands": ["green"]}, {"standardize": "global"}, {"n_subclusters": 9}]
)
def test_how_to_fit_is_refused_where_nothing_is_fitted(walker, history, setting):
    scenes, _ = walker
    with pytest.raises(ConfigurationError, match="No model is fitted"):
        sl.timeline([scenes[2012]], model=history, **setting)
    mask = mask_of(np.ones((4, 4)), lake_grid((4, 4)), "2000-01-01")
    with pytest.raises(ConfigurationError, match="No model is fitted"):
        sl.timeline(mask, **setting)


def test_snow_that_a_model_never_saw_is_unlike_all_that_it_knows(walker):
    scenes, _ = walker
    model = sl.segment([scenes[1988], scenes[2016]])
    with pytest.warns(
        SuspiciousSceneWarning, match="unlike all spectra that the model was fitted to"
    ):
        found = sl.timeline([scenes[2012], scenes[SNOWED]], model=model)
    assert found["fits"].values.tolist() == [False, True]


def two_lakes():
    """A lake that shrinks, and beside it a pond; on the third date a cloud over both."""
    grid = lake_grid((30, 40))
    dates = np.zeros((3, 30, 40), np.uint8)
    dates[0, 5:25, 5:20] = 1
    dates[1:, 5:25, 5:15] = 1
    dates[:, 5:9, 30:34] = 1
    dates[2, :, 12:] = 255
    dates[2, 10, 12:16] = 255
    return mask_of(dates, grid)


def test_the_body_of_water_at_a_point_is_followed_by_itself():
    masks = two_lakes()
    place = lonlat_of(grid_of(masks), 15, 7)
    history = sl.timeline(masks, at=place)
    series = series_of(history)
    pixel = float(sl.areas(masks)["best"].iloc[0]) / (300 + 16)
    assert (series["best"] / pixel).round(2).tolist() == [300, 200, 140]
    # The cloud may hide what was ever seen as this lake, but not the pond beside it.
    assert (series["most"] / pixel).round(2).tolist() == [300, 200, 140 + 8 * 20]
    assert series["observed_share"].round(3).tolist() == [1, 1, round(140 / 300, 3)]
    alone = sl.areas(masks.isel(time=slice(2)), at=place, intervals=True)
    pd.testing.assert_frame_equal(
        series[alone.columns].iloc[:2], alone, check_freq=False, check_names=False
    )
    assert history.attrs["body_at"] == list(place)
    assert int((history["occurrence"] > 0).sum()) == 300 + 16  # the maps show all


def test_a_point_that_was_never_water_is_refused():
    masks = two_lakes()
    with pytest.raises(WaterError, match="water"):
        sl.timeline(masks, at=lonlat_of(grid_of(masks), 29, 39))
    with pytest.raises(GridError):
        sl.timeline(masks, at=(0.0, 0.0))


def test_every_date_has_its_interval(walker, history):
    series = series_of(history)
    inside = 0
    for (year, true), row in zip(walker[1].items(), series.itertuples(), strict=True):
        assert row.low_95 < row.low_90 < row.best < row.high_90 < row.high_95
        if year not in (CLOUDY, SNOWED):
            inside += row.low_95 <= true <= row.high_95
    assert inside >= 5  # of eight, which one model gets wrong together if at all
    assert history["low_95"].attrs["units"] == "km2"


def test_ice_and_haze_do_not_fit(walker):
    scenes = {year: scene for year, scene in walker[0].items() if year != SNOWED}
    icy = scenes[2016].copy()
    water = sl.water_mask(sl.segment(icy)).values == 1
    white = np.array([0.6, 0.62, 0.62, 0.6, 0.5, 0.1, 0.08], np.float32)
    icy = icy.copy(data=np.where(water, white[:, None, None], icy.values))
    icy = icy.assign_coords(time=np.datetime64("2015-01-20", "ns"))
    veil = np.array([0.12, 0.11, 0.08, 0.06, 0.04, 0.01, 0.01], np.float32)
    hazy = scenes[2016].copy(data=0.8 * scenes[2016].values + veil[:, None, None])
    hazy = hazy.assign_coords(time=np.datetime64("2018-10-20", "ns"))
    with pytest.warns(SuspiciousSceneWarning, match="2 of 11 dates"):
        series = series_of(sl.timeline([*scenes.values(), icy, hazy]))
    odd = series.index[~series["fits"]]
    assert [str(time)[:10] for time in odd] == ["2015-01-20", "2018-10-20"]


def test_lazy_scenes_and_chunks_give_the_same(walker):
    scenes = [walker[0][year] for year in (1988, 1992, 2000)]
    whole = sl.timeline(scenes)
    lazy = sl.timeline([scene.chunk({"y": 50, "x": 33}) for scene in scenes])
    xr.testing.assert_identical(whole, lazy)


def test_the_order_in_which_dates_are_given_does_not_matter():
    grid = lake_grid((2, 3))
    masks = [mask_of(np.full((2, 3), n % 2), grid, f"{2000 + n}-05-01") for n in range(4)]
    forth, back = sl.timeline(masks), sl.timeline(masks[::-1])
    xr.testing.assert_identical(forth, back)
    assert float(forth["occurrence"][0, 0]) == 0.5


def test_clouds_are_neither_land_nor_water():
    values = np.array([[[1, 255, 255, 0]], [[1, 1, 255, 255]], [[0, 1, 255, 0]]])
    masks = mask_of(values, lake_grid((1, 4)), "2000-05-01")
    masks = masks.assign_coords(time=pd.to_datetime(["2000-05-01", "2001-05-01", "2002-05-01"]))
    found = sl.timeline(masks)
    np.testing.assert_allclose(found["occurrence"][0], [2 / 3, 1, np.nan, 0], rtol=1e-6)
    assert found["observed"].values.tolist() == [[3, 2, 0, 2]]
    assert found["transitions"].values.tolist() == [[3, 1, 255, 0]]
    first = found["first_observed"].values[0].astype("datetime64[Y]").astype(str).tolist()
    assert first == ["2000", "2001", "NaT", "2000"]
    assert str(found["last_observed"].values[0, 3])[:10] == "2002-05-01"
    assert np.isnat(found["last_observed"].values[0, 2])
    assert found["white_share"].isnull().all()


def test_a_date_of_clouds_alone_does_not_fit():
    values = np.zeros((6, 10, 10), np.uint8)
    values[:, :5] = 1
    values[2] = 255
    masks = mask_of(values, lake_grid((10, 10)))
    with pytest.warns(SuspiciousSceneWarning, match="only 0% of the map was observed"):
        found = sl.timeline(masks)
    assert found["fits"].values.tolist() == [True, True, False, True, True, True]
    assert (found["observed"] == 5).all()


def test_a_jump_of_the_area_and_back_is_told_and_a_trend_is_not():
    trend = np.linspace(1.3, 0.7, 12)
    all_of_them = np.ones(12, dtype=bool)
    assert area_misfits(trend, all_of_them) == {}
    jump = trend.copy()
    jump[6] *= 2
    found = area_misfits(jump, all_of_them)
    assert list(found) == [6]
    assert "times that of the dates around it" in found[6]
    jump[6] = np.nan
    assert area_misfits(jump, all_of_them) == {}
    assert area_misfits(jump[:4], all_of_them[:4]) == {}


def test_the_ucayali_meanders_from_1990_to_2015(real_data):
    folder = real_data / "ucayali_series"
    scenes = [
        sl.open_scene(
            folder / f"{year}.tif",
            band_names=["swir16", "nir08", "red", "green"],
            reflectance=False,  # stretched for display
            time=f"{year}-07-01",
        )
        for year in range(1990, 2016, 5)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SuspiciousSceneWarning)
        found = sl.timeline(scenes)
    masks = []
    for year in range(1990, 2016, 5):
        with rasterio.open(folder / f"water_reference_{year}.tif") as file:
            masks.append(mask_of(file.read(1), grid_of(scenes[0]), f"{year}-07-01"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SuspiciousSceneWarning)
        reference = sl.timeline(masks)
    # The references leave unsure pixels out.
    assert (found["best"] > 0.97 * reference["least"]).all()
    assert (found["best"] < 1.03 * reference["most"]).all()
    lost, gained = ((found["transitions"] == value).sum() for value in (3, 2))
    assert 0.5 < lost / gained < 2
    both = (found["transitions"] != 255) & (reference["transitions"] != 255)
    same = (found["transitions"] == reference["transitions"]).where(both)
    assert float(same.mean()) > 0.97


def test_what_has_no_dates_is_refused():
    grid = lake_grid((2, 2))
    mask = mask_of(np.zeros((2, 2)), grid)
    with pytest.raises(ConfigurationError, match="There are no dates"):
        sl.timeline([])
    with pytest.raises(ConfigurationError, match="has no time"):
        sl.timeline([mask, mask.drop_vars("time")])
    with pytest.raises(ConfigurationError, match="has no time"):
        sl.timeline(mask.drop_vars("time"))
    with pytest.raises(ConfigurationError, match="same time"):
        sl.timeline([mask, mask])
    with pytest.raises(GridMismatchError, match="regrid"):
        sl.timeline([mask, mask_of(np.zeros((3, 3)), lake_grid((3, 3)), "2000-01-01")])
    with pytest.raises(ConfigurationError, match="no dates of water"):
        sl.timeline(xr.DataArray(np.zeros(3), dims="x"))


def test_a_model_from_a_file_needs_the_decision(tmp_path):
    scene = round_lake(radius=300)
    segmentation = sl.segment(scene, n_clusters=3)
    model = sl.load_model(sl.save_model(segmentation, tmp_path / "m.npz"))
    with pytest.raises(ConfigurationError, match="does not say which of its classes are water"):
        sl.timeline(scene, model=model)
    found = sl.timeline(scene, model=model, water=sl.find_water(segmentation))
    best = sl.areas(sl.water_mask(segmentation)).best.iloc[0]
    assert float(found["best"][0]) == best


def test_progress_is_told():
    told = []
    masks = mask_of(np.zeros((3, 2, 2), np.uint8), lake_grid((2, 2)))
    sl.timeline(masks, on_date=lambda done, all_of_them: told.append((done, all_of_them)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_mask_of_each_date_is_handed_out():
    masks = two_lakes()
    shown: list[xr.DataArray] = []
    sl.timeline(masks[::-1].assign_coords(platform="landsat-7"), on_mask=shown.append)
    assert [mask["time"].values for mask in shown] == list(masks["time"].values)
    for mask, given in zip(shown, masks, strict=True):
        assert mask.values.tolist() == given.values.tolist()
        assert str(mask["platform"].values) == "landsat-7"


def test_masks_of_scenes_are_those_of_the_model(walker):
    scenes = [walker[0][year].chunk({"y": 50}) for year in (2012, CLOUDY)]
    segmentation = sl.segment(scenes, n_clusters=4)
    shown: list[xr.DataArray] = []
    decision = sl.find_water(segmentation)
    sl.timeline(scenes, model=segmentation, water=decision, on_mask=shown.append)
    expected = sl.water_mask(segmentation, decision).sortby("time")
    for mask, wanted in zip(shown, expected, strict=True):
        check_map(mask, "mask", grid=grid_of(scenes[0]), lazy=False)
        assert mask.values.tolist() == wanted.values.tolist()
        assert mask["time"].values == wanted["time"].values
