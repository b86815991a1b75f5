"""Segmentation of synthetic lakes: contracts, joint models, order, chunks, and bad input."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import xarray as xr

from strandline.errors import ConfigurationError, InvalidDataError, MissingBandError
from strandline.segmentation import SegmentationModel, segment
from strandline.spectral import SpectralClustering
from strandline.testing.checks import check_map
from strandline.testing.lakes import lake_fraction, lake_grid, round_lake


def test_label_map_and_subclusters_keep_the_contract():
    scene = round_lake(radius=400)
    result = segment(scene, n_clusters=3)
    for name in ("labels", "subclusters"):
        check_map(result[name], "labels", grid=scene, lazy=False)
    assert result["signature_mean"].dims == ("cluster", "band")
    assert int(result["pixels"].sum()) == result["labels"].size


def test_labels_go_from_dark_to_bright():
    result = segment(round_lake(radius=500), n_clusters=3)
    brightness = result["signature_mean"].mean("band").values
    assert (np.diff(brightness) > 0).all()
    assert result["labels"].values[30, 40] == 0  # the lake's middle is the darkest


def test_signature_is_the_mean_of_the_clusters_pixels():
    scene = round_lake(radius=500)
    result = segment(scene, n_clusters=3)
    for cluster in range(3):
        members = scene.values[:, result["labels"].values == cluster].astype(np.float64)
        np.testing.assert_allclose(
            result["signature_mean"].sel(cluster=cluster), members.mean(axis=1), rtol=1e-6
        )
        np.testing.assert_allclose(
            result["signature_std"].sel(cluster=cluster), members.std(axis=1), rtol=1e-4
        )


def test_every_subcluster_lies_within_one_cluster():
    result = segment(round_lake(radius=500), n_clusters=4, n_subclusters=20)
    owner = result["subcluster_cluster"].values
    assert (owner[result["subclusters"].values] == result["labels"].values).all()
    assert float(result["subcluster_share"].sum()) == pytest.approx(1.0)


def test_many_clusters_need_no_number_of_subclusters(monkeypatch):
    monkeypatch.setattr(import_module("strandline.segmentation.segment"), "SUBCLUSTERS", 9)
    result = segment(round_lake(radius=500, seed=1), n_clusters=20)
    assert result.sizes["subcluster"] == result.sizes["cluster"] == 20


def test_one_model_gives_the_lake_one_label_on_both_dates():
    before = round_lake(radius=600, time="1988-10-22")
    after = round_lake(radius=400, time="2017-10-22", seed=1)
    result = segment([before, after], n_clusters=3)
    assert result["labels"].dims == ("time", "y", "x")
    first, second = result["labels"].values
    assert first[30, 40] == second[30, 40]
    assert (first == first[30, 40]).sum() > 1.5 * (second == first[30, 40]).sum()


def test_pixels_missing_in_any_band_are_255_and_in_no_cluster():
    scene = round_lake(radius=400).copy()
    scene[2, 5:9, :] = np.nan
    result = segment(scene, n_clusters=3)
    assert (result["labels"].values[5:9] == 255).all()
    assert (result["subclusters"].values[5:9] == 255).all()
    assert int(result["pixels"].sum()) == 56 * 80


@pytest.mark.parametrize("chunks", [{"band": 1}, {"y": 7, "x": 80}, {"y": 60, "x": 13}, {"y": 1}])
def test_chunks_do_not_change_a_byte(chunks):
    scene = round_lake(radius=400)
    whole = segment(scene, n_clusters=3)
    lazy = segment(scene.chunk(chunks), n_clusters=3)
    assert lazy["labels"].chunks is not None
    xr.testing.assert_identical(whole.drop_attrs(), lazy.compute().drop_attrs())
    assert whole.attrs["model"] == lazy.attrs["model"]


def test_model_in_the_result_labels_a_new_scene_like_the_old_one():
    result = segment(round_lake(radius=500), n_clusters=3)
    again = SegmentationModel.of(result).predict(round_lake(radius=500))
    np.testing.assert_array_equal(again["labels"], result["labels"])
    other = SegmentationModel.of(result).predict(round_lake(radius=300, seed=5))
    truth = lake_fraction(lake_grid(), 300) > 0.5
    assert ((other["labels"].values == 0) == truth).mean() > 0.99


def test_model_asks_for_the_bands_it_was_fitted_to():
    model = SegmentationModel.of(segment(round_lake(), n_clusters=3))
    with pytest.raises(MissingBandError, match="swir22"):
        model.predict(round_lake(bands=("green", "red", "nir08", "swir16")))


def test_thermal_bands_are_left_aside_unless_asked_for():
    scene = round_lake()
    heat = scene.sel(band="red").assign_coords(band="lwir11")
    both = xr.concat([scene, heat], dim="band")
    assert "lwir11" not in segment(both, n_clusters=3)["band"].values
    chosen = segment(both, n_clusters=3, bands=["green", "lwir11"])
    assert chosen["band"].values.tolist() == ["green", "lwir11"]


def test_an_engine_with_other_parameters_is_used_and_left_alone():
    engine = SpectralClustering(n_clusters=2, affinity="nearest_neighbors", random_state=3)
    result = segment(round_lake(radius=500), clusterer=engine)
    assert result.sizes["cluster"] == 2
    assert not hasattr(engine, "labels_")


def test_result_survives_a_netcdf_file(tmp_path):
    result = segment(round_lake(), n_clusters=3)
    result.to_netcdf(tmp_path / "segmentation.nc")
    with xr.open_dataset(tmp_path / "segmentation.nc") as again:
        assert SegmentationModel.of(again).bands == SegmentationModel.of(result).bands


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"n_clusters": 1}, ConfigurationError, "n_clusters is out of range"),
        ({"n_clusters": 255}, ConfigurationError, "255 means not observed"),
        ({"n_clusters": 5, "n_subclusters": 4}, ConfigurationError, "n_subclusters"),
        ({"random_state": -1}, ConfigurationError, "whole number from 0, got -1"),
        ({"bands": ["purple"]}, MissingBandError, "purple"),
        ({"standardize": "nonsense"}, ConfigurationError, "nonsense"),
    ],
)
def test_wrong_parameters_are_named(arguments, error, said):
    with pytest.raises(error, match=said):
        segment(round_lake(), **arguments)


def test_a_scene_without_observed_pixels_is_refused():
    scene = round_lake() * np.nan
    with pytest.raises(InvalidDataError, match="Too few pixels"):
        segment(scene)


def test_what_is_no_scene_is_refused():
    with pytest.raises(ConfigurationError, match="open_scene"):
        segment(["scene.tif"])
    with pytest.raises(ConfigurationError, match="dimensions"):
        segment(round_lake().isel(band=0))


def test_the_number_of_clusters_can_be_chosen_from_the_pixels():
    scene = round_lake(radius=500)
    result = segment(scene, n_clusters="auto")
    chosen = segment(scene, n_clusters=result.attrs["n_clusters"])
    assert result["labels"].values.tobytes() == chosen["labels"].values.tobytes()
    assert result["labels"].values[30, 40] == 0
    model = SegmentationModel.of(result)
    assert model.clusterer.choice_["chosen"].sum() == 1
    engine = SpectralClustering("auto", max_clusters=4)
    assert 2 <= segment(scene, clusterer=engine).attrs["n_clusters"] <= 4
    with pytest.raises(ConfigurationError, match="'auto', got 'several'"):
        segment(scene, n_clusters="several")
