"""Figures of the benchmarks, drawn from what `python benchmarks` measured.

    python benchmarks/figure.py FOLDER

draws FOLDER/growth.png, quality.png and the same as SVG from FOLDER/measured.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from growth import N_CLUSTERS, Growth, restored
from report import count

STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.4",
    "axes.linewidth": 0.8,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "xtick.color": "0.3",
    "ytick.color": "0.3",
    "svg.fonttype": "none",
    "svg.hashsalt": "strandline",
}
LOOKS = {  # name, colour, marker: the colours differ for colour-blind eyes too
    "strandline": ("Strandline", "#0a5a9c", "o"),
    "strandline-nearest_neighbors": ("Strandline, neighbours", "#4fa3d9", "o"),
    "strandline-rbf": ("Strandline, rbf", "#4fa3d9", "o"),
    "dask-ml": ("dask-ml", "#d1480f", "s"),
    "exact": ("exact, rbf", "#8a4fa0", "D"),
    "exact-neighbours": ("exact, neighbours", "#c08fd0", "D"),
    "nystroem": ("Nystroem + KMeans", "#8a7a00", "^"),
    "kmeans": ("KMeans", "0.35", "v"),
    "minibatch": ("MiniBatchKMeans", "0.62", "v"),
}
_HALO = [withStroke(linewidth=3, foreground="white")]
_GAP = 12.5
"""Least distance of two labels, in points."""


# --- growth ---------------------------------------------------------------------


def growth_figure(growth: Growth) -> Figure:
    """Time and memory over the number of samples, on logarithmic axes."""
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5.2))
        _lines(left, growth, "seconds")
        _lines(right, growth, "beyond")
        left.set_title("Time to fit and to label all samples")
        right.set_title("Memory on top of the loaded data")
        left.yaxis.set_major_formatter(FuncFormatter(_duration))
        left.yaxis.set_major_locator(FixedLocator([0.01, 0.1, 1, 10, 60, 600, 3600]))
        right.yaxis.set_major_formatter(FuncFormatter(_bytes))
        right.yaxis.set_major_locator(FixedLocator([1, 10, 100, 1024, 10 * 1024, 100 * 1024]))
        for axes in (left, right):
            axes.set_xlabel(f"samples (pixels of six bands, k = {N_CLUSTERS})")
        figure.subplots_adjust(left=0.06, right=0.87, bottom=0.11, top=0.93, wspace=0.48)
        figure.draw_without_rendering()  # where things are is known only then
        _direct_labels(left, growth, "seconds")
        _direct_labels(right, growth, "beyond")
    return figure


def _lines(axes: Axes, growth: Growth, what: str) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for order, name in enumerate(reversed(growth.found)):
        points = _points(growth, name, what)
        if points:
            _, colour, marker = LOOKS[name]
            width = 2.6 if name == "strandline" else 1.5
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, lw=width, ms=5)
            axes.lines[-1].set_zorder(3 + order)
    axes.xaxis.set_major_locator(FixedLocator(growth.sizes))
    axes.xaxis.set_major_formatter(FuncFormatter(_size))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="0.9", lw=0.8)
    axes.set_axisbelow(True)


def _points(growth: Growth, name: str, what: str) -> list[tuple[int, float]]:
    points = growth.points(name, what)
    return [(size, max(value, 1.0)) for size, value in points] if what == "beyond" else points


def _direct_labels(axes: Axes, growth: Growth, what: str) -> None:
    """Each line's name at its end; those that end at the same size are pushed apart."""
    ends: dict[int, list[tuple[float, str]]] = {}
    for name in growth.found:
        if points := _points(growth, name, what):
            size, value = points[-1]
            ends.setdefault(size, []).append((value, name))
    pixels = axes.figure.dpi / 72
    for size, group in ends.items():
        ordered = sorted(group)
        there = [axes.transData.transform((size, value))[1] / pixels for value, _ in ordered]
        for (value, name), place, wanted in zip(ordered, there, _spread(there), strict=True):
            text, colour, _ = LOOKS[name]
            axes.annotate(
                text,
                (size, value),
                xytext=(8, wanted - place),
                textcoords="offset points",
                va="center",
                color=colour,
                weight="bold" if name == "strandline" else "normal",
                path_effects=_HALO,
                zorder=20,
                annotation_clip=False,
            )


def _spread(places: Sequence[float]) -> list[float]:
    """Ascending places, `_GAP` apart: those too close to one another share a block around them."""
    blocks: list[list[float]] = []
    for place in places:
        blocks.append([place])
        while len(blocks) > 1 and _edges(blocks[-1])[0] < _edges(blocks[-2])[1] + _GAP:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return [_edges(block)[0] + _GAP * i for block in blocks for i in range(len(block))]


def _edges(block: Sequence[float]) -> tuple[float, float]:
    middle, half = sum(block) / len(block), _GAP * (len(block) - 1) / 2
    return middle - half, middle + half


def _duration(value: float, _: Any = None) -> str:
    if value < 60:
        return f"{value:g} s"
    return f"{value / 60:g} min" if value < 3600 else f"{value / 3600:g} h"


def _bytes(value: float, _: Any = None) -> str:
    return f"{value:g} MiB" if value < 1024 else f"{value / 1024:g} GiB"


def _size(value: float, _: Any = None) -> str:
    return count(round(value)) if value >= 1 else ""


# --- quality --------------------------------------------------------------------


def quality_figure(lines: Sequence[dict[str, Any]]) -> Figure:
    """NMI on labelled sets and stability on scenes, one row per set, with the goals.

    Parameters
    ----------
    lines : sequence of dict
        ``title``, ``what`` ("nmi" or "stability"), ``bar``, ``values`` (by method, percent).
    """
    parts = {what: [line for line in lines if line["what"] == what] for what in TITLES}
    parts = {what: found for what, found in parts.items() if found}
    with plt.rc_context(STYLE):
        heights = [len(found) for found in parts.values()]
        figure, grid = plt.subplots(
            len(parts),
            1,
            figsize=(9.5, 1.6 + 0.42 * sum(heights) + 0.8 * len(parts)),
            squeeze=False,
            gridspec_kw={"height_ratios": heights},
            layout="constrained",
        )
        for axes, (what, found) in zip(grid[:, 0], parts.items(), strict=True):
            _rows(axes, found)
            axes.set_title(TITLES[what])
        named = [name for name in LOOKS if any(name in line["values"] for line in lines)]
        figure.legend(
            handles=[*(_mark(*LOOKS[name]) for name in named), _mark("goal", "0.15", "|")],
            loc="outside upper left",
            ncols=4,
            frameon=False,
            handletextpad=0.1,
            columnspacing=1.4,
        )
    return figure


TITLES = {
    "nmi": "Agreement with the true classes: NMI, %",
    "stability": "Agreement between seeds: adjusted Rand index, %",
}


def _mark(text: str, colour: str, marker: str) -> Line2D:
    edge = 1.8 if marker == "|" else 0.0
    size = 10 if marker == "|" else 7
    return Line2D(
        [], [], linestyle="none", marker=marker, color=colour, ms=size, mew=edge, label=text
    )


def _rows(axes: Axes, found: Sequence[dict[str, Any]]) -> None:
    for y, line in enumerate(found):
        axes.plot([line["bar"]] * 2, [y - 0.36, y + 0.36], color="0.15", lw=1.6, zorder=1)
    names = [name for name in LOOKS if any(name in line["values"] for line in found)]
    step = 0.5 / max(1, len(names) - 1)
    for order, name in enumerate(reversed(names)):
        aside = 0.25 - step * order  # equal values stay visible
        places = [
            (line["values"][name], y + aside)
            for y, line in enumerate(found)
            if line["values"].get(name) is not None
        ]
        _, colour, marker = LOOKS[name]
        size = 9 if name == "strandline" else 6.5
        if places:
            axes.plot(
                *zip(*places, strict=True),
                linestyle="none",
                marker=marker,
                color=colour,
                ms=size,
                mec="white",
                mew=0.8,
                zorder=3 + order,
                clip_on=False,
            )
    axes.set_yticks(range(len(found)), [line["title"] for line in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(-2, 101)
    axes.grid(axis="x", color="0.92", lw=0.8)
    axes.hlines(range(len(found)), -2, 101, color="0.9", lw=0.8, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


# --- files ----------------------------------------------------------------------


def draw(folder: Path) -> list[Path]:
    """Draw what FOLDER/measured.json has, as PNG and SVG."""
    measured = json.loads((folder / "measured.json").read_text(encoding="utf-8"))
    figures = {}
    if measured.get("growth"):
        figures["growth"] = growth_figure(restored(measured["growth"]))
    if measured.get("quality"):
        figures["quality"] = quality_figure(measured["quality"])
    drawn = []
    for name, figure in figures.items():
        for kind in ("png", "svg"):
            drawn.append(folder / f"{name}.{kind}")
            about = {"Date": None} if kind == "svg" else None
            figure.savefig(drawn[-1], dpi=150, metadata=about, facecolor="white")
        plt.close(figure)
    return drawn


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    plt.switch_backend("agg")
    for path in draw(parser.parse_args(arguments).folder):
        print(path)


if __name__ == "__main__":
    main()
