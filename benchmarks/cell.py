"""One measurement: some methods on one data set, in a process of its own.

A process of its own makes peak memory that of the methods, keeps what one leaves behind from
the next, and can be ended when its time is over. Methods in one cell take turns, a seed at a
time, so whatever else the machine does weighs on all of them.
"""

from __future__ import annotations

import contextlib
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

import machine

SCORED_ROWS = 20_000
"""Labels of so many rows are kept to compare seeds."""


@dataclass(frozen=True)
class Cell:
    """What is measured."""

    data: str
    n_clusters: int
    methods: tuple[str, ...]
    samples: int | None = None
    seeds: int = 1
    predict: bool = False


@dataclass(frozen=True)
class Run:
    """One fit with labels of all samples. NaN: not known or not asked for.

    `peak` is the most memory of the process meanwhile, `beyond` what of it came on top of the
    loaded data; both in MiB. `nmi` and `ari` compare with the true classes, `agreement` is
    the adjusted Rand index with each seed before; all in percent. `smallest` is the
    share of the smallest cluster, 0 if there are fewer clusters than asked for.
    """

    method: str
    seconds: float
    cpu: float
    label_seconds: float
    peak: float
    beyond: float
    nmi: float
    ari: float
    smallest: float
    agreement: list[float]


@dataclass
class Summary:
    """What the runs of one method on one data set come to."""

    method: str
    rows: int = 0
    features: int = 0
    runs: list[Run] = field(default_factory=list)
    trouble: str | None = None

    def middle(self, name: str) -> float:
        """The median of a field over the runs."""
        return statistics.median(self._all(name)) if self.runs else math.nan

    def mean(self, name: str) -> float:
        """The mean of a field over the runs."""
        return statistics.fmean(self._all(name)) if self.runs else math.nan

    def most(self, name: str) -> float:
        """The largest value of a field."""
        return max(self._all(name)) if self.runs else math.nan

    def least(self, name: str) -> float:
        """The smallest value of a field."""
        return min(self._all(name)) if self.runs else math.nan

    @property
    def stability(self) -> float:
        """Mean adjusted Rand index between seeds, in percent; NaN for a single one."""
        pairs = list(chain.from_iterable(run.agreement for run in self.runs))
        return statistics.fmean(pairs) if pairs else math.nan

    def _all(self, name: str) -> list[float]:
        return [getattr(run, name) for run in self.runs]


def measure(cell: Cell, budget: float) -> dict[str, Summary]:
    """Run a cell; after `budget` seconds it is ended, and the runs finished by then count."""
    from methods import METHODS

    found = {name: Summary(name, trouble=METHODS[name].missing) for name in cell.methods}
    present = [name for name, summary in found.items() if summary.trouble is None]
    if not present:
        return found
    for said in _talk(cell, present, budget):
        kind, content = said["kind"], said["content"]
        if kind == "data":
            for name in present:
                found[name].rows, found[name].features = content
        elif kind == "run":
            found[content["method"]].runs.append(Run(**content))
        elif kind == "error":
            found[content["method"]].trouble = content["error"]
        else:  # the process ended before its time
            for name in present:
                if len(found[name].runs) < cell.seeds and found[name].trouble is None:
                    found[name].trouble = content
    return found


def _talk(cell: Cell, methods: list[str], budget: float) -> Iterator[dict[str, Any]]:
    """What the process says, line by line, and in the end why it ended if that was early."""
    plan = json.dumps(asdict(cell) | {"methods": methods})
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen([sys.executable, __file__, plan], stdout=out, stderr=complaints)
        try:
            process.wait(budget)
            early = f"ended with code {process.returncode}" if process.returncode else None
        except subprocess.TimeoutExpired:
            early = f"over {budget:g} s"
        finally:
            process.kill()
            process.wait()
        for file in (out, complaints):
            file.seek(0)
        yield from (json.loads(line) for line in out if line.endswith("\n"))
        last = complaints.read().strip().splitlines()
    if early:
        reason = f"{early}: {last[-1]}" if last and not early.startswith("over") else early
        yield {"kind": "end", "content": reason}


# --- inside the process ---------------------------------------------------------

_FAILURES = (ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError)


def _run(cell: Cell) -> Iterator[dict[str, Any]]:
    import numpy as np

    import datasets
    from methods import METHODS

    X, truth = datasets.load(cell.data, cell.samples)
    yield {"kind": "data", "content": X.shape}
    part = np.random.default_rng(0).permutation(len(X))[:SCORED_ROWS]
    before: dict[str, list[np.ndarray]] = {name: [] for name in cell.methods}
    for name in before:  # imports and compilers have their turn before the clock runs
        with contextlib.suppress(*_FAILURES):
            METHODS[name].fit(X[: max(300, cell.n_clusters)], cell.n_clusters, 0)
    for seed in range(cell.seeds):
        for name in list(before):
            try:
                run, labels = _one(cell, name, METHODS[name].fit, X, truth, seed)
            except _FAILURES as error:
                said = (str(error).strip().splitlines() or [""])[0]
                content = {"method": name, "error": f"{type(error).__name__}: {said[:80]}"}
                del before[name]
                yield {"kind": "error", "content": content}
                continue
            kept = labels[part]
            run["agreement"] = [_percent("adjusted_rand_score", a, kept) for a in before[name]]
            before[name].append(kept)
            yield {"kind": "run", "content": run}


def _one(cell: Cell, name: str, fit: Any, X: Any, truth: Any, seed: int) -> tuple[dict, Any]:
    import numpy as np

    held = machine.resident_mib()
    machine.forget_peak()
    start, busy = time.perf_counter(), time.process_time()
    labels, predict = fit(X, cell.n_clusters, seed)
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    peak = machine.peak_mib()
    label_seconds = math.nan
    if cell.predict and predict is not None:
        start = time.perf_counter()
        predict(X)
        label_seconds = time.perf_counter() - start
    known = truth is not None
    counts = np.bincount(labels[labels >= 0], minlength=cell.n_clusters)
    run = {
        "method": name,
        "seconds": seconds,
        "cpu": cpu,
        "label_seconds": label_seconds,
        "peak": peak,
        "beyond": peak - held,
        "nmi": _percent("normalized_mutual_info_score", truth, labels) if known else math.nan,
        "ari": _percent("adjusted_rand_score", truth, labels) if known else math.nan,
        "smallest": float(counts.min() / len(labels)),
    }
    return run, labels


def _percent(score: str, one: Any, other: Any) -> float:
    import sklearn.metrics

    return 100.0 * float(getattr(sklearn.metrics, score)(one, other))


def _main(plan: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")  # what peers warn about is theirs
    free = machine.memory_mib("MemAvailable")
    if free == free:  # an error in time instead of an end by the system
        resource.setrlimit(resource.RLIMIT_DATA, (int(0.9 * free * 2**20),) * 2)
    for said in _run(Cell(**plan)):
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
