"""The steps of the notebook that this project began with run with two imports changed.

They are the calls of the Landsat ML Cookbook's notebook (Project Pythia), on its own two
acquisitions at 3 km, through a version-1 catalogue of its form: `open_catalog` stands for intake's,
`SpectralClustering` for dask-ml's. Where its reader hovers over the lake to learn the label, the
label at the lake's centre is taken; cartopy's one transformation of a point pyproj does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.distributed import Client
from pyproj import Transformer

from strandline import SpectralClustering, open_catalog

# The notebook's keywords for dask-ml that have no effect here: the warning is meant.
pytestmark = pytest.mark.filterwarnings("ignore::strandline.errors.IgnoredParameterWarning")

CATALOG = """
sources:
  landsat_5_small:
    description: Small version of Landsat 5 Surface Reflectance Level-2 Science Product.
    driver: rasterio
    cache:
      - argkey: urlpath
        regex: 'earth-data/landsat'
        type: file
    args:
      urlpath: '{folder}/LT05_L1TP_042033_19881022_20161001_01_T1_sr_band{{band:d}}.tif'
      chunks:
        band: 1
        x: 50
        y: 50
      concat_dim: band
      storage_options: {{'anon': True}}
    metadata:
      plots:
        band_image: {{kind: image, x: x, y: y, groupby: band, rasterize: True}}

  landsat_8_small:
    description: Small version of Landsat 8 Surface Reflectance Level-2 Science Product.
    driver: rasterio
    cache:
      - argkey: urlpath
        regex: 'earth-data/landsat'
        type: file
    args:
      urlpath: '{folder}/LC08_L1TP_042033_20171022_20171107_01_T1_sr_band{{band:d}}.tif'
      chunks:
        band: 1
        x: 50
        y: 50
      concat_dim: band
      storage_options: {{'anon': True}}
"""
PIXEL_KM2 = 0.2 * 0.2  # of the notebook's own grid


@pytest.fixture(scope="module")
def catalog_path(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("notebook") / "catalog.yml"
    path.write_text(CATALOG.format(folder=real_data / "walker_lake_3km"))
    return path


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    # The dashboard's usual port may be taken by a test that runs beside this one.
    with Client(processes=False, dashboard_address="127.0.0.1:0") as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def attributes_are_kept() -> Iterator[None]:
    with xr.set_options(keep_attrs=True):
        yield


def flatten(array: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Pixels by bands, as stored and with one mean and one standard deviation taken out."""
    flat = array.stack(z=("x", "y")).transpose("z", "band")
    return flat, (flat - flat.mean()) / flat.std()


def cluster(X: xr.DataArray) -> SpectralClustering:
    clf = SpectralClustering(
        n_clusters=4,
        random_state=0,
        gamma=None,
        kmeans_params={"init_max_iter": 5},
        persist_embedding=True,
    )
    clf.fit(X)
    return clf


@pytest.fixture(scope="module")
def water(catalog_path: Path, client: Client) -> SimpleNamespace:
    """The notebook's second half: both dates on one grid, labels, masks, difference."""
    cat = open_catalog(catalog_path)
    landsat_5_da = cat.landsat_5_small.to_dask()
    landsat_8_da = cat.landsat_8_small.read_chunked()

    to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32611", always_xy=True)
    x_center, y_center = to_utm.transform(-118.7081, 38.6942)
    buffer, res = 1.5e4, 200
    x = np.arange(x_center - buffer, x_center + buffer, res)
    y = np.arange(y_center - buffer, y_center + buffer, res)
    images, labels, masks = {}, {}, {}
    for year, array in ((1988, landsat_5_da), (2017, landsat_8_da)):
        images[year] = array.interp(x=x, y=y)
        flat, rescaled = flatten(images[year])
        X = client.persist(rescaled)
        found = cluster(X).assign_labels_.labels_.compute()
        labels[year] = flat[:, 0].copy(data=found).unstack()
        lake = labels[year].sel(x=x_center, y=y_center, method="nearest").item()
        mask = labels[year].where(labels[year] == lake, -1)
        masks[year] = mask.where(mask == -1, 1).where(mask != -1, 0)
    return SimpleNamespace(
        images=images, labels=labels, masks=masks, difference=masks[2017] - masks[1988]
    )


def km2(mask: xr.DataArray) -> float:
    return float((mask == 1).sum()) * PIXEL_KM2


@pytest.mark.parametrize("name", ["landsat_5_small", "landsat_8_small"])
def test_the_whole_scene_is_labelled_and_comes_back_as_an_image(name, catalog_path, client):
    cat = open_catalog(catalog_path)
    array = cat[name].to_dask()

    arr = array.values
    flattened_npa = np.array([arr[i].flatten() for i in range(arr.shape[0])]).transpose()
    flat, rescaled = flatten(array)
    assert flattened_npa.shape == flat.shape == (array.sizes["x"] * array.sizes["y"], len(arr))
    assert flat.chunks[1] == (1,) * len(arr)  # by band: the engine has to cope

    X = client.persist(rescaled)
    clf = cluster(X)
    assert isinstance(clf.assign_labels_.labels_, da.Array)
    labels = clf.assign_labels_.labels_.compute()
    assert labels.shape == (len(flat),)
    assert set(np.unique(labels)) == {0, 1, 2, 3}

    template = flat[:, 0]
    unstacked = template.copy(data=labels).unstack()
    image = unstacked.transpose("y", "x").sortby("y", ascending=False)
    assert image.shape == arr.shape[1:]
    np.testing.assert_array_equal(image["y"], array["y"])
    # One cluster is the border that was not observed, which the notebook does not mask.
    border = (arr == -9999).all(axis=0)
    assert len(np.unique(image.values[border])) == 1
    assert not np.isin(image.values[~border], np.unique(image.values[border])).any()


def test_the_grid_around_the_lake_holds_observed_values_of_all_bands(water):
    assert [water.images[year].shape for year in (1988, 2017)] == [(6, 150, 150), (7, 150, 150)]
    for image in water.images.values():
        values = image.values
        assert np.isfinite(values).all()
        assert values.min() > -100  # no fill of -9999 was interpolated into it


def test_the_lake_is_found_on_both_dates_with_a_plausible_area(water):
    # 17 and 14 pixels of 3 km, 153 and 127 km²: interpolated from pixel centre to pixel centre,
    # the shore's mixtures are another cluster, so that the mask keeps inside these areas.
    before, after = (km2(water.masks[year]) for year in (1988, 2017))
    assert 85 <= before <= 153, f"{before:.1f} km² in 1988"
    assert 65 <= after <= 127, f"{after:.1f} km² in 2017"
    assert after < before, f"{before:.1f} km² in 1988, {after:.1f} km² in 2017"


def test_masks_agree_with_a_water_index_that_the_clusters_never_saw(water):
    for year, (green, swir) in ((1988, (2, 5)), (2017, (3, 6))):
        image = water.images[year].compute()
        index = (image.sel(band=green) - image.sel(band=swir)) / (
            image.sel(band=green) + image.sel(band=swir)
        )
        mask = water.masks[year].transpose("y", "x") == 1
        wet = index.transpose("y", "x") > 0
        both, either = float((mask & wet).sum()), float((mask | wet).sum())
        assert both / either > 0.75, f"{year}: {both * PIXEL_KM2:.0f} of {either * PIXEL_KM2:.0f}"


def test_the_difference_of_the_masks_shows_more_loss_than_gain(water):
    difference = water.difference
    assert difference.sizes == {"x": 150, "y": 150}
    assert set(np.unique(difference)) == {-1, 0, 1}
    lost = float((difference == -1).sum()) * PIXEL_KM2
    gained = float((difference == 1).sum()) * PIXEL_KM2
    assert lost > gained, f"{lost:.1f} km² lost, {gained:.1f} km² gained"
    kept = float(((water.masks[1988] == 1) & (water.masks[2017] == 1)).sum()) * PIXEL_KM2
    assert kept > 50, f"{kept:.1f} km² are water on both dates"
    assert difference.attrs["crs"] == "EPSG:32611"


@pytest.mark.filterwarnings("ignore")  # of the packages that draw
def test_its_plotting_cells_draw_maps_on_the_projection(catalog_path, water):
    import holoviews as hv
    import hvplot.xarray  # noqa: F401

    cat = open_catalog(catalog_path)
    raw = cat.landsat_5_small.to_dask()
    look = {"x": "x", "y": "y", "geo": True}
    maps = {
        "bands": raw.hvplot.image(**look, rasterize=True, groupby="band", cmap="viridis"),
        "labels 1988": water.labels[1988].hvplot(**look, cmap="Category10"),
        "labels 2017": water.labels[2017].hvplot(**look, cmap="Category10"),
        "mask": water.masks[1988].hvplot(**look, rasterize=True, cmap=["lightgray", "blue"]),
        "change": water.difference.hvplot(**look, rasterize=True, cmap="coolwarm"),
    }
    for name, drawn in maps.items():
        figure = hv.render(drawn, backend="bokeh")
        assert figure.x_range.start < figure.x_range.end, name
        assert abs(figure.x_range.start) > 1e6, f"{name} is drawn in metres of the projection"


GEO = """
import sys
import numpy as np
import holoviews as hv
import hvplot.xarray
import strandline as sl
from strandline.testing.lakes import round_lake

assert "rioxarray" not in sys.modules
scene = round_lake(radius=300)
segmentation = sl.segment(scene, n_clusters=3)
water = sl.find_water(segmentation)
mask = sl.water_mask(segmentation, water)
stack = sl.stack_scenes([scene])
arrays = {
    "scene": scene, "stack": stack[0], "labels": segmentation["labels"], "mask": mask,
    "fraction": sl.water_fraction(segmentation, water),
    "confidence": sl.water_confidence(segmentation, water), "change": sl.compare(mask, mask),
}
place = {"center": (-118.71, 38.74), "buffer": 800}
for crs, size in (("EPSG:4326", 0.001), ("EPSG:3413", 100), ("EPSG:3857", 100)):
    grid = sl.make_grid(**place, crs=crs, resolution=size)
    arrays[crs] = sl.regrid(scene, grid)
for name, array in arrays.items():
    one = array.sel(band="red") if "band" in array.dims else array
    hv.render(one.hvplot.image(x="x", y="y", geo=True), backend="bokeh")
    assert one.rio.crs is not None, name
    print(name)
"""


def test_every_array_is_drawn_on_its_projection_without_another_import():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GEO], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.split()) == 10
