"""How time and memory grow with the number of clusters, up to the most of a map, as Markdown.

    python benchmarks/many_clusters.py --clusters 8 30 254 --samples 16800

Pixels of a real scene, so many of them as the smallest maps have: what is spent on the pixels
alone does not hide what the clusters cost. Each number has a process of its own. Ratios are of
CPU time, on which whatever else the machine does weighs least.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence

import machine
from cell import Cell, Summary, measure
from datasets import DATA_SETS, here
from report import Goal, count, goals_table, memory, number, seconds, table

CLUSTERS = (8, 15, 30, 64, 128, 254)
SAMPLES = 16_800
ROUNDS = 3
BUDGET = 600.0
OURS = "strandline"

FEW, MANY = 30, 254
RATIO = 10.0
"""MANY clusters may take so many times as long as FEW: a little more than in proportion."""

MOST_MIB = 1024.0


def sweep(
    clusters: Sequence[int] = CLUSTERS,
    samples: int = SAMPLES,
    *,
    data: str | None = None,
    rounds: int = ROUNDS,
    budget: float = BUDGET,
) -> dict[int, Summary]:
    """Measure fits with labels of all samples, for each number of clusters."""
    chosen = data or ("olinda" if here("olinda") else "mixture")
    return {
        k: measure(Cell(chosen, k, (OURS,), samples, rounds), budget)[OURS]
        for k in sorted(clusters)
    }


def clusters_table(found: dict[int, Summary]) -> str:
    """Time, its ratio to that of FEW clusters, and memory, by number of clusters."""
    few = _middle(found, FEW, "cpu")
    rows = [
        (
            str(k),
            seconds(_middle(found, k, "seconds")),
            seconds(_middle(found, k, "cpu")),
            number(_middle(found, k, "cpu") / few, ".1f"),
            memory(summary.most("peak")),
            summary.trouble or "",
        )
        for k, summary in found.items()
    ]
    head = ("clusters", "time", "CPU time", f"over that of {FEW}", "peak memory", "")
    return table(head, rows)


def goals(found: dict[int, Summary]) -> Iterator[Goal]:
    """The cost of the most clusters that a map can hold."""
    ratio = _middle(found, MANY, "cpu") / _middle(found, FEW, "cpu")
    met = None if math.isnan(ratio) else ratio <= RATIO
    yield Goal(
        f"CPU time, {FEW} → {MANY} clusters", number(ratio, ".1f", "×"), f"≤ {RATIO:g}×", met
    )
    peak = found[MANY].most("peak") if MANY in found else math.nan
    met = None if math.isnan(peak) else peak <= MOST_MIB
    yield Goal(f"peak memory, {MANY} clusters", memory(peak), f"≤ {memory(MOST_MIB)}", met)


def _middle(found: dict[int, Summary], k: int, what: str) -> float:
    return found[k].middle(what) if k in found else math.nan


def main(arguments: Sequence[str] | None = None) -> str:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clusters", type=int, nargs="+", default=list(CLUSTERS))
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--data", choices=tuple(DATA_SETS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds per number")
    given = parser.parse_args(arguments)
    found = sweep(
        given.clusters, given.samples, data=given.data, rounds=given.rounds, budget=given.budget
    )
    parts = (f"{count(given.samples)} samples", clusters_table(found), goals_table(goals(found)))
    text = "\n\n".join(parts)
    print(f"{machine.facts()}\n\n{text}")
    return text


if __name__ == "__main__":
    main()
