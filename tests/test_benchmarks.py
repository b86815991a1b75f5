"""The benchmarks are run small, so that they stay alive; what they conclude is checked."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import app_times
import cell
import datasets
import engine
import exact
import figure
import full_scene
import growth
import interval_coverage
import machine
import many_clusters
import methods
import report
import same_bytes
import sensor_bias
import shift_accuracy
import shift_flags
import stability_errors
import timeline
import water_methods
from cell import Cell, Run, Summary
from engine import Comparison
from strandline.testing.lakes import lake_fraction, lake_grid, round_lake

NAN = math.nan


@pytest.fixture(scope="module")
def command() -> ModuleType:
    """What `python benchmarks` runs."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "__main__.py"
    spec = importlib.util.spec_from_file_location("benchmarks_command", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def without_dask_ml(monkeypatch):
    """As where dask-ml is not installed."""
    there = methods.find_spec
    monkeypatch.setattr(
        methods, "find_spec", lambda name: None if name == "dask_ml" else there(name)
    )


def run(method: str, seconds: float = 1.0, **known: float) -> Run:
    unknown = dict.fromkeys(("label_seconds", "peak", "beyond", "nmi", "ari", "smallest"), NAN)
    return Run(method, seconds, seconds, **{**unknown, "agreement": [], **known})


def comparison(data: str, k: int, **found: list[Run]) -> Comparison:
    summaries = {
        name.replace("_", "-"): Summary(name.replace("_", "-"), 100, 6, runs)
        for name, runs in found.items()
    }
    return Comparison(data, k, None, 2, summaries)


# --- the programs ---------------------------------------------------------------


@pytest.mark.slow
def test_one_command_writes_tables_goals_and_figures(
    command, without_dask_ml, tmp_path, monkeypatch, capsys
):
    small = command.Size(400, 700, None, 2, 2, 1, (400, 800), (60, 60))
    monkeypatch.setattr(command, "QUICK", small)
    monkeypatch.setattr(growth, "SLOPE_FROM", 400)
    words = ["--quick", "--out", str(tmp_path), "--only", "race", "engine", "growth", "exact"]
    command.main([*words, "--data", "digits", "--methods", "strandline", "kmeans"])

    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    assert machine.facts().splitlines()[1] in text  # the versions
    assert "proves nothing" in text
    assert "not installed: pip install dask-ml" in text
    goals = text.split("## Goals")[1].split("## Tables")[0].strip().splitlines()
    goals = [[entry.strip() for entry in line.strip("|").split("|")] for line in goals]
    assert goals[0] == ["goal", "measured", "bar", "met", "baseline, same run"]
    said = {row[0].split(",")[0]: row for row in goals[2:]}
    assert said["speed"][3] == "not measured"
    assert float(said["NMI"][1].split()[0]) > 60
    assert said["NMI"][4].startswith("KMeans ")
    assert said["growth of time"][3] in ("yes", "**no**")
    assert float(said["smallest cosine to the exact eigenvectors"][1]) > 0.999
    drawn = {path.name for path in tmp_path.iterdir()}
    pictures = {f"{name}.{kind}" for name in ("growth", "quality") for kind in ("png", "svg")}
    assert drawn == {"tables.md", "measured.json", *pictures}


def test_app_times_prints_its_table(browser, tmp_path):
    waits = app_times.measure(tmp_path, None, 1, 600.0, ["demo", "small"], browser)
    lines = app_times.table(waits).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| first map, demo",
        "| first map, 300 × 300, not asked for before",
        "| another clustering, 300 × 300",
    ]
    assert all(0 < float(line.split(" | ")[1]) < 120 for line in lines[2:])


def test_full_scene_prints_its_table(tmp_path):
    size = ("--size", "120", "100")
    table = full_scene.main([*size, "--folder", str(tmp_path), "--only", "read", "maps", "study"])
    lines = table.splitlines()
    assert "120 × 100 pixels, 6 bands, 100% seen" in lines[0]
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in lines[4:]]
    assert [row[0] for row in rows] == ["read", "maps", "study"]
    assert rows[0][4:] == ["1.0", "1.0"]
    assert all(float(row[3].removesuffix(" MiB")) > 50 for row in rows)
    (product,) = (tmp_path / "120x100").iterdir()  # nothing else is left
    assert product.name.startswith("LT05_")


def test_every_data_set_can_be_loaded(real_data, monkeypatch):
    monkeypatch.setattr(datasets, "SHARED", real_data)
    assert set(engine.CLUSTERS) == set(datasets.DATA_SETS)
    for name in datasets.DATA_SETS:
        X, truth = datasets.load(name, 900)
        assert X.dtype == np.float32
        assert len(X) == 900
        assert np.isfinite(X).all()
        assert truth is None or len(truth) == 900
    more = datasets.load("olinda", 200_000).X
    assert len(np.unique(more, axis=0)) > 199_000
    assert more.std() == pytest.approx(1.0, abs=0.01)


@pytest.mark.filterwarnings("ignore:Graph is not fully connected")  # groups are far apart
@pytest.mark.parametrize("name", methods.METHODS)
def test_every_method_labels_its_samples(name):
    method = methods.METHODS[name]
    if method.missing or name == "dask-ml":  # dask-ml's own code warns, and takes its time
        pytest.skip(method.missing or "measured by the benchmark only")
    X, truth = datasets.load("mixture", 400)
    labels, predict = method.fit(X, 8, 0)
    assert cell._percent("adjusted_rand_score", truth, labels) > 80
    if predict is not None:
        np.testing.assert_array_equal(predict(X), labels)


# --- one measurement ------------------------------------------------------------


def test_what_is_finished_when_the_time_is_over_counts(monkeypatch):
    def talk(plan, present, budget):
        yield {"kind": "data", "content": [1000, 6]}
        yield {"kind": "run", "content": vars(run("strandline", 2.0))}
        yield {"kind": "end", "content": "over 6 s"}

    monkeypatch.setattr(cell, "_talk", talk)
    summary = cell.measure(Cell("mixture", 8, ("strandline",), seeds=5), 6.0)["strandline"]
    assert (summary.trouble, summary.rows, len(summary.runs)) == ("over 6 s", 1000, 1)
    assert "1 of 5 seeds" in engine._name("strandline", summary, 5)


def test_a_measurement_ends_when_its_time_is_over():
    endless = Cell("mixture", 8, ("strandline",), 1000, seeds=1_000_000)
    assert cell.measure(endless, 0.2)["strandline"].trouble == "over 0.2 s"


def test_a_matrix_that_does_not_fit_is_said_and_the_other_method_goes_on():
    # 200,000 × 200,000 affinities take 300 GiB
    found = cell.measure(Cell("mixture", 8, ("exact", "minibatch"), 200_000), 300.0)
    assert found["exact"].trouble.startswith("MemoryError: Unable to allocate")
    assert found["minibatch"].trouble is None
    (measured,) = found["minibatch"].runs
    assert 0 < measured.beyond < measured.peak
    assert 0.05 < measured.smallest < 0.125


def test_a_method_that_is_not_installed_is_said(without_dask_ml):
    summary = cell.measure(Cell("mixture", 8, ("dask-ml",), 1000), 1.0)["dask-ml"]
    assert summary.trouble == "not installed: pip install dask-ml"
    assert math.isnan(summary.middle("seconds"))


def test_seeds_are_compared_pair_by_pair():
    runs = [run("kmeans", agreement=[]), run("kmeans", agreement=[90.0])]
    runs.append(run("kmeans", agreement=[60.0, 30.0]))
    assert Summary("kmeans", runs=runs).stability == 60.0
    assert math.isnan(Summary("kmeans", runs=runs[:1]).stability)


# --- goals ----------------------------------------------------------------------


def test_goals_stand_beside_dask_ml_and_the_best_other_peer():
    letters = comparison(
        "letters",
        26,
        strandline=[run("strandline", nmi=47.0), run("strandline", nmi=48.0)],
        dask_ml=[run("dask-ml", nmi=30.0)],
        kmeans=[run("kmeans", nmi=36.0)],
        minibatch=[run("minibatch", nmi=35.0)],
    )
    (goal,) = engine.goals([letters])
    assert goal.met
    assert goal.measured == "47.5 (2 seeds)"
    assert goal.baseline == "dask-ml 30.0; KMeans 36.0"


def test_stability_and_the_smallest_cluster_are_goals_on_scenes():
    runs = [run("strandline", smallest=0.2, agreement=[])]
    runs.append(run("strandline", smallest=0.0001, agreement=[94.0]))
    stability, smallest = engine.goals([comparison("olinda", 4, strandline=runs)])
    assert (stability.measured, stability.met) == ("94.0 (2 seeds)", False)
    assert (smallest.measured, smallest.met) == ("0.01 %", False)


def test_a_race_without_dask_ml_is_not_measured(without_dask_ml):
    found = comparison("olinda", 4, strandline=[run("strandline", 0.5)], dask_ml=[])
    found.found["dask-ml"].trouble = methods.METHODS["dask-ml"].missing
    goal = engine.race_goal(found)
    assert goal.met is None
    assert "pip install dask-ml" in goal.baseline
    won = comparison("olinda", 4, strandline=[run("a", 0.1)], dask_ml=[run("b", 20.0)])
    assert engine.race_goal(won).met
    assert "200×" in engine.race_goal(won).measured


def sweep(seconds: dict[int, float]) -> growth.Growth:
    found = {
        size: Summary("strandline", size, 6, [run("strandline", time, beyond=40.0 + size * 4e-6)])
        for size, time in seconds.items()
    }
    return growth.Growth("mixture", tuple(seconds), {"strandline": found})


def test_growth_is_the_slope_from_a_hundred_thousand_samples_on():
    even = sweep({10_000: 5.0, 100_000: 1.0, 1_000_000: 10.0, 10_000_000: 100.0})
    goals = list(growth.goals(even))
    assert [goal.met for goal in goals] == [True, None, True]
    assert goals[0].measured == "1.00"
    bent = sweep({100_000: 1.0, 1_000_000: 2.0, 10_000_000: 12.0})
    assert next(growth.goals(bent)).met is False


def test_many_clusters_are_compared_with_few_ones():
    found = {
        k: Summary("strandline", 100, 6, [run("strandline", cost, peak=peak)])
        for k, cost, peak in ((30, 2.0, 500.0), (254, 15.0, 900.0))
    }
    assert [goal.met for goal in many_clusters.goals(found)] == [True, True]
    assert [goal.measured for goal in many_clusters.goals(found)] == ["7.5×", "900 MiB"]
    found[254] = Summary("strandline", 100, 6, [run("strandline", 21.0, peak=1100.0)])
    assert [goal.met for goal in many_clusters.goals(found)] == [False, False]
    found[254] = Summary("strandline", trouble="over 600 s")
    assert [goal.met for goal in many_clusters.goals(found)] == [None, None]
    assert many_clusters.clusters_table(found).splitlines()[-1].endswith("| over 600 s |")


def test_many_clusters_prints_its_table():
    words = ["--clusters", "3", "5", "--samples", "400", "--data", "digits", "--rounds", "1"]
    rows = [line.split(" | ") for line in many_clusters.main(words).splitlines()[4:6]]
    assert [row[0] for row in rows] == ["| 3", "| 5"]
    assert all(row[1].endswith(" s") and row[4].endswith("MiB") for row in rows)


def test_what_cannot_end_in_time_is_not_started():
    before = sweep({1000: 1.0, 10_000: 10.0}).found["strandline"]
    assert growth._hopeless(before, 100_000, 200.0) is None
    assert growth._hopeless(before, 100_000, 90.0) == "would take 100 s"
    before[100_000] = Summary("strandline", trouble="over 90 s")
    assert growth._hopeless(before, 1_000_000, 90.0) == "smaller failed"


def test_the_sweep_can_be_drawn_again_from_its_file():
    measured = sweep({100_000: 1.0, 1_000_000: 10.0})
    again = growth.restored(json.loads(json.dumps(growth.plain(measured))))
    assert growth.growth_tables(again) == growth.growth_tables(measured)


def test_time_memory_and_workers_are_goals_of_a_full_scene(monkeypatch):
    monkeypatch.setattr(full_scene, "_about", lambda product: "a scene")
    cost = full_scene.Cost
    costs = {"read": cost(10, 20, 100), "maps": cost(31, 60, 1500), "workers": cost(32, 60, 800)}
    time, memory, workers = full_scene.goals(Path(), costs)
    assert (time.met, memory.met, workers.met) == (False, True, True)
    assert time.measured == "31.0 s, 3.1×"


def test_bytes_are_compared_between_threads_chunkings_and_workers():
    found = same_bytes.digests(500, "mixture", workers=(1,))
    assert len(found) == 8
    (goal,) = same_bytes.goals(found)
    assert goal.met
    assert goal.measured == "1 answer in 8 ways"


def test_other_bytes_are_seen():
    (goal,) = same_bytes.goals({"one": "abc", "two": "abd"})
    assert goal.met is False


# --- the exact answer -----------------------------------------------------------


def test_the_exact_eigenvectors_are_those_of_the_dense_matrix():
    X = datasets.load("mixture", 300).X
    graph = exact.Graph(X, 0.5)
    values, vectors = exact.leading_eigenpairs(graph, 6)
    square = np.square(X[:, None, :] - X[None, :, :]).sum(axis=2, dtype=np.float64)
    dense = np.exp(-0.5 * square)
    dense += exact.TELEPORT * dense.sum() / len(X) ** 2
    root = np.sqrt(dense.sum(axis=1))
    expected = np.linalg.eigh(dense / root / root[:, None])
    np.testing.assert_allclose(values, expected[0][::-1][:6], atol=1e-5)
    cosines = np.linalg.svd(vectors.T @ expected[1][:, ::-1][:, :6], compute_uv=False)
    assert cosines.min() > 0.9999


def test_ours_are_exact_when_every_sample_is_a_landmark():
    for one in exact.compare(300, (3, 4), data="mixture", landmarks=300):
        assert one.landmarks == 300
        assert one.cosine > 0.9999
        assert one.eigenvalues < 1e-4


# --- how numbers are written ----------------------------------------------------


def test_numbers_are_written_short():
    assert [report.count(n) for n in (1500, 10_000, 60_000_000, 122_848)] == [
        "1,500",
        "10⁴",
        "6·10⁷",
        "122,848",
    ]
    assert [report.seconds(s) for s in (0.126, 45.3, 1200, NAN)] == [
        "0.13 s",
        "45 s",
        "20 min",
        "–",
    ]
    assert [report.memory(m) for m in (11.4, 2048, NAN)] == ["11 MiB", "2.0 GiB", "–"]


def test_names_in_the_figure_keep_apart():
    moved = figure._spread([10.0, 11.0, 50.0, 55.0, 56.0, 200.0])
    assert (np.diff(moved) > figure._GAP - 1e-9).all()
    assert moved[-1] == 200.0
    assert moved[0] + moved[1] == pytest.approx(21.0)


def test_every_method_has_its_look():
    assert set(methods.METHODS) <= set(figure.LOOKS)


def test_a_small_shift_benchmark_tells_errors_of_every_pair():
    rows = shift_accuracy.table(shift_accuracy.QUICK_SIZE).splitlines()[2:]
    assert len(rows) == 2 * len(shift_accuracy.SIMULATED)
    assert all(row.count(" px |") == 2 for row in rows)


def test_sensors_are_made_alike_by_what_suits_their_difference():
    rows = [row.split(" | ") for row in sensor_bias.table(120, (300, 250)).splitlines()[2:]]
    worst = {
        (row[0].strip("| "), row[1].split(",")[0] + (", stable" if "," in row[1] else "")): max(
            abs(float(cell.strip("| "))) for cell in row[2:]
        )
        for row in rows
    }
    assert worst["regression", "none"] > 0.008
    assert worst["regression", "harmonize"] < 0.0005
    assert worst["regression", "normalize"] < 0.002
    assert worst["hazy", "harmonize"] > 0.01  # no published number knows this haze
    assert worst["hazy", "normalize"] < 0.002
    assert worst["measured", "normalize, stable"] < 0.002


# --- ways to find water ---------------------------------------------------------


def test_every_method_is_scored_on_the_same_pixels_and_the_best_is_bold():
    scene = round_lake(radius=600)
    truth = (lake_fraction(lake_grid(), radius=600) >= 0.5).astype(np.uint8)
    case = water_methods.Case("round lake", scene, truth)
    ((name, scores),) = water_methods.measure([case])
    found = dict(zip(water_methods.METHODS, scores, strict=True))
    assert name == "round lake"
    assert found["strandline"] > 0.99
    for method in ("kmeans", "index", "otsu"):
        assert found[method] > 0.9
    text = water_methods.table([(name, scores)])
    assert f"**{max(s for s in scores if not isinstance(s, str)):.3f}**" in text


def test_a_method_that_is_missing_or_fails_is_said(monkeypatch):
    def fail(scene, truth):
        raise MemoryError

    scene = round_lake(radius=600)
    case = water_methods.Case("round lake", scene, np.zeros(scene.shape[1:], np.uint8))
    gone = water_methods.Method("gone", fail, "no_such_package")
    assert water_methods.score(gone, case) == "not installed"
    broken = water_methods.Method("broken", fail, "sklearn")
    assert water_methods.score(broken, case) == "fails: MemoryError"


def test_the_oracle_takes_the_clusters_that_score_best_together():
    labels = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1])
    assert sorted(water_methods.best_clusters(labels, truth)) == [0, 1]


def test_otsu_splits_between_two_groups():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(-0.4, 0.05, 900), rng.normal(0.6, 0.05, 100)])
    assert -0.25 < water_methods.otsu_threshold(values) < 0.45


# --- intervals and stability ------------------------------------------------------


def test_interval_constants_are_found_again_from_lakes_that_follow_them():
    random = np.random.default_rng(0)
    lakes = []
    for sides in random.integers(60, 300, 4000).tolist():
        error = math.sqrt(1 / 12 * sides + (0.06 * sides) ** 2) * random.standard_normal()
        nothing = dict.fromkeys((90, 95), 0.0)
        lakes.append(interval_coverage.Mapped(1000.0, 1000.0 + error, nothing, nothing, 1.0, sides))
    together, spreads = interval_coverage.calibrated(lakes)
    assert together == pytest.approx(0.06, rel=0.05)
    assert spreads[90] == pytest.approx(1.645, rel=0.05)
    assert spreads[95] == pytest.approx(1.96, rel=0.05)


def test_coverage_of_intervals_is_counted():
    lakes = interval_coverage.measure([0, 1])
    rows = [line.strip("|").split("|") for line in interval_coverage.table(lakes).splitlines()]
    assert rows[-1][0].strip() == "all"
    assert int(rows[-1][1]) == 2
    assert float(rows[-1][3].strip(" %")) == 50 * sum(lake.holds(95) for lake in lakes)


def test_coverage_is_counted_on_finer_grids_against_the_same_truth():
    (lake,), (finer,) = (interval_coverage.measure([0], times) for times in (1, 2))
    assert finer.true == lake.true
    assert finer.pixel_km2 == pytest.approx(lake.pixel_km2 / 4, rel=1e-3)
    halves = [(one.high[95] - one.low[95]) / 2 for one in (lake, finer)]
    assert halves[1] == pytest.approx(halves[0], rel=0.25), "the same pixels of the data"


def test_errors_are_held_against_stability():
    (lake,) = rows = list(stability_errors.measure(None, lakes=1))
    assert lake.name == "1 simulated lakes"
    assert lake.wrong.sum() > 0
    assert 0.9 < lake.by_confidence <= 1
    assert 0.4 < lake.by_water <= 1
    assert 0 <= lake.by_class <= 1
    assert stability_errors.table(rows).splitlines()[-1].startswith("| 1 simulated lakes |")
    said = stability_errors.reliability(rows).splitlines()
    assert len(said) == 2 + 8
    assert said[2].endswith("| - | - |")


# --- change that a shift explains -----------------------------------------------


def test_flags_of_shifts_become_a_table():
    lines = shift_flags.table(shift_flags.measure(lakes=2, walker=False)).splitlines()
    assert len(lines) == 2 + 4 + 4 + 1
    assert lines[2].startswith("| shift of 0.3 px |")
    assert lines[2].split("|")[3].strip() > "90"


# --- timelines ------------------------------------------------------------------


def test_a_small_timeline_is_measured():
    run = timeline.measure(dates=3, side=120)
    assert run.dates == 3
    assert run.seconds > 0
    assert run.error < 0.02
    assert timeline.table([run]).splitlines()[-1].startswith("| 3 |")
