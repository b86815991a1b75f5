"""The main job on real scenes with truth: automatic water against reference rasters.

F1 counts certain pixels only (the references mark unsure ones 255). References made from
water indices cannot fairly judge an index; Tucuruí's was checked with surveyed polygons.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

import strandline as sl
from strandline.prepare.georeference import grid_of, pixel_at
from strandline.water.shore import near

C2_SURFACE = {"scale": 2.75e-5, "offset": -0.2}
LAKE = (-118.7081, 38.6942)


def f1(mask: xr.DataArray, reference: Path) -> float:
    """Agreement of a water mask with a reference on the same grid, by place."""
    with rasterio.open(reference) as file:
        truth = file.read(1)
        assert np.allclose(np.array(file.transform)[:6], np.array(grid_of(mask).affine)[:6])
    assert truth.shape == mask.shape
    mapped, wet, certain = mask.values == 1, truth == 1, truth != 255
    hits = (mapped & wet & certain).sum()
    return float(2 * hits / ((mapped & certain).sum() + (wet & certain).sum()))


@pytest.mark.parametrize("n_clusters", [4, 8])
def test_tucurui_reservoir_1988(real_data, n_clusters):
    folder = real_data / "tucurui_tm1988"
    scene = sl.open_scene(folder / "LT52240631988227CUB02_MTL.txt")
    mask = sl.water_mask(sl.segment(scene, n_clusters))
    assert f1(mask, folder / "water_reference.tif") >= 0.97


@pytest.mark.parametrize("n_clusters", [4, 8])
def test_lake_burley_griffin_1992(real_data, n_clusters):
    folder = real_data / "lbg_tm1992"
    scene = sl.open_scene(
        folder / "LS5_TM_NBAR_090084_19920323_stack.tif", scale=1e-4, platform="landsat-5"
    )
    mask = sl.water_mask(sl.segment(scene, n_clusters))
    assert f1(mask, folder / "water_reference.tif") >= 0.97


@pytest.mark.parametrize("n_clusters", [4, 8])
def test_liverpool_sea_and_docks_2020(real_data, n_clusters):
    folder = real_data / "liverpool_oli_2020"
    scene = sl.open_scene(
        folder / "LC08_L2SP_204023_20200927_20201006_02_T1_stack.tif", **C2_SURFACE
    )
    mask = sl.water_mask(sl.segment(scene, n_clusters))
    assert f1(mask, folder / "water_reference.tif") >= 0.97


def test_momotombo_black_lava_and_clouds_2015(real_data, record_property):
    folder = real_data / "momotombo_oli_2015"
    scene = sl.open_scene(
        folder / "LC08_L2SP_017051_20151205_20200908_02_T1_stack.tif", **C2_SURFACE
    )
    score = f1(sl.water_mask(sl.segment(scene)), folder / "water_reference.tif")
    record_property("f1", round(score, 4))
    assert score >= 0.95


def test_ucayali_river_migrates_1990_to_2015(real_data, record_property):
    folder = real_data / "ucayali_series"
    years = (1990, 2015)
    scenes = [
        sl.open_scene(
            folder / f"{year}.tif",
            band_names=["swir16", "nir08", "red", "green"],
            reflectance=False,  # stretched for display: numbers, no reflectance
            time=f"{year}-07-01",
        )
        for year in years
    ]
    masks = sl.water_mask(sl.segment(scenes))
    for number, year in enumerate(years):
        score = f1(masks[number], folder / f"water_reference_{year}.tif")
        record_property(f"f1_{year}", round(score, 4))
        assert score >= 0.95
    areas = sl.areas(sl.compare(masks[0], masks[1]))
    # A meandering river takes on one bank what it leaves on the other.
    lost, gained = areas.loc["lost", "best"], areas.loc["gained", "best"]
    assert lost > 10
    assert 0.5 < lost / gained < 2


def test_a_lake_of_nodata_never_becomes_water(real_data):
    folder = real_data / "taylorsville_oli_lake_is_nodata"
    scene = sl.open_scene(
        folder / "L8_Taylorsville.tif",
        scale=1e-4,
        band_names=["coastal", "blue", "green", "red", "nir08", "swir16", "swir22"],
        time="2016-01-01",
    )
    mask = sl.water_mask(sl.segment(scene))
    with rasterio.open(folder / "lake_polygon_rasterised.tif") as file:
        lake = file.read(1) == 1
    nodata = np.isnan(scene.values).any(axis=0)
    assert nodata[lake].mean() > 0.9
    assert (mask.values[nodata] == 255).all()
    assert not (mask.values[nodata] == 1).any()
    # What is left of the lake beside the cut is water, and a few ponds of some pixels each.
    beside = near(nodata, 2)
    water = mask.values == 1
    assert 300 < (water & beside).sum() < 400
    assert (water & ~beside).sum() <= 30


CATALOG = """
sources:
  landsat_5_small:
    description: Landsat 5, 1988
    driver: rasterio
    args:
      urlpath: "{folder}/LT05_L1TP_042033_19881022_20161001_01_T1_sr_band{{band:d}}.tif"
      chunks: {{band: 1, x: 50, y: 50}}
      concat_dim: band
  landsat_8_small:
    description: Landsat 8, 2017
    driver: rasterio
    args:
      urlpath: "{folder}/LC08_L1TP_042033_20171022_20171107_01_T1_sr_band{{band:d}}.tif"
      chunks: {{band: 1, x: 50, y: 50}}
      concat_dim: band
"""


@pytest.mark.parametrize("n_clusters", [4, 8])
def test_the_seeds_acquisitions_through_its_catalogue(
    real_data, tmp_path, record_property, n_clusters
):
    catalog = tmp_path / "catalog.yml"
    catalog.write_text(CATALOG.format(folder=real_data / "walker_lake_3km"))
    config = {
        "scenes": [
            {"source": f"{catalog}:landsat_5_small"},
            {"source": f"{catalog}:landsat_8_small"},
        ],
        "n_clusters": n_clusters,
        "water_at": LAKE,
    }
    results = sl.run_study(config, tmp_path / "results")
    areas = pd.read_csv(results / "areas.csv")
    lake = areas[areas["area"].str.startswith("body of water")].set_index("quantity")["best"]
    before, after = float(lake["water 1988-10-22"]), float(lake["water 2017-10-22"])
    record_property("lake_km2", (before, after))
    # 17 pixels of 3 km, then 14 or 15.
    assert 150 < before < 157
    assert 125 < after < 136

    with rasterio.open(results / "change.tif") as file:
        change = file.read(1)
    before_scene = sl.open_scene(f"{catalog}:landsat_5_small")
    after_scene = sl.open_scene(f"{catalog}:landsat_8_small")
    green, nir = sl.regrid(after_scene, before_scene, "nearest").sel(band=["green", "nir08"]).values
    gained = change == 3
    # What was gained is the wet, turbid Lahontan valley in the north. South-west of the lake is
    # the Sierra with its snow of 2017, bright in green even between trees; the few single pixels
    # there are too dark to be snow (MODIS asks for 0.10 in green: Hall et al. 2002), like tarns
    # and deep shade.
    row, column = pixel_at(grid_of(before_scene), LAKE)
    rows, columns = np.indices(change.shape)
    sierra = (rows > row) & (columns < column)
    assert np.nanmax(nir[gained]) < 0.2
    assert (gained & ~sierra).sum() > 10
    assert (gained & sierra).sum() <= 3
    assert (green[gained & sierra] < 0.10).all()
