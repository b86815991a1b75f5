"""What is wrong without pixels is refused before files are opened or anything is fitted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import strandline as sl
from strandline.errors import StrandlineError
from strandline.export.raster import write_cog
from strandline.series import run_timeline
from strandline.testing.lakes import round_lake

DAYS = ("1988-10-22", "2017-10-22")
Run = Callable[[Path, Path, dict[str, object]], object]


def segment(picture: Path, out: Path, settings: dict[str, object]) -> object:
    return sl.run_study({"scenes": [{"source": str(picture)}], **settings}, out)


def change(picture: Path, out: Path, settings: dict[str, object]) -> object:
    scenes = [{"source": str(picture), "time": day} for day in DAYS]
    return sl.run_study({"scenes": scenes, **settings}, out)


def timeline(picture: Path, out: Path, settings: dict[str, object]) -> object:
    scenes = [{"source": str(picture), "time": day} for day in DAYS]
    return run_timeline(scenes, out, settings=settings)


RUNS: list[Run] = [segment, change, timeline]


@pytest.fixture
def picture(tmp_path) -> Path:
    return write_cog(round_lake(radius=500, time=None), tmp_path / "lake.tif")


@pytest.fixture
def counted(monkeypatch) -> dict[str, int]:
    """How often scenes were opened, pixels read and models fitted."""
    counts = {"opened": 0, "read": 0, "fitted": 0}

    def counting(place: str, name: str) -> None:
        module, _, attribute = place.rpartition(".")
        owner = import_module(module)
        real = getattr(owner, attribute)

        def count(*args: object, **kwargs: object) -> object:
            counts[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, attribute, count)

    counting("strandline.scenes.open.open_to_cluster", "opened")
    counting("strandline.scenes.windows._read_window", "read")
    counting("strandline.segmentation.segment.fit_segmentation", "fitted")
    counting("strandline.change.timeline.fit_segmentation", "fitted")
    return counts


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
@pytest.mark.parametrize(
    "settings",
    [
        {"crs": "EPSG:999999"},
        {"resampling": "wild"},
        {"mask": ["fog"]},
        {"bbox": (-118, 38, -118, 39)},
        {"bbox": (-118, 39, -117, 38)},
        {"bbox": (38, -119, 39, -118)},
        {"center": (38.7, -118.7), "buffer": 1000},
        {"water_at": (38.7, -118.7)},
        {"water_at": (487005, 4282995)},
        {"water_labels": [8]},
        {"n_clusters": 4, "n_subclusters": 3},
    ],
    ids=str,
)
def test_settings_are_checked_before_a_scene_is_opened(run, settings, picture, counted, tmp_path):
    with pytest.raises(StrandlineError):
        run(picture, tmp_path / "out", settings)
    assert counted == {"opened": 0, "read": 0, "fitted": 0}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"water_at": (0, 0)}, "outside the map"),
        ({"bands": ["green", "nonsense"]}, "nonsense"),
        ({"resolution": 1e-9}, "too large"),
    ],
    ids=str,
)
def test_what_the_grid_decides_is_checked_before_pixels_are_read(
    run, settings, said, picture, counted, tmp_path
):
    with pytest.raises(StrandlineError, match=said):
        run(picture, tmp_path / "out", settings)
    assert counted["opened"] > 0
    assert counted["fitted"] == 0
    assert counted["read"] <= counted["opened"]  # one look at what kind of numbers a file has


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__)
def test_the_counters_count(run, picture, counted, tmp_path):
    run(picture, tmp_path / "out", {"n_clusters": 2})
    assert all(counted.values())


@pytest.mark.parametrize(
    "words",
    [
        ("info", "nothing.tif"),
        ("segment", "nothing.tif"),
        ("change", "nothing.tif", "other.tif"),
        ("timeline", "nothing.tif"),
        ("apply", "nothing.npz", "nothing.tif"),
        ("replay", "nothing.json"),
        ("assess", "nothing.tif", "other.tif"),
        ("segment", "nothing.yml:lake"),
    ],
    ids=" ".join,
)
def test_a_missing_file_is_reported_without_loading_the_libraries(words, tmp_path):
    code = (
        f"import sys; sys.argv = ['strandline', *{words!r}]\n"
        "from strandline.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 2\n"
        "heavy = {'numpy', 'pandas', 'xarray', 'dask', 'sklearn', 'rasterio', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert "nothing." in run.stderr
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize(
    ("settings", "proposed"),
    [
        ({"center": (38.7, -118.7), "buffer": 1000}, r"center=\(-118\.7, 38\.7\)"),
        ({"bbox": (38, -119, 39, -118)}, r"bbox=\(-119, 38, -118, 39\)"),
        ({"water_at": (38.7, -118.7)}, r"water_at=\(-118\.7, 38\.7\)"),
    ],
    ids=str,
)
def test_swapped_latitude_and_longitude_are_proposed_the_other_way_round(
    settings, proposed, picture, tmp_path
):
    with pytest.raises(StrandlineError, match=f"Longitude comes first: {proposed}"):
        segment(picture, tmp_path / "out", settings)


def test_a_swap_that_only_the_map_can_tell_is_proposed_too(tmp_path):
    from odc.geo.geobox import GeoBox

    from strandline.errors import GridError
    from strandline.prepare.georeference import no_overlap, pixel_at

    grid = GeoBox.from_bbox((20, 50, 21, 51), "EPSG:4326", resolution=0.01)
    with pytest.raises(GridError, match=r"Longitude comes first: at=\(20\.5, 50\.5\)"):
        pixel_at(grid, (50.5, 20.5))
    elsewhere = GeoBox.from_bbox((50, 20, 51, 21), "EPSG:4326", resolution=0.01)
    assert "longitude 20.5, latitude 50.5, which the scene covers" in str(
        no_overlap(grid, elsewhere)
    )


def test_search_proposes_the_swap_too():
    with pytest.raises(StrandlineError, match=r"first: center=\(-118\.7, 38\.7\)"):
        sl.search_scenes([], center=(38.7, -118.7), buffer=1000)
    with pytest.raises(StrandlineError, match=r"first: bbox=\(-119, 38, -118, 39\)"):
        sl.search_scenes([], bbox=(38, -119, 39, -118))


def test_the_configuration_knows_all_methods_of_resampling():
    from typing import get_args

    from strandline.configuration import Resampling
    from strandline.prepare.warp import KERNEL_RADIUS

    assert set(get_args(Resampling)) == {*KERNEL_RADIUS, "measured"}
