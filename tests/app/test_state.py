"""One page's state, without a browser: choices, outcomes, and what does the same elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import threading
import zipfile

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import strandline as sl
from servers import item_of_product, website
from strandline.app.commands import command_line, python_code
from strandline.app.job import Cancelled, Job, Workshop
from strandline.app.problem import Problem
from strandline.app.searching import search_archive
from strandline.app.shared import Shared
from strandline.app.state import Session
from strandline.cli import app
from strandline.configuration import StudyConfig
from strandline.errors import (
    AccessDeniedError,
    ConfigurationError,
    GridError,
    MissingCRSError,
    RecordError,
    SceneError,
    SearchError,
    SourceNotFoundError,
    StrandlineError,
    UnreadableSourceError,
    WaterError,
)
from strandline.prepare.classes import NOT_OBSERVED
from strandline.prepare.georeference import grid_of
from strandline.study import replay_study


def test_a_page_begins_with_the_demo(session):
    outcome = session.run()
    assert outcome.water.sizes["time"] == 2
    lost = outcome.areas.set_index("quantity").loc["lost", "best"]
    assert lost == pytest.approx(31.5, abs=3)  # pixels of 300 m
    table = outcome.by_date
    assert (table["low_95"] < table["best"]).all()
    assert (table["best"] < table["high_95"]).all()


def test_marking_a_cluster_changes_the_area_to_what_the_library_says(session):
    outcome = session.run()
    before = session.water_clusters()
    land = next(c for c in range(8) if c not in before)
    assert session.mark_water(land)
    assert session.water_clusters() == sorted({*before, land})
    again = session.run()
    assert again.segmentation is outcome.segmentation, "no new clustering"
    marked = sl.find_water(outcome.segmentation, also=[land])
    expected = sl.areas(sl.water_mask(outcome.segmentation, marked))["best"]
    assert again.by_date["best"].tolist() == expected.tolist()
    assert (again.by_date["best"] > outcome.by_date["best"]).all()


def test_unmarking_again_leaves_the_marks_of_before(session):
    session.run()
    before = session.water_clusters()
    config = session.config
    assert session.mark_water(6)
    assert session.mark_water(6, water=False)
    assert session.water_clusters() == before
    assert session.config == config


def test_what_is_water_already_is_not_marked_again(session):
    session.run()
    config = session.config
    (found, *_) = session.water_clusters()
    assert not session.mark_water(found)
    assert session.config == config
    assert session.mark_water(found, water=False)
    session.run()
    assert found not in session.water_clusters()
    assert not session.mark_water(found, water=False)


def test_a_mark_is_taken_back_and_all_of_them_one_by_one(session):
    outcome = session.run()
    first, second = [c for c in range(8) if c not in session.water_clusters()][:2]
    session.mark_water(first)
    marked = session.run()
    session.mark_water(second)
    session.run()
    assert session.marks == [f"clusters {first}, {second} are water"]
    assert session.undo_mark()
    assert session.run().by_date["best"].tolist() == marked.by_date["best"].tolist()
    assert session.undo_mark()
    assert session.run().by_date["best"].tolist() == outcome.by_date["best"].tolist()
    assert not session.marks


def test_marks_that_came_with_the_address_are_taken_back_too(session, library, shared):
    session.run()
    session.mark_water(6)
    other = Session(library, shared)
    other.follow(session.address())
    assert other.marks == ["cluster 6 is water"]
    assert other.undo_mark()
    assert not other.marks


def test_a_mark_keeps_clusters_that_are_water_in_part(session):
    """What is shown as “partly” stays what it was, and what was found elsewhere, too."""
    segmentation = session.run().segmentation
    evidence = session.outcome.evidence
    partly = _partly_water(segmentation, evidence)
    assert partly, "the demo has such clusters"
    land = next(c for c in range(8) if c not in set(evidence.loc[evidence["water"], "cluster"]))
    session.mark_water(land)
    after = session.run().evidence
    others = after["cluster"] != land
    assert after.loc[others, "water"].tolist() == evidence.loc[others, "water"].tolist()
    assert after.loc[~others, "water"].all()
    labels, water = segmentation["labels"].values, session.outcome.water.values
    assert (water[labels == land] == 1).all()
    assert (water[np.isin(labels, partly)] == 1).any()


def _partly_water(segmentation, evidence) -> list[int]:
    share = evidence.groupby("cluster")["water"].mean()
    return [int(c) for c in share.index[(share > 0) & (share < 1)]]


def test_without_a_mark_water_is_found_by_itself_again(session):
    session.run()
    session.choose(water_labels=[0])
    session.mark_water(0, water=False)
    assert session.config.water_labels is None


def test_another_number_of_clusters_drops_the_marks_and_reads_nothing_again(session):
    first = session.run()
    session.mark_water(6)
    session.choose(n_clusters=5)
    assert not session.marks
    again = session.run()
    assert again.segmentation.sizes["cluster"] == 5
    assert again.prepared is first.prepared


def test_a_choice_that_cannot_work_changes_nothing(session):
    before = session.config
    with pytest.raises(ConfigurationError):
        session.choose(n_clusters=1)
    assert session.config is before


def test_a_crs_that_nobody_knows_and_too_few_subclusters_change_nothing(session):
    before = session.config
    with pytest.raises(GridError, match="CRS is not known"):
        session.choose(crs="EPSG:1")
    with pytest.raises(ConfigurationError, match="n_subclusters"):
        session.choose(n_subclusters=7)
    with pytest.raises(GridError, match="CRS is not known"):
        session.follow("?before=demo:1988-10-22&crs=nowhere")
    assert session.config is before


def test_other_scenes_drop_the_crs_and_the_pixel_size_with_the_area(session):
    session.choose(crs="EPSG:32610", resolution=450.0, n_subclusters=60)
    session.open_scenes(["scenes/lake.tif"])
    assert (session.config.crs, session.config.resolution) == (None, None)
    assert session.config.n_subclusters == 60


def test_a_box_on_the_map_becomes_the_area(session):
    outcome = session.run()
    x, y = outcome.water["x"].values, outcome.water["y"].values
    left, right, bottom, top = x[10], x[60], y[80], y[20]
    session.draw_box(left, bottom, right, top)
    west, south, east, north = session.config.bbox
    assert west < east
    assert south < north
    cut = session.run()
    inside = cut.water["x"].values, cut.water["y"].values
    assert inside[0].min() == pytest.approx(left, abs=300)
    assert inside[0].max() == pytest.approx(right, abs=600)
    assert inside[1].max() == pytest.approx(top, abs=600)
    session.whole_scene()
    assert session.config.bbox is None
    assert session.run().water.sizes["x"] > cut.water.sizes["x"]


def test_a_pixel_tells_its_cluster_water_and_spectrum(session):
    outcome = session.run()
    row, column = 40, 55
    x, y = (float(outcome.water[d][i]) for d, i in (("x", column), ("y", row)))
    found = session.outcome.pixel(x, y, date=1)
    assert (found["row"], found["column"]) == (row, column)
    assert found["cluster"] == int(outcome.segmentation["labels"][1, row, column])
    assert found["water"] == int(outcome.water[1, row, column])
    assert found["change"] == int(outcome.change[row, column])
    scene = outcome.prepared.scenes[1, :, row, column]
    assert list(found["spectrum"].values()) == pytest.approx(scene.values.tolist())
    assert session.outcome.pixel(x - 1e6, y) is None


def test_pixels_in_a_box_of_the_spectral_space_are_lit_up(session):
    outcome = session.run()
    lit = session.outcome.lit_up(0, ("green", "nir08"), (0.0, 0.0, 0.2, 0.05))
    green, nir = (outcome.prepared.scenes[0].sel(band=band) for band in ("green", "nir08"))
    assert 0 < lit.sum() < lit.size
    assert (lit == ((green <= 0.2) & (nir <= 0.05) & (green >= 0) & (nir >= 0)).values).all()


# --- what does the same elsewhere -------------------------------------------------


@pytest.fixture
def chosen(session):
    """A session with choices of many kinds, and its outcome."""
    session.run()
    session.draw_box(*_part_of(session.outcome.water))
    session.choose(n_clusters=6, bands=["green", "nir08", "swir16"], standardize="robust")
    session.run()
    session.mark_water(3)
    session.run()
    return session


def _part_of(water: xr.DataArray) -> tuple[float, float, float, float]:
    x, y = water["x"].values, water["y"].values
    return x[5], y[-5], x[-20], y[5]


def _labels(path) -> np.ndarray:
    return sl.open_scene(path, reflectance=False, band_names=["labels"]).values[0]


def test_the_command_line_gives_the_same_labels(chosen, tmp_path):
    words = shlex.split(chosen.command().replace("\\\n", " "))
    assert words[:2] == ["strandline", "change"]
    words[words.index("--out") + 1] = str(tmp_path / "run")
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == 0, done.output
    for number, date in enumerate(("1988-10-22", "2017-10-22")):
        for name, ours in (("labels", chosen.outcome.segmentation["labels"]),
                           ("water", chosen.outcome.water)):  # fmt: skip
            there = _labels(tmp_path / "run" / f"{name}_{date}.tif")
            assert (there == ours[number].values).all(), (name, date)


def test_the_python_code_gives_the_same_labels(chosen, capsys):
    names: dict = {}
    exec(chosen.code(), names)
    assert (names["segmentation"]["labels"].values == chosen.outcome.segmentation["labels"]).all()
    assert (names["water"].values == chosen.outcome.water.values).all()
    assert (names["change"].values == chosen.outcome.change.values).all()
    assert "net change" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"resolution": 600.0},
        {"crs": "EPSG:32610", "resolution": 300.0},
        {"crs": "EPSG:32611"},
        {"center": (-118.7081, 38.6942), "buffer": 9000.0, "resolution": 450.0},
        {"normalize": True},
    ],
    ids=["as it is", "resolution", "other crs", "same crs", "area", "normalised"],
)
def test_the_python_code_makes_the_grid_of_the_study(library, shared, more, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = Session(library, shared)
    session.choose(center=None, buffer=None)
    session.choose(n_clusters=4, **more)
    outcome = session.run()
    names: dict = {}
    exec(session.code(), names)
    if "segmentation" in names:
        labels = names["segmentation"]["labels"].values
    else:
        labels = np.stack([_labels(path) for path in sorted(tmp_path.rglob("labels_*.tif"))])
    assert (labels == outcome.segmentation["labels"].values).all()


@pytest.mark.parametrize(
    "more",
    [
        {"harmonize": True, "normalize": True, "bands": ["green", "red", "nir08", "swir16"]},
        {"mask": ["fill", "cloud", "snow"], "conflicts": "spectrum", "seed": 7},
        {"resolution": 450.0, "resampling": "average", "n_subclusters": 60},
        {"water_at": (-118.72, 38.69), "vectors": ["geojson"], "min_pixels": 4},
        {"mask": [], "vectors": []},
        {"crs": "EPSG:32610", "resolution": 450.0, "n_subclusters": 90},
        {"crs": "4326", "resolution": 0.004},
    ],
    ids=["comparable", "observed", "grid", "lake", "nothing", "crs", "degrees"],
)
def test_further_choices_are_in_the_address_the_command_and_the_code(
    library, shared, more, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    session = Session(library, shared)
    session.choose(n_clusters=5, **more)
    outcome = session.run()
    other = Session(library, shared)
    other.follow(session.address())
    assert other.config == session.config
    done = CliRunner().invoke(app, shlex.split(session.command().replace("\\\n", " "))[1:])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "strandline-results"
    expected = outcome.segmentation["labels"].values
    written = np.stack([_labels(path) for path in sorted(folder.glob("labels_*.tif"))])
    assert (np.nan_to_num(written, nan=NOT_OBSERVED) == expected).all()
    config = json.loads((folder / "record.json").read_text())["config"]
    assert StudyConfig.parse(config) == session.config
    names: dict = {}
    exec(session.code().replace('"strandline-results"', '"again"'), names)
    if "segmentation" in names:
        assert (names["segmentation"]["labels"].values == expected).all()
    else:
        again = json.loads((tmp_path / "again" / "record.json").read_text())
        assert StudyConfig.parse(again["config"]) == session.config


def test_one_scene_drops_what_two_were_made_comparable_by(session):
    session.choose(harmonize=True, normalize=True, correct_shift=True, seed=3)
    session.open_scenes(["scenes/lake.tif"])
    assert not session.config.harmonize
    assert not session.config.normalize
    assert session.config.seed == 3


def test_dates_that_cannot_be_made_comparable_are_told(session):
    session.open_scenes(["demo:1988-10-22", "scenes/lake.tif"], [{}, {"time": "2001-02-03"}])
    session.choose(harmonize=True)
    with pytest.raises(StrandlineError) as caught:
        session.run()
    session.finish(caught.value)
    assert session.problem.text.startswith("The scene does not state whether")
    assert session.problem.remedy == (
        "Do not tick “Harmonise the sensors”; “Normalise to the first date” works without that."
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            MissingCRSError("Scene has no CRS.", remedy="Pass crs=… or georeference the file."),
            ["Give “CRS” (under “What the file does not state”) or georeference the file."],
        ),
        (
            GridError("No.", expected="resolution=… in units of the CRS, or like=… of a scene"),
            ["“Pixel size, in units of the map”"],
        ),
        (
            SceneError("No.", remedy="Leave these bands out: scene.sel(band=[…])."),
            ["Leave these bands out of “Bands”."],
        ),
        (
            SceneError("No.", expected="at most 3 bands", remedy="Check scale=… and offset=…."),
            [
                "at most 3 bands",
                "Check “Scale factor” (under “What the file does not state”) and "
                "“Offset” (under “What the file does not state”).",
            ],
        ),
    ],
    ids=["crs of a file", "pixel size", "bands", "scale"],
)
def test_an_error_speaks_of_the_page_and_not_of_python(library, error, told):
    problem = Problem.of(error, library)
    assert [text for text in (problem.expected, problem.remedy) if text] == told


def test_a_choice_that_cannot_be_read_is_told_by_its_name_on_the_page(session):
    with pytest.raises(ConfigurationError) as caught:
        session.choose(n_subclusters="many")
    problem = Problem.of(caught.value, session.library)
    assert problem.text.startswith("This choice is not valid: “Number of subclusters” 'many': ")
    assert not problem.remedy


def test_a_lake_is_placed_by_what_was_typed(session):
    session.choose(water_labels=[0])
    session.place_lake("-118.72, 38.69")
    assert session.config.water_at == (-118.72, 38.69)
    assert session.config.water_labels is None
    assert session.run().areas["area"].nunique() > 1
    with pytest.raises(ConfigurationError, match="place cannot be understood"):
        session.place_lake("there")
    session.place_lake(" ")
    assert session.config.water_at is None


def test_code_and_command_of_a_single_scene_say_how_it_is_read(library, shared):
    session = Session(library, shared)
    session.open_scenes(["scenes/lake.tif"], [{"time": "2001-02-03", "platform": "landsat-5"}])
    session.choose(n_clusters=3)
    outcome = session.run()
    assert "--date 2001-02-03 --platform landsat-5" in session.command().replace(" \\\n   ", "")
    names: dict = {}
    exec(session.code(), names)
    assert (names["segmentation"]["labels"].values == outcome.segmentation["labels"][0]).all()


def test_long_commands_go_on_in_further_lines_and_stay_one_command():
    config = StudyConfig.parse(
        {"scenes": [{"source": "/a b/" + "x" * 60}, {"source": "/c/" + "y" * 60}], "n_clusters": 4}
    )
    text = command_line(config, "out here")
    assert "\\\n" in text
    expected = [*config.command(), "--out", "out here"]
    assert shlex.split(text.replace("\\\n", "")) == expected


def test_code_compiles_for_what_has_to_be_one_call():
    config = StudyConfig.parse(
        {"scenes": [{"source": "a.tif"}, {"source": "b.tif"}], "harmonize": True}
    )
    compile(python_code(config), "code", "exec")


# --- the folder of results ---------------------------------------------------------


def test_the_archive_is_the_folder_that_a_study_writes(chosen, tmp_path):
    with zipfile.ZipFile(io.BytesIO(chosen.archive())) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "strandline-results"
    assert (folder / "change.tif").exists()
    record = json.loads((folder / "record.json").read_text())
    assert replay_study(folder) == len(record["outputs"])
    assert (folder / "report.html").read_text() == chosen.page()


def test_without_results_there_is_nothing_to_take_away(session):
    with pytest.raises(ConfigurationError, match="no results yet"):
        session.archive()


# --- addresses ----------------------------------------------------------------------


def test_an_address_brings_all_choices_back(chosen, library, shared):
    query = chosen.address()
    assert str(library.kept.parent) not in query, "paths of the server stay its own"
    other = Session(library, shared)
    other.follow(query)
    assert other.config == chosen.config


def test_an_address_keeps_how_scenes_are_read(library, shared):
    session = Session(library, shared)
    session.open_scenes(
        ["scenes/lake.tif"],
        [{"time": "2001-02-03", "scale": 2.5e-05, "band_names": ["green", "red", "nir08"]}],
    )
    other = Session(library, shared)
    other.follow(session.address())
    assert other.config == session.config


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("?before=/etc/passwd", AccessDeniedError),
        ("?before=scenes/../../x.tif", AccessDeniedError),
        ("?before=demo:1988-10-22&k=1", ConfigurationError),
        ("?before=demo:1988-10-22&k=many", ConfigurationError),
        ("?before=demo:1988-10-22&bbox=1,2", ConfigurationError),
        ("?before=demo:1988-10-22&before.evil=1", ConfigurationError),
        ("?before=demo:1988-10-22&k=" + "9" * 5000, ConfigurationError),
    ],
)
def test_an_address_that_cannot_work_changes_nothing(session, query, error):
    before = session.config
    with pytest.raises(error):
        session.follow(query)
    assert session.config is before


def test_an_address_without_scenes_leaves_the_demo(session):
    assert not session.follow("?tab=change")


# --- what goes wrong ------------------------------------------------------------------


def test_a_damaged_file_is_told_in_the_parts_of_our_errors(session, library):
    session.open_scenes([library.keep("broken.tif", b"II*\0 and then nothing")])
    with pytest.raises(UnreadableSourceError) as caught:
        session.run()
    session.finish(caught.value)
    assert session.problem.kind == "UnreadableSourceError"
    assert "'broken.tif'" in session.problem.text
    assert str(library.kept) not in session.problem.text, "paths of the server stay its own"
    assert session.problem.remedy


def test_a_missing_file_is_told(session, library):
    session.open_scenes(["scenes/none.tif"])
    with pytest.raises(SourceNotFoundError) as caught:
        session.run()
    session.finish(caught.value)
    assert "scenes/none.tif" in session.problem.text
    assert str(library.folders["scenes"]) not in session.problem.text


def test_what_is_no_error_of_ours_is_called_a_fault(library):
    problem = Problem.of(ZeroDivisionError("division by zero"), library)
    assert "ZeroDivisionError" in problem.text
    assert "bug in Strandline" in problem.remedy


# --- sessions and threads -----------------------------------------------------------


def test_two_pages_do_not_see_each_other(library, shared):
    one, other = Session(library, shared), Session(library, shared)
    one.run()
    other.open_scenes(["scenes/lake.tif"])
    other.choose(n_clusters=3)
    other.run()
    assert one.config.n_clusters == 8
    assert one.outcome.water.sizes["time"] == 2
    assert other.outcome.water.sizes["time"] == 1


def test_what_was_found_is_shared_until_a_file_changes(library, scenes):
    from strandline.export.raster import write_cog
    from strandline.testing.lakes import round_lake

    shared = Shared()
    pages = [Session(library, shared) for _ in range(3)]
    for page in pages:
        page.open_scenes(["scenes/lake.tif"])
        page.choose(n_clusters=3)
    first, second = pages[0].run(), pages[1].run()
    assert first.segmentation is second.segmentation
    write_cog(round_lake(shape=(60, 60), radius=300), scenes / "lake.tif")
    assert float(pages[2].run().by_date["best"].iloc[0]) < float(first.by_date["best"].iloc[0])


def test_only_so_many_results_are_kept():
    shared, job = Shared(most=2), Job()
    for number in range(3):
        assert shared.get("kind", number, lambda n=number: [n], job) == [number]
    made = []
    shared.get("kind", 2, lambda: made.append(2) or [2], job)
    shared.get("kind", 0, lambda: made.append(0) or [0], job)
    assert made == [0]


def test_who_is_given_what_was_made_before_hears_what_it_was_warned_of():
    shared, first, second, third = Shared(), Job(), Job(), Job()

    def make(job: Job) -> list[int]:
        job.note("The scene is odd.")
        return [1]

    shared.get("kind", 1, lambda: make(first), first)
    shared.get("kind", 1, lambda: make(second), second)
    with third.unheard():
        shared.get("kind", 1, lambda: make(third), third)
    assert (first.notes, second.notes, third.notes) == (["The scene is odd."],) * 2 + ([],)


def test_what_could_not_be_made_is_tried_again_by_the_next_who_asks():
    shared = Shared()

    def fail() -> None:
        raise SearchError("No answer.")

    for _ in range(2):
        with pytest.raises(SearchError):
            shared.get("kind", 1, fail, Job())
    assert shared.get("kind", 1, lambda: 2, Job()) == 2


@pytest.fixture
def previews(monkeypatch):
    """Make scenes of more than 5,000 pixels large ones."""
    monkeypatch.setattr("strandline.app.preview.LARGE", 5_000)
    monkeypatch.setattr("strandline.app.preview.PIXELS", 1_600)
    return []


def test_of_a_large_scene_there_is_a_preview_first(library, previews):
    session = Session(library, Shared())
    whole = session.work(Job(), previews.append)()
    (preview,) = previews
    assert preview.is_preview
    assert not whole.is_preview
    step = preview.prepared.step
    assert step > 1
    assert preview.config == whole.config
    # Its pixels are pixels of the scene, where they lie in the scene.
    few, every = preview.prepared.scenes[0], whole.prepared.scenes[0]
    common = {dim: np.intersect1d(few[dim], every[dim]) for dim in ("y", "x")}
    for dim in common:
        assert len(common[dim]) >= every.sizes[dim] // step
    assert np.array_equal(few.sel(common), every.sel(common), equal_nan=True)
    assert preview.by_date["best"].to_numpy() == pytest.approx(
        whole.by_date["best"].to_numpy(), rel=0.15
    )


def test_a_preview_is_made_once_and_not_at_all_where_the_map_is_there(library, previews):
    shared = Shared()
    Session(library, shared).run()
    session = Session(library, shared)
    session.work(Job(), previews.append)()
    assert previews == []
    session.choose(n_clusters=5)
    session.work(Job(), previews.append)()
    other = Session(library, shared)
    other.choose(n_clusters=6)
    other.work(Job(), previews.append)()
    first, second = previews
    assert first.prepared is second.prepared, "another clustering takes no new reading"


def test_a_preview_has_the_pixels_that_were_asked_for_made_larger(library, previews):
    session = Session(library, Shared())
    session.choose(resolution=200.0, crs="EPSG:3310")
    whole = session.work(Job(), previews.append)()
    step = previews[0].prepared.step
    assert abs(grid_of(whole.water).resolution.x) == 200.0
    assert abs(grid_of(previews[0].water).resolution.x) == 200.0 * step


def test_marks_on_clusters_wait_for_all_pixels(library, previews):
    session = Session(library, Shared())
    marks = session.run() and session.water_clusters()
    session.choose(water_labels=[0, *marks[1:]])
    session.shared = Shared()
    whole = session.work(Job(), previews.append)()
    assert list(whole.config.water_labels) == [0, *marks[1:]]
    assert previews[0].config == whole.config
    session.finish(previews[0])
    for refused in (lambda: session.mark_water(0), session.archive, session.page):
        with pytest.raises(ConfigurationError, match=r"preview|no results") as error:
            refused()
        assert error.value.remedy == "Wait for the map of all pixels."
    session.finish(whole)
    assert session.mark_water(1)


def test_where_a_preview_finds_no_water_at_the_point_the_map_comes_all_the_same(
    library, previews, monkeypatch
):
    session = Session(library, Shared())
    found = sl.water.find_water

    def none_in_a_few(segmentation, **options):
        if segmentation["labels"].size < 5_000:
            raise WaterError("There is no water there.")
        return found(segmentation, **options)

    monkeypatch.setattr("strandline.water.find_water", none_in_a_few)
    assert not session.work(Job(), previews.append)().is_preview
    assert previews == []


def test_a_scene_of_ordinary_size_needs_no_preview(library):
    previews = []
    Session(library, Shared()).work(Job(), previews.append)()
    assert previews == []


def test_work_that_was_given_up_ends_at_its_next_step(session):
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        session.run(job)


def test_what_is_shown_is_chosen_again(session):
    assert not session.go_back()
    before = session.run().config
    session.choose(n_clusters=5)
    assert session.go_back()
    assert session.config == before
    assert not session.go_back()


def test_clustering_in_memory_is_given_up_on_the_way(session, monkeypatch):
    job = Job()
    looks = []

    def look():
        looks.append(job.stage)
        if len(looks) == 40:
            job.cancel()
        stop()

    stop, job._stop_if_cancelled = job._stop_if_cancelled, look
    session.choose(seed=11)
    with pytest.raises(Cancelled), job.running():
        session.run(job)
    assert len(looks) == 40, "it ends at once"
    assert looks[-1] == "clustering the spectra"
    assert session.run().segmentation.sizes["cluster"] == 8, "and whoever asks again gets it"


def test_a_job_tells_its_stages_and_how_much_is_done(session, monkeypatch):
    monkeypatch.setattr("strandline.stages.IN_MEMORY_BYTES", 0)  # tile by tile
    session.shared = Shared()
    told = []
    job = Job(on_change=lambda: told.append((job.stage, job.fraction)))
    session.run(job)
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert stages == [
        "opening the scenes",
        "reading onto one grid",
        "reducing the scenes for pictures",
        "clustering the spectra",
        "finding the water",
        "measuring areas",
        "drawing the map",
    ]
    assert ("clustering the spectra", 1.0) in told


def test_tile_by_tile_and_in_memory_find_the_same(library, monkeypatch):
    whole = Session(library, Shared()).run()
    monkeypatch.setattr("strandline.stages.IN_MEMORY_BYTES", 0)
    tiled = Session(library, Shared()).run()
    assert (whole.segmentation["labels"].values == tiled.segmentation["labels"].values).all()
    assert whole.areas.equals(tiled.areas)
    assert whole.quality.equals(tiled.quality)


def test_a_thread_tells_its_outcome_and_its_warnings(session):
    import threading

    done = threading.Event()
    came = []
    job = Job()
    session.open_scenes(["demo:2017-10-22", "demo:1988-10-22"])
    with Workshop() as workshop:
        workshop.do(job, session.work(job), lambda result: (came.append(result), done.set()))
        assert done.wait(60)
    session.finish(came[0], job)
    assert session.problem is None
    assert any("reversed in time" in note for note in session.notes)


# --- archives ---------------------------------------------------------------------------


@pytest.fixture
def items(scenes):
    """A saved search of one item, whose file lies beside it."""
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": "lake-2017", "links": [],
        "geometry": {"type": "Polygon", "coordinates": [[[-119, 38], [-118, 38], [-118, 39],
                                                         [-119, 39], [-119, 38]]]},
        "bbox": [-119, 38, -118, 39],
        "properties": {"datetime": "2017-10-22T18:00:00Z", "platform": "landsat-8",
                       "eo:cloud_cover": 3},
        "assets": {"green": {"href": str(scenes / "lake.tif"), "type": "image/tiff"}},
    }  # fmt: skip
    path = scenes / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [item]}))
    return path


def test_what_a_search_finds_opens_by_its_name(session, library, items):
    found = search_archive(session.library, "scenes/items.json", "-118.7, 38.7", "2017", 20)
    assert list(found) == ["2017-10-22  landsat-8  cloud 3 %"]
    (name,) = found.values()
    assert name.startswith("kept:")
    assert name.endswith("found.json:lake-2017")
    assert library.name_of(library.locate(name)) == name


def test_a_search_tells_what_cannot_work(session, items):
    with pytest.raises(SearchError, match="Nothing was found"):
        search_archive(session.library, "scenes/items.json", "-118.7, 38.7", "1999", 20)
    with pytest.raises(ConfigurationError, match="place cannot be understood"):
        search_archive(session.library, "scenes/items.json", "somewhere", "2017", 20)
    with pytest.raises(AccessDeniedError):
        search_archive(session.library, "/etc/passwd", "-118.7, 38.7", "2017", 20)


@pytest.fixture(scope="module")
def site(demo_products):
    """A STAC API with the demo's products behind it."""
    with website(next(iter(demo_products.values())).parent) as running:
        running.items = [
            item_of_product(folder, running.url_of) for folder in demo_products.values()
        ]
        yield running


@pytest.mark.parametrize("more", [{}, {"harmonize": True}], ids=["stages", "one call"])
def test_what_a_search_found_is_mapped_where_it_was_searched_and_can_be_repeated(
    library, shared, site, tmp_path, monkeypatch, more
):
    monkeypatch.chdir(tmp_path)
    session = Session(library, shared)
    found = search_archive(
        session.library, f"{site.url}/stac", "-118.7081, 38.6942", "1980/2020", 20, buffer=9000
    )
    assert [label[:10] for label in found] == ["1988-10-22", "2017-10-22"]
    session.open_scenes(found.values())
    assert (session.config.center, session.config.buffer) == ((-118.7081, 38.6942), 9000)
    session.choose(n_clusters=4, **more)
    outcome = session.run()
    expected = outcome.segmentation["labels"].values
    assert outcome.water.sizes["x"] == pytest.approx(60, abs=1)
    for text in (session.command(), session.code()):
        assert "kept:" not in text
        assert str(library.kept) not in text
    searching, mapping = session.command().split("\n", 1)
    for line in (searching, mapping.replace("\\\n", " ")):
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
    written = sorted((tmp_path / "strandline-results").glob("labels_*.tif"))
    assert (np.stack([_labels(path) for path in written]) == expected).all()
    (tmp_path / "found.json").unlink()
    names: dict = {}
    exec(session.code().replace('"strandline-results"', '"again"'), names)
    if more:
        written = sorted((tmp_path / "again").glob("labels_*.tif"))
        assert (np.stack([_labels(path) for path in written]) == expected).all()
    else:
        assert (names["segmentation"]["labels"].values == expected).all()


def test_two_searches_are_both_repeated(session, site):
    archive, place = f"{site.url}/stac", "-118.7081, 38.6942"
    (first,) = search_archive(session.library, archive, place, "1988", 20).values()
    (last,) = search_archive(session.library, archive, place, "2017", 20).values()
    session.open_scenes([first, last])
    lines = session.command().splitlines()
    assert [line.rpartition(" ")[2] for line in lines[:2]] == ["found.json", "found-2.json"]
    code = session.code()
    compile(code, "code", "exec")
    assert f'found["{first.rpartition(":")[2]}"]' in code
    assert f'found_2["{last.rpartition(":")[2]}"]' in code


def test_an_upload_is_called_elsewhere_what_its_owner_calls_it(session, library, scenes):
    session.open_scenes([library.keep("my lake (1).tif", (scenes / "lake.tif").read_bytes())])
    assert "strandline segment 'my lake (1).tif'" in session.command()
    assert 'sl.open_scene("my lake (1).tif")' in session.code()


def test_uploads_of_one_name_are_told_apart(session, library, scenes):
    lake = (scenes / "lake.tif").read_bytes()
    session.open_scenes([library.keep("lake.tif", lake), library.keep("lake.tif", lake)])
    assert session.command().startswith("strandline change lake.tif lake-2.tif")


def _taken_away(session, folder):
    """Unpack the archive of a session; nothing in it may tell where the server keeps its files."""
    with zipfile.ZipFile(io.BytesIO(session.archive())) as archive:
        archive.extractall(folder)
    results = folder / "strandline-results"
    for path in results.rglob("*"):
        assert str(session.library.kept).encode() not in path.read_bytes(), path.name
        assert b"kept:" not in path.read_bytes(), path.name
    return results, json.loads((results / "record.json").read_text())


def test_the_record_of_an_upload_is_replayed_where_the_file_lies_beside_it(
    session, library, scenes, tmp_path, monkeypatch
):
    lake = (scenes / "lake.tif").read_bytes()
    session.open_scenes([library.keep("my lake (1).tif", lake)])
    session.choose(n_clusters=3)
    session.run()
    results, record = _taken_away(session, tmp_path)
    assert record["config"]["scenes"] == [{"source": "my lake (1).tif"}]
    (given,) = record["inputs"]
    assert given == {
        "path": "my lake (1).tif",
        "size": len(lake),
        "sha256": hashlib.sha256(lake).hexdigest(),
    }
    assert (results / "report.html").read_text() == session.page()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError, match="is not here") as caught:
        replay_study(results)
    assert caught.value.remedy == "Put the file beside the record, by that name."
    for folder in (tmp_path, results):
        (folder / "my lake (1).tif").write_bytes(lake)
        assert replay_study(results / "record.json") == len(record["outputs"])
        (folder / "my lake (1).tif").write_bytes(lake[:-1])
        with pytest.raises(RecordError, match=r"'my lake \(1\).tif' has \d+ bytes now"):
            replay_study(results)
        (folder / "my lake (1).tif").unlink()


def test_the_record_of_a_search_is_replayed_once_it_is_repeated(
    session, site, tmp_path, monkeypatch
):
    found = search_archive(
        session.library, f"{site.url}/stac", "-118.7081, 38.6942", "1980/2020", 20, buffer=9000
    )
    session.open_scenes(found.values())
    session.choose(n_clusters=4)
    session.run()
    results, record = _taken_away(session, tmp_path)
    assert all("url" in given and given["size"] for given in record["inputs"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError, match=r"'found.json', which a search fills") as caught:
        replay_study(results)
    assert record["searches"]["found.json"] in caught.value.remedy
    done = CliRunner().invoke(app, shlex.split(record["searches"]["found.json"])[1:])
    assert done.exit_code == 0, done.output
    assert replay_study(results, tmp_path / "again") == len(record["outputs"])
    # And what comes of that is replayed alike.
    again = json.loads((tmp_path / "again" / "record.json").read_text())
    assert {**again, "timings": 0, "finished": 0} == {**record, "timings": 0, "finished": 0}
    assert replay_study(tmp_path / "again") == len(record["outputs"])


def test_an_archive_that_does_not_answer_is_told(session, site):
    with pytest.raises(StrandlineError) as caught:
        search_archive(session.library, f"{site.url}/nothing", "-118.7, 38.7", "2017", 20)
    assert caught.value.remedy


def test_a_lake_across_two_scenes_of_a_pass_opens_as_one(session, site, demo_products):
    before = list(site.items)
    try:
        north = next(item for item in before if "1988" in item["properties"]["datetime"])
        site.items = [*before, {**north, "id": "the-row-below"}]
        found = search_archive(
            session.library, f"{site.url}/stac", "-118.7081, 38.6942", "1980/2020", 20
        )
    finally:
        site.items = before
    two, one = found
    assert two.endswith(", 2 scenes")
    assert found[two].endswith("found.json:1988-10-22")
    assert found[one].endswith(before[-1]["id"])
    session.open_scenes([found[two]])
    assert session.run().water.sizes["time"] == 1
    assert 'sl.open_scene(found["1988-10-22"])' in session.code()


# --- trying choices on scenes that were read ------------------------------------------


def test_another_choice_on_scenes_that_were_read_is_previewed_with_a_fraction_of_the_work(
    library, monkeypatch
):
    monkeypatch.setattr("strandline.app.preview.LARGE_AGAIN", 10_000)
    monkeypatch.setattr("strandline.app.preview.PIXELS_AGAIN", 3_000)
    session, order = Session(library, Shared()), []
    session.work(Job(), order.append)()
    assert order == [], "the first map comes whole"
    session.choose(n_clusters=5)
    outcome = session.work(Job(), order.append)()
    (preview,) = order
    assert preview.is_preview
    assert preview.segmentation.sizes["cluster"] == 5
    assert preview.water.size <= 3_000 < outcome.water.size
    assert not outcome.is_preview
    assert preview.by_date["best"].tolist() == pytest.approx(
        outcome.by_date["best"].tolist(), rel=0.15
    )
    # Marking needs no clustering, and so no preview.
    session.finish(outcome)
    session.mark_water(4, water=4 not in session.water_clusters())
    session.work(Job(), order.append)()
    assert len(order) == 1


@pytest.mark.filterwarnings("ignore")  # of the packages that draw
def test_a_search_does_not_cancel_the_clustering_nor_a_clustering_the_search(library, shared):
    from strandline.app.page import Page

    with Workshop() as workshop:
        page = Page(library, shared, workshop)
        wait = threading.Event()
        page.start(lambda job: wait.wait, lambda *_: None)
        clustering = page.job
        page.start_aside(lambda job: wait.wait, lambda *_: None, 1)
        search = page.aside
        assert not clustering.cancelled
        page.start(lambda job: wait.wait, lambda *_: None)
        assert clustering.cancelled
        assert not search.cancelled
        page.start_aside(lambda job: wait.wait, lambda *_: None, 1)
        assert search.cancelled
        wait.set()


@pytest.mark.parametrize("names", [["demo:1988-10-22"], ["demo:1988-10-22", "demo:2017-10-22"]])
def test_the_python_code_prints_the_lake_s_own_areas(library, shared, names, capsys):
    session = Session(library, shared)
    session.open_scenes(names)
    session.choose(n_clusters=5, water_at=(-118.72, 38.69))
    outcome = session.run()
    exec(session.code(), {})
    printed = capsys.readouterr().out
    lake = outcome.areas[outcome.areas["area"].str.startswith("body of water")]
    first = lake.set_index("quantity")["best"].filter(like="water 1988").iloc[0]
    assert f"{first:.6f}" in printed
    assert "at=(-118.72, 38.69)" in session.code()


def test_a_distance_that_cannot_be_searched_is_told(library):
    for buffer in (0.0, -5.0, 1e9):
        with pytest.raises(ConfigurationError, match="distance around the place"):
            search_archive(library, "earth-search", "-118.7, 38.7", "2017", 20, None, buffer)
