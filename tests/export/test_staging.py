"""The results of a run appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from strandline.errors import OutputError
from strandline.export.record import build_record, write_record
from strandline.export.staging import staged_folder


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def run(out: Path, files: dict[str, str]) -> None:
    """Stand-in for a study: results first, the record of them last."""
    with staged_folder(out) as staging:
        for name, text in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_text(text)
        write_record(build_record(config={}, outputs=staging), staging)


def interrupted(path: Path, failure: BaseException | type[BaseException]) -> None:
    path.write_text("half of the n")
    raise failure


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("I am a file")
    with (
        pytest.raises(OutputError, match="is a file, not a folder"),
        staged_folder(tmp_path / "out"),
    ):
        pass
    assert (tmp_path / "out").read_text() == "I am a file"


def test_a_new_folder_appears_at_once_with_normal_permissions(tmp_path):
    out = tmp_path / "deep" / "walker"
    with staged_folder(out) as staging:
        (staging / "areas.csv").write_text("1")
        assert not out.exists()
    assert names(tmp_path) == ["deep/walker/areas.csv"]
    ordinary = tmp_path / "ordinary"
    ordinary.mkdir()
    assert out.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failed_run_leaves_the_older_results_untouched(tmp_path, failure):
    out = tmp_path / "out"
    run(out, {"areas.csv": "old"})
    before = {name: (out / name).read_bytes() for name in names(out)}
    with pytest.raises(failure), staged_folder(out) as staging:
        interrupted(staging / "areas.csv", failure)
    assert {name: (out / name).read_bytes() for name in names(out)} == before
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_a_second_run_replaces_the_first_wholly_and_leaves_foreign_files(tmp_path):
    out = tmp_path / "out"
    run(out, {"areas.csv": "old", "maps/labels_1988.tif": "old", "maps/labels_1995.tif": "old"})
    (out / "my_project.qgz").write_text("mine")
    run(out, {"areas.csv": "new", "maps/labels_1988.tif": "new"})
    assert names(out) == ["areas.csv", "maps/labels_1988.tif", "my_project.qgz", "record.json"]
    assert (out / "areas.csv").read_text() == "new"
    assert (out / "my_project.qgz").read_text() == "mine"


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "bad disk"), KeyboardInterrupt()])
@pytest.mark.parametrize("failing_move", range(1, 8))
def test_a_move_that_fails_half_way_is_undone(tmp_path, monkeypatch, failing_move, failure):
    out = tmp_path / "out"
    run(out, {"a.csv": "old", "b.csv": "old", "gone.csv": "old"})
    before = {name: (out / name).read_bytes() for name in names(out)}
    real, moves = Path.replace, []

    def replace(self, target):
        # record.json is written atomically too; count the moves into and out of `out` only
        if out in (self.parent, Path(target).parent):
            moves.append(target)
            if len(moves) == failing_move:
                raise failure
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    try:
        run(out, {"a.csv": "new", "b.csv": "new", "c.csv": "new"})
    except (OutputError, KeyboardInterrupt):
        after = {name: (out / name).read_bytes() for name in names(out)}
        assert after == before
    else:
        assert len(moves) < failing_move
        assert names(out) == ["a.csv", "b.csv", "c.csv", "record.json"]


def test_the_record_leaves_first_and_arrives_last(tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(out, {"a.csv": "old", "z.csv": "old"})
    seen = []
    real = Path.replace

    def replace(self, target):
        if Path(target).parent == out:
            seen.append((Path(target).name, (out / "record.json").exists()))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    run(out, {"a.csv": "new", "z.csv": "new"})
    assert seen == [("a.csv", False), ("z.csv", False), ("record.json", False)]


def test_a_record_cannot_make_us_delete_files_elsewhere(tmp_path):
    out = tmp_path / "out"
    run(out, {"a.csv": "old"})
    precious = tmp_path / "precious.txt"
    precious.write_text("keep")
    record = json.loads((out / "record.json").read_text())
    for path in ("../precious.txt", str(precious)):
        record["outputs"].append({"path": path, "size": 4, "sha256": "0"})
    (out / "record.json").write_text(json.dumps(record))
    run(out, {"a.csv": "new"})
    assert precious.read_text() == "keep"


def test_disks_without_hard_links_work_too(tmp_path, monkeypatch):
    def no_links(*args, **options):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    run(tmp_path / "out", {"a.csv": "old"})
    run(tmp_path / "out", {"a.csv": "new"})
    assert (tmp_path / "out" / "a.csv").read_text() == "new"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_a_link_to_a_folder_on_another_disk_is_followed(tmp_path):
    other = Path("/dev/shm") / f"strandline-test-{os.getpid()}"
    other.mkdir()
    try:
        (tmp_path / "out").symlink_to(other)
        run(tmp_path / "out", {"a.csv": "new"})
        assert names(other) == ["a.csv", "record.json"]
    finally:
        shutil.rmtree(other)
