"""Local copies of remote files: made once, continued, made anew, and used without a network."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from servers import Website, website
from strandline.errors import OutputError, StaleCopyWarning, UnreachableSourceError
from strandline.scenes import cache as caching
from strandline.scenes.cache import cache_folder, cache_size, clear_cache, local_copy
from strandline.scenes.open import open_scene
from strandline.scenes.simulate import simulate_scene
from strandline.study import run_study


@pytest.fixture
def site(tmp_path) -> Iterator[Website]:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "file.bin").write_bytes(np.random.default_rng(0).bytes(100_000))
    with website(folder) as server:
        yield server


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch, tmp_path):
    monkeypatch.setattr(caching, "BLOCK", 30_000)
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))


def fetched(site: Website) -> int:
    return sum(command == "GET" for command, *_ in site.log)


def test_a_file_is_copied_once(site):
    first = local_copy(site.address("file.bin"))
    assert Path(first).read_bytes() == (site.root / "file.bin").read_bytes()
    before = fetched(site)
    assert local_copy(site.address("file.bin")) == first
    assert fetched(site) == before


def test_no_copy_is_made_unless_it_is_asked_for(site):
    assert local_copy(site.address("file.bin"), cache=None) == site.address("file.bin")
    assert local_copy("here.tif", cache=True) == "here.tif"
    assert not cache_folder().exists()


def test_an_interrupted_copy_is_continued_where_it_stopped(site, monkeypatch):
    real, asked = caching._block, []

    def interrupted(start, end, *rest):
        asked.append(start)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(start, end, *rest)

    monkeypatch.setattr(caching, "_block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        local_copy(site.address("file.bin"))
    assert [file.suffix for file in cache_folder().rglob("*.*") if file.is_file()] == [".part"]
    copy = local_copy(site.address("file.bin"))
    assert asked == [0, 30_000, 60_000, 60_000, 90_000]
    assert Path(copy).read_bytes() == (site.root / "file.bin").read_bytes()
    assert not list(cache_folder().rglob("*.part"))


def test_a_changed_source_is_copied_anew(site):
    first = local_copy(site.address("file.bin"))
    (site.root / "file.bin").write_bytes(b"another file of another size")
    second = local_copy(site.address("file.bin"))
    assert Path(second).read_bytes() == b"another file of another size"
    assert Path(first).exists()  # for a run that still reads it


def test_copies_of_earlier_versions_go_after_a_day(site, monkeypatch):
    first = local_copy(site.address("file.bin"))
    monkeypatch.setattr(caching, "KEPT_SECONDS", -1)
    (site.root / "file.bin").write_bytes(b"another")
    local_copy(site.address("file.bin"))
    assert not Path(first).exists()


def test_a_server_without_ranges_is_copied_whole(site):
    copy = local_copy(site.address("file.bin", "whole"))
    assert Path(copy).read_bytes() == (site.root / "file.bin").read_bytes()


def test_a_body_that_breaks_off_once_is_fetched_again(site):
    copy = local_copy(site.address("file.bin", "shortonce"))
    assert Path(copy).read_bytes() == (site.root / "file.bin").read_bytes()


def test_a_body_that_always_breaks_off_leaves_no_copy(site):
    with pytest.raises(UnreachableSourceError, match=r"file\.bin"):
        local_copy(site.address("file.bin", "short"))
    assert all(file.suffix == ".part" for file in cache_folder().rglob("*") if file.is_file())


def test_without_a_network_the_copy_is_used_and_said_to_be_old(tmp_path):
    (tmp_path / "file.bin").write_bytes(b"content")
    with website(tmp_path) as server:
        url = server.address("file.bin")
        copy = local_copy(url)
    with pytest.warns(StaleCopyWarning, match="could not be asked"):
        assert local_copy(url) == copy
    with pytest.raises(UnreachableSourceError):
        local_copy(url.replace("file.bin", "other.bin"))


def test_a_signed_link_and_its_successor_are_one_file(site):
    first = local_copy(site.address("file.bin?sig=one"))
    before = fetched(site)
    assert local_copy(site.address("file.bin?sig=two")) == first
    assert fetched(site) == before


def test_no_room_is_told(site, tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="STRANDLINE_CACHE"):
        local_copy(site.address("file.bin"), cache=tmp_path / "taken")


def test_the_cache_can_be_measured_and_emptied(site):
    local_copy(site.address("file.bin"))
    assert cache_size() == 100_000
    assert clear_cache() == 100_000
    assert cache_size() == 0


@pytest.fixture
def product(site) -> xr.DataArray:
    scene, _ = simulate_scene(size=(100, 110), resolution=300, path=site.root)
    return open_scene(scene.attrs["source"]).compute()


def test_a_product_archive_on_a_server_opens_from_its_copy(site, product):
    folder = Path(product.attrs["source"])
    with tarfile.open(site.root / "product.tar", "w") as tar:
        tar.add(folder, arcname=folder.name)
    scene = open_scene(site.address("product.tar"), cache=True)
    np.testing.assert_array_equal(scene.values, product.values)
    assert scene.attrs["source"] == site.address("product.tar")


def test_band_files_are_read_from_copies(site, product, tmp_path):
    folder = Path(product.attrs["source"])
    names = [f"{folder.name}_SR_B{number}.TIF" for number in (2, 5)]
    urls = [site.address(f"{folder.name}/{name}") for name in names]
    keep = tmp_path / "mine"
    scene = open_scene(urls, cache=keep)
    before = site.sent.total()
    values = scene.values
    assert site.sent.total() == before  # nothing is fetched when pixels are read
    expected = open_scene([folder / name for name in names])
    np.testing.assert_array_equal(values, expected.values)
    assert len([file for file in keep.rglob("*.TIF") if file.is_file()]) == 2


def test_a_study_reads_from_copies_and_says_where_the_scene_came_from(site, product, tmp_path):
    folder = Path(product.attrs["source"])
    with tarfile.open(site.root / "product.tar", "w") as tar:
        tar.add(folder, arcname=folder.name)
    url = site.address("product.tar")
    results = run_study({"scenes": [{"source": url}], "n_clusters": 4}, tmp_path / "a", cache=True)
    assert url in (results / "record.json").read_text()
    local = run_study({"scenes": [{"source": str(folder)}], "n_clusters": 4}, tmp_path / "b")
    (water,) = results.glob("water_*.tif")
    assert water.read_bytes() == (local / water.name).read_bytes()
