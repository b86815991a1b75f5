from __future__ import annotations

import math
import shutil
import tarfile

import numpy as np
import pytest
import rasterio
from affine import Affine

from strandline.errors import (
    GridMismatchError,
    MetadataError,
    MissingBandError,
    MissingCRSError,
    ScaleError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.scenes.landsat.bundle import open_bundle
from strandline.scenes.quality import REASONS
from strandline.scenes.read_options import ReadOptions

TM_L2, OLI_L1, OLI_L2 = "LT05_L2SP_090084", "LC08_L1TP_090084", "LC08_L2SP_098084"


def band_of(folder, ending):
    with rasterio.open(next(folder.glob(f"*{ending}"))) as file:
        return file.read(1)


def edit(folder, ending, old, new):
    path = next(folder.glob(f"*{ending}"))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def copied(unpacked, tmp_path):
    """Function that copies a product's files, some left out, to be damaged."""

    def copy(name, *left_out):
        target = tmp_path / "copy"
        target.mkdir()
        for file in unpacked(name).iterdir():
            if not file.name.endswith(left_out):
                shutil.copy(file, target)
        return target

    return copy


# --- numbers ----------------------------------------------------------------


def test_surface_reflectance_is_what_the_level_2_factors_give(unpacked):
    folder = unpacked(TM_L2)
    scene = open_bundle(folder, ReadOptions(mask=()))
    assert scene["band"].values.tolist() == ["blue", "green", "red", "nir08", "swir16", "swir22"]
    dn = band_of(folder, "_SR_B4.TIF").astype(np.float64)
    by_hand = np.where(dn == 0, np.nan, dn * 2.75e-5 - 0.2)
    np.testing.assert_allclose(scene.sel(band="nir08").values, by_hand, atol=1e-6)
    assert np.isfinite(by_hand).sum() > 1000


def test_one_pixel_by_hand(unpacked):
    dn = int(band_of(unpacked(OLI_L2), "_SR_B3.TIF")[30, 30])
    scene = open_bundle(unpacked(OLI_L2), ReadOptions(mask=()))
    assert float(scene.sel(band="green")[30, 30]) == pytest.approx(dn * 0.0000275 - 0.2, abs=1e-6)


def test_top_of_atmosphere_reflectance_is_corrected_for_the_sun(unpacked):
    folder = unpacked(OLI_L1)
    scene = open_bundle(folder, ReadOptions(mask=()))
    text = next(folder.glob("*_MTL.txt")).read_text()
    assert "REFLECTANCE_MULT_BAND_5 = 2.0000E-05" in text
    assert "REFLECTANCE_ADD_BAND_5 = -0.100000" in text
    elevation = float(text.split("SUN_ELEVATION = ")[1].split()[0])
    dn = band_of(folder, "_B5.TIF").astype(np.float64)
    by_hand = (2e-5 * dn - 0.1) / math.sin(math.radians(elevation))
    by_hand[dn == 0] = np.nan
    np.testing.assert_allclose(scene.sel(band="nir08").values, by_hand, atol=1e-6)


def test_old_metadata_without_reflectance_factors_goes_by_radiance(real_data):
    folder = real_data / "tucurui_tm1988"
    scene = open_bundle(folder, ReadOptions())
    with rasterio.open(folder / "LT52240631988227CUB02_B4.TIF") as file:
        dn = file.read(1).astype(np.float64)
    # RADIANCE_MULT_BAND_4, RADIANCE_ADD_BAND_4, SUN_ELEVATION; ESUN of Landsat 5 band 4 is 1031;
    # 14 August, day 227: 1.01281 AU in table 6 of Chander et al. (2009).
    radiance = 0.876 * dn - 2.38602
    by_hand = math.pi * radiance * 1.01281**2 / (1031 * math.sin(math.radians(49.75588889)))
    by_hand[(dn == 0) | (dn == 255)] = np.nan
    np.testing.assert_allclose(scene.sel(band="nir08").values, by_hand, rtol=2e-4)
    assert scene.attrs["platform"] == "landsat-5"
    assert scene.attrs["processing_level"] == "L1"
    assert str(scene["time"].values).startswith("1988-08-14T13:00:47.375")
    assert scene.odc.crs.epsg == 32622


def test_collection_1_level_1_with_bqa(unpacked):
    folder = unpacked("LC08_L1TP_016037")
    scene = open_bundle(folder, ReadOptions())
    dn, qa = band_of(folder, "_B3.TIF").astype(float), band_of(folder, "_BQA.TIF")
    high = [(qa >> low) & 3 == 3 for low in (7, 11)]
    out = (qa & 1 > 0) | (qa >> 2 & 3 > 0) | (qa >> 4 & 1 > 0) | high[0] | high[1]
    by_hand = (2e-5 * dn - 0.1) / math.sin(math.radians(float(scene_sun(folder))))
    by_hand[out | (dn == 0)] = np.nan
    np.testing.assert_allclose(scene.sel(band="green").values, by_hand, atol=1e-6)


def scene_sun(folder):
    return next(folder.glob("*_MTL.txt")).read_text().split("SUN_ELEVATION = ")[1].split()[0]


def test_collection_1_surface_reflectance_folder(real_data, tmp_path):
    for file in real_data.glob("walker_lake_3km/LT05*.tif"):
        shutil.copy(file, tmp_path)
    first = next(tmp_path.glob("*band1.tif"))
    with rasterio.open(first) as file:
        profile, dn = file.profile, file.read(1)
    qa = np.full(dn.shape, 322, np.uint16)
    qa[40, 40] = 480  # cloud
    name = first.name.replace("sr_band1", "pixel_qa")
    with rasterio.open(tmp_path / name, "w", **(profile | {"dtype": "uint16", "nodata": 1})) as out:
        out.write(qa, 1)
    scene = open_bundle(tmp_path, ReadOptions())
    by_hand = np.where(dn == -9999, np.nan, dn * 1e-4)
    by_hand[40, 40] = np.nan
    np.testing.assert_allclose(scene.sel(band="blue").values, by_hand, atol=1e-6)
    assert scene.attrs["processing_level"] == "L2"


# --- quality ----------------------------------------------------------------


def test_what_quality_bits_exclude_is_nan_in_all_bands(unpacked):
    folder = unpacked(TM_L2)
    scene = open_bundle(folder, ReadOptions())
    qa, radsat = band_of(folder, "QA_PIXEL.TIF"), band_of(folder, "QA_RADSAT.TIF")
    out = (qa & 0b11011 > 0) | (radsat & 0b1011111 > 0) | (radsat & 512 > 0)
    assert np.isnan(scene.values[:, out]).all()
    seen = ~out & (band_of(folder, "_SR_B4.TIF") > 0)
    assert np.isfinite(scene.sel(band="nir08").values[seen]).all()
    assert scene.attrs["masked"].split()[0] == "fill"


def test_saturation_of_a_band_that_is_not_used_does_not_matter(unpacked):
    folder = unpacked(TM_L2)
    radsat = band_of(folder, "QA_RADSAT.TIF")
    assert set(np.unique(radsat)) == {0, 1}  # only blue was ever saturated
    blue = open_bundle(folder, ReadOptions(bands=["blue"], mask=("saturated",))).values[0]
    red = open_bundle(folder, ReadOptions(bands=["red"], mask=("saturated",))).values[0]
    assert np.isnan(blue[radsat == 1]).all()
    assert np.isfinite(red[(radsat == 1) & (band_of(folder, "_SR_B3.TIF") > 0)]).all()


def test_snow_can_be_left_out_too(unpacked):
    folder = unpacked(OLI_L2)
    snow = (band_of(folder, "QA_PIXEL.TIF") >> 5) & 1 == 1
    assert snow.any()
    assert np.isnan(open_bundle(folder, ReadOptions(mask=REASONS)).values[:, snow]).all()
    assert np.isfinite(open_bundle(folder, ReadOptions(mask=("fill",))).values[:, snow]).any()


def test_a_mask_that_was_asked_for_needs_its_quality_band(copied):
    folder = copied(TM_L2, "QA_PIXEL.TIF")
    assert np.isfinite(open_bundle(folder, ReadOptions()).values).any()
    with pytest.raises(MissingBandError, match="cloud"):
        open_bundle(folder, ReadOptions(mask=("cloud",))).compute()


def test_a_quality_band_on_another_grid_is_refused(copied):
    folder = copied(TM_L2)
    with rasterio.open(next(folder.glob("*QA_PIXEL.TIF")), "r+") as file:
        file.transform = file.transform @ Affine.translation(1, 0)
    with pytest.raises(GridMismatchError, match="QA_PIXEL"):
        open_bundle(folder, ReadOptions())


# --- bands ------------------------------------------------------------------


def test_bands_come_in_the_order_they_are_asked_for(unpacked):
    scene = open_bundle(unpacked(OLI_L2), ReadOptions(bands=["swir1", "B3", "nir08"]))
    assert scene["band"].values.tolist() == ["swir16", "green", "nir08"]


def test_a_band_that_is_not_there_is_named_with_those_that_are(copied):
    folder = copied(TM_L2, "_SR_B5.TIF")
    with pytest.raises(MissingBandError, match=r"'swir16'.*blue, green, red, nir08, swir22"):
        open_bundle(folder, ReadOptions(bands=["red", "swir16"]))


def test_pan_comes_by_itself_only(unpacked):
    folder = unpacked(OLI_L1)
    with pytest.raises(GridMismatchError, match=r"pan 15 m.*by itself"):
        open_bundle(folder, ReadOptions(bands=["pan", "red"]))
    assert open_bundle(folder, ReadOptions(bands=["pan"], mask=())).shape == (1, 60, 60)


def test_heat_is_no_reflectance(unpacked):
    folder = unpacked(TM_L2)
    with pytest.raises(ScaleError, match="thermal"):
        open_bundle(folder, ReadOptions(bands=["lwir"]))
    raw = open_bundle(folder, ReadOptions(bands=["lwir"], reflectance=False, mask=()))
    np.testing.assert_array_equal(np.nan_to_num(raw.values[0]), band_of(folder, "_ST_B6.TIF"))
    assert "units" not in raw.attrs


# --- where things are -------------------------------------------------------


@pytest.mark.parametrize("name", [TM_L2, OLI_L1, OLI_L2, "LC08_L1TP_016037"])
def test_folder_tar_and_tar_gz_are_the_same_scene(unpacked, real_data, tmp_path, name):
    folder = unpacked(name)
    packed = tmp_path / "product.tar"
    with tarfile.open(packed, "w") as tar:
        tar.add(folder, folder.name)
    (compressed,) = real_data.glob(f"*/{name}*.tar.gz")
    metadata = next(folder.glob("*_MTL.txt"))
    scenes = [
        open_bundle(source, ReadOptions()) for source in (folder, packed, compressed, metadata)
    ]
    for scene in scenes[1:]:
        np.testing.assert_array_equal(scene.values, scenes[0].values)
        assert scene.odc.geobox == scenes[0].odc.geobox
        assert scene["time"] == scenes[0]["time"]


@pytest.mark.parametrize("day", ["20190114", "20190130"])
def test_bare_tiffs_are_placed_by_their_metadata(real_data, day):
    name = f"LC08_L2SP_218074_{day}_20200829_02_T1"
    folder = real_data / "brumadinho_oli_pair"
    scene = open_bundle(folder / f"{name}-cropped.tar.gz", ReadOptions())
    with rasterio.open(folder / f"{name}_stack.tif") as file:
        assert scene.odc.geobox.transform == file.transform
        assert scene.odc.geobox.shape == file.shape
        dn = file.read(3).astype(float)
    assert scene.odc.crs.epsg == 32623
    expected = np.where(dn == 0, np.nan, dn * 2.75e-5 - 0.2)
    np.testing.assert_allclose(scene.sel(band="red").values, expected, atol=1e-6)
    with rasterio.open(folder / f"water_reference_{day}.tif") as file:
        assert file.transform == scene.odc.geobox.transform


def test_bare_tiffs_of_another_size_than_their_metadata_are_not_placed(copied):
    folder = copied("LC08_L2SP_218074_20190114")
    edit(folder, "_MTL.txt", "REFLECTIVE_LINES = 300", "REFLECTIVE_LINES = 301")
    edit(folder, "_MTL.txt", "-2231670.000", "-2231700.000")
    with pytest.raises(MissingCRSError, match=r"301 × 400.*300 × 400"):
        open_bundle(folder, ReadOptions())


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("-2231670.000", "-2231070.000", MetadataError),
        ('MAP_PROJECTION = "UTM"', 'MAP_PROJECTION = "AEA"', MissingCRSError),
        ("    UTM_ZONE = 23\n", "", MetadataError),
    ],
)
def test_metadata_that_cannot_place_bare_tiffs_is_refused(copied, old, new, error):
    folder = copied("LC08_L2SP_218074_20190114")
    edit(folder, "_MTL.txt", old, new)
    with pytest.raises(error):
        open_bundle(folder, ReadOptions())


def test_files_with_a_place_of_their_own_keep_it(real_data):
    # The metadata describes the full scene; the files are a crop that knows where it lies.
    scene = open_bundle(real_data / "tucurui_tm1988", ReadOptions())
    assert scene.shape == (6, 310, 287)
    with rasterio.open(real_data / "tucurui_tm1988" / "water_reference.tif") as file:
        assert scene.odc.geobox.transform == file.transform


# --- damage -----------------------------------------------------------------


def test_a_truncated_archive_is_named(real_data, tmp_path):
    (archive,) = real_data.glob(f"*/{TM_L2}*.tar.gz")
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:100_000])
    with pytest.raises(UnreadableSourceError, match=r"cut\.tar\.gz"):
        open_bundle(cut, ReadOptions())


def test_a_truncated_plain_archive_is_named(unpacked, tmp_path):
    cut = tmp_path / "cut.tar"
    with tarfile.open(cut, "w") as tar:
        tar.add(unpacked(TM_L2), "product")
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size // 2)
    with pytest.raises(UnreadableSourceError, match=r"cut\.tar"):
        open_bundle(cut, ReadOptions())


def test_a_file_that_is_no_archive_is_named(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(UnreadableSourceError, match=r"a\.tar"):
        open_bundle(path, ReadOptions())


def test_a_damaged_band_is_named_when_it_is_read(copied):
    folder = copied(TM_L2)
    band = next(folder.glob("*_SR_B3.TIF"))
    band.write_bytes(band.read_bytes()[: band.stat().st_size // 2])
    with pytest.raises(UnreadableSourceError, match=r"SR_B3\.TIF"):
        open_bundle(folder, ReadOptions()).compute()


def test_a_cut_metadata_file_is_named(copied):
    folder = copied(TM_L2, ".xml", ".json")
    path = next(folder.glob("*_MTL.txt"))
    path.write_text(path.read_text()[:4000])
    with pytest.raises(MetadataError, match=r"_MTL\.txt.*cut"):
        open_bundle(folder, ReadOptions())


def test_missing_factors_are_named(copied):
    folder = copied(TM_L2, ".xml", ".json")
    group = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
    edit(folder, "_MTL.txt", f"GROUP = {group}", "GROUP = OTHER")
    with pytest.raises(MetadataError, match=rf"REFLECTANCE_MULT_BAND_1.*{group}"):
        open_bundle(folder, ReadOptions())


def test_night_has_no_reflectance(copied):
    folder = copied(OLI_L1)
    edit(folder, "_MTL.txt", "SUN_ELEVATION = ", "SUN_ELEVATION = -")
    with pytest.raises(MetadataError, match="not up"):
        open_bundle(folder, ReadOptions())


# --- without metadata -------------------------------------------------------


@pytest.fixture
def new_york(unpacked):
    return unpacked("L8NY18") / "LC08_L1TP_013032_20180131_20180207_01_T1"


def test_level_1_without_metadata_says_what_to_pass(new_york):
    with pytest.raises(ScaleError, match=r"MTL.*scale=….*reflectance=False"):
        open_bundle(new_york, ReadOptions())


def test_level_1_without_metadata_opens_with_what_was_passed(new_york):
    dn = band_of(new_york, "_B4.TIF").astype(float)
    scene = open_bundle(new_york, ReadOptions(scale=2e-5, offset=-0.1, mask=()))
    by_hand = np.where(dn == 0, np.nan, dn * 2e-5 - 0.1)
    np.testing.assert_allclose(scene.sel(band="red").values, by_hand, atol=1e-6)
    raw = open_bundle(new_york, ReadOptions(reflectance=False, mask=(), bands=["red"]))
    np.testing.assert_array_equal(np.nan_to_num(raw.values[0]), dn)
    assert str(raw["time"].values)[:10] == "2018-01-31"


def test_level_2_without_metadata_is_settled_by_its_name(copied, unpacked):
    folder = copied(OLI_L2, "_MTL.txt", "_MTL.xml")
    np.testing.assert_array_equal(
        open_bundle(folder, ReadOptions()).values,
        open_bundle(unpacked(OLI_L2), ReadOptions()).values,
    )


def test_several_products_in_one_place_are_refused(real_data, tmp_path):
    with pytest.raises(UnknownProductError, match=r"several products.*Unpack it"):
        open_bundle(next(real_data.glob("*/L8NY18*.tar.gz")), ReadOptions())
    with pytest.raises(UnknownProductError, match=r"several products.*path of its MTL file"):
        open_bundle(real_data / "walker_lake_3km", ReadOptions())


def test_a_folder_of_other_things_is_refused(tmp_path):
    with pytest.raises(UnknownProductError, match="holds no single product"):
        open_bundle(tmp_path, ReadOptions())


def test_an_unknown_level_is_refused(copied):
    folder = copied(TM_L2, ".xml", ".json")
    edit(folder, "_MTL.txt", 'PROCESSING_LEVEL = "L2SP"', 'PROCESSING_LEVEL = "L3"')
    with pytest.raises(UnknownProductError, match="L3"):
        open_bundle(folder, ReadOptions())
