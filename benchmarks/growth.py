"""How time and memory grow with the number of samples, from 10⁴ to a full scene, as Markdown.

    python benchmarks/growth.py --sizes 10000 100000 1000000 --budget 300

Pixels of a real scene (repeated with a little noise where there are too few), k = 4. Every
cell is a process of its own. A cell is left out, and the table says why, if the line through
the two sizes before says that it would take more than BUDGET seconds or more memory than
there is; if it starts and takes longer all the same, it is ended. Ours have twice as long.

Growth is the slope of log time over log size, from 10⁵ samples on: 1 is in proportion.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

import machine
from cell import Cell, Run, Summary, measure
from datasets import DATA_SETS, here
from methods import METHODS, OURS
from report import Goal, count, memory, number, seconds, table

SIZES = (10_000, 100_000, 1_000_000, 10_000_000, 60_000_000)
BUDGET = 600.0
LONGER_FOR_OURS = 2
N_CLUSTERS = 4
SLOPE = (0.95, 1.05)
SLOPE_FROM = 100_000
FLAT = 1.25
"""Memory on top of data and labels may differ by this factor between the sizes."""

REPEATED_UP_TO = 1_000_000
ROUNDS = 3
_LABEL_BYTES = 4


class Growth(NamedTuple):
    """The sweep: for each method, a summary for each size."""

    data: str
    sizes: tuple[int, ...]
    found: dict[str, dict[int, Summary]]

    def points(self, method: str, what: str, least: int = 0) -> list[tuple[int, float]]:
        """Sizes and values of a field of `Run`, where they are known."""
        pairs = [
            (size, summary.most(what) if what == "beyond" else summary.middle(what))
            for size, summary in self.found[method].items()
            if summary.runs and size >= least
        ]
        return [(size, value) for size, value in pairs if value == value]

    def slope(self, method: str, what: str) -> float:
        """Of the logarithms, from 10⁵ samples on; NaN for fewer than two sizes."""
        points = [pair for pair in self.points(method, what, SLOPE_FROM) if pair[1] > 0]
        if len(points) < 2:
            return math.nan
        return float(np.polyfit(*np.log(np.array(points)).T, 1)[0])


def sweep(
    sizes: Sequence[int] = SIZES,
    methods: Sequence[str] = tuple(METHODS),
    *,
    data: str | None = None,
    budget: float = BUDGET,
    rounds: int = ROUNDS,
) -> Growth:
    """Measure all sizes, small ones first; up to 10⁶ samples the median of some rounds."""
    chosen = data or ("olinda" if here("olinda") else "mixture")
    found: dict[str, dict[int, Summary]] = {name: {} for name in methods}
    for size in sorted(sizes):
        for name in methods:
            time = budget * (LONGER_FOR_OURS if name in OURS else 1)
            reason = _hopeless(found[name], size, time)
            if reason:
                found[name][size] = Summary(name, size, trouble=reason)
                continue
            times = rounds if size <= REPEATED_UP_TO else 1
            cell = Cell(chosen, N_CLUSTERS, (name,), size, times, predict=True)
            found[name] |= {size: measure(cell, time)[name]}
    return Growth(chosen, tuple(sorted(sizes)), found)


def _hopeless(before: dict[int, Summary], size: int, budget: float) -> str | None:
    """Why a size need not be tried: a smaller one failed, or the line before says so."""
    if any(not summary.runs for summary in before.values()):
        first = next(summary.trouble or "–" for summary in before.values() if not summary.runs)
        return first if first.startswith("not installed") else "smaller failed"
    if len(before) < 2:
        return None
    (n0, one), (n1, two) = list(before.items())[-2:]

    def forecast(what: str) -> float:
        low, high = one.middle(what), two.middle(what)
        return high + max(0.0, high - low) / (n1 - n0) * (size - n1)

    if forecast("seconds") > budget:
        return f"would take {seconds(forecast('seconds'))}"
    if forecast("peak") > machine.memory_mib("MemAvailable"):
        return f"would need {memory(forecast('peak'))}"
    return None


# --- tables ---------------------------------------------------------------------


def growth_tables(growth: Growth) -> str:
    """Time, time of labels alone, and memory on top of the data, by size."""
    title = f"### Growth: {DATA_SETS[growth.data].title}, k = {N_CLUSTERS}"
    parts = [
        ("time, fit and labels", "seconds", seconds),
        ("time, labels by a fitted model", "label_seconds", seconds),
        ("memory on top of the data", "beyond", memory),
    ]
    return "\n\n".join([title, *(_table(growth, *part) for part in parts)])


def _table(growth: Growth, title: str, what: str, form: object) -> str:
    head = [title, *(count(size) for size in growth.sizes), "slope from 10⁵"]
    rows = []
    for name, by_size in growth.found.items():
        if what == "label_seconds" and not growth.points(name, what):
            continue  # cannot label by a fitted model
        cells = [METHODS[name].title]
        for size in growth.sizes:
            summary = by_size[size]
            value = summary.most(what) if what == "beyond" else summary.middle(what)
            cells.append(form(value) if summary.runs else summary.trouble or "–")
        slope = "" if what == "beyond" else number(growth.slope(name, what), ".2f")
        rows.append([*cells, slope])
    return table(head, rows)


def goals(growth: Growth) -> Iterator[Goal]:
    """Growth of time, of all and of labels alone, and flat memory."""
    if "strandline" not in growth.found:
        return
    largest = growth.sizes[-1]
    for what, title in (("seconds", "fit and labels"), ("label_seconds", "labels alone")):
        slope = growth.slope("strandline", what)
        met = None if math.isnan(slope) else SLOPE[0] <= round(slope, 2) <= SLOPE[1]
        bar = f"{SLOPE[0]} … {SLOPE[1]}"
        text = f"growth of time, {title}, {count(SLOPE_FROM)} … {count(largest)}"
        yield Goal(text, number(slope, ".2f"), bar, met, _others(growth, what))
    own = {size: _own(size, mib) for size, mib in growth.points("strandline", "beyond")}
    own = {size: mib for size, mib in own.items() if size >= SLOPE_FROM}
    if len(own) > 1:
        first, last = own[min(own)], own[max(own)]
        yield Goal(
            f"memory besides data and labels, {count(min(own))} → {count(max(own))}",
            f"{memory(first)} → {memory(last)}",
            f"flat: ≤ {FLAT}×",
            last <= FLAT * first,
            _other_memory(growth),
        )


def _own(size: int, mib: float) -> float:
    return mib - size * _LABEL_BYTES / 2**20


def _others(growth: Growth, what: str) -> str:
    told = []
    for peer in ("dask-ml", "kmeans"):
        if peer in growth.found and (slope := growth.slope(peer, what)) == slope:
            told.append(f"{METHODS[peer].title} {slope:.2f}")
    return "; ".join(told) or "–"


def _other_memory(growth: Growth) -> str:
    told = []
    for peer in ("dask-ml", "kmeans"):
        points = growth.points(peer, "beyond") if peer in growth.found else []
        if points:
            size, mib = points[-1]
            told.append(f"{METHODS[peer].title} {memory(_own(size, mib))} at {count(size)}")
    return "; ".join(told) or "–"


# --- for the figure -------------------------------------------------------------


def plain(growth: Growth) -> dict[str, object]:
    """The sweep as JSON takes it."""
    return {
        "data": growth.data,
        "sizes": growth.sizes,
        "found": {
            name: {
                str(size): {**vars(summary), "runs": [vars(run) for run in summary.runs]}
                for size, summary in by_size.items()
            }
            for name, by_size in growth.found.items()
        },
    }


def restored(content: dict[str, object]) -> Growth:
    """The sweep that `plain` wrote."""
    found = {
        name: {
            int(size): Summary(**{**told, "runs": [Run(**run) for run in told["runs"]]})
            for size, told in by_size.items()
        }
        for name, by_size in content["found"].items()
    }
    return Growth(content["data"], tuple(content["sizes"]), found)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=tuple(DATA_SETS))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--methods", choices=tuple(METHODS), nargs="+", default=list(METHODS))
    parser.add_argument("--budget", type=float, default=BUDGET)
    given = parser.parse_args(arguments)
    print(machine.facts())
    found = sweep(given.sizes, given.methods, data=given.data, budget=given.budget)
    print(f"\n{growth_tables(found)}")


if __name__ == "__main__":
    main()
