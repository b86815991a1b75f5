"""Sentinel-2 products as scenes: values, grids, masks, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr

from strandline.errors import (
    ConfigurationError,
    GridMismatchError,
    MetadataError,
    MissingBandError,
    MissingCRSError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.scenes.open import open_scene
from strandline.scenes.quality import REASONS
from strandline.scenes.sentinel.product import describe_safe

SHARED = ["blue", "green", "red", "nir08", "swir16", "swir22"]


def stored(folder, ending):
    (path,) = folder.rglob(f"*{ending}.jp2")
    with rasterio.open(path) as file:
        return file.read()


def test_a_product_becomes_a_lazy_scene_with_the_bands_that_landsat_has_too(safe):
    scene = open_scene(safe())
    assert scene.band.values.tolist() == SHARED
    assert scene.chunks is not None
    assert scene.dtype == np.float32
    assert scene.shape[1:] == (240, 180)
    assert scene.odc.geobox.crs.epsg == 32611
    assert abs(scene.odc.geobox.resolution.x) == 10
    assert str(scene.time.values)[:19] == "2020-08-02T18:49:31"
    assert scene.attrs["platform"] == "sentinel-2a"
    assert scene.attrs["instrument"] == "msi"
    assert scene.attrs["processing_level"] == "L2"
    assert scene.attrs["processing_baseline"] == "05.00"


@pytest.mark.parametrize("level", ["L1C", "L2A"])
@pytest.mark.parametrize(("baseline", "offset"), [("03.01", 0), ("04.00", -1000), ("05.00", -1000)])
def test_reflectance_is_the_number_with_the_offset_taken_off_once(safe, level, baseline, offset):
    folder = safe(level, baseline)
    scene = open_scene(folder, mask=()).compute()
    tail = "" if level == "L1C" else "_10m"
    numbers = stored(folder, f"_B03{tail}")[0].astype(float)
    expected = np.where(numbers == 0, np.nan, (numbers + offset) / 10_000)
    np.testing.assert_allclose(scene.sel(band="green"), expected, atol=2e-7)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_both_baselines_give_the_same_reflectance(safe, level):
    old, new = (open_scene(safe(level, b)).compute() for b in ("03.01", "05.00"))
    # Numbers without the offset cannot say anything below 0.0001.
    same = new.where(new >= 0.0001, np.float32(0.0001)).where(new.notnull())
    xr.testing.assert_allclose(old.drop_vars("quality"), same.drop_vars("quality"), atol=2e-7)


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_an_archive_gives_the_very_values_of_the_folder(safe, zipped, level):
    folder, archive = open_scene(safe(level)), open_scene(zipped(level))
    xr.testing.assert_equal(folder, archive)
    assert "/vsizip" not in archive.attrs["source"]


def test_nothing_is_unpacked_from_an_archive(zipped, tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))
    open_scene(zipped()).compute()
    assert not (tmp_path / "cache").exists()


def test_coarse_bands_have_each_of_their_pixels_repeated(safe):
    folder = safe()
    scene = open_scene(folder, bands=["red", "swir16", "coastal"], mask=()).compute()
    for name, ending, ratio in (("swir16", "_B11_20m", 2), ("coastal", "_B01_60m", 6)):
        numbers = stored(folder, ending)[0].repeat(ratio, 0).repeat(ratio, 1).astype(float)
        expected = np.where(numbers == 0, np.nan, (numbers - 1000) / 10_000)
        np.testing.assert_allclose(scene.sel(band=name), expected, atol=2e-7)


def test_values_do_not_depend_on_chunks(safe):
    folder = safe()
    whole = open_scene(folder, bands=["B04", "B8A", "B09"], chunks=-1).compute()
    for chunks in (64, (37, 53), (240, 7)):
        parts = open_scene(folder, bands=["B04", "B8A", "B09"], chunks=chunks)
        assert len(parts.chunks[1]) * len(parts.chunks[2]) > 1
        xr.testing.assert_identical(whole.load(), parts.compute())


def test_the_pixel_size_is_the_finest_of_the_bands_unless_it_is_said(safe):
    folder = safe()
    sizes = {
        ("red", "swir16"): 10,
        ("swir16", "nir08"): 20,
        ("coastal", "nir09"): 60,
    }
    for bands, size in sizes.items():
        assert abs(open_scene(folder, bands=bands).odc.geobox.resolution.x) == size
    fine = open_scene(folder, bands=["swir16"], resolution=10)
    assert fine.shape == (1, 240, 180)
    np.testing.assert_array_equal(fine[0, ::2, ::2], open_scene(folder, bands=["swir16"])[0])


def test_at_20_m_level_2a_gives_its_own_images(safe):
    folder = safe()
    scene = open_scene(folder, resolution=20, mask=()).compute()
    assert scene.shape == (6, 120, 90)
    numbers = stored(folder, "_B04_20m")[0].astype(float)
    expected = np.where(numbers == 0, np.nan, (numbers - 1000) / 10_000)
    np.testing.assert_allclose(scene.sel(band="red"), expected, atol=2e-7)


def test_level_1c_has_no_coarser_images_and_says_how_to_make_them(safe):
    with pytest.raises(GridMismatchError, match=r"'blue' with 20 m.*regrid\(.*average"):
        open_scene(safe("L1C"), resolution=20)
    with pytest.raises(GridMismatchError, match="no grid of 15 m"):
        open_scene(safe("L1C"), bands=["swir16"], resolution=15)


def test_another_source_has_no_choice_of_pixel_sizes(write_raster):
    path = write_raster("scene.tif", np.ones((1, 4, 4), np.float32), descriptions=["red"])
    with pytest.raises(ConfigurationError, match=r"resolution=20.*regrid"):
        open_scene(path, resolution=20)


def test_the_broad_near_infrared_goes_by_landsat_s_name_unless_the_narrow_one_is_there(safe):
    folder = safe()
    alone = open_scene(folder, bands=["green", "nir"])
    assert alone.band.values.tolist() == ["green", "nir08"]
    assert alone.attrs["stands_in"] == "B08 as nir08"
    both = open_scene(folder, bands=["nir", "nir08"])
    assert both.band.values.tolist() == ["nir", "nir08"]
    assert "stands_in" not in both.attrs
    np.testing.assert_array_equal(alone.sel(band="nir08"), both.sel(band="nir"))
    assert not np.array_equal(both.sel(band="nir"), both.sel(band="nir08"))


def test_bands_may_be_asked_for_by_number_and_in_any_order(safe):
    scene = open_scene(safe(), bands=["B12", "B8A", "B03", "B05"])
    assert scene.band.values.tolist() == ["swir22", "nir08", "green", "rededge071"]


def test_a_folder_of_the_10_m_bands_alone_opens_with_them(copy):
    folder = copy()
    for path in folder.rglob("*m.jp2"):
        if not path.name.endswith("_10m.jp2"):
            path.unlink()
    scene = open_scene(folder)
    assert scene.band.values.tolist() == ["blue", "green", "red", "nir08"]
    assert "quality" not in scene.coords
    with pytest.raises(MissingBandError, match="no quality band to find snow"):
        open_scene(folder, mask=["snow"])


def test_stored_numbers_come_as_they_are(safe):
    folder = safe()
    scene = open_scene(folder, bands=["red"], reflectance=False, mask=()).compute()
    numbers = stored(folder, "_B04_10m")[0]
    np.testing.assert_array_equal(scene[0].fillna(0), numbers)
    assert "units" not in scene.attrs


def test_factors_of_the_caller_take_the_place_of_the_products(safe):
    folder = safe()
    raw = stored(folder, "_B04_10m")[0].astype(float)
    scene = open_scene(folder, bands=["red"], scale=1e-4, offset=0.0, mask=()).compute()
    np.testing.assert_allclose(scene[0], np.where(raw == 0, np.nan, raw * 1e-4), atol=2e-7)


# --- quality ---------------------------------------------------------------------


def test_the_scene_classification_says_what_was_not_observed(safe):
    folder = safe()
    classes = stored(folder, "_SCL_20m")[0].repeat(2, 0).repeat(2, 1)
    scene = open_scene(folder).compute()
    hidden = np.isin(classes, [0, 1, 3, 8, 9, 10])
    assert 0.05 < hidden.mean() < 0.9
    np.testing.assert_array_equal(scene.sel(band="red").isnull(), hidden)
    assert set(np.unique(classes)) >= {3, 6, 9}
    assert scene.attrs["masked"].split() == [
        "fill", "cloud", "cirrus", "cloud_shadow", "saturated"
    ]  # fmt: skip


def test_dark_and_unclassified_pixels_stay_observed(copy):
    folder = copy()
    (path,) = folder.rglob("*_SCL_20m.jp2")
    with rasterio.open(path) as file:
        profile = file.profile
    classes = np.tile(np.arange(12, dtype=np.uint8), (120, 8))[:, :90]
    profile.update(QUALITY="100", REVERSIBLE="YES")
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        file.write(classes, 1)
    scene = open_scene(folder, bands=["swir16"]).compute()
    seen = {int(c): bool(scene[0].values[classes == c].size) for c in range(12)}
    assert all(seen.values())
    observed = {c for c in range(12) if scene[0].notnull().values[classes == c].all()}
    assert observed == {2, 4, 5, 6, 7, 11}
    snowless = open_scene(folder, bands=["swir16"], mask=["snow"]).compute()
    assert snowless[0].isnull().values[classes == 11].all()
    assert snowless[0].notnull().values[classes == 9].all()


@pytest.mark.parametrize("baseline", ["03.01", "05.00"])
def test_level_1c_masks_by_its_cloud_mask_polygons_or_image(safe, baseline):
    folder = safe("L1C", baseline)
    classes = stored(safe("L2A"), "_SCL_20m")[0]
    cloudy = np.isin(classes, [8, 9]).reshape(40, 3, 30, 3).any(axis=(1, 3))
    assert 0.05 < cloudy.mean() < 0.9
    scene = open_scene(folder).compute()
    np.testing.assert_array_equal(scene.sel(band="red").isnull(), cloudy.repeat(6, 0).repeat(6, 1))
    assert len(list(folder.rglob("*.gml"))) == (baseline == "03.01")


def test_both_kinds_of_cloud_masks_give_the_same_flags_in_any_chunks(safe):
    old, new = (open_scene(safe("L1C", b), chunks=50) for b in ("03.01", "05.00"))
    cloud = 1 << REASONS.index("cloud")
    np.testing.assert_array_equal(old.quality.compute() & cloud, new.quality.compute() & cloud)


def test_saturated_numbers_are_no_values_unless_they_are_wanted(copy):
    folder = copy("L1C")
    (path,) = folder.rglob("*_B04.jp2")
    with rasterio.open(path) as file:
        profile, numbers = file.profile, file.read()
    numbers[0, :10, :10] = 65535
    profile.update(QUALITY="100", REVERSIBLE="YES")
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        file.write(numbers)
    scene = open_scene(folder, bands=["red", "green"], mask=["saturated"]).compute()
    assert scene[:, :10, :10].isnull().all()
    assert scene[:, 10:, 10:].notnull().all()
    kept = open_scene(folder, bands=["green"], mask=["saturated"]).compute()
    assert kept.notnull().all()


def test_a_60_m_pixel_is_hidden_by_any_of_its_parts(safe):
    folder = safe()
    classes = stored(folder, "_SCL_20m")[0]
    hidden = np.isin(classes, [0, 1, 3, 8, 9, 10]).reshape(40, 3, 30, 3).any(axis=(1, 3))
    for chunks in (None, (11, 7)):
        scene = open_scene(folder, bands=["coastal"], chunks=chunks).compute()
        np.testing.assert_array_equal(scene[0].isnull(), hidden)


def test_no_mask_leaves_only_fill_out(safe):
    assert open_scene(safe(), mask=()).compute().notnull().all()


# --- how it may be named -----------------------------------------------------------


def test_a_product_may_be_named_by_its_folder_its_metadata_its_tile_or_the_folder_around(safe):
    folder = safe()
    expected = open_scene(folder).compute()
    (tile,) = (folder / "GRANULE").iterdir()
    for source in (folder.parent, folder / "MTD_MSIL2A.xml", tile, f"{folder}/"):
        xr.testing.assert_equal(open_scene(source), expected)


def test_folders_of_several_products_name_them(safe, tmp_path):
    (tmp_path / "A.SAFE").symlink_to(safe("L1C"))
    (tmp_path / "B.SAFE").symlink_to(safe("L2A"))
    with pytest.raises(UnknownProductError, match=r"several Sentinel-2.*A\.SAFE, B\.SAFE"):
        open_scene(tmp_path)


def test_products_of_several_tiles_are_opened_tile_by_tile(copy):
    folder = copy()
    (tile,) = (folder / "GRANULE").iterdir()
    other = tile.with_name("L2A_T11SMC_A000001_20200802T184931")
    tile.rename(other)
    import shutil

    shutil.copytree(other, tile)
    with pytest.raises(UnknownProductError, match=r"several tiles.*T11SLC.*T11SMC.*GRANULE"):
        open_scene(folder)
    assert open_scene(tile).shape == (6, 240, 180)


def test_its_bands_in_a_plain_folder_open_when_the_platform_is_said(safe, tmp_path):
    (images,) = safe().rglob("R10m")
    scene = open_scene(images, platform="sentinel-2a", scale=1e-4, offset=-0.1)
    assert scene.band.values.tolist() == ["blue", "green", "red", "nir08"]
    product = open_scene(safe(), bands=["B02", "B03", "B04", "B08"], mask=()).compute()
    np.testing.assert_allclose(scene.where(scene > -0.0999), product, atol=2e-7)


def test_images_in_a_product_s_folder_know_their_factors_by_its_name(safe):
    folder = safe()
    (path,) = folder.rglob("*_B04_10m.jp2")
    scene = open_scene(path).compute()
    expected = open_scene(folder, bands=["red"], mask=()).compute()
    np.testing.assert_array_equal(scene, expected)
    assert scene.band.values.tolist() == ["red"]
    assert scene.attrs["platform"] == "sentinel-2a"


def test_another_platform_than_the_product_s_is_refused(safe):
    with pytest.raises(ConfigurationError, match="sentinel-2a, got 'sentinel-2b'"):
        open_scene(safe(), platform="sentinel-2b")
    assert open_scene(safe(), platform="S2A").attrs["platform"] == "sentinel-2a"


def test_band_names_are_not_for_products(safe):
    with pytest.raises(ConfigurationError, match="names its bands itself"):
        open_scene(safe(), band_names=["red"])


# --- damage --------------------------------------------------------------------------


def test_opening_reads_no_pixels(copy):
    folder = copy()
    (path,) = folder.rglob("*_B04_10m.jp2")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    scene = open_scene(folder).drop_vars("quality")
    scene.sel(band="green").compute()
    with pytest.raises(UnreadableSourceError, match="_B04_10m"):
        scene.sel(band="red").compute()


def test_a_missing_image_is_a_missing_band(copy):
    folder = copy()
    (path,) = folder.rglob("*_B05_20m.jp2")
    path.unlink()
    with pytest.raises(MissingBandError, match="no band 'B05'"):
        open_scene(folder, bands=["B05"])


def test_an_image_that_is_none_is_unreadable(copy):
    folder = copy()
    (path,) = folder.rglob("*_B03_10m.jp2")
    path.write_bytes(b"no image")
    with pytest.raises(UnreadableSourceError, match="_B03_10m"):
        open_scene(folder)


def test_a_missing_xml_file_is_no_product(copy):
    folder = copy()
    (folder / "MTD_MSIL2A.xml").unlink()
    with pytest.raises(UnknownProductError, match="no Sentinel-2 product"):
        open_scene(folder)
    with pytest.raises(SourceNotFoundError):
        open_scene(folder.with_name("nowhere.SAFE"))


def test_offsets_that_the_baseline_promises_must_be_there(copy):
    folder = copy()
    path = folder / "MTD_MSIL2A.xml"
    lines = [line for line in path.read_text().splitlines() if "BOA_ADD_OFFSET" not in line]
    path.write_text("\n".join(lines))
    with pytest.raises(MetadataError, match=r"contradicts itself about offsets.*05\.00"):
        open_scene(folder)
    assert open_scene(folder, scale=1e-4, offset=-0.1).shape == (6, 240, 180)


def test_an_offset_that_is_missing_for_a_band_in_use_is_named(copy):
    folder = copy()
    path = folder / "MTD_MSIL2A.xml"
    lines = [line for line in path.read_text().splitlines() if 'band_id="8"' not in line]
    path.write_text("\n".join(lines))
    with pytest.raises(MetadataError, match="no offset for band 8A"):
        open_scene(folder)
    assert open_scene(folder, bands=["B08"]).shape == (1, 240, 180)


def test_each_band_has_its_own_offset(copy):
    folder = copy()
    path = folder / "MTD_MSIL2A.xml"
    text = path.read_text()
    assert text.count('band_id="8">-1000<') == 1
    path.write_text(text.replace('band_id="8">-1000<', 'band_id="8">-500<'))
    scene = open_scene(folder, bands=["nir08", "swir16"], mask=()).compute()
    numbers = stored(folder, "_B8A_20m")[0].astype(float)
    np.testing.assert_allclose(scene[0], (numbers - 500) / 10_000, atol=2e-7)
    numbers = stored(folder, "_B11_20m")[0].astype(float)
    np.testing.assert_allclose(scene[1], (numbers - 1000) / 10_000, atol=2e-7)


def test_an_image_that_does_not_lie_where_the_tile_is_contradicts_the_metadata(copy):
    folder = copy()
    path = next(folder.rglob("MTD_TL.xml"))
    text = path.read_text()
    path.write_text(text.replace("EPSG:32611", "EPSG:32610"))
    with pytest.raises(MetadataError, match=r"does not lie where.*EPSG:32610, got.*EPSG:32611"):
        open_scene(folder)
    path.unlink()
    assert open_scene(folder).shape == (6, 240, 180)


def test_an_image_without_a_place_is_refused(copy):
    folder = copy()
    (path,) = folder.rglob("*_B04_10m.jp2")
    path.unlink()
    numbers = np.ones((1, 240, 180), np.uint16)
    profile = {"driver": "JP2OpenJPEG", "count": 1, "height": 240, "width": 180, "dtype": "uint16"}
    with (
        pytest.warns(rasterio.errors.NotGeoreferencedWarning),
        rasterio.open(path, "w", **profile) as file,
    ):
        file.write(numbers)
    with pytest.raises(MissingCRSError, match="_B04_10m"):
        open_scene(folder)


def test_the_level_of_product_and_tile_have_to_agree(copy, safe):
    folder = copy()
    tile = next(folder.rglob("MTD_TL.xml"))
    tile.write_text(next(safe("L1C").rglob("MTD_TL.xml")).read_text())
    with pytest.raises(MetadataError, match="contradict each other about its level"):
        open_scene(folder)


def test_a_product_lists_the_files_it_may_read(safe):
    places = describe_safe(safe()).places()
    assert sum(place.endswith(".jp2") for place in places) == 16
    assert sum(place.endswith(".xml") for place in places) == 2
