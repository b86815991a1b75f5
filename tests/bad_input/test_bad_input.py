"""Broken inputs of every kind: each ends in its own error, soon, within memory, with no trace.

One table per way in. A row is a name, a maker (a folder -> what to open), the error it has to
end in, and options. The checks are the same for all: the class, a problem in a sentence, what was
expected or what to do, ten seconds, and nothing left behind, hidden files included.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import HealthCheck, given, settings

import broken_files as broken
import strandline as sl
from broken_input import Row, fails, read, rows
from strandline.errors import (
    CatalogError,
    ConfigurationError,
    GridError,
    GridMismatchError,
    InvalidDataError,
    MetadataError,
    MissingBandError,
    MissingCRSError,
    ModelFileError,
    OutputError,
    RecordError,
    ReflectanceRangeError,
    ScaleError,
    SourceNotFoundError,
    StrandlineError,
    SuspiciousSceneWarning,
    UnknownProductError,
    UnknownSourceError,
    UnreadableSourceError,
)
from strandline.testing.lakes import round_lake
from strandline.testing.strategies import odd_scenes

SCALED = {"scale": 1e-4}


@pytest.fixture(scope="session", autouse=True)
def _loaded() -> None:
    """Importing what is used takes seconds of its own."""
    sl.segment(lake(), 2)


# --- files, products, archives ---------------------------------------------------------


def link_to_itself(folder: Path) -> Path:
    path = folder / "scene.tif"
    path.symlink_to(path)
    return path


def folder_named_as_raster(folder: Path) -> Path:
    (folder / "scene.tif").mkdir()
    return folder / "scene.tif"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "scene.tif")
    return folder / "scene.tif"


def plug(folder: Path) -> Path:
    address = folder / "s.tif"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(address))
    server.close()
    return address


def not_readable(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root may read every file, so permission cannot be tested as root")
    path = broken.raster(folder)
    path.chmod(0)
    return path


def netcdf(change: Callable[[xr.Dataset], xr.Dataset]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        lake = round_lake(shape=(20, 30)).drop_vars("spatial_ref")
        path = folder / "scene.nc"
        change(lake.to_dataset(dim="band")).to_netcdf(path)
        return path

    return make


def half_a_file(folder: Path) -> Path:
    path = netcdf(lambda dataset: dataset)(folder)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def half_a_store(folder: Path) -> Path:
    lake = round_lake(shape=(60, 80)).drop_vars("spatial_ref")
    path = folder / "scene.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how consolidated metadata is stored is not our matter
        lake.to_dataset(dim="band").to_zarr(path, consolidated=False)
    metadata = path / "green" / "zarr.json"
    metadata.write_bytes(metadata.read_bytes()[:40])
    return path


def damaged_store(folder: Path) -> Path:
    lake = round_lake(shape=(60, 80)).drop_vars("spatial_ref")
    path = folder / "scene.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lake.to_dataset(dim="band").to_zarr(path, consolidated=False)
    for chunk in (path / "green" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"\0\1\2\3")
    return path


def no_metadata_but_bands(folder: Path) -> Path:
    home = broken.product(folder)
    for file in home.glob("*_MTL.txt"):
        file.unlink()
    for file in home.glob("*.TIF"):
        file.rename(home / file.name.replace("LT05_L2SP_042033_19881022_20200917_02_T1", "scene"))
    return home.rename(folder / "bands")


def two_products(folder: Path) -> Path:
    home = broken.product(folder)
    other = home / "LT05_L2SP_042033_19881107_20200917_02_T1_MTL.txt"
    other.write_text(broken.metadata())
    return home


GOOD = broken.metadata()
TIFF = b"II*\0"
ROTATED = Affine(30, 5, 300_000, 5, -30, 4_300_000)
NAN, INF = float("nan"), float("inf")

FILES = [
    Row("nothing there", lambda folder: folder / "scene.tif", SourceNotFoundError),
    Row("a TIFF cut in its header", broken.cut(0.02), UnreadableSourceError),
    Row("a TIFF cut in the middle", broken.cut(0.5), UnreadableSourceError, SCALED),
    Row("a TIFF cut at its end", broken.cut(0.95), UnreadableSourceError, SCALED),
    Row("a TIFF with damaged pixels", broken.noise, UnreadableSourceError, SCALED),
    Row("a TIFF of four bytes", broken.file_of(TIFF), UnreadableSourceError),
    Row(
        "a TIFF whose directory points nowhere",
        broken.file_of(TIFF + struct.pack("<I", 0x7FFFFFFF)),
        UnreadableSourceError,
    ),
    Row("an empty file", broken.file_of(b""), UnreadableSourceError),
    Row(
        "another format under a TIFF's name", broken.file_of(b"PK\3\4" * 99), UnreadableSourceError
    ),
    Row("a text file", broken.file_of(b"blue,green\n1,2\n", "scene.csv"), UnknownProductError),
    Row(
        "GeoJSON",
        broken.file_of(b'{"type": "FeatureCollection", "features": []}', "lake.geojson"),
        UnknownProductError,
    ),
    Row("a folder named .tif", folder_named_as_raster, UnknownProductError),
    Row("a link to itself", link_to_itself, SourceNotFoundError),
    Row("a pipe", pipe, UnreadableSourceError),
    Row("a socket", plug, UnreadableSourceError),
    Row("a device", lambda folder: Path("/dev/zero"), UnreadableSourceError),
    Row("a file that may not be read", not_readable, UnreadableSourceError),
    Row("a path with a null byte", lambda folder: f"{folder}/a\0b.tif", SourceNotFoundError),
    Row("a name of 5,000 letters", lambda folder: folder / ("a" * 5000), SourceNotFoundError),
    Row("an empty path", lambda folder: " ", ConfigurationError),
    Row("a list without files", lambda folder: [], SourceNotFoundError),
    Row("a glob that matches nothing", lambda folder: f"{folder}/*.tif", SourceNotFoundError),
    Row("a broken pattern", lambda folder: f"{folder}/{{band.tif", ConfigurationError),
]

RASTERS = [
    Row("a rotated grid", broken.on_grid(ROTATED), UnknownProductError, SCALED),
    Row(
        "a NaN in the transform",
        broken.on_grid((30, 0, NAN, 0, -30, 0)),
        MetadataError,
        SCALED,
    ),
    Row(
        "an infinite origin",
        broken.on_grid((30, 0, INF, 0, -30, 0)),
        MetadataError,
        SCALED,
    ),
    Row("pixels of no size", broken.on_grid((0, 0, 3e5, 0, 0, 4e6)), MetadataError, SCALED),
    Row("no CRS", lambda f: broken.raster(f, crs=None), MissingCRSError, SCALED),
    Row("no georeference", broken.on_grid(Affine.identity(), crs=None), MissingCRSError, SCALED),
    Row(
        "bands in two UTM zones",
        broken.band_files([{}, {}, {"crs": "EPSG:32612"}]),
        GridMismatchError,
        SCALED,
    ),
    Row(
        "bands on shifted grids",
        broken.band_files([{}, {}, {"transform": Affine(30, 0, 300_015, 0, -30, 4_300_000)}]),
        GridMismatchError,
        SCALED,
    ),
    Row(
        "32-bit numbers without a scale",
        broken.of_values(broken.numbers(dtype="uint32")),
        ScaleError,
    ),
    Row(
        "complex numbers",
        broken.of_values(broken.numbers(dtype="complex64")),
        UnknownProductError,
        SCALED,
    ),
    Row(
        "bands without names",
        lambda f: broken.raster(f, descriptions=["", "", ""]),
        MissingBandError,
        SCALED,
    ),
    Row(
        "two bands of one name",
        lambda f: broken.raster(f, descriptions=["green", "green", "nir"]),
        MissingBandError,
        SCALED,
    ),
    Row("a scale of zero", broken.raster, ScaleError, {"scale": 0.0}),
    Row("a scale that is not a number", broken.raster, ScaleError, {"scale": NAN}),
    Row(
        "numbers that were scaled already",
        broken.of_values((broken.numbers() * 1e-4).astype("float32")),
        ScaleError,
        SCALED,
    ),
    Row("a date in the future", broken.raster, MetadataError, {**SCALED, "time": "2100-01-01"}),
    Row(
        "a date before the satellite's launch",
        broken.raster,
        MetadataError,
        {**SCALED, "time": "1988-10-22", "platform": "landsat-8"},
    ),
    Row("a date that is none", broken.raster, ConfigurationError, {**SCALED, "time": "yesterday"}),
    Row(
        "an unknown platform", broken.raster, UnknownProductError, {**SCALED, "platform": "sputnik"}
    ),
    Row("a CRS that is none", broken.raster, ConfigurationError, {**SCALED, "crs": "EPSG:0"}),
    Row("no bands asked for", broken.raster, ConfigurationError, {**SCALED, "bands": []}),
    Row(
        "a band asked for twice",
        broken.raster,
        ConfigurationError,
        {**SCALED, "bands": ["green", "green"]},
    ),
    Row("a band that is not there", broken.raster, MissingBandError, {**SCALED, "bands": ["red"]}),
    Row("a mask for no reason", broken.raster, ConfigurationError, {**SCALED, "mask": ["rain"]}),
    Row(
        "-9999 that nobody declared",
        broken.of_values(
            np.where(
                np.arange(SIDE := broken.SIDE) < 4, -9999, broken.numbers(dtype="int16")
            ).astype("int16")
        ),
        ReflectanceRangeError,
        SCALED,
    ),
]

PRODUCTS = [
    Row("an empty MTL file", broken.with_metadata(""), MetadataError),
    Row(
        "an MTL file cut in the middle", broken.with_metadata(GOOD[: len(GOOD) // 2]), MetadataError
    ),
    Row(
        "an MTL file without a group",
        broken.with_metadata(broken.metadata(LEVEL2_SURFACE_REFLECTANCE_PARAMETERS=None)),
        MetadataError,
    ),
    Row(
        "an MTL file without a factor",
        broken.with_metadata(broken.metadata(REFLECTANCE_MULT_BAND_4=None)),
        MetadataError,
    ),
    Row(
        "an MTL factor that is not a number",
        broken.with_metadata(broken.metadata(REFLECTANCE_MULT_BAND_4="NaN")),
        MetadataError,
    ),
    Row(
        "an MTL factor of zero",
        broken.with_metadata(broken.metadata(REFLECTANCE_MULT_BAND_4="0.0")),
        ScaleError,
    ),
    Row(
        "an MTL file with groups crossed",
        broken.with_metadata(
            GOOD.replace("END_GROUP = PRODUCT_CONTENTS", "END_GROUP = IMAGE_ATTRIBUTES", 1)
        ),
        MetadataError,
    ),
    Row("a binary MTL file", broken.with_metadata(bytes(range(256)) * 50), MetadataError),
    Row(
        "an MTL file in UTF-16",
        broken.with_metadata(GOOD.encode("utf-16")),
        MetadataError,
    ),
    Row(
        "an MTL file of 100 MB",
        lambda f: broken.product(f, GOOD.encode() + b" " * (100 << 20)),
        MetadataError,
    ),
    Row("an MTL file as a list", broken.with_metadata("[1, 2]"), MetadataError),
    Row(
        "an MTL file as JSON cut short",
        broken.with_metadata('{"LANDSAT_METADATA_FILE": {'),
        MetadataError,
    ),
    Row(
        "an MTL file as JSON nested 100,000 deep",
        broken.with_metadata('{"LANDSAT_METADATA_FILE":' * 100_000),
        MetadataError,
    ),
    Row(
        "an MTL file as XML that multiplies its entities",
        broken.with_metadata(
            '<!DOCTYPE a [<!ENTITY a "ha">'
            + "".join(
                f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">'.replace("a0;", "a;") for n in range(1, 10)
            )
            + "]><LANDSAT_METADATA_FILE><A><B>&a9;</B></A></LANDSAT_METADATA_FILE>"
        ),
        MetadataError,
    ),
    Row(
        "an MTL file of another satellite",
        broken.with_metadata(broken.metadata(SPACECRAFT_ID='"SPUTNIK_1"')),
        UnknownProductError,
    ),
    Row(
        "an MTL file of the 30th of February",
        broken.with_metadata(broken.metadata(DATE_ACQUIRED="1988-02-30")),
        MetadataError,
    ),
    Row(
        "an MTL file from the future",
        broken.with_metadata(broken.metadata(DATE_ACQUIRED="2088-02-20")),
        MetadataError,
    ),
    Row(
        "an MTL file whose corners contradict its size",
        broken.with_metadata(broken.metadata(REFLECTIVE_LINES="7000"), placed=False),
        MetadataError,
    ),
    Row(
        "an MTL file with an infinite pixel size",
        broken.with_metadata(broken.metadata(GRID_CELL_SIZE_REFLECTIVE="inf"), placed=False),
        MetadataError,
    ),
    Row(
        "an MTL file with an unknown projection",
        broken.with_metadata(broken.metadata(MAP_PROJECTION='"LAMBERT"'), placed=False),
        MissingCRSError,
    ),
    Row(
        "an MTL file with UTM zone 99",
        broken.with_metadata(broken.metadata(UTM_ZONE="99"), placed=False),
        MetadataError,
    ),
    Row("a folder of bands that say nothing", no_metadata_but_bands, UnknownProductError),
    Row("a folder of two products", two_products, UnknownProductError),
    Row("an empty folder", lambda folder: folder, UnknownProductError),
]

ARCHIVES = [
    Row("a cut .tar.gz", broken.archive(part=0.5), UnreadableSourceError),
    Row("a .tar.gz cut in its first bytes", broken.archive(part=0.001), UnreadableSourceError),
    Row("a cut .tar", broken.archive("LT05_L2SP_x.tar", part=0.3), UnreadableSourceError),
    Row("an empty .tar", broken.file_of(b"", "scene.tar"), UnreadableSourceError),
    Row("a .tar that is text", broken.file_of(b"hello" * 999, "scene.tar"), UnreadableSourceError),
    Row(
        "a .tar that climbs out of itself",
        broken.archive_of({"../../evil_MTL.txt": b"", "../evil_B1.TIF": b""}),
        UnreadableSourceError,
    ),
    Row(
        "a .tar with absolute paths",
        broken.archive_of({"/etc/evil_MTL.txt": b"", "/etc/evil_B1.TIF": b""}),
        UnreadableSourceError,
    ),
    Row("a .tar without a product", broken.archive_of({"readme.txt": b"hi"}), UnknownProductError),
    Row(
        "a .tar with a file twice",
        broken.archive_of({"a/x_MTL.txt": b"", "b/x_MTL.txt": b""}),
        UnknownProductError,
    ),
    Row(
        "a .tar that links out of itself",
        broken.archive_of({"x_MTL.txt": b"", "x_B1.TIF": b""}, type=b"2", linkname="/etc/passwd"),
        UnknownProductError,
    ),
    Row("a .tar.gz that inflates a band to a terabyte", broken.tar_bomb(), UnreadableSourceError),
    Row(
        "a .tar.gz that inflates an MTL file to a gigabyte",
        broken.metadata_bomb,
        UnreadableSourceError,
    ),
]


def duplicated(dataset: xr.Dataset) -> xr.Dataset:
    x = dataset["x"].values.copy()
    x[5] = x[4]
    return dataset.assign_coords(x=x)


def unsorted(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.isel(y=np.random.default_rng(0).permutation(dataset.sizes["y"]))


def without_places(dataset: xr.Dataset) -> xr.Dataset:
    x = dataset["x"].values.copy()
    x[3] = np.nan
    return dataset.assign_coords(x=x)


UTM = {"crs": "EPSG:32611"}

STORES = [
    Row("an empty NetCDF file", broken.file_of(b"", "scene.nc"), UnreadableSourceError),
    Row(
        "a NetCDF file that is text",
        broken.file_of(b"CDF?" * 99, "scene.nc"),
        UnreadableSourceError,
    ),
    Row(
        "a NetCDF file without a raster",
        netcdf(lambda d: xr.Dataset({"level": ("time", np.arange(5.0))})),
        UnknownProductError,
    ),
    Row("a NetCDF file with a column twice", netcdf(duplicated), MetadataError, UTM),
    Row("a NetCDF file with rows in any order", netcdf(unsorted), MetadataError, UTM),
    Row("a NetCDF file with a column nowhere", netcdf(without_places), MetadataError, UTM),
    Row("a NetCDF file cut in the middle", half_a_file, UnreadableSourceError),
    Row("a Zarr store that was half written", half_a_store, UnreadableSourceError, UTM),
    Row("a Zarr store with damaged chunks", damaged_store, UnreadableSourceError, UTM),
    Row(
        "an empty Zarr store",
        lambda folder: (folder / "scene.zarr").mkdir() or folder / "scene.zarr",
        SourceNotFoundError,
    ),
]


@rows([*FILES, *RASTERS, *PRODUCTS, *ARCHIVES, *STORES])
def test_opening_says_what_is_wrong(row, tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))
    source = row.make(tmp_path)
    fails(lambda: read(source, **row.options), row.error)
    assert not list(tmp_path.rglob("*.part"))


STUDY_OPTIONS = {"scale", "time", "platform", "crs", "offset"}


CHECKED_FIRST = {  # what a study refuses by its configuration alone, before anything is opened
    "a scale of zero": ConfigurationError,
    "a scale that is not a number": ConfigurationError,
    "a CRS that is none": GridError,
}


@rows(
    [
        row
        for row in [*FILES, *RASTERS, *PRODUCTS, *ARCHIVES, *STORES]
        if row.options.keys() <= STUDY_OPTIONS and row.name != "a date that is none"
    ]
)
def test_a_study_of_it_says_the_same_and_leaves_nothing(row, tmp_path, monkeypatch):
    home, out = tmp_path / "input", tmp_path / "results"
    home.mkdir()
    out.mkdir()
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))
    source = row.make(home)
    source = source if isinstance(source, list) else str(source)
    config = {"scenes": [{"source": source, **row.options}], "n_clusters": 2}
    fails(lambda: sl.run_study(config, out / "study"), CHECKED_FIRST.get(row.name, row.error))
    assert not list(out.iterdir()), "something was left behind"


# --- catalogues ---------------------------------------------------------------------------


def catalog(text: str | bytes) -> Callable[[Path], Path]:
    return broken.file_of(text if isinstance(text, bytes) else text.encode(), "catalog.yml")


def source(urlpath: str, more: str = "") -> str:
    return f"sources: {{lake: {{driver: rasterio, args: {{urlpath: {urlpath}}}{more}}}}}"


LAUGHS = "a0: &a0 [ha, ha]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)

CATALOGS = [
    Row("an empty catalogue", catalog(""), CatalogError),
    Row("a catalogue that is a list", catalog("[1, 2]"), CatalogError),
    Row("a catalogue that is not YAML", catalog("sources: {lake: [}"), CatalogError),
    Row("a binary catalogue", catalog(bytes(range(256))), CatalogError),
    Row("a catalogue in Latin-1", catalog("sources: {é: {}}".encode("latin-1")), CatalogError),
    Row("a catalogue of 2 MB", catalog("#" * (2 << 20)), CatalogError),
    Row("a catalogue of a billion laughs", catalog(LAUGHS + source("x.tif")), CatalogError),
    Row("a catalogue that contains itself", catalog("sources: &a {lake: *a}"), CatalogError),
    Row("a catalogue nested 10,000 deep", catalog("sources: " + "[" * 10_000), CatalogError),
    Row(
        "a catalogue that calls Python",
        catalog("sources: !!python/object/apply:os.system ['touch /tmp/evil']"),
        CatalogError,
    ),
    Row(
        "a template that reaches into Python",
        catalog(source('"{{ ().__class__.__base__.__subclasses__() }}"')),
        CatalogError,
    ),
    Row(
        "a template that loops",
        catalog(source('"{% for i in range(9) %}x{% endfor %}"')),
        CatalogError,
    ),
    Row(
        "a template that reads the environment", catalog(source('"{{ env(HOME) }}"')), CatalogError
    ),
    Row("a template that runs a command", catalog(source("\"{{ shell('id') }}\"")), CatalogError),
    Row(
        "a template that fills memory",
        catalog(source("\"{{ '%999999999d' % 1 }}\"")),
        CatalogError,
    ),
    Row("a template that does not close", catalog(source('"{{ year"')), CatalogError),
    Row("a template of an unknown name", catalog(source('"{{ year }}.tif"')), CatalogError),
    Row(
        "a parameter that is not given",
        catalog(source('"{{ year }}.tif"', ", parameters: {year: {type: int}}")),
        CatalogError,
    ),
    Row(
        "a parameter of an unknown type",
        catalog(source("x.tif", ", parameters: {year: {type: code}}")),
        CatalogError,
    ),
    Row(
        "a default outside its bounds",
        catalog(source("x.tif", ", parameters: {year: {type: int, default: 3, min: 5}}")),
        CatalogError,
    ),
    Row(
        "a default that refers to itself",
        catalog(source("'{{ a }}'", ", parameters: {a: {type: str, default: '{{ a }}'}}")),
        CatalogError,
    ),
    Row("a source without a driver", catalog("sources: {lake: {args: {}}}"), CatalogError),
    Row("a driver that nobody knows", catalog("sources: {lake: {driver: magic}}"), CatalogError),
    Row("a source without a path", catalog("sources: {lake: {driver: rasterio}}"), CatalogError),
    Row("a path that is a number", catalog(source("5")), CatalogError),
    Row(
        "a source twice", catalog("sources:\n lake: {driver: a}\n lake: {driver: b}"), CatalogError
    ),
    Row(
        "a source that is not in it",
        catalog("sources: {sea: {driver: rasterio}}"),
        UnknownSourceError,
    ),
    Row("a source that is gone", catalog(source("gone.tif")), SourceNotFoundError),
    Row(
        "a catalogue that leads to itself",
        catalog("sources: {lake: {driver: yaml_file_cat, args: {path: catalog.yml}}}"),
        CatalogError,
    ),
]


@rows(CATALOGS)
def test_a_catalogue_says_what_is_wrong(row, tmp_path):
    path = row.make(tmp_path)
    before = sorted(tmp_path.iterdir())
    fails(lambda: read(f"{path}:lake"), row.error)
    fails(
        lambda: sl.run_study({"scenes": [{"source": f"{path}:lake"}]}, tmp_path / "out"), row.error
    )
    assert sorted(tmp_path.iterdir()) == before
    assert not Path("/tmp/evil").exists()


# --- arrays in memory ------------------------------------------------------------------------


def lake(**changes: Any) -> xr.DataArray:
    return round_lake(shape=(30, 40)).assign_coords(**changes)


def as_object() -> xr.DataArray:
    return lake().astype(object)


def with_value(value: float) -> xr.DataArray:
    scene = lake()
    scene[:, 3:9, 4:9] = value
    return scene


ARRAYS = [
    Row("a list of numbers", lambda _: [1, 2, 3], ConfigurationError),
    Row("None", lambda _: None, ConfigurationError),
    Row("no map plane", lambda _: lake().rename(y="row", x="column"), UnknownProductError),
    Row("four dimensions", lambda _: xr.concat([lake()] * 2, "b"), UnknownProductError),
    Row(
        "several dates at once", lambda _: xr.concat([lake(), lake()], "time"), UnknownProductError
    ),
    Row("objects in place of numbers", lambda _: as_object(), UnknownProductError),
    Row("words", lambda _: lake().astype(str), UnknownProductError),
    Row("moments", lambda _: lake().astype("datetime64[ns]"), UnknownProductError),
    Row("complex numbers in memory", lambda _: lake().astype(complex), UnknownProductError),
    Row("bands of one name", lambda _: lake(band=["red"] * 6), MissingBandError),
    Row("bands of no name", lambda _: lake(band=[""] * 6), MissingBandError),
    Row("an empty plane", lambda _: lake()[:, :0], UnknownProductError),
    Row("no bands", lambda _: lake()[:0], UnknownProductError),
    Row("a column twice", lambda _: lake(x=[300.0] * 40), MetadataError),
    Row("a row nowhere", lambda _: lake(y=[np.nan] * 30), MetadataError),
    Row("percent", lambda _: lake() * 100, ReflectanceRangeError),
    Row("a fill of -1e38", lambda _: with_value(-1e38), ReflectanceRangeError),
    Row("scaled twice", lambda _: lake() * 1e-4, ScaleError),
    Row("another product's factors", lambda _: lake() * 0.1 - 0.2, ReflectanceRangeError),
]


@rows(ARRAYS)
def test_an_array_says_what_is_wrong(row, tmp_path):
    fails(lambda: read(row.make(tmp_path)), row.error)


SEGMENTED = [
    Row("no scene", lambda _: [], ConfigurationError),
    Row("a path", lambda _: ["scene.tif"], ConfigurationError),
    Row("nothing observed", lambda _: lake() * np.nan, InvalidDataError),
    Row("one pixel", lambda _: lake()[:, :1, :1], InvalidDataError),
    Row("infinite values", lambda _: with_value(np.inf), InvalidDataError),
    Row(
        "dates without a common band",
        lambda _: [lake()[:1], round_lake(time="2017-10-22")[1:2]],
        MissingBandError,
    ),
]


@rows(SEGMENTED)
def test_segmenting_says_what_is_wrong(row, tmp_path):
    fails(lambda: sl.segment(row.make(tmp_path)), row.error)


# --- configurations, records, models, places for results ----------------------------------------


def study(**changes: Any) -> Callable[[Path], Any]:
    def call(folder: Path) -> Any:
        path = str(broken.raster(folder))
        config = {"scenes": [{"source": path, "scale": 1e-4}], "n_clusters": 2, **changes}
        return sl.run_study(config, folder / "results")

    return call


def study_into(make: Callable[[Path], Path]) -> Callable[[Path], Any]:
    def call(folder: Path) -> Any:
        path = str(broken.raster(folder))
        return sl.run_study({"scenes": [{"source": path, "scale": 1e-4}]}, make(folder))

    return call


def file_in_the_way(folder: Path) -> Path:
    (folder / "results").write_text("mine")
    return folder / "results"


def file_on_the_way(folder: Path) -> Path:
    (folder / "results").write_text("mine")
    return folder / "results" / "deeper"


def replayed(change: Callable[[Path], None]) -> Callable[[Path], Any]:
    def call(folder: Path) -> Any:
        results = study()(folder)
        change(results / "record.json")
        return sl.study.replay_study(results / "record.json")

    return call


def edited(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def model(change: Callable[[bytes], bytes]) -> Callable[[Path], Any]:
    def call(folder: Path) -> Any:
        path = folder / "lake.model"
        sl.save_model(sl.segment(lake(), 2), path)
        path.write_bytes(change(path.read_bytes()))
        return sl.load_model(path)

    return call


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/evil",))


CALLS = [
    Row("no scenes", study(scenes=[]), ConfigurationError),
    Row("three scenes", study(scenes=[{"source": "a"}] * 3), ConfigurationError),
    Row("a word for a number", study(n_clusters="many"), ConfigurationError),
    Row("a number for a list", study(bands=5), ConfigurationError),
    Row("an unknown setting", study(colour="blue"), ConfigurationError),
    Row("one cluster", study(n_clusters=1), ConfigurationError),
    Row("a centre without a buffer", study(center=[0, 0]), ConfigurationError),
    Row("an unknown resampling", study(resampling="magic"), ConfigurationError),
    Row("results in place of a file", study_into(file_in_the_way), OutputError),
    Row("results below a file", study_into(file_on_the_way), OutputError),
    Row(
        "results on a system of the kernel",
        study_into(lambda _: Path("/proc/results")),
        OutputError,
    ),
    Row("a record cut short", replayed(lambda p: p.write_text(p.read_text()[:99])), RecordError),
    Row("a record that is a list", replayed(lambda p: p.write_text("[]")), RecordError),
    Row("a record without inputs", replayed(lambda p: edited(p, inputs=None)), RecordError),
    Row(
        "a record with another setting", replayed(lambda p: edited(p, config={"x": 1})), RecordError
    ),
    Row("a record whose results changed", replayed(lambda p: edited(p, outputs={})), RecordError),
    Row("a record that is gone", lambda f: sl.study.replay_study(f / "record.json"), RecordError),
    Row("a model cut short", model(lambda b: b[: len(b) // 2]), ModelFileError),
    Row("an empty model", model(lambda b: b""), ModelFileError),
    Row("a model that is text", model(lambda b: b"model: 1"), ModelFileError),
    Row("a pickle as a model", model(lambda b: pickle.dumps(Evil())), ModelFileError),
    Row("a model that is gone", lambda f: sl.load_model(f / "lake.model"), SourceNotFoundError),
]


@rows(CALLS)
def test_a_call_says_what_is_wrong_and_leaves_nothing(row, tmp_path):
    fails(lambda: row.make(tmp_path), row.error)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    if row.name.startswith("results"):
        assert {path.name for path in tmp_path.iterdir()} <= {"scene.tif", "results"}
    assert not Path("/tmp/evil").exists()


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    path = str(broken.raster(tmp_path))

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    monkeypatch.setattr("rasterio.io.DatasetWriter.write", full, raising=False)
    monkeypatch.setattr(Path, "write_text", full)
    fails(
        lambda: sl.run_study({"scenes": [{"source": path, "scale": 1e-4}]}, tmp_path / "results"),
        OutputError,
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["scene.tif"]


# --- odd, not wrong ---------------------------------------------------------------------------


def water_of(source: Any, **options: Any) -> xr.DataArray:
    return sl.water_mask(sl.segment(sl.open_scene(source, **options), 2))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32711", Affine(30, 0, 300_000, 0, -30, 5_700_000)),
        ("EPSG:32611", Affine(30, 0, 300_000, 0, -30, -4_300_000)),
        ("EPSG:32660", Affine(30, 0, 833_000, 0, -30, 1_000_000)),
        ("EPSG:4326", Affine(0.001, 0, 179.98, 0, -0.001, -17.0)),
        ("EPSG:3031", Affine(30, 0, -1_000_000, 0, -30, 900_000)),
        ("EPSG:32611", Affine(30, 0, 300_000, 0, 30, 4_300_000)),
    ],
    ids=[
        "south of the equator",
        "south, counted from the north",
        "at the antimeridian",
        "across the antimeridian in degrees",
        "Antarctica",
        "rows from the south",
    ],
)
def test_odd_places_are_no_fault(tmp_path, crs, transform):
    path = broken.raster(tmp_path, crs=crs, transform=transform)
    mask = water_of(path, scale=1e-4)
    wet = int((mask == 1).sum())
    assert wet == pytest.approx(np.pi * 10**2, rel=0.1)
    area = sl.areas(mask)
    assert float(area["best"].iloc[0]) > 0


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 400), (3, 400, 1)])
def test_scenes_of_one_pixel_row_or_column_open(tmp_path, shape):
    scene = read(broken.raster(tmp_path, values=broken.numbers(shape)), scale=1e-4)
    assert scene.shape == shape


def test_a_scene_of_nodata_opens_and_cannot_be_segmented(tmp_path):
    path = broken.raster(tmp_path, values=np.zeros_like(broken.numbers()), nodata=0)
    scene = sl.open_scene(path, scale=1e-4)
    assert np.isnan(scene.values).all()
    fails(lambda: sl.segment(scene), InvalidDataError)
    with pytest.warns(
        SuspiciousSceneWarning, match="none of the pixels that were checked was observed"
    ):
        sl.check_scene(scene)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(odd_scenes())
def test_any_array_opens_or_ends_in_an_error_of_ours(scene):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SuspiciousSceneWarning)
        outcome = opened_and_checked(scene)
    if isinstance(outcome, StrandlineError):
        assert outcome.remedy or outcome.expected or outcome.got, str(outcome)
    else:
        assert outcome.dtype == np.float32
        assert outcome.size


def opened_and_checked(scene: xr.DataArray) -> xr.DataArray | StrandlineError:
    try:
        again = sl.open_scene(scene)
        sl.check_scene(again)
    except StrandlineError as error:
        return error
    return again
