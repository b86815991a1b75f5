"""How time and memory of a timeline grow with the number of dates, as a Markdown table.

    python benchmarks/timeline.py [--dates 25 50 100] [--side 1000]

Each number of dates is a process of its own. A date is made when it is read: a lake whose
level differs from date to date, in six bands with noise, in chunks of 500 x 500 pixels on two
threads. Memory is the peak beyond what the process held before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

THREADS = 2
CHUNK = 500
NOISE = 0.004
COUNTS, SIDE = (25, 50, 100), 1000


class Run(NamedTuple):
    """Seconds and peak memory (MiB) of one timeline, and the largest error of its areas.

    The seconds of CPU are those of all threads: they mean the same on a busy machine.
    """

    dates: int
    seconds: float
    cpu: float
    peak: float
    error: float


def measure(dates: int, side: int) -> Run:
    """Follow so many dates, in a process of its own."""
    words = [sys.executable, str(Path(__file__).resolve()), "--one", str(dates)]
    done = subprocess.run([*words, "--side", str(side)], capture_output=True, text=True, check=True)
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def table(runs: Sequence[Run]) -> str:
    """A row per number of dates."""
    lines = [
        "| dates | time | time per date | CPU per date | memory | largest error of the area |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {run.dates} | {run.seconds:.1f} s | {run.seconds / run.dates:.2f} s "
        f"| {run.cpu / run.dates:.2f} s | {run.peak:.0f} MiB | {run.error:.2%} |"
        for run in runs
    ]
    return "\n".join(lines)


def _one(dates: int, side: int) -> Run:
    import dask
    import dask.array as da
    import pandas as pd
    import xarray as xr

    import strandline as sl
    from strandline.prepare.georeference import attach_grid
    from strandline.testing.lakes import BANDS, SPECTRA, lake_grid

    grid = lake_grid((side, side))
    wet, dry = (np.array(SPECTRA[name], np.float32)[:, None, None] for name in ("water", "soil"))
    radii = side * (0.3 + 0.05 * np.sin(np.arange(dates)))

    def made(block_info: dict) -> np.ndarray:
        (number, _), _, rows, columns = block_info[None]["array-location"]
        y, x = np.ogrid[slice(*rows), slice(*columns)]
        inside = np.hypot(y + 0.5 - side / 2, x + 0.5 - side / 2) <= radii[number]
        noise = np.random.default_rng([number, rows[0], columns[0]]).standard_normal(
            (len(BANDS), *inside.shape), np.float32
        )
        return (np.where(inside, wet, dry) + NOISE * noise)[None].astype(np.float32)

    chunks = ((1,) * dates, (len(BANDS),), *[_sizes(side)] * 2)
    data = da.map_blocks(made, chunks=chunks, dtype=np.float32, meta=np.empty((0,) * 4, "f4"))
    times = pd.date_range("1984-01-15", periods=dates, freq="120D")
    scenes = xr.DataArray(
        data,
        dims=("time", "band", "y", "x"),
        coords={"time": times, "band": list(BANDS)},
        attrs={"units": "1", "platform": "landsat-5"},
    )
    scenes = attach_grid(scenes, grid)
    before = _peak()
    with dask.config.set(scheduler="threads", num_workers=THREADS):
        start, begun = time.perf_counter(), time.process_time()
        history = sl.timeline(scenes, n_clusters=4)
        seconds, cpu = time.perf_counter() - start, time.process_time() - begun
    truth = np.pi * radii**2 * 30**2 / 1e6
    error = float(np.abs(history["best"].values / truth - 1).max())
    return Run(dates, seconds, cpu, _peak() - before, error)


def _sizes(side: int) -> tuple[int, ...]:
    whole, rest = divmod(side, CHUNK)
    return (CHUNK,) * whole + ((rest,) if rest else ())


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dates", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(_one(given.one, given.side)._asdict()))
        return
    print(table([measure(dates, given.side) for dates in given.dates]))


if __name__ == "__main__":
    main()
