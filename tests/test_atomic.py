"""Files and folders appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from strandline.atomic import output_error, replacing, replacing_folder
from strandline.errors import OutputError


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def interrupted(path: Path, failure: BaseException | type[BaseException]) -> None:
    path.write_text("half of the n")
    raise failure


def test_a_file_takes_its_place_complete(tmp_path):
    target = tmp_path / "new" / "areas.csv"
    with replacing(target) as partial:
        partial.write_text("km2")
        assert not target.exists()
    assert target.read_text() == "km2"
    assert names(tmp_path) == ["new/areas.csv"]


def test_a_sidecar_comes_along(tmp_path):
    with replacing(tmp_path / "map.tif") as partial:
        partial.write_text("tiff")
        partial.with_name("map.tif.aux.xml").write_text("names")
    assert names(tmp_path) == ["map.tif", "map.tif.aux.xml"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file_and_no_trace(tmp_path, failure):
    target = tmp_path / "areas.csv"
    target.write_text("old")
    with pytest.raises(failure), replacing(target) as partial:
        interrupted(partial, failure)
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["areas.csv"]


def test_writing_nothing_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="Nothing was written"), replacing(tmp_path / "a.csv"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == []


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "areas.csv").mkdir()
    with pytest.raises(OutputError, match=r"areas\.csv.*folder is already there.*another name"):  # noqa: SIM117  the inner one is tested
        with replacing(tmp_path / "areas.csv"):
            pass


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("I am a file")
    with (
        pytest.raises(OutputError, match="is a file, not a folder"),
        replacing(tmp_path / "out" / "areas.csv"),
    ):
        pass
    assert (tmp_path / "out").read_text() == "I am a file"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Permission denied"), replacing(closed / "areas.csv"):
        pass


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "The disk is full. Free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "Permission denied. Choose a folder that you may write to"),
        (errno.EROFS, "read-only"),
    ],
)
def test_what_the_system_says_becomes_a_remedy(tmp_path, number, says):
    with pytest.raises(OutputError, match=says) as caught, replacing(tmp_path / "a.csv") as partial:
        interrupted(partial, OSError(number, os.strerror(number)))
    assert isinstance(caught.value, OSError)
    assert [file.name for file in tmp_path.iterdir()] == []


def test_the_system_s_words_are_recognised_in_another_library_s_error(tmp_path):
    error = output_error(tmp_path / "x.tif", RuntimeError("write: No space left on device"))
    assert "The disk is full" in str(error)


def test_a_folder_takes_its_place_complete_and_nothing_of_the_older_one_stays(tmp_path):
    target = tmp_path / "deep" / "product"
    for name in ("old.tif", "new.tif"):
        with replacing_folder(target) as partial:
            (partial / "inner").mkdir()
            (partial / "inner" / name).write_text("pixels")
            assert f"deep/product/inner/{name}" not in names(tmp_path)
    assert names(tmp_path) == ["deep/product/inner/new.tif"]
    assert [one.name for one in target.parent.iterdir()] == ["product"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_older_folder_and_no_trace(tmp_path, failure):
    target = tmp_path / "product"
    target.mkdir()
    (target / "old.tif").write_text("old")
    with pytest.raises(failure), replacing_folder(target) as partial:
        interrupted(partial / "new.tif", failure)
    assert names(tmp_path) == ["product/old.tif"]
    assert [one.name for one in tmp_path.iterdir()] == ["product"]


def test_a_folder_that_cannot_be_moved_leaves_the_older_one_in_its_place(tmp_path, monkeypatch):
    target = tmp_path / "product"
    with replacing_folder(target) as partial:
        (partial / "red.tif").write_text("old")
    real = Path.rename

    def rename(self, there):
        if (self / "red.tif").is_file() and (self / "red.tif").read_text() == "new":
            raise OSError(errno.EIO, "bad disk")
        return real(self, there)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OutputError, match="bad disk"), replacing_folder(target) as partial:
        (partial / "red.tif").write_text("new")
    assert (target / "red.tif").read_text() == "old"
    assert names(tmp_path) == ["product/red.tif"]


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="is a file, not a folder"),
        replacing_folder(tmp_path / "file" / "product"),
    ):
        pass
