"""How long people wait for the app, by the browser's own clock, as a Markdown table.

    python benchmarks/app_times.py [--size ROWS COLUMNS] [--folder FOLDER] [--rounds N]
                                   [--only PART ...] [--demo-resolution M]

A server is started as `strandline app` starts it, and a real Chromium goes to its page:

first map, demo         from navigation to the drawn map; the server has made the demo before
first map, 300 × 300    the same for a small scene that nobody has asked for yet
another clustering      from another number of clusters of that scene to its new picture
first map, full scene   a simulated scene of Landsat 5 (7241 × 7961 pixels), asked for the first
                        time: the preview, and every pixel; and once more, when the server has it
zoom, pan               from turning the wheel, and letting go of the map, to the new picture

A picture counts as new when Bokeh has drawn what the server sent: the image's data have changed
and the page is idle again. The median of N rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import full_scene
import machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from app_served import Visit, served, visit
from browser import open_browser

DEMO_SECONDS, FULL_SECONDS, CLUSTER_SECONDS, MOVE_SECONDS = 5.0, 10.0, 1.0, 1.0
PATIENCE = 200.0
PARTS = DEMO, SMALL, FULL = "demo", "small", "full"

# Remember when the image of the first visible figure was drawn anew, after its data changed.
_WATCH = """() => {
  const figures = []
  const walk = (view) => {
    const seen = view.el?.checkVisibility?.({visibilityProperty: true})
    if (view.model?.type?.endsWith("Figure") && seen) figures.push(view)
    for (const child of view.child_views ?? []) walk(child)
  }
  for (const root of Object.values(Bokeh.index)) walk(root)
  const source = figures[0].model.renderers[0].data_source
  window.drawnAt = null
  const changed = () => requestAnimationFrame(() => requestAnimationFrame(
    () => { window.drawnAt = performance.now() }))
  source.properties.data.change.connect(changed)
  source.patching?.connect(changed)
}"""


class Wait(NamedTuple):
    """What somebody waited for, for how many seconds, and what is asked for."""

    what: str
    seconds: float
    goal: float | None


def main(arguments: Sequence[str] | None = None) -> str:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "full-scene")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--demo-resolution", type=float, default=30.0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args(arguments)
    return table(measure(given.folder, given.size, given.rounds, given.demo_resolution, given.only))


def measure(
    folder: Path,
    size: Sequence[int] | None,
    rounds: int,
    demo_resolution: float,
    parts: Sequence[str] = PARTS,
    browser: Any = None,
) -> list[Wait]:
    products = {SMALL: full_scene.simulated(folder, (300, 300))}
    if FULL in parts:
        products[FULL] = full_scene.simulated(folder, size)
    folders = [product.parent for product in products.values()]
    with (
        tempfile.TemporaryDirectory() as cache,
        served(folders, Path(cache), demo_resolution=demo_resolution) as server,
        open_browser() if browser is None else nullcontext(browser) as browser,
    ):
        with visit(browser, server.url) as there:
            there.ready(PATIENCE)  # the server has everything that a first page needs
        urls = {
            part: f"{server.url}?before={product.parent.name}/{product.name}"
            for part, product in products.items()
        }
        waits = []
        if DEMO in parts:
            waits.append(
                Wait("first map, demo", _median(rounds, browser, server.url), DEMO_SECONDS)
            )
        if SMALL in parts:
            waits += _small(browser, urls[SMALL], rounds)
        if FULL in parts:
            waits += _large(browser, urls[FULL], rounds)
    return waits


def table(waits: Sequence[Wait]) -> str:
    lines = ["| from … to the new picture | seconds | goal |", "|---|---|---|"]
    for wait in waits:
        goal = "–" if wait.goal is None else f"≤ {wait.goal:g}"
        lines.append(f"| {wait.what} | {wait.seconds:.2f} | {goal} |")
    return "\n".join(lines)


def _small(browser: Any, url: str, rounds: int) -> list[Wait]:
    first = _first_map(browser, url)
    took = []
    with visit(browser, url) as there:
        there.ready(PATIENCE)
        for count in range(7, 7 - rounds, -1):
            took.append(_until_drawn(there, lambda count=count: there.set("How many", str(count))))
            there.has_clusters(count)
    return [
        Wait("first map, 300 × 300, not asked for before", first, None),
        Wait("another clustering, 300 × 300", statistics.median(took), CLUSTER_SECONDS),
    ]


def _large(browser: Any, url: str, rounds: int) -> list[Wait]:
    with visit(browser, url) as there:
        there.has_map(PATIENCE)
        preview = _now(there)
        there.ready(PATIENCE)
        every = _now(there)
    warm = _median(rounds, browser, url)
    zooms, pans = [], []
    with visit(browser, url) as there:
        there.ready(PATIENCE)
        f = there.frame()
        middle = f["x"] + f["width"] / 2, f["y"] + f["height"] / 2
        there.page.mouse.move(*middle)
        for _ in range(rounds):
            zooms.append(_until_drawn(there, lambda: there.page.mouse.wheel(0, -300)))
            there.page.wait_for_timeout(1500)
            end = middle[0] + 60, middle[1] + 40
            there.page.mouse.down()
            there.page.mouse.move(*end, steps=8)
            pans.append(_until_drawn(there, there.page.mouse.up))
            there.page.mouse.move(*middle)
            there.page.wait_for_timeout(1500)
    return [
        Wait("first map, full scene, not asked for before: a preview", preview, FULL_SECONDS),
        Wait("the same, of every pixel", every, None),
        Wait("first map, full scene", warm, FULL_SECONDS),
        Wait("zoom, full scene", statistics.median(zooms), MOVE_SECONDS),
        Wait("pan, full scene", statistics.median(pans), MOVE_SECONDS),
    ]


def _median(rounds: int, browser: Any, url: str) -> float:
    return statistics.median(_first_map(browser, url) for _ in range(rounds))


def _first_map(browser: Any, url: str) -> float:
    """Seconds from navigation to the map, by the page's clock."""
    with visit(browser, url) as there:
        there.has_map(PATIENCE)
        return _now(there)


def _now(there: Visit) -> float:
    """Seconds since navigation, by the page's clock."""
    return float(there.page.evaluate("performance.now()")) / 1000


def _until_drawn(there: Visit, act: Callable[[], None]) -> float:
    """Seconds from an act to the picture that it brings, by the page's clock."""
    there.page.evaluate(_WATCH)
    begin = _now(there)
    act()
    there.page.wait_for_function("() => window.drawnAt !== null", timeout=1000 * PATIENCE)
    # What is drawn more than once is done when nothing comes any more.
    last = None
    while last != (last := there.page.evaluate("window.drawnAt")):
        time.sleep(0.4)
    return float(last) / 1000 - begin


if __name__ == "__main__":
    print(machine.facts() + "\n\n" + main())
