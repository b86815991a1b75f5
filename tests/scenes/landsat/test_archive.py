from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from strandline.errors import OutputError, UnknownProductError, UnreadableSourceError
from strandline.scenes.cache import cache_folder
from strandline.scenes.landsat import archive
from strandline.scenes.landsat.files import list_product


def pack(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return str(path)


def test_only_what_is_needed_is_unpacked_once(tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))
    path = pack(tmp_path / "a.tar.gz", {"p/x_B1.TIF": b"one", "p/x_B2.TIF": b"two"})
    files = list_product(path)
    assert sorted(files.places) == ["x_B1.TIF", "x_B2.TIF"]
    (place,) = files.rasters(["x_B2.TIF"])
    assert Path(place).read_bytes() == b"two"
    assert [p.name for p in cache_folder().rglob("*.TIF")] == ["x_B2.TIF"]
    monkeypatch.setattr(archive, "_write", None)  # a second call must not unpack again
    assert files.rasters(["x_B2.TIF"]) == [place]


def test_an_archive_that_was_replaced_is_unpacked_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))
    path = pack(tmp_path / "a.tar.gz", {"x_B1.TIF": b"one"})
    list_product(path).rasters(["x_B1.TIF"])
    pack(tmp_path / "a.tar.gz", {"x_B1.TIF": b"three"})
    (place,) = list_product(path).rasters(["x_B1.TIF"])
    assert Path(place).read_bytes() == b"three"


def test_a_plain_tar_is_read_in_place(tmp_path):
    path = pack(tmp_path / "a.tar", {"p/x_B1.TIF": b"one"}, mode="w")
    assert list_product(path).rasters(["x_B1.TIF"]) == [f"/vsitar/{path}/p/x_B1.TIF"]


@pytest.mark.parametrize("name", ["../x_B1.TIF", "/etc/x_B1.TIF", "a/../../x_B1.TIF"])
def test_an_archive_that_points_outside_is_refused(tmp_path, name):
    path = pack(tmp_path / "a.tar.gz", {name: b"evil"})
    with pytest.raises(UnreadableSourceError, match="outside"):
        list_product(path)


def test_links_are_not_followed(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("x_B1.TIF")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(UnknownProductError, match="no Landsat product"):
        list_product(str(path))


def test_one_name_twice_is_refused(tmp_path):
    path = pack(tmp_path / "a.tar.gz", {"p/x_B1.TIF": b"1", "q/x_B1.TIF": b"2"})
    with pytest.raises(UnknownProductError, match="more than once"):
        list_product(path)


def test_what_is_unpacked_is_a_file_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("STRANDLINE_CACHE", str(tmp_path / "cache"))
    path = pack(tmp_path / "a.tar.gz", {"x_B1.TIF": b"one", "x_B2.TIF": b"two"})
    (copy,) = list_product(path).rasters(["x_B2.TIF"])
    assert Path(copy).read_bytes() == b"two"
    assert [one.name for one in Path(copy).parent.iterdir()] == ["x_B2.TIF"]
    ordinary = tmp_path / "ordinary"
    ordinary.write_bytes(b"")
    assert Path(copy).stat().st_mode == ordinary.stat().st_mode


def test_no_room_to_unpack_is_said(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("STRANDLINE_CACHE", str(blocked))
    path = pack(tmp_path / "a.tar.gz", {"x_B1.TIF": b"one"})
    with pytest.raises(OutputError, match="STRANDLINE_CACHE"):
        list_product(path).rasters(["x_B1.TIF"])


def test_metadata_of_the_named_product_wins_in_a_shared_folder(tmp_path):
    for name in ("A_MTL.txt", "A_B1.TIF", "B_MTL.txt", "B_B1.TIF"):
        (tmp_path / name).write_text("")
    files = list_product(str(tmp_path / "A_MTL.txt"))
    assert sorted(files.places) == ["A_B1.TIF", "A_MTL.txt"]
