"""Catalogues of intake's version 1 open as intake-xarray opened them, and run no code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import dask.array as da
import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin

from strandline.errors import (
    CatalogError,
    GridMismatchError,
    IgnoredParameterWarning,
    SourceNotFoundError,
    UnreadableSourceError,
)
from strandline.scenes.catalog import Catalog, open_catalog
from strandline.scenes.open import open_scene

Write = Callable[..., Catalog]


def write_tiff(path: Path, values: np.ndarray, *, west: float = 300_000, nodata=-9999) -> None:
    values = values if values.ndim == 3 else values[np.newaxis]
    profile = {
        "driver": "GTiff",
        "width": values.shape[2],
        "height": values.shape[1],
        "count": values.shape[0],
        "dtype": values.dtype,
        "crs": "EPSG:32611",
        "transform": from_origin(west, 4_300_000, 30, 60),
        "nodata": nodata,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)


def plane(band: int) -> np.ndarray:
    """7 rows and 9 columns whose every value says where it belongs."""
    rows, columns = np.mgrid[:7, :9]
    return (1000 * band + 10 * rows + columns).astype("int16")


@pytest.fixture
def bands(tmp_path: Path) -> Path:
    for band in (1, 2, 7, 10):
        write_tiff(tmp_path / "data" / f"LT05_sr_band{band}.tif", plane(band))
    return tmp_path


@pytest.fixture
def catalog(tmp_path: Path) -> Write:
    def write(text: str, name: str = "catalog.yml") -> Catalog:
        path = tmp_path / name
        path.write_text(dedent(text))
        return open_catalog(path)

    return write


SEED_FORM = """
    sources:
      lake:
        description: A small lake.
        driver: rasterio
        cache:
          - argkey: urlpath
            regex: 'earth-data/landsat'
            type: file
        args:
          urlpath: '{{ CATALOG_DIR }}/data/LT05_sr_band{band:d}.tif'
          chunks:
            band: 1
            x: 4
            y: 5
          concat_dim: band
          storage_options: {'anon': True, 'region_name': 'us-east-1'}
        metadata:
          nodata: -9999
          plots:
            band_image: {kind: image, x: x, y: y, groupby: band, rasterize: True}
      tile:
        description: Landsat bands from a cloud store
        driver: rasterio
        parameters:
          path: {description: landsat path, type: int}
          row: {description: landsat row, type: int}
          product_id: {description: landsat file id, type: str}
          band: {description: band, type: int}
        args:
          urlpath: https://a.org/{{ '%03d' % path }}/{{'%03d' % row}}/{{ product_id }}_B{{band}}.TIF
          chunks: {band: 1, x: 256, y: 256}
"""


def lake(args: str, catalog: Write) -> Catalog:
    return catalog(f"sources: {{lake: {{driver: rasterio, args: {{{args}}}}}}}")


# --- the array ---


def test_a_source_opens_lazily_as_band_y_x_with_the_bands_of_the_pattern(bands, catalog):
    array = catalog(SEED_FORM).lake.to_dask()
    assert array.dims == ("band", "y", "x")
    assert array.dtype == "int16"
    assert array["band"].values.tolist() == [1, 2, 7, 10]
    assert isinstance(array.data, da.Array)
    np.testing.assert_array_equal(array.values, np.stack([plane(b) for b in (1, 2, 7, 10)]))
    assert int(array.sel(band=7)[3, 4]) == 7034


def test_the_chunks_of_the_catalogue_are_obeyed(bands, catalog):
    assert catalog(SEED_FORM).lake.to_dask().chunks == ((1, 1, 1, 1), (5, 2), (4, 4, 1))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ("3", ((3, 1), (3, 3, 1), (3, 3, 3))),
        ("{band: 2, y: -1}", ((2, 2), (7,), (9,))),
        ("{band: '4', x: '5'}", ((4,), (7,), (5, 4))),
        ("{}", ((1, 1, 1, 1), (7,), (9,))),
    ],
)
def test_chunks_may_be_written_in_many_ways(chunks, expected, bands, catalog):
    cat = lake(f"urlpath: 'data/LT05_sr_band{{band:d}}.tif', chunks: {chunks}", catalog)
    assert cat.lake.to_dask().chunks == expected


@pytest.mark.parametrize("chunks", ["{x: 0}", "{x: many}", "[1, 2, 3]", "-3"])
def test_chunks_that_mean_nothing_are_an_error(chunks, bands, catalog):
    cat = lake(f"urlpath: 'data/LT05_sr_band{{band:d}}.tif', chunks: {chunks}", catalog)
    with pytest.raises(CatalogError, match="chunks of a source cannot be understood"):
        cat.lake.to_dask()


def test_coordinates_are_pixel_centres_in_the_order_of_the_file(bands, catalog):
    array = catalog(SEED_FORM).lake.to_dask()
    assert array["x"].values[:2].tolist() == [300_015, 300_045]
    assert array["y"].values[:2].tolist() == [4_299_970, 4_299_910]


def test_attributes_are_those_that_intake_xarray_gave(bands, catalog):
    attrs = catalog(SEED_FORM).lake.to_dask().attrs
    assert attrs == {
        "transform": (30, 0, 300_000, 0, -60, 4_300_000),
        "res": (30, 60),
        "crs": "EPSG:32611",
        "nodatavals": (-9999,) * 4,
        "scales": (1,) * 4,
        "offsets": (0,) * 4,
        "_FillValue": -9999,
    }
    assert attrs["_FillValue"].dtype == "int16"


def test_the_array_keeps_its_grid_for_other_tools(bands, catalog):
    array = catalog(SEED_FORM).lake.to_dask()
    assert array.odc.geobox.crs.epsg == 32611
    assert array.odc.geobox.transform[:6] == array.attrs["transform"]
    pytest.importorskip("rioxarray")
    assert array.rio.crs.to_epsg() == 32611
    assert array.rio.nodata == -9999


def test_read_chunked_and_read_give_the_same_lazily_and_in_memory(bands, catalog):
    source = catalog(SEED_FORM).lake
    lazy, chunked, whole = source.to_dask(), source.read_chunked(), source.read()
    xr.testing.assert_identical(lazy.compute(), whole)
    xr.testing.assert_identical(chunked.compute(), whole)
    assert isinstance(whole.data, np.ndarray)


def test_an_array_is_pickled_for_worker_processes(bands, catalog):
    source = pickle.loads(pickle.dumps(catalog(SEED_FORM).lake))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source.to_dask()))[1], plane(2))


def test_one_file_of_several_bands_numbers_them(tmp_path, catalog):
    stack = np.stack([plane(1), plane(2), plane(3)])
    write_tiff(tmp_path / "stack.tif", stack)
    array = lake("urlpath: stack.tif, chunks: {band: 1}", catalog).lake.to_dask()
    assert array["band"].values.tolist() == [1, 2, 3]
    assert array.chunks[0] == (1, 1, 1)
    np.testing.assert_array_equal(array.values, stack)


def test_a_glob_and_a_list_number_their_bands(bands, catalog):
    cat = catalog("""
        sources:
          glob: {driver: geotiff, args: {urlpath: 'data/LT05_sr_band?.tif'}}
          list:
            driver: rasterio
            args:
              urlpath:
                - "{{ CATALOG_DIR }}data/LT05_sr_band7.tif"
                - data/LT05_sr_band1.tif
    """)
    assert cat.glob.to_dask()["band"].values.tolist() == [1, 2, 3]
    listed = cat["list"].to_dask()
    np.testing.assert_array_equal(listed.values, np.stack([plane(7), plane(1)]))
    assert [Path(url).name for url in cat["list"].urls] == [
        "LT05_sr_band7.tif",
        "LT05_sr_band1.tif",
    ]


def test_other_fields_of_the_pattern_become_coordinates_along_band(bands, catalog):
    array = lake("urlpath: 'data/{sat}_sr_band{band:d}.tif'", catalog).lake.to_dask()
    assert array["sat"].dims == ("band",)
    assert array["sat"].values.tolist() == ["LT05"] * 4


def test_path_as_pattern_takes_a_pattern_or_false(bands, catalog):
    cat = lake("urlpath: data/*.tif, path_as_pattern: 'LT05_sr_band{band:d}.tif'", catalog)
    assert cat.lake.to_dask()["band"].values.tolist() == [1, 2, 7, 10]
    with pytest.raises(SourceNotFoundError, match=r"band\{band:d\}"):
        lake("urlpath: 'data/band{band:d}.tif', path_as_pattern: false", catalog).lake.to_dask()


def test_files_of_several_dates_are_stacked_along_a_new_dimension(tmp_path, catalog):
    for date in ("19881022", "20171022"):
        write_tiff(tmp_path / f"{date}.tif", np.stack([plane(int(date[:4]) - 1987), plane(3)]))
    array = lake("urlpath: '{time:%Y%m%d}.tif', concat_dim: time", catalog).lake.to_dask()
    assert array.dims == ("time", "band", "y", "x")
    dates = np.array(["1988-10-22", "2017-10-22"], "datetime64[ns]")
    np.testing.assert_array_equal(array["time"], dates)
    assert array["band"].values.tolist() == [1, 2]
    assert array.attrs["nodatavals"] == (-9999, -9999)
    np.testing.assert_array_equal(array.sel(time="1988-10-22", band=1), plane(1))


def test_files_with_different_numbers_of_bands_cannot_be_stacked(tmp_path, catalog):
    write_tiff(tmp_path / "1988.tif", plane(1))
    write_tiff(tmp_path / "2017.tif", np.stack([plane(1), plane(2)]))
    with pytest.raises(GridMismatchError, match="cannot be stacked along 'time'"):
        lake("urlpath: '{time:%Y}.tif', concat_dim: time", catalog).lake.to_dask()


def test_bands_on_different_grids_are_an_error(bands, catalog):
    write_tiff(bands / "data" / "LT05_sr_band11.tif", plane(11), west=300_030)
    with pytest.raises(GridMismatchError, match=r"share one grid.*300030"):
        catalog(SEED_FORM).lake.to_dask()


def test_no_matching_file_is_an_error_that_names_the_pattern(catalog):
    with pytest.raises(SourceNotFoundError, match=r"No file matches .*LT05_sr_band\{band:d\}\.tif"):
        catalog(SEED_FORM).lake.to_dask()


def test_a_fill_value_that_the_type_cannot_hold_stays_as_it_is(tmp_path, catalog):
    for name, nodata in (("a", None), ("b", 255)):
        write_tiff(tmp_path / f"{name}.tif", plane(0).astype("uint8"), nodata=nodata)
    assert "_FillValue" not in lake("urlpath: [a.tif, b.tif]", catalog).lake.to_dask().attrs
    assert lake("urlpath: b.tif", catalog).lake.to_dask().attrs["_FillValue"] == 255


def test_arguments_without_effect_warn(bands, catalog):
    cat = lake("urlpath: data/LT05_sr_band1.tif, xarray_kwargs: {lock: true}, colour: red", catalog)
    with pytest.warns(IgnoredParameterWarning, match="colour, xarray_kwargs of source 'lake'"):
        cat.lake.to_dask()


def test_netcdf_and_zarr_sources_open_as_datasets(tmp_path, catalog):
    made = xr.Dataset({"green": (("y", "x"), plane(1))}, {"x": np.arange(9), "y": np.arange(7)})
    made.to_netcdf(tmp_path / "lake.nc", engine="h5netcdf")
    made.to_zarr(tmp_path / "lake.zarr", consolidated=False)
    later = made.expand_dims(time=[1])
    later.to_netcdf(tmp_path / "part1.nc", engine="h5netcdf")
    later.assign_coords(time=[2]).to_netcdf(tmp_path / "part2.nc", engine="h5netcdf")
    cat = catalog("""
        sources:
          one: {driver: netcdf, args: {urlpath: lake.nc, chunks: {x: 4}}}
          parts: {driver: netcdf, args: {urlpath: 'part*.nc', concat_dim: time}}
          store:
            driver: zarr
            args: {urlpath: "{{CATALOG_DIR}}/lake.zarr", xarray_kwargs: {consolidated: false}}
          gone: {driver: netcdf, args: {urlpath: gone.nc}}
          text: {driver: netcdf, args: {urlpath: catalog.yml, xarray_kwargs: {engine: h5netcdf}}}
    """)
    for name in ("one", "store"):
        with cat[name].to_dask() as dataset:
            assert isinstance(dataset["green"].data, da.Array)
            xr.testing.assert_equal(dataset.compute(), made)
    with cat.one.to_dask() as dataset:
        assert dataset["green"].chunks == ((7,), (4, 4, 1))
    with cat.parts.to_dask() as dataset:
        assert dataset.sizes["time"] == 2
    with pytest.raises(SourceNotFoundError, match=r"nothing at .*gone\.nc"):
        cat.gone.to_dask()
    with pytest.raises(UnreadableSourceError, match=r"catalog\.yml.* cannot be read"):
        cat.text.to_dask()


# --- the scene ---

AS_SCENE = """
    sources:
      lake:
        driver: rasterio
        args:
          urlpath: 'data/LT05_sr_band{band:d}.tif'
          chunks: {band: 1, x: 4, y: 5}
        metadata: {platform: landsat-5, scale: 0.0001, time: 1988-10-22}
"""


@pytest.fixture
def reflective(tmp_path: Path) -> Path:
    for band in (1, 2, 3, 4, 5, 7):
        values = plane(band) // 2
        values[0, 0] = -9999
        write_tiff(tmp_path / "data" / f"LT05_sr_band{band}.tif", values)
    return tmp_path


def test_a_source_opens_as_a_scene_with_what_its_metadata_says(reflective, catalog):
    scene = catalog(AS_SCENE).lake.to_scene()
    assert scene.dims == ("band", "y", "x")
    assert scene.dtype == "float32"
    common = ["blue", "green", "red", "nir08", "swir16", "swir22"]
    assert scene["band"].values.tolist() == common
    assert scene.attrs["platform"] == "landsat-5"
    assert scene["time"].values == np.datetime64("1988-10-22")
    assert scene.chunks[1:] == ((5, 2), (4, 4, 1))
    # By hand: the file holds (3000 + 10 · 2 + 4) // 2 = 1512 there.
    np.testing.assert_allclose(scene.sel(band="red")[2, 4], 0.1512, rtol=1e-6)
    assert np.isnan(scene[:, 0, 0]).all()
    assert scene.odc.geobox.crs.epsg == 32611


def test_options_go_before_metadata(reflective, catalog):
    scene = catalog(AS_SCENE).lake.to_scene(scale=0.0002, bands=["swir1", "red"], chunks=-1)
    assert scene["band"].values.tolist() == ["swir16", "red"]
    assert scene.chunks[1:] == ((7,), (9,))
    np.testing.assert_allclose(scene.sel(band="red")[2, 4], 0.3024, rtol=1e-6)


def test_open_scene_takes_a_catalogue_and_the_name_of_a_source(reflective, catalog):
    cat = catalog(AS_SCENE)
    scene = open_scene(f"{cat.path}:lake")
    xr.testing.assert_identical(scene.compute(), cat.lake.to_scene().compute())
    stored = open_scene(f"{cat.path}:lake", reflectance=False)
    np.testing.assert_allclose(stored.sel(band="red")[2, 4], 1512)
    with pytest.raises(CatalogError, match="no source 'pond'"):
        open_scene(f"{cat.path}:pond")


def test_bands_named_in_words_need_no_sensor(tmp_path, catalog):
    for name in ("green", "nir"):
        write_tiff(tmp_path / f"pond_{name}.tif", plane(1))
    cat = catalog("""
        sources:
          pattern:
            {driver: rasterio, args: {urlpath: 'pond_{band}.tif'}, metadata: {scale: 0.0001}}
          list:
            driver: rasterio
            args: {urlpath: [pond_nir.tif, pond_green.tif]}
            metadata: {scale: 0.0001, band_names: [nir, green]}
    """)
    assert cat.pattern.to_scene()["band"].values.tolist() == ["green", "nir08"]
    assert cat["list"].to_scene()["band"].values.tolist() == ["nir08", "green"]


def test_several_dates_are_no_scene(tmp_path, catalog):
    write_tiff(tmp_path / "1988.tif", plane(1))
    cat = lake("urlpath: '{time:%Y}.tif', concat_dim: time", catalog)
    with pytest.raises(CatalogError, match="several acquisitions, and a scene is one"):
        cat.lake.to_scene()
    table = catalog("sources: {table: {driver: csv, args: {urlpath: a.csv}}}").table
    with pytest.raises(CatalogError, match="driver that Strandline does not read"):
        table.to_scene()


def test_a_netcdf_source_is_a_scene_too(tmp_path, catalog):
    write_tiff(tmp_path / "a.tif", np.stack([plane(1), plane(2)]))
    rasters = lake("urlpath: a.tif", catalog).lake.to_dask()
    stored = rasters.drop_attrs(deep=False).to_dataset("band").rename({1: "green", 2: "nir08"})
    for name in stored.data_vars:
        stored[name].attrs["grid_mapping"] = "spatial_ref"
    stored.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    cat = catalog("""
        sources: {a: {driver: netcdf, args: {urlpath: a.nc}, metadata: {scale: 0.0001}}}
    """)
    scene = cat.a.to_scene()
    assert scene.odc.geobox.crs.epsg == 32611
    assert scene.attrs["source"].endswith("a.nc")
    np.testing.assert_allclose(scene.sel(band="nir08")[1, 2], 0.2012, rtol=1e-6)


# --- the catalogue ---


def test_a_catalogue_lists_its_sources_and_says_what_they_are(catalog):
    cat = catalog(SEED_FORM)
    assert list(cat) == ["lake", "tile"]
    assert len(cat) == 2
    assert "lake" in cat
    assert {"lake", "tile", "path"} <= set(dir(cat))
    assert repr(cat).splitlines()[1:] == [
        "  lake (rasterio): A small lake.",
        "  tile (rasterio): Landsat bands from a cloud store",
    ]


def test_items_and_attributes_are_the_same_sources(catalog):
    cat = catalog(SEED_FORM)
    assert cat.lake.describe() == cat["lake"].describe()
    assert cat.lake.description == "A small lake."
    assert cat.lake.container == "xarray"
    assert cat.lake.urlpath.endswith("/data/LT05_sr_band{band:d}.tif")
    assert cat.lake.metadata["plots"]["band_image"]["groupby"] == "band"
    assert "concat_dim: band" in repr(cat.lake)


def test_access_keys_are_not_shown(catalog):
    options = "{key: AKIA123, client_kwargs: {aws_secret_access_key: hush}, anon: false}"
    source = lake(f"urlpath: s3://b/a.tif, storage_options: {options}", catalog).lake
    assert "AKIA123" not in repr(source)
    assert "hush" not in repr(source)
    assert "anon: false" in repr(source)
    azure = "{account_name: lake, account_key: hush, connection_string: AccountKey=hush}"
    source = lake(f"urlpath: az://b/a.tif, storage_options: {azure}", catalog).lake
    assert "hush" not in repr(source)
    assert "account_name: lake" in repr(source)


def test_an_unknown_source_is_an_error_with_names_that_are_close(catalog):
    cat = catalog(SEED_FORM)
    with pytest.raises(CatalogError, match=r"no source 'lakes'.*Did you mean 'lake'\?"):
        cat["lakes"]
    with pytest.raises(CatalogError, match=r"no source 'pond'\. Expected lake, tile"):
        cat.pond  # noqa: B018  # the access is what is tested
    assert not hasattr(cat, "pond")
    assert cat.get("pond") is None


def test_a_catalogue_can_be_copied_to_another_process(catalog):
    cat = pickle.loads(pickle.dumps(catalog(SEED_FORM)))
    assert list(cat) == ["lake", "tile"]


def test_a_catalogue_may_lead_to_another(bands, catalog):
    (bands / "inner").mkdir()
    (bands / "inner" / "more.yml").write_text(
        "sources: {one: {driver: rasterio, args: {urlpath: ../data/LT05_sr_band1.tif}}}"
    )
    cat = catalog("sources: {more: {driver: yaml_file_cat, args: {path: inner/more.yml}}}")
    np.testing.assert_array_equal(cat.more.one.read()[0], plane(1))
    broken = catalog("sources: {more: {driver: yaml_file_cat, args: {}}}")
    with pytest.raises(CatalogError, match="does not say where its catalogue is"):
        broken["more"]


def test_a_relative_catalogue_keeps_working_after_a_change_of_folder(bands, catalog, monkeypatch):
    catalog(SEED_FORM)
    monkeypatch.chdir(bands)
    source = open_catalog("catalog.yml").lake
    expected = source.read()
    monkeypatch.chdir("/")
    xr.testing.assert_identical(open_catalog(bands / "catalog.yml").lake.read(), expected)


def test_a_driver_that_we_do_not_read_is_an_error_when_it_is_opened(catalog):
    cat = catalog("sources: {table: {driver: csv, args: {urlpath: a.csv}}}")
    assert list(cat) == ["table"]
    with pytest.raises(CatalogError, match=r"Expected rasterio, geotiff.*got 'csv'"):
        cat.table.to_dask()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got nothing"),
        ("- a\n- b", "got list"),
        ("name: x", "under the key 'sources', got no such key"),
        ("entries: {}", "version 2"),
        ("sources: [1]", "got list"),
        ("sources: {lake: {args: {}}}", "source 'lake' .* malformed"),
        ("sources: {lake: text}", "source 'lake' .* malformed"),
        ("sources: {lake: {driver: rasterio", "not valid YAML in line 1"),
        ("sources:\n  a: {driver: b}\n  a: {driver: c}", "key 'a' twice, again in line 3"),
        ("sources: !!python/object/apply:os.system ['touch ran']", "not valid YAML in line 1"),
        ("a: &a [*a]", "contains itself"),
        ("sources:\n  lake:\n    urlpath: {{ CATALOG_DIR }}/a.tif", "quotes around values"),
        ("[" * 5000, "nested too deeply"),
        ("#" * (1 << 20) + "\nsources: {}", "too large"),
        ("sources: {lake: {driver: rasterio, args: [1]}}", "args of source 'lake'"),
        ("sources: {lake: {driver: rasterio, args: {}}}", "does not say where its data are"),
        ("sources: {lake: {driver: rasterio, args: {urlpath: 3}}}", "urlpath that cannot be used"),
        ("sources: {lake: {driver: zarr, args: {urlpath: 'simplecache::s3://b/c'}}}", "caching"),
        ("sources: {lake: {driver: rasterio, args: {urlpath: 'x_{}.tif'}}}", "plain name"),
    ],
)
def test_a_malformed_catalogue_is_an_error_that_says_where(text, message, catalog, tmp_path):
    with pytest.raises(CatalogError, match=message):
        catalog(text).lake.to_dask()
    assert not (tmp_path / "ran").exists()


def test_aliases_that_grow_out_of_bounds_are_refused(catalog):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(CatalogError, match="expand out of bounds"):
        catalog("\n".join([*lines, "sources: {}"]))


def test_aliases_and_merge_keys_of_honest_catalogues_work(bands, catalog):
    cat = catalog("""
        common: &common {driver: rasterio, description: shared}
        sources:
          one: {<<: *common, args: &args {urlpath: data/LT05_sr_band1.tif}}
          two: {<<: *common, args: {<<: *args, urlpath: data/LT05_sr_band2.tif}}
    """)
    assert cat.one.description == "shared"
    np.testing.assert_array_equal(cat.two.read()[0], plane(2))


def test_a_missing_catalogue_is_an_error(tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"no file .*nowhere\.yml"):
        open_catalog(tmp_path / "nowhere.yml")


def test_bytes_that_are_no_text_are_an_error(tmp_path):
    (tmp_path / "catalog.yml").write_bytes(b"\xff\xfe\x00sources")
    with pytest.raises(CatalogError, match="YAML file in UTF-8"):
        open_catalog(tmp_path / "catalog.yml")


# --- parameters ---


def test_parameters_fill_in_the_template(catalog):
    tile = catalog(SEED_FORM)["tile"](path=42, row=33, product_id="LC08_X", band=4)
    assert tile.urls == ["https://a.org/042/033/LC08_X_B4.TIF"]
    assert tile.given == {"path": 42, "row": 33, "product_id": "LC08_X", "band": 4}
    assert "row: '33'" in repr(tile)


def test_parameters_may_be_given_one_after_another(catalog):
    tile = catalog(SEED_FORM).tile(path=42, row=33)
    assert tile(product_id="a", band=1).urls != tile(product_id="b", band=1).urls


def test_missing_parameters_are_all_named_with_the_remedy(catalog):
    tile = catalog(SEED_FORM).tile(path=42, band=1)
    with pytest.raises(
        CatalogError,
        match=r"Expected row \(int\), product_id \(str\), got path, band\. Call it with them: "
        r"catalog\['tile'\]\(row=…, product_id=…\)",
    ):
        tile.to_dask()


def test_an_unknown_parameter_is_an_error(catalog):
    with pytest.raises(CatalogError, match=r"no parameter 'rov'.*Did you mean 'row'\?"):
        catalog(SEED_FORM).tile(rov=3)
    with pytest.raises(CatalogError, match="it takes no parameters"):
        catalog(SEED_FORM).lake(band=3)


PARAMETRIZED = """
    sources:
      lake:
        driver: rasterio
        parameters:
          p: {PARAMETER}
        args: {urlpath: "x_{{ p }}.tif"}
"""


@pytest.mark.parametrize(
    ("parameter", "given", "name"),
    [
        ("{type: int}", "7", "x_7"),
        ("{type: int}", np.int16(7), "x_7"),
        ("{type: int}", 7.0, "x_7"),
        ("{type: float}", 2, "x_2.0"),
        ("{type: bool}", "yes", "x_True"),
        ("{type: str}", 7, "x_7"),
        ("{type: unicode, allowed: [a, b]}", "b", "x_b"),
        ("{type: int, min: 1, max: 7}", 7, "x_7"),
        ("{type: int, default: 5}", None, "x_5"),
        ("{type: str, default: 1998}", None, "x_1998"),
        ("{default: \"{{ 'a' ~ 'b' }}\"}", None, "x_ab"),
    ],
)
def test_parameters_are_converted_where_nothing_is_lost(parameter, given, name, catalog):
    source = catalog(PARAMETRIZED.replace("{PARAMETER}", parameter)).lake
    source = source if given is None else source(p=given)
    assert Path(source.urlpath).stem == name


@pytest.mark.parametrize(
    ("parameter", "given", "message"),
    [
        ("{type: int}", "seven", r"wrong type. Expected int, got 'seven' \(str\)"),
        ("{type: int}", 7.5, "Expected int, got 7.5"),
        ("{type: int}", True, "Expected int, got True"),
        ("{type: float}", "wide", "Expected float, got 'wide'"),
        ("{type: bool}", 1, "Expected bool, got 1"),
        ("{type: str}", ["a"], "Expected str"),
        ("{type: datetime}", "someday", "Expected datetime"),
        ("{type: datetime}", "", "Expected datetime"),
        ("{type: list}", "a", "Expected list"),
        ("{type: int, min: 1}", 0, "not allowed. Expected at least 1, got 0"),
        ("{type: int, max: 7}", 8, "Expected at most 7, got 8"),
        ("{type: float, min: 0}", float("nan"), "Expected at least 0.0, got nan"),
        ("{type: str, allowed: [a, b]}", "c", "Expected one of 'a', 'b', got 'c'"),
        ("{type: int, default: 9, max: 7}", None, "Expected at most 7, got 9"),
        ("{type: int, min: low}", None, "Expected int, got 'low'"),
        ("{type: colour}", None, "unknown type"),
        ("{type: str, allowed: a}", None, "allowed values .* malformed"),
        ("7", None, "malformed"),
    ],
)
def test_values_that_do_not_fit_are_an_error(parameter, given, message, catalog):
    cat = catalog(PARAMETRIZED.replace("{PARAMETER}", parameter))
    with pytest.raises(CatalogError, match=message):
        cat["lake"](**({} if given is None else {"p": given}))


def test_dates_are_formatted_by_the_template(catalog):
    cat = catalog("""
        sources:
          lake:
            driver: rasterio
            parameters: {when: {type: datetime, default: 1988-10-22, min: 1984-03-01}}
            args: {urlpath: "{{ when.strftime('%Y%j') }}_{{ '%02d' % when.month }}.tif"}
    """)
    assert Path(cat.lake.urlpath).name == "1988296_10.tif"
    assert Path(cat.lake(when="2017-10-22").urlpath).name == "2017295_10.tif"
    with pytest.raises(CatalogError, match="at least"):
        cat.lake(when="1970-01-01")


def test_describe_says_everything(catalog):
    facts = catalog(SEED_FORM).tile.describe()
    assert facts["user_parameters"][0] == {
        "name": "path",
        "type": "int",
        "description": "landsat path",
        "required": True,
    }
    assert facts["args"]["chunks"] == {"band": 1, "x": 256, "y": 256}
    assert facts["driver"] == "rasterio"


# --- nothing runs ---


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ env('HOME') }}", r"env\(…\) in a catalogue is refused"),
        ("{{ env(HOME) }}", r"env\(…\) in a catalogue is refused"),
        ("{{ shell('touch ran') }}", r"shell\(…\) in a catalogue is refused"),
        ("{{ client_shell('touch ran') }}", "refused"),
        ("{{ ''.__class__.__mro__ }}", "refused.*the attribute __"),
        ("{{ p.__init__.__globals__ }}", "refused.*the attribute __"),
        ("{{ p['__class__'] }}", "refused.*got Getitem"),
        ("{{ p|attr('__class__') }}", "refused.*the filter attr"),
        ("{% for i in range(99999) %}x{% endfor %}", "refused.*got For"),
        ("{% include '/etc/passwd' %}", "refused.*got Include"),
        ("{{ 'x' * 999999999 }}", "refused.*got Mul"),
        ("{{ 9 ** 9 ** 9 }}", "refused.*got Pow"),
        ("{{ '%0999999999d' % 1 }}", "format is refused"),
        ("{{ '%*d' % (999999999, 1) }}", "format is refused"),
        ("{{ '%0999999999d'|format(1) }}", "format is refused"),
        ("{{ p.strftime('%999999999Y') }}", "format is refused"),
        ("{{ 'x'|center(999999999) }}", "refused.*the filter center"),
        ("{{ unknown }}", "uses 'unknown', not a parameter"),
        ("{{ p.year }}", "fails: .*no attribute 'year'"),
        ("{{ '%d' % p }}", "fails: "),
        ("{{ p }", "fails: "),
        ("{{ p() }}", "fails: "),
    ],
)
def test_templates_only_fill_in(template, message, catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "catalog.yml"
    source = {"driver": "rasterio", "parameters": {"p": {"default": "x"}}}
    import yaml

    path.write_text(
        yaml.safe_dump({"sources": {"lake": {**source, "args": {"urlpath": template}}}})
    )
    with pytest.raises(CatalogError, match=message):
        open_catalog(path).lake.urlpath  # noqa: B018  # the access is what is tested
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("default", ["env(HOME)", "shell(touch ran)", "{{ env('HOME') }}"])
def test_defaults_run_nothing_either(default, catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cat = catalog(PARAMETRIZED.replace("{PARAMETER}", f'{{default: "{default}"}}'))
    with pytest.raises(CatalogError, match="refused"):
        cat["lake"]
    assert not (tmp_path / "ran").exists()


def test_plugins_are_not_loaded(bands, catalog, tmp_path):
    (tmp_path / "plugin.py").write_text(f"open({os.fspath(tmp_path / 'ran')!r}, 'w')")
    cat = catalog("""
        plugins: {source: [{dir: '{{ CATALOG_DIR }}'}, {module: plugin}]}
        sources: {lake: {driver: rasterio, args: {urlpath: data/LT05_sr_band1.tif}}}
    """)
    assert cat.lake.read().shape == (1, 7, 9)
    assert not (tmp_path / "ran").exists()


def test_the_seeds_two_acquisitions_open(real_data, catalog):
    tm_name = "LT05_L1TP_042033_19881022_20161001_01_T1"
    oli_name = "LC08_L1TP_042033_20171022_20171107_01_T1"
    cat = catalog(f"""
        sources:
          landsat_5_small:
            driver: rasterio
            args:
              urlpath: '{real_data}/walker_lake_3km/{tm_name}_sr_band{{band:d}}.tif'
              chunks: {{band: 1, x: 50, y: 50}}
              concat_dim: band
          landsat_8_small:
            driver: rasterio
            args:
              urlpath: '{real_data}/walker_lake_3km/{oli_name}_sr_band{{band:d}}.tif'
              chunks: {{band: 1, x: 50, y: 50}}
              concat_dim: band
    """)
    tm, oli = cat.landsat_5_small.to_dask(), cat.landsat_8_small.to_dask()
    assert tm["band"].values.tolist() == [1, 2, 3, 4, 5, 7]
    assert oli["band"].values.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert tm.shape == (6, 72, 80)
    assert oli.chunks == ((1,) * 7, (50, 29), (50, 28))
    for array, source in ((tm, cat.landsat_5_small), (oli, cat.landsat_8_small)):
        for band, url in zip(array, source.urls, strict=True):
            with rasterio.open(url) as file:
                np.testing.assert_array_equal(band, file.read(1))
    scene = cat.landsat_5_small.to_scene()
    assert scene["band"].values.tolist() == ["blue", "green", "red", "nir08", "swir16", "swir22"]
    assert scene.attrs["platform"] == "landsat-5"
    assert scene["time"].values.astype("datetime64[D]") == np.datetime64("1988-10-22")
    observed = tm.values[2][tm.values[2] != -9999]
    np.testing.assert_allclose(np.nanmax(scene.sel(band="red")), observed.max() * 1e-4, rtol=1e-5)
