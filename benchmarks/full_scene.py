"""Time and memory to map a whole Landsat scene, beside just reading it, as a Markdown table.

    python benchmarks/full_scene.py [--size ROWS COLUMNS] [--folder FOLDER] [--rounds N]

A scene of Walker Lake is simulated (by default whole: 7241 × 7961 pixels, six bands, 65 %
seen; it stays in FOLDER for the next time). Each line is a process of its own:

read      every block of every band, decoded by rasterio in as many threads: the floor
maps      the scene to a COG of labels and one of water, tile by tile
study     `strandline segment`: maps, areas, pictures, report, model and record
workers   as maps, by worker processes of Dask with one thread each; the memory is the client's

Time is from start to end of the process, imports too; the median of N rounds, which take
turns. CPU is user and system time. Peak memory is that of the whole process. The time
over the floor's is the number to watch: what else the machine does weighs on both.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import machine
from report import Goal

KINDS = ("read", "maps", "study", "workers")
MOST_TIME, MOST_MIB, LEAST_SHARE = 3.0, 2048.0, 0.8


class Cost(NamedTuple):
    """What a process took."""

    seconds: float
    cpu: float
    peak_mib: float


def main(arguments: Sequence[str] | None = None) -> str:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "full-scene")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--product", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        CHILDREN[given.child](given.product)
        return str(machine.peak_mib())
    found = simulated(given.folder, given.size)
    return costs_table(found, measure(found, given.only, given.rounds))


def measure(product: Path, kinds: Sequence[str] = KINDS, rounds: int = 1) -> dict[str, Cost]:
    """What each kind of work costs: medians of rounds in which all take turns."""
    costs: dict[str, list[Cost]] = {kind: [] for kind in KINDS if kind in kinds}
    for _ in range(rounds):
        for kind in costs:
            costs[kind].append(_cost(kind, product))
    return {
        kind: Cost(*(statistics.median(column) for column in zip(*taken, strict=True)))
        for kind, taken in costs.items()
    }


def simulated(folder: Path, size: Sequence[int] | None = None) -> Path:
    """The product folder of a simulated scene; it is made if it is not there yet."""
    place = folder / ("full" if size is None else "x".join(map(str, size)))
    found = sorted(place.glob("LT05_*")) if place.is_dir() else []
    if not found:
        import strandline as sl

        scene, _ = sl.simulate_scene(size="full" if size is None else tuple(size), path=place)
        found = [Path(scene.attrs["source"])]
    return found[0]


def _cost(kind: str, product: Path) -> Cost:
    words = [sys.executable, __file__, "--child", kind, "--product", str(product)]
    start = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, cpu, float(said.split()[-1]))


# --- the children ---------------------------------------------------------------


def _read(product: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import rasterio

    def read(path: Path) -> int:
        with rasterio.open(path) as file:
            return sum(file.read(1, window=window).size for _, window in file.block_windows(1))

    with ThreadPoolExecutor(machine.cpus()) as pool:
        list(pool.map(read, sorted(product.glob("*_SR_B*.TIF"))))


def _maps(product: Path, client: object = None) -> None:
    import strandline as sl
    from strandline.export.raster import write_cog
    from strandline.export.work import work_folder
    from strandline.segmentation.segment import fit_segmentation
    from strandline.streaming import stream_segmentation
    from strandline.workers import only_here

    scene = sl.open_scene(product)
    out = product.with_name("maps")
    with work_folder(out, {"benchmark": time.time()}) as work:
        segmentation, _ = stream_segmentation(
            scene.expand_dims("time"), [scene], fit_segmentation, work, client=client
        )
        with only_here(client):
            write_cog(segmentation["labels"][0], out / "labels.tif")
            write_cog(sl.water_mask(segmentation)[0], out / "water.tif")
    shutil.rmtree(out)


def _on_workers(product: Path) -> None:
    from distributed import Client

    with Client(n_workers=machine.cpus(), threads_per_worker=1, dashboard_address=":0") as client:
        _maps(product, client)


def _study(product: Path) -> None:
    import strandline as sl

    out = product.with_name("study")
    sl.run_study({"scenes": [{"source": str(product)}]}, out)
    shutil.rmtree(out)


CHILDREN = {"read": _read, "maps": _maps, "study": _study, "workers": _on_workers}


# --- the table ------------------------------------------------------------------


def costs_table(product: Path, costs: dict[str, Cost]) -> str:
    """One line per kind of work, below one about the scene."""
    lines = [
        f"{machine.processor()}, {machine.cpus()} CPUs; {_about(product)}.",
        "",
        "| | time | CPU | peak memory | time / read | CPU / read |",
        "|---|---|---|---|---|---|",
    ]
    floor = costs.get("read")
    for kind, cost in costs.items():
        ratios = (cost.seconds / floor.seconds, cost.cpu / floor.cpu) if floor else (0.0, 0.0)
        lines.append(
            f"| {kind} | {cost.seconds:.1f} s | {cost.cpu:.1f} s | {cost.peak_mib:.0f} MiB "
            f"| {ratios[0]:.1f} | {ratios[1]:.1f} |"
        )
    return "\n".join(lines)


def _about(product: Path) -> str:
    import rasterio

    files = sorted(product.glob("*_SR_B*.TIF"))
    with rasterio.open(files[0]) as file:
        rows, columns = file.shape
        seen = (file.read(1) != file.nodata).mean()
    stored = sum(path.stat().st_size for path in files) / 2**20
    return (
        f"{rows} × {columns} pixels, {len(files)} bands, {seen:.0%} seen, {stored:.0f} MiB stored"
    )


def goals(product: Path, costs: dict[str, Cost]) -> Iterator[Goal]:
    """COGs in, COGs out, beside reading them; worker processes beside threads."""
    read, maps, workers = (costs.get(kind) for kind in ("read", "maps", "workers"))
    if read and maps:
        ratio = maps.seconds / read.seconds
        yield Goal(
            f"time from COGs to COGs: {_about(product)}",
            f"{maps.seconds:.1f} s, {ratio:.1f}×",
            f"≤ {MOST_TIME:g}× reading",
            ratio <= MOST_TIME,
            f"reading {read.seconds:.1f} s",
        )
        yield Goal(
            "peak memory of that",
            f"{maps.peak_mib:.0f} MiB",
            f"≤ {MOST_MIB:.0f} MiB",
            maps.peak_mib <= MOST_MIB,
            f"reading {read.peak_mib:.0f} MiB",
        )
    if maps and workers:
        share = maps.seconds / workers.seconds
        yield Goal(
            f"throughput of {machine.cpus()} worker processes, by that of as many threads",
            f"{share:.2f} ({workers.seconds:.1f} s)",
            f"≥ {LEAST_SHARE}",
            share >= LEAST_SHARE,
            f"threads {maps.seconds:.1f} s",
        )


if __name__ == "__main__":
    print(main())
