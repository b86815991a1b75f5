"""Run the pages of the documentation; put fresh output and pictures into them.

    python docs/refresh.py
    python docs/refresh.py "interval coverage"    # this table alone

The ``python`` blocks of a page are one program, run from top to bottom in an empty folder.
A ``text`` block right after one of them is what it prints; in one that is marked ``text about``
the numbers may differ a little elsewhere. A picture ``docs/images/PAGE/NAME.png`` is what the
page writes as ``NAME.png``; the pictures of the README are drawn from what ``strandline demo``
leaves, that of its report by a browser. Below a comment ``table: NAME`` is what a benchmark
prints, below ``output: strandline demo`` what the demo says. `tests/test_docs.py` runs the pages
too, and compares.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_TABLE = r"(?<=<!-- table: {name} -->\n\n)(?:\|[^\n]*\n)*"
_DEMO = r"(?<=<!-- output: strandline demo -->\n```text\n)[^`]*(?=```)"
FENCE = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where the text begins and ends in the page."""

    kind: str
    body: str
    start: int
    end: int


@dataclass(frozen=True)
class Step:
    """A python block, what the page says it prints, and what it did print."""

    code: Block
    said: Block | None
    printed: str


def blocks(text: str) -> list[Block]:
    """Find the fenced blocks of a page."""
    return [
        Block(found["kind"].strip(), found["body"], found.start("body"), found.end("body"))
        for found in FENCE.finditer(text)
    ]


def run_page(page: Path, folder: Path) -> Iterator[Step]:
    """Run the python blocks of a page in a folder, one after the other.

    Parameters
    ----------
    page : Path
        Markdown.
    folder : Path
        Where the program runs, and leaves what it writes.

    Yields
    ------
    Step
    """
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__page__"}
    found = blocks(text)
    with contextlib.chdir(folder):
        for number, block in enumerate(found):
            if block.kind != "python":
                continue
            line = text.count("\n", 0, block.start)
            code = compile("\n" * line + block.body, os.fspath(page), "exec")
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(code, names)
            yield Step(block, _said(text, found, number), printed.getvalue())


def _said(text: str, found: list[Block], number: int) -> Block | None:
    """Find the text block that follows a python block with nothing but space between."""
    if number + 1 == len(found) or found[number + 1].kind not in ("text", "text about"):
        return None
    following = found[number + 1]
    between = text[found[number].end : following.start].replace(f"```{following.kind}", "")
    return following if not between.strip("`\n ") else None


def refresh_page(page: Path) -> None:
    """Put what the page's program prints and draws into the page and its pictures."""
    with TemporaryDirectory() as name:
        steps = list(run_page(page, Path(name)))
        text = page.read_text(encoding="utf-8")
        for step in reversed(steps):
            if step.said is not None:
                text = text[: step.said.start] + step.printed + text[step.said.end :]
        page.write_text(text, encoding="utf-8")
        pictures = IMAGES / page.stem
        for picture in sorted(Path(name).glob("*.png")):
            if f"images/{page.stem}/{picture.name}" in text:
                pictures.mkdir(parents=True, exist_ok=True)
                shrink(picture, pictures / picture.name)


def shrink(picture: Path, target: Path, width: int = 900) -> None:
    """Make a picture fit for a page: not too wide, and with 256 colours, legends' too."""
    from PIL import Image

    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    few = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(target, optimize=True)


def draw_walker_lake(results: Path, target: Path) -> None:
    """Draw the picture of the README from the results of ``strandline demo``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    import strandline as sl
    from strandline.show.display import fit_stretch
    from strandline.show.palettes import change_palette

    change = sl.open_scene(results / "change.tif", reflectance=False, band_names=["change"])
    change = change.isel(band=0).sel(x=slice(341e3, 362e3), y=slice(4297e3, 4271e3)).compute()
    pictured = ["red", "green", "blue"]
    scenes = [
        sl.regrid(sl.open_scene(folder), change, "nearest").sel(band=pictured).compute()
        for folder in sorted((results / "scenes").iterdir(), key=lambda path: path.name[17:25])
    ]
    stretch = fit_stretch(scenes, pictured, natural=True)
    colours = [stretch.apply(scene.values).transpose(1, 2, 0) for scene in scenes]
    palette = change_palette()
    grey = 0.5 + 0.46 * colours[1].mean(axis=2, keepdims=True).repeat(3, axis=2)
    classes = palette.rgba_table()[change.values.astype("uint8"), :3]
    colours.append(
        classes * (change.values != 0)[..., None] + grey * (change.values == 0)[..., None]
    )
    km2 = sl.areas(change.astype("uint8").assign_attrs(flag_meanings="lost"))["best"]

    figure = Figure(figsize=(10.4, 4.75), facecolor="white")
    FigureCanvasAgg(figure)
    titles = ["1988-10-22, Landsat 5 TM", "2017-10-22, Landsat 8 OLI", "Change"]
    for number, (image, title) in enumerate(zip(colours, titles, strict=True)):
        axes = figure.add_axes((0.005 + number * 0.333, 0.085, 0.323, 0.845))
        axes.imshow(image, interpolation="antialiased", extent=(0, 21, 0, 26))
        axes.set_title(title, loc="left", fontsize=13, fontweight="bold")
        axes.set_axis_off()
        if number == 0:
            axes.plot([1.2, 6.2], [1.2, 1.2], color="black", lw=4, solid_capstyle="butt")
            axes.text(1.2, 1.7, "5 km", color="black", fontsize=11)
    figure.text(0.008, 0.03, "Walker Lake, Nevada (simulated), true colour", fontsize=11)
    legend = [
        Patch(color=palette[2].colour, label=f"water lost, {km2['lost']:.1f} km²"),
        Patch(color=palette[1].colour, label=f"water on both dates, {km2['stable water']:.1f} km²"),
    ]
    figure.legend(handles=legend, loc="lower right", ncols=2, frameon=False, fontsize=11)
    with TemporaryDirectory() as name:
        drawn = Path(name) / "drawn.png"
        figure.savefig(drawn, dpi=110)
        shrink(drawn, target, width=1040)


def picture_report(report: Path, target: Path) -> None:
    """Have a browser take a picture of the part of the demo's report that answers to its reader."""
    sys.path.append(os.fspath(ROOT / "tests"))
    from browser import open_browser, open_page

    margin = 20
    with (
        TemporaryDirectory() as name,
        open_browser() as browser,
        open_page(browser, width=1280, height=1100, offline=True) as (page, _),
    ):
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("#explorer[data-ready=yes]")
        page.evaluate("Promise.all([...document.images].map(one => one.decode().catch(() => 0)))")
        box = page.locator("#scenes").bounding_box()
        box |= {"x": box["x"] - margin, "width": box["width"] + 2 * margin}
        page.screenshot(full_page=True, path=Path(name) / "report.png", clip=box)
        shrink(Path(name) / "report.png", target, width=1040)


def picture_app(target: Path) -> None:
    """Have a browser take a picture of the app with the demo's map."""
    sys.path.append(os.fspath(ROOT / "tests"))
    from app_served import served, visit
    from browser import open_browser

    with (
        TemporaryDirectory() as name,
        served([], Path(name) / "cache", demo_resolution=30.0) as server,
        open_browser() as browser,
        visit(browser, server.url, width=1280, height=860) as there,
    ):
        there.ready(120)
        there.page.wait_for_timeout(1000)  # the picture may come after its frame
        there.page.screenshot(path=Path(name) / "app.png")
        shrink(Path(name) / "app.png", target, width=1040)


def find_table(text: str, name: str) -> re.Match[str] | None:
    """Find the table below the comment ``table: NAME``; it may still be empty."""
    return re.search(_TABLE.format(name=re.escape(name)), text)


def benchmark(name: str) -> ModuleType:
    """Import a script of the folder ``benchmarks``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"There is no benchmark '{name}'.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def refresh_tables(data: Path, names: Sequence[str] = ()) -> None:
    """Put what the benchmarks print into the pages.

    Parameters
    ----------
    data : Path
        The real scenes with references.
    names : sequence of str
        Which; all without.
    """
    accuracy, shifts = benchmark("water_accuracy"), benchmark("shift_accuracy")
    intervals = benchmark("interval_coverage")
    lakes = range(intervals.TESTED_FROM, intervals.TESTED_FROM + intervals.LAKES)
    tables: dict[str, Callable[[], str]] = {
        "accuracy": lambda: accuracy.table(list(accuracy.measure(data))),
        "called water": lambda: accuracy.called_water(data),
        "pixel size": lambda: benchmark("area_by_pixel_size").table(),
        "sensor bias": lambda: benchmark("sensor_bias").table(),
        "shift accuracy": lambda: shifts.table(shifts.SIZE, data),
        "interval coverage": lambda: intervals.table(intervals.measure(lakes)),
    }
    unknown = set(names) - set(tables)
    if unknown:
        sys.exit(f"No table is called {', '.join(sorted(unknown))}; there are {', '.join(tables)}.")
    for name in names or tables:
        table = tables[name]()
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            if place := find_table(text, name):
                text = f"{text[: place.start()]}{table}\n\n{text[place.end() :].lstrip()}"
                page.write_text(text, encoding="utf-8")


def refresh_demo() -> None:
    """Put what ``strandline demo`` says, and the pictures of it, into the README."""
    from strandline.demo import run_demo

    readme = ROOT / "README.md"
    with TemporaryDirectory() as name:
        said = run_demo(Path(name) / "demo").summary()
        draw_walker_lake(Path(name) / "demo", IMAGES / "walker-lake.png")
        picture_report(Path(name) / "demo" / "report.html", IMAGES / "report.png")
        picture_app(IMAGES / "app.png")
    text = readme.read_text(encoding="utf-8")
    readme.write_text(re.sub(_DEMO, lambda _: said + "\n", text), encoding="utf-8")


def main() -> None:
    """Refresh every page, picture and table, or the tables that are named."""
    names = sys.argv[1:]
    if not names:
        for page in PAGES:
            refresh_page(page)
        refresh_demo()
    data = ROOT.parent / "shared" / "data"
    if data.is_dir():
        refresh_tables(data, names)
    else:
        sys.exit(f"The tables stay as they are: the real scenes are not at {data}.")


if __name__ == "__main__":
    main()
