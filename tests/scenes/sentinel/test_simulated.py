"""Sentinel-2 in the simulator, and its products through the whole program."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr

import strandline as sl
from strandline.description import describe_source
from strandline.errors import ConfigurationError, OutputError
from strandline.scenes.open import open_scene
from strandline.scenes.sensors import SENSORS
from strandline.scenes.simulate import simulate_scene
from strandline.scenes.simulation.optics import spectra_of

DAY = {"date": "2020-08-02", "platform": "sentinel-2a", "size": (240, 180)}


def test_a_product_on_disk_is_the_scene_in_memory(tmp_path):
    memory, water = simulate_scene(**DAY, cloud_cover=0.2)
    disk, same_water = simulate_scene(**DAY, cloud_cover=0.2, path=tmp_path)
    assert memory.chunks is None
    assert disk.chunks is not None
    xr.testing.assert_equal(disk.drop_vars("time"), memory.drop_vars("time"))
    xr.testing.assert_identical(water, same_water)
    assert disk.attrs["source"].endswith(
        "S2A_MSIL2A_20200802T184931_N0500_R113_T11SLC_20200802T224931.SAFE"
    )


def test_the_same_arguments_write_the_same_bytes(tmp_path):
    digests = []
    for name in ("a", "b"):
        simulate_scene(**DAY, path=tmp_path / name, processing_level="L1C", cloud_cover=0.1)
        files = sorted((tmp_path / name).rglob("*.*"))
        digests.append(
            {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()}
        )
    assert len(digests[0]) == 15
    assert digests[0] == digests[1]


def test_images_lie_on_tiles_of_60_m_and_are_lossless(tmp_path):
    scene, _ = simulate_scene(**DAY, path=tmp_path)
    for ending, size in (("_B02_10m", 10), ("_B05_20m", 20), ("_B01_60m", 60), ("_SCL_20m", 20)):
        (path,) = tmp_path.rglob(f"*{ending}.jp2")
        with rasterio.open(path) as file:
            assert file.driver == "JP2OpenJPEG"
            assert file.res == (size, size)
            assert file.bounds.left % 60 == file.bounds.top % 60 == 0
            assert file.bounds == tuple(scene.odc.geobox.boundingbox.bbox)


def test_spectra_of_msi_are_oli_s_where_the_bands_agree():
    msi, oli = spectra_of("msi"), spectra_of("oli")
    assert msi.bands == tuple(b.name for b in SENSORS["sentinel-2a"].bands if b.name != "cirrus")
    for name in ("coastal", "green", "nir08", "swir16", "swir22"):
        np.testing.assert_allclose(
            msi.mean[:, msi.bands.index(name)], oli.mean[:, oli.bands.index(name)], atol=0.012
        )
    assert (msi.mean > 0).all()


def test_water_in_the_scene_is_where_the_truth_says():
    scene, water = simulate_scene(
        "2020-08-02", platform="sentinel-2b", size=(300, 1200), snow=False
    )
    truth = water.values
    wet, dry = truth > 0.9, truth < 0.1
    assert wet.mean() > 0.1
    assert dry.mean() > 0.1
    mask = sl.water_mask(sl.segment(scene, 4))
    assert (mask.values == 1)[wet].mean() > 0.98
    assert (mask.values == 0)[dry].mean() > 0.98


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (100, 100)}, "multiples of 6"),
        ({"size": "full"}, "size="),
        ({"resolution": 30}, "resolution="),
        ({"processing_level": "L2A"}, "only a Sentinel-2 product to be written"),
        ({"platform": "landsat-8", "baseline": "05.00", "path": "x"}, "only a Sentinel-2 product"),
        ({"processing_level": "L1B", "path": "x"}, "'L1C' or 'L2A'"),
        ({"baseline": "5", "path": "x"}, "four digits"),
    ],
)
def test_what_cannot_be_simulated_says_so(change, message, tmp_path):
    if "path" in change:
        change = change | {"path": tmp_path / "x"}
    with pytest.raises(ConfigurationError, match=message):
        simulate_scene(**(DAY | change))
    assert not any(tmp_path.iterdir())


def test_a_product_that_was_not_simulated_is_not_overwritten(tmp_path):
    scene, _ = simulate_scene(**DAY, path=tmp_path)
    simulate_scene(**DAY, path=tmp_path)  # one that was, is
    folder = tmp_path / scene.attrs["source"].rsplit("/", 1)[-1]
    record = folder / "MTD_MSIL2A.xml"
    record.write_text(record.read_text().replace("Simulated by Strandline", "Observed"))
    with pytest.raises(OutputError, match="was not simulated"):
        simulate_scene(**DAY, path=tmp_path)
    assert [child.name for child in tmp_path.iterdir()] == [folder.name]


# --- everywhere a Landsat product goes --------------------------------------------------


def test_info_describes_a_product_and_its_archive(safe, zipped):
    for source in (safe(), zipped()):
        text = describe_source(str(source), statistics=True)
        assert "sentinel-2a, msi" in text
        assert "2020-08-02T18:49:31" in text
        assert "blue green red nir08 swir16 swir22" in text
        assert "10 × 10 m" in text


def test_a_study_compares_an_archive_with_landsat_and_records_the_inputs(zipped, tmp_path):
    landsat, _ = simulate_scene("2017-10-22", size=(100, 100), path=tmp_path / "landsat")
    source = landsat.attrs["source"]
    results = sl.run_study(
        {"scenes": [{"source": source}, {"source": str(zipped())}], "n_clusters": 3},
        tmp_path / "out",
    )
    assert results is not None
    record = json.loads((tmp_path / "out" / "record.json").read_text())
    assert str(zipped()) in json.dumps(record["inputs"])
    with rasterio.open(tmp_path / "out" / "labels_2020-08-02.tif") as file:
        assert file.shape == (100, 100)


def test_a_product_its_bands_as_cogs_and_its_array_are_the_same_scene(safe, tmp_path):
    folder = safe()
    product = open_scene(folder, mask=()).compute()
    paths = []
    for ending in ("B02_10m", "B03_10m", "B04_10m", "B8A_20m", "B11_20m", "B12_20m"):
        (image,) = folder.rglob(f"*_{ending}.jp2")
        with rasterio.open(image) as file:
            profile, numbers = file.profile, file.read()
        paths.append(tmp_path / f"{ending.split('_')[0]}.tif")
        profile = {k: profile[k] for k in ("dtype", "count", "height", "width", "crs", "transform")}
        with rasterio.open(paths[-1], "w", driver="COG", nodata=0, **profile) as file:
            file.write(numbers)
    cogs = open_scene(paths, platform="sentinel-2a", scale=1e-4, offset=-0.1).compute()
    np.testing.assert_array_equal(cogs, product)
    assert cogs.band.values.tolist() == product.band.values.tolist()
    again = open_scene(product.drop_vars("quality"))
    np.testing.assert_array_equal(again, product)
    product.to_netcdf(tmp_path / "a.nc")
    np.testing.assert_array_equal(open_scene(tmp_path / "a.nc"), product)


@pytest.mark.parametrize("baseline", ["03.01", "05.00"])
def test_a_product_and_a_stac_item_of_its_images_are_the_same_scene(safe, baseline):
    folder = safe("L2A", baseline)
    product = open_scene(folder)
    box = product.odc.geobox.extent.to_crs("EPSG:4326")
    item = pystac.Item(
        folder.stem,
        box.json,
        list(box.boundingbox.bbox),
        datetime(2020, 8, 2, 18, 49, 31, tzinfo=UTC),
        {"platform": "Sentinel-2A", "s2:processing_baseline": baseline, "proj:epsg": 32611},
        collection="sentinel-2-l2a",
    )
    for image in folder.rglob("*m.jp2"):
        key, size = image.stem.split("_")[-2:]
        if key not in item.assets or int(size[:2]) < int(item.assets[key].href[-7:-5]):
            item.add_asset(key, pystac.Asset(str(image), media_type="image/jp2", roles=["data"]))
    scene = open_scene(item)
    assert scene.band.values.tolist() == product.band.values.tolist()
    assert scene.odc.geobox == product.odc.geobox
    np.testing.assert_array_equal(scene.compute(), product.compute())
