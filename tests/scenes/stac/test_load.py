"""STAC items opened as scenes: the same numbers as the files, and errors that name the file."""

from __future__ import annotations

import json
import pickle
import re

import dask
import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from distributed import Client, LocalCluster
from odc.geo.geobox import GeoBox

import strandline as sl
from strandline.errors import (
    AccessDeniedError,
    ConfigurationError,
    GridMismatchError,
    MetadataError,
    MissingBandError,
    SceneError,
    SourceNotFoundError,
    UnreadableSourceError,
)
from strandline.testing.checks import check_map

OLI = ["coastal", "blue", "green", "red", "nir08", "swir16", "swir22"]


@pytest.fixture
def local(products):
    return {day: sl.open_scene(folder) for day, folder in products.items()}


def test_an_item_gives_the_numbers_of_the_product(items, local):
    for day, item in items.items():
        scene = sl.open_scene(item)
        check_map(scene, "scene")
        assert scene.chunks is not None
        np.testing.assert_array_equal(scene.values, local[day].values)
        np.testing.assert_array_equal(scene["quality"].values, local[day]["quality"].values)
        assert str(scene["quality"].attrs) == str(local[day]["quality"].attrs)
        assert scene.odc.geobox == local[day].odc.geobox
        assert scene["band"].values.tolist() == local[day]["band"].values.tolist()
        for name in ("platform", "instrument", "processing_level", "units", "masked"):
            assert scene.attrs[name] == local[day].attrs[name]
        assert abs(scene["time"].values - local[day]["time"].values) < np.timedelta64(1, "s")


def test_opening_asks_for_no_pixels_and_no_files(site, items):
    scene = sl.open_scene(items["1988-10-22"])
    assert scene.shape == (6, 300, 280)
    assert not site.asked


def test_only_the_bytes_of_the_window_are_sent(site, items):
    scene = sl.open_scene(items["2017-10-22"], bands=["green"], mask=(), chunks=64)
    scene.data[0, :64, :64].compute()
    assert {path.rsplit("_", 1)[1] for path in site.sent} == {"B3.TIF"}


def test_stored_numbers_come_as_they_are(items, products):
    folder = products["2017-10-22"]
    scene = sl.open_scene(items["2017-10-22"], reflectance=False, mask=(), bands=["B4"])
    with rasterio.open(folder / f"{folder.name}_SR_B4.TIF") as file:
        stored = file.read(1).astype("float32")
    np.testing.assert_array_equal(scene.values[0], np.where(stored == 0, np.nan, stored))


@pytest.mark.parametrize("chunks", [50, (300, 7), -1])
def test_chunks_do_not_matter(items, local, chunks):
    scene = sl.open_scene(items["2017-10-06"], chunks=chunks)
    np.testing.assert_array_equal(scene.values, local["2017-10-06"].values)


def test_a_grid_is_filled_as_nearest_neighbours_do(items, local):
    grid = sl.make_grid(center=(-118.72, 38.69), buffer=6000, resolution=90, crs="EPSG:32610")
    scene = sl.open_scene(items["2017-10-06"], grid=grid, chunks=60)
    whole = sl.open_scene(items["2017-10-06"], grid=grid, chunks=-1)
    assert scene.odc.geobox == grid
    np.testing.assert_array_equal(scene.values, whole.values)
    expected = sl.regrid(local["2017-10-06"], grid, "nearest").values
    # GDAL finds places to 1/8 of a pixel, we to the last digit.
    different = ~((scene.values == expected) | (np.isnan(scene.values) & np.isnan(expected)))
    assert different.mean() < 0.005


def test_a_grid_on_the_pixels_of_the_files_is_a_crop_with_a_frame(items, local):
    native = local["2017-10-22"].odc.geobox
    wider = GeoBox((340, 300), native.transform * Affine.translation(-10, -20), native.crs)
    scene = sl.open_scene(items["2017-10-22"], grid=wider)
    np.testing.assert_array_equal(scene.values[:, 20:320, 10:290], local["2017-10-22"].values)
    assert np.isnan(scene.values[:, :20]).all()
    assert np.isnan(scene.values[:, :, 290:]).all()
    np.testing.assert_array_equal(
        sl.open_scene(items["2017-10-22"], grid=local["1988-10-22"]).values,
        local["2017-10-22"].values,
    )


def test_a_grid_is_for_stac_only(products):
    with pytest.raises(ConfigurationError, match=r"regrid\(scene, grid\)"):
        sl.open_scene(products["1988-10-22"], grid=sl.make_grid(bbox=(0, 0, 1, 1), resolution=90))


def test_a_grid_that_is_none_is_refused(items):
    with pytest.raises(ConfigurationError, match="make_grid"):
        sl.open_scene(items["1988-10-22"], grid="EPSG:32611")


def test_items_come_in_every_form(site, items, local, tmp_path):
    item = items["1988-10-22"]
    path = tmp_path / "item.json"
    path.write_text(json.dumps(item))
    both = tmp_path / "found.json"
    both.write_text(json.dumps({"type": "FeatureCollection", "features": site.items}))
    parsed = pystac.Item.from_dict(item)
    sources = [
        parsed,
        [parsed],
        (parsed,),
        pystac.ItemCollection([parsed]),
        sl.search_scenes([parsed]),
        [item],
        {"type": "FeatureCollection", "features": [item]},
        path,
        str(path),
        f"{both}:{item['id']}",
        f"{both}:1988-10-22",
        f"{site.url}/stac/collections/landsat-c2-l2/items/{item['id']}",
    ]
    for source in sources:
        scene = sl.open_scene(source, bands=["nir08"])
        expected = local["1988-10-22"].sel(band=["nir08"])
        np.testing.assert_array_equal(scene.values, expected.values)


def test_addresses_of_files_count_from_the_item(products, items, tmp_path):
    item = items["2017-10-22"]
    for asset in item["assets"].values():
        asset["href"] = "./" + asset["href"].partition("?")[0].rsplit("/", 1)[1]
    folder = products["2017-10-22"]
    path = folder / "item.json"
    path.write_text(json.dumps(item))
    try:
        scene = sl.open_scene(path)
        assert scene.attrs["source"] == str(path)
        np.testing.assert_array_equal(scene.values, sl.open_scene(folder).values)
    finally:
        path.unlink()


def test_relative_addresses_of_an_item_in_memory_count_from_the_working_folder(
    products, items, local, monkeypatch
):
    item = items["2017-10-22"]
    for asset in item["assets"].values():
        asset["href"] = asset["href"].partition("?")[0].rsplit("/", 1)[1]
    monkeypatch.chdir(products["2017-10-22"])
    scene = sl.open_scene(item, bands=["red"])
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(scene.values, local["2017-10-22"].sel(band=["red"]).values)


def test_an_item_that_says_little_is_completed_from_its_files(site, items, local):
    item = items["2017-10-22"]
    for name in ("proj:epsg", "proj:shape", "proj:transform"):
        del item["properties"][name]
    for asset in item["assets"].values():
        asset.pop("raster:bands")
    scene = sl.open_scene(item)
    assert sum(site.sent.values()) < 400_000  # headers
    np.testing.assert_array_equal(scene.values, local["2017-10-22"].values)


def test_fields_of_stac_1_1_mean_the_same(items, local):
    item = items["2017-10-22"]
    item["stac_version"] = "1.1.0"
    item["stac_extensions"] = [
        "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
        "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
        "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    ]
    item["properties"]["proj:code"] = f"EPSG:{item['properties'].pop('proj:epsg')}"
    for asset in item["assets"].values():
        raster = asset.pop("raster:bands")[0]
        asset |= {key: raster[key] for key in ("data_type", "nodata") if key in raster}
        for eo in asset.pop("eo:bands", []):
            asset["bands"] = [
                {"name": eo["name"], "eo:common_name": eo["common_name"],
                 "raster:scale": raster["scale"], "raster:offset": raster["offset"]}
            ]  # fmt: skip
    scene = sl.open_scene(item)
    np.testing.assert_array_equal(scene.values, local["2017-10-22"].values)


# --- mosaics ------------------------------------------------------------------


def cut(item: dict, folder, target, rows: slice, columns: slice, minute: int) -> dict:
    """An item of a part of a product, with files of its own beside it."""
    item = json.loads(json.dumps(item))
    item["id"] += f"_part{minute}"
    item["properties"]["datetime"] = item["properties"]["datetime"][:14] + f"{minute:02}:00Z"
    for key, asset in item["assets"].items():
        name = asset["href"].partition("?")[0].rsplit("/", 1)[1]
        with rasterio.open(folder / name) as file:
            window = rasterio.windows.Window.from_slices(rows, columns)
            profile = file.profile | {"height": int(window.height), "width": int(window.width)}
            profile["transform"] = file.window_transform(window)
            values = file.read(window=window)
        part = target / f"{key}_{minute}.tif"
        with rasterio.open(part, "w", **profile) as out:
            out.write(values)
        asset["href"] = str(part)
    t = profile["transform"]
    item["properties"] |= {
        "proj:shape": [profile["height"], profile["width"]],
        "proj:transform": list(t)[:6],
    }
    return item


@pytest.fixture
def tiles(items, products, tmp_path):
    """Three tiles of one acquisition: the two north ones overlap, the last one is in the south."""
    item, folder = items["2017-10-06"], products["2017-10-06"]
    north = slice(0, 200)
    return [
        cut(item, folder, tmp_path, north, slice(0, 150), 1),
        cut(item, folder, tmp_path, north, slice(120, 280), 2),
        cut(item, folder, tmp_path, slice(200, 300), slice(0, 280), 3),
    ]


def test_tiles_of_one_pass_are_put_together(tiles, local):
    scene = sl.open_scene(tiles)
    check_map(scene, "scene")
    np.testing.assert_array_equal(scene.values, local["2017-10-06"].values)
    assert scene.odc.geobox == local["2017-10-06"].odc.geobox
    quality = local["2017-10-06"]["quality"]
    np.testing.assert_array_equal(scene["quality"].values, quality.values)
    assert scene["quality"].dtype == np.uint8
    assert str(scene["time"].values)[14:16] == "01"
    backwards = sl.open_scene(tiles[::-1])
    np.testing.assert_array_equal(backwards.values, scene.values)


def test_each_tile_keeps_its_own_factors(tiles, local):
    for asset in tiles[1]["assets"].values():
        if "eo:bands" in asset:
            asset["raster:bands"][0]["offset"] = -0.1
    scene = sl.open_scene(tiles, mask=()).values
    expected = sl.open_scene(tiles[2]["assets"] and tiles[0], mask=()).values
    np.testing.assert_array_equal(scene[:, :200, :150], expected)
    shifted = scene[:, :200, 150:] - local["2017-10-06"].values[:, :200, 150:]
    np.testing.assert_allclose(shifted[np.isfinite(shifted)], 0.1, atol=1e-6)


def test_tiles_that_share_no_grid_need_one(tiles):
    tiles[2]["properties"]["proj:epsg"] = 32610
    with pytest.raises(GridMismatchError, match="make_grid"):
        sl.open_scene(tiles)


def test_items_of_several_passes_are_no_scene(site):
    with pytest.raises(ConfigurationError, match=r"2: landsat-8 2017-10-06.*landsat-8 2017-10-22"):
        sl.open_scene(site.items[1:])
    with pytest.raises(ConfigurationError, match=r"landsat-5 1988-10-22.*stack_scenes"):
        sl.open_scene(site.items)


# --- what can go wrong --------------------------------------------------------


def path_of(item: dict, band: str, site) -> str:
    return item["assets"][band]["href"].removeprefix(site.url).partition("?")[0]


def test_a_dead_link_says_which_file_and_is_no_nodata(site, items):
    item = items["1988-10-22"]
    item["assets"]["red"]["href"] = item["assets"]["red"]["href"].replace(".TIF", ".gone")
    scene = sl.open_scene(item)
    with pytest.raises(SourceNotFoundError, match=re.escape(item["assets"]["red"]["href"])):
        scene.compute()
    for scheduler in ("synchronous", "processes"):
        with dask.config.set(scheduler=scheduler), pytest.raises(SceneError, match="gone"):
            scene.compute()


@pytest.mark.parametrize("fault", [401, 403, 500, 503, "short"])
def test_a_server_that_fails_is_an_error_of_ours(site, items, fault, monkeypatch):
    monkeypatch.setattr("strandline.scenes.access._REMOTE_DEFAULTS", {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_HTTP_MAX_RETRY": "1",
        "GDAL_HTTP_RETRY_DELAY": "0.01",
    })  # fmt: skip
    item = items["1988-10-22"]
    site.faults[path_of(item, "nir08", site)] = [fault] * 99
    scene = sl.open_scene(item, bands=["red", "nir08"], chunks=100)
    with pytest.raises(UnreadableSourceError, match="SR_B4") as caught:
        scene.compute()
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), UnreadableSourceError)


def test_a_failure_that_passes_is_forgiven(site, items, local):
    item = items["2017-10-22"]
    site.faults[path_of(item, "red", site)] = [503]
    scene = sl.open_scene(item, bands=["red"])
    np.testing.assert_array_equal(scene.values, local["2017-10-22"].sel(band=["red"]).values)
    assert site.asked[path_of(item, "red", site)] > 1


def test_a_file_that_lies_elsewhere_is_refused(items):
    item = items["1988-10-22"]
    item["properties"]["proj:transform"][2] += 60
    with pytest.raises(GridMismatchError, match="does not lie where its STAC item says"):
        sl.open_scene(item, bands=["blue"]).compute()


def test_a_file_of_another_type_is_refused(items):
    item = items["1988-10-22"]
    item["assets"]["blue"]["raster:bands"][0]["data_type"] = "uint8"
    with pytest.raises(MetadataError, match="does not store what its STAC item says"):
        sl.open_scene(item, bands=["blue"]).compute()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("proj:shape", [300]),
        ("proj:shape", [0, 280]),
        ("proj:transform", [30, 0, float("nan"), 0, -30, 0]),
        ("proj:transform", [0, 0, 0, 0, 0, 0]),
        ("proj:epsg", 999999),
    ],
)
def test_a_grid_that_cannot_be_is_said_at_once(items, field, value):
    item = items["1988-10-22"]
    item["properties"][field] = value
    with pytest.raises(MetadataError, match="no usable grid"):
        sl.open_scene(item)


def test_bands_that_are_not_there_are_named(items):
    with pytest.raises(MissingBandError, match=r"'coastal'.*blue, green"):
        sl.open_scene(items["1988-10-22"], bands=["coastal"])
    item = items["1988-10-22"]
    del item["assets"]["qa_pixel"]
    with pytest.raises(MissingBandError, match="qa_pixel"):
        sl.open_scene(item, mask=["snow"])
    item["assets"] = {}
    with pytest.raises(MissingBandError, match="no assets"):
        sl.open_scene(item)


def test_band_names_are_the_items_own(items):
    with pytest.raises(ConfigurationError, match="names its bands itself"):
        sl.open_scene(items["1988-10-22"], band_names=["a"])


def test_worker_processes_read_by_themselves(items, local):
    scene = sl.open_scene(items["2017-10-06"], chunks=150)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        result = client.compute(scene).result()
        np.testing.assert_array_equal(result.values, local["2017-10-06"].values)
        dead = items["1988-10-22"]
        dead["assets"]["red"]["href"] = dead["assets"]["red"]["href"].replace(".TIF", ".gone")
        with pytest.raises(SourceNotFoundError, match="gone"):
            client.compute(sl.open_scene(dead)).result()


# --- the Planetary Computer ---------------------------------------------------


def test_signatures_are_made_for_reading_and_kept_nowhere(site, items, local, monkeypatch):
    from strandline.scenes.stac import access

    secret = "se=2030-01-01&sp=rl&sig=SECRET"
    asked = []

    def sign(href: str) -> str:
        asked.append(href)
        return f"{href}&{secret}"

    item = items["2017-10-22"]
    item["links"] = [{"rel": "root", "href": "https://planetarycomputer.microsoft.com/api/stac/v1"}]
    monkeypatch.setattr("strandline.scenes.stac.driver.signed", sign)
    scene = sl.open_scene(item)
    assert not asked
    np.testing.assert_array_equal(scene.values, local["2017-10-22"].values)
    assert len(asked) >= len(OLI)
    assert "SECRET" not in str(scene.attrs)
    item["assets"]["red"]["href"] = item["assets"]["red"]["href"].replace(".TIF", ".gone")
    with pytest.raises(SourceNotFoundError) as caught:
        sl.open_scene(item).compute()
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in str(caught.value.__cause__ or "")
    assert access.signed("https://a.example/x.tif") == "https://a.example/x.tif"
    # What was signed by someone else is unsigned before anything is kept of it.
    for asset in item["assets"].values():
        asset["href"] += f"&{secret}"
    assert "SECRET" not in repr(sl.open_scene(item).__dask_graph__().to_dict())


def test_an_account_that_refuses_is_an_access_error():
    assert issubclass(AccessDeniedError, UnreadableSourceError)


def test_items_are_read_from_copies_where_these_are_kept(site, items, local, tmp_path):
    scene = sl.open_scene(items["1988-10-22"], cache=tmp_path / "copies")
    site.forget()
    np.testing.assert_array_equal(scene.values, local["1988-10-22"].values)
    assert not site.sent
    assert list((tmp_path / "copies").rglob("*_SR_B4.TIF"))
