"""The parsers of files that anyone may have written, searched for inputs that they choke on.

For any bytes, a parser gives a result or an error of ours. The search made here is the same every
time. `STRANDLINE_FUZZ_SECONDS` and `STRANDLINE_FUZZ_SEED` make a longer one and another one; what
they find is mended and kept as a test.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

import broken_files as broken
import strandline as sl
from strandline.errors import StrandlineError
from strandline.scenes.catalog import document, parameters, source, text
from strandline.scenes.landsat import mtl, product
from strandline.scenes.sensors import SENSORS
from strandline.scenes.sentinel import clouds, metadata
from strandline.scenes.sentinel import document as sentinel_document
from strandline.testing.fuzzing import fuzz

_SECONDS = os.environ.get("STRANDLINE_FUZZ_SECONDS")
EXTENT: dict[str, Any] = {
    "seed": int(os.environ.get("STRANDLINE_FUZZ_SEED", "0")),
    **({"seconds": float(_SECONDS)} if _SECONDS else {"runs": 2500}),
}
"""How far to search."""

WORDS_OF_METADATA = [
    *(b"GROUP = ", b"END_GROUP = ", b"END\n", b"=", b'"', b"LANDSAT_METADATA_FILE"),
    *(b"NaN", b"inf", b"-1e999", b"1_0", b"9" * 400, b"\xe2\x88\x9e", b"null", b"[]", b"{}"),
    *(b"<A>", b"</A>", b"<!DOCTYPE a [", b"<![CDATA[", b"&lt;", b"\0", b"\xff\xfe"),
]
WORDS_OF_CATALOGUES = [
    *(b"sources:", b"driver:", b"args:", b"urlpath:", b"parameters:", b"metadata:", b"default:"),
    *(b"type: ", b"int", b"datetime", b"list", b"float", b"allowed: ", b"min: ", b"max: "),
    *(b"{{ ", b" }}", b"{% ", b"%}", b"'%03d' % ", b"|int", b"|format(", b"|strftime('%Y')"),
    *(b"&a ", b"*a", b"<<: *a", b"!!python/object:os", b"!!timestamp ", b"!!binary ", b"? "),
    *(b"null", b"~", b".nan", b".inf", b"2001-13-45", b"0x", b"1_000", b"[[[[", b"{{{{", b"---"),
    b"9" * 5000,
]


OLD = """GROUP = L1_METADATA_FILE
  GROUP = PRODUCT_METADATA
    DATA_TYPE = "L1T"
    DATE_ACQUIRED = 1988-08-14
    SPACECRAFT_ID = "LANDSAT_5"
  END_GROUP = PRODUCT_METADATA
  GROUP = IMAGE_ATTRIBUTES
    SUN_ELEVATION = 47.1
    EARTH_SUN_DISTANCE = 1.01
  END_GROUP = IMAGE_ATTRIBUTES
  GROUP = RADIOMETRIC_RESCALING
    RADIANCE_MULT_BAND_3 = 1.044
    RADIANCE_ADD_BAND_3 = -2.21398
  END_GROUP = RADIOMETRIC_RESCALING
END_GROUP = L1_METADATA_FILE
END
"""
"""As products were before 2016: factors for radiance alone."""


@pytest.fixture(scope="module")
def metadata_seeds(tmp_path_factory) -> list[bytes]:
    """MTL files of the simulator in all three spellings, and a minimal one."""
    folder = tmp_path_factory.mktemp("product")
    sl.simulate_scene("2017-10-22", size=(100, 100), resolution=300, path=folder)
    (path,) = folder.rglob("*_MTL.txt")
    simulated = path.read_text()
    groups = mtl.parse_metadata(simulated, path.name).groups
    tree = {"LANDSAT_METADATA_FILE": groups}
    xml = "".join(
        f"<{name}>{''.join(f'<{k}>{v}</{k}>' for k, v in group.items())}</{name}>"
        for name, group in groups.items()
    )
    spellings = [
        simulated,
        broken.metadata(),
        json.dumps(tree),
        f"<LANDSAT_METADATA_FILE>{xml}</LANDSAT_METADATA_FILE>",
        OLD,
    ]
    return [text.encode() for text in spellings]


def use_metadata(data: bytes) -> None:
    """Everything that opening a product asks of its MTL file."""
    parsed = mtl.parse_metadata(data.decode("utf-8", errors="replace"), "x_MTL.txt")
    sensor = SENSORS["landsat-8" if "9" in str(parsed.collection) else "landsat-5"]
    files = broken_files(parsed)
    whole = product.Product(
        files, sensor, "L2", parsed.collection, None, {"red": ("3", "x")}, {}, parsed, None, False
    )
    for ask in (
        lambda: product._level(parsed, None),
        parsed.acquired,
        lambda: product.product_factors(whole, ["red"]),
        lambda: product._top_of_atmosphere(whole, parsed, "3"),
        lambda: product._top_of_atmosphere(whole, parsed, "4"),
        lambda: product.metadata_grid(parsed, sensor, "red"),
    ):
        try:
            ask()
        except StrandlineError:
            continue


def broken_files(parsed: mtl.Metadata) -> Any:
    from strandline.scenes.landsat.files import ProductFiles

    return ProductFiles("x", {})


def use_catalog(path: Path) -> Any:
    def use(data: bytes) -> None:
        path.write_bytes(data)
        catalog = sl.open_catalog(path)
        repr(catalog)
        for name in catalog:
            try:
                entry = catalog[name]
                repr(entry)
                entry.describe()
                _ = entry.args
                entry._check_driver()
                _ = entry.urlpath
            except StrandlineError:
                continue

    return use


CATALOG_SEEDS = [
    b"""
name: lakes
metadata: {version: 1}
sources:
  lake:
    description: A lake
    driver: rasterio
    args:
      urlpath: "{{ CATALOG_DIR }}/LC08_{{ '%03d' % path }}_B{band:d}.tif"
      chunks: {band: 1, x: 50}
    metadata: {scale: 1.0e-4}
    parameters:
      path: {type: int, default: 42, min: 1, max: 233}
      day: {type: datetime, default: "1988-10-22"}
      kind: {type: str, allowed: [a, b], default: a}
""",
    b"""
sources:
  one: &a {driver: netcdf, args: {urlpath: one.nc}}
  two: {<<: *a, description: "{{ day|strftime('%Y') }}"}
  three: {driver: zarr, args: {urlpath: ["x.zarr", "{{ kind|upper }}.zarr"]},
          parameters: {kind: {type: list, default: [1, 2]}}}
""",
]


def use_sentinel(data: bytes) -> None:
    """Everything that opening a product asks of its XML and GML files."""
    content = data.decode("utf-8", errors="replace")
    for parse in (metadata.parse_product, metadata.parse_tile, clouds.parse_clouds):
        try:
            parse(content, "MTD.xml")
        except StrandlineError:
            continue


WORDS_OF_SENTINEL = [
    *(b"<", b"</", b"/>", b"<!DOCTYPE a [", b"<![CDATA[", b"]]>", b"&#0;", b"&amp;", b"xmlns:a="),
    *(b"<PROCESSING_BASELINE>", b"05.00", b"NaN", b"1e999", b"-1000", b'band_id="13"', b"\0"),
    *(b'resolution="10"', b"EPSG:32610", b"EPSG:0", b"2020-13-45T00:00:00Z", b"9" * 400),
    *(b"<RADIO_ADD_OFFSET", b"<QUANTIFICATION_VALUE", b"<NROWS>", b"<ULX>", b"<gml:posList>"),
]


def test_any_sentinel_metadata_gives_a_result_or_an_error_of_ours(
    tmp_path_factory, record_property
):
    seeds = []
    for level in ("L1C", "L2A"):
        scene, _ = sl.simulate_scene(
            "2020-08-02",
            platform="sentinel-2a",
            size=(240, 180),
            path=tmp_path_factory.mktemp("safe"),
            processing_level=level,
        )
        folder = Path(scene.attrs["source"])
        seeds += [path.read_bytes() for path in sorted(folder.rglob("*.[xg]ml"))]
    found = fuzz(
        use_sentinel,
        seeds,
        [sentinel_document, metadata, clouds],
        allowed=(StrandlineError,),
        words=WORDS_OF_SENTINEL,
        **EXTENT,
    )
    record_property("runs", found.runs)
    record_property("lines", len(found.lines))
    assert not found.crashes, told(found)


def told(found: Any) -> str:
    return "\n".join(f"{place}: {data!r}" for place, data in found.crashes.items())


def test_any_metadata_file_gives_a_result_or_an_error_of_ours(metadata_seeds, record_property):
    found = fuzz(
        use_metadata,
        metadata_seeds,
        [mtl, product],
        allowed=(StrandlineError,),
        words=WORDS_OF_METADATA,
        **EXTENT,
    )
    record_property("runs", found.runs)
    record_property("lines", len(found.lines))
    assert not found.crashes, told(found)


def test_any_catalogue_gives_a_result_or_an_error_of_ours(tmp_path, record_property):
    found = fuzz(
        use_catalog(tmp_path / "catalog.yml"),
        CATALOG_SEEDS,
        [document, parameters, source, text],
        allowed=(StrandlineError,),
        words=WORDS_OF_CATALOGUES,
        **EXTENT,
    )
    record_property("runs", found.runs)
    record_property("lines", len(found.lines))
    assert not found.crashes, told(found)


FOUND = [
    b"sources:\n two: {<<: *a, des\x1e three: {}",
    b"sources: {a: {driver: zarr}}\x01",
    b"sources: {a: {driver: rasterio, args: urlpath}}",
    b"metadata: [1]\nsources: {a: {driver: rasterio}}",
    b"metadata: 5\nsources: {a: {driver: rasterio}}",
    b"sources: {a: {driver: zarr, args: {urlpath: ~x.zarr}}}",
]
"""Catalogues on which the parser choked once."""


@pytest.mark.parametrize("data", FOUND)
def test_a_catalogue_that_was_choked_on_is_not_any_more(tmp_path, data):
    try:
        use_catalog(tmp_path / "catalog.yml")(data)
    except StrandlineError:
        return


@pytest.mark.parametrize(
    "change",
    [
        {"REFLECTIVE_LINES": "-5"},
        {"GRID_CELL_SIZE_REFLECTIVE": "-30"},
        {"UTM_ZONE": "0"},
        {"UTM_ZONE": "11.5"},
        {"SCENE_CENTER_TIME": "noon"},
    ],
)
def test_a_metadata_file_that_was_choked_on_is_not_any_more(change):
    use_metadata(broken.metadata(**change).encode())
    use_metadata(OLD.replace("1.01", "one").encode())


# --- the search itself -------------------------------------------------------------------


MAZE = """
def parse(data):
    if data[:1] == b"L":
        if data[1:2] == b"A":
            if data[2:3] == b"K":
                if data[3:4] == b"E":
                    raise KeyError("found")
"""


@pytest.fixture
def maze(tmp_path):
    path = tmp_path / "maze.py"
    path.write_text(MAZE)
    spec = importlib.util.spec_from_file_location("maze", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_guided_by_coverage_a_fault_behind_four_doors_is_found(maze):
    words = [bytes([letter]) for letter in b"AEKLMNOPQRSTUVWXYZ"]
    search = {"allowed": (), "words": words, "runs": 20_000}
    guided = fuzz(maze.parse, [b"...."], [maze], **search)
    blind = fuzz(maze.parse, [b"...."], [maze], **search, guided=False)
    assert list(guided.crashes) == ["KeyError in parse, line 7"]
    assert not blind.crashes
    assert len(guided.lines) > len(blind.lines)


def test_the_same_seed_searches_the_same(maze):
    search = {"allowed": (), "runs": 300, "seed": 5}
    one, other = (fuzz(maze.parse, [b"L..."], [maze], **search) for _ in range(2))
    assert one == other
