"""A chart of how much water there was on each date."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable
from typing import Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from strandline.show.canvas import Picture, own_style
from strandline.show.captions import dates_text, day_text, platform_text
from strandline.show.furniture import INK, SOFT
from strandline.show.palettes import LOST, UNSEEN, WATER

_WIDTH, _AREA, _SHARE = 8.6, 2.75, 0.65  # inches: the sheet, and the heights of its two axes
_BELOW, _BETWEEN, _LINE = 0.5, 0.35, 0.17
_PER_LINE = 115  # characters
_LEGEND_COLUMNS, _LEGEND_ROW = 5, 0.2
_NAMED = 8  # misfits with their date written beside them, at most

LONGEST_GAP = 550
"""Days between two dates that a line may join: a year, and the season by which yearly dates differ.
Water comes and goes with the seasons, so a line across more would be an invention."""

MARKERS = {
    "landsat-4": "v",
    "landsat-5": "o",
    "landsat-7": "s",
    "landsat-8": "^",
    "landsat-9": "D",
    "sentinel-2a": "*",
    "sentinel-2b": "<",
    "sentinel-2c": ">",
}
"""The same sensor has the same shape in every chart."""

_OTHER_MARKERS = ("P", "p", "h", "8")  # for platforms of other names, in their order
_UNKNOWN_MARKER = "d"


def timeline_chart(series: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Draw the area of water over time, with what it can be and how much was observed.

    Each sensor has its own shape of marker. Dates that do not fit are crossed out, and no line
    goes through them; dates of which a tenth or more was not observed are hollow.

    Parameters
    ----------
    series : DataFrame
        A row per ``time``: ``least``, ``best``, ``most`` (km²), ``observed_share``, ``fits``; if
        it has ``low_95`` and ``high_95``, they are a band around the line; if it has
        ``platform``, the chart names the sensors.
    title : str, optional
        Another headline; dates and sensors are named below it.

    Returns
    -------
    Figure
        The chart.

    Examples
    --------
    >>> row = {"least": 1.0, "best": 1.0, "most": 2.0, "observed_share": 0.8, "fits": True}
    >>> row["platform"] = "landsat-5"
    >>> series = pd.DataFrame([row], index=pd.DatetimeIndex(["1990-07-01"], name="time"))
    >>> timeline_chart(series).texts[1].get_text()
    '1990-07-01 Landsat 5 TM'
    """
    fits = series["fits"].to_numpy(bool)
    platforms = _platforms(series)
    markers = _markers(platforms)
    told = dates_text(map(day_text, series.index), map(platform_text, platforms))
    lines = textwrap.wrap(told, _PER_LINE, break_on_hyphens=False)
    lines += textwrap.wrap(_reading_aid(series), _PER_LINE)
    key = _key(markers, fits)
    legend = -(-len(key) // _LEGEND_COLUMNS) * _LEGEND_ROW
    above = 0.18 + 0.25 + _LINE * len(lines) + 0.06 + legend + 0.08
    height = above + _AREA + _BETWEEN + _SHARE + _BELOW
    with own_style():
        figure = Picture(figsize=(_WIDTH, height), facecolor="white")
        FigureCanvasAgg(figure)
        left = 0.2 / _WIDTH
        figure.text(
            left, 1 - 0.18 / height, title or "Water over time", size=12.5, weight="bold",
            color=INK, va="top",
        )  # fmt: skip
        for number, line in enumerate(lines):
            top = 0.18 + 0.27 + _LINE * number
            figure.text(left, 1 - top / height, line, color=SOFT, va="top")
        area = figure.add_axes(
            (0.085, (_BELOW + _SHARE + _BETWEEN) / height, 0.895, _AREA / height)
        )
        share = figure.add_axes((0.085, _BELOW / height, 0.895, _SHARE / height), sharex=area)
        _draw_area(area, series, fits, [markers[platform] for platform in platforms])
        _draw_share(share, series, fits)
        for axes in (area, share):
            axes.tick_params(colors=SOFT, length=2.5)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        area.tick_params(labelbottom=False)
        if key:
            area.legend(
                handles=key, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=_LEGEND_COLUMNS,
                frameon=False, fontsize=8.5, borderaxespad=0.3, borderpad=0, handletextpad=0.2,
                columnspacing=1.6,
            )  # fmt: skip
    return figure


def _reading_aid(series: pd.DataFrame) -> str:
    return (
        ("band: 95 % interval; " if "low_95" in series else "")
        + "bars: the least and the most, whatever was hidden; "
        "hollow: a tenth or more was not observed"
        + (
            "; no line across more than a year and a half without a date"
            if _has_gaps(series)
            else ""
        )
    )


def _whole(series: pd.DataFrame) -> np.ndarray:
    """Return which dates the line goes through: those that fit and were observed."""
    whole: np.ndarray = series["fits"].to_numpy(bool) & (series["observed_share"].to_numpy() > 0.9)
    return whole


def _has_gaps(series: pd.DataFrame) -> bool:
    return len(_without_gaps(series.index.to_numpy()[_whole(series)])) > 1


def _platforms(series: pd.DataFrame) -> list[str]:
    if "platform" not in series:
        return ["unknown"] * len(series)
    return [str(name) for name in series["platform"].fillna("unknown").replace("", "unknown")]


def _markers(platforms: Iterable[str]) -> dict[str, str]:
    """Give each platform its shape, in the order of their names; what is not known comes last."""
    present = sorted(set(platforms), key=lambda name: (name == "unknown", name))
    others = [name for name in present if name not in MARKERS and name != "unknown"]
    of_others = {
        name: _OTHER_MARKERS[number % len(_OTHER_MARKERS)] for number, name in enumerate(others)
    }
    known = {**MARKERS, **of_others, "unknown": _UNKNOWN_MARKER}
    return {name: known[name] for name in present}


def _key(markers: dict[str, str], fits: np.ndarray) -> list[Line2D]:
    """Make the rows of the legend: the sensors, if any is known, and what a cross is."""
    style: dict[str, Any] = {"ls": "none", "ms": 6}
    rows = []
    if set(markers) != {"unknown"}:
        for platform, marker in markers.items():
            name = platform_text(platform) or "sensor not known"
            rows.append(Line2D([], [], marker=marker, color=WATER, label=name, **style))
    if not fits.all():
        cross = {**style, "ms": 7, "mew": 1.8}
        rows.append(Line2D([], [], marker="x", color=LOST, label="does not fit", **cross))
    return rows


def _draw_area(axes: Axes, series: pd.DataFrame, fits: np.ndarray, markers: list[str]) -> None:
    times = series.index.to_numpy()
    best, most, least = (series[name].to_numpy(float) for name in ("best", "most", "least"))
    whole = _whole(series)
    axes.vlines(times, least, most, color=UNSEEN, lw=1.2, zorder=1)
    low = high = best[whole]
    runs = _without_gaps(times[whole])
    for run in runs:
        axes.plot(times[whole][run], best[whole][run], color=WATER, lw=1.4, zorder=2)
    if "low_95" in series:
        low, high = (series[name].to_numpy(float)[whole] for name in ("low_95", "high_95"))
        pale: dict[str, Any] = {"color": WATER, "alpha": 0.18, "zorder": 1}
        for run in runs:
            axes.fill_between(times[whole][run], low[run], high[run], lw=0, **pale)
            if run.stop - run.start == 1:  # a band has no width there
                axes.vlines(times[whole][run], low[run], high[run], lw=10, **pale)
    for marker in dict.fromkeys(markers):
        own = np.array([one == marker for one in markers])
        style: dict[str, Any] = {"ls": "none", "marker": marker, "ms": 6}
        for shown, face in ((own & whole, WATER), (own & fits & ~whole, "white")):
            axes.plot(times[shown], best[shown], color=WATER, mfc=face, zorder=3, **style)
        misfits = own & ~fits
        axes.plot(times[misfits], best[misfits], color=LOST, mfc="white", zorder=5, **style)
    below = _below_line(times, best, whole)[~fits]
    _cross_out(axes, times[~fits], best[~fits], below)
    # What may be hidden on a cloudy date shall not flatten everything else.
    inside = np.concatenate([best, most[whole], low, high])
    inside = inside[np.isfinite(inside)]
    axes.set_ylim(0.0, 1.08 * max(inside.max(initial=0.0), 1e-6))
    axes.set_ylabel("water, km²", color=SOFT)
    axes.grid(axis="y", color="#e4e4e4", lw=0.6)
    axes.set_axisbelow(True)


def _without_gaps(times: np.ndarray) -> list[slice]:
    """Divide sorted dates into runs without a long gap, across which nobody knows the area."""
    days = times.astype("datetime64[D]").astype(np.int64)
    cuts = np.flatnonzero(np.diff(days) > LONGEST_GAP) + 1
    ends = [0, *cuts.tolist(), len(times)]
    return [slice(a, b) for a, b in itertools.pairwise(ends) if b > a]


def _below_line(times: np.ndarray, best: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Say which dates lie below the line through those that are whole."""
    if not whole.any():
        return np.zeros(len(times), dtype=bool)
    days = times.astype("datetime64[s]").astype(np.int64)
    order = np.argsort(days[whole])
    below: np.ndarray = best < np.interp(days, days[whole][order], best[whole][order])
    return below


def _cross_out(axes: Axes, times: np.ndarray, values: np.ndarray, below: np.ndarray) -> None:
    """Cross dates out, and write which they are on the side that is away from the line."""
    axes.plot(times, values, ls="none", marker="x", color=LOST, ms=12, mew=1.6, zorder=4)
    if len(times) > _NAMED:
        return
    for time, value, under in zip(times, values, below, strict=True):
        axes.annotate(
            str(time)[:10], (time, value), textcoords="offset points",
            xytext=(8, -5 if under else 5), va="top" if under else "bottom",
            color=LOST, fontsize=8,
        )  # fmt: skip


def _draw_share(axes: Axes, series: pd.DataFrame, fits: np.ndarray) -> None:
    times = series.index.to_numpy()
    share = 100 * series["observed_share"].to_numpy(float)
    colours = [WATER if fit else LOST for fit in fits]
    axes.vlines(times, 0, np.nan_to_num(share), colors=colours, lw=3.0)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("observed, %", color=SOFT)
    locator = mdates.AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib is untyped
    axes.xaxis.set_major_locator(locator)
    form = mdates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(form)
