"""Tile by tile equals in memory, and what was finished survives whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import strandline as sl
from interrupts import interruptible
from strandline import stages, streaming, workers
from strandline.errors import OutputError, SchedulerError, SourceNotFoundError
from strandline.export.raster import write_cog
from strandline.export.work import WorkFolder, work_folder
from strandline.prepare import memory
from strandline.segmentation.segment import fit_segmentation, segment
from strandline.streaming import stream_segmentation
from strandline.testing.lakes import round_lake

SHAPE = (110, 130)
SIDE = 40  # tiles of the tests: 3 × 4 per date
TILES = 12
ALL_TILES = TILES + 4 * 4  # of both dates; the second one has chunks of 33 × (40 + 30)


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    """A GeoTIFF with a lake, and a corner that was not observed."""
    scene = round_lake(shape=SHAPE, radius=900, noise=0.02)
    scene[:, :50, :60] = np.nan
    path = tmp_path_factory.mktemp("picture") / "lake.tif"
    write_cog(scene, path)
    return path


@pytest.fixture(scope="module")
def config(picture) -> dict[str, object]:
    names = list(round_lake(shape=(40, 40)).band.values)
    source = {"source": str(picture), "time": "1988-10-22", "band_names": names}
    return {"scenes": [source], "n_clusters": 3, "n_subclusters": 12}


@pytest.fixture(scope="module")
def in_memory(config, tmp_path_factory) -> Path:
    """Results of the plain way."""
    return sl.run_study(config, tmp_path_factory.mktemp("memory") / "results")


@pytest.fixture(scope="module")
def dates(config) -> list[xr.DataArray]:
    """Two dates on one grid, lazy, each in chunks of its own."""
    (source,) = config["scenes"]
    first = sl.open_scene(source["source"], band_names=source["band_names"], time=source["time"])
    second = round_lake(shape=SHAPE, radius=600, noise=0.02, seed=1, time="2017-10-22")
    return [first, second.chunk({"y": 33, "x": 70})]


@pytest.fixture(scope="module")
def scenes(dates) -> xr.DataArray:
    return sl.stack_scenes(dates)


@pytest.fixture(scope="module")
def whole(scenes) -> xr.Dataset:
    """The segmentation made in memory."""
    return segment(scenes.compute(), 3, n_subclusters=12)


@pytest.fixture(scope="module")
def fitted(scenes) -> xr.Dataset:
    return fit_segmentation(scenes, 3, n_subclusters=12)


@pytest.fixture
def work(tmp_path) -> Iterator[WorkFolder]:
    folder = WorkFolder(tmp_path / "work", "key")
    yield folder
    folder.close()


@pytest.fixture
def streamed(monkeypatch) -> None:
    """Have studies stream, in small tiles."""
    monkeypatch.setattr(stages, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(streaming, "TILE_SIDE", SIDE)


class Watcher:
    """Counts tiles, and does something when so many are finished."""

    def __init__(self, at: int = 0, action: Callable[[], object] | None = None) -> None:
        self.finished: list[int] = []
        self._at, self._action = at, action

    def __call__(self, finished: int, total: int) -> None:
        self.finished.append(finished)
        if self._action is not None and finished == self._at:
            self._action()

    @property
    def made(self) -> int:
        return self.finished[-1] - self.finished[0]


def same(first: xr.Dataset, second: xr.Dataset) -> None:
    """To the byte, attributes and coordinates too."""
    xr.testing.assert_identical(first.compute(scheduler="threads"), second)


def same_results(folder: Path, expected: Path) -> None:
    names = {path.name for path in expected.iterdir()}
    assert {path.name for path in folder.iterdir()} == names
    for name in names - {"record.json"}:
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


# --- the same bytes -------------------------------------------------------------


@pytest.mark.parametrize("side", [17, 64, 1000])
@pytest.mark.parametrize("work_bytes", [1, 1 << 30], ids=["one thread", "threads"])
def test_tiles_of_any_size_and_any_threads_give_the_same(
    side, work_bytes, scenes, dates, fitted, whole, work, monkeypatch
):
    monkeypatch.setattr(streaming, "TILE_SIDE", side)
    monkeypatch.setattr(streaming, "WORK_BYTES", work_bytes)
    same(stream_segmentation(scenes, dates, lambda _: fitted, work)[0], whole)


def test_maps_larger_than_memory_stay_on_disk_and_are_the_same(
    scenes, dates, fitted, whole, work, monkeypatch
):
    monkeypatch.setattr(streaming, "TILE_SIDE", SIDE)
    monkeypatch.setattr(memory, "MAPS_IN_MEMORY", 0)
    same(stream_segmentation(scenes, dates, lambda _: fitted, work)[0], whole)


def test_a_study_gives_the_same_files(config, in_memory, streamed, tmp_path):
    watcher = Watcher()
    out = sl.run_study(config, tmp_path / "results", on_tile=watcher)
    assert watcher.finished == list(range(TILES + 1))
    same_results(out, in_memory)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


# --- interruptions --------------------------------------------------------------


def test_an_interrupted_run_makes_only_the_tiles_that_were_missing(
    scenes, dates, fitted, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(streaming, "TILE_SIDE", SIDE)
    fits = []

    def fit(_: xr.DataArray) -> xr.Dataset:
        fits.append(1)
        return fitted

    def interrupt() -> None:
        raise KeyboardInterrupt

    out = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt) as caught, work_folder(out, {}) as work:
        stream_segmentation(scenes, dates, fit, work, on_tile=Watcher(7, interrupt))
    (note,) = caught.value.__notes__
    assert "the same command goes on" in note
    assert not out.exists()
    watcher = Watcher()
    with work_folder(out, {}) as work:
        same(stream_segmentation(scenes, dates, fit, work, on_tile=watcher)[0], whole)
    assert watcher.finished[0] >= 7
    assert watcher.finished[-1] == ALL_TILES
    assert len(fits) == 1
    assert list(tmp_path.iterdir()) == []


def test_damaged_tiles_and_those_of_another_run_are_made_anew(
    scenes, dates, fitted, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(streaming, "TILE_SIDE", SIDE)
    run = partial(stream_segmentation, scenes, dates, lambda _: fitted)
    folder = tmp_path / "work"
    first = WorkFolder(folder, "key")
    run(first)
    first.close()
    tiles = sorted(folder.glob("tile-*"))
    tiles[0].write_bytes(tiles[0].read_bytes()[:-3])
    tiles[1].write_bytes(tiles[2].read_bytes())
    watcher, again = Watcher(), WorkFolder(folder, "key")
    same(run(again, on_tile=watcher)[0], whole)
    assert watcher.made == 2
    again.close()
    watcher, other = Watcher(), WorkFolder(folder, "another key")
    same(run(other, on_tile=watcher)[0], whole)
    other.close()
    assert watcher.made == ALL_TILES


def test_two_runs_do_not_work_on_the_same_results(tmp_path):
    with work_folder(tmp_path / "results", {}) as work:
        work.keep("tile", b"1")
        with (
            pytest.raises(OutputError, match="Another run"),
            work_folder(tmp_path / "results", {}) as other,
        ):
            other.keep("tile", b"2")
        assert work.kept("tile") == b"1"
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import os, resource, signal, sys
from strandline import stages, streaming
stages.IN_MEMORY_BYTES, streaming.TILE_SIDE = 0, {side}
{preparation}
from strandline import cli
sys.argv = ["strandline", *{arguments!r}]
cli.main()
"""
AT_TILE_5 = """
from strandline import study
run = study.run_study
def on_tile(finished, total):
    if finished == 5:
        os.kill(os.getpid(), signal.{signal})
study.run_study = lambda *args, **named: run(*args, **named | {{"on_tile": on_tile}})
"""


def command(picture: Path, out: Path, preparation: str = "") -> subprocess.CompletedProcess[str]:
    """Run `strandline segment` on small tiles in a process of its own."""
    names = ",".join(round_lake(shape=(40, 40)).band.values)
    arguments = ["segment", str(picture), "--band-names", names, "--date", "1988-10-22"]
    arguments += ["--clusters", "3", "--subclusters", "12", "--out", str(out)]
    script = SCRIPT.format(side=SIDE, preparation=preparation, arguments=arguments)
    return subprocess.run(
        interruptible([sys.executable, "-c", script]),
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_a_killed_command_goes_on_where_it_was(
    name, picture, config, in_memory, streamed, tmp_path
):
    out = tmp_path / "results"
    killed = command(picture, out, AT_TILE_5.format(signal=name))
    if name == "SIGKILL":
        assert killed.returncode == -signal.SIGKILL
    else:
        assert killed.returncode == 130, killed.stderr
        assert "the same command goes on" in killed.stderr
    assert not out.exists()
    watcher = Watcher()
    sl.run_study(config, out, on_tile=watcher)
    assert watcher.finished[0] >= 5
    assert watcher.made == TILES - watcher.finished[0]
    same_results(out, in_memory)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_full_disk_ends_with_its_own_error_and_no_results(picture, tmp_path):
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    run = command(picture, tmp_path / "results", limit)
    assert run.returncode == 2
    assert "Cannot write" in run.stderr
    assert "Write to another disk" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_lost_source_ends_with_its_own_error_and_may_come_back(
    config, picture, in_memory, streamed, tmp_path
):
    hidden = picture.with_suffix(".gone")
    try:
        with pytest.raises(SourceNotFoundError, match="no file") as caught:
            sl.run_study(
                config, tmp_path / "results", on_tile=Watcher(0, lambda: picture.rename(hidden))
            )
    finally:
        hidden.rename(picture)
    assert "goes on" in caught.value.__notes__[0]
    assert not (tmp_path / "results").exists()
    same_results(sl.run_study(config, tmp_path / "results"), in_memory)


# --- workers --------------------------------------------------------------------


@contextmanager
def scheduler_and_workers(folder: Path, count: int) -> Iterator[tuple[str, list[int]]]:
    """Start `dask scheduler` and `dask worker` as a user does; give address and pids."""
    address_file = folder / "scheduler.json"
    started = [
        _dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0",
              "--scheduler-file", address_file, cwd=folder)
    ]  # fmt: skip
    try:
        _wait_for(address_file.exists)
        started += [
            _dask("worker", "--scheduler-file", address_file, "--no-nanny", "--nthreads", "1",
                  "--no-dashboard", cwd=folder)
            for _ in range(count)
        ]  # fmt: skip
        address = next(part for part in address_file.read_text().split('"') if "tcp://" in part)
        yield address, [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _dask(*arguments: str | Path, cwd: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "dask", *map(str, arguments)]
    return subprocess.Popen(words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not start in time"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_time_and_not_bytes(
    scenes, dates, fitted, whole, work, tmp_path, monkeypatch
):
    monkeypatch.setattr(streaming, "TILE_SIDE", SIDE)
    monkeypatch.setattr(workers, "WORKER_SECONDS", 60)
    with scheduler_and_workers(tmp_path, 2) as (address, pids), workers.workers(address) as client:
        client.wait_for_workers(2, timeout=60)
        watcher = Watcher(3, lambda: os.kill(pids[1], signal.SIGKILL))
        lazy, _ = stream_segmentation(
            scenes, dates, lambda _: fitted, work, client=client, on_tile=watcher
        )
        same(lazy, whole)
        assert watcher.made == ALL_TILES
        # The last one goes too: nobody is left to finish another run.
        monkeypatch.setattr(workers, "WORKER_SECONDS", 1)
        os.kill(pids[2], signal.SIGKILL)
        with (
            work_folder(tmp_path / "other", {}) as other,
            pytest.raises(SchedulerError, match="workers were lost"),
        ):
            stream_segmentation(scenes, dates, lambda _: fitted, other, client=client)


@pytest.mark.slow
def test_a_lost_scheduler_is_said_and_the_finished_tiles_are_kept(
    scenes, dates, fitted, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(streaming, "TILE_SIDE", SIDE)
    monkeypatch.setattr(workers, "WORKER_SECONDS", 60)
    out = tmp_path / "results"
    run = partial(stream_segmentation, scenes, dates, lambda _: fitted)
    with (
        pytest.raises(SchedulerError, match="was lost"),
        scheduler_and_workers(tmp_path, 1) as (address, pids),
        workers.workers(address) as client,
        work_folder(out, {}) as work,
    ):
        run(work, client=client, on_tile=Watcher(4, lambda: os.kill(pids[0], signal.SIGKILL)))
    watcher = Watcher()
    with work_folder(out, {}) as work:
        same(run(work, on_tile=watcher)[0], whole)
    assert watcher.finished[0] >= 4


@pytest.mark.slow
def test_a_study_on_workers_gives_the_same_files(config, in_memory, tmp_path, monkeypatch):
    from distributed import Client

    monkeypatch.setattr(streaming, "TILE_SIDE", SIDE)
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=":0"):
        watcher = Watcher()
        out = sl.run_study(config, tmp_path / "results", on_tile=watcher)  # the active client
        assert watcher.made == TILES
        same_results(out, in_memory)
        lost = {**config, "scenes": [{**config["scenes"][0], "source": str(tmp_path / "a.tif")}]}
        (tmp_path / "a.tif").write_bytes(Path(config["scenes"][0]["source"]).read_bytes())
        with pytest.raises(SourceNotFoundError, match=r"a\.tif"):
            sl.run_study(lost, tmp_path / "lost", on_tile=Watcher(0, (tmp_path / "a.tif").unlink))
        assert not (tmp_path / "lost").exists()


def test_a_scheduler_that_does_not_answer_is_said_quickly(picture, tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "strandline", "segment", str(picture),
         "--out", str(tmp_path / "x"), "--scheduler", "tcp://127.0.0.1:9"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 2
    assert "No Dask scheduler answers at 'tcp://127.0.0.1:9'" in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["nonsense://x", "127.0.0.1:abc", ""])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(SchedulerError, match="No Dask scheduler"), workers.workers(address):
        pass


def test_work_goes_on_after_a_wrong_address():
    """The next computation must not wait for the scheduler that was never there."""
    code = """
import dask.array as da
from strandline.errors import SchedulerError
from strandline.workers import workers
for address in ("nonsense://x", "tcp://127.0.0.1:9"):
    try:
        with workers(address):
            pass
    except SchedulerError:
        print(int(da.ones(5).sum().compute()))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (run.stdout.split(), run.stderr) == (["5", "5"], "")


def test_a_scheduler_without_workers_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "WORKER_SECONDS", 1)
    with (
        scheduler_and_workers(tmp_path, 0) as (address, _),
        pytest.raises(SchedulerError, match="has no workers"),
        workers.workers(address),
    ):
        pass
