from __future__ import annotations

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
import yaml
from affine import Affine

from strandline.errors import (
    ConfigurationError,
    GridMismatchError,
    MissingBandError,
    MissingCRSError,
    ReflectanceRangeError,
    ScaleError,
    SourceNotFoundError,
    UnknownProductError,
    UnreadableSourceError,
)
from strandline.scenes.landsat.product import describe_product, product_factors
from strandline.scenes.open import open_scene

TM_BANDS = ["blue", "green", "red", "nir08", "swir16", "swir22"]
OLI_BANDS = ["coastal", *TM_BANDS]
DN = np.random.default_rng(8).integers(7500, 20_000, (2, 40, 30), dtype=np.uint16)


# --- the contract -----------------------------------------------------------


def check_contract(scene):
    assert scene.dims == ("band", "y", "x")
    assert scene.dtype == np.float32
    assert scene.chunks is not None
    assert scene["band"].dtype.kind == "U"
    assert set(scene.coords) <= {"band", "y", "x", "spatial_ref", "time", "quality"}
    assert scene.odc.crs is not None
    assert scene.rio.crs is not None
    assert scene.odc.geobox.shape == scene.shape[1:]
    assert scene.attrs["units"] == "1"
    assert scene.attrs["source"]
    if "time" in scene.coords:
        assert scene["time"].dtype == "datetime64[ns]"
        assert scene["time"].ndim == 0


@pytest.mark.parametrize(
    ("source", "bands", "platform", "day"),
    [
        (
            "walker_lake_3km/LT05_L1TP_042033_19881022_20161001_01_T1_sr_band{band}.tif",
            TM_BANDS,
            "landsat-5",
            "1988-10-22",
        ),
        (
            "walker_lake_3km/LC08_L1TP_042033_20171022_20171107_01_T1_sr_band{band:d}.tif",
            OLI_BANDS,
            "landsat-8",
            "2017-10-22",
        ),
        ("walker_lake_3km/LC08*_sr_band*.tif", OLI_BANDS, "landsat-8", "2017-10-22"),
        ("tucurui_tm1988", TM_BANDS, "landsat-5", "1988-08-14"),
        ("tucurui_tm1988/*_B?.TIF", None, None, None),
        ("lbg_tm1992/LS5_TM_NBAR_090084_19920323_stack.tif", TM_BANDS, "landsat-5", "1992-03-23"),
        (
            "liverpool_oli_2020/LC08_L2SP_204023_20200927_20201006_02_T1_stack.tif",
            OLI_BANDS,
            "landsat-8",
            "2020-09-27",
        ),
        (
            "momotombo_oli_2015/LC08_L2SP_017051_20151205_20200908_02_T1-cropped.tar.gz",
            TM_BANDS,
            "landsat-8",
            "2015-12-05",
        ),
        (
            "brumadinho_oli_pair/LC08_L2SP_218074_20190130_20200829_02_T1_stack.tif",
            TM_BANDS,
            "landsat-8",
            "2019-01-30",
        ),
    ],
)
def test_real_scenes_open_with_nothing_but_their_place(real_data, source, bands, platform, day):
    if bands is None:  # numbers of Level 1 without their metadata
        with pytest.raises(ScaleError, match="scale"):
            open_scene(str(real_data / source))
        return
    scene = open_scene(str(real_data / source))
    check_contract(scene)
    assert scene["band"].values.tolist() == bands
    assert scene.attrs["platform"] == platform
    assert str(scene["time"].values).startswith(day)
    middle = np.nanmedian(scene.values, axis=(1, 2))
    assert ((middle > -0.05) & (middle < 0.5)).all()


def test_walker_lake_by_hand(real_data):
    pattern = "walker_lake_3km/LT05_L1TP_042033_19881022_20161001_01_T1_sr_band{}.tif"
    scene = open_scene(str(real_data / pattern.format("{band}")))
    with rasterio.open(real_data / pattern.format(7)) as file:
        dn = file.read(1)
    by_hand = np.where(dn == -9999, np.nan, dn * 1e-4)
    np.testing.assert_allclose(scene.sel(band="swir22").values, by_hand, atol=1e-6)


def test_a_lake_of_nodata_stays_unobserved(real_data):
    folder = real_data / "taylorsville_oli_lake_is_nodata"
    scene = open_scene(folder / "L8_Taylorsville.tif", band_names=OLI_BANDS, scale=1e-4)
    check_contract(scene)
    with rasterio.open(folder / "L8_Taylorsville.tif") as file:
        hole = (file.read() == -32).all(axis=0)
    assert hole.sum() == 12_763
    assert np.isnan(scene.values[:, hole]).all()


def test_stretched_pictures_open_as_numbers(real_data):
    path = real_data / "ucayali_series" / "1990.tif"
    names = ["swir1", "nir", "red", "green"]
    with pytest.raises(MissingBandError, match="band_names"):
        open_scene(path)
    with pytest.raises(ScaleError, match="reflectance=False"):
        open_scene(path, band_names=names)
    scene = open_scene(path, band_names=names, reflectance=False, time="1990")
    assert scene["band"].values.tolist() == ["swir16", "nir08", "red", "green"]
    with rasterio.open(path) as file:
        dn = file.read().astype(float)
    np.testing.assert_array_equal(scene.values, np.where(dn == 0, np.nan, dn))


def test_a_stack_with_a_mask_and_heat_in_it_gives_its_reflective_bands(real_data):
    path = real_data / "chiapas_etm_pair" / "LE70220492002106EDC00_stack.gtif"
    with pytest.raises(ScaleError, match="int16"):
        open_scene(path)
    scene = open_scene(path, scale=1e-4)
    assert scene["band"].values.tolist() == TM_BANDS
    assert "processing_level" not in scene.attrs  # an old name does not tell
    everything = open_scene(path, reflectance=False)
    assert everything["band"].values.tolist() == [*TM_BANDS, "lwir", "Band 8"]


# --- equal answers ----------------------------------------------------------


# Band names are text of a fixed length, which Zarr 3 writes and reads with a warning.
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.parametrize("name", ["LT05_L2SP_090084", "LC08_L1TP_090084", "LC08_L2SP_098084"])
def test_one_scene_in_every_form_is_the_same_to_the_bit(unpacked, real_data, tmp_path, name):
    folder = unpacked(name)
    (archive,) = real_data.glob(f"*/{name}*.tar.gz")
    reference = open_scene(folder, mask=())
    names = reference["band"].values.tolist()
    raw = open_scene(folder, mask=(), reflectance=False)
    factors = _factors_of(folder, names)

    numbers = np.nan_to_num(raw.values).astype(np.uint16)
    cog = tmp_path / "scene.tif"
    stacked = raw.copy(data=numbers)
    profile = {
        "driver": "GTiff", "count": len(names), "height": 60, "width": 60, "dtype": "uint16",
        "crs": str(reference.rio.crs), "transform": reference.odc.geobox.transform, "nodata": 0,
    }  # fmt: skip
    with rasterio.open(cog, "w", **profile) as file:
        file.write(numbers)
        file.descriptions = names
        file.scales, file.offsets = [f[0] for f in factors], [f[1] for f in factors]
    separate = xr.Dataset(
        {
            name: stacked.isel(band=i, drop=True).assign_attrs(
                scale_factor=scale, add_offset=offset, _FillValue=np.uint16(0)
            )
            for i, (name, (scale, offset)) in enumerate(zip(names, factors, strict=True))
        }
    )
    for variable in separate.variables.values():
        variable.encoding.pop("chunks", None)
    separate.to_netcdf(tmp_path / "numbers.nc")
    separate.to_zarr(tmp_path / "numbers.zarr", zarr_format=2)
    reference.to_netcdf(tmp_path / "scene.nc")
    reference.to_zarr(tmp_path / "scene.zarr", zarr_format=3, consolidated=False)
    ending = "_SR_B?.TIF" if "L2" in name else None

    forms = {
        "archive": open_scene(archive, mask=()),
        "cog": open_scene(cog),
        "netcdf of numbers": open_scene(tmp_path / "numbers.nc"),
        "zarr of numbers": open_scene(tmp_path / "numbers.zarr"),
        "netcdf": open_scene(tmp_path / "scene.nc"),
        "zarr": open_scene(tmp_path / "scene.zarr"),
        "in memory": open_scene(reference.compute()),
        "dataset": open_scene(reference.to_dataset(dim="band")),
        "rioxarray": open_scene(rioxarray.open_rasterio(cog)),
        "intake": open_scene(xr.open_dataset(cog, engine="rasterio", mask_and_scale=False)),
    }
    if ending:
        forms["band files"] = open_scene(str(folder / f"*{ending}"))
    for form, scene in forms.items():
        assert scene["band"].values.tolist() == names, form
        np.testing.assert_array_equal(scene.values, reference.values, err_msg=form)
        assert scene.odc.geobox.crs == reference.odc.geobox.crs, form
        np.testing.assert_array_equal(scene["x"].values, reference["x"].values, err_msg=form)
        np.testing.assert_array_equal(scene["y"].values, reference["y"].values, err_msg=form)


def _factors_of(folder, names):
    found = product_factors(describe_product(folder), names)
    return [(factor.scale, factor.offset) for factor in found]


def test_what_our_own_files_say_comes_back(unpacked, tmp_path):
    scene = open_scene(unpacked("LT05_L2SP_090084"))
    scene.to_netcdf(tmp_path / "a.nc")
    again = open_scene(tmp_path / "a.nc")
    check_contract(again)
    assert again["time"] == scene["time"]
    for key in ("platform", "instrument", "processing_level"):
        assert again.attrs[key] == scene.attrs[key]


def test_chunks_do_not_matter(unpacked):
    folder = unpacked("LT05_L2SP_090084")
    whole = open_scene(folder)
    for chunks in (25, (60, 17), {"y": 13}):
        cut = open_scene(folder, chunks=chunks)
        assert cut.chunks != whole.chunks
        np.testing.assert_array_equal(cut.values, whole.values)


def test_opening_twice_makes_the_same_graph(unpacked):
    folder = unpacked("LT05_L2SP_090084")
    assert open_scene(folder).data.name == open_scene(folder).data.name


# --- names ------------------------------------------------------------------


def test_descriptions_and_aliases_name_bands(write_raster):
    path = write_raster("a.tif", DN, descriptions=("nir", "rededge"))
    assert open_scene(path, scale=2.75e-5, offset=-0.2)["band"].values.tolist() == [
        "nir08",
        "rededge",
    ]


def test_bands_are_picked_and_ordered_by_any_of_their_names(write_raster):
    path = write_raster("a.tif", DN, descriptions=("B4", "B6"))
    scene = open_scene(
        path, scale=2.75e-5, offset=-0.2, platform="landsat-8", bands=["swir1", "B4"]
    )
    assert scene["band"].values.tolist() == ["swir16", "red"]
    np.testing.assert_allclose(scene.values[1], DN[0] * 2.75e-5 - 0.2, atol=1e-6)
    with pytest.raises(MissingBandError, match=r"'green'.*red, swir16"):
        open_scene(path, scale=1, platform="landsat-8", bands=["green"])


def test_bands_may_be_named_by_an_iterator(write_raster):
    path = write_raster("a.tif", DN, descriptions=("red", "nir08"))
    scene = open_scene(path, scale=2.75e-5, bands=(name for name in ["nir08"]))
    assert scene.band.values.tolist() == ["nir08"]


def test_numbers_without_a_sensor_name_nothing(write_raster):
    one, two = write_raster("x_B3.tif", DN[0]), write_raster("x_B4.tif", DN[1])
    with pytest.raises(MissingBandError, match=r"platform=…"):
        open_scene([one, two], scale=1e-5)
    scene = open_scene([one, two], scale=1e-5, platform="landsat-5")
    assert scene["band"].values.tolist() == ["red", "nir08"]


def test_two_bands_of_one_name_are_refused(write_raster):
    path = write_raster("a.tif", DN, descriptions=("nir", "nir08"))
    with pytest.raises(MissingBandError, match=r"nir08, nir08.*band_names"):
        open_scene(path, scale=1e-5)
    assert open_scene(path, scale=1e-5, band_names=["red", "nir"]).shape == (2, 40, 30)


def test_files_that_are_not_needed_are_not_put_on_the_grid(write_raster):
    red = write_raster("x_red.tif", DN[0])
    nir = write_raster("x_nir.tif", np.zeros((80, 60), np.uint16))
    assert open_scene([red, nir], bands=["red"], scale=1e-5).shape == (1, 40, 30)
    with pytest.raises(GridMismatchError, match=r"x_red\.tif.*x_nir\.tif"):
        open_scene([red, nir], scale=1e-5)


@pytest.mark.parametrize("name", ["pan", "cirrus", "nir09"])
def test_bands_that_products_leave_out_are_left_out_of_plain_files_too(write_raster, name):
    red = write_raster("x_red.tif", DN[0])
    other = write_raster(f"x_{name}.tif", np.zeros((80, 60), np.uint16))
    scene = open_scene([red, other], scale=1e-5)
    assert (scene["band"].values.tolist(), scene.attrs["left_out"]) == (["red"], name)
    assert open_scene([red, other], bands=[name], scale=1e-5).shape == (1, 80, 60)


def test_products_name_their_bands_themselves(real_data):
    with pytest.raises(ConfigurationError, match="band_names"):
        open_scene(real_data / "tucurui_tm1988", band_names=TM_BANDS)


# --- scale ------------------------------------------------------------------


def test_the_callers_word_takes_the_place_of_the_files(write_raster):
    path = write_raster(
        "a.tif",
        DN,
        descriptions=("red", "nir"),
        scales=(0.1, 0.1),
        offsets=(5, 5),
        nodata=int(DN.min()),
    )
    scene = open_scene(path, scale=2e-5, offset=-0.1, nodata=int(DN.max()))
    gone = np.isin(DN, [DN.min(), DN.max()])
    expected = np.where(gone, np.nan, DN * 2e-5 - 0.1)
    np.testing.assert_allclose(scene.values, expected, atol=1e-6)


def test_numbers_given_as_reflectance_are_refused(write_raster):
    path = write_raster("a.tif", DN.astype(np.float32), descriptions=("red", "nir"))
    with pytest.raises(ReflectanceRangeError, match="scale=…"):
        open_scene(path)
    np.testing.assert_array_equal(open_scene(path, reflectance=False).values, DN)


def test_a_scene_is_not_scaled_twice(unpacked):
    scene = open_scene(unpacked("LT05_L2SP_090084"), mask=())
    with pytest.raises(ScaleError, match="twice"):
        open_scene(scene, scale=1e-4)


# --- place and time ---------------------------------------------------------


def test_no_crs_is_an_error_until_one_is_given(write_raster):
    path = write_raster("a.tif", DN, crs=None, descriptions=("red", "nir"))
    with pytest.raises(MissingCRSError, match=r"a\.tif.*Pass crs=…"):
        open_scene(path, scale=1e-5)
    scene = open_scene(path, scale=1e-5, crs="EPSG:32611")
    assert scene.odc.crs.epsg == 32611


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_crs_alone_gives_no_place(write_raster):
    path = write_raster(
        "a.tif", DN, crs=None, transform=Affine.identity(), descriptions=("red", "nir")
    )
    with pytest.raises(MissingCRSError, match="Georeference"):
        open_scene(path, scale=1e-5, crs="EPSG:32611")


def test_time_comes_from_the_caller_if_nobody_else_knows(write_raster):
    path = write_raster("a.tif", DN, descriptions=("red", "nir"))
    assert "time" not in open_scene(path, scale=1e-5).coords
    scene = open_scene(path, scale=1e-5, time="1999-04-16T15:04Z")
    assert scene["time"].values == np.datetime64("1999-04-16T15:04")
    with pytest.raises(ConfigurationError, match="date"):
        open_scene(path, scale=1e-5, time="yesterday-ish")


# --- what cannot be opened --------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nowhere.tif", SourceNotFoundError),
        ("nowhere*.tif", SourceNotFoundError),
        ("nowhere_{band}.tif", SourceNotFoundError),
        ("nowhere.nc", SourceNotFoundError),
        ("nowhere.zarr", SourceNotFoundError),
        ("nowhere.tar.gz", SourceNotFoundError),
        ("nowhere_MTL.txt", SourceNotFoundError),
        ("nowhere", SourceNotFoundError),
        ("text.npz", UnknownProductError),
        ("text.tif", UnreadableSourceError),
        ("text.nc", UnreadableSourceError),
    ],
)
def test_each_absence_or_damage_has_its_own_error(tmp_path, name, error):
    if name.startswith("text"):
        (tmp_path / name).write_text("hello " * 100)
    with pytest.raises(error, match=name.split("*")[0].split("{")[0]):
        open_scene(tmp_path / name)


@pytest.mark.parametrize("source", [5, None, [], [1, 2], np.zeros((2, 3, 3))])
def test_other_things_are_no_source(source):
    with pytest.raises((ConfigurationError, SourceNotFoundError)):
        open_scene(source)


def test_files_of_several_scenes_are_refused(real_data):
    with pytest.raises(UnknownProductError, match=r"several scenes.*stack_scenes"):
        open_scene(str(real_data / "walker_lake_3km" / "*.tif"))


def test_a_mask_without_a_quality_band_is_refused(write_raster):
    path = write_raster("a.tif", DN, descriptions=("red", "nir"))
    with pytest.raises(MissingBandError, match="cloud"):
        open_scene(path, scale=1e-5, mask=["cloud"])
    with pytest.raises(ConfigurationError, match="clouds"):
        open_scene(path, scale=1e-5, mask=["clouds"])


# --- catalogues -------------------------------------------------------------


def test_a_catalogues_source_is_a_scene(real_data, tmp_path):
    name = "LT05_L1TP_042033_19881022_20161001_01_T1_sr_band{band:d}.tif"
    pattern = str(real_data / "walker_lake_3km" / name)
    source = {"driver": "rasterio", "args": {"urlpath": pattern, "concat_dim": "band"}}
    catalog = tmp_path / "catalog.yml"
    catalog.write_text(yaml.safe_dump({"sources": {"walker": source}}))
    scene = open_scene(f"{catalog}:walker", bands=["green", "nir"])
    direct = open_scene(pattern, bands=["green", "nir"])
    np.testing.assert_array_equal(scene.values, direct.values)


def test_a_source_without_a_name_is_not_the_current_folder():
    with pytest.raises(ConfigurationError, match="no name"):
        open_scene("")


def test_a_file_whose_bands_nobody_named_says_so(tmp_path):
    plain = tmp_path / "plain.tif"
    profile = {"driver": "GTiff", "width": 3, "height": 3, "count": 2, "dtype": "uint8"}
    place = {"crs": "EPSG:32611", "transform": Affine(30, 0, 300_000, 0, -30, 4_300_000)}
    with rasterio.open(plain, "w", **profile, **place):
        pass
    with pytest.raises(MissingBandError, match=r"2 different names, got none in the file\. Pass"):
        open_scene(plain)
