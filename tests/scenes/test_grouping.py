"""Files as users have them: companions beside them, in archives, in tiles, under odd names."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import Affine

import strandline as sl
from strandline.errors import MissingBandError, UnknownProductError
from strandline.prepare.bandpass import harmonize
from strandline.scenes.inputs import source_files

NAMES = ("blue", "green", "red", "nir08", "swir16", "swir22")
NUMBERS = (2, 3, 4, 5, 6, 7)  # of OLI
CORNER = Affine(240, 0, 336975, 0, -240, 4301055)
APPLE = b"\x00\x05\x16\x07Mac OS X        "  # how AppleDouble files begin


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    """Reflectance × 10,000 of Walker Lake, bands as `NAMES`."""
    scene, _ = sl.simulate_scene("2017-10-22", resolution=240)
    return np.round(scene.sel(band=list(NAMES)).values[:, :90, :60] * 1e4).astype(np.int16)


@pytest.fixture
def shared_cases(real_data) -> Path:
    folder = real_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"the small odd files are not at {folder}")
    return folder


def write(path: Path, values: np.ndarray, *, corner=CORNER, nodata=None, names=None, **tags):
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    profile = {
        "driver": "GTiff", "count": count, "height": height, "width": width,
        "dtype": values.dtype, "crs": "EPSG:32611", "transform": corner, "nodata": nodata,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values)
        if names:
            dataset.descriptions = names
        dataset.update_tags(**tags)
    return path


def reflectance(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype(np.float32) * np.float32(1e-4)


def assert_is(scene: xr.DataArray, numbers: np.ndarray) -> None:
    assert scene.band.values.tolist() == list(NAMES)
    np.testing.assert_allclose(scene.values, reflectance(numbers), atol=2e-5)


# --- companions -------------------------------------------------------------------


@pytest.fixture
def product(tmp_path) -> Path:
    folder = tmp_path / "product"
    sl.simulate_scene("2017-10-22", resolution=600, path=folder)
    (inner,) = list(folder.rglob("*_MTL.txt"))
    for file in list(inner.parent.iterdir()):
        (file.parent / f"._{file.name}").write_bytes(APPLE)
        (file.parent / f"{file.name}.aux.xml").write_text("<PAMDataset/>")
        (file.parent / f"{file.name}.ovr").write_bytes(b"II*\x00")
    for name in (".DS_Store", "Thumbs.db"):
        (inner.parent / name).write_bytes(b"\x00\x00\x00\x01Bud1")
    return inner.parent


def packed(product: Path, target: Path) -> Path:
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in product.iterdir():
                archive.write(file, f"scene/{file.name}")
            archive.writestr("__MACOSX/scene/._x_MTL.txt", APPLE)
    else:
        with tarfile.open(target, "w:gz" if target.suffix == ".gz" else "w") as archive:
            for file in sorted(product.iterdir()):
                archive.add(file, file.name)
    return target


def test_companion_files_are_left_out_of_folders_archives_patterns_and_lists(product, tmp_path):
    plain = sl.open_scene(product)
    assert source_files(product)
    assert not any("._" in file for file in source_files(product))
    sources = [
        packed(product, tmp_path / "product.tar"),
        packed(product, tmp_path / "product.tar.gz"),
        packed(product, tmp_path / "product.zip"),
    ]
    for source in sources:
        xr.testing.assert_equal(sl.open_scene(source).drop_vars("time"), plain.drop_vars("time"))
    bands = [f"{product}/*_SR_B*", sorted(product.glob("*_SR_B*"))]
    for source in bands:
        scene = sl.open_scene(source, mask=())
        assert scene.band.values.tolist() == plain.band.values.tolist()
        assert len(source_files(source)) == len(scene.band)


def test_the_product_of_the_cases_opens_from_its_archive(shared_cases, tmp_path):
    archive = shared_cases / "companion_files.tar"
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    a, b = sl.open_scene(archive), sl.open_scene(tmp_path)
    assert a.shape == (7, 100, 100)
    np.testing.assert_array_equal(a.values, b.values)


# --- names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}.tif", "lake[1].tif", "lake*.tif", "lake?.tif",
        "{band}.tif", "{site}_{date:%Y}.tif", "{{}.tif", "catalog.yml:lake", "a{b,c}.tif",
    ],
)  # fmt: skip
def test_a_file_that_exists_is_a_file_before_it_is_a_pattern(numbers, tmp_path, name):
    path = write(tmp_path / name, numbers, names=NAMES)
    assert_is(sl.open_scene(path, scale=1e-4), numbers)
    assert source_files(path) == [str(path)]


@pytest.mark.parametrize("pattern", ["L_B{band}.tif", "*.tif", "L_B{band:d}.tif"])
@pytest.mark.parametrize(
    "folder", ["{site}[x]", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "a*b", "{0}"]
)
def test_a_pattern_may_lie_in_a_folder_of_any_name(numbers, tmp_path, folder, pattern):
    for number, band in zip(NUMBERS, numbers, strict=True):
        write(tmp_path / folder / f"L_B{number}.tif", band[None])
    source = f"{tmp_path}/{folder}/{pattern}"
    assert_is(sl.open_scene(source, scale=1e-4, platform="landsat-8"), numbers)


def test_a_guid_in_braces_is_text_in_a_pattern(numbers, tmp_path):
    guid = "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}"
    for number, band in zip(NUMBERS, numbers, strict=True):
        write(tmp_path / f"{guid}_B{number}.tif", band[None])
    scene = sl.open_scene(f"{tmp_path}/{guid}_B{{band}}.tif", scale=1e-4, platform="landsat-8")
    assert_is(scene, numbers)


def test_subdatasets_open_as_our_own_message_prints_them(numbers, tmp_path):
    dataset = xr.Dataset(
        {name: (("y", "x"), band) for name, band in zip(NAMES, numbers, strict=True)},
        coords={
            "y": 4301055 - 240 * (np.arange(90) + 0.5),
            "x": 336975 + 240 * (np.arange(60) + 0.5),
        },
    ).odc.assign_crs("EPSG:32611")
    path = tmp_path / "lake of walker.he5"
    dataset.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(Exception, match="one of its subdatasets") as failure:
        sl.open_scene(path)
    printed = str(failure.value).split("subdatasets: ")[1].split(", ")
    assert len(printed) == 4
    for name in printed:
        band = name.rsplit("/", 1)[-1]
        scene = sl.open_scene(name, scale=1e-4)
        assert scene.band.values.tolist() == [band]
        np.testing.assert_allclose(scene.values[0], reflectance(numbers[NAMES.index(band)]))
        assert source_files(name) == [str(path)]
    quoted = sl.open_scene(f'NETCDF:"{path}":red', scale=1e-4)
    np.testing.assert_allclose(quoted.values[0], reflectance(numbers[2]))


def test_a_directory_of_a_geotiff_opens_by_its_number(numbers, tmp_path):
    path = write(tmp_path / "lake.tif", numbers, names=NAMES)
    scene = sl.open_scene(f"GTIFF_DIR:1:{path}", scale=1e-4)
    assert_is(scene, numbers)


@pytest.mark.parametrize(
    "descriptions",
    [
        ["Blue (490 nm)", "Green (560 nm)", "Red (665 nm)", "NIR (842 nm)", "SWIR 1 (1610 nm)",
         "SWIR 2 (2190 nm)"],
        [f"band_{nm}nm" for nm in (490.5, 560.2, 664.9, 864.7, 1613.7, 2202.4)],
        [f"B{i:02d}, central wavelength {nm} nm" for i, nm in
         ((2, 492.4), (3, 559.8), (4, 664.6), (8, 832.8), (11, 1613.7), (12, 2202.4))],
        ["0.45-0.51 um", "0.53-0.59 um", "0.64-0.67 um", "0.85-0.88 um", "1.57-1.65 um",
         "2.11-2.29 um"],
        ["band 1 (0.485 Micrometers)", "band 2 (0.56 Micrometers)", "band 3 (0.66 Micrometers)",
         "band 4 (0.83 Micrometers)", "band 5 (1.65 Micrometers)", "band 6 (2.215 Micrometers)"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("platform", [None, "sentinel-2a", "landsat-8"])
def test_bands_are_known_by_the_wavelengths_in_their_names(
    numbers, tmp_path, descriptions, platform
):
    path = write(tmp_path / "lake.tif", numbers, names=descriptions)
    assert_is(sl.open_scene(path, scale=1e-4, platform=platform), numbers)


def test_a_wavelength_that_contradicts_the_name_is_refused(numbers, tmp_path):
    names = ["Blue (660 nm)", "Green (560 nm)", *NAMES[2:]]
    path = write(tmp_path / "lake.tif", numbers, names=names)
    with pytest.raises(MissingBandError, match=r"contradicts itself.*453 to 520 nm for blue"):
        sl.open_scene(path, scale=1e-4)
    assert_is(sl.open_scene(path, scale=1e-4, band_names=NAMES), numbers)


def test_of_many_narrow_bands_one_has_each_common_name(numbers, tmp_path):
    wavelengths = (470, 482, 495, 561, 655, 833, 865, 1240, 1609)
    values = np.stack([numbers[0] + i for i in range(len(wavelengths))])
    path = write(tmp_path / "narrow.tif", values, names=[f"band_{nm}nm" for nm in wavelengths])
    scene = sl.open_scene(path, scale=1e-4)
    assert scene.band.values.tolist() == [
        "band_470nm", "blue", "band_495nm", "green", "red", "band_833nm", "nir08", "band_1240nm",
        "swir16",
    ]  # fmt: skip


# --- archives -----------------------------------------------------------------------


def test_a_zip_of_one_geotiff_opens_without_unpacking(numbers, tmp_path):
    path = write(tmp_path / "lake.tif", numbers, names=NAMES)
    archive = tmp_path / "lake {1}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed_:
        packed_.write(path, "inner/lake.tif")
        packed_.writestr("__MACOSX/inner/._lake.tif", APPLE)
        packed_.writestr("inner/readme.txt", "a lake")
    assert_is(sl.open_scene(archive, scale=1e-4), numbers)
    assert source_files(archive) == [str(archive)]


def test_a_zip_of_one_file_per_band_opens(numbers, tmp_path):
    archive = tmp_path / "bands.zip"
    with zipfile.ZipFile(archive, "w") as packed_:
        for number, band in zip(NUMBERS, numbers, strict=True):
            packed_.write(write(tmp_path / f"L_B{number}.tif", band[None]), f"L_B{number}.tif")
    assert_is(sl.open_scene(archive, scale=1e-4, platform="landsat-8"), numbers)
    assert_is(sl.open_scene(archive, scale=1e-4, band_names=NAMES), numbers)


def test_a_zip_of_several_rasters_says_how_to_open_one(numbers, tmp_path):
    path = write(tmp_path / "lake.tif", numbers, names=NAMES)
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as packed_:
        packed_.write(path, "a.tif")
        packed_.write(path, "b.tif")
    with pytest.raises(UnknownProductError, match="several rasters with the same bands") as failure:
        sl.open_scene(archive, scale=1e-4)
    printed = failure.value.remedy.split("path: ")[1].strip(".'")
    assert_is(sl.open_scene(printed, scale=1e-4), numbers)
    assert source_files(printed) == [str(archive)]


# --- analysis-ready data -------------------------------------------------------------


def hls(folder: Path, kind: str, numbers: np.ndarray, tags: dict[str, str]) -> Path:
    name = f"HLS.{kind}.T11SLC.2017295T183214.v2.0"
    layers = {
        "L30": ("B02", "B03", "B04", "B05", "B06", "B07"),
        "S30": ("B02", "B03", "B04", "B8A", "B11", "B12"),
    }[kind]
    for layer, band in zip(layers, numbers, strict=True):
        write(folder / name / f"{name}.{layer}.tif", band[None], nodata=-9999, **tags)
    write(folder / name / f"{name}.{'B09' if kind == 'L30' else 'B10'}.tif", numbers[:1])
    fmask = np.full((1, 90, 60), 64, np.uint8)  # aerosol alone
    for row, value in enumerate((255, 64 | 2, 64 | 4, 64 | 8, 64 | 16, 64 | 32)):
        fmask[0, row] = value
    write(folder / name / f"{name}.Fmask.tif", fmask, nodata=255)
    for angle in ("SAA", "SZA", "VAA", "VZA"):
        write(folder / name / f"{name}.{angle}.tif", np.full((1, 90, 60), 5000, np.uint16))
    return folder / name


@pytest.mark.parametrize(
    ("kind", "tags", "platform"),
    [
        ("L30", {"LANDSAT_PRODUCT_ID": "LC08_L1TP_042033_20171022_20200903_02_T1"}, "landsat-8"),
        ("L30", {}, "landsat-8"),
        (
            "S30",
            {"PRODUCT_URI": "S2B_MSIL1C_20171022T183214_N0209_R113_T11SLC_20171022T222113.SAFE"},
            "sentinel-2b",
        ),
    ],
)
def test_hls_opens_as_a_scene_masked_by_its_fmask(numbers, tmp_path, kind, tags, platform):
    numbers = numbers.copy()
    numbers[0, 50, 0] = -9999
    folder = hls(tmp_path, kind, numbers, tags)
    for source in (folder, f"{folder}/*.tif", sorted(folder.iterdir())):
        scene = sl.open_scene(source)
        assert scene.band.values.tolist() == list(NAMES)
        assert scene.attrs["platform"] == platform
        assert str(scene.time.values).startswith("2017-10-22T18:32:14")
        # Not observed: no data, cloud, beside cloud, shadow; observed: snow and water.
        assert np.isnan(scene.values[1]).all(axis=1).tolist() == [True] * 4 + [False] * 86
        np.testing.assert_allclose(scene.values[:, 60], reflectance(numbers[:, 60]), atol=1e-6)
        assert np.isnan(scene.values[0, 50, 0])
    assert scene.attrs.get("harmonized_to") == ("oli" if kind == "S30" else None)
    np.testing.assert_array_equal(harmonize(scene, "oli").values, scene.values)  # it is that
    assert np.isnan(sl.open_scene(folder, mask=("snow",)).values[1, 4]).all()
    assert not np.isnan(sl.open_scene(folder, mask=()).values[1]).any()


def test_a_folder_of_two_hls_scenes_says_how_to_open_one(numbers, tmp_path):
    one = hls(tmp_path, "L30", numbers, {})
    both = tmp_path / "both"
    both.mkdir()
    for file in one.iterdir():
        shutil.copy(file, both / file.name)
        shutil.copy(file, both / file.name.replace("2017295", "2017311"))
    with pytest.raises(UnknownProductError, match="holds several scenes") as failure:
        sl.open_scene(both)
    printed = failure.value.remedy.split("pattern: ")[1].strip(".'")
    assert_is(sl.open_scene(printed, mask=()), numbers)


@pytest.mark.parametrize("form", ["folder", "tar", "zip"])
def test_us_analysis_ready_data_opens_with_its_factors_and_its_mask(numbers, tmp_path, form):
    stem, folder = "LC08_CU_005009_20171022_20210503_02", tmp_path / "ard"
    stored = np.round((numbers * 1e-4 + 0.2) / 2.75e-5).astype(np.uint16)
    for number, band in zip(NUMBERS, stored, strict=True):
        write(folder / f"{stem}_SR_B{number}.TIF", band[None], nodata=0)
    quality = np.full((1, 90, 60), 21824, np.uint16)
    quality[0, :10] = 22280  # cloud
    write(folder / f"{stem}_QA_PIXEL.TIF", quality, nodata=1)
    name = {"folder": folder, "tar": tmp_path / f"{stem}_SR.tar", "zip": tmp_path / "ard.zip"}
    scene = sl.open_scene(folder if form == "folder" else packed(folder, name[form]))
    assert scene.attrs["processing_level"] == "L2"
    assert str(scene.time.values).startswith("2017-10-22")
    assert np.isnan(scene.values[:, :10]).all()
    assert_is(scene[:, 10:], numbers[:, 10:])


def test_us_analysis_ready_data_of_collection_1_opens(numbers, tmp_path):
    stem = "LC08_CU_005009_20171022_20200906_C01_V01"
    for number, band in zip(NUMBERS, numbers, strict=True):
        write(tmp_path / f"{stem}_SRB{number}.tif", band[None], nodata=-9999)
    quality = np.full((1, 90, 60), 322, np.uint16)
    quality[0, :10] = 352  # cloud
    write(tmp_path / f"{stem}_PIXELQA.tif", quality)
    scene = sl.open_scene(tmp_path)
    assert np.isnan(scene.values[:, :10]).all()
    assert_is(scene[:, 10:], numbers[:, 10:])


@pytest.mark.parametrize(
    ("band", "fmask"),
    [
        ("ga_ls8c_nbart_3-2-1_090084_2017-10-22_final_band{number:02d}.tif",
         "ga_ls8c_oa_3-2-1_090084_2017-10-22_final_fmask.tif"),
        ("ga_ls8c_ard_3-0-0_090084_2017-10-22_final_nbart_{name}.tif",
         "ga_ls8c_ard_3-0-0_090084_2017-10-22_final_oa_fmask.tif"),
    ],
)  # fmt: skip
def test_australian_analysis_ready_data_opens_masked_by_its_fmask(numbers, tmp_path, band, fmask):
    theirs = ("blue", "green", "red", "nir", "swir_1", "swir_2")
    numbers = numbers.copy()
    numbers[0, 50, 0] = -999
    for number, name, values in zip(NUMBERS, theirs, numbers, strict=True):
        write(tmp_path / band.format(number=number, name=name), values[None], nodata=-999)
    classes = np.ones((1, 90, 60), np.uint8)
    for row, value in enumerate((0, 2, 3, 4, 5)):
        classes[0, row] = value
    write(tmp_path / fmask, classes)
    write(tmp_path / fmask.replace("fmask", "nbart-contiguity"), classes)
    metadata = tmp_path / "ga_ls8c_ard_3-2-1_090084_2017-10-22_final.odc-metadata.yaml"
    metadata.write_text("id: x")
    scene = sl.open_scene(tmp_path)
    xr.testing.assert_equal(sl.open_scene(metadata), scene)
    assert scene.attrs["platform"] == "landsat-8"
    # Not observed: nothing there, cloud, shadow; observed: snow, water, land.
    assert np.isnan(scene.values[1]).all(axis=1).tolist() == [True] * 3 + [False] * 87
    assert np.isnan(scene.values[0, 50, 0])
    assert_is(scene[:, 60:], numbers[:, 60:])


# --- tiles ---------------------------------------------------------------------------


@pytest.fixture
def tiles(numbers, tmp_path) -> Path:
    folder = tmp_path / "export"
    for top in (0, 32, 64):
        for left in (0, 32):
            part = numbers[:, top : top + 32, left : left + 32]
            corner = CORNER * Affine.translation(left, top)
            path = folder / f"lake-{top:010d}-{left:010d}.tif"
            write(path, part, corner=corner, names=NAMES)
    return folder


def test_tiles_of_one_export_are_one_scene(numbers, tiles, tmp_path):
    whole = sl.open_scene(write(tmp_path / "whole.tif", numbers, names=NAMES), scale=1e-4)
    for source in (tiles, f"{tiles}/lake-*.tif", sorted(tiles.iterdir())):
        scene = sl.open_scene(source, scale=1e-4)
        assert scene.chunks is not None
        assert scene.odc.geobox == whole.odc.geobox
        np.testing.assert_array_equal(scene.values, whole.values)
        assert len(source_files(source)) == 6
    some = sl.open_scene(tiles, scale=1e-4, bands=["swir16", "green"])
    np.testing.assert_array_equal(some.values, whole.sel(band=["swir16", "green"]).values)


def test_a_missing_tile_is_not_observed(numbers, tiles):
    (tiles / "lake-0000000032-0000000032.tif").unlink()
    scene = sl.open_scene(tiles, scale=1e-4)
    hole = np.isnan(scene.values)
    assert hole[:, 32:64, 32:].all()
    assert hole.sum() == 6 * 32 * (60 - 32)
    np.testing.assert_allclose(scene.values[~hole], reflectance(numbers)[~hole])


def test_a_folder_of_two_exports_says_how_to_open_one(numbers, tiles):
    for file in list(tiles.iterdir()):
        shutil.copy(file, tiles / file.name.replace("lake", "pond"))
    with pytest.raises(UnknownProductError, match="holds several scenes") as failure:
        sl.open_scene(tiles, scale=1e-4)
    printed = failure.value.remedy.split("pattern: ")[1].strip(".'")
    assert_is(sl.open_scene(printed, scale=1e-4), numbers)
