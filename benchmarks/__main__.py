"""Everything that the clustering engine promises, measured: tables, goals and figures.

    python benchmarks [--quick] [--out FOLDER] [--only PART ...]

The parts, each also a script of its own:

race     ours and dask-ml in one process, taking turns         (engine.py)
engine   labels, stability, time and memory of all methods     (engine.py)
growth   from 10⁴ samples to a full scene                      (growth.py)
exact    against the eigenvectors of the whole graph           (exact.py)
bytes    one seed, the same bytes                              (same_bytes.py)
scene    a full scene from COGs to COGs, workers and threads   (full_scene.py)

FOLDER (default: benchmark-results) gets tables.md, anew after every part, measured.json and
the figures. What is missing (dask-ml, the real scenes) is said in the tables. The whole
takes hours and wants a machine of its own; --quick takes minutes, at sizes that prove
nothing but that all of it works.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt

import engine
import exact
import figure
import full_scene
import growth
import machine
import same_bytes
from datasets import DATA_SETS, here
from methods import METHODS
from report import Goal, goals_table, seconds

PARTS = ("race", "engine", "growth", "exact", "bytes", "scene")
MANY = 1_000_000
FULL_DATA = [data for data in engine.CLUSTERS if data != "mixture"]
QUICK_DATA = ["olinda", "digits", "isolated"]


class Size(NamedTuple):
    """How much is measured."""

    samples: int | None
    pixels: int
    many: int | None
    seeds: int
    rounds: int
    turns: int
    growth: tuple[int, ...]
    scene: tuple[int, int] | None


FULL = Size(None, 90_000, MANY, 10, 5, 3, growth.SIZES, None)
QUICK = Size(1500, 3000, None, 2, 2, 1, (1000, 3000, 10_000), (300, 300))


class Results:
    """What was found so far; `keep` writes it down, `draw` draws what is written."""

    def __init__(self, folder: Path, title: str) -> None:
        self.folder = folder
        self.title = title
        self.facts = machine.facts()
        self.goals: list[Goal] = []
        self.tables: list[str] = []
        self.measured: dict[str, Any] = {}

    def add(self, table: str, goals: Sequence[Goal]) -> None:
        self.tables += [table] if table else []
        self.goals.extend(goals)

    def keep(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(self.measured, indent=1)
        (self.folder / "measured.json").write_text(content, encoding="utf-8")
        (self.folder / "tables.md").write_text(self.text(), encoding="utf-8")

    def draw(self) -> None:
        figure.draw(self.folder)

    def text(self) -> str:
        parts = [
            f"# {self.title}",
            f"## Machine\n\n{self.facts}",
            f"## Goals\n\n{goals_table(self.goals)}",
        ]
        return "\n\n".join([*parts, "## Tables", *self.tables]) + "\n"


# --- parts ----------------------------------------------------------------------


def _race(results: Results, size: Size, options: argparse.Namespace) -> None:
    found = engine.race(size.pixels, size.rounds, 20 * options.budget)
    results.add(engine.comparison_table(found), [engine.race_goal(found)])


def _engine(results: Results, size: Size, options: argparse.Namespace) -> None:
    plan = [(data, k, size.samples) for data in options.data for k in engine.CLUSTERS[data]]
    if size.many:
        plan += [(data, k, size.many) for data, k, _ in plan if data in ("moons", "circles")]
    found = []
    for data, k, samples in plan:
        if not here(data):
            title = DATA_SETS[data].title
            results.add(f"### {title}\n\nnot here: see benchmarks/datasets.py", [])
            continue
        comparison = engine.compare(
            data,
            k,
            samples=samples,
            methods=options.methods,
            seeds=size.seeds,
            budget=options.budget,
        )
        found.append(comparison)
        results.add(engine.comparison_table(comparison), [])
        results.measured["quality"] = [line for one in found if (line := _quality(one))]
        results.keep()
    results.add("", list(engine.goals(found)))


def _quality(one: engine.Comparison) -> dict[str, Any] | None:
    """A row of the figure."""
    if one.data in engine.LEAST_NMI:
        what, bar = "nmi", engine.LEAST_NMI[one.data]
    elif one.data in engine.SCENES:
        what, bar = "stability", engine.LEAST_STABILITY[one.n_clusters]
    else:
        return None
    values = {
        name: summary.stability if what == "stability" else summary.mean("nmi")
        for name, summary in one.found.items()
    }
    known = {name: value for name, value in values.items() if not math.isnan(value)}
    return {"title": one.title, "what": what, "bar": bar, "values": known}


def _growth(results: Results, size: Size, options: argparse.Namespace) -> None:
    budget = options.growth_budget
    found = growth.sweep(size.growth, options.methods, budget=budget, rounds=size.turns)
    results.measured["growth"] = growth.plain(found)
    results.add(growth.growth_tables(found), list(growth.goals(found)))


def _exact(results: Results, size: Size, options: argparse.Namespace) -> None:
    found = exact.compare(size.pixels)
    results.add(exact.closeness_table(found), list(exact.goals(found)))


def _bytes(results: Results, size: Size, options: argparse.Namespace) -> None:
    found = same_bytes.digests(size.pixels)
    results.add(same_bytes.digests_table(found), list(same_bytes.goals(found)))


def _scene(results: Results, size: Size, options: argparse.Namespace) -> None:
    product = full_scene.simulated(options.scene_folder, size.scene)
    costs = full_scene.measure(product, rounds=size.turns)
    table = f"### A full scene\n\n{full_scene.costs_table(product, costs)}"
    results.add(table, list(full_scene.goals(product, costs)))


RUN = dict(zip(PARTS, (_race, _engine, _growth, _exact, _bytes, _scene), strict=True))


def main(arguments: Sequence[str] | None = None) -> Results:
    parser = argparse.ArgumentParser(
        prog="python benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, few seeds")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--data", nargs="+", choices=engine.CLUSTERS, help="of the part engine")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=list(METHODS))
    parser.add_argument("--budget", type=float, default=engine.BUDGET, help="seconds per cell")
    parser.add_argument("--growth-budget", type=float, default=growth.BUDGET)
    default = Path(tempfile.gettempdir()) / "full-scene"
    parser.add_argument("--scene-folder", type=Path, default=default)
    options = parser.parse_args(arguments)
    options.data = options.data or (QUICK_DATA if options.quick else FULL_DATA)
    plt.switch_backend("agg")
    title = "Benchmarks of the clustering engine"
    results = Results(options.out, f"{title}: quick, proves nothing" if options.quick else title)
    for part in options.only:
        start = time.perf_counter()
        RUN[part](results, QUICK if options.quick else FULL, options)
        results.keep()
        if part in ("engine", "growth"):
            results.draw()
        print(f"{part}: {seconds(time.perf_counter() - start)}", flush=True)
    print(f"\n{results.text()}")
    return results


if __name__ == "__main__":  # worker processes import this file again
    main()
