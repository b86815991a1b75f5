"""Nothing outside the folders given at start can be opened, however it is written."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from strandline.app.library import Library
from strandline.configuration import SceneSource
from strandline.errors import AccessDeniedError, ConfigurationError, StrandlineError
from strandline.scenes import open_scene


@pytest.fixture
def secret(tmp_path):
    """A raster beside the folder, that nobody was offered."""
    from strandline.export.raster import write_cog
    from strandline.testing.lakes import round_lake

    return write_cog(round_lake(shape=(20, 20), radius=200), tmp_path / "secret.tif")


def opened(library, name):
    """What a page does with a name."""
    source = SceneSource(source=library.locate(name))
    library.check(source)
    return open_scene(source.source)


def test_a_file_below_a_folder_opens_by_the_folder_s_name(library):
    assert opened(library, "scenes/lake.tif").sizes["x"] == 60


def test_names_and_sources_turn_into_each_other(library):
    for name in ("scenes/lake.tif", "demo:1988-10-22", "https://example.org/scene.tif"):
        assert library.name_of(library.locate(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "../secret.tif",
        "scenes/../../secret.tif",
        "scenes/../secret.tif",
        "scenes/./lake.tif",
        "scenes//lake.tif",
        "scenes\\..\\secret.tif",
        "scenes/..\\secret.tif",
        "/etc/passwd",
        "file:///etc/passwd",
        "/vsizip/scenes/lake.tif",
        "kept:../secret.tif",
        "kept:aaaaaaaaaaaaaaaaaaaaaaaa/../../secret.tif",
        "kept:/secret.tif",
        "elsewhere/lake.tif",
        "scenes",
        "scenes/",
    ],
)
def test_names_that_lead_outside_are_refused(library, secret, name):
    with pytest.raises(AccessDeniedError):
        library.locate(name)


@pytest.mark.parametrize("name", ["", "   ", "scenes/lake\0.tif"])
def test_names_that_are_none_are_refused(library, name):
    with pytest.raises(ConfigurationError):
        library.locate(name)


def test_the_path_of_a_secret_file_is_refused_as_it_is(library, secret):
    with pytest.raises(AccessDeniedError):
        library.locate(str(secret))


def test_a_link_that_leads_outside_is_refused(library, scenes, secret):
    (scenes / "link.tif").symlink_to(secret)
    (scenes / "folder").symlink_to(secret.parent)
    with pytest.raises(AccessDeniedError):
        library.locate("scenes/link.tif")
    with pytest.raises(AccessDeniedError):
        library.locate("scenes/folder/secret.tif")


def test_a_pattern_that_finds_a_link_to_the_outside_is_refused(library, scenes, secret):
    (scenes / "x_B3.tif").symlink_to(secret)
    with pytest.raises(AccessDeniedError):
        opened(library, "scenes/x_B{band}.tif")


def test_a_link_that_stays_inside_is_followed(library, scenes):
    (scenes / "again.tif").symlink_to(scenes / "lake.tif")
    assert opened(library, "scenes/again.tif").sizes["y"] == 60


def test_a_catalogue_opens_its_sources_below_the_folders_only(library, scenes, secret):
    (scenes / "catalog.yml").write_text(
        "sources:\n"
        "  lake: {driver: rasterio, args: {urlpath: '{{ CATALOG_DIR }}/lake.tif'}}\n"
        f"  secret: {{driver: rasterio, args: {{urlpath: '{secret}'}}}}\n"
        "  up: {driver: rasterio, args: {urlpath: '{{ CATALOG_DIR }}/../secret.tif'}}\n"
    )
    assert library.names()[-1] == "scenes/lake.tif"
    assert "scenes/catalog.yml:lake" in library.names()
    assert opened(library, "scenes/catalog.yml:lake").sizes["x"] == 60
    for name in ("secret", "up"):
        with pytest.raises(AccessDeniedError):
            opened(library, f"scenes/catalog.yml:{name}")


def test_an_item_that_names_files_outside_is_refused(library, scenes, secret):
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "lake",
        "geometry": {"type": "Point", "coordinates": [-118.7, 38.7]},
        "bbox": [-118.7, 38.7, -118.7, 38.7], "links": [],
        "properties": {"datetime": "2017-10-22T18:00:00Z", "platform": "landsat-8"},
        "assets": {"green": {"href": str(secret), "type": "image/tiff; application=geotiff",
                             "eo:bands": [{"name": "B3", "common_name": "green"}]}},
    }  # fmt: skip
    (scenes / "item.json").write_text(json.dumps(item))
    with pytest.raises(AccessDeniedError):
        opened(library, "scenes/item.json")


@pytest.mark.parametrize("suffix", ["vrt", "tif"])
def test_a_virtual_raster_is_refused_whatever_it_is_called(library, scenes, secret, suffix):
    (scenes / f"virtual.{suffix}").write_text(
        '<VRTDataset rasterXSize="20" rasterYSize="20"><VRTRasterBand dataType="Float32" band="1">'
        f"<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(AccessDeniedError, match="list of other files"):
        opened(library, f"scenes/virtual.{suffix}")


def test_an_archive_with_a_link_in_it_opens_nothing_outside(library, scenes, secret):
    with tarfile.open(scenes / "product.tar", "w") as archive:
        link = tarfile.TarInfo("LC08_B3.TIF")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    with pytest.raises(StrandlineError):
        opened(library, "scenes/product.tar")


def test_without_the_network_no_url_opens(scenes, tmp_path, demo_products):
    library = Library([scenes], tmp_path / "kept", demo_products, remote=False)
    for url in ("https://example.org/a.tif", "s3://bucket/a.tif", "http://169.254.169.254/"):
        with pytest.raises(AccessDeniedError):
            library.locate(url)


def test_two_folders_of_one_name_are_told_apart(tmp_path, demo_products):
    for parent in ("a", "b"):
        (tmp_path / parent / "scenes").mkdir(parents=True)
    library = Library([tmp_path / "a/scenes", tmp_path / "b/scenes"], tmp_path, demo_products)
    assert list(library.folders) == ["scenes", "scenes-2"]


def test_a_folder_that_is_none_is_refused_at_start(scenes, tmp_path, demo_products):
    with pytest.raises(ConfigurationError, match="is not a folder"):
        Library([scenes / "lake.tif"], tmp_path, demo_products)


# --- uploads --------------------------------------------------------------------


def test_an_upload_opens_by_a_name_that_cannot_be_guessed(library, scenes):
    content = (scenes / "lake.tif").read_bytes()
    names = {library.keep("my lake.tif", content) for _ in range(2)}
    assert len(names) == 2
    for name in names:
        assert len(name.removeprefix("kept:").partition("/")[0]) >= 30
        assert opened(library, name).sizes["x"] == 60


@pytest.mark.parametrize("filename", ["../../etc/evil.tif", "..\\evil.tif", "/evil.tif", "e v.tif"])
def test_an_upload_s_name_leads_nowhere(library, filename):
    path = library.locate(library.keep(filename, b"x"))
    assert path.startswith(str(library.kept))
    assert library.kept.parent == library.kept / ".." or ".." not in path


def test_an_upload_is_limited_in_size(scenes, tmp_path, demo_products):
    library = Library([], tmp_path / "kept", demo_products, max_upload=10)
    with pytest.raises(ConfigurationError, match="too large"):
        library.keep("big.tif", bytes(11))
    with pytest.raises(ConfigurationError, match="empty"):
        library.keep("none.tif", b"")
    assert not list(library.kept.glob("**/*.tif"))


@pytest.mark.parametrize("filename", ["list.vrt", "catalog.yml", "item.json", "page.html", "x"])
def test_lists_of_other_files_cannot_be_uploaded(library, filename):
    with pytest.raises(ConfigurationError, match="cannot be uploaded"):
        library.keep(filename, b"x")


# --- what is offered --------------------------------------------------------------


def one_band(path, **more):
    from strandline.export.raster import write_cog
    from strandline.testing.lakes import round_lake

    path.parent.mkdir(parents=True, exist_ok=True)
    return write_cog(round_lake(shape=(20, 20), radius=200)[:1], path, **more)


def offered(library) -> list[str]:
    return [name.removeprefix("scenes/") for name in library.names() if name.startswith("scenes/")]


def test_band_files_of_one_product_are_one_entry_that_opens(library, scenes):
    for number in (2, 3, 4, 5):
        one_band(scenes / "deep" / f"LC08_L2SP_042033_20171022_SR_B{number}.TIF")
        one_band(scenes / f"LT05_L1TP_042033_19881022_sr_band{number}.tif")
    for name in ("green", "nir08"):
        one_band(scenes / f"lake_{name}.tif")
    assert offered(library) == [
        "LT05_L1TP_042033_19881022_sr_band{band}.tif",
        "lake.tif",
        "lake_{band}.tif",
        "deep/LC08_L2SP_042033_20171022_SR_B{band}.TIF",
    ]
    for name in offered(library):
        library.check(SceneSource(source=library.locate(f"scenes/{name}")))


@pytest.mark.parametrize(
    "name",
    ["mask.tif", "truth.tif", "scene_QA_PIXEL.TIF", "labels_2017-10-22.tif", "water_2017-10-22.tif",
     "water.tif", "change.tif", "confidence_1988-10-22.tif", "elevation.tif", "lake_B4.TIF",
     "._lake.tif", "__MACOSX/lake.tif", ".hidden/lake.tif"],
)  # fmt: skip
def test_what_is_no_scene_is_not_offered(library, scenes, name):
    one_band(scenes / name)
    assert offered(library) == ["lake.tif"]


def test_results_of_a_run_and_broken_files_are_not_offered(library, scenes):
    import shutil
    import zipfile

    (scenes / "results").mkdir()
    (scenes / "results/record.json").write_text("{}")
    shutil.copy(scenes / "lake.tif", scenes / "results/composite.tif")
    (scenes / "broken.tif").write_bytes(b"II*\0 and no more")
    with zipfile.ZipFile(scenes / "strandline-2017.zip", "w") as archive:
        archive.writestr("strandline-results/record.json", "{}")
    assert offered(library) == ["lake.tif"]


def test_archives_beside_metadata_are_offered_and_a_folder_that_does_not_open_is_not(
    library, scenes, demo_products
):
    import shutil

    product = next(iter(demo_products.values()))
    (metadata,) = product.glob("*_MTL.txt")
    # Metadata alone, as archives are often kept with it.
    (scenes / "kept").mkdir()
    shutil.copy(metadata, scenes / "kept")
    (scenes / "kept" / f"{product.name}.tar.gz").write_bytes(b"an archive")
    shutil.copytree(product, scenes / "whole")
    assert offered(library) == ["lake.tif", f"kept/{product.name}.tar.gz", "whole"]
    # A folder that was named at start has no name of its own.
    top = Library([scenes / "whole"], library.kept)
    assert top.names() == [f"whole/{metadata.name}"]
    for lib, name in ((library, "scenes/whole"), (top, top.names()[0])):
        assert open_scene(lib.locate(name)).sizes["x"] > 100


def test_of_a_folder_of_real_scenes_each_is_offered_once(tmp_path):
    data = Path(__file__).parents[2].parent / "shared" / "data"
    if not data.is_dir():
        pytest.skip("needs the real scenes")
    names = Library([data], tmp_path).names()
    assert len(names) == len(set(names))
    for part in ("reference", "truth", "PQ_", "mask", "stub", ".properties"):
        assert not [name for name in names if part in name.rpartition("/")[2]], part
    for name in ("brumadinho_oli_pair", "momotombo_oli_2015", "liverpool_oli_2020"):
        inside = [one.rpartition("/")[2] for one in names if one.startswith(f"data/{name}/")]
        assert [one for one in inside if one.endswith(".tar.gz")]
        assert f"data/{name}" not in names
    assert "data/tucurui_tm1988" in names
    assert [one for one in names if one.startswith("data/walker_lake_3km/")] == [
        f"data/walker_lake_3km/{one}_sr_band{{band}}.tif"
        for one in ("LC08_L1TP_042033_20171022_20171107_01_T1",
                    "LT05_L1TP_042033_19881022_20161001_01_T1")
    ]  # fmt: skip
